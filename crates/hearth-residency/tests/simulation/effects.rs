//! Each effect, in its order, checked against the books as they are at that point, then entered.
//!
//! The order matters: an attempt has to fit beside what is held when it begins, not when the step is over,
//! and transitions of a shard have to chain.

use crate::books::{Arrived, Books, Kind, Step, slot};
use crate::twin::{Body, Flight, Kept, Sizes, Urgency};
use hearth_residency::{
    AttemptId, ChangeClass, Effect, Failure, Generation, Health, Job, Kernel, Moment, Reason, ShardId, Tier,
    Transition, View, back_off,
};
use std::time::Duration;

/// Times that are computed twice from fractions differ by less.
pub(crate) const ROUNDING: Duration = Duration::from_micros(1);

/// Fails with a rule's name and what is wrong.
macro_rules! rule {
    ($holds:expr, $name:literal, $($arg:tt)+) => {
        if !$holds {
            return Err(format!("{}: {}", $name, format_args!($($arg)+)));
        }
    };
}
pub(crate) use rule;

impl Books {
    pub(crate) fn apply(
        &mut self,
        kernel: &Kernel<Body>,
        step: &mut Step,
        effect: &Effect<Body>,
        later: &[Effect<Body>],
    ) -> Result<(), String> {
        if let Some(shard) = subject(effect) {
            rule!(self.twin(shard).is_some(), "nothing for the forgotten", "{effect:?}");
            rule!(!step.shown.contains(&shard), "shown last", "{effect:?} comes after {shard:?} was shown");
            if !matches!(effect, Effect::Overdue { .. }) {
                step.touched.push(shard);
                self.dirty.push(slot(shard));
            }
        }
        match effect {
            Effect::Start { shard, attempt, job, reserved_bytes } => {
                self.start(step, *shard, *attempt, job, *reserved_bytes)
            }
            Effect::Cancel { shard, attempt } => self.cancel(step, *shard, *attempt),
            Effect::Publish { shard, body, generation } => self.publish(step, *shard, *body, *generation),
            Effect::ShowDigest { shard, body } => self.show_digest(step, *shard, *body),
            Effect::Save { shard, generation } => self.begin_save(step, later, *shard, *generation),
            Effect::Park(shard) => self.park(step, *shard),
            Effect::Drop(shard) => self.drop_all(step, *shard),
            Effect::Forget(shard) => self.forget(step, *shard),
            Effect::Show { shard, view } => self.show(kernel, step, *shard, view),
            Effect::Transition(transition) => self.transition(step, transition),
            Effect::Overdue { shard, generation, bytes } => self.overdue(*shard, *generation, *bytes),
            Effect::Reply { ticket, result } => {
                let expected = step.reply.take();
                rule!(expected == Some((*ticket, *result)), "replies", "{effect:?}, expected {expected:?}");
                Ok(())
            }
        }
    }

