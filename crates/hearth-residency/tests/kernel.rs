//! The main rules of the kernel as short stories: these events, those effects.
//!
//! What holds in every story is the simulator's business; these say what is meant. The last one is not a test:
//! it prints what a step costs.

mod desk;

use desk::{A, B, C, Desk, MIB, cancels, moves, policy, starts};
use hearth_residency::{
    ChangeClass, ChangeSet, Command, Effect, Event, Failure, Health, Job, Measured, Outcome, OverBudget, Pin,
    Places, Policy, Pressure, Reason, Refusal, ShardId, Tier,
};
use std::time::Duration;

fn operator(command: Command) -> Event<&'static str> {
    Event::Operator { ticket: 7, command }
}

fn reply(effects: &desk::Effects) -> Result<(), Refusal> {
    let reply = effects.iter().find_map(|effect| match effect {
        Effect::Reply { ticket: 7, result } => Some(*result),
        _ => None,
    });
    reply.expect("a reply")
}

fn applied(path: &str, clock: u64) -> ChangeSet {
    let places = Places::Paths([Box::from(path.as_bytes())].into());
    ChangeSet { places, flags: 0, class: ChangeClass::Apply, clock }
}

fn over_budget(desk: &Desk, shard: ShardId) -> OverBudget {
    match desk.view(shard).last_failure {
        Some(Failure::OverBudget(over)) => over,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_shard_is_loaded_and_published() {
    let mut desk = Desk::new(policy());
    let effects = desk.add(A, 300);
    let Effect::Start { job, reserved_bytes, .. } = &effects[1] else { panic!("{effects:?}") };
    assert_eq!((job, *reserved_bytes), (&Job::Load, 300 * MIB));
    let effects = desk.build(starts(&effects)[0], 200);
    assert!(matches!(effects[0], Effect::Publish { shard: A, body: "body", generation: 1 }));
    assert_eq!(moves(&effects), [(A, Tier::Warm, Reason::Load)]);
    let totals = desk.kernel.totals();
    assert_eq!((totals.bodies_bytes, totals.digests_bytes, totals.reserved_bytes), (200 * MIB, MIB / 4, 0));
}

#[test]
fn twenty_five_claims_on_a_cold_shard_are_one_load() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    desk.send(operator(Command::Hibernate(A)));
    let mut effects = Vec::new();
    for _ in 0..25 {
        effects.extend(desk.send(Event::Claimed(A)));
    }
    assert_eq!(starts(&effects).len(), 1);
    for _ in 0..24 {
        desk.send(Event::Settled(A));
    }
    let effects = desk.build(starts(&effects)[0], 100);
    assert_eq!(moves(&effects), [(A, Tier::Warm, Reason::Promote)]);
    assert_eq!(desk.view(A).promotions_total, 1);
}

#[test]
fn twenty_claims_run_side_by_side_in_twice_the_lanes() {
    let mut desk = Desk::new(policy());
    let mut running = Vec::new();
    for id in 1..=20 {
        let effects = desk.add(ShardId(id), 10);
        let more = starts(&effects);
        running.extend(more);
    }
    assert_eq!(running.len(), 4, "background loads use the lanes");
    for id in 1..=20 {
        running.extend(starts(&desk.send(Event::Claimed(ShardId(id)))));
    }
    assert_eq!(running.len(), 8, "claims use as many again");
    let mut most = running.len();
    let mut ended = 0;
    while let Some(started) = running.pop() {
        let effects = desk.build(started, 10);
        running.extend(starts(&effects));
        (most, ended) = (most.max(running.len()), ended + 1);
    }
    assert_eq!((most, ended), (8, 20));
}

#[test]
fn room_is_made_from_the_least_recently_used_down_to_the_low_mark() {
    let mut desk = Desk::new(policy());
    for id in 1..=9 {
        desk.load(ShardId(id), 100);
    }
    desk.touch(ShardId(1));
    desk.add(ShardId(10), 150);
    assert_eq!(desk.tier(ShardId(2)), Tier::Warm, "a new shard takes nothing that was used");
    let effects = desk.send(Event::Claimed(ShardId(10)));
    // 900 held and 150 wanted: 1050 down to 800 takes three.
    let parked = [2, 3, 4].map(|id| (ShardId(id), Tier::Parked, Reason::Budget));
    assert_eq!(moves(&effects), parked);
    assert_eq!(starts(&effects), [], "their bodies are still held");
    let mut started = Vec::new();
    for id in 2..=4 {
        started.extend(starts(&desk.release(ShardId(id))));
    }
    assert_eq!(started.len(), 1);
    assert!(desk.kernel.totals().held_bytes <= 1000 * MIB);
}

#[test]
fn a_shard_larger_than_the_budget_is_refused_and_others_stay() {
    let mut desk = Desk::new(policy());
    desk.load(A, 300);
    desk.load(B, 400);
    let effects = desk.add(C, 1200);
    assert_eq!(moves(&effects), []);
    let over = over_budget(&desk, C);
    assert_eq!((over.needed_bytes, over.budget_bytes, over.pinned_bytes), (1200 * MIB, 1000 * MIB, 0));
    assert_eq!(over.largest, [(B, 400 * MIB), (A, 300 * MIB)]);
    assert_eq!(
        (desk.view(C).health, desk.view(C).retry_at),
        (Health::Failed, Some(desk.now + Duration::from_secs(30)))
    );
    assert_eq!([desk.tier(A), desk.tier(B)], [Tier::Warm, Tier::Warm]);
}

#[test]
fn where_everything_is_pinned_what_does_not_fit_is_refused() {
    let mut desk = Desk::new(policy());
    for shard in [A, B] {
        desk.load(shard, 450);
        desk.send(operator(Command::Pin(shard)));
    }
    desk.add(C, 200);
    desk.send(Event::Claimed(C));
    let over = over_budget(&desk, C);
    assert_eq!((over.needed_bytes, over.pinned_bytes), (200 * MIB, 900 * MIB + MIB / 2));
    assert_eq!([desk.tier(A), desk.tier(B)], [Tier::Hot, Tier::Hot]);
}

#[test]
fn a_claim_waits_for_memory_that_others_claim_and_then_is_refused() {
    let mut desk = Desk::new(policy());
    desk.load(A, 900);
    desk.send(Event::Claimed(A));
    desk.add(B, 500);
    assert_eq!(starts(&desk.send(Event::Claimed(B))), []);
    desk.wait(9);
    assert_eq!(desk.view(B).health, Health::Loading);
    desk.wait(1);
    assert_eq!((desk.view(B).health, over_budget(&desk, B).needed_bytes), (Health::Failed, 500 * MIB));
    assert_eq!(desk.tier(A), Tier::Warm);
    // Memory may be there by now: the next claim tries at once.
    desk.send(Event::Settled(A));
    desk.send(Event::Claimed(B));
    assert_eq!(starts(&desk.release(A)).len(), 1);
}

#[test]
fn a_refused_rebuild_goes_on_serving_and_is_repeated() {
    let mut desk = Desk::new(policy());
    desk.load(A, 600);
    let effects = desk.send(Event::Changed { shard: A, changes: ChangeSet::rebuild(5) });
    assert_eq!((starts(&effects), desk.view(A).health), (vec![], Health::Rebuilding));
    desk.wait(10);
    let view = desk.view(A);
    assert_eq!((view.tier, view.health, view.generation), (Tier::Warm, Health::Failed, 1));
    assert!(matches!(view.last_failure, Some(Failure::OverBudget(_))));
    assert_eq!(view.retry_at, Some(desk.now + Duration::from_secs(30)));
    desk.wait(30);
    assert_eq!(desk.view(A).health, Health::Rebuilding);
}

#[test]
fn failures_wait_longer_each_time_until_one_succeeds() {
    let mut desk = Desk::new(policy());
    let mut started = starts(&desk.add(A, 10))[0];
    for wait in [30, 60, 120, 300, 600, 600] {
        desk.fail(started);
        assert_eq!(starts(&desk.wait(wait - 1)), []);
        started = starts(&desk.wait(1))[0];
    }
    desk.build(started, 10);
    let view = desk.view(A);
    assert_eq!((view.health, view.failures, view.last_failure), (Health::Fresh, 0, None));
}

#[test]
fn a_pin_survives_refreshes_and_expires() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(reply(&desk.send(operator(Command::Preload { shard: A, pin: hour }))), Ok(()));
    let until = Pin::Until(desk.now + Duration::from_secs(3600));
    for clock in 1..4 {
        let effects = desk.send(Event::Changed { shard: A, changes: ChangeSet::rebuild(clock) });
        desk.build(starts(&effects)[0], 110);
        desk.release(A);
        assert_eq!((desk.tier(A), desk.view(A).pin), (Tier::Hot, until));
    }
    for level in [Pressure::Some, Pressure::Critical] {
        assert_eq!(moves(&desk.send(Event::Pressure(level))), []);
    }
    assert_eq!(moves(&desk.wait(3599)), []);
    assert_eq!(moves(&desk.wait(1)), [(A, Tier::Warm, Reason::PinExpired)]);
    assert_eq!(moves(&desk.wait(1799)), [], "idleness begins when the pin ends");
    assert_eq!(moves(&desk.wait(10)), [(A, Tier::Parked, Reason::Idle)]);
}

