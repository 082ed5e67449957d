//! The memory budget: cost of a kernel step, loads side by side, hot queries beside them, and memory that
//! comes back.
//!
//! Sources are trees of real files, indexed by the service in this process. What the index counts, what
//! the allocator counts and what the kernel of the machine counts are shown beside each other.

use crate::options::Options;
use crate::random::Random;
use crate::samples::{Samples, ratio};
use crate::table::{Table, count, digits, megabytes, time};
use crate::trees::Trees;
use crate::{Outcome, memory};
use hearth_core::CancelToken;
use hearth_residency::{Effect, Event, Kernel, Measured, Outcome as Made, Policy, ShardId};
use hearth_service::api::{FindRequest, RowSink, Rows, SinkClosed};
use hearth_service::{Allocator, Config, Folders, Service};
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tikv_jemalloc_ctl::{epoch, stats};

/// Trees that are indexed.
const TREES: usize = 8;
/// Shards of the kernel whose steps are measured.
const SHARDS: u64 = 1000;
const STEPS: u64 = 1_000_000;
/// Within this time the memory of what was given up has to be back.
const GIVE_BACK: Duration = Duration::from_secs(2);

pub(crate) fn run(options: &Options) -> Outcome {
    kernel_steps(options.seed);
    let entries = (options.entries / 100).max(1000);
    let trees = Trees::make(TREES, entries, options.seed)?;
    let mut config = Config::default();
    config.memory.budget = Some(64 << 30);
    config.load.lanes = TREES;
    let service =
        Service::open_with(config, &Folders::under(&trees.beside("service")), Some(Arc::new(Measuring)))?;
    memory::purge();
    let before = memory_now();
    for top in &trees.tops {
        let source = service.add(top.as_os_str().as_bytes(), None)?;
        service.wait_complete(&source.name, &CancelToken::new())?;
    }
    comes_back(&service, before, entries)?;
    side_by_side(&service, &trees)?;
    undisturbed(&service, &trees)?;
    service.shutdown();
    Ok(())
}

struct Measuring;

impl Allocator for Measuring {
    fn held_bytes(&self) -> Option<u64> {
        Some(memory_now().allocator)
    }

    fn give_back(&self) {
        memory::purge();
    }
}

#[derive(Clone, Copy)]
struct Memory {
    allocator: u64,
    resident: u64,
}

fn memory_now() -> Memory {
    epoch::advance().expect("jemalloc is linked");
    Memory { allocator: stats::allocated::read().expect("it counts") as u64, resident: memory::resident() }
}

/// Random events over many shards, bodies coming and going at the brim of the budget.
fn kernel_steps(seed: u64) {
    let policy = Policy { budget_bytes: SHARDS * 600, lanes: 64, ..Policy::default() };
    let mut kernel: Kernel<()> = Kernel::new(policy);
    let (mut random, mut samples, mut now) = (Random::new(seed, 7), Samples::default(), Duration::ZERO);
    let mut todo: Vec<Event<()>> = (0..SHARDS)
        .map(|shard| Event::Add { shard: ShardId(shard), forecast_bytes: 1500, stored: None })
        .collect();
    let mut generations = vec![0; SHARDS as usize];
    let (mut steps, mut effects_total) = (0, 0);
    while steps < STEPS {
        let event = todo.pop().unwrap_or_else(|| random_event(&mut random));
        now += Duration::from_micros(100);
        let begun = Instant::now();
        let effects = kernel.step(now, event);
        samples.push(begun.elapsed());
        (steps, effects_total) = (steps + 1, effects_total + effects.len());
        todo.extend(effects.iter().filter_map(|effect| consequence(effect, &mut generations)));
    }
    let table =
        Table::begin("A step of the kernel, 1 000 shards", &["steps", "effects", "p50", "p99", "longest"]);
    table.row(&[
        count(steps),
        count(effects_total as u64),
        time(samples.median()),
        time(samples.percentile(99.0)),
        time(samples.longest()),
    ]);
}

fn random_event(random: &mut Random) -> Event<()> {
    let shard = ShardId(random.below(SHARDS as usize) as u64);
    match random.below(10) {
        0 => Event::Tick,
        1 | 2 => Event::Claimed(shard),
        3 | 4 => Event::Settled(shard),
        _ => Event::Touched { shard, queries: 1 },
    }
}

/// Attempts succeed at once, and what is given up is let go of at once.
fn consequence(effect: &Effect<()>, generations: &mut [u64]) -> Option<Event<()>> {
    match *effect {
        Effect::Start { shard, attempt, .. } => {
            let measured = Measured { body_bytes: 1000, digest_bytes: 20, peak_bytes: 1500 };
            Some(Event::Ended { shard, attempt, outcome: Made::Built { body: (), measured, behind: false } })
        }
        Effect::Publish { shard, generation, .. } => {
            generations[shard.0 as usize] = generation;
            None
        }
        Effect::Park(shard) | Effect::Drop(shard) => {
            Some(Event::Released { shard, generation: generations[shard.0 as usize] })
        }
        _ => None,
    }
}

