//! Sections about what stays in memory: `[memory]`, `[idle]`, `[load]`, `[stale]`, `[pressure]`.
//!
//! The times of the idle ladder ascend. That no single key can know, so it is checked once all of
//! them are read, and the refusal names the key that was set last, at the place it was set. The
//! defaults are checked when this is compiled.

use super::{Config, ConfigError, KEYS, Origin};
use std::time::Duration;

/// Smallest budget that can be asked for, bytes.
pub(super) const LEAST_BUDGET: u64 = 16 << 20;

const HOT_S: u64 = 300;
const WARM_S: u64 = 1800;
const PARKED_S: u64 = 86_400;
const _: () = assert!(HOT_S < WARM_S && WARM_S < PARKED_S, "the idle ladder ascends");

/// `[memory]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Bytes that all indexes together may take; `None` = what suits the machine.
    pub budget: Option<u64>,
    /// Share of the budget that a full memory is brought down to, percent.
    pub low_mark_percent: u64,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { budget: None, low_mark_percent: 80 }
    }
}

/// `[idle]`: times without a query, `hot < warm < parked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleConfig {
    /// After this a hot shard becomes warm.
    pub hot: Duration,
    /// After this a warm shard is parked.
    pub warm: Duration,
    /// After this a parked shard becomes cold.
    pub parked: Duration,
    /// How many times longer than that a shard may stay which is asked often; at least 1.
    pub adaptive_cap: u64,
}

impl Default for IdleConfig {
    fn default() -> Self {
        Self {
            hot: Duration::from_secs(HOT_S),
            warm: Duration::from_secs(WARM_S),
            parked: Duration::from_secs(PARKED_S),
            adaptive_cap: 4,
        }
    }
}

/// `[load]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadConfig {
    /// Loads and builds that run at once; at least 1.
    pub lanes: usize,
    /// A load or build that takes longer is given up.
    pub deadline: Duration,
    /// How long a load may wait for memory before it is refused.
    pub admission_wait: Duration,
}

impl Default for LoadConfig {
    fn default() -> Self {
        Self { lanes: 4, deadline: Duration::from_secs(3600), admission_wait: Duration::from_secs(10) }
    }
}

/// `[stale]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleConfig {
    /// Age up to which an index that cannot be refreshed still answers; `None` = any age.
    pub max_age: Option<Duration>,
}

impl Default for StaleConfig {
    fn default() -> Self {
        Self { max_age: Some(Duration::from_secs(24 * 3600)) }
    }
}

/// `[pressure]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PressureConfig {
    /// Whether shards are parked when memory runs short.
    pub enabled: bool,
    /// Time between two looks at the memory pressure.
    pub poll: Duration,
}

impl Default for PressureConfig {
    fn default() -> Self {
        Self { enabled: true, poll: Duration::from_secs(1) }
    }
}

/// A budget as it would stand in the file.
pub(super) fn shown_budget(budget: Option<u64>) -> String {
    budget.map_or_else(|| "\"auto\"".to_owned(), |bytes| bytes.to_string())
}

/// Refuses an idle ladder that does not ascend.
pub(super) fn check_ladder(config: &Config) -> Result<(), ConfigError> {
    let idle = &config.idle;
    let steps = [("idle.hot_s", idle.hot), ("idle.warm_s", idle.warm), ("idle.parked_s", idle.parked)];
    let wrong = steps.windows(2).find(|pair| pair[0].1 >= pair[1].1);
    wrong.map_or(Ok(()), |pair| Err(out_of_order(config, pair[0], pair[1])))
}

type Step = (&'static str, Duration);

/// Blames the one of two steps that was set last.
fn out_of_order(config: &Config, shorter: Step, longer: Step) -> ConfigError {
    let (shorter_at, longer_at) = (set_at(config, shorter.0), set_at(config, longer.0));
    let (culprit, wanted, other) =
        if shorter_at > longer_at { (shorter.0, "shorter", longer) } else { (longer.0, "longer", shorter) };
    let (name, time) = (other.0, other.1.as_secs());
    let message = format!("must be {wanted} than {name}, which is {time} ({})", origin(config, name));
    ConfigError { origin: origin(config, culprit), key: Some(culprit.to_owned()), message }
}

/// When a key was set for the last time, as an index of the settings; none for the default.
fn set_at(config: &Config, name: &str) -> Option<usize> {
    config.origins.iter().rposition(|(index, _)| KEYS[*index].name == name)
}

fn origin(config: &Config, name: &str) -> Origin {
    set_at(config, name).map_or(Origin::Default, |at| config.origins[at].1.clone())
}
