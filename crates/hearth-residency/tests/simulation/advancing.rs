//! Bodies that a live feed advances, in the simulator's books: which follow, which find room, what they cover.
//!
//! Whether there was room for one that is not published is judged by what could have given way at that point. One
//! that does not follow the published body may have no effect at all, where nothing else waits to happen.

use crate::books::{Books, Kind, Step};
use crate::effects::rule;
use crate::twin::{Body, Flight, Kept, Twin};
use hearth_residency::{
    Advance, ChangeClass, ChangeSet, Effect, Generation, Health, Moment, Reason, ShardId, Transition,
};

/// A step that is published whatever is held, bytes.
const SMALL: u64 = 1 << 20;

/// What has to happen of advances in some run, for the rules to have judged it.
pub(crate) const TALES: [&str; 19] = [
    "an advance",
    "an advance of a body that a query holds",
    "an advance that shares everything",
    "an advance while an attempt runs",
    "an advance during a save",
    "an advance of a body that was not compared",
    "an advance that others make room for",
    "an advance that shrinks while too much is held",
    "a small advance beyond the budget",
    "an advance without room",
    "an advance that is all that was waited for",
    "an advance that takes in what came during an attempt",
    "an advance that takes in what could not be applied",
    "an advance that takes in what came before a comparison",
    "an advance too early for what is known to have changed",
    "an advance that leaves a comparison to be made",
    "an advance that strays",
    "an advance that comes when the body has left",
    "a body renewed beside a load that hangs",
];

/// A body that took changes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advanced {
    pub(crate) shard: ShardId,
    pub(crate) body: Body,
    advance: Advance,
}

/// How a body that follows another found room.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// It needs none; true if too much was held before.
    Spare(bool),
    /// There was enough.
    There,
    /// Others gave way.
    Made,
    /// There was none.
    Lacking,
}

impl Books {
    pub(crate) fn advance(
        &mut self,
        shard: ShardId,
        from: Generation,
        body: Body,
        advance: Advance,
        step: &mut Step,
    ) {
        step.kind = Kind::Advanced;
        let twin = self.twin(shard);
        let present = twin.filter(|twin| twin.body.is_some());
        let follows = !self.stopping && present.is_some_and(|twin| twin.generation == from);
        // Whoever waits may begin in any step.
        let waits =
            |twin: &Twin| (twin.wants_body() && !self.is_making(twin.id)) || twin.digest_wanted.is_some();
        step.idle = !follows && !self.twins.iter().flatten().any(waits);
        step.advance = follows.then_some(Advanced { shard, body, advance });
        match (twin, present) {
            (Some(_), None) => step.tales.push("an advance that comes when the body has left"),
            (_, Some(_)) if !follows => step.tales.push("an advance that strays"),
            _ => {}
        }
    }

    /// Fewest bytes that are held if all other bodies give way that may and were last used then or before.
    pub(crate) fn least_held(&self, shard: ShardId, used: Moment) -> u64 {
        let others = self.evictable().filter(|twin| twin.id != shard && twin.last_use <= used);
        let gone: u64 = others.map(|twin| twin.body_bytes).sum();
        self.sums.held().saturating_sub(self.leaving()).saturating_sub(gone)
    }

    /// One that is not published found no room: the source is to be compared.
    pub(crate) fn settle_advance(&mut self, step: &mut Step, effects: &[Effect<Body>]) -> Result<(), String> {
        let publishes = |advanced: &Advanced| {
            let is = |effect: &Effect<Body>| matches!(effect, Effect::Publish { body, .. } if *body == advanced.body);
            effects.iter().any(is)
        };
        let Some(Advanced { shard, advance, .. }) = step.advance.take_if(|advanced| !publishes(advanced))
        else {
            return Ok(());
        };
        self.has_no_room(shard, advance, self.least_held(shard, Moment::MAX))?;
        if let Some(twin) = self.twin_mut(shard) {
            twin.merge_open(ChangeSet::reconcile(advance.clock));
        }
        step.kind = Kind::Changed;
        step.tales.push("an advance without room");
        Ok(())
    }

