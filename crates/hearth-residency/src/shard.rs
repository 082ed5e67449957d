//! What the kernel knows of one shard: where it is on both axes, what it holds, what is being made of it,
//! what waits.
//!
//! Fields are changed by [`crate::Kernel`] alone, which keeps its ordered sets in step with them.

use crate::axes::Reason;
use crate::changes::ChangeSet;
use crate::ledger::Reservation;
use crate::policy::{Moment, Policy, RATE_HALF_LIFE, RECALL_LIMIT};
use crate::saves::Saves;
use crate::{AttemptId, ChangeClass, Failure, Generation, Health, Job, Pin, Stored, Tier, View};

/// How urgent an attempt is, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A query waits to ask its digest.
    Digest,
    /// A query waits for it.
    Claimed,
    /// An operator asked for it.
    Preload,
    /// A query will need it.
    Hinted,
    /// It is new, or a failed attempt is repeated.
    Load,
    /// It serves, and is to be renewed.
    Refresh,
}

/// A place in the queue: by rank, then by arrival.
pub(crate) type Place = (Rank, u64);

/// Whose memory an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Displace {
    /// Anybody's that is not pinned or claimed.
    Anybody,
    /// What was last used before then.
    Before(Moment),
    /// What was last used then or before.
    Until(Moment),
}

impl Displace {
    pub(crate) fn allows(self, last_use: Moment) -> bool {
        match self {
            Displace::Anybody => true,
            Displace::Before(moment) => last_use < moment,
            Displace::Until(moment) => last_use <= moment,
        }
    }
}

/// How an attempt in flight stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its end is wanted.
    Running,
    /// It was told to stop; what it makes is thrown away.
    Cancelled,
    /// It was told to stop because it took too long, and does not use a lane any more.
    Overdue,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// A body, and the digest with it.
    Body,
    /// The digest of the snapshot.
    Digest,
}

/// An attempt in flight.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) aim: Aim,
    /// True as long as it may be a short one, which reads what is on disk.
    pub(crate) recalls: bool,
    /// What the snapshot held that it began with, unless it renews a body.
    pub(crate) snapshot: Option<Generation>,
    pub(crate) reservation: Reservation,
    pub(crate) began: Moment,
    pub(crate) standing: Standing,
    pub(crate) displace: Displace,
    /// What had changed when it began: its body holds all that.
    pub(crate) covers: Option<ChangeSet>,
}

impl Attempt {
    /// When it has taken too long.
    pub(crate) fn deadline(&self, policy: &Policy) -> Moment {
        self.began.saturating_add(policy.deadline)
    }

    /// Until when it counts as a short one that reads what is on disk; `None` if it does not.
    pub(crate) fn recalls_until(&self) -> Option<Moment> {
        let recalls = self.recalls && self.standing == Standing::Running;
        recalls.then(|| self.began.saturating_add(RECALL_LIMIT))
    }
}

/// A wait for memory or a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) aim: Aim,
    /// Since when memory is what it waits for.
    pub(crate) short_since: Option<Moment>,
}

/// One shard.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) tier: Tier,
    pub(crate) health: Health,
    pub(crate) generation: Generation,
    pub(crate) pin: Pin,
    /// Becomes hot by its next body, though it is not pinned.
    pub(crate) heat: bool,
    pub(crate) body_bytes: u64,
    pub(crate) digest_bytes: u64,
    pub(crate) high_water: u64,
    /// Queries that need it in memory now.
    pub(crate) claims: u64,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) pending: Option<ChangeSet>,
    /// Its body is a snapshot's and was not yet compared with the source.
    pub(crate) uncompared: bool,
    /// The last comparison was of a body that had been followed by another meanwhile.
    pub(crate) strayed: bool,
    pub(crate) failures: u32,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) retry_at: Option<Moment>,
    /// Failures at which changes have brought the next attempt forward.
    pub(crate) hurried_at: u32,
    pub(crate) last_good: Option<Moment>,
    /// When a query last used it; zero = never.
    pub(crate) last_use: Moment,
    /// Since when it has been let alone in its tier.
    pub(crate) idle_since: Moment,
    pub(crate) rate: Rate,
    /// Working set of a scan: learned, else forecast.
    pub(crate) load_bytes: u64,
    /// Working set at which an attempt was stopped for want of memory, unless one was learned since.
    pub(crate) suspected_bytes: u64,
    /// Working set of applying changes, if learned.
    pub(crate) apply_bytes: Option<u64>,
    /// Working set of a comparison, if learned.
    pub(crate) compare_bytes: Option<u64>,
    pub(crate) promotions_total: u64,
    pub(crate) loads_total: u64,
    pub(crate) rebuilds_total: u64,
    pub(crate) advances_total: u64,
    pub(crate) compares_total: u64,
    pub(crate) saves: Saves,
    /// When the kernel looks at it again.
    pub(crate) timer: Option<Moment>,
}

