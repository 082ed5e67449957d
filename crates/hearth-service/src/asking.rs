//! From a request to the instants it is answered from.
//!
//! The query is parsed and the sources it can concern are chosen. Each part is opened when it is needed:
//! a body in memory is taken as it is published now; a shard that is out of memory stays so if its
//! digest proves that it holds no match, and is brought in otherwise. What a part was answered from is
//! kept with it, to be told at the end.

use crate::Service;
use crate::api::{Health, SourceMeta};
use crate::catalogue::{Known, Published, Shard, Shards, Source};
use crate::clock;
use crate::cursor;
use crate::driver::Claim;
use crate::error::ServiceError;
use crate::freshness;
use crate::leases::Lease;
use crate::live::{Freshness, Waited};
use crate::paths::holds;
use crate::run;
use crate::selection::{Chosen, Scope, choose, limited, prune};
use hearth_core::{CancelToken, EntryKind, limits};
use hearth_files::digest::Digest;
use hearth_files::engine::EngineError;
use hearth_files::query::{Context, Query, QueryError, SortKey, parse, parse_sort};
use hearth_residency::{Failure, Serving, ShardId, serving};
use jiff::tz::TimeZone;
use std::cell::OnceCell;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long the very first query of a source may wait for something to answer from.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// The longest that freshness is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// Query text with its surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) query: &'a [u8],
    pub(crate) cwd: Option<&'a [u8]>,
    pub(crate) within: &'a [Vec<u8>],
    /// How long everything that was written before may be waited for.
    pub(crate) wait_fresh: Option<Duration>,
}

/// One source's part of an answer.
pub(crate) struct Part {
    /// The source as it was when the question was asked, without its body.
    pub(crate) shard: Shard,
    /// Whether it had a body then.
    had_body: bool,
    pub(crate) scope: Scope,
    /// The query, limited to the scope.
    pub(crate) query: Query,
    /// Every source when the question was asked.
    sources: Arc<[Arc<Source>]>,
    /// Until when everything that was written before the question is waited for.
    wait_until: Option<Instant>,
    /// What it was answered from, once it was.
    answered: OnceCell<Answered>,
}

/// Memory that there was not.
#[derive(Clone, Copy)]
pub(crate) struct Lack {
    needed_bytes: u64,
    budget_bytes: u64,
    held_bytes: u64,
    pinned_bytes: u64,
}

/// What a part was answered from.
struct Answered {
    /// The source at that time, without its body.
    shard: Shard,
    /// The body, or the one that the digest speaks of; `None` if there was nothing.
    from: Option<Known>,
    /// Why there is no answer of this part.
    failure: Option<ServiceError>,
    /// How fresh that was.
    freshness: Freshness,
    /// What came of waiting for it to be fresh.
    waited: Option<Waited>,
}

/// A body that is being read. While this is held the body is kept in memory.
pub(crate) struct Held {
    published: Arc<Published>,
    _claim: Option<Claim>,
}

impl Held {
    /// The body, if it is still there then.
    pub(crate) fn published(&self) -> Weak<Published> {
        Arc::downgrade(&self.published)
    }
}

impl Deref for Held {
    type Target = Published;

    fn deref(&self) -> &Published {
        &self.published
    }
}

impl Answered {
    fn failed(shard: Shard, failure: ServiceError) -> Self {
        let freshness = shard.source.track.freshness();
        Self { shard, from: None, failure: Some(failure), freshness, waited: None }
    }
}

impl Part {
    /// The source's name.
    pub(crate) fn name(&self) -> &String {
        &self.shard.source.info.name
    }

    /// The source's number.
    pub(crate) fn id(&self) -> u64 {
        self.shard.id()
    }

    /// Number of the source, generation and making of the body that it was answered from (zeros: none);
    /// `None` if it was not asked.
    pub(crate) fn instant(&self) -> Option<cursor::Instant> {
        let from = self.answered.get()?.from;
        Some(from.map_or((self.shard.id(), 0, 0), |from| (self.shard.id(), from.generation, from.made_ns)))
    }

    /// True if reading it needs no load.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.had_body || refuted(&self.shard, &self.query)
    }

    /// How much memory there was not, if that is why there is no answer of this part.
    pub(crate) fn lacks_memory(&self) -> Option<Lack> {
        match self.answered.get()?.failure {
            Some(ServiceError::OverBudget {
                needed_bytes, budget_bytes, held_bytes, pinned_bytes, ..
            }) => Some(Lack { needed_bytes, budget_bytes, held_bytes, pinned_bytes }),
            _ => None,
        }
    }

    fn failed(&self) -> bool {
        self.answered.get().is_some_and(|answered| answered.failure.is_some())
    }
}

