//! What the service holds at this instant: every source with its state and its index body.
//!
//! The catalogue is immutable and published by pointer swap. A reader loads it once and works on
//! that instant, whatever is published meanwhile; it never takes a lock. Writers change one source
//! at a time under a lock and wake whoever waits for a change. Generations of a source only grow.

use crate::api::{Health, LoadReason, ScanOutcome, SnapshotFile, SourceInfo};
use crate::doze::Doze;
use crate::held::Hold;
use crate::history::History;
use crate::journal::Journal;
use crate::leases::Leases;
use crate::live::Track;
use crate::ntfs::DiskTrack;
use crate::run::ScanRun;
use crate::sync::{ArcSwap, Condvar, Mutex};
use arc_swap::ArcSwapOption;
use hearth_core::UnixNanos;
use hearth_files::digest::Digest;
use hearth_files::index::Body;
use hearth_residency::View;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A source's identity and the few things of it that change without a publication.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) info: SourceInfo,
    /// The root without trailing slash, as index bodies have it.
    pub(crate) root: Vec<u8>,
    /// What changed, and who follows it.
    pub(crate) journal: Journal,
    /// The scan that runs now.
    pub(crate) run: ArcSwapOption<ScanRun>,
    /// Whether a query already waited in vain for a first body.
    pub(crate) waited: AtomicBool,
    /// Who did what, as far as the feed tells.
    pub(crate) history: History,
    /// How its body is kept up to it.
    pub(crate) track: Track,
    /// How far its bodies follow their NTFS volume.
    pub(crate) disk: DiskTrack,
    queries: AtomicU64,
    last_query_ns: AtomicI64,
}

impl Source {
    pub(crate) fn new(info: SourceInfo) -> Self {
        let root = if info.root == b"/" { Vec::new() } else { info.root.clone() };
        Self {
            journal: Journal::new(&info),
            info,
            root,
            run: ArcSwapOption::empty(),
            waited: AtomicBool::new(false),
            history: History::default(),
            track: Track::default(),
            disk: DiskTrack::default(),
            queries: AtomicU64::new(0),
            last_query_ns: AtomicI64::new(0),
        }
    }

    /// Notes that a query read this source.
    fn touch(&self, now_ns: UnixNanos) {
        self.last_query_ns.fetch_max(now_ns, Ordering::Relaxed);
        // In one order with the sleep of the driver; see `doze`.
        self.queries.fetch_add(1, Ordering::SeqCst);
    }

    /// Queries that read this source, and when the last one did.
    pub(crate) fn queries(&self) -> (u64, Option<UnixNanos>) {
        let last = self.last_query_ns.load(Ordering::Relaxed);
        (self.queries.load(Ordering::SeqCst), (last != 0).then_some(last))
    }
}

/// A folder that is a row and whose content is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Absolute path.
    pub(crate) path: Vec<u8>,
    /// Why, in words.
    pub(crate) why: String,
}

/// A published body and when it was true.
pub(crate) struct Published {
    pub(crate) body: Arc<Body>,
    /// 0 = of a scan that has not ended.
    pub(crate) generation: u64,
    /// When the scan began: changes before that are in the body.
    pub(crate) began: Instant,
    /// The same by the wall clock.
    pub(crate) began_ns: UnixNanos,
    /// When it was made; tells it from every other body of the source, also after a restart.
    pub(crate) made_ns: UnixNanos,
    /// When it was published.
    pub(crate) at: Instant,
    /// How long the index was being built.
    pub(crate) built_in: Duration,
    /// Device the root was on.
    pub(crate) device: u64,
    /// Folders that the scan did not enter; empty while it runs.
    pub(crate) closed: Arc<[Closed]>,
    /// How the scan went, as far as it is over.
    pub(crate) outcome: Arc<ScanOutcome>,
    /// False if it was read from disk and has not been compared with the source since.
    pub(crate) compared: AtomicBool,
    /// Tells when the last reader has let go of the body; nobody is told of a partial one.
    pub(crate) _hold: Option<Hold>,
}

