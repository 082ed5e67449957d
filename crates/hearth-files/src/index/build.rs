//! From raw rows in any order to a [`Base`].
//!
//! Passes: intern and sort the names, group rows by folder, order each folder by name, number rows depth
//! first and names by their first row, write the names, then cut the metadata into columns, one column
//! at a time so that the extra memory stays small: raw rows are packed, and each pass unpacks the field that
//! it needs.
//! Rows that cannot be reached from the root (their folder's own row is not in) are left out.

mod columns;

use super::Root;
use super::base::Base;
use super::bits::{Bits, BitsBuilder, PackedBuilder, PackedInts};
use super::grams::GramIndex;
use super::intern::{Interned, intern};
use super::names::{LEFT_OUT, NameDict, SortedNames};
use crate::entry::{Chunk, NOT_A_DIR};
use columns::{Cut, Source};
use hearth_core::{CancelToken, limits};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::sync::Arc;

use super::BuildError;

const NONE: u32 = u32::MAX;

/// Rows numbered depth first, with the folder structure.
struct Layout {
    /// Name of each row: its position in the alphabetical order, later the id.
    names: Vec<u32>,
    /// Row of each raw row; [`NONE`] for those that are left out.
    places: Vec<u32>,
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
    let mut layout = lay_out(chunks, repeats, &of_row, &sorted.positions(), pool);
    drop(of_row);
    cancel.check()?;
    let ids = number_names(&mut layout.names, unique.len());
    let names = NameDict::build(&sorted, &ids, pool)?;
    drop((sorted, ids));
    drop(unique);
    cancel.check()?;
    let grams = GramIndex::build(&names, pool);
    cancel.check()?;
    assemble(root, names, grams, layout, chunks, pool, cancel)
}

/// Numbers names in the order of their first rows, in place of the alphabetical order. Returns the id of
/// each position; names of rows that were left out have none.
fn number_names(rows: &mut [u32], names: usize) -> Vec<u32> {
    let mut ids = vec![LEFT_OUT; names];
    let mut next = 0;
    for name in rows {
        let id = &mut ids[*name as usize];
        if *id == LEFT_OUT {
            *id = next;
            next += 1;
        }
        *name = *id;
    }
    ids
}

fn lay_out(
    chunks: &[Arc<Chunk>],
    repeats: Repeats,
    of_row: &[u32],
    positions: &[u32],
    pool: &ThreadPool,
) -> Layout {
    let dirs: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.rows.dirs()).collect();
    let folders = dirs.iter().filter(|&&dir| dir != NOT_A_DIR).map(|dir| dir + 1);
    let count = folders.chain(parents(chunks).map(|parent| parent + 1)).max().unwrap_or(1) as usize;
    let name_of = |at: usize| positions[of_row[at + 1] as usize];
    let (starts, mut children) = group_by_parent(chunks, count, dirs.len(), name_of);
    order_groups(&mut children, &starts, pool);
    number_rows(&dirs, repeats, &starts, &children, positions[of_row[0] as usize])
}

fn parents(chunks: &[Arc<Chunk>]) -> impl Iterator<Item = u32> + '_ {
    chunks.iter().flat_map(|chunk| chunk.rows.parents())
}

