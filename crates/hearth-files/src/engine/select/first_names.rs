//! The first rows of matching names, found from the first names on.
//!
//! Names are numbered by their first rows. Blocks of names are read in order, a few at a time; the rows of
//! the names found so far are merged in path order, and no further than to the first row of the next
//! block, behind which later names may have rows. So a page ends after the blocks it needs, and no row is
//! verified that stands behind its last.

use super::super::Cancelled;
use super::super::eval::Eye;
use super::super::names::{NameTester, RowCursor};
use super::super::paths::in_ranges;
use super::page::Page;
use super::{CHECKED_ROWS, MANY_BLOCKS, Select};
use crate::index::{BLOCK_NAMES, Base, BlockWalk, RowId};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Blocks looked up before any of them is read: of the first wave; each later one has twice as many.
const FIRST_WAVE: usize = 64;
/// Waves grow up to this many blocks.
const LARGEST_WAVE: usize = 32 * 1024;
/// Up to this many blocks are read on the calling thread.
const BLOCKS_ALONE: usize = 1024;
/// Blocks whose memory is asked for at once.
const TOGETHER: usize = 16;

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Open,
    /// The page is full, and there is at least one row more.
    Full,
    /// There are no other rows.
    Done,
    /// The patience is at its end.
    Spent,
}

impl Select<'_> {
    /// The first `want` rows by way of names. `None` if `patience` rows were verified before that.
    pub(super) fn page_by_names(&mut self, want: usize, patience: usize) -> Result<Option<Page>, Cancelled> {
        let node = self.scope.program.name.as_ref().expect("only called with a name condition");
        let mut walk = match self.known_blocks() {
            Some(known) => BlockWalk::over(known.clone()),
            None => node.need().walk(self.scope.body),
        };
        let test = NameTester::new(self.scope, node);
        let mut rows = FirstRows::new(self, want, patience);
        let (mut blocks, mut wave, mut looked) = (Vec::with_capacity(FIRST_WAVE), FIRST_WAVE, 0);
        let progress = loop {
            let more = walk.fill(wave, &mut blocks);
            looked += blocks.len();
            let progress = self.read_blocks(&test, &blocks, &mut rows)?;
            if progress != Progress::Open {
                break progress;
            }
            if !more {
                break rows.merge_before(RowId::MAX)?;
            }
            if looked > MANY_BLOCKS {
                node.prepare_for_many();
            }
            wave = (wave * 2).min(LARGEST_WAVE);
        };
        let mut found = rows.found;
        self.trace.accelerator("names by grams, in the order of their first rows");
        self.trace.candidates(looked as u64);
        self.trace.step("rows of the first names", found.len() as u64);
        found.truncate(want);
        let exhaustive = progress == Progress::Done;
        Ok((progress != Progress::Spent).then_some(Page { rows: found, exhaustive }))
    }

    /// Merges the rows before the blocks and adds the names in them.
    fn read_blocks(
        &self,
        test: &NameTester<'_>,
        blocks: &[u32],
        rows: &mut FirstRows<'_>,
    ) -> Result<Progress, Cancelled> {
        let threads = self.scope.pool.current_num_threads();
        let alone = blocks.len() <= BLOCKS_ALONE || threads == 1;
        for part in blocks.chunks(if alone { TOGETHER } else { blocks.len() }) {
            let progress = rows.merge_before(self.scope.body.base.first_row(part[0] * BLOCK_NAMES))?;
            if progress != Progress::Open {
                return Ok(progress);
            }
            if alone {
                self.names_of_blocks(test, part, &mut rows.eye, &mut rows.ids)?;
            } else {
                rows.ids = self.names_in_parallel(test, part, part.len().div_ceil(threads * 4))?;
            }
            rows.take_names();
        }
        Ok(Progress::Open)
    }

    fn names_in_parallel(
        &self,
        test: &NameTester<'_>,
        blocks: &[u32],
        piece: usize,
    ) -> Result<Vec<u32>, Cancelled> {
        let pieces = blocks.par_chunks(piece).map(|blocks| {
            let mut ids = Vec::new();
            self.names_of_blocks(test, blocks, &mut self.eye(), &mut ids).map(|()| ids)
        });
        let pieces: Vec<Vec<u32>> = self.scope.pool.install(|| pieces.collect::<Result<_, Cancelled>>())?;
        Ok(pieces.concat())
    }

    fn names_of_blocks(
        &self,
        test: &NameTester<'_>,
        blocks: &[u32],
        eye: &mut Eye<'_>,
        ids: &mut Vec<u32>,
    ) -> Result<(), Cancelled> {
        for group in blocks.chunks(TOGETHER) {
            self.scope.cancel.check()?;
            // Read together: one wait for memory instead of one per block.
            group.iter().for_each(|&block| self.scope.body.base.names.touch_block(block));
            for &block in group {
                test.names_in(eye, &(block..block + 1), |id| ids.push(id));
            }
        }
        Ok(())
    }
}