#[test]
fn a_hint_takes_memory_only_from_what_was_not_used_since() {
    let mut desk = Desk::new(policy());
    desk.load(A, 400);
    desk.load(B, 450);
    desk.load(C, 100);
    desk.send(operator(Command::Hibernate(C)));
    desk.release(C);
    desk.send(operator(Command::Hibernate(B)));
    desk.release(B);
    desk.touch(A);
    desk.load(ShardId(4), 400);
    // 800 are held. The hint may take A, which was used before it.
    let effects = desk.send(Event::Hinted(vec![B]));
    assert_eq!(moves(&effects), [(A, Tier::Parked, Reason::Budget)]);
    desk.send(Event::Released { shard: A, generation: 1 });
    assert_eq!(desk.view(B).reserved_bytes, 450 * MIB + MIB / 4);
    // What is used after a hint stays, and the hint is given up.
    desk.send(Event::Hinted(vec![A]));
    desk.touch(ShardId(4));
    let effects = desk.wait(10);
    assert_eq!((moves(&effects), desk.view(A).health), (vec![], Health::Empty));
}

#[test]
fn a_walk_over_ten_shards_with_room_for_four_evicts_none_that_is_claimed() {
    let mut desk = Desk::new(policy());
    for id in 1..=10 {
        desk.load(ShardId(id), 240);
        desk.send(operator(Command::Hibernate(ShardId(id))));
        desk.release(ShardId(id));
    }
    let (mut claimed, mut read, mut next) = (Vec::new(), 0, 1);
    while read < 10 {
        // Four at a time; the oldest is read and let go.
        let mut effects = Vec::new();
        while claimed.len() < 4 && next <= 10 {
            effects.extend(desk.send(Event::Claimed(ShardId(next))));
            claimed.push(ShardId(next));
            next += 1;
        }
        for (parked, _, reason) in moves(&effects) {
            assert!(!claimed.contains(&parked), "{parked:?} for {reason:?}");
            effects.extend(desk.release(parked));
        }
        for started in starts(&effects) {
            desk.build(started, 240);
        }
        assert!(claimed.iter().all(|shard| desk.tier(*shard) == Tier::Warm));
        assert!(desk.kernel.totals().held_bytes <= 1000 * MIB);
        desk.send(Event::Settled(claimed.remove(0)));
        read += 1;
    }
}

