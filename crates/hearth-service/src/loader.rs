//! Attempts to make bodies: begun, watched, stopped, each on a thread of its own.
//!
//! Attempts begin and end by the kernel's word. A panic in one is a failure of that attempt. However
//! one ends, that is told once.

use crate::catalogue::{Catalogue, Shard, Source};
use crate::clock;
use crate::forecast::working_bytes;
use crate::live::{Confirmed, Live};
use crate::maker::{Comparison, Failure, Made, Maker, Present, Product, Recalled, Renewed, describe_panic};
use crate::pools;
use crate::run::{self, ScanRun};
use crate::snapshots::{self, NotLoaded, Save, Snapshots, loaded};
use hearth_core::{HeapSize, UnixNanos};
use hearth_residency::{AttemptId, ChangeClass, ChangeSet, Job, Measured, Outcome, ShardId};
use hearth_snapshot::LoadError;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::info;

/// What the kernel is told of an attempt.
pub(crate) type Ended = Outcome<Box<Product>>;

/// An attempt in flight.
struct Running {
    shard: ShardId,
    attempt: AttemptId,
    run: Arc<ScanRun>,
}

/// The attempts in flight.
pub(crate) struct Loader {
    catalogue: Arc<Catalogue>,
    maker: Box<dyn Maker>,
    snapshots: Option<Arc<Snapshots>>,
    live: Option<Arc<Live>>,
    running: Mutex<Vec<Running>>,
    ended: Condvar,
}

