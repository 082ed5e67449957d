//! Snapshots in the simulator's books: saves that begin and end, what is on disk, digests that are read from it.
//!
//! A save is judged where it begins, by what the books know at that point: why it may begin now, and that none
//! should have begun before it. What leaves memory is judged where it leaves.

use crate::books::{Arrived, Books, Kind, Step};
use crate::effects::rule;
use crate::twin::{Body, Flight, Saving, Twin, Urgency};
use hearth_residency::{Effect, Generation, Moment, Pressure, Reason, ShardId, Stored, Tier, View, back_off};

/// What has to happen of snapshots in some run, for the rules to have judged it.
pub(crate) const TALES: [&str; 16] = [
    "a save by interval",
    "a save before leaving",
    "a save as the process stops",
    "a save after an older one as the process stops",
    "an unsaved body lost to pressure",
    "an unsaved body lost in the back-off",
    "a body of a snapshot",
    "a body of a snapshot with changes to catch up with",
    "a load that did not use the snapshot",
    "a digest",
    "a digest in place of a load",
    "a digest that failed",
    "a digest without room",
    "a load that waited for a digest",
    "a load of what is being saved",
    "a snapshot older than what was shown",
];

impl Books {
    /// A query asks for a digest.
    pub(crate) fn consult(&mut self, shard: ShardId, step: &mut Step) {
        let (now, in_flight) = (self.now, self.flight(shard).is_some());
        let Some(twin) = self.twin_mut(shard) else { return };
        (twin.last_use, twin.idle_since) = (now, now);
        if twin.tier == Tier::Cold && twin.newest().is_some() && !in_flight && !twin.wants_body() {
            twin.want_digest(Urgency::Claimed);
            step.kind = Kind::Consulted;
        }
    }

    pub(crate) fn begin_save(
        &mut self,
        step: &mut Step,
        later: &[Effect<Body>],
        shard: ShardId,
        generation: Generation,
    ) -> Result<(), String> {
        let now = self.now;
        let busy = self.saves.iter().any(|save| save.shard == shard);
        rule!(!busy, "one save of a shard in flight", "{generation} of {shard:?} is a second one");
        let Some(twin) = self.twin(shard) else { return Ok(()) };
        let named = twin.body.is_some() && twin.generation == generation;
        rule!(named, "saves name the published generation", "{generation} of {shard:?}");
        rule!(twin.unsaved_since.is_some(), "only what is unsaved is saved", "{generation} of {shard:?}");
        rule!(self.policy.save_interval.is_some(), "saves are wanted", "{generation} of {shard:?}");
        self.may_save(step, later, twin)?;
        if let Some(twin) = self.twin_mut(shard) {
            (twin.saving, twin.saving_as, twin.save_began) = (Some(generation), generation, Some(now));
        }
        self.saves.push(Saving { shard, generation, began: now });
        Ok(())
    }

    /// Why a save may begin now: the body leaves, the process ends, or its time has come.
    fn may_save(&self, step: &mut Step, later: &[Effect<Body>], twin: &Twin) -> Result<(), String> {
        let leaves =
            |effect: &Effect<Body>| matches!(effect, Effect::Park(id) | Effect::Drop(id) if *id == twin.id);
        let (id, backs_off) = (twin.id, twin.save_retry_at.is_some_and(|at| at > self.now));
        if step.kind == Kind::Stopping {
            step.tales.push("a save as the process stops");
        } else if self.stopping {
            let older = step.save_ended == Some(id);
            rule!(older, "nothing begins while the process stops", "a save of {id:?}");
            step.tales.push("a save after an older one as the process stops");
        } else if later.iter().any(leaves) {
            rule!(!backs_off, "failed saves wait by the schedule", "{id:?} leaves, and is saved too early");
            step.tales.push("a save before leaving");
        } else {
            rule!(self.saves.is_empty(), "one save by interval in flight", "{id:?} beside {:?}", self.saves);
            let due = twin.save_due(&self.policy).unwrap_or(Moment::MAX);
            rule!(due <= self.now, "saves keep their distance", "{id:?} at {:?}, not {due:?}", self.now);
            let since = (twin.unsaved_since, id);
            let before = self.to_be_saved().find(|other| (other.unsaved_since, other.id) < since);
            rule!(before.is_none(), "longest unsaved first", "{since:?}, not {before:?}");
            step.tales.push("a save by interval");
        }
        Ok(())
    }

