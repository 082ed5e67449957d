//! The first rows under an order by size, time or name, without looking at everything.
//!
//! Size and time: groups of rows are read from the best one on, until the best of the next cannot change the
//! answer. Name: the dictionary is walked in alphabetical order for as long as matching all names would
//! take; after that the names that match are taken in order. `None` always means that another way must
//! answer, never that nothing was found.

use super::super::Cancelled;
use super::super::eval::Eye;
use super::super::order::{Keyed, Order, TopK};
use super::super::paths::{in_ranges, intersection};
use super::zones::touched_groups;
use super::{CHECKED_ROWS, Select};
use crate::index::{BLOCK_NAMES, ZONE_ROWS};
use crate::query::SortField;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most rows looked at in name order before the order is made by sorting.
const NAME_ORDER_ROWS: u64 = 256 * 1024;
/// Names passed by in order in the time that it takes to read a block of names.
const BLOCK_STEPS: u64 = 32;

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
        let mut groups: BinaryHeap<Reverse<(i64, u32)>> =
            touched_groups(&self.ranges).map(|group| Reverse((best(group as usize), group))).collect();
        let mut top = TopK::new(order, k);
        let mut looked = 0u64;
        while let Some(Reverse((bound, _))) = groups.peek().copied() {
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

    /// Rows that hold the first `k` under an order that begins with the name: the names are walked in
    /// order, or those that match are put in order. `None` if too few of the rows looked at matched.
    pub(crate) fn top_by_name(
        &mut self,
        order: &Order<'_>,
        k: usize,
    ) -> Result<Option<Vec<Keyed>>, Cancelled> {
        let Some(first) = order.first().filter(|first| first.field == SortField::Name) else {
            return Ok(None);
        };
        self.narrow_blocks();
        let last = self.scope.body.base.names.len() as u32;
        // The same again turns a place back into a position.
        let place = |position: u32| if first.descending { last - 1 - position } else { position };
        let walked = self.walk_names(order, k, place)?;
        if walked.is_some() || !self.match_names()? {
            return Ok(walked);
        }
        self.sort_names(order, k, place)
    }

    fn walk_names(
        &mut self,
        order: &Order<'_>,
        k: usize,
        place: impl Fn(u32) -> u32,
    ) -> Result<Option<Vec<Keyed>>, Cancelled> {
        let (names, node) = (&self.scope.body.base.names, self.scope.program.name.as_ref());
        // What matching the names takes; as much again may be lost on trying.
        let patience = match node {
            Some(_) => (self.candidate_blocks() * BLOCK_STEPS).min(NAME_ORDER_ROWS),
            None => NAME_ORDER_ROWS,
        };
        let mut top = NameTop::new(self, order);
        for (position, step) in (0..names.len() as u32).map(&place).zip(0u64..) {
            if top.found.len() >= k {
                break;
            }
            if top.looked + step > patience {
                let found = top.found.len();
                self.trace.step("names in order, too few matched", found as u64);
                return Ok(None);
            }
            let id = names.id_at(position);
            let named = self.known_blocks().is_none_or(|blocks| blocks.contains(id / BLOCK_NAMES));
            if named && node.is_none_or(|node| top.eye.name_id(node, id)) {
                top.take(id)?;
            }
        }
        let NameTop { found, looked, .. } = top;
        self.note_names(looked, found.len());
        Ok(Some(found))
    }

    /// Takes the names that match in order, without sorting those that are not reached.
    fn sort_names(
        &mut self,
        order: &Order<'_>,
        k: usize,
        place: impl Fn(u32) -> u32,
    ) -> Result<Option<Vec<Keyed>>, Cancelled> {
        let dictionary = &self.scope.body.base.names;
        let ids = self.names.iter().flat_map(|names| &names.ids);
        let mut places: BinaryHeap<Reverse<u32>> =
            ids.map(|&id| Reverse(place(dictionary.position_of(id)))).collect::<Vec<_>>().into();
        let mut top = NameTop::new(self, order);
        while let Some(Reverse(next)) = places.pop().filter(|_| top.found.len() < k) {
            if top.looked > NAME_ORDER_ROWS {
                let found = top.found.len();
                self.trace.step("matching names in order, too few rows matched", found as u64);
                return Ok(None);
            }
            top.take(dictionary.id_at(place(next)))?;
        }
        let NameTop { found, looked, .. } = top;
        self.note_names(looked, found.len());
        Ok(Some(found))
    }

    fn note_names(&mut self, looked: u64, found: usize) {
        self.trace.accelerator("names in order");
        self.trace.candidates(looked);
        self.trace.step("rows in name order", found as u64);
    }
}

/// Rows found under an order by name.
struct NameTop<'a> {
    select: &'a Select<'a>,
    order: &'a Order<'a>,
    eye: Eye<'a>,
    found: Vec<Keyed>,
    looked: u64,
}

impl<'a> NameTop<'a> {
    fn new(select: &'a Select<'a>, order: &'a Order<'a>) -> Self {
        NameTop { select, order, eye: select.eye(), found: Vec::new(), looked: 0 }
    }

    /// Takes all rows of a name, since its ties are ordered by the other keys.
    fn take(&mut self, id: u32) -> Result<(), Cancelled> {
        let whole = self.select.all_rows_in_range();
        for row in self.select.scope.body.base.rows_named(id) {
            if self.looked.is_multiple_of(CHECKED_ROWS as u64) {
                self.select.scope.cancel.check()?;
            }
            self.looked += 1;
            let in_range = whole || in_ranges(&self.select.ranges, row);
            if in_range && self.select.verify_row(&mut self.eye, row) {
                self.found.push((self.order.primary(row), row));
            }
        }
        Ok(())
    }
}