/// Rows of names, merged in path order.
struct FirstRows<'a> {
    select: &'a Select<'a>,
    base: &'a Base,
    eye: Eye<'a>,
    cursor: RowCursor<'a>,
    /// Names that were found and not taken yet.
    ids: Vec<u32>,
    /// Of each name with rows left: the next one, and the range of its repeats after that.
    pending: BinaryHeap<Reverse<(RowId, u32, u32)>>,
    found: Vec<RowId>,
    want: usize,
    /// Rows that may be verified.
    patience: usize,
    looked: usize,
}

impl<'a> FirstRows<'a> {
    fn new(select: &'a Select<'a>, want: usize, patience: usize) -> Self {
        FirstRows {
            select,
            base: &select.scope.body.base,
            eye: select.eye(),
            cursor: RowCursor::new(&select.scope.body.base),
            ids: Vec::new(),
            pending: BinaryHeap::new(),
            found: Vec::new(),
            want,
            patience,
            looked: 0,
        }
    }

    /// Adds the names in `ids`.
    fn take_names(&mut self) {
        let from = self.select.ranges.first().map_or(0, |range| range.start);
        for id in self.ids.drain(..) {
            let (first, mut repeats) = self.cursor.parts_from(id, from);
            let next = first.or_else(|| repeats.next().map(|at| self.base.repeat(at)));
            let rest = (repeats.start as u32, repeats.end as u32);
            self.pending.extend(next.map(|row| Reverse((row, rest.0, rest.1))));
        }
    }

    /// Verifies the rows left before `end`: the first row of all names that are still to come.
    fn merge_before(&mut self, end: RowId) -> Result<Progress, Cancelled> {
        let select = self.select;
        let whole = select.all_rows_in_range();
        let last = select.ranges.last().map_or(0, |range| range.end);
        while let Some(row) = self.next_before(end.min(last)) {
            if self.looked.is_multiple_of(CHECKED_ROWS) {
                select.scope.cancel.check()?;
            }
            self.looked += 1;
            if (whole || in_ranges(&select.ranges, row)) && select.verify_row(&mut self.eye, row) {
                self.found.push(row);
                if self.found.len() > self.want {
                    return Ok(Progress::Full);
                }
            }
            if self.looked == self.patience {
                return Ok(Progress::Spent);
            }
        }
        Ok(if end < last { Progress::Open } else { Progress::Done })
    }

    /// Takes the first row that is left, if it is before `end`.
    fn next_before(&mut self, end: RowId) -> Option<RowId> {
        let mut top = self.pending.peek_mut().filter(|top| top.0.0 < end)?;
        let Reverse((row, next, stop)) = *top;
        if next < stop {
            *top = Reverse((self.base.repeat(next as usize), next + 1, stop));
        } else {
            PeekMut::pop(top);
        }
        Some(row)
    }
}
