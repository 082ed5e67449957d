//! What the simulator itself knows of one shard, from events and effects alone.
//!
//! Nothing here is asked of the kernel, and what the design states by a formula (how long a shard may idle, when
//! an attempt is overdue) is computed once more. Sizes of sources follow from the number of the shard.

use crate::random::Random;
use hearth_residency::{
    AttemptId, ChangeClass, ChangeSet, Generation, Health, Moment, Pin, Policy, RETAINED_LONG, Reason,
    ShardId, Stored, Tier, View,
};
use std::time::Duration;

/// A body is the number of the attempt that made it.
pub(crate) type Body = u64;

/// Half-life of a query rate, as the design has it.
const HALF_LIFE_S: f64 = 600.0;

/// How urgent a wait or an attempt is: what the design says of whose memory it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    Claimed,
    Asked,
    Hinted,
    Background,
}

/// An attempt in flight.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) id: AttemptId,
    pub(crate) shard: ShardId,
    pub(crate) reserved: u64,
    pub(crate) began: Moment,
    /// It was not told to stop.
    pub(crate) running: bool,
    /// Bytes that it really holds.
    pub(crate) actual: u64,
    /// It does not end by itself.
    pub(crate) hung: bool,
    pub(crate) covers: Option<ChangeSet>,
    pub(crate) urgency: Urgency,
    /// It counts as reading what is on disk, and so holds back what is only renewed.
    pub(crate) recalls: bool,
    /// It reads the digest of a snapshot, and nothing else.
    pub(crate) digest: bool,
    /// What the snapshot holds that it began with.
    pub(crate) snapshot: Option<Generation>,
    /// How much it looks at, if it renews a body.
    pub(crate) class: Option<ChangeClass>,
    /// The published generation when it began.
    pub(crate) of: Generation,
    /// When a query had last used its shard when it began.
    pub(crate) used: Moment,
}

/// A save in flight.
#[derive(Clone, Debug)]
pub(crate) struct Saving {
    pub(crate) shard: ShardId,
    pub(crate) generation: Generation,
    pub(crate) began: Moment,
}

impl Flight {
    pub(crate) fn is_overdue(&self, policy: &Policy, now: Moment) -> bool {
        self.began + policy.deadline <= now
    }

    /// It may end with what it found of the body in memory.
    pub(crate) fn may_compare(&self) -> bool {
        self.class.is_some_and(|class| class < ChangeClass::Rebuild)
    }
}

/// A body that left its shard.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) shard: ShardId,
    pub(crate) generation: Generation,
    pub(crate) bytes: u64,
    pub(crate) since: Moment,
    pub(crate) reported: bool,
}

