//! The first rows under an order by size, time or name, without looking at everything.

use super::super::Cancelled;
use super::super::order::{Keyed, Order, TopK};
use super::super::paths::{in_ranges, intersection};
use super::zones::touched_groups;
use super::{CHECKED_ROWS, Select};
use crate::index::ZONE_ROWS;
use crate::query::SortField;
use rayon::prelude::*;
use std::collections::BinaryHeap;

/// Most rows looked at in name order before the order is made by sorting.
const NAME_ORDER_ROWS: u64 = 256 * 1024;

impl Select<'_> {
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
        self.narrow_blocks();
        let base = &self.scope.body.base;
        let names = base.names.len() as u32;
        let whole = self.all_rows_in_range();
        let (mut eye, mut found, mut looked) = (self.eye(), Vec::new(), 0u64);
        for step in 0..names {
            let position = if first.descending { names - 1 - step } else { step };
            if found.len() >= k {
                break;
            }
            if looked + u64::from(step) > NAME_ORDER_ROWS {
                self.trace.step("rows in name order, too few matched", found.len() as u64);
                return Ok(None);
            }
            let id = base.names.id_at(position);
            let named =
                self.known_blocks().is_none_or(|blocks| blocks.contains(id / crate::index::BLOCK_NAMES));
            if !named || !self.scope.program.name.as_ref().is_none_or(|node| eye.name_id(node, id)) {
                continue;
            }
            // All rows of the last name: its ties are ordered by the other keys.
            for row in base.rows_named(id) {
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
}
