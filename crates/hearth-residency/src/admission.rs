//! Who may take memory: room for attempts, room taken from others, refusals.
//!
//! An attempt begins when what it is expected to take fits beside all that is held. Where it does
//! not, least recently used bodies give way, then digests, down to the low mark; but nothing gives
//! way in vain: either the room suffices or nothing moves. What can never fit is refused at once,
//! what may fit once something ends waits for a while.

use crate::axes::Reason;
use crate::event::{OverBudget, Pressure, ShardId};
use crate::kernel::Kernel;
use crate::policy::Moment;
use crate::shard::{Aim, Attempt, Displace, Place, Rank, Shard, Standing, Waiting};
use std::ops::Bound;

/// What came of asking for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// The attempt runs.
    Began,
    /// Its shard's earlier attempt has not ended.
    Busy,
    /// Something has to end first.
    Short,
    /// It can never fit.
    Refused,
}

/// Who gives way: bodies first, digests after them.
struct Plan {
    bodies: Vec<ShardId>,
    digests: Vec<ShardId>,
}

impl<B> Kernel<B> {
    /// Lets waiting attempts begin, the most urgent first, as far as lanes and memory go.
    pub(crate) fn pump(&mut self) {
        if self.stopping || !std::mem::take(&mut self.room_changed) {
            return;
        }
        let mut from = None;
        while let Some(entry) = self.next_waiting(from) {
            let ((rank, _), id) = entry;
            // Who waits for an answer does not wait behind background work.
            let lanes = if rank <= Rank::Claimed { self.policy.lanes * 2 } else { self.policy.lanes };
            // What is on disk serves at once; what is compared and renewed can wait until it does.
            if self.lanes_used >= lanes || (rank == Rank::Refresh && self.recalling > 0) {
                break;
            }
            from = match self.admit(id, rank) {
                Admission::Began | Admission::Refused => from,
                Admission::Busy => Some(entry),
                // The memory that it waits for must not go to those behind it.
                Admission::Short if rank <= Rank::Preload => break,
                // One that is short stands for all of its rank.
                Admission::Short => Some(((rank, u64::MAX), ShardId(u64::MAX))),
            };
        }
    }

