//! Who gives way when memory is short: by what attempts find, by what the process holds, by pressure.

use super::*;
use crate::forecast::working_bytes;
use crate::pressure::{FakeWorld, MemoryWorld};
use hearth_residency::Failure as Reported;
use std::path::Path;
use std::sync::atomic::AtomicU64;

const MIB: u64 = 1 << 20;

fn budget(budget_bytes: u64) -> Policy {
    Policy { budget_bytes, low_mark_percent: 90, ..Policy::default() }
}

fn over_budget(view: &View) -> bool {
    matches!(view.last_failure, Some(Reported::OverBudget(_)))
}

#[test]
fn a_make_that_finds_far_more_than_expected_is_stopped_and_doubted() {
    let makes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&makes);
    let bench = Bench::new(budget(20 * MIB), move |source, run| {
        if source.info.id == 2 {
            return Ok(made(source, run, 3));
        }
        counted.fetch_add(1, Ordering::SeqCst);
        run.counters.entries.store(500_000, Ordering::Relaxed);
        until_cancelled(run)
    });
    bench.add_made([2]);
    bench.add(1);
    bench.until("it is refused", || over_budget(&bench.view(1)));
    bench.until_idle();
    let Some(Reported::OverBudget(over)) = bench.view(1).last_failure else { panic!("{:?}", bench.view(1)) };
    assert_eq!((over.needed_bytes, over.budget_bytes), (working_bytes(500_000), 20 * MIB));
    assert_eq!(
        (bench.view(2).tier, bench.view(1).reserved_bytes),
        (Tier::Warm, 0),
        "nobody gave way in vain"
    );

    for failures in 2..5 {
        drop(bench.driver.claim(1));
        assert!(bench.view(1).failures == failures && over_budget(&bench.view(1)), "refused at once");
    }
    bench.operate(Command::Refresh(ShardId(1))).unwrap();
    assert!(makes.load(Ordering::SeqCst) == 1 && over_budget(&bench.view(1)));
}

/// An allocator that holds what is published, and something more.
struct Counting {
    catalogue: Arc<Catalogue>,
    more: Arc<AtomicU64>,
}

impl Allocator for Counting {
    fn held_bytes(&self) -> Option<u64> {
        let shards = self.catalogue.load();
        let bytes = shards.iter().map(|shard| shard.view.body_bytes + shard.view.digest_bytes);
        Some(bytes.sum::<u64>() + self.more.load(Ordering::SeqCst))
    }

    fn give_back(&self) {}
}

/// Files of a body of about 0.7 MB, made in less than 10 MB.
const FILES: u64 = 30_000;

