//! Who did what: the acts that a feed could tell the doers of, kept for a while, per source.
//!
//! An act is noted with the path it had when it was done: folders are moved later, and their numbers are used
//! again. What is kept is bounded by number and bytes, the newest acts push the oldest out, and nothing of it
//! outlives the process. Off until [`History::keep`] is told how many.
//!
//! Whoever may ask the daemon may read all of it: that is why a daemon that serves more than one user keeps
//! nothing unless it is configured to.

mod asking;
mod names;
mod places;
mod ring;

use crate::sync::Mutex;
use hearth_files::index::Body;
use hearth_watch::Act;
use places::{Folder, Folders};
use ring::Ring;
use ring::{Noted, Recent};

/// Acts of one source.
#[derive(Debug, Default)]
pub(crate) struct History {
    ring: Mutex<Ring>,
}

impl History {
    /// Keeps at most `entries` acts from now on; 0 = none. `whole`: the source is a whole file system, so that
    /// what the feed tells is about this source and no other folder.
    pub(crate) fn keep(&self, entries: usize, whole: bool) {
        self.ring.lock().keep(entries, whole);
    }

    /// Most acts that are kept; 0 = off.
    pub(crate) fn entries(&self) -> usize {
        self.ring.lock().entries()
    }

    /// Notes what the feed told, and how many acts it left out. Folders are looked up in the `bodies`, the best
    /// first: the index after what changed was taken in, then the one before, which knows what is gone. Without
    /// any, as while the source is out of memory, they are known by earlier acts.
    pub(crate) fn note(&self, bodies: &[&Body], acts: &[Act], dropped: u64) {
        if acts.is_empty() && dropped == 0 || self.entries() == 0 {
            return;
        }
        let known = (!bodies.is_empty()).then(|| Folders::in_bodies(bodies, acts));
        let mut ring = self.ring.lock();
        let folders = known.unwrap_or_else(|| ring.folders(acts));
        ring.drop_acts(dropped);
        for act in acts {
            ring.push(Noted::of(act, folders.folder(act.folder)));
        }
    }

    /// What is kept now.
    fn recent(&self) -> Recent {
        self.ring.lock().recent()
    }
}

#[cfg(test)]
mod tests;