impl Published {
    /// Whether the scan had ended.
    pub(crate) fn complete(&self) -> bool {
        self.generation > 0
    }

    /// Whether it was made from the source, or compared with it.
    pub(crate) fn is_compared(&self) -> bool {
        self.compared.load(Ordering::Acquire)
    }

    /// What stays known of it.
    pub(crate) fn known(&self) -> Known {
        Known {
            generation: self.generation,
            began: self.began,
            made_ns: self.made_ns,
            rows: self.body.entries(),
            compared: self.is_compared(),
        }
    }
}

/// What stays known of a body when it is out of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) generation: u64,
    pub(crate) began: Instant,
    pub(crate) made_ns: UnixNanos,
    pub(crate) rows: u64,
    /// As of [`Published`].
    pub(crate) compared: bool,
}

/// The state of one source at one instant.
#[derive(Clone)]
pub(crate) struct Shard {
    pub(crate) source: Arc<Source>,
    /// What the kernel says of it.
    pub(crate) view: View,
    /// The whole body, if it is in memory.
    pub(crate) published: Option<Arc<Published>>,
    /// What a first scan has found so far, if somebody asked.
    pub(crate) partial: Option<Arc<Published>>,
    /// What can prove that something is not there, also while the body is out of memory.
    pub(crate) digest: Option<Arc<Digest>>,
    /// The last whole body, in memory or not.
    pub(crate) known: Option<Known>,
    pub(crate) last_scan: Option<Arc<ScanOutcome>>,
    pub(crate) last_good_ns: Option<UnixNanos>,
    /// The snapshot that can be loaded.
    pub(crate) snapshot: Option<SnapshotFile>,
    /// What came of the last look for one.
    pub(crate) load_reason: Option<Arc<LoadReason>>,
}

impl Shard {
    /// A source that nothing is known of.
    pub(crate) fn new(info: SourceInfo) -> Self {
        Self {
            source: Arc::new(Source::new(info)),
            view: View::default(),
            published: None,
            partial: None,
            digest: None,
            known: None,
            last_scan: None,
            last_good_ns: None,
            snapshot: None,
            load_reason: None,
        }
    }

    /// Number of the source.
    pub(crate) fn id(&self) -> u64 {
        self.source.info.id
    }

    /// The body that answers now, if there is one.
    pub(crate) fn answering(&self) -> Option<&Arc<Published>> {
        self.published.as_ref().or(self.partial.as_ref())
    }

    /// True if a body is being made or waits to be.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.view.health, Health::Loading | Health::Rebuilding)
    }

    /// The same, keeping no body in memory.
    pub(crate) fn without_body(&self) -> Self {
        Self { published: None, partial: None, ..self.clone() }
    }

    /// The last failure in words, if the last attempt failed.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.view.last_failure.as_ref().map(ToString::to_string)
    }
}

/// Every source at one instant, ordered by number.
pub(crate) type Shards = Vec<Arc<Shard>>;

/// The published state of all sources.
#[derive(Default)]
pub(crate) struct Catalogue {
    shards: ArcSwap<Shards>,
    /// Bodies that pages go on in.
    pub(crate) leases: Leases,
    /// How the driver is told of queries.
    pub(crate) doze: Doze,
    /// Number of changes so far; also the writers' lock.
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Catalogue {
    /// The sources now.
    pub(crate) fn load(&self) -> Arc<Shards> {
        self.shards.load_full()
    }

    /// One source now.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Shard>> {
        self.shards.load().iter().find(|shard| shard.id() == id).cloned()
    }

    /// Notes that a query read a source.
    pub(crate) fn touch(&self, source: &Source, now_ns: UnixNanos) {
        source.touch(now_ns);
        self.doze.interrupt();
    }

    /// Adds a source.
    pub(crate) fn insert(&self, shard: Shard) {
        self.write(|shards| {
            let at = shards.partition_point(|known| known.id() < shard.id());
            shards.insert(at, Arc::new(shard));
        });
    }

