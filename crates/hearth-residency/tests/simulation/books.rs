//! The simulator's own books: every shard, attempt and byte, kept from events and effects alone.
//!
//! A step goes through three calls: [`Books::before`] takes the event in, `apply` (in `effects.rs`)
//! takes each effect in and checks it against the state at that very point, [`Books::after`] ends
//! with the rules that speak of the step as a whole (`rules.rs`). Whatever contradicts the books is an
//! error that begins with the name of a rule.

use crate::advancing::Advanced;
use crate::comparing::Next;
use crate::script::Mix;
use crate::twin::{Body, Flight, Kept, LEAVING, RECALL, Saving, Sizes, Twin, Urgency};
use hearth_residency::{
    AttemptId, ChangeClass, ChangeSet, Command, Effect, Event, Generation, Health, Kernel, Measured, Moment,
    Outcome, Pin, Policy, Pressure, Reason, Refusal, ShardId, Stored, Ticket, Tier, Transition,
};
use std::collections::BTreeSet;

/// Bytes of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) bodies: u64,
    pub(crate) digests: u64,
    pub(crate) reserved: u64,
    pub(crate) retained: u64,
    pub(crate) unaccounted: u64,
    pub(crate) own: u64,
}

impl Sums {
    pub(crate) fn named(&self) -> u64 {
        self.bodies + self.digests + self.retained
    }

    pub(crate) fn held(&self) -> u64 {
        self.named() + (self.own + self.reserved).max(self.unaccounted)
    }
}

/// What happened. Of the moves: for each state, a bit for each reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) tiers: [u16; 4],
    pub(crate) healths: [u16; 5],
    pub(crate) tales: BTreeSet<&'static str>,
}

pub(crate) struct Books {
    pub(crate) policy: Policy,
    pub(crate) sizes: Sizes,
    pub(crate) hanging: u64,
    /// What the process holds whatever it indexes.
    own: u64,
    pub(crate) now: Moment,
    pub(crate) twins: Vec<Option<Twin>>,
    /// Attempts in flight, oldest first; those of forgotten shards too.
    pub(crate) flights: Vec<Flight>,
    pub(crate) kept: Vec<Kept>,
    /// Saves in flight, those of forgotten shards too.
    pub(crate) saves: Vec<Saving>,
    pub(crate) stopping: bool,
    pub(crate) sums: Sums,
    pub(crate) high_water: u64,
    pub(crate) pressure: Pressure,
    pub(crate) last_attempt: AttemptId,
    pub(crate) seen: Seen,
    /// Slots that have to be looked at after this step.
    pub(crate) dirty: Vec<usize>,
}

/// What an event asks for, as far as rules speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Other,
    Claimed,
    Consulted,
    Changed,
    Advanced,
    Operator,
    Hibernate,
    HibernateAll,
    Memory,
    Pressure(Pressure),
    Stopping,
}

/// A body that came with this step's event and is not placed yet.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) flight: Flight,
    pub(crate) body: Body,
    pub(crate) measured: Measured,
    pub(crate) behind: bool,
}

/// What is to be known of a step when its effects are there.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) shard: Option<ShardId>,
    pub(crate) reply: Option<(Ticket, Result<(), Refusal>)>,
    pub(crate) arrived: Option<Arrived>,
    pub(crate) rejected: bool,
    /// A body that took changes in, follows the published one, and is not placed yet.
    pub(crate) advance: Option<Advanced>,
    /// What a comparison found, which follows the published body and is not placed yet.
    pub(crate) next: Option<Next>,
    /// The shard whose body was compared and is as good as new.
    pub(crate) proven: Option<ShardId>,
    /// The shard of which another body was compared than the published one, for the first time in a row.
    pub(crate) strayed: Option<ShardId>,
    /// A body came that does not follow the published one, and nothing else could happen.
    pub(crate) idle: bool,
    /// The shard that waited for nothing but what its body holds by now.
    pub(crate) caught_up: Option<ShardId>,
    /// The shard for which an attempt made the body that was published.
    pub(crate) made: Option<ShardId>,
    /// More than the budget may be held, for the sake of a small step.
    pub(crate) small: bool,
    /// A running attempt said that it failed.
    pub(crate) failed: bool,
    /// The shard whose save ended while its body is a newer one.
    pub(crate) save_ended: Option<ShardId>,
    /// The shard whose attempt for a digest ended, unless it waits for a body as well.
    pub(crate) digest_ended: Option<ShardId>,
    /// The last shard whose load was given up for want of memory that nobody waits for.
    pub(crate) withdrawn: Option<ShardId>,
    /// A digest that was read fits beside all that is held.
    pub(crate) digest_fits: bool,
    pub(crate) tales: Vec<&'static str>,
    pub(crate) grew: Option<(AttemptId, u64)>,
    pub(crate) held_before: u64,
    /// More than the budget was measured, also less what leaves.
    pub(crate) over: bool,
    pub(crate) due: Vec<Due>,
    pub(crate) started: usize,
    /// Shards that effects were for, that fell by idleness, that failed, that were shown.
    pub(crate) touched: Vec<ShardId>,
    pub(crate) fallen: Vec<ShardId>,
    pub(crate) failures: Vec<ShardId>,
    pub(crate) shown: Vec<ShardId>,
}