impl Kept {
    /// It is to be logged now.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        !self.reported && self.since + RETAINED_LONG <= now
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Twin {
    pub(crate) id: ShardId,
    pub(crate) tier: Tier,
    pub(crate) health: Health,
    pub(crate) generation: Generation,
    /// What the catalogue shows.
    pub(crate) body: Option<Body>,
    pub(crate) has_digest: bool,
    pub(crate) body_bytes: u64,
    pub(crate) digest_bytes: u64,
    pub(crate) pin: Pin,
    pub(crate) claims: u64,
    /// An operator wants it hot.
    pub(crate) heat: bool,
    /// An operator took it out of memory whoever waits for it.
    pub(crate) sent_away: bool,
    pub(crate) last_use: Moment,
    pub(crate) idle_since: Moment,
    weight: f64,
    weight_at: Moment,
    /// Changes that no body and no attempt in flight covers.
    pub(crate) open: Option<ChangeSet>,
    pub(crate) urgency: Option<Urgency>,
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Moment>,
    pub(crate) lacks_memory: bool,
    /// Changes have brought an attempt forward since the last one that was due.
    pub(crate) hurried: bool,
    /// What a scan is known or said to take.
    pub(crate) load_bytes: u64,
    /// What a comparison is known to take.
    pub(crate) compare_bytes: Option<u64>,
    /// An attempt was stopped since something was learned, so that more may be set aside for the next.
    pub(crate) doubtful: bool,
    /// The last comparison was of another body than the published one.
    pub(crate) strayed: bool,
    pub(crate) loads: u64,
    pub(crate) rebuilds: u64,
    pub(crate) advances: u64,
    pub(crate) compares: u64,
    pub(crate) last_good: Option<Moment>,
    pub(crate) high_water: u64,
    pub(crate) stored: Option<Stored>,
    /// How urgently its digest may be wanted; whether it still is cannot be told.
    pub(crate) digest_wanted: Option<Urgency>,
    /// Its body is a snapshot's, or follows one, and was not compared with the source.
    pub(crate) behind: bool,
    /// Since when its body has been newer than the snapshot.
    pub(crate) unsaved_since: Option<Moment>,
    pub(crate) saving: Option<Generation>,
    /// The last generation under which what is being saved was published.
    pub(crate) saving_as: Generation,
    pub(crate) save_began: Option<Moment>,
    pub(crate) save_failures: u32,
    pub(crate) save_failure: Option<String>,
    pub(crate) save_retry_at: Option<Moment>,
    /// Why it left its last tier for one without a body.
    pub(crate) left_for: Option<Reason>,
    pub(crate) shown: Option<View>,
    /// When something is due for it.
    pub(crate) wake: Moment,
    /// When it falls if it stops loading.
    pub(crate) rest: Moment,
}

impl Twin {
    pub(crate) fn new(id: ShardId, load_bytes: u64, stored: Option<Stored>, now: Moment) -> Self {
        Self {
            id,
            tier: Tier::Cold,
            health: Health::Empty,
            generation: stored.map_or(0, |stored| stored.generation),
            body: None,
            has_digest: false,
            body_bytes: 0,
            digest_bytes: 0,
            pin: Pin::None,
            claims: 0,
            heat: false,
            sent_away: false,
            last_use: Moment::ZERO,
            idle_since: now,
            weight: 0.0,
            weight_at: Moment::ZERO,
            open: None,
            urgency: None,
            failures: 0,
            retry_at: None,
            lacks_memory: false,
            hurried: false,
            load_bytes,
            compare_bytes: None,
            doubtful: false,
            strayed: false,
            loads: 0,
            rebuilds: 0,
            advances: 0,
            compares: 0,
            last_good: None,
            high_water: 0,
            stored,
            digest_wanted: None,
            behind: false,
            unsaved_since: None,
            saving: None,
            saving_as: 0,
            save_began: None,
            save_failures: 0,
            save_failure: None,
            save_retry_at: None,
            left_for: None,
            shown: None,
            wake: Moment::MAX,
            rest: Moment::MAX,
        }
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pin != Pin::None
    }

    /// Neither budget nor pressure nor idleness may take it.
    pub(crate) fn is_held(&self) -> bool {
        self.is_pinned() || self.claims > 0
    }

    pub(crate) fn is_evictable(&self) -> bool {
        self.body.is_some() && !self.is_held()
    }

    pub(crate) fn wants_body(&self) -> bool {
        matches!(self.health, Health::Loading | Health::Rebuilding)
    }

    pub(crate) fn count(&mut self, queries: u64, now: Moment) {
        self.weight = self.decayed(now) + queries as f64;
        self.weight_at = self.weight_at.max(now);
    }

    fn decayed(&self, now: Moment) -> f64 {
        let halves = now.saturating_sub(self.weight_at).as_secs_f64() / HALF_LIFE_S;
        self.weight * (-halves).exp2()
    }

    pub(crate) fn merge_open(&mut self, changes: ChangeSet) {
        match &mut self.open {
            Some(open) => open.merge(changes),
            None => self.open = Some(changes),
        }
    }

