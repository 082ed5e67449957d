//! Advances as short stories: bodies that a live feed moves on by small steps.
//!
//! An advance here shares all but a little of the body before, as in life; what it is refused for is told one by one.

mod desk;

use desk::{A, B, C, Desk, Effects, MIB, cancels, moves, policy, starts};
use hearth_residency::{
    Advance, ChangeClass, ChangeSet, Command, Effect, Event, Failure, Generation, Health, Job, Measured,
    Moment, Outcome, Places, Policy, Reason, ShardId, Step, Stored, Tier,
};
use std::time::Duration;

const STORED: Stored = Stored { generation: 7, working_bytes: 40 * MIB, digest_bytes: 2 * MIB };

fn saving() -> Policy {
    Policy { save_interval: Policy::default().save_interval, ..policy() }
}

fn operator(command: Command) -> Event<&'static str> {
    Event::Operator { ticket: 7, command }
}

/// A body of so many bytes that shares so many, and holds everything up to clock 5.
fn step(body_bytes: u64, shared_bytes: u64) -> Advance {
    Advance { body_bytes, digest_bytes: MIB / 4, shared_bytes, clock: 5 }
}

fn change(shard: ShardId, class: ChangeClass, clock: u64) -> Event<&'static str> {
    let places = Places::Paths([Box::from(*b"a")].into());
    Event::Changed { shard, changes: ChangeSet { places, flags: 0, class, clock } }
}

fn healths(effects: &Effects) -> Vec<(Health, Reason)> {
    let moved = |effect: &Effect<_>| match effect {
        Effect::Transition(transition) => match transition.step {
            Step::Health { to, .. } => Some((to, transition.reason)),
            Step::Tier { .. } => None,
        },
        _ => None,
    };
    effects.iter().filter_map(moved).collect()
}

fn saves(effects: &Effects) -> Vec<(ShardId, Generation)> {
    let save = |effect: &Effect<_>| match effect {
        Effect::Save { shard, generation } => Some((*shard, *generation)),
        _ => None,
    };
    effects.iter().filter_map(save).collect()
}

fn published(effects: &Effects) -> Vec<Generation> {
    let published = |effect: &Effect<_>| match effect {
        Effect::Publish { body: "next", generation, .. } => Some(*generation),
        _ => None,
    };
    effects.iter().filter_map(published).collect()
}

fn refreshes(effects: &Effects) -> Vec<(ShardId, ChangeClass, u64)> {
    let refresh = |effect: &Effect<_>| match effect {
        Effect::Start { shard, job: Job::Refresh(changes), .. } => {
            Some((*shard, changes.class, changes.clock))
        }
        _ => None,
    };
    effects.iter().filter_map(refresh).collect()
}

impl Desk {
    fn advance(&mut self, shard: ShardId, from: Generation, advance: Advance) -> Effects {
        self.send(Event::Advanced { shard, from, body: "next", advance })
    }

    /// Loads the body of a snapshot, of 30 MiB, which is to be compared then.
    fn load_stored(&mut self, shard: ShardId) -> Effects {
        let effects = self.send(Event::Add { shard, forecast_bytes: 100 * MIB, stored: Some(STORED) });
        let (shard, attempt) = starts(&effects)[0];
        let measured = Measured { body_bytes: 30 * MIB, digest_bytes: MIB / 4, peak_bytes: 40 * MIB };
        let outcome = Outcome::Built { body: "stored", measured, behind: true };
        self.send(Event::Ended { shard, attempt, outcome })
    }

    /// A is loaded, and its refresh waits for the one lane, in which B loads.
    fn wait_for_a_lane(&mut self) -> (ShardId, hearth_residency::AttemptId) {
        self.load(A, 100);
        let loading = starts(&self.add(B, 10))[0];
        assert_eq!(starts(&self.send(change(A, ChangeClass::Apply, 5))), []);
        assert_eq!((self.view(A).health, self.kernel.totals().queued), (Health::Rebuilding, 1));
        loading
    }
}

fn one_lane() -> Policy {
    Policy { lanes: 1, ..policy() }
}

