//! What once went wrong, each as the shortest story that shows it.
//!
//! Most were found by the simulator, which would find them again; here they have names.

mod desk;

use desk::{A, B, C, Desk, MIB, cancels, moves, policy, starts};
use hearth_residency::{
    ChangeSet, Command, Event, Failure, Health, Outcome, Policy, Pressure, Reason, ShardId, Tier,
};
use std::time::Duration;

fn operator(command: Command) -> Event<&'static str> {
    Event::Operator { ticket: 7, command }
}

/// A is in memory and claimed, so that B, which failed once, finds no room when it is repeated.
fn crowded(desk: &mut Desk) {
    desk.load(A, 900);
    desk.send(Event::Claimed(A));
}

#[test]
fn a_claimed_shard_whose_repetition_finds_no_memory_fails_and_is_not_given_up_in_silence() {
    let mut desk = Desk::new(policy());
    let started = starts(&desk.add(B, 500))[0];
    desk.send(Event::Claimed(B));
    desk.fail(started);
    crowded(&mut desk);
    desk.wait(30);
    assert_eq!(desk.view(B).health, Health::Loading);
    desk.wait(10);
    let view = desk.view(B);
    assert_eq!(view.health, Health::Failed);
    assert!(view.retry_at.is_some() && matches!(view.last_failure, Some(Failure::OverBudget(_))));
}

#[test]
fn a_pinned_shard_whose_repetition_finds_no_memory_is_repeated_again() {
    let mut desk = Desk::new(policy());
    let started = starts(&desk.add(B, 500))[0];
    desk.send(operator(Command::Pin(B)));
    desk.fail(started);
    crowded(&mut desk);
    desk.wait(30);
    desk.wait(10);
    assert_eq!(desk.view(B).health, Health::Failed);
    desk.send(Event::Settled(A));
    let effects = desk.wait(60);
    assert_eq!(moves(&effects), [(A, Tier::Parked, Reason::Budget)], "as an operator's wish it may displace");
    assert_eq!(starts(&desk.release(A))[0].0, B);
}

#[test]
fn forgotten_attempts_that_hang_do_not_keep_their_lanes() {
    let mut desk = Desk::new(Policy { lanes: 2, ..policy() });
    let mut hung = starts(&desk.add(A, 10));
    hung.extend(starts(&desk.add(B, 10)));
    desk.add(C, 10);
    // One hangs already when it is forgotten, the other does not notice that it is to stop.
    desk.send(operator(Command::Forget { shard: A, force: true }));
    assert_eq!(desk.kernel.next_due(), Some(desk.now + Duration::from_secs(3600)));
    assert_eq!(starts(&desk.wait(3600))[0].0, C);
    desk.send(operator(Command::Forget { shard: B, force: true }));
    assert_eq!(starts(&desk.add(ShardId(4), 10)).len(), 1);
    assert_eq!(desk.kernel.totals().reserved_bytes, 40 * MIB, "their memory is not free");
    for attempt in hung {
        desk.build(attempt, 10);
    }
    assert_eq!((desk.kernel.totals().reserved_bytes, desk.kernel.totals().attempts), (20 * MIB, 2));
    assert_eq!(starts(&desk.add(ShardId(5), 10)), [], "a lane is given back once");
}

#[test]
fn an_attempt_that_does_not_notice_that_it_is_to_stop_frees_its_lane_and_its_shard_fails() {
    let mut desk = Desk::new(Policy { lanes: 1, ..policy() });
    let hung = starts(&desk.add(A, 10))[0];
    desk.wait(3000);
    desk.send(operator(Command::Hibernate(A)));
    desk.send(Event::Claimed(A));
    desk.add(B, 10);
    let effects = desk.wait(600);
    assert_eq!((cancels(&effects), starts(&effects)[0].0), (vec![], B));
    let timed_out = Some(Failure::TimedOut(Duration::from_secs(3600)));
    assert_eq!((desk.view(A).health, desk.view(A).last_failure), (Health::Failed, timed_out));
    desk.build(hung, 10);
    assert_eq!(desk.tier(A), Tier::Cold);
}

#[test]
fn nothing_is_logged_of_the_bodies_of_a_forgotten_shard() {
    let mut desk = Desk::new(policy());
    desk.load(A, 10);
    desk.send(operator(Command::Forget { shard: A, force: true }));
    assert_eq!(desk.wait(5), []);
    assert_eq!(desk.kernel.totals().retained_bytes, 10 * MIB);
}

#[test]
fn a_stream_of_changes_does_not_undo_the_back_off() {
    let mut desk = Desk::new(policy());
    desk.load(A, 10);
    desk.send(operator(Command::Pin(A)));
    let mut started = starts(&desk.send(Event::Changed { shard: A, changes: ChangeSet::rebuild(1) }));
    let mut attempts = 0;
    // A change each second for an hour, and every attempt fails.
    for clock in 2..3602 {
        if let Some(started) = started.pop() {
            attempts += 1;
            desk.fail(started);
        }
        desk.now += Duration::from_secs(1);
        started.extend(starts(&desk.send(Event::Changed { shard: A, changes: ChangeSet::rebuild(clock) })));
    }
    // Waits of 60, 300 and then 600 s; after each the attempt that is due and one that changes hurry.
    assert_eq!(attempts, 2 + 2 * 7);
}

