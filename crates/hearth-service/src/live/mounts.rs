//! Notices that the file system of a source went away, came back or was replaced, and that something was mounted
//! inside it.
//!
//! A feed says nothing of that: one of a file system that was unmounted is silent for good. So the mount table is
//! watched, and what changed in it is looked at, by what the root is and by what is mounted below it.

use super::Live;
use super::track::wake;
use crate::catalogue::Source;
use crate::walk;
use hearth_files::scan::Mounts;
use hearth_watch::{MountsWatch, Waker};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracing::{info, warn};

/// What is mounted where a source lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Device and inode of the root; `None` if it cannot be looked at.
    root: Option<(u64, u64)>,
    /// Paths that something is mounted at below the root, ordered.
    below: Vec<Vec<u8>>,
}

impl Standing {
    /// As it is now. Without a mount table nothing is said to be below.
    pub(super) fn of(source: &Source) -> Self {
        let place = walk::look(&source.info.root).ok();
        let inside =
            |path: &[u8]| path.strip_prefix(&*source.root).is_some_and(|rest| rest.starts_with(b"/"));
        let mounts = Mounts::read().map(|mounts| mounts.all().to_vec()).unwrap_or_default();
        let mut below: Vec<Vec<u8>> =
            mounts.into_iter().map(|mount| mount.path).filter(|path| inside(path)).collect();
        below.sort_unstable();
        below.dedup();
        Self { root: place.map(|place| (place.device, place.meta.inode)), below }
    }
}

/// The thread that watches the mount table.
pub(super) struct MountsThread {
    waker: Waker,
    thread: JoinHandle<()>,
}

impl MountsThread {
    /// Starts it; `None` where the table cannot be watched, which is said in the log.
    pub(super) fn start(live: &Arc<Live>) -> Option<Self> {
        let watch = MountsWatch::open().inspect_err(|error| warn!("mounts are not watched: {error}")).ok()?;
        let (waker, live) = (watch.waker(), Arc::downgrade(live));
        let thread = thread::Builder::new().name("hearth-mounts".to_owned());
        let thread = thread.spawn(move || follow(watch, &live));
        let thread = thread.inspect_err(|error| warn!("mounts are not watched: {error}")).ok()?;
        Some(Self { waker, thread })
    }

    pub(super) fn stop(self) {
        self.waker.stop();
        if self.thread.join().is_err() {
            tracing::error!("the thread that watches mounts had panicked");
        }
    }
}

fn follow(mut watch: MountsWatch, live: &Weak<Live>) {
    while let Ok(changed) = watch.next(Duration::MAX) {
        let (Some(_), Some(live)) = (changed, live.upgrade()) else { continue };
        live.catalogue.load().iter().for_each(|shard| look_at(&shard.source));
    }
}

/// Compares what is mounted at a source that is watched with what was.
fn look_at(source: &Source) {
    let now = Standing::of(source);
    let mut state = source.track.state.lock();
    let Some(before) = state.standing.clone().filter(|before| *before != now) else { return };
    if before.root != now.root {
        info!(source = source.info.name, "another file system is mounted here, or none");
        state.remounted = true;
        state.outdate("what is mounted here has changed");
    } else {
        state.outdate("what is mounted inside it has changed");
    }
    state.standing = Some(now);
    wake(&state);
    drop(state);
    source.track.changed.notify_all();
}
