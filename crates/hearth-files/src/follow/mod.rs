//! The follower: looks at the disk where something may have changed, and brings the index up to it.
//!
//! A feed of changes merges events and loses their order, so it says where to look, never what happened.
//! [`Follower::look`] looks there; [`Follower::reconcile`] looks everywhere. What always holds:
//! - Looks that cover all changes end in the index of a fresh scan, in any order and however often.
//! - A folder that moved keeps its rows; a folder that is new is listed with everything below it.
//! - Mounts, exclude rules, depth and permissions mean what they mean to the scanner.
//! - The indexed tree is only read, links are never followed, memory does not follow the size of the tree.
//!
//! Folders are told apart by inode and birth time, within one mount. Where a file system tells no birth
//! times, a folder that got the inode of one that is gone is told from it by what is in it.

mod compare;
mod difference;
mod error;
mod finding;
mod ground;
mod looker;
mod records;
mod run;
mod seen;
mod walk;
mod writer;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use hearth_core::{CancelToken, UnixNanos};

pub use difference::{Difference, differences};
pub use error::FollowError;
pub use records::{RecordEntry, RecordNow, Taken, take_records};
pub use seen::{CHANGES_RECORDED, Changed, Seen, What, is_modified};

use crate::index::Volume;
use crate::scan::queue::Queue;
use crate::scan::{Excludes, MAX_THREADS, ScanCounters, ScanOptions, default_threads, tree};
use compare::Comparer;
use ground::Ground;
use looker::Looker;
use run::Means;
use walk::Walk;
use writer::{Names, Writer};

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// At the entry with this name, whether it is there or not.
    Name {
        /// Inode of the folder.
        folder: u64,
        /// Raw name.
        name: Box<[u8]>,
    },
    /// At all entries of a folder, but not at what is in its folders if they are known.
    Folder {
        /// Inode of the folder.
        folder: u64,
    },
    /// At the metadata of an inode, under all its names. For a file without links this searches the whole
    /// volume for its name, some milliseconds on a large one; where a name is known, it is better.
    Object {
        /// The inode.
        inode: u64,
    },
}

impl Look {
    /// The inode of the folder that is opened for this look, if it is one.
    fn folder(&self) -> u64 {
        match self {
            Self::Name { folder, .. } | Self::Folder { folder } => *folder,
            Self::Object { inode } => *inode,
        }
    }
}

/// What a reconcile compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole volume.
    Everything,
    /// The entries of these folders, by inode, and whatever is below those that are new.
    Folders(Vec<u64>),
}

/// How to reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// What to compare.
    pub scope: Scope,
    /// The instant up to which the index is known to be complete, by this machine's clock. Folders that the
    /// file system has not touched since are not listed again, only their entries are looked at. `None` when no
    /// such instant is known: everything is listed.
    pub complete_until_ns: Option<UnixNanos>,
    /// Most rows that may be replaced, added and removed, about 400 bytes of memory each.
    pub most_changes: usize,
}

impl Default for Reconcile {
    /// Everything is listed and compared, whatever it takes.
    fn default() -> Self {
        Self { scope: Scope::Everything, complete_until_ns: None, most_changes: usize::MAX }
    }
}

/// How far behind the real time an inode's change time may be: kernels stamp with the last tick of their clock,
/// and old formats of ext4 with whole seconds.
const STAMP_GRAIN_NS: UnixNanos = 2_000_000_000;

/// See the module.
pub struct Follower {
    /// Canonical path of the root, empty for `/`.
    root: Vec<u8>,
    excludes: Excludes,
    threads: usize,
    /// Descriptors that folders may hold.
    held: usize,
    privileged: bool,
}

impl Follower {
    /// A follower of the volume with this canonical root (empty or `/` for the root of all), scanned with the
    /// same options.
    pub fn new(root: &[u8], options: &ScanOptions) -> Self {
        let root = root.strip_suffix(b"/").unwrap_or(root).to_vec();
        let wanted = options.threads.unwrap_or_else(default_threads).clamp(1, MAX_THREADS);
        let (threads, held) = tree::share_descriptors(wanted);
        let excludes = Excludes::new(&options.exclude, &root);
        let privileged = rustix::process::geteuid().is_root();
        Self { root, excludes, threads, held, privileged }
    }

    /// Looks, and applies what differs.
    ///
    /// # Errors
    /// [`FollowError`]; the looks then count as not carried out.
    pub fn look(
        &self,
        volume: &mut Volume,
        looks: &[Look],
        cancel: &CancelToken,
    ) -> Result<Seen, FollowError> {
        let means =
            Means { threads: self.threads, counters: &ScanCounters::default(), most_changes: usize::MAX };
        self.with_looker(volume, means, false, None, cancel, |looker| looker.look(looks))
    }

    /// Compares everything in scope and applies what differs. Counts in `counters` as it goes.
    ///
    /// # Errors
    /// [`FollowError`]; what was applied until then stays.
    pub fn reconcile(
        &self,
        volume: &mut Volume,
        how: &Reconcile,
        counters: &ScanCounters,
        cancel: &CancelToken,
    ) -> Result<Seen, FollowError> {
        let means = Means { threads: self.threads, counters, most_changes: how.most_changes };
        let deep = how.scope == Scope::Everything;
        self.with_looker(volume, means, deep, how.complete_until_ns, cancel, |looker| {
            looker.compare(&how.scope)
        })
    }

    fn with_looker(
        &self,
        volume: &mut Volume,
        means: Means<'_>,
        deep: bool,
        complete_until_ns: Option<UnixNanos>,
        cancel: &CancelToken,
        work: impl FnOnce(&mut Looker<'_, '_>) -> Result<(), FollowError>,
    ) -> Result<Seen, FollowError> {
        cancel.check()?;
        let ground = Ground::open(&self.root, volume.known(), self.held)?;
        let trusted = complete_until_ns.filter(|_| ground.stamps_every_change());
        let walk = Walk {
            ground: &ground,
            excludes: &self.excludes,
            cancel,
            queue: Queue::new(self.threads),
            deep,
            quiet_before_ns: trusted.map(|until| until.saturating_sub(STAMP_GRAIN_NS)),
            privileged: self.privileged,
            next_new: AtomicU32::new(0),
            claimed: Mutex::new(HashSet::new()),
        };
        let comparer = Comparer::new(&walk, 0, None);
        let names = match ground.inodes_are_unique() {
            _ if deep => Names::Seen,
            true => Names::Share,
            false => Names::Look,
        };
        let mut looker = Looker { walk: &walk, comparer, writer: Writer::new(volume, names), means };
        // A new queue believes that its first piece of work is being done.
        walk.queue.finish(false);
        let done = work(&mut looker);
        let counts = looker.comparer.counts;
        let seen = looker.writer.finish(&ground);
        done.map(|()| Seen {
            looked: counts.tally.entries as usize,
            listed_folders: counts.listed,
            denied: counts.tally.denied as usize,
            failed: counts.tally.failed as usize,
            ..seen
        })
    }
}