#[test]
fn bodies_that_are_not_gone_after_a_second_make_others_give_way() {
    let mut desk = Desk::new(policy());
    desk.load(A, 500);
    desk.load(B, 400);
    let effects = desk.add(C, 300);
    assert_eq!(starts(&effects), []);
    let effects = desk.send(Event::Claimed(C));
    assert_eq!(moves(&effects), [(A, Tier::Parked, Reason::Budget)]);
    // A query goes on with the body of A.
    desk.send(Event::Tick);
    assert_eq!(desk.kernel.next_due(), Some(desk.now + Duration::from_secs(1)));
    let effects = desk.wait(1);
    assert_eq!(moves(&effects), [(B, Tier::Parked, Reason::Budget)]);
    assert_eq!(starts(&desk.release(B)).len(), 1);
}

#[test]
fn what_an_attempt_grows_to_is_in_the_high_water_mark() {
    let mut desk = Desk::new(policy());
    let (shard, attempt) = starts(&desk.add(A, 100))[0];
    desk.send(Event::Grew { shard, attempt, needed_bytes: 700 * MIB });
    desk.send(Event::Ended { shard, attempt, outcome: Outcome::Cancelled });
    assert_eq!(desk.kernel.totals().high_water_bytes, 700 * MIB);
}

#[test]
fn times_that_never_come_do_not_overflow() {
    let never = Duration::MAX;
    let limits = Policy { idle_hot: never, idle_warm: never, idle_parked: never, ..policy() };
    let mut desk = Desk::new(Policy { deadline: never, admission_wait: never, ..limits });
    desk.load(A, 700);
    desk.add(B, 700);
    desk.send(operator(Command::Preload { shard: A, pin: Some(never) }));
    desk.send(Event::Claimed(B));
    assert_eq!(moves(&desk.wait(1 << 40)), []);
}

#[test]
fn a_claim_makes_a_load_that_runs_as_urgent_as_itself() {
    let mut desk = Desk::new(policy());
    desk.load(A, 500);
    let started = starts(&desk.add(B, 100))[0];
    // It turns out larger than was said, and A was used by queries, B by none, until one claims it.
    desk.send(Event::Claimed(B));
    desk.touch(A);
    let effects = desk.build(started, 600);
    assert_eq!(moves(&effects), [(A, Tier::Parked, Reason::Budget), (B, Tier::Warm, Reason::Promote)]);
}

#[test]
fn a_shard_that_nobody_asked_for_falls_before_its_failure_is_repeated() {
    let mut desk = Desk::new(policy());
    desk.load(A, 10);
    desk.wait(2000);
    assert_eq!(desk.tier(A), Tier::Parked);
    desk.now += Duration::from_secs(86_300);
    let started = starts(&desk.send(Event::Hinted(vec![A])))[0];
    desk.now += Duration::from_secs(86_400);
    desk.fail(started);
    let effects = desk.wait(30);
    assert_eq!(moves(&effects), [(A, Tier::Cold, Reason::Idle)]);
    assert_eq!((starts(&effects), desk.kernel.next_due()), (vec![], None));
}

#[test]
fn an_operators_refresh_is_heard_while_a_stopped_attempt_has_not_ended() {
    let mut desk = Desk::new(policy());
    desk.load(A, 10);
    desk.send(operator(Command::Pin(A)));
    let change = |clock| Event::Changed { shard: A, changes: ChangeSet::rebuild(clock) };
    let started = starts(&desk.send(change(1)))[0];
    desk.fail(started);
    let hurried = starts(&desk.send(change(2)));
    // It is stopped for want of memory, and changes have had their turn.
    assert_eq!(cancels(&desk.send(Event::MemoryHeld(1200 * MIB))), hurried);
    desk.send(change(3));
    assert_eq!(desk.view(A).health, Health::Failed);
    desk.send(operator(Command::Refresh(A)));
    assert_eq!(desk.view(A).health, Health::Rebuilding);
}

#[test]
fn who_waits_for_a_digest_that_is_not_saved_after_all_waits_no_more() {
    let mut desk = Desk::new(Policy { save_interval: Some(Duration::from_secs(300)), ..policy() });
    desk.load(A, 100);
    desk.send(operator(Command::Hibernate(A)));
    desk.release(A);
    desk.load(B, 950);
    desk.send(Event::Claimed(B));
    desk.send(Event::Pressure(Pressure::Some));
    desk.send(Event::Hinted(vec![A]));
    desk.wait(10);
    assert!(desk.view(A).digesting, "in place of a load, and it is being saved");
    desk.send(Event::SaveEnded {
        shard: A,
        generation: 1,
        result: Err("no space left on device".to_owned()),
    });
    assert_eq!((desk.view(A).digesting, desk.kernel.totals().queued), (false, 0));
}