/// Something that time has made due for a slot.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) slot: usize,
    pub(crate) retry_at: Option<Moment>,
    pub(crate) retries: bool,
    pub(crate) falls_from: Option<Tier>,
    pub(crate) unpins: bool,
    pub(crate) ends: Option<AttemptId>,
}

impl Books {
    pub(crate) fn new(mix: &Mix, sizes: Sizes) -> Self {
        Self {
            policy: mix.policy.clone(),
            sizes,
            hanging: mix.hanging,
            own: mix.policy.budget_bytes / 50,
            now: Moment::ZERO,
            twins: (0..mix.slots).map(|_| None).collect(),
            flights: Vec::new(),
            kept: Vec::new(),
            saves: Vec::new(),
            stopping: false,
            sums: Sums::default(),
            high_water: 0,
            pressure: Pressure::None,
            last_attempt: AttemptId(0),
            seen: Seen::default(),
            dirty: Vec::new(),
        }
    }

    pub(crate) fn twin(&self, id: ShardId) -> Option<&Twin> {
        self.twins.get(slot(id))?.as_ref().filter(|twin| twin.id == id)
    }

    pub(crate) fn twin_mut(&mut self, id: ShardId) -> Option<&mut Twin> {
        let at = slot(id);
        let twin = self.twins.get_mut(at)?.as_mut().filter(|twin| twin.id == id)?;
        self.dirty.push(at);
        Some(twin)
    }

