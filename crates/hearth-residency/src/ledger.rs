//! Who holds how many bytes, kept so that the sum is known at any instant.
//!
//! Four kinds add up: published bodies, digests, replaced bodies that queries still hold, and what
//! attempts in flight have reserved. What the process was measured to hold beyond the first three
//! counts in place of the reservations where it is more: an attempt that takes more than it asked
//! for, queries' working memory. What is held so while nothing is in flight is the process's own.

use crate::policy::{LEAVING, Moment};
use crate::{Generation, ShardId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes set aside for an attempt. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: u64,
    reserved: Arc<AtomicU64>,
}

impl Reservation {
    /// Bytes set aside.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets aside this many bytes instead.
    pub(crate) fn resize(&mut self, bytes: u64) {
        self.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body and its digest that take the place of others. Bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) body_before: u64,
    pub(crate) digest_before: u64,
    pub(crate) body: u64,
    pub(crate) digest: u64,
    /// Of the body before, what the new one does not hold too.
    pub(crate) rest: u64,
}

impl Exchange {
    fn growth(&self) -> u64 {
        let after = self.body.saturating_add(self.digest).saturating_add(self.rest);
        after.saturating_sub(self.body_before + self.digest_before)
    }
}

/// A replaced or demoted body that somebody may still hold.
#[derive(Debug)]
pub(crate) struct Retained {
    pub(crate) bytes: u64,
    pub(crate) since: Moment,
    /// Whether its long stay has been reported.
    pub(crate) reported: bool,
}

/// The sums.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    bodies: u64,
    digests: u64,
    reserved: Arc<AtomicU64>,
    retained: BTreeMap<(ShardId, Generation), Retained>,
    retained_bytes: u64,
    /// Measured beyond bodies, digests and retained bodies.
    unaccounted: u64,
    /// The same when it was last measured with nothing in flight.
    own: u64,
    high_water: u64,
}

impl Ledger {
    pub(crate) fn bodies(&self) -> u64 {
        self.bodies
    }

    pub(crate) fn digests(&self) -> u64 {
        self.digests
    }

    pub(crate) fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    pub(crate) fn retained(&self) -> u64 {
        self.retained_bytes
    }

    pub(crate) fn unaccounted(&self) -> u64 {
        self.unaccounted
    }

    pub(crate) fn high_water(&self) -> u64 {
        self.high_water
    }

    /// Held by the process itself, whatever it indexes.
    pub(crate) fn own(&self) -> u64 {
        self.own
    }

    /// Everything that counts against the budget.
    pub(crate) fn held(&self) -> u64 {
        self.named().saturating_add(self.own.saturating_add(self.reserved()).max(self.unaccounted))
    }

    fn named(&self) -> u64 {
        self.bodies.saturating_add(self.digests).saturating_add(self.retained_bytes)
    }

    /// What of the retained bodies was given up so recently that it may be gone any moment.
    pub(crate) fn leaving(&self, now: Moment) -> u64 {
        let recent = self.retained.values().filter(|retained| retained.since + LEAVING > now);
        recent.map(|retained| retained.bytes).sum()
    }

    pub(crate) fn reserve(&mut self, bytes: u64) -> Reservation {
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        self.mark();
        Reservation { bytes, reserved: Arc::clone(&self.reserved) }
    }

    /// A body and a digest came into memory; what was measured of them is accounted for now.
    pub(crate) fn take_in(&mut self, body: u64, digest: u64) {
        self.bodies += body;
        self.digests += digest;
        self.unaccounted = self.unaccounted.saturating_sub(body.saturating_add(digest));
        self.mark();
    }

    /// What was taken in and has no place after all goes out again.
    pub(crate) fn take_out(&mut self, body: u64, digest: u64) {
        self.bodies -= body;
        self.digests -= digest;
        self.unaccounted = self.unaccounted.saturating_add(body.saturating_add(digest));
    }

    /// A body left its shard; it is held until [`Ledger::release`].
    pub(crate) fn retain(&mut self, shard: ShardId, generation: Generation, bytes: u64, now: Moment) {
        self.bodies -= bytes;
        self.retained_bytes += bytes;
        let retained = Retained { bytes, since: now, reported: false };
        let before = self.retained.insert((shard, generation), retained);
        debug_assert!(before.is_none(), "a generation is given up once");
    }

    /// How much more will be held once bodies were exchanged.
    pub(crate) fn needed_for(&self, exchange: &Exchange) -> u64 {
        let growth = exchange.growth();
        let unaccounted = self.unaccounted.saturating_sub(growth);
        let unnamed = self.own.saturating_add(self.reserved()).max(unaccounted);
        self.named().saturating_add(growth).saturating_add(unnamed).saturating_sub(self.held())
    }

    /// A body takes the place of the one of that generation, of which the rest is held until [`Ledger::release`].
    pub(crate) fn exchange(
        &mut self,
        shard: ShardId,
        generation: Generation,
        exchange: Exchange,
        now: Moment,
    ) {
        self.unaccounted = self.unaccounted.saturating_sub(exchange.growth());
        self.retain(shard, generation, exchange.rest, now);
        self.bodies = self.bodies - (exchange.body_before - exchange.rest) + exchange.body;
        self.digests = self.digests - exchange.digest_before + exchange.digest;
        self.mark();
    }

    /// A digest left memory.
    pub(crate) fn drop_digest(&mut self, bytes: u64) {
        self.digests -= bytes;
    }

    /// The last holder of a body let go of it; false if it was not known to be held.
    pub(crate) fn release(&mut self, shard: ShardId, generation: Generation) -> bool {
        let Some(retained) = self.retained.remove(&(shard, generation)) else { return false };
        self.retained_bytes -= retained.bytes;
        true
    }

