//! From raw rows in any order to a [`Base`].
//!
//! Passes: intern and sort the names, group rows by folder, order each folder by name, number rows depth
//! first and names by their first row, write the names, then cut the metadata into columns, one column
//! at a time so that the extra memory stays small.
//! Rows that cannot be reached from the root (their folder's own row is not in) are left out.

use super::Root;
use super::base::{Base, Class, DirColumns, RowColumns, expected_allocation};
use super::bits::{Bits, BitsBuilder, PackedBuilder, PackedInts};
use super::column::{Column, ZoneMap};
use super::grams::GramIndex;
use super::intern::{Interned, intern};
use super::names::{LEFT_OUT, NameDict, SortedNames};
use super::peaks::Peaks;
use crate::entry::{Chunk, Meta, NOT_A_DIR, RawRow};
use hearth_core::{CancelToken, EntryKind, limits};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

use super::BuildError;

const NONE: u32 = u32::MAX;

/// A raw row on its way into the base.
#[derive(Clone, Copy)]
struct Placed<'a> {
    /// Position in the alphabetical order, later the id.
    name: u32,
    meta: &'a Meta,
}

/// Rows numbered depth first, with the folder structure.
struct Layout<'a> {
    rows: Vec<Placed<'a>>,
    dir_row: Vec<u32>,
    dir_end: Vec<u32>,
    dir_parent: Vec<u32>,
    dir_level: Vec<u32>,
    dir_children: Vec<u32>,
}

/// What is done with a name that a folder has more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// The first row is taken, others are left out: a folder that changes while it is listed may report one name twice.
    LeftOut,
    /// All are rows.
    Kept,
}

/// Builds the base; the name of row 0 is that of the root.
pub(crate) fn build(
    root: &Root,
    chunks: &[Arc<Chunk>],
    repeats: Repeats,
    pool: &ThreadPool,
    cancel: &CancelToken,
) -> Result<Base, BuildError> {
    let total: usize = chunks.iter().map(|chunk| chunk.rows.len()).sum();
    if total >= limits::VOLUME_ENTRIES {
        return Err(BuildError::TooManyEntries { entries: total, limit: limits::VOLUME_ENTRIES });
    }
    let Interned { unique, of_row } = intern(root.name(), chunks, pool);
    cancel.check()?;
    let sorted = SortedNames::new(&unique, pool)?;
    cancel.check()?;
    let mut layout = lay_out(root, chunks, repeats, &of_row, &sorted.positions(), pool);
    drop(of_row);
    cancel.check()?;
    let ids = number_names(&mut layout.rows, unique.len());
    let names = NameDict::build(&sorted, &ids, pool)?;
    drop((sorted, ids));
    drop(unique);
    cancel.check()?;
    let grams = GramIndex::build(&names, pool);
    cancel.check()?;
    assemble(root, names, grams, &layout, pool, cancel)
}

/// Numbers names in the order of their first rows, in place of the alphabetical order. Returns the id of
/// each position; names of rows that were left out have none.
fn number_names(rows: &mut [Placed<'_>], names: usize) -> Vec<u32> {
    let mut ids = vec![LEFT_OUT; names];
    let mut next = 0;
    for row in rows {
        let id = &mut ids[row.name as usize];
        if *id == LEFT_OUT {
            *id = next;
            next += 1;
        }
        row.name = *id;
    }
    ids
}

fn lay_out<'a>(
    root: &'a Root,
    chunks: &'a [Arc<Chunk>],
    repeats: Repeats,
    of_row: &[u32],
    positions: &[u32],
    pool: &ThreadPool,
) -> Layout<'a> {
    let rows: Vec<&RawRow> = chunks.iter().flat_map(|chunk| &chunk.rows).collect();
    let dirs = rows.iter().filter(|row| row.dir != NOT_A_DIR).map(|row| row.dir + 1).max().unwrap_or(1);
    let dirs = dirs.max(rows.iter().map(|row| row.parent + 1).max().unwrap_or(1)) as usize;
    let name_of = |at: usize| positions[of_row[at + 1] as usize];
    let (starts, mut children) = group_by_parent(&rows, dirs, name_of);
    order_groups(&mut children, &starts, pool);
    number_rows(root, &rows, repeats, &starts, &children, positions[of_row[0] as usize])
}