impl Shard {
    pub(crate) fn new(forecast_bytes: u64, stored: Option<Stored>, now: Moment) -> Self {
        Self {
            tier: Tier::Cold,
            health: Health::Empty,
            generation: stored.map_or(0, |stored| stored.generation),
            pin: Pin::None,
            heat: false,
            body_bytes: 0,
            digest_bytes: 0,
            high_water: 0,
            claims: 0,
            attempt: None,
            waiting: None,
            pending: None,
            uncompared: false,
            strayed: false,
            failures: 0,
            last_failure: None,
            retry_at: None,
            hurried_at: 0,
            last_good: None,
            last_use: Moment::ZERO,
            idle_since: now,
            rate: Rate::default(),
            load_bytes: forecast_bytes,
            suspected_bytes: 0,
            apply_bytes: None,
            compare_bytes: None,
            promotions_total: 0,
            loads_total: 0,
            rebuilds_total: 0,
            advances_total: 0,
            compares_total: 0,
            saves: Saves { stored, ..Saves::default() },
            timer: None,
        }
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pin != Pin::None
    }

    /// True if neither budget nor pressure nor idleness may take it out of memory.
    pub(crate) fn is_held(&self) -> bool {
        self.is_pinned() || self.claims > 0
    }

    /// Bytes that the next attempt is expected to take.
    pub(crate) fn working_bytes(&self, aim: Aim) -> u64 {
        let stored = self.saves.stored.filter(|_| !self.tier.has_body());
        match (aim, stored) {
            (Aim::Digest, stored) => {
                return stored.map_or(0, |stored| stored.digest_bytes).saturating_add(1 << 20);
            }
            (Aim::Body, Some(stored)) => return stored.working_bytes,
            (Aim::Body, None) => {}
        }
        if self.is_applied(self.pending.as_ref()) {
            return self.apply_bytes.unwrap_or(self.body_bytes / 16 + (1 << 20));
        }
        let learned = if self.is_compared(self.pending.as_ref()) {
            self.compare_bytes.unwrap_or(self.body_bytes / 8 + (1 << 20))
        } else {
            self.load_bytes
        };
        learned.max(self.suspected_bytes)
    }

    /// True if changes are taken in by the present body alone, without a look at the whole source.
    pub(crate) fn is_applied(&self, changes: Option<&ChangeSet>) -> bool {
        let apply = changes.is_some_and(|changes| changes.class == ChangeClass::Apply);
        self.tier.has_body() && !self.uncompared && apply
    }

    /// True if these changes ask for the present body to be compared with its source.
    pub(crate) fn is_compared(&self, changes: Option<&ChangeSet>) -> bool {
        self.may_be_kept(changes) && !self.is_applied(changes)
    }

    /// True if the present body may go on to serve where it holds these changes, or is followed by one that does.
    pub(crate) fn may_be_kept(&self, changes: Option<&ChangeSet>) -> bool {
        self.tier.has_body() && changes.is_none_or(|changes| changes.class < ChangeClass::Rebuild)
    }

    /// What the next attempt is to do.
    pub(crate) fn job(&self, aim: Aim) -> Job {
        match (aim, &self.pending) {
            (Aim::Digest, _) => Job::Digest,
            (Aim::Body, _) if !self.tier.has_body() => Job::Load,
            (Aim::Body, Some(changes)) if !self.uncompared => Job::Refresh(changes.clone()),
            (Aim::Body, pending) => {
                let mut changes = ChangeSet::reconcile(0);
                pending.iter().cloned().for_each(|pending| changes.merge(pending));
                Job::Refresh(changes)
            }
        }
    }

    /// Ends a row of failures; why a shard with a good body is fresh then.
    pub(crate) fn forgive(&mut self) -> Reason {
        (self.hurried_at, self.last_failure, self.retry_at) = (0, None, None);
        self.strayed = false;
        match std::mem::take(&mut self.failures) {
            0 => Reason::Publish,
            _ => Reason::Recovered,
        }
    }

    /// True if an attempt that runs will end with a body.
    pub(crate) fn makes_body(&self) -> bool {
        let makes = |attempt: &Attempt| (attempt.standing, attempt.aim) == (Standing::Running, Aim::Body);
        self.attempt.as_ref().is_some_and(makes)
    }

    /// True if it waits for a body.
    pub(crate) fn waits_for_body(&self) -> bool {
        self.waiting.is_some_and(|waiting| waiting.aim == Aim::Body)
    }

