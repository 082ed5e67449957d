//! From a request to the instants it is answered from.
//!
//! The query is parsed, the sources it can concern are chosen, and of each the body that is published
//! now is taken. Every later step works on these, whatever is published meanwhile.

use crate::Service;
use crate::api::{Health, SourceMeta};
use crate::catalogue::{Published, Shard, Shards};
use crate::clock;
use crate::error::ServiceError;
use crate::freshness;
use crate::paths::holds;
use crate::run;
use crate::selection::{Chosen, Scope, choose, limited, prune};
use hearth_core::{CancelToken, EntryKind, limits};
use hearth_files::engine::EngineError;
use hearth_files::query::{Context, Query, SortKey, parse, parse_sort};
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the very first query of a source may wait for something to answer from.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// Query text with its surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) query: &'a [u8],
    pub(crate) cwd: Option<&'a [u8]>,
    pub(crate) within: &'a [Vec<u8>],
}

/// One source's part of an answer.
pub(crate) struct Part {
    pub(crate) shard: Arc<Shard>,
    /// What is answered from; `None` while the first scan has nothing to show.
    pub(crate) published: Option<Arc<Published>>,
    pub(crate) scope: Scope,
    /// The query, limited to the scope.
    pub(crate) query: Query,
}

impl Service {
    /// Parses a question and takes the instants that answer it.
    pub(crate) fn ask(
        &self,
        question: Question<'_>,
        cancel: &CancelToken,
    ) -> Result<Vec<Part>, ServiceError> {
        let query = self.parse(question)?;
        let shards = self.lifecycle.catalogue.load();
        let chosen = prune(&shards, choose(&shards, question.within)?, &query)?;
        self.parts(&shards, chosen, &query, cancel)
    }

    /// Takes the instants of the chosen sources.
    pub(crate) fn parts(
        &self,
        shards: &Shards,
        chosen: Vec<Chosen>,
        query: &Query,
        cancel: &CancelToken,
    ) -> Result<Vec<Part>, ServiceError> {
        let now_ns = clock::now_ns();
        let part = |chosen: Chosen| {
            let shard = self.ready(chosen.shard, cancel)?;
            shard.source.touch(now_ns);
            let published = shard.published.clone();
            if let (Some(published), Scope::Folders(folders)) = (&published, &chosen.scope) {
                folders.iter().try_for_each(|folder| check_folder(shards, &shard, published, folder))?;
            }
            let query = limited(query, &chosen.scope);
            Ok(Part { shard, published, scope: chosen.scope, query })
        };
        let parts: Vec<Part> = chosen.into_iter().map(part).collect::<Result<_, ServiceError>>()?;
        self.queries.fetch_add(1, Ordering::Relaxed);
        refuse_if_all_failed(&parts)?;
        Ok(parts)
    }

    /// Describes the parts of an answer.
    pub(crate) fn describe(&self, parts: &[Part]) -> Vec<SourceMeta> {
        let grace = Duration::from_secs(self.config.files.stale_after_s);
        let describe = |part: &Part| freshness::describe(&part.shard, part.published.as_deref(), grace);
        parts.iter().map(describe).collect()
    }

    fn parse(&self, question: Question<'_>) -> Result<Query, ServiceError> {
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
        parse(question.query, &context).map_err(|error| ServiceError::BadQuery {
            position: error.position,
            expected: error.expected,
            message: error.message,
        })
    }

    /// The source as it is now; while it has nothing whole, sees to it that something newer comes,
    /// and waits for the first thing once.
    fn ready(&self, shard: Arc<Shard>, cancel: &CancelToken) -> Result<Arc<Shard>, ServiceError> {
        if shard.is_complete() {
            return Ok(shard);
        }
        want_newer(&shard);
        let source = &shard.source;
        if shard.published.is_some() || !shard.is_busy() || source.waited.load(Ordering::Relaxed) {
            return Ok(shard);
        }
        let shard = self.wait_first(shard, cancel)?;
        if shard.published.is_none() {
            shard.source.waited.store(true, Ordering::Relaxed);
        }
        Ok(shard)
    }

    fn wait_first(&self, shard: Arc<Shard>, cancel: &CancelToken) -> Result<Arc<Shard>, ServiceError> {
        let (catalogue, until) = (&self.lifecycle.catalogue, Instant::now() + FIRST_WAIT);
        let mut shard = shard;
        loop {
            let seen = catalogue.changes();
            let Some(now) = catalogue.get(shard.id()) else { return Ok(shard) };
            shard = now;
            let left = until.saturating_duration_since(Instant::now());
            if shard.published.is_some() || !shard.is_busy() || left.is_zero() {
                return Ok(shard);
            }
            want_newer(&shard);
            cancel.check()?;
            catalogue.wait_change(seen, left.min(CANCEL_POLL));
        }
    }
}

/// Asks the running first scan for a body, unless there is one that is young enough.
fn want_newer(shard: &Shard) {
    let Some(run) = shard.source.run.load_full() else { return };
    let last = shard.published.as_ref().filter(|last| last.began == run.began);
    if last.is_none_or(|last| run::is_due(last.at.elapsed(), last.built_in)) {
        run.want_body();
    }
}

/// Refuses a folder that is asked for by name and cannot be answered for.
fn check_folder(
    shards: &Shards,
    shard: &Shard,
    published: &Published,
    folder: &[u8],
) -> Result<(), ServiceError> {
    // Parts of it are other sources, which answer.
    if !published.complete || shards.iter().any(|other| holds(folder, &other.source.root)) {
        return Ok(());
    }
    let skipped = published.skipped.iter().find(|skipped| holds(&skipped.path, folder));
    let problem = match (skipped, published.body.find_path(folder)) {
        (Some(skipped), _) => format!("is not indexed: {}", skipped.why),
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

/// An answer from nothing but failures is an error. One failure among others is told in the meta.
fn refuse_if_all_failed(parts: &[Part]) -> Result<(), ServiceError> {
    let failed = |part: &&Part| part.published.is_none() && part.shard.health == Health::Failed;
    match parts.first() {
        Some(first) if parts.iter().all(|part| failed(&part)) => Err(build_failed(&first.shard)),
        _ => Ok(()),
    }
}

/// The error of a source whose last attempt failed.
pub(crate) fn build_failed(shard: &Shard) -> ServiceError {
    let left = |at: Instant| run::millis(at.saturating_duration_since(Instant::now()));
    ServiceError::BuildFailed {
        source_name: shard.source.info.name.clone(),
        reason: shard.last_error.as_deref().unwrap_or("unknown").to_owned(),
        retry_in_ms: shard.retry_at.map(left),
    }
}

/// Reads sort keys.
pub(crate) fn sort_keys(text: &str) -> Result<Vec<SortKey>, ServiceError> {
    parse_sort(text).map_err(|error| ServiceError::BadRequest {
        field: "sort",
        message: format!("{} at byte {} of {text:?}", error.message, error.position),
        hint: format!("expected {}", error.expected),
    })
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