/// Counting sort of rows by parent folder; each is (position of the name << 32 | row index).
fn group_by_parent(rows: &[&RawRow], dirs: usize, name_of: impl Fn(usize) -> u32) -> (Vec<u32>, Vec<u64>) {
    let mut starts = vec![0u32; dirs + 1];
    for row in rows {
        starts[row.parent as usize + 1] += 1;
    }
    for at in 0..dirs {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut children = vec![0u64; rows.len()];
    for (at, row) in rows.iter().enumerate() {
        let slot = &mut next[row.parent as usize];
        children[*slot as usize] = u64::from(name_of(at)) << 32 | at as u64;
        *slot += 1;
    }
    (starts, children)
}

fn order_groups(children: &mut [u64], starts: &[u32], pool: &ThreadPool) {
    let mut groups = Vec::with_capacity(starts.len());
    let mut rest = children;
    for pair in starts.windows(2) {
        let (group, tail) = rest.split_at_mut((pair[1] - pair[0]) as usize);
        groups.push(group);
        rest = tail;
    }
    pool.install(|| {
        groups.par_iter_mut().with_min_len(1024).for_each(|group| group.sort_unstable());
    });
}

fn number_rows<'a>(
    root: &'a Root,
    rows: &[&'a RawRow],
    repeats: Repeats,
    starts: &[u32],
    children: &[u64],
    root_name: u32,
) -> Layout<'a> {
    let mut layout = Layout {
        rows: Vec::with_capacity(rows.len() + 1),
        dir_row: vec![0],
        dir_end: vec![0],
        dir_parent: vec![0],
        dir_level: vec![0],
        dir_children: vec![0],
    };
    layout.rows.push(Placed { name: root_name, meta: &root.meta });
    let mut entered = vec![false; starts.len()];
    entered[0] = true;
    // One frame per open folder: its number here, next and last position in `children`, the last name.
    let mut open = vec![(0u32, starts[0], starts[1], NONE)];
    while let Some((dir, next, end, last_name)) = open.last_mut() {
        if next == end {
            layout.dir_end[*dir as usize] = layout.rows.len() as u32;
            open.pop();
            continue;
        }
        let dir = *dir;
        let child = children[*next as usize];
        *next += 1;
        let (row, name) = (rows[child as u32 as usize], (child >> 32) as u32);
        let repeated = std::mem::replace(last_name, name) == name && repeats == Repeats::LeftOut;
        let is_dir = row.dir != NOT_A_DIR;
        if repeated || (is_dir && std::mem::replace(&mut entered[row.dir as usize], true)) {
            continue;
        }
        layout.dir_children[dir as usize] += 1;
        if is_dir {
            let (first, end) = (starts[row.dir as usize], starts[row.dir as usize + 1]);
            open.push((layout.dir_row.len() as u32, first, end, NONE));
            layout.dir_level.push(layout.dir_level[dir as usize] + 1);
            layout.dir_row.push(layout.rows.len() as u32);
            layout.dir_end.push(0);
            layout.dir_parent.push(dir);
            layout.dir_children.push(0);
        }
        layout.rows.push(Placed { name, meta: &row.meta });
    }
    layout
}

