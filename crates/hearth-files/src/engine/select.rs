//! Enumerates the rows that match: picks the accelerator, then verifies.
//!
//! Base rows at their place come out in row order, which is path order. All other rows (added ones,
//! and base rows below a folder that was moved) are the extras: few, evaluated one by one.

use super::eval::Eye;
use super::names::{NameMatches, PostingCursor, count_rows, matching_names};
use super::order::{Keyed, Order, TopK};
use super::paths::{RowRanges, in_ranges, intersection};
use super::program::{Node, RowTest};
use super::trace::Trace;
use super::{Cancelled, Scope};
use crate::index::{BlockSet, RowId, TEXT_ROWS, ZONE_ROWS, partition};
use crate::query::{NumberField, SortField, TimeField};
use rayon::prelude::*;
use std::collections::BinaryHeap;
use std::ops::{ControlFlow, Range};

/// Rows of one unit of parallel work.
const MORSEL: u32 = 32 * ZONE_ROWS as u32;
/// Most rows that a page looks at before the names are matched instead.
const PROBE_ROWS: u64 = 1024 * 1024;
/// Most rows looked at in name order before the order is made by sorting.
const NAME_ORDER_ROWS: u64 = 256 * 1024;
/// With a condition on rows: candidate blocks up to which names are verified one by one.
const FEW_BLOCKS: usize = 4096;
/// Blocks looked at to guess how many rows match.
const SAMPLE: usize = 16;
/// Rows that a probe looks at between two looks at the cancellation token.
const PROBE_PIECE: u32 = 8192;
/// Up to this many blocks are looked at on the calling thread.
const BLOCKS_ALONE: usize = 4096;
/// Blocks of names whose memory is asked for at once.
const TOGETHER: usize = 16;
/// Rows of names verified between two looks at the cancellation token.
const CHECKED_ROWS: usize = 1024;
/// Up to this many rows are verified on the calling thread.
const SMALL_BATCH: usize = 8192;

/// See the module.
pub(crate) struct Select<'a> {
    scope: &'a Scope<'a>,
    blocks: Option<BlockSet>,
    names: Option<NameMatches>,
    /// Base rows that can match at all.
    ranges: RowRanges,
    pub(crate) trace: Trace,
}

/// The first rows of an answer.
pub(crate) struct Page {
    pub(crate) rows: Vec<RowId>,
    /// There are no others.
    pub(crate) exhaustive: bool,
}

