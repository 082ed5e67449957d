//! How a source comes to a body: scan, build, publish, and what happens when that fails.
//!
//! ```text
//! empty ──▶ loading ──▶ fresh ──▶ rebuilding ──▶ fresh
//!              │                      │
//!              └──────▶ failed ◀──────┘        (back-off, then again)
//! ```
//!
//! The last good body serves through every state. A panic in scan or build is a failed attempt of
//! that source. A cancelled attempt publishes nothing, and a partial body never replaces a whole one.

use crate::api::{Health, ScanOutcome};
use crate::catalogue::{Catalogue, Published, Shard, Source};
use crate::clock;
use crate::pools::Pools;
use crate::run::{self, ScanRun, millis};
use crate::walk::{self, Walk};
use hearth_core::Cancelled;
use hearth_files::index::{Body, BuildError, Root};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// Waits between attempts of a source that fails; the last one repeats.
const BACK_OFF_S: [u64; 5] = [30, 60, 120, 300, 600];

/// Called when much memory may have become free.
pub type MemoryHook = Arc<dyn Fn() + Send + Sync>;

/// How an attempt ended without a body.
pub(crate) enum Failure {
    /// Somebody stopped it.
    Cancelled,
    /// It did not work, in words.
    Failed(String),
}

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Failure::Cancelled
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Cancelled(_) => Failure::Cancelled,
            error => Failure::Failed(error.to_string()),
        }
    }
}

/// Tells whether another attempt has been asked for meanwhile. Asked while the catalogue is being
/// changed, so that whoever asks for an attempt and then marks the source is never overruled.
pub(crate) type Again<'a> = &'a dyn Fn() -> bool;

/// What is wanted after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    Rest,
    /// Another attempt at this time.
    Retry(Instant),
}

/// Brings sources to bodies and publishes them.
pub(crate) struct Lifecycle {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) walk: Walk,
    pub(crate) on_memory_released: Option<MemoryHook>,
    /// Runs that have begun and not ended, so that shutting down can stop them.
    pub(crate) runs: Mutex<Vec<(u64, Arc<ScanRun>)>>,
}

impl Lifecycle {
    /// Scans a source and publishes what it holds.
    pub(crate) fn attempt(&self, id: u64, again: Again<'_>) -> Next {
        let Some((shard, run)) = self.begin(id) else { return self.end(id, Next::Rest) };
        log(&shard, "scan");
        let outcome = catch_unwind(AssertUnwindSafe(|| self.scan_and_build(&shard, &run)));
        shard.source.run.store(None);
        drop(run.drain_chunks());
        // It holds the body that is about to be replaced, which must be gone when memory is given back.
        drop(shard);
        let outcome = outcome.unwrap_or_else(|panic| Err(Failure::Failed(describe_panic(&*panic))));
        let next = match outcome {
            Ok((published, scanned)) => self.publish(id, published, scanned, again),
            Err(Failure::Cancelled) => Next::Rest,
            Err(Failure::Failed(reason)) => self.fail(id, &reason, again),
        };
        self.end(id, next)
    }

    /// Stops the running attempt of a source; of all sources without a number.
    pub(crate) fn cancel(&self, id: Option<u64>) {
        let runs = self.runs.lock();
        for (_, run) in runs.iter().filter(|(of, _)| id.is_none_or(|id| id == *of)) {
            run.cancel.cancel();
        }
    }

    fn begin(&self, id: u64) -> Option<(Arc<Shard>, Arc<ScanRun>)> {
        let run = Arc::new(ScanRun::new(clock::now_ns()));
        // Registered before the catalogue is asked: whoever forgets the source after that finds the run.
        self.runs.lock().push((id, Arc::clone(&run)));
        // Before the state changes, so that whoever sees a source loading finds its scan.
        self.catalogue.get(id)?.source.run.store(Some(Arc::clone(&run)));
        Some((self.catalogue.update(id, start)?, run))
    }

    fn end(&self, id: u64, next: Next) -> Next {
        self.runs.lock().retain(|(of, _)| *of != id);
        if let Some(hook) = &self.on_memory_released {
            hook();
        }
        next
    }

