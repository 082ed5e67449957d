//! Attempts that end well, badly, late or not at all, and how many there are at one time.

use super::*;
use hearth_residency::Failure as Reported;
use std::sync::Barrier;

/// What a shard last failed with.
fn failure(bench: &Bench, id: u64) -> String {
    bench.shard(id).last_error().unwrap_or_default()
}

#[test]
fn a_make_that_panics_fails_its_shard_and_no_other() {
    let well = Arc::new(Mutex::new(false));
    let (told, makes) = (Arc::clone(&well), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&makes);
    let bench = Bench::new(Policy::default(), move |source, run| {
        counted.fetch_add(usize::from(source.info.id == 1), Ordering::SeqCst);
        assert!(source.info.id != 1 || *told.lock(), "the disk caught fire");
        Ok(made(source, run, 3))
    });
    bench.add(1);
    bench.add_made([2]);
    bench.until("it failed", || bench.view(1).health == Health::Failed);
    assert!(failure(&bench, 1).contains("internal error: the disk caught fire"), "{}", failure(&bench, 1));
    let view = bench.view(1);
    let wait = bench.driver.instant(view.retry_at.unwrap()).saturating_duration_since(Instant::now());
    assert!(view.failures == 1 && wait > Duration::from_secs(20), "{wait:?}");

    drop(bench.driver.claim(1));
    assert_eq!((bench.view(1).health, makes.load(Ordering::SeqCst)), (Health::Failed, 1), "it backs off");
    bench.operate(Command::Refresh(ShardId(2))).unwrap();
    bench.until("others are renewed", || bench.view(2).generation == 2);

    *well.lock() = true;
    bench.operate(Command::Refresh(ShardId(1))).unwrap();
    bench.until("it recovered", || bench.view(1).health == Health::Fresh);
    assert_eq!((bench.view(1).failures, failure(&bench, 1)), (0, String::new()));
}

#[test]
fn a_failed_renewal_leaves_the_last_good_body() {
    let makes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&makes);
    let bench =
        Bench::new(Policy::default(), move |source, run| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(made(source, run, 3)),
            _ => panic!("not again"),
        });
    bench.add_made([1]);
    bench.operate(Command::Refresh(ShardId(1))).unwrap();
    bench.until("it failed", || bench.view(1).health == Health::Failed);
    let shard = bench.shard(1);
    assert_eq!((shard.view.tier, shard.published.as_ref().unwrap().generation), (Tier::Warm, 1));
    assert!(shard.digest.is_some() && shard.last_error().is_some());
}

#[test]
fn a_make_that_hangs_is_failed_and_frees_its_lane() {
    let gate = Arc::new(Gate::default());
    let held_up = Arc::clone(&gate);
    let policy = Policy { lanes: 1, deadline: Duration::from_millis(100), ..Policy::default() };
    let deadline = policy.deadline;
    let bench = Bench::new(policy, move |source, run| {
        if source.info.id == 1 {
            held_up.pass();
        }
        Ok(made(source, run, 3))
    });
    bench.add(1);
    bench.until("it hangs", || gate.came() == 1);
    bench.add_made([2]);
    let view = bench.view(1);
    assert_eq!((view.health, view.last_failure), (Health::Failed, Some(Reported::TimedOut(deadline))));
    assert!(failure(&bench, 1).contains("not done after"), "{}", failure(&bench, 1));

    drop(bench.driver.claim(1));
    bench.operate(Command::Refresh(ShardId(1))).unwrap();
    assert_eq!(gate.came(), 1, "another one would hang as it does");
    gate.open();
    bench.until_idle();
    let shard = bench.shard(1);
    assert!(shard.published.is_none() && shard.view.generation == 0, "its late end is ignored");
    bench.operate(Command::Refresh(ShardId(1))).unwrap();
    bench.until("it is made anew", || bench.view(1).generation == 1);
}

