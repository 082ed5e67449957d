//! The scanner, as the service uses it: options from the configuration, words from its report.
//!
//! This is the one place that calls it. A root that has come to lead elsewhere (a link in its place)
//! is a failed scan, so that no tree is ever indexed under another one's path.

use crate::api::ScanOutcome;
use crate::catalogue::Closed;
use crate::config::FilesConfig;
use crate::error::{ServiceError, lossy};
use crate::maker::Failure;
use crate::run::{ScanRun, millis};
use hearth_core::NO_TIME;
use hearth_files::entry::Meta;
use hearth_files::follow::Follower;
use hearth_files::scan::{
    ExcludeRule, MAX_THREADS, ScanError, ScanOptions, ScanReport, Skipped, scan, volume_of,
};
use hearth_watch::inotify::Enter;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Most threads that the configuration can ask for.
pub(crate) const MOST_THREADS: usize = MAX_THREADS;

/// Rules that are in force unless others are configured.
pub(crate) fn default_excludes() -> Vec<String> {
    hearth_files::scan::DEFAULT_EXCLUDES.iter().map(ToString::to_string).collect()
}

/// Says what is wrong with an exclude rule.
pub(crate) fn check_exclude(rule: &str) -> Result<(), String> {
    ExcludeRule::parse(rule.as_bytes()).map(drop).map_err(|error| format!("{rule:?}: {error}"))
}

/// A path as the system takes it.
pub(crate) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// What is known of a root before it is scanned.
pub(crate) struct Place {
    pub(crate) meta: Meta,
    pub(crate) device: u64,
}

/// Looks at a root.
pub(crate) fn look(root: &[u8]) -> Result<Place, String> {
    let meta = path(root).metadata().map_err(|error| format!("{}: {error}", lossy(root)))?;
    Ok(Place { device: meta.dev(), meta: root_meta(&meta) })
}

/// True if a root is all of a file system, or of a subvolume, and not a folder in it.
pub(crate) fn is_whole_volume(root: &[u8]) -> bool {
    let mount = volume_of(path(root)).ok();
    mount.is_some_and(|mount| mount.path == root && (mount.root == b"/" || mount.fs_type == "btrfs"))
}

/// True if a root that lay on one device now is a plain folder on another: what was mounted there is gone.
pub(crate) fn is_unmounted(root: &[u8], before: u64, now: u64) -> bool {
    let parent = path(root).parent().and_then(|parent| parent.metadata().ok());
    before != now && parent.is_some_and(|parent| parent.dev() == now)
}

/// True if a root is on a file system of several trees, of which a feed tells one at a time (btrfs).
pub(crate) fn has_subvolumes(root: &[u8]) -> bool {
    const BTRFS: u64 = 0x9123_683e;
    rustix::fs::statfs(path(root)).is_ok_and(|status| status.f_type as u64 == BTRFS)
}

fn root_meta(meta: &Metadata) -> Meta {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    let created = meta.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    Meta {
        size: meta.size(),
        allocated: meta.blocks().saturating_mul(512),
        modified_ns: nanos(meta.mtime(), meta.mtime_nsec()),
        created_ns: created.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(NO_TIME),
        accessed_ns: nanos(meta.atime(), meta.atime_nsec()),
        inode: meta.ino(),
        mode: meta.mode(),
        uid: meta.uid(),
        gid: meta.gid(),
        links: u32::try_from(meta.nlink()).unwrap_or(u32::MAX),
        attributes: 0,
    }
}

/// What a scan says besides its rows.
pub(crate) struct Walked {
    pub(crate) outcome: ScanOutcome,
    pub(crate) closed: Vec<Closed>,
    pub(crate) root_meta: Meta,
    /// Folders, by inode, that were not where they had been seen; `None` if there are too many to name.
    pub(crate) astray: Option<Vec<u64>>,
}

/// How every source is scanned.
pub(crate) struct Walk {
    options: ScanOptions,
}

impl Walk {
    /// Takes the options from the configuration.
    pub(crate) fn new(config: &FilesConfig) -> Result<Self, ServiceError> {
        let rules = config.exclude.iter().map(|rule| ExcludeRule::parse(rule.as_bytes()));
        let exclude = rules.collect::<Result<_, _>>().map_err(|error| ServiceError::BadRequest {
            field: "files.exclude",
            message: error.to_string(),
            hint: "correct the rule".to_owned(),
        })?;
        let threads = (config.scan_threads > 0).then_some(config.scan_threads);
        Ok(Self { options: ScanOptions { threads, exclude } })
    }

    /// What brings an index up to its root, which was scanned in this way.
    pub(crate) fn follower(&self, root: &[u8]) -> Follower {
        Follower::new(root, &self.options)
    }

    /// Says which folders below a root are part of its volume.
    pub(crate) fn enters(&self, root: &[u8]) -> Enter {
        let rules = self.options.exclude.clone();
        let (device, mount) =
            (look(root).map(|place| place.device), volume_of(path(root)).map(|mount| mount.id));
        Box::new(move |folder, on| {
            let excluded = rules.iter().any(|rule| match rule {
                ExcludeRule::Name(name) => folder.file_name().is_some_and(|last| last.as_bytes() == name),
                ExcludeRule::Path(path) => folder.as_os_str().as_bytes() == path,
            });
            // Another device may be a subvolume of the same mount.
            let same = device.as_ref().is_ok_and(|device| *device == on)
                || volume_of(folder).is_ok_and(|inner| mount.as_ref().is_ok_and(|mount| *mount == inner.id));
            !excluded && same
        })
    }

    /// Scans a root; rows and counts go to the run.
    pub(crate) fn scan(&self, root: &[u8], run: &ScanRun) -> Result<Walked, Failure> {
        let sink = |chunk| run.take(chunk);
        let report = scan(path(root), &self.options, &run.counters, &run.cancel, &sink);
        let report = report.map_err(|error| match error {
            ScanError::Cancelled(_) => Failure::Cancelled,
            error => Failure::Failed(error.to_string()),
        })?;
        let elsewhere = if report.root.is_empty() { b"/" } else { report.root.as_slice() };
        if elsewhere != root {
            return Err(Failure::Failed(format!("{} now leads to {}", lossy(root), lossy(elsewhere))));
        }
        Ok(walked(report))
    }
}

fn walked(report: ScanReport) -> Walked {
    let describe = |skipped: &Skipped| format!("{}: {}", lossy(&skipped.path), skipped.why);
    let mut skipped: Vec<String> = report.skipped.iter().map(describe).collect();
    let more = report.skipped_total.saturating_sub(skipped.len() as u64);
    if more > 0 {
        skipped.push(format!("and {more} more"));
    }
    let outcome = ScanOutcome {
        entries: report.entries,
        scan_ms: millis(report.elapsed),
        build_ms: 0,
        denied: report.denied,
        vanished: report.vanished,
        failed: report.failed,
        samples: report.samples,
        skipped,
    };
    let closed = |skipped: Skipped| Closed { why: skipped.why.to_string(), path: skipped.path };
    let closed = report.skipped.into_iter().map(closed).collect();
    let astray = (report.astray_total == report.astray.len() as u64).then_some(report.astray);
    Walked { outcome, closed, root_meta: report.root_meta, astray }
}

impl ScanRun {
    /// Entries seen so far.
    pub(crate) fn entries(&self) -> u64 {
        self.counters.entries.load(Ordering::Relaxed)
    }
}