    fn start(
        &mut self,
        step: &mut Step,
        shard: ShardId,
        id: AttemptId,
        job: &Job,
        reserved: u64,
    ) -> Result<(), String> {
        rule!(id > self.last_attempt, "attempts have numbers of their own", "{id:?} again");
        rule!(self.flight(shard).is_none(), "one attempt in flight", "{id:?} of {shard:?} is a second one");
        rule!(!self.stopping, "nothing begins while the process stops", "{id:?} of {shard:?}");
        let hung = Sizes::hangs(id, self.hanging);
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        let digest = *job == Job::Digest;
        let asked = if digest { &mut twin.digest_wanted } else { &mut twin.urgency };
        let asked = asked.take();
        let wanted = twin.wants_body() != digest && (asked.is_some() || !digest);
        rule!(wanted, "attempts are wanted", "{id:?} of {shard:?}, which is {:?}", twin.health);
        let expected = match twin.body {
            _ if digest => Job::Digest,
            None => Job::Load,
            Some(_) => Job::Refresh(twin.to_catch_up()),
        };
        rule!(*job == expected, "changes are coalesced", "{id:?} does {job:?}, expected {expected:?}");
        let class = match job {
            Job::Refresh(changes) => Some(changes.class),
            Job::Load | Job::Digest => None,
        };
        let needed = match class {
            Some(ChangeClass::Apply) => 0,
            Some(ChangeClass::Reconcile) => twin.to_compare(),
            Some(ChangeClass::Rebuild) | None => twin.working_bytes(digest),
        };
        let compares = class == Some(ChangeClass::Reconcile) && !twin.doubtful;
        rule!(
            reserved == needed || !compares,
            "comparisons need no room for a second body",
            "{reserved} for {id:?}"
        );
        let renews = twin.body.is_some();
        let exact = renews || (twin.stored.is_none() && !digest) || reserved == needed;
        rule!(
            reserved >= needed && exact,
            "what was learned is reserved",
            "{reserved} of {needed} for {id:?}"
        );
        let claimed = twin.claims > 0 || asked == Some(Urgency::Claimed);
        let urgency = asked.unwrap_or(Urgency::Background);
        let covers = if digest { None } else { twin.open.take() };
        let snapshot = twin.newest().filter(|_| twin.body.is_none());
        let (of, used) = (twin.generation, twin.last_use);
        if twin.saving.is_some() && snapshot.is_some() {
            step.tales.push("a load of what is being saved");
        }
        if digest && urgency > Urgency::Claimed {
            step.tales.push("a digest in place of a load");
        }
        if renews {
            self.waits_for_no_recall(step)?;
        }
        let actual = Sizes::actual(id, reserved);
        let (began, running) = (self.now, true);
        self.flights.push(Flight {
            id,
            shard,
            reserved,
            began,
            running,
            actual,
            hung,
            covers,
            urgency,
            recalls: snapshot.is_some(),
            digest,
            snapshot,
            class,
            of,
            used,
        });
        (self.last_attempt, step.started) = (id, step.started + 1);
        self.sums.reserved += reserved;
        let (held, budget) = (self.sums.held(), self.policy.budget_bytes);
        rule!(held <= budget, "admission", "{id:?} begins with {held} held of {budget}");
        let in_lanes =
            self.flights.iter().filter(|flight| !flight.is_overdue(&self.policy, self.now)).count();
        let lanes = self.policy.lanes * if claimed { 2 } else { 1 };
        rule!(in_lanes <= lanes, "lanes", "{in_lanes} attempts in {lanes} lanes after {id:?}");
        Ok(())
    }

    fn cancel(&mut self, step: &Step, shard: ShardId, id: AttemptId) -> Result<(), String> {
        let (now, policy) = (self.now, &self.policy);
        let known = |flight: &&Flight| self.twin(flight.shard).is_some();
        let alone = self.flights.iter().filter(known).count() == 1;
        let flight = self.flights.iter_mut().find(|flight| flight.id == id && flight.shard == shard);
        let Some(flight) = flight.filter(|flight| flight.running) else {
            return Err(format!("cancelled once: {id:?} of {shard:?} does not run"));
        };
        flight.running = false;
        let (covers, snapshot, digest) = (flight.covers.take(), flight.snapshot, flight.digest);
        // A snapshot that cannot be read in time, or that takes all memory, is of no use.
        let useless = match flight.digest {
            true => flight.is_overdue(policy, now),
            false => alone && step.kind == Kind::Memory,
        };
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        twin.doubtful |= !digest;
        covers.into_iter().for_each(|covers| twin.merge_open(covers));
        if useless {
            twin.distrust(snapshot);
        }
        Ok(())
    }

