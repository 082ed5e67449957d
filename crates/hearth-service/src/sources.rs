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
use crate::ntfs::{OpenError, Spot};
use crate::paths::{holds, normalise, shown};
use crate::registry::Registry;
use crate::walk;
use hearth_core::CancelToken;
use hearth_files::scan::{Mount, ScanError, is_virtual, volume_of};
use hearth_residency::{Command, ShardId, Stored};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
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

    /// Registers the NTFS volumes of a disk or image (`PATH`, or `PATH#PARTITION` for one of several) and begins to read them:
    /// all that are there, in the order of their partitions. What is registered already is among them.
    ///
    /// # Errors
    /// [`ServiceError::BadRequest`] where there is no such volume, or a name for more than one; errors of reading.
    pub fn add_disk(
        &self,
        root: &[u8],
        name: Option<&str>,
        cancel: &CancelToken,
    ) -> Result<Vec<SourceInfo>, ServiceError> {
        self.check_running()?;
        let spots = self.media.spots(&located(root)?, cancel).map_err(|error| refused(root, error))?;
        if spots.len() > 1 && name.is_some() {
            return Err(ServiceError::BadRequest {
                field: "name",
                message: format!(
                    "{} holds {} NTFS volumes, and one name was given",
                    lossy(root),
                    spots.len()
                ),
                hint: format!("add them one by one, beginning with {}", lossy(&spots[0].root())),
            });
        }
        spots.iter().map(|spot| self.add_volume_of(spot, name)).collect()
    }

    fn add_volume_of(&self, spot: &Spot, name: Option<&str>) -> Result<SourceInfo, ServiceError> {
        let root = spot.root();
        let mut registry = self.registry.lock();
        if let Some(known) = registry.sources().iter().find(|source| source.root == root) {
            return same_name(known, name);
        }
        let info = registry.add(SourceKind::Ntfs, &root, name)?;
        self.catalogue.insert(self.new_shard(&info));
        drop(registry);
        self.load(&info, None);
        Ok(info)
    }

    /// What kind of source a path would be: what is no folder is a disk, an image or a part of one.
    pub fn kind_of(&self, path: &[u8]) -> SourceKind {
        match fs::metadata(walk::path(path)) {
            Ok(meta) if meta.is_dir() => SourceKind::Volume,
            Ok(_) => SourceKind::Ntfs,
            Err(_) if Spot::of(path).partition.is_some() => SourceKind::Ntfs,
            Err(_) => SourceKind::Volume,
        }
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
        let mut snapshot_bytes = self.give_up(&source)?;
        let mut freed_bytes = freed_bytes;
        if let Some(companion) = self.companion(&source) {
            freed_bytes += self.resident_bytes(companion.id);
            snapshot_bytes += self.give_up(&companion)?;
        }
        Ok(Freed { source, freed_bytes, snapshot_bytes })
    }

    /// Takes a source that is on the list no more out of memory and its snapshot off the disk; gives the length of that.
    fn give_up(&self, source: &SourceInfo) -> Result<u64, ServiceError> {
        let shard = self.catalogue.get(source.id);
        self.operate(source, Command::Forget { shard: ShardId(source.id), force: true })?;
        if let Some(shard) = shard {
            shard.source.track.stop();
        }
        self.remove_snapshot(source)
    }

    /// The registered sources, ordered by number.
    pub fn list(&self) -> Vec<SourceInfo> {
        self.catalogue.listed().iter().map(|shard| shard.source.info.clone()).collect()
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
    pub(crate) fn new_shard(&self, info: &SourceInfo) -> Shard {
        let shard = Shard::new(info.clone());
        shard.source.journal.keep(self.config.history.changes);
        let entries = self.acts_kept();
        if entries > 0 {
            let tells = info.kind == SourceKind::Volume;
            shard.source.history.keep(entries, tells && walk::is_whole_volume(&info.root));
        }
        if self.config.watch.feed == FeedChoice::Off {
            self.live.leave_unwatched(&shard.source);
        }
        shard
    }

    pub(crate) fn load(&self, info: &SourceInfo, stored: Option<Stored>) {
        // A forecast alone is no reason to refuse a source: half the budget lets its scan begin.
        let most = self.driver.totals().budget_bytes / 2;
        let forecast = match info.kind {
            SourceKind::Volume => forecast::first_scan(&info.root, most),
            SourceKind::Ntfs | SourceKind::NtfsDeleted => self.media.first_read(&info.root).min(most),
        };
        self.driver.add(info.id, forecast, stored);
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

/// Where a disk or image is, by its absolute path. The name of a device is kept as it was given: which disk is `sda` may be
/// another one tomorrow, what stands in `/dev/disk` is not.
fn located(root: &[u8]) -> Result<Spot, ServiceError> {
    let bad = |message: String| ServiceError::BadRequest {
        field: "root",
        message,
        hint: "name a disk or an image by its absolute path".to_owned(),
    };
    let root = normalise(root).ok_or_else(|| bad(format!("{} is not an absolute path", lossy(root))))?;
    let spot = Spot::of(&root);
    let meta = fs::metadata(&spot.file).map_err(|error| ServiceError::io("look at", &spot.file, error))?;
    if meta.file_type().is_block_device() {
        return Ok(spot);
    }
    let file = fs::canonicalize(&spot.file).map_err(|error| ServiceError::io("find", &spot.file, error))?;
    Ok(Spot { file, ..spot })
}

/// Why a disk is not added.
fn refused(root: &[u8], error: OpenError) -> ServiceError {
    if let OpenError::Cancelled(cancelled) = error {
        return cancelled.into();
    }
    if error.is_denied() {
        return ServiceError::PermissionDenied { path: walk::path(root).to_owned() };
    }
    ServiceError::BadRequest {
        field: "root",
        message: error.to_string(),
        hint: "`hearth ntfs info PATH` says what is there".to_owned(),
    }
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
    // What an image holds is nowhere else.
    for source in registry.sources().iter().filter(|source| source.kind == SourceKind::Volume) {
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
