//! How bodies come: an attempt begins, grows, ends, is cancelled, fails, is repeated.
//!
//! At most one attempt of a shard is in flight, also while it is being cancelled. What had changed
//! when it began is covered by its body; what changes later waits for the next attempt.

use crate::axes::{Health, Reason, Tier};
use crate::changes::ChangeSet;
use crate::event::{Effect, Failure, Measured, Outcome, ShardId};
use crate::kernel::Kernel;
use crate::policy::back_off;
use crate::shard::{Aim, Attempt, Displace, Rank, Shard, Standing, Waiting};
use crate::{AttemptId, Generation};

impl<B> Kernel<B> {
    /// Begins the attempt that a shard waits for.
    pub(crate) fn start(&mut self, id: ShardId, displace: Displace, bytes: u64) {
        self.attempts_begun += 1;
        let (attempt, began) = (AttemptId(self.attempts_begun), self.now);
        let reservation = self.ledger.reserve(bytes);
        let job = self.change(id, |shard| {
            let aim = shard.waiting.take().map_or(Aim::Body, |waiting| waiting.aim);
            let job = shard.job(aim);
            let snapshot = shard.saves.newest(shard.generation).filter(|_| !shard.tier.has_body());
            let covers = if aim == Aim::Body { shard.pending.take() } else { None };
            let (id, standing) = (attempt, Standing::Running);
            let recalls = snapshot.is_some();
            shard.attempt =
                Some(Attempt { id, aim, recalls, snapshot, reservation, began, standing, displace, covers });
            job
        });
        let Some(job) = job else { return };
        self.lanes_used += 1;
        self.effects.push(Effect::Start { shard: id, attempt, job, reserved_bytes: bytes });
    }

    /// An attempt in flight needs more (or less) than was set aside.
    pub(crate) fn grew(&mut self, id: ShardId, attempt: AttemptId, needed: u64) {
        let Some(running) = self.running(id, attempt) else { return };
        let (reserved, displace) = (running.reservation.bytes(), running.displace);
        let (aim, snapshot) = (running.aim, running.snapshot);
        let more = needed.saturating_sub(reserved);
        if more > 0 && aim == Aim::Body {
            // It goes on without the snapshot.
            self.distrust(id, snapshot);
        }
        if more > 0 && !self.make_room(id, displace, more) {
            if aim == Aim::Body {
                self.change(id, |shard| shard.suspected_bytes = shard.suspected_bytes.max(needed));
            }
            return self.stop(id, self.over_budget(needed).into());
        }
        self.change(id, |shard| {
            if let Some(attempt) = &mut shard.attempt {
                attempt.recalls &= more == 0;
                attempt.reservation.resize(needed.max(reserved));
            }
        });
        // What waited until it was read may begin.
        self.room_changed |= more > 0 && snapshot.is_some();
        self.ledger.mark();
    }

    /// An attempt that still reads what is on disk after so long holds back nobody any more.
    pub(crate) fn stop_recalling_if_due(&mut self, id: ShardId) {
        let attempt = self.get(id).and_then(|shard| shard.attempt.as_ref());
        if attempt.and_then(Attempt::recalls_until).is_none_or(|until| until > self.now) {
            return;
        }
        self.change(id, |shard| shard.attempt.iter_mut().for_each(|attempt| attempt.recalls = false));
        self.room_changed = true;
    }

    /// An attempt ended.
    pub(crate) fn ended(&mut self, id: ShardId, attempt: AttemptId, outcome: Outcome<B>) {
        if let Some(ended) = self.orphans.remove(&attempt) {
            return self.give_back_lane(ended.standing);
        }
        let Some(ended) = self.take_attempt(id, attempt) else { return };
        match (ended.standing, ended.aim, outcome) {
            (Standing::Cancelled | Standing::Overdue, _, _) => {}
            (_, Aim::Body, Outcome::Built { body, measured, behind }) => {
                self.built(id, ended, body, measured, behind);
            }
            (_, Aim::Body, Outcome::Compared { from, next, peak_bytes }) if self.compares(id, &ended) => {
                self.compared(id, ended, from, next, peak_bytes);
            }
            (_, Aim::Digest, Outcome::Digested { body, digest_bytes }) => {
                self.digested(id, ended, body, digest_bytes);
            }
            // That says nothing of the snapshot.
            (_, Aim::Digest, Outcome::Cancelled) => self.without_digest(id),
            (_, _, Outcome::Failed(reason)) => self.came_to_nothing(id, ended, reason),
            (_, _, Outcome::Cancelled) => self.came_to_nothing(id, ended, "stopped".to_owned()),
            (..) => self.came_to_nothing(id, ended, "made something else than was asked for".to_owned()),
        }
    }