impl Service {
    /// Parses a question and chooses the sources that it is about.
    pub(crate) fn ask(&self, question: Question<'_>) -> Result<Vec<Part>, ServiceError> {
        let query = self.parse(question)?;
        let shards = match query.asks_for_deleted()? {
            true => self.deleted_from(question.within, &query)?,
            false => self.catalogue.listed(),
        };
        let chosen = prune(&shards, choose(&shards, question.within)?, &query)?;
        Ok(self.parts(&shards, chosen, &query, question.wait_fresh))
    }

    /// Parts of an answer from the chosen sources, none of them opened.
    pub(crate) fn parts(
        &self,
        shards: &Shards,
        chosen: Vec<Chosen>,
        query: &Query,
        wait_fresh: Option<Duration>,
    ) -> Vec<Part> {
        let now = Instant::now();
        let wait_until = wait_fresh.map(|wait| now.checked_add(wait).unwrap_or(now + LONGEST_WAIT));
        self.queries.fetch_add(1, Ordering::Relaxed);
        let sources: Arc<[Arc<Source>]> = shards.iter().map(|shard| Arc::clone(&shard.source)).collect();
        // What a query keeps to its end must not keep bodies in memory: it holds those that it reads.
        let part = |chosen: Chosen| Part {
            query: limited(query, &chosen.scope),
            had_body: chosen.shard.answering().is_some(),
            shard: chosen.shard.without_body(),
            scope: chosen.scope,
            sources: Arc::clone(&sources),
            wait_until,
            answered: OnceCell::new(),
        };
        chosen.into_iter().map(part).collect()
    }

    /// Says which parts will all be read, so that what is out of memory can be loaded side by side: first
    /// the digests that are on disk only, then the bodies that no digest makes needless.
    pub(crate) fn expect(&self, parts: &[Part], cancel: &CancelToken) -> Result<(), ServiceError> {
        let absent: Vec<&Part> = parts.iter().filter(|part| !part.is_in_memory()).collect();
        if absent.len() < 2 {
            return Ok(());
        }
        let on_disk =
            absent.iter().filter(|part| on_disk_only(&part.shard) && Digest::could_refute(&part.query));
        on_disk.for_each(|part| self.driver.consult(part.shard.id()));
        let mut needed = Vec::new();
        for part in absent {
            let Some(shard) = self.catalogue.get(part.shard.id()) else { continue };
            let shard = self.with_digest(shard, &part.query, cancel)?;
            if shard.answering().is_none() && !refuted(&shard, &part.query) {
                needed.push(ShardId(shard.id()));
            }
        }
        if needed.len() > 1 {
            self.driver.hint(needed);
        }
        Ok(())
    }

    /// The body that answers a part; `None` if there is nothing to read: the digest has answered, nothing is
    /// there yet, or the part failed, which [`refuse_if_all_failed`] judges once all parts were asked.
    pub(crate) fn read(&self, part: &Part, cancel: &CancelToken) -> Result<Option<Held>, ServiceError> {
        let opened = self.read_part(part, cancel);
        let (answered, held) = match opened {
            Ok(opened) => opened,
            Err(error) if concerns_part(&error) => {
                let now = self.catalogue.get(part.shard.id());
                let shard = now.map_or_else(|| part.shard.clone(), |shard| shard.without_body());
                (Answered::failed(shard, error), None)
            }
            Err(error) => return Err(error),
        };
        self.catalogue.touch(&answered.shard.source, clock::now_ns());
        // A part that is opened again is told as it was answered first.
        let _ = part.answered.set(answered);
        Ok(held)
    }

    /// Answers a part from the body of the page before, which says how old that is.
    pub(crate) fn read_again(&self, part: &Part, lease: Lease) -> Held {
        let Lease { published, fresh_at, .. } = lease;
        let now = self.catalogue.get(part.shard.id());
        let shard = now.map_or_else(|| part.shard.clone(), |shard| shard.without_body());
        let freshness = Freshness { verified: Some(fresh_at), ..Freshness::default() };
        let from = Some(published.known());
        let answered = Answered { shard, from, failure: None, freshness, waited: None };
        self.catalogue.touch(&answered.shard.source, clock::now_ns());
        let _ = part.answered.set(answered);
        // The next page is waited for anew.
        self.catalogue.leases.keep(part.shard.id(), Arc::clone(&published));
        Held { published, _claim: None }
    }