    fn is_digesting(&self) -> bool {
        let runs = |attempt: &Attempt| attempt.aim == Aim::Digest && attempt.standing == Standing::Running;
        self.waiting.is_some_and(|waiting| waiting.aim == Aim::Digest)
            || self.attempt.as_ref().is_some_and(runs)
    }

    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.attempt.as_ref().map_or(0, |attempt| attempt.reservation.bytes())
    }

    /// True if its body is unsaved and no save of it runs.
    pub(crate) fn may_be_saved(&self) -> bool {
        self.saves.is_unsaved() && self.saves.running.is_none()
    }

    /// When it is to be looked at again, if nothing else happens.
    pub(crate) fn due(&self, policy: &Policy) -> Option<Moment> {
        let pin = match self.pin {
            Pin::Until(until) => Some(until),
            _ => None,
        };
        let in_lane = self.attempt.as_ref().filter(|attempt| attempt.standing != Standing::Overdue);
        let deadline = in_lane.map(|attempt| attempt.deadline(policy));
        let recall = in_lane.and_then(Attempt::recalls_until);
        let short = self.waiting.and_then(|waiting| waiting.short_since);
        let refusal = short.map(|since| since.saturating_add(policy.admission_wait));
        let retry = self.retry_at.filter(|_| self.health == Health::Failed && !self.waits_for_body());
        [pin, deadline, recall, refusal, retry, self.idle_until(policy), self.saves.due(policy)]
            .into_iter()
            .flatten()
            .min()
    }

    /// When it falls to the next tier; `None` while it may not.
    pub(crate) fn idle_until(&self, policy: &Policy) -> Option<Moment> {
        let base = match self.tier {
            Tier::Hot => policy.idle_hot,
            Tier::Warm => policy.idle_warm,
            Tier::Parked => policy.idle_parked,
            Tier::Cold => return None,
        };
        let loading = !self.tier.has_body() && (self.attempt.is_some() || self.waiting.is_some());
        if self.is_held() || loading {
            return None;
        }
        Some(self.idle_since.saturating_add(policy.stay(base, self.rate.per_min(self.idle_since))))
    }

    pub(crate) fn view(&self, retained_bytes: u64, now: Moment) -> View {
        View {
            tier: self.tier,
            health: self.health,
            generation: self.generation,
            pin: self.pin,
            body_bytes: self.body_bytes,
            digest_bytes: self.digest_bytes,
            reserved_bytes: self.reserved_bytes(),
            retained_bytes,
            high_water_bytes: self.high_water,
            behind: self.tier == Tier::Parked && self.pending.is_some(),
            uncompared: self.uncompared,
            failures: self.failures,
            last_failure: self.last_failure.clone(),
            retry_at: self.retry_at,
            last_good: self.last_good,
            rate_per_min: self.rate.per_min(now),
            promotions_total: self.promotions_total,
            loads_total: self.loads_total,
            rebuilds_total: self.rebuilds_total,
            advances_total: self.advances_total,
            compares_total: self.compares_total,
            stored: self.saves.stored,
            unsaved: self.saves.is_unsaved(),
            saving: self.saves.running.is_some(),
            digesting: self.is_digesting(),
            save_failures: self.saves.failures,
            last_save_failure: self.saves.last_failure.clone(),
        }
    }
}

/// Events a minute, each counting half as much after every half-life.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    weight: f64,
    at: Moment,
}

impl Rate {
    pub(crate) fn count(&mut self, events: u64, now: Moment) {
        self.weight = self.decayed(now) + events as f64;
        self.at = self.at.max(now);
    }

    pub(crate) fn per_min(&self, now: Moment) -> f64 {
        // A steady rate r settles at the weight r × half-life / ln 2.
        self.decayed(now) * std::f64::consts::LN_2 / (RATE_HALF_LIFE.as_secs_f64() / 60.0)
    }

    fn decayed(&self, now: Moment) -> f64 {
        let halves = now.saturating_sub(self.at).as_secs_f64() / RATE_HALF_LIFE.as_secs_f64();
        self.weight * (-halves).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_steady_rate_is_measured_and_forgotten() {
        let mut rate = Rate::default();
        for second in 0..7200 {
            rate.count(2, Duration::from_secs(second));
        }
        let now = Duration::from_secs(7200);
        assert!((rate.per_min(now) - 120.0).abs() < 2.0, "{}", rate.per_min(now));
        assert!((rate.per_min(now + RATE_HALF_LIFE) - 60.0).abs() < 1.0);
        assert!(rate.per_min(now + RATE_HALF_LIFE * 40) < 1e-6);
    }

    #[test]
    fn ranks_say_whose_memory_may_be_taken() {
        let second = Duration::from_secs;
        assert!(Displace::Anybody.allows(second(9)));
        assert!(
            Displace::Before(second(9)).allows(second(8)) && !Displace::Before(second(9)).allows(second(9))
        );
        assert!(
            Displace::Until(second(9)).allows(second(9)) && !Displace::Until(second(9)).allows(second(10))
        );
    }

    #[test]
    fn what_is_to_be_done_follows_from_what_is_there() {
        let mut shard = Shard::new(500, None, Moment::ZERO);
        shard.pending = Some(ChangeSet { class: ChangeClass::Apply, ..ChangeSet::rebuild(3) });
        assert_eq!((shard.job(Aim::Body), shard.working_bytes(Aim::Body)), (Job::Load, 500));
        (shard.tier, shard.body_bytes) = (Tier::Warm, 160);
        assert_eq!(shard.working_bytes(Aim::Body), 10 + (1 << 20));
        assert!(matches!(shard.job(Aim::Body), Job::Refresh(changes) if changes.clock == 3));
        shard.pending = None;
        assert!(
            matches!(shard.job(Aim::Body), Job::Refresh(changes) if changes.class == ChangeClass::Reconcile)
        );
        assert_eq!(shard.working_bytes(Aim::Body), 20 + (1 << 20));
        shard.pending = Some(ChangeSet::rebuild(4));
        assert_eq!(shard.working_bytes(Aim::Body), 500);
    }
}
