//! Where acts were done: paths of the folders that a feed names by inode.

use hearth_files::index::Body;
use hearth_watch::Act;
use std::collections::HashMap;
use std::sync::Arc;

/// The folder of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) inode: u64,
    /// Absolute path, without trailing slash; `None` if no index ever held it: it came and went between two looks,
    /// or lies outside.
    pub(super) path: Option<Arc<[u8]>>,
}

/// Folders of a batch of acts, each looked up once.
pub(super) struct Folders {
    known: HashMap<u64, Arc<[u8]>>,
}

impl Folders {
    /// Finds the folders of acts, each in the first body that has it.
    pub(super) fn in_bodies(bodies: &[&Body], acts: &[Act]) -> Self {
        let mut wanted = wanted(acts);
        let mut known = HashMap::with_capacity(wanted.len());
        for body in bodies {
            let paths = body.folder_paths(&wanted);
            let found = wanted.iter().zip(paths).filter_map(|(inode, path)| Some((*inode, path?.into())));
            known.extend(found);
            wanted.retain(|inode| !known.contains_key(inode));
        }
        Self { known }
    }

    /// Finds the folders of acts among others, the last of each inode counts.
    pub(super) fn among<'a>(folders: impl Iterator<Item = &'a Folder>, acts: &[Act]) -> Self {
        let wanted = wanted(acts);
        let wanted = folders.filter(|folder| wanted.binary_search(&folder.inode).is_ok());
        Self { known: wanted.filter_map(|folder| Some((folder.inode, folder.path.clone()?))).collect() }
    }

    /// The folder with this inode.
    pub(super) fn folder(&self, inode: u64) -> Folder {
        Folder { inode, path: self.known.get(&inode).cloned() }
    }
}

/// Inodes of the folders of acts, ordered, each once.
fn wanted(acts: &[Act]) -> Vec<u64> {
    let mut wanted: Vec<u64> = acts.iter().map(|act| act.folder).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
