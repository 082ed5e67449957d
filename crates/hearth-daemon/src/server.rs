//! What every connection shares: the service, the lanes, counters, and the wish to stop.
//!
//! Nothing here changes after the start but the counters and the wish, which is made once and never
//! taken back. A connection counts from its admission until its session has ended.

use crate::lanes::Lanes;
use hearth_protocol::Places;
use hearth_service::Service;
use hearth_service::config::Config;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Whom a daemon serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    /// Everybody who comes to its socket.
    Resident,
    /// The one client that started it.
    Private {
        /// True if another daemon keeps the state folder: this one must not change what lies there.
        beside: bool,
    },
}

/// The daemon.
pub(crate) struct Server {
    /// Every operation.
    pub(crate) service: Arc<Service>,
    /// Effective configuration.
    pub(crate) config: Config,
    /// Where it lives.
    pub(crate) places: Places,
    /// Whom it serves.
    pub(crate) serving: Serving,
    /// Where requests run.
    pub(crate) lanes: Lanes,
    /// Lines received.
    pub(crate) requests: AtomicU64,
    /// Open connections.
    pub(crate) connections: AtomicUsize,
    /// When it began.
    pub(crate) began: Instant,
    /// The wish to stop.
    pub(crate) stop: Stop,
}

impl Server {
    /// Counts a connection, unless there are already as many as may be.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Admitted> {
        let limit = self.config.limits.connections;
        let more = |open| (open < limit).then_some(open + 1);
        self.connections.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Admitted(Arc::clone(self)))
    }

    /// Returns when no connection is left, or after `limit`.
    pub(crate) async fn drain(&self, limit: Duration) {
        const LOOK: Duration = Duration::from_millis(5);
        let until = Instant::now() + limit;
        while self.connections.load(Ordering::Acquire) > 0 && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A counted connection.
pub(crate) struct Admitted(Arc<Server>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The wish to stop, from any thread to every task.
#[derive(Debug)]
pub(crate) struct Stop {
    wish: watch::Sender<bool>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Stop { wish: watch::Sender::new(false) }
    }

    /// Asks everything to end.
    pub(crate) fn request(&self) {
        self.wish.send_replace(true);
    }

    /// For a task that wants to hear of it.
    pub(crate) fn listen(&self) -> StopListener {
        StopListener { wish: self.wish.subscribe() }
    }
}

/// Hears of the wish to stop.
pub(crate) struct StopListener {
    wish: watch::Receiver<bool>,
}

impl StopListener {
    /// Returns when the daemon shall stop, at once if that is already so.
    pub(crate) async fn requested(&mut self) {
        // The sender lives as long as the server; if it is gone, stopping is right as well.
        let _ = self.wish.wait_for(|wish| *wish).await;
    }
}
