//! The scanner: every entry of one mounted file system, as raw rows, as fast as the system gives them.
//!
//! Threads list directories with `getdents64(2)` and look at each entry with `statx(2)`, all
//! relative to open directories. Rows go to the caller's sink in chunks while the scan runs. What always
//! holds:
//! - Every entry that stays where it is during the scan is handed out exactly once. An entry that is made,
//!   removed or moved meanwhile may be missing, or appear twice if the file system lists it twice.
//! - Links are never followed and the mount of the root is never left: a folder that something is
//!   mounted on is a row, and its contents are not (see `boundary`).
//! - Open descriptors, queued work and words about problems are bounded whatever the tree looks like.
//! - Trouble with an entry is counted and passed over; only [`ScanError`] ends a scan.
//!
//! Inode numbers identify a file within one volume, except on btrfs, where they may repeat between the
//! subvolumes inside one mount.

mod boundary;
pub(crate) mod dents;
mod error;
pub mod exclude;
mod findings;
pub mod mounts;
pub(crate) mod opener;
mod outbox;
pub(crate) mod queue;
pub(crate) mod stat;
pub(crate) mod tree;
mod virtual_fs;
mod worker;

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hearth_core::CancelToken;
use rustix::fs::CWD;

pub use error::ScanError;
pub use exclude::{BadExclude, DEFAULT_EXCLUDES, ExcludeRule};
pub use findings::{ASTRAY_LISTED, SAMPLES, SKIPPED_LISTED, ScanCounters, SkipReason, Skipped};
pub use mounts::{Mount, Mounts, volume_of};
pub use virtual_fs::is_virtual;

pub(crate) use exclude::Excludes;
pub(crate) use findings::{Tally, is_gone};

use crate::entry::{Chunk, Meta};
use boundary::Boundary;
use findings::{Findings, Parts};
use opener::Opener;
use queue::{Queue, lock};
use stat::Place;
use tree::{Dir, FdBudget};
use worker::{Shared, Worker, root_path};

/// Most threads of one scan.
pub const MAX_THREADS: usize = 64;

/// How to scan. A scan never leaves the mount of its root; there is no option for that.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Threads, 1 to [`MAX_THREADS`] (more count as that many); `None` for [`default_threads`]. A
    /// process that may open few descriptors gets fewer.
    pub threads: Option<usize>,
    /// Folders that are not entered.
    pub exclude: Vec<ExcludeRule>,
}

impl Default for ScanOptions {
    /// Default threads, and the rules of [`DEFAULT_EXCLUDES`].
    fn default() -> Self {
        Self { threads: None, exclude: ExcludeRule::defaults() }
    }
}

/// What a finished scan found.
#[derive(Clone, Debug)]
pub struct ScanReport {
    /// Canonical path of the root; empty for `/`.
    pub root: Vec<u8>,
    /// Metadata of the root, which has no row.
    pub root_meta: Meta,
    /// Rows handed out.
    pub entries: u64,
    /// Directories listed, the root included.
    pub directories: u64,
    /// Entries or directories that may not be read. Such an entry still has a row.
    pub denied: u64,
    /// Entries that were gone when looked at, and directories gone when opened.
    pub vanished: u64,
    /// Entries or directories that could not be read for another reason.
    pub failed: u64,
    /// The first problems in words, at most [`SAMPLES`].
    pub samples: Vec<String>,
    /// Folders that were not entered, by path, at most [`SKIPPED_LISTED`].
    pub skipped: Vec<Skipped>,
    /// Number of folders that were not entered.
    pub skipped_total: u64,
    /// Folders that had moved or were gone when they were to be listed, by inode, at most [`ASTRAY_LISTED`]. What their
    /// rows hold is nothing, or what is in another folder: whoever follows a tree that changes looks at them again.
    pub astray: Vec<u64>,
    /// Number of such folders.
    pub astray_total: u64,
    /// Time it took.
    pub elapsed: Duration,
}

/// Threads of a scan that names no number: four per core, at least 8 and at most 32.
pub fn default_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    (4 * cores).clamp(8, 32)
}

