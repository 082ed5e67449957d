//! What all feeds have in common, and what one can ask of them.
//!
//! Every option has a default that suits a volume of some millions of entries on a machine that does other work.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::batch::Batch;
use crate::cookie::Cookie;
use crate::error::FeedError;
use crate::handle::FeedHandle;

/// A stream of changes of one volume or tree. One thread reads it; others reach it through its [`FeedHandle`].
pub trait Feed: Send {
    /// Waits for the next batch, at most this long. `None`: nothing happened, or [`FeedHandle::wake`] was called.
    ///
    /// Events that come soon after a batch are gathered ([`FeedOptions::settle`]), unless a cookie is passed meanwhile.
    ///
    /// # Errors
    /// After an error the feed is of no further use; [`FeedError`] says what to do instead.
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, FeedError>;

    /// Makes the feed say when it has passed this instant.
    ///
    /// # Errors
    /// [`FeedError::Busy`] if too many wait already, [`FeedError::Stopped`].
    fn drop_cookie(&mut self) -> Result<Cookie, FeedError> {
        self.handle().drop_cookie()
    }

    /// A handle to reach the feed from other threads, also while it waits.
    fn handle(&self) -> FeedHandle;

    /// What kind of feed this is, for people.
    fn describe(&self) -> FeedKind;
}

/// How a source is watched. Displays as a phrase for status pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedKind {
    /// The whole file system tells.
    Fanotify,
    /// Every folder of the tree has a watch.
    Inotify {
        /// Watches in use.
        watches: u64,
        /// Watches it may use.
        limit: u64,
    },
    /// Somebody asks again and again whether it changed; what changed is compared.
    Probing {
        /// Writes call for a look as well.
        told: bool,
        /// Least time between two looks.
        every: Duration,
    },
    /// Nothing tells: everything is compared again and again.
    Polling {
        /// Time between two comparisons.
        every: Duration,
    },
}

impl fmt::Display for FeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fanotify => f.write_str("live (fanotify, whole file system)"),
            Self::Inotify { watches, limit } => write!(f, "live (inotify, {watches} of {limit} watches)"),
            Self::Probing { told: true, .. } => f.write_str("looked at when it is written to"),
            Self::Probing { told: false, every } => {
                write!(f, "looked at every {} s, less often while nothing changes", every.as_secs_f64())
            }
            Self::Polling { every } => write!(f, "polled every {} s", every.as_secs_f64()),
        }
    }
}

/// When a write to a file makes dirt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// As it happens: logs that stay open are seen too. Stores through a mapping (`mmap`) are seen when it is undone, as the
    /// kernel has no earlier event.
    AsTheyHappen,
    /// When the writer closes the file: cheaper for programs that write a lot in small pieces. `truncate(2)` by path and a
    /// change of the modification time alone are then not seen.
    WhenClosed,
}

/// Sizes and times of a feed.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// Least time from one batch to the next, in which events are gathered: one that comes after a longer silence is handed
    /// out at once, a storm in a batch every so often. Cookies and overflows do not wait. 2 ms; 0 gathers nothing.
    pub settle: Duration,
    /// Memory for dirt that is not handed out yet, bytes. Beyond it folders are named instead of names, then everything is
    /// declared lost. 64 MiB, which is about 700 000 names of usual length.
    pub dirty_bytes: usize,
    /// Memory for one read from the kernel, bytes, at least 8 KiB. 256 KiB, which is about 2 500 events.
    pub buffer_bytes: usize,
    /// When writes are seen. As they happen.
    pub writes: Writes,
    /// Most acts in a batch (who did what; fanotify only); 0 for none, which saves asking for the names of processes. 0.
    pub history: usize,
    /// A folder of the caller's own, on the watched file system and writable, for cookie files. Without one, or if no events
    /// come from it, cookies are proven by the state of the queue.
    pub cookie_folder: Option<PathBuf>,
    /// Part of `fs.inotify.max_user_watches` that one feed may use, percent. 50.
    pub watches_percent: u8,
    /// Lets the kernel's queue grow without limit (fanotify only): nothing is lost to it, its memory is the daemon's. No.
    pub unbounded_queue: bool,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(2),
            dirty_bytes: 64 << 20,
            buffer_bytes: 256 << 10,
            writes: Writes::AsTheyHappen,
            history: 0,
            cookie_folder: None,
            watches_percent: 50,
            unbounded_queue: false,
        }
    }
}
