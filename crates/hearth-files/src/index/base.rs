//! The immutable part of a volume's index: one row per directory entry, stored as columns.
//!
//! Rows are numbered in path order (depth first, siblings by folded then raw name), so a folder's
//! tree is one contiguous range that begins with the folder itself, and ascending row numbers are
//! the default sort order. Folders are numbered in row order as well. No path, no parent column:
//! the parent is found from the folder ranges. Row 0 is the root of the volume.

use super::bits::{Bits, PackedInts};
use super::column::{Column, ZoneMap};
use super::delta::{AddedName, Displaced};
use super::grams::GramIndex;
use super::names::NameDict;
use super::peaks::Peaks;
use super::{RowId, Totals};
use crate::entry::Meta;
use hearth_core::{EntryKind, HeapSize};
use std::ops::Range;

/// Identity of a folder: its number in the base, or beyond those for folders that a delta added.
pub(crate) type DirId = u32;

/// The part of the metadata that few distinct values share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Class {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) links: u32,
    pub(crate) attributes: u32,
}

impl Class {
    pub(crate) fn of(meta: &Meta) -> Class {
        let Meta { mode, uid, gid, links, attributes, .. } = *meta;
        Class { mode, uid, gid, links, attributes }
    }
}

/// Columns over the folders, in row order.
#[derive(Debug)]
pub(crate) struct DirColumns {
    pub(crate) row: PackedInts,
    /// First row after the folder's tree.
    pub(crate) end: PackedInts,
    /// Holding folder; the root's is itself.
    pub(crate) parent: PackedInts,
    /// Folders above it inside the volume.
    pub(crate) level: PackedInts,
    pub(crate) children: Column,
    pub(crate) size: Column,
    pub(crate) allocated: Column,
    /// Folder numbers ordered by inode.
    pub(crate) by_inode: PackedInts,
}

/// Columns over the rows.
#[derive(Debug)]
pub(crate) struct RowColumns {
    pub(crate) size: Column,
    /// Stored relative to [`expected_allocation`].
    pub(crate) allocated: Column,
    pub(crate) modified: Column,
    /// Relative to `modified`.
    pub(crate) created: Column,
    /// Relative to `created`.
    pub(crate) accessed: Column,
    pub(crate) inode: Column,
    pub(crate) class: Column,
    pub(crate) classes: Vec<Class>,
    pub(crate) size_zones: ZoneMap,
    pub(crate) modified_zones: ZoneMap,
    pub(crate) inode_zones: ZoneMap,
    pub(crate) size_peaks: Peaks,
    pub(crate) modified_peaks: Peaks,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Base {
    /// Absolute path of the root, "" for `/`.
    pub(crate) root: Box<[u8]>,
    pub(crate) len: u32,
    pub(crate) names: NameDict,
    pub(crate) grams: GramIndex,
    /// Row → name id.
    pub(crate) name_of: PackedInts,
    /// The rows that are the first of their name. Names are numbered in the order of these rows, so the
    /// one with `id` ones before it is the first row of name `id`. Every name has one.
    pub(crate) firsts: Bits,
    /// All other rows, ordered by (name id, row).
    pub(crate) repeats: PackedInts,
    /// Unary code of their numbers: a one for each name, then a zero for each of its repeats.
    pub(crate) repeat_starts: Bits,
    /// Name id → number of its rows, saturated at 255.
    pub(crate) row_counts: Box<[u8]>,
    pub(crate) is_dir: Bits,
    pub(crate) dirs: DirColumns,
    pub(crate) columns: RowColumns,
    /// (inode, row) of non-folders with several links, ordered.
    pub(crate) hard_links: Box<[(u64, u32)]>,
}

/// Bytes that a file of this size usually occupies, as the allocation column predicts it.
pub(crate) fn expected_allocation(size: i64) -> i64 {
    size.wrapping_add(4095) & !4095
}

impl Base {
    pub(crate) fn dir_count(&self) -> u32 {
        self.dirs.row.len() as u32
    }

    pub(crate) fn is_dir(&self, row: RowId) -> bool {
        self.is_dir.get(row as usize)
    }

    pub(crate) fn name_id(&self, row: RowId) -> u32 {
        self.name_of.get(row as usize) as u32
    }

    /// Place of a row's name in the alphabetical order.
    pub(crate) fn name_position(&self, row: RowId) -> u32 {
        self.names.position_of(self.name_id(row))
    }

    pub(crate) fn dir_row(&self, dir: DirId) -> RowId {
        self.dirs.row.get(dir as usize) as u32
    }

    pub(crate) fn dir_end(&self, dir: DirId) -> RowId {
        self.dirs.end.get(dir as usize) as u32
    }

    pub(crate) fn dir_parent(&self, dir: DirId) -> DirId {
        self.dirs.parent.get(dir as usize) as u32
    }

    /// A name as the delta keeps it.
    pub(crate) fn added_name(&self, name: &[u8]) -> AddedName {
        AddedName { name: name.into(), key: self.names.key_of(name) }
    }