#[test]
fn an_attempt_that_outgrows_what_can_be_given_is_stopped() {
    let mut desk = Desk::new(policy());
    desk.load(A, 300);
    desk.send(operator(Command::Pin(A)));
    let effects = desk.add(B, 200);
    let (_, attempt) = starts(&effects)[0];
    let grew = |mib| Event::Grew { shard: B, attempt, needed_bytes: mib * MIB };
    assert_eq!(cancels(&desk.send(grew(600))), []);
    assert_eq!(desk.view(B).reserved_bytes, 600 * MIB);
    assert_eq!(cancels(&desk.send(grew(800))), [(B, attempt)]);
    assert_eq!(over_budget(&desk, B).needed_bytes, 800 * MIB);
    assert_eq!(desk.view(B).reserved_bytes, 600 * MIB, "it counts until it ends");
    desk.build((B, attempt), 100);
    let totals = desk.kernel.totals();
    assert_eq!((desk.tier(B), totals.reserved_bytes, totals.attempts), (Tier::Cold, 0, 0));
}

#[test]
fn an_attempt_that_takes_more_than_it_said_makes_others_give_way_and_then_stops() {
    let mut desk = Desk::new(policy());
    desk.load(A, 300);
    let effects = desk.add(B, 100);
    let effects_of = desk.send(Event::MemoryHeld(1100 * MIB));
    assert_eq!(moves(&effects_of), [(A, Tier::Parked, Reason::Budget)]);
    desk.release(A);
    desk.now += Duration::from_secs(2);
    assert_eq!(cancels(&desk.send(Event::MemoryHeld(1100 * MIB))), starts(&effects));
    assert!(matches!(desk.view(B).last_failure, Some(Failure::OverBudget(_))));
}

