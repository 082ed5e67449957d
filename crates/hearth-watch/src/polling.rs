//! The feed of a source that nobody can watch: it asks for a comparison of everything, again and again.
//!
//! A cookie asks for one at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::bell::{deadline_after, is_over};
use crate::cookie::{Cookie, Proof};
use crate::error::FeedError;
use crate::feed::{Feed, FeedKind};
use crate::handle::{FeedHandle, Signals};
use crate::pending::Pending;

/// A feed that asks for a comparison when `every` has passed since the last one.
///
/// # Errors
/// [`FeedError::Io`] if the process has no descriptor left.
pub fn open(every: Duration) -> Result<impl Feed, FeedError> {
    let pending = Pending::new(0, 0);
    Ok(Polling { every, last: Instant::now(), pending, signals: Signals::new(None)?, clock: 0 })
}

struct Polling {
    every: Duration,
    /// When the last batch was handed out.
    last: Instant,
    pending: Pending,
    signals: Arc<Signals>,
    clock: u64,
}

impl Polling {
    fn pass_cookies(&mut self) {
        let numbers = self.signals.take_quiet();
        self.signals.pass_noted(numbers.len());
        for number in numbers {
            self.pending.pass(Cookie { number, proof: Proof::Quiet });
        }
    }

    fn hand_out(&mut self) -> Batch {
        self.pending.overflow();
        self.last = Instant::now();
        self.pending.take(&mut self.clock)
    }
}

impl Feed for Polling {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, FeedError> {
        let deadline = deadline_after(timeout);
        loop {
            self.signals.bell().silence();
            self.signals.bell().check_stopped()?;
            self.pass_cookies();
            let tick = self.last.checked_add(self.every);
            if self.pending.is_urgent() || is_over(tick) {
                return Ok(Some(self.hand_out()));
            }
            if self.signals.bell().take_woken() || is_over(deadline) {
                return Ok(None);
            }
            self.signals.bell().wait(None, deadline.into_iter().chain(tick).min())?;
        }
    }

    fn handle(&self) -> FeedHandle {
        FeedHandle::new(Arc::clone(&self.signals))
    }

    fn describe(&self) -> FeedKind {
        FeedKind::Polling { every: self.every }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_asks_for_a_comparison_when_time_has_passed_and_not_before() {
        let mut feed = open(Duration::from_millis(30)).expect("opened");
        assert!(feed.next(Duration::ZERO).expect("works").is_none());
        let first = feed.next(LONG).expect("works").expect("a batch");
        let second = feed.next(LONG).expect("works").expect("a batch");
        assert!(first.overflowed && second.overflowed && first.clock < second.clock);
        assert!(second.since - first.since >= Duration::from_millis(29));
    }

    #[test]
    fn a_cookie_asks_for_a_comparison_at_once_and_a_stopped_feed_says_so() {
        let mut feed = open(LONG).expect("opened");
        let cookie = feed.drop_cookie().expect("dropped");
        let batch = feed.next(LONG).expect("works").expect("a batch");
        assert_eq!((batch.overflowed, batch.cookies), (true, vec![cookie]));
        let handle = feed.handle();
        handle.wake();
        assert!(feed.next(LONG).expect("works").is_none());
        let stopper = std::thread::spawn(move || handle.stop());
        assert!(matches!(feed.next(LONG), Err(FeedError::Stopped)));
        stopper.join().expect("stopped");
    }
}
