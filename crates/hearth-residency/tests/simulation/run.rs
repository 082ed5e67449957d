//! Runs of seeds, and what is left of a run that breaks a rule when all is cut that is not needed.
//!
//! A run ends with a calm: nothing fails or happens any more, and everything has to become fresh and saved. A panic of
//! the kernel breaks a rule like any other.

use crate::script::{Mix, Op};
use crate::world::World;
use hearth_residency::{Event, Failure, Health};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Most runs that are spent on cutting, unless `HEARTH_SIM_CUTS` says so.
const CUTS: u64 = 1_500;

/// Steps within which everything must be fresh once nothing fails any more.
const CALM: u64 = 20_000;

thread_local! {
    /// Panics of the kernel are caught and judged, so they are not to be printed.
    static JUDGED: Cell<bool> = const { Cell::new(false) };
}

/// A number that the environment gives.
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Runs seeds of a mix until so many steps are done.
pub(crate) fn all(mix: &Mix, steps: u64, length: usize) {
    if let Some(seed) = number("HEARTH_SIM_SEED") {
        judge(mix, seed, length);
        return;
    }
    let mut done = 0;
    for seed in 0.. {
        done += judge(mix, seed, length).steps;
        if done >= steps {
            return;
        }
    }
}

/// Runs one seed; the world after it, or a panic with the shortest list of events that breaks the same rule.
pub(crate) fn judge(mix: &Mix, seed: u64, length: usize) -> World {
    hush_judged_panics();
    let mut ops = mix.script(seed, length);
    let Broken { ops: needed, rule } = match run(mix, &ops, false) {
        Ok(world) => return world,
        Err(broken) => broken,
    };
    ops.truncate(needed);
    cut(mix, &mut ops, name(&rule));
    let again = run(mix, &ops, true).err().map_or_else(|| rule.clone(), |broken| broken.rule);
    panic!("seed {seed}, {} operations.\n{rule}\n\nCut down to {}:\n{again}", needed, ops.len());
}

struct Broken {
    /// Operations up to which it goes well.
    ops: usize,
    rule: String,
}

/// The rule that a message is about.
fn name(message: &str) -> &str {
    message.split(':').next().unwrap_or(message)
}

fn run(mix: &Mix, ops: &[Op], log: bool) -> Result<World, Broken> {
    let mut world = World::new(mix);
    world.log = log.then(Vec::new);
    let mut done = 0;
    JUDGED.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| {
        for op in ops {
            done += 1;
            world.perform(op)?;
        }
        world.books.audit(&world.kernel)?;
        calm(&mut world)
    }));
    JUDGED.set(false);
    let mut rule = match result {
        Ok(Ok(())) => return Ok(world),
        Ok(Err(rule)) => rule,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            format!("panic: {}", text.unwrap_or_default())
        }
    };
    if let Some(log) = world.log {
        let from = log.len().saturating_sub(120);
        rule = format!("{rule}\n{}", log[from..].join("\n"));
    }
    Err(Broken { ops: done, rule })
}

/// With no failures and no new events everything becomes fresh and saved, in a bounded number of steps.
fn calm(world: &mut World) -> Result<(), String> {
    world.calm_down()?;
    let end = world.steps + CALM;
    while world.steps < end {
        world.release_all()?;
        let held = world.books.really_held();
        world.perform_now(Event::MemoryHeld(held))?;
        if let Some(event) = world.end_well().or_else(|| world.end_save_well()) {
            world.perform_now(event)?;
        } else if is_calm(world) {
            return Ok(());
        } else if !world.skip_to_due()? {
            break;
        }
    }
    let twins = world.books.twins.iter().flatten();
    let states: Vec<_> = twins.map(|twin| (twin.id, twin.tier, twin.health, &twin.shown)).collect();
    let totals = world.kernel.totals();
    Err(format!("everything becomes fresh and saved: {totals:?} {states:?}"))
}

/// Nothing is in flight or waits, and every body is fresh and saved, except those that cannot be renewed in this budget.
fn is_calm(world: &World) -> bool {
    let (totals, books) = (world.kernel.totals(), &world.books);
    let room = books.policy.budget_bytes.saturating_sub(books.sums.own);
    let too_large =
        |failure: &Failure| matches!(failure, Failure::OverBudget(over) if over.needed_bytes > room);
    let saves = books.policy.save_interval.is_some();
    let saved = books.twins.iter().flatten().all(|twin| twin.unsaved_since.is_none() || !saves);
    totals.queued == 0
        && totals.attempts == 0
        && saved
        && books.twins.iter().flatten().filter_map(|twin| twin.shown.as_ref()).all(|view| match view.health {
            Health::Fresh | Health::Empty => true,
            Health::Failed => view.last_failure.as_ref().is_some_and(too_large),
            Health::Loading | Health::Rebuilding => false,
        })
}

/// Leaves out operations, in ever smaller pieces, as long as the same rule is broken.
fn cut(mix: &Mix, ops: &mut Vec<Op>, rule: &str) {
    let (mut runs, most) = (0, number("HEARTH_SIM_CUTS").unwrap_or(CUTS));
    let mut piece = ops.len().div_ceil(2);
    while piece > 0 && runs < most {
        let mut at = 0;
        let mut shorter = false;
        while at < ops.len() && runs < most {
            let mut rest = ops[..at].to_vec();
            rest.extend_from_slice(&ops[(at + piece).min(ops.len())..]);
            runs += 1;
            match run(mix, &rest, false) {
                Err(broken) if name(&broken.rule) == rule => {
                    rest.truncate(broken.ops.max(1));
                    (*ops, shorter) = (rest, true);
                }
                _ => at += piece,
            }
        }
        if !shorter || piece > 1 {
            piece /= 2;
        }
    }
}

fn hush_judged_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !JUDGED.get() {
                usual(info);
            }
        }));
    });
}
