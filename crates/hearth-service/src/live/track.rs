//! What a source has for its freshness: the index that follows its feed, and who reads that.
//!
//! Two locks: the index is held while changes are taken in, for as long as that takes; the state for moments only. Queries
//! and the kernel's thread never take the first.

use super::state::{BEYOND, OpenFeed, State, Verified};
use crate::api::{CompareOutcome, FeedStatus};
use crate::catalogue::{Published, Source};
use hearth_core::UnixNanos;
use hearth_files::digest::Digest;
use hearth_files::follow::{Look, Seen};
use hearth_files::index::{Body, Volume};
use hearth_residency::{AttemptId, Generation};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Freshness of one source. The default follows nothing.
#[derive(Default)]
pub(crate) struct Track {
    /// The index that follows the feed. Held while changes are taken in and handed to the kernel, and while an attempt
    /// hands over what it made; taken before `state`, never after it.
    pub(super) index: Mutex<Option<Followed>>,
    pub(super) state: Mutex<State>,
    /// Something changed that a waiting query may be interested in.
    pub(super) changed: Condvar,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

/// An index that takes changes in.
pub(super) struct Followed {
    pub(super) volume: Volume,
    /// What of it was handed over last.
    pub(super) body: Arc<Body>,
    pub(super) digest: Arc<Digest>,
    /// Its number, once it is in the catalogue.
    pub(super) generation: Option<Generation>,
    pub(super) handed: Handed,
    /// How it differs from the body that it replaces, until that is told.
    pub(super) bridge: Option<Bridge>,
}

/// What leads from a published body to the one that replaces it.
pub(super) struct Bridge {
    pub(super) before: Arc<Body>,
    /// Names all places that may differ.
    pub(super) seen: Seen,
}

/// What is known of a body that an attempt handed over.
#[derive(Clone, Copy)]
pub(super) struct Handed {
    /// Times that everything was called out of date, when the attempt began.
    pub(super) outdates: u64,
    /// Everything before is in it.
    pub(super) began: Instant,
    pub(super) began_ns: UnixNanos,
    /// False if it was read from disk.
    pub(super) compared: bool,
}

/// How fresh the body in memory is, as far as its feed tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freshness {
    /// True if changes are told as they happen.
    pub(crate) live: bool,
    /// Why the body may lack changes that are not on their way.
    pub(crate) outdated: Option<String>,
    /// How long the oldest change that is on its way has been so.
    pub(crate) behind: Duration,
    /// When everything was known to be in the body.
    pub(crate) verified: Option<Instant>,
}

impl Track {
    /// How fresh the body in memory is.
    pub(crate) fn freshness(&self) -> Freshness {
        let state = self.state.lock();
        Freshness {
            live: state.feed.as_ref().is_some_and(OpenFeed::tells_all),
            outdated: state
                .outdated
                .clone()
                .filter(|why| !why.is_empty())
                .or_else(|| state.beyond.then(|| BEYOND.to_owned())),
            behind: state.oldest.map_or(Duration::ZERO, |since| since.elapsed()),
            verified: state.verified.map(|verified| verified.at),
        }
    }

    /// True if the source is known to have changed while nothing of it was in memory. What is remembered of it does not
    /// speak for it then.
    pub(crate) fn changed_out_of_memory(&self) -> bool {
        self.state.lock().changed_out
    }

    /// Up to when a body, which is the published one, holds everything, by the wall clock.
    pub(crate) fn complete_until(&self, published: &Published) -> UnixNanos {
        let verified = self.state.lock().verified.filter(|_| published.is_compared());
        let verified = verified.filter(|verified| verified.generation <= published.generation);
        verified.map_or(published.began_ns, |Verified { at_ns, .. }| at_ns.max(published.began_ns))
    }

    /// The attempt ended, and what it made is in the catalogue or never will be.
    pub(crate) fn attempt_over(&self, attempt: AttemptId) {
        let mut state = self.state.lock();
        if state.attempt == Some(attempt) {
            state.attempt = None;
            state.gathered = None;
            wake(&state);
        }
    }

    /// A scan did not find these folders (by inode; `None` = too many to name) where it had seen them. The attempt looks
    /// at them as if the feed had told of them.
    pub(crate) fn look_for(&self, astray: Option<Vec<u64>>) {
        let mut state = self.state.lock();
        let Some(gathered) = &mut state.gathered else { return };
        match astray {
            Some(folders) => folders.into_iter().for_each(|folder| gathered.add(Look::Folder { folder })),
            None => gathered.lose(),
        }
    }

    /// Keeps what came of a comparison.
    pub(crate) fn note_compare(&self, outcome: CompareOutcome) {
        self.state.lock().last_compare = Some(outcome);
    }

    /// The body left memory.
    pub(crate) fn left_memory(&self) {
        let mut state = self.state.lock();
        state.verified = None;
        wake(&state);
    }

    /// What there is to say of the feed.
    pub(crate) fn describe(&self, advances_total: u64) -> FeedStatus {
        let state = self.state.lock();
        let (kind, live, text) = match &state.feed {
            Some(feed) => {
                let mut text = feed.kind.to_string();
                if feed.misses_others() {
                    text.push_str(" for what is done here; compared now and then for what others do");
                }
                if !feed.instead.is_empty() {
                    text = format!("{text}; {}", feed.instead);
                }
                (super::opening::word(feed.kind), feed.tells_all(), text)
            }
            None if state.no_feed.is_empty() => ("none", false, "not watched yet".to_owned()),
            None => ("none", false, state.no_feed.clone()),
        };
        FeedStatus {
            kind,
            live,
            text,
            overflows_total: state.overflows,
            advances_total,
            looks_total: state.looks,
            last_compare: state.last_compare,
        }
    }

    /// Tells the thread to stop, and waits for that.
    pub(crate) fn stop(&self) {
        {
            let mut state = self.state.lock();
            state.stopping = true;
            if let Some(feed) = &state.feed {
                feed.handle.stop();
            }
        }
        self.changed.notify_all();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread that follows a feed had panicked");
        }
        *self.index.lock() = None;
    }
}

/// Lets the thread look at how things stand.
pub(super) fn wake(state: &State) {
    if let Some(feed) = &state.feed {
        feed.handle.wake();
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Track").finish_non_exhaustive()
    }
}

/// The source's name, for messages.
pub(super) fn name(source: &Source) -> &str {
    &source.info.name
}
