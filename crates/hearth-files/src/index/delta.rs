//! What changed since the base: removed base rows, added rows, folders' changed places and totals.
//!
//! Every part is a persistent array, so publishing a body is a handful of reference counts and an
//! applied change copies a few small nodes, whatever the sizes of base and delta. Base rows are
//! never edited: a changed entry is a dead base row and a live added row. A folder keeps its
//! [`DirId`] through metadata changes, renames and moves, so nothing below it is touched.

use super::base::DirId;
use super::paged::{PagedArray, PagedBits};
use crate::entry::Meta;
use crate::fold::fold_into;
use hearth_core::HeapSize;
use std::sync::Arc;

/// No row, no folder.
pub(crate) const NONE: u32 = u32::MAX;

/// The root of the volume.
pub(crate) const ROOT: DirId = 0;

/// Added rows per block of [`Delta::texts`].
pub(crate) const TEXT_ROWS: u32 = 256;

/// An entry added after the base was built.
#[derive(Clone, Debug)]
pub(crate) struct DeltaRow {
    pub(crate) parent: DirId,
    /// The entry's own folder number, or [`NONE`].
    pub(crate) dir: DirId,
    pub(crate) name: Arc<[u8]>,
    /// Where the name stands among those of the base, see [`NameDict::key_of`].
    ///
    /// [`NameDict::key_of`]: super::names::NameDict::key_of
    pub(crate) name_key: i64,
    pub(crate) meta: Meta,
    /// Neighbours (added rows) in the parent's list, or [`NONE`].
    pub(crate) previous: u32,
    pub(crate) next: u32,
}

/// A name with its key.
pub(crate) struct AddedName {
    pub(crate) name: Arc<[u8]>,
    pub(crate) key: i64,
}

/// What is different about a folder, relative to the base (or to nothing).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirPatch {
    /// Added row that now stands for the folder, or [`NONE`].
    pub(crate) row: u32,
    /// First added row in the folder, or [`NONE`].
    pub(crate) first: u32,
    pub(crate) children: i64,
    pub(crate) descendants: i64,
    pub(crate) size: i64,
    pub(crate) allocated: i64,
}

impl Default for DirPatch {
    fn default() -> Self {
        DirPatch { row: NONE, first: NONE, children: 0, descendants: 0, size: 0, allocated: 0 }
    }
}

/// Folded names of a run of added rows, each followed by a NUL, for substring scans.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextBlock {
    pub(crate) text: Vec<u8>,
}

/// A base folder that was renamed or moved: its rows keep their numbers but not their place in path order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Displaced {
    pub(crate) dir: DirId,
    /// First row below the folder.
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Delta {
    /// Base rows that are gone or replaced.
    pub(crate) dead: PagedBits,
    /// Live added rows by number.
    pub(crate) rows: PagedArray<DeltaRow>,
    pub(crate) next_row: u32,
    pub(crate) dirs: PagedArray<DirPatch>,
    pub(crate) next_dir: DirId,
    pub(crate) texts: PagedArray<Arc<TextBlock>>,
    /// Ordered by start; ranges nest or are disjoint.
    pub(crate) displaced: Arc<[Displaced]>,
    /// Ranges of `displaced` that lie in no other.
    pub(crate) displaced_ranges: Arc<[(u32, u32)]>,
    name_bytes: usize,
}

impl Delta {
    /// No changes to a base with this many folders.
    pub(crate) fn new(base_dirs: u32) -> Self {
        Delta {
            dead: PagedBits::new(),
            rows: PagedArray::new(),
            next_row: 0,
            dirs: PagedArray::new(),
            next_dir: base_dirs,
            texts: PagedArray::new(),
            displaced: Arc::default(),
            displaced_ranges: Arc::default(),
            name_bytes: 0,
        }
    }

    /// True if the base alone is the whole truth.
    pub(crate) fn is_empty(&self) -> bool {
        self.next_row == 0 && self.dead.count_ones() == 0
    }

    /// Number of changes that queries have to look at besides the base.
    pub(crate) fn weight(&self) -> usize {
        self.next_row as usize + self.dead.count_ones() as usize
    }

    pub(crate) fn patch(&self, dir: DirId) -> DirPatch {
        self.dirs.get(dir).copied().unwrap_or_default()
    }