/// Scans the mounted file system below `root` and hands its rows to `sink`, from several threads at
/// once. Returns when all rows were handed out.
///
/// # Errors
/// [`ScanError`]; the rows handed out until then are then of no use.
pub fn scan(
    root: &Path,
    options: &ScanOptions,
    progress: &ScanCounters,
    cancel: &CancelToken,
    sink: &(dyn Fn(Chunk) + Sync),
) -> Result<ScanReport, ScanError> {
    let started = Instant::now();
    cancel.check().map_err(ScanError::Cancelled)?;
    let start = Start::open(root)?;
    let wanted = options.threads.unwrap_or_else(default_threads).clamp(1, MAX_THREADS);
    let (threads, held) = tree::share_descriptors(wanted);
    let shared = Shared {
        root: &start.path,
        queue: Queue::new(threads),
        boundary: start.boundary,
        excludes: Excludes::new(&options.exclude, &start.path),
        findings: Findings::default(),
        counters: progress,
        cancel,
        sink,
        next_dir: AtomicU32::new(1),
        rows: AtomicU64::new(0),
        failure: Mutex::new(None),
    };
    let tally = run_workers(&shared, threads, start.fd, &FdBudget::new(held));
    if let Some(error) = lock(&shared.failure).take() {
        return Err(error);
    }
    let Parts { samples, skipped, skipped_total, astray, astray_total } = shared.findings.into_parts();
    let Tally { entries, directories, denied, vanished, failed } = tally;
    let (root, root_meta, elapsed) = (start.path, start.meta, started.elapsed());
    Ok(ScanReport {
        root,
        root_meta,
        entries,
        directories,
        denied,
        vanished,
        failed,
        samples,
        skipped,
        skipped_total,
        astray,
        astray_total,
        elapsed,
    })
}

/// The opened root of a scan.
struct Start {
    path: Vec<u8>,
    fd: OwnedFd,
    meta: Meta,
    boundary: Boundary,
}

impl Start {
    fn open(root: &Path) -> Result<Self, ScanError> {
        let io = |error: std::io::Error| ScanError::from_io(root, &error);
        let path = canonical(root).map_err(io)?;
        let name =
            CString::new(root_path(&path).into_os_string().into_vec()).map_err(|nul| io(nul.into()))?;
        let fd = rustix::io::retry_on_intr(|| opener::open_to_list(CWD, &name))
            .map_err(|errno| io(errno.into()))?;
        let (meta, place) = stat::directory(fd.as_fd()).map_err(|errno| io(errno.into()))?;
        let boundary = boundary_of(&fd, place, &path).map_err(io)?;
        match boundary {
            Ok(boundary) => Ok(Self { path, fd, meta, boundary }),
            Err(fs_type) => Err(ScanError::VirtualFileSystem { path: root.to_path_buf(), fs_type }),
        }
    }
}

fn canonical(root: &Path) -> std::io::Result<Vec<u8>> {
    let path = root.canonicalize()?.into_os_string().into_vec();
    Ok(if path == b"/" { Vec::new() } else { path })
}

/// The borders of the volume, or the type of a virtual file system.
fn boundary_of(fd: &OwnedFd, place: Place, root: &[u8]) -> std::io::Result<Result<Boundary, String>> {
    let magic = rustix::fs::fstatfs(fd)?.f_type;
    // Without `/proc` there is no table: borders are then known by their numbers only.
    let boundary = Boundary::new(place, root, Mounts::read().unwrap_or_default());
    // The magic is a 32-bit value that some kernels extend with its sign.
    Ok(match boundary.virtual_type(magic as u32) {
        Some(fs_type) => Err(fs_type),
        None => Ok(boundary),
    })
}

/// Runs the workers, the first on this thread. A thread that the system refuses is done without.
fn run_workers(shared: &Shared<'_>, threads: usize, root: OwnedFd, budget: &Arc<FdBudget>) -> Tally {
    let guarded = |me: usize, root: Option<Arc<Dir>>| {
        let worker = || Worker::new(shared, me, Opener::new(Arc::clone(budget))).run(root);
        catch_unwind(AssertUnwindSafe(worker)).unwrap_or_else(|panic| {
            let message = panic_message(&*panic);
            shared.fail(ScanError::Panicked { path: root_path(shared.root), message });
            Tally::default()
        })
    };
    std::thread::scope(|scope| {
        let spawn = |me: usize| {
            let name = format!("hearth-scan-{me}");
            std::thread::Builder::new().name(name).spawn_scoped(scope, move || guarded(me, None)).ok()
        };
        let others: Vec<_> = (1..threads).map_while(spawn).collect();
        let mut tally = guarded(0, Some(Arc::new(Dir::root(root))));
        others.into_iter().filter_map(|thread| thread.join().ok()).for_each(|other| tally.add(&other));
        tally
    })
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}
