//! Enumerates the rows that match: picks the accelerator, then verifies.
//!
//! Base rows at their place come out in row order, which is path order. All other rows (added ones,
//! and base rows below a folder that was moved) are the extras: few, evaluated one by one.
//! What is asked decides the way: a [`page`] stops early, [`batches`] hand out or count everything,
//! [`tops`] follow another order.

mod batches;
mod first_names;
mod page;
mod peaks;
mod tops;
mod zones;

use super::eval::Eye;
use super::names::{NameMatches, RowCursor, matching_names};
use super::paths::{RowRanges, in_ranges, intersection};
use super::program::{Node, RowTest};
use super::trace::Trace;
use super::{Cancelled, Scope};
use crate::index::{BlockSet, RowId, TEXT_ROWS};

/// Rows of names verified between two looks at the cancellation token.
const CHECKED_ROWS: usize = 1024;
/// Blocks of names from which on preparing the condition pays.
const MANY_BLOCKS: usize = 4 * 1024;

/// See the module.
pub(crate) struct Select<'a> {
    scope: &'a Scope<'a>,
    /// Blocks of names that grams leave, once looked up; `None` inside if the grams say nothing.
    blocks: Option<Option<BlockSet>>,
    names: Option<NameMatches>,
    /// Base rows that can match at all.
    ranges: RowRanges,
    pub(crate) trace: Trace,
}

impl<'a> Select<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>) -> Self {
        let mut trace = Trace::new();
        let ranges = driving_ranges(scope, &mut trace);
        Select { scope, blocks: None, names: None, ranges, trace }
    }

    /// Looks up the blocks of names that can match, once.
    fn narrow_blocks(&mut self) {
        let Some(node) = self.scope.program.name.as_ref().filter(|_| self.blocks.is_none()) else { return };
        let blocks = node.need().blocks(self.scope.body);
        let how = if blocks.is_some() { "name blocks by grams" } else { "all name blocks" };
        self.blocks = Some(blocks);
        let left = self.candidate_blocks();
        self.trace.step(how, left);
    }

    /// The blocks that grams leave, if they were looked up and say anything.
    fn known_blocks(&self) -> Option<&BlockSet> {
        self.blocks.as_ref()?.as_ref()
    }

    fn candidate_blocks(&self) -> u64 {
        self.known_blocks().map_or(self.scope.body.base.names.blocks() as usize, BlockSet::count) as u64
    }

    fn eye(&self) -> Eye<'a> {
        Eye::new(self.scope.body, self.scope.program.raw)
    }

    /// Runs the name part once over the dictionary. False if there is no name part.
    fn match_names(&mut self) -> Result<bool, Cancelled> {
        let Some(node) = &self.scope.program.name else { return Ok(false) };
        if self.names.is_none() {
            self.narrow_blocks();
            let names = matching_names(self.scope, node, self.known_blocks())?;
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
        let mut cursor = RowCursor::new(base);
        let mut rows = Vec::with_capacity(names.ids.len() * 2);
        let whole = self.all_rows_in_range();
        for (count, &id) in names.ids.iter().enumerate() {
            if count % 4096 == 0 {
                self.scope.cancel.check()?;
            }
            rows.extend(cursor.rows(id).filter(|&row| whole || in_ranges(&self.ranges, row)));
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

    /// Whether a row's name meets the name part.
    fn has_name(&self, eye: &mut Eye<'_>, row: RowId) -> bool {
        let Some(node) = &self.scope.program.name else { return true };
        let id = self.scope.body.base.name_id(row);
        self.known_blocks().is_none_or(|blocks| blocks.contains(id / crate::index::BLOCK_NAMES))
            && eye.name_id(node, id)
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