fn assemble(
    root: &Root,
    names: NameDict,
    grams: GramIndex,
    layout: &Layout<'_>,
    pool: &ThreadPool,
    cancel: &CancelToken,
) -> Result<Base, BuildError> {
    let rows = &layout.rows;
    let len = rows.len() as u32;
    let (mut by_name, mut columns, mut dirs) = (None, None, None);
    pool.install(|| {
        rayon::scope(|scope| {
            scope.spawn(|_| {
                by_name = Some(rows_by_name(rows, names.len()));
                dirs = Some(dir_columns(layout));
            });
            columns = Some(row_columns(rows, names.len(), cancel));
        });
    });
    cancel.check()?;
    let RowsByName { firsts, repeats, repeat_starts, row_counts } = by_name.expect("the scope ran it");
    let ids: Vec<u32> = rows.iter().map(|row| row.name).collect();
    let mut hard_links: Vec<(u64, u32)> = rows
        .iter()
        .zip(0u32..)
        .filter(|(row, _)| row.meta.links > 1 && row.meta.kind() != EntryKind::Dir)
        .map(|(row, at)| (row.meta.inode, at))
        .collect();
    hard_links.sort_unstable();
    Ok(Base {
        root: root.path.clone().into(),
        len,
        name_of: PackedInts::from_slice_u32(&ids),
        names,
        grams,
        firsts,
        repeats,
        repeat_starts,
        row_counts,
        is_dir: Bits::from_positions(len as usize, layout.dir_row.iter().map(|&row| row as usize)),
        dirs: dirs.expect("the scope ran it"),
        columns: columns.expect("the scope ran it"),
        hard_links: hard_links.into(),
    })
}

/// The inverse of the name column.
struct RowsByName {
    firsts: Bits,
    repeats: PackedInts,
    repeat_starts: Bits,
    row_counts: Box<[u8]>,
}