#[test]
fn a_make_that_succeeds_after_it_was_cancelled_is_not_published() {
    let gate = Arc::new(Gate::default());
    let held_up = Arc::clone(&gate);
    let bench = Bench::new(Policy::default(), move |source, run| {
        held_up.pass();
        Ok(made(source, run, 3))
    });
    bench.add(1);
    bench.until("it is being made", || gate.came() == 1);
    bench.operate(Command::Hibernate(ShardId(1))).unwrap();
    gate.open();
    bench.until_idle();
    let shard = bench.shard(1);
    assert!(shard.published.is_none() && shard.digest.is_none() && shard.known.is_none());
    assert_eq!((shard.view.health, shard.view.generation), (Health::Empty, 0));
    let totals = bench.driver.totals();
    assert_eq!((totals.bodies_bytes, totals.reserved_bytes, totals.retained_bytes), (0, 0, 0));
}

#[test]
fn a_shard_whose_make_was_cancelled_can_be_loaded() {
    let makes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&makes);
    let bench =
        Bench::new(Policy::default(), move |source, run| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => until_cancelled(run),
            _ => Ok(made(source, run, 3)),
        });
    bench.add(1);
    bench.until("it is being made", || makes.load(Ordering::SeqCst) == 1);
    bench.operate(Command::Hibernate(ShardId(1))).unwrap();
    let claim = bench.driver.claim(1);
    bench.until("it is made after all", || bench.view(1).generation == 1);
    assert_eq!((makes.load(Ordering::SeqCst), bench.view(1).failures), (2, 0));
    drop(claim);
}

#[test]
fn a_forgotten_shard_that_is_being_made_is_stopped_and_not_shown() {
    let came = Arc::new(Gate::default());
    let begun = Arc::clone(&came);
    let bench = Bench::new(Policy::default(), move |_, run| {
        begun.open();
        until_cancelled(run)
    });
    bench.add(1);
    came.pass();
    bench.operate(Command::Forget { shard: ShardId(1), force: true }).unwrap();
    assert!(bench.catalogue.get(1).is_none());
    bench.until_idle();
    assert_eq!(bench.driver.totals().held_bytes, 0);
}

#[test]
fn twenty_five_who_claim_a_cold_shard_are_one_make() {
    let makes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&makes);
    let bench = Bench::new(Policy::default(), move |source, run| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(made(source, run, 3))
    });
    bench.add_made([1]);
    bench.operate(Command::Hibernate(ShardId(1))).unwrap();
    let all_there = Barrier::new(25);
    thread::scope(|scope| {
        for _ in 0..25 {
            scope.spawn(|| {
                all_there.wait();
                let _claim = bench.driver.claim(1);
                bench.until("it is there", || bench.shard(1).published.is_some());
            });
        }
    });
    assert_eq!((makes.load(Ordering::SeqCst), bench.view(1).loads_total), (2, 2));
}

/// Makes that can only end if `together` of them run at one time, and how many ever did.
fn side_by_side(together: usize, lanes: usize) -> (Bench, Arc<AtomicUsize>) {
    let (barrier, now, most) = (Barrier::new(together), AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let bench = Bench::new(Policy { lanes, ..Policy::default() }, move |source, run| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        barrier.wait();
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(made(source, run, 3))
    });
    (bench, most)
}

#[test]
fn makes_run_side_by_side_up_to_the_lanes() {
    let (bench, most) = side_by_side(3, 3);
    (1..=9).for_each(|id| bench.add(id));
    bench.until("all are made", || (1..=9).all(|id| bench.view(id).health == Health::Fresh));
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn who_waits_for_an_answer_has_lanes_beside_background_work() {
    let (bench, most) = side_by_side(6, 3);
    (1..=5).for_each(|id| bench.add(id));
    bench.until("the lanes are full", || most.load(Ordering::SeqCst) == 3);
    bench.add(6);
    let claims: Vec<Claim> = [4, 5, 6].map(|id| bench.driver.claim(id)).into();
    bench.until("all are made", || (1..=6).all(|id| bench.view(id).health == Health::Fresh));
    drop(claims);
}
