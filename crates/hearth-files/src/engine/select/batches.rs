//! Everything that matches: counted, or handed out in batches.
//!
//! Few names: their rows are gathered. Many, or none to go by: rows are walked in parallel, in order, less
//! the zones that conditions rule out.

use super::super::Cancelled;
use super::super::eval::Eye;
use super::super::names::count_rows;
use super::zones::Zones;
use super::{CHECKED_ROWS, Select};
use crate::index::{RowId, ZONE_ROWS};
use rayon::prelude::*;
use std::ops::{ControlFlow, Range};

/// Rows of one unit of parallel work.
const MORSEL: u32 = 32 * ZONE_ROWS as u32;
/// Up to this many rows are verified on the calling thread.
const SMALL_BATCH: usize = 8192;

impl Select<'_> {
    /// Number of matching base rows at their place.
    pub(crate) fn count(&mut self) -> Result<u64, Cancelled> {
        let scope = self.scope;
        if self.all_rows_in_range() && scope.program.row.is_none() && scope.body.delta.displaced.is_empty() {
            if scope.program.name.is_none() {
                return Ok(u64::from(scope.body.base.len) - scope.body.delta.dead.count_ones());
            }
            return self.count_by_names();
        }
        let mut total = 0;
        self.for_each_batch(false, &mut |rows| {
            total += rows.len() as u64;
            ControlFlow::Continue(())
        })?;
        Ok(total)
    }

    fn count_by_names(&mut self) -> Result<u64, Cancelled> {
        self.narrow_blocks();
        let scope = self.scope;
        let node = scope.program.name.as_ref().expect("only called with a name condition");
        let rows = count_rows(scope, node, self.known_blocks())?;
        let (mut eye, mut gone) = (self.eye(), 0);
        for (count, row) in scope.body.delta.dead.iter_ones_in(0..scope.body.base.len).enumerate() {
            if count % CHECKED_ROWS == 0 {
                scope.cancel.check()?;
            }
            gone += u64::from(self.has_name(&mut eye, row));
        }
        self.trace.accelerator("row counts of names");
        self.trace.step("rows of the names that match", rows);
        // A damaged index may hide rows of names from the count that its removed rows still have.
        Ok(rows.saturating_sub(gone))
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

    pub(super) fn batches_by_walk(
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

    pub(super) fn passes(&self, eye: &mut Eye<'_>, bitmap: Option<&[u64]>, row: RowId) -> bool {
        let named = bitmap.is_none_or(|bits| {
            let id = self.scope.body.base.name_id(row);
            bits[id as usize / 64] >> (id % 64) & 1 == 1
        });
        named && self.verify_row(eye, row)
    }

    pub(super) fn in_parallel<T, I>(
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
}

/// Cuts a range at the borders of morsels.
fn cut(range: Range<RowId>) -> impl Iterator<Item = Range<RowId>> {
    let first = range.start / MORSEL;
    let last = range.end.div_ceil(MORSEL);
    (first..last).map(move |morsel| {
        range.start.max(morsel * MORSEL)..range.end.min((morsel + 1).saturating_mul(MORSEL))
    })
}
