//! Who does the comparing: the caller's thread as long as there is little, many threads when there is much.
//!
//! The caller's thread is the one that writes. Threads compare with the instant at which they were started
//! and send what they find through a bounded channel, so a walk over any number of entries holds no more
//! than what is on its way. Findings about the inside of a new folder are found after the folder was sent,
//! and so arrive after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use super::FollowError;
use super::compare::{Comparer, Counts, Walk};
use super::finding::Finding;
use super::writer::Writer;
use crate::index::Known;
use crate::scan::queue::{Next, lock};
use crate::scan::{ScanCounters, panic_message};

/// Pieces of work that the caller's thread does before it asks for help.
const ALONE: usize = 512;
/// Batches of findings on their way to the writer.
const BATCHES_SENT: usize = 64;
/// How long a comparer waits for work before it sends what it has.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many threads may compare, who counts, and how much may change.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) threads: usize,
    pub(super) counters: &'a ScanCounters,
    /// Most rows that the volume may get, with those that it loses.
    pub(super) most_changes: usize,
}

/// Does all queued work.
pub(super) fn run<'a>(
    walk: &'a Walk<'a>,
    own: &mut Comparer<'a>,
    writer: &mut Writer<'_>,
    means: Means<'_>,
) -> Result<(), FollowError> {
    let limit = limit(writer, means);
    for _ in 0..ALONE {
        lock(&walk.claimed).clear();
        let Next::Work(work) = walk.queue.next(0, Duration::ZERO) else { return Ok(()) };
        walk.cancel.check()?;
        let was_part = own.step(writer.known(), work)?;
        writer.apply_all(own.out.drain(..));
        walk.queue.finish(was_part);
        own.publish(means.counters);
        limit.check(writer)?;
    }
    lock(&walk.claimed).clear();
    in_parallel(walk, own, writer, means, limit)
}

/// The number of changed rows at which it is better to scan anew.
#[derive(Clone, Copy)]
struct Limit {
    weight: usize,
    most: usize,
}

fn limit(writer: &Writer<'_>, means: Means<'_>) -> Limit {
    let before = writer.known().body.delta.weight();
    Limit { weight: before.saturating_add(means.most_changes), most: means.most_changes }
}

impl Limit {
    fn check(self, writer: &Writer<'_>) -> Result<(), FollowError> {
        let within = writer.known().body.delta.weight() <= self.weight;
        if within { Ok(()) } else { Err(FollowError::TooMuchChanged { limit: self.most }) }
    }
}

fn in_parallel<'a>(
    walk: &'a Walk<'a>,
    own: &mut Comparer<'a>,
    writer: &mut Writer<'_>,
    means: Means<'_>,
    limit: Limit,
) -> Result<(), FollowError> {
    let (body, added_dirs) = (writer.volume().body(), writer.known().added_dirs.clone());
    let known = Known { body: &body, added_dirs: &added_dirs };
    let crew = Crew { walk, known, counters: means.counters, failure: Mutex::new(None) };
    let (sender, receiver) = sync_channel(BATCHES_SENT);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..means.threads).map_while(|me| crew.hire(scope, me, sender.clone())).collect();
        drop(sender);
        crew.receive(&receiver, writer, limit);
        threads.into_iter().filter_map(|thread| thread.join().ok()).for_each(|counts| own.take_over(&counts));
    });
    match lock(&crew.failure).take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Threads that compare with one instant.
struct Crew<'a, 'k> {
    walk: &'a Walk<'a>,
    known: Known<'k>,
    counters: &'k ScanCounters,
    failure: Mutex<Option<FollowError>>,
}

impl<'a> Crew<'a, '_> {
    /// Ends the walk for this reason, if none came first.
    fn fail(&self, error: FollowError) {
        lock(&self.failure).get_or_insert(error);
        self.walk.queue.stop();
    }

    /// Starts a thread. Without the first one nothing would be done, without others it takes longer.
    fn hire<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        me: usize,
        outlet: SyncSender<Vec<Finding>>,
    ) -> Option<ScopedJoinHandle<'scope, Counts>> {
        let work = move || {
            let mut comparer = Comparer::new(self.walk, me, Some(outlet));
            let done = catch_unwind(AssertUnwindSafe(|| self.work(me, &mut comparer)));
            let done =
                done.unwrap_or_else(|panic| Err(FollowError::Panicked { message: panic_message(&*panic) }));
            if let Err(error) = done {
                self.fail(error);
            }
            comparer.counts
        };
        let started =
            std::thread::Builder::new().name(format!("hearth-follow-{me}")).spawn_scoped(scope, work);
        if let Err(error) = &started
            && me == 0
        {
            self.fail(FollowError::Panicked { message: format!("cannot start a thread: {error}") });
        }
        started.ok()
    }

    fn work(&self, me: usize, comparer: &mut Comparer<'a>) -> Result<(), FollowError> {
        loop {
            match self.walk.queue.next(me, PATIENCE) {
                Next::Done => break,
                Next::Idle => comparer.flush(),
                Next::Work(work) => {
                    let was_part = comparer.step(self.known, work)?;
                    comparer.flush();
                    self.walk.queue.finish(was_part);
                    comparer.publish(self.counters);
                }
            }
            self.walk.cancel.check()?;
        }
        comparer.flush();
        Ok(())
    }

    /// Applies what arrives until nobody sends any more.
    fn receive(&self, receiver: &Receiver<Vec<Finding>>, writer: &mut Writer<'_>, limit: Limit) {
        for findings in receiver {
            if self.walk.queue.is_stopped() {
                continue;
            }
            writer.apply_all(findings);
            if let Err(error) = limit.check(writer) {
                self.fail(error);
            }
        }
    }
}
