//! The state machine: all shards, what they hold, and what follows from an event.
//!
//! One step first does what time has made due, then what the event asks for, then lets waiting
//! attempts begin where there is room, and a save where the lane is free, and last shows every shard
//! that is another than before. Rows of the tables in `axes` are the only way a tier or health changes.

use crate::axes::{Reason, Tier};
use crate::event::{Effect, Event, Generation, Pressure, ShardId, Step, Stored, Transition};
use crate::ledger::Ledger;
use crate::policy::{Moment, Policy, RETAINED_LONG};
use crate::shard::{Attempt, Place, Shard, Standing};
use crate::{AttemptId, Pin, Totals, View};
use std::collections::{BTreeMap, BTreeSet};

/// Where a shard stands in the sets that are kept in order.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Keys {
    tier: Tier,
    last_use: Moment,
    held: bool,
    place: Option<Place>,
    save: Option<Moment>,
    recalls: bool,
}

/// All lifecycle decisions, over bodies of type `B`.
#[derive(Debug)]
pub struct Kernel<B> {
    pub(crate) policy: Policy,
    /// Time of the step that runs.
    pub(crate) now: Moment,
    shards: BTreeMap<ShardId, Shard>,
    pub(crate) ledger: Ledger,
    /// Shards with a body that may be given up, least recently used first.
    pub(crate) with_body: BTreeSet<(Moment, ShardId)>,
    /// Parked shards that may be given up, least recently used first.
    pub(crate) with_digest: BTreeSet<(Moment, ShardId)>,
    /// Shards that wait for an attempt, most urgent first.
    pub(crate) queue: BTreeSet<(Place, ShardId)>,
    timers: BTreeSet<(Moment, ShardId)>,
    /// Shards that have to be shown.
    changed: BTreeSet<ShardId>,
    /// Attempts in flight of shards that were forgotten.
    pub(crate) orphans: BTreeMap<AttemptId, Attempt>,
    pub(crate) pressure: Pressure,
    pub(crate) arrivals: u64,
    pub(crate) attempts_begun: u64,
    /// Attempts in flight that use a lane.
    pub(crate) lanes_used: usize,
    /// Attempts in flight that count as reading what is on disk.
    pub(crate) recalling: usize,
    /// Whether waiting attempts may have got room in this step.
    pub(crate) room_changed: bool,
    /// Shards whose body waits to be saved, longest unsaved first.
    pub(crate) save_queue: BTreeSet<(Moment, ShardId)>,
    /// Saves in flight of shards that were forgotten.
    pub(crate) orphan_saves: BTreeSet<(ShardId, Generation)>,
    /// Saves in flight.
    pub(crate) saves_running: usize,
    /// The process is about to end.
    pub(crate) stopping: bool,
    pub(crate) effects: Vec<Effect<B>>,
}

