//! Registering sources: add, forget, list, refresh, and waiting for a scan.
//!
//! A root is registered under its canonical path. Two sources never hold the same entries: a folder
//! on the same volume as a registered root, inside it or around it, is refused and the source that
//! overlaps is named. Volumes are told apart by their mount, as the scanner does.

use crate::Service;
use crate::api::{Freed, Health, ScanProgress, SourceInfo, SourceKind, Tier};
use crate::catalogue::Shard;
use crate::config::FeedChoice;
use crate::error::{Overlap, ServiceError, lossy};
use crate::forecast;
use crate::paths::{holds, normalise, shown};
use crate::registry::Registry;
use crate::walk;
use hearth_core::CancelToken;
use hearth_files::scan::{Mount, ScanError, is_virtual, volume_of};
use hearth_residency::{Command, ShardId, Stored};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);

impl Service {
    /// Registers the folder `root` and begins to scan it. A root that is registered already gives
    /// its source.
    ///
    /// # Errors
    /// [`ServiceError::Overlaps`], [`ServiceError::BadRequest`] for a root that is no folder with
    /// files or a name that does not fit, errors of the file system.
    pub fn add(&self, root: &[u8], name: Option<&str>) -> Result<SourceInfo, ServiceError> {
        self.check_running()?;
        let root = canonical(root)?;
        let mut registry = self.registry.lock();
        if let Some(known) = registry.sources().iter().find(|source| source.root == root) {
            return same_name(known, name);
        }
        let volume = volume(&root)?;
        check_overlap(&registry, &root, &volume)?;
        let info = registry.add(SourceKind::Volume, &root, name)?;
        self.catalogue.insert(self.new_shard(&info));
        drop(registry);
        self.load(&info, None);
        Ok(info)
    }

    /// Forgets a source, by name or root. One that is in memory is forgotten only by force; its index then
    /// leaves memory as soon as nobody reads it.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::InMemory`], errors of writing the list of sources.
    pub fn forget(&self, name_or_root: &[u8], force: bool) -> Result<Freed, ServiceError> {
        let mut registry = self.registry.lock();
        let known = registry.by_name_or_root(name_or_root).cloned();
        let source = known.ok_or_else(|| registry.unknown(name_or_root))?;
        let freed_bytes = self.resident_bytes(source.id);
        // The list first: what is on it is there again after a restart.
        let shard = self.catalogue.get(source.id);
        let tier = shard.as_ref().map(|shard| shard.view.tier);
        if let Some(tier) = tier.filter(|tier| *tier != Tier::Cold && !force) {
            return Err(ServiceError::InMemory { source_name: source.name, tier });
        }
        registry.remove(source.id)?;
        self.operate(&source, Command::Forget { shard: ShardId(source.id), force: true })?;
        if let Some(shard) = shard {
            shard.source.track.stop();
        }
        let snapshot_bytes = self.remove_snapshot(&source)?;
        Ok(Freed { source, freed_bytes, snapshot_bytes })
    }

    /// The registered sources, ordered by number.
    pub fn list(&self) -> Vec<SourceInfo> {
        self.catalogue.load().iter().map(|shard| shard.source.info.clone()).collect()
    }

    /// Scans sources anew, by name or root; all of them if none is named. Their present bodies serve
    /// meanwhile. A source that is being scanned is scanned once more after that.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`]; then nothing is begun.
    pub fn refresh(&self, names: &[Vec<u8>]) -> Result<Vec<SourceInfo>, ServiceError> {
        self.check_running()?;
        let sources = self.named(names)?;
        for source in &sources {
            self.operate(source, Command::Refresh(ShardId(source.id)))?;
        }
        Ok(sources)
    }

    /// Registers a first source if there is none: the root file system for the superuser, else the
    /// home directory. Gives the source it registered.
    ///
    /// # Errors
    /// As [`Service::add`]; [`ServiceError::BadRequest`] if no home directory is known.
    pub fn ensure_default_source(&self) -> Result<Option<SourceInfo>, ServiceError> {
        if !self.catalogue.load().is_empty() {
            return Ok(None);
        }
        if rustix::process::geteuid().is_root() {
            return self.add(b"/", None).map(Some);
        }
        let home = self.home().ok_or_else(|| ServiceError::BadRequest {
            field: "root",
            message: "no home directory is known".to_owned(),
            hint: "`hearth add PATH` names a folder to index".to_owned(),
        })?;
        self.add(&home, Some("home")).map(Some)
    }

    /// How far the running scan of a source came, by name or root; `None` if none runs.
    pub fn progress(&self, source: &str) -> Option<ScanProgress> {
        let id = self.id_of(source).ok()?;
        let shard = self.catalogue.get(id)?;
        shard.source.run.load().as_ref().map(|run| run.progress())
    }

    /// Waits until a source (by name or root) has been scanned and no scan of it runs or waits to begin.
    ///
    /// # Errors
    /// [`ServiceError::BuildFailed`] or [`ServiceError::OverBudget`] if the last scan failed,
    /// [`ServiceError::UnknownSource`] also if it is forgotten meanwhile, [`ServiceError::Cancelled`],
    /// [`ServiceError::TimedOut`], [`ServiceError::ShuttingDown`].
    pub fn wait_complete(&self, source: &str, cancel: &CancelToken) -> Result<(), ServiceError> {
        let id = self.id_of(source)?;
        let known = self.catalogue.get(id).is_some_and(|shard| shard.known.is_some());
        let mut _claim = (!known).then(|| self.driver.claim(id));
        loop {
            let seen = self.catalogue.changes();
            let Some(shard) = self.catalogue.get(id) else { return Err(self.unknown(source.as_bytes())) };
            if shard.view.health == Health::Failed {
                return Err(self.failure_of(&shard));
            }
            if shard.known.is_some() && !shard.is_busy() {
                return Ok(());
            }
            if shard.view.health == Health::Empty {
                // An operator took it out of memory before it was scanned.
                _claim = Some(self.driver.claim(id));
            }
            cancel.check()?;
            self.check_running()?;
            self.catalogue.wait_change(seen, CANCEL_POLL);
        }
    }

