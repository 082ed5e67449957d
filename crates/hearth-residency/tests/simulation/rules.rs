//! What must hold after a step: of the step as a whole, of each shard it was about, and of everything.
//!
//! The first two are checked after every step, and look only at what the step was about. The audit looks at
//! everything from the beginning, every few steps.

use crate::books::{Books, Kind, Step, Sums};
use crate::effects::{ROUNDING, rule};
use crate::twin::{Body, Flight, Twin, Urgency};
use hearth_residency::{Effect, Health, Kernel, Moment, Pressure, Reason, ShardId, Tier, Transition, View};

/// Who asks for memory, how urgently, and when a query last used it.
type Asking = (ShardId, Urgency, Moment);

/// What is to be known from before the effects to judge who gave way.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    asking: Vec<Asking>,
    evictable: usize,
    /// Given up for the budget or under pressure.
    gone: Vec<(ShardId, Reason)>,
}

impl Books {
    pub(crate) fn manners(&self, step: &Step, effects: &[Effect<Body>]) -> Manners {
        let gone: Vec<(ShardId, Reason)> = effects.iter().filter_map(taken).collect();
        if gone.is_empty() && !matches!(step.kind, Kind::Pressure(_)) {
            return Manners::default();
        }
        let mut asking = self.asking();
        if let Some(arrived) = &step.arrived {
            let shard = arrived.flight.shard;
            let last_use = self.twin(shard).map_or(Moment::ZERO, |twin| twin.last_use);
            asking.push((shard, arrived.flight.urgency, last_use));
        }
        if let Some(next) = &step.next {
            let shard = next.flight.shard;
            let last_use = self.twin(shard).map_or(Moment::ZERO, |twin| twin.last_use);
            asking.push((shard, next.flight.urgency, last_use));
        }
        if let Some(advanced) = &step.advance {
            asking.push((advanced.shard, Urgency::Claimed, Moment::ZERO));
        }
        Manners { asking, evictable: self.evictable().count(), gone }
    }

    fn asking(&self) -> Vec<Asking> {
        let reads = |twin: &Twin| self.is_running(twin.id) || twin.digest_wanted.is_some();
        let wanting = self.twins.iter().flatten().filter(|twin| twin.wants_body() || reads(twin));
        let asking = wanting.flat_map(|twin| {
            let flight = self.flight(twin.id).filter(|flight| flight.running);
            let said = flight.map(|flight| flight.urgency).into_iter().chain(twin.urgency).min();
            let body = said.or_else(|| twin.wants_body().then_some(Urgency::Background));
            let held = twin.is_held().then_some(Urgency::Claimed);
            // A body may be given what its digest may not, and the other way about.
            let asked = held.or(body).into_iter().chain(twin.digest_wanted);
            asked.map(|urgency| (twin.id, urgency, twin.last_use))
        });
        asking.collect()
    }

    pub(crate) fn evictable(&self) -> impl Iterator<Item = &Twin> {
        self.twins.iter().flatten().filter(|twin| twin.is_evictable())
    }

    pub(crate) fn judge(
        &mut self,
        kernel: &Kernel<Body>,
        step: &Step,
        effects: &[Effect<Body>],
        manners: Manners,
    ) -> Result<(), String> {
        rule!(step.reply.is_none(), "replies", "none to {:?}", step.reply);
        rule!(step.arrived.is_none(), "bodies are published or refused", "{:?}", step.arrived);
        for shard in &step.touched {
            let shown = step.shown.contains(shard) || self.twin(*shard).is_none();
            rule!(shown, "what changes is shown", "{shard:?} is not, of {effects:?}");
        }
        if step.failed
            && let Some(shard) = step.shard
        {
            rule!(step.failures.contains(&shard), "failures are noted", "{shard:?}");
        }
        self.due_was_done(step, effects)?;
        self.advance_was_taken(step, effects)?;
        self.comparison_was_taken(step, effects)?;
        self.saves_are_begun(step)?;
        self.digest_begins(step)?;
        self.commands_were_obeyed(step)?;
        self.sums_agree(kernel)?;
        self.budget_is_kept(step)?;
        if !manners.gone.is_empty() || matches!(step.kind, Kind::Pressure(_)) {
            self.who_gave_way(step, manners)?;
        }
        Ok(())
    }

