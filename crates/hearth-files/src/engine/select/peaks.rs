//! The largest or newest rows under a condition on names.
//!
//! Candidate blocks are read in the order of the largest value that any row of their names has. Once enough
//! rows are kept, blocks whose bound is smaller cannot change the answer, and neither can rows in groups
//! that hold smaller values only, which is what spares names with very many rows.

use super::super::Cancelled;
use super::super::names::{NameTester, RowCursor};
use super::super::order::{Keyed, Order, TopK};
use super::{CHECKED_ROWS, MANY_BLOCKS, Select};
use crate::index::{Peaks, ZONE_ROWS, ZoneMap};
use crate::query::SortField;
use rayon::prelude::*;

/// Most blocks of one wave; the first has [`FIRST_WAVE`], each later one twice as many as the one before.
const LARGEST_WAVE: usize = 16 * 1024;
const FIRST_WAVE: usize = 16;
/// Up to this many blocks are read on the calling thread.
const BLOCKS_ALONE: usize = 512;
/// Blocks whose memory is asked for at once.
const TOGETHER: usize = 16;
/// Rows looked at before the names are matched all at once.
const PATIENCE: usize = 1024 * 1024;

/// What is looked for, and what is known of the values that rows are ordered by.
struct Search<'a> {
    order: &'a Order<'a>,
    k: usize,
    test: NameTester<'a>,
    zones: &'a ZoneMap,
}

/// What came of some blocks.
struct Seen {
    kept: Vec<Keyed>,
    looked: usize,
}

impl Select<'_> {
    /// The first `k` rows under an order by size or time, largest first. `None` if the order is another,
    /// nothing is said about names, or too few of the rows looked at matched.
    pub(crate) fn top_by_peaks(
        &mut self,
        order: &Order<'_>,
        k: usize,
    ) -> Result<Option<Vec<Keyed>>, Cancelled> {
        let columns = &self.scope.body.base.columns;
        let (peaks, zones) = match order.first().filter(|first| first.descending).map(|first| first.field) {
            Some(SortField::Size) => (&columns.size_peaks, &columns.size_zones),
            Some(SortField::Modified) => (&columns.modified_peaks, &columns.modified_zones),
            _ => return Ok(None),
        };
        let Some(node) = self.scope.program.name.as_ref().filter(|_| self.all_rows_in_range()) else {
            return Ok(None);
        };
        self.narrow_blocks();
        let blocks = self.blocks_by_peak(peaks);
        let search = Search { order, k, test: NameTester::new(self.scope, node), zones };
        let mut top = TopK::new(order, k);
        let (mut left, mut wave, mut looked) = (&blocks[..], FIRST_WAVE, 0);
        while let Some(&next) = left.first() {
            top.tighten();
            if !peaks.bound(peaks.class(next)) > top.threshold() {
                break;
            }
            if looked > PATIENCE {
                self.trace.step("rows of the names with the largest values, too few matched", looked as u64);
                return Ok(None);
            }
            let (now, later) = left.split_at(wave.min(left.len()));
            let seen = self.top_of_blocks(now, &search, top.threshold())?;
            looked += seen.looked;
            top.merge(seen.kept);
            if wave > MANY_BLOCKS {
                node.prepare_for_many();
            }
            (left, wave) = (later, (wave * 2).min(LARGEST_WAVE));
        }
        self.trace.accelerator("names by grams, largest values first");
        self.trace.candidates(looked as u64);
        self.trace.step("rows of the names with the largest values", looked as u64);
        Ok(Some(top.into_kept()))
    }

    /// Candidate blocks, those with the largest bounds first.
    fn blocks_by_peak(&self, peaks: &Peaks) -> Vec<u32> {
        let blocks: Vec<u32> = match self.known_blocks() {
            Some(blocks) => blocks.iter().collect(),
            None => (0..self.scope.body.base.names.blocks()).collect(),
        };
        let mut places = [0u32; 257];
        let class_from_top = |block: u32| usize::from(u8::MAX - peaks.class(block));
        blocks.iter().for_each(|&block| places[class_from_top(block) + 1] += 1);
        (1..places.len()).for_each(|class| places[class] += places[class - 1]);
        let mut ordered = vec![0; blocks.len()];
        for &block in &blocks {
            let place = &mut places[class_from_top(block)];
            ordered[*place as usize] = block;
            *place += 1;
        }
        ordered
    }

    /// The first `k` rows of names in some blocks among those with keys up to `limit`, and how many rows
    /// were looked at.
    fn top_of_blocks(&self, blocks: &[u32], search: &Search<'_>, limit: i64) -> Result<Seen, Cancelled> {
        let threads = self.scope.pool.current_num_threads();
        if blocks.len() <= BLOCKS_ALONE || threads == 1 {
            return self.top_of_piece(blocks, search, limit);
        }
        let pieces = blocks.par_chunks(blocks.len().div_ceil(threads * 4));
        let pieces = pieces.map(|blocks| self.top_of_piece(blocks, search, limit));
        let pieces: Vec<Seen> = self.scope.pool.install(|| pieces.collect::<Result<_, Cancelled>>())?;
        let looked = pieces.iter().map(|seen| seen.looked).sum();
        Ok(Seen { kept: pieces.into_iter().flat_map(|seen| seen.kept).collect(), looked })
    }

    fn top_of_piece(&self, blocks: &[u32], search: &Search<'_>, limit: i64) -> Result<Seen, Cancelled> {
        let base = &self.scope.body.base;
        let (mut eye, mut cursor, mut ids) = (self.eye(), RowCursor::new(base), Vec::new());
        let (mut top, mut looked) = (TopK::new(search.order, search.k), 0);
        for group in blocks.chunks(TOGETHER) {
            group.iter().for_each(|&block| base.names.touch_block(block));
            for &block in group {
                search.test.names_in(&mut eye, &(block..block + 1), |id| ids.push(id));
            }
            for row in ids.drain(..).flat_map(|id| cursor.rows(id)) {
                if looked % CHECKED_ROWS == 0 {
                    self.scope.cancel.check()?;
                }
                looked += 1;
                let limit = limit.min(top.threshold());
                // Keys are the complements of values: they grow as values fall.
                if !search.zones.max(row as usize / ZONE_ROWS) > limit {
                    continue;
                }
                let key = search.order.primary(row);
                if key <= limit && self.verify_row(&mut eye, row) {
                    top.push((key, row));
                }
            }
        }
        Ok(Seen { kept: top.into_kept(), looked })
    }
}
