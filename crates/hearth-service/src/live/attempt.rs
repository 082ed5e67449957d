//! What an attempt to make a body does so that nothing is missing from it that the feed told meanwhile.

use super::Live;
use super::state::State;
use super::track::{Followed, Handed, wake};
use crate::catalogue::Source;
use crate::maker::{Failure, Made};
use hearth_core::CancelToken;
use hearth_files::digest::Digest;
use hearth_files::follow::{Follower, Look};
use hearth_files::index::Volume;
use hearth_residency::AttemptId;
use std::sync::Arc;

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
        drop((state, index));
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
        let track = &self.source.track;
        let mut index = track.index.lock();
        let mut volume = Volume::new(&made.body);
        let mut changed = false;
        if !made.behind {
            for _ in 0..ROUNDS {
                let looks = self.gathered()?;
                if looks.is_empty() {
                    break;
                }
                let seen = self.follower.look(&mut volume, &looks, cancel)?;
                changed |= seen.applied > 0;
                self.put_back(seen.again);
            }
        }
        if changed {
            let body = Arc::new(volume.body());
            let mut digest = (*made.digest).clone();
            digest.follow(&made.body, &body);
            (made.body, made.digest) = (body, Arc::new(digest));
        }
        let mut state = track.state.lock();
        check(&state, self.attempt)?;
        state.open = state.gathered.take().unwrap_or_default();
        *index = Some(Followed {
            volume,
            body: Arc::clone(&made.body),
            digest: Arc::<Digest>::clone(&made.digest),
            generation: None,
            handed: Handed {
                outdates: self.outdates,
                began: made.began,
                began_ns: made.began_ns,
                compared: made.compared,
            },
        });
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
        }
    }
}
