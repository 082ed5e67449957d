//! The thread that reads a feed and takes its changes into the index.
//!
//! Each round it takes note of what the feed says, finds out which body its index stands for, looks where something
//! changed and hands the next body on, lets go of those who wait, and asks for a comparison if something was lost.

use super::Live;
use super::attempt::advance;
use super::backlog::{folder_of, look_at};
use super::opening::{ACTS, REST, is_live};
use super::remembered::Remembered;
use super::state::{BEYOND, OpenFeed, Verified};
use super::track::{Bridge, Followed, name};
use crate::api::SourceKind;
use crate::catalogue::Source;
use crate::clock;
use crate::journal::Step;
use crate::maker::{Advanced, Product};
use crate::pools;
use crate::walk;
use hearth_core::{CancelToken, UnixNanos};
use hearth_files::follow::{FollowError, Follower, Seen};
use hearth_files::index::Body;
use hearth_residency::{ChangeClass, ChangeSet, ShardId};
use hearth_watch::{Batch, Feed, FeedError, FeedKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Until something happens.
const FOREVER: Duration = Duration::MAX;
/// Nothing for so long after something happened: everything is taken in.
const QUIET: Duration = Duration::from_millis(250);
/// Inode of the root of every btrfs subvolume.
const SUBVOLUME_ROOT: u64 = 256;
/// Time between two comparisons because of what the feed does not tell, unless somebody waits.
const BEYOND_EVERY: Duration = Duration::from_secs(30);

/// Time between two tries to open a feed that broke, at first.
const REOPEN_LEAST: Duration = Duration::from_millis(500);
const REOPEN_MOST: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Following {
    live: Arc<Live>,
    source: Arc<Source>,
    follower: Follower,
    /// Device of the root.
    device: u64,
    /// The file system has subvolumes, and the feed tells of one of them only.
    subvolumes: bool,
    cancel: CancelToken,
}

/// How the index stands to the body in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is that body.
    Following,
    /// An attempt is under way that will tell.
    Waiting,
    /// There is none; `parked` if there is a digest that speaks for it.
    OutOfMemory { parked: bool },
    /// It is another one.
    Unfollowed,
}

/// True if a source has trees of which its feed tells one at a time.
fn has_subvolumes(source: &Source) -> bool {
    source.info.kind == SourceKind::Volume && walk::has_subvolumes(&source.info.root)
}

/// Why what a feed of this kind calls for a comparison with may lack something. That it is time to compare is no reason to
/// call anything stale.
fn reason(kind: FeedKind) -> &'static str {
    match kind {
        FeedKind::Fanotify | FeedKind::Inotify { .. } => "changes came faster than they could be taken in",
        FeedKind::Probing { .. } => "the volume has changed",
        FeedKind::Polling { .. } => "",
    }
}

impl Following {
    pub(super) fn new(live: Arc<Live>, source: Arc<Source>, device: u64) -> Self {
        let follower = live.walk.follower(&source.info.root);
        let subvolumes = has_subvolumes(&source);
        Self { live, source, follower, device, subvolumes, cancel: CancelToken::new() }
    }

    /// Reads feeds until it is told to stop.
    pub(super) fn run(mut self, feed: Box<dyn Feed>) {
        pools::yield_to_others();
        let mut feed = feed;
        loop {
            match self.follow(&mut *feed) {
                FeedError::Stopped => return,
                error => {
                    warn!(source = name(&self.source), "the feed broke: {error}");
                    self.lose(format!("the feed broke: {error}"));
                    self.catch_up(None);
                }
            }
            let Some(next) = self.reopen() else { return };
            feed = next;
            // What happened in between, nobody told.
            self.lose("the feed was opened anew".to_owned());
            self.catch_up(None);
        }
    }

    fn lose(&self, why: String) {
        let mut state = self.source.track.state.lock();
        state.outdate(why);
    }

    /// Opens the feed anew, as often as it takes; `None` when it is to stop.
    fn reopen(&mut self) -> Option<Box<dyn Feed>> {
        let mut patience = REOPEN_LEAST;
        loop {
            {
                let mut state = self.source.track.state.lock();
                (state.feed, state.no_feed) = (None, "its feed broke and is opened anew".to_owned());
                let until = Instant::now() + patience;
                let track = &self.source.track;
                state.remounted = false;
                while !state.stopping
                    && !state.remounted
                    && !track.changed.wait_until(&mut state, until).timed_out()
                {}
                if state.stopping {
                    return None;
                }
            }
            if self.is_unmounted() {
                // Whatever lies below is not what was indexed. The mount table tells when to look again.
                patience = REOPEN_MOST;
                continue;
            }
            if let Some(opened) = self.live.open(&self.source) {
                self.device = opened.device;
                self.subvolumes = has_subvolumes(&self.source);
                return Some(opened.feed);
            }
            patience = (patience * 2).min(REOPEN_MOST);
        }
    }

