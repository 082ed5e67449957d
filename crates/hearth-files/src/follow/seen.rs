//! What a follower reports: what came, went, moved and changed.
//!
//! The record names folders by inode, so it stays true whatever becomes of the folders above. It is bounded;
//! what does not fit is counted, and whoever needs all of it compares bodies instead.

use std::collections::HashMap;

use hearth_core::{EntryKind, NO_TIME};

use super::Look;
use crate::entry::Meta;

/// Most changes that one call spells out.
pub const CHANGES_RECORDED: usize = 65_536;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was not there before. A folder came with everything below it.
    Created,
    /// It is not there any more. A folder went with everything below it.
    Removed,
    /// It was in another folder or had another name. A folder took everything below it along.
    Moved {
        /// Inode of the folder it was in.
        from: u64,
        /// Raw name it had.
        from_name: Box<[u8]>,
    },
    /// Its metadata changed (of a folder: mode, owner or attributes).
    Modified,
}

/// One change of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What became of it.
    pub what: What,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// Its inode.
    pub inode: u64,
    /// Inode of the folder that holds it, or held it when it was removed.
    pub folder: u64,
    /// Its raw name.
    pub name: Box<[u8]>,
}

/// What a follower saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What changed, at most [`CHANGES_RECORDED`], in the order in which it was found out. A folder stands for
    /// everything below it.
    pub changes: Vec<Changed>,
    /// Changes that did not fit.
    pub unrecorded: usize,
    /// Changes of rows made in the volume, those of folders' own times and sizes included.
    pub applied: usize,
    /// Entries that were looked at.
    pub looked: usize,
    /// Folders that were listed.
    pub listed_folders: usize,
    /// Entries and folders that may not be read. They keep their rows; of such a folder nothing below is kept.
    pub denied: usize,
    /// Entries and folders that could not be read for another reason. What is known of them stays.
    pub failed: usize,
    /// What was in motion while it was looked at: look again soon.
    pub again: Vec<Look>,
}

/// Where an entry is: inode of the folder, name.
pub(super) type Spot = (u64, Box<[u8]>);

/// Keeps the record while changes are made. A file that went from one place and came to another within one
/// call was moved; files are told apart by inode and birth, so without births a move is two changes.
#[derive(Default)]
pub(super) struct Record {
    pub(super) changes: Vec<Changed>,
    pub(super) unrecorded: usize,
    came: HashMap<(u64, i64), usize>,
    went: HashMap<(u64, i64), usize>,
}

/// What tells a file from others over time.
fn identity(meta: &Meta) -> Option<(u64, i64)> {
    (meta.kind() != EntryKind::Dir && meta.created_ns != NO_TIME).then_some((meta.inode, meta.created_ns))
}

/// Whether metadata differ so that it is worth telling: mode, owner, group, attributes, and of files size, allocated bytes,
/// modification time and links. A folder's times change with everything inside it, and an access is no change.
pub fn is_modified(before: &Meta, after: &Meta) -> bool {
    let told = |meta: &Meta| {
        let inside = (meta.size, meta.allocated, meta.modified_ns, meta.links);
        (meta.mode, meta.uid, meta.gid, meta.attributes, (meta.kind() != EntryKind::Dir).then_some(inside))
    };
    told(before) != told(after)
}

impl Record {
    pub(super) fn created(&mut self, spot: Spot, meta: &Meta) {
        let earlier = identity(meta).and_then(|identity| self.went.remove(&identity));
        if let Some(at) = earlier {
            let gone = &mut self.changes[at];
            let (from, from_name) = (gone.folder, std::mem::take(&mut gone.name));
            gone.what = What::Moved { from, from_name };
            (gone.folder, gone.name) = spot;
        } else if let (Some(at), Some(identity)) = (self.push(What::Created, spot, meta), identity(meta)) {
            self.came.insert(identity, at);
        }
    }

    pub(super) fn removed(&mut self, spot: Spot, meta: &Meta) {
        let later = identity(meta).and_then(|identity| self.came.remove(&identity));
        match later {
            // Made and removed between two rounds of one call.
            Some(at) if self.changes[at].folder == spot.0 && self.changes[at].name == spot.1 => {
                self.changes[at].what = What::Removed;
            }
            Some(at) => self.changes[at].what = What::Moved { from: spot.0, from_name: spot.1 },
            None => {
                if let (Some(at), Some(identity)) = (self.push(What::Removed, spot, meta), identity(meta)) {
                    self.went.insert(identity, at);
                }
            }
        }
    }

    pub(super) fn moved(&mut self, (from, from_name): Spot, to: Spot, meta: &Meta) {
        self.push(What::Moved { from, from_name }, to, meta);
    }

    /// Notes new metadata, if it is worth telling.
    pub(super) fn modified(&mut self, spot: impl FnOnce() -> Spot, before: &Meta, meta: &Meta) {
        if is_modified(before, meta) {
            self.push(What::Modified, spot(), meta);
        }
    }

    fn push(&mut self, what: What, (folder, name): Spot, meta: &Meta) -> Option<usize> {
        if self.changes.len() >= CHANGES_RECORDED {
            self.unrecorded += 1;
            return None;
        }
        self.changes.push(Changed { what, kind: meta.kind(), inode: meta.inode, folder, name });
        Some(self.changes.len() - 1)
    }
}