    fn next_waiting(&self, after: Option<(Place, ShardId)>) -> Option<(Place, ShardId)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.queue.range((from, Bound::Unbounded)).next().copied()
    }

    fn admit(&mut self, id: ShardId, rank: Rank) -> Admission {
        let Some(shard) = self.get(id) else { return Admission::Refused };
        if shard.attempt.is_some() {
            return Admission::Busy;
        }
        let aim = shard.waiting.map_or(Aim::Body, |waiting| waiting.aim);
        if aim == Aim::Digest && shard.saves.newest(shard.generation).is_none() {
            self.without_digest(id);
            return Admission::Refused;
        }
        let (need, displace) = (shard.working_bytes(aim), displace(shard, rank));
        if self.can_never_fit(need) {
            if aim == Aim::Digest {
                self.without_digest(id);
                return Admission::Refused;
            }
            self.fail(id, self.over_budget(need).into());
            // What was only suspected is doubted more with every refusal, most in its own time: each new
            // attempt may take everybody's memory in vain once more.
            let doubt = if rank > Rank::Hinted { 4 } else { 16 };
            self.change(id, |shard| shard.suspected_bytes -= shard.suspected_bytes / doubt);
            return Admission::Refused;
        }
        let pressed = self.pressure > Pressure::None && matches!(rank, Rank::Hinted | Rank::Load);
        if !pressed && self.make_room(id, displace, need) && self.fits(need) {
            self.start(id, displace, need);
            return Admission::Began;
        }
        let now = self.now;
        self.change(id, |shard| {
            if let Some(waiting) = &mut shard.waiting {
                waiting.short_since.get_or_insert(now);
            }
        });
        Admission::Short
    }

    fn fits(&self, need: u64) -> bool {
        self.ledger.held().saturating_add(need) <= self.policy.budget_bytes
    }

    /// True if not even an otherwise empty memory would do.
    fn can_never_fit(&self, need: u64) -> bool {
        let stays = self.pinned_bytes().saturating_add(self.ledger.own());
        stays.saturating_add(need) > self.policy.budget_bytes
    }

    /// Makes room for so many bytes more, on behalf of a shard; false, and nothing moved, if that cannot be
    /// done. Bodies that give way may take a moment to be gone.
    pub(crate) fn make_room(&mut self, id: ShardId, displace: Displace, need: u64) -> bool {
        if self.fits(need) {
            return true;
        }
        let Some(plan) = self.plan(Some(id), displace, need) else { return false };
        self.carry_out(plan);
        true
    }

    /// Who must give way so that `need` fits, going on to the low mark; `None` if it cannot fit.
    fn plan(&self, id: Option<ShardId>, displace: Displace, need: u64) -> Option<Plan> {
        let leaving = self.ledger.leaving(self.now);
        let mut held = self.ledger.held().saturating_add(need).saturating_sub(leaving);
        let budget = self.policy.budget_bytes;
        let mut plan = Plan { bodies: Vec::new(), digests: Vec::new() };
        if held <= budget {
            return Some(plan);
        }
        let low = self.policy.low_mark_bytes();
        for (last_use, other) in &self.with_body {
            if held <= low || !displace.allows(*last_use) {
                break;
            }
            if Some(*other) != id {
                held = held.saturating_sub(self.get(*other).map_or(0, |shard| shard.body_bytes));
                plan.bodies.push(*other);
            }
        }
        if held > budget {
            for (last_use, other) in &self.with_digest {
                if held <= budget || !displace.allows(*last_use) {
                    break;
                }
                let idle = |shard: &&Shard| shard.attempt.is_none() && shard.waiting.is_none();
                if let Some(shard) = self.get(*other).filter(idle)
                    && Some(*other) != id
                {
                    held = held.saturating_sub(shard.digest_bytes);
                    plan.digests.push(*other);
                }
            }
        }
        (held <= budget).then_some(plan)
    }

    fn carry_out(&mut self, plan: Plan) {
        for id in plan.bodies {
            self.park(id, Reason::Budget);
        }
        for id in plan.digests {
            self.drop_all(id, Reason::Budget);
        }
    }

    /// Gives up what is over the budget, down to the low mark; where that does not do, the attempt
    /// that takes most beyond its due is stopped.
    pub(crate) fn keep_to_budget(&mut self) {
        if self.ledger.held() <= self.policy.budget_bytes {
            return;
        }
        match self.plan(None, Displace::Anybody, 0) {
            Some(plan) => self.carry_out(plan),
            None => self.shed(),
        }
    }

    /// Every body that may give way does, and one attempt stops.
    fn shed(&mut self) {
        let bodies: Vec<ShardId> = self.with_body.iter().map(|(_, id)| *id).collect();
        bodies.into_iter().for_each(|id| self.park(id, Reason::Budget));
        let ids: Vec<ShardId> = self.shards().collect();
        let attempts: Vec<(ShardId, &Attempt)> =
            ids.iter().filter_map(|id| Some((*id, self.get(*id)?.attempt.as_ref()?))).collect();
        // One that was stopped has to be gone before anything can be said of the others.
        if attempts.iter().any(|(_, attempt)| attempt.standing == Standing::Cancelled) {
            return;
        }
        let alone = attempts.len() == 1;
        let running = attempts.iter().filter(|(_, attempt)| attempt.standing == Standing::Running);
        let largest = running.max_by_key(|(_, attempt)| (attempt.reservation.bytes(), attempt.id));
        let Some((id, reserved)) = largest.map(|(id, attempt)| (*id, attempt.reservation.bytes())) else {
            return;
        };
        let took = reserved.max(self.ledger.unaccounted());
        if alone && self.reads_digest(id).is_none() {
            self.change(id, |shard| shard.suspected_bytes = took);
            let snapshot = self.get(id).and_then(|shard| shard.attempt.as_ref()?.snapshot);
            self.distrust(id, snapshot);
        }
        self.stop(id, self.over_budget(took).into());
    }

    /// The machine is short of memory: each time a step is taken until it is not.
    pub(crate) fn pressed(&mut self, level: Pressure) {
        const AT_ONCE: [usize; 3] = [0, 1, 4];
        self.pressure = level;
        self.room_changed = true;
        let victims: Vec<ShardId> =
            self.with_body.iter().take(AT_ONCE[level as usize]).map(|(_, id)| *id).collect();
        victims.into_iter().for_each(|id| self.park(id, Reason::Pressure));
    }

    /// Refuses an attempt that has waited for memory for too long.
    pub(crate) fn refuse_if_waited_out(&mut self, id: ShardId) {
        let Some(shard) = self.get(id) else { return };
        let Some(waiting) = shard.waiting else { return };
        let needed = shard.working_bytes(waiting.aim);
        let waited_out = |since: Moment| since.saturating_add(self.policy.admission_wait) <= self.now;
        if !waiting.short_since.is_some_and(waited_out) {
            return;
        }
        self.room_changed = true;
        if self.fits(needed) {
            // By now it waits for a lane, or for the end of the pressure.
            self.change(id, |shard| shard.waiting = Some(Waiting { short_since: None, ..waiting }));
            return;
        }
        match (waiting.aim, waiting.place.0) {
            (Aim::Digest, _) => self.without_digest(id),
            // Nobody waits for it, and what holds the memory is used more.
            (Aim::Body, rank @ (Rank::Hinted | Rank::Load)) => self.withdraw(id, rank),
            (Aim::Body, _) => self.fail(id, self.over_budget(needed).into()),
        }
    }

    /// Gives up a load for now. What the snapshot can tell of the shard may still find room.
    fn withdraw(&mut self, id: ShardId, rank: Rank) {
        self.change(id, |shard| {
            shard.waiting = None;
            shard.pending = shard.pending.take().filter(|_| shard.tier.has_digest());
        });
        self.move_health(id, Reason::Budget);
        self.want_digest(id, rank);
    }

    pub(crate) fn over_budget(&self, needed_bytes: u64) -> OverBudget {
        OverBudget {
            needed_bytes,
            budget_bytes: self.policy.budget_bytes,
            held_bytes: self.ledger.held(),
            pinned_bytes: self.pinned_bytes(),
            largest: self.largest(),
        }
    }
}

/// Whose memory an attempt of this rank may take.
fn displace(shard: &Shard, rank: Rank) -> Displace {
    match rank {
        Rank::Digest | Rank::Claimed | Rank::Preload => Displace::Anybody,
        Rank::Hinted => Displace::Before(shard.last_use),
        Rank::Load | Rank::Refresh => Displace::Until(shard.last_use),
    }
}
