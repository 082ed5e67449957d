//! One standing query over one source: which events a step means for it, and the mailbox they go to.
//!
//! What the step concerns (the entries that changed, and everything below a folder that came, went or moved) is found
//! once for all who watch. Each query is then asked of those rows in the body before and in the body after, and the
//! difference is told. A mailbox is bounded: who does not empty it is told to list anew instead.

use super::Step;
use crate::api::{SourceName, WatchBatch, WatchEvent, WatchedEntry};
use hearth_files::engine::Standing;
use hearth_files::entry::Meta;
use hearth_files::follow::{Difference, is_modified};
use hearth_files::index::{Body, RowId};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most rows of a body that one step may concern. A step that concerns more is listed faster than it is told.
pub(super) const MOST_ROWS: usize = 65_536;
/// Most events in a mailbox.
pub(super) const MOST_EVENTS: usize = 65_536;

/// Calls whoever empties a mailbox.
pub(super) type Bell = Box<dyn Fn() + Send + Sync>;

/// Events that wait for whoever watches.
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
    bell: Bell,
}

#[derive(Default)]
struct Mail {
    batches: VecDeque<WatchBatch>,
    events: usize,
    ended: bool,
}

/// What is in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Events.
    Batch(WatchBatch),
    /// Nothing in this time.
    Nothing,
    /// The service stops, nothing will come.
    Ended,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("events", &self.mail.lock().events).finish_non_exhaustive()
    }
}

impl Mailbox {
    pub(super) fn new(bell: Bell) -> Self {
        Self { mail: Mutex::default(), arrived: Condvar::new(), bell }
    }

    /// Puts a batch in. Where there is no room for it, all that waits of its source gives way to the word that
    /// everything must be listed anew.
    pub(super) fn put(&self, batch: WatchBatch) {
        self.mail.lock().put(batch);
        self.ring();
    }

    pub(super) fn end(&self) {
        self.mail.lock().ended = true;
        self.ring();
    }

    fn ring(&self) {
        self.arrived.notify_all();
        (self.bell)();
    }

    pub(super) fn take(&self, timeout: Duration) -> Watched {
        let until = Instant::now() + timeout;
        let mut mail = self.mail.lock();
        while mail.batches.is_empty() && !mail.ended && !self.arrived.wait_until(&mut mail, until).timed_out()
        {
        }
        match mail.batches.pop_front() {
            Some(batch) => {
                mail.events -= batch.events.len();
                Watched::Batch(batch)
            }
            None if mail.ended => Watched::Ended,
            None => Watched::Nothing,
        }
    }
}

impl Mail {
    fn put(&mut self, batch: WatchBatch) {
        if self.ended {
            return;
        }
        if self.events + batch.events.len() <= MOST_EVENTS {
            self.events += batch.events.len();
            return self.batches.push_back(batch);
        }
        self.batches.retain(|waiting| waiting.source != batch.source);
        let why = "more happened than was read".to_owned();
        self.batches.push_back(WatchBatch { events: vec![WatchEvent::Resync { why }], ..batch });
        self.events = self.batches.iter().map(|batch| batch.events.len()).sum();
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Watcher {
    source: SourceName,
    standing: Arc<Standing>,
    mailbox: Arc<Mailbox>,
}

impl Watcher {
    pub(super) fn new(source: SourceName, standing: Arc<Standing>, mailbox: Arc<Mailbox>) -> Self {
        Self { source, standing, mailbox }
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Tells what a step means for the query.
    pub(super) fn look(&self, concerned: &mut Concerned<'_>, clock: &str) {
        match concerned.rows(self.standing.looks_into_folders()) {
            None => self.resync(clock, "a folder with very many entries changed"),
            Some(rows) => {
                let events = events(&self.standing, concerned.step, &rows);
                if !events.is_empty() {
                    self.mailbox.put(self.batch(clock, events));
                }
            }
        }
    }

    /// Tells that everything must be listed anew.
    pub(super) fn resync(&self, clock: &str, why: &str) {
        self.mailbox.put(self.batch(clock, vec![WatchEvent::Resync { why: why.to_owned() }]));
    }

    pub(super) fn end(&self) {
        self.mailbox.end();
    }

    pub(super) fn batch(&self, clock: &str, events: Vec<WatchEvent>) -> WatchBatch {
        WatchBatch { source: self.source.clone(), clock: clock.to_owned(), events }
    }
}

/// Rows of both bodies, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    before: Vec<RowId>,
    after: Vec<RowId>,
}

/// What a step concerns, found out when it is first asked for.
pub(super) struct Concerned<'a> {
    step: &'a Step<'a>,
    found: &'a [Difference],
    /// The entries that changed and all below them; `None` inside if they are too many.
    entries: Option<Option<Rows>>,
}

impl<'a> Concerned<'a> {
    pub(super) fn new(step: &'a Step<'a>, found: &'a [Difference]) -> Self {
        Self { step, found, entries: None }
    }

