//! What an attempt to make a body does so that nothing is missing from it that the feed told meanwhile.
//!
//! From its beginning on, what the feed tells is kept for it. When it has made its body, it looks at all of that, and
//! only then hands the body over, under the lock under which the feed's thread takes changes in.

use super::Live;
use super::state::{State, Verified};
use super::track::{Bridge, Followed, Handed, wake};
use crate::catalogue::{Catalogue, Published, Source};
use crate::clock;
use crate::journal;
use crate::maker::{Advanced, Failure, Made, Product, Renewed};
use crate::run::ScanRun;
use hearth_core::{CancelToken, HeapSize, UnixNanos};
use hearth_files::digest::Digest;
use hearth_files::follow::{Follower, Look, Seen};
use hearth_files::index::{Body, Volume};
use hearth_residency::{Advance, AttemptId, Outcome};
use std::sync::Arc;
use std::time::Instant;

/// As of [`Handed::outdates`]: it does not say that nothing is out of date.
const NEVER: u64 = u64::MAX;
/// Times that what was told meanwhile is looked at before the rest is left to the feed's thread.
const ROUNDS: usize = 8;

/// An attempt, as the freshness of its source sees it.
pub(crate) struct Pursuit {
    source: Arc<Source>,
    follower: Follower,
    attempt: AttemptId,
    /// As of [`Handed`].
    outdates: u64,
}

impl Live {
    /// An attempt begins: from here on everything that its source's feed tells is kept for it. What is published now
    /// lacks nothing but that and what is kept.
    pub(crate) fn begin(self: &Arc<Self>, source: &Arc<Source>, attempt: AttemptId) -> Pursuit {
        self.ensure_watched(source);
        // What is being taken in now is published when this lock is had.
        let index = source.track.index.lock();
        let mut state = source.track.state.lock();
        state.attempt = Some(attempt);
        state.gathered = Some(state.open.clone());
        state.folding = false;
        let outdates = state.outdates;
        drop(state);
        source.journal.gather(index.as_ref().and_then(|followed| followed.generation));
        drop(index);
        let follower = self.walk.follower(&source.info.root);
        Pursuit { source: Arc::clone(source), follower, attempt, outdates }
    }
}

impl Pursuit {
    /// Brings a body up to what was told since the beginning, and lets it be the one that follows the feed. One that is
    /// behind its source anyway is left as it is.
    ///
    /// # Errors
    /// The attempt was stopped or overtaken, or the source cannot be read.
    pub(crate) fn hand_over(&self, made: &mut Made, cancel: &CancelToken) -> Result<(), Failure> {
        let mut index = self.source.track.index.lock();
        let mut next = Next::new(&made.body, &made.digest, made.folded.then(Seen::default));
        if !made.behind {
            self.look_at_gathered(&mut next, cancel)?;
        }
        (made.body, made.digest) = (Arc::clone(&next.body), Arc::clone(&next.digest));
        let mut handed = self.handed(made.began, made.began_ns, made.compared);
        if made.folded {
            // What the body in memory lacks, it lacks too.
            handed.outdates = NEVER;
        }
        self.install(&mut index, next, handed)
    }

    /// Brings a body that was compared up to what was told since the beginning. One in which nothing differed leaves the
    /// index that follows the feed as it is, and says that it holds everything.
    ///
    /// # Errors
    /// As [`Pursuit::hand_over`]; cancelled where nothing is in memory any more.
    pub(crate) fn confirm(
        &self,
        catalogue: &Catalogue,
        renewed: Renewed,
        run: &ScanRun,
    ) -> Result<Confirmed, Failure> {
        let mut index = self.source.track.index.lock();
        let published = published(catalogue, &self.source)?;
        let handed = self.handed(run.began, run.began_ns, true);
        let same = |followed: &&mut Followed| Arc::ptr_eq(&followed.body, &published.body);
        if !renewed.changed
            && let Some(followed) = index.as_mut().filter(same)
        {
            // What it is known to hold is entered anew under its number.
            (followed.handed, followed.generation) = (handed, None);
            self.source.track.state.lock().gathered = None;
            return Ok(Confirmed {
                from: published,
                next: None,
                peak_bytes: renewed.peak_bytes,
                began: handed,
            });
        }
        let mut next = Next::new(&renewed.body, &renewed.digest, Some(renewed.seen));
        self.look_at_gathered(&mut next, &run.cancel)?;
        let is_same = Arc::ptr_eq(&next.body, &published.body);
        let content = (!is_same).then(|| (Arc::clone(&next.body), Arc::clone(&next.digest)));
        self.install(&mut index, next, handed)?;
        Ok(Confirmed { from: published, next: content, peak_bytes: renewed.peak_bytes, began: handed })
    }

    fn handed(&self, began: Instant, began_ns: UnixNanos, compared: bool) -> Handed {
        Handed { outdates: self.outdates, began, began_ns, compared }
    }

    /// Lets a body be the one that follows the feed.
    fn install(&self, index: &mut Option<Followed>, next: Next, handed: Handed) -> Result<(), Failure> {
        let mut state = self.source.track.state.lock();
        check(&state, self.attempt)?;
        state.open = state.gathered.take().unwrap_or_default();
        let Next { volume, body, digest, differs } = next;
        let bridge = self.bridge(index.take(), differs);
        *index = Some(Followed { volume, body, digest, generation: None, handed, bridge });
        Ok(())
    }

