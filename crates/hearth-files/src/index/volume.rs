//! The one writer of a volume's index: applies changes to the current body.
//!
//! Holds the lookups that only writing needs (added rows by place, by inode). An applied batch costs
//! what changed and the depth it lies at, never what exists. Changes may come in any order and more
//! than once: each one states what is so now, and one that cannot be placed is counted, not guessed.

mod rows;

use super::RowId;
use super::base::DirId;
use super::body::Body;
use super::delta::{NONE, ROOT};
use crate::entry::Meta;
use hearth_core::EntryKind;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) use rows::Known;

/// One fact about the volume. Folders are named by their inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This entry exists with this metadata. Creates it, updates it, or replaces an entry of another
    /// kind or inode. Rows of the same inode (hard links) take the metadata too.
    Put {
        /// Inode of the folder.
        parent: u64,
        /// Raw name.
        name: Vec<u8>,
        /// Metadata, type bits included.
        meta: Meta,
    },
    /// No entry has this name (any more); a folder goes with everything below it.
    Remove {
        /// Inode of the folder.
        parent: u64,
        /// Raw name.
        name: Vec<u8>,
    },
    /// An entry changed its folder, its name or both; whatever had the new name is gone.
    Move {
        /// Inode of the folder it was in.
        from: u64,
        /// Raw name it had.
        from_name: Vec<u8>,
        /// Inode of the folder it is in.
        to: u64,
        /// Raw name it has.
        to_name: Vec<u8>,
    },
    /// Metadata of every row of the inode `meta.inode` (also of the root folder).
    Meta {
        /// The new metadata; must be of the same kind.
        meta: Meta,
    },
}

/// Outcome of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Changes that had an effect or were already true.
    pub applied: usize,
    /// Changes that name a folder or entry that is not in the index.
    pub unplaced: usize,
}

/// What a row adds to the totals of the folders above it. Sums wrap, as those of the base do.
#[derive(Clone, Copy, Default)]
struct Share {
    descendants: i64,
    size: i64,
    allocated: i64,
}

