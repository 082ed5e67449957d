//! Where acts were done: paths of the folders that a feed names by inode.

use hearth_files::index::Body;
use hearth_watch::Act;
use std::collections::HashMap;
use std::sync::Arc;

/// The folder of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// Absolute path, without trailing slash.
    At(Arc<[u8]>),
    /// No index ever held the folder with this inode: it came and went between two looks, or lies outside.
    Unseen(u64),
}

/// Folders of a batch of acts, each looked up once.
pub(super) struct Folders {
    known: HashMap<u64, Arc<[u8]>>,
}

impl Folders {
    /// Finds the folders of acts: where they are, else where they were.
    pub(super) fn of(before: &Body, after: &Body, acts: &[Act]) -> Self {
        let mut wanted: Vec<u64> = acts.iter().map(|act| act.folder).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut known = HashMap::with_capacity(wanted.len());
        for body in [after, before] {
            let paths = body.folder_paths(&wanted);
            let found = wanted.iter().zip(paths).filter_map(|(inode, path)| Some((*inode, path?.into())));
            known.extend(found);
            wanted.retain(|inode| !known.contains_key(inode));
        }
        Self { known }
    }

    /// The folder with this inode.
    pub(super) fn folder(&self, inode: u64) -> Folder {
        self.known.get(&inode).map_or(Folder::Unseen(inode), |path| Folder::At(Arc::clone(path)))
    }
}
