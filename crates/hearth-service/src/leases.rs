//! Bodies that pages go on in.
//!
//! A source that is watched gets a new body with every change, and the pages of one answer come from one
//! instant. So the body of a page that has a next one is kept for a while. Bodies that follow each other share
//! most of their memory, so keeping some costs little; they count as held by queries, and a source that leaves
//! memory takes them along.

use crate::catalogue::Published;
use crate::cursor;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the next page may be waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bodies that are kept at once; the one that was used longest ago gives way.
const MOST: usize = 64;

/// A body that a page may go on in.
#[derive(Clone)]
pub(crate) struct Lease {
    source: u64,
    pub(crate) published: Arc<Published>,
    /// When the first page was answered from it.
    pub(crate) fresh_at: Instant,
    used: Instant,
}

/// See the module. The one that was used last is the last.
#[derive(Default)]
pub(crate) struct Leases(Mutex<Vec<Lease>>);

impl Leases {
    /// Keeps a body that a page was answered from.
    pub(crate) fn keep(&self, source: u64, published: Arc<Published>) {
        let now = Instant::now();
        let mut leases = self.0.lock();
        let before = leases.iter().position(|lease| Arc::ptr_eq(&lease.published, &published));
        let fresh_at = before.map_or(now, |at| leases.remove(at).fresh_at);
        leases.push(Lease { source, published, fresh_at, used: now });
        let dropped = (leases.len() > MOST).then(|| leases.remove(0));
        drop(leases);
        drop(dropped);
    }

    /// The body of an instant, if it is kept.
    pub(crate) fn find(&self, instant: cursor::Instant) -> Option<Lease> {
        let leases = self.0.lock();
        let is =
            |lease: &&Lease| (lease.source, lease.published.generation, lease.published.made_ns) == instant;
        leases.iter().find(is).cloned()
    }

    /// Whether none is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Lets go of what nobody came back for.
    pub(crate) fn sweep(&self, now: Instant) {
        let over = |lease: &Lease| now.saturating_duration_since(lease.used) >= PATIENCE;
        let mut leases = self.0.lock();
        let dropped: Vec<Lease> = leases.extract_if(.., |lease| over(lease)).collect();
        drop(leases);
        drop(dropped);
    }

    /// Lets go of all bodies of a source.
    pub(crate) fn forget(&self, source: u64) {
        let mut leases = self.0.lock();
        let dropped: Vec<Lease> = leases.extract_if(.., |lease| lease.source == source).collect();
        drop(leases);
        drop(dropped);
    }
}
