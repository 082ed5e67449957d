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
mod du;
mod dupes;
mod error;
mod find;
mod freshness;
mod hashing;
mod lifecycle;
mod merge;
mod operator;
mod paths;
mod people;
mod pools;
mod reading;
mod registry;
mod run;
mod scanlane;
mod selection;
mod sources;
mod stats;
mod status;
mod walk;

pub use config::{Config, ConfigError};
pub use error::{Overlap, ServiceError};
// What answers hold of the index below, so that faces need no arrow past this crate.
pub use hearth_files::engine::{Explain, ExplainStep};
pub use hearth_files::index::{Body, RowId};
pub use lifecycle::MemoryHook;
pub use operator::Subscription;

use catalogue::Catalogue;
use lifecycle::Lifecycle;
use parking_lot::Mutex;
use people::People;
use pools::Pools;
use registry::Registry;
use scanlane::Queue;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;
use walk::Walk;

/// The product: sources, their indexes, and every operation on them.
pub struct Service {
    config: Config,
    began: Instant,
    people: People,
    /// Also the lock of whoever adds or forgets sources.
    registry: Mutex<Registry>,
    lifecycle: Arc<Lifecycle>,
    queue: Arc<Queue>,
    lanes: Mutex<Vec<JoinHandle<()>>>,
    stopping: AtomicBool,
    queries: AtomicU64,
    notices: Vec<String>,
}

impl Service {
    /// Opens the service on a state folder, which is made if it is missing, and begins to scan every
    /// registered source.
    ///
    /// # Errors
    /// The state folder cannot be used, the configuration holds a bad rule, threads cannot be started.
    pub fn open(config: Config, state_dir: &Path) -> Result<Arc<Self>, ServiceError> {
        Self::open_with(config, state_dir, None)
    }

    /// As [`Service::open`], with a function that is called from background threads whenever much
    /// memory may have become free, so that the allocator can give it back.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub fn open_with(
        config: Config,
        state_dir: &Path,
        on_memory_released: Option<MemoryHook>,
    ) -> Result<Arc<Self>, ServiceError> {
        let walk = Walk::new(&config.files)?;
        let pools = Arc::new(Pools::start(config.pool.query_threads)?);
        let (registry, notice) = Registry::open(state_dir)?;
        if let Some(notice) = &notice {
            tracing::warn!("{notice}");
        }
        let catalogue = Arc::new(Catalogue::default());
        let lifecycle =
            Arc::new(Lifecycle { catalogue, pools, walk, on_memory_released, runs: Mutex::default() });
        let queue = Arc::new(Queue::default());
        let lanes = scanlane::start(&queue, &lifecycle)?;
        let service = Self {
            people: People::new(Path::new("/etc")),
            began: Instant::now(),
            registry: Mutex::new(registry),
            lanes: Mutex::new(lanes),
            stopping: AtomicBool::new(false),
            queries: AtomicU64::new(0),
            notices: notice.into_iter().collect(),
            config,
            lifecycle,
            queue,
        };
        service.scan_everything();
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
        self.queue.stop();
        self.lifecycle.cancel(None);
        for lane in self.lanes.lock().drain(..) {
            // A lane catches the panics of its work; one of its own has nothing left to tell.
            let _ = lane.join();
        }
        self.lifecycle.catalogue.notify();
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

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown();
    }
}