/// Shards 1 to 4 in memory beside one that is made for ever, 5, and what the process holds besides.
fn crowded() -> (Bench, Arc<AtomicU64>, Arc<AtomicUsize>) {
    let (more, makes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (grows, counted) = (Arc::clone(&more), Arc::clone(&makes));
    let make = move |source: &Source, run: &ScanRun| {
        if source.info.id < 5 {
            return Ok(made(source, run, FILES));
        }
        counted.fetch_add(1, Ordering::SeqCst);
        let stopped = until_cancelled(run);
        grows.store(0, Ordering::SeqCst);
        stopped
    };
    let held = Arc::clone(&more);
    let bench = Bench::with(budget(16 * MIB), make, |parts| {
        let catalogue = Arc::clone(&parts.catalogue);
        parts.allocator = Some(Arc::new(Counting { catalogue, more: held }));
    });
    bench.add_made(1..=4);
    bench.add(5);
    bench.until("it is being made", || makes.load(Ordering::SeqCst) == 1);
    (bench, more, makes)
}

#[test]
fn what_a_make_takes_beyond_its_estimate_comes_from_those_least_used() {
    let (bench, more, makes) = crowded();
    let published = bench.driver.totals().bodies_bytes + bench.driver.totals().digests_bytes;
    bench.catalogue.touch(&bench.shard(1).source, clock::now_ns());
    bench.until("it is known to be used", || bench.view(1).rate_per_min > 0.0);
    more.store(16 * MIB - published + 1, Ordering::SeqCst);
    let expected = [Tier::Warm, Tier::Parked, Tier::Parked, Tier::Parked];
    bench.until("others gave way", || bench.tiers(1..=4) == expected);
    bench.until("it is enough", || {
        let totals = bench.driver.totals();
        totals.bodies_bytes == bench.view(1).body_bytes && totals.held_bytes <= 16 * MIB * 9 / 10
    });
    assert!(bench.view(5).health == Health::Loading && makes.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_make_that_takes_more_than_there_is_is_stopped_and_doubted() {
    let (bench, more, makes) = crowded();
    bench.operate(Command::Pin(ShardId(4))).unwrap();
    more.store(40 * MIB, Ordering::SeqCst);
    bench.until("it is stopped", || over_budget(&bench.view(5)));
    assert_eq!(bench.tiers(1..=4), [Tier::Parked, Tier::Parked, Tier::Parked, Tier::Hot]);
    bench.until_idle();
    drop(bench.driver.claim(5));
    assert!(makes.load(Ordering::SeqCst) == 1 && over_budget(&bench.view(5)), "refused at once");
    let claim = bench.driver.claim(1);
    bench.until("what gave way comes back", || bench.shard(1).published.is_some());
    drop(claim);
}

#[test]
fn a_replaced_body_counts_until_its_last_reader_lets_go() {
    let bench = Bench::new(Policy::default(), |source, run| Ok(made(source, run, 100)));
    bench.add_made([1]);
    let reader = bench.shard(1).published.clone().unwrap();
    let bytes = bench.view(1).body_bytes;
    bench.operate(Command::Refresh(ShardId(1))).unwrap();
    bench.until("it is replaced", || bench.view(1).generation == 2);
    assert_eq!((bench.view(1).retained_bytes, bench.driver.totals().retained_bytes), (bytes, bytes));
    bench.operate(Command::Hibernate(ShardId(1))).unwrap();
    bench.until("the other one is gone", || bench.view(1).retained_bytes == bytes);
    assert_eq!((reader.generation, reader.body.entries()), (1, 101), "it reads on undisturbed");
    drop(reader);
    bench.until("nothing is retained", || bench.view(1).retained_bytes == 0);
    assert_eq!(bench.driver.totals().held_bytes, 0);
}

/// A machine whose free memory a test sets, that notes how many bodies were there at every look.
struct Watched {
    world: Arc<FakeWorld>,
    catalogue: Arc<Catalogue>,
    bodies: Mutex<Vec<usize>>,
}

impl Watched {
    fn available(&self, percent: u64) {
        let text = format!("MemTotal: 100000 kB\nMemAvailable: {} kB\n", percent * 1000);
        self.world.write("/proc/meminfo", text);
    }
}

impl MemoryWorld for Watched {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("/proc/meminfo") {
            let shards = self.catalogue.load();
            self.bodies.lock().push(shards.iter().filter(|shard| shard.published.is_some()).count());
        }
        self.world.read(path)
    }
}

#[test]
fn pressure_parks_one_shard_a_look_until_it_clears_and_no_pinned_one() {
    let (told, watched) = bounded(1);
    let make = |source: &Source, run: &ScanRun| Ok(made(source, run, 3));
    let bench = Bench::with(Policy::default(), make, |parts| {
        let (world, catalogue) = (FakeWorld::new(&[]), Arc::clone(&parts.catalogue));
        let world = Arc::new(Watched { world, catalogue, bodies: Mutex::default() });
        world.available(50);
        told.send(Arc::clone(&world)).unwrap();
        parts.poll = Duration::from_millis(60);
        parts.gauge = Some(Gauge::new(world));
    });
    let world: Arc<Watched> = watched.recv().unwrap();
    bench.add_made(1..=5);
    bench.operate(Command::Pin(ShardId(1))).unwrap();
    world.bodies.lock().clear();
    world.available(4);
    bench.until("all that may are parked", || bench.tiers(2..=5) == [Tier::Parked; 4]);
    bench.until("it looks once more", || {
        world.bodies.lock().iter().filter(|bodies| **bodies == 1).count() > 1
    });
    let mut seen = world.bodies.lock().clone();
    seen.dedup();
    assert_eq!((seen, bench.view(1).tier), (vec![5, 4, 3, 2, 1], Tier::Hot));

    drop(bench.driver.claim(2));
    bench.until("who waits for an answer is served", || bench.view(2).generation == 2);
    bench.until("nobody else stays", || bench.view(2).tier == Tier::Parked);
    world.available(50);
    bench.until("it clears", || bench.driver.totals().pressure == Pressure::None);
    drop(bench.driver.claim(2));
    bench.until("it is back", || bench.view(2).generation == 3);
    let looks = world.bodies.lock().len();
    bench.until("it has looked again", || world.bodies.lock().len() > looks + 2);
    assert_eq!(bench.view(2).tier, Tier::Warm);
}