    /// The rows, with the folders above them if what is in a folder counts; `None` if they are too many.
    fn rows(&mut self, with_folders: bool) -> Option<Rows> {
        let mut rows = self.entries.get_or_insert_with(|| entries(self.step, self.found)).clone()?;
        if with_folders {
            add_folders(self.step, &mut rows);
        }
        Some(rows)
    }
}

fn entries(step: &Step<'_>, found: &[Difference]) -> Option<Rows> {
    let mut rows = Rows::default();
    for difference in found {
        match *difference {
            Difference::Removed(row) => add_tree(step.before, row, &mut rows.before)?,
            Difference::Created(row) => add_tree(step.after, row, &mut rows.after)?,
            Difference::Renamed { from, to } => {
                add_tree(step.before, from, &mut rows.before)?;
                add_tree(step.after, to, &mut rows.after)?;
                // A file that was there is gone.
                rows.before.extend(step.before.find_path(&path_of(step.after, to)));
            }
            Difference::Modified { before, after } => {
                rows.before.push(before);
                rows.after.push(after);
            }
        }
    }
    rows.before.sort_unstable();
    rows.before.dedup();
    rows.after.sort_unstable();
    rows.after.dedup();
    Some(rows)
}

/// Adds a row and everything below it; `None` if there is no room for that.
fn add_tree(body: &Body, row: RowId, rows: &mut Vec<RowId>) -> Option<()> {
    let room = MOST_ROWS.saturating_sub(rows.len());
    rows.extend(body.tree(row, room)?);
    Some(())
}

/// Adds the folders above rows: each is looked at in both bodies.
fn add_folders(step: &Step<'_>, rows: &mut Rows) {
    let mut paths = BTreeSet::new();
    for (body, rows) in [(step.before, &rows.before), (step.after, &rows.after)] {
        let mut known = HashSet::new();
        for &row in rows {
            let mut at = row;
            while let Some(folder) = body.folder_of(at).filter(|&folder| known.insert(folder)) {
                paths.insert(path_of(body, folder));
                at = folder;
            }
        }
    }
    for (body, rows) in [(step.before, &mut rows.before), (step.after, &mut rows.after)] {
        rows.extend(paths.iter().filter_map(|path| body.find_path(path)));
        rows.sort_unstable();
        rows.dedup();
    }
}

/// Entries that match, by path.
type Matching = BTreeMap<Vec<u8>, Meta>;

fn matching(standing: &Standing, body: &Body, rows: &[RowId]) -> Matching {
    let mut judge = standing.on(body);
    let matching = rows.iter().filter(|&&row| judge.matches(row));
    matching.map(|&row| (path_of(body, row), body.meta(row))).collect()
}

fn path_of(body: &Body, row: RowId) -> Vec<u8> {
    let mut path = Vec::new();
    body.path_into(row, &mut path);
    path
}

fn events(standing: &Standing, step: &Step<'_>, rows: &Rows) -> Vec<WatchEvent> {
    let mut gone = matching(standing, step.before, &rows.before);
    let mut changed = Vec::new();
    let mut come = matching(standing, step.after, &rows.after);
    come.retain(|path, is| {
        let Some(was) = gone.remove(path) else { return true };
        if was.inode != is.inode || is_modified(&was, is) {
            changed.push(WatchEvent::Changed(entry(path.clone(), is)));
        }
        false
    });
    let renamed = renames(&mut gone, &mut come);
    let vanished = gone.into_iter().map(|(path, was)| WatchEvent::Vanished { path, kind: was.kind() });
    let appeared = come.into_iter().map(|(path, is)| WatchEvent::Appeared(entry(path, &is)));
    vanished.chain(renamed).chain(appeared).chain(changed).collect()
}

/// Takes out what went from one path and came to another.
fn renames(gone: &mut Matching, come: &mut Matching) -> Vec<WatchEvent> {
    let identity = |meta: &Meta| (meta.inode, meta.kind() as u8, meta.created_ns);
    let mut sources: HashMap<_, Vec<u8>> =
        gone.iter().rev().map(|(path, was)| (identity(was), path.clone())).collect();
    let mut renamed = Vec::new();
    come.retain(|path, is| {
        let Some(from) = sources.remove(&identity(is)) else { return true };
        gone.remove(&from);
        renamed.push(WatchEvent::Renamed { from, entry: entry(path.clone(), is) });
        false
    });
    renamed
}

/// An entry as events tell it.
pub(super) fn entry(path: Vec<u8>, meta: &Meta) -> WatchedEntry {
    WatchedEntry { path, kind: meta.kind(), size: meta.size, modified_ns: meta.modified_ns }
}
