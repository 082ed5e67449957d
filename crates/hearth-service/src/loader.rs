//! Attempts to make bodies: begun, watched, stopped, each on a thread of its own.
//!
//! Attempts begin and end by the kernel's word. A panic in one is a failure of that attempt. However
//! one ends, that is told once.

use crate::catalogue::Catalogue;
use crate::clock;
use crate::forecast::working_bytes;
use crate::maker::{Failure, Made, Maker, describe_panic};
use crate::pools;
use crate::run::ScanRun;
use hearth_core::HeapSize;
use hearth_residency::{AttemptId, Measured, Outcome, ShardId};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::info;

/// What the kernel is told of an attempt.
pub(crate) type Ended = Outcome<Box<Made>>;

/// An attempt in flight.
struct Running {
    shard: ShardId,
    attempt: AttemptId,
    run: Arc<ScanRun>,
}

/// The attempts in flight.
pub(crate) struct Loader {
    catalogue: Arc<Catalogue>,
    maker: Box<dyn Maker>,
    running: Mutex<Vec<Running>>,
    ended: Condvar,
}

impl Loader {
    pub(crate) fn new(catalogue: Arc<Catalogue>, maker: Box<dyn Maker>) -> Self {
        Self { catalogue, maker, running: Mutex::default(), ended: Condvar::new() }
    }

    /// Begins an attempt on a thread of its own; `ended` is told how it ended, once.
    ///
    /// # Errors
    /// No thread can be started; then `ended` is not told.
    pub(crate) fn start(
        self: &Arc<Self>,
        shard: ShardId,
        attempt: AttemptId,
        ended: impl FnOnce(Ended) + Send + 'static,
    ) -> io::Result<()> {
        let run = Arc::new(ScanRun::new(clock::now_ns()));
        self.running.lock().push(Running { shard, attempt, run: Arc::clone(&run) });
        let loader = Arc::clone(self);
        let work = move || {
            pools::yield_to_others();
            let outcome = loader.attempt(shard, &run);
            drop(run);
            loader.leave(attempt);
            ended(outcome);
        };
        let thread = thread::Builder::new().name(format!("hearth-load-{}", shard.0)).spawn(work);
        thread.map(drop).inspect_err(|_| self.leave(attempt))
    }

    /// Lets an attempt stop at its next boundary.
    pub(crate) fn cancel(&self, attempt: AttemptId) {
        let running = self.running.lock();
        if let Some(running) = running.iter().find(|running| running.attempt == attempt) {
            running.run.stop();
        }
    }

    /// Stops all attempts and waits for their ends, for at most this long; false if some still run.
    pub(crate) fn stop(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut running = self.running.lock();
        running.iter().for_each(|running| running.run.stop());
        while !running.is_empty() && !self.ended.wait_until(&mut running, until).timed_out() {}
        running.is_empty()
    }

    /// What each attempt in flight is known to need by now, bytes.
    pub(crate) fn needs(&self) -> Vec<(ShardId, AttemptId, u64)> {
        let running = self.running.lock();
        let need = |running: &Running| (running.shard, running.attempt, working_bytes(running.run.entries()));
        running.iter().map(need).collect()
    }

    fn leave(&self, attempt: AttemptId) {
        self.running.lock().retain(|running| running.attempt != attempt);
        self.ended.notify_all();
    }

    fn attempt(&self, shard: ShardId, run: &Arc<ScanRun>) -> Ended {
        let Some(known) = self.catalogue.get(shard.0) else { return Outcome::Cancelled };
        let (source, partial) = (Arc::clone(&known.source), known.published.is_none());
        // It may hold the body that is about to be replaced.
        drop(known);
        source.run.store(Some(Arc::clone(run)));
        let made = catch_unwind(AssertUnwindSafe(|| self.maker.make(&source, run, partial)));
        source.run.store(None);
        drop(run.drain_chunks());
        match made.unwrap_or_else(|panic| Err(Failure::Failed(describe_panic(&*panic)))) {
            Ok(made) => {
                let measured = measured(&made);
                info!(source = source.info.name, entries = made.outcome.entries, "index made");
                Outcome::Built { body: Box::new(made), measured }
            }
            Err(Failure::Cancelled) => Outcome::Cancelled,
            Err(Failure::Failed(reason)) => Outcome::Failed(reason),
        }
    }
}

fn measured(made: &Made) -> Measured {
    Measured {
        body_bytes: made.body.heap_bytes() as u64,
        digest_bytes: made.digest.heap_bytes() as u64,
        peak_bytes: working_bytes(made.outcome.entries),
    }
}
