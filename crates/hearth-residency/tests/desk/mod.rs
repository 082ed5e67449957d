//! A kernel at hand: time in seconds, sizes in MiB, and what follows in a few words.
//!
//! Every test that tells a story uses all of this, so that a story is not longer than what it tells.

use hearth_residency::{
    AttemptId, Effect, Event, Kernel, Measured, Moment, Outcome, Policy, Reason, ShardId, Step, Tier, View,
};
use std::time::Duration;

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) const A: ShardId = ShardId(1);
pub(crate) const B: ShardId = ShardId(2);
pub(crate) const C: ShardId = ShardId(3);

/// A budget of 1000 MiB, four lanes, times as they are by default, no snapshots.
pub(crate) fn policy() -> Policy {
    Policy { budget_bytes: 1000 * MIB, save_interval: None, ..Policy::default() }
}

pub(crate) struct Desk {
    pub(crate) kernel: Kernel<&'static str>,
    pub(crate) now: Moment,
}

pub(crate) type Effects = Vec<Effect<&'static str>>;

impl Desk {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { kernel: Kernel::new(policy), now: Duration::from_secs(1000) }
    }

    pub(crate) fn send(&mut self, event: Event<&'static str>) -> Effects {
        self.kernel.step(self.now, event)
    }

    /// Lets time pass, and tells the kernel.
    pub(crate) fn wait(&mut self, seconds: u64) -> Effects {
        self.now += Duration::from_secs(seconds);
        self.send(Event::Tick)
    }

    /// Adds a shard whose load is expected to take so much.
    pub(crate) fn add(&mut self, shard: ShardId, mib: u64) -> Effects {
        self.send(Event::Add { shard, forecast_bytes: mib * MIB, stored: None })
    }

    /// Ends an attempt with a body of this size.
    pub(crate) fn build(&mut self, (shard, attempt): (ShardId, AttemptId), mib: u64) -> Effects {
        let bytes = mib * MIB;
        let measured = Measured { body_bytes: bytes, digest_bytes: MIB / 4, peak_bytes: bytes };
        self.send(Event::Ended {
            shard,
            attempt,
            outcome: Outcome::Built { body: "body", measured, behind: false },
        })
    }

    pub(crate) fn fail(&mut self, (shard, attempt): (ShardId, AttemptId)) -> Effects {
        self.send(Event::Ended { shard, attempt, outcome: Outcome::Failed("no such folder".to_owned()) })
    }

    /// Adds a shard and lets it load, a second later than what was before.
    pub(crate) fn load(&mut self, shard: ShardId, mib: u64) {
        self.now += Duration::from_secs(1);
        let effects = self.add(shard, mib);
        let started = starts(&effects)[0];
        self.build(started, mib);
        self.touch(shard);
    }

    pub(crate) fn touch(&mut self, shard: ShardId) {
        self.now += Duration::from_secs(1);
        self.send(Event::Touched { shard, queries: 1 });
    }

    /// Lets go of the last body of a shard that was given up.
    pub(crate) fn release(&mut self, shard: ShardId) -> Effects {
        let generation = self.view(shard).generation;
        self.send(Event::Released { shard, generation })
    }

    pub(crate) fn view(&self, shard: ShardId) -> View {
        self.kernel.view(shard).expect("a known shard")
    }

    pub(crate) fn tier(&self, shard: ShardId) -> Tier {
        self.view(shard).tier
    }
}

/// The attempts that began.
pub(crate) fn starts(effects: &Effects) -> Vec<(ShardId, AttemptId)> {
    let start = |effect: &Effect<_>| match effect {
        Effect::Start { shard, attempt, .. } => Some((*shard, *attempt)),
        _ => None,
    };
    effects.iter().filter_map(start).collect()
}

/// The attempts that are to stop.
pub(crate) fn cancels(effects: &Effects) -> Vec<(ShardId, AttemptId)> {
    let cancel = |effect: &Effect<_>| match effect {
        Effect::Cancel { shard, attempt } => Some((*shard, *attempt)),
        _ => None,
    };
    effects.iter().filter_map(cancel).collect()
}

/// The shards that changed their tier, and why.
pub(crate) fn moves(effects: &Effects) -> Vec<(ShardId, Tier, Reason)> {
    let moved = |effect: &Effect<_>| match effect {
        Effect::Transition(transition) => match transition.step {
            Step::Tier { to, .. } => Some((transition.shard, to, transition.reason)),
            Step::Health { .. } => None,
        },
        _ => None,
    };
    effects.iter().filter_map(moved).collect()
}
