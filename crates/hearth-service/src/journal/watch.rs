//! Standing queries: what matches is told as it appears, changes, moves or vanishes.
//!
//! A watch claims its sources, which keeps them in memory and so followed. Who begins with a clock is first told
//! what was missed, as far as it can be: by path, of what is there now and of what is not. Where a folder went or moved
//! meanwhile, what was in it is not known any more, and everything must be listed anew.

use super::position::Position;
use super::record::{Happened, Record};
use super::since::parse_clock;
pub use super::watcher::Watched;
use super::watcher::{Bell, MOST_ROWS, Mailbox, Watcher, entry};
use crate::Service;
use crate::api::{SourceName, WatchEvent, WatchRequest};
use crate::asking::Question;
use crate::catalogue::{Shard, Shards};
use crate::driver::Claim;
use crate::error::ServiceError;
use crate::selection::{Chosen, choose, limited, prune};
use hearth_core::EntryKind;
use hearth_files::engine::Standing;
use hearth_files::index::{Body, RowId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A standing query. It ends when this is dropped.
pub struct Watching {
    /// What was missed, to be told first.
    missed: VecDeque<crate::api::WatchBatch>,
    mailbox: Arc<Mailbox>,
    clocks: Vec<(SourceName, String)>,
    _watchers: Vec<Arc<Watcher>>,
    _claims: Vec<Claim>,
}

impl Watching {
    /// The clock of each source that it began at: what changes after that is told.
    pub fn clocks(&self) -> &[(SourceName, String)] {
        &self.clocks
    }

    /// Waits for the next events for at most this long.
    pub fn next(&mut self, timeout: Duration) -> Watched {
        match self.missed.pop_front() {
            Some(batch) => Watched::Batch(batch),
            None => self.mailbox.take(timeout),
        }
    }
}

impl Service {
    /// Follows what matches a query, in the sources that are registered now. `bell` is rung, from any thread, when
    /// there is something to take; it must not wait.
    ///
    /// # Errors
    /// As [`Service::find`] for query and folders; [`ServiceError::BadQuery`] also for what makes no sense in a query
    /// that is kept; [`ServiceError::BadRequest`] for a text that is no clock.
    pub fn watch(
        &self,
        request: &WatchRequest,
        bell: impl Fn() + Send + Sync + 'static,
    ) -> Result<Watching, ServiceError> {
        self.check_running()?;
        let bell: Bell = Box::new(bell);
        let question = Question {
            query: &request.query,
            cwd: request.cwd.as_deref(),
            within: &request.within,
            wait_fresh: None,
        };
        let query = self.parse(question)?;
        let clocks: Vec<Position> =
            request.since.iter().map(|clock| parse_clock(clock)).collect::<Result<_, _>>()?;
        let shards: Arc<Shards> = self.catalogue.listed();
        let mut watching = Watching {
            missed: VecDeque::new(),
            mailbox: Arc::new(Mailbox::new(bell)),
            clocks: Vec::new(),
            _watchers: Vec::new(),
            _claims: Vec::new(),
        };
        for Chosen { shard, scope } in prune(&shards, choose(&shards, &request.within)?, &query)? {
            let standing = Arc::new(Standing::new(&limited(&query, &scope))?);
            let name = shard.source.info.name.clone();
            let watcher = Arc::new(Watcher::new(name, standing, Arc::clone(&watching.mailbox)));
            let since = clocks.iter().find(|clock| clock.source == shard.id());
            self.begin(&mut watching, watcher, &shard, since.copied());
        }
        Ok(watching)
    }

    fn begin(&self, watching: &mut Watching, watcher: Arc<Watcher>, shard: &Shard, since: Option<Position>) {
        let journal = &shard.source.journal;
        let name = shard.source.info.name.clone();
        // Before it is told of anything, so that it is not out of memory meanwhile.
        watching._claims.push(self.driver.claim(shard.id()));
        let generation = shard.published.as_ref().map_or(0, |published| published.generation);
        let from = match since {
            None => journal.begin_to_tell(&watcher, generation),
            Some(since) => {
                let (from, missed) = journal.go_on_telling(&watcher, since, generation);
                let now = self.catalogue.get(shard.id()).and_then(|shard| shard.published.clone());
                let events = match (missed, now) {
                    (Ok(missed), _) if missed.is_empty() => Vec::new(),
                    (Ok(missed), Some(now)) => missed_events(watcher.standing(), &now.body, &missed),
                    _ => resync("what changed since that clock is not known any more"),
                };
                if !events.is_empty() {
                    watching.missed.push_back(watcher.batch(&from.to_string(), events));
                }
                from
            }
        };
        watching.clocks.push((name, from.to_string()));
        watching._watchers.push(watcher);
    }
}

fn resync(why: &str) -> Vec<WatchEvent> {
    vec![WatchEvent::Resync { why: why.to_owned() }]
}

/// What records mean for a query, by what is there now.
pub(super) fn missed_events(standing: &Standing, body: &Body, missed: &[Record]) -> Vec<WatchEvent> {
    let is_dir = |record: &Record| record.kind == EntryKind::Dir;
    let goes = |record: &Record| matches!(record.happened, Happened::Removed | Happened::Renamed { .. });
    if missed.iter().any(|record| is_dir(record) && goes(record)) {
        return resync("a folder went or moved, and what was in it is not known any more");
    }
    if standing.looks_into_folders() {
        return resync("which folders matched before is not known any more");
    }
    touched(body, missed)
        .map_or_else(|| resync("very much changed"), |touched| told(standing, body, &touched))
}

/// A path that something happened to.
struct Touched {
    kind: EntryKind,
    is_new: bool,
    now: Option<RowId>,
}

/// Every path that something happened to; `None` if they are too many.
fn touched(body: &Body, missed: &[Record]) -> Option<BTreeMap<Vec<u8>, Touched>> {
    let mut all = BTreeMap::new();
    for record in missed {
        let path = record.place.path();
        let now = body.find_path(&path);
        let is_new = record.happened == Happened::Created;
        if let (true, Some(row)) = (is_new && record.kind == EntryKind::Dir, now) {
            for row in body.tree(row, MOST_ROWS.saturating_sub(all.len()))? {
                let kind = body.kind(row);
                all.entry(body.entry(row).path).or_insert(Touched { kind, is_new, now: Some(row) });
            }
        }
        if let Happened::Renamed { from } = &record.happened {
            let from = from.path();
            let now = body.find_path(&from);
            all.entry(from).or_insert(Touched { kind: record.kind, is_new: false, now });
        }
        all.entry(path).or_insert(Touched { kind: record.kind, is_new, now });
    }
    Some(all)
}

fn told(standing: &Standing, body: &Body, touched: &BTreeMap<Vec<u8>, Touched>) -> Vec<WatchEvent> {
    let mut judge = standing.on(body);
    let tell = |(path, touched): (&Vec<u8>, &Touched)| match touched.now.filter(|&row| judge.matches(row)) {
        Some(row) => {
            let entry = entry(path.clone(), &body.meta(row));
            Some(if touched.is_new { WatchEvent::Appeared(entry) } else { WatchEvent::Changed(entry) })
        }
        // Whether it matched before cannot be told: what nobody has does no harm to remove.
        None => standing
            .may_match(path, touched.kind)
            .then(|| WatchEvent::Vanished { path: path.clone(), kind: touched.kind }),
    };
    touched.iter().filter_map(tell).collect()
}