    /// The rows below a folder, as the delta notes them if the folder moves.
    pub(crate) fn displaced(&self, dir: DirId) -> Displaced {
        Displaced { dir, start: self.dir_row(dir) + 1, end: self.dir_end(dir) }
    }

    /// Number of the folder at `row`, which must be one.
    pub(crate) fn dir_at(&self, row: RowId) -> DirId {
        debug_assert!(self.is_dir(row), "row {row} is a folder");
        self.is_dir.rank1(row as usize) as u32
    }

    /// Folder that holds `row`; the root's is itself.
    ///
    /// The nearest folder that begins before the row either holds it or ended before it; in that
    /// case one of the folders around that one does.
    pub(crate) fn parent(&self, row: RowId) -> DirId {
        let before = self.is_dir.rank1(row as usize) as u32;
        let mut dir = before.saturating_sub(1);
        while self.dir_end(dir) <= row {
            dir = self.dir_parent(dir);
        }
        dir
    }

    /// Folders between the root of the volume and `row` (0 for the root itself).
    pub(crate) fn level(&self, row: RowId) -> u32 {
        if row == 0 { 0 } else { self.dirs.level.get(self.parent(row) as usize) as u32 + 1 }
    }

    /// First row of a name; larger for larger ids.
    pub(crate) fn first_row(&self, name: u32) -> RowId {
        self.firsts.select1(name as usize) as u32
    }

    /// Rows of a name but its first, as a range for [`Base::repeat`].
    pub(crate) fn repeats(&self, name: u32) -> Range<usize> {
        if self.row_counts[name as usize] == 1 {
            return 0..0;
        }
        let name = name as usize;
        let mark = self.repeat_starts.select1(name);
        let next = self.repeat_starts.next_one(mark + 1).unwrap_or(self.repeat_starts.len());
        mark - name..next - name - 1
    }

    pub(crate) fn repeat(&self, at: usize) -> RowId {
        self.repeats.get(at) as u32
    }

    /// Rows of a name, ascending.
    pub(crate) fn rows_named(&self, name: u32) -> impl Iterator<Item = RowId> + '_ {
        std::iter::once(self.first_row(name)).chain(self.repeats(name).map(|at| self.repeat(at)))
    }

    /// Number of rows of a name.
    pub(crate) fn rows_of(&self, name: u32) -> u64 {
        match self.row_counts[name as usize] {
            u8::MAX => self.repeats(name).len() as u64 + 1,
            count => u64::from(count),
        }
    }

    pub(crate) fn size(&self, row: RowId) -> u64 {
        self.columns.size.get(row as usize) as u64
    }

    pub(crate) fn allocated(&self, row: RowId) -> u64 {
        let columns = &self.columns;
        let expected = || expected_allocation(columns.size.get(row as usize));
        columns.allocated.get_relative(row as usize, expected) as u64
    }

    pub(crate) fn modified(&self, row: RowId) -> i64 {
        self.columns.modified.get(row as usize)
    }

    pub(crate) fn created(&self, row: RowId) -> i64 {
        self.columns.created.get_relative(row as usize, || self.modified(row))
    }

    pub(crate) fn accessed(&self, row: RowId) -> i64 {
        self.columns.accessed.get_relative(row as usize, || self.created(row))
    }

    pub(crate) fn inode(&self, row: RowId) -> u64 {
        self.columns.inode.get(row as usize) as u64
    }

    pub(crate) fn class(&self, row: RowId) -> Class {
        self.columns.classes[self.columns.class.get(row as usize) as usize]
    }

    pub(crate) fn kind(&self, row: RowId) -> EntryKind {
        if self.is_dir(row) { EntryKind::Dir } else { EntryKind::from_mode(self.class(row).mode) }
    }

    pub(crate) fn meta(&self, row: RowId) -> Meta {
        let Class { mode, uid, gid, links, attributes } = self.class(row);
        Meta {
            size: self.size(row),
            allocated: self.allocated(row),
            modified_ns: self.modified(row),
            created_ns: self.created(row),
            accessed_ns: self.accessed(row),
            inode: self.inode(row),
            mode,
            uid,
            gid,
            links,
            attributes,
        }
    }

    pub(crate) fn totals(&self, dir: DirId) -> Totals {
        let at = dir as usize;
        Totals {
            children: self.dirs.children.get(at) as u64,
            descendants: u64::from(self.dir_end(dir) - self.dir_row(dir) - 1),
            size: self.dirs.size.get(at) as u64,
            allocated: self.dirs.allocated.get(at) as u64,
        }
    }

    /// First child of a folder, if it has one.
    pub(crate) fn first_child(&self, dir: DirId) -> Option<RowId> {
        let first = self.dir_row(dir) + 1;
        (first < self.dir_end(dir)).then_some(first)
    }

    /// Row after `row` and everything below it.
    pub(crate) fn after(&self, row: RowId) -> RowId {
        if self.is_dir(row) { self.dir_end(self.dir_at(row)) } else { row + 1 }
    }

