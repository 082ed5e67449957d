//! The thread pools of the service: bounded, named, one per kind of work.
//!
//! Short queries have threads of their own, so that they do not queue behind exports and index
//! builds; those run at a lower priority. The calling thread of an operation is never one of these.

use crate::error::ServiceError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::io;
use std::sync::Arc;

/// How much less than others the processor serves background work (`nice(2)`).
const BACKGROUND_NICENESS: i32 = 5;
/// The most, which also lowers the rank of what the thread writes to disk.
const LAST_NICENESS: i32 = 19;

/// The pools.
pub(crate) struct Pools {
    /// Pages and counts.
    pub(crate) query: ThreadPool,
    /// Exports, aggregations, duplicates.
    pub(crate) bulk: ThreadPool,
    /// Index builds and loads.
    pub(crate) build: Arc<ThreadPool>,
}

impl Pools {
    /// Starts the pools with so many threads each; 0 = one per core.
    pub(crate) fn start(threads: usize) -> Result<Self, ServiceError> {
        Ok(Self {
            query: pool("hearth-query", threads, 0)?,
            bulk: pool("hearth-bulk", threads, BACKGROUND_NICENESS)?,
            build: Arc::new(pool("hearth-build", threads, BACKGROUND_NICENESS)?),
        })
    }
}

/// Threads that compress what is saved: behind everything else, and few, for they fill the caches of others.
pub(crate) fn for_saves() -> Result<ThreadPool, ServiceError> {
    pool("hearth-seal", 2, LAST_NICENESS)
}

fn pool(name: &'static str, threads: usize, niceness: i32) -> Result<ThreadPool, ServiceError> {
    let builder = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |index| format!("{name}-{index}"))
        .start_handler(move |_| {
            if niceness > 0 {
                yield_by(niceness);
            }
        });
    builder.build().map_err(|error| ServiceError::io("start threads", name, io::Error::other(error)))
}

/// Lowers the priority of the calling thread. A refusal changes nothing but speed.
pub(crate) fn yield_to_others() {
    yield_by(BACKGROUND_NICENESS);
}

/// Lowers the priority of the calling thread to the least.
pub(crate) fn yield_to_all() {
    yield_by(LAST_NICENESS);
}

fn yield_by(niceness: i32) {
    // On Linux this acts on the calling thread alone, and threads it starts inherit the priority.
    let _ = rustix::process::setpriority_process(None, niceness);
}