    fn publish(
        &mut self,
        step: &mut Step,
        shard: ShardId,
        body: Body,
        generation: Generation,
    ) -> Result<(), String> {
        if let Some(advanced) =
            step.advance.take_if(|advanced| (advanced.shard, advanced.body) == (shard, body))
        {
            return self.publish_advance(step, advanced, generation);
        }
        if let Some(next) = step.next.take_if(|next| (next.flight.shard, next.body) == (shard, body)) {
            return self.publish_next(step, next, generation);
        }
        let is = |arrived: &Arrived| {
            arrived.flight.shard == shard && arrived.body == body && !arrived.flight.digest
        };
        let Some(Arrived { flight, measured, behind, .. }) = step.arrived.take().filter(is) else {
            return Err(format!("only what a running attempt made is published: {body} of {shard:?}"));
        };
        rule!(flight.running, "cancelled attempts never publish", "{:?} of {shard:?}", flight.id);
        let loads = self.twin(shard).is_some_and(|twin| twin.body.is_none());
        self.keep_body(shard);
        let now = self.now;
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        rule!(
            generation == twin.generation + 1,
            "generations grow",
            "{generation} after {}",
            twin.generation
        );
        step.made = Some(shard);
        (twin.sent_away, twin.heat, twin.behind, twin.strayed) = (false, false, behind, false);
        twin.last_good = Some(now);
        twin.unsaved_since.get_or_insert(now);
        if loads {
            (twin.loads, twin.idle_since) = (twin.loads + 1, now);
        } else {
            twin.rebuilds += 1;
        }
        let digest_before = std::mem::replace(&mut twin.digest_bytes, measured.digest_bytes);
        (twin.body, twin.body_bytes, twin.has_digest) = (Some(body), measured.body_bytes, true);
        (twin.generation, twin.failures, twin.retry_at, twin.hurried) = (generation, 0, None, false);
        self.sums.digests = self.sums.digests + measured.digest_bytes - digest_before;
        self.sums.bodies += measured.body_bytes;
        let (held, leaving) = (self.sums.held(), self.leaving());
        rule!(
            held.saturating_sub(leaving) <= self.policy.budget_bytes,
            "room for what is published",
            "{held} held, of which {leaving} leave"
        );
        if behind {
            self.is_behind(step, flight);
        }
        Ok(())
    }

    /// The body of a shard, if there is one, is held by its readers only.
    fn keep_body(&mut self, shard: ShardId) {
        let since = self.now;
        let Some(twin) = self.twin_mut(shard) else { return };
        if twin.body.take().is_none() {
            return;
        }
        let (generation, bytes) = (twin.generation, std::mem::take(&mut twin.body_bytes));
        self.kept.push(Kept { shard, generation, bytes, since, reported: false });
        self.sums.bodies -= bytes;
        self.sums.retained += bytes;
    }

    fn park(&mut self, step: &mut Step, shard: ShardId) -> Result<(), String> {
        rule!(self.twin(shard).is_some_and(|twin| twin.body.is_some()), "parks bodies", "{shard:?} has none");
        self.leave_unsaved(step, shard)?;
        self.keep_body(shard);
        let now = self.now;
        if let Some(twin) = self.twin_mut(shard) {
            (twin.idle_since, twin.retry_at, twin.heat) = (now, None, false);
            twin.behind = false;
        }
        Ok(())
    }

    fn drop_all(&mut self, step: &mut Step, shard: ShardId) -> Result<(), String> {
        rule!(self.twin(shard).is_some_and(|twin| twin.has_digest), "drops digests", "{shard:?} has none");
        self.leave_unsaved(step, shard)?;
        self.keep_body(shard);
        if let Some(twin) = self.twin_mut(shard) {
            let digest = std::mem::take(&mut twin.digest_bytes);
            (twin.has_digest, twin.open, twin.retry_at) = (false, None, None);
            (twin.high_water, twin.heat, twin.behind) = (0, false, false);
            self.sums.digests -= digest;
        }
        Ok(())
    }

    fn forget(&mut self, step: &mut Step, shard: ShardId) -> Result<(), String> {
        rule!(step.shard == Some(shard) && step.kind == Kind::Operator, "forgets when told", "{shard:?}");
        let cold = self.twin(shard).is_some_and(|twin| twin.tier == Tier::Cold && twin.body.is_none());
        rule!(cold, "what is forgotten has left memory", "{shard:?}");
        rule!(!self.is_running(shard), "what is forgotten is cancelled", "{shard:?}");
        self.twins[slot(shard)] = None;
        Ok(())
    }

    fn overdue(&mut self, shard: ShardId, generation: Generation, bytes: u64) -> Result<(), String> {
        let now = self.now;
        let is = |kept: &&mut Kept| kept.shard == shard && kept.generation == generation;
        let Some(kept) = self.kept.iter_mut().find(is) else {
            return Err(format!("only what is retained is overdue: {generation} of {shard:?}"));
        };
        rule!(kept.is_due(now) && kept.bytes == bytes, "retained is logged once", "{kept:?} at {now:?}");
        kept.reported = true;
        Ok(())
    }

