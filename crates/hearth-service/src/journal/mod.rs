//! What changed in a source, and who follows it.
//!
//! The thread that follows a source hands each body over with the one before and what the follower saw. The journal
//! keeps what became of which path, bounded in number and bytes, oldest first out, whole steps at a time; and it tells
//! those who watch. Where nobody knows what changed (a body came by a scan or a load, a report was cut short, a step
//! was larger than what is kept) it begins anew: clocks from before are refused, never answered with less than the
//! truth. A step costs nothing but its records where nobody watches, and nothing at all where none are kept.

mod position;
mod record;
mod since;
mod watch;
mod watcher;

#[cfg(test)]
mod tests;

pub use watch::{Watched, Watching};

use crate::api::SourceInfo;
use crate::clock;
use hearth_core::UnixNanos;
use hearth_files::follow::{CHANGES_RECORDED, Seen, differences};
use hearth_files::index::Body;
use parking_lot::{Condvar, Mutex, MutexGuard};
use position::Position;
use record::{Record, records};
use std::cell::LazyCell;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use watcher::{Concerned, Watcher};

/// Bytes that a change may take on average; beyond that fewer are kept.
const BYTES_PER_CHANGE: usize = 512;

/// A body that followed another by taking changes in.
pub(crate) struct Step<'a> {
    /// The body before.
    pub(crate) before: &'a Arc<Body>,
    /// The body after, published.
    pub(crate) after: &'a Arc<Body>,
    /// Its generation.
    pub(crate) generation: u64,
    /// When.
    pub(crate) at_ns: UnixNanos,
    /// What the follower saw.
    pub(crate) seen: &'a Seen,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Journal {
    source: u64,
    name: String,
    /// Tells the generations of this run from those of others.
    epoch: u64,
    state: Mutex<State>,
    advanced: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Most records that are kept.
    most: usize,
    /// What came after this generation is known; `None` before the first body.
    begins: Option<u64>,
    /// The last generation that is known of.
    latest: u64,
    records: VecDeque<Record>,
    bytes: usize,
    watchers: Vec<Weak<Watcher>>,
    /// The body that was handed over last was not published: it is not the one that changes follow.
    doubtful: bool,
    /// Places that changed since [`Journal::gather`].
    gathered: Option<Seen>,
}

/// What changed after a position.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    /// Where to go on.
    pub(crate) next: Position,
    /// Whether there is more.
    pub(crate) more: bool,
}

/// What changed after a position is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved;

impl Journal {
    /// The journal of a source of which nothing is known, keeping nothing.
    pub(crate) fn new(source: &SourceInfo) -> Self {
        Self {
            source: source.id,
            name: source.name.clone(),
            epoch: clock::now_ns().cast_unsigned(),
            state: Mutex::default(),
            advanced: Condvar::new(),
        }
    }

    /// Keeps at most this many changes.
    pub(crate) fn keep(&self, most: usize) {
        let mut state = self.state.lock();
        state.most = most;
        state.trim();
    }

    /// The clock of a generation.
    pub(crate) fn clock(&self, generation: u64) -> String {
        self.position(generation).to_string()
    }

    fn position(&self, generation: u64) -> Position {
        Position { source: self.source, epoch: self.epoch, generation, taken: 0 }
    }

    /// Takes in a body that followed another. To be called in the order of generations.
    pub(crate) fn advanced(&self, step: &Step<'_>) {
        if step.seen.unrecorded > 0 {
            return self.begin_anew(step.generation, "more changed at once than is told one by one");
        }
        let found = LazyCell::new(|| differences(step.before, step.after, &step.seen.changes));
        let keeps = {
            let mut state = self.state.lock();
            state.doubtful = false;
            state.gathered.iter_mut().for_each(|gathered| add(gathered, step.seen));
            state.most > 0
        };
        let records = if keeps { records(step, &found) } else { Vec::new() };
        let watchers = {
            let mut state = self.state.lock();
            state.take_in(step.generation, records);
            state.watchers()
        };
        self.advanced.notify_all();
        if watchers.is_empty() {
            return;
        }
        let clock = self.clock(step.generation);
        let mut concerned = Concerned::new(step, &found);
        watchers.iter().for_each(|watcher| watcher.look(&mut concerned, &clock));
    }

