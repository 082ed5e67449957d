//! What the comparers of one call share: where the volume ends, what is still to be done, who moved.
//!
//! Whether a folder is a new one or one that moved is decided here, by whoever comes upon it: it moved
//! if the index has its inode elsewhere and the disk does not have it there any more. Where subvolumes repeat
//! inodes, both are there, and the folder is a new one.

use std::collections::HashSet;
use std::ffi::CStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use hearth_core::limits::TREE_DEPTH;
use hearth_core::{CancelToken, UnixNanos};

use super::compare::Part;
use super::finding::FIRST_NEW;
use super::ground::{Ground, leads_astray, may_be_same_folder, way_to};
use crate::entry::{Meta, ScanDir};
use crate::index::{DirId, Known, ROOT};
use crate::scan::Excludes;
use crate::scan::queue::{Queue, lock};
use crate::scan::stat::Place;
use crate::scan::tree::Dir;

/// What the comparers of one call share.
pub(super) struct Walk<'a> {
    pub(super) ground: &'a Ground,
    pub(super) excludes: &'a Excludes,
    pub(super) cancel: &'a CancelToken,
    pub(super) queue: Queue<Part>,
    /// Enter folders that stand where they stood.
    pub(super) deep: bool,
    /// A folder whose inode last changed before this instant, and whose times and links are those in the index,
    /// has the names that the index has.
    pub(super) quiet_before_ns: Option<UnixNanos>,
    /// No permission keeps this process from reading.
    pub(super) privileged: bool,
    pub(super) next_new: AtomicU32,
    /// Folders that somebody found in a new place since the instant that is compared with.
    pub(super) claimed: Mutex<HashSet<DirId>>,
}

impl Walk<'_> {
    pub(super) fn new_number(&self) -> ScanDir {
        FIRST_NEW | self.next_new.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the contents of the folder `name` of `parent` are not for the index.
    pub(super) fn is_barred(&self, parent: &Dir, name: &CStr, place: &Place) -> bool {
        !self.ground.holds(place) || self.excludes_folder(parent, name)
    }

    /// Whether a rule or its depth keeps the folder `name` of `parent` from being entered.
    pub(super) fn excludes_folder(&self, parent: &Dir, name: &CStr) -> bool {
        parent.depth + 1 >= TREE_DEPTH || self.excludes.rule_for(parent, name).is_some()
    }

    /// The folder that the index has elsewhere and that must be this one: its inode is not found there any more.
    pub(super) fn moved_from(
        &self,
        known: Known<'_>,
        meta: &Meta,
        parent: &Dir,
        name: &CStr,
    ) -> Option<DirId> {
        let candidates = known.folders_of_inode(meta.inode).filter(|&dir| dir != ROOT);
        let mut same = candidates.filter(|&dir| may_be_same_folder(&known.folder_meta(dir), meta));
        same.find(|&dir| {
            !self.excludes_differ(known, dir, parent, name)
                && self.left_its_place(known, dir)
                && lock(&self.claimed).insert(dir)
        })
    }

    fn left_its_place(&self, known: Known<'_>, dir: DirId) -> bool {
        let row = known.body.dir_row(dir);
        let mut name = Vec::new();
        known.body.name_into(row, &mut name);
        match self.ground.entry_of(known, known.body.parent(row), &name) {
            None => true,
            Some(Ok((meta, _))) => !may_be_same_folder(&meta, &known.folder_meta(dir)),
            Some(Err(error)) => leads_astray(error),
        }
    }

    /// Whether what is entered below a folder is not the same at its old and its new place.
    fn excludes_differ(&self, known: Known<'_>, dir: DirId, parent: &Dir, name: &CStr) -> bool {
        let below = |parts: &[&[u8]]| self.excludes.any_below(parts);
        let mut new: Vec<&[u8]> = parent.names().map(CStr::to_bytes).collect();
        new.reverse();
        new.push(name.to_bytes());
        let old = way_to(known, dir).unwrap_or_default();
        let old_parts: Vec<&[u8]> = old.iter().map(|(_, name)| name.as_bytes()).collect();
        let was_barred = old
            .split_last()
            .is_some_and(|((_, name), above)| self.excludes_folder(&self.ground.dir_at(above, None), name));
        was_barred || below(&new) || below(&old_parts)
    }
}
