//! When a body is written to its snapshot.
//!
//! A body that was made from its source is unsaved until a save of it ends well; one that a load took from the
//! snapshot is not. Saves have a lane of their own, one wide, in which who has been unsaved for longest goes
//! first, and a shard comes again after an interval only. A body that leaves memory does not wait for either:
//! its save begins in the step in which it leaves. Whether saves succeed says nothing of a shard's health.

use crate::axes::Reason;
use crate::event::{Effect, Generation, ShardId, Stored};
use crate::kernel::Kernel;
use crate::policy::{Moment, Policy, back_off};
use crate::shard::Shard;

/// A save that has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    /// The generation that it was begun with.
    pub(crate) begun: Generation,
    /// The last generation under which its body was published: a load may bring it back meanwhile.
    newest: Generation,
}

/// What is known of a shard's snapshot and of the saves that renew it.
#[derive(Debug, Default)]
pub(crate) struct Saves {
    /// What is on disk, if it can be used.
    pub(crate) stored: Option<Stored>,
    /// Since when the body in memory has been newer than that.
    pub(crate) unsaved_since: Option<Moment>,
    /// Its time has come: it waits for the lane.
    pub(crate) queued: bool,
    pub(crate) running: Option<Running>,
    /// When the last save began.
    pub(crate) began: Option<Moment>,
    pub(crate) failures: u32,
    pub(crate) last_failure: Option<String>,
    pub(crate) retry_at: Option<Moment>,
}

impl Saves {
    pub(crate) fn is_unsaved(&self) -> bool {
        self.unsaved_since.is_some()
    }

    /// The body in memory is not newer than the snapshot, or is not in memory any more.
    pub(crate) fn clear(&mut self) {
        (self.unsaved_since, self.queued) = (None, false);
    }

    /// When the next save may begin; `None` if there is nothing to be saved, or it is being done or waits.
    pub(crate) fn due(&self, policy: &Policy) -> Option<Moment> {
        let interval = policy.save_interval.filter(|_| self.is_unsaved())?;
        if self.queued || self.running.is_some() {
            return None;
        }
        let rested = self.began.map(|began| began.saturating_add(interval));
        Some(rested.max(self.retry_at).unwrap_or(Moment::ZERO))
    }

    /// Place among those that wait for the lane.
    pub(crate) fn place(&self) -> Option<Moment> {
        self.unsaved_since.filter(|_| self.queued)
    }

    /// The generation of what a load gives now, from disk or from whoever is saving it; `None` if that is
    /// nothing, or older than what was shown.
    pub(crate) fn newest(&self, shown: Generation) -> Option<Generation> {
        let newest =
            self.running.map(|running| running.newest).max(self.stored.map(|stored| stored.generation));
        newest.filter(|newest| *newest >= shown)
    }

    /// The body that was known under one generation was published under another.
    pub(crate) fn rename(&mut self, from: Option<Generation>, to: Generation) {
        let renamed = |generation: Generation| if Some(generation) == from { to } else { generation };
        let stored = |stored: Stored| Stored { generation: renamed(stored.generation), ..stored };
        self.stored = self.stored.map(stored);
        self.running = self.running.map(|running| Running { newest: renamed(running.newest), ..running });
    }

    fn ended_well(&mut self, saved: Generation, published: Generation, stored: Stored) {
        (self.failures, self.last_failure, self.retry_at) = (0, None, None);
        if self.stored.is_none_or(|before| before.generation <= stored.generation) {
            self.stored = Some(stored);
        }
        if saved == published {
            self.clear();
        } else if self.is_unsaved() {
            // What was published since the save began is what is not in it.
            self.unsaved_since = self.unsaved_since.max(self.began);
        }
    }
}

impl<B> Kernel<B> {
    /// A body came from the snapshot that its attempt began with, and took so much.
    pub(crate) fn trust(
        &mut self,
        id: ShardId,
        snapshot: Option<Generation>,
        working_bytes: u64,
        digest_bytes: u64,
    ) {
        let Some(generation) = snapshot else { return };
        self.change(id, |shard| {
            let saves = &mut shard.saves;
            match saves.stored {
                Some(stored) if stored.generation == generation => {
                    saves.stored = Some(Stored { working_bytes, ..stored });
                }
                // It came from whoever is saving it, and is not on disk yet.
                _ if saves.running.is_some() => {}
                _ => saves.stored = Some(Stored { generation, working_bytes, digest_bytes }),
            }
        });
    }