    /// What leads from the body that was in memory to the one that replaces it.
    fn bridge(&self, before: Option<Followed>, differs: Option<Seen>) -> Option<Bridge> {
        let meanwhile = self.source.journal.gathered()?;
        let mut seen = differs?;
        journal::add(&mut seen, &meanwhile);
        before.map(|before| Bridge { before: before.body, seen })
    }

    fn look_at_gathered(&self, next: &mut Next, cancel: &CancelToken) -> Result<(), Failure> {
        let mut changed = false;
        for _ in 0..ROUNDS {
            let looks = self.gathered()?;
            if looks.is_empty() {
                break;
            }
            let seen = self.follower.look(&mut next.volume, &looks, cancel)?;
            changed |= seen.applied > 0;
            next.differs.iter_mut().for_each(|differs| journal::add(differs, &seen));
            self.put_back(seen.again);
        }
        if changed {
            let body = Arc::new(next.volume.body());
            let mut digest = (*next.digest).clone();
            digest.follow(&next.body, &body);
            (next.body, next.digest) = (body, Arc::new(digest));
        }
        Ok(())
    }

    fn gathered(&self) -> Result<Vec<Look>, Failure> {
        let mut state = self.source.track.state.lock();
        check(&state, self.attempt)?;
        Ok(state.gathered.as_mut().map(super::backlog::Backlog::take).unwrap_or_default())
    }

    fn put_back(&self, looks: Vec<Look>) {
        let mut state = self.source.track.state.lock();
        if let Some(gathered) = &mut state.gathered {
            looks.into_iter().for_each(|look| gathered.add(look));
        }
    }
}

/// One that runs on although it was given up must not take what is kept for the next.
fn check(state: &State, attempt: AttemptId) -> Result<(), Failure> {
    if state.attempt == Some(attempt) { Ok(()) } else { Err(Failure::Cancelled) }
}

impl Drop for Pursuit {
    fn drop(&mut self) {
        let mut state = self.source.track.state.lock();
        if state.attempt == Some(self.attempt) {
            state.gathered = None;
            wake(&state);
            // Nobody asks for it any more.
            drop(self.source.journal.gathered());
        }
    }
}

/// A body that is about to be handed over.
struct Next {
    volume: Volume,
    body: Arc<Body>,
    digest: Arc<Digest>,
    /// Places at which it may differ from the body that was in memory when the attempt began; `None`: anywhere.
    differs: Option<Seen>,
}

impl Next {
    fn new(body: &Arc<Body>, digest: &Arc<Digest>, differs: Option<Seen>) -> Self {
        Self { volume: Volume::new(body), body: Arc::clone(body), digest: Arc::clone(digest), differs }
    }
}

/// What a comparison came to, against the body that is in memory then.
pub(crate) struct Confirmed {
    from: Arc<Published>,
    /// What follows it; `None` if nothing differed.
    next: Option<(Arc<Body>, Arc<Digest>)>,
    peak_bytes: u64,
    began: Handed,
}

impl Confirmed {
    /// Of a source that nothing tells of.
    ///
    /// # Errors
    /// Cancelled where nothing is in memory any more.
    pub(crate) fn unwatched(
        catalogue: &Catalogue,
        source: &Source,
        renewed: Renewed,
        run: &ScanRun,
    ) -> Result<Self, Failure> {
        let next = renewed.changed.then_some((renewed.body, renewed.digest));
        let began = Handed { outdates: 0, began: run.began, began_ns: run.began_ns, compared: true };
        let from = published(catalogue, source)?;
        let (generation, at, at_ns) = (from.generation, run.began, run.began_ns);
        source.track.state.lock().verified = Some(Verified { generation, at, at_ns });
        Ok(Self { from, next, peak_bytes: renewed.peak_bytes, began })
    }

    /// The same as the kernel is told.
    pub(crate) fn outcome(self) -> Outcome<Box<Product>> {
        let Self { from, next, peak_bytes, began } = self;
        let next = next.map(|(body, digest)| {
            let advance = advance(&from.body, &body, &digest);
            let compared = Some((began.began, began.began_ns));
            let advanced = Advanced { body, digest, made_ns: clock::now_ns(), compared };
            (Box::new(Product::Advanced(advanced)), advance)
        });
        Outcome::Compared { from: from.generation, next, peak_bytes }
    }
}

/// What a body takes that follows another one.
pub(super) fn advance(before: &Body, body: &Body, digest: &Digest) -> Advance {
    Advance {
        body_bytes: body.heap_bytes() as u64,
        digest_bytes: digest.heap_bytes() as u64,
        shared_bytes: body.shared_bytes(before) as u64,
        clock: 0,
    }
}

fn published(catalogue: &Catalogue, source: &Source) -> Result<Arc<Published>, Failure> {
    let shard = catalogue.get(source.info.id);
    shard.and_then(|shard| shard.published.clone()).ok_or(Failure::Cancelled)
}