    fn transition(&mut self, step: &mut Step, moved: &Transition) -> Result<(), String> {
        let Some(twin) = self.twin(moved.shard) else { return Ok(()) };
        rule!(moved.generation == twin.generation, "transitions name the generation", "{moved:?}");
        step.moved_by_advance(moved)?;
        match moved.step {
            hearth_residency::Step::Tier { from, to } => {
                rule!(from == twin.tier, "transitions chain", "{moved:?} of one that is {:?}", twin.tier);
                rule!(from.after(moved.reason) == Some(to), "transitions are rows", "{moved:?}");
                self.seen.tiers[from as usize] |= 1 << (moved.reason as u16);
                self.tier(step, moved, to)
            }
            hearth_residency::Step::Health { from, to } => {
                rule!(from == twin.health, "transitions chain", "{moved:?} of one that is {:?}", twin.health);
                rule!(from.after(moved.reason) == Some(to), "transitions are rows", "{moved:?}");
                let compared = to != Health::Fresh || !twin.behind;
                rule!(compared, "bodies of snapshots are compared before they are fresh", "{moved:?}");
                let good = [step.made, step.caught_up].contains(&Some(moved.shard));
                rule!(good || to != Health::Fresh, "only a good body makes fresh", "{moved:?}");
                self.seen.healths[from as usize] |= 1 << (moved.reason as u16);
                // Whatever came of a digest; but it may be given up for another attempt that begins.
                let quiet = step.digest_ended != Some(moved.shard) || moved.reason == Reason::Budget;
                rule!(quiet, "a digest changes no health", "{moved:?}");
                self.health(step, moved, from, to);
                Ok(())
            }
        }
    }

    fn tier(&mut self, step: &mut Step, moved: &Transition, to: Tier) -> Result<(), String> {
        let (now, reason) = (self.now, moved.reason);
        let policy = self.policy.clone();
        let in_flight = self.flight(moved.shard).is_some();
        let Some(twin) = self.twin_mut(moved.shard) else { return Ok(()) };
        let loads = twin.body.is_none() && (in_flight || twin.wants_body());
        match reason {
            Reason::Idle | Reason::Budget | Reason::Pressure => {
                rule!(!twin.is_pinned(), "pinned shards stay", "{moved:?}");
                rule!(twin.claims == 0, "claimed shards stay", "{moved:?}");
            }
            Reason::Hibernate => {
                rule!(twin.sent_away && !twin.is_pinned(), "hibernates when told", "{moved:?}");
            }
            Reason::PinExpired => rule!(!twin.is_pinned(), "pins last", "{moved:?}"),
            _ => {}
        }
        if reason == Reason::Idle {
            let until = twin.stays_until(&policy).unwrap_or(Moment::MAX);
            rule!(
                until <= now + ROUNDING,
                "nobody falls before its time",
                "{moved:?} at {now:?}, not {until:?}"
            );
            step.fallen.push(moved.shard);
            rule!(!loads, "who loads does not fall", "{moved:?}");
        }
        if reason == Reason::Pressure {
            rule!(matches!(step.kind, Kind::Pressure(_)), "pressure parks under pressure", "{moved:?}");
        }
        twin.left_for = Some(reason);
        if to != Tier::Cold {
            twin.idle_since = if to == Tier::Hot { twin.idle_since } else { now };
        }
        twin.tier = to;
        Ok(())
    }

    fn health(&mut self, step: &mut Step, moved: &Transition, from: Health, to: Health) {
        let shard = moved.shard;
        let Some(twin) = self.twin_mut(shard) else { return };
        twin.health = to;
        // What was to be loaded and found no room is parked, where the snapshot's digest finds some.
        let withdrawn = from == Health::Loading && moved.reason == Reason::Budget;
        if withdrawn && twin.tier == Tier::Cold {
            (twin.open, step.withdrawn) = (None, Some(shard));
            twin.want_digest(twin.urgency.unwrap_or(Urgency::Background));
        }
        match to {
            Health::Loading if twin.claims > 0 => twin.ask(Urgency::Claimed),
            Health::Loading if twin.is_pinned() || twin.heat => twin.ask(Urgency::Asked),
            _ => {}
        }
        if to != Health::Failed {
            return;
        }
        step.failures.push(shard);
        // A body that found no room is thrown away; what it takes counts until it is measured again.
        if let Some(arrived) = step.arrived.take_if(|arrived| arrived.flight.shard == shard) {
            if let Some(covers) = arrived.flight.covers {
                twin.merge_open(covers);
            }
            self.sums.unaccounted += arrived.measured.body_bytes + arrived.measured.digest_bytes;
            step.rejected = true;
        }
    }

