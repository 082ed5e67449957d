//! Which groups of rows conditions on size and time leave, by the smallest and largest value of each.
//!
//! Only conditions that every row must meet count. A group that is left may still hold no match: rows are
//! verified afterwards. Groups are those of the zone maps.

use super::super::Scope;
use super::super::program::{Node, RowTest};
use crate::index::{RowId, ZONE_ROWS};
use crate::query::{NumberField, TimeField};
use std::ops::Range;

/// Conditions whose zone maps can rule out whole groups of rows.
pub(super) struct Zones {
    size: Option<(i64, i64)>,
    modified: Option<(i64, i64)>,
}

impl Zones {
    pub(super) fn of(scope: &Scope<'_>) -> Zones {
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

    pub(super) fn is_empty(&self) -> bool {
        self.size.is_none() && self.modified.is_none()
    }

    /// The parts of a range that lie in groups which may hold a match.
    pub(super) fn parts<'s>(
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

/// Groups of rows that ranges reach into, each once.
pub(super) fn touched_groups(ranges: &[Range<RowId>]) -> impl Iterator<Item = u32> + '_ {
    let mut last = None;
    ranges
        .iter()
        .flat_map(|range| range.start / ZONE_ROWS as u32..range.end.div_ceil(ZONE_ROWS as u32))
        .filter(move |&group| last.replace(group) != Some(group))
}