    pub(crate) fn ask(&mut self, urgency: Urgency) {
        self.urgency = Some(self.urgency.map_or(urgency, |before| before.min(urgency)));
    }

    /// When it may fall to the next tier if it is let alone, held or not.
    pub(crate) fn stays_until(&self, policy: &Policy) -> Option<Moment> {
        let base = match self.tier {
            Tier::Hot => policy.idle_hot,
            Tier::Warm => policy.idle_warm,
            Tier::Parked => policy.idle_parked,
            Tier::Cold => return None,
        };
        let per_min = self.decayed(self.idle_since) * std::f64::consts::LN_2 / (HALF_LIFE_S / 60.0);
        let factor = (1.0 + per_min.max(0.0).ln_1p()).min(policy.adaptive_cap.max(1.0));
        Some(self.idle_since + Duration::from_secs_f64(base.as_secs_f64() * factor))
    }

    /// When something becomes due for it; `flight` is its attempt, if there is one.
    pub(crate) fn wakes_at(&self, policy: &Policy, flight: Option<&Flight>, now: Moment) -> Moment {
        let mut wake = Moment::MAX;
        if let Pin::Until(until) = self.pin {
            wake = until;
        }
        if let Some(flight) = flight.filter(|flight| flight.running || !flight.is_overdue(policy, now)) {
            wake = wake.min(flight.began + policy.deadline);
        }
        if let Some(flight) = flight.filter(|flight| flight.running && flight.recalls) {
            wake = wake.min(flight.began + RECALL);
        }
        if self.health == Health::Failed {
            wake = wake.min(self.retry_at.unwrap_or(Moment::MAX));
        }
        let loads = self.body.is_none() && (flight.is_some() || self.wants_body());
        if !self.is_held() && !loads {
            wake = wake.min(self.stays_until(policy).unwrap_or(Moment::MAX));
        }
        wake
    }
}

/// What the sources of a run really take, by slot and number of the shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) unit: u64,
}

impl Sizes {
    pub(crate) fn body(self, shard: ShardId) -> u64 {
        let percent = 40 + Random::new(shard.0 % 64).below(160);
        self.unit * percent / 100
    }

    /// What is said beforehand: around, far below, far above.
    pub(crate) fn forecast(self, shard: ShardId) -> u64 {
        let percent = Random::new(shard.0 ^ 0xf0).one_of(&[5, 60, 120, 150, 150, 150, 200, 500]);
        self.body(shard) * percent / 100
    }

    /// A snapshot with a digest of so many percent, whose load takes so many percent.
    pub(crate) fn snapshot(self, shard: ShardId, generation: Generation, load: u64, digest: u64) -> Stored {
        let body = self.body(shard);
        Stored { generation, working_bytes: body * load / 100, digest_bytes: body * digest / 100 }
    }

    /// What is on disk of a source that is added: nothing, or what an earlier process left.
    pub(crate) fn stored(self, shard: ShardId) -> Option<Stored> {
        let mut random = Random::new(shard.0 ^ 0x5d);
        let (generation, load) = (random.below(40), random.one_of(&[20, 100, 110, 150]));
        let digest = random.one_of(&[0, 2, 5, 30]);
        random.chance(40).then(|| self.snapshot(shard, generation, load, digest))
    }

    /// What an attempt really takes of what is reserved for it, at first.
    pub(crate) fn actual(attempt: AttemptId, reserved: u64) -> u64 {
        reserved * Random::new(attempt.0 ^ 0xac).one_of(&[10, 50, 80, 90, 100, 130]) / 100
    }

    pub(crate) fn hangs(attempt: AttemptId, percent: u64) -> bool {
        Random::new(attempt.0 ^ 0x4a).chance(percent)
    }
}

/// An attempt counts as reading what is on disk for this long.
pub(crate) const RECALL: Duration = Duration::from_secs(10);

/// A body that was given up counts as on its way out for this long.
pub(crate) const LEAVING: Duration = Duration::from_secs(1);