    fn show(
        &mut self,
        kernel: &Kernel<Body>,
        step: &mut Step,
        shard: ShardId,
        view: &View,
    ) -> Result<(), String> {
        rule!(kernel.view(shard).as_ref() == Some(view), "what is shown is so", "{shard:?} {view:?}");
        step.shown.push(shard);
        self.schedule(step, shard, view)?;
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        rule!(
            twin.tier == Tier::Cold || view.high_water_bytes >= twin.high_water,
            "high-water marks rise while loaded",
            "{shard:?} {view:?}"
        );
        twin.high_water = view.high_water_bytes;
        (twin.failures, twin.retry_at) = (view.failures, view.retry_at);
        twin.lacks_memory = matches!(view.last_failure, Some(Failure::OverBudget(_)));
        twin.shown = Some(view.clone());
        Ok(())
    }

    /// Failures are counted and repeated by the schedule of waits.
    fn schedule(&mut self, step: &Step, shard: ShardId, view: &View) -> Result<(), String> {
        let now = self.now;
        let hung = self.flight(shard).is_some_and(|flight| !flight.running);
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        let failed = step.failures.iter().filter(|failed| **failed == shard).count();
        let more = view.failures.checked_sub(twin.failures).map(|more| more as usize);
        let counted = more == Some(failed) || (hung && more.is_some_and(|more| more < failed));
        rule!(
            counted,
            "failures are counted",
            "{shard:?}: {} to {}, of {failed}",
            twin.failures,
            view.failures
        );
        if view.failures > twin.failures {
            let expected = Some(now + back_off(view.failures));
            let waits = view.health != Health::Failed || view.retry_at == expected;
            rule!(
                waits,
                "failures wait by the schedule",
                "{shard:?} until {:?}, not {expected:?}",
                view.retry_at
            );
        }
        let of_event = step.shard == Some(shard);
        // What others bring forward is a step of its own.
        let others = step.kind == Kind::Operator || (step.kind == Kind::Claimed && twin.lacks_memory);
        twin.hurried &= !(of_event && others);
        let moved = |before: &Moment| view.retry_at != Some(*before) || view.failures > twin.failures;
        let Some(before) = twin.retry_at.filter(moved) else { return Ok(()) };
        if before <= now {
            twin.hurried = false;
            return Ok(());
        }
        match step.kind {
            _ if view.health == Health::Empty => {}
            Kind::HibernateAll => {}
            Kind::Hibernate if of_event => {}
            Kind::Operator if of_event => {}
            Kind::Claimed if of_event && twin.lacks_memory => {}
            Kind::Changed if of_event && !twin.hurried => twin.hurried = true,
            kind => {
                return Err(format!(
                    "back-off: {shard:?} was to wait until {before:?}; at {now:?} it is {:?} until {:?} after {kind:?}",
                    view.health, view.retry_at
                ));
            }
        }
        Ok(())
    }
}

/// The shard that an effect is for.
fn subject(effect: &Effect<Body>) -> Option<ShardId> {
    match effect {
        Effect::Start { shard, .. }
        | Effect::ShowDigest { shard, .. }
        | Effect::Save { shard, .. }
        | Effect::Cancel { shard, .. }
        | Effect::Publish { shard, .. }
        | Effect::Park(shard)
        | Effect::Drop(shard)
        | Effect::Forget(shard)
        | Effect::Show { shard, .. }
        | Effect::Overdue { shard, .. }
        | Effect::Transition(Transition { shard, .. }) => Some(*shard),
        Effect::Reply { .. } => None,
    }
}