    /// Shards that only wait for the lane of saves.
    fn to_be_saved(&self) -> impl Iterator<Item = &Twin> {
        let due = |twin: &&Twin| twin.save_due(&self.policy).is_some_and(|due| due <= self.now);
        self.twins.iter().flatten().filter(due)
    }

    pub(crate) fn end_save(
        &mut self,
        shard: ShardId,
        generation: Generation,
        result: &Result<Stored, String>,
        step: &mut Step,
    ) {
        let is = |save: &Saving| (save.shard, save.generation) == (shard, generation);
        let Some(at) = self.saves.iter().position(is) else { return };
        let (Saving { began, .. }, now) = (self.saves.remove(at), self.now);
        let Some(twin) = self.twin_mut(shard) else { return };
        twin.saving = None;
        let generation = twin.saving_as;
        if generation < twin.generation && twin.unsaved_since.is_some() {
            step.save_ended = Some(shard);
        }
        match result {
            Ok(stored) => {
                (twin.save_failures, twin.save_failure, twin.save_retry_at) = (0, None, None);
                if twin.stored.is_none_or(|before| before.generation <= generation) {
                    twin.stored = Some(Stored { generation, ..*stored });
                }
                let newer = twin.generation != generation;
                twin.unsaved_since = twin.unsaved_since.filter(|_| newer).map(|since| since.max(began));
            }
            Err(reason) => {
                twin.save_failures += 1;
                twin.save_retry_at = Some(now + back_off(twin.save_failures));
                twin.save_failure = Some(reason.clone());
                if twin.body.is_some() && twin.generation == generation {
                    twin.unsaved_since = twin.unsaved_since.or(Some(now));
                }
            }
        }
        if twin.doubt_stored() {
            step.tales.push("a snapshot older than what was shown");
        }
    }

    /// A body is in memory no more, and what was unsaved of it is being saved, except where it need not be.
    pub(crate) fn leave_unsaved(&mut self, step: &mut Step, shard: ShardId) -> Result<(), String> {
        let (now, stopping, never) = (self.now, self.stopping, self.policy.save_interval.is_none());
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        let unsaved = twin.unsaved_since.take().is_some();
        if twin.saving.is_none() {
            let newest = twin.generation;
            twin.stored = twin.stored.filter(|stored| stored.generation >= newest);
        }
        if !unsaved || twin.saving.is_some() || stopping || never {
            return Ok(());
        }
        match twin.left_for {
            Some(Reason::Pressure) => step.tales.push("an unsaved body lost to pressure"),
            Some(Reason::Forget) => {}
            _ if twin.save_retry_at.is_some_and(|at| at > now) => {
                step.tales.push("an unsaved body lost in the back-off");
            }
            reason => return Err(format!("what leaves is saved: {shard:?} left by {reason:?}")),
        }
        Ok(())
    }

    /// What is to be said of saves when a step is over.
    pub(crate) fn saves_are_begun(&self, step: &Step) -> Result<(), String> {
        if step.kind == Kind::Stopping && self.policy.save_interval.is_some() {
            let left = self
                .twins
                .iter()
                .flatten()
                .find(|twin| twin.unsaved_since.is_some() && twin.saving.is_none());
            rule!(left.is_none(), "what is unsaved is saved as the process stops", "not {left:?}");
        }
        if let Some(shard) = step.save_ended.filter(|_| self.stopping) {
            let saved = self.twin(shard).is_none_or(|twin| twin.saving.is_some());
            rule!(saved, "what is newer is saved as the process stops", "not {shard:?}");
        }
        if self.saves.is_empty() && !self.stopping {
            let late = self.to_be_saved().next();
            rule!(late.is_none(), "saves begin in time", "{late:?}");
        }
        Ok(())
    }