impl<B> Kernel<B> {
    /// A kernel that knows of no shard.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            now: Moment::ZERO,
            shards: BTreeMap::new(),
            ledger: Ledger::default(),
            with_body: BTreeSet::new(),
            with_digest: BTreeSet::new(),
            queue: BTreeSet::new(),
            timers: BTreeSet::new(),
            changed: BTreeSet::new(),
            orphans: BTreeMap::new(),
            pressure: Pressure::None,
            arrivals: 0,
            attempts_begun: 0,
            lanes_used: 0,
            recalling: 0,
            room_changed: false,
            save_queue: BTreeSet::new(),
            orphan_saves: BTreeSet::new(),
            saves_running: 0,
            stopping: false,
            effects: Vec::new(),
        }
    }

    /// What follows from an event. Time that goes back counts as standing still.
    pub fn step(&mut self, now: Moment, event: Event<B>) -> Vec<Effect<B>> {
        let before = self.now;
        self.now = before.max(now);
        // Bodies that were to be gone by now and are not: who counted on them counts anew.
        self.room_changed |= self.ledger.next_left(before).is_some_and(|left| left <= self.now);
        self.run_timers();
        self.take(event);
        self.pump();
        self.pump_saves();
        self.show();
        std::mem::take(&mut self.effects)
    }

    /// When a [`Event::Tick`] is due at the latest.
    pub fn next_due(&self) -> Option<Moment> {
        let timer = self.timers.first().map(|(due, _)| *due);
        let overdue = self.ledger.oldest_unreported().map(|since| since + RETAINED_LONG);
        // A queue that counts on bodies which are on their way out counts anew when they are not.
        let left = if self.queue.is_empty() { None } else { self.ledger.next_left(self.now) };
        [timer, overdue, left, self.orphan_due()].into_iter().flatten().min()
    }

    /// The state of a shard.
    pub fn view(&self, shard: ShardId) -> Option<View> {
        let retained = self.ledger.retained_of(shard);
        self.shards.get(&shard).map(|shard| shard.view(retained, self.now))
    }

    /// The shards that are known.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.shards.keys().copied()
    }

    /// Sums over all shards.
    pub fn totals(&self) -> Totals {
        Totals {
            budget_bytes: self.policy.budget_bytes,
            bodies_bytes: self.ledger.bodies(),
            digests_bytes: self.ledger.digests(),
            reserved_bytes: self.ledger.reserved(),
            retained_bytes: self.ledger.retained(),
            unaccounted_bytes: self.ledger.unaccounted(),
            held_bytes: self.ledger.held(),
            high_water_bytes: self.ledger.high_water(),
            pinned_bytes: self.pinned_bytes(),
            attempts: self.shards.values().filter(|shard| shard.attempt.is_some()).count()
                + self.orphans.len(),
            queued: self.queue.len(),
            pressure: self.pressure,
        }
    }

    fn take(&mut self, event: Event<B>) {
        match event {
            Event::Tick => {}
            Event::Add { shard, forecast_bytes, stored } => self.add(shard, forecast_bytes, stored),
            Event::Touched { shard, queries } => self.touched(shard, queries),
            Event::Hinted(shards) => self.hinted(&shards),
            Event::Claimed(shard) => self.claimed(shard),
            Event::Settled(shard) => self.settled(shard),
            Event::Changed { shard, changes } => self.source_changed(shard, changes),
            Event::Advanced { shard, from, body, advance } => self.advanced(shard, from, body, advance),
            Event::Grew { shard, attempt, needed_bytes } => self.grew(shard, attempt, needed_bytes),
            Event::Ended { shard, attempt, outcome } => self.ended(shard, attempt, outcome),
            Event::Released { shard, generation } => {
                if self.ledger.release(shard, generation) && self.shards.contains_key(&shard) {
                    self.changed.insert(shard);
                }
                self.room_changed = true;
            }
            Event::MemoryHeld(bytes) => {
                self.ledger.measure(bytes);
                self.keep_to_budget();
                self.room_changed = true;
            }
            Event::Pressure(level) => self.pressed(level),
            Event::Operator { ticket, command } => {
                let result = self.operate(command);
                self.effects.push(Effect::Reply { ticket, result });
            }
            Event::Consulted(shard) => self.consulted(shard),
            Event::SaveEnded { shard, generation, result } => self.save_ended(shard, generation, result),
            Event::Stopping => self.stopping(),
        }
    }

    fn add(&mut self, id: ShardId, forecast_bytes: u64, stored: Option<Stored>) {
        if self.shards.contains_key(&id) {
            return;
        }
        self.shards.insert(id, Shard::new(forecast_bytes, stored, self.now));
        self.changed.insert(id);
        self.want(id, Reason::Load);
    }

    pub(crate) fn get(&self, id: ShardId) -> Option<&Shard> {
        self.shards.get(&id)
    }

    /// Changes a shard and keeps the ordered sets in step; every change of a shard comes through here.
    pub(crate) fn change<R>(&mut self, id: ShardId, change: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let shard = self.shards.get_mut(&id)?;
        let before = keys(shard);
        let result = change(shard);
        shard.high_water =
            shard.high_water.max(shard.body_bytes + shard.digest_bytes + shard.reserved_bytes());
        let after = keys(shard);
        if before != after {
            self.unindex(id, before);
            self.index(id, after);
        }
        self.changed.insert(id);
        Some(result)
    }

    /// Takes a shard out of everything.
    pub(crate) fn remove(&mut self, id: ShardId) -> Option<Shard> {
        let shard = self.shards.remove(&id)?;
        self.unindex(id, keys(&shard));
        if let Some(due) = shard.timer {
            self.timers.remove(&(due, id));
        }
        self.changed.remove(&id);
        Some(shard)
    }

    fn index(&mut self, id: ShardId, keys: Keys) {
        if let Some(place) = keys.place {
            self.queue.insert((place, id));
        }
        if let Some(since) = keys.save {
            self.save_queue.insert((since, id));
        }
        self.recalling += usize::from(keys.recalls);
        match (keys.held, keys.tier) {
            (true, _) | (_, Tier::Cold) => false,
            (_, Tier::Parked) => self.with_digest.insert((keys.last_use, id)),
            (_, Tier::Warm | Tier::Hot) => self.with_body.insert((keys.last_use, id)),
        };
    }

    fn unindex(&mut self, id: ShardId, keys: Keys) {
        if let Some(place) = keys.place {
            self.queue.remove(&(place, id));
        }
        if let Some(since) = keys.save {
            self.save_queue.remove(&(since, id));
        }
        self.recalling -= usize::from(keys.recalls);
        self.with_digest.remove(&(keys.last_use, id));
        self.with_body.remove(&(keys.last_use, id));
    }

    /// Moves a shard on the tier axis.
    pub(crate) fn move_tier(&mut self, id: ShardId, reason: Reason) {
        let Some(from) = self.get(id).map(|shard| shard.tier) else { return };
        let Some(to) = from.after(reason) else {
            debug_assert!(false, "no row leads from {from:?} for {reason:?}");
            return;
        };
        self.change(id, |shard| shard.tier = to);
        self.tell(id, Step::Tier { from, to }, reason);
    }

    /// Moves a shard on the health axis, if the reason leads anywhere from where it is.
    pub(crate) fn move_health(&mut self, id: ShardId, reason: Reason) {
        let Some(from) = self.get(id).map(|shard| shard.health) else { return };
        let Some(to) = from.after(reason) else { return };
        self.change(id, |shard| shard.health = to);
        self.tell(id, Step::Health { from, to }, reason);
    }

    fn tell(&mut self, shard: ShardId, step: Step, reason: Reason) {
        let Some(now) = self.get(shard) else { return };
        let (bytes, generation) = (now.body_bytes + now.digest_bytes, now.generation);
        self.effects.push(Effect::Transition(Transition { shard, step, reason, bytes, generation }));
    }

    fn run_timers(&mut self) {
        while let Some((due, id)) = self.timers.first().copied().filter(|(due, _)| *due <= self.now) {
            self.timers.remove(&(due, id));
            if let Some(shard) = self.shards.get_mut(&id) {
                shard.timer = None;
                self.changed.insert(id);
                self.examine(id);
            }
        }
        self.free_lanes_of_orphans();
        let since = self.now.saturating_sub(RETAINED_LONG);
        if self.now >= RETAINED_LONG {
            for (shard, generation, bytes) in self.ledger.report_overdue(since) {
                self.effects.push(Effect::Overdue { shard, generation, bytes });
            }
        }
    }

    /// When the next attempt of a forgotten shard has taken too long and gives its lane back.
    fn orphan_due(&self) -> Option<Moment> {
        let in_lanes = self.orphans.values().filter(|attempt| attempt.standing != Standing::Overdue);
        in_lanes.map(|attempt| attempt.deadline(&self.policy)).min()
    }

    fn free_lanes_of_orphans(&mut self) {
        for attempt in self.orphans.values_mut() {
            if attempt.standing != Standing::Overdue && attempt.deadline(&self.policy) <= self.now {
                attempt.standing = Standing::Overdue;
                self.lanes_used -= 1;
                self.room_changed = true;
            }
        }
    }

    /// Does what is due for one shard.
    fn examine(&mut self, id: ShardId) {
        let Some(shard) = self.get(id) else { return };
        let now = self.now;
        if matches!(shard.pin, Pin::Until(until) if until <= now) {
            self.unpin(id);
        }
        let Some(shard) = self.get(id) else { return };
        let attempt = shard.attempt.as_ref().filter(|attempt| attempt.standing != Standing::Overdue);
        if attempt.is_some_and(|attempt| attempt.deadline(&self.policy) <= now) {
            self.overdue(id);
        }
        self.stop_recalling_if_due(id);
        self.refuse_if_waited_out(id);
        self.idle_if_due(id);
        self.retry_if_due(id);
        self.save_if_due(id);
    }

    /// Shows what changed and arms the timers of it.
    fn show(&mut self) {
        for id in std::mem::take(&mut self.changed) {
            let Some(shard) = self.shards.get_mut(&id) else { continue };
            let due = shard.due(&self.policy);
            if shard.timer != due {
                if let Some(old) = shard.timer {
                    self.timers.remove(&(old, id));
                }
                if let Some(new) = due {
                    self.timers.insert((new, id));
                }
                shard.timer = due;
            }
            self.effects
                .push(Effect::Show { shard: id, view: shard.view(self.ledger.retained_of(id), self.now) });
        }
    }

    /// Bytes of bodies and digests that stay whatever happens.
    pub(crate) fn pinned_bytes(&self) -> u64 {
        let pinned = self.shards.values().filter(|shard| shard.is_pinned());
        pinned.map(|shard| shard.body_bytes + shard.digest_bytes).sum()
    }

    /// The largest bodies in memory, largest first.
    pub(crate) fn largest(&self) -> Vec<(ShardId, u64)> {
        const NAMED: usize = 5;
        let sizes = self.shards.iter().map(|(id, shard)| (*id, shard.body_bytes));
        let mut sizes: Vec<_> = sizes.filter(|(_, bytes)| *bytes > 0).collect();
        sizes.sort_by_key(|(id, bytes)| (std::cmp::Reverse(*bytes), *id));
        sizes.truncate(NAMED);
        sizes
    }
}

fn keys(shard: &Shard) -> Keys {
    Keys {
        tier: shard.tier,
        last_use: shard.last_use,
        held: shard.is_held(),
        place: shard.waiting.map(|waiting| waiting.place),
        save: shard.saves.place(),
        recalls: shard.attempt.as_ref().is_some_and(|attempt| attempt.recalls_until().is_some()),
    }
}
