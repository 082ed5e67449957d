//! Sorting: order-preserving primary keys, exact comparison behind them, top-k selection.
//!
//! The first sort key of every row becomes one integer that never contradicts the exact order; only
//! rows with equal integers are compared in full. Ties of all keys go by path, ascending.

use super::eval::{extension_of, time_of};
use crate::index::{Body, RowId, partition};
use crate::query::{SortField, SortKey, TimeField};
use std::cmp::Ordering;

/// A row and its primary key.
pub(crate) type Keyed = (i64, RowId);

/// The order of one answer within one body.
pub(crate) struct Order<'a> {
    body: &'a Body,
    keys: &'a [SortKey],
}

impl<'a> Order<'a> {
    pub(crate) fn new(body: &'a Body, keys: &'a [SortKey]) -> Self {
        Order { body, keys }
    }

    /// Integer that is smaller for rows that come earlier, and may be equal for neighbours.
    pub(crate) fn primary(&self, row: RowId) -> i64 {
        let Some(key) = self.keys.first() else { return 0 };
        let value = primary_value(self.body, key.field, row);
        if key.descending { !value } else { value }
    }

    pub(crate) fn compare(&self, a: &Keyed, b: &Keyed) -> Ordering {
        a.0.cmp(&b.0).then_with(|| compare((self.body, a.1), (self.body, b.1), self.keys))
    }

    /// The field and direction that zone maps could serve.
    pub(crate) fn first(&self) -> Option<SortKey> {
        self.keys.first().copied()
    }
}

fn primary_value(body: &Body, field: SortField, row: RowId) -> i64 {
    match field {
        SortField::Name => body.name_key(row),
        // Rows at their base place are in path order already; others tie with everything.
        SortField::Path => 0,
        SortField::Ext => ext_position(body, row),
        _ => number(body, field, row),
    }
}

fn ext_position(body: &Body, row: RowId) -> i64 {
    let names = &body.base.names;
    if body.is_base(row) {
        return i64::from(names.ext_of(body.base.name_id(row))) * 2;
    }
    let mut folded = Vec::new();
    body.folded_into(row, &mut folded);
    let ext = extension_of(&folded);
    if ext.is_empty() {
        return 0;
    }
    let at = partition(1..names.ext_count() + 1, |id| names.ext_name(id as u32) < ext);
    let equal = at <= names.ext_count() && names.ext_name(at as u32) == ext;
    if equal { at as i64 * 2 } else { at as i64 * 2 - 1 }
}

fn number(body: &Body, field: SortField, row: RowId) -> i64 {
    match field {
        SortField::Size => body.size(row) as i64,
        SortField::Allocated if body.is_base(row) => body.base.allocated(row) as i64,
        SortField::Allocated => body.meta(row).allocated as i64,
        SortField::Modified => body.modified(row),
        SortField::Created => time_of(body, TimeField::Created, row),
        SortField::Accessed => time_of(body, TimeField::Accessed, row),
        SortField::Type => body.kind(row) as i64,
        SortField::Depth => i64::from(body.depth(row)),
        SortField::TreeSize => body.totals(row).map_or_else(|| body.size(row), |totals| totals.size) as i64,
        SortField::Descendants => body.totals(row).map_or(0, |totals| totals.descendants) as i64,
        SortField::Owner if body.is_base(row) => i64::from(body.base.class(row).uid),
        SortField::Owner => i64::from(body.meta(row).uid),
        SortField::Name | SortField::Path | SortField::Ext => 0,
    }
}

/// Order of two rows, possibly of different bodies, under sort keys, ties by path.
pub fn compare(a: (&Body, RowId), b: (&Body, RowId), sort: &[SortKey]) -> Ordering {
    let by_keys = sort.iter().map(|key| {
        let order = compare_field(a, b, key.field);
        if key.descending { order.reverse() } else { order }
    });
    by_keys.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| compare_field(a, b, SortField::Path))
}