    fn came_to_nothing(&mut self, id: ShardId, attempt: Attempt, reason: String) {
        if attempt.aim == Aim::Digest {
            self.distrust(id, attempt.snapshot);
            return self.without_digest(id);
        }
        self.give_back(id, attempt.covers);
        self.fail(id, Failure::Build(reason));
    }

    /// Takes the attempt that ended off its shard, and with it what is reserved.
    fn take_attempt(&mut self, id: ShardId, attempt: AttemptId) -> Option<Attempt> {
        let is = |shard: &Shard| shard.attempt.as_ref().is_some_and(|running| running.id == attempt);
        self.get(id).filter(|shard| is(shard))?;
        let ended = self.change(id, |shard| shard.attempt.take())??;
        self.give_back_lane(ended.standing);
        Some(ended)
    }

    /// An attempt is over; one that is overdue gave its lane back when it became so.
    fn give_back_lane(&mut self, standing: Standing) {
        self.lanes_used -= usize::from(standing != Standing::Overdue);
        self.room_changed = true;
    }

    fn built(&mut self, id: ShardId, attempt: Attempt, body: B, measured: Measured, behind: bool) {
        let Attempt { reservation, covers, displace, snapshot, .. } = attempt;
        drop(reservation);
        let took = measured.peak_bytes.max(measured.body_bytes.saturating_add(measured.digest_bytes));
        if behind {
            self.trust(id, snapshot, took, measured.digest_bytes);
        } else {
            self.learn(id, covers.as_ref(), took);
            self.distrust(id, snapshot);
        }
        let Measured { body_bytes, digest_bytes, .. } = measured;
        self.ledger.take_in(body_bytes, digest_bytes);
        if !self.make_room(id, displace, 0) {
            self.ledger.take_out(body_bytes, digest_bytes);
            self.give_back(id, covers);
            return self.fail(id, self.over_budget(body_bytes.saturating_add(digest_bytes)).into());
        }
        if behind {
            // A body as old as the snapshot holds nothing of what has changed since.
            self.give_back(id, covers);
        }
        self.publish(id, body, measured, behind.then_some(snapshot));
    }

    /// The next attempt is expected to take what this one took.
    fn learn(&mut self, id: ShardId, covers: Option<&ChangeSet>, took: u64) {
        self.change(id, |shard| {
            if shard.is_applied(covers) {
                shard.apply_bytes = Some(took);
            } else {
                // Also where a comparison was asked for: that a body was made in its place tells nothing of the next.
                (shard.load_bytes, shard.suspected_bytes) = (took, 0);
            }
        });
    }