#[test]
fn an_advance_is_published_at_once_and_moves_nothing() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let (before, due) = (desk.view(A), desk.kernel.next_due());
    desk.now += Duration::from_secs(20);
    let effects = desk.advance(A, 1, step(101 * MIB, 99 * MIB));
    let [Effect::Publish { shard: A, body: "next", generation: 2 }, Effect::Show { shard: A, view }] =
        &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!((view.tier, view.health, view.advances_total), (Tier::Warm, Health::Fresh, 1));
    assert_eq!((view.rebuilds_total, view.loads_total), (before.rebuilds_total, before.loads_total));
    assert_eq!((view.body_bytes, view.retained_bytes, view.reserved_bytes), (101 * MIB, MIB, 0));
    assert_eq!((view.last_good, view.unsaved), (Some(desk.now), true));
    desk.send(Event::Released { shard: A, generation: 1 });
    assert_eq!(desk.kernel.next_due(), due, "it is no use of the shard");
    assert_eq!(moves(&desk.wait(2500)), [(A, Tier::Parked, Reason::Idle)]);
}

#[test]
fn of_the_body_before_the_rest_counts_until_it_is_released() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    desk.advance(A, 1, Advance { digest_bytes: MIB, ..step(100 * MIB, 97 * MIB) });
    desk.advance(A, 2, Advance { digest_bytes: MIB, ..step(100 * MIB, 200 * MIB) });
    let totals = desk.kernel.totals();
    assert_eq!((totals.bodies_bytes, totals.retained_bytes, totals.digests_bytes), (100 * MIB, 3 * MIB, MIB));
    let release = |generation| Event::Released { shard: A, generation };
    assert_eq!(desk.send(release(2)).len(), 1, "one that shares everything is released as well");
    assert_eq!(desk.view(A).retained_bytes, 3 * MIB);
    desk.send(release(1));
    assert_eq!((desk.view(A).retained_bytes, desk.kernel.totals().held_bytes), (0, 101 * MIB));
    desk.send(operator(Command::Hibernate(A)));
    assert_eq!(desk.view(A).retained_bytes, 100 * MIB);
    desk.release(A);
    assert_eq!(desk.kernel.totals().held_bytes, 0);
}

#[test]
fn an_advance_that_does_not_follow_changes_nothing() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let next = step(100 * MIB, 100 * MIB);
    for from in [0, 2, Generation::MAX] {
        assert_eq!(desk.advance(A, from, next), []);
    }
    assert_eq!(published(&desk.advance(A, 1, next)), [2]);
    assert_eq!(desk.advance(A, 1, next), [], "it was taken once");
    assert_eq!(desk.advance(C, 1, next), [], "nothing is known of it");
    let loading = starts(&desk.add(B, 10))[0];
    assert_eq!(desk.advance(B, 0, next), [], "there is no body yet");
    assert_eq!(cancels(&desk.send(operator(Command::Forget { shard: B, force: true }))), [loading]);
    desk.wait(2500);
    assert_eq!(desk.advance(A, 2, next), [], "there is a digest only");
    let load = starts(&desk.send(Event::Claimed(A)))[0];
    desk.build(load, 100);
    desk.send(Event::Stopping);
    assert_eq!(desk.advance(A, 3, next), [], "the process ends");
    assert_eq!((desk.view(A).generation, desk.view(A).advances_total), (3, 1));
}

#[test]
fn others_make_room_for_an_advance_whoever_they_are() {
    let mut desk = Desk::new(policy());
    desk.load(A, 400);
    desk.load(B, 500);
    let effects = desk.advance(A, 1, step(510 * MIB, 400 * MIB));
    assert_eq!(moves(&effects), [(B, Tier::Parked, Reason::Budget)], "though it was used since");
    assert_eq!((published(&effects), desk.view(A).health), (vec![2], Health::Fresh));
}

#[test]
fn an_advance_without_room_is_not_published_and_the_source_is_compared() {
    let mut desk = Desk::new(policy());
    desk.load(A, 400);
    desk.load(B, 595);
    desk.send(Event::Claimed(B));
    let effects = desk.advance(A, 1, step(410 * MIB, 400 * MIB));
    assert_eq!((published(&effects), moves(&effects)), (vec![], vec![]));
    assert_eq!(healths(&effects), [(Health::Rebuilding, Reason::Refresh)]);
    assert_eq!((desk.view(A).generation, desk.view(A).body_bytes), (1, 400 * MIB));
    assert_eq!(desk.view(A).advances_total, 0);
    desk.send(Event::Settled(B));
    desk.send(operator(Command::Hibernate(B)));
    assert_eq!(refreshes(&desk.release(B)), [(A, ChangeClass::Reconcile, 5)]);
}

