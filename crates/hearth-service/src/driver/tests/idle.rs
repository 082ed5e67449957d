//! What the driver does while nothing happens: nothing. And what ends that.

use super::*;
use crate::pressure::{Alarm, FakeWorld, MemoryWorld, Ring, RootFolder, SystemAlarm};
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64};

/// Files of a machine that note how often they were looked at, and by which thread last.
#[derive(Default)]
struct Noting {
    world: FakeWorld,
    looks: AtomicU64,
    thread: AtomicI32,
}

impl Noting {
    fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    fn available(&self, percent: u64) {
        let text = format!("MemTotal: 100000 kB\nMemAvailable: {} kB\n", percent * 1000);
        self.world.write("/proc/meminfo", text);
    }

    /// How often the thread that looked last has gone to sleep.
    fn sleeps(&self) -> u64 {
        let thread = self.thread.load(Ordering::SeqCst);
        let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
        assert!(status.contains("Name:\thearth-kernel\n"), "{status}");
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse().unwrap()
    }
}

impl MemoryWorld for Noting {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("/proc/meminfo") {
            self.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::SeqCst);
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        self.world.read(path)
    }
}

/// An alarm that a test rings.
#[derive(Clone, Default)]
struct Rung(Arc<OnceLock<Mutex<Ring>>>);

impl Rung {
    fn ring(&self) {
        self.0.get().unwrap().lock()();
    }
}

impl Alarm for Rung {
    fn start(&mut self, ring: Ring) -> io::Result<()> {
        assert!(self.0.set(Mutex::new(ring)).is_ok());
        Ok(())
    }

    fn works(&self) -> bool {
        true
    }
}

/// A driver with one source in memory, that is told of pressure by `alarm`.
fn quiet(policy: Policy, alarm: Option<Box<dyn Alarm>>) -> (Bench, Arc<Noting>) {
    let world = Arc::new(Noting::default());
    world.available(50);
    let gauge = Gauge::new(Arc::<Noting>::clone(&world));
    let make = |source: &Source, run: &ScanRun| Ok(made(source, run, 3));
    let bench = Bench::with(policy, make, |parts| {
        parts.poll = Duration::from_millis(60);
        (parts.gauge, parts.alarm) = (Some(gauge), alarm);
    });
    bench.add_made([1]);
    (bench, world)
}

/// Waits until the driver has not looked for a while.
fn until_asleep(bench: &Bench, world: &Noting) {
    bench.until("it falls asleep", || {
        let looks = world.looks();
        thread::sleep(Duration::from_millis(300));
        looks > 0 && world.looks() == looks
    });
}

#[test]
fn an_idle_driver_does_not_wake_up() {
    let alarm = match SystemAlarm::open(&RootFolder::new("/")) {
        Ok(alarm) => Box::new(alarm),
        Err(error) => {
            writeln!(io::stderr(), "skipped: pressure cannot be waited for here: {error}").unwrap();
            return;
        }
    };
    let (bench, world) = quiet(Policy::default(), Some(alarm));
    until_asleep(&bench, &world);
    let sleeps = world.sleeps();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(world.sleeps() - sleeps, 0);
}

#[test]
fn without_an_alarm_it_looks_again_and_again() {
    let (bench, world) = quiet(Policy::default(), None);
    let looks = world.looks();
    bench.until("it looks", || world.looks() > looks + 10);
}

#[test]
fn an_alarm_makes_it_look_until_all_is_calm() {
    let alarm = Rung::default();
    let (bench, world) = quiet(Policy::default(), Some(Box::new(alarm.clone())));
    until_asleep(&bench, &world);
    world.available(4);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(bench.driver.totals().pressure, Pressure::None, "nobody told it");
    alarm.ring();
    bench.until("it parks", || bench.view(1).tier == Tier::Parked);
    let looks = world.looks();
    bench.until("it goes on looking", || world.looks() > looks + 10);
    world.available(50);
    bench.until("it clears", || bench.driver.totals().pressure == Pressure::None);
    until_asleep(&bench, &world);
}

#[test]
fn the_first_query_of_a_sleep_is_counted() {
    let (bench, world) = quiet(Policy::default(), Some(Box::new(Rung::default())));
    for _ in 0..3 {
        until_asleep(&bench, &world);
        let rate = bench.view(1).rate_per_min;
        bench.catalogue.touch(&bench.shard(1).source, clock::now_ns());
        bench.until("it is known", || bench.view(1).rate_per_min > rate);
    }
    assert_eq!(bench.shard(1).source.queries().0, 3);
}

#[test]
fn what_is_asked_all_the_time_is_not_idle() {
    let idle = Duration::from_secs(1);
    let policy = Policy { idle_warm: idle, adaptive_cap: 1.0, ..Policy::default() };
    let (bench, world) = quiet(policy, Some(Box::new(Rung::default())));
    let until = Instant::now() + 4 * idle;
    while Instant::now() < until {
        bench.catalogue.touch(&bench.shard(1).source, clock::now_ns());
        thread::sleep(idle * 2 / 5);
        assert_eq!(bench.view(1).tier, Tier::Warm);
    }
    bench.until("what nobody asks is parked", || bench.view(1).tier == Tier::Parked);
    until_asleep(&bench, &world);
}