    fn due_was_done(&self, step: &Step, effects: &[Effect<Body>]) -> Result<(), String> {
        let silent = self.kept.iter().find(|kept| kept.is_due(self.now) && self.twin(kept.shard).is_some());
        rule!(silent.is_none(), "retained is logged", "{silent:?} is not");
        for due in &step.due {
            let Some(twin) = &self.twins[due.slot] else { continue };
            if let Some(from) = due.falls_from {
                let fell = step.fallen.contains(&twin.id);
                let rounding =
                    twin.stays_until(&self.policy).is_some_and(|until| until + ROUNDING > self.now);
                rule!(
                    fell || (rounding && twin.tier == from),
                    "who is idle falls",
                    "{:?} stays {from:?}",
                    twin.id
                );
            }
            if due.unpins {
                rule!(!twin.is_pinned() && twin.tier != Tier::Hot, "pins expire", "{:?}", twin.id);
            }
            if due.retries {
                let done = twin.health != Health::Failed || twin.retry_at != due.retry_at;
                rule!(done, "failures are repeated", "{:?} at {:?}", twin.id, due.retry_at);
            }
            if let Some(attempt) = due.ends {
                let (shard, stop) = (twin.id, Effect::Cancel { shard: twin.id, attempt });
                rule!(effects.contains(&stop), "deadlines", "{attempt:?} of {shard:?} goes on");
            }
        }
        Ok(())
    }

    fn commands_were_obeyed(&self, step: &Step) -> Result<(), String> {
        let away = |twin: &&Twin| twin.sent_away && !twin.is_pinned();
        let sent = match (step.kind, step.shard) {
            (Kind::HibernateAll, _) => {
                self.twins.iter().flatten().find(|twin| away(twin) && twin.tier != Tier::Cold)
            }
            (Kind::Hibernate, Some(shard)) => {
                self.twin(shard).filter(away).filter(|twin| twin.tier != Tier::Cold)
            }
            _ => None,
        };
        rule!(sent.is_none(), "hibernated is cold", "{sent:?}");
        if let (Kind::Claimed, Some(shard)) = (step.kind, step.shard)
            && let Some(twin) = self.twin(shard)
        {
            let coming = twin.body.is_some() || matches!(twin.health, Health::Loading | Health::Failed);
            rule!(coming, "claimed shards come or fail", "{shard:?} is {:?}", twin.health);
        }
        Ok(())
    }

    fn sums_agree(&mut self, kernel: &Kernel<Body>) -> Result<(), String> {
        let totals = kernel.totals();
        let theirs = Sums {
            bodies: totals.bodies_bytes,
            digests: totals.digests_bytes,
            reserved: totals.reserved_bytes,
            retained: totals.retained_bytes,
            unaccounted: totals.unaccounted_bytes,
            own: self.sums.own,
        };
        rule!(theirs == self.sums, "sums", "{theirs:?} in the kernel, {:?} in the books", self.sums);
        let held = self.sums.held();
        rule!(
            totals.held_bytes == held,
            "sums",
            "{} held in the kernel, {held} in the books",
            totals.held_bytes
        );
        let marked = totals.high_water_bytes >= held.max(self.high_water);
        rule!(marked, "high-water mark", "{} with {held} held", totals.high_water_bytes);
        self.high_water = totals.high_water_bytes;
        let flights = self.flights.len();
        rule!(totals.attempts == flights, "attempts in flight", "{} and not {flights}", totals.attempts);
        rule!(totals.pressure == self.pressure, "pressure", "{:?}", totals.pressure);
        Ok(())
    }

    /// What is held is within the budget, or what is beyond leaves, or did not fit and was sent back, or
    /// was there before; and when it is measured, everything has been done that can be.
    fn budget_is_kept(&self, step: &Step) -> Result<(), String> {
        let (held, budget) = (self.sums.held(), self.policy.budget_bytes);
        let leaving = self.leaving();
        if held.saturating_sub(leaving) <= budget {
            return Ok(());
        }
        if step.kind == Kind::Memory {
            let bodies = self.evictable().count();
            rule!(bodies == 0, "budget", "{held} held, {leaving} leave, {bodies} bodies could");
            let known = self.flights.iter().filter(|flight| self.twin(flight.shard).is_some());
            let present: Vec<&Flight> =
                known.filter(|flight| !flight.is_overdue(&self.policy, self.now)).collect();
            let stops = present.iter().any(|flight| !flight.running) || present.is_empty();
            rule!(stops, "budget", "{held} held, {leaving} leave, and all attempts go on");
            return Ok(());
        }
        let before = step.held_before;
        rule!(
            held <= before || step.rejected || step.small,
            "budget",
            "{held} held after {before}, of which {leaving} leave"
        );
        Ok(())
    }

