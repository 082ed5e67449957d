//! Hashing many files with a few threads, near the order in which they lie on the disk.
//!
//! The caller's thread takes the results and reports progress while the threads read. Two threads
//! keep a disk busy while one of them computes; more would only make it seek.

use crate::error::ServiceError;
use crate::pools;
use crate::reading::{Expected, hash_file};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use hearth_core::CancelToken;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const READERS: usize = 2;
/// Results that may wait to be taken.
const RESULTS: usize = 256;
/// How often progress is reported.
const TICK: Duration = Duration::from_millis(100);

/// A file to hash.
pub(crate) struct Job {
    /// The caller's name for it.
    pub(crate) label: (usize, usize),
    /// Files are read in this order: device, inode.
    pub(crate) order: (u64, u64),
    pub(crate) path: Vec<u8>,
    pub(crate) expected: Expected,
    /// Bytes from the beginning that count.
    pub(crate) most: u64,
}

/// What happened.
pub(crate) enum Hashed {
    /// A file was read.
    File { label: (usize, usize), hash: blake3::Hash, bytes: u64 },
    /// A file could not be read or is no longer what the index says.
    Unreadable,
    /// Some time passed.
    Tick,
}

/// Hashes all files and reports each.
pub(crate) fn hash_all(
    mut jobs: Vec<Job>,
    cancel: &CancelToken,
    report: &mut dyn FnMut(Hashed),
) -> Result<(), ServiceError> {
    jobs.sort_unstable_by_key(|job| job.order);
    let (next, (results, taken)) = (AtomicUsize::new(0), bounded(RESULTS));
    thread::scope(|scope| {
        let readers = (0..READERS.min(jobs.len())).map(|number| {
            let (jobs, next, results) = (&jobs, &next, results.clone());
            let thread = thread::Builder::new().name(format!("hearth-hash-{number}"));
            thread.spawn_scoped(scope, move || read_files(jobs, next, cancel, &results)).map(drop)
        });
        let started: io::Result<()> = readers.collect();
        // Without this one the channel would never close.
        drop(results);
        let started = started.map_err(|error| ServiceError::io("start thread", "hearth-hash", error));
        if started.is_err() {
            next.store(jobs.len(), Ordering::Relaxed);
        }
        let mut ticked = Instant::now();
        loop {
            match taken.recv_timeout(TICK) {
                Ok(hashed) => report(hashed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                report(Hashed::Tick);
            }
        }
        started
    })?;
    Ok(cancel.check()?)
}

fn read_files(jobs: &[Job], next: &AtomicUsize, cancel: &CancelToken, results: &Sender<Hashed>) {
    pools::yield_to_others();
    let stop = || cancel.check().is_err();
    while !stop() {
        let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
        let hashed = match hash_file(&job.path, job.expected, job.most, &stop) {
            Ok((hash, bytes)) => Hashed::File { label: job.label, hash, bytes },
            Err(_) if stop() => return,
            Err(_) => Hashed::Unreadable,
        };
        if results.send(hashed).is_err() {
            return;
        }
    }
}
