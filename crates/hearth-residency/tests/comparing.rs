//! Comparisons as short stories: attempts that end with what they found of the body in memory.
//!
//! A body is compared when it came from a snapshot, when its feed may have missed something, and when it failed to take
//! changes in. What such an attempt may say, what it costs and what follows from it is told one by one.

mod desk;

use desk::{A, B, C, Desk, Effects, MIB, cancels, moves, policy, starts};
use hearth_residency::{
    Advance, AttemptId, ChangeClass, ChangeSet, Command, Effect, Event, Failure, Generation, Health, Job,
    Measured, Outcome, Policy, Reason, ShardId, Step, Stored, Tier,
};
use std::time::Duration;

const STORED: Stored = Stored { generation: 7, working_bytes: 40 * MIB, digest_bytes: 2 * MIB };

/// An attempt in flight.
type Started = (ShardId, AttemptId);

fn saving() -> Policy {
    Policy { save_interval: Policy::default().save_interval, ..policy() }
}

fn operator(command: Command) -> Event<&'static str> {
    Event::Operator { ticket: 7, command }
}

fn change(shard: ShardId, class: ChangeClass, clock: u64) -> Event<&'static str> {
    Event::Changed { shard, changes: ChangeSet { class, ..ChangeSet::reconcile(clock) } }
}

