//! The first rows in path order.
//!
//! With a condition on names, the first names have the first rows. Where rows are confined to a part of
//! the volume, or hardly any row of a matching name passes, rows are looked at in path order instead, or
//! everything is matched first; each try is bounded by what the next would cost.

use super::super::Cancelled;
use super::super::eval::Eye;
use super::Select;
use crate::index::RowId;
use std::ops::{ControlFlow, Range};

/// Most rows that a page looks at in path order before names are matched.
const PROBE_ROWS: u64 = 1024 * 1024;
/// Rows that a probe looks at between two looks at the cancellation token.
const PROBE_PIECE: u32 = 8192;
/// Ranges of up to this many rows are looked at row by row.
const FEW_ROWS: u64 = 2048;
/// Blocks looked at to guess how many rows match.
const SAMPLE: usize = 16;
/// With a condition on rows: rows verified by way of names before all names are matched.
const NAMED_ROWS: usize = 32 * 1024;

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
        let patience = if self.scope.program.row.is_none() { usize::MAX } else { NAMED_ROWS };
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

/// The ranges cut into pieces of at most `size` rows.
fn pieces(ranges: &[Range<RowId>], size: u32) -> impl Iterator<Item = Range<RowId>> + '_ {
    let cut = move |range: &Range<RowId>| {
        let end = range.end;
        range.clone().step_by(size as usize).map(move |start| start..end.min(start + size))
    };
    ranges.iter().flat_map(cut)
}