    /// Makes a body the shard's, which is accounted for already.
    ///
    /// `behind` is the generation that it had before, where it is none that was made from the source now.
    fn publish(&mut self, id: ShardId, body: B, measured: Measured, behind: Option<Option<Generation>>) {
        let Some(shard) = self.get(id) else { return };
        let (replaces, reason) = (shard.tier.has_body(), arrival(shard));
        self.retain_body(id);
        let digest_before = self.change(id, |shard| std::mem::take(&mut shard.digest_bytes));
        self.ledger.drop_digest(digest_before.unwrap_or(0));
        let now = self.now;
        let published = self.change(id, |shard| {
            (shard.body_bytes, shard.digest_bytes) = (measured.body_bytes, measured.digest_bytes);
            shard.generation += 1;
            shard.uncompared = behind.is_some();
            shard.last_good = Some(now);
            if replaces {
                shard.rebuilds_total += 1;
            } else {
                shard.loads_total += 1;
                shard.promotions_total += u64::from(reason != Reason::Load);
                shard.idle_since = now;
            }
            shard.heat = false;
            match behind {
                Some(before) => {
                    shard.saves.clear();
                    shard.saves.rename(before, shard.generation);
                }
                None => _ = shard.saves.unsaved_since.get_or_insert(now),
            }
            (shard.generation, shard.forgive())
        });
        let Some((generation, fresh_by)) = published else { return };
        self.effects.push(Effect::Publish { shard: id, body, generation });
        if !replaces {
            self.move_tier(id, reason);
        }
        if behind.is_none() {
            self.move_health(id, fresh_by);
        }
        self.save_if_due(id);
        if self.get(id).is_some_and(|shard| shard.pending.is_some() || shard.uncompared) {
            self.want(id, Reason::Refresh);
        }
    }

    /// The present body of a shard, if there is one, leaves it.
    pub(crate) fn retain_body(&mut self, id: ShardId) {
        let (generation, bytes) = match self.get(id) {
            Some(shard) if shard.tier.has_body() => (shard.generation, shard.body_bytes),
            _ => return,
        };
        self.ledger.retain(id, generation, bytes, self.now);
        self.change(id, |shard| shard.body_bytes = 0);
    }

    /// What an attempt that made nothing had covered is open again.
    pub(crate) fn give_back(&mut self, id: ShardId, covers: Option<ChangeSet>) {
        let Some(covers) = covers else { return };
        self.change(id, |shard| merge_pending(shard, covers));
    }

    /// An attempt failed, or could not begin.
    pub(crate) fn fail(&mut self, id: ShardId, failure: Failure) {
        let now = self.now;
        self.change(id, |shard| {
            shard.failures = shard.failures.saturating_add(1);
            shard.retry_at = Some(now.saturating_add(back_off(shard.failures)));
            shard.last_failure = Some(failure);
            shard.waiting = None;
        });
        self.move_health(id, Reason::Failed);
    }

    /// The attempt in flight takes too long, to be done or to notice that it was told to stop. Its shard
    /// goes on without it.
    pub(crate) fn overdue(&mut self, id: ShardId) {
        let waits = self.get(id).is_some_and(|shard| shard.waiting.is_some());
        let digest = self.reads_digest(id);
        let ran = self.stop_running(id);
        self.change(id, |shard| {
            if let Some(attempt) = &mut shard.attempt {
                attempt.standing = Standing::Overdue;
            }
        });
        self.lanes_used -= 1;
        self.room_changed = true;
        if digest.is_some() {
            self.distrust(id, digest);
            self.without_digest(id);
        }
        if (ran && digest.is_none()) || waits {
            self.fail(id, Failure::TimedOut(self.policy.deadline));
        }
    }

    /// Stops the attempt in flight, which counts as a failure, except for one that reads a digest.
    pub(crate) fn stop(&mut self, id: ShardId, failure: Failure) {
        if self.reads_digest(id).is_some() {
            self.stop_running(id);
            return self.without_digest(id);
        }
        self.cancel(id);
        self.fail(id, failure);
    }

    /// Stops the attempt in flight, if one runs, and the wait for one.
    pub(crate) fn cancel(&mut self, id: ShardId) {
        self.change(id, |shard| shard.waiting = None);
        self.stop_running(id);
    }

    /// Tells the attempt in flight to stop; false if none runs.
    fn stop_running(&mut self, id: ShardId) -> bool {
        let stopped = self.change(id, |shard| {
            let attempt = shard.attempt.as_mut().filter(|attempt| attempt.standing == Standing::Running)?;
            attempt.standing = Standing::Cancelled;
            Some((attempt.id, attempt.covers.take()))
        });
        let Some((attempt, covers)) = stopped.flatten() else { return false };
        self.effects.push(Effect::Cancel { shard: id, attempt });
        self.give_back(id, covers);
        true
    }

