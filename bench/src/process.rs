//! What a user waits for: `hearth find` from start to exit, beside plocate, fd and `true`; and the
//! latency of a short query while others export everything.
//!
//! A private daemon holds the real tree; plocate's database is made of the same tree. Programs take
//! turns, so that none has the machine to itself.

use crate::Outcome;
use crate::daemon::Daemon;
use crate::options::Options;
use crate::peer::{self, TemporaryFolder, program};
use crate::random::Random;
use crate::samples::{Samples, ratio};
use crate::scan::updatedb;
use crate::table::{Table, count, digits, megabytes, rate, time};
use crate::walk::{Counter, walk};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Words that every Linux system has in some names.
const WORDS: &[&str] = &["conf", "readme", "python", "libc", "linux", "zone", "utf", "makefile"];
const RUNS: usize = 200;
const RUNS_OF_FD: usize = 5;
const EXPORTERS: usize = 3;

pub(crate) fn run(options: &Options) -> Outcome {
    let daemon = Daemon::start(&options.path)?;
    let folder = TemporaryFolder::new("process")?;
    let database = folder.join("plocate.db");
    peer::must(&mut updatedb(&options.path, &database)?)?;
    start_to_exit(options, &daemon, &database)?;
    exports(options, &daemon, &database)?;
    under_load(options, &daemon)
}

/// A program that takes its turn.
struct Contestant {
    what: &'static str,
    command: Box<dyn Fn(&str) -> Command>,
    samples: Samples,
}

impl Contestant {
    fn new(what: &'static str, command: impl Fn(&str) -> Command + 'static) -> Self {
        Contestant { what, command: Box::new(command), samples: Samples::default() }
    }
}

fn start_to_exit(options: &Options, daemon: &Daemon, database: &Path) -> Outcome {
    let mut contestants = contestants(options, daemon, database)?;
    for turn in 0..RUNS {
        let word = WORDS[turn % WORDS.len()];
        for contestant in &mut contestants {
            if contestant.what.starts_with("fd") && turn >= RUNS_OF_FD {
                continue;
            }
            peer::timed(&mut (contestant.command)(word), &mut contestant.samples)?;
        }
    }
    let title = format!("From start to exit, 100 rows, {RUNS} runs each");
    let table = Table::begin(&title, &["program", "p50", "p95", "longest", "times hearth's p50"]);
    let own = contestants[1].samples.median();
    for Contestant { what, samples, .. } in &contestants {
        let [p50, p95, longest] = [samples.median(), samples.percentile(95.0), samples.longest()].map(time);
        table.row(&[(*what).into(), p50, p95, longest, digits(ratio(samples.median(), own))]);
    }
    println!("\nthe daemon's resident memory meanwhile: {}", megabytes(daemon.resident()?));
    Ok(())
}

fn contestants(options: &Options, daemon: &Daemon, database: &Path) -> std::io::Result<Vec<Contestant>> {
    let (yes, plocate, fd) = (program("true")?, program("plocate")?, program("fdfind")?);
    let (database, root) = (database.to_owned(), options.path.clone());
    let hearth = daemon.hearth();
    let (hearth, home) = (hearth.get_program().to_owned(), daemon.home().to_owned());
    Ok(vec![
        Contestant::new("`true`", move |_| Command::new(&yes)),
        Contestant::new("`hearth find -n 100 WORD`", move |word| {
            let mut command = Command::new(&hearth);
            command.env("HEARTH_HOME", &home).args(["find", "-n", "100", word]);
            command
        }),
        Contestant::new("`plocate -l 100 WORD`", move |word| {
            let mut command = Command::new(&plocate);
            command.arg("-d").arg(&database).args(["-l", "100", word]);
            command
        }),
        Contestant::new("`fdfind -HI --max-results 100 WORD`", {
            let (fd, root) = (fd.clone(), root.clone());
            move |word| fd_command(&fd, &root, &["--max-results", "100", word])
        }),
        Contestant::new("`fdfind -HI WORD`", move |word| fd_command(&fd, &root, &[word])),
    ])
}

