//! Metadata as columns: each field is unpacked from the raw rows into the order of rows, and coded.
//!
//! What needs a field (columns relative to it, totals of folders, zones, peaks) is made while its values are there; not
//! more than three fields are there at a time.

use super::{Layout, NONE};
use crate::entry::{Chunk, Meta, Rows};
use crate::index::base::{Class, DirColumns, RowColumns, expected_allocation};
use crate::index::bits::PackedInts;
use crate::index::column::{Column, ZoneMap};
use crate::index::peaks::Peaks;
use hearth_core::{CancelToken, Cancelled, EntryKind};
use std::collections::HashMap;
use std::sync::Arc;

/// Raw rows, and where each goes.
pub(super) struct Source<'a> {
    pub(super) root: &'a Meta,
    pub(super) chunks: &'a [Arc<Chunk>],
    /// Row of each raw row, or [`NONE`].
    pub(super) places: Vec<u32>,
    /// The root and all that have a place.
    pub(super) rows: usize,
    pub(super) cancel: &'a CancelToken,
}

impl<'a> Source<'a> {
    /// One field of all rows.
    fn values<I: Iterator<Item = i64>>(
        &self,
        root: i64,
        field: impl Fn(&'a Rows) -> I,
    ) -> Result<Vec<i64>, Cancelled> {
        let mut values = vec![0; self.rows];
        values[0] = root;
        self.for_each(field, |row, value| values[row] = value)?;
        Ok(values)
    }

    fn for_each<T, I: Iterator<Item = T>>(
        &self,
        field: impl Fn(&'a Rows) -> I,
        mut each: impl FnMut(usize, T),
    ) -> Result<(), Cancelled> {
        let mut places = self.places.as_slice();
        for chunk in self.chunks {
            self.cancel.check()?;
            let (own, rest) = places.split_at(chunk.rows.len());
            places = rest;
            let placed = own.iter().zip(field(&chunk.rows)).filter(|&(&place, _)| place != NONE);
            placed.for_each(|(&place, value)| each(place as usize, value));
        }
        Ok(())
    }
}

/// What becomes of metadata.
pub(super) struct Cut {
    pub(super) columns: RowColumns,
    pub(super) dirs: DirColumns,
    /// (inode, row) of non-folders with several links, ordered.
    pub(super) hard_links: Box<[(u64, u32)]>,
}

/// Cuts all columns; `names` is the number of distinct names.
pub(super) fn cut(source: &Source<'_>, layout: &Layout, names: usize) -> Result<Cut, Cancelled> {
    let root = source.root;
    let peaks = |values: &[i64]| Peaks::build(values, layout.names.iter().copied(), names);
    let sizes = source.values(root.size as i64, Rows::sizes)?;
    let allocations = source.values(root.allocated as i64, Rows::allocated)?;
    let sums = folder_sums(layout, &sizes, &allocations);
    let expected: Vec<i64> = sizes.iter().map(|&size| expected_allocation(size)).collect();
    let allocated = Column::build_relative(&allocations, &expected);
    drop((expected, allocations));
    let (size, size_zones, size_peaks) = (Column::build(&sizes), ZoneMap::build(&sizes), peaks(&sizes));
    drop(sizes);
    let times = source.values(root.modified_ns, Rows::modified)?;
    let (modified, modified_zones) = (Column::build(&times), ZoneMap::build(&times));
    let modified_peaks = peaks(&times);
    let births = source.values(root.created_ns, Rows::created)?;
    let created = Column::build_relative(&births, &times);
    drop(times);
    let accessed = Column::build_relative(&source.values(root.accessed_ns, Rows::accessed)?, &births);
    drop(births);
    let (class_of, classes) = classify(source)?;
    let (class, linked) = (Column::build(&class_of), linked_rows(&class_of, &classes));
    drop(class_of);
    let inodes = source.values(root.inode as i64, Rows::inodes)?;
    let (inode, inode_zones) = (Column::build(&inodes), ZoneMap::build(&inodes));
    let columns = RowColumns {
        size,
        allocated,
        modified,
        created,
        accessed,
        inode,
        class,
        classes,
        size_zones,
        modified_zones,
        inode_zones,
        size_peaks,
        modified_peaks,
    };
    let dirs = dir_columns(layout, &sums, &inodes);
    Ok(Cut { columns, dirs, hard_links: hard_links(linked, &inodes) })
}

/// Size and allocated bytes below each folder.
struct Sums {
    size: Vec<i64>,
    allocated: Vec<i64>,
}

/// Sums wrap: a few sparse files can claim more than 64 bits of bytes.
fn folder_sums(layout: &Layout, sizes: &[i64], allocations: &[i64]) -> Sums {
    let dirs = layout.dir_row.len();
    let mut sums = Sums { size: vec![0; dirs], allocated: vec![0; dirs] };
    sum_own_entries(layout, sizes, allocations, &mut sums);
    let Sums { size, allocated } = &mut sums;
    for dir in (1..dirs).rev() {
        let parent = layout.dir_parent[dir] as usize;
        let own = allocations[layout.dir_row[dir] as usize];
        size[parent] = size[parent].wrapping_add(size[dir]);
        allocated[parent] = allocated[parent].wrapping_add(allocated[dir]).wrapping_add(own);
    }
    sums
}

/// Adds every non-folder to its folder, walking rows and folder ranges side by side.
fn sum_own_entries(layout: &Layout, sizes: &[i64], allocations: &[i64], sums: &mut Sums) {
    let (mut dir, mut next_dir) = (0usize, 1usize);
    for row in 1..sizes.len() {
        if next_dir < layout.dir_row.len() && layout.dir_row[next_dir] as usize == row {
            dir = next_dir;
            next_dir += 1;
            continue;
        }
        while layout.dir_end[dir] as usize <= row {
            dir = layout.dir_parent[dir] as usize;
        }
        sums.size[dir] = sums.size[dir].wrapping_add(sizes[row]);
        sums.allocated[dir] = sums.allocated[dir].wrapping_add(allocations[row]);
    }
}

fn dir_columns(layout: &Layout, sums: &Sums, inodes: &[i64]) -> DirColumns {
    let mut by_inode: Vec<u32> = (0..layout.dir_row.len() as u32).collect();
    by_inode.sort_by_key(|&dir| inodes[layout.dir_row[dir as usize] as usize] as u64);
    let children: Vec<i64> = layout.dir_children.iter().map(|&count| i64::from(count)).collect();
    DirColumns {
        row: PackedInts::from_slice_u32(&layout.dir_row),
        end: PackedInts::from_slice_u32(&layout.dir_end),
        parent: PackedInts::from_slice_u32(&layout.dir_parent),
        level: PackedInts::from_slice_u32(&layout.dir_level),
        children: Column::build(&children),
        size: Column::build(&sums.size),
        allocated: Column::build(&sums.allocated),
        by_inode: PackedInts::from_slice_u32(&by_inode),
    }
}

/// Numbers the distinct classes.
fn classify(source: &Source<'_>) -> Result<(Vec<i64>, Vec<Class>), Cancelled> {
    let mut known: HashMap<Class, u32> = HashMap::new();
    let mut classes = Vec::new();
    let mut number = |class: Class| {
        *known.entry(class).or_insert_with(|| {
            classes.push(class);
            classes.len() as u32 - 1
        })
    };
    let mut class_of = vec![i64::from(number(Class::of(source.root))); source.rows];
    let mut last: Option<(Class, u32)> = None;
    source.for_each(Rows::classes, |row, [mode, uid, gid, links, attributes]| {
        let class = Class { mode, uid, gid, links, attributes };
        let id = last.filter(|&(previous, _)| previous == class).map_or_else(|| number(class), |(_, id)| id);
        last = Some((class, id));
        class_of[row] = i64::from(id);
    })?;
    classes.shrink_to_fit();
    Ok((class_of, classes))
}

/// Rows that are no folders and have several links.
fn linked_rows(class_of: &[i64], classes: &[Class]) -> Vec<u32> {
    let is_linked = |class: &Class| class.links > 1 && EntryKind::from_mode(class.mode) != EntryKind::Dir;
    let linked: Vec<bool> = classes.iter().map(is_linked).collect();
    let rows = class_of.iter().zip(0..).filter(|&(&class, _)| linked[class as usize]);
    rows.map(|(_, row)| row).collect()
}

fn hard_links(linked: Vec<u32>, inodes: &[i64]) -> Box<[(u64, u32)]> {
    let mut links: Vec<(u64, u32)> =
        linked.into_iter().map(|row| (inodes[row as usize] as u64, row)).collect();
    links.sort_unstable();
    links.into()
}
