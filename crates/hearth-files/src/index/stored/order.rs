//! The order of rows against the order of names.
//!
//! Rows at their place are compared by their numbers, all others by the names on their way: one order
//! only if the entries of every folder ascend by name. Sorting by two orders at once would panic.

use super::StoredError;
use super::rows::FIRSTS;
use crate::index::RowId;
use crate::index::base::{Base, DirId};
use rayon::prelude::*;
use std::ops::Range;

/// Rows per parallel task.
const TASK: usize = 1 << 16;

/// A folder around the row that was reached: its end, and the smallest position that may come next in it.
type Open = (RowId, u32);

pub(super) fn check(base: &Base) -> Result<(), StoredError> {
    let tasks = (1..base.len).into_par_iter().step_by(TASK);
    let ascend = tasks.all(|start| ascend(base, start..base.len.min(start + TASK as u32)));
    FIRSTS.check(ascend, "entries of a folder that are not in order")
}

/// Whether each of some rows stands after the one before it in its folder. The root is none of them.
fn ascend(base: &Base, rows: Range<RowId>) -> bool {
    let (mut open, mut ascend) = (open_at(base, rows.start), true);
    let dir = base.is_dir.rank1(rows.start as usize);
    let mut dirs = (dir as DirId..).zip(base.is_dir.ones_from(dir)).peekable();
    let mut row = rows.start;
    while row < rows.end {
        while open.pop_if(|(end, _)| *end <= row).is_some() {}
        let (end, next) = open.last_mut().expect("the root holds every row");
        // Up to the next folder, which may be one of them, all rows are of one folder.
        let end = rows.end.min(*end);
        let dir = dirs.next_if(|&(_, first)| first < end as usize);
        let end = dir.map_or(end, |(_, row)| row as RowId + 1);
        for name in base.name_of.iter_range(row as usize..end as usize) {
            let position = base.names.position_of(name as u32);
            ascend &= *next <= position;
            *next = position + 1;
        }
        open.extend(dir.map(|(dir, _)| (base.dir_end(dir), 0)));
        row = end;
    }
    ascend
}

/// The folders around a row, as the rows before it leave them.
fn open_at(base: &Base, row: RowId) -> Vec<Open> {
    let after = |row: RowId| base.name_position(row) + 1;
    let mut dir = base.parent(row);
    let mut open = vec![(base.dir_end(dir), previous(base, row).map_or(0, after))];
    while dir != 0 {
        let inner = base.dir_row(dir);
        dir = base.dir_parent(dir);
        open.push((base.dir_end(dir), after(inner)));
    }
    open.reverse();
    open
}

/// The entry before a row in the same folder.
fn previous(base: &Base, row: RowId) -> Option<RowId> {
    let folder = base.parent(row);
    let mut previous = (row - 1 != base.dir_row(folder)).then(|| row - 1)?;
    while base.parent(previous) != folder {
        previous = base.dir_row(base.parent(previous));
    }
    Some(previous)
}