impl Share {
    fn negated(self) -> Share {
        Share {
            descendants: self.descendants.wrapping_neg(),
            size: self.size.wrapping_neg(),
            allocated: self.allocated.wrapping_neg(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Volume {
    body: Body,
    by_name: HashMap<(DirId, Arc<[u8]>), RowId>,
    /// Added rows that are not folders.
    by_inode: HashMap<u64, Vec<RowId>>,
    /// Folders that an added row stands for, each under the inode of that row. Inodes may repeat: mounted
    /// folders have those of other file systems.
    added_dirs: BTreeSet<(u64, DirId)>,
}

impl Volume {
    /// A writer that continues from a body.
    pub fn new(body: &Body) -> Volume {
        let mut volume = Volume {
            body: body.clone(),
            by_name: HashMap::new(),
            by_inode: HashMap::new(),
            added_dirs: BTreeSet::new(),
        };
        let added: Vec<RowId> = body.added_rows().collect();
        for row in added {
            volume.remember(row);
        }
        volume
    }

    /// Number of folders with this inode: one or none, unless something is mounted or there are subvolumes.
    pub fn folders_with_inode(&self, inode: u64) -> usize {
        self.known().folders_of_inode(inode).count()
    }

    /// The current instant, shared; costs a few reference counts.
    pub fn body(&self) -> Body {
        self.body.clone()
    }

    /// Applies a batch in order.
    pub fn apply(&mut self, changes: &[Change]) -> Applied {
        let mut outcome = Applied::default();
        for change in changes {
            match self.apply_one(change) {
                Some(()) => outcome.applied += 1,
                None => outcome.unplaced += 1,
            }
        }
        outcome
    }

    fn apply_one(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::Put { parent, name, meta } => self.put(*parent, name, *meta),
            Change::Remove { parent, name } => {
                let row = self.lookup(self.dir_of_inode(*parent)?, name)?;
                self.remove(row);
                Some(())
            }
            Change::Move { from, from_name, to, to_name } => {
                let from = self.dir_of_inode(*from)?;
                let to = self.dir_of_inode(*to)?;
                let row = self.lookup(from, from_name)?;
                self.relocate(row, to, to_name)
            }
            Change::Meta { meta } => self.put_meta(*meta),
        }
    }

    fn dir_of_inode(&self, inode: u64) -> Option<DirId> {
        self.known().folders_of_inode(inode).next()
    }

    fn lookup(&self, dir: DirId, name: &[u8]) -> Option<RowId> {
        if self.body.delta.patch(dir).first != NONE
            && let Some(&row) = self.by_name.get(&(dir, Arc::from(name)))
        {
            return Some(row);
        }
        let base = &self.body.base;
        (dir < base.dir_count())
            .then(|| base.child(dir, name))
            .flatten()
            .filter(|&row| self.body.is_live(row))
    }

    fn put(&mut self, parent: u64, name: &[u8], meta: Meta) -> Option<()> {
        let parent = self.dir_of_inode(parent)?;
        match self.lookup(parent, name) {
            Some(row) if self.same_entry(row, &meta) => self.set_meta(row, meta),
            Some(row) => {
                self.remove(row);
                self.create(parent, name, meta);
            }
            None => self.create(parent, name, meta),
        }
        if meta.kind() != EntryKind::Dir && meta.links > 1 {
            self.share_meta(meta);
        }
        Some(())
    }

    fn same_entry(&self, row: RowId, meta: &Meta) -> bool {
        let known = self.body.meta(row);
        known.kind() == meta.kind() && known.inode == meta.inode
    }

    fn put_meta(&mut self, meta: Meta) -> Option<()> {
        if meta.kind() == EntryKind::Dir {
            let row = self.body.dir_row(self.dir_of_inode(meta.inode)?);
            self.set_meta(row, meta);
            return Some(());
        }
        self.share_meta(meta).then_some(())
    }

    /// Gives every row of a file's inode the same metadata. False if there is none.
    fn share_meta(&mut self, meta: Meta) -> bool {
        let rows = self.rows_of_inode(meta.inode);
        for &row in &rows {
            if self.body.kind(row) == meta.kind() {
                self.set_meta(row, meta);
            }
        }
        !rows.is_empty()
    }

    fn rows_of_inode(&self, inode: u64) -> Vec<RowId> {
        let mut rows = self.by_inode.get(&inode).cloned().unwrap_or_default();
        rows.extend(self.body.base.rows_of_inode(inode).into_iter().filter(|&row| self.body.is_live(row)));
        rows
    }

    fn create(&mut self, parent: DirId, name: &[u8], meta: Meta) {
        // A folder that shows up under a new name while its old one stands was moved.
        if meta.kind() == EntryKind::Dir
            && let Some(known) = self.dir_of_inode(meta.inode).filter(|&dir| dir != ROOT)
        {
            let row = self.body.dir_row(known);
            if self.relocate(row, parent, name).is_some() {
                self.set_meta(self.body.dir_row(known), meta);
                return;
            }
        }
        self.insert(parent, name, meta);
    }

    /// Adds an entry that is not there, and its share to the totals above; gives the number of a folder.
    fn insert(&mut self, parent: DirId, name: &[u8], meta: Meta) -> Option<DirId> {
        let dir = (meta.kind() == EntryKind::Dir).then_some(self.body.delta.next_dir);
        self.body.delta.next_dir += u32::from(dir.is_some());
        let row = self.add_row(parent, dir.unwrap_or(NONE), name, meta);
        self.add_share(parent, 1, self.share(row));
        dir
    }

    fn add_row(&mut self, parent: DirId, dir: DirId, name: &[u8], meta: Meta) -> RowId {
        let added = self.body.delta.push(parent, dir, self.body.base.added_name(name), meta);
        if dir != NONE {
            self.body.delta.edit_dir(dir, |patch| patch.row = added);
        }
        let row = self.body.base.len + added;
        self.remember(row);
        row
    }

    fn remember(&mut self, row: RowId) {
        let Some(added) = self.body.added(row) else { return };
        let (place, dir, inode) = ((added.parent, Arc::clone(&added.name)), added.dir, added.meta.inode);
        if dir != ROOT {
            self.by_name.insert(place, row);
        }
        if dir == NONE {
            self.by_inode.entry(inode).or_default().push(row);
        } else {
            self.added_dirs.insert((inode, dir));
        }
    }

    /// Takes one row out, without what is below it and without touching totals.
    fn drop_row(&mut self, row: RowId) {
        if self.body.is_base(row) {
            self.body.delta.dead.set(row, true);
            return;
        }
        let gone = self.body.delta.remove(row - self.body.base.len);
        self.by_name.remove(&(gone.parent, gone.name));
        if gone.dir != NONE {
            self.added_dirs.remove(&(gone.meta.inode, gone.dir));
            self.body.delta.edit_dir(gone.dir, |patch| patch.row = NONE);
        } else if let Some(rows) = self.by_inode.get_mut(&gone.meta.inode) {
            rows.retain(|&known| known != row);
            if rows.is_empty() {
                self.by_inode.remove(&gone.meta.inode);
            }
        }
    }

    /// What a row and everything below it adds to the folders above.
    fn share(&self, row: RowId) -> Share {
        let meta = self.body.meta(row);
        match self.body.totals(row) {
            Some(totals) => Share {
                descendants: totals.descendants.wrapping_add(1) as i64,
                size: totals.size as i64,
                allocated: totals.allocated.wrapping_add(meta.allocated) as i64,
            },
            None => Share { descendants: 1, size: meta.size as i64, allocated: meta.allocated as i64 },
        }
    }

    fn add_share(&mut self, parent: DirId, children: i64, share: Share) {
        let mut dir = parent;
        self.body.delta.edit_dir(dir, |patch| patch.children = patch.children.wrapping_add(children));
        loop {
            self.body.delta.edit_dir(dir, |patch| {
                patch.descendants = patch.descendants.wrapping_add(share.descendants);
                patch.size = patch.size.wrapping_add(share.size);
                patch.allocated = patch.allocated.wrapping_add(share.allocated);
            });
            if dir == ROOT {
                return;
            }
            dir = self.body.dir_parent(dir);
        }
    }

    fn remove(&mut self, row: RowId) {
        for (inode, names) in self.take_out(row) {
            self.unlink(inode, names);
        }
    }

    /// Takes an entry out with all below it; gives the linked inodes that lost names, and how many. The link
    /// counts of their other names stay as they are.
    pub(crate) fn take_out(&mut self, row: RowId) -> HashMap<u64, u32> {
        let mut unlinked: HashMap<u64, u32> = HashMap::new();
        if self.body.dir_of(row) == Some(ROOT) {
            return unlinked;
        }
        self.add_share(self.body.parent(row), -1, self.share(row).negated());
        let mut doomed = vec![row];
        while let Some(row) = doomed.pop() {
            match self.body.dir_of(row) {
                Some(dir) => doomed.extend(self.body.children_of(dir)),
                None => {
                    let meta = self.body.meta(row);
                    if meta.links > 1 {
                        *unlinked.entry(meta.inode).or_default() += 1;
                    }
                }
            }
            self.drop_row(row);
        }
        unlinked
    }

    /// That many names fewer for the remaining rows of a hard-linked inode.
    fn unlink(&mut self, inode: u64, names: u32) {
        for row in self.rows_of_inode(inode) {
            let known = self.body.meta(row);
            self.set_meta(row, Meta { links: known.links.saturating_sub(names).max(1), ..known });
        }
    }

    fn relocate(&mut self, mut row: RowId, to: DirId, name: &[u8]) -> Option<()> {
        let dir = self.body.dir_of(row);
        if let Some(dir) = dir
            && (dir == ROOT || dir == to || self.body.is_below(to, dir))
        {
            return None;
        }
        match self.lookup(to, name) {
            Some(target) if target == row => return Some(()),
            // Two names of one inode: rename(2) leaves both.
            Some(target) if dir.is_none() && self.is_link_of(row, target) => return Some(()),
            Some(target) => row = self.remove_before(target, row)?,
            None => {}
        }
        let (meta, share) = (self.body.meta(row), self.share(row));
        self.add_share(self.body.parent(row), -1, share.negated());
        self.drop_row(row);
        if let Some(dir) = dir.filter(|&dir| dir < self.body.base.dir_count()) {
            self.body.delta.displace(self.body.base.displaced(dir));
        }
        self.add_row(to, dir.unwrap_or(NONE), name, meta);
        self.add_share(to, 1, share);
        Some(())
    }

    /// Removes `target` and gives the row that then stands for the entry of `row`: another one if a link of
    /// the same inode went away. `None` if the entry went with the target.
    fn remove_before(&mut self, target: RowId, row: RowId) -> Option<RowId> {
        let (parent, mut name) = (self.body.parent(row), Vec::new());
        self.body.name_into(row, &mut name);
        self.remove(target);
        self.lookup(parent, &name)
    }

    fn is_link_of(&self, row: RowId, other: RowId) -> bool {
        let (mine, theirs) = (self.body.meta(row), self.body.meta(other));
        mine.inode == theirs.inode && mine.links > 1 && self.body.dir_of(other).is_none()
    }

    fn set_meta(&mut self, row: RowId, meta: Meta) {
        let known = self.body.meta(row);
        if known == meta {
            return;
        }
        let dir = self.body.dir_of(row);
        let (parent, is_root) = (self.body.parent(row), dir == Some(ROOT));
        let allocated = meta.allocated.wrapping_sub(known.allocated) as i64;
        let size = if dir.is_some() { 0 } else { meta.size.wrapping_sub(known.size) as i64 };
        if self.body.is_base(row) {
            let mut name = Vec::new();
            self.body.name_into(row, &mut name);
            self.drop_row(row);
            self.add_row(parent, dir.unwrap_or(NONE), &name, meta);
        } else {
            self.body.delta.set_meta(row - self.body.base.len, meta);
        }
        if !is_root {
            self.add_share(parent, 0, Share { descendants: 0, size, allocated });
        }
    }
}