    /// What others change in a shared file system nobody tells: it is compared now and then.
    fn compare_if_due(&self) {
        let mut state = self.source.track.state.lock();
        let rests = |at: Instant| at.elapsed() < self.live.config.poll;
        if state.feed.as_ref().is_some_and(OpenFeed::misses_others) && !state.ticked.is_some_and(rests) {
            state.ticked = Some(Instant::now());
            state.outdate("");
        }
    }

    fn misses_others(&self) -> bool {
        self.source.track.state.lock().feed.as_ref().is_some_and(OpenFeed::misses_others)
    }

    fn is_unmounted(&self) -> bool {
        let root = &self.source.info.root;
        self.source.info.kind == SourceKind::Volume
            && walk::look(root).is_ok_and(|now| walk::is_unmounted(root, self.device, now.device))
    }

    fn follow(&self, feed: &mut dyn Feed) -> FeedError {
        let (mut timeout, mut unquiet) = (FOREVER, true);
        loop {
            let before = (Instant::now(), clock::now_ns());
            let quiet = match feed.next(timeout) {
                Ok(Some(batch)) => {
                    unquiet = true;
                    self.note(batch, feed);
                    None
                }
                Ok(None) => {
                    if self.subvolumes && before.0.elapsed() >= BEYOND_EVERY {
                        // What is not its own a feed tells only when it is asked for what it has.
                        feed.handle().wake();
                    }
                    Some(before)
                }
                Err(error) => return error,
            };
            if self.source.track.state.lock().remounted {
                return FeedError::RootGone { path: walk::path(&self.source.info.root).to_owned() };
            }
            self.compare_if_due();
            let again = self.catch_up(quiet);
            unquiet &= quiet.is_none() || again;
            timeout = match (again, unquiet) {
                (true, _) => REST,
                (false, true) => QUIET,
                (false, false) if self.subvolumes => BEYOND_EVERY,
                (false, false) if self.misses_others() => self.live.config.poll,
                (false, false) => FOREVER,
            };
            timeout = self.rests_for().map_or(timeout, |rest| timeout.min(rest + REST));
        }
    }

    /// Takes note of what a feed says.
    fn note(&self, batch: Batch, feed: &dyn Feed) {
        let mut state = self.source.track.state.lock();
        let state = &mut *state;
        let kind = feed.describe();
        state.feed.iter_mut().for_each(|open| open.kind = kind);
        if batch.overflowed {
            state.overflows += u64::from(is_live(kind));
            state.outdate(reason(kind));
        }
        for dirt in batch.dirt {
            let own = folder_of(&dirt).is_some_and(|folder| self.live.own.hold(self.device, folder));
            let look = look_at(dirt);
            state.gathered.iter_mut().for_each(|gathered| gathered.add(look.clone()));
            if own {
                state.own.add(look);
            } else {
                state.open.add(look);
                state.oldest.get_or_insert(batch.since);
            }
        }
        let acts = batch.acts.into_iter().filter(|act| !self.live.own.hold(self.device, act.folder));
        state.acts.add(acts, batch.acts_dropped, self.source.history.entries().max(ACTS));
        state.beyond |= self.subvolumes && batch.elsewhere > 0;
        if !batch.cookies.is_empty() && state.feed.as_ref().is_some_and(OpenFeed::misses_others) {
            // What was done elsewhere before somebody asked is found out by comparing only.
            state.outdate("");
        }
        state.held.extend(batch.cookies);
        if state.gathered.as_ref().is_some_and(super::backlog::Backlog::is_lost) {
            state.outdate("more changed than could be remembered");
        }
        let company = !state.open.is_empty() || !state.held.is_empty();
        if company || state.own.is_lost() {
            let mut own = std::mem::take(&mut state.own);
            if own.is_lost() {
                state.open.lose();
            }
            own.take().into_iter().for_each(|look| state.open.add(look));
        }
    }

