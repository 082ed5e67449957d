//! A simulator that drives the kernel with random workloads and checks every rule of the design after
//! every step.
//!
//! A run follows from a seed and a mix. When a rule does not hold, the run is cut down to the operations
//! that are needed for that, and the seed and the events are printed. `HEARTH_SIM_SEED` runs one seed
//! only, `HEARTH_SIM_STEPS` changes the steps of each test.

#[path = "simulation/advancing.rs"]
mod advancing;
#[path = "simulation/books.rs"]
mod books;
#[path = "simulation/comparing.rs"]
mod comparing;
#[path = "simulation/effects.rs"]
mod effects;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/rules.rs"]
mod rules;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/saving.rs"]
mod saving;
#[path = "simulation/script.rs"]
mod script;
#[path = "simulation/twin.rs"]
mod twin;
#[path = "simulation/world.rs"]
mod world;

use books::Seen;
use hearth_residency::{HEALTH_MOVES, Health, Policy, Reason, TIER_MOVES};
use saving::TALES;
use script::{Mix, SLOTS, Weights};
use std::time::Duration;

/// Steps of all tests together.
const STEPS: u64 = 15_000_000;

/// Operations of a run, before it calms down.
const LENGTH: usize = 6_000;

const USUAL: Weights = Weights {
    tick: 6,
    add: 3,
    touch: 14,
    hint: 4,
    claim: 8,
    settle: 9,
    consult: 4,
    end_save: 6,
    change: 10,
    advance: 8,
    grow: 4,
    end: 16,
    end_hung: 1,
    release: 10,
    memory: 6,
    press: 1,
    operate: 6,
    stale: 2,
};

fn policy() -> Policy {
    Policy {
        budget_bytes: 1 << 30,
        lanes: 3,
        idle_hot: Duration::from_secs(60),
        idle_warm: Duration::from_secs(240),
        idle_parked: Duration::from_secs(3600),
        deadline: Duration::from_secs(300),
        ..Policy::default()
    }
}

/// A share of the steps, in percent, of one mix.
fn simulate(mix: &Mix, percent: u64) {
    let steps = run::number("HEARTH_SIM_STEPS").unwrap_or(STEPS) * percent / 100;
    run::all(mix, steps, LENGTH);
}

fn a_third_fits() -> Mix {
    Mix {
        slots: SLOTS,
        policy: policy(),
        fitting: 17,
        weights: USUAL,
        failing: 5,
        hanging: 1,
        odd: 5,
        jumps: 2,
        restarts: 5,
    }
}

fn everything_fails() -> Mix {
    let policy = Policy { lanes: 2, save_interval: Some(Duration::from_secs(10)), ..policy() };
    let weights = Weights { end_hung: 3, grow: 8, ..USUAL };
    Mix { slots: 12, policy, fitting: 4, weights, failing: 50, hanging: 10, odd: 15, jumps: 1, restarts: 10 }
}

fn nobody_waits() -> Mix {
    let weights = Weights { claim: 0, settle: 0, operate: 0, hint: 12, touch: 30, change: 20, ..USUAL };
    let policy = Policy { lanes: 1, low_mark_percent: 70, save_interval: None, ..policy() };
    Mix { slots: 20, policy, fitting: 7, weights, failing: 2, hanging: 0, odd: 0, jumps: 1, restarts: 2 }
}

fn operators_and_pressure() -> Mix {
    let weights = Weights { operate: 40, press: 12, ..USUAL };
    Mix {
        slots: 25,
        policy: policy(),
        fitting: 10,
        weights,
        failing: 10,
        hanging: 3,
        odd: 5,
        jumps: 4,
        restarts: 5,
    }
}

fn two_shards() -> Mix {
    let weights = Weights { end_hung: 6, operate: 12, add: 6, ..USUAL };
    let policy = Policy { lanes: 1, save_interval: Some(Duration::from_secs(60)), ..policy() };
    Mix { slots: 2, policy, fitting: 2, weights, failing: 40, hanging: 20, odd: 10, jumps: 5, restarts: 20 }
}

#[test]
fn rules_hold_where_a_third_of_the_shards_fits() {
    simulate(&a_third_fits(), 30);
}

#[test]
fn rules_hold_where_four_fit_and_half_of_all_attempts_fail() {
    simulate(&everything_fails(), 20);
}

#[test]
fn rules_hold_for_hints_and_refreshes_that_nobody_waits_for() {
    simulate(&nobody_waits(), 20);
}

#[test]
fn rules_hold_under_operators_and_pressure() {
    simulate(&operators_and_pressure(), 20);
}

#[test]
fn rules_hold_for_two_shards_to_which_everything_happens() {
    simulate(&two_shards(), 10);
}

/// The workloads reach what they are to judge.
#[test]
fn every_move_of_the_tables_and_all_that_is_told_of_happens() {
    let mut seen = Seen::default();
    for mix in [a_third_fits(), everything_fails(), operators_and_pressure(), two_shards()] {
        for seed in 0..40 {
            let more = run::judge(&mix, seed, LENGTH).books.seen;
            seen.tiers.iter_mut().zip(more.tiers).for_each(|(seen, more)| *seen |= more);
            seen.healths.iter_mut().zip(more.healths).for_each(|(seen, more)| *seen |= more);
            seen.tales.extend(more.tales);
        }
    }
    let happened = |bits: u16, reason: Reason| bits & (1 << (reason as u16)) != 0;
    let mut missing: Vec<String> = TALES
        .iter()
        .chain(&advancing::TALES)
        .chain(&comparing::TALES)
        .filter(|tale| !seen.tales.contains(*tale))
        .map(ToString::to_string)
        .collect();
    for row in TIER_MOVES {
        for (from, reason) in
            row.from.iter().flat_map(|from| row.reasons.iter().map(move |reason| (*from, *reason)))
        {
            if !happened(seen.tiers[from as usize], reason) {
                missing.push(format!("{from:?} {reason:?}"));
            }
        }
    }
    for row in HEALTH_MOVES {
        for (from, reason) in
            row.from.iter().flat_map(|from| row.reasons.iter().map(move |reason| (*from, *reason)))
        {
            // What loads without a body neither rests nor gives memory back.
            let never = from == Health::Loading && matches!(reason, Reason::Idle | Reason::Pressure);
            if happened(seen.healths[from as usize], reason) == never {
                missing.push(format!("{from:?} {reason:?}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
