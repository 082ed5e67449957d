//! The feed of a source that can say cheaply whether it changed, though not what: a disk or image that is read raw.
//!
//! Somebody else's [`Probe`] is asked now and then, at once for a cookie, and at once when a watched file is written to. What
//! it finds changed is to be compared. While nothing changes it is asked ever less often.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::batch::Batch;
use crate::bell::{deadline_after, is_over};
use crate::cookie::{Cookie, Proof};
use crate::error::FeedError;
use crate::feed::{Feed, FeedKind};
use crate::handle::{FeedHandle, Signals};
use crate::pending::Pending;

/// Says whether a source changed.
pub trait Probe: Send {
    /// Whether it changed since this was asked last, or since the probe was made.
    ///
    /// # Errors
    /// It cannot be looked at; the feed then ends.
    fn changed(&mut self) -> io::Result<bool>;
}

/// How often a probe is asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time between two looks while something changes.
    pub least: Duration,
    /// The same after a long time without a change.
    pub most: Duration,
}

/// A feed that asks a probe. `file`, if there is one, is watched for writes, which call for a look after `pace.least`.
///
/// # Errors
/// [`FeedError::Io`] if the process has no descriptor left.
pub fn open(pace: Pace, file: Option<PathBuf>, probe: impl Probe + 'static) -> Result<impl Feed, FeedError> {
    Ok(Probing {
        probe,
        writes: file.and_then(|file| Writes::of(&file).ok()),
        next: Instant::now() + pace.least,
        rest: pace.least,
        pace,
        pending: Pending::new(0, 0),
        signals: Signals::new(None)?,
        clock: 0,
    })
}

/// Tells that a file was written to, moved or removed.
struct Writes(OwnedFd);

impl Writes {
    fn of(file: &Path) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        inotify::add_watch(&queue, file, flags)?;
        Ok(Self(queue))
    }

    /// Forgets what was told so far.
    fn drain(&self) {
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|read| read > 0) {}
    }
}

struct Probing<P> {
    probe: P,
    writes: Option<Writes>,
    /// When to look next, if nothing asks for it earlier.
    next: Instant,
    /// Time from one look to the next.
    rest: Duration,
    pace: Pace,
    pending: Pending,
    signals: Arc<Signals>,
    clock: u64,
}

impl<P: Probe> Probing<P> {
    /// Looks, and passes the cookies that were dropped before.
    fn look(&mut self) -> Result<(), FeedError> {
        let numbers = self.signals.take_quiet();
        self.signals.pass_noted(numbers.len());
        self.writes.iter().for_each(Writes::drain);
        let changed = self.probe.changed().map_err(|error| FeedError::io("look at the source", error))?;
        if changed {
            self.pending.overflow();
        }
        for number in numbers {
            self.pending.pass(Cookie { number, proof: Proof::Quiet });
        }
        self.rest = if changed { self.pace.least } else { (self.rest * 2).min(self.pace.most) };
        self.next = Instant::now() + self.rest;
        Ok(())
    }

    /// Waits for a reason to look or to return; true if the file was written to.
    fn wait(&self, until: Option<Instant>) -> Result<bool, FeedError> {
        let queue = self.writes.as_ref().map(|writes| (writes.0.as_fd(), PollFlags::IN));
        self.signals.bell().wait(queue, until.into_iter().chain([self.next]).min())
    }

    /// After a write there are more to come: one look is for all of them.
    fn wait_for_more(&mut self) -> Result<(), FeedError> {
        self.next = self.next.min(Instant::now() + self.pace.least);
        self.signals.bell().wait(None, Some(self.next)).map(drop)
    }
}