    /// The snapshot that an attempt began with cannot be used. One that was saved since is another.
    pub(crate) fn distrust(&mut self, id: ShardId, snapshot: Option<Generation>) {
        let Some(generation) = snapshot else { return };
        self.change(id, |shard| {
            shard.saves.stored = shard.saves.stored.filter(|stored| stored.generation != generation);
        });
    }

    /// What is on disk counts only if nothing newer was shown: answers do not go back in time.
    pub(crate) fn doubt_stored(&mut self, id: ShardId) {
        self.change(id, |shard| {
            let newest = shard.generation;
            if !shard.tier.has_body() && shard.saves.running.is_none() {
                shard.saves.stored = shard.saves.stored.filter(|stored| stored.generation >= newest);
            }
        });
    }

    /// Lets a shard whose body may be saved wait for the lane.
    pub(crate) fn save_if_due(&mut self, id: ShardId) {
        let Some(due) = self.get(id).and_then(|shard| shard.saves.due(&self.policy)) else { return };
        if due <= self.now {
            self.change(id, |shard| shard.saves.queued = true);
        }
    }

    /// Begins the next save if the lane is free.
    pub(crate) fn pump_saves(&mut self) {
        if self.saves_running > 0 {
            return;
        }
        if let Some((_, id)) = self.save_queue.first().copied() {
            self.begin_save(id);
        }
    }

    /// Saves the body of a shard that is about to leave memory, unless the memory cannot wait for that.
    pub(crate) fn save_before_leaving(&mut self, id: ShardId, reason: Reason) {
        let now = self.now;
        let backs_off = |shard: &Shard| shard.saves.retry_at.is_some_and(|at| at > now);
        let waits = !matches!(reason, Reason::Pressure | Reason::Forget);
        if waits
            && self.policy.save_interval.is_some()
            && self.get(id).is_some_and(|shard| shard.may_be_saved() && !backs_off(shard))
        {
            self.begin_save(id);
        }
    }

    /// The process ends: everything unsaved is saved, and nothing begins by itself any more.
    pub(crate) fn stopping(&mut self) {
        self.stopping = true;
        if self.policy.save_interval.take().is_none() {
            return;
        }
        let unsaved = self.shards().filter(|id| self.get(*id).is_some_and(Shard::may_be_saved));
        let unsaved: Vec<ShardId> = unsaved.collect();
        unsaved.into_iter().for_each(|id| self.begin_save(id));
    }

    fn begin_save(&mut self, id: ShardId) {
        let now = self.now;
        let generation = self.change(id, |shard| {
            let generation = shard.generation;
            shard.saves.queued = false;
            shard.saves.running = Some(Running { begun: generation, newest: generation });
            shard.saves.began = Some(now);
            generation
        });
        let Some(generation) = generation else { return };
        self.saves_running += 1;
        self.effects.push(Effect::Save { shard: id, generation });
    }

    /// A save ended.
    pub(crate) fn save_ended(&mut self, id: ShardId, saved: Generation, result: Result<Stored, String>) {
        if self.orphan_saves.remove(&(id, saved)) {
            self.saves_running -= 1;
            return;
        }
        let running = self.get(id).and_then(|shard| shard.saves.running);
        let Some(saved) = running.filter(|running| running.begun == saved).map(|running| running.newest)
        else {
            return;
        };
        self.saves_running -= 1;
        let now = self.now;
        self.change(id, |shard| {
            let (has_body, published) = (shard.tier.has_body(), shard.generation);
            let saves = &mut shard.saves;
            saves.running = None;
            match result {
                Ok(stored) => {
                    saves.ended_well(saved, published, Stored { generation: saved, ..stored });
                }
                Err(reason) => {
                    saves.failures = saves.failures.saturating_add(1);
                    saves.retry_at = Some(now.saturating_add(back_off(saves.failures)));
                    saves.last_failure = Some(reason);
                    if saved == published && has_body {
                        // It came back meanwhile, as one that was being saved.
                        saves.unsaved_since = saves.unsaved_since.or(Some(now));
                    }
                }
            }
        });
        // What was published while an older body was being saved has had no save of its own.
        let newer = self.get(id).is_some_and(|shard| shard.generation > saved && shard.may_be_saved());
        if self.stopping && newer {
            self.begin_save(id);
        }
        self.doubt_stored(id);
        self.end_vain_wait(id);
        self.save_if_due(id);
    }
}
