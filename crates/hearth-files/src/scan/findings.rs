//! What a scan has to say besides rows: counts, problems in words, folders not entered.
//!
//! Counts are exact; words and folders are kept up to a limit, so that a volume full of trouble cannot
//! fill the memory.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use super::exclude::ExcludeRule;
use super::queue::lock;

/// Most problems that a report spells out.
pub const SAMPLES: usize = 20;
/// Most folders not entered that a report lists.
pub const SKIPPED_LISTED: usize = 1000;
/// Most folders that a report lists which were not where they had been seen.
pub const ASTRAY_LISTED: usize = 100_000;

/// Counts of a scan, kept while it runs; anybody may read them. Use new ones for each scan.
#[derive(Debug, Default)]
pub struct ScanCounters {
    /// Rows handed out or about to be.
    pub entries: AtomicU64,
    /// Directories listed, the root included.
    pub directories: AtomicU64,
    /// Entries or directories that may not be read.
    pub denied: AtomicU64,
    /// Entries that were gone when looked at.
    pub vanished: AtomicU64,
    /// Entries or directories that could not be read for another reason.
    pub failed: AtomicU64,
}

impl ScanCounters {
    /// Adds a worker's counts.
    pub(crate) fn add(&self, tally: &Tally) {
        let add = |counter: &AtomicU64, count: u64| {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        };
        add(&self.entries, tally.entries);
        add(&self.directories, tally.directories);
        add(&self.denied, tally.denied);
        add(&self.vanished, tally.vanished);
        add(&self.failed, tally.failed);
    }
}

/// The same counts for one worker or one finished scan.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) entries: u64,
    pub(crate) directories: u64,
    pub(crate) denied: u64,
    pub(crate) vanished: u64,
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.entries += other.entries;
        self.directories += other.directories;
        self.denied += other.denied;
        self.vanished += other.vanished;
        self.failed += other.failed;
    }

    /// What was counted after `earlier`.
    pub(crate) fn since(&self, earlier: &Tally) -> Tally {
        Tally {
            entries: self.entries - earlier.entries,
            directories: self.directories - earlier.directories,
            denied: self.denied - earlier.denied,
            vanished: self.vanished - earlier.vanished,
            failed: self.failed - earlier.failed,
        }
    }

    /// Counts an error; true if it is worth words.
    pub(crate) fn count(&mut self, error: Errno) -> bool {
        match error {
            gone if is_gone(gone) => self.vanished += 1,
            Errno::ACCESS | Errno::PERM => self.denied += 1,
            _ => self.failed += 1,
        }
        !is_gone(error)
    }
}

/// Whether an error says that the entry does not exist any more, or is no directory any more.
pub(crate) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::STALE | Errno::NOTDIR | Errno::LOOP)
}

/// Why a folder is a row and its contents are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Another file system is mounted there.
    OtherFileSystem {
        /// Its type; `unknown` if the mount went away.
        fs_type: String,
    },
    /// The kernel's state is mounted there.
    VirtualFileSystem {
        /// Its type.
        fs_type: String,
    },
    /// A folder of the scanned tree is mounted there again (bind mount, second mount).
    SecondView,
    /// Another part of the same file system is mounted there, one that this scan does not reach.
    OtherPart {
        /// The folder or subvolume within the file system.
        folder: Vec<u8>,
    },
    /// An exclude rule.
    Excluded(ExcludeRule),
    /// Nested deeper than [`hearth_core::limits::TREE_DEPTH`].
    TooDeep,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherFileSystem { fs_type } => write!(f, "another file system ({fs_type})"),
            Self::VirtualFileSystem { fs_type } => write!(f, "a virtual file system ({fs_type})"),
            Self::SecondView => f.write_str("mounted a second time, indexed at its first place"),
            Self::OtherPart { folder } => {
                write!(f, "another part of the same file system ({})", String::from_utf8_lossy(folder))
            }
            Self::Excluded(rule) => write!(f, "excluded by the rule '{rule}'"),
            Self::TooDeep => f.write_str("nested too deep"),
        }
    }
}

/// A folder that was not entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Absolute path.
    pub path: Vec<u8>,
    /// Why.
    pub why: SkipReason,
}

/// A path for one line of text: control characters escaped, invalid UTF-8 replaced.
fn readable(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    text.chars()
        .map(|char| if char.is_control() { char.escape_default().to_string() } else { char.into() })
        .collect()
}

/// Problems and skipped folders of all workers.
#[derive(Default)]
pub(super) struct Findings {
    /// Samples taken or being taken, to build no path in vain.
    claimed: AtomicUsize,
    samples: Mutex<Vec<String>>,
    skipped: Mutex<Vec<Skipped>>,
    skipped_total: AtomicU64,
    astray: Mutex<Vec<u64>>,
    astray_total: AtomicU64,
}

/// What findings come to: problems in words, folders that were not entered by path, folders that were not where they had
/// been seen by inode; of both kinds of folders also how many there were in all.
pub(super) struct Parts {
    pub(super) samples: Vec<String>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) skipped_total: u64,
    pub(super) astray: Vec<u64>,
    pub(super) astray_total: u64,
}

impl Findings {
    /// Keeps one of the first problems; `path` is asked for only then.
    pub(super) fn sample(&self, action: &str, error: Errno, path: impl FnOnce() -> Vec<u8>) {
        if self.claimed.load(Ordering::Relaxed) >= SAMPLES
            || self.claimed.fetch_add(1, Ordering::Relaxed) >= SAMPLES
        {
            return;
        }
        let path = readable(&path());
        lock(&self.samples).push(format!("cannot {action} {path}: {error}"));
    }

    /// Notes a folder that is not entered; `describe` is asked only while the list is short.
    pub(super) fn skip(&self, describe: impl FnOnce() -> Skipped) {
        let before = self.skipped_total.fetch_add(1, Ordering::Relaxed);
        if before < SKIPPED_LISTED as u64 {
            let skipped = describe();
            lock(&self.skipped).push(skipped);
        }
    }

    /// Notes a folder that was seen and then not found under its name.
    pub(super) fn astray(&self, inode: u64) {
        let before = self.astray_total.fetch_add(1, Ordering::Relaxed);
        if before < ASTRAY_LISTED as u64 {
            lock(&self.astray).push(inode);
        }
    }

    pub(super) fn into_parts(self) -> Parts {
        let mut skipped = self.skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
        skipped.sort_by(|one, other| one.path.cmp(&other.path));
        Parts {
            samples: self.samples.into_inner().unwrap_or_else(PoisonError::into_inner),
            skipped,
            skipped_total: self.skipped_total.into_inner(),
            astray: self.astray.into_inner().unwrap_or_else(PoisonError::into_inner),
            astray_total: self.astray_total.into_inner(),
        }
    }
}
