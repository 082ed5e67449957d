//! One scan while it runs: its counters, what it found so far, and who wants to see that.
//!
//! A first scan has nothing to answer from yet. Its chunks collect here, and a builder thread makes
//! a body of those that are in whenever a query asks and the last such body is too old. Nothing is
//! built when nobody asks.

use crate::api::ScanProgress;
use hearth_core::{CancelToken, UnixNanos};
use hearth_files::entry::Chunk;
use hearth_files::scan::ScanCounters;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A partial body younger than this is not replaced.
const LEAST_AGE: Duration = Duration::from_millis(250);
/// A partial body is replaced only after this many times the time it took to build.
const AGE_PER_BUILD: u32 = 3;

/// The first partial body holds what was found in this time.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// What the builder of partial bodies is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Body,
    Closed,
}

/// A running scan.
#[derive(Debug)]
pub(crate) struct ScanRun {
    /// What the scanner counts.
    pub(crate) counters: ScanCounters,
    /// Stops the scan and the build after it.
    pub(crate) cancel: CancelToken,
    /// Stops a build of what is there so far.
    pub(crate) partial_cancel: CancelToken,
    /// When it began.
    pub(crate) began: Instant,
    /// The same by the wall clock.
    pub(crate) began_ns: UnixNanos,
    /// False while a snapshot is tried.
    scans: AtomicBool,
    chunks: Mutex<Vec<Arc<Chunk>>>,
    wish: Mutex<Wish>,
    wished: Condvar,
}

impl ScanRun {
    pub(crate) fn new(now_ns: UnixNanos) -> Self {
        Self {
            counters: ScanCounters::default(),
            cancel: CancelToken::new(),
            partial_cancel: CancelToken::new(),
            began: Instant::now(),
            began_ns: now_ns,
            scans: AtomicBool::new(false),
            chunks: Mutex::default(),
            wish: Mutex::new(Wish::Nothing),
            wished: Condvar::new(),
        }
    }

    /// How far it came.
    pub(crate) fn progress(&self) -> ScanProgress {
        ScanProgress { entries: self.entries(), elapsed_ms: millis(self.began.elapsed()) }
    }

    /// From here on it is a scan.
    pub(crate) fn begin_scan(&self) {
        self.scans.store(true, Ordering::Relaxed);
    }

    /// True if it is, or was, a scan.
    pub(crate) fn is_scan(&self) -> bool {
        self.scans.load(Ordering::Relaxed)
    }

    /// Keeps a chunk.
    pub(crate) fn take(&self, chunk: Chunk) {
        self.chunks.lock().push(Arc::new(chunk));
    }

    /// The chunks so far.
    pub(crate) fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.chunks.lock().clone()
    }

    /// The chunks of the ended scan, which then keeps none.
    pub(crate) fn drain_chunks(&self) -> Vec<Arc<Chunk>> {
        std::mem::take(&mut self.chunks.lock())
    }

    /// Asks for a body of what is there.
    pub(crate) fn want_body(&self) {
        self.set(Wish::Body);
    }

    /// Stops the scan, the build after it and the builder of what is there so far.
    pub(crate) fn stop(&self) {
        self.cancel.cancel();
        self.partial_cancel.cancel();
    }

    /// Sends the builder home: the scan is over.
    pub(crate) fn close(&self) {
        self.partial_cancel.cancel();
        self.set(Wish::Closed);
    }

    /// Waits until somebody wants a body; false once the scan is over.
    pub(crate) fn wait_wish(&self) -> bool {
        let mut wish = self.wish.lock();
        while *wish == Wish::Nothing {
            self.wished.wait(&mut wish);
        }
        if *wish == Wish::Body {
            *wish = Wish::Nothing;
            return true;
        }
        false
    }

    /// Gives a scan that has just begun time to find something, or to end.
    pub(crate) fn let_begin(&self) {
        let until = self.began + FIRST_LOOK;
        let mut wish = self.wish.lock();
        while *wish != Wish::Closed && !self.wished.wait_until(&mut wish, until).timed_out() {}
    }

    fn set(&self, wanted: Wish) {
        let mut wish = self.wish.lock();
        if *wish != Wish::Closed {
            *wish = wanted;
        }
        self.wished.notify_all();
    }
}

/// True if a partial body of this age, built in this time, may be replaced by a newer one.
pub(crate) fn is_due(age: Duration, built_in: Duration) -> bool {
    age >= LEAST_AGE.max(built_in * AGE_PER_BUILD)
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_slow_build_is_repeated_less_often() {
        let ms = Duration::from_millis;
        assert!(!is_due(ms(249), ms(0)) && is_due(ms(250), ms(83)));
        assert!(!is_due(ms(2999), ms(1000)) && is_due(ms(3000), ms(1000)));
    }

    #[test]
    fn wishes_are_coalesced_and_closing_is_final() {
        let run = ScanRun::new(0);
        run.want_body();
        run.want_body();
        assert!(run.wait_wish());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| run.wait_wish());
            run.close();
            assert!(!waiter.join().unwrap());
        });
        run.want_body();
        assert!(!run.wait_wish());
    }
}