/// Counting sort of rows by parent folder; each is (position of the name << 32 | row index).
fn group_by_parent(
    chunks: &[Arc<Chunk>],
    dirs: usize,
    rows: usize,
    name_of: impl Fn(usize) -> u32,
) -> (Vec<u32>, Vec<u64>) {
    let mut starts = vec![0u32; dirs + 1];
    for parent in parents(chunks) {
        starts[parent as usize + 1] += 1;
    }
    for at in 0..dirs {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut children = vec![0u64; rows];
    for (at, parent) in parents(chunks).enumerate() {
        let slot = &mut next[parent as usize];
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

/// `dirs` gives the raw rows' own folder numbers.
fn number_rows(dirs: &[u32], repeats: Repeats, starts: &[u32], children: &[u64], root_name: u32) -> Layout {
    let mut layout = Layout {
        names: Vec::with_capacity(dirs.len() + 1),
        places: vec![NONE; dirs.len()],
        dir_row: vec![0],
        dir_end: vec![0],
        dir_parent: vec![0],
        dir_level: vec![0],
        dir_children: vec![0],
    };
    layout.names.push(root_name);
    let mut entered = vec![false; starts.len()];
    entered[0] = true;
    // One frame per open folder: its number here, next and last position in `children`, the last name.
    let mut open = vec![(0u32, starts[0], starts[1], NONE)];
    while let Some((dir, next, end, last_name)) = open.last_mut() {
        if next == end {
            layout.dir_end[*dir as usize] = layout.names.len() as u32;
            open.pop();
            continue;
        }
        let dir = *dir;
        let child = children[*next as usize];
        *next += 1;
        let (raw, name) = (child as u32 as usize, (child >> 32) as u32);
        let repeated = std::mem::replace(last_name, name) == name && repeats == Repeats::LeftOut;
        let own = dirs[raw];
        if repeated || (own != NOT_A_DIR && std::mem::replace(&mut entered[own as usize], true)) {
            continue;
        }
        layout.dir_children[dir as usize] += 1;
        if own != NOT_A_DIR {
            let (first, end) = (starts[own as usize], starts[own as usize + 1]);
            open.push((layout.dir_row.len() as u32, first, end, NONE));
            layout.add_folder(dir);
        }
        layout.places[raw] = layout.names.len() as u32;
        layout.names.push(name);
    }
    layout
}

impl Layout {
    /// The next row is a folder in `parent`.
    fn add_folder(&mut self, parent: u32) {
        self.dir_level.push(self.dir_level[parent as usize] + 1);
        self.dir_row.push(self.names.len() as u32);
        self.dir_end.push(0);
        self.dir_parent.push(parent);
        self.dir_children.push(0);
    }
}

fn assemble(
    root: &Root,
    names: NameDict,
    grams: GramIndex,
    mut layout: Layout,
    chunks: &[Arc<Chunk>],
    pool: &ThreadPool,
    cancel: &CancelToken,
) -> Result<Base, BuildError> {
    let places = std::mem::take(&mut layout.places);
    let len = layout.names.len() as u32;
    let (mut by_name, mut cut) = (None, None);
    pool.install(|| {
        rayon::scope(|scope| {
            scope.spawn(|_| by_name = Some(rows_by_name(&layout.names, names.len())));
            let source = Source { root: &root.meta, chunks, places, rows: len as usize, cancel };
            cut = Some(columns::cut(&source, &layout, names.len()));
        });
    });
    let Cut { columns, dirs, hard_links } = cut.expect("the scope ran it")?;
    let RowsByName { firsts, repeats, repeat_starts, row_counts } = by_name.expect("the scope ran it");
    Ok(Base {
        root: root.path.clone().into(),
        len,
        name_of: PackedInts::from_slice_u32(&layout.names),
        names,
        grams,
        firsts,
        repeats,
        repeat_starts,
        row_counts,
        is_dir: Bits::from_positions(len as usize, layout.dir_row.iter().map(|&row| row as usize)),
        dirs,
        columns,
        hard_links,
    })
}

/// The inverse of the name column.
struct RowsByName {
    firsts: Bits,
    repeats: PackedInts,
    repeat_starts: Bits,
    row_counts: Box<[u8]>,
}

fn rows_by_name(rows: &[u32], names: usize) -> RowsByName {
    let mut counts = vec![0u32; names];
    for &name in rows {
        counts[name as usize] += 1;
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
    for (at, &name) in rows.iter().enumerate() {
        if name == seen {
            firsts.set(at);
            seen += 1;
        } else {
            let slot = &mut next[name as usize];
            by_name.set(*slot as usize, at as u64);
            *slot += 1;
        }
    }
    let row_counts = counts.iter().map(|&count| u8::try_from(count).unwrap_or(u8::MAX)).collect();
    RowsByName { firsts: firsts.finish(true), repeats: by_name.finish(), repeat_starts, row_counts }
}
