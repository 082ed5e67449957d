//! The thread pools of the service: bounded, named, one per kind of work.
//!
//! Short queries have threads of their own, so that they do not queue behind exports and index
//! builds; those run at a lower priority. The calling thread of an operation is never one of these.

use crate::error::ServiceError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::io;

/// How much less than others the processor serves background work (`nice(2)`).
const BACKGROUND_NICENESS: i32 = 5;

/// The pools.
pub(crate) struct Pools {
    /// Pages and counts.
    pub(crate) query: ThreadPool,
    /// Exports, aggregations, duplicates.
    pub(crate) bulk: ThreadPool,
    /// Index builds.
    pub(crate) build: ThreadPool,
}

impl Pools {
    /// Starts the pools with so many threads each; 0 = one per core.
    pub(crate) fn start(threads: usize) -> Result<Self, ServiceError> {
        Ok(Self {
            query: pool("hearth-query", threads, false)?,
            bulk: pool("hearth-bulk", threads, true)?,
            build: pool("hearth-build", threads, true)?,
        })
    }
}

fn pool(name: &'static str, threads: usize, background: bool) -> Result<ThreadPool, ServiceError> {
    let builder = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |index| format!("{name}-{index}"))
        .start_handler(move |_| {
            if background {
                yield_to_others();
            }
        });
    builder.build().map_err(|error| ServiceError::io("start threads", name, io::Error::other(error)))
}

/// Lowers the priority of the calling thread. A refusal changes nothing but speed.
pub(crate) fn yield_to_others() {
    // On Linux this acts on the calling thread alone, and threads it starts inherit the priority.
    let _ = rustix::process::setpriority_process(None, BACKGROUND_NICENESS);
}
