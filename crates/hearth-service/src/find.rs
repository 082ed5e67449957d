//! `find`: rows of one or many sources in one order, in pages or as a whole.
//!
//! One source is streamed as its engine delivers. Several are put into one order: for a page each
//! source gives its own first rows and these are merged; for everything, sources whose roots do not
//! nest follow each other in path order, and in any other order all row numbers are merged. One row
//! more than asked tells whether there is a next page.

use crate::Service;
use crate::api::{FindRequest, FindSummary, RowSink, Rows, SourceName};
use crate::asking::{Part, Question, sort_keys};
use crate::cursor::{self, Cursor, fingerprint};
use crate::error::ServiceError;
use crate::merge::merge;
use crate::paths::holds;
use hearth_core::CancelToken;
use hearth_files::engine::{self, Explain, Find};
use hearth_files::index::{Body, RowId};
use hearth_files::query::{SortField, SortKey};
use rayon::ThreadPool;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Pages up to this size are short work; longer ones go where exports go.
const SHORT_PAGE_ROWS: u64 = 10_000;

/// A request, prepared.
struct Plan<'a> {
    parts: &'a [Part],
    sort: Vec<SortKey>,
    skip: u64,
    limit: Option<u64>,
    total: bool,
    pool: &'a ThreadPool,
    cancel: &'a CancelToken,
}

/// What came of it, besides the rows.
#[derive(Default)]
struct Outcome {
    matched: Option<u64>,
    explain: Vec<(SourceName, Explain)>,
}

/// The receiver of one page.
struct Page<'a> {
    sink: &'a mut dyn RowSink,
    skip: u64,
    left: Option<u64>,
    shown: u64,
    more: bool,
}

impl Page<'_> {
    /// Delivers what of the rows belongs to the page.
    fn take(&mut self, part: &Part, body: &Arc<Body>, rows: &[RowId]) -> ControlFlow<()> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rows.len());
        self.skip -= skipped as u64;
        let rows = &rows[skipped..];
        let room = self.left.map_or(rows.len(), |left| usize::try_from(left).unwrap_or(usize::MAX));
        let rows = if room < rows.len() {
            self.more = true;
            &rows[..room]
        } else {
            rows
        };
        if !rows.is_empty() {
            let delivered = Rows { source: &part.shard.source.info.name, body, rows };
            if self.sink.rows(delivered).is_err() {
                return ControlFlow::Break(());
            }
            self.shown += rows.len() as u64;
            self.left = self.left.map(|left| left - rows.len() as u64);
        }
        if self.more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Service {
    /// Searches files.
    ///
    /// # Errors
    /// See [`ServiceError`]; rows may have been delivered before.
    pub fn find(
        &self,
        req: &FindRequest,
        cancel: &CancelToken,
        sink: &mut dyn RowSink,
    ) -> Result<FindSummary, ServiceError> {
        let began = Instant::now();
        let sort = sort_keys(&req.sort)?;
        let question = Question { query: &req.query, cwd: req.cwd.as_deref(), within: &req.within };
        let parts = self.ask(question, cancel)?;
        let instants = instants(&parts);
        let request = fingerprint(req);
        let limit = if req.count_only { Some(0) } else { req.limit };
        let plan = Plan {
            skip: self.offset(req, request, &instants)?,
            limit,
            total: req.total || req.count_only,
            pool: self.pool_for(limit),
            parts: &parts,
            sort,
            cancel,
        };
        let mut page = Page { sink, skip: 0, left: limit, shown: 0, more: false };
        let outcome = if req.count_only { plan.count()? } else { plan.run(&mut page)? };
        let next = Cursor { offset: plan.skip + page.shown, request, instants };
        let has_next = page.more && page.shown > 0;
        Ok(FindSummary {
            matched: outcome.matched,
            shown: page.shown,
            elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            sources: self.describe(&parts),
            cursor: has_next.then(|| next.encode()),
            explain: if req.explain { outcome.explain } else { Vec::new() },
        })
    }

    /// Threads for an answer of this size.
    fn pool_for(&self, limit: Option<u64>) -> &ThreadPool {
        let pools = &self.lifecycle.pools;
        if limit.is_some_and(|limit| limit <= SHORT_PAGE_ROWS) { &pools.query } else { &pools.bulk }
    }

    /// Where the page begins.
    fn offset(
        &self,
        req: &FindRequest,
        request: u64,
        instants: &[cursor::Instant],
    ) -> Result<u64, ServiceError> {
        let Some(text) = &req.cursor else { return Ok(0) };
        let cursor = Cursor::decode(text, request)?;
        match cursor.moved(instants) {
            None => Ok(cursor.offset),
            Some((id, generation)) => {
                let shard = self.lifecycle.catalogue.get(id);
                let source_name = shard.map(|shard| shard.source.info.name.clone()).unwrap_or_default();
                Err(ServiceError::GenerationMoved { source_name, generation })
            }
        }
    }
}

/// What the parts are answered from.
fn instants(parts: &[Part]) -> Vec<cursor::Instant> {
    let instant = |part: &Part| match &part.published {
        Some(published) => (part.shard.id(), published.generation, published.began_ns),
        None => (part.shard.id(), 0, 0),
    };
    parts.iter().map(instant).collect()
}

