//! Requests and answers about what changed: `since` a clock, and standing queries.
//!
//! Both lead from one state to the next when they are carried out in order: changes on a list of paths, events on a
//! list of what matches. What cannot be told is said, by an error or by [`WatchEvent::Resync`], never left out.

use super::{SourceMeta, SourceName};
use hearth_core::{EntryKind, UnixNanos};
use std::time::Duration;

/// `since`: what changed in one source.
#[derive(Clone, Debug, Default)]
pub struct SinceRequest {
    /// Clock of an earlier answer from the source.
    pub clock: String,
    /// Only below these absolute folders; empty = the whole source.
    pub within: Vec<Vec<u8>>,
    /// Most changes to deliver; `None` = all that are kept.
    pub limit: Option<usize>,
    /// See everything that was written before the question; wait at most this long for that.
    pub wait_fresh: Option<Duration>,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new; a folder with everything below it.
    Created,
    /// It is gone; a folder with everything below it.
    Removed,
    /// It stands elsewhere; a folder with everything below it. A file that had its new path before is gone.
    Renamed {
        /// Absolute path that it had.
        from: Vec<u8>,
    },
    /// Its metadata changed (of a folder: mode or owner), or another file has taken its place.
    Modified,
}

impl ChangeKind {
    /// The word for it: `created`, `removed`, `renamed`, `modified`.
    pub fn as_str(&self) -> &'static str {
        match self {
            ChangeKind::Created => "created",
            ChangeKind::Removed => "removed",
            ChangeKind::Renamed { .. } => "renamed",
            ChangeKind::Modified => "modified",
        }
    }
}

/// One change of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub what: ChangeKind,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// Absolute path: of what was removed the last one, else the one that it had when that was noticed.
    pub path: Vec<u8>,
    /// Generation that first has it so.
    pub generation: u64,
    /// When it was noticed.
    pub at_ns: UnixNanos,
}

/// Answer of `since`.
#[derive(Clone, Debug)]
pub struct SinceAnswer {
    /// Changes in the order in which they were noticed: carried out one after the other on what there was at the
    /// clock of the request, they lead to what there is at the clock of the answer.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub clock: String,
    /// Whether there was more than the limit.
    pub more: bool,
    /// The source.
    pub sources: Vec<SourceMeta>,
    /// Time in the service, microseconds.
    pub elapsed_us: u64,
}

/// A standing query.
#[derive(Clone, Debug, Default)]
pub struct WatchRequest {
    /// Query text.
    pub query: Vec<u8>,
    /// Folder that relative paths in the query start from; absolute.
    pub cwd: Option<Vec<u8>>,
    /// Only below these absolute folders; empty = every source that is registered now.
    pub within: Vec<Vec<u8>>,
    /// Clocks of earlier events or answers, at most one per source: what came since is told first. A source without
    /// one is followed from now on.
    pub since: Vec<String>,
}

/// An entry that an event is about, as it is after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedEntry {
    /// Absolute path.
    pub path: Vec<u8>,
    /// Kind.
    pub kind: EntryKind,
    /// Logical size, bytes.
    pub size: u64,
    /// Last modification, or [`hearth_core::NO_TIME`].
    pub modified_ns: UnixNanos,
}

/// What became of one entry, as a standing query sees it. Each event is about the entry alone, not about what is below
/// a folder. Carried out in order on a list of what matches (remove what vanished and where it was renamed from, put
/// in all else), events lead to the list of what matches now; one that is carried out twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// It matches, and did not before.
    Appeared(WatchedEntry),
    /// It matched and matches, and its metadata changed.
    Changed(WatchedEntry),
    /// It matched, and does not any more, or is gone.
    Vanished {
        /// Absolute path that it had.
        path: Vec<u8>,
        /// Kind that it had.
        kind: EntryKind,
    },
    /// It matched under another path and matches under this one.
    Renamed {
        /// Absolute path that it had.
        from: Vec<u8>,
        /// What it is now.
        entry: WatchedEntry,
    },
    /// Not everything can be told: what matches must be listed anew.
    Resync {
        /// Why, in words.
        why: String,
    },
}

/// Events of one source that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchBatch {
    /// The source.
    pub source: SourceName,
    /// Everything up to this clock is told, once the events of this batch are carried out.
    pub clock: String,
    /// The events.
    pub events: Vec<WatchEvent>,
}