    /// Takes note of a published body. Unless it is the last one that it was told of, nobody knows how it differs.
    pub(crate) fn restarted(&self, generation: u64) {
        if self.state.lock().latest == generation {
            return;
        }
        self.begin_anew(generation, "the index was read anew");
    }

    /// The body that was handed over was not published.
    pub(crate) fn refused(&self) {
        let mut state = self.state.lock();
        (state.doubtful, state.gathered) = (true, None);
    }

    /// Remembers from now on which places change, for a body that is being made out of the one of this generation.
    pub(crate) fn gather(&self, generation: Option<u64>) {
        let mut state = self.state.lock();
        let known = !state.doubtful && generation == Some(state.latest);
        state.gathered = known.then(Seen::default);
    }

    /// The places that changed since then, and ends remembering; `None` if they are not known.
    pub(crate) fn gathered(&self) -> Option<Seen> {
        self.state.lock().gathered.take()
    }

    /// Takes in a body that was made out of an earlier one, and replaced the one before: what is seen names all places
    /// that may differ.
    pub(crate) fn replaced(&self, step: &Step<'_>) {
        let latest = self.state.lock().latest;
        if latest + 1 == step.generation { self.advanced(step) } else { self.restarted(step.generation) }
    }

    /// Tells those who watch that nothing comes any more.
    pub(crate) fn end(&self) {
        let watchers = self.state.lock().watchers();
        watchers.iter().for_each(|watcher| watcher.end());
    }

    fn begin_anew(&self, generation: u64, why: &str) {
        let watchers = {
            let mut state = self.state.lock();
            state.begin_anew(generation);
            state.watchers()
        };
        self.advanced.notify_all();
        let clock = self.clock(generation);
        watchers.iter().for_each(|watcher| watcher.resync(&clock, why));
    }

    /// What changed after a position that concerns these folders (none = everything), at most `limit` of it. Waits a
    /// moment until everything up to `generation`, which is published, is known.
    pub(crate) fn read(
        &self,
        after: Position,
        generation: u64,
        folders: &[Vec<u8>],
        limit: usize,
    ) -> Result<Page, Moved> {
        if after.epoch != self.epoch {
            return Err(Moved);
        }
        if after.generation >= generation && after.taken == 0 {
            // Also where no changes are kept, nothing is what changed after now.
            let next = self.position(after.generation);
            return Ok(Page { records: Vec::new(), next, more: false });
        }
        let state = self.caught_up(generation);
        if state.latest < generation || !state.knows(after.generation) {
            return Err(Moved);
        }
        Ok(self.page(&state, after, folders, limit))
    }

    fn page(&self, state: &State, after: Position, folders: &[Vec<u8>], limit: usize) -> Page {
        let mut records = Vec::new();
        let (mut generation, mut taken) = (after.generation, 0);
        for (at, record) in state.after_generation(after.generation).enumerate() {
            if record.generation != generation {
                (generation, taken) = (record.generation, 0);
            }
            let is_new = at as u64 >= after.taken && record.concerns(folders);
            if is_new && records.len() >= limit {
                let next = Position { taken, ..self.position(generation - 1) };
                return Page { records, next, more: true };
            }
            taken += 1;
            if is_new {
                records.push(record.clone());
            }
        }
        Page { records, next: self.position(state.latest.max(after.generation)), more: false }
    }

