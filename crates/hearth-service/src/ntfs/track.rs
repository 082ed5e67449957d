//! What is kept of an NTFS source besides its bodies: how far each of them follows the volume, and how the last came to be.
//!
//! A position belongs to one body and no other: which of two bodies is published is decided elsewhere and later.

use super::position::Position;
use super::reread::Reread;
use crate::api::{DiskStatus, LoadReason};
use crate::clock;
use hearth_core::UnixNanos;
use hearth_files::index::Body;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How many times as long as it took a volume rests after it was read as a whole.
const REST_PER_READ: u64 = 10;
const LEAST_REST: Duration = Duration::from_secs(2);
const MOST_REST: Duration = Duration::from_secs(60);

/// See the module. That of a source of another kind stays empty.
#[derive(Default)]
pub(crate) struct DiskTrack {
    positions: Mutex<Vec<(Weak<Body>, Arc<Position>)>>,
    last: Mutex<Option<(Instant, UnixNanos, Update)>>,
    /// Record of the change journal, as far as it is known.
    journal: Mutex<Option<u64>>,
}

/// How a body came to follow its volume.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) how: How,
    /// Records of the journal, or of the file table.
    pub(crate) records: u64,
    /// Files that were looked at.
    pub(crate) files: u64,
    /// Entries that changed.
    pub(crate) changed: u64,
    pub(crate) took_ms: u64,
}

/// See [`Update`].
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// The whole file table was read.
    Read(Reread),
    /// The journal was replayed.
    Replayed,
    /// Nothing had happened.
    Unchanged,
}

impl DiskTrack {
    /// Keeps how far a body follows its volume.
    pub(crate) fn put(&self, body: &Arc<Body>, position: Position) {
        let mut positions = self.positions.lock();
        let other = |known: &Weak<Body>| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(body);
        positions.retain(|(known, _)| other(known));
        positions.push((Arc::downgrade(body), Arc::new(position)));
    }

    /// Record of the change journal, where it was last.
    pub(crate) fn journal(&self) -> Option<u64> {
        *self.journal.lock()
    }

    /// Keeps where the change journal is.
    pub(crate) fn know_journal(&self, number: Option<u64>) {
        *self.journal.lock() = number;
    }

    /// How far a body follows its volume.
    pub(crate) fn position_of(&self, body: &Arc<Body>) -> Option<Arc<Position>> {
        let positions = self.positions.lock();
        let known = positions.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(body));
        known.map(|(_, position)| Arc::clone(position))
    }

    /// A body that holds what another one does follows as far.
    pub(crate) fn pass_on(&self, from: &Arc<Body>, to: &Arc<Body>) {
        if let Some(position) = self.position_of(from) {
            self.put(to, (*position).clone());
        }
    }

    /// Keeps how the last body came to be. That nothing had happened is worth keeping of a body from disk only.
    pub(crate) fn note(&self, update: Update) {
        let mut last = self.last.lock();
        if matches!(update.how, How::Unchanged) && last.is_some() {
            return;
        }
        *last = Some((Instant::now(), clock::now_ns(), update));
    }

    /// How long another change is left alone where each calls for reading everything: a volume that is written to all the time by
    /// a driver without a journal is not read all the time.
    pub(crate) fn rests_for(&self) -> Duration {
        let last = self.last.lock();
        let Some((at, _, Update { how: How::Read(why), took_ms, .. })) = &*last else {
            return Duration::ZERO;
        };
        if matches!(why, Reread::First | Reread::Asked) {
            return Duration::ZERO;
        }
        let rest = Duration::from_millis(took_ms.saturating_mul(REST_PER_READ)).clamp(LEAST_REST, MOST_REST);
        rest.saturating_sub(at.elapsed())
    }

    /// What there is to say; `None` if nothing was read yet.
    pub(crate) fn describe(&self) -> Option<DiskStatus> {
        let (_, at_ns, update) = self.last.lock().clone()?;
        let Update { how, records, files, changed, took_ms } = update;
        let why = |why: &Reread| LoadReason { word: why.word(), text: why.to_string(), unexpected: false };
        let (how, reason) = match &how {
            How::Read(reread) => ("read", Some(why(reread))),
            How::Replayed => ("replayed", None),
            How::Unchanged => ("unchanged", None),
        };
        Some(DiskStatus { how, reason, at_ns, records, files, changed, took_ms })
    }
}

impl std::fmt::Debug for DiskTrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskTrack").finish_non_exhaustive()
    }
}