    fn scan_and_build(&self, shard: &Shard, run: &ScanRun) -> Result<(Published, ScanOutcome), Failure> {
        let source = &shard.source;
        let place = walk::look(&source.info.root).map_err(Failure::Failed)?;
        let root = Root { path: source.root.clone(), meta: place.meta };
        let partial = !shard.is_complete();
        let walked = thread::scope(|scope| {
            let _closing = Closing(run);
            if partial {
                let name = format!("hearth-partial-{}", source.info.id);
                let build = || self.serve_wishes(source, &root, place.device, run);
                let _ = thread::Builder::new().name(name).spawn_scoped(scope, build);
            }
            self.walk.scan(&source.info.root, run)
        })?;
        let root = Root { meta: walked.root_meta, ..root };
        let building = Instant::now();
        let body = {
            let chunks = run.drain_chunks();
            Body::build(&root, &chunks, &self.pools.build, &run.cancel)?
        };
        run.cancel.check()?;
        let body = published(body, run, place.device, true, building.elapsed());
        let outcome = ScanOutcome { build_ms: millis(body.built_in), ..walked.outcome };
        Ok((Published { skipped: walked.skipped, ..body }, outcome))
    }

    /// Builds bodies of what is there for as long as the scan runs and queries ask.
    fn serve_wishes(&self, source: &Source, root: &Root, device: u64, run: &ScanRun) {
        while run.wait_wish() {
            let build = AssertUnwindSafe(|| self.build_partial(source, root, device, run));
            if let Err(panic) = catch_unwind(build) {
                error!(source = source.info.name, "partial build: {}", describe_panic(&*panic));
                return;
            }
        }
    }

    fn build_partial(&self, source: &Source, root: &Root, device: u64, run: &ScanRun) {
        let last = self.catalogue.get(source.info.id).and_then(|shard| shard.published.clone());
        // What an earlier, failed attempt left counts as no partial body of this one.
        let last = last.filter(|last| last.began == run.began);
        match last {
            Some(last) if !run::is_due(last.at.elapsed(), last.built_in) => return,
            Some(_) => {}
            None => run.let_begin(),
        }
        let building = Instant::now();
        let Ok(body) = Body::build(root, &run.chunks(), &self.pools.build, &run.partial_cancel) else {
            return;
        };
        let partial = published(body, run, device, false, building.elapsed());
        self.catalogue.update(source.info.id, |shard| publish_partial(shard, partial));
    }

    fn publish(&self, id: u64, published: Published, scanned: ScanOutcome, again: Again<'_>) -> Next {
        let shard = self.catalogue.update(id, |shard| {
            shard.rebuilds_total += u64::from(shard.is_complete());
            shard.published = Some(Arc::new(Published { generation: shard.generation() + 1, ..published }));
            shard.health = if again() { Health::Rebuilding } else { Health::Fresh };
            shard.last_scan = Some(Arc::new(scanned));
            shard.last_good_ns = Some(clock::now_ns());
            (shard.last_error, shard.retry_at, shard.failures) = (None, None, 0);
        });
        if let Some(shard) = shard {
            log(&shard, "publish");
        }
        Next::Rest
    }

    fn fail(&self, id: u64, reason: &str, again: Again<'_>) -> Next {
        let shard = self.catalogue.update(id, |shard| {
            let retry_at = Instant::now() + back_off(shard.failures);
            if !again() {
                shard.health = Health::Failed;
            }
            shard.failures = shard.failures.saturating_add(1);
            shard.last_error = Some(reason.into());
            shard.retry_at = Some(retry_at);
        });
        let Some(shard) = shard else { return Next::Rest };
        log(&shard, "failed");
        warn!(source = shard.source.info.name, failures = shard.failures, "scan failed: {reason}");
        shard.retry_at.map_or(Next::Rest, Next::Retry)
    }
}

/// Ends the wait of the builder thread however the scan ends, also by a panic.
struct Closing<'a>(&'a ScanRun);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What a shard becomes when an attempt begins.
pub(crate) fn start(shard: &mut Shard) {
    shard.health = if shard.is_complete() { Health::Rebuilding } else { Health::Loading };
    shard.retry_at = None;
}

/// What a shard becomes by a body of an unfinished scan.
fn publish_partial(shard: &mut Shard, partial: Published) {
    let shrinks = |old: &Arc<Published>| old.complete || old.body.entries() > partial.body.entries();
    if !shard.published.as_ref().is_some_and(shrinks) {
        shard.published = Some(Arc::new(Published { generation: shard.generation() + 1, ..partial }));
    }
}

fn published(body: Body, run: &ScanRun, device: u64, complete: bool, built_in: Duration) -> Published {
    let resident_bytes = body.heap_bytes() as u64;
    Published {
        body: Arc::new(body),
        generation: 0,
        complete,
        began: run.began,
        began_ns: run.began_ns,
        at: Instant::now(),
        built_in,
        device,
        skipped: Vec::new(),
        resident_bytes,
    }
}