    fn who_gave_way(&self, step: &Step, manners: Manners) -> Result<(), String> {
        let Manners { mut asking, evictable, gone } = manners;
        asking.extend(self.asking());
        let bodies = |wanted: Reason| {
            gone.iter()
                .filter(move |(_, reason)| *reason == wanted)
                .filter_map(|(shard, _)| self.twin(*shard))
        };
        if step.kind != Kind::Memory {
            for twin in bodies(Reason::Budget) {
                let may = |(_, urgency, last_use): &Asking| match urgency {
                    Urgency::Claimed | Urgency::Asked => true,
                    Urgency::Hinted => twin.last_use < *last_use,
                    Urgency::Background => twin.last_use <= *last_use,
                };
                rule!(asking.iter().any(may), "whose memory may be taken", "{:?} for {asking:?}", twin.id);
            }
        }
        let last =
            bodies(Reason::Budget).chain(bodies(Reason::Pressure)).map(|twin| (twin.last_use, twin.id)).max();
        if let Some(last) = last {
            let stayed = self.evictable().filter(|twin| asking.iter().all(|(shard, ..)| *shard != twin.id));
            let first = stayed.map(|twin| (twin.last_use, twin.id)).min();
            rule!(
                first.is_none_or(|first| last < first),
                "least recently used first",
                "{last:?} before {first:?}"
            );
        }
        if let Kind::Pressure(level) = step.kind {
            let most = [0, 1, 4][level as usize].min(evictable);
            let parked = bodies(Reason::Pressure).count();
            rule!(parked == most, "pressure takes its step", "{parked} of {most} parked under {level:?}");
            rule!(level > Pressure::None || parked == 0, "pressure takes its step", "{parked} without any");
        }
        if step.over && bodies(Reason::Budget).count() > 0 && step.started == 0 {
            let held = self.sums.held().saturating_sub(self.leaving());
            let low = self.policy.budget_bytes / 100 * u64::from(self.policy.low_mark_percent);
            rule!(held <= low + 100 || self.evictable().count() == 0, "low mark", "{held} held of {low}");
        }
        Ok(())
    }

    /// One shard in itself, and as the kernel shows it.
    pub(crate) fn consistent(
        &self,
        kernel: &Kernel<Body>,
        twin: &Twin,
        flight: Option<&Flight>,
    ) -> Result<(), String> {
        let (id, body) = (twin.id, twin.body.is_some());
        let running = flight.is_some_and(|flight| flight.running && !flight.digest);
        rule!(body == twin.tier.has_body(), "tiers are what is in memory", "{id:?} {:?}", twin.tier);
        rule!(
            twin.has_digest == twin.tier.has_digest(),
            "tiers are what is in memory",
            "{id:?} {:?}",
            twin.tier
        );
        let healthy = match twin.health {
            Health::Empty => !body && !running,
            Health::Loading => !body,
            Health::Fresh => body && !running && twin.open.is_none() && !twin.behind,
            Health::Rebuilding => body,
            Health::Failed => !running && twin.retry_at.is_some(),
        };
        let state = (twin.tier, twin.health, running, &twin.open, twin.retry_at);
        rule!(healthy, "healths are what is known", "{id:?} {state:?}");
        let coming = matches!(twin.health, Health::Loading | Health::Failed);
        let waited_for = twin.is_pinned() || (twin.claims > 0 && !twin.sent_away);
        rule!(body || coming || !waited_for, "who is waited for comes", "{id:?} {state:?}");
        rule!(!body || !twin.is_pinned() || twin.tier == Tier::Hot, "pinned is hot", "{id:?} {state:?}");
        let Some(view) = kernel.view(id) else { return Err(format!("known shards: {id:?} is not")) };
        self.view_agrees(twin, flight, &view)
    }