#[test]
fn an_attempt_that_hangs_fails_frees_its_lane_and_is_ignored_when_it_ends() {
    let mut desk = Desk::new(Policy { lanes: 1, ..policy() });
    let hung = starts(&desk.add(A, 100))[0];
    assert_eq!(starts(&desk.add(B, 100)), []);
    let effects = desk.wait(3600);
    assert_eq!((cancels(&effects), starts(&effects)[0].0), (vec![hung], B));
    assert_eq!(desk.view(A).last_failure, Some(Failure::TimedOut(Duration::from_secs(3600))));
    assert_eq!(desk.view(A).reserved_bytes, 100 * MIB, "its memory is not free");
    let effects = desk.wait(30);
    assert_eq!(
        (starts(&effects), desk.view(A).health),
        (vec![], Health::Failed),
        "another one would hang too"
    );
    let effects = desk.build(hung, 100);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Publish { .. })));
    assert_eq!((desk.tier(A), desk.view(A).reserved_bytes), (Tier::Cold, 0));
}

#[test]
fn a_panic_fails_its_shard_and_no_other() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let effects = desk.send(operator(Command::Refresh(A)));
    let (shard, attempt) = starts(&effects)[0];
    let outcome = Outcome::Failed("panicked: index out of bounds".to_owned());
    desk.send(Event::Ended { shard, attempt, outcome });
    let view = desk.view(A);
    assert_eq!((view.tier, view.health, view.generation), (Tier::Warm, Health::Failed, 1));
    assert_eq!(view.last_failure, Some(Failure::Build("panicked: index out of bounds".to_owned())));
    desk.load(B, 100);
    assert_eq!(desk.view(B).health, Health::Fresh);
}

#[test]
fn each_poll_under_pressure_parks_one_and_more_when_it_is_critical() {
    let mut desk = Desk::new(policy());
    for id in 1..=7 {
        desk.load(ShardId(id), 10);
    }
    desk.send(Event::Claimed(ShardId(2)));
    let parked = |ids: &[u64]| -> Vec<_> {
        ids.iter().map(|id| (ShardId(*id), Tier::Parked, Reason::Pressure)).collect()
    };
    assert_eq!(moves(&desk.send(Event::Pressure(Pressure::Some))), parked(&[1]));
    assert_eq!(moves(&desk.send(Event::Pressure(Pressure::Some))), parked(&[3]));
    assert_eq!(moves(&desk.send(Event::Pressure(Pressure::None))), []);
    assert_eq!(moves(&desk.send(Event::Pressure(Pressure::Critical))), parked(&[4, 5, 6, 7]));
    assert_eq!(moves(&desk.send(Event::Pressure(Pressure::Critical))), [], "who is claimed stays");
    assert_eq!(starts(&desk.send(Event::Hinted(vec![A]))), [], "nothing loads by itself");
    assert_eq!(starts(&desk.send(Event::Claimed(A))).len(), 1, "who is asked for does");
}

#[test]
fn a_parked_shard_keeps_its_digest_and_knows_that_it_is_behind() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let effects = desk.wait(1800 + 1800);
    assert_eq!(moves(&effects), [(A, Tier::Parked, Reason::Idle)]);
    assert!(effects.contains(&Effect::Park(A)));
    assert_eq!(
        (desk.view(A).body_bytes, desk.view(A).digest_bytes, desk.view(A).behind),
        (0, MIB / 4, false)
    );
    let effects = desk.send(Event::Changed { shard: A, changes: applied("a", 3) });
    assert_eq!((starts(&effects), desk.view(A).behind), (vec![], true));
    desk.touch(A);
    assert_eq!(moves(&desk.wait(86_399)), [], "a question that the digest answers is a use");
    let effects = desk.wait(86_400);
    assert_eq!(moves(&effects), [(A, Tier::Cold, Reason::Idle)]);
    assert!(effects.contains(&Effect::Drop(A)) && !desk.view(A).behind);
}

