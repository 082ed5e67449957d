//! Up and down the tiers: use, claims, idleness, pins.
//!
//! Going down is always by one rung, except by an operator's word. A body that is given up is held
//! until its last reader lets go of it.

use crate::Pin;
use crate::axes::{Health, Reason, Tier};
use crate::event::{Effect, Failure, ShardId};
use crate::kernel::Kernel;

impl<B> Kernel<B> {
    /// Queries read a shard.
    pub(crate) fn touched(&mut self, id: ShardId, queries: u64) {
        let now = self.now;
        self.change(id, |shard| {
            shard.rate.count(queries, now);
            shard.last_use = now;
            shard.idle_since = now;
        });
    }

    /// A query will need these shards.
    pub(crate) fn hinted(&mut self, ids: &[ShardId]) {
        for id in ids {
            let Some(shard) = self.get(*id) else { continue };
            if shard.tier.has_body() || shard.health == Health::Failed {
                continue;
            }
            let now = self.now;
            self.change(*id, |shard| (shard.last_use, shard.idle_since) = (now, now));
            self.want(*id, Reason::Promote);
        }
    }

    /// A query needs a shard now.
    pub(crate) fn claimed(&mut self, id: ShardId) {
        let now = self.now;
        let wanted = self.change(id, |shard| {
            shard.claims += 1;
            (shard.last_use, shard.idle_since) = (now, now);
            // A source that fails is left alone until its time; memory may be there by now.
            let backs_off = shard.retry_at.is_some_and(|at| at > now)
                && !matches!(shard.last_failure, Some(Failure::OverBudget(_)));
            !shard.tier.has_body() && !backs_off
        });
        if wanted == Some(true) {
            self.want(id, Reason::Promote);
        }
    }

    /// A query that claimed a shard let go of it.
    pub(crate) fn settled(&mut self, id: ShardId) {
        let now = self.now;
        self.change(id, |shard| {
            shard.claims = shard.claims.saturating_sub(1);
            shard.idle_since = now;
        });
        self.room_changed = true;
    }

    /// Falls to the next tier if nobody asked for long enough.
    pub(crate) fn idle_if_due(&mut self, id: ShardId) {
        let Some(shard) = self.get(id) else { return };
        if shard.idle_until(&self.policy).is_none_or(|until| until > self.now) {
            return;
        }
        let now = self.now;
        match shard.tier {
            Tier::Hot => {
                self.move_tier(id, Reason::Idle);
                self.change(id, |shard| shard.idle_since = now);
            }
            Tier::Warm => self.park(id, Reason::Idle),
            Tier::Parked => self.drop_all(id, Reason::Idle),
            Tier::Cold => {}
        }
    }

    /// Gives up the body and keeps the digest.
    pub(crate) fn park(&mut self, id: ShardId, reason: Reason) {
        let Some(shard) = self.get(id) else { return };
        if !shard.tier.has_body() {
            return;
        }
        self.save_before_leaving(id, reason);
        self.cancel(id);
        self.retain_body(id);
        self.move_tier(id, reason);
        self.move_health(id, reason);
        let now = self.now;
        self.change(id, |shard| {
            (shard.idle_since, shard.retry_at, shard.heat) = (now, None, false);
            shard.saves.clear();
            // The next body that is loaded is compared as well, and what the digest refutes is as old as what
            // the body answered.
            shard.uncompared = false;
        });
        self.doubt_stored(id);
        self.effects.push(Effect::Park(id));
        self.room_changed = true;
    }

    /// Gives up everything in memory.
    pub(crate) fn drop_all(&mut self, id: ShardId, reason: Reason) {
        let Some(shard) = self.get(id) else { return };
        let in_memory = shard.tier != Tier::Cold;
        self.save_before_leaving(id, reason);
        self.cancel(id);
        self.retain_body(id);
        let digest = self.change(id, |shard| {
            (shard.pending, shard.retry_at, shard.heat) = (None, None, false);
            shard.uncompared = false;
            shard.saves.clear();
            std::mem::take(&mut shard.digest_bytes)
        });
        self.ledger.drop_digest(digest.unwrap_or(0));
        if in_memory {
            self.move_tier(id, reason);
            self.effects.push(Effect::Drop(id));
        }
        self.move_health(id, reason);
        self.doubt_stored(id);
        self.change(id, |shard| shard.high_water = shard.reserved_bytes());
        self.room_changed = true;
    }

    /// Ends a pin.
    pub(crate) fn unpin(&mut self, id: ShardId) {
        let now = self.now;
        let hot = self.change(id, |shard| {
            (shard.pin, shard.heat, shard.idle_since) = (Pin::None, false, now);
            shard.tier == Tier::Hot
        });
        if hot == Some(true) {
            self.move_tier(id, Reason::PinExpired);
        }
        self.room_changed = true;
    }
}
