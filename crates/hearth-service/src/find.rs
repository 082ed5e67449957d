//! `find`: rows of one or many sources in one order, in pages or as a whole.
//!
//! One source is streamed as its engine delivers. Several whose roots do not nest follow each other in
//! path order, each held in memory only while its rows are delivered. In any other order every source
//! gives its own rows (for a page, its own first rows), which are merged. One row more than asked tells
//! whether there is a next page.

use crate::Service;
use crate::api::{FindRequest, FindSummary, RowSink, Rows, SourceName};
use crate::asking::{Held, Part, Question, refuse_if_all_failed, sort_keys};
use crate::catalogue::Published;
use crate::cursor::{Cursor, fingerprint};
use crate::error::ServiceError;
use crate::merge::merge;
use crate::paths::holds;
use hearth_core::CancelToken;
use hearth_files::engine::{self, Explain, Find};
use hearth_files::fold::fold;
use hearth_files::index::{Body, RowId};
use hearth_files::query::{SortField, SortKey};
use rayon::ThreadPool;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Pages up to this size are short work; longer ones go where exports go.
const SHORT_PAGE_ROWS: u64 = 10_000;

/// A request, prepared.
struct Plan<'a> {
    service: &'a Service,
    parts: &'a [Part],
    cursor: Option<&'a Cursor>,
    /// Bodies that a page was made from.
    read: RefCell<Vec<Read>>,
    sort: Vec<SortKey>,
    skip: u64,
    limit: Option<u64>,
    total: bool,
    pool: &'a ThreadPool,
    cancel: &'a CancelToken,
}

/// A body that a page was made from.
struct Read {
    source: u64,
    published: Weak<Published>,
    _alone: Option<Arc<Published>>,
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
    /// There is at least one row after the page.
    more: bool,
    /// The receiver went away.
    closed: bool,
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
            let delivered = Rows { source: part.name(), kind: part.shard.source.info.kind, body, rows };
            if self.sink.rows(delivered).is_err() {
                self.closed = true;
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
        let question = Question {
            query: &req.query,
            cwd: req.cwd.as_deref(),
            within: &req.within,
            wait_fresh: req.wait_fresh,
        };
        let mut parts = self.ask(question)?;
        let request = fingerprint(req);
        let cursor = req.cursor.as_deref().map(|text| Cursor::decode(text, request)).transpose()?;
        let limit = if req.count_only { Some(0) } else { req.limit };
        let plan = Plan {
            service: self,
            skip: cursor.as_ref().map_or(0, |cursor| cursor.offset),
            limit,
            total: req.total || req.count_only,
            pool: self.pool_for(limit),
            parts: &parts,
            cursor: cursor.as_ref(),
            read: RefCell::default(),
            sort,
            cancel,
        };
        let mut page = Page { sink, skip: 0, left: limit, shown: 0, more: false, closed: false };
        let outcome = if req.count_only { plan.count()? } else { plan.run(&mut page)? };
        let instants = parts.iter().filter_map(Part::instant).collect();
        let next = Cursor { offset: plan.skip + page.shown, request, instants };
        let (shown, has_next) = (page.shown, page.more && page.shown > 0);
        if has_next {
            // What has left memory since is not kept for the next page.
            for read in plan.read.take() {
                let published = read.published.upgrade().into_iter();
                published.for_each(|published| self.catalogue.leases.keep(read.source, published));
            }
        }
        refuse_if_all_failed(&mut parts)?;
        Ok(FindSummary {
            matched: outcome.matched,
            shown,
            elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            sources: self.describe(&parts),
            cursor: has_next.then(|| next.encode()),
            explain: if req.explain { outcome.explain } else { Vec::new() },
        })
    }

    /// Threads for an answer of this size.
    fn pool_for(&self, limit: Option<u64>) -> &ThreadPool {
        let pools = &self.pools;
        if limit.is_some_and(|limit| limit <= SHORT_PAGE_ROWS) { &pools.query } else { &pools.bulk }
    }
}

