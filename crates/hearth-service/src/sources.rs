//! Registering sources: add, forget, list, refresh, and waiting for a scan.
//!
//! A root is registered under its canonical path. Two sources never hold the same entries: a folder
//! on the same volume as a registered root, inside it or around it, is refused and the source that
//! overlaps is named. Volumes are told apart by their mount, as the scanner does.

use crate::Service;
use crate::api::{ScanProgress, SourceInfo};
use crate::asking::build_failed;
use crate::error::{Overlap, ServiceError, lossy};
use crate::lifecycle;
use crate::paths::{holds, normalise, shown};
use crate::registry::Registry;
use crate::walk;
use hearth_core::CancelToken;
use hearth_files::scan::{Mount, ScanError, is_virtual, volume_of};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

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
        let info = registry.add(&root, name)?;
        self.lifecycle.catalogue.insert(info.clone());
        drop(registry);
        self.queue.ask(info.id, Instant::now());
        Ok(info)
    }

    /// Forgets a source, by name or root; its index leaves memory as soon as nobody reads it.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], errors of writing the list of sources.
    pub fn forget(&self, name_or_root: &[u8], _force: bool) -> Result<crate::api::Freed, ServiceError> {
        let mut registry = self.registry.lock();
        let known = registry.by_name_or_root(name_or_root).cloned();
        let info = known.ok_or_else(|| registry.unknown(name_or_root))?;
        registry.remove(info.id)?;
        let gone = self.lifecycle.catalogue.remove(info.id);
        drop(registry);
        self.queue.withdraw(info.id);
        self.lifecycle.cancel(Some(info.id));
        drop(gone);
        if let Some(hook) = &self.lifecycle.on_memory_released {
            hook();
        }
        Ok(crate::api::Freed { source: info, freed_bytes: 0 })
    }

    /// The registered sources, ordered by number.
    pub fn list(&self) -> Vec<SourceInfo> {
        self.lifecycle.catalogue.load().iter().map(|shard| shard.source.info.clone()).collect()
    }

    /// Scans sources anew, by name or root; all of them if none is named. Their present bodies serve
    /// meanwhile. A source that is being scanned is scanned once more after that.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`]; then nothing is begun.
    pub fn refresh(&self, names: &[String]) -> Result<Vec<SourceInfo>, ServiceError> {
        self.check_running()?;
        let registry = self.registry.lock();
        let find = |name: &String| {
            let known = registry.by_name_or_root(name.as_bytes()).cloned();
            known.ok_or_else(|| registry.unknown(name.as_bytes()))
        };
        let wanted: Vec<SourceInfo> = match names {
            [] => registry.sources().to_vec(),
            names => names.iter().map(find).collect::<Result<_, _>>()?,
        };
        drop(registry);
        wanted.iter().for_each(|source| self.scan_again(source.id));
        Ok(wanted)
    }

    /// Registers a first source if there is none: the root file system for the superuser, else the
    /// home directory. Gives the source it registered.
    ///
    /// # Errors
    /// As [`Service::add`]; [`ServiceError::BadRequest`] if no home directory is known.
    pub fn ensure_default_source(&self) -> Result<Option<SourceInfo>, ServiceError> {
        if !self.lifecycle.catalogue.load().is_empty() {
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
        let shard = self.lifecycle.catalogue.get(id)?;
        shard.source.run.load().as_ref().map(|run| run.progress())
    }

    /// Waits until no scan of a source (by name or root) runs or waits to begin.
    ///
    /// # Errors
    /// [`ServiceError::BuildFailed`] if the last scan failed, [`ServiceError::UnknownSource`] also if
    /// it is forgotten meanwhile, [`ServiceError::Cancelled`], [`ServiceError::TimedOut`],
    /// [`ServiceError::ShuttingDown`].
    pub fn wait_complete(&self, source: &str, cancel: &CancelToken) -> Result<(), ServiceError> {
        let id = self.id_of(source)?;
        let catalogue = &self.lifecycle.catalogue;
        loop {
            let seen = catalogue.changes();
            let Some(shard) = catalogue.get(id) else {
                return Err(self.registry.lock().unknown(source.as_bytes()));
            };
            if !shard.is_busy() {
                return if shard.last_error.is_some() { Err(build_failed(&shard)) } else { Ok(()) };
            }
            cancel.check()?;
            self.check_running()?;
            catalogue.wait_change(seen, CANCEL_POLL);
        }
    }

    /// Number of changes of any source's state so far.
    pub fn changes(&self) -> u64 {
        self.lifecycle.catalogue.changes()
    }

    /// Waits until there were more than `seen` changes or the time is over; gives their number.
    /// For whoever follows the states that [`Service::status`] shows.
    pub fn wait_change(&self, seen: u64, timeout: Duration) -> u64 {
        self.lifecycle.catalogue.wait_change(seen, timeout)
    }

    /// Puts every registered source into the catalogue and the queue.
    pub(crate) fn scan_everything(&self) {
        for info in self.registry.lock().sources() {
            self.lifecycle.catalogue.insert(info.clone());
            self.queue.ask(info.id, Instant::now());
        }
    }

    fn scan_again(&self, id: u64) {
        // Asked for while the state changes: whoever ends a scan of it sees both or neither.
        self.lifecycle.catalogue.update(id, |shard| {
            lifecycle::start(shard);
            self.queue.ask(id, Instant::now());
        });
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
