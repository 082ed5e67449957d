//! How a body of a volume is made: scan, build, digest; and what is there meanwhile.
//!
//! While a source without a body is scanned, queries that ask get a body of what was found so far.

use crate::api::{CompareOutcome, ScanOutcome, SourceKind};
use crate::catalogue::{Catalogue, Closed, Known, Published, Source};
use crate::clock;
use crate::forecast::working_bytes;
use crate::ntfs::Disks;
use crate::pools::Pools;
use crate::run::{self, ScanRun, millis};
use crate::walk::{self, Walk};
use hearth_core::{Cancelled, UnixNanos};
use hearth_files::digest::Digest;
use hearth_files::follow::{FollowError, Reconcile, Scope, Seen};
use hearth_files::index::{Body, BuildError, Root, Volume};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::{error, info};

/// A whole body and all that is known with it.
pub(crate) struct Made {
    pub(crate) body: Arc<Body>,
    pub(crate) digest: Arc<Digest>,
    pub(crate) began: Instant,
    pub(crate) began_ns: UnixNanos,
    pub(crate) made_ns: UnixNanos,
    pub(crate) built_in: Duration,
    pub(crate) device: u64,
    pub(crate) closed: Arc<[Closed]>,
    pub(crate) outcome: ScanOutcome,
    /// False if it was read from disk.
    pub(crate) compared: bool,
    /// True if it was not made from the source now.
    pub(crate) behind: bool,
    /// True if it was made from the body in memory alone.
    pub(crate) folded: bool,
    /// Most bytes held at one time while it was made, itself included.
    pub(crate) peak_bytes: u64,
}

/// What a snapshot gives where only the digest is wanted.
pub(crate) struct Recalled {
    pub(crate) digest: Arc<Digest>,
    pub(crate) known: Known,
}

/// What an attempt makes, as the kernel passes it through.
pub(crate) enum Product {
    Body(Made),
    Digest(Recalled),
    Advanced(Advanced),
}

/// A body that took changes in; all else is as of the one before.
pub(crate) struct Advanced {
    pub(crate) body: Arc<Body>,
    pub(crate) digest: Arc<Digest>,
    pub(crate) made_ns: UnixNanos,
    /// When comparing it with the source began, by both clocks, if it was compared.
    pub(crate) compared: Option<(Instant, UnixNanos)>,
}

/// What came of comparing a body with its source.
pub(crate) enum Comparison {
    /// This follows it.
    Renewed(Renewed),
    /// It had to be made anew.
    Anew(Made),
}

/// What follows a body that was compared.
pub(crate) struct Renewed {
    pub(crate) body: Arc<Body>,
    pub(crate) digest: Arc<Digest>,
    /// False if it is the same body.
    pub(crate) changed: bool,
    /// Where it differs.
    pub(crate) seen: Seen,
    pub(crate) device: u64,
    pub(crate) outcome: ScanOutcome,
    /// Most bytes held at one time beside the body.
    pub(crate) peak_bytes: u64,
}

/// How an attempt ended without a body.
#[derive(Debug)]
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

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Cancelled(_) => Failure::Cancelled,
            error => Failure::Failed(error.to_string()),
        }
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

/// Makes bodies. It polls the run's token and counts what it finds there.
pub(crate) trait Maker: Send + Sync {
    /// Makes a body of a source as it is now; with `partial`, also of what is found meanwhile.
    fn make(&self, source: &Source, run: &ScanRun, partial: bool) -> Result<Made, Failure>;

    /// Makes the body of a source as it is now out of another one, by comparing. A maker that cannot compare makes it
    /// anew.
    fn compare(&self, source: &Source, run: &ScanRun, _present: &Present) -> Result<Comparison, Failure> {
        self.make(source, run, false).map(Comparison::Anew)
    }

    /// Makes a body that holds what another one does, with its changes folded into the rest.
    fn fold(&self, source: &Source, run: &ScanRun, _present: &Present) -> Result<Made, Failure> {
        self.make(source, run, false)
    }
}

/// The body that another one is made of.
pub(crate) struct Present {
    pub(crate) body: Arc<Body>,
    pub(crate) digest: Arc<Digest>,
    /// Everything that happened before is in it, by both clocks; the second may know better.
    pub(crate) began: Instant,
    pub(crate) complete_until_ns: UnixNanos,
    pub(crate) device: u64,
    pub(crate) closed: Arc<[Closed]>,
    pub(crate) outcome: Arc<ScanOutcome>,
}

/// Makes bodies of every kind of source.
pub(crate) struct Scanner {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) walk: Arc<Walk>,
    pub(crate) disks: Disks,
}

impl Maker for Scanner {
    fn make(&self, source: &Source, run: &ScanRun, partial: bool) -> Result<Made, Failure> {
        if source.info.kind != SourceKind::Volume {
            return self.disks.make(source, run);
        }
        let place = walk::look(&source.info.root).map_err(Failure::Failed)?;
        let root = Root { path: source.root.clone(), meta: place.meta };
        let walked = thread::scope(|scope| {
            let _closing = Closing(run);
            if partial {
                let name = format!("hearth-partial-{}", source.info.id);
                let build = || self.serve_wishes(source, &root, place.device, run);
                let _ = thread::Builder::new().name(name).spawn_scoped(scope, build);
            }
            self.walk.scan(&source.info.root, run)
        })?;
        source.track.look_for(walked.astray);
        let root = Root { meta: walked.root_meta, ..root };
        let building = Instant::now();
        let body = {
            let chunks = run.drain_chunks();
            Body::build(&root, &chunks, &self.pools.build, &run.cancel)?
        };
        run.cancel.check()?;
        let digest = Digest::of(&body);
        run.cancel.check()?;
        let built_in = building.elapsed();
        Ok(Made {
            body: Arc::new(body),
            digest: Arc::new(digest),
            began: run.began,
            began_ns: run.began_ns,
            made_ns: clock::now_ns(),
            built_in,
            device: place.device,
            closed: walked.closed.into(),
            peak_bytes: working_bytes(walked.outcome.entries),
            outcome: ScanOutcome { build_ms: millis(built_in), ..walked.outcome },
            compared: true,
            behind: false,
            folded: false,
        })
    }