    /// Leaves a part unanswered for want of memory, without asking for more.
    pub(crate) fn leave_out(&self, part: &Part, lack: Option<Lack>) {
        let Some(Lack { needed_bytes, budget_bytes, held_bytes, pinned_bytes }) = lack else { return };
        let failure = ServiceError::OverBudget {
            source_name: part.name().clone(),
            needed_bytes,
            budget_bytes,
            held_bytes,
            pinned_bytes,
            largest: Vec::new(),
        };
        let answered = Answered::failed(part.shard.clone(), failure);
        // A part that was opened before is told as it was answered then.
        let _ = part.answered.set(answered);
    }

    /// Describes the parts of an answer that were touched.
    pub(crate) fn describe(&self, parts: &[Part]) -> Vec<SourceMeta> {
        let grace = Duration::from_secs(self.config.files.stale_after_s);
        let describe = |part: &Part| {
            let answered = part.answered.get()?;
            let Answered { shard, from, failure, freshness, waited } = answered;
            let failure = failure.as_ref().map(ToString::to_string);
            let seen = freshness::Seen { from: from.as_ref(), failure, freshness, waited: waited.as_ref() };
            Some(freshness::describe(shard, seen, grace))
        };
        parts.iter().filter_map(describe).collect()
    }

    fn read_part(&self, part: &Part, cancel: &CancelToken) -> Result<(Answered, Option<Held>), ServiceError> {
        let id = part.shard.id();
        let track = &part.shard.source.track;
        let waited = part.wait_until.map(|until| track.wait_fresh(until, cancel)).transpose()?;
        // Before the body is taken: what is fresh then is so in any later body.
        let mut freshness = track.freshness();
        let Some(shard) = self.catalogue.get(id) else {
            return Err(self.unknown(&part.shard.source.info.root));
        };
        // What was remembered before nobody watched says nothing of now.
        let known = freshness.live && shard.known.is_some_and(|known| known.compared);
        let remembers = part.wait_until.is_none() || known;
        let shard = if remembers { self.with_digest(shard, &part.query, cancel)? } else { shard };
        if remembers && shard.answering().is_none() && refuted(&shard, &part.query) {
            let (from, shard) = (shard.known, shard.without_body());
            return Ok((Answered { from, shard, failure: None, freshness, waited }, None));
        }
        let (mut shard, claim) = self.ready(shard, cancel)?;
        if let Some(until) = part.wait_until
            && matches!(waited, Some(Waited::Fresh(_)))
        {
            (freshness, shard) = self.wait_compared(shard, until, cancel)?;
        }
        let published = shard.answering().cloned();
        if let Some(published) = &published {
            self.check_age(&shard, published)?;
            if let Scope::Folders(folders) = &part.scope {
                folders
                    .iter()
                    .try_for_each(|folder| check_folder(&part.sources, &shard, published, folder))?;
            }
        }
        let from = published.as_ref().map(|published| published.known());
        let answered = Answered { shard: shard.without_body(), from, failure: None, freshness, waited };
        Ok((answered, published.map(|published| Held { published, _claim: claim })))
    }

    /// What was read from disk is compared with the source before it is fresh; waits for that.
    fn wait_compared(
        &self,
        shard: Arc<Shard>,
        until: Instant,
        cancel: &CancelToken,
    ) -> Result<(Freshness, Arc<Shard>), ServiceError> {
        let mut shard = shard;
        loop {
            let seen = self.catalogue.changes();
            let freshness = shard.source.track.freshness();
            let Some(now) = self.catalogue.get(shard.id()) else { return Ok((freshness, shard)) };
            if now.published.is_some() {
                shard = now;
            }
            let compared = shard.published.as_ref().is_none_or(|published| published.is_compared());
            let left = until.saturating_duration_since(Instant::now());
            if compared || left.is_zero() || shard.view.health == Health::Failed {
                return Ok((freshness, shard));
            }
            cancel.check()?;
            self.check_running()?;
            self.catalogue.wait_change(seen, left.min(CANCEL_POLL));
        }
    }

    /// The source with its digest, where that is on disk, nothing is in memory, and it may refute the query.
    fn with_digest(
        &self,
        shard: Arc<Shard>,
        query: &Query,
        cancel: &CancelToken,
    ) -> Result<Arc<Shard>, ServiceError> {
        if !on_disk_only(&shard) || !Digest::could_refute(query) {
            return Ok(shard);
        }
        self.driver.consult(shard.id());
        loop {
            let seen = self.catalogue.changes();
            let Some(now) = self.catalogue.get(shard.id()) else { return Ok(shard) };
            if !on_disk_only(&now) || !now.view.digesting {
                return Ok(now);
            }
            cancel.check()?;
            self.check_running()?;
            self.catalogue.wait_change(seen, CANCEL_POLL);
        }
    }

