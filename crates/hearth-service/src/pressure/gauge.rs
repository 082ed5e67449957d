//! From readings to a level that does not flap.
//!
//! Signals, each of which may be absent:
//! - Time stalled on memory since the last look (PSI). The kernel's own average over ten seconds
//!   counts beside it, which sees further back than a short look, but only while stalls go on: it
//!   lingers after the trouble is over.
//! - Control groups held back at their limits since the last look. A group that is full of pages
//!   nobody needs is held back all the time at no cost to anybody, so that does not count.
//! - Without PSI, how little memory the machine has available.
//!
//! A level rises at once. It falls when the signals have been below half of what raised it for
//! [`CALM`]; in between it stays.

use super::MemoryWorld;
use super::cgroup::{Events, Lineage, reclaimable_percent};
use super::counters::{Machine, Psi, Stall};
use super::report::{self, Availability};
use std::sync::Arc;
use std::time::Duration;

/// Time in which at least one task stalled that is pressure, percent.
const SOME_STALLED: f64 = 10.0;
/// The same that is critical, percent.
const CRITICAL_STALLED: f64 = 50.0;
/// Time in which every task stalled that is critical, percent.
const CRITICAL_ALL_STALLED: f64 = 20.0;
/// Available memory below which a machine without PSI is under pressure, percent.
const SOME_AVAILABLE: f64 = 5.0;
/// The same that is critical, percent.
const CRITICAL_AVAILABLE: f64 = 2.0;
/// A group of which this much can be reclaimed at once is not short of memory, percent.
const MOSTLY_CACHE: u64 = 25;
/// A level stays until the signals are below this part of what raises it.
const EASE: f64 = 0.5;
/// For how long they must be.
const CALM: Duration = Duration::from_secs(2);
/// Looks closer together than this tell nothing new.
const SHORTEST_SPAN: Duration = Duration::from_millis(50);

/// How badly memory is needed elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Not at all, as far as can be seen.
    #[default]
    None,
    /// Somebody waits for memory now and then.
    Some,
    /// Work stands still for memory, or was killed for it.
    Critical,
}

impl Level {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Some => "some",
            Level::Critical => "critical",
        }
    }
}

/// Watches the memory pressure. It is asked now and then and remembers what it saw last.
pub(crate) struct Gauge {
    world: Arc<dyn MemoryWorld>,
    /// Control groups of the process when the gauge was made.
    lineage: Option<Lineage>,
    last: Option<Reading>,
    level: Level,
    calm_since: Option<Duration>,
}

/// What one look found.
struct Reading {
    at: Duration,
    psi: Option<Psi>,
    events: Vec<Option<Events>>,
}

/// What two looks tell together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Signs {
    /// Time in which at least one task stalled, percent.
    pub(super) some_stalled: f64,
    /// Time in which all did, percent.
    pub(super) all_stalled: f64,
    /// Available memory, percent; only without PSI.
    pub(super) available: Option<f64>,
    /// Whether a group was held back at a limit, and in earnest.
    pub(super) squeezed: bool,
    /// Whether a group ran out of memory.
    pub(super) out_of_memory: bool,
}

impl Gauge {
    /// A gauge that has seen nothing yet.
    pub(crate) fn new(world: Arc<dyn MemoryWorld>) -> Self {
        let lineage = Lineage::v2(&*world).ok();
        Self { world, lineage, last: None, level: Level::None, calm_since: None }
    }

    /// Looks, and says how things stand. `now` is the time since any fixed instant and never goes back.
    pub(crate) fn sample(&mut self, now: Duration) -> Level {
        if self.last.as_ref().is_some_and(|last| now.saturating_sub(last.at) < SHORTEST_SPAN) {
            return self.level;
        }
        let reading = self.look(now);
        let signs = self.signs(&reading);
        let before = self.last.replace(reading).map_or(now, |last| last.at);
        self.settle(before, now, &signs);
        self.level
    }