impl Loader {
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        maker: Box<dyn Maker>,
        snapshots: Option<Arc<Snapshots>>,
        live: Option<Arc<Live>>,
    ) -> Self {
        Self { catalogue, maker, snapshots, live, running: Mutex::default(), ended: Condvar::new() }
    }

    /// Begins an attempt on a thread of its own; `ended` is told how it ended, once.
    ///
    /// # Errors
    /// No thread can be started; then `ended` is not told.
    pub(crate) fn start(
        self: &Arc<Self>,
        shard: ShardId,
        attempt: AttemptId,
        job: Job,
        ended: impl FnOnce(Ended) + Send + 'static,
    ) -> io::Result<()> {
        let run = Arc::new(ScanRun::new(clock::now_ns()));
        self.running.lock().push(Running { shard, attempt, run: Arc::clone(&run) });
        let loader = Arc::clone(self);
        let work = move || {
            pools::yield_to_others();
            let outcome = loader.attempt(shard, attempt, &job, &run);
            drop(run);
            loader.leave(attempt);
            ended(outcome);
        };
        let thread = thread::Builder::new().name(format!("hearth-load-{}", shard.0)).spawn(work);
        thread.map(drop).inspect_err(|_| self.leave(attempt))
    }

    /// Lets an attempt stop at its next boundary.
    pub(crate) fn cancel(&self, attempt: AttemptId) {
        let running = self.running.lock();
        if let Some(running) = running.iter().find(|running| running.attempt == attempt) {
            running.run.stop();
        }
    }

    /// Stops all attempts and waits for their ends, for at most this long; false if some still run.
    pub(crate) fn stop(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut running = self.running.lock();
        running.iter().for_each(|running| running.run.stop());
        while !running.is_empty() && !self.ended.wait_until(&mut running, until).timed_out() {}
        running.is_empty()
    }

    /// What each attempt in flight is known to need by now, bytes.
    pub(crate) fn needs(&self) -> Vec<(ShardId, AttemptId, u64)> {
        let running = self.running.lock();
        // What a load from disk takes is known from the beginning.
        let scans = running.iter().filter(|running| running.run.is_scan());
        let need = |running: &Running| (running.shard, running.attempt, working_bytes(running.run.entries()));
        scans.map(need).collect()
    }

    fn leave(&self, attempt: AttemptId) {
        self.running.lock().retain(|running| running.attempt != attempt);
        self.ended.notify_all();
    }

    fn attempt(&self, shard: ShardId, attempt: AttemptId, job: &Job, run: &Arc<ScanRun>) -> Ended {
        let Some(known) = self.catalogue.get(shard.0) else { return Outcome::Cancelled };
        let source = Arc::clone(&known.source);
        drop(known);
        let live = self.live.as_ref().filter(|live| live.is_on() && *job != Job::Digest);
        let made = catch_unwind(AssertUnwindSafe(|| {
            let pursuit = live.map(|live| live.begin(&source, attempt));
            match (self.make(&source, job, run)?, pursuit) {
                (Attempted::Body(mut made), pursuit) => {
                    pursuit.map_or(Ok(()), |pursuit| pursuit.hand_over(&mut made, &run.cancel))?;
                    Ok(built(made))
                }
                (Attempted::Renewed(renewed), Some(pursuit)) => {
                    pursuit.confirm(&self.catalogue, renewed, run).map(Confirmed::outcome)
                }
                (Attempted::Renewed(renewed), None) => {
                    Confirmed::unwatched(&self.catalogue, &source, renewed, run).map(Confirmed::outcome)
                }
                (Attempted::Digest(recalled), _) => Ok(digested(recalled)),
            }
        }));
        match made.unwrap_or_else(|panic| Err(Failure::Failed(describe_panic(&*panic)))) {
            Ok(ended) => ended,
            Err(Failure::Cancelled) => Outcome::Cancelled,
            Err(Failure::Failed(reason)) => Outcome::Failed(reason),
        }
    }

    fn make(&self, source: &Arc<Source>, job: &Job, run: &Arc<ScanRun>) -> Result<Attempted, Failure> {
        let id = source.info.id;
        let now = self.catalogue.get(id).ok_or(Failure::Cancelled)?;
        let partial = now.published.is_none();
        let shown = now.known.map(|known| known.made_ns);
        let snapshots = self.snapshots.as_deref();
        let stored = snapshots.filter(|_| now.view.stored.is_some());
        let present = if let Job::Refresh(changes) = job { to_renew(&now, changes) } else { None };
        // It may hold the body that is about to be replaced.
        drop(now);
        let newest = |save: &Save| not_older(shown, save.published.made_ns).is_ok();
        let saving = || snapshots.and_then(|snapshots| snapshots.saving(id)).filter(newest);
        match job {
            Job::Refresh(changes) => match present {
                Some(present) => self.renew(source, changes.class, &present, run),
                None => self.scan(source, run, partial),
            },
            Job::Digest => match (saving(), stored) {
                (Some(save), _) => Ok(Attempted::Digest(save.remembered())),
                (None, Some(stored)) => self.recall_digest(stored, source, shown, run),
                (None, None) => Err(Failure::Failed("there is no snapshot".to_owned())),
            },
            Job::Load => match (saving(), stored) {
                (Some(save), _) => Ok(Attempted::Body(save.revived())),
                (None, Some(stored)) => match self.recall(stored, source, shown, run)? {
                    Some(made) => Ok(made),
                    None => self.scan(source, run, partial),
                },
                (None, None) => self.scan(source, run, partial),
            },
        }
    }

    /// Makes a body out of another one.
    fn renew(
        &self,
        source: &Arc<Source>,
        class: ChangeClass,
        present: &Present,
        run: &Arc<ScanRun>,
    ) -> Result<Attempted, Failure> {
        source.run.store(Some(Arc::clone(run)));
        let _ending = Ending { source, run };
        Ok(match class {
            ChangeClass::Apply => Attempted::Body(self.maker.fold(source, run, present)?),
            ChangeClass::Reconcile | ChangeClass::Rebuild => {
                match self.maker.compare(source, run, present)? {
                    Comparison::Renewed(renewed) => Attempted::Renewed(renewed),
                    Comparison::Anew(made) => Attempted::Body(made),
                }
            }
        })
    }

    fn scan(&self, source: &Arc<Source>, run: &Arc<ScanRun>, partial: bool) -> Result<Attempted, Failure> {
        run.begin_scan();
        source.run.store(Some(Arc::clone(run)));
        let _ending = Ending { source, run };
        let made = self.maker.make(source, run, partial)?;
        info!(source = source.info.name, entries = made.outcome.entries, "index made");
        Ok(Attempted::Body(made))
    }

    /// Compares what was read from disk before anybody sees it.
    fn bring_up(&self, source: &Arc<Source>, made: Made, run: &Arc<ScanRun>) -> Result<Attempted, Failure> {
        let present = Present::from(&made);
        source.run.store(Some(Arc::clone(run)));
        let _ending = Ending { source, run };
        Ok(Attempted::Body(match self.maker.compare(source, run, &present)? {
            Comparison::Anew(made) => made,
            Comparison::Renewed(Renewed { body, digest, device, outcome, peak_bytes, .. }) => Made {
                body,
                digest,
                device,
                outcome,
                peak_bytes: made.peak_bytes.max(peak_bytes),
                began: run.began,
                began_ns: run.began_ns,
                made_ns: clock::now_ns(),
                compared: true,
                behind: false,
                folded: false,
                ..made
            },
        }))
    }

    /// Loads the snapshot of a source; `None` if it is none that may be loaded. `shown` is when the last body
    /// was made that was shown.
    fn recall(
        &self,
        snapshots: &Snapshots,
        source: &Arc<Source>,
        shown: Option<UnixNanos>,
        run: &Arc<ScanRun>,
    ) -> Result<Option<Attempted>, Failure> {
        let began = Instant::now();
        match snapshots.load(source, run) {
            Ok(made) => {
                let (source_name, took_ms) = (&source.info.name, run::millis(began.elapsed()));
                info!(source = source_name, entries = made.outcome.entries, took_ms, "snapshot loaded");
                self.catalogue.update(source.info.id, |shard| shard.load_reason = Some(loaded()));
                if not_older(shown, made.made_ns).is_err() {
                    // Answers do not go back in time: it is compared before it is shown.
                    return self.bring_up(source, made, run).map(Some);
                }
                Ok(Some(Attempted::Body(made)))
            }
            Err(NotLoaded::Cancelled) => Err(Failure::Cancelled),
            Err(NotLoaded::Because(error)) => {
                self.give_up_snapshot(source, &error);
                Ok(None)
            }
        }
    }

    fn recall_digest(
        &self,
        snapshots: &Snapshots,
        source: &Source,
        shown: Option<UnixNanos>,
        run: &ScanRun,
    ) -> Result<Attempted, Failure> {
        let recalled = snapshots.load_digest(&source.info, &run.cancel);
        match recalled.and_then(|recalled| not_older(shown, recalled.known.made_ns).map(|()| recalled)) {
            Ok(recalled) => Ok(Attempted::Digest(recalled)),
            Err(NotLoaded::Cancelled) => Err(Failure::Cancelled),
            Err(NotLoaded::Because(error)) => {
                self.give_up_snapshot(source, &error);
                Err(Failure::Failed(error.to_string()))
            }
        }
    }

    /// A snapshot that cannot be loaded is not tried again.
    fn give_up_snapshot(&self, source: &Source, error: &LoadError) {
        let reason = Arc::new(snapshots::report(&source.info.name, error));
        self.catalogue.update(source.info.id, |shard| {
            (shard.snapshot, shard.load_reason) = (None, Some(reason));
        });
    }
}

