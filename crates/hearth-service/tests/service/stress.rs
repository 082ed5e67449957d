//! Many threads ask while sources are renewed, demoted, pinned, taken out of memory and changed on disk.
//!
//! Every source holds one folder of files whose names carry the number of their making. The whole folder
//! is exchanged in one step of the file system, so a scan sees one making or the next. An answer that
//! mixes two, lacks a file or goes back in time is torn.

use crate::fixture::{Fixture, ask, patience};
use hearth_service::api::{FindRequest, FindSummary, Health, Reason, ShardStatus, Status, Tier};
use hearth_service::{Config, ServiceError, Waited};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SOURCES: usize = 8;
const FILES: usize = 1000;
const ASKERS: usize = 60;
/// Askers of the source that is pinned.
const HOT_ASKERS: usize = 4;
/// Ordinary length of the run; `HEARTH_STRESS_S` sets another one.
const LENGTH: Duration = Duration::from_secs(8);
/// How much longer it may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);
/// One scan (2.3 MB) at a time, and no room beside it for all bodies (0.2 MB each).
const BUDGET: u64 = 4_000_000;

/// What all threads see.
struct Stress {
    fixture: Fixture,
    over: AtomicBool,
    /// Number of the making that each source holds on disk, at least.
    on_disk: [AtomicU64; SOURCES],
    answers: AtomicU64,
    refusals: AtomicU64,
    /// Bodies that gave way to others.
    demotions: AtomicU64,
    longest: Mutex<Longest>,
}

/// The longest that somebody waited.
#[derive(Clone, Copy, Debug, Default)]
struct Longest {
    /// For the list of sources or the status.
    state: Duration,
    /// For an answer of the pinned source.
    hot: Duration,
    /// For any other answer.
    cold: Duration,
}

/// Numbers without a pattern (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn name(source: usize) -> String {
    format!("s{source}")
}

fn names(source: usize) -> [Vec<u8>; 1] {
    [name(source).into_bytes()]
}

/// Makes a folder of files with this number.
fn make(fixture: &Fixture, folder: &str, number: u64) {
    let folder = fixture.path(folder);
    std::fs::create_dir_all(&folder).unwrap();
    (0..FILES)
        .for_each(|file| drop(std::fs::File::create(folder.join(format!("{number}-f{file:04}"))).unwrap()));
}