#[test]
fn a_small_advance_is_published_whatever_is_held() {
    let full = || {
        let mut desk = Desk::new(policy());
        desk.load(A, 400);
        desk.load(B, 599);
        desk.send(Event::Claimed(B));
        desk
    };
    let mut desk = full();
    let effects = desk.advance(A, 1, step(401 * MIB, 350 * MIB));
    assert_eq!((published(&effects), moves(&effects)), (vec![2], vec![]));
    assert!(desk.kernel.totals().held_bytes > 1000 * MIB);
    assert_eq!(published(&full().advance(A, 1, step(401 * MIB + 1, 400 * MIB))), []);
}

#[test]
fn what_needs_no_more_than_before_displaces_nobody() {
    let mut desk = Desk::new(policy());
    desk.load(A, 400);
    desk.load(B, 300);
    desk.send(operator(Command::Pin(B)));
    desk.load(C, 200);
    desk.send(Event::Claimed(C));
    desk.send(Event::MemoryHeld(1200 * MIB));
    assert_eq!(desk.tier(A), Tier::Parked);
    desk.send(Event::Settled(C));
    let effects = desk.advance(B, 1, step(290 * MIB, 290 * MIB));
    assert_eq!((published(&effects), moves(&effects)), (vec![2], vec![]));
    let effects = desk.advance(B, 2, step(295 * MIB, 290 * MIB));
    assert_eq!((published(&effects), moves(&effects)), (vec![3], vec![]), "it was measured already");
}

#[test]
fn changes_that_an_advance_took_in_are_not_applied_again() {
    let mut desk = Desk::new(one_lane());
    let loading = desk.wait_for_a_lane();
    let effects = desk.advance(A, 1, step(100 * MIB, 100 * MIB));
    assert_eq!((published(&effects), healths(&effects)), (vec![2], vec![(Health::Fresh, Reason::Publish)]));
    assert_eq!(desk.kernel.totals().queued, 0);
    assert_eq!(starts(&desk.build(loading, 10)), []);
}

#[test]
fn an_advance_that_comes_after_failures_recovers() {
    let mut desk = Desk::new(one_lane());
    desk.load(A, 100);
    let started = starts(&desk.send(change(A, ChangeClass::Apply, 4)))[0];
    desk.fail(started);
    desk.add(B, 10);
    desk.send(change(A, ChangeClass::Apply, 5));
    assert_eq!((desk.view(A).health, desk.view(A).failures), (Health::Rebuilding, 1));
    let effects = desk.advance(A, 1, step(100 * MIB, 100 * MIB));
    assert_eq!(healths(&effects), [(Health::Fresh, Reason::Recovered)]);
    let view = desk.view(A);
    assert_eq!((view.failures, view.last_failure, view.retry_at), (0, None, None));
}

#[test]
fn an_advance_that_is_too_early_leaves_changes_open() {
    let mut desk = Desk::new(one_lane());
    let loading = desk.wait_for_a_lane();
    let early = Advance { clock: 4, ..step(100 * MIB, 100 * MIB) };
    assert_eq!(healths(&desk.advance(A, 1, early)), []);
    assert_eq!(refreshes(&desk.build(loading, 10)), [(A, ChangeClass::Apply, 5)]);
}

#[test]
fn an_advance_is_no_comparison() {
    for class in [ChangeClass::Reconcile, ChangeClass::Rebuild] {
        let mut desk = Desk::new(one_lane());
        let loading = desk.wait_for_a_lane();
        desk.send(change(A, class, 3));
        let effects = desk.advance(A, 1, step(100 * MIB, 100 * MIB));
        assert_eq!((published(&effects), healths(&effects)), (vec![2], vec![]));
        assert_eq!(refreshes(&desk.build(loading, 10)), [(A, class, 5)]);
    }
}

#[test]
fn an_attempt_in_flight_goes_on_while_its_body_is_advanced() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let started = starts(&desk.send(change(A, ChangeClass::Reconcile, 3)))[0];
    desk.send(change(A, ChangeClass::Apply, 5));
    let effects = desk.advance(A, 1, step(100 * MIB, 100 * MIB));
    assert_eq!((published(&effects), healths(&effects), cancels(&effects)), (vec![2], vec![], vec![]));
    let effects = desk.build(started, 100);
    assert_eq!((desk.view(A).generation, desk.view(A).health), (3, Health::Fresh));
    assert_eq!(starts(&effects), [], "what came meanwhile was taken in");
}