    /// Fails if a body that was not published found room beside that many bytes.
    pub(crate) fn has_no_room(&self, shard: ShardId, advance: Advance, least: u64) -> Result<(), String> {
        let Some(twin) = self.twin(shard) else { return Ok(()) };
        let grows = advance.body_bytes.saturating_sub(twin.body_bytes);
        rule!(grows > SMALL, "small steps are published", "{grows} more of {shard:?} are not");
        let growth = twin.bytes_after(advance).saturating_sub(twin.body_bytes + twin.digest_bytes);
        let mut sums = self.sums;
        (sums.retained, sums.unaccounted) = (sums.retained + growth, sums.unaccounted.saturating_sub(growth));
        let need = sums.held().saturating_sub(self.sums.held());
        let budget = self.policy.budget_bytes;
        rule!(
            need > 0 && least + need > budget,
            "an advance with room is published",
            "{need} more of {shard:?} beside {least} of {budget} are not"
        );
        Ok(())
    }

    pub(crate) fn publish_advance(
        &mut self,
        step: &mut Step,
        advanced: Advanced,
        generation: Generation,
    ) -> Result<(), String> {
        let Advanced { shard, body, advance } = advanced;
        let least = self.least_held(shard, Moment::MAX);
        let (room, rest) = self.follow(step, shard, (body, advance), generation, least)?;
        step.tales.extend(match room {
            Room::Spare(short) => short.then_some("an advance that shrinks while too much is held"),
            Room::Lacking => Some("a small advance beyond the budget"),
            Room::Made => Some("an advance that others make room for"),
            Room::There => None,
        });
        self.tell_of(step, advanced, rest);
        self.cover(step, shard, advance.clock);
        Ok(())
    }

    /// A body follows the published one: whether there was room for it, and what of the one before is left. At least
    /// `least` bytes would be held without it, whoever gives way.
    pub(crate) fn follow(
        &mut self,
        step: &mut Step,
        shard: ShardId,
        (body, advance): (Body, Advance),
        generation: Generation,
        least: u64,
    ) -> Result<(Room, u64), String> {
        let (now, leaving) = (self.now, self.leaving());
        let (held_before, named_before) = (self.sums.held(), self.sums.named());
        let Some(twin) = self.twin_mut(shard) else { return Ok((Room::There, 0)) };
        let before = (twin.generation, twin.body_bytes, twin.digest_bytes);
        rule!(generation == before.0 + 1, "generations grow", "{generation} after {}", before.0);
        rule!(twin.body.is_some(), "bodies follow bodies", "{body} of {shard:?} follows none");
        let rest = twin.rest(advance);
        (twin.body, twin.generation) = (Some(body), generation);
        (twin.body_bytes, twin.digest_bytes) = (advance.body_bytes, advance.digest_bytes);
        (twin.advances, twin.last_good) = (twin.advances + 1, Some(now));
        twin.unsaved_since.get_or_insert(now);
        self.kept.push(Kept { shard, generation: before.0, bytes: rest, since: now, reported: false });
        self.sums.retained += rest;
        self.sums.bodies = self.sums.bodies - before.1 + advance.body_bytes;
        self.sums.digests = self.sums.digests - before.2 + advance.digest_bytes;
        let named = self.sums.named().saturating_sub(named_before);
        self.sums.unaccounted = self.sums.unaccounted.saturating_sub(named);
        let (held, budget) = (self.sums.held(), self.policy.budget_bytes);
        let room = if held <= held_before {
            Room::Spare(held_before.saturating_sub(leaving) > budget)
        } else if held.saturating_sub(leaving) > budget {
            let grows = advance.body_bytes.saturating_sub(before.1);
            rule!(grows <= SMALL, "room for what is published", "{held} held, of which {leaving} leave");
            let could = least + (held - held_before) <= budget;
            rule!(!could, "room is made where it can be", "{held} held, {least} at least");
            step.small = true;
            Room::Lacking
        } else if step.touched.iter().any(|touched| *touched != shard) {
            Room::Made
        } else {
            Room::There
        };
        Ok((room, rest))
    }