    /// Changes one source and returns what it became; `None` if it was forgotten meanwhile.
    pub(crate) fn update(&self, id: u64, change: impl FnOnce(&mut Shard)) -> Option<Arc<Shard>> {
        self.write(|shards| {
            let shard = shards.iter_mut().find(|shard| shard.id() == id)?;
            change(Arc::make_mut(shard));
            Some(Arc::clone(shard))
        })
    }

    /// Number of changes so far.
    pub(crate) fn changes(&self) -> u64 {
        *self.changes.lock()
    }

    /// Waits until there were more than `seen` changes or time is over; returns their number.
    pub(crate) fn wait_change(&self, seen: u64, timeout: Duration) -> u64 {
        let mut changes = self.changes.lock();
        let until = Instant::now() + timeout;
        while *changes <= seen && !self.changed.wait_until(&mut changes, until).timed_out() {}
        *changes
    }

    /// Wakes everybody who waits for a change.
    pub(crate) fn notify(&self) {
        self.write(|_| ());
    }

    /// Changes any of the sources in one publication.
    pub(crate) fn write<R>(&self, change: impl FnOnce(&mut Shards) -> R) -> R {
        let mut changes = self.changes.lock();
        let mut shards = Vec::clone(&self.shards.load());
        let result = change(&mut shards);
        self.shards.store(Arc::new(shards));
        *changes += 1;
        self.changed.notify_all();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SourceKind;
    use std::io::Write;
    use std::thread;

    fn info(id: u64) -> SourceInfo {
        SourceInfo {
            id,
            name: format!("s{id}"),
            kind: SourceKind::Volume,
            root: format!("/s{id}").into_bytes(),
        }
    }

    #[test]
    fn a_reader_keeps_its_instant() {
        let catalogue = Catalogue::default();
        catalogue.insert(Shard::new(info(1)));
        let before = catalogue.load();
        catalogue.update(1, |shard| shard.view.health = Health::Loading);
        assert_eq!(before[0].view.health, Health::Empty);
        assert_eq!(catalogue.load()[0].view.health, Health::Loading);
    }

    #[test]
    fn a_forgotten_source_is_not_brought_back() {
        let catalogue = Catalogue::default();
        catalogue.insert(Shard::new(info(1)));
        catalogue.insert(Shard::new(info(2)));
        catalogue.write(|shards| shards.retain(|shard| shard.id() != 1));
        assert!(catalogue.update(1, |shard| shard.view.failures = 9).is_none());
        assert_eq!(catalogue.load().len(), 1);
    }

    #[test]
    fn waiting_ends_with_a_change_or_in_time() {
        let catalogue = Catalogue::default();
        let seen = catalogue.changes();
        assert_eq!(catalogue.wait_change(seen, Duration::from_millis(1)), seen);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| catalogue.wait_change(seen, Duration::from_secs(600)));
            catalogue.insert(Shard::new(info(1)));
            assert!(waiter.join().unwrap() > seen);
        });
    }

    /// A figure, not a rule: prints what `scripts/bench` puts into its tables.
    #[test]
    #[ignore = "measures; run it in release mode"]
    fn cost_of_a_read() {
        const READS: u32 = 10_000_000;
        let catalogue = Catalogue::default();
        (0..1000).for_each(|id| catalogue.insert(Shard::new(info(id))));
        let stop = AtomicBool::new(false);
        for writers in [0, 1] {
            stop.store(false, Ordering::Relaxed);
            let took = thread::scope(|scope| {
                for _ in 0..writers {
                    scope.spawn(|| {
                        while !stop.load(Ordering::Relaxed) {
                            catalogue.update(7, |shard| shard.view.failures += 1);
                            thread::sleep(Duration::from_micros(100));
                        }
                    });
                }
                let began = Instant::now();
                for _ in 0..READS {
                    std::hint::black_box(catalogue.load());
                }
                let took = began.elapsed();
                stop.store(true, Ordering::Relaxed);
                took
            });
            let text = format!(
                "catalogue read, 1 000 shards, {writers} writers: {} ns",
                took.as_nanos() / u128::from(READS)
            );
            writeln!(std::io::stdout(), "{text}").unwrap();
        }
    }
}