impl Plan<'_> {
    /// The body that answers a part. A page that goes on must go on in the bodies of the page before.
    fn open(&self, part: &Part) -> Result<Option<Held>, ServiceError> {
        let before = self.cursor.and_then(|cursor| cursor.instant_of(part.id()));
        let lease = before.and_then(|instant| self.service.catalogue.leases.find(instant));
        if let Some(lease) = lease {
            return Ok(Some(self.service.read_again(part, lease)));
        }
        let held = self.service.read(part, self.cancel)?;
        if let (Some(held), true) = (&held, self.limit.is_some()) {
            // One alone is kept in memory to the end of the page; of many, what is read must be able to give way.
            let published = held.published();
            let alone = published.upgrade().filter(|_| self.parts.len() == 1);
            self.read.borrow_mut().push(Read { source: part.id(), published, _alone: alone });
        }
        let (Some(cursor), Some(now)) = (self.cursor, part.instant()) else { return Ok(held) };
        match cursor.moved(now) {
            Some(generation) => {
                Err(ServiceError::GenerationMoved { source_name: part.name().clone(), generation })
            }
            None => Ok(held),
        }
    }

    /// The total alone.
    fn count(&self) -> Result<Outcome, ServiceError> {
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        self.service.expect(self.parts, self.cancel)?;
        for part in self.parts {
            self.count_part(part, &mut outcome)?;
        }
        Ok(outcome)
    }

    fn count_part(&self, part: &Part, outcome: &mut Outcome) -> Result<(), ServiceError> {
        let Some(held) = self.open(part)? else { return Ok(()) };
        let matched =
            self.engine(part, &held.body, 0, Some(0), outcome, &mut |_| ControlFlow::Continue(()))?;
        outcome.matched = add(outcome.matched, matched);
        Ok(())
    }

    fn run(&self, page: &mut Page<'_>) -> Result<Outcome, ServiceError> {
        match self.parts {
            [] => Ok(Outcome { matched: Some(0), ..Outcome::default() }),
            [part] => self.stream_one(part, page),
            _ if self.follow_each_other() => self.chain(page),
            _ => self.merged(page),
        }
    }

    fn stream_one(&self, part: &Part, page: &mut Page<'_>) -> Result<Outcome, ServiceError> {
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        let Some(held) = self.open(part)? else { return Ok(outcome) };
        let limit = self.limit.map(|limit| limit.saturating_add(1));
        outcome.matched = self.engine(part, &held.body, self.skip, limit, &mut outcome, &mut |rows| {
            page.take(part, &held.body, rows)
        })?;
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

    /// One source after the other, each open only while its rows are delivered.
    fn chain(&self, page: &mut Page<'_>) -> Result<Outcome, ServiceError> {
        let mut order: Vec<&Part> = self.parts.iter().collect();
        order.sort_by_cached_key(|part| path_key(&part.shard.source.root));
        if self.total || self.limit.is_none() {
            self.service.expect(self.parts, self.cancel)?;
        }
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        page.skip = self.skip;
        for part in order {
            // Whether there is another row is not worth a load.
            page.more |= page.left == Some(0) && !part.is_in_memory();
            if page.closed || page.more && !self.total {
                outcome.matched = None;
                break;
            }
            if page.more {
                self.count_part(part, &mut outcome)?;
            } else {
                self.chain_part(part, page, &mut outcome)?;
            }
        }
        Ok(outcome)
    }

    fn chain_part(
        &self,
        part: &Part,
        page: &mut Page<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), ServiceError> {
        let Some(held) = self.open(part)? else { return Ok(()) };
        // One more than the page takes, so that the end of the page is seen.
        let limit = page.left.map(|left| left.saturating_add(page.skip).saturating_add(1));
        let matched =
            self.engine(part, &held.body, 0, limit, outcome, &mut |rows| page.take(part, &held.body, rows))?;
        outcome.matched = add(outcome.matched, matched);
        Ok(())
    }

    /// The first rows of every source (or all), in one order.
    fn merged(&self, page: &mut Page<'_>) -> Result<Outcome, ServiceError> {
        let mut outcome = Outcome { matched: Some(0), ..Outcome::default() };
        let limit = self.limit.map(|limit| limit.saturating_add(1).saturating_add(self.skip));
        let (mut answering, mut gathered, mut lacking) = (Vec::new(), Vec::new(), None);
        self.service.expect(self.parts, self.cancel)?;
        for part in self.parts {
            // What is held already stays held: those after it would wait for room in vain as well.
            if lacking.is_some_and(|_| !part.is_in_memory()) {
                self.service.leave_out(part, lacking);
                continue;
            }
            let Some(held) = self.open(part)? else {
                lacking = lacking.or(part.lacks_memory());
                continue;
            };
            let mut rows = Vec::new();
            let matched = self.engine(part, &held.body, 0, limit, &mut outcome, &mut |more| {
                rows.extend_from_slice(more);
                ControlFlow::Continue(())
            })?;
            outcome.matched = add(outcome.matched, matched);
            answering.push((part, held));
            gathered.push(rows);
        }
        page.skip = self.skip;
        let lists: Vec<&[RowId]> = gathered.iter().map(Vec::as_slice).collect();
        let compare = |a: (usize, RowId), b: (usize, RowId)| {
            engine::compare((&answering[a.0].1.body, a.1), (&answering[b.0].1.body, b.1), &self.sort)
        };
        let mut stopped = Ok(());
        let _ = merge(&lists, &compare, &mut |at, rows| {
            stopped = self.cancel.check();
            if stopped.is_err() {
                return ControlFlow::Break(());
            }
            page.take(answering[at].0, &answering[at].1.body, rows)
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
        outcome.explain.push((part.name().clone(), found.explain));
        let ended = !broken && limit.is_none_or(|limit| delivered < limit) && (delivered > 0 || skip == 0);
        Ok(found.matched.or_else(|| ended.then_some(skip + delivered)))
    }
}

/// What orders roots as the rows of one body are ordered.
fn path_key(path: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    path.split(|byte| *byte == b'/').map(|part| (fold(part), part.to_vec())).collect()
}

fn add(sum: Option<u64>, matched: Option<u64>) -> Option<u64> {
    Some(sum? + matched?)
}
