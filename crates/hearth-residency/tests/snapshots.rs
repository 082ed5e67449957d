//! Snapshots as short stories: what a load takes from disk, when a body is saved, digests that are read alone.
//!
//! A snapshot here is a few numbers; what is in it comes with the end of an attempt, as in the kernel itself.

mod desk;

use desk::{A, B, C, Desk, Effects, MIB, cancels, moves, policy, starts};
use hearth_residency::{
    AttemptId, ChangeClass, ChangeSet, Command, Effect, Event, Failure, Generation, Health, Job, Measured,
    Outcome, Places, Policy, Pressure, Reason, ShardId, Stored, Tier,
};
use std::time::Duration;

/// A snapshot of generation 7 whose load takes 40 MiB, with a digest of 2 MiB.
const STORED: Stored = Stored { generation: 7, working_bytes: 40 * MIB, digest_bytes: 2 * MIB };

/// The usual policy, with saves at their usual interval.
fn saving() -> Policy {
    Policy { save_interval: Policy::default().save_interval, ..policy() }
}

fn operator(command: Command) -> Event<&'static str> {
    Event::Operator { ticket: 7, command }
}

fn saves(effects: &Effects) -> Vec<(ShardId, Generation)> {
    let save = |effect: &Effect<_>| match effect {
        Effect::Save { shard, generation } => Some((*shard, *generation)),
        _ => None,
    };
    effects.iter().filter_map(save).collect()
}

fn jobs(effects: &Effects) -> Vec<(ShardId, Job, u64)> {
    let job = |effect: &Effect<_>| match effect {
        Effect::Start { shard, job, reserved_bytes, .. } => Some((*shard, job.clone(), reserved_bytes / MIB)),
        _ => None,
    };
    effects.iter().filter_map(job).collect()
}

impl Desk {
    /// Adds a shard whose scan takes 100 MiB, with a snapshot.
    fn add_stored(&mut self, shard: ShardId) -> Effects {
        self.send(Event::Add { shard, forecast_bytes: 100 * MIB, stored: Some(STORED) })
    }

    /// Adds a shard with a snapshot, out of memory and asked for nothing.
    fn add_cold(&mut self, shard: ShardId) {
        let started = starts(&self.add_stored(shard))[0];
        self.send(operator(Command::Hibernate(shard)));
        self.end(started, Outcome::Cancelled);
        assert_eq!((self.tier(shard), self.view(shard).health), (Tier::Cold, Health::Empty));
    }

    fn end(&mut self, (shard, attempt): (ShardId, AttemptId), outcome: Outcome<&'static str>) -> Effects {
        self.send(Event::Ended { shard, attempt, outcome })
    }

    /// Ends a load with the body of the snapshot.
    fn open(&mut self, started: (ShardId, AttemptId), mib: u64) -> Effects {
        let measured = Measured { body_bytes: mib * MIB, digest_bytes: MIB / 4, peak_bytes: 2 * mib * MIB };
        self.end(started, Outcome::Built { body: "stored", measured, behind: true })
    }

    fn read_digest(&mut self, started: (ShardId, AttemptId)) -> Effects {
        self.end(started, Outcome::Digested { body: "digest", digest_bytes: MIB })
    }

    fn saved(&mut self, shard: ShardId, generation: Generation) -> Effects {
        let result = Ok(Stored { generation, ..STORED });
        self.send(Event::SaveEnded { shard, generation, result })
    }

    fn not_saved(&mut self, shard: ShardId, generation: Generation) -> Effects {
        self.send(Event::SaveEnded { shard, generation, result: Err("no space left on device".to_owned()) })
    }
}

#[test]
fn a_body_of_a_snapshot_serves_and_is_compared_with_its_source_before_it_is_fresh() {
    let mut desk = Desk::new(saving());
    let effects = desk.add_stored(A);
    assert_eq!(jobs(&effects), [(A, Job::Load, 40)]);
    let effects = desk.open(starts(&effects)[0], 30);
    assert!(matches!(effects[0], Effect::Publish { shard: A, body: "stored", generation: 8 }));
    assert_eq!(moves(&effects), [(A, Tier::Warm, Reason::Load)]);
    let view = desk.view(A);
    assert_eq!((view.health, view.loads_total, view.unsaved), (Health::Rebuilding, 1, false));
    let reconcile = ChangeSet { class: ChangeClass::Reconcile, ..ChangeSet::rebuild(0) };
    assert_eq!(jobs(&effects), [(A, Job::Refresh(reconcile), 4)], "a comparison makes no second body");
    let effects = desk.build(starts(&effects)[0], 30);
    assert_eq!((desk.view(A).health, desk.view(A).generation), (Health::Fresh, 9));
    assert_eq!(saves(&effects), [(A, 9)]);
    assert_eq!(
        desk.view(A).stored,
        Some(Stored { generation: 8, working_bytes: 60 * MIB, ..STORED }),
        "it is known what it took"
    );
}

