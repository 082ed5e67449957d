//! Digests that come from the snapshot: a cold shard becomes a parked one without a load.
//!
//! An attempt for a digest waits and reserves like any other, before all others where a query waits for it. It
//! is about the snapshot alone: whatever comes of it, health, failures and generation of the shard stay as they
//! are. A wish to load does not count on it.

use crate::axes::{Health, Reason, Tier};
use crate::event::{Effect, Generation, ShardId};
use crate::kernel::Kernel;
use crate::shard::{Aim, Attempt, Rank, Shard, Standing, Waiting};

impl<B> Kernel<B> {
    /// A query would ask the digest of a shard.
    pub(crate) fn consulted(&mut self, id: ShardId) {
        let now = self.now;
        let free = self.change(id, |shard| {
            (shard.last_use, shard.idle_since) = (now, now);
            shard.attempt.is_none() && !shard.waits_for_body()
        });
        if free == Some(true) {
            self.want_digest(id, Rank::Digest);
        }
    }

    /// Queues an attempt for the digest of a cold shard that has a snapshot and waits for no load.
    pub(crate) fn want_digest(&mut self, id: ShardId, rank: Rank) {
        if self
            .get(id)
            .is_none_or(|shard| shard.tier != Tier::Cold || shard.saves.newest(shard.generation).is_none())
        {
            return;
        }
        let place = (rank, self.arrivals);
        self.arrivals += 1;
        self.change(id, |shard| {
            // Who asks again does not begin to wait again.
            let before = shard.waiting.filter(|waiting| waiting.place.0 <= rank);
            let short_since = shard.waiting.and_then(|waiting| waiting.short_since);
            shard.waiting = before.or(Some(Waiting { place, aim: Aim::Digest, short_since }));
        });
        self.room_changed = true;
    }

    /// A digest was read.
    pub(crate) fn digested(&mut self, id: ShardId, attempt: Attempt, body: B, digest_bytes: u64) {
        let Attempt { reservation, displace, .. } = attempt;
        drop(reservation);
        self.ledger.take_in(0, digest_bytes);
        if !self.make_room(id, displace, 0) {
            self.ledger.take_out(0, digest_bytes);
            return self.without_digest(id);
        }
        let now = self.now;
        self.change(id, |shard| (shard.digest_bytes, shard.idle_since) = (digest_bytes, now));
        self.effects.push(Effect::ShowDigest { shard: id, body });
        self.move_tier(id, Reason::Digest);
    }

    /// The digest that was waited for or being read will not come.
    pub(crate) fn without_digest(&mut self, id: ShardId) {
        self.change(id, |shard| {
            shard.waiting = shard.waiting.filter(|waiting| waiting.aim == Aim::Body);
            // Nothing claims to know the source, and nothing is on its way that will.
            if (shard.tier, shard.health) == (Tier::Cold, Health::Empty) {
                shard.pending = None;
            }
        });
    }

    /// Ends the wait for a digest that is nowhere any more.
    pub(crate) fn end_vain_wait(&mut self, id: ShardId) {
        let waits = |shard: &&Shard| shard.waiting.is_some_and(|waiting| waiting.aim == Aim::Digest);
        let waiting = self.get(id).filter(waits);
        if waiting.is_some_and(|shard| shard.saves.newest(shard.generation).is_none()) {
            self.without_digest(id);
        }
    }

    /// The snapshot whose digest is being read; `None` if none is.
    pub(crate) fn reads_digest(&self, id: ShardId) -> Option<Generation> {
        let attempt = self.get(id)?.attempt.as_ref()?;
        let reads = attempt.aim == Aim::Digest && attempt.standing == Standing::Running;
        attempt.snapshot.filter(|_| reads)
    }
}
