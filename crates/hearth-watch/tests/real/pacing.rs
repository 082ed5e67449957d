//! When a feed hands out, and that it rests when there is nothing to hand out. The same for all feeds that live.

use crate::world::{LONG, joined};
use hearth_watch::{Batch, Dirt, Feed, FeedError, FeedHandle, FeedKind, FeedOptions, ReadAhead};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time between batches, long enough to be told from the slowness of a busy machine.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

fn names(batch: &Batch) -> BTreeSet<Box<[u8]>> {
    let name = |dirt: &Dirt| match dirt {
        Dirt::Name { name, .. } => Some(name.clone()),
        _ => None,
    };
    batch.dirt.iter().filter_map(name).collect()
}

/// Makes folders beside `path`, whose names end with a number.
fn make(path: &Path, numbers: std::ops::Range<u32>, pause: Duration) {
    for number in numbers {
        fs::create_dir(path.with_extension(number.to_string())).expect("made");
        sleep(pause);
    }
}

/// Reads until something is told of so many folders; the batches.
fn read(feed: &mut dyn Feed, folders: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    while batches.iter().flat_map(names).collect::<BTreeSet<_>>().len() < folders {
        batches.push(feed.next(LONG).expect("works").expect("a batch"));
    }
    batches
}

/// After a silence a change is told at once, whether it is the first one or not. What comes soon after it is gathered.
pub(crate) fn lone_and_gathered(feed: &mut dyn Feed, path: &Path) {
    lone(feed, path, 0);
    let started = Instant::now();
    make(path, 1..5, Duration::from_millis(5));
    assert_eq!(read(feed, 4).len(), 1, "one batch for all that came meanwhile");
    assert!(started.elapsed() >= SETTLE / 2, "not {:?} later", started.elapsed());
    sleep(SETTLE);
    lone(feed, path, 5);
}

fn lone(feed: &mut dyn Feed, path: &Path, number: u32) {
    let started = Instant::now();
    make(path, number..number + 1, Duration::ZERO);
    assert_eq!(read(feed, 1).len(), 1);
    assert!(started.elapsed() < SETTLE * 3 / 4, "at once, not {:?} later", started.elapsed());
}

/// Batches keep their distance while changes come, and all is told.
pub(crate) fn storm(feed: &mut dyn Feed, path: &Path, settle: Duration) {
    const FOLDERS: u32 = 200;
    let started = Instant::now();
    let batches = std::thread::scope(|scope| {
        scope.spawn(|| make(path, 0..FOLDERS, Duration::from_millis(1)));
        read(feed, FOLDERS as usize)
    });
    let most = started.elapsed().as_millis() / settle.as_millis() + 1;
    assert!(batches.len() as u128 <= most, "{} batches, {most} at most", batches.len());
    assert!(batches.into_iter().fold(None, |all, batch| Some(joined(all, batch))).is_some());
}

/// A feed that notes which thread waits in it.
struct Noted<F> {
    feed: F,
    thread: Arc<AtomicI32>,
}

impl<F: Feed> Feed for Noted<F> {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, FeedError> {
        self.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
        self.feed.next(timeout)
    }

    fn handle(&self) -> FeedHandle {
        self.feed.handle()
    }

    fn describe(&self) -> FeedKind {
        self.feed.describe()
    }
}

/// How often a thread gave up the processor to wait.
fn waits(thread: &AtomicI32) -> u64 {
    let path = format!("/proc/self/task/{}/status", thread.load(Ordering::Acquire));
    let status = fs::read_to_string(path).expect("a thread");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.expect("counted").trim().parse().expect("a number")
}

/// How often the thread that reads ahead and the one that consumes wake up in two seconds in which nothing happens, a
/// while after `touch` was done for the first time. They are asleep then, not gone: the second time is told.
pub(crate) fn wakes_of_idle(
    feed: impl Feed + 'static,
    options: &FeedOptions,
    touch: impl Fn(u32),
) -> [u64; 2] {
    let threads = [Arc::new(AtomicI32::new(0)), Arc::new(AtomicI32::new(0))];
    let reader = Noted { feed, thread: Arc::clone(&threads[0]) };
    let ahead = ReadAhead::start(reader, options).expect("started");
    let mut consumer = Noted { feed: ahead, thread: Arc::clone(&threads[1]) };
    let handle = consumer.handle();
    let (send, receive) = mpsc::channel();
    let consuming = std::thread::spawn(move || {
        while let Ok(Some(batch)) = consumer.next(Duration::MAX) {
            send.send(batch).expect("sent");
        }
    });
    touch(0);
    receive.recv_timeout(LONG).expect("told");
    sleep(Duration::from_secs(1));
    let before = threads.each_ref().map(|thread| waits(thread));
    sleep(Duration::from_secs(2));
    let after = threads.each_ref().map(|thread| waits(thread));
    while receive.try_recv().is_ok() {}
    touch(1);
    receive.recv_timeout(LONG).expect("told");
    handle.stop();
    consuming.join().expect("consumed");
    [after[0] - before[0], after[1] - before[1]]
}