    /// What of the machine's signals and limits can be had, and what they say now.
    pub(crate) fn describe(&self) -> Vec<Availability> {
        report::describe(&*self.world)
    }

    fn look(&self, at: Duration) -> Reading {
        let events = self.lineage.as_ref().map(|lineage| lineage.events(&*self.world));
        Reading { at, psi: Psi::read(&*self.world).ok(), events: events.unwrap_or_default() }
    }

    fn signs(&self, reading: &Reading) -> Signs {
        let mut signs = Signs::default();
        match &reading.psi {
            Some(psi) => {
                let before = self.last.as_ref().and_then(|last| Some((reading.at - last.at, last.psi?)));
                signs.some_stalled = stalled(before.map(|(span, psi)| (span, psi.some)), psi.some);
                signs.all_stalled = stalled(before.map(|(span, psi)| (span, psi.full)), psi.full);
            }
            None => signs.available = available_percent(&*self.world),
        }
        let before = self.last.as_ref().map_or(&[][..], |last| &last.events);
        for (group, (before, now)) in before.iter().zip(&reading.events).enumerate() {
            let (Some(before), Some(now)) = (before, now) else { continue };
            signs.out_of_memory |= now.ends() > before.ends();
            signs.squeezed |= now.squeezes() > before.squeezes() && !self.is_mostly_cache(group);
        }
        signs
    }

    fn is_mostly_cache(&self, group: usize) -> bool {
        let group = self.lineage.as_ref().and_then(|lineage| lineage.groups.get(group));
        let percent = group.and_then(|group| reclaimable_percent(&*self.world, group));
        percent.is_some_and(|percent| percent >= MOSTLY_CACHE)
    }

    /// Moves the level by the signs of the time from `before` to `now`.
    fn settle(&mut self, before: Duration, now: Duration, signs: &Signs) {
        let (reached, kept) = (signs.level(1.0), signs.level(EASE));
        if reached > self.level {
            self.change(reached, signs);
        } else if kept >= self.level {
            self.calm_since = None;
        } else if now - *self.calm_since.get_or_insert(before) >= CALM {
            self.change(kept, signs);
        }
    }

    fn change(&mut self, level: Level, signs: &Signs) {
        let (from, to) = (self.level.as_str(), level.as_str());
        tracing::info!(from, to, ?signs, "memory pressure");
        self.level = level;
        self.calm_since = None;
    }
}

impl Signs {
    /// Level that these signs reach when every threshold is eased to a part of itself.
    pub(super) fn level(&self, ease: f64) -> Level {
        let scarce = |percent: f64| self.available.is_some_and(|available| available < percent / ease);
        let all_stalled = self.all_stalled >= CRITICAL_ALL_STALLED * ease;
        let critical = all_stalled || self.some_stalled >= CRITICAL_STALLED * ease;
        if critical || self.out_of_memory || scarce(CRITICAL_AVAILABLE) {
            Level::Critical
        } else if self.some_stalled >= SOME_STALLED * ease || self.squeezed || scarce(SOME_AVAILABLE) {
            Level::Some
        } else {
            Level::None
        }
    }
}

/// Share of time stalled, percent: since the earlier look, or the kernel's average while stalls go on.
fn stalled(before: Option<(Duration, Stall)>, now: Stall) -> f64 {
    let Some((span, before)) = before else { return now.avg10 };
    let growth_us = now.total_us.saturating_sub(before.total_us);
    if growth_us == 0 {
        return 0.0;
    }
    let share = Duration::from_micros(growth_us).as_secs_f64() / span.as_secs_f64();
    (share * 100.0).clamp(now.avg10, 100.0)
}

fn available_percent(world: &dyn MemoryWorld) -> Option<f64> {
    let machine = Machine::read(world).ok().filter(|machine| machine.total > 0)?;
    Some(machine.available as f64 * 100.0 / machine.total as f64)
}