impl<'a> Select<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>) -> Self {
        let mut trace = Trace::new();
        let ranges = driving_ranges(scope, &mut trace);
        let mut select = Select { scope, blocks: None, names: None, ranges, trace };
        if let Some(node) = &scope.program.name {
            select.blocks = node.need().blocks(scope.body);
            let out = select.blocks.as_ref().map_or(scope.body.base.names.blocks() as usize, BlockSet::count);
            let how = if select.blocks.is_some() { "name blocks by grams" } else { "all name blocks" };
            select.trace.step(how, out as u64);
        }
        select
    }

    /// Base rows at their place, in order, until `want` are found.
    pub(crate) fn page(&mut self, want: usize) -> Result<Page, Cancelled> {
        if self.scope.program.name.is_none() {
            let probed = self.probe(want, PROBE_ROWS / 4)?;
            return if let Some(page) = probed { Ok(page) } else { self.page_by_batches(want) };
        }
        let expected = self.expected_span(want);
        if let Some(patience) = self.patience(expected)
            && let Some(page) = self.probe(want, patience)?
        {
            return Ok(page);
        }
        let few = self.blocks.as_ref().is_some_and(|blocks| blocks.count() <= FEW_BLOCKS);
        if few || self.scope.program.row.is_none() {
            return self.page_by_names(want, expected);
        }
        if self.match_names()? && !self.postings_are_many() {
            self.page_by_postings(want)
        } else {
            self.page_by_batches(want)
        }
    }

    /// Rows worth looking at in path order before names are matched; `None` if matching them is
    /// cheaper than the rows that a page is expected to take.
    fn patience(&self, expected: u64) -> Option<u64> {
        let blocks = self.candidate_blocks();
        // What the names cost, in rows looked at; as much again may be lost on trying.
        let alternative = blocks + blocks / 2 + 8192;
        (expected < alternative).then_some(alternative.min(PROBE_ROWS))
    }

    fn candidate_blocks(&self) -> u64 {
        self.blocks.as_ref().map_or(self.scope.body.base.names.blocks() as usize, BlockSet::count) as u64
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
        let sample: Vec<u32> = match &self.blocks {
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

    /// Verifies only names that have a row among the first, in growing spans until a page is full.
    fn page_by_names(&mut self, want: usize, expected: u64) -> Result<Page, Cancelled> {
        self.trace.accelerator("names by grams, first rows by name");
        let start = self.ranges.first().map_or(0, |range| range.start);
        let last = self.ranges.last().map_or(0, |range| range.end);
        let mut span = u32::try_from(expected + expected / 2).unwrap_or(RowId::MAX).max(4096);
        loop {
            let end = start.saturating_add(span).min(last);
            let first = self.rows_before(end, want + 1)?;
            if first.rows.len() > want || end == last {
                return Ok(first.into_page(want));
            }
            span = span.saturating_mul(4);
        }
    }

    /// The first `capacity` matching rows before `end`.
    fn rows_before(&mut self, end: RowId, capacity: usize) -> Result<FirstRows, Cancelled> {
        let blocks: Vec<u32> = match &self.blocks {
            Some(blocks) => blocks.iter().collect(),
            None => (0..self.scope.body.base.names.blocks()).collect(),
        };
        let threads = self.scope.pool.current_num_threads();
        let first = if blocks.len() <= BLOCKS_ALONE || threads == 1 {
            self.rows_of_blocks(&blocks, end, capacity)?
        } else {
            let parts = blocks.par_chunks(blocks.len().div_ceil(threads));
            let parts = parts.map(|blocks| self.rows_of_blocks(blocks, end, capacity));
            let parts: Vec<FirstRows> = self.scope.pool.install(|| parts.collect::<Result<_, _>>())?;
            let mut all = FirstRows { capacity, rows: Vec::new(), end };
            parts.into_iter().flat_map(|part| part.rows).for_each(|row| all.push(row));
            all
        };
        self.trace.candidates(blocks.len() as u64);
        self.trace.step("first rows of names in these blocks", first.rows.len() as u64);
        Ok(first)
    }

    fn rows_of_blocks(&self, blocks: &[u32], end: RowId, capacity: usize) -> Result<FirstRows, Cancelled> {
        let base = &self.scope.body.base;
        let node = self.scope.program.name.as_ref().expect("only called with a name condition");
        let (mut eye, mut first) = (self.eye(), FirstRows { capacity, rows: Vec::new(), end });
        for (count, group) in blocks.chunks(TOGETHER).enumerate() {
            if count % 256 == 0 {
                self.scope.cancel.check()?;
            }
            // Looked up together, read together: one wait for memory instead of one per block.
            let mut may = [0u32; TOGETHER];
            for (may, &block) in may.iter_mut().zip(group) {
                *may = base.names_before(base.names.block_ids(block), first.end);
            }
            let open = || group.iter().zip(may).filter(|&(_, may)| may != 0);
            open().for_each(|(&block, _)| base.names.touch_block(block));
            for (&block, may) in open() {
                let start = base.names.block_ids(block).start;
                let mut outcome = Ok(());
                base.names.for_each_in_block(block, |id, folded| {
                    let open = outcome.is_ok() && may >> (id - start) & 1 == 1;
                    if open && eye.name_with_folded(node, id, folded) {
                        outcome = self.first_rows_of_name(id, &mut eye, &mut first);
                    }
                });
                outcome?;
            }
        }
        Ok(first)
    }

    fn first_rows_of_name(&self, id: u32, eye: &mut Eye<'_>, first: &mut FirstRows) -> Result<(), Cancelled> {
        let base = &self.scope.body.base;
        let mut postings = base.postings(id);
        if let Some(range) = self.ranges.first() {
            postings.start = partition(postings.clone(), |at| base.posting(at) < range.start);
        }
        let whole = self.all_rows_in_range();
        let mut left = first.capacity;
        for (count, row) in postings.map(|at| base.posting(at)).enumerate() {
            if row >= first.end || left == 0 {
                break;
            }
            if count % CHECKED_ROWS == CHECKED_ROWS - 1 {
                self.scope.cancel.check()?;
            }
            if (whole || in_ranges(&self.ranges, row)) && self.verify_row(eye, row) {
                first.push(row);
                left -= 1;
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

    fn eye(&self) -> Eye<'a> {
        Eye::new(self.scope.body, self.scope.program.raw)
    }

    /// Runs the name part once over the dictionary. False if there is no name part.
    fn match_names(&mut self) -> Result<bool, Cancelled> {
        let Some(node) = &self.scope.program.name else { return Ok(false) };
        if self.names.is_none() {
            let names = matching_names(self.scope, node, self.blocks.as_ref())?;
            self.trace.step("names that match", names.ids.len() as u64);
            self.names = Some(names);
        }
        Ok(true)
    }

    /// Whether looking at every row is cheaper than gathering the rows of the names.
    fn postings_are_many(&self) -> bool {
        let base = &self.scope.body.base;
        let rows_per_name = base.len as usize / base.names.len().max(1) + 1;
        self.names
            .as_ref()
            .is_none_or(|names| names.ids.len() * rows_per_name > (base.len as usize / 24).max(4096))
    }

    /// Base rows inside the ranges that have a matching name, in no order.
    fn rows_of_names(&mut self) -> Result<Vec<RowId>, Cancelled> {
        let names = self.names.as_ref().expect("names were matched");
        let base = &self.scope.body.base;
        let mut cursor = PostingCursor::new(base);
        let mut rows = Vec::with_capacity(names.ids.len() * 2);
        let whole = self.all_rows_in_range();
        for (count, &id) in names.ids.iter().enumerate() {
            if count % 4096 == 0 {
                self.scope.cancel.check()?;
            }
            let postings = cursor.postings(id).map(|at| base.posting(at));
            rows.extend(postings.filter(|&row| whole || in_ranges(&self.ranges, row)));
        }
        self.trace.step("rows of those names", rows.len() as u64);
        self.trace.candidates(rows.len() as u64);
        Ok(rows)
    }

    fn all_rows_in_range(&self) -> bool {
        self.ranges.len() == 1 && self.ranges[0] == (0..self.scope.body.base.len)
    }

    /// Everything about a base row but its name and its ranges.
    fn verify_row(&self, eye: &mut Eye<'_>, row: RowId) -> bool {
        self.is_here(row) && self.scope.program.row.as_ref().is_none_or(|node| eye.row(node, row))
    }

    /// Live and at its base place.
    fn is_here(&self, row: RowId) -> bool {
        self.scope.untouched
            || (!self.scope.body.delta.dead.get(row) && !self.scope.body.delta.is_displaced(row))
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
        let how =
            if self.blocks.is_some() { "rows in path order, names by grams" } else { "rows in path order" };
        self.trace.accelerator(how);
        self.trace.candidates(seen);
        self.trace.step("rows probed in path order", found as u64);
    }

    fn has_name(&self, eye: &mut Eye<'_>, row: RowId) -> bool {
        let Some(node) = &self.scope.program.name else { return true };
        let id = self.scope.body.base.name_id(row);
        self.blocks.as_ref().is_none_or(|blocks| blocks.contains(id / crate::index::BLOCK_NAMES))
            && eye.name_id(node, id)
    }

    /// Number of matching base rows at their place.
    pub(crate) fn count(&mut self) -> Result<u64, Cancelled> {
        let scope = self.scope;
        if self.all_rows_in_range() && scope.program.row.is_none() && scope.body.delta.displaced.is_empty() {
            if scope.program.name.is_none() {
                return Ok(u64::from(scope.body.base.len) - scope.body.delta.dead.count_ones());
            }
            self.match_names()?;
            let names = self.names.as_ref().expect("just matched");
            let dead = scope.body.delta.dead.iter_ones_in(0..scope.body.base.len);
            let gone =
                dead.filter(|&row| names.ids.binary_search(&scope.body.base.name_id(row)).is_ok()).count();
            let rows = count_rows(scope, &names.ids);
            self.trace.accelerator("row counts of names");
            self.trace.step("rows of those names", rows);
            return Ok(rows - gone as u64);
        }
        let mut total = 0;
        self.for_each_batch(false, &mut |rows| {
            total += rows.len() as u64;
            ControlFlow::Continue(())
        })?;
        Ok(total)
    }

    /// Every matching base row at its place, in batches; in order if asked for.
    pub(crate) fn for_each_batch(
        &mut self,
        ordered: bool,
        sink: &mut dyn FnMut(Vec<RowId>) -> ControlFlow<()>,
    ) -> Result<(), Cancelled> {
        if !self.match_names()? || self.postings_are_many() {
            return self.batches_by_walk(sink);
        }
        let mut rows = self.rows_of_names()?;
        if ordered {
            rows.sort_unstable();
        }
        self.trace.accelerator("names by grams, rows by name");
        if rows.len() <= SMALL_BATCH {
            let mut eye = self.eye();
            rows.retain(|&row| self.verify_row(&mut eye, row));
            let _ = sink(rows);
            return Ok(());
        }
        for batch in rows.chunks(MORSEL as usize * 4) {
            let parts = self.in_parallel(batch.par_chunks(4096), |eye, rows: &[RowId]| {
                rows.iter().copied().filter(|&row| self.verify_row(eye, row)).collect()
            })?;
            if sink(parts).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn batches_by_walk(
        &mut self,
        sink: &mut dyn FnMut(Vec<RowId>) -> ControlFlow<()>,
    ) -> Result<(), Cancelled> {
        let bitmap = self.names.as_ref().map(|names| names.bitmap(self.scope.body.base.names.len()));
        let zones = Zones::of(self.scope);
        self.trace.accelerator(match (&bitmap, zones.is_empty()) {
            (Some(_), _) => "all rows, names matched once",
            (None, true) => "all rows",
            (None, false) => "all rows, zones skipped",
        });
        let morsels: Vec<Range<RowId>> = self.ranges.iter().flat_map(|range| cut(range.clone())).collect();
        self.trace.candidates(morsels.iter().map(|morsel| u64::from(morsel.end - morsel.start)).sum());
        for wave in morsels.chunks(self.scope.pool.current_num_threads() * 4) {
            let rows = self.in_parallel(wave.par_iter(), |eye, morsel: &Range<RowId>| {
                let mut rows = Vec::new();
                for part in zones.parts(self.scope, morsel.clone()) {
                    rows.extend(part.filter(|&row| self.passes(eye, bitmap.as_deref(), row)));
                }
                rows
            })?;
            if sink(rows).is_break() {
                return Ok(());
            }
        }
        self.trace.step("rows walked", 0);
        Ok(())
    }

    fn passes(&self, eye: &mut Eye<'_>, bitmap: Option<&[u64]>, row: RowId) -> bool {
        let named = bitmap.is_none_or(|bits| {
            let id = self.scope.body.base.name_id(row);
            bits[id as usize / 64] >> (id % 64) & 1 == 1
        });
        named && self.verify_row(eye, row)
    }

    fn in_parallel<T, I>(
        &self,
        work: I,
        run: impl Fn(&mut Eye<'_>, T) -> Vec<RowId> + Sync,
    ) -> Result<Vec<RowId>, Cancelled>
    where
        I: IndexedParallelIterator<Item = T>,
        T: Send,
    {
        let one = |eye: &mut Eye<'_>, item: T| -> Result<Vec<RowId>, Cancelled> {
            self.scope.cancel.check()?;
            Ok(run(eye, item))
        };
        let parts: Vec<Vec<RowId>> =
            self.scope.pool.install(|| work.map_init(|| self.eye(), one).collect::<Result<_, _>>())?;
        Ok(parts.concat())
    }

    /// The first `k` base rows under an order that zone maps serve, without looking at all of them.
    /// `None` if the order is not of that kind.
    pub(crate) fn top_by_zones(
        &mut self,
        order: &Order<'_>,
        k: usize,
    ) -> Result<Option<Vec<Keyed>>, Cancelled> {
        let base = &self.scope.body.base;
        let Some(first) = order.first() else { return Ok(None) };
        let zones = match first.field {
            SortField::Size => &base.columns.size_zones,
            SortField::Modified => &base.columns.modified_zones,
            _ => return Ok(None),
        };
        if self.match_names()? && !self.postings_are_many() {
            return Ok(None);
        }
        let bitmap = self.names.as_ref().map(|names| names.bitmap(base.names.len()));
        let best = |group: usize| if first.descending { !zones.max(group) } else { zones.min(group) };
        let mut groups: BinaryHeap<std::cmp::Reverse<(i64, u32)>> = touched_groups(&self.ranges)
            .map(|group| std::cmp::Reverse((best(group as usize), group)))
            .collect();
        let mut top = TopK::new(order, k);
        let mut looked = 0u64;
        while let Some(std::cmp::Reverse((bound, _))) = groups.peek().copied() {
            top.tighten();
            if bound > top.threshold() {
                break;
            }
            let wave = self.scope.pool.current_num_threads() * 8;
            let wave: Vec<u32> =
                std::iter::from_fn(|| groups.pop()).take(wave).map(|group| group.0.1).collect();
            looked += wave.len() as u64 * ZONE_ROWS as u64;
            let threshold = top.threshold();
            let rows = self.in_parallel(wave.par_iter(), |eye, &group| {
                let span = group * ZONE_ROWS as u32..(group + 1) * ZONE_ROWS as u32;
                let rows = intersection(std::slice::from_ref(&span), &self.ranges).into_iter().flatten();
                rows.filter(|&row| {
                    order.primary(row) <= threshold && self.passes(eye, bitmap.as_deref(), row)
                })
                .collect()
            })?;
            rows.into_iter().for_each(|row| top.push((order.primary(row), row)));
        }
        self.trace.accelerator("zones, best first");
        self.trace.candidates(looked);
        self.trace.step("rows of the best zones", looked);
        Ok(Some(top.into_kept()))
    }

    /// Rows that hold the first `k` under an order that begins with the name, found by walking the
    /// dictionary. `None` if too few of the rows looked at matched.
    pub(crate) fn top_by_name(
        &mut self,
        order: &Order<'_>,
        k: usize,
    ) -> Result<Option<Vec<Keyed>>, Cancelled> {
        let Some(first) = order.first().filter(|first| first.field == SortField::Name) else {
            return Ok(None);
        };
        let base = &self.scope.body.base;
        let names = base.names.len() as u32;
        let whole = self.all_rows_in_range();
        let (mut eye, mut found, mut looked) = (self.eye(), Vec::new(), 0u64);
        for step in 0..names {
            let id = if first.descending { names - 1 - step } else { step };
            if found.len() >= k {
                break;
            }
            if looked + u64::from(step) > NAME_ORDER_ROWS {
                self.trace.step("rows in name order, too few matched", found.len() as u64);
                return Ok(None);
            }
            let named =
                self.blocks.as_ref().is_none_or(|blocks| blocks.contains(id / crate::index::BLOCK_NAMES));
            if !named || !self.scope.program.name.as_ref().is_none_or(|node| eye.name_id(node, id)) {
                continue;
            }
            // All rows of the last name: its ties are ordered by the other keys.
            for row in base.postings(id).map(|at| base.posting(at)) {
                if looked % CHECKED_ROWS as u64 == 0 {
                    self.scope.cancel.check()?;
                }
                looked += 1;
                if (whole || in_ranges(&self.ranges, row)) && self.verify_row(&mut eye, row) {
                    found.push((order.primary(row), row));
                }
            }
        }
        self.trace.accelerator("names in order");
        self.trace.candidates(looked);
        self.trace.step("rows in name order", found.len() as u64);
        Ok(Some(found))
    }

    /// Matching rows that are not at a base place, in path order.
    pub(crate) fn extras(&mut self) -> Result<Vec<RowId>, Cancelled> {
        if self.scope.untouched {
            return Ok(Vec::new());
        }
        let body = self.scope.body;
        let mut eye = self.eye();
        let mut rows = self.added_candidates();
        for displaced in body.delta.displaced_ranges.iter() {
            rows.extend((displaced.0..displaced.1).filter(|&row| !body.delta.dead.get(row)));
        }
        let looked = rows.len() as u64;
        let mut found = Vec::new();
        for (count, row) in rows.into_iter().enumerate() {
            if count % 4096 == 0 {
                self.scope.cancel.check()?;
            }
            let mut holds = |node: &Option<Node>| node.as_ref().is_none_or(|node| eye.row(node, row));
            if holds(&self.scope.program.name) && holds(&self.scope.program.row) {
                found.push(row);
            }
        }
        found.sort_unstable_by(|&a, &b| body.compare_paths(a, b));
        self.trace.step("changed rows looked at", looked);
        Ok(found)
    }

    /// Live added rows, less the blocks whose text lacks what a matching name must contain.
    fn added_candidates(&self) -> Vec<RowId> {
        let body = self.scope.body;
        let need = self.scope.program.name.as_ref().map(Node::need);
        let Some(literal) = need.as_ref().and_then(|need| need.longest_literal()) else {
            return body.added_rows().collect();
        };
        let finder = memchr::memmem::Finder::new(literal);
        let blocks = body.delta.texts.iter().filter(|(_, block)| finder.find(&block.text).is_some());
        blocks
            .flat_map(|(block, _)| block * TEXT_ROWS..(block + 1) * TEXT_ROWS)
            .map(|added| body.base.len + added)
            .filter(|&row| body.added(row).is_some())
            .collect()
    }
}

/// The smallest rows seen so far.
struct FirstRows {
    capacity: usize,
    rows: Vec<RowId>,
    /// Rows from here on are not among the smallest.
    end: RowId,
}

impl FirstRows {
    fn push(&mut self, row: RowId) {
        self.rows.push(row);
        if self.rows.len() >= self.capacity + self.capacity / 2 + 32 {
            self.rows.select_nth_unstable(self.capacity - 1);
            self.rows.truncate(self.capacity);
            self.end = self.rows[self.capacity - 1];
        }
    }

    fn into_page(mut self, want: usize) -> Page {
        self.rows.sort_unstable();
        let exhaustive = self.rows.len() <= want;
        self.rows.truncate(want);
        Page { rows: self.rows, exhaustive }
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

fn cut(range: Range<RowId>) -> impl Iterator<Item = Range<RowId>> {
    let first = range.start / MORSEL;
    let last = range.end.div_ceil(MORSEL);
    (first..last).map(move |morsel| {
        range.start.max(morsel * MORSEL)..range.end.min((morsel + 1).saturating_mul(MORSEL))
    })
}

fn touched_groups(ranges: &[Range<RowId>]) -> impl Iterator<Item = u32> + '_ {
    let mut last = None;
    ranges
        .iter()
        .flat_map(|range| range.start / ZONE_ROWS as u32..range.end.div_ceil(ZONE_ROWS as u32))
        .filter(move |&group| last.replace(group) != Some(group))
}

/// Ranges of base rows outside which nothing can match.
fn driving_ranges(scope: &Scope<'_>, trace: &mut Trace) -> RowRanges {
    let base = &scope.body.base;
    let mut ranges = std::iter::once(0..base.len).collect::<RowRanges>();
    for part in scope.program.row_parts() {
        let narrower = match part {
            Node::Const(false) => Vec::new(),
            Node::Row(RowTest::Below(dir)) if *dir < base.dir_count() => {
                std::iter::once(base.dir_row(*dir) + 1..base.dir_end(*dir)).collect()
            }
            Node::Row(RowTest::Below(_)) => Vec::new(),
            Node::Row(RowTest::Path(test)) => match &test.ranges {
                Some(ranges) => ranges.clone(),
                None => continue,
            },
            _ => continue,
        };
        ranges = intersection(&ranges, &narrower);
        trace.step("row ranges by path", ranges.len() as u64);
    }
    ranges
}

/// Conditions whose zone maps can rule out whole groups of rows.
struct Zones {
    size: Option<(i64, i64)>,
    modified: Option<(i64, i64)>,
}

impl Zones {
    fn of(scope: &Scope<'_>) -> Zones {
        let mut zones = Zones { size: None, modified: None };
        for part in scope.program.row_parts() {
            match part {
                Node::Row(RowTest::Number(NumberField::Size, range)) => {
                    let bound = |value: Option<u64>, open| {
                        value.map_or(open, |value| i64::try_from(value).unwrap_or(i64::MAX))
                    };
                    zones.size = Some((bound(range.min, i64::MIN), bound(range.max, i64::MAX)));
                }
                Node::Row(RowTest::Time(TimeField::Modified, range)) => {
                    zones.modified = Some((range.from.unwrap_or(i64::MIN), range.until.unwrap_or(i64::MAX)));
                }
                _ => {}
            }
        }
        zones
    }

    fn is_empty(&self) -> bool {
        self.size.is_none() && self.modified.is_none()
    }

    /// The parts of a range that lie in groups which may hold a match.
    fn parts<'s>(
        &'s self,
        scope: &'s Scope<'_>,
        range: Range<RowId>,
    ) -> impl Iterator<Item = Range<RowId>> + 's {
        let columns = &scope.body.base.columns;
        let size = ZONE_ROWS as u32;
        let may = |bounds: Option<(i64, i64)>, least: i64, most: i64| {
            bounds.is_none_or(|(low, high)| most >= low && least <= high)
        };
        let groups = if self.is_empty() || range.is_empty() {
            None
        } else {
            Some(range.start / size..range.end.div_ceil(size))
        };
        let whole = groups.is_none().then(|| range.clone());
        let kept = groups.into_iter().flatten().filter(move |&group| {
            let group = group as usize;
            may(self.size, columns.size_zones.min(group), columns.size_zones.max(group))
                && may(self.modified, columns.modified_zones.min(group), columns.modified_zones.max(group))
        });
        let kept = kept.map(move |group| range.start.max(group * size)..range.end.min((group + 1) * size));
        whole.into_iter().chain(kept)
    }
}