    /// A source changed.
    pub(crate) fn source_changed(&mut self, id: ShardId, changes: ChangeSet) {
        let Some(shard) = self.get(id) else { return };
        let runs = shard.attempt.as_ref().is_some_and(|attempt| attempt.standing == Standing::Running);
        let loading = runs || shard.waits_for_body();
        // Nothing in memory claims to know the source: the next load sees the change by itself.
        if shard.tier == Tier::Cold && !loading {
            return;
        }
        self.change(id, |shard| merge_pending(shard, changes));
        let Some(shard) = self.get(id) else { return };
        match shard.health {
            Health::Fresh => self.want(id, Reason::Refresh),
            Health::Failed if shard.tier.has_body() && shard.hurried_at < shard.failures => {
                // The failure of the attempt that this brings forward is no new step of the schedule.
                self.change(id, |shard| shard.hurried_at = shard.failures + 1);
                self.want(id, Reason::Refresh);
            }
            _ => {}
        }
    }

    /// Repeats a failed attempt whose time has come.
    pub(crate) fn retry_if_due(&mut self, id: ShardId) {
        let Some(shard) = self.get(id) else { return };
        let due = shard.retry_at.is_some_and(|at| at <= self.now);
        if due && shard.health == Health::Failed && !shard.waits_for_body() {
            let reason = if shard.tier.has_body() { Reason::Refresh } else { Reason::Load };
            self.want(id, reason);
        }
    }

    /// Queues an attempt for a reason, or makes the one that waits as urgent as the reason is.
    pub(crate) fn want(&mut self, id: ShardId, reason: Reason) {
        let Some(shard) = self.get(id) else { return };
        let rank = match reason {
            Reason::Refresh => Rank::Refresh,
            _ if shard.claims > 0 => Rank::Claimed,
            Reason::Preload => Rank::Preload,
            Reason::Promote => Rank::Hinted,
            // A failure does not make it less urgent.
            _ if shard.is_pinned() || shard.heat => Rank::Preload,
            _ => Rank::Load,
        };
        self.move_health(id, reason);
        let Some(shard) = self.get(id) else { return };
        if shard.attempt.as_ref().is_some_and(|attempt| attempt.standing == Standing::Overdue) {
            return self.put_off(id);
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.change(id, |shard| {
            // What makes a body serves every wish to load; only changes need another attempt after it.
            if shard.makes_body() {
                let urgent = shard.attempt.as_mut().filter(|_| rank <= Rank::Preload);
                urgent.into_iter().for_each(|attempt| attempt.displace = Displace::Anybody);
                return;
            }
            shard.retry_at = None;
            // A load brings the digest with it.
            let waiting = shard.waiting.filter(|waiting| waiting.aim == Aim::Body);
            let before = waiting.filter(|waiting| waiting.place.0 <= rank);
            let short_since = waiting.and_then(|waiting| waiting.short_since);
            let place = (rank, arrival);
            shard.waiting = before.or(Some(Waiting { place, aim: Aim::Body, short_since }));
        });
        self.room_changed = true;
    }

    /// An attempt that should be over still runs: another one would hang as it does.
    fn put_off(&mut self, id: ShardId) {
        let now = self.now;
        self.change(id, |shard| {
            shard.retry_at = Some(now.saturating_add(back_off(shard.failures)));
            shard.waiting = None;
        });
        self.move_health(id, Reason::Failed);
    }

    fn running(&self, id: ShardId, attempt: AttemptId) -> Option<&Attempt> {
        let running = self.get(id)?.attempt.as_ref()?;
        (running.id == attempt && running.standing == Standing::Running).then_some(running)
    }
}

fn merge_pending(shard: &mut Shard, changes: ChangeSet) {
    match &mut shard.pending {
        Some(pending) => pending.merge(changes),
        None => shard.pending = Some(changes),
    }
}

/// Why a shard without a body gets one.
fn arrival(shard: &Shard) -> Reason {
    match shard {
        _ if shard.is_pinned() || shard.heat => Reason::Preload,
        _ if shard.last_use > crate::Moment::ZERO => Reason::Promote,
        _ => Reason::Load,
    }
}
