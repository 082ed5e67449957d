//! Every operation of Hearth as one typed call.
//!
//! A [`Service`] holds the registered sources, scans them in the background and answers from what is
//! published at the instant of the question; see [`api`] for requests and answers. Calls block the
//! calling thread, may come from any number of threads and never wait for each other's answers. The
//! crate knows no wire format, and reads neither arguments nor environment variables of its own.

pub mod api;
mod asking;
mod catalogue;
mod clock;
pub mod config;
mod cursor;
mod doze;
mod driver;
mod du;
mod dupes;
mod error;
mod find;
mod forecast;
mod freshness;
mod hashing;
mod held;
mod history;
mod janitor;
mod journal;
mod leases;
mod live;
mod loader;
mod maker;
mod merge;
mod ntfs;
mod operator;
mod paths;
mod people;
mod pools;
mod pressure;
mod reading;
mod registry;
mod run;
mod saved;
mod selection;
mod snapshots;
mod sources;
mod stats;
mod status;
mod sync;
mod transitions;
mod walk;

pub use config::{Config, ConfigError};
pub use error::{Overlap, ServiceError};
// What answers hold of the index below, so that faces need no arrow past this crate.
pub use hearth_files::engine::{Explain, ExplainStep};
pub use hearth_files::index::{Body, RowId};
pub use janitor::Allocator;
pub use journal::{Watched, Watching};
pub use transitions::{Subscription, Waited};

use api::SnapshotMode;
use catalogue::Catalogue;
use driver::Driver;
use hearth_residency::Policy;
use hearth_snapshot::RealStorage;
use live::{Live, OwnFolders};
use loader::Loader;
use maker::Scanner;
use ntfs::{Disks, Media};
use parking_lot::Mutex;
use people::People;
use pools::Pools;
use pressure::{Alarm, Gauge, RootFolder, SystemAlarm};
use registry::Registry;
use snapshots::Snapshots;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use walk::Walk;

/// Where a service keeps what outlives it.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The list of sources and the machine key.
    pub state: PathBuf,
    /// Snapshots.
    pub cache: PathBuf,
    /// True beside another service on the same folders, which saves snapshots there: they are only read.
    pub shared: bool,
}

impl Folders {
    /// Both in one folder.
    pub fn under(folder: &Path) -> Self {
        Self { state: folder.join("state"), cache: folder.join("cache"), shared: false }
    }
}

/// The product: sources, their indexes, and every operation on them.
pub struct Service {
    config: Config,
    began: Instant,
    people: People,
    /// Also the lock of whoever adds or forgets sources.
    registry: Mutex<Registry>,
    catalogue: Arc<Catalogue>,
    pools: Arc<Pools>,
    snapshots: Option<Arc<Snapshots>>,
    snapshot_folder: PathBuf,
    driver: Driver,
    live: Arc<Live>,
    media: Arc<Media>,
    stopping: AtomicBool,
    queries: AtomicU64,
    notices: Vec<String>,
}

impl Service {
    /// Opens the service on its folders, which are made if they are missing, and begins to load or scan
    /// every registered source.
    ///
    /// # Errors
    /// The state folder cannot be used, the configuration holds a bad rule, threads cannot be started.
    pub fn open(config: Config, folders: &Folders) -> Result<Arc<Self>, ServiceError> {
        Self::open_with(config, folders, None)
    }

