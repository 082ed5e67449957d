//! Telling when the last reader of a body has let go of it.
//!
//! A published body carries a [`Hold`]; dropping it puts a note into [`Releases`], from whatever thread
//! that happens on, without waiting for anybody. The notes are as many as bodies, so they have a bound.

use crate::sync::Mutex;
use crossbeam_channel::Sender;
use hearth_residency::{Generation, ShardId};
use std::sync::Arc;

/// Bodies that nobody holds any more, until the driver takes note.
#[derive(Debug)]
pub(crate) struct Releases {
    notes: Mutex<Vec<(ShardId, Generation)>>,
    wake: Sender<()>,
}

impl Releases {
    /// `wake` is rung, but never waited for, when there is a note.
    pub(crate) fn new(wake: Sender<()>) -> Arc<Self> {
        Arc::new(Self { notes: Mutex::default(), wake })
    }

    /// The notes so far.
    pub(crate) fn take(&self) -> Vec<(ShardId, Generation)> {
        std::mem::take(&mut self.notes.lock())
    }
}

/// Held as long as a body.
#[derive(Debug)]
pub(crate) struct Hold {
    shard: ShardId,
    generation: Generation,
    releases: Arc<Releases>,
}

impl Hold {
    pub(crate) fn new(shard: ShardId, generation: Generation, releases: &Arc<Releases>) -> Self {
        Self { shard, generation, releases: Arc::clone(releases) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.releases.notes.lock().push((self.shard, self.generation));
        // A bell that rings already is as good.
        let _ = self.releases.wake.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_holder_rings() {
        let (wake, bell) = crossbeam_channel::bounded(1);
        let releases = Releases::new(wake);
        let hold = Arc::new(Hold::new(ShardId(1), 2, &releases));
        let other = Arc::clone(&hold);
        drop(hold);
        assert!(bell.try_recv().is_err() && releases.take().is_empty());
        drop(other);
        drop(Hold::new(ShardId(1), 3, &releases));
        assert!(bell.try_recv().is_ok() && bell.try_recv().is_err());
        assert_eq!(releases.take(), [(ShardId(1), 2), (ShardId(1), 3)]);
        assert!(releases.take().is_empty());
    }
}