/// A body of so many bytes that shares so many, and holds everything up to clock 5.
fn step(body_bytes: u64, shared_bytes: u64) -> Option<(&'static str, Advance)> {
    Some(("next", Advance { body_bytes, digest_bytes: MIB / 4, shared_bytes, clock: 5 }))
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

fn published(effects: &Effects) -> Vec<(&'static str, Generation)> {
    let published = |effect: &Effect<_>| match effect {
        Effect::Publish { body, generation, .. } => Some((*body, *generation)),
        _ => None,
    };
    effects.iter().filter_map(published).collect()
}

fn saves(effects: &Effects) -> Vec<(ShardId, Generation)> {
    let save = |effect: &Effect<_>| match effect {
        Effect::Save { shard, generation } => Some((*shard, *generation)),
        _ => None,
    };
    effects.iter().filter_map(save).collect()
}

/// Renewals that began: how much they look at, up to which change, and KiB set aside.
fn refreshes(effects: &Effects) -> Vec<(ChangeClass, u64, u64)> {
    let refresh = |effect: &Effect<_>| match effect {
        Effect::Start { job: Job::Refresh(changes), reserved_bytes, .. } => {
            Some((changes.class, changes.clock, reserved_bytes / 1024))
        }
        _ => None,
    };
    effects.iter().filter_map(refresh).collect()
}

impl Desk {
    fn compared(
        &mut self,
        (shard, attempt): Started,
        from: Generation,
        next: Option<(&'static str, Advance)>,
    ) -> Effects {
        let outcome = Outcome::Compared { from, next, peak_bytes: 3 * MIB };
        self.send(Event::Ended { shard, attempt, outcome })
    }

    /// A comparison of a body of so many MiB begins.
    fn compare(&mut self, shard: ShardId, mib: u64) -> Started {
        self.load(shard, mib);
        starts(&self.send(change(shard, ChangeClass::Reconcile, 4)))[0]
    }

    /// Loads the body of a snapshot, of 30 MiB, as generation 8; it is compared then.
    fn compare_stored(&mut self, shard: ShardId) -> Started {
        let effects = self.send(Event::Add { shard, forecast_bytes: 100 * MIB, stored: Some(STORED) });
        let (shard, attempt) = starts(&effects)[0];
        let measured = Measured { body_bytes: 30 * MIB, digest_bytes: MIB / 4, peak_bytes: 40 * MIB };
        let outcome = Outcome::Built { body: "stored", measured, behind: true };
        starts(&self.send(Event::Ended { shard, attempt, outcome }))[0]
    }

    /// A body of so many MiB was compared, so that the next comparison is known to take 3 MiB only.
    fn learn(&mut self, shard: ShardId, mib: u64) {
        let comparing = self.compare(shard, mib);
        self.compared(comparing, 1, None);
    }

    /// Beside a body of 400 MiB that is being compared, another takes all the rest and stays whatever happens.
    fn compare_beside(&mut self, other: ShardId) -> Started {
        self.learn(A, 400);
        self.load(other, 596);
        self.send(Event::Claimed(other));
        starts(&self.send(change(A, ChangeClass::Reconcile, 4)))[0]
    }
}

#[test]
fn a_comparison_that_finds_nothing_makes_nothing() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare(A, 100);
    let before = desk.view(A);
    desk.now += Duration::from_secs(20);
    let effects = desk.compared(comparing, 1, None);
    let [Effect::Transition(moved), Effect::Show { shard: A, view }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(moved.reason, Reason::Publish);
    assert_eq!((view.tier, view.health, view.generation), (Tier::Warm, Health::Fresh, 1));
    assert_eq!((view.body_bytes, view.retained_bytes, view.reserved_bytes), (100 * MIB, 0, 0));
    let made = |view: &hearth_residency::View| (view.loads_total, view.rebuilds_total, view.advances_total);
    assert_eq!((made(view), view.compares_total), (made(&before), before.compares_total + 1));
    assert_eq!(view.last_good, Some(desk.now));
}

#[test]
fn a_body_of_a_snapshot_that_is_as_its_source_is_fresh_and_not_saved_again() {
    let mut desk = Desk::new(saving());
    let comparing = desk.compare_stored(A);
    assert!(desk.view(A).uncompared);
    let effects = desk.compared(comparing, 8, None);
    assert_eq!((published(&effects), saves(&effects)), (vec![], vec![]));
    assert_eq!(healths(&effects), [(Health::Fresh, Reason::Publish)]);
    let view = desk.view(A);
    assert_eq!((view.uncompared, view.unsaved, view.generation), (false, false, 8));
    assert_eq!(view.stored.map(|stored| stored.generation), Some(8));
    assert_eq!(saves(&desk.wait(3600)), [], "what is on disk holds it");
}

#[test]
fn what_was_unsaved_before_a_comparison_is_unsaved_after_it() {
    let mut desk = Desk::new(saving());
    let comparing = desk.compare(A, 100);
    let effects = desk.send(Event::SaveEnded { shard: A, generation: 1, result: Err("full".to_owned()) });
    assert_eq!(saves(&effects), []);
    desk.compared(comparing, 1, None);
    assert!(desk.view(A).unsaved);
    assert_eq!(saves(&desk.wait(300)), [(A, 1)]);
}

#[test]
fn a_comparison_that_finds_something_counts_as_what_it_does_not_share() {
    let mut desk = Desk::new(saving());
    let comparing = desk.compare_stored(A);
    let effects = desk.compared(comparing, 8, step(31 * MIB, 29 * MIB));
    assert_eq!((published(&effects), saves(&effects)), (vec![("next", 9)], vec![(A, 9)]));
    assert_eq!(healths(&effects), [(Health::Fresh, Reason::Publish)]);
    let view = desk.view(A);
    assert_eq!((view.body_bytes, view.retained_bytes, view.reserved_bytes), (31 * MIB, MIB, 0));
    assert_eq!((view.rebuilds_total, view.advances_total, view.compares_total), (0, 1, 1));
    assert_eq!((view.uncompared, view.unsaved), (false, true));
    desk.send(Event::Released { shard: A, generation: 8 });
    assert_eq!(desk.kernel.totals().held_bytes, 31 * MIB + MIB / 4);
}

#[test]
fn a_comparison_needs_no_room_for_a_second_body() {
    let mut desk = Desk::new(policy());
    desk.load(A, 400);
    desk.load(B, 540);
    desk.send(Event::Claimed(B));
    let effects = desk.send(change(A, ChangeClass::Reconcile, 4));
    assert_eq!(
        (refreshes(&effects), moves(&effects)),
        (vec![(ChangeClass::Reconcile, 4, 51 * 1024)], vec![])
    );
    desk.compared(starts(&effects)[0], 1, None);
    let effects = desk.send(change(A, ChangeClass::Reconcile, 6));
    assert_eq!(refreshes(&effects), [(ChangeClass::Reconcile, 6, 3 * 1024)], "what the last one took");
    desk.compared(starts(&effects)[0], 1, None);
    let effects = desk.send(change(A, ChangeClass::Apply, 7));
    assert_eq!(refreshes(&effects), [(ChangeClass::Apply, 7, 26 * 1024)], "nothing was learned of that");
}

#[test]
fn a_comparison_that_makes_a_body_anew_tells_nothing_of_the_next() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare(A, 80);
    assert!(desk.build(comparing, 160).iter().any(|effect| matches!(effect, Effect::Publish { .. })));
    let effects = desk.send(change(A, ChangeClass::Reconcile, 6));
    assert_eq!(refreshes(&effects), [(ChangeClass::Reconcile, 6, 21 * 1024)]);
    desk.compared(starts(&effects)[0], 2, None);
    let rebuild = refreshes(&desk.send(change(A, ChangeClass::Rebuild, 7)));
    assert_eq!(rebuild, [(ChangeClass::Rebuild, 7, 160 * 1024 + 256)], "nor does a comparison of that");
}

#[test]
fn a_comparison_that_was_stopped_for_want_of_memory_asks_for_more_until_one_took_less() {
    let mut desk = Desk::new(policy());
    desk.load(A, 400);
    desk.load(B, 540);
    desk.send(Event::Claimed(B));
    let (shard, attempt) = starts(&desk.send(change(A, ChangeClass::Reconcile, 4)))[0];
    desk.send(Event::Grew { shard, attempt, needed_bytes: 90 * MIB });
    assert!(matches!(desk.view(A).last_failure, Some(Failure::OverBudget(_))));
    desk.send(Event::Ended { shard, attempt, outcome: Outcome::Cancelled });
    desk.send(Event::Settled(B));
    desk.send(operator(Command::Hibernate(B)));
    desk.release(B);
    let effects = desk.wait(30);
    assert_eq!(refreshes(&effects), [(ChangeClass::Reconcile, 4, 90 * 1024)]);
    desk.compared(starts(&effects)[0], 1, None);
    assert_eq!(desk.view(A).failures, 0);
    let effects = desk.send(change(A, ChangeClass::Reconcile, 6));
    assert_eq!(refreshes(&effects), [(ChangeClass::Reconcile, 6, 3 * 1024)]);
}

#[test]
fn changes_that_come_during_a_comparison_lead_to_another_attempt() {
    for next in [None, step(100 * MIB, 100 * MIB)] {
        let mut desk = Desk::new(policy());
        let comparing = desk.compare(A, 100);
        desk.send(change(A, ChangeClass::Apply, 6));
        let effects = desk.compared(comparing, 1, next);
        let back = [(Health::Fresh, Reason::Publish), (Health::Rebuilding, Reason::Refresh)];
        assert_eq!(healths(&effects), back);
        assert!(matches!(refreshes(&effects)[..], [(ChangeClass::Apply, 6, _)]));
    }
}

#[test]
fn changes_that_the_body_holds_by_then_do_not() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare(A, 100);
    desk.send(change(A, ChangeClass::Apply, 5));
    let effects = desk.compared(comparing, 1, step(100 * MIB, 100 * MIB));
    assert_eq!((healths(&effects), starts(&effects)), (vec![(Health::Fresh, Reason::Publish)], vec![]));
    let comparing = starts(&desk.send(change(A, ChangeClass::Reconcile, 4)))[0];
    desk.send(change(A, ChangeClass::Reconcile, 5));
    let effects = desk.compared(comparing, 2, step(100 * MIB, 100 * MIB));
    assert!(matches!(refreshes(&effects)[..], [(ChangeClass::Reconcile, 5, _)]), "that asks for more");
}

