//! Paths of files by their records, found by going up from folder to folder.
//!
//! A folder counts only in the use that is asked for: a record that was used again is another folder. What was found is
//! kept, up to a bound.

use super::medium::Bytes;
use hearth_core::CancelToken;
use hearth_ntfs::{File, FileReference, Visit, Volume, Window};
use std::collections::HashMap;
use std::sync::Arc;

/// Record of the root.
pub(super) const ROOT: u64 = 5;
/// Folders that are kept at once.
const KEPT: usize = 1 << 16;
/// Folders above a file: more are a circle.
const DEPTH: usize = 4096;

/// See the module.
pub(super) struct Folders<'v> {
    volume: &'v Volume<Window<Bytes>>,
    cancel: &'v CancelToken,
    /// By their keys: the path, or that there is none.
    known: HashMap<u64, Option<Arc<[u8]>>>,
}

impl<'v> Folders<'v> {
    pub(super) fn new(volume: &'v Volume<Window<Bytes>>, cancel: &'v CancelToken) -> Self {
        Self { volume, cancel, known: HashMap::new() }
    }

    /// The path of `name` in a folder, if that is there.
    pub(super) fn path_in(&mut self, folder: FileReference, name: &[u8]) -> Option<Vec<u8>> {
        let folder = self.path_of(folder)?;
        Some([&folder, &b"/"[..], name].concat())
    }

    /// All paths of a record, whether it is in use or not.
    pub(super) fn paths_of(&mut self, number: u64) -> Vec<Vec<u8>> {
        if number == ROOT {
            return vec![b"/".to_vec()];
        }
        let names = self.look(number).map(|looked| looked.names).unwrap_or_default();
        names.into_iter().filter_map(|(parent, name)| self.path_in(parent, &name)).collect()
    }

    /// The path of a folder without a slash at its end; that of the root is empty.
    fn path_of(&mut self, folder: FileReference) -> Option<Arc<[u8]>> {
        let mut way = Vec::new();
        let mut at = folder;
        let mut path = loop {
            if at.number() == ROOT {
                break Some(Arc::default());
            }
            if let Some(known) = self.known.get(&at.to_key()) {
                break known.clone();
            }
            let above = if way.len() < DEPTH { self.above(at) } else { None };
            let Some((parent, name)) = above else {
                self.keep(at, None);
                break None;
            };
            way.push((at, name));
            at = parent;
        };
        for (folder, name) in way.into_iter().rev() {
            path = path.map(|path: Arc<[u8]>| [&path, &b"/"[..], &name].concat().into());
            self.keep(folder, path.clone());
        }
        path
    }

    /// The folder above a folder, and its name there.
    fn above(&self, folder: FileReference) -> Option<(FileReference, Vec<u8>)> {
        let looked = self.look(folder.number())?;
        let right = looked.is_folder && looked.reference.sequence() == folder.sequence();
        looked.names.into_iter().next().filter(|_| right)
    }

    fn look(&self, number: u64) -> Option<Looked> {
        let mut seen = Seen(None);
        self.volume.read_some(&[number], &mut seen, self.cancel).ok()?;
        seen.0
    }

    fn keep(&mut self, folder: FileReference, path: Option<Arc<[u8]>>) {
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(folder.to_key(), path);
    }
}

/// A record as far as paths are concerned.
struct Looked {
    reference: FileReference,
    is_folder: bool,
    /// The folder and the name of each link.
    names: Vec<(FileReference, Vec<u8>)>,
}

struct Seen(Option<Looked>);

impl Visit for Seen {
    fn file(&mut self, file: &File<'_>) {
        let names = file.links().map(|link| (link.parent, link.name.to_bytes()));
        self.0 = Some(Looked {
            reference: file.reference,
            is_folder: file.in_use && file.is_dir,
            names: names.collect(),
        });
    }
}
