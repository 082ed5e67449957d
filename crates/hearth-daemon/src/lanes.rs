//! Where requests run: three bounded kinds of thread, so that the short never wait for the long.
//!
//! `Fast` has a thread per core. `Bulk` (exports, duplicates) has few threads with a lower priority. `Slow`
//! is for requests that mostly wait, for a scan or for a file system that may hang: a thread each,
//! bounded in number. A lane without room refuses; it never queues without bound.

use crate::ticket::Job;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use hearth_core::limits::{BULK_QUEUE, INTERACTIVE_QUEUE};
use hearth_protocol::RpcError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

/// Threads of the bulk lane.
const BULK_THREADS: usize = 2;
/// How much later the scheduler serves the bulk lane (`nice(1)`).
const BULK_NICE: i32 = 10;
/// Requests that may wait for something at once.
const SLOW_THREADS: usize = 64;

/// Kind of thread that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Milliseconds.
    Fast,
    /// Seconds of work.
    Bulk,
    /// Waiting.
    Slow,
}

/// The threads of all lanes. They end when this value is dropped and their queues are empty.
#[derive(Debug)]
pub(crate) struct Lanes {
    fast: Sender<Job>,
    bulk: Sender<Job>,
    slow: Arc<AtomicUsize>,
}

impl Lanes {
    /// Starts the threads.
    pub(crate) fn start() -> io::Result<Lanes> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (fast, fast_jobs) = crossbeam_channel::bounded(INTERACTIVE_QUEUE);
        let (bulk, bulk_jobs) = crossbeam_channel::bounded(BULK_QUEUE);
        // One more than cores: a request that waits for its client does not idle a core.
        spawn_pool("fast", cores + 1, &fast_jobs, 0)?;
        spawn_pool("bulk", BULK_THREADS, &bulk_jobs, BULK_NICE)?;
        Ok(Lanes { fast, bulk, slow: Arc::default() })
    }

    /// Hands a job to a lane; a lane without room answers it as busy.
    pub(crate) fn submit(&self, lane: Lane, job: Job) {
        match lane {
            Lane::Fast => enqueue(&self.fast, job, "waiting requests", INTERACTIVE_QUEUE, 50),
            Lane::Bulk => enqueue(&self.bulk, job, "waiting exports", BULK_QUEUE, 1000),
            Lane::Slow => self.run_slowly(job),
        }
    }

    /// Jobs that wait in the fast and in the bulk lane.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.fast.len(), self.bulk.len())
    }

    fn run_slowly(&self, job: Job) {
        let taken = Place::take(&self.slow);
        let Some(place) = taken else {
            return job.refuse(&RpcError::busy("requests that wait", SLOW_THREADS, 1000));
        };
        let refusal = job.refusal();
        let run = move || {
            job.run();
            drop(place);
        };
        if let Err(error) = Builder::new().name("hearth-slow".to_owned()).spawn(run) {
            tracing::error!("no thread for a request: {error}");
            refusal.refuse(&RpcError::busy("threads", SLOW_THREADS, 1000));
        }
    }
}

/// One of the slow lane's places.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(places: &Arc<AtomicUsize>) -> Option<Place> {
        let more = |taken| (taken < SLOW_THREADS).then_some(taken + 1);
        places.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Place(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn enqueue(queue: &Sender<Job>, job: Job, what: &str, limit: usize, retry_after_ms: u64) {
    match queue.try_send(job) {
        Ok(()) => {}
        Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
            job.refuse(&RpcError::busy(what, limit, retry_after_ms));
        }
    }
}

fn spawn_pool(name: &str, threads: usize, jobs: &Receiver<Job>, nice: i32) -> io::Result<()> {
    for number in 0..threads {
        let jobs = jobs.clone();
        Builder::new().name(format!("hearth-{name}-{number}")).spawn(move || serve(&jobs, nice))?;
    }
    Ok(())
}

fn serve(jobs: &Receiver<Job>, nice: i32) {
    if nice != 0 {
        let thread = rustix::thread::gettid();
        if let Err(error) = rustix::process::setpriority_process(Some(thread), nice) {
            tracing::warn!("the bulk lane keeps the normal priority: {error}");
        }
    }
    for job in jobs {
        job.run();
    }
}