    /// Direct entries of a folder, in order.
    pub(crate) fn children(&self, dir: DirId) -> impl Iterator<Item = RowId> + '_ {
        let end = self.dir_end(dir);
        std::iter::successors(self.first_child(dir), move |&row| {
            Some(self.after(row)).filter(|&next| next < end)
        })
    }

    /// Entry of a folder by raw name.
    pub(crate) fn child(&self, dir: DirId, name: &[u8]) -> Option<RowId> {
        let name = self.names.find(name)?;
        let (first, end) = (self.dir_row(dir) + 1, self.dir_end(dir));
        let begins = self.first_row(name);
        if begins >= end || (begins >= first && self.parent(begins) == dir) {
            return (begins < end).then_some(begins);
        }
        let repeats = self.repeats(name);
        let begin = partition(repeats.clone(), |at| self.repeat(at) < first);
        let stop = partition(begin..repeats.end, |at| self.repeat(at) < end);
        if stop - begin <= self.dirs.children.get(dir as usize) as usize {
            (begin..stop).map(|at| self.repeat(at)).find(|&row| self.parent(row) == dir)
        } else {
            self.children(dir).find(|&row| self.name_id(row) == name)
        }
    }

    /// Folders with this inode: one, unless something is mounted or there are subvolumes.
    pub(crate) fn dirs_of_inode(&self, inode: u64) -> impl Iterator<Item = DirId> + '_ {
        let order = &self.dirs.by_inode;
        let inode_at = move |at: usize| self.inode(self.dir_row(order.get(at) as u32));
        let first = partition(0..order.len(), |at| inode_at(at) < inode);
        (first..order.len()).take_while(move |&at| inode_at(at) == inode).map(|at| order.get(at) as u32)
    }

    /// Rows that are not folders and have this inode.
    pub(crate) fn rows_of_inode(&self, inode: u64) -> Vec<RowId> {
        let from = self.hard_links.partition_point(|&(linked, _)| linked < inode);
        let linked: Vec<RowId> = self.hard_links[from..]
            .iter()
            .take_while(|&&(linked, _)| linked == inode)
            .map(|&(_, row)| row)
            .collect();
        if linked.is_empty() { self.single_row_of_inode(inode).into_iter().collect() } else { linked }
    }

    /// The zone map leaves a handful of groups: inodes of one folder lie close together.
    fn single_row_of_inode(&self, inode: u64) -> Option<RowId> {
        let zones = &self.columns.inode_zones;
        let wanted = inode as i64;
        (0..zones.groups())
            .filter(|&group| zones.min(group) <= wanted && wanted <= zones.max(group))
            .flat_map(|group| zones.rows(group, self.len as usize))
            .map(|row| row as RowId)
            .find(|&row| self.inode(row) == inode && !self.is_dir(row))
    }

    /// Appends the name of a row (the root: last component of its path).
    pub(crate) fn name_into(&self, row: RowId, out: &mut Vec<u8>) {
        self.names.raw_into(self.name_id(row), out);
    }

    /// Heap bytes by part, for reports.
    pub(crate) fn heap_parts(&self) -> Vec<(&'static str, usize)> {
        let (dirs, columns) = (&self.dirs, &self.columns);
        let dir_bytes =
            [&dirs.row, &dirs.end, &dirs.parent, &dirs.level, &dirs.by_inode].map(HeapSize::heap_bytes);
        let totals = [&dirs.children, &dirs.size, &dirs.allocated].map(HeapSize::heap_bytes);
        let zones =
            [&columns.size_zones, &columns.modified_zones, &columns.inode_zones].map(HeapSize::heap_bytes);
        vec![
            ("names", self.names.heap_bytes() + self.root.heap_bytes()),
            ("grams", self.grams.heap_bytes()),
            ("row to name", self.name_of.heap_bytes()),
            ("name to rows", self.repeats.heap_bytes() + self.repeat_starts.heap_bytes()),
            ("first rows of names", self.firsts.heap_bytes()),
            ("rows per name", self.row_counts.heap_bytes()),
            ("folder marks", self.is_dir.heap_bytes()),
            ("folder columns", dir_bytes.iter().sum::<usize>() + totals.iter().sum::<usize>()),
            ("size", columns.size.heap_bytes()),
            ("allocated", columns.allocated.heap_bytes()),
            ("modified", columns.modified.heap_bytes()),
            ("created", columns.created.heap_bytes()),
            ("accessed", columns.accessed.heap_bytes()),
            ("inode", columns.inode.heap_bytes()),
            ("class", columns.class.heap_bytes() + columns.classes.heap_bytes()),
            ("zone maps", zones.iter().sum()),
            ("peaks", columns.size_peaks.heap_bytes() + columns.modified_peaks.heap_bytes()),
            ("hard links", self.hard_links.heap_bytes()),
        ]
    }
}

impl HeapSize for Base {
    fn heap_bytes(&self) -> usize {
        self.heap_parts().iter().map(|(_, bytes)| bytes).sum()
    }
}

/// First index of `range` for which `before` is false; `before` must be monotone.
pub(crate) fn partition(range: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