#[test]
fn what_changed_while_a_snapshot_was_loaded_is_caught_up_with() {
    let mut desk = Desk::new(saving());
    let started = starts(&desk.add_stored(A))[0];
    let places = Places::Paths([Box::from(*b"a")].into());
    let changes = ChangeSet { places, flags: 4, class: ChangeClass::Apply, clock: 9 };
    desk.send(Event::Changed { shard: A, changes });
    let expected = ChangeSet { flags: 4, class: ChangeClass::Reconcile, ..ChangeSet::rebuild(9) };
    assert_eq!(jobs(&desk.open(started, 30)), [(A, Job::Refresh(expected), 4)]);
}

#[test]
fn a_snapshot_that_was_not_used_is_not_counted_on() {
    let mut desk = Desk::new(saving());
    let started = starts(&desk.add_stored(A))[0];
    let effects = desk.build(started, 30);
    assert_eq!((desk.view(A).stored, desk.view(A).health), (None, Health::Fresh));
    assert_eq!(saves(&effects), [(A, 8)]);
    desk.saved(A, 8);
    assert_eq!(desk.view(A).stored, Some(Stored { generation: 8, ..STORED }));
}

#[test]
fn a_load_that_outgrows_its_snapshot_goes_on_as_a_scan() {
    let mut desk = Desk::new(saving());
    let (shard, attempt) = starts(&desk.add_stored(A))[0];
    desk.send(Event::Grew { shard, attempt, needed_bytes: 90 * MIB });
    assert_eq!((desk.view(A).stored, desk.view(A).reserved_bytes), (None, 90 * MIB));
    // It came from the snapshot after all, and only took more than was said.
    desk.open((shard, attempt), 30);
    let known = Stored { generation: 8, working_bytes: 60 * MIB, digest_bytes: MIB / 4 };
    assert_eq!(desk.view(A).stored, Some(known));
}

#[test]
fn what_is_on_disk_serves_before_anything_is_compared() {
    let mut desk = Desk::new(saving());
    let [a, b] = [A, B].map(|shard| starts(&desk.add_stored(shard))[0]);
    assert_eq!(jobs(&desk.open(a, 30)), []);
    assert_eq!(desk.view(A).health, Health::Rebuilding);
    let begun = jobs(&desk.open(b, 30));
    assert!(matches!(begun[..], [(A, Job::Refresh(_), 4), (B, Job::Refresh(_), 4)]), "{begun:?}");
    // One that turns out to scan holds up nobody.
    let mut desk = Desk::new(saving());
    let [a, (shard, attempt)] = [A, B].map(|shard| starts(&desk.add_stored(shard))[0]);
    desk.open(a, 30);
    let begun = jobs(&desk.send(Event::Grew { shard, attempt, needed_bytes: 90 * MIB }));
    assert!(matches!(begun[..], [(A, Job::Refresh(_), 4)]), "{begun:?}");
}

#[test]
fn what_is_on_its_way_to_disk_comes_back_before_it_is_there() {
    let mut desk = Desk::new(saving());
    desk.load(A, 100);
    desk.send(operator(Command::Hibernate(A)));
    let load = starts(&desk.send(Event::Claimed(A)))[0];
    let effects = desk.open(load, 100);
    assert!(matches!(effects[0], Effect::Publish { shard: A, generation: 2, .. }));
    assert_eq!((desk.view(A).stored, desk.view(A).unsaved), (None, false));
    desk.saved(A, 1);
    assert_eq!(desk.view(A).stored, Some(Stored { generation: 2, ..STORED }), "it is the same body");
}

#[test]
fn what_came_back_and_was_not_saved_is_saved_again() {
    let mut desk = Desk::new(saving());
    desk.load(A, 100);
    desk.send(operator(Command::Hibernate(A)));
    let load = starts(&desk.send(Event::Claimed(A)))[0];
    desk.open(load, 100);
    assert_eq!(saves(&desk.not_saved(A, 1)), []);
    assert!(desk.view(A).unsaved);
    assert_eq!(saves(&desk.wait(300)), [(A, 2)]);
}