#[test]
fn hibernate_and_forget_are_refused_where_they_would_do_harm() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let forget = |shard, force| operator(Command::Forget { shard, force });
    assert_eq!(reply(&desk.send(operator(Command::Hibernate(C)))), Err(Refusal::Unknown));
    assert_eq!(reply(&desk.send(forget(A, false))), Err(Refusal::InMemory(Tier::Warm)));
    desk.send(operator(Command::Pin(A)));
    assert_eq!(reply(&desk.send(operator(Command::Hibernate(A)))), Err(Refusal::Pinned));
    desk.send(operator(Command::HibernateAll));
    assert_eq!(desk.tier(A), Tier::Hot);
    desk.send(operator(Command::Unpin(A)));
    assert_eq!(moves(&desk.send(operator(Command::Hibernate(A)))), [(A, Tier::Cold, Reason::Hibernate)]);
    let effects = desk.send(forget(A, false));
    assert_eq!((reply(&effects), effects.contains(&Effect::Forget(A))), (Ok(()), true));
    assert_eq!((desk.kernel.view(A), desk.kernel.totals().retained_bytes), (None, 100 * MIB));
    assert_eq!(reply(&desk.send(operator(Command::Refresh(A)))), Err(Refusal::Unknown));
}

#[test]
fn the_attempt_of_a_forgotten_shard_counts_until_it_ends() {
    let mut desk = Desk::new(Policy { lanes: 1, ..policy() });
    let started = starts(&desk.add(A, 300))[0];
    desk.add(B, 100);
    let effects = desk.send(operator(Command::Forget { shard: A, force: true }));
    assert_eq!((cancels(&effects), starts(&effects)), (vec![started], vec![]));
    assert_eq!(desk.kernel.totals().reserved_bytes, 300 * MIB);
    let effects = desk.build(started, 300);
    assert_eq!((starts(&effects)[0].0, desk.kernel.totals().bodies_bytes), (B, 0));
}

#[test]
fn a_body_that_is_held_long_after_it_was_replaced_is_logged_once() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let effects = desk.send(operator(Command::Refresh(A)));
    desk.build(starts(&effects)[0], 120);
    assert_eq!((desk.view(A).retained_bytes, desk.kernel.totals().retained_bytes), (100 * MIB, 100 * MIB));
    let due = desk.kernel.next_due();
    assert_eq!(due, Some(desk.now + Duration::from_secs(5)));
    let overdue = Effect::Overdue { shard: A, generation: 1, bytes: 100 * MIB };
    assert!(!desk.wait(4).contains(&overdue));
    assert!(desk.wait(1).contains(&overdue));
    assert!(!desk.wait(60).contains(&overdue));
    assert_eq!(desk.kernel.totals().retained_bytes, 100 * MIB);
    desk.send(Event::Released { shard: A, generation: 1 });
    assert_eq!((desk.kernel.totals().retained_bytes, desk.view(A).retained_bytes), (0, 0));
}

#[test]
fn a_shard_that_is_asked_often_stays_longer() {
    let mut desk = Desk::new(policy());
    desk.load(A, 10);
    desk.load(B, 10);
    for _ in 0..60 {
        desk.now += Duration::from_secs(10);
        desk.send(Event::Touched { shard: A, queries: 50 });
    }
    desk.send(Event::Touched { shard: B, queries: 0 });
    // Asked now and then: half an hour, and a little for the one query. Asked often: four times as long.
    let effects = desk.wait(1800 + 200);
    assert_eq!(moves(&effects), [(B, Tier::Parked, Reason::Idle)]);
    assert_eq!(moves(&desk.wait(1800 * 4 - 2000 - 1)), []);
    assert_eq!(moves(&desk.wait(1)), [(A, Tier::Parked, Reason::Idle)]);
}

