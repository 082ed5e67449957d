//! How a thread that waits in `poll(2)` is reached by others: an eventfd, and what the ringing means.
//!
//! It is written only when there is something to say, so a feed that nobody addresses does not wake up.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::error::FeedError;

/// A bell beside a queue.
pub(crate) struct Bell {
    fd: OwnedFd,
    stopped: AtomicBool,
    woken: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> Result<Self, FeedError> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| FeedError::io("eventfd", error))?;
        Ok(Self { fd, stopped: AtomicBool::new(false), woken: AtomicBool::new(false) })
    }

    /// Makes the listener look. It can only fail by being rung 2^64 times.
    pub(crate) fn ring(&self) {
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Silences the bell; it rings again for what is said from now on.
    pub(crate) fn silence(&self) {
        let _ = rustix::io::read(&self.fd, &mut [0_u8; 8]);
    }

    /// Makes the listener return from waiting.
    pub(crate) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.ring();
    }

    /// Makes the listener give up, now and from then on.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ring();
    }

    pub(crate) fn check_stopped(&self) -> Result<(), FeedError> {
        if self.stopped.load(Ordering::Acquire) { Err(FeedError::Stopped) } else { Ok(()) }
    }

    /// Whether somebody wanted the listener to return since this was asked last.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    /// Waits until the bell rings or a descriptor shows one of `flags`, at most until an instant. True if it was
    /// the descriptor.
    pub(crate) fn wait(
        &self,
        queue: Option<(BorrowedFd<'_>, PollFlags)>,
        until: Option<Instant>,
    ) -> Result<bool, FeedError> {
        let mut fds = vec![PollFd::new(&self.fd, PollFlags::IN)];
        fds.extend(queue.as_ref().map(|(fd, flags)| PollFd::new(fd, *flags)));
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        let rest = rest.and_then(|rest| Timespec::try_from(rest).ok());
        match poll(&mut fds, rest.as_ref()) {
            Ok(_) => Ok(fds.get(1).is_some_and(|fd| !fd.revents().is_empty())),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(FeedError::io("poll", error)),
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stopped = self.stopped.load(Ordering::Acquire);
        f.debug_struct("Bell").field("stopped", &stopped).finish_non_exhaustive()
    }
}

/// The instant after which a call that may wait `timeout` returns; `None` if that is never.
pub(crate) fn deadline_after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

pub(crate) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

/// Reaches a waiting thread from any other.
#[derive(Clone, Debug)]
pub struct Waker {
    bell: Arc<Bell>,
}

impl Waker {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        Self { bell }
    }

    /// Makes it return from waiting, with whatever it has.
    pub fn wake(&self) {
        self.bell.wake();
    }

    /// Makes it return [`FeedError::Stopped`], now and from then on.
    pub fn stop(&self) {
        self.bell.stop();
    }
}
