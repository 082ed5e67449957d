//! Folders: the ranges of rows that they are.
//!
//! Stored are first row and end of each tree. That these ranges nest in each other is checked, since every
//! walk up the tree rests on it, and gives parents, levels and the bitmap of folders on the way.

use super::StoredError;
use super::columns::{ColumnIds, load_column};
use super::head::Head;
use super::reader::Reader;
use super::section::{Section, SectionId};
use crate::index::base::{Base, DirColumns};
use crate::index::bits::{Bits, BitsBuilder, PackedInts};

const ROWS: SectionId = SectionId::new(40, "rows of folders");
const ENDS: SectionId = SectionId::new(41, "ends of folders");
const BY_INODE: SectionId = SectionId::new(42, "folders by inode");
const CHILDREN: ColumnIds = ColumnIds::new(43, "children of folders");
const SIZES: ColumnIds = ColumnIds::new(45, "sizes of folders");
const ALLOCATED: ColumnIds = ColumnIds::new(47, "allocated in folders");

pub(super) fn store<'a>(base: &'a Base, out: &mut Vec<Section<'a>>) {
    let dirs = &base.dirs;
    out.push(Section::bytes_of(ROWS, dirs.row.stored()));
    out.push(Section::bytes_of(ENDS, dirs.end.stored()));
    out.push(Section::bytes_of(BY_INODE, dirs.by_inode.stored()));
    CHILDREN.store(&dirs.children, out);
    SIZES.store(&dirs.size, out);
    ALLOCATED.store(&dirs.allocated, out);
}

/// Folders, and which rows they are.
pub(super) struct StoredDirs {
    pub(super) columns: DirColumns,
    pub(super) is_dir: Bits,
}

impl StoredDirs {
    pub(super) fn load(reader: &Reader<'_>, head: &Head) -> Result<Self, StoredError> {
        let (count, rows) = (head.dirs as usize, u64::from(head.rows));
        let row = reader.packed(ROWS, head.dir_row, count, rows)?;
        let end = reader.packed(ENDS, head.dir_end, count, rows + 1)?;
        let Tree { parents, levels, is_dir } = Tree::of(&row, &end, head.rows)?;
        let columns = DirColumns {
            row,
            end,
            parent: PackedInts::from_slice_u32(&parents),
            level: PackedInts::from_slice_u32(&levels),
            children: load_column(reader, CHILDREN, count, false)?,
            size: load_column(reader, SIZES, count, false)?,
            allocated: load_column(reader, ALLOCATED, count, false)?,
            by_inode: reader.packed(BY_INODE, head.dir_by_inode, count, count as u64)?,
        };
        Ok(StoredDirs { columns, is_dir })
    }
}

/// What follows from the ranges of the folders.
struct Tree {
    parents: Vec<u32>,
    levels: Vec<u32>,
    is_dir: Bits,
}

impl Tree {
    fn of(first_rows: &PackedInts, ends: &PackedInts, rows: u32) -> Result<Tree, StoredError> {
        let count = first_rows.len();
        // Numbers of no width claim any count: room is made for folders that were checked.
        let (mut parents, mut levels) = (Vec::new(), Vec::new());
        let mut is_dir = BitsBuilder::new(rows as usize);
        // The folders around the row that was reached: number and end.
        let mut open: Vec<(u32, u64)> = Vec::new();
        let mut next_row = 0;
        let ranges = first_rows.iter_range(0..count).zip(ends.iter_range(0..count));
        for (dir, (row, end)) in (0u32..).zip(ranges) {
            ROWS.check(row >= next_row, "not in order")?;
            while open.pop_if(|(_, end)| *end <= row).is_some() {}
            let (parent, limit) = open.last().copied().unwrap_or((0, u64::from(rows)));
            ENDS.check(row < end && end <= limit, "a folder reaches out of the one around it")?;
            ROWS.check(dir == 0 || !open.is_empty(), "a folder outside of the root")?;
            parents.push(parent);
            levels.push(open.len() as u32);
            is_dir.set(row as usize);
            open.push((dir, end));
            next_row = row + 1;
        }
        let whole = first_rows.get(0) == 0 && ends.get(0) == u64::from(rows);
        ENDS.check(whole, "the root does not hold every row")?;
        Ok(Tree { parents, levels, is_dir: is_dir.finish(false) })
    }
}