/// Wait after so many failures in a row.
fn back_off(failures: u32) -> Duration {
    let step = usize::try_from(failures).unwrap_or(usize::MAX).min(BACK_OFF_S.len() - 1);
    Duration::from_secs(BACK_OFF_S[step])
}

fn describe_panic(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("internal error: {}", text.unwrap_or_else(|| "panic without a message".to_owned()))
}

fn log(shard: &Shard, reason: &str) {
    let (generation, name) = (shard.generation(), &shard.source.info.name);
    let bytes = shard.published.as_ref().map_or(0, |published| published.resident_bytes);
    let health = shard.health.as_str();
    info!(event = "shard.transition", source = name, to = health, reason, generation, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SourceInfo;
    use crate::config::Config;
    use hearth_core::EntryKind;
    use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};

    #[test]
    fn the_back_off_grows_and_stays() {
        let waits: Vec<u64> = (0..7).map(|failures| back_off(failures).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 300, 600, 600, 600]);
        assert_eq!(back_off(u32::MAX).as_secs(), 600);
    }

    fn lifecycle() -> Lifecycle {
        let lifecycle = Lifecycle {
            catalogue: Arc::default(),
            pools: Arc::new(Pools::start(1).unwrap()),
            walk: Walk::new(&Config::default().files).unwrap(),
            on_memory_released: None,
            runs: Mutex::default(),
        };
        let info = SourceInfo { id: 1, name: "t".into(), kind: "volume", root: b"/t".to_vec() };
        lifecycle.catalogue.insert(info);
        lifecycle
    }

    fn chunk(names: &[&str]) -> Chunk {
        let mut chunk = Chunk::default();
        for name in names {
            chunk.push(0, NOT_A_DIR, name.as_bytes(), Meta::unknown(EntryKind::File, 1));
        }
        chunk
    }

    fn root() -> Root {
        Root { path: b"/t".to_vec(), meta: Meta::unknown(EntryKind::Dir, 1) }
    }

    #[test]
    fn a_running_scan_serves_what_it_has_when_asked() {
        let (lifecycle, run) = (lifecycle(), ScanRun::new(5));
        let shard = || lifecycle.catalogue.get(1).unwrap();
        let source = Arc::clone(&shard().source);
        thread::scope(|scope| {
            let builder = scope.spawn(|| lifecycle.serve_wishes(&source, &root(), 7, &run));
            run.take(chunk(&["a", "b"]));
            assert!(shard().published.is_none(), "nothing is built when nobody asks");
            let seen = lifecycle.catalogue.changes();
            run.want_body();
            assert!(lifecycle.catalogue.wait_change(seen, Duration::from_secs(60)) > seen);
            run.close();
            builder.join().unwrap();
        });
        let published = shard().published.clone().unwrap();
        assert_eq!((published.body.entries(), published.generation, published.complete), (3, 1, false));
        assert_eq!(published.clock(), "scan:1:5");
    }

    #[test]
    fn a_partial_body_replaces_only_smaller_partial_ones() {
        let (lifecycle, run) = (lifecycle(), ScanRun::new(5));
        let body = |names: &[&str], complete| {
            let chunks = [Arc::new(chunk(names))];
            let body = Body::build(&root(), &chunks, &lifecycle.pools.build, &run.cancel).unwrap();
            published(body, &run, 7, complete, Duration::ZERO)
        };
        let publish = |partial| {
            let shard = lifecycle.catalogue.update(1, |shard| publish_partial(shard, partial)).unwrap();
            (shard.generation(), shard.published.as_ref().unwrap().body.entries())
        };
        assert_eq!(publish(body(&["a"], false)), (1, 2));
        assert_eq!(publish(body(&["a", "b"], false)), (2, 3));
        assert_eq!(publish(body(&[], false)), (2, 3));
        lifecycle.catalogue.update(1, |shard| shard.published = Some(Arc::new(body(&["a"], true))));
        assert_eq!(publish(body(&["a", "b", "c"], false)), (0, 2));
    }

    #[test]
    fn a_panic_keeps_its_message() {
        let caught = |panic: fn()| describe_panic(&*catch_unwind(panic).unwrap_err());
        assert_eq!(caught(|| panic!("plain")), "internal error: plain");
        assert_eq!(caught(|| std::panic::panic_any(7)), "internal error: panic without a message");
    }
}