    /// Takes in what is open, as far as there is something that it can be taken into. `quiet`: the feed had nothing
    /// more to say at that time. True if something is to be looked at again soon.
    fn catch_up(&self, quiet: Option<(Instant, UnixNanos)>) -> bool {
        let track = &self.source.track;
        let mut index = track.index.lock();
        let mut place = self.settle(&mut index);
        let mut again = false;
        if place == Place::Following {
            again = self.take_in(&mut index);
            place = self.settle(&mut index);
        } else if place != Place::Waiting {
            self.remember(&[]);
        }
        if let Some(followed) = index.as_ref().filter(|_| place == Place::Following) {
            self.look_beyond(followed);
        }
        let heavy = index.as_ref().filter(|_| place == Place::Following);
        let heavy =
            heavy.is_some_and(|followed| followed.body.wants_fold() || followed.digest.is_saturated());
        let ask = self.finish(place, again, quiet).or_else(|| self.fold_if(heavy));
        drop(index);
        if let Some(class) = ask {
            self.ask(class);
            if matches!(place, Place::OutOfMemory { .. }) {
                // Whoever is let go now finds that what is remembered does not speak for the source.
                track.state.lock().pass();
            }
        }
        track.changed.notify_all();
        again && place == Place::Following
    }

    /// Finds out which body the index stands for now.
    fn settle(&self, index: &mut Option<Followed>) -> Place {
        // The end of an attempt is told after what it made is in the catalogue, so this order sees one of the two.
        let mut state = self.source.track.state.lock();
        let shard = self.live.catalogue.get(self.source.info.id);
        let published = shard.as_ref().and_then(|shard| shard.published.clone());
        let same = |followed: &&mut Followed| {
            published.as_ref().is_some_and(|published| Arc::ptr_eq(&followed.body, &published.body))
        };
        if let (Some(followed), Some(published)) = (index.as_mut().filter(same), &published) {
            if followed.generation != Some(published.generation) {
                let handed = followed.handed;
                followed.generation = Some(published.generation);
                (state.changed_out, state.remembered) = (false, None);
                let (generation, at, at_ns) = (published.generation, handed.began, handed.began_ns);
                state.verified = handed.compared.then_some(Verified { generation, at, at_ns });
                if handed.compared {
                    state.caught_up(handed.outdates);
                }
                drop(state);
                self.tell_replaced(followed, generation);
            }
            return Place::Following;
        }
        if state.attempt.is_some() {
            return Place::Waiting;
        }
        let followed = index.take();
        state.verified = None;
        if let (None, Some(followed)) = (&published, followed) {
            state.remembered = Some(Remembered::of(&followed.body));
        }
        match published {
            Some(_) => Place::Unfollowed,
            None => Place::OutOfMemory { parked: shard.is_some_and(|shard| shard.digest.is_some()) },
        }
    }

    /// Tells what became of the body that this one, which is published now, has replaced.
    fn tell_replaced(&self, followed: &mut Followed, generation: u64) {
        let journal = &self.source.journal;
        let Some(Bridge { before, seen }) = followed.bridge.take() else {
            return journal.restarted(generation);
        };
        let (after, at_ns) = (&followed.body, clock::now_ns());
        journal.replaced(&Step { before: &before, after, generation, at_ns, seen: &seen });
    }

    /// Looks where something changed; true if something is to be looked at again soon.
    fn take_in(&self, index: &mut Option<Followed>) -> bool {
        let Some(followed) = index.as_mut() else { return false };
        let looks = {
            let mut state = self.source.track.state.lock();
            if state.open.is_lost() {
                state.open = super::backlog::Backlog::default();
                state.outdate("more changed than could be remembered");
            }
            let looks = state.open.take();
            state.looks += looks.len() as u64;
            looks
        };
        let before = followed.volume.body();
        if looks.is_empty() {
            self.remember(&[&before]);
            return false;
        }
        let looked = self.follower.look(&mut followed.volume, &looks, &self.cancel);
        self.remember(&[&followed.volume.body(), &before]);
        match looked {
            Ok(seen) => {
                if seen.applied > 0 {
                    self.hand_on(index, &seen);
                }
                self.put_off(seen)
            }
            Err(FollowError::Cancelled(_)) => false,
            Err(error) => {
                debug!(source = name(&self.source), "looking failed: {error}");
                self.source.track.state.lock().outdate(error.to_string());
                false
            }
        }
    }

    /// Puts into the history what the feed told of who did what; the bodies know where that was.
    fn remember(&self, bodies: &[&Body]) {
        let (acts, dropped) = self.source.track.state.lock().acts.take();
        self.source.history.note(bodies, &acts, dropped);
    }

    /// What was in motion is open again.
    fn put_off(&self, seen: Seen) -> bool {
        let mut state = self.source.track.state.lock();
        let again = !seen.again.is_empty();
        seen.again.into_iter().for_each(|look| state.open.add(look));
        again
    }

