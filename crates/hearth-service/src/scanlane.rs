//! The lanes in which sources are scanned: a queue with due times and the threads that serve it.
//!
//! One source is in one lane at a time, and waits at most once: asking again for a source that
//! waits changes nothing, asking for one that is being scanned gives it one more scan afterwards,
//! since the running one may have passed the place that changed.

use crate::error::ServiceError;
use crate::lifecycle::{Lifecycle, Next};
use crate::pools;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Sources that are scanned at the same time. A second lane keeps a disk that hangs from holding
/// up all others; more would compete for the same disk.
const LANES: usize = 2;

#[derive(Default)]
struct State {
    waiting: Vec<(u64, Instant)>,
    running: Vec<u64>,
    stopped: bool,
}

/// Sources that wait for a scan.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    /// Asks for a scan at a time; the earlier of two times counts.
    pub(crate) fn ask(&self, id: u64, at: Instant) {
        let mut state = self.state.lock();
        match state.waiting.iter_mut().find(|(waiting, _)| *waiting == id) {
            Some((_, due)) => *due = at.min(*due),
            None => state.waiting.push((id, at)),
        }
        self.changed.notify_all();
    }

    /// Takes a source out of the queue.
    pub(crate) fn withdraw(&self, id: u64) {
        self.state.lock().waiting.retain(|(waiting, _)| *waiting != id);
    }

    /// True if a scan of this source has been asked for and not begun.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        self.state.lock().waiting.iter().any(|(waiting, _)| *waiting == id)
    }

    /// Lets no further scan begin.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// The source to scan next, once there is one; `None` when stopped.
    fn next(&self) -> Option<u64> {
        let mut state = self.state.lock();
        while !state.stopped {
            match state.first() {
                Some((at, due)) if due <= Instant::now() => return Some(state.start(at)),
                Some((_, due)) => drop(self.changed.wait_until(&mut state, due)),
                None => self.changed.wait(&mut state),
            }
        }
        None
    }

    fn done(&self, id: u64, next: Next) {
        let mut state = self.state.lock();
        state.running.retain(|running| *running != id);
        drop(state);
        self.changed.notify_all();
        if let Next::Retry(at) = next {
            self.ask(id, at);
        }
    }
}

impl State {
    /// Place and due time of the waiting source that is due first and not being scanned.
    fn first(&self) -> Option<(usize, Instant)> {
        let free = |(_, (id, _)): &(usize, &(u64, Instant))| !self.running.contains(id);
        let waiting = self.waiting.iter().enumerate().filter(free);
        waiting.map(|(at, (_, due))| (at, *due)).min_by_key(|(_, due)| *due)
    }

    fn start(&mut self, at: usize) -> u64 {
        let (id, _) = self.waiting.remove(at);
        self.running.push(id);
        id
    }
}

/// Starts the threads.
pub(crate) fn start(
    queue: &Arc<Queue>,
    lifecycle: &Arc<Lifecycle>,
) -> Result<Vec<JoinHandle<()>>, ServiceError> {
    let lane = |number: usize| {
        let (queue, lifecycle) = (Arc::clone(queue), Arc::clone(lifecycle));
        let thread = thread::Builder::new().name(format!("hearth-scan-{number}"));
        let started = thread.spawn(move || serve(&queue, &lifecycle));
        started.map_err(|error: io::Error| ServiceError::io("start thread", "hearth-scan", error))
    };
    (0..LANES).map(lane).collect()
}

fn serve(queue: &Queue, lifecycle: &Lifecycle) {
    pools::yield_to_others();
    while let Some(id) = queue.next() {
        let next = lifecycle.attempt(id, &|| queue.is_waiting(id));
        queue.done(id, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_is_first_and_asking_twice_is_once() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(1, now);
        queue.ask(2, now.checked_sub(Duration::from_secs(1)).unwrap());
        queue.ask(1, now);
        assert_eq!((queue.next(), queue.next()), (Some(2), Some(1)));
        assert!(!queue.is_waiting(1));
    }

    #[test]
    fn a_source_is_in_one_lane_at_a_time() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(1, now);
        assert_eq!(queue.next(), Some(1));
        queue.ask(1, now);
        queue.ask(2, now);
        assert_eq!(queue.next(), Some(2));
        queue.done(1, Next::Rest);
        assert_eq!(queue.next(), Some(1));
    }

    #[test]
    fn a_retry_that_is_far_is_brought_forward_by_asking() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.done(1, Next::Retry(now + Duration::from_secs(600)));
        assert!(queue.is_waiting(1));
        queue.ask(1, now);
        assert_eq!(queue.next(), Some(1));
    }

    #[test]
    fn stopping_ends_the_wait() {
        let queue = Queue::default();
        queue.ask(1, Instant::now() + Duration::from_secs(600));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.next());
            queue.stop();
            assert_eq!(waiter.join().unwrap(), None);
        });
    }
}
