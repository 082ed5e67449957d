//! Notices that file systems were mounted, unmounted or remounted.
//!
//! `poll(2)` on `/proc/thread-self/mountinfo` shows `POLLPRI` once after the mount table that the opening thread sees
//! has changed (`proc_pid_mountinfo(5)`).

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFlags;

use crate::bell::{Bell, Waker, deadline_after, is_over};
use crate::error::FeedError;

const TABLE: &str = "/proc/thread-self/mountinfo";

/// The mount table changed; which mount, its reader finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountsChanged;

/// Watches the mount table.
#[derive(Debug)]
pub struct MountsWatch {
    table: File,
    bell: Arc<Bell>,
}

impl MountsWatch {
    /// Starts watching: changes from now on are reported.
    ///
    /// # Errors
    /// [`FeedError::Io`], for instance when `/proc` is not mounted.
    pub fn open() -> Result<Self, FeedError> {
        let table = File::open(TABLE).map_err(|error| FeedError::io(TABLE, error))?;
        Ok(Self { table, bell: Arc::new(Bell::new()?) })
    }

    /// Waits for a change, at most this long. All changes since the last call are one. `None`: there was none, or
    /// [`Waker::wake`] was called.
    ///
    /// # Errors
    /// [`FeedError::Stopped`], [`FeedError::Io`].
    pub fn next(&mut self, timeout: Duration) -> Result<Option<MountsChanged>, FeedError> {
        let deadline = deadline_after(timeout);
        loop {
            let changed = self.bell.wait(Some((self.table.as_fd(), PollFlags::PRI)), deadline)?;
            self.bell.silence();
            self.bell.check_stopped()?;
            if changed {
                return Ok(Some(MountsChanged));
            }
            if self.bell.take_woken() || is_over(deadline) {
                return Ok(None);
            }
        }
    }

    /// Wakes or stops it from another thread.
    pub fn waker(&self) -> Waker {
        Waker::new(Arc::clone(&self.bell))
    }
}