    /// Gives the kernel the next body.
    fn hand_on(&self, index: &mut Option<Followed>, seen: &Seen) {
        let (Some(followed), Some(link)) = (index.as_mut(), self.live.link.get()) else { return };
        let Some(from) = followed.generation else { return };
        let body = Arc::new(followed.volume.body());
        let mut digest = (*followed.digest).clone();
        digest.follow(&followed.body, &body);
        let digest = Arc::new(digest);
        let advance = advance(&followed.body, &body, &digest);
        let made_ns = clock::now_ns();
        let advanced =
            Advanced { body: Arc::clone(&body), digest: Arc::clone(&digest), made_ns, compared: None };
        let id = self.source.info.id;
        let generation = link.advance(ShardId(id), from, Product::Advanced(advanced), advance);
        if let Some(generation) = generation {
            let (before, after) = (&followed.body, &body);
            self.source.journal.advanced(&Step { before, after, generation, at_ns: made_ns, seen });
        } else {
            self.source.journal.refused();
        }
        (followed.body, followed.digest) = (body, digest);
        // What did not become the published body is found out by comparing the two.
        followed.generation = generation.or(Some(from));
    }

    /// Lets go of whoever waits, and says what is to be asked of the kernel.
    fn finish(&self, place: Place, again: bool, quiet: Option<(Instant, UnixNanos)>) -> Option<ChangeClass> {
        let mut state = self.source.track.state.lock();
        match place {
            Place::Following => {
                state.oldest = None;
                if let (Some((at, at_ns)), false, None, Some(verified)) =
                    (quiet, again, &state.outdated, state.verified)
                {
                    state.verified = Some(Verified { at, at_ns, ..verified });
                }
            }
            Place::Waiting => {}
            Place::OutOfMemory { parked } => {
                let open = std::mem::take(&mut state.open);
                let concerned = open.is_lost()
                    || state
                        .remembered
                        .as_ref()
                        .map_or(!open.is_empty(), |known| open.looks().any(|look| known.may_hold(look)));
                let changed = concerned || state.outdated.is_some();
                (state.outdated, state.oldest) = (None, None);
                state.changed_out |= changed;
                if changed && parked && !std::mem::replace(&mut state.asked, true) {
                    return Some(ChangeClass::Reconcile);
                }
            }
            Place::Unfollowed if state.outdated.is_some() => {}
            Place::Unfollowed => state.outdate("what is in memory is not the index that follows the disk"),
        }
        let knows = matches!(place, Place::Following | Place::OutOfMemory { .. })
            && state.outdated.is_none()
            && !state.beyond;
        if knows {
            state.pass();
        }
        // Who waits is served at once.
        let rests = state.held.is_empty() && !self.source.disk.rests_for().is_zero();
        if state.outdated.is_some()
            && place != Place::Waiting
            && !rests
            && !std::mem::replace(&mut state.asked, true)
        {
            return Some(ChangeClass::Reconcile);
        }
        None
    }

    /// How long a comparison that is due is put off; `None` if none is.
    fn rests_for(&self) -> Option<Duration> {
        let state = self.source.track.state.lock();
        let rest = (state.outdated.is_some() && !state.asked).then(|| self.source.disk.rests_for());
        rest.filter(|rest| !rest.is_zero())
    }

    /// Something changed in the file system of which the feed tells nothing. Where that can be inside the source, it is
    /// compared: now if somebody waits, else now and then.
    fn look_beyond(&self, followed: &Followed) {
        if !self.source.track.state.lock().beyond {
            return;
        }
        // The root of every subvolume has this inode.
        let roots = followed.volume.folders_with_inode(SUBVOLUME_ROOT);
        let own = usize::from(followed.body.meta(followed.body.root_row()).inode == SUBVOLUME_ROOT);
        let mut state = self.source.track.state.lock();
        if roots <= own {
            state.beyond = false;
            return;
        }
        let rested = state.compared_beyond.is_none_or(|at| at.elapsed() >= BEYOND_EVERY);
        if !state.held.is_empty() || rested {
            (state.beyond, state.compared_beyond) = (false, Some(Instant::now()));
            state.outdate(BEYOND);
        }
    }

    /// Asks the kernel for an attempt.
    fn ask(&self, class: ChangeClass) {
        let Some(link) = self.live.link.get() else { return };
        let changes = ChangeSet { class, ..ChangeSet::rebuild(u64::MAX) };
        link.changed(ShardId(self.source.info.id), changes);
    }

    /// Changes that are many slow every query; they are folded into the rest, once in a while.
    fn fold_if(&self, heavy: bool) -> Option<ChangeClass> {
        let mut state = self.source.track.state.lock();
        let may = heavy && state.outdated.is_none() && state.verified.is_some() && state.attempt.is_none();
        (may && !std::mem::replace(&mut state.folding, true)).then_some(ChangeClass::Apply)
    }
}