    /// The state, once everything up to a published generation is known, which it is in a moment, or never where nobody
    /// follows the source.
    fn caught_up(&self, generation: u64) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        let until = Instant::now() + CATCH_UP;
        while state.latest < generation && !self.advanced.wait_until(&mut state, until).timed_out() {}
        state
    }

    /// Lets a watcher hear of every step after the published generation, and gives the position that it begins after.
    pub(crate) fn begin_to_tell(&self, watcher: &Arc<Watcher>, generation: u64) -> Position {
        let mut state = self.caught_up(generation);
        state.watchers.push(Arc::downgrade(watcher));
        self.position(state.latest)
    }

    /// As [`Journal::begin_to_tell`], with what changed between a position and the one that it begins after.
    pub(crate) fn go_on_telling(
        &self,
        watcher: &Arc<Watcher>,
        after: Position,
        generation: u64,
    ) -> (Position, Result<Vec<Record>, Moved>) {
        let mut state = self.caught_up(generation);
        state.watchers.push(Arc::downgrade(watcher));
        let known =
            after.epoch == self.epoch && (after.generation == state.latest || state.knows(after.generation));
        let taken = usize::try_from(after.taken).unwrap_or(usize::MAX);
        let missed = || state.after_generation(after.generation).skip(taken).cloned().collect();
        (self.position(state.latest), known.then(missed).ok_or(Moved))
    }
}

/// Adds places to others, as many as are told one by one.
pub(crate) fn add(places: &mut Seen, more: &Seen) {
    let room = CHANGES_RECORDED.saturating_sub(places.changes.len()).min(more.changes.len());
    places.changes.extend_from_slice(&more.changes[..room]);
    places.unrecorded += more.unrecorded + (more.changes.len() - room);
}

/// How long a question waits for the journal to take in what is published already: it follows at once.
const CATCH_UP: Duration = Duration::from_millis(250);

impl Drop for Journal {
    /// A source that was forgotten leaves nothing to follow.
    fn drop(&mut self) {
        let why = format!("{} was forgotten", self.name);
        let (latest, watchers) = {
            let state = self.state.get_mut();
            (state.latest, state.watchers())
        };
        let clock = self.clock(latest);
        watchers.iter().for_each(|watcher| watcher.resync(&clock, &why));
    }
}

impl State {
    fn watchers(&mut self) -> Vec<Arc<Watcher>> {
        self.watchers.retain(|watcher| watcher.strong_count() > 0);
        self.watchers.iter().filter_map(Weak::upgrade).collect()
    }

    fn begin_anew(&mut self, generation: u64) {
        (self.begins, self.latest) = (Some(generation), generation);
        self.doubtful = false;
        self.records = VecDeque::new();
        self.bytes = 0;
    }

    fn take_in(&mut self, generation: u64, records: Vec<Record>) {
        if self.begins.is_none() || self.latest + 1 != generation {
            // Of what was in between nobody told.
            self.begin_anew(generation - 1);
        }
        self.latest = generation;
        self.bytes += records.iter().map(Record::bytes).sum::<usize>();
        self.records.extend(records);
        self.trim();
    }

    /// Drops the oldest steps until the rest fits.
    fn trim(&mut self) {
        if self.most == 0 {
            self.begins = self.begins.map(|_| self.latest);
        }
        while self.records.len() > self.most || self.bytes > self.most.saturating_mul(BYTES_PER_CHANGE) {
            let Some(generation) = self.records.front().map(|record| record.generation) else { return };
            self.begins = Some(generation);
            while let Some(record) = self.records.pop_front_if(|record| record.generation == generation) {
                self.bytes -= record.bytes();
            }
        }
    }

    /// Whether everything that came after a generation is kept.
    fn knows(&self, generation: u64) -> bool {
        self.begins.is_some_and(|begins| (begins..=self.latest).contains(&generation))
    }

    fn after_generation(&self, generation: u64) -> impl Iterator<Item = &Record> {
        self.records.range(self.records.partition_point(|record| record.generation <= generation)..)
    }
}