    pub(crate) fn edit_dir(&mut self, dir: DirId, edit: impl FnOnce(&mut DirPatch)) {
        let mut patch = self.patch(dir);
        edit(&mut patch);
        self.dirs.set(dir, patch);
    }

    fn edit_row(&mut self, row: u32, edit: impl FnOnce(&mut DeltaRow)) {
        let mut changed = self.rows.get(row).expect("a linked row is live").clone();
        edit(&mut changed);
        self.rows.set(row, changed);
    }

    /// Adds a row at the head of its parent's list and returns its number among the added rows.
    pub(crate) fn push(&mut self, parent: DirId, dir: DirId, name: AddedName, meta: Meta) -> u32 {
        let AddedName { name, key: name_key } = name;
        let row = self.next_row;
        self.next_row += 1;
        self.append_text(row, &name);
        // The root of the volume is its own parent, but not its own entry.
        let next = if dir == ROOT { NONE } else { self.enlist(parent, row) };
        self.rows.set(row, DeltaRow { parent, dir, name, name_key, meta, previous: NONE, next });
        row
    }

    /// Puts a row at the head of its parent's list and returns the one behind it.
    fn enlist(&mut self, parent: DirId, row: u32) -> u32 {
        let next = self.patch(parent).first;
        self.edit_dir(parent, |patch| patch.first = row);
        if next != NONE {
            self.edit_row(next, |neighbour| neighbour.previous = row);
        }
        next
    }

    /// Removes an added row from its parent's list and from the live rows.
    pub(crate) fn remove(&mut self, row: u32) -> DeltaRow {
        let gone = self.rows.get(row).expect("only live rows are removed").clone();
        match gone.previous {
            NONE => self.edit_dir(gone.parent, |patch| patch.first = gone.next),
            previous => self.edit_row(previous, |neighbour| neighbour.next = gone.next),
        }
        if gone.next != NONE {
            self.edit_row(gone.next, |neighbour| neighbour.previous = gone.previous);
        }
        self.rows.remove(row);
        gone
    }

    pub(crate) fn set_meta(&mut self, row: u32, meta: Meta) {
        self.edit_row(row, |changed| changed.meta = meta);
    }

    fn append_text(&mut self, row: u32, name: &[u8]) {
        let block = row / TEXT_ROWS;
        let mut text = self.texts.get(block).cloned().unwrap_or_default();
        // Taken out first, so that a block nobody else holds is appended to in place.
        self.texts.remove(block);
        let bytes = &mut Arc::make_mut(&mut text).text;
        fold_into(name, bytes);
        bytes.push(0);
        self.texts.set(block, text);
        self.name_bytes += name.len() * 2 + 1;
    }

    /// Notes that a base folder's place changed.
    pub(crate) fn displace(&mut self, displaced: Displaced) {
        if self.displaced.iter().any(|known| known.dir == displaced.dir) {
            return;
        }
        let known = Arc::clone(&self.displaced);
        self.displace_all(known.iter().copied().chain([displaced]));
    }

    /// Replaces what is known of changed places; each folder comes once.
    pub(crate) fn displace_all(&mut self, folders: impl Iterator<Item = Displaced>) {
        let mut all: Vec<Displaced> = folders.collect();
        all.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for range in &all {
            if ranges.last().is_none_or(|&(_, end)| range.start >= end) {
                ranges.push((range.start, range.end));
            }
        }
        self.displaced = all.into();
        self.displaced_ranges = ranges.into();
    }

    /// True if the base row lies below a displaced folder.
    pub(crate) fn is_displaced(&self, base_row: u32) -> bool {
        let ranges = &self.displaced_ranges;
        let after = ranges.partition_point(|&(start, _)| start <= base_row);
        after > 0 && base_row < ranges[after - 1].1
    }
}

impl HeapSize for Delta {
    fn heap_bytes(&self) -> usize {
        self.dead.heap_bytes()
            + self.rows.heap_bytes()
            + self.dirs.heap_bytes()
            + self.texts.heap_bytes()
            + self.name_bytes
            + self.displaced.len() * size_of::<Displaced>()
            + self.displaced_ranges.len() * size_of::<(u32, u32)>()
    }
}