    fn compare(&self, source: &Source, run: &ScanRun, present: &Present) -> Result<Comparison, Failure> {
        if source.info.kind != SourceKind::Volume {
            return self.disks.compare(source, run, present);
        }
        let place = walk::look(&source.info.root).map_err(Failure::Failed)?;
        let mut volume = Volume::new(&present.body);
        let how = Reconcile {
            scope: Scope::Everything,
            complete_until_ns: Some(present.complete_until_ns),
            most_changes: most_changes(&present.body),
        };
        let follower = self.walk.follower(&source.info.root);
        let seen = match follower.reconcile(&mut volume, &how, &run.counters, &run.cancel) {
            Err(FollowError::OtherRoot { .. })
                if walk::is_unmounted(&source.info.root, present.device, place.device) =>
            {
                return Err(Failure::Failed(
                    "the file system that was indexed is not mounted; its index stays as it was".to_owned(),
                ));
            }
            // What is another folder now, or hardly the same, is scanned as if it were new.
            Err(FollowError::TooMuchChanged { .. } | FollowError::OtherRoot { .. }) => {
                run.begin_scan();
                return self.make(source, run, false).map(Comparison::Anew);
            }
            seen => seen?,
        };
        let changed = seen.applied > 0;
        let body = if changed { Arc::new(volume.body()) } else { Arc::clone(&present.body) };
        let mut digest = (*present.digest).clone();
        digest.follow(&present.body, &body);
        let outcome = ScanOutcome {
            entries: body.entries(),
            scan_ms: millis(run.began.elapsed()),
            build_ms: 0,
            denied: seen.denied as u64,
            failed: seen.failed as u64,
            ..(*present.outcome).clone()
        };
        info!(source = source.info.name, looked = seen.looked, changed = seen.applied, "index compared");
        let compared = CompareOutcome {
            at_ns: clock::now_ns(),
            took_ms: millis(run.began.elapsed()),
            looked: seen.looked as u64,
            changed: seen.applied as u64,
        };
        source.track.note_compare(compared);
        let (digest, device) = (Arc::new(digest), place.device);
        let peak_bytes = comparing_bytes(&body);
        Ok(Comparison::Renewed(Renewed { body, digest, changed, seen, device, outcome, peak_bytes }))
    }

    fn fold(&self, source: &Source, run: &ScanRun, present: &Present) -> Result<Made, Failure> {
        let body = Arc::new(present.body.fold(&self.pools.build, &run.cancel)?);
        source.disk.pass_on(&present.body, &body);
        let digest = if present.digest.is_saturated() {
            Arc::new(Digest::of(&body))
        } else {
            Arc::clone(&present.digest)
        };
        info!(source = source.info.name, entries = body.entries(), "changes folded in");
        Ok(Made {
            peak_bytes: working_bytes(body.entries()),
            body,
            digest,
            // It holds what the other one holds, and no more.
            began: present.began,
            began_ns: present.complete_until_ns,
            made_ns: clock::now_ns(),
            built_in: run.began.elapsed(),
            device: present.device,
            closed: Arc::clone(&present.closed),
            outcome: (*present.outcome).clone(),
            compared: true,
            behind: false,
            folded: true,
        })
    }
}

/// Changes that a comparison may make before a scan takes less.
fn most_changes(body: &Body) -> usize {
    const ALWAYS: u64 = 10_000;
    usize::try_from(body.entries() / 8 + ALWAYS).unwrap_or(usize::MAX)
}

/// Working set of comparing beside the body: what is found is on its way in bounded batches, which a small volume does
/// not fill.
fn comparing_bytes(body: &Body) -> u64 {
    const ON_ITS_WAY: u64 = 16 << 20;
    const PER_ENTRY: u64 = 64;
    body.entries().saturating_mul(PER_ENTRY).min(ON_ITS_WAY) + (1 << 18)
}

impl Scanner {
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
        let last = self.catalogue.get(source.info.id).and_then(|shard| shard.partial.clone());
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
        let partial = Published {
            body: Arc::new(body),
            generation: 0,
            began: run.began,
            began_ns: run.began_ns,
            made_ns: clock::now_ns(),
            at: Instant::now(),
            built_in: building.elapsed(),
            device,
            closed: Arc::default(),
            outcome: Arc::default(),
            compared: true.into(),
            _hold: None,
        };
        self.catalogue.update(source.info.id, |shard| {
            // The scan may have ended, or been stopped, while this was being built.
            if shard.published.is_none() && run.cancel.check().is_ok() {
                shard.partial = Some(Arc::new(partial));
            }
        });
    }
}

/// Ends the wait of the builder thread however the scan ends, also by a panic.
struct Closing<'a>(&'a ScanRun);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Words for a panic.
pub(crate) fn describe_panic(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("internal error: {}", text.unwrap_or_else(|| "panic without a message".to_owned()))
}