/// The body that a newer one is to be made of, if it is not to be made anew.
fn to_renew(now: &Shard, changes: &ChangeSet) -> Option<Present> {
    let (published, digest) = (now.published.as_ref()?, now.digest.as_ref()?);
    if changes.class == ChangeClass::Rebuild
        || (changes.class == ChangeClass::Apply && !published.is_compared())
    {
        return None;
    }
    Some(Present {
        body: Arc::clone(&published.body),
        digest: Arc::clone(digest),
        began: published.began,
        complete_until_ns: now.source.track.complete_until(published),
        device: published.device,
        closed: Arc::clone(&published.closed),
        outcome: Arc::clone(&published.outcome),
    })
}

impl From<&Made> for Present {
    fn from(made: &Made) -> Self {
        Self {
            body: Arc::clone(&made.body),
            digest: Arc::clone(&made.digest),
            began: made.began,
            complete_until_ns: made.began_ns,
            device: made.device,
            closed: Arc::clone(&made.closed),
            outcome: Arc::new(made.outcome.clone()),
        }
    }
}

/// Takes the run off its source however the scan ends, also by a panic.
struct Ending<'a> {
    source: &'a Source,
    run: &'a ScanRun,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.source.run.store(None);
        drop(self.run.drain_chunks());
    }
}

/// Answers do not go back in time: what was shown is not followed by something older.
fn not_older(shown: Option<UnixNanos>, made: UnixNanos) -> Result<(), NotLoaded> {
    match shown {
        Some(shown) if made < shown => Err(NotLoaded::Because(LoadError::StaleByEpoch {
            cached: "an older index".to_owned(),
            current: "a newer one has been shown".to_owned(),
        })),
        _ => Ok(()),
    }
}

/// What an attempt made, before it is handed over.
enum Attempted {
    Body(Made),
    Renewed(Renewed),
    Digest(Recalled),
}

fn built(made: Made) -> Ended {
    let measured = Measured {
        body_bytes: made.body.heap_bytes() as u64,
        digest_bytes: made.digest.heap_bytes() as u64,
        peak_bytes: made.peak_bytes,
    };
    let behind = made.behind;
    Outcome::Built { body: Box::new(Product::Body(made)), measured, behind }
}

fn digested(recalled: Recalled) -> Ended {
    let digest_bytes = recalled.digest.heap_bytes() as u64;
    Outcome::Digested { body: Box::new(Product::Digest(recalled)), digest_bytes }
}