    /// When the next save becomes due.
    pub(crate) fn save_wakes_at(&self) -> Moment {
        let idle = self.saves.is_empty() && !self.stopping;
        let due = self.twins.iter().flatten().filter_map(|twin| twin.save_due(&self.policy).filter(|_| idle));
        due.min().unwrap_or(Moment::MAX)
    }

    pub(crate) fn snapshot_agrees(&self, twin: &Twin, view: &View) -> Result<(), String> {
        let shown = (view.stored, view.unsaved, view.saving, view.save_failures);
        let known = (twin.stored, twin.unsaved_since.is_some(), twin.saving.is_some(), twin.save_failures);
        rule!(shown == known, "views", "{:?} shows {shown:?}, known is {known:?}", twin.id);
        rule!(
            view.last_save_failure == twin.save_failure,
            "views",
            "{:?} {:?}",
            twin.id,
            view.last_save_failure
        );
        Ok(())
    }

    /// A body that its snapshot holds was published: it has the source yet to catch up with.
    pub(crate) fn is_behind(&mut self, step: &mut Step, flight: Flight) {
        let Some(twin) = self.twin_mut(flight.shard) else { return };
        step.tales.push("a body of a snapshot");
        if let Some(covers) = flight.covers {
            step.tales.push("a body of a snapshot with changes to catch up with");
            twin.merge_open(covers);
        }
        twin.unsaved_since = None;
        twin.rename(flight.snapshot);
    }

    pub(crate) fn show_digest(&mut self, step: &mut Step, shard: ShardId, body: Body) -> Result<(), String> {
        let Some(Arrived { flight, measured, .. }) = step.arrived.take_if(|arrived| {
            arrived.flight.shard == shard && arrived.body == body && arrived.flight.digest
        }) else {
            return Err(format!("only what a running attempt read is shown: {body} of {shard:?}"));
        };
        rule!(flight.running, "cancelled attempts never publish", "{:?} of {shard:?}", flight.id);
        let Some(twin) = self.twin_mut(shard) else { return Ok(()) };
        rule!(twin.tier == Tier::Cold && !twin.has_digest, "digests for the cold", "{:?}", twin.tier);
        (twin.has_digest, twin.digest_bytes) = (true, measured.digest_bytes);
        self.sums.digests += measured.digest_bytes;
        let (held, leaving) = (self.sums.held(), self.leaving());
        let fits = held.saturating_sub(leaving) <= self.policy.budget_bytes;
        rule!(fits, "room for what is published", "{held} held, of which {leaving} leave");
        step.tales.push("a digest");
        Ok(())
    }

    /// A digest that was read and not shown found no room; what it takes counts until it is measured again.
    pub(crate) fn reject_digest(&mut self, step: &mut Step) -> Result<(), String> {
        let Some(arrived) = step.arrived.take_if(|arrived| arrived.flight.digest) else { return Ok(()) };
        self.sums.unaccounted += arrived.measured.digest_bytes;
        step.rejected = true;
        rule!(!step.digest_fits, "a digest that fits is shown", "{:?}", arrived.flight);
        step.tales.push("a digest without room");
        Ok(())
    }

