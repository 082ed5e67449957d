//! Comparisons in the simulator's books: what they speak of, what they find, what is learned of them.
//!
//! One that finds nothing is entered before the effects are judged, which then have to say that the shard is fresh. What
//! one finds is placed where it is published; where it is not, there was no room for it.

use crate::advancing::Room;
use crate::books::{Books, Step};
use crate::effects::rule;
use crate::rules::taken;
use crate::twin::{Body, Flight, Twin, Urgency};
use hearth_residency::{Advance, ChangeClass, Effect, Generation, Health, Reason, ShardId, Transition};

/// What has to happen of comparisons in some run, for the rules to have judged it.
pub(crate) const TALES: [&str; 16] = [
    "a comparison that finds nothing",
    "a comparison that finds something",
    "a body of a snapshot that is as its source is",
    "a body of a snapshot that is not as its source is",
    "a comparison in place of applied changes",
    "a comparison during a save",
    "a comparison that recovers",
    "a comparison with changes still to come",
    "a comparison that takes in what came meanwhile",
    "a comparison of a body that was followed meanwhile",
    "a comparison that comes too late again",
    "a comparison that nobody asked for",
    "a comparison without room",
    "a comparison that others make room for",
    "a small difference beyond the budget",
    "a difference that shrinks while too much is held",
];

/// What a comparison found.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) flight: Flight,
    pub(crate) body: Body,
    advance: Advance,
}

impl Books {
    pub(crate) fn end_comparison(
        &mut self,
        mut flight: Flight,
        from: Generation,
        next: Option<(Body, Advance)>,
        took: u64,
        step: &mut Step,
    ) {
        let shard = flight.shard;
        let Some(twin) = self.twin_mut(shard) else { return };
        if flight.class == Some(ChangeClass::Reconcile) {
            (twin.compare_bytes, twin.doubtful) = (Some(took), false);
        } else {
            step.tales.push("a comparison in place of applied changes");
        }
        if twin.generation != from {
            flight.covers.take().into_iter().for_each(|covers| twin.merge_open(covers));
            let again = std::mem::replace(&mut twin.strayed, true);
            (step.failed, step.strayed) = (again, (!again).then_some(shard));
            step.tales.push(match again {
                true => "a comparison that comes too late again",
                false => "a comparison of a body that was followed meanwhile",
            });
            return;
        }
        match next {
            None => self.prove(step, shard, None),
            Some((body, advance)) => step.next = Some(Next { flight, body, advance }),
        }
    }

    /// The published body is as its source was; `clock` is that of what was found.
    fn prove(&mut self, step: &mut Step, shard: ShardId, clock: Option<u64>) {
        let now = self.now;
        let Some(twin) = self.twin_mut(shard) else { return };
        let held = twin.open.take_if(|open| {
            open.class == ChangeClass::Apply && clock.is_some_and(|clock| open.clock <= clock)
        });
        let (nothing, something) = match twin.behind {
            true => (
                "a body of a snapshot that is as its source is",
                "a body of a snapshot that is not as its source is",
            ),
            false => ("a comparison that finds nothing", "a comparison that finds something"),
        };
        let tales = [
            (true, if clock.is_none() { nothing } else { something }),
            (twin.saving.is_some(), "a comparison during a save"),
            (twin.failures > 0, "a comparison that recovers"),
            (twin.open.is_some(), "a comparison with changes still to come"),
            (held.is_some(), "a comparison that takes in what came meanwhile"),
        ];
        step.tales.extend(tales.iter().filter(|(happened, _)| *happened).map(|(_, tale)| *tale));
        (twin.behind, twin.strayed, twin.last_good) = (false, false, Some(now));
        twin.compares += 1;
        (twin.failures, twin.retry_at, twin.hurried) = (0, None, false);
        (step.made, step.proven) = (Some(shard), Some(shard));
    }

    /// What was found and is not published found no room; what is took none from those that were used since.
    pub(crate) fn settle_comparison(
        &mut self,
        step: &mut Step,
        effects: &[Effect<Body>],
    ) -> Result<(), String> {
        let Some(next) = &step.next else { return Ok(()) };
        let is = |effect: &Effect<Body>| matches!(effect, Effect::Publish { body, .. } if *body == next.body);
        if let Some(published) = effects.iter().position(is) {
            return self.took_from(&next.flight, &effects[..published]);
        }
        let Some(Next { mut flight, advance, .. }) = step.next.take() else { return Ok(()) };
        self.has_no_room(flight.shard, advance, self.least_held(flight.shard, flight.used))?;
        let Some(twin) = self.twin_mut(flight.shard) else { return Ok(()) };
        flight.covers.take().into_iter().for_each(|covers| twin.merge_open(covers));
        step.failed = true;
        step.tales.push("a comparison without room");
        Ok(())
    }

    fn took_from(&self, flight: &Flight, effects: &[Effect<Body>]) -> Result<(), String> {
        let gone = effects.iter().filter_map(taken).filter(|(_, reason)| *reason == Reason::Budget);
        let mut gone = gone.filter_map(|(shard, _)| self.twin(shard));
        let used_since = gone.find(|twin| twin.last_use > flight.used);
        let hurried = flight.urgency < Urgency::Background;
        rule!(used_since.is_none() || hurried, "whose memory may be taken", "{used_since:?} for {flight:?}");
        Ok(())
    }

    pub(crate) fn publish_next(
        &mut self,
        step: &mut Step,
        next: Next,
        generation: Generation,
    ) -> Result<(), String> {
        let Next { flight, body, advance } = next;
        let least = self.least_held(flight.shard, flight.used);
        let (room, _) = self.follow(step, flight.shard, (body, advance), generation, least)?;
        step.tales.extend(match room {
            Room::Spare(short) => short.then_some("a difference that shrinks while too much is held"),
            Room::Lacking => Some("a small difference beyond the budget"),
            Room::Made => Some("a comparison that others make room for"),
            Room::There => None,
        });
        self.prove(step, flight.shard, Some(advance.clock));
        Ok(())
    }

    pub(crate) fn comparison_was_taken(&self, step: &Step, effects: &[Effect<Body>]) -> Result<(), String> {
        rule!(step.next.is_none(), "what is found is published once or not", "{:?}", step.next);
        if let Some(proven) = step.proven {
            let fresh = |effect: &Effect<Body>| {
                matches!(effect, Effect::Transition(Transition {
                    shard,
                    step: hearth_residency::Step::Health { to: Health::Fresh, .. },
                    ..
                }) if *shard == proven)
            };
            rule!(effects.iter().any(fresh), "who was compared is fresh", "{proven:?} is not");
        }
        let twin = step.strayed.and_then(|shard| self.twin(shard));
        let again = |twin: &Twin| match twin.health {
            Health::Rebuilding => true,
            Health::Failed => twin.lacks_memory,
            // It gave way to others.
            Health::Empty => twin.body.is_none(),
            Health::Loading | Health::Fresh => false,
        };
        rule!(twin.is_none_or(again), "who was compared in vain is compared again", "{twin:?}");
        Ok(())
    }
}

impl Twin {
    /// What a comparison is known or expected to take, if none was stopped.
    pub(crate) fn to_compare(&self) -> u64 {
        self.compare_bytes.unwrap_or(self.body_bytes / 8 + (1 << 20))
    }
}