#[test]
fn a_comparison_of_an_older_body_proves_nothing_and_is_made_again() {
    for next in [None, step(100 * MIB, 100 * MIB)] {
        let mut desk = Desk::new(policy());
        let comparing = desk.compare(A, 100);
        let (body, advance) = step(100 * MIB, 100 * MIB).unwrap();
        desk.send(Event::Advanced { shard: A, from: 1, body, advance });
        let effects = desk.compared(comparing, 1, next);
        assert_eq!((published(&effects), healths(&effects)), (vec![], vec![]));
        assert!(matches!(refreshes(&effects)[..], [(ChangeClass::Reconcile, 4, _)]), "at once");
        assert_eq!((desk.view(A).failures, desk.view(A).compares_total), (0, 0));
        let effects = desk.compared(starts(&effects)[0], 2, next);
        assert_eq!(healths(&effects), [(Health::Fresh, Reason::Publish)]);
    }
}

#[test]
fn comparisons_that_always_come_too_late_wait_longer_and_longer() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare(A, 100);
    let again = starts(&desk.compared(comparing, 9, None))[0];
    let effects = desk.compared(again, 9, None);
    assert_eq!((healths(&effects), starts(&effects)), (vec![(Health::Failed, Reason::Failed)], vec![]));
    let effects = desk.wait(30);
    assert!(matches!(refreshes(&effects)[..], [(ChangeClass::Reconcile, 4, _)]));
    desk.compared(starts(&effects)[0], 9, None);
    assert_eq!((desk.view(A).failures, desk.view(A).health), (2, Health::Failed));
    let again = starts(&desk.wait(60))[0];
    let effects = desk.compared(again, 1, None);
    assert_eq!(healths(&effects), [(Health::Fresh, Reason::Recovered)]);
    let comparing = starts(&desk.send(change(A, ChangeClass::Reconcile, 6)))[0];
    assert_eq!(starts(&desk.compared(comparing, 9, None)).len(), 1, "it counts anew");
}