    pub(crate) fn flight(&self, shard: ShardId) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.shard == shard)
    }

    /// An attempt runs that will end with a body.
    pub(crate) fn is_making(&self, shard: ShardId) -> bool {
        self.flight(shard).is_some_and(|flight| flight.running && !flight.digest)
    }

    /// An attempt runs, whatever for.
    pub(crate) fn is_running(&self, shard: ShardId) -> bool {
        self.flight(shard).is_some_and(|flight| flight.running)
    }

    /// How things are where a process has just begun: what was seen and the time remain.
    pub(crate) fn restart(&mut self) {
        self.twins.iter_mut().for_each(|twin| *twin = None);
        self.flights.clear();
        self.kept.clear();
        self.saves.clear();
        (self.sums, self.high_water, self.stopping) = (Sums::default(), 0, false);
        (self.pressure, self.last_attempt) = (Pressure::None, AttemptId(0));
    }

    /// One of the attempts in flight that are such.
    pub(crate) fn pick(&self, pick: u8, such: impl Fn(&Flight) -> bool) -> Option<&Flight> {
        let count = self.flights.iter().filter(|flight| such(flight)).count();
        self.flights.iter().filter(|flight| such(flight)).nth(usize::from(pick) % count.max(1))
    }

    /// What the process holds in truth.
    pub(crate) fn really_held(&self) -> u64 {
        self.own + self.sums.named() + self.flights.iter().map(|flight| flight.actual).sum::<u64>()
    }

    /// Given up so recently that it may be gone any moment.
    pub(crate) fn leaving(&self) -> u64 {
        let recent = self.kept.iter().filter(|kept| kept.since + LEAVING > self.now);
        recent.map(|kept| kept.bytes).sum()
    }

    /// True if time may have made something due for what the event is about.
    pub(crate) fn has_due(&self, event: &Event<Body>, at: Moment) -> bool {
        let now = self.now.max(at);
        // When a wait for memory ends is not in the books.
        let waits = |twin: &Twin| twin.wants_body() && !self.is_making(twin.id);
        let due =
            |twin: &Twin| twin.wake.min(twin.rest) <= now || waits(twin) || twin.digest_wanted.is_some();
        if matches!(event, Event::Advanced { .. }) {
            return true;
        }
        if matches!(event, Event::Released { .. }) && self.kept.iter().any(|kept| kept.is_due(now)) {
            return true;
        }
        match target(event) {
            Some(shard) => self.twin(shard).is_some_and(due),
            None if *event == Event::Tick => false,
            None => self.twins.iter().flatten().any(due),
        }
    }

    pub(crate) fn before(&mut self, at: Moment, event: &Event<Body>) -> Step {
        self.now = self.now.max(at);
        let mut step = Step {
            kind: Kind::Other,
            shard: target(event),
            reply: None,
            arrived: None,
            rejected: false,
            advance: None,
            next: None,
            proven: None,
            strayed: None,
            idle: false,
            caught_up: None,
            made: None,
            small: false,
            failed: false,
            save_ended: None,
            digest_ended: None,
            withdrawn: None,
            digest_fits: false,
            tales: Vec::new(),
            grew: None,
            held_before: self.sums.held(),
            over: false,
            due: self.due(),
            started: 0,
            touched: Vec::new(),
            fallen: Vec::new(),
            failures: Vec::new(),
            shown: Vec::new(),
        };
        self.dirty.extend(step.due.iter().map(|due| due.slot));
        self.end_pins(&step.due);
        let now = self.now;
        self.flights.iter_mut().for_each(|flight| flight.recalls &= flight.began + RECALL > now);
        self.take(event, &mut step);
        step
    }

    fn end_pins(&mut self, due: &[Due]) {
        for due in due.iter().filter(|due| due.unpins) {
            if let Some(twin) = &mut self.twins[due.slot] {
                (twin.pin, twin.idle_since, twin.heat) = (Pin::None, self.now, false);
            }
        }
    }

    fn due(&self) -> Vec<Due> {
        let now = self.now;
        let slots = self.twins.iter().enumerate();
        let due =
            slots.filter_map(|(slot, twin)| Some((slot, twin.as_ref().filter(|twin| twin.wake <= now)?)));
        due.map(|(slot, twin)| {
            let flight = self.flight(twin.id);
            let loads = twin.body.is_none() && (flight.is_some() || twin.wants_body());
            let retries = twin.health == Health::Failed && twin.retry_at.is_some_and(|at| at <= now);
            let falls =
                !twin.is_held() && !loads && twin.stays_until(&self.policy).is_some_and(|until| until <= now);
            Due {
                slot,
                retry_at: twin.retry_at,
                retries,
                falls_from: falls.then_some(twin.tier),
                unpins: matches!(twin.pin, Pin::Until(until) if until <= now),
                ends: flight
                    .filter(|flight| flight.running && flight.is_overdue(&self.policy, now))
                    .map(|flight| flight.id),
            }
        })
        .collect()
    }

    fn take(&mut self, event: &Event<Body>, step: &mut Step) {
        let now = self.now;
        match event {
            Event::Tick => {}
            Event::Add { shard, forecast_bytes, stored } => self.add(*shard, *forecast_bytes, *stored),
            Event::Touched { shard, queries } => {
                if let Some(twin) = self.twin_mut(*shard) {
                    twin.count(*queries, now);
                    (twin.last_use, twin.idle_since) = (now, now);
                }
            }
            Event::Hinted(shards) => shards.iter().for_each(|shard| self.hint(*shard)),
            Event::Consulted(shard) => self.consult(*shard, step),
            Event::SaveEnded { shard, generation, result } => {
                self.end_save(*shard, *generation, result, step);
            }
            Event::Stopping if self.stopping => {}
            Event::Stopping => (step.kind, self.stopping) = (Kind::Stopping, true),
            Event::Claimed(shard) => {
                step.kind = Kind::Claimed;
                let running = self.is_making(*shard);
                if let Some(twin) = self.twin_mut(*shard) {
                    (twin.claims, twin.sent_away) = (twin.claims + 1, false);
                    (twin.last_use, twin.idle_since) = (now, now);
                    if twin.body.is_none() && !running {
                        twin.ask(Urgency::Claimed);
                    }
                }
                self.hasten(*shard, Urgency::Claimed);
            }
            Event::Settled(shard) => {
                if let Some(twin) = self.twin_mut(*shard) {
                    (twin.claims, twin.idle_since) = (twin.claims.saturating_sub(1), now);
                }
            }
            Event::Changed { shard, changes } => {
                step.kind = Kind::Changed;
                self.change(*shard, changes.clone());
            }
            Event::Advanced { shard, from, body, advance } => {
                self.advance(*shard, *from, *body, *advance, step);
            }
            Event::Grew { shard, attempt, needed_bytes } => self.grow(*shard, *attempt, *needed_bytes, step),
            Event::Ended { shard, attempt, outcome } => self.end(*shard, *attempt, outcome, step),
            Event::Released { shard, generation } => self.release(*shard, *generation),
            Event::MemoryHeld(bytes) => {
                step.kind = Kind::Memory;
                self.measure(*bytes);
                step.over = self.sums.held().saturating_sub(self.leaving()) > self.policy.budget_bytes;
            }
            Event::Pressure(level) => (step.kind, self.pressure) = (Kind::Pressure(*level), *level),
            Event::Operator { ticket, command } => {
                step.kind = match command {
                    Command::HibernateAll => Kind::HibernateAll,
                    Command::Hibernate(_) => Kind::Hibernate,
                    _ => Kind::Operator,
                };
                step.reply = Some((*ticket, self.operate(*command)));
            }
        }
    }

    fn add(&mut self, shard: ShardId, forecast_bytes: u64, stored: Option<Stored>) {
        let at = slot(shard);
        if self.twins[at].is_none() {
            self.twins[at] = Some(Twin::new(shard, forecast_bytes, stored, self.now));
            self.dirty.push(at);
        }
    }

    fn hint(&mut self, shard: ShardId) {
        let (now, running) = (self.now, self.is_making(shard));
        let Some(twin) = self.twin_mut(shard) else { return };
        if twin.body.is_some() || twin.health == Health::Failed {
            return;
        }
        (twin.last_use, twin.idle_since) = (now, now);
        if !running {
            twin.ask(if twin.claims > 0 { Urgency::Claimed } else { Urgency::Hinted });
        }
    }

    /// Nothing in memory claims to know the source of a cold shard that is not loading.
    fn change(&mut self, shard: ShardId, changes: ChangeSet) {
        let running = self.is_running(shard);
        let Some(twin) = self.twin_mut(shard) else { return };
        if twin.tier != Tier::Cold || running || twin.wants_body() {
            twin.merge_open(changes);
        }
    }

    fn grow(&mut self, shard: ShardId, attempt: AttemptId, needed: u64, step: &mut Step) {
        let known = self.twin(shard).is_some();
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.id == attempt) else { return };
        flight.actual = flight.actual.max(needed);
        let (grows, digest, snapshot) =
            (known && flight.running && needed > flight.reserved, flight.digest, flight.snapshot);
        if grows {
            step.grew = Some((attempt, needed));
        }
        let Some(twin) = self.twin_mut(shard).filter(|_| grows && !digest) else { return };
        twin.distrust(snapshot);
    }

    fn end(&mut self, shard: ShardId, attempt: AttemptId, outcome: &Outcome<Body>, step: &mut Step) {
        let Some(at) = self.flights.iter().position(|flight| flight.id == attempt) else { return };
        let mut flight = self.flights.remove(at);
        self.sums.reserved -= flight.reserved;
        let Some(twin) = self.twin_mut(shard) else { return };
        if !flight.running {
            return;
        }
        if flight.digest {
            if twin.wants_body() {
                step.tales.push("a load that waited for a digest");
            }
            step.digest_ended = (!twin.wants_body()).then_some(shard);
        }
        match outcome {
            Outcome::Built { body, measured, behind } => {
                let applies = flight.covers.as_ref().is_some_and(|covers| covers.class == ChangeClass::Apply);
                let applied = applies && !twin.behind;
                let in_all = measured.body_bytes + measured.digest_bytes;
                let took = measured.peak_bytes.max(in_all);
                if *behind {
                    twin.trust(flight.snapshot, took, measured.digest_bytes);
                } else {
                    if flight.snapshot.is_some() {
                        step.tales.push("a load that did not use the snapshot");
                    }
                    twin.distrust(flight.snapshot);
                    if twin.body.is_none() || !applied {
                        (twin.load_bytes, twin.doubtful) = (took, false);
                    }
                }
                self.sums.unaccounted = self.sums.unaccounted.saturating_sub(in_all);
                step.arrived = Some(Arrived { flight, body: *body, measured: *measured, behind: *behind });
            }
            Outcome::Digested { body, digest_bytes } => {
                let measured = Measured { digest_bytes: *digest_bytes, ..Measured::default() };
                self.sums.unaccounted = self.sums.unaccounted.saturating_sub(*digest_bytes);
                step.digest_fits = self.sums.held() + digest_bytes <= self.policy.budget_bytes;
                step.arrived = Some(Arrived { flight, body: *body, measured, behind: true });
            }
            Outcome::Compared { from, next, peak_bytes } if flight.may_compare() => {
                self.end_comparison(flight, *from, *next, *peak_bytes, step);
            }
            Outcome::Failed(_) | Outcome::Compared { .. } if flight.digest => {
                step.tales.push("a digest that failed");
                twin.distrust(flight.snapshot);
            }
            Outcome::Cancelled if flight.digest => {}
            Outcome::Failed(_) | Outcome::Compared { .. } | Outcome::Cancelled => {
                if matches!(outcome, Outcome::Compared { .. }) {
                    step.tales.push("a comparison that nobody asked for");
                }
                step.failed = true;
                if let Some(covers) = flight.covers.take() {
                    twin.merge_open(covers);
                }
            }
        }
    }

    fn release(&mut self, shard: ShardId, generation: Generation) {
        let is = |kept: &Kept| kept.shard == shard && kept.generation == generation;
        if let Some(at) = self.kept.iter().position(is) {
            self.sums.retained -= self.kept.remove(at).bytes;
        }
    }

    fn measure(&mut self, bytes: u64) {
        self.sums.unaccounted = bytes.saturating_sub(self.sums.named());
        if self.sums.reserved == 0 {
            self.sums.own = self.sums.unaccounted;
        }
    }

    /// What an operator's command does at once, and what is to be replied.
    fn operate(&mut self, command: Command) -> Result<(), Refusal> {
        let now = self.now;
        match command {
            Command::Preload { shard, pin } => {
                self.heat(shard, pin.map_or(Pin::None, |pin| Pin::Until(now + pin)))
            }
            Command::Pin(shard) => self.heat(shard, Pin::Forever),
            Command::Unpin(shard) => {
                let twin = self.twin_mut(shard).ok_or(Refusal::Unknown)?;
                (twin.pin, twin.idle_since, twin.heat) = (Pin::None, now, false);
                Ok(())
            }
            Command::Hibernate(shard) => {
                let twin = self.twin_mut(shard).ok_or(Refusal::Unknown)?;
                if twin.is_pinned() {
                    return Err(Refusal::Pinned);
                }
                (twin.sent_away, twin.heat, twin.digest_wanted) = (true, false, None);
                Ok(())
            }
            Command::HibernateAll => {
                let twins = self.twins.iter_mut().flatten();
                twins.filter(|twin| !twin.is_pinned()).for_each(|twin| {
                    (twin.sent_away, twin.heat, twin.digest_wanted) = (true, false, None);
                });
                self.dirty.extend(0..self.twins.len());
                Ok(())
            }
            Command::Refresh(shard) => {
                let running = self.is_making(shard);
                let twin = self.twin_mut(shard).ok_or(Refusal::Unknown)?;
                if twin.body.is_some() || running {
                    twin.merge_open(ChangeSet::rebuild(0));
                } else {
                    twin.ask(Urgency::Asked);
                }
                Ok(())
            }
            Command::Forget { shard, force } => match self.twin(shard).ok_or(Refusal::Unknown)?.tier {
                Tier::Cold => Ok(()),
                _ if force => Ok(()),
                tier => Err(Refusal::InMemory(tier)),
            },
        }
    }

    /// What runs serves who comes later, as urgently.
    fn hasten(&mut self, shard: ShardId, urgency: Urgency) {
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.shard == shard && !flight.digest) {
            flight.urgency = flight.urgency.min(urgency);
        }
    }

    fn heat(&mut self, shard: ShardId, pin: Pin) -> Result<(), Refusal> {
        let (now, running) = (self.now, self.is_making(shard));
        let twin = self.twin_mut(shard).ok_or(Refusal::Unknown)?;
        twin.pin = match (twin.pin, pin) {
            (Pin::Forever, _) | (_, Pin::Forever) => Pin::Forever,
            (Pin::Until(a), Pin::Until(b)) => Pin::Until(a.max(b)),
            (Pin::None, other) | (other, Pin::None) => other,
        };
        (twin.idle_since, twin.sent_away, twin.heat) = (now, false, true);
        if twin.body.is_none() && !running {
            twin.ask(Urgency::Asked);
        }
        self.hasten(shard, Urgency::Asked);
        Ok(())
    }

    pub(crate) fn after(
        &mut self,
        kernel: &Kernel<Body>,
        mut step: Step,
        effects: &[Effect<Body>],
    ) -> Result<(), String> {
        let manners = self.manners(&step, effects);
        self.settle_growth(&mut step, effects);
        self.settle_advance(&mut step, effects)?;
        self.settle_comparison(&mut step, effects)?;
        for (at, effect) in effects.iter().enumerate() {
            self.apply(kernel, &mut step, effect, &effects[at + 1..])?;
        }
        self.reject_digest(&mut step)?;
        self.judge(kernel, &step, effects, manners)?;
        self.seen.tales.extend(step.tales);
        self.close(kernel)
    }

    /// Growth is granted unless the attempt is stopped for it, which counts as a failure where it makes a body.
    fn settle_growth(&mut self, step: &mut Step, effects: &[Effect<Body>]) {
        let Some((attempt, needed)) = step.grew.take() else { return };
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.id == attempt) else { return };
        let (shard, digest) = (flight.shard, flight.digest);
        if !effects.iter().any(|effect| if digest { stops(effect, attempt) } else { fails(effect, shard) }) {
            self.sums.reserved += needed - flight.reserved;
            (flight.reserved, flight.recalls) = (needed, false);
        }
    }

    /// Looks at every shard that this step was about.
    fn close(&mut self, kernel: &Kernel<Body>) -> Result<(), String> {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        for slot in &dirty {
            let Some(twin) = &self.twins[*slot] else { continue };
            let flight = self.flight(twin.id);
            let reads = flight.is_some_and(|flight| flight.running && flight.digest);
            let wake = twin.wakes_at(&self.policy, flight, self.now);
            let rest = twin.stays_until(&self.policy).filter(|_| !twin.is_held()).unwrap_or(Moment::MAX);
            self.consistent(kernel, twin, flight)?;
            if let Some(twin) = &mut self.twins[*slot] {
                (twin.wake, twin.rest) = (wake, rest);
                twin.urgency = twin.urgency.filter(|_| twin.wants_body());
                // What has left memory has no changes to catch up with.
                let gone = (twin.tier, twin.health) == (Tier::Cold, Health::Empty) && !reads;
                twin.open = twin.open.take().filter(|_| !gone);
                let may = twin.tier == Tier::Cold && !twin.wants_body() && twin.newest().is_some();
                twin.digest_wanted = twin.digest_wanted.filter(|_| may && !reads);
            }
        }
        dirty.clear();
        self.dirty = dirty;
        Ok(())
    }
}