fn rows_by_name(rows: &[Placed<'_>], names: usize) -> RowsByName {
    let mut counts = vec![0u32; names];
    for row in rows {
        counts[row.name as usize] += 1;
    }
    let mut next = Vec::with_capacity(names);
    let mut repeats = 0;
    for &count in &counts {
        next.push(repeats);
        repeats += count - 1;
    }
    let marks = next.iter().zip(0..).map(|(&start, name)| start as usize + name);
    let repeat_starts = Bits::with_select(repeats as usize + names, marks);
    let width = u64::BITS - (rows.len() as u64).leading_zeros();
    let mut by_name = PackedBuilder::new(width as u8, repeats as usize);
    let mut firsts = BitsBuilder::new(rows.len());
    let mut seen = 0;
    for (at, row) in rows.iter().enumerate() {
        if row.name == seen {
            firsts.set(at);
            seen += 1;
        } else {
            let slot = &mut next[row.name as usize];
            by_name.set(*slot as usize, at as u64);
            *slot += 1;
        }
    }
    let row_counts = counts.iter().map(|&count| u8::try_from(count).unwrap_or(u8::MAX)).collect();
    RowsByName { firsts: firsts.finish(true), repeats: by_name.finish(), repeat_starts, row_counts }
}

/// Sums wrap: a few sparse files can claim more than 64 bits of bytes.
fn dir_columns(layout: &Layout<'_>) -> DirColumns {
    let dirs = layout.dir_row.len();
    let mut size = vec![0i64; dirs];
    let mut allocated = vec![0i64; dirs];
    sum_own_entries(layout, &mut size, &mut allocated);
    for dir in (1..dirs).rev() {
        let parent = layout.dir_parent[dir] as usize;
        let own = layout.rows[layout.dir_row[dir] as usize].meta.allocated as i64;
        size[parent] = size[parent].wrapping_add(size[dir]);
        allocated[parent] = allocated[parent].wrapping_add(allocated[dir]).wrapping_add(own);
    }
    let mut by_inode: Vec<u32> = (0..dirs as u32).collect();
    by_inode.sort_by_cached_key(|&dir| layout.rows[layout.dir_row[dir as usize] as usize].meta.inode);
    let children: Vec<i64> = layout.dir_children.iter().map(|&count| i64::from(count)).collect();
    DirColumns {
        row: PackedInts::from_slice_u32(&layout.dir_row),
        end: PackedInts::from_slice_u32(&layout.dir_end),
        parent: PackedInts::from_slice_u32(&layout.dir_parent),
        level: PackedInts::from_slice_u32(&layout.dir_level),
        children: Column::build(&children),
        size: Column::build(&size),
        allocated: Column::build(&allocated),
        by_inode: PackedInts::from_slice_u32(&by_inode),
    }
}

/// Adds every non-folder to its folder, walking rows and folder ranges side by side.
fn sum_own_entries(layout: &Layout<'_>, size: &mut [i64], allocated: &mut [i64]) {
    let (mut dir, mut next_dir) = (0usize, 1usize);
    for (row, placed) in layout.rows.iter().enumerate().skip(1) {
        if next_dir < layout.dir_row.len() && layout.dir_row[next_dir] as usize == row {
            dir = next_dir;
            next_dir += 1;
            continue;
        }
        while layout.dir_end[dir] as usize <= row {
            dir = layout.dir_parent[dir] as usize;
        }
        size[dir] = size[dir].wrapping_add(placed.meta.size as i64);
        allocated[dir] = allocated[dir].wrapping_add(placed.meta.allocated as i64);
    }
}

fn row_columns(rows: &[Placed<'_>], names: usize, cancel: &CancelToken) -> RowColumns {
    let column = |value: &dyn Fn(&Meta) -> i64| -> Vec<i64> {
        // A cancelled build is thrown away; empty columns only get it to its end sooner.
        if cancel.check().is_err() { Vec::new() } else { rows.iter().map(|row| value(row.meta)).collect() }
    };
    let peaks = |values: &[i64]| Peaks::build(values, rows.iter().map(|row| row.name), names);
    let sizes = column(&|meta| meta.size as i64);
    let expected: Vec<i64> = sizes.iter().map(|&size| expected_allocation(size)).collect();
    let allocated = Column::build_relative(&column(&|meta| meta.allocated as i64), &expected);
    drop(expected);
    let (size, size_zones) = (Column::build(&sizes), ZoneMap::build(&sizes));
    let size_peaks = peaks(&sizes);
    drop(sizes);
    let modified_values = column(&|meta| meta.modified_ns);
    let (modified, modified_zones) = (Column::build(&modified_values), ZoneMap::build(&modified_values));
    let modified_peaks = peaks(&modified_values);
    let created_values = column(&|meta| meta.created_ns);
    let created = Column::build_relative(&created_values, &modified_values);
    drop(modified_values);
    let accessed = Column::build_relative(&column(&|meta| meta.accessed_ns), &created_values);
    drop(created_values);
    let inodes = column(&|meta| meta.inode as i64);
    let (inode, inode_zones) = (Column::build(&inodes), ZoneMap::build(&inodes));
    drop(inodes);
    let (class_of, classes) = classify(rows);
    RowColumns {
        size,
        allocated,
        modified,
        created,
        accessed,
        inode,
        class: Column::build(&class_of),
        classes,
        size_zones,
        modified_zones,
        inode_zones,
        size_peaks,
        modified_peaks,
    }
}

/// Numbers the distinct classes in order of first use.
fn classify(rows: &[Placed<'_>]) -> (Vec<i64>, Vec<Class>) {
    let mut known: HashMap<Class, u32> = HashMap::new();
    let mut classes = Vec::new();
    let mut last: Option<(Class, u32)> = None;
    let class_of = rows
        .iter()
        .map(|row| {
            let class = Class::of(row.meta);
            if let Some((_, id)) = last.filter(|&(previous, _)| previous == class) {
                return i64::from(id);
            }
            let id = *known.entry(class).or_insert_with(|| {
                classes.push(class);
                classes.len() as u32 - 1
            });
            last = Some((class, id));
            i64::from(id)
        })
        .collect();
    classes.shrink_to_fit();
    (class_of, classes)
}