impl<P: Probe> Feed for Probing<P> {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, FeedError> {
        let deadline = deadline_after(timeout);
        let mut written = false;
        loop {
            self.signals.bell().silence();
            self.signals.bell().check_stopped()?;
            if self.signals.has_quiet() || is_over(Some(self.next)) {
                self.look()?;
                let told = self.pending.has_something();
                return Ok(told.then(|| self.pending.take(&mut self.clock)));
            }
            if self.signals.bell().take_woken() || is_over(deadline) {
                return Ok(None);
            }
            if written {
                self.wait_for_more()?;
            } else {
                written = self.wait(deadline)?;
            }
        }
    }

    fn handle(&self) -> FeedHandle {
        FeedHandle::new(Arc::clone(&self.signals))
    }

    fn describe(&self) -> FeedKind {
        FeedKind::Probing { told: self.writes.is_some(), every: self.pace.least }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicU64, Ordering};

    const LONG: Duration = Duration::from_secs(60);

    /// A source that counts: changed whenever the number is another one.
    struct Counted(Arc<AtomicU64>, u64);

    impl Probe for Counted {
        fn changed(&mut self) -> io::Result<bool> {
            let now = self.0.load(Ordering::SeqCst);
            if now == u64::MAX {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(std::mem::replace(&mut self.1, now) != now)
        }
    }

    fn feed(least: Duration) -> (Arc<AtomicU64>, impl Feed) {
        let number = Arc::new(AtomicU64::new(0));
        let probe = Counted(Arc::clone(&number), 0);
        (number, open(Pace { least, most: LONG }, None, probe).expect("opened"))
    }

    #[test]
    fn only_a_change_makes_a_batch() {
        let (number, mut feed) = feed(Duration::from_millis(5));
        assert!(feed.next(LONG).expect("works").is_none(), "a look that finds nothing is told as that");
        number.store(1, Ordering::SeqCst);
        let batch = std::iter::repeat_with(|| feed.next(LONG).expect("works")).flatten().next();
        assert!(batch.expect("a batch").overflowed);
        number.store(u64::MAX, Ordering::SeqCst);
        let error = std::iter::repeat_with(|| feed.next(LONG)).find_map(Result::err);
        assert!(matches!(error, Some(FeedError::Io { .. })), "{error:?}");
    }

    #[test]
    fn a_cookie_asks_at_once() {
        let (number, mut feed) = feed(LONG);
        let cookie = feed.drop_cookie().expect("dropped");
        let batch = feed.next(LONG).expect("works").expect("a batch");
        assert_eq!((batch.overflowed, batch.cookies), (false, vec![cookie]));
        number.store(1, Ordering::SeqCst);
        let cookie = feed.drop_cookie().expect("dropped");
        let batch = feed.next(LONG).expect("works").expect("a batch");
        assert_eq!((batch.overflowed, batch.cookies), (true, vec![cookie]));
    }

    #[test]
    fn a_write_to_the_file_asks_soon() {
        let folder = tempfile::tempdir().expect("made");
        let file = folder.path().join("image");
        fs::write(&file, "a").expect("written");
        let number = Arc::new(AtomicU64::new(0));
        let pace = Pace { least: Duration::from_millis(5), most: LONG };
        let mut feed = open(pace, Some(file.clone()), Counted(Arc::clone(&number), 0)).expect("opened");
        // Looks become rare.
        while feed.next(Duration::from_millis(200)).expect("works").is_some() {}
        number.store(7, Ordering::SeqCst);
        fs::write(&file, "b").expect("written");
        let began = Instant::now();
        let batch = std::iter::repeat_with(|| feed.next(LONG).expect("works")).flatten().next();
        assert!(batch.expect("a batch").overflowed && began.elapsed() < LONG / 2);
    }

    #[test]
    fn a_stopped_feed_says_so_and_a_woken_one_returns() {
        let (_, mut feed) = feed(LONG);
        let handle = feed.handle();
        handle.wake();
        assert!(feed.next(LONG).expect("works").is_none());
        handle.stop();
        assert!(matches!(feed.next(LONG), Err(FeedError::Stopped)));
    }
}
