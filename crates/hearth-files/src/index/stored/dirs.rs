//! Folders: the ranges of rows that they are.
//!
//! Stored are the rows that are folders and how many rows each tree has. That trees nest in each other is
//! checked, since every walk up rests on it, and gives parents and levels on the way.

use super::StoredError;
use super::columns::{ColumnIds, load_column};
use super::head::Head;
use super::numbers::{self, Numbers};
use super::reader::Reader;
use super::section::{Section, SectionId};
use crate::index::base::{Base, DirColumns};
use crate::index::bits::{Bits, PackedInts};

const MARKS: SectionId = SectionId::new(38, "folder marks");
const TREES: SectionId = SectionId::new(39, "rows of folders");
const BY_INODE: SectionId = SectionId::new(42, "folders by inode");
const CHILDREN: ColumnIds = ColumnIds::new(43, "children of folders");
const SIZES: ColumnIds = ColumnIds::new(45, "sizes of folders");
const ALLOCATED: ColumnIds = ColumnIds::new(47, "allocated in folders");

pub(super) fn store<'a>(base: &'a Base, out: &mut Vec<Section<'a>>) {
    let dirs = &base.dirs;
    out.push(Section::elements_of(MARKS, base.is_dir.stored()));
    out.push(Section::coded(TREES, || encode_trees(dirs)));
    out.push(Section::coded(BY_INODE, || encode_by_inode(dirs)));
    CHILDREN.store(&dirs.children, out);
    SIZES.store(&dirs.size, out);
    ALLOCATED.store(&dirs.allocated, out);
}

/// Rows of each tree, the folder's own not counted.
fn encode_trees(dirs: &DirColumns) -> Vec<u8> {
    let mut out = Vec::with_capacity(dirs.row.len());
    let all = 0..dirs.row.len();
    let ranges = dirs.row.iter_range(all.clone()).zip(dirs.end.iter_range(all));
    ranges.for_each(|(row, end)| numbers::put(&mut out, end - row - 1));
    out
}

/// Each folder by what its number is larger than the one after the folder before.
fn encode_by_inode(dirs: &DirColumns) -> Vec<u8> {
    let (mut out, mut next) = (Vec::with_capacity(dirs.row.len()), 0);
    for dir in dirs.by_inode.iter_range(0..dirs.by_inode.len()) {
        numbers::put_signed(&mut out, dir as i64 - next);
        next = dir as i64 + 1;
    }
    out
}

/// Folders, and which rows they are.
pub(super) struct StoredDirs {
    pub(super) columns: DirColumns,
    pub(super) is_dir: Bits,
}

impl StoredDirs {
    pub(super) fn load(reader: &Reader<'_>, head: &Head) -> Result<Self, StoredError> {
        let count = head.dirs as usize;
        let is_dir = reader.bits(MARKS, head.rows as usize, Some(count), false)?;
        let Tree { rows, ends, parents, levels } = load_tree(reader, &is_dir)?;
        let columns = DirColumns {
            row: PackedInts::from_slice_u32(&rows),
            end: PackedInts::from_slice_u32(&ends),
            parent: PackedInts::from_slice_u32(&parents),
            level: PackedInts::from_slice_u32(&levels),
            children: load_column(reader, CHILDREN, count, false)?,
            size: load_column(reader, SIZES, count, false)?,
            allocated: load_column(reader, ALLOCATED, count, false)?,
            by_inode: load_by_inode(reader, count)?,
        };
        Ok(StoredDirs { columns, is_dir })
    }
}

fn load_by_inode(reader: &Reader<'_>, count: usize) -> Result<PackedInts, StoredError> {
    reader.check_least(BY_INODE, count)?;
    let order = reader.with(BY_INODE, |coded| decode_by_inode(Numbers::new(coded), count))?;
    order.map(|order| PackedInts::from_slice_u32(&order)).ok_or_else(|| BY_INODE.corrupt("no such folder"))
}

fn decode_by_inode(mut coded: Numbers<'_>, count: usize) -> Option<Vec<u32>> {
    let mut next = 0i64;
    let mut folder = || {
        let dir = next.wrapping_add(coded.take_signed()?);
        next = dir.wrapping_add(1);
        u32::try_from(dir).ok().filter(|&dir| (dir as usize) < count)
    };
    let order = (0..count).map(|_| folder()).collect::<Option<Vec<u32>>>()?;
    coded.is_empty().then_some(order)
}

/// Of each folder its first row, the end of its tree, the folder around it, and how many there are around it.
#[derive(Default)]
struct Tree {
    rows: Vec<u32>,
    ends: Vec<u32>,
    parents: Vec<u32>,
    levels: Vec<u32>,
}

fn load_tree(reader: &Reader<'_>, is_dir: &Bits) -> Result<Tree, StoredError> {
    MARKS.check(is_dir.get(0), "a root that is no folder")?;
    reader.check_least(TREES, is_dir.ones())?;
    let tree = reader.with(TREES, |coded| Tree::of(is_dir, Numbers::new(coded)))?;
    tree.ok_or_else(|| TREES.corrupt("trees that do not nest"))
}

impl Tree {
    /// The tree of these folders; `None` if one reaches out of the one around it, or the root does not
    /// hold every row.
    fn of(is_dir: &Bits, mut below: Numbers<'_>) -> Option<Tree> {
        let mut tree = Tree::default();
        // The folders around the row that was reached: number and end.
        let mut open: Vec<(u32, u32)> = Vec::new();
        for (dir, row) in (0..).zip(is_dir.ones_from(0)) {
            let row = row as u32;
            while open.pop_if(|(_, end)| *end <= row).is_some() {}
            let (parent, limit) = open.last().copied().unwrap_or((0, is_dir.len() as u32));
            let end = u64::from(row) + below.take()?.checked_add(1)?;
            let end = u32::try_from(end).ok().filter(|&end| end <= limit)?;
            tree.rows.push(row);
            tree.ends.push(end);
            tree.parents.push(parent);
            tree.levels.push(open.len() as u32);
            open.push((dir, end));
        }
        let whole = tree.ends.first() == Some(&(is_dir.len() as u32));
        (whole && below.is_empty()).then_some(tree)
    }
}