    /// A digest that a query asks for comes first, one in place of a load where nobody waits; both at once where
    /// there is room for them.
    pub(crate) fn digest_begins(&self, step: &Step) -> Result<(), String> {
        let consulted = step.kind == Kind::Consulted;
        let asked = if consulted { step.shard } else { step.withdrawn };
        let Some(shard) = asked.filter(|_| !self.stopping) else { return Ok(()) };
        let Some(twin) = self.twin(shard).filter(|twin| twin.newest().is_some()) else { return Ok(()) };
        let waits = |other: &Twin| other.wants_body() && !self.is_making(other.id) && !consulted;
        let before = |other: &&Twin| other.id != shard && (other.digest_wanted.is_some() || waits(other));
        let alone = self.twins.iter().flatten().filter(before).count() == 0;
        let overdue = |flight: &&Flight| flight.is_overdue(&self.policy, self.now);
        let in_lanes = self.flights.len() - self.flights.iter().filter(overdue).count();
        let lane = in_lanes < self.policy.lanes * if consulted { 2 } else { 1 };
        let room = self.sums.held() + twin.working_bytes(true) <= self.policy.budget_bytes;
        let begun = self.flight(shard).is_some();
        let must = alone && lane && room && (consulted || self.pressure == Pressure::None);
        rule!(begun || !must, "a digest with room is read", "{shard:?} of {:?}", twin.stored);
        Ok(())
    }
}

impl Twin {
    /// When its body may be saved; `None` if it need not be or is being saved.
    pub(crate) fn save_due(&self, policy: &hearth_residency::Policy) -> Option<Moment> {
        let interval =
            policy.save_interval.filter(|_| self.unsaved_since.is_some() && self.saving.is_none())?;
        let rested = self.save_began.map_or(Moment::ZERO, |began| began + interval);
        Some(rested.max(self.save_retry_at.unwrap_or(Moment::ZERO)))
    }

    pub(crate) fn want_digest(&mut self, urgency: Urgency) {
        self.digest_wanted = Some(self.digest_wanted.map_or(urgency, |before| before.min(urgency)));
    }

    /// What its next load, or the reading of its digest, is known or said to take.
    pub(crate) fn working_bytes(&self, digest: bool) -> u64 {
        match self.stored.filter(|_| self.body.is_none()) {
            stored if digest => stored.map_or(0, |stored| stored.digest_bytes) + (1 << 20),
            Some(stored) => stored.working_bytes,
            None => self.load_bytes,
        }
    }

    /// Out of memory, a snapshot older than what was shown is of no use; true if there was one.
    fn doubt_stored(&mut self) -> bool {
        let (newest, before) = (self.generation, self.stored);
        if self.body.is_none() && self.saving.is_none() {
            self.stored = self.stored.filter(|stored| stored.generation >= newest);
        }
        before != self.stored
    }

    /// The snapshot that an attempt began with turned out to be of no use.
    pub(crate) fn distrust(&mut self, snapshot: Option<Generation>) {
        self.stored = self.stored.filter(|stored| Some(stored.generation) != snapshot);
    }

    /// A body came from the snapshot that its attempt began with.
    pub(crate) fn trust(&mut self, snapshot: Option<Generation>, working_bytes: u64, digest_bytes: u64) {
        let Some(generation) = snapshot else { return };
        match &mut self.stored {
            Some(stored) if stored.generation == generation => stored.working_bytes = working_bytes,
            // What is being saved is not on disk yet.
            _ if self.saving.is_some() => {}
            stored => *stored = Some(Stored { generation, working_bytes, digest_bytes }),
        }
    }

    /// The generation of what a load would give; nothing that is older than what was shown.
    pub(crate) fn newest(&self) -> Option<Generation> {
        let newest = self.saving.map(|_| self.saving_as).max(self.stored.map(|stored| stored.generation));
        newest.filter(|newest| *newest >= self.generation)
    }

    /// What had this generation before was published again.
    fn rename(&mut self, before: Option<Generation>) {
        let generation = self.generation;
        if let Some(stored) = self.stored.as_mut().filter(|stored| Some(stored.generation) == before) {
            stored.generation = generation;
        }
        if self.saving.is_some() && Some(self.saving_as) == before {
            self.saving_as = generation;
        }
    }
}
