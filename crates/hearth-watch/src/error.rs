//! What can keep a feed from being opened or from going on.
//!
//! Most variants call for another kind of feed: a file system that cannot be watched as a whole may be watched folder by
//! folder, and what has too many folders can be polled.

use std::io;
use std::path::PathBuf;

/// Why there is no feed, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Watching a whole file system is for the administrator.
    #[error("{}: watching a whole file system needs the capability CAP_SYS_ADMIN; watch the tree with inotify, or poll", path.display())]
    NotPermitted {
        /// What was to be watched.
        path: PathBuf,
    },
    /// The file system, or this kernel, cannot do it.
    #[error("{}: {file_system} cannot be watched as a whole: {why}; watch the tree with inotify, or poll", path.display())]
    Unsupported {
        /// What was to be watched.
        path: PathBuf,
        /// Name of the file system, or its number.
        file_system: String,
        /// What it lacks.
        why: &'static str,
    },
    /// A tree has more folders than may be watched.
    #[error(
        "the tree needs {wanted} inotify watches and may use {allowed}; raise fs.inotify.max_user_watches, exclude folders, or poll"
    )]
    LimitReached {
        /// Watches that all of it needs, as far as that was counted.
        wanted: u64,
        /// Watches it may use.
        allowed: u64,
    },
    /// The system or the user has no notification group left.
    #[error(
        "no notification group is left for this user; raise fs.inotify.max_user_instances or fs.fanotify.max_user_groups"
    )]
    NoInstance,
    /// The watched folder was removed, moved or unmounted: open the feed anew.
    #[error("{}: the watched folder was removed, moved or unmounted", path.display())]
    RootGone {
        /// Where it was.
        path: PathBuf,
    },
    /// Too many cookies were dropped that nobody read the feed for.
    #[error("{waiting} cookies wait for the feed to pass them; is it read?")]
    Busy {
        /// Cookies that wait.
        waiting: usize,
    },
    /// Somebody stopped it through its handle.
    #[error("the feed was stopped")]
    Stopped,
    /// The kernel said something that this program does not understand.
    #[error("the kernel's events cannot be understood: {what}")]
    Malformed {
        /// Which rule of the format is broken.
        what: &'static str,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, and to what.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

impl FeedError {
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }
}