/// True if the effect says that the shard failed.
fn fails(effect: &Effect<Body>, failed: ShardId) -> bool {
    matches!(effect, Effect::Transition(Transition { shard, reason: Reason::Failed, .. }) if *shard == failed)
}

/// True if the effect stops the attempt.
fn stops(effect: &Effect<Body>, stopped: AttemptId) -> bool {
    matches!(effect, Effect::Cancel { attempt, .. } if *attempt == stopped)
}

/// Where a shard is kept.
pub(crate) fn slot(id: ShardId) -> usize {
    usize::try_from(id.0 % 64).expect("a slot")
}

/// The one shard that an event is about.
fn target(event: &Event<Body>) -> Option<ShardId> {
    match event {
        Event::Add { shard, .. }
        | Event::Touched { shard, .. }
        | Event::Claimed(shard)
        | Event::Consulted(shard)
        | Event::SaveEnded { shard, .. }
        | Event::Advanced { shard, .. }
        | Event::Settled(shard)
        | Event::Changed { shard, .. }
        | Event::Grew { shard, .. }
        | Event::Ended { shard, .. }
        | Event::Released { shard, .. } => Some(*shard),
        Event::Operator { command, .. } => match command {
            Command::Preload { shard, .. } | Command::Forget { shard, .. } => Some(*shard),
            Command::Pin(shard)
            | Command::Unpin(shard)
            | Command::Hibernate(shard)
            | Command::Refresh(shard) => Some(*shard),
            Command::HibernateAll => None,
        },
        Event::Tick | Event::Hinted(_) | Event::MemoryHeld(_) | Event::Pressure(_) | Event::Stopping => None,
    }
}