#[test]
fn a_failed_shard_is_advanced_and_compared_when_its_time_has_come() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let started = starts(&desk.send(change(A, ChangeClass::Apply, 5)))[0];
    desk.fail(started);
    let effects = desk.advance(A, 1, step(100 * MIB, 100 * MIB));
    assert_eq!((published(&effects), healths(&effects)), (vec![2], vec![]));
    assert!(matches!(desk.view(A).last_failure, Some(Failure::Build(_))));
    assert_eq!(refreshes(&desk.wait(30)), [(A, ChangeClass::Reconcile, 0)]);
}

#[test]
fn what_is_advanced_during_a_save_is_saved_by_the_next() {
    let mut desk = Desk::new(saving());
    desk.load(A, 100);
    assert!(desk.view(A).saving);
    assert_eq!(saves(&desk.advance(A, 1, step(100 * MIB, 100 * MIB))), []);
    let result = Ok(Stored { generation: 1, ..STORED });
    let effects = desk.send(Event::SaveEnded { shard: A, generation: 1, result });
    assert_eq!((saves(&effects), desk.view(A).unsaved), (vec![], true));
    desk.advance(A, 2, step(100 * MIB, 100 * MIB));
    assert_eq!(saves(&desk.wait(298)), []);
    assert_eq!(saves(&desk.wait(1)), [(A, 3)]);
}

#[test]
fn a_body_of_a_snapshot_that_is_advanced_is_unsaved_and_still_to_be_compared() {
    let mut desk = Desk::new(saving());
    let comparing = starts(&desk.load_stored(A))[0];
    assert!(desk.view(A).uncompared && !desk.view(A).unsaved);
    desk.send(change(A, ChangeClass::Apply, 5));
    let effects = desk.advance(A, 8, step(30 * MIB, 30 * MIB));
    assert_eq!((published(&effects), healths(&effects), saves(&effects)), (vec![9], vec![], vec![(A, 9)]));
    let view = desk.view(A);
    assert_eq!((view.health, view.uncompared, view.unsaved), (Health::Rebuilding, true, true));
    desk.fail(comparing);
    assert_eq!(refreshes(&desk.wait(30)), [(A, ChangeClass::Reconcile, 0)]);
    assert!(desk.view(A).uncompared);
}

#[test]
fn a_comparison_that_failed_takes_in_what_changed_since() {
    let mut desk = Desk::new(saving());
    let comparing = starts(&desk.load_stored(A))[0];
    desk.send(change(A, ChangeClass::Apply, 6));
    desk.fail(comparing);
    let again = desk.wait(30);
    assert_eq!(refreshes(&again), [(A, ChangeClass::Reconcile, 6)]);
    desk.build(starts(&again)[0], 30);
    assert_eq!((desk.view(A).health, desk.view(A).uncompared), (Health::Fresh, false));
}

#[test]
fn a_parked_shard_keeps_what_its_feed_may_have_missed() {
    let mut desk = Desk::new(policy());
    desk.load_stored(A);
    desk.wait(1800);
    assert_eq!(desk.tier(A), Tier::Parked);
    assert_eq!((desk.view(A).behind, desk.view(A).uncompared), (false, false), "a digest is not compared");

    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let missed = ChangeSet { class: ChangeClass::Reconcile, ..ChangeSet::rebuild(0) };
    desk.send(Event::Changed { shard: A, changes: missed });
    desk.wait(2500);
    assert_eq!((desk.tier(A), desk.view(A).behind), (Tier::Parked, true));
}

#[test]
fn a_load_that_hangs_holds_back_what_is_only_renewed_for_ten_seconds() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    desk.send(Event::Add { shard: B, forecast_bytes: 100 * MIB, stored: Some(STORED) });
    let began: Moment = desk.now;
    desk.now += Duration::from_secs(3);
    assert_eq!(starts(&desk.send(change(A, ChangeClass::Apply, 5))), []);
    assert_eq!(desk.kernel.next_due(), Some(began + Duration::from_secs(10)));
    assert_eq!(refreshes(&desk.wait(7)), [(A, ChangeClass::Apply, 5)]);
    desk.touch(A);
    assert_eq!(desk.view(B).health, Health::Loading);
}