#[test]
fn the_digest_of_what_is_on_its_way_to_disk_may_be_asked() {
    let mut desk = Desk::new(saving());
    desk.load(A, 100);
    desk.send(operator(Command::Hibernate(A)));
    assert_eq!(jobs(&desk.send(Event::Consulted(A))), [(A, Job::Digest, 1)]);
}

/// Regression: answers went back in time when a body was lost and an older snapshot came in its place.
#[test]
fn a_snapshot_older_than_what_was_shown_is_not_used() {
    let mut desk = Desk::new(saving());
    let load = starts(&desk.add_stored(A))[0];
    let refresh = starts(&desk.open(load, 30))[0];
    assert_eq!(saves(&desk.build(refresh, 30)), [(A, 9)]);
    desk.not_saved(A, 9);
    assert!(desk.view(A).stored.is_some());
    desk.send(operator(Command::Hibernate(A)));
    assert_eq!(desk.view(A).stored, None);
    assert_eq!(jobs(&desk.send(Event::Consulted(A))), []);
    assert_eq!(jobs(&desk.send(Event::Claimed(A))), [(A, Job::Load, 30)]);
}

#[test]
fn a_body_that_is_not_compared_leaves_a_digest_that_may_be_asked() {
    let mut desk = Desk::new(saving());
    let load = starts(&desk.add_stored(A))[0];
    desk.open(load, 30);
    desk.send(Event::Pressure(Pressure::Some));
    assert_eq!((desk.tier(A), desk.view(A).behind), (Tier::Parked, false));
    let places = Places::Paths([Box::from(*b"a")].into());
    let changes = ChangeSet { places, flags: 4, class: ChangeClass::Apply, clock: 9 };
    desk.send(Event::Changed { shard: A, changes });
    assert!(desk.view(A).behind, "that is known to have changed");
}

#[test]
fn a_shard_is_saved_at_once_and_then_at_intervals() {
    let mut desk = Desk::new(saving());
    let started = starts(&desk.add(A, 100))[0];
    assert_eq!(saves(&desk.build(started, 100)), [(A, 1)]);
    assert!(desk.view(A).unsaved && desk.view(A).saving);
    desk.now += Duration::from_secs(100);
    desk.saved(A, 1);
    assert!(!desk.view(A).unsaved && !desk.view(A).saving);
    let started = starts(&desk.send(operator(Command::Refresh(A))))[0];
    assert_eq!(saves(&desk.build(started, 100)), []);
    assert_eq!(desk.kernel.next_due(), Some(desk.now + Duration::from_secs(5)), "the old body is reported");
    desk.send(Event::Released { shard: A, generation: 1 });
    assert_eq!(desk.kernel.next_due(), Some(desk.now + Duration::from_secs(200)));
    assert_eq!(saves(&desk.wait(199)), []);
    assert_eq!(saves(&desk.wait(1)), [(A, 2)]);
}

#[test]
fn one_save_runs_at_a_time_and_the_longest_unsaved_comes_next() {
    let mut desk = Desk::new(saving());
    for shard in [C, B, A] {
        desk.load(shard, 10);
    }
    assert_eq!([A, B, C].map(|shard| desk.view(shard).saving), [false, false, true]);
    assert_eq!(saves(&desk.saved(C, 1)), [(B, 1)]);
    assert_eq!(saves(&desk.not_saved(B, 1)), [(A, 1)]);
    assert_eq!(desk.view(B).last_save_failure.as_deref(), Some("no space left on device"));
    assert_eq!((desk.view(B).save_failures, desk.view(B).health), (1, Health::Fresh));
}

#[test]
fn a_failed_save_is_repeated_by_the_back_off_and_not_before_the_interval() {
    let mut desk = Desk::new(Policy { save_interval: Some(Duration::from_secs(50)), ..saving() });
    desk.load(A, 10);
    desk.not_saved(A, 1);
    // Begun two seconds before it was touched; the back-off of 30 s is over first.
    assert_eq!(saves(&desk.wait(48)), []);
    assert_eq!(saves(&desk.wait(1)), [(A, 1)]);
    desk.not_saved(A, 1);
    assert_eq!(saves(&desk.wait(59)), []);
    assert_eq!(saves(&desk.wait(1)), [(A, 1)]);
    desk.saved(A, 1);
    assert_eq!((desk.view(A).save_failures, desk.view(A).last_save_failure), (0, None));
}

#[test]
fn what_was_published_during_a_save_is_saved_by_the_next() {
    let mut desk = Desk::new(saving());
    desk.load(A, 10);
    let started = starts(&desk.send(operator(Command::Refresh(A))))[0];
    desk.build(started, 10);
    assert_eq!(saves(&desk.saved(A, 1)), []);
    assert!(desk.view(A).unsaved);
    assert_eq!(saves(&desk.wait(300)), [(A, 2)]);
}