#[test]
fn what_is_found_without_room_for_it_is_not_published() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare_beside(B);
    let effects = desk.compared(comparing, 1, step(410 * MIB, 400 * MIB));
    assert_eq!((published(&effects), moves(&effects)), (vec![], vec![]));
    assert_eq!(healths(&effects), [(Health::Failed, Reason::Failed)]);
    let Some(Failure::OverBudget(over)) = desk.view(A).last_failure else { panic!() };
    assert_eq!((over.needed_bytes, desk.view(A).body_bytes), (10 * MIB, 400 * MIB));
    assert_eq!((desk.view(A).compares_total, desk.view(A).reserved_bytes), (1, 0));
    desk.send(Event::Settled(B));
    desk.send(operator(Command::Hibernate(B)));
    desk.release(B);
    assert!(matches!(refreshes(&desk.wait(30))[..], [(ChangeClass::Reconcile, 4, _)]));
}

#[test]
fn what_little_is_found_is_published_whatever_is_held() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare_beside(B);
    let effects = desk.compared(comparing, 1, step(401 * MIB, 350 * MIB));
    assert_eq!((published(&effects), moves(&effects)), (vec![("next", 2)], vec![]));
    assert_eq!(desk.view(A).health, Health::Fresh);
    assert!(desk.kernel.totals().held_bytes > 1000 * MIB);
    let mut desk = Desk::new(policy());
    let comparing = desk.compare_beside(B);
    assert_eq!(published(&desk.compared(comparing, 1, step(401 * MIB + 1, 350 * MIB))), []);
}

#[test]
fn only_who_was_used_less_recently_makes_room_for_what_is_found() {
    for last in [A, B] {
        let mut desk = Desk::new(policy());
        desk.learn(A, 400);
        desk.load(B, 500);
        desk.load(C, 90);
        desk.send(Event::Claimed(C));
        desk.touch(last);
        let comparing = starts(&desk.send(change(A, ChangeClass::Reconcile, 4)))[0];
        let effects = desk.compared(comparing, 1, step(440 * MIB, 400 * MIB));
        let parked = desk.tier(B) == Tier::Parked;
        assert_eq!((parked, published(&effects).len()), (last == A, usize::from(last == A)));
    }
}

#[test]
fn a_comparison_that_failed_is_made_again() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare_stored(A);
    desk.fail(comparing);
    let again = starts(&desk.wait(30))[0];
    let effects = desk.compared(again, 8, None);
    assert_eq!(healths(&effects), [(Health::Fresh, Reason::Recovered)]);
    assert_eq!((desk.view(A).failures, desk.view(A).retry_at), (0, None));
}

#[test]
fn changes_that_cannot_be_applied_may_be_found_by_a_comparison() {
    let mut desk = Desk::new(policy());
    desk.load(A, 100);
    let effects = desk.send(change(A, ChangeClass::Apply, 4));
    let effects = desk.compared(starts(&effects)[0], 1, step(101 * MIB, 99 * MIB));
    assert_eq!(published(&effects), [("next", 2)]);
    let again = desk.send(change(A, ChangeClass::Apply, 6));
    assert_eq!(refreshes(&again), [(ChangeClass::Apply, 6, 3 * 1024)], "what the last one took");
}

#[test]
fn only_what_may_keep_the_body_in_memory_ends_as_a_comparison() {
    let mut desk = Desk::new(policy());
    let loading = starts(&desk.add(A, 100))[0];
    let effects = desk.compared(loading, 0, None);
    assert_eq!((published(&effects), desk.view(A).health), (vec![], Health::Failed));
    let load = starts(&desk.wait(30))[0];
    desk.build(load, 100);
    let rebuilding = starts(&desk.send(operator(Command::Refresh(A))))[0];
    let effects = desk.compared(rebuilding, 1, step(100 * MIB, 100 * MIB));
    assert_eq!((published(&effects), desk.view(A).health), (vec![], Health::Failed));
    let said = Failure::Build("made something else than was asked for".to_owned());
    assert_eq!(desk.view(A).last_failure, Some(said));
    assert!(matches!(refreshes(&desk.wait(30))[..], [(ChangeClass::Rebuild, 0, _)]));
}

#[test]
fn a_comparison_that_was_told_to_stop_says_nothing() {
    let mut desk = Desk::new(policy());
    let comparing = desk.compare(A, 100);
    assert_eq!(cancels(&desk.send(operator(Command::Hibernate(A)))), [comparing]);
    let again = starts(&desk.send(Event::Claimed(A)));
    assert_eq!(again, [], "the comparison has not ended");
    let effects = desk.compared(comparing, 1, step(100 * MIB, 100 * MIB));
    assert_eq!(published(&effects), []);
    let load = starts(&effects)[0];
    desk.build(load, 100);
    assert_eq!((desk.view(A).health, desk.view(A).generation), (Health::Fresh, 2));
    assert_eq!((desk.view(A).compares_total, desk.view(A).failures), (0, 0));
}
