//! Keeps what is in memory up to the disk.
//!
//! Each source has a feed and a thread that reads it ([`following`]): dirt says where to look, the follower looks,
//! and the kernel gets the next body. Attempts that make a whole body ([`attempt`]) gather the dirt
//! of their time and look at it before they hand over, so the feed is opened first and the disk read
//! second, and answers do not go back in time. What was lost is compared.
//!
//! The kernel decides what is in memory; here is only known which body the index that follows stands for. If it is
//! another one than the published one, nothing is taken in, and either an attempt is under way or a comparison is
//! asked for.

mod acts;
mod attempt;
mod backlog;
mod following;
mod mounts;
mod opening;
mod own;
mod remembered;
mod state;
mod track;
mod waiting;

pub(crate) use attempt::Confirmed;
pub(crate) use own::OwnFolders;
pub(crate) use track::{Freshness, Track};
pub(crate) use waiting::Waited;

use crate::catalogue::{Catalogue, Source};
use crate::config::{FeedChoice, WatchConfig};
use crate::driver::Link;
use crate::ntfs::Media;
use crate::walk::Walk;
use following::Following;
use mounts::{MountsThread, Standing};
use opening::{Means, Opened};
use parking_lot::Mutex;
use state::OpenFeed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;
use tracing::{info, warn};

/// What all sources share.
pub(crate) struct Live {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) walk: Arc<Walk>,
    media: Arc<Media>,
    pub(crate) config: WatchConfig,
    pub(crate) own: OwnFolders,
    /// The way to the kernel, once that runs.
    link: OnceLock<Link>,
    mounts: Mutex<Option<MountsThread>>,
    stopping: AtomicBool,
}

impl Live {
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        walk: Arc<Walk>,
        media: Arc<Media>,
        config: WatchConfig,
        own: OwnFolders,
    ) -> Self {
        let (link, mounts, stopping) = (OnceLock::new(), Mutex::default(), AtomicBool::new(false));
        Self { catalogue, walk, media, config, own, link, mounts, stopping }
    }

    /// Nothing is watched before this.
    pub(crate) fn connect(self: &Arc<Self>, link: Link) {
        // It is called once.
        let _ = self.link.set(link);
        if self.is_on() {
            *self.mounts.lock() = MountsThread::start(self);
        }
    }

    /// Stops following everything.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let mounts = self.mounts.lock().take();
        mounts.into_iter().for_each(MountsThread::stop);
        self.catalogue.load().iter().for_each(|shard| shard.source.track.stop());
    }

    fn means(&self, source: &Source) -> Means<'_> {
        let acts = source.history.entries();
        Means { config: &self.config, walk: &self.walk, media: &self.media, own: &self.own, acts }
    }

    /// Opens the feed of a source and begins to read it, unless that is done.
    fn ensure_watched(self: &Arc<Self>, source: &Arc<Source>) {
        let mut thread = source.track.thread.lock();
        let stopped = self.stopping.load(Ordering::Acquire) || source.track.state.lock().stopping;
        if thread.is_some() || stopped {
            return;
        }
        let Some(opened) = self.open(source) else { return };
        let following = Following::new(Arc::clone(self), Arc::clone(source), opened.device);
        let name = format!("hearth-live-{}", source.info.id);
        match thread::Builder::new().name(name).spawn(move || following.run(opened.feed)) {
            Ok(running) => *thread = Some(running),
            Err(error) => {
                let mut state = source.track.state.lock();
                (state.feed, state.no_feed) = (None, format!("no thread can be started: {error}"));
            }
        }
    }

    /// Opens the feed of a source and shows what came of it.
    fn open(&self, source: &Source) -> Option<Opened> {
        let track = &source.track;
        match opening::open(&source.info, &self.means(source)) {
            Ok(Some(opened)) => {
                let kind = opened.feed.describe();
                let instead = opened.instead.clone();
                info!(source = track::name(source), feed = %kind, instead, "watched");
                let standing = Standing::of(source);
                let mut state = track.state.lock();
                (state.standing, state.remounted, state.ticked) =
                    (Some(standing), false, Some(Instant::now()));
                let shared = opened.shared;
                state.feed = Some(OpenFeed { handle: opened.feed.handle(), kind, shared, instead });
                if state.stopping {
                    state.feed.iter().for_each(|feed| feed.handle.stop());
                }
                drop(state);
                Some(opened)
            }
            Ok(None) => {
                self.leave_unwatched(source);
                None
            }
            Err(why) => {
                warn!(source = track::name(source), "not watched: {why}");
                track.state.lock().no_feed = why;
                None
            }
        }
    }

    /// Says of a source that it is not watched because none is to be.
    pub(crate) fn leave_unwatched(&self, source: &Source) {
        source.track.state.lock().no_feed = "watching is switched off (watch.feed)".to_owned();
    }

    /// True if sources are to be watched.
    pub(crate) fn is_on(&self) -> bool {
        self.config.feed != FeedChoice::Off
    }
}