#[test]
fn a_body_is_saved_before_it_leaves_whatever_the_lane_does() {
    let mut desk = Desk::new(saving());
    desk.load(A, 10);
    desk.load(B, 10);
    let effects = desk.send(operator(Command::Hibernate(B)));
    let at = |wanted: &Effect<_>| effects.iter().position(|effect| effect == wanted);
    assert!(at(&Effect::Save { shard: B, generation: 1 }) < at(&Effect::Drop(B)));
    assert!(at(&Effect::Drop(B)).is_some() && desk.view(B).saving && !desk.view(B).unsaved);
    assert_eq!(saves(&desk.send(operator(Command::Hibernate(A)))), [], "it is being saved already");
    desk.saved(B, 1);
    assert_eq!(desk.view(B).stored, Some(Stored { generation: 1, ..STORED }));
}

#[test]
fn pressure_and_failures_do_not_wait_for_a_save() {
    let mut desk = Desk::new(saving());
    desk.load(A, 10);
    desk.load(B, 10);
    desk.load(C, 10);
    desk.send(Event::Claimed(A));
    let effects = desk.send(Event::Pressure(Pressure::Some));
    assert_eq!((moves(&effects), saves(&effects)), (vec![(B, Tier::Parked, Reason::Pressure)], vec![]));
    assert_eq!(saves(&desk.saved(A, 1)), [(C, 1)]);
    desk.not_saved(C, 1);
    assert_eq!(saves(&desk.send(operator(Command::Hibernate(C)))), [], "it has just failed");
}

#[test]
fn the_lane_of_a_forgotten_save_is_given_back() {
    let mut desk = Desk::new(saving());
    desk.load(A, 10);
    desk.load(B, 10);
    let effects = desk.send(operator(Command::Forget { shard: A, force: true }));
    assert_eq!(saves(&effects), []);
    assert_eq!(saves(&desk.saved(A, 1)), [(B, 1)]);
    assert_eq!(desk.kernel.view(A), None);
    assert_eq!(saves(&desk.saved(A, 1)), [], "once");
    desk.load(C, 10);
    assert!(!desk.view(C).saving);
}

#[test]
fn as_the_process_stops_everything_is_saved_and_nothing_begins() {
    let mut desk = Desk::new(saving());
    for shard in [A, B, C] {
        desk.load(shard, 10);
    }
    desk.not_saved(A, 1);
    desk.saved(B, 1);
    let started = starts(&desk.send(operator(Command::Refresh(C))))[0];
    desk.build(started, 10);
    let effects = desk.send(Event::Stopping);
    assert_eq!(
        (saves(&effects), moves(&effects)),
        (vec![(A, 1)], vec![]),
        "C is being saved, as it was before"
    );
    assert_eq!(saves(&desk.saved(C, 1)), [(C, 2)]);
    assert_eq!(saves(&desk.not_saved(A, 1)), []);
    assert_eq!(starts(&desk.add(ShardId(9), 10)), []);
    assert_eq!(saves(&desk.send(Event::Stopping)), []);
    assert_eq!(saves(&desk.wait(3600)), []);
}

#[test]
fn where_nothing_is_to_be_saved_nothing_is() {
    let mut desk = Desk::new(policy());
    let started = starts(&desk.add(A, 10))[0];
    assert_eq!(saves(&desk.build(started, 10)), []);
    assert!(desk.view(A).unsaved);
    assert_eq!(saves(&desk.send(operator(Command::Hibernate(A)))), []);
    desk.load(B, 10);
    assert_eq!(saves(&desk.send(Event::Stopping)), []);
}

#[test]
fn a_cold_shard_that_is_consulted_is_parked_with_its_stored_digest() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    let effects = desk.send(Event::Consulted(A));
    assert_eq!(jobs(&effects), [(A, Job::Digest, 3)]);
    assert_eq!(starts(&desk.send(Event::Consulted(A))), []);
    let effects = desk.read_digest(starts(&effects)[0]);
    assert_eq!(effects[0], Effect::ShowDigest { shard: A, body: "digest" });
    assert_eq!(moves(&effects), [(A, Tier::Parked, Reason::Digest)]);
    let view = desk.view(A);
    assert_eq!((view.health, view.generation, view.digest_bytes), (Health::Empty, 7, MIB));
    assert_eq!(starts(&desk.send(Event::Consulted(A))), [], "it is in memory");
    assert_eq!(moves(&desk.wait(86_400)), [(A, Tier::Cold, Reason::Idle)]);
}

