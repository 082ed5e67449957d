//! Bodies that a live feed advances: the published one took changes in and is followed by the next.
//!
//! That is no attempt: it needs no lane and no reservation, and moves neither tier nor health, except that a shard
//! that waits for nothing but changes which the feed has brought by now is fresh. The next body shares most of its
//! memory with the one before, of which only the rest counts as held by queries. Truth comes before thrift: a step
//! that is small is published even where there is no room for it.

use crate::changes::{ChangeClass, ChangeSet};
use crate::event::{Advance, Effect, Generation, ShardId};
use crate::kernel::Kernel;
use crate::ledger::Exchange;
use crate::policy::SMALL_STEP_BYTES;
use crate::shard::{Displace, Shard};
use crate::{Health, Moment};

impl<B> Kernel<B> {
    /// A body took changes in. Nothing happens if it does not follow the one in memory.
    pub(crate) fn advanced(&mut self, id: ShardId, from: Generation, body: B, advance: Advance) {
        let follows = |shard: &&Shard| shard.tier.has_body() && shard.generation == from;
        if self.get(id).filter(follows).is_none() || self.stopping {
            return;
        }
        if self.follow(id, Displace::Anybody, body, advance).is_err() {
            return self.source_changed(id, ChangeSet::reconcile(advance.clock));
        }
        self.cover(id, advance.clock);
        self.save_if_due(id);
        self.room_changed = true;
    }

    /// Publishes a body that follows the one in memory, or says how many bytes there is no room for.
    pub(crate) fn follow(
        &mut self,
        id: ShardId,
        displace: Displace,
        body: B,
        advance: Advance,
    ) -> Result<(), u64> {
        let Some(shard) = self.get(id) else { return Ok(()) };
        let small = advance.body_bytes <= shard.body_bytes.saturating_add(SMALL_STEP_BYTES);
        let (from, exchange) = (shard.generation, exchange(shard, advance));
        let need = self.ledger.needed_for(&exchange);
        if need > 0 && !self.make_room(id, displace, need) && !small {
            return Err(need);
        }
        let now = self.now;
        self.ledger.exchange(id, from, exchange, now);
        let generation = self.change(id, |shard| enter(shard, advance, now)).unwrap_or(from);
        self.effects.push(Effect::Publish { shard: id, body, generation });
        Ok(())
    }

    /// Changes that the body holds by now need not be applied to it.
    fn cover(&mut self, id: ShardId, clock: u64) {
        let fresh_by = self.change(id, |shard| {
            shard.pending.take_if(|open| is_held(open, clock))?;
            let wanted = shard.uncompared || shard.makes_body() || shard.health != Health::Rebuilding;
            if wanted {
                return None;
            }
            shard.waiting = None;
            Some(shard.forgive())
        });
        if let Some(reason) = fresh_by.flatten() {
            self.move_health(id, reason);
        }
    }
}

/// True if a body that holds everything up to a clock needs no other look at the source for these changes.
pub(crate) fn is_held(changes: &ChangeSet, clock: u64) -> bool {
    changes.class == ChangeClass::Apply && changes.clock <= clock
}

fn exchange(shard: &Shard, advance: Advance) -> Exchange {
    Exchange {
        body_before: shard.body_bytes,
        digest_before: shard.digest_bytes,
        body: advance.body_bytes,
        digest: advance.digest_bytes,
        rest: shard.body_bytes.saturating_sub(advance.shared_bytes),
    }
}

/// Enters a body that follows the present one; its number.
fn enter(shard: &mut Shard, advance: Advance, now: Moment) -> Generation {
    (shard.body_bytes, shard.digest_bytes) = (advance.body_bytes, advance.digest_bytes);
    shard.generation += 1;
    shard.advances_total += 1;
    shard.last_good = Some(now);
    shard.saves.unsaved_since.get_or_insert(now);
    shard.generation
}
