//! The first rows in path order.
//!
//! Names are numbered by their first rows, so blocks of names are looked at from the first one on, and a
//! page is complete once the next block's first row lies behind its last. Where rows are confined to a part
//! of the volume, or hardly any row of a matching name passes, rows are looked at in path order instead,
//! or everything is matched first; each try is bounded by what the next would cost.

use super::super::Cancelled;
use super::super::eval::Eye;
use super::super::names::{NameTester, RowCursor};
use super::super::paths::in_ranges;
use super::{CHECKED_ROWS, Select};
use crate::index::{BLOCK_NAMES, BlockWalk, RowId};
use rayon::prelude::*;
use std::collections::BinaryHeap;
use std::ops::{ControlFlow, Range};

/// Most rows that a page looks at in path order before names are matched.
const PROBE_ROWS: u64 = 1024 * 1024;
/// Rows that a probe looks at between two looks at the cancellation token.
const PROBE_PIECE: u32 = 8192;
/// Ranges of up to this many rows are looked at row by row.
const FEW_ROWS: u64 = 2048;
/// Blocks looked at to guess how many rows match.
const SAMPLE: usize = 16;
/// Blocks looked up before any of them is looked at: of the first wave; each later one has twice as many.
const FIRST_WAVE: usize = 64;
/// Waves grow up to this many blocks.
const LARGEST_WAVE: usize = 32 * 1024;
/// Blocks from which on preparing the condition pays.
const MANY_BLOCKS: u64 = 8 * 1024;
/// Up to this many blocks are looked at on the calling thread.
const BLOCKS_ALONE: usize = 2048;
/// Blocks of names whose memory is asked for at once.
const TOGETHER: usize = 16;
/// With a condition on rows: rows verified by way of names before all names are matched.
const NAMED_ROWS: u64 = 64 * 1024;

/// The first rows of an answer.
pub(crate) struct Page {
    pub(crate) rows: Vec<RowId>,
    /// There are no others.
    pub(crate) exhaustive: bool,
}