    /// Number of changes of any source's state so far.
    pub fn changes(&self) -> u64 {
        self.catalogue.changes()
    }

    /// Waits until there were more than `seen` changes or the time is over; gives their number.
    /// For whoever follows the states that [`Service::status`] shows.
    pub fn wait_change(&self, seen: u64, timeout: Duration) -> u64 {
        self.catalogue.wait_change(seen, timeout)
    }

    /// Makes every registered source known to the kernel, with what is there of it on disk.
    pub(crate) fn load_everything(&self) {
        let sources = self.registry.lock().sources().to_vec();
        let look = |info: &SourceInfo| {
            let mut shard = self.new_shard(info);
            let stored = self.look_for_snapshot(&mut shard);
            self.catalogue.insert(shard);
            stored
        };
        let stored: Vec<Option<Stored>> = sources.iter().map(look).collect();
        // What a crash left is looked at before it is removed, and removed before anything new is written.
        self.tidy_up_snapshots(&sources);
        sources.iter().zip(stored).for_each(|(info, stored)| self.load(info, stored));
    }

    /// A source that nothing is known of, as it is configured.
    fn new_shard(&self, info: &SourceInfo) -> Shard {
        let shard = Shard::new(info.clone());
        shard.source.journal.keep(self.config.history.changes);
        let entries = self.acts_kept();
        if entries > 0 {
            shard.source.history.keep(entries, walk::is_whole_volume(&info.root));
        }
        if self.config.watch.feed == FeedChoice::Off {
            self.live.leave_unwatched(&shard.source);
        }
        shard
    }

    fn load(&self, info: &SourceInfo, stored: Option<Stored>) {
        // A forecast alone is no reason to refuse a source: half the budget lets its scan begin.
        let most = self.driver.totals().budget_bytes / 2;
        self.driver.add(info.id, forecast::first_scan(&info.root, most), stored);
    }

    /// Error for a name or path that no source answers for.
    pub(crate) fn unknown(&self, wanted: &[u8]) -> ServiceError {
        self.registry.lock().unknown(wanted)
    }

    fn id_of(&self, source: &str) -> Result<u64, ServiceError> {
        let registry = self.registry.lock();
        let known = registry.by_name_or_root(source.as_bytes());
        known.map(|source| source.id).ok_or_else(|| registry.unknown(source.as_bytes()))
    }
}

/// The canonical path of a folder, as people see it.
fn canonical(root: &[u8]) -> Result<Vec<u8>, ServiceError> {
    let bad = |message: String| ServiceError::BadRequest {
        field: "root",
        message,
        hint: "name a folder by its absolute path".to_owned(),
    };
    if normalise(root).is_none() {
        return Err(bad(format!("{} is not an absolute path", lossy(root))));
    }
    let path = walk::path(root);
    let real = fs::canonicalize(path).map_err(|error| ServiceError::io("find", path, error))?;
    let meta = fs::metadata(&real).map_err(|error| ServiceError::io("look at", &real, error))?;
    if !meta.is_dir() {
        return Err(bad(format!("{} is not a folder", real.display())));
    }
    Ok(real.as_os_str().as_bytes().to_vec())
}

/// The mount that a folder is on; virtual file systems are refused.
fn volume(root: &[u8]) -> Result<Mount, ServiceError> {
    let mount = volume_of(walk::path(root)).map_err(|error| match error {
        ScanError::Denied { path } => ServiceError::PermissionDenied { path },
        error => ServiceError::BadRequest {
            field: "root",
            message: error.to_string(),
            hint: "see that the folder is on a mounted file system".to_owned(),
        },
    })?;
    if is_virtual(&mount.fs_type) {
        return Err(ServiceError::BadRequest {
            field: "root",
            message: format!("{} is on a virtual file system ({})", lossy(root), mount.fs_type),
            hint: "name a folder that holds files".to_owned(),
        });
    }
    Ok(mount)
}

/// A registered root that is asked for again keeps its name.
fn same_name(known: &SourceInfo, name: Option<&str>) -> Result<SourceInfo, ServiceError> {
    match name {
        Some(name) if name != known.name => Err(ServiceError::BadRequest {
            field: "name",
            message: format!("{} is already registered as {}", lossy(&known.root), known.name),
            hint: format!("`hearth forget {}` first to name it anew", known.name),
        }),
        _ => Ok(known.clone()),
    }
}

fn check_overlap(registry: &Registry, root: &[u8], volume: &Mount) -> Result<(), ServiceError> {
    for source in registry.sources() {
        let inner = |path: &[u8]| normalise(path).unwrap_or_default();
        let (new, old) = (inner(root), inner(&source.root));
        let relation = match (holds(&old, &new), holds(&new, &old)) {
            (true, _) => Overlap::Inside,
            (_, true) => Overlap::Around,
            _ => continue,
        };
        // A root that cannot be looked at now is taken to be where its path says.
        let same = volume_of(walk::path(&source.root)).map_or(true, |mount| mount.id == volume.id);
        if same {
            let (by, by_root) = (source.name.clone(), shown(&source.root).to_vec());
            return Err(ServiceError::Overlaps { root: root.to_vec(), by, by_root, relation });
        }
    }
    Ok(())
}