    /// As [`Service::open`], with the allocator of the process: what it holds counts against the budget,
    /// and it is told from a background thread when much memory has become free.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub fn open_with(
        config: Config,
        folders: &Folders,
        allocator: Option<Arc<dyn Allocator>>,
    ) -> Result<Arc<Self>, ServiceError> {
        let walk = Arc::new(Walk::new(&config.files)?);
        let pools = Arc::new(Pools::start(config.pool.query_threads)?);
        let (registry, notice) = Registry::open(&folders.state)?;
        if let Some(notice) = &notice {
            tracing::warn!("{notice}");
        }
        let catalogue = Arc::new(Catalogue::default());
        let media = Arc::new(Media::new(&folders.cache.join("scratch")));
        let scanner = Scanner {
            catalogue: Arc::clone(&catalogue),
            pools: Arc::clone(&pools),
            walk: Arc::clone(&walk),
            disks: Disks { media: Arc::clone(&media), pools: Arc::clone(&pools) },
        };
        let world = Arc::new(RootFolder::new("/"));
        let snapshot_folder = folders.cache.join("snapshots");
        let mut notices: Vec<String> = notice.into_iter().collect();
        let opened = Openings { folder: &snapshot_folder, pools: &pools, media: &media };
        let snapshots = open_snapshots(&config, folders, &opened, &mut notices)?;
        let own = OwnFolders::of(folders, &snapshot_folder);
        let live =
            Arc::new(Live::new(Arc::clone(&catalogue), walk, Arc::clone(&media), config.watch.clone(), own));
        let policy = policy(&config, &*world, snapshots.as_deref());
        tracing::info!(budget_bytes = policy.budget_bytes, "memory budget");
        let driver = Driver::start(driver::Parts {
            catalogue: Arc::clone(&catalogue),
            loader: Arc::new(Loader::new(
                Arc::clone(&catalogue),
                Box::new(scanner),
                snapshots.clone(),
                Some(Arc::clone(&live)),
            )),
            allocator,
            policy,
            alarm: config.pressure.enabled.then(|| alarm(&*world)).flatten(),
            gauge: config.pressure.enabled.then(|| Gauge::new(world)),
            poll: config.pressure.poll,
            wakeful: driver::WAKEFUL,
            stop_patience: driver::STOP_PATIENCE,
            snapshots: snapshots.clone().filter(|snapshots| snapshots.mode() == SnapshotMode::ReadWrite),
        })?;
        live.connect(driver.link());
        let service = Self {
            live,
            media,
            people: People::new(Path::new("/etc")),
            began: Instant::now(),
            registry: Mutex::new(registry),
            stopping: AtomicBool::new(false),
            queries: AtomicU64::new(0),
            notices,
            config,
            catalogue,
            pools,
            snapshots,
            snapshot_folder,
            driver,
        };
        service.load_everything();
        Ok(Arc::new(service))
    }

    /// The configuration that is in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the operator should know about how the service came up; empty if all went well.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Stops scans and background threads and waits for them. Bodies stay, so queries that run come to
    /// their end; nothing new is scanned or registered. Calling it again does nothing.
    pub fn shutdown(&self) {
        self.stopping.store(true, Ordering::Release);
        self.live.stop();
        self.driver.stop();
        self.catalogue.load().iter().for_each(|shard| shard.source.journal.end());
        self.catalogue.notify();
    }

    /// Refuses what would begin new work while the service stops.
    fn check_running(&self) -> Result<(), ServiceError> {
        if self.stopping.load(Ordering::Acquire) { Err(ServiceError::ShuttingDown) } else { Ok(()) }
    }

    /// Home directory: of the environment, else of the user that runs the service.
    fn home(&self) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt;
        let named = self.config.home.clone().map(PathBuf::into_os_string).map(OsStringExt::into_vec);
        let uid = rustix::process::getuid().as_raw();
        named.or_else(|| self.people.users().home(uid).map(<[u8]>::to_vec))
    }
}

/// What snapshots are opened with besides the configuration.
struct Openings<'a> {
    folder: &'a Path,
    pools: &'a Pools,
    media: &'a Arc<Media>,
}

/// The snapshots, unless they are switched off. A folder that cannot be used is something to know: everything
/// works without, only slower.
fn open_snapshots(
    config: &Config,
    folders: &Folders,
    opened: &Openings<'_>,
    notices: &mut Vec<String>,
) -> Result<Option<Arc<Snapshots>>, ServiceError> {
    if !config.snapshot.enabled {
        return Ok(None);
    }
    let Openings { folder, pools, media } = *opened;
    let opened = Snapshots::open(snapshots::Setup {
        storage: Box::new(RealStorage),
        config,
        folder: folder.to_owned(),
        state: folders.state.clone(),
        mode: if folders.shared { SnapshotMode::ReadOnly } else { SnapshotMode::ReadWrite },
        media: Arc::clone(media),
        load_pool: Arc::clone(&pools.build),
        save_pool: pools::for_saves()?,
    });
    match opened {
        Ok(snapshots) => Ok(Some(Arc::new(snapshots))),
        Err(error) => {
            let notice = format!("{}: {error}; indexes are not kept on disk", folder.display());
            tracing::warn!("{notice}");
            notices.push(notice);
            Ok(None)
        }
    }
}

/// What rings for memory pressure, where the system does.
fn alarm(world: &dyn pressure::MemoryWorld) -> Option<Box<dyn Alarm>> {
    let opened = SystemAlarm::open(world);
    let told = opened.inspect_err(|error| tracing::info!(%error, "memory pressure cannot be waited for"));
    told.ok().map(|alarm| Box::new(alarm) as Box<dyn Alarm>)
}

/// What the kernel decides by.
fn policy(config: &Config, world: &dyn pressure::MemoryWorld, snapshots: Option<&Snapshots>) -> Policy {
    let saves = snapshots.is_some_and(|snapshots| snapshots.mode() == SnapshotMode::ReadWrite);
    Policy {
        budget_bytes: config.memory.budget.unwrap_or_else(|| pressure::default_budget(world)),
        low_mark_percent: u8::try_from(config.memory.low_mark_percent).unwrap_or(u8::MAX),
        idle_hot: config.idle.hot,
        idle_warm: config.idle.warm,
        idle_parked: config.idle.parked,
        adaptive_cap: config.idle.adaptive_cap as f64,
        lanes: config.load.lanes,
        deadline: config.load.deadline,
        admission_wait: config.load.admission_wait,
        save_interval: saves.then_some(config.snapshot.interval),
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown();
    }
}