impl Plan<'_> {
    /// The total alone.
    fn count(&self) -> Result<Outcome, ServiceError> {
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        for (part, body) in self.answering() {
            let matched =
                self.engine(part, body, 0, Some(0), &mut outcome, &mut |_| ControlFlow::Continue(()))?;
            outcome.matched = add(outcome.matched, matched);
        }
        Ok(outcome)
    }

    fn run(&self, page: &mut Page<'_>) -> Result<Outcome, ServiceError> {
        let answering: Vec<_> = self.answering().collect();
        match answering[..] {
            [] => Ok(Outcome { matched: Some(0), ..Outcome::default() }),
            [(part, body)] => self.stream_one(part, body, page),
            _ if self.limit.is_none() && self.skip == 0 && self.follow_each_other() => self.chain(page),
            _ => self.merged(&answering, page),
        }
    }

    /// Parts that have something to answer from.
    fn answering(&self) -> impl Iterator<Item = (&Part, &Arc<Body>)> {
        self.parts.iter().filter_map(|part| Some((part, &part.published.as_ref()?.body)))
    }

    fn stream_one(
        &self,
        part: &Part,
        body: &Arc<Body>,
        page: &mut Page<'_>,
    ) -> Result<Outcome, ServiceError> {
        let mut outcome = Outcome::default();
        let limit = self.limit.map(|limit| limit.saturating_add(1));
        let matched =
            self.engine(part, body, self.skip, limit, &mut outcome, &mut |rows| page.take(part, body, rows))?;
        outcome.matched = matched;
        Ok(outcome)
    }

    /// True if in the wanted order no rows of two sources mix.
    fn follow_each_other(&self) -> bool {
        let by_path = match self.sort[..] {
            [] => true,
            [SortKey { field, descending }] => field == SortField::Path && !descending,
            _ => false,
        };
        let roots: Vec<&[u8]> = self.parts.iter().map(|part| part.shard.source.root.as_slice()).collect();
        let nests = |(at, root): (usize, &&[u8])| {
            roots.iter().enumerate().any(|(other, inner)| other != at && holds(root, inner))
        };
        by_path && !roots.iter().enumerate().any(nests)
    }

    /// One source after the other.
    fn chain(&self, page: &mut Page<'_>) -> Result<Outcome, ServiceError> {
        let mut order: Vec<_> = self.answering().collect();
        order.sort_by(|(_, a), (_, b)| engine::compare((a, a.root_row()), (b, b.root_row()), &self.sort));
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        let mut ended = false;
        for (part, body) in order {
            if ended {
                break;
            }
            let matched = self.engine(part, body, 0, None, &mut outcome, &mut |rows| {
                let flow = page.take(part, body, rows);
                ended = flow.is_break();
                flow
            })?;
            outcome.matched = add(outcome.matched, matched);
        }
        outcome.matched = outcome.matched.filter(|_| !ended);
        Ok(outcome)
    }

    /// The first rows of every source (or all), in one order.
    fn merged(
        &self,
        answering: &[(&Part, &Arc<Body>)],
        page: &mut Page<'_>,
    ) -> Result<Outcome, ServiceError> {
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        let limit = self.limit.map(|limit| limit.saturating_add(1).saturating_add(self.skip));
        let mut gathered: Vec<Vec<RowId>> = Vec::new();
        for (part, body) in answering {
            let mut rows = Vec::new();
            let matched = self.engine(part, body, 0, limit, &mut outcome, &mut |more| {
                rows.extend_from_slice(more);
                ControlFlow::Continue(())
            })?;
            outcome.matched = add(outcome.matched, matched);
            gathered.push(rows);
        }
        page.skip = self.skip;
        let lists: Vec<&[RowId]> = gathered.iter().map(Vec::as_slice).collect();
        let compare = |a: (usize, RowId), b: (usize, RowId)| {
            engine::compare((answering[a.0].1, a.1), (answering[b.0].1, b.1), &self.sort)
        };
        let mut stopped = Ok(());
        let _ = merge(&lists, &compare, &mut |at, rows| {
            stopped = self.cancel.check();
            if stopped.is_err() {
                return ControlFlow::Break(());
            }
            page.take(answering[at].0, answering[at].1, rows)
        });
        stopped?;
        Ok(outcome)
    }

    /// Asks one body. The number of matches is exact if it was asked for, or if the engine came to
    /// the end of them.
    fn engine(
        &self,
        part: &Part,
        body: &Arc<Body>,
        skip: u64,
        limit: Option<u64>,
        outcome: &mut Outcome,
        take: &mut dyn FnMut(&[RowId]) -> ControlFlow<()>,
    ) -> Result<Option<u64>, ServiceError> {
        let find = Find { query: &part.query, sort: &self.sort, skip, limit, total: self.total };
        let (mut delivered, mut broken) = (0, false);
        let found = engine::find(body, &find, self.pool, self.cancel, &mut |rows| {
            delivered += rows.len() as u64;
            let flow = take(rows);
            broken |= flow.is_break();
            flow
        })?;
        outcome.explain.push((part.shard.source.info.name.clone(), found.explain));
        let ended = !broken && limit.is_none_or(|limit| delivered < limit) && (delivered > 0 || skip == 0);
        Ok(found.matched.or_else(|| ended.then_some(skip + delivered)))
    }
}

fn add(sum: Option<u64>, matched: Option<u64>) -> Option<u64> {
    Some(sum? + matched?)
}