/// Three counts of what all bodies take, and how much of it is back after they were given up.
fn comes_back(service: &Service, before: Memory, entries: usize) -> Outcome {
    memory::purge();
    thread::sleep(Duration::from_millis(300));
    let (loaded, counted) = (memory_now(), service.status().resident_bytes);
    let (allocator, resident) =
        (loaded.allocator - before.allocator, loaded.resident.saturating_sub(before.resident));
    let begun = Instant::now();
    service.hibernate(&[], &CancelToken::new())?;
    let wanted = counted / 10 * 9;
    let mut fell = 0;
    let mut in_time = None;
    while begun.elapsed() < GIVE_BACK {
        fell = loaded.resident.saturating_sub(memory::resident());
        if in_time.is_none() && fell >= wanted {
            in_time = Some(begun.elapsed());
        }
        thread::sleep(Duration::from_millis(5));
    }
    let title = format!("Memory of {TREES} sources of {} entries", count(entries as u64));
    let table = Table::begin(&title, &["what", "bytes", "share of what the index counts"]);
    let share = |bytes: u64| format!("{} %", digits(bytes as f64 / counted as f64 * 100.0));
    table.row(&["counted by the index".into(), megabytes(counted), share(counted)]);
    table.row(&[
        "handed out by the allocator, above the start".into(),
        megabytes(allocator),
        share(allocator),
    ]);
    table.row(&["resident, above the start".into(), megabytes(resident), share(resident)]);
    table.row(&["resident fell in 2 s after all were given up".into(), megabytes(fell), share(fell)]);
    let when = in_time.map_or_else(|| "not in time".to_owned(), time);
    table.row(&["… by 90 % of the count after".into(), when, String::new()]);
    Ok(())
}

/// One cold source after the other, then all of them by one question.
fn side_by_side(service: &Service, trees: &Trees) -> Outcome {
    let mut single = Samples::default();
    let mut sum = Duration::ZERO;
    for top in &trees.tops {
        service.hibernate(&[], &CancelToken::new())?;
        let within = vec![top.as_os_str().as_bytes().to_vec()];
        let begun = Instant::now();
        ask(service, &counting("report", within))?;
        single.push(begun.elapsed());
        sum += begun.elapsed();
    }
    service.hibernate(&[], &CancelToken::new())?;
    let begun = Instant::now();
    ask(service, &counting("report", Vec::new()))?;
    let all = begun.elapsed();
    let cores = thread::available_parallelism()?.get();
    // No schedule on these cores is faster than both.
    let floor = single.longest().max(sum / u32::try_from(cores)?);
    let title = format!("Loading {TREES} cold sources, {cores} cores");
    let table = Table::begin(&title, &["what", "time", "times the slowest single", "times the cores' floor"]);
    let row = |name: &str, took| {
        let by = |of| digits(ratio(took, of));
        table.row(&[name.into(), time(took), by(single.longest()), by(floor)]);
    };
    row("slowest single", single.longest());
    row("one after the other", sum);
    row("all by one question", all);
    Ok(())
}

/// A selective question to a pinned source, alone and while the others are loaded and given up.
fn undisturbed(service: &Service, trees: &Trees) -> Outcome {
    let hot = trees.tops[0].as_os_str().as_bytes().to_vec();
    service.pin(std::slice::from_ref(&hot), &CancelToken::new())?;
    let question = FindRequest { limit: Some(100), ..counting("report_0", vec![hot]) };
    let question = FindRequest { count_only: false, ..question };
    let rounds = |samples: &mut Samples, duration: Duration| -> Outcome {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            samples.time(|| ask(service, &question))?;
            thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    };
    let (mut alone, mut beside) = (Samples::default(), Samples::default());
    let others: Vec<Vec<u8>> =
        trees.tops[1..].iter().map(|top| top.as_os_str().as_bytes().to_vec()).collect();
    for _ in 0..3 {
        rounds(&mut alone, Duration::from_secs(2))?;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| -> Outcome {
            let churn = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // A source at a time, so that a core is left where there are two.
                    for other in &others {
                        let _ = ask(service, &counting("report", vec![other.clone()]));
                        let _ = service.hibernate(std::slice::from_ref(other), &CancelToken::new());
                    }
                }
            });
            let measured = rounds(&mut beside, Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
            churn.join().expect("it does not panic");
            measured
        })?;
    }
    let columns = ["when", "p50", "p95", "p99"];
    let table = Table::begin("A hot source's query while others load and are given up", &columns);
    for (name, samples) in [("alone", &alone), ("beside loads", &beside)] {
        let at = |percent| time(samples.percentile(percent));
        table.row(&[name.into(), at(50.0), at(95.0), at(99.0)]);
    }
    let by = |percent| digits(ratio(beside.percentile(percent), alone.percentile(percent)));
    table.row(&["ratio".into(), by(50.0), by(95.0), by(99.0)]);
    Ok(())
}

fn counting(query: &str, within: Vec<Vec<u8>>) -> FindRequest {
    FindRequest { query: query.into(), within, count_only: true, ..FindRequest::default() }
}

struct Ignored;

impl RowSink for Ignored {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed> {
        black_box(rows.rows);
        Ok(())
    }
}

fn ask(service: &Service, request: &FindRequest) -> Outcome {
    service.find(request, &CancelToken::new(), &mut Ignored)?;
    Ok(())
}