fn compare_field(a: (&Body, RowId), b: (&Body, RowId), field: SortField) -> Ordering {
    match field {
        SortField::Name => a.0.compare_names(a.1, b.0, b.1),
        SortField::Path if std::ptr::eq(a.0, b.0) => a.0.compare_paths(a.1, b.1),
        SortField::Path => path_key(a).cmp(&path_key(b)),
        SortField::Ext => {
            let (mut mine, mut theirs) = (Vec::new(), Vec::new());
            a.0.folded_into(a.1, &mut mine);
            b.0.folded_into(b.1, &mut theirs);
            extension_of(&mine).cmp(extension_of(&theirs))
        }
        _ => number(a.0, field, a.1).cmp(&number(b.0, field, b.1)),
    }
}

/// Components of the absolute path, each folded and raw.
fn path_key((body, row): (&Body, RowId)) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut path = Vec::new();
    body.path_into(row, &mut path);
    let components = path.split(|&byte| byte == b'/').filter(|component| !component.is_empty());
    components.map(|component| (crate::fold::fold(component), component.to_vec())).collect()
}

/// Keeps the first `k` of a stream of rows.
pub(crate) struct TopK<'a> {
    order: &'a Order<'a>,
    k: usize,
    kept: Vec<Keyed>,
    /// Once `k` rows are kept: the largest primary key that can still get in.
    threshold: i64,
}

impl<'a> TopK<'a> {
    pub(crate) fn new(order: &'a Order<'a>, k: usize) -> Self {
        TopK { order, k, kept: Vec::new(), threshold: i64::MAX }
    }

    /// Primary keys above this cannot get in any more.
    pub(crate) fn threshold(&self) -> i64 {
        self.threshold
    }

    pub(crate) fn push(&mut self, keyed: Keyed) {
        if keyed.0 > self.threshold || self.k == 0 {
            return;
        }
        self.kept.push(keyed);
        if self.kept.len() >= self.k.saturating_mul(2).saturating_add(1024) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.kept.len() > self.k {
            let order = self.order;
            self.kept.select_nth_unstable_by(self.k - 1, |a, b| order.compare(a, b));
            self.kept.truncate(self.k);
            self.threshold = self.kept[self.k - 1].0;
        } else if self.kept.len() == self.k {
            self.threshold = self.kept.iter().map(|keyed| keyed.0).max().unwrap_or(i64::MAX);
        }
    }

    /// Makes [`TopK::threshold`] as tight as what was pushed allows.
    pub(crate) fn tighten(&mut self) {
        if self.k > 0 {
            self.shrink();
        }
    }

    pub(crate) fn merge(&mut self, other: Vec<Keyed>) {
        other.into_iter().for_each(|keyed| self.push(keyed));
    }

    pub(crate) fn into_kept(mut self) -> Vec<Keyed> {
        self.tighten();
        self.kept
    }

    /// The rows in order.
    pub(crate) fn into_rows(self) -> Vec<RowId> {
        let order = self.order;
        let mut kept = self.into_kept();
        kept.sort_unstable_by(|a, b| order.compare(a, b));
        kept.into_iter().map(|(_, row)| row).collect()
    }
}

/// Merges two lists that are each in path order; `extras` are rows that are not at their base place.
pub(crate) fn merge_by_path(body: &Body, rows: Vec<RowId>, extras: &[RowId]) -> Vec<RowId> {
    if extras.is_empty() {
        return rows;
    }
    let mut merged = Vec::with_capacity(rows.len() + extras.len());
    let mut from = 0;
    for &extra in extras {
        let before = |at: usize| body.compare_paths(rows[at], extra).is_lt();
        let to = partition(from..rows.len(), before);
        merged.extend_from_slice(&rows[from..to]);
        merged.push(extra);
        from = to;
    }
    merged.extend_from_slice(&rows[from..]);
    merged
}
