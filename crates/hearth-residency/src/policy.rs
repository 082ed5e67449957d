//! What the kernel may decide by: limits and times, all given from outside.
//!
//! Times are durations since an origin that whoever drives the kernel chooses.

use std::time::Duration;

/// A point in time: since the driver's origin, never going back.
pub type Moment = Duration;

/// Waits between attempts of a shard that fails; the last one repeats.
pub const BACK_OFF: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
];

/// A replaced body that queries still hold after this long is reported, once.
pub const RETAINED_LONG: Duration = Duration::from_secs(5);

/// A body that was given up counts as on its way out for this long; then as held by queries.
pub(crate) const LEAVING: Duration = Duration::from_secs(1);

/// What is read from disk holds back what is only renewed for this long.
pub(crate) const RECALL_LIMIT: Duration = Duration::from_secs(10);

/// A body that grows by no more than this when it takes changes in is published whatever is held.
pub(crate) const SMALL_STEP_BYTES: u64 = 1 << 20;

/// Half-life of the query rate of a shard.
pub(crate) const RATE_HALF_LIFE: Duration = Duration::from_secs(600);

/// Everything that an operator can set.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Most bytes that may be held.
    pub budget_bytes: u64,
    /// Making room goes on until this share of the budget is held, percent.
    pub low_mark_percent: u8,
    /// An unpinned hot shard that nobody asks becomes warm after this.
    pub idle_hot: Duration,
    /// A warm shard that nobody asks is parked after this.
    pub idle_warm: Duration,
    /// A parked shard that nobody asks gives up its digest after this.
    pub idle_parked: Duration,
    /// How many times longer an often-asked shard may stay, at most.
    pub adaptive_cap: f64,
    /// Attempts that run at once.
    pub lanes: usize,
    /// An attempt that takes longer is given up.
    pub deadline: Duration,
    /// An attempt that waits for memory longer is refused.
    pub admission_wait: Duration,
    /// Least time between the starts of two saves of a shard that stays in memory; `None` = never save.
    pub save_interval: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            budget_bytes: 1 << 30,
            low_mark_percent: 80,
            idle_hot: Duration::from_secs(300),
            idle_warm: Duration::from_secs(1800),
            idle_parked: Duration::from_secs(86_400),
            adaptive_cap: 4.0,
            lanes: 4,
            deadline: Duration::from_secs(3600),
            admission_wait: Duration::from_secs(10),
            save_interval: Some(Duration::from_secs(300)),
        }
    }
}

impl Policy {
    /// Bytes down to which room is made.
    pub(crate) fn low_mark_bytes(&self) -> u64 {
        let low = u128::from(self.budget_bytes) * u128::from(self.low_mark_percent) / 100;
        u64::try_from(low).unwrap_or(u64::MAX)
    }

    /// How long a shard with this many queries a minute may idle where the base is `base`.
    pub(crate) fn stay(&self, base: Duration, rate_per_min: f64) -> Duration {
        let factor = (1.0 + rate_per_min.max(0.0).ln_1p()).min(self.adaptive_cap.max(1.0));
        Duration::try_from_secs_f64(base.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }
}

/// Wait after so many failures in a row (at least one).
pub fn back_off(failures: u32) -> Duration {
    let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    BACK_OFF[step.min(BACK_OFF.len() - 1)]
}

/// Whether the last good body of a shard may still answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It holds everything that is known of.
    Current,
    /// Something newer is under way or failed.
    Stale,
    /// It is older than the cap.
    Expired,
}

/// Judges a body of this age by the health of its shard. `cap` of zero = no cap.
pub fn serving(health: crate::Health, age: Duration, cap: Duration) -> Serving {
    match health {
        crate::Health::Failed | crate::Health::Rebuilding if !cap.is_zero() && age > cap => Serving::Expired,
        crate::Health::Failed | crate::Health::Rebuilding => Serving::Stale,
        _ => Serving::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Health;

    #[test]
    fn the_back_off_grows_and_stays() {
        let waits: Vec<u64> = (1..8).map(|failures| back_off(failures).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 300, 600, 600, 600]);
        assert_eq!(back_off(u32::MAX).as_secs(), 600);
        assert_eq!(back_off(0).as_secs(), 30);
    }

    #[test]
    fn often_asked_shards_stay_longer_up_to_the_cap() {
        let policy = Policy { adaptive_cap: 3.0, ..Policy::default() };
        let stay = |rate| policy.stay(Duration::from_secs(100), rate).as_secs_f64();
        assert!((stay(0.0) - 100.0).abs() < 1e-9);
        assert!(stay(1.0) > 160.0 && stay(1.0) < 180.0, "one logarithm");
        assert!((stay(1e9) - 300.0).abs() < 1e-9);
        assert!((stay(-5.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn old_bodies_expire_only_where_something_newer_is_due() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!(serving(Health::Fresh, hours(99), hours(24)), Serving::Current);
        assert_eq!(serving(Health::Failed, hours(24), hours(24)), Serving::Stale);
        assert_eq!(serving(Health::Failed, hours(25), hours(24)), Serving::Expired);
        assert_eq!(serving(Health::Rebuilding, hours(25), hours(24)), Serving::Expired);
        assert_eq!(serving(Health::Failed, hours(9999), Duration::ZERO), Serving::Stale);
    }
}