impl Select<'_> {
    /// Base rows at their place, in order, until `want` are found.
    pub(crate) fn page(&mut self, want: usize) -> Result<Page, Cancelled> {
        if self.scope.program.name.is_none() {
            let probed = self.probe(want, PROBE_ROWS / 4)?;
            return if let Some(page) = probed { Ok(page) } else { self.page_by_batches(want) };
        }
        if let Some(patience) = self.patience(want)
            && let Some(page) = self.probe(want, patience)?
        {
            return Ok(page);
        }
        let patience = if self.scope.program.row.is_none() { u64::MAX } else { NAMED_ROWS };
        if let Some(page) = self.page_by_names(want, patience)? {
            return Ok(page);
        }
        if self.match_names()? && !self.postings_are_many() {
            self.page_by_postings(want)
        } else {
            self.page_by_batches(want)
        }
    }

    /// Rows worth looking at in path order before names are. None in a whole volume, where the first
    /// names have the first rows; in a part of it, names whose first row lies before it get in the way.
    fn patience(&mut self, want: usize) -> Option<u64> {
        if self.all_rows_in_range() {
            return None;
        }
        let rows = self.ranges.iter().map(|range| u64::from(range.end - range.start)).sum::<u64>();
        if rows <= FEW_ROWS {
            return Some(FEW_ROWS);
        }
        self.narrow_blocks();
        let blocks = self.candidate_blocks();
        // What the names cost, in rows looked at; as much again may be lost on trying.
        let alternative = blocks + blocks / 2 + 8192;
        (rows.min(self.expected_span(want)) < alternative).then_some(alternative.min(PROBE_ROWS))
    }

    /// Rows in path order that a page is expected to take if matches are spread evenly, judged by
    /// a sample of the candidate blocks.
    fn expected_span(&self, want: usize) -> u64 {
        let base = &self.scope.body.base;
        let blocks = self.candidate_blocks();
        if blocks <= SAMPLE as u64 * 4 {
            return u64::from(base.len);
        }
        let step = blocks as usize / SAMPLE;
        let sample: Vec<u32> = match self.known_blocks() {
            Some(blocks) => blocks.iter().skip(step / 2).step_by(step).collect(),
            None => (0..base.names.blocks()).skip(step / 2).step_by(step).collect(),
        };
        sample.iter().for_each(|&block| base.names.touch_block(block));
        let node = self.scope.program.name.as_ref().expect("only called with a name condition");
        let (mut eye, mut rows) = (self.eye(), 1u64);
        for &block in &sample {
            base.names.for_each_in_block(block, |id, folded| {
                if eye.name_with_folded(node, id, folded) {
                    // One very frequent name says little about the others.
                    rows += base.rows_of(id).min(16);
                }
            });
        }
        let matches = (rows * blocks / sample.len().max(1) as u64).max(1);
        want as u64 * u64::from(base.len) / matches
    }

    fn page_by_batches(&mut self, want: usize) -> Result<Page, Cancelled> {
        let mut found = Vec::new();
        self.batches_by_walk(&mut |rows| {
            found.extend(rows);
            if found.len() > want { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let exhaustive = found.len() <= want;
        found.truncate(want);
        Ok(Page { rows: found, exhaustive })
    }

    /// Looks at names in the order of their first rows until no later name can change the page.
    /// `None` if `patience` rows were verified before that.
    fn page_by_names(&mut self, want: usize, patience: u64) -> Result<Option<Page>, Cancelled> {
        let (scope, base) = (self.scope, &self.scope.body.base);
        let node = scope.program.name.as_ref().expect("only called with a name condition");
        let test = NameTester::new(scope, node);
        let mut walk = match self.known_blocks() {
            Some(known) => BlockWalk::over(known.clone()),
            None => node.need().walk(scope.body),
        };
        let end = self.ranges.last().map_or(0, |range| range.end);
        let mut first = FirstRows { capacity: want + 1, rows: BinaryHeap::new(), end, patience };
        let (mut blocks, mut wave, mut looked) = (Vec::with_capacity(FIRST_WAVE), FIRST_WAVE, 0);
        loop {
            let more = walk.fill(wave, &mut blocks);
            looked += blocks.len() as u64;
            self.rows_of_wave(&test, &blocks, &mut first)?;
            let next = blocks.last().map_or(0, |&block| base.first_row(block * BLOCK_NAMES));
            let complete = !more || next >= first.end;
            if complete || first.patience == 0 {
                self.note_names(looked, first.rows.len());
                return Ok(complete.then(|| first.into_page(want)));
            }
            if looked > MANY_BLOCKS {
                node.prepare_for_many();
            }
            wave = (wave * 2).min(LARGEST_WAVE);
        }
    }

    fn note_names(&mut self, looked: u64, found: usize) {
        self.trace.accelerator("names by grams, in the order of their first rows");
        self.trace.candidates(looked);
        self.trace.step("rows of names in the first blocks", found as u64);
    }

    fn rows_of_wave(
        &self,
        test: &NameTester<'_>,
        blocks: &[u32],
        first: &mut FirstRows,
    ) -> Result<(), Cancelled> {
        let threads = self.scope.pool.current_num_threads();
        if blocks.len() <= BLOCKS_ALONE || threads == 1 {
            return self.rows_of_blocks(test, blocks, first);
        }
        let parts = blocks.par_chunks(blocks.len().div_ceil(threads)).map(|blocks| {
            let mut own = FirstRows { rows: BinaryHeap::new(), ..*first };
            self.rows_of_blocks(test, blocks, &mut own)?;
            Ok(own)
        });
        let parts: Vec<FirstRows> = self.scope.pool.install(|| parts.collect::<Result<_, Cancelled>>())?;
        parts.into_iter().for_each(|part| first.merge(part));
        Ok(())
    }

    fn rows_of_blocks(
        &self,
        test: &NameTester<'_>,
        blocks: &[u32],
        first: &mut FirstRows,
    ) -> Result<(), Cancelled> {
        let base = &self.scope.body.base;
        let (mut eye, mut cursor, mut ids) = (self.eye(), RowCursor::new(base), Vec::new());
        for (count, group) in blocks.chunks(TOGETHER).enumerate() {
            if count % 64 == 0 {
                self.scope.cancel.check()?;
            }
            if first.patience == 0 || base.first_row(group[0] * BLOCK_NAMES) >= first.end {
                break;
            }
            // Read together: one wait for memory instead of one per block.
            group.iter().for_each(|&block| base.names.touch_block(block));
            ids.clear();
            for &block in group {
                test.names_in(&mut eye, &(block..block + 1), |id| ids.push(id));
            }
            for &id in &ids {
                self.first_rows_of_name(id, &mut cursor, &mut eye, first)?;
            }
        }
        Ok(())
    }

    fn first_rows_of_name(
        &self,
        id: u32,
        cursor: &mut RowCursor<'_>,
        eye: &mut Eye<'_>,
        first: &mut FirstRows,
    ) -> Result<(), Cancelled> {
        let whole = self.all_rows_in_range();
        let from = self.ranges.first().map_or(0, |range| range.start);
        for (count, row) in cursor.rows_from(id, from).enumerate() {
            if row >= first.end || first.patience == 0 {
                break;
            }
            if count % CHECKED_ROWS == CHECKED_ROWS - 1 {
                self.scope.cancel.check()?;
            }
            first.patience -= 1;
            if (whole || in_ranges(&self.ranges, row)) && self.verify_row(eye, row) {
                first.push(row);
            }
        }
        Ok(())
    }

    fn page_by_postings(&mut self, want: usize) -> Result<Page, Cancelled> {
        self.trace.accelerator("names by grams, rows by name");
        let mut rows = self.rows_of_names()?;
        rows.sort_unstable();
        let mut eye = self.eye();
        let mut found = Vec::new();
        for (count, row) in rows.into_iter().enumerate() {
            if count % 16_384 == 0 {
                self.scope.cancel.check()?;
            }
            if found.len() == want {
                self.trace.step("rows verified until the page was full", count as u64);
                return Ok(Page { rows: found, exhaustive: false });
            }
            if self.verify_row(&mut eye, row) {
                found.push(row);
            }
        }
        self.trace.step("rows verified", found.len() as u64);
        Ok(Page { rows: found, exhaustive: true })
    }

    /// Looks at the first rows in order. `None` if fewer than `want` of them matched and there are more.
    /// On one thread: waking another takes as long as most probes.
    fn probe(&mut self, want: usize, patience: u64) -> Result<Option<Page>, Cancelled> {
        let ranges = self.ranges.clone();
        let (mut eye, mut found, mut seen) = (self.eye(), Vec::new(), 0u64);
        for piece in pieces(&ranges, PROBE_PIECE) {
            self.scope.cancel.check()?;
            for row in piece {
                if found.len() == want {
                    self.note_probe(seen, found.len());
                    return Ok(Some(Page { rows: found, exhaustive: false }));
                }
                if seen == patience {
                    self.trace.step("rows probed in path order, too few matched", found.len() as u64);
                    return Ok(None);
                }
                seen += 1;
                if self.matches_here(&mut eye, row) {
                    found.push(row);
                }
            }
        }
        self.note_probe(seen, found.len());
        Ok(Some(Page { rows: found, exhaustive: true }))
    }

    fn matches_here(&self, eye: &mut Eye<'_>, row: RowId) -> bool {
        self.has_name(eye, row) && self.verify_row(eye, row)
    }

    fn note_probe(&mut self, seen: u64, found: usize) {
        let how = if self.known_blocks().is_some() {
            "rows in path order, names by grams"
        } else {
            "rows in path order"
        };
        self.trace.accelerator(how);
        self.trace.candidates(seen);
        self.trace.step("rows probed in path order", found as u64);
    }
}

/// The smallest rows seen so far.
struct FirstRows {
    capacity: usize,
    rows: BinaryHeap<RowId>,
    /// Rows from here on are not among the smallest.
    end: RowId,
    /// Rows that may still be verified.
    patience: u64,
}

impl FirstRows {
    fn push(&mut self, row: RowId) {
        self.rows.push(row);
        if self.rows.len() > self.capacity {
            self.rows.pop();
        }
        if self.rows.len() == self.capacity {
            self.end = self.rows.peek().copied().unwrap_or(self.end);
        }
    }

    /// Takes in the rows of a part that began where this one stands.
    fn merge(&mut self, part: FirstRows) {
        part.rows.into_iter().for_each(|row| self.push(row));
        self.patience = self.patience.min(part.patience);
    }

    fn into_page(self, want: usize) -> Page {
        let mut rows = self.rows.into_sorted_vec();
        let exhaustive = rows.len() <= want;
        rows.truncate(want);
        Page { rows, exhaustive }
    }
}

/// The ranges cut into pieces of at most `size` rows.
fn pieces(ranges: &[Range<RowId>], size: u32) -> impl Iterator<Item = Range<RowId>> + '_ {
    let cut = move |range: &Range<RowId>| {
        let end = range.end;
        range.clone().step_by(size as usize).map(move |start| start..end.min(start + size))
    };
    ranges.iter().flat_map(cut)
}