    fn view_agrees(&self, twin: &Twin, flight: Option<&Flight>, view: &View) -> Result<(), String> {
        let reserved = flight.map_or(0, |flight| flight.reserved);
        let behind = twin.tier == Tier::Parked && twin.open.is_some();
        let shown = (view.tier, view.health, view.generation, view.pin, view.body_bytes, view.digest_bytes);
        let known = (twin.tier, twin.health, twin.generation, twin.pin, twin.body_bytes, twin.digest_bytes);
        rule!(shown == known, "views", "{:?} shows {shown:?}, known is {known:?}", twin.id);
        let shown = (view.reserved_bytes, view.behind, view.loads_total, view.rebuilds_total, view.retry_at);
        let known = (reserved, behind, twin.loads, twin.rebuilds, twin.retry_at);
        rule!(shown == known, "views", "{:?} shows {shown:?}, known is {known:?}", twin.id);
        let shown = (view.advances_total, view.compares_total, view.uncompared, view.last_good);
        let known = (twin.advances, twin.compares, twin.behind, twin.last_good);
        rule!(shown == known, "views", "{:?} shows {shown:?}, known is {known:?}", twin.id);
        let kept = self.kept.iter().filter(|kept| kept.shard == twin.id);
        let retained: u64 = kept.map(|kept| kept.bytes).sum();
        rule!(
            view.retained_bytes == retained,
            "views",
            "{:?} shows {} retained",
            twin.id,
            view.retained_bytes
        );
        self.snapshot_agrees(twin, view)?;
        let most = view.body_bytes + view.digest_bytes + view.reserved_bytes;
        rule!(view.high_water_bytes >= most, "high-water marks", "{:?} {view:?}", twin.id);
        Ok(())
    }

    /// Everything, from the beginning.
    pub(crate) fn audit(&self, kernel: &Kernel<Body>) -> Result<(), String> {
        let twins = || self.twins.iter().flatten();
        let mut wake = Moment::MAX;
        for twin in twins() {
            let flight = self.flight(twin.id);
            self.consistent(kernel, twin, flight)?;
            wake = wake.min(twin.wakes_at(&self.policy, flight, self.now));
            let shown = twin.shown.clone().map(undecayed);
            rule!(
                shown == kernel.view(twin.id).map(undecayed),
                "what is so is shown",
                "{:?} {shown:?}",
                twin.id
            );
        }
        let ids: Vec<ShardId> = kernel.shards().collect();
        rule!(ids.len() == twins().count(), "known shards", "{ids:?}");
        let sums = Sums {
            bodies: twins().map(|twin| twin.body_bytes).sum(),
            digests: twins().map(|twin| twin.digest_bytes).sum(),
            reserved: self.flights.iter().map(|flight| flight.reserved).sum(),
            retained: self.kept.iter().map(|kept| kept.bytes).sum(),
            ..self.sums
        };
        rule!(sums == self.sums, "books", "{sums:?}, not {:?}", self.sums);
        let pinned = twins().filter(|twin| twin.is_pinned());
        let pinned: u64 = pinned.map(|twin| twin.body_bytes + twin.digest_bytes).sum();
        let waiting =
            twins().filter(|twin| twin.wants_body()).filter(|twin| !self.is_making(twin.id)).count();
        let digests = twins().filter(|twin| twin.digest_wanted.is_some()).count();
        let totals = kernel.totals();
        rule!(totals.pinned_bytes == pinned, "sums", "{} pinned, not {pinned}", totals.pinned_bytes);
        rule!(
            (waiting..=waiting + digests).contains(&totals.queued),
            "who wants a body has an attempt or waits",
            "{} of {waiting} wait",
            totals.queued
        );
        let due = kernel.next_due().unwrap_or(Moment::MAX);
        wake = wake.min(self.save_wakes_at());
        rule!(
            due <= wake.saturating_add(ROUNDING),
            "timers",
            "next due at {due:?}, but something is at {wake:?}"
        );
        Ok(())
    }
}

/// A body that was given up for others.
pub(crate) fn taken(effect: &Effect<Body>) -> Option<(ShardId, Reason)> {
    match effect {
        Effect::Transition(Transition {
            shard,
            step: hearth_residency::Step::Tier { to: Tier::Parked, .. },
            reason: reason @ (Reason::Budget | Reason::Pressure),
            ..
        }) => Some((*shard, *reason)),
        _ => None,
    }
}

/// A view without what fades as time goes by.
fn undecayed(view: View) -> View {
    View { rate_per_min: 0.0, ..view }
}