    fn tell_of(&self, step: &mut Step, advanced: Advanced, rest: u64) {
        let Advanced { shard, advance, .. } = advanced;
        let twin = self.twin(shard);
        let held = self.kept.iter().filter(|kept| kept.shard == shard).count() > 1;
        let tales = [
            (true, "an advance"),
            (held, "an advance of a body that a query holds"),
            (rest == 0 && advance.body_bytes > 0, "an advance that shares everything"),
            (self.is_making(shard), "an advance while an attempt runs"),
            (twin.is_some_and(|twin| twin.saving.is_some()), "an advance during a save"),
            (twin.is_some_and(|twin| twin.behind), "an advance of a body that was not compared"),
        ];
        step.tales.extend(tales.iter().filter(|(happened, _)| *happened).map(|(_, tale)| *tale));
    }

    /// Changes that the body holds by now are open no more.
    fn cover(&mut self, step: &mut Step, shard: ShardId, clock: u64) {
        let running = self.is_making(shard);
        let Some(twin) = self.twin_mut(shard) else { return };
        let Some(open) = &twin.open else { return };
        if open.class != ChangeClass::Apply {
            return step.tales.push("an advance that leaves a comparison to be made");
        }
        if open.clock > clock {
            return step.tales.push("an advance too early for what is known to have changed");
        }
        twin.open = None;
        step.tales.push(match twin.health {
            Health::Failed => "an advance that takes in what could not be applied",
            _ if running => "an advance that takes in what came during an attempt",
            _ if twin.behind => "an advance that takes in what came before a comparison",
            _ => {
                (twin.failures, twin.retry_at, twin.hurried) = (0, None, false);
                twin.strayed = false;
                step.caught_up = Some(shard);
                "an advance that is all that was waited for"
            }
        });
    }

    pub(crate) fn advance_was_taken(&self, step: &Step, effects: &[Effect<Body>]) -> Result<(), String> {
        let silent = !step.idle || effects.is_empty();
        rule!(silent, "an advance that does not follow changes nothing", "{effects:?}");
        rule!(step.advance.is_none(), "an advance is published once or not", "{:?}", step.advance);
        let Some(caught_up) = step.caught_up else { return Ok(()) };
        let fresh = |effect: &Effect<Body>| {
            matches!(effect, Effect::Transition(Transition {
                shard,
                step: hearth_residency::Step::Health { to: Health::Fresh, .. },
                ..
            }) if *shard == caught_up)
        };
        rule!(effects.iter().any(fresh), "who has caught up is fresh", "{caught_up:?} is not");
        Ok(())
    }

    /// What is only renewed begins when nothing is read from disk, or what is seems to hang.
    pub(crate) fn waits_for_no_recall(&self, step: &mut Step) -> Result<(), String> {
        let mut reading = self.flights.iter().filter(|flight| flight.running && flight.recalls);
        let first = reading.next();
        rule!(first.is_none(), "what is on disk serves first", "{first:?} runs");
        let newest = |shard: ShardId| self.twin(shard).and_then(Twin::newest);
        let reads = |flight: &Flight| flight.running && flight.snapshot.is_some();
        let mut reading = self.flights.iter().filter(|flight| reads(flight));
        if reading.any(|flight| newest(flight.shard) == flight.snapshot) {
            step.tales.push("a body renewed beside a load that hangs");
        }
        Ok(())
    }
}

impl Step {
    /// An advance moves nothing, but it may show that a body holds all that was waited for; what waits may begin, and
    /// take memory.
    pub(crate) fn moved_by_advance(&self, moved: &Transition) -> Result<(), String> {
        let own = self.kind == Kind::Advanced && self.shard == Some(moved.shard);
        let caught_up = self.caught_up == Some(moved.shard);
        let may = match moved.reason {
            Reason::Publish | Reason::Recovered => caught_up,
            reason => matches!(reason, Reason::Budget | Reason::Failed),
        };
        rule!(may || !own, "an advance moves nothing", "{moved:?}");
        Ok(())
    }
}

impl Twin {
    /// What of its body the next one does not hold.
    fn rest(&self, advance: Advance) -> u64 {
        self.body_bytes.saturating_sub(advance.shared_bytes)
    }

    fn bytes_after(&self, advance: Advance) -> u64 {
        advance.body_bytes + advance.digest_bytes + self.rest(advance)
    }

    /// What an attempt that renews its body has to take in.
    pub(crate) fn to_catch_up(&self) -> ChangeSet {
        let compare = ChangeSet::reconcile(0);
        let Some(mut changes) = self.open.clone() else { return compare };
        if self.behind {
            changes.merge(compare);
        }
        changes
    }
}