    /// The source with something to answer from, as far as there is: what was in memory before is brought
    /// back; a source that is scanned for the first time gives what was found so far.
    fn ready(
        &self,
        shard: Arc<Shard>,
        cancel: &CancelToken,
    ) -> Result<(Arc<Shard>, Option<Claim>), ServiceError> {
        if shard.published.is_some() {
            return Ok((shard, None));
        }
        if shard.known.is_some() {
            return self.promote(&shard, cancel).map(|(shard, claim)| (shard, Some(claim)));
        }
        want_newer(&shard);
        if shard.partial.is_some() || shard.source.waited.load(Ordering::Relaxed) && shard.is_busy() {
            return Ok((shard, None));
        }
        self.wait_first(shard, cancel)
    }

    /// Waits until a shard is in memory, where it then stays as long as the claim is held.
    pub(crate) fn promote(
        &self,
        shard: &Arc<Shard>,
        cancel: &CancelToken,
    ) -> Result<(Arc<Shard>, Claim), ServiceError> {
        let id = shard.id();
        let mut claim = self.driver.claim(id);
        loop {
            let seen = self.catalogue.changes();
            let Some(now) = self.catalogue.get(id) else { return Err(self.unknown(&shard.source.info.root)) };
            match now.view.health {
                _ if now.published.is_some() => return Ok((now, claim)),
                Health::Failed => return Err(self.failure_of(&now)),
                // An operator took it out of memory meanwhile, and this query needs it nevertheless.
                Health::Empty => claim = self.driver.claim(id),
                Health::Loading | Health::Fresh | Health::Rebuilding => {}
            }
            cancel.check()?;
            self.check_running()?;
            self.catalogue.wait_change(seen, CANCEL_POLL);
        }
    }

    /// Waits a moment for the first thing that a first scan finds.
    fn wait_first(
        &self,
        shard: Arc<Shard>,
        cancel: &CancelToken,
    ) -> Result<(Arc<Shard>, Option<Claim>), ServiceError> {
        let until = Instant::now() + FIRST_WAIT;
        let claim = self.driver.claim(shard.id());
        let mut shard = shard;
        loop {
            let seen = self.catalogue.changes();
            let Some(now) = self.catalogue.get(shard.id()) else { return Ok((shard, None)) };
            shard = now;
            let left = until.saturating_duration_since(Instant::now());
            if shard.answering().is_some() {
                return Ok((shard, Some(claim)));
            }
            if shard.view.health == Health::Failed {
                return Err(self.failure_of(&shard));
            }
            if left.is_zero() {
                shard.source.waited.store(true, Ordering::Relaxed);
                return Ok((shard, None));
            }
            want_newer(&shard);
            cancel.check()?;
            self.catalogue.wait_change(seen, left.min(CANCEL_POLL));
        }
    }

    /// Refuses a body that is too old to stand in for a newer one.
    fn check_age(&self, shard: &Shard, published: &Published) -> Result<(), ServiceError> {
        let Some(cap) = self.config.stale.max_age else { return Ok(()) };
        let age = freshness::age(&published.known(), &shard.source.track.freshness());
        if serving(shard.view.health, age, cap) != Serving::Expired {
            return Ok(());
        }
        Err(ServiceError::StaleExpired {
            source_name: shard.source.info.name.clone(),
            age_hours: age.as_secs() / 3600,
            max_age_hours: cap.as_secs() / 3600,
            last_good_ns: shard.last_good_ns,
            last_error: shard.last_error(),
        })
    }

    /// The error of a source whose last attempt failed.
    pub(crate) fn failure_of(&self, shard: &Shard) -> ServiceError {
        let source_name = shard.source.info.name.clone();
        match &shard.view.last_failure {
            Some(Failure::OverBudget(over)) => ServiceError::OverBudget {
                source_name,
                needed_bytes: over.needed_bytes,
                budget_bytes: over.budget_bytes,
                held_bytes: over.held_bytes,
                pinned_bytes: over.pinned_bytes,
                largest: over.largest.iter().map(|(id, bytes)| (self.name_of(id.0), *bytes)).collect(),
            },
            failure => ServiceError::BuildFailed {
                source_name,
                reason: failure.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string),
                retry_in_ms: shard
                    .view
                    .retry_at
                    .map(|at| run::millis(self.driver.instant(at).saturating_duration_since(Instant::now()))),
            },
        }
    }

    fn name_of(&self, id: u64) -> String {
        let known = self.catalogue.get(id);
        known.map_or_else(|| id.to_string(), |shard| shard.source.info.name.clone())
    }

    /// The query of a question.
    pub(crate) fn parse(&self, question: Question<'_>) -> Result<Query, ServiceError> {
        if question.query.len() > limits::QUERY_BYTES {
            return Err(ServiceError::BadQuery {
                position: limits::QUERY_BYTES,
                expected: format!("at most {} bytes", limits::QUERY_BYTES),
                message: "the query is too long".to_owned(),
            });
        }
        let home = self.home();
        let id = |names: &crate::people::Names, name: &str| names.id(name.as_bytes());
        let context = Context {
            now_ns: clock::now_ns(),
            zone: TimeZone::system(),
            cwd: question.cwd,
            home: home.as_deref(),
            user_id: &|name| id(&self.people.users(), name),
            group_id: &|name| id(&self.people.groups(), name),
        };
        Ok(parse(question.query, &context)?)
    }
}