#[test]
fn a_digest_that_cannot_be_read_fails_nobody() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    let started = starts(&desk.send(Event::Consulted(A)))[0];
    desk.fail(started);
    let view = desk.view(A);
    assert_eq!((view.tier, view.health, view.failures, view.retry_at), (Tier::Cold, Health::Empty, 0, None));
    assert_eq!(view.stored, None);
    assert_eq!(starts(&desk.send(Event::Consulted(A))), [], "there is nothing to consult");
    assert_eq!(jobs(&desk.send(Event::Claimed(A))), [(A, Job::Load, 100)]);
}

#[test]
fn a_digest_that_was_read_where_a_body_was_wanted_is_a_failure() {
    let mut desk = Desk::new(saving());
    let started = starts(&desk.add(A, 10))[0];
    desk.read_digest(started);
    assert!(matches!(desk.view(A).last_failure, Some(Failure::Build(_))));
}

#[test]
fn a_claim_waits_for_the_end_of_a_digest_that_is_being_read() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    let started = starts(&desk.send(Event::Consulted(A)))[0];
    assert_eq!(starts(&desk.send(Event::Claimed(A))), []);
    assert_eq!(desk.view(A).health, Health::Loading);
    let effects = desk.read_digest(started);
    assert_eq!(
        (moves(&effects), jobs(&effects)),
        (vec![(A, Tier::Parked, Reason::Digest)], vec![(A, Job::Load, 40)])
    );
}

#[test]
fn a_digest_that_hangs_is_given_up_and_its_shard_does_not_fail() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    let started = starts(&desk.send(Event::Consulted(A)));
    assert_eq!(cancels(&desk.wait(3600)), started);
    let view = desk.view(A);
    assert_eq!((view.health, view.failures, view.stored), (Health::Empty, 0, None));
}

#[test]
fn an_operators_refresh_is_not_served_by_a_digest() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    let started = starts(&desk.send(Event::Consulted(A)))[0];
    desk.send(operator(Command::Refresh(A)));
    assert_eq!(jobs(&desk.read_digest(started)), [(A, Job::Load, 40)]);
}

#[test]
fn a_digest_comes_first_and_may_displace_anybody() {
    let mut desk = Desk::new(Policy { lanes: 1, ..saving() });
    desk.add_cold(A);
    desk.load(B, 999);
    desk.load(C, 0);
    desk.send(Event::Claimed(C));
    let effects = desk.send(Event::Consulted(A));
    assert_eq!(moves(&effects), [(B, Tier::Parked, Reason::Budget)], "though it was used since");
    assert_eq!(jobs(&desk.release(B)), [(A, Job::Digest, 3)]);
}

#[test]
fn a_digest_without_room_is_given_up_in_silence() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    desk.load(B, 998);
    desk.send(operator(Command::Pin(B)));
    desk.send(Event::Consulted(A));
    let view = desk.view(A);
    assert_eq!((view.tier, view.health, view.failures), (Tier::Cold, Health::Empty, 0));
    assert_eq!((desk.kernel.totals().queued, view.stored), (0, Some(STORED)));
}

#[test]
fn asking_for_a_digest_again_does_not_prolong_the_wait_for_memory() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    desk.load(B, 999);
    desk.send(Event::Claimed(B));
    for _ in 0..10 {
        assert_eq!((starts(&desk.send(Event::Consulted(A))), desk.kernel.totals().queued), (vec![], 1));
        desk.wait(1);
    }
    assert_eq!(desk.kernel.totals().queued, 0);
}

#[test]
fn a_hint_that_finds_no_room_for_the_body_gets_the_digest() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    desk.load(B, 970);
    desk.send(Event::Hinted(vec![A]));
    desk.touch(B);
    assert_eq!(desk.view(A).health, Health::Loading);
    let effects = desk.wait(10);
    assert_eq!(jobs(&effects), [(A, Job::Digest, 3)]);
    assert_eq!(moves(&desk.read_digest(starts(&effects)[0])), [(A, Tier::Parked, Reason::Digest)]);
    assert_eq!(desk.view(A).health, Health::Empty);
}

#[test]
fn what_changes_while_a_digest_is_read_is_not_in_it() {
    let mut desk = Desk::new(saving());
    desk.add_cold(A);
    let started = starts(&desk.send(Event::Consulted(A)))[0];
    desk.send(Event::Changed { shard: A, changes: ChangeSet::rebuild(3) });
    desk.read_digest(started);
    assert!(desk.view(A).behind);
}