#[test]
fn changes_during_a_build_become_one_set_for_the_next() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let first = starts(&desk.send(Event::Changed { shard: A, changes: applied("a", 1) }))[0];
    for (path, clock) in [("b", 2), ("c", 4), ("b", 3)] {
        assert_eq!(starts(&desk.send(Event::Changed { shard: A, changes: applied(path, clock) })), []);
    }
    let changes = ChangeSet { class: ChangeClass::Reconcile, ..applied("d", 2) };
    desk.send(Event::Changed { shard: A, changes });
    let effects = desk.build(first, 100);
    let job = effects.iter().find_map(|effect| match effect {
        Effect::Start { job, .. } => Some(job.clone()),
        _ => None,
    });
    let places = Places::Paths(["b", "c", "d"].map(|path| Box::from(path.as_bytes())).into());
    let expected = ChangeSet { places, flags: 0, class: ChangeClass::Reconcile, clock: 4 };
    assert_eq!(job, Some(Job::Refresh(expected)));
    assert_eq!(desk.view(A).health, Health::Rebuilding);
}

#[test]
fn what_a_failed_build_had_taken_on_is_done_by_the_next() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let first = starts(&desk.send(Event::Changed { shard: A, changes: applied("a", 1) }))[0];
    desk.fail(first);
    let effects = desk.wait(30);
    let Effect::Start { job, .. } =
        effects.iter().find(|effect| matches!(effect, Effect::Start { .. })).expect("a start")
    else {
        unreachable!()
    };
    assert_eq!(*job, Job::Refresh(applied("a", 1)));
}

#[test]
fn a_body_that_turns_out_too_large_is_not_published() {
    let mut desk = Desk::new(policy());
    desk.load(A, 700);
    desk.send(operator(Command::Pin(A)));
    let started = starts(&desk.add(B, 100))[0];
    let effects = desk.build(started, 500);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Publish { .. })));
    assert_eq!((desk.tier(B), over_budget(&desk, B).needed_bytes), (Tier::Cold, 500 * MIB + MIB / 4));
    // It is known now what it takes.
    desk.wait(30);
    assert_eq!((desk.view(B).failures, desk.view(B).reserved_bytes), (2, 0));
}

/// Prints the time of a step with 1000 shards of which half fit:
/// `cargo test --release -p hearth-residency --test kernel -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing"]
#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn time_of_a_step_with_a_thousand_shards() {
    const SHARDS: usize = 1000;
    let id = |number: usize| ShardId((number * 7919 % SHARDS) as u64);
    let mut desk = Desk::new(Policy { budget_bytes: 700 * MIB, lanes: 8, ..policy() });
    let mut events: Vec<Event<_>> = (0..SHARDS)
        .map(|number| Event::Add { shard: id(number), forecast_bytes: MIB, stored: None })
        .collect();
    let (mut steps, mut spent, mut slowest, mut number) = (0u32, Duration::ZERO, Duration::ZERO, 0);
    while steps < 500_000 {
        let event = events.pop().unwrap_or_else(|| {
            number += 1;
            match number % 8 {
                0 => Event::Claimed(id(number)),
                1 => Event::Settled(id(number - 1)),
                2 => Event::Changed { shard: id(number), changes: applied("a", number as u64) },
                3 => Event::MemoryHeld(desk.kernel.totals().held_bytes),
                4 => Event::Tick,
                _ => Event::Touched { shard: id(number), queries: 1 },
            }
        });
        let began = std::time::Instant::now();
        let effects = desk.send(event);
        let took = began.elapsed();
        (steps, spent, slowest) = (steps + 1, spent + took, slowest.max(took));
        for (shard, attempt) in starts(&effects).into_iter().chain(cancels(&effects)) {
            let measured = Measured { body_bytes: MIB, digest_bytes: MIB / 64, peak_bytes: MIB };
            let outcome = Outcome::Built { body: "body", measured, behind: false };
            events.push(Event::Ended { shard, attempt, outcome });
        }
        for effect in &effects {
            // Nobody goes on reading what is replaced or given up.
            let (shard, generation) = match effect {
                Effect::Publish { shard, generation, .. } => (*shard, generation - 1),
                Effect::Park(shard) => (*shard, desk.view(*shard).generation),
                _ => continue,
            };
            events.push(Event::Released { shard, generation });
        }
        desk.now += Duration::from_millis(3);
    }
    let totals = desk.kernel.totals();
    println!("{} ns a step, {slowest:?} at most; {totals:?}", spent.as_nanos() / u128::from(steps));
}
