//! How the driver ends, and what those see who talk to it then; threads that cannot be had.

use super::*;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::process;

#[test]
fn a_make_that_hangs_is_left_behind_when_patience_is_over() {
    let gate = Arc::new(Gate::default());
    let held_up = Arc::clone(&gate);
    let hang = move |source: &Source, run: &ScanRun| {
        held_up.pass();
        Ok(made(source, run, 3))
    };
    let bench = Bench::with(Policy::default(), hang, |parts| {
        parts.stop_patience = Duration::from_millis(50);
    });
    bench.add(1);
    bench.until("it hangs", || gate.came() == 1);
    bench.driver.stop();
    bench.driver.stop();
    gate.open();
    drop(bench.driver.claim(1));
    assert!(bench.driver.operate(Command::Refresh(ShardId(1))).is_none());
    assert!(bench.shard(1).published.is_none());
}

#[test]
fn makes_are_told_to_stop_and_waited_for() {
    let (came, ended) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let (begun, over) = (Arc::clone(&came), Arc::clone(&ended));
    let bench = Bench::new(Policy::default(), move |_, run| {
        begun.open();
        let result = until_cancelled(run);
        over.fetch_add(1, Ordering::SeqCst);
        result
    });
    bench.add(1);
    came.pass();
    bench.driver.stop();
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[test]
fn nobody_waits_for_a_driver_that_is_stopping() {
    let gate = Arc::new(Gate::default());
    let held_up = Arc::clone(&gate);
    let bench = Bench::new(Policy::default(), move |source, run| {
        held_up.pass();
        Ok(made(source, run, 3))
    });
    bench.add(1);
    bench.until("it hangs", || gate.came() == 1);
    let began = Instant::now();
    thread::scope(|scope| {
        let ask = || while bench.driver.operate(Command::Unpin(ShardId(1))).is_some() {};
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        let stopping = scope.spawn(|| bench.driver.stop());
        asking.into_iter().for_each(|asking| asking.join().unwrap());
        // More than the inbox takes, and nobody reads it any more.
        (0..=INBOX).for_each(|_| bench.driver.hint(Vec::new()));
        drop(bench.driver.claim(1));
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
        assert!(!stopping.is_finished(), "it waits for the make that hangs, and nobody with it");
        gate.open();
    });
}

/// An allocator that is slow to give memory back, and knows what is held afterwards.
struct Slow(Arc<Gate>);

impl Allocator for Slow {
    fn held_bytes(&self) -> Option<u64> {
        Some(0)
    }

    fn give_back(&self) {
        self.0.pass();
    }
}

#[test]
fn stopping_waits_for_the_janitor_and_not_the_other_way_round() {
    let gate = Arc::new(Gate::default());
    let slow: Arc<dyn Allocator> = Arc::new(Slow(Arc::clone(&gate)));
    let bench = Bench::with(
        Policy::default(),
        |source, run| Ok(made(source, run, 3)),
        |parts| parts.allocator = Some(slow),
    );
    bench.add_made([1]);
    bench.until("the janitor is busy", || gate.came() == 1);
    thread::scope(|scope| {
        let stopping = scope.spawn(|| bench.driver.stop());
        while bench.driver.operate(Command::Unpin(ShardId(1))).is_some() {}
        (0..=INBOX).for_each(|_| bench.driver.hint(Vec::new()));
        assert!(!stopping.is_finished());
        gate.open();
    });
}

/// An allocator that holds up whoever asks it.
#[derive(Default)]
struct Stop(Mutex<Option<Arc<Gate>>>);

impl Allocator for Stop {
    fn held_bytes(&self) -> Option<u64> {
        let gate = self.0.lock().clone();
        gate.inspect(|gate| gate.pass());
        None
    }

    fn give_back(&self) {}
}

/// True if this process has a thread of this name.
fn runs(name: &str) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.into_iter().any(|comm| comm.trim_end() == name)
}

/// Names the test whose process is to run out of memory for threads.
const ALONE: &str = "HEARTH_TEST_ALONE";

#[test]
fn an_attempt_without_a_thread_is_a_failed_attempt() {
    if std::env::var_os(ALONE).is_none() {
        let test = "driver::tests::stopping::an_attempt_without_a_thread_is_a_failed_attempt";
        let mut child = process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", test, "--test-threads=1"]).env(ALONE, "1").output().unwrap();
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
        return;
    }
    let stop = Arc::new(Stop::default());
    let (policy, allocator) = (Policy { lanes: 9, ..Policy::default() }, Arc::clone(&stop));
    let make = |source: &Source, run: &ScanRun| Ok(made(source, run, 3));
    let bench = Bench::with(policy, make, |parts| parts.allocator = Some(allocator));
    bench.until("its threads have what they need", || {
        ["hearth-kernel", "hearth-janitor"].iter().all(|name| runs(name))
    });
    // Only memory that the process has by now, and little more: not enough for the stack of a thread.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kib: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    setrlimit(Resource::As, Rlimit { current: Some((kib + 1536) << 10), maximum: None }).unwrap();
    let all_failed = || (1..=9).all(|id| bench.view(id).health == Health::Failed);
    (1..=9).for_each(|id| bench.add(id));
    bench.until("all failed", all_failed);
    let error = bench.shard(9).last_error().unwrap();
    assert!(error.contains("no thread can be started"), "{error}");

    // The same once more while nobody else's message fits into the inbox.
    bench.operate(Command::HibernateAll).unwrap();
    assert!((1..=9).all(|id| bench.view(id).health == Health::Empty));
    let gate = Arc::new(Gate::default());
    *stop.0.lock() = Some(Arc::clone(&gate));
    bench.until("the driver is held up", || gate.came() == 1);
    bench.driver.hint((1..=9).map(ShardId).collect());
    (1..INBOX).for_each(|_| bench.driver.hint(Vec::new()));
    gate.open();
    bench.until("all failed again", all_failed);

    setrlimit(Resource::As, Rlimit { current: None, maximum: None }).unwrap();
    bench.operate(Command::Refresh(ShardId(9))).unwrap();
    bench.until("it recovered", || bench.view(9).health == Health::Fresh);
}