impl Stress {
    fn new() -> Self {
        let mut config = Config::default();
        config.memory.budget = Some(BUDGET);
        config.pressure.enabled = false;
        let fixture = Fixture::with(config);
        for source in 0..SOURCES {
            make(&fixture, &format!("{}/live", name(source)), 1);
            fixture.add(&name(source));
        }
        fixture.service.pin(&names(0), &patience()).unwrap();
        Self {
            fixture,
            over: AtomicBool::new(false),
            on_disk: [const { AtomicU64::new(1) }; SOURCES],
            answers: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            demotions: AtomicU64::new(0),
            longest: Mutex::default(),
        }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn note(&self, field: impl FnOnce(&mut Longest) -> &mut Duration, took: Duration) {
        let mut longest = self.longest.lock().unwrap();
        let field = field(&mut longest);
        *field = took.max(*field);
    }

    /// Asks; `None` if there was no memory for it, which is the one refusal that is allowed.
    fn ask(&self, request: &FindRequest) -> Option<(Vec<String>, FindSummary)> {
        match self.fixture.run(request) {
            Ok(answer) => {
                self.answers.fetch_add(1, Ordering::Relaxed);
                Some(answer)
            }
            Err(ServiceError::OverBudget { .. }) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Checks that rows are whole makings in their order; gives the number of each source's making.
    fn makings(rows: &[String], whole: bool) -> Vec<(usize, u64)> {
        let parse = |row: &String| {
            let (source, file) = row.strip_prefix('s')?.split_once("/live/")?;
            let (number, file) = file.split_once("-f")?;
            Some((source.parse::<usize>().ok()?, number.parse::<u64>().ok()?, file.parse::<usize>().ok()?))
        };
        let rows: Vec<_> = rows.iter().map(|row| parse(row).unwrap_or_else(|| panic!("{row}"))).collect();
        let of_sources = rows.chunk_by(|a, b| a.0 == b.0);
        let check = |rows: &[(usize, u64, usize)]| {
            let (source, number, _) = rows[0];
            assert!(
                rows.iter().all(|row| row.1 == number),
                "torn: {:?} to {:?}",
                rows[0],
                rows[rows.len() - 1]
            );
            assert!(
                rows.iter().map(|row| row.2).eq(0..rows.len()),
                "s{source} lacks files of making {number}"
            );
            assert!(!whole || rows.len() == FILES, "s{source}: {} files of making {number}", rows.len());
            (source, number)
        };
        of_sources.map(check).collect()
    }

    /// Asks in all ways, as a user would.
    fn wander(&self, mut dice: Dice) {
        let mut seen = [1; SOURCES];
        while self.goes_on() {
            let source = dice.below(SOURCES);
            let within = vec![self.fixture.bytes(&name(source))];
            let (kind, all) = (dice.below(8), ask("type:file"));
            let request = match kind {
                0..=3 => FindRequest { within, ..all },
                4 => FindRequest { within, count_only: true, ..all },
                5 => FindRequest { limit: Some(20), ..all },
                6 => FindRequest { count_only: true, ..all },
                _ => ask("=absent.bin"),
            };
            let began = Instant::now();
            let Some((rows, summary)) = self.ask(&request) else { continue };
            self.note(|longest| &mut longest.cold, began.elapsed());
            let complete = summary.sources.iter().filter(|meta| meta.complete).count();
            match kind {
                4 | 6 => assert_eq!(summary.matched, Some((complete * FILES) as u64), "{summary:?}"),
                7 => assert!(rows.is_empty() && summary.matched == Some(0)),
                _ => {
                    for (source, number) in Self::makings(&rows, kind < 4) {
                        assert!(
                            number >= seen[source],
                            "s{source} went back from {} to {number}",
                            seen[source]
                        );
                        seen[source] = number;
                    }
                }
            }
        }
    }

    /// Asks what is in memory for sure.
    fn ask_hot(&self) {
        let within = vec![self.fixture.bytes(&name(0))];
        let request = FindRequest { limit: Some(20), within, ..ask("type:file") };
        while self.goes_on() {
            let began = Instant::now();
            let (rows, _) = self.ask(&request).expect("the pinned source needs no memory");
            self.note(|longest| &mut longest.hot, began.elapsed());
            assert_eq!((rows.len(), Self::makings(&rows, false).len()), (20, 1));
        }
    }

    /// Does what operators do.
    fn operate(&self, mut dice: Dice) {
        let service = &self.fixture.service;
        while self.goes_on() {
            let source = 1 + dice.below(SOURCES - 1);
            let done = match dice.below(6) {
                0 | 1 => service.refresh(&names(source)).map(drop),
                2 => service.refresh(&names(0)).map(drop),
                3 => service.hibernate(&[], &patience()).map(drop),
                4 => service.preload(&names(source), Some(Duration::from_millis(20)), &patience()).map(drop),
                _ => service
                    .pin(&names(source), &patience())
                    .and_then(|_| service.unpin(&names(source)))
                    .map(drop),
            };
            match done {
                Ok(()) => {}
                Err(ServiceError::OverBudget { .. }) => drop(self.refusals.fetch_add(1, Ordering::Relaxed)),
                Err(error) => panic!("{error}"),
            }
            thread::sleep(Duration::from_millis(dice.below(30) as u64));
        }
    }

    /// Exchanges the folders of files, one source after the other.
    fn change(&self) {
        for step in 0.. {
            let (source, number) = (step % SOURCES, 2 + (step / SOURCES) as u64);
            let stage = format!("stage/{}-{number}", name(source));
            make(&self.fixture, &stage, number);
            let live = self.fixture.path(&name(source)).join("live");
            if !self.goes_on() {
                return;
            }
            renameat_with(CWD, self.fixture.path(&stage), CWD, live, RenameFlags::EXCHANGE).unwrap();
            self.on_disk[source].store(number, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Watches the state, which is never to be waited for.
    fn watch(&self) {
        let mut generations = [0; SOURCES];
        while self.goes_on() {
            let began = Instant::now();
            let (sources, status) = (self.fixture.service.list(), self.fixture.service.status());
            self.note(|longest| &mut longest.state, began.elapsed());
            assert_eq!(sources.len(), SOURCES);
            check_status(&status);
            for (shard, before) in status.shards.iter().zip(&mut generations) {
                assert!(shard.generation >= *before, "{shard:?} after generation {before}");
                *before = shard.generation;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Counts what gives way.
    fn follow(&self) {
        let moves = self.fixture.service.transitions();
        while self.goes_on() {
            let Waited::Event(event) = moves.wait(Duration::from_millis(20)) else { continue };
            let gave_way = event.reason == Reason::Budget && event.to == "parked";
            self.demotions.fetch_add(u64::from(gave_way), Ordering::Relaxed);
        }
    }

    /// Enough of everything that is to be withstood has happened.
    fn has_moved(&self) -> bool {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shards = self.fixture.service.status().shards;
        let total = |of: fn(&ShardStatus) -> u64| shards.iter().map(of).sum::<u64>();
        count(&self.answers) > 10 * ASKERS as u64
            && total(|shard| shard.loads_total) > SOURCES as u64
            && total(|shard| shard.rebuilds_total) > 0
            && count(&self.demotions) > 0
    }

    /// Everything comes to rest, is fresh when asked, and leaves nothing behind.
    fn settle(&self) {
        let service = &self.fixture.service;
        service.unpin(&[]).unwrap();
        for source in 0..SOURCES {
            service.refresh(&names(source)).unwrap();
            service.wait_complete(&name(source), &patience()).unwrap();
            let within = vec![self.fixture.bytes(&name(source))];
            let (rows, _) = self.fixture.run(&FindRequest { within, ..ask("type:file") }).unwrap();
            let number = self.on_disk[source].load(Ordering::Relaxed);
            assert_eq!(Self::makings(&rows, true), [(source, number)]);
        }
        service.hibernate(&[], &patience()).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while service.status().held_bytes > 0 {
            assert!(Instant::now() < until, "{:?}", service.status());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn check_status(status: &Status) {
    assert!(status.held_bytes <= status.budget_bytes, "{} of {}", status.held_bytes, status.budget_bytes);
    let pinned = &status.shards[0];
    assert!(pinned.tier == Tier::Hot && pinned.pinned, "{pinned:?}");
    assert!(!status.shards.iter().any(|shard| shard.tier >= Tier::Warm && shard.health == Health::Empty));
}

#[test]
fn no_answer_is_torn_while_everything_moves() {
    let length = std::env::var("HEARTH_STRESS_S").ok().and_then(|seconds| seconds.parse().ok());
    let stress = Stress::new();
    thread::scope(|scope| {
        let stress = &stress;
        let mut threads = Vec::new();
        for seed in 0..ASKERS as u64 {
            threads.push(scope.spawn(move || stress.wander(Dice(0x9E37_79B9_7F4A_7C15 ^ (seed + 1)))));
        }
        threads.extend((0..HOT_ASKERS).map(|_| scope.spawn(|| stress.ask_hot())));
        threads.push(scope.spawn(|| stress.operate(Dice(12345))));
        threads.push(scope.spawn(|| stress.change()));
        threads.push(scope.spawn(|| stress.watch()));
        threads.push(scope.spawn(|| stress.follow()));
        let least = Instant::now() + length.map_or(LENGTH, Duration::from_secs);
        let most = least + PATIENCE;
        // One that ended early has panicked: the others need not go on.
        while !threads.iter().any(thread::ScopedJoinHandle::is_finished) {
            let now = Instant::now();
            if now > most || (now > least && stress.has_moved()) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        stress.over.store(true, Ordering::Relaxed);
    });
    let status = stress.fixture.service.status();
    let total = |count: fn(&ShardStatus) -> u64| status.shards.iter().map(count).sum::<u64>();
    let (loads, rebuilds) = (total(|shard| shard.loads_total), total(|shard| shard.rebuilds_total));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (answers, demotions) = (count(&stress.answers), count(&stress.demotions));
    let (longest, refusals) = (*stress.longest.lock().unwrap(), count(&stress.refusals));
    let figures = format!("{answers} answers, {loads} loads, {rebuilds} rebuilds, {demotions} demotions");
    writeln!(std::io::stdout(), "{figures}, {refusals} refusals, {longest:?}").unwrap();
    assert!(stress.has_moved());
    stress.settle();
    let patience = stress.fixture.service.config().load.admission_wait / 2;
    assert!(longest.hot < patience && longest.state < patience, "{longest:?}");
}