/// An answer from nothing but failures is an error. One failure among others is told in the meta.
pub(crate) fn refuse_if_all_failed(parts: &mut [Part]) -> Result<(), ServiceError> {
    if parts.is_empty() || !parts.iter().all(Part::failed) {
        return Ok(());
    }
    let failure = parts[0].answered.get_mut().and_then(|answered| answered.failure.take());
    failure.map_or(Ok(()), Err)
}

/// True if nothing is in memory or on its way there, and a snapshot could tell what it does not hold.
fn on_disk_only(shard: &Shard) -> bool {
    shard.answering().is_none() && shard.digest.is_none() && shard.view.stored.is_some() && !shard.is_busy()
}

/// True if a shard that is out of memory is known to hold no match.
fn refuted(shard: &Shard, query: &Query) -> bool {
    // What has changed since it left memory is not in its digest.
    let changed = shard.view.behind || shard.source.track.changed_out_of_memory();
    !changed && shard.digest.as_ref().is_some_and(|digest| digest.refutes(query))
}

/// True for errors that leave the other parts of an answer as they are.
fn concerns_part(error: &ServiceError) -> bool {
    matches!(
        error,
        ServiceError::OverBudget { .. }
            | ServiceError::BuildFailed { .. }
            | ServiceError::StaleExpired { .. }
            // Forgotten since the question was asked.
            | ServiceError::UnknownSource { .. }
    )
}

/// Asks the running first scan for a body, unless there is one that is young enough.
fn want_newer(shard: &Shard) {
    let Some(run) = shard.source.run.load_full() else { return };
    let last = shard.partial.as_ref().filter(|last| last.began == run.began);
    if last.is_none_or(|last| run::is_due(last.at.elapsed(), last.built_in)) {
        run.want_body();
    }
}

/// Refuses a folder that is asked for by name and cannot be answered for.
fn check_folder(
    sources: &[Arc<Source>],
    shard: &Shard,
    published: &Published,
    folder: &[u8],
) -> Result<(), ServiceError> {
    // Parts of it are other sources, which answer.
    if !published.complete() || sources.iter().any(|other| holds(folder, &other.root)) {
        return Ok(());
    }
    let closed = published.closed.iter().find(|closed| holds(&closed.path, folder));
    let problem = match (closed, published.body.find_path(folder)) {
        (Some(closed), _) => format!("is not indexed: {}", closed.why),
        (None, None) => "is not in the index".to_owned(),
        (None, Some(row)) => match published.body.meta(row).kind() {
            EntryKind::Dir => return Ok(()),
            EntryKind::Link => "is a symbolic link: name the folder it leads to".to_owned(),
            kind => format!("is not a folder but of type {}", kind.as_str()),
        },
    };
    let source_name = shard.source.info.name.clone();
    Err(ServiceError::NotFound { path: folder.to_vec(), source_name, problem })
}

/// Reads sort keys.
pub(crate) fn sort_keys(text: &str) -> Result<Vec<SortKey>, ServiceError> {
    parse_sort(text).map_err(|error| ServiceError::BadRequest {
        field: "sort",
        message: format!("{} at byte {} of {text:?}", error.message, error.position),
        hint: format!("expected {}", error.expected),
    })
}

impl From<QueryError> for ServiceError {
    fn from(error: QueryError) -> Self {
        let QueryError { position, expected, message } = error;
        ServiceError::BadQuery { position, expected, message }
    }
}

impl From<EngineError> for ServiceError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Cancelled(cancelled) => cancelled.into(),
            EngineError::Unsupported { position, message } => {
                ServiceError::BadQuery { position, expected: String::new(), message }
            }
        }
    }
}
