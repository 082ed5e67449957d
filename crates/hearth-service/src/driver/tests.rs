//! Tests of the driver over makers that do what a test says: they make tiny bodies, wait, panic, hang,
//! do not stop. Threads are led by gates, not by time.

mod attempts;
mod idle;
#[cfg(feature = "shuttle")]
mod interleavings;
mod memory;
mod stopping;

use super::*;
use crate::api::{ScanOutcome, SourceInfo, SourceKind};
use crate::catalogue::{Shard, Source};
use crate::forecast::working_bytes;
use crate::loader::Loader;
use crate::maker::{Failure, Made, Maker};
use crate::run::ScanRun;
use hearth_core::{CancelToken, EntryKind};
use hearth_files::digest::Digest;
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Root};
use hearth_residency::{Health, Tier, View};
use parking_lot::Condvar;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// No test waits longer for anything.
const LONG: Duration = Duration::from_secs(60);
/// Expected of every first make; one of no entries needs as much.
const FORECAST: u64 = 2 << 20;

/// A maker that does what it is told.
struct Scripted<F>(F);

impl<F> Maker for Scripted<F>
where
    F: Fn(&Source, &ScanRun) -> Result<Made, Failure> + Send + Sync,
{
    fn make(&self, source: &Source, run: &ScanRun, _partial: bool) -> Result<Made, Failure> {
        self.0(source, run)
    }
}

/// A body of this many files.
pub(crate) fn made(source: &Source, run: &ScanRun, files: u64) -> Made {
    static POOL: LazyLock<rayon::ThreadPool> =
        LazyLock::new(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap());
    let mut chunk = Chunk::default();
    for file in 0..files {
        let name = format!("{}-{file}", source.info.name);
        chunk.push(0, NOT_A_DIR, name.as_bytes(), Meta::unknown(EntryKind::File, file + 2));
    }
    let root = Root { path: source.root.clone(), meta: Meta::unknown(EntryKind::Dir, 1) };
    let body = Body::build(&root, &[Arc::new(chunk)], &POOL, &CancelToken::new()).unwrap();
    let outcome = ScanOutcome { entries: files, ..ScanOutcome::default() };
    Made {
        digest: Arc::new(Digest::of(&body)),
        body: Arc::new(body),
        began: run.began,
        began_ns: run.began_ns,
        made_ns: clock::now_ns(),
        built_in: Duration::ZERO,
        device: 0,
        closed: Arc::default(),
        compared: true,
        behind: false,
        folded: false,
        peak_bytes: working_bytes(files),
        outcome,
    }
}

/// Waits as a scan does that was told to stop.
fn until_cancelled(run: &ScanRun) -> Result<Made, Failure> {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        run.cancel.check()?;
        thread::sleep(Duration::from_millis(2));
    }
    Err(Failure::Failed("was never told to stop".to_owned()))
}

/// Holds up whoever comes to it until it is opened, and counts them.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    came: AtomicUsize,
}

impl Gate {
    fn pass(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        let (mut open, until) = (self.open.lock(), Instant::now() + LONG);
        while !*open && !self.opened.wait_until(&mut open, until).timed_out() {}
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }
}

/// A driver over a scripted maker. Sources are named by their numbers.
struct Bench {
    driver: Driver,
    catalogue: Arc<Catalogue>,
}

impl Bench {
    fn new<F>(policy: Policy, make: F) -> Self
    where
        F: Fn(&Source, &ScanRun) -> Result<Made, Failure> + Send + Sync + 'static,
    {
        Self::with(policy, make, |_| {})
    }

    fn with<F>(mut policy: Policy, make: F, change: impl FnOnce(&mut Parts)) -> Self
    where
        F: Fn(&Source, &ScanRun) -> Result<Made, Failure> + Send + Sync + 'static,
    {
        let catalogue = Arc::new(Catalogue::default());
        let loader = Arc::new(Loader::new(Arc::clone(&catalogue), Box::new(Scripted(make)), None, None));
        policy.save_interval = None;
        let mut parts = Parts {
            catalogue: Arc::clone(&catalogue),
            loader,
            allocator: None,
            policy,
            gauge: None,
            alarm: None,
            poll: Duration::from_millis(5),
            wakeful: Duration::from_millis(50),
            stop_patience: LONG,
            snapshots: None,
        };
        change(&mut parts);
        Self { driver: Driver::start(parts).unwrap(), catalogue }
    }

    fn add(&self, id: u64) {
        let root = format!("/{id}").into_bytes();
        let info = SourceInfo { id, name: id.to_string(), kind: SourceKind::Volume, root };
        self.catalogue.insert(Shard::new(info));
        self.driver.add(id, FORECAST, None);
    }

    /// Adds sources, one after the other has a body.
    fn add_made(&self, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            self.add(id);
            self.until("it is made", || self.view(id).health == Health::Fresh);
        }
    }

    fn shard(&self, id: u64) -> Arc<Shard> {
        self.catalogue.get(id).unwrap()
    }

    fn view(&self, id: u64) -> View {
        self.shard(id).view.clone()
    }

    fn tiers(&self, ids: impl IntoIterator<Item = u64>) -> Vec<Tier> {
        ids.into_iter().map(|id| self.view(id).tier).collect()
    }

    fn operate(&self, command: Command) -> Result<(), Refusal> {
        self.driver.operate(command).expect("the driver runs")
    }

    /// Waits until something holds.
    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + LONG;
        while !holds() {
            assert!(Instant::now() < until, "never: {what}; {:?}", self.driver.totals());
            self.catalogue.wait_change(self.catalogue.changes(), Duration::from_millis(3));
        }
    }

    /// Waits until no attempt is in flight.
    #[track_caller]
    fn until_idle(&self) {
        self.until("every attempt ended", || self.driver.totals().attempts == 0);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.driver.stop();
    }
}
