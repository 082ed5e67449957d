//! The query engine: answers a parsed query from one body.
//!
//! A query is compiled for the body, an accelerator enumerates candidates (names by grams, rows by
//! name, row ranges by path, zones by size or time, or plain rows in path order), what remains is
//! verified, and the order is applied before any limit. Totals are exact. Every loop polls the
//! cancellation token.

mod dupes;
mod eval;
mod names;
mod need;
mod order;
mod paths;
mod program;
mod select;
mod standing;
mod text;
mod trace;

pub(crate) use need::Need;
pub use order::compare;
pub(crate) use program::{extensions_of, last_component};
pub use standing::{Judge, Standing};

use crate::index::{Body, RowId};
use crate::query::{Query, SortField, SortKey};
use hearth_core::{CancelToken, Cancelled};
use order::{Order, TopK, merge_by_path};
use program::Program;
use select::Select;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What is asked of one body.
#[derive(Clone, Copy)]
pub struct Find<'a> {
    /// The condition.
    pub query: &'a Query,
    /// Sort keys; empty = path ascending. Ties are broken by path.
    pub sort: &'a [SortKey],
    /// Rows of the ordered answer to leave out at its beginning.
    pub skip: u64,
    /// Most rows to deliver.
    pub limit: Option<u64>,
    /// Whether the exact total is wanted even where it costs more than the page.
    pub total: bool,
}

/// End of a find over one body.
#[derive(Clone, Debug)]
pub struct Found {
    /// Exact number of matches, before `skip` and `limit`; `None` if not asked for and not known.
    pub matched: Option<u64>,
    /// Rows delivered.
    pub shown: u64,
    /// How.
    pub explain: Explain,
}

/// How an answer was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    /// The accelerator that drove the query, in words.
    pub accelerator: String,
    /// Rows that were looked at after the accelerator.
    pub candidates: u64,
    /// The steps in order.
    pub steps: Vec<ExplainStep>,
}

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainStep {
    /// What was done, in words.
    pub what: String,
    /// What came out of it (blocks, names or rows, as `what` says).
    pub out: u64,
    /// Time, microseconds.
    pub micros: u64,
}

/// Why a find gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The query asks for something this volume does not have, or a pattern too large to compile.
    #[error("{message}")]
    Unsupported {
        /// Byte position in the query text.
        position: usize,
        /// What and why.
        message: String,
    },
}

/// What every part of one evaluation reads.
pub(crate) struct Scope<'a> {
    body: &'a Body,
    program: &'a Program,
    pool: &'a rayon::ThreadPool,
    cancel: &'a CancelToken,
    /// No changes since the base.
    untouched: bool,
}

/// Rows per call of the sink.
const BATCH: usize = 8192;

/// Answers a query from one body. Rows are delivered to `sink` in order, in batches; `Break` ends
/// early. `limit: Some(0)` with `total` counts.
///
/// # Errors
/// [`EngineError`]; rows may have been delivered before a cancellation.
pub fn find(
    body: &Arc<Body>,
    find: &Find<'_>,
    pool: &rayon::ThreadPool,
    cancel: &CancelToken,
    sink: &mut dyn FnMut(&[RowId]) -> ControlFlow<()>,
) -> Result<Found, EngineError> {
    let program = Program::compile(find.query, body, cancel)?;
    let scope = Scope { body, program: &program, pool, cancel, untouched: body.delta.is_empty() };
    let mut delivery =
        Delivery { skip: find.skip, left: find.limit.unwrap_or(u64::MAX), shown: 0, open: true, sink };
    let mut select = Select::new(&scope);
    let matched = match path_order(find.sort) {
        Some(false) => in_path_order(&scope, find, &mut select, &mut delivery)?,
        Some(true) => in_reverse_path_order(&scope, &mut select, &mut delivery)?,
        None => in_other_order(&scope, find, &mut select, &mut delivery)?,
    };
    select.trace.step("rows delivered", delivery.shown);
    Ok(Found { matched, shown: delivery.shown, explain: select.trace.finish() })
}

/// Whether the order is by path alone, and if so whether it is descending.
fn path_order(sort: &[SortKey]) -> Option<bool> {
    match sort.first() {
        None => Some(false),
        Some(key) if key.field == SortField::Path => Some(key.descending),
        Some(_) => None,
    }
}

/// Applies `skip` and `limit` to a stream of rows.
struct Delivery<'s> {
    skip: u64,
    left: u64,
    shown: u64,
    open: bool,
    sink: &'s mut dyn FnMut(&[RowId]) -> ControlFlow<()>,
}