    /// The process holds this many bytes.
    pub(crate) fn measure(&mut self, held: u64) {
        self.unaccounted = held.saturating_sub(self.named());
        if self.reserved() == 0 {
            self.own = self.unaccounted;
        }
        self.mark();
    }

    /// A shard is not known any more: what queries still hold of it counts, and is not spoken of.
    pub(crate) fn forget(&mut self, shard: ShardId) {
        let of_shard = (shard, Generation::default())..=(shard, Generation::MAX);
        self.retained.range_mut(of_shard).for_each(|(_, retained)| retained.reported = true);
    }

    /// Bodies that have been held for long and not been reported, which they then are.
    pub(crate) fn report_overdue(&mut self, since: Moment) -> Vec<(ShardId, Generation, u64)> {
        let overdue =
            self.retained.iter_mut().filter(|(_, retained)| !retained.reported && retained.since <= since);
        let report = |((shard, generation), retained): (&(ShardId, Generation), &mut Retained)| {
            retained.reported = true;
            (*shard, *generation, retained.bytes)
        };
        overdue.map(report).collect()
    }

    /// When the next of the retained bodies stops counting as on its way out.
    pub(crate) fn next_left(&self, now: Moment) -> Option<Moment> {
        self.retained.values().map(|retained| retained.since + LEAVING).filter(|left| *left > now).min()
    }

    /// When the oldest of the retained bodies that were not reported was given up.
    pub(crate) fn oldest_unreported(&self) -> Option<Moment> {
        let open = self.retained.values().filter(|retained| !retained.reported);
        open.map(|retained| retained.since).min()
    }

    /// Retained bytes of one shard.
    pub(crate) fn retained_of(&self, shard: ShardId) -> u64 {
        let range = (shard, Generation::default())..=(shard, Generation::MAX);
        self.retained.range(range).map(|(_, retained)| retained.bytes).sum()
    }

    /// Notes the most that was held.
    pub(crate) fn mark(&mut self) {
        self.high_water = self.high_water.max(self.held());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SHARD: ShardId = ShardId(1);

    #[test]
    fn a_dropped_reservation_gives_its_bytes_back() {
        let mut ledger = Ledger::default();
        let mut first = ledger.reserve(10);
        let second = ledger.reserve(5);
        first.resize(20);
        assert_eq!((ledger.reserved(), ledger.held(), first.bytes()), (25, 25, 20));
        drop(first);
        assert_eq!(ledger.held(), 5);
        drop(second);
        assert_eq!((ledger.held(), ledger.high_water()), (0, 15));
    }

    #[test]
    fn a_body_counts_until_its_last_holder_lets_go() {
        let mut ledger = Ledger::default();
        let second = Duration::from_secs;
        ledger.take_in(100, 7);
        ledger.retain(SHARD, 1, 100, second(3));
        assert_eq!((ledger.held(), ledger.retained_of(SHARD), ledger.leaving(second(3))), (107, 100, 100));
        assert_eq!((ledger.next_left(second(3)), ledger.next_left(second(4))), (Some(second(4)), None));
        assert_eq!(ledger.leaving(second(4)), 0);
        assert_eq!(ledger.report_overdue(second(2)), []);
        assert_eq!(ledger.report_overdue(second(3)), [(SHARD, 1, 100)]);
        assert_eq!(ledger.report_overdue(second(9)), []);
        assert!(ledger.release(SHARD, 1) && !ledger.release(SHARD, 1));
        assert_eq!(ledger.held(), 7);
    }

    #[test]
    fn of_a_body_that_was_advanced_only_what_is_not_shared_is_held_twice() {
        let mut ledger = Ledger::default();
        let second = Duration::from_secs;
        ledger.take_in(100, 7);
        let exchange = Exchange { body_before: 100, digest_before: 7, body: 104, digest: 8, rest: 3 };
        assert_eq!(ledger.needed_for(&exchange), 8);
        // What was measured of the next body before it was handed over is named from now on.
        let _attempt = ledger.reserve(2);
        ledger.measure(112);
        assert_eq!((ledger.held(), ledger.needed_for(&exchange)), (112, 5));
        ledger.exchange(SHARD, 1, exchange, second(3));
        assert_eq!((ledger.bodies(), ledger.digests(), ledger.retained()), (104, 8, 3));
        assert_eq!((ledger.unaccounted(), ledger.held(), ledger.leaving(second(3))), (0, 117, 3));
        let smaller = Exchange { body_before: 104, digest_before: 8, body: 50, digest: 1, rest: 54 };
        assert_eq!(ledger.needed_for(&smaller), 0);
        ledger.exchange(SHARD, 2, smaller, second(4));
        assert!(ledger.release(SHARD, 1) && ledger.release(SHARD, 2));
        assert_eq!((ledger.held(), ledger.high_water()), (53, 117));
    }

    #[test]
    fn what_is_measured_counts_where_it_is_more() {
        let mut ledger = Ledger::default();
        ledger.take_in(100, 0);
        ledger.measure(110);
        assert_eq!((ledger.own(), ledger.held()), (10, 110));
        let reservation = ledger.reserve(50);
        ledger.measure(130);
        assert_eq!((ledger.own(), ledger.held()), (10, 160));
        ledger.measure(180);
        assert_eq!(ledger.held(), 180);
        drop(reservation);
        ledger.take_in(60, 5);
        assert_eq!((ledger.unaccounted(), ledger.held()), (15, 180));
    }
}