fn fd_command(fd: &Path, root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(fd);
    command.args(["-HI", "--one-file-system"]).args(arguments).arg(root);
    command
}

/// Every path through a pipe.
fn exports(options: &Options, daemon: &Daemon, database: &Path) -> Outcome {
    let (plocate, fd) = (program("plocate")?, program("fdfind")?);
    let (mut own, mut by_plocate, mut by_fd) = (Samples::default(), Samples::default(), Samples::default());
    let mut bytes = [0; 3];
    for _ in 0..options.pairs {
        bytes[0] = peer::drained(daemon.hearth().arg("find"), &mut own)?.bytes;
        bytes[1] =
            peer::drained(Command::new(&plocate).arg("-d").arg(database).arg(""), &mut by_plocate)?.bytes;
        bytes[2] = peer::drained(&mut fd_command(&fd, &options.path, &["."]), &mut by_fd)?.bytes;
    }
    let counters = walk(&options.path, (), vec![Counter::default()])?;
    let entries: u64 = counters.iter().map(|counter| counter.entries).sum();
    let title = format!("Every path into a pipe, about {} entries", count(entries));
    let table = Table::begin(&title, &["program", "p50", "rows per second", "bytes"]);
    let names = ["`hearth find`", "`plocate ''`", "`fdfind -HI .`"];
    for ((name, samples), bytes) in names.into_iter().zip([own, by_plocate, by_fd]).zip(bytes) {
        table.row(&[name.into(), time(samples.median()), rate(entries, samples.median()), megabytes(bytes)]);
    }
    Ok(())
}

fn under_load(options: &Options, daemon: &Daemon) -> Outcome {
    let idle = latencies(options, daemon)?;
    let stop = AtomicBool::new(false);
    let (loaded, exported) = std::thread::scope(|scope| {
        let exporters: Vec<_> = (0..EXPORTERS).map(|_| scope.spawn(|| export_until(daemon, &stop))).collect();
        let loaded = latencies(options, daemon).map_err(|error| error.to_string());
        stop.store(true, Ordering::Relaxed);
        let exported: usize = exporters.into_iter().map(|exporter| exporter.join().unwrap_or(0)).sum();
        (loaded, exported)
    });
    let loaded = loaded?;
    if exported == 0 {
        return Err("no export came to its end meanwhile".into());
    }
    let title = format!("First 20 of a word over one connection, {} queries", options.needles);
    let table = Table::begin(&title, &["machine", "p50", "p95", "p99", "p95 / idle p95"]);
    let load = format!("{EXPORTERS} full exports at a time ({exported} done)");
    for (what, samples) in [("idle", &idle), (load.as_str(), &loaded)] {
        let [p50, p95, p99] = [50.0, 95.0, 99.0].map(|percent| time(samples.percentile(percent)));
        let times = digits(ratio(samples.percentile(95.0), idle.percentile(95.0)));
        table.row(&[what.into(), p50, p95, p99, times]);
    }
    Ok(())
}

fn latencies(options: &Options, daemon: &Daemon) -> Result<Samples, Box<dyn std::error::Error>> {
    let mut connection = daemon.connect()?;
    let mut random = Random::new(options.seed, 0x6c6f_6164);
    let mut samples = Samples::default();
    for _ in 0..options.needles {
        let word = WORDS[random.below(WORDS.len())];
        let params: Value = json!({ "query": word, "limit": 20, "total": false });
        samples.time(|| connection.call("find", &params))?;
    }
    Ok(samples)
}

/// Exports everything again and again; returns how many times it came to the end.
fn export_until(daemon: &Daemon, stop: &AtomicBool) -> usize {
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let finished = peer::drained(daemon.hearth().arg("find"), &mut Samples::default());
        if !finished.is_ok_and(|finished| finished.success) {
            break;
        }
        done += 1;
    }
    done
}