impl Delivery<'_> {
    fn push(&mut self, rows: &[RowId]) -> ControlFlow<()> {
        let skipped = self.skip.min(rows.len() as u64);
        self.skip -= skipped;
        let rows = &rows[skipped as usize..];
        let rows = &rows[..self.left.min(rows.len() as u64) as usize];
        for batch in rows.chunks(BATCH) {
            if !self.open {
                break;
            }
            self.shown += batch.len() as u64;
            self.open = (self.sink)(batch).is_continue();
        }
        self.left -= rows.len() as u64;
        if self.open && self.left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Rows up to which an answer is collected before it is delivered.
fn page_size(find: &Find<'_>) -> Option<usize> {
    let limit = find.limit?;
    usize::try_from(limit.saturating_add(find.skip)).ok().filter(|&size| size <= 1 << 20)
}

fn in_path_order(
    scope: &Scope<'_>,
    find: &Find<'_>,
    select: &mut Select<'_>,
    delivery: &mut Delivery<'_>,
) -> Result<Option<u64>, EngineError> {
    let extras = select.extras()?;
    let Some(size) = page_size(find) else { return stream(scope, find, select, &extras, delivery) };
    let mut known = None;
    if size > 0 {
        let page = select.page(size)?;
        known = page.exhaustive.then_some((page.rows.len() + extras.len()) as u64);
        let near = if page.exhaustive { &extras[..] } else { &extras[..extras.len().min(size)] };
        let _ = delivery.push(&merge_by_path(scope.body, page.rows, near));
    }
    match known {
        Some(known) => Ok(Some(known)),
        None if find.total => Ok(Some(select.count()? + extras.len() as u64)),
        None => Ok(None),
    }
}

fn stream(
    scope: &Scope<'_>,
    find: &Find<'_>,
    select: &mut Select<'_>,
    extras: &[RowId],
    delivery: &mut Delivery<'_>,
) -> Result<Option<u64>, EngineError> {
    let (mut matched, mut merged, mut cut) = (extras.len() as u64, 0, false);
    select.for_each_batch(true, &mut |rows| {
        matched += rows.len() as u64;
        if cut {
            return ControlFlow::Continue(());
        }
        // Extras up to the batch's last row belong to this batch, later ones to the next.
        let upto = rows.last().map_or(merged, |&last| {
            merged + extras[merged..].partition_point(|&extra| scope.body.compare_paths(extra, last).is_lt())
        });
        let batch = merge_by_path(scope.body, rows, &extras[merged..upto]);
        merged = upto;
        cut = delivery.push(&batch).is_break();
        if cut && !(find.total && delivery.open) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if !cut {
        cut = delivery.push(&extras[merged..]).is_break() && delivery.left > 0;
    }
    Ok((!cut || find.total && delivery.open).then_some(matched))
}

fn in_reverse_path_order(
    scope: &Scope<'_>,
    select: &mut Select<'_>,
    delivery: &mut Delivery<'_>,
) -> Result<Option<u64>, EngineError> {
    let extras = select.extras()?;
    let mut rows = merge_by_path(scope.body, all_rows(select)?, &extras);
    rows.reverse();
    let _ = delivery.push(&rows);
    Ok(Some(rows.len() as u64))
}

fn all_rows(select: &mut Select<'_>) -> Result<Vec<RowId>, EngineError> {
    let mut all = Vec::new();
    select.for_each_batch(true, &mut |rows| {
        all.extend(rows);
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

fn in_other_order(
    scope: &Scope<'_>,
    find: &Find<'_>,
    select: &mut Select<'_>,
    delivery: &mut Delivery<'_>,
) -> Result<Option<u64>, EngineError> {
    let order = Order::new(scope.body, find.sort);
    let extras = select.extras()?;
    let size = page_size(find).unwrap_or(usize::MAX);
    let mut top = TopK::new(&order, size);
    top.merge(extras.iter().map(|&row| (order.primary(row), row)).collect());
    let best = if size > 0 && size <= 1 << 16 { best_rows(select, &order, size)? } else { None };
    let matched = match best {
        Some(kept) => {
            top.merge(kept);
            find.total.then(|| select.count()).transpose()?
        }
        None if size == 0 => find.total.then(|| select.count()).transpose()?,
        None => {
            let mut matched = 0;
            select.for_each_batch(false, &mut |rows| {
                matched += rows.len() as u64;
                top.merge(keyed(scope, &order, &rows, top.threshold()));
                ControlFlow::Continue(())
            })?;
            Some(matched)
        }
    };
    select.trace.step("rows ordered", 0);
    let _ = delivery.push(&top.into_rows());
    Ok(matched.map(|matched| matched + extras.len() as u64))
}

/// The first rows of an order that an accelerator serves, if one does.
fn best_rows(
    select: &mut Select<'_>,
    order: &Order<'_>,
    size: usize,
) -> Result<Option<Vec<order::Keyed>>, EngineError> {
    if let Some(rows) = select.top_by_name(order, size)? {
        return Ok(Some(rows));
    }
    if let Some(rows) = select.top_by_peaks(order, size)? {
        return Ok(Some(rows));
    }
    Ok(select.top_by_zones(order, size)?)
}

fn keyed(scope: &Scope<'_>, order: &Order<'_>, rows: &[RowId], threshold: i64) -> Vec<order::Keyed> {
    use rayon::prelude::*;
    let key = |&row: &RowId| (order.primary(row), row);
    if rows.len() < 4096 {
        return rows.iter().map(key).collect();
    }
    scope.pool.install(|| {
        rows.par_iter().with_min_len(4096).map(key).filter(|keyed| keyed.0 <= threshold).collect()
    })
}
