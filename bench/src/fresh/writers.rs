//! What a program that works on many files notices of a daemon that watches, and what the daemon spends on it.
//!
//! With and without the source being registered take turns; of each the best turn counts, since everything else on
//! the machine only adds.

use super::Bench;
use crate::Outcome;
use crate::cpu;
use crate::peer;
use crate::samples::ratio;
use crate::table::{Table, count, digits, megabytes, rate, time};
use serde_json::Value;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Operations of one turn.
const ROUND: usize = 10_000;
/// Files of a storm.
const STORM: usize = 100_000;

/// Does something many times in a folder of its own.
type Work = fn(&Path) -> std::io::Result<()>;

const WORK: &[(&str, Work)] = &[
    ("create + unlink", |folder| {
        (0..ROUND).try_for_each(|number| {
            let path = folder.join(format!("file-{number}"));
            File::create(&path)?;
            fs::remove_file(path)
        })
    }),
    ("create + rename + unlink", |folder| {
        (0..ROUND).try_for_each(|number| {
            let (path, other) =
                (folder.join(format!("file-{number}")), folder.join(format!("other-{number}")));
            File::create(&path)?;
            fs::rename(path, &other)?;
            fs::remove_file(other)
        })
    }),
    ("write of 100 bytes to an open file", |folder| {
        let mut file = File::create(folder.join("log"))?;
        (0..ROUND).try_for_each(|_| file.write_all(&[b'x'; 100]))
    }),
];

/// What one turn cost.
#[derive(Clone, Copy)]
struct Turn {
    writer: Duration,
    clock: Duration,
    daemon: Duration,
}

impl Turn {
    /// The lesser of each part.
    fn best(self, other: Option<Turn>) -> Turn {
        let Some(other) = other else { return self };
        Turn {
            writer: self.writer.min(other.writer),
            clock: self.clock.min(other.clock),
            daemon: self.daemon.min(other.daemon),
        }
    }

    fn row(self, table: &Table, what: &str, watched: &str, without: Duration) {
        let [writer, clock, daemon] =
            [self.writer, self.clock, self.daemon].map(|part| time(part / ROUND as u32));
        let times = digits(ratio(self.writer, without));
        table.row(&[what.into(), watched.into(), writer, times, clock, daemon]);
    }
}

impl Bench<'_> {
    /// Many files at once: how long until all are found, and what it took.
    pub(super) fn storm(&self) -> Outcome {
        let mut connection = self.daemon.connect()?;
        let title = format!("A storm of {} files on {}", count(STORM as u64), self.ground.what);
        let columns = [
            "what",
            "the writer took",
            "then caught up in",
            "entries per second",
            "daemon's processor time",
            "overflows",
            "resident",
        ];
        let table = Table::begin(&title, &columns);
        let folder = self.ground.top.join("storm");
        let paths: Vec<_> =
            (0..STORM).map(|number| folder.join(format!("{}/file-{number}", number / 1000))).collect();
        for (what, act) in [("created", create as fn(&Path) -> std::io::Result<()>), ("removed", remove)] {
            let (spent, before) =
                (cpu::spent_by(self.daemon.pid())?, overflows(&self.feed(&mut connection)?)?);
            let begun = Instant::now();
            paths.iter().try_for_each(|path| act(path))?;
            let wrote = begun.elapsed();
            self.catch_up(&mut connection)?;
            let whole = begun.elapsed();
            let spent = cpu::spent_by(self.daemon.pid())? - spent;
            let overflows = overflows(&self.feed(&mut connection)?)? - before;
            table.row(&[
                what.into(),
                time(wrote),
                time(whole - wrote),
                rate(STORM as u64, whole),
                time(spent),
                overflows.to_string(),
                megabytes(self.daemon.resident()?),
            ]);
        }
        Ok(fs::remove_dir_all(folder)?)
    }

    pub(super) fn writers(&self) -> Outcome {
        let title = format!("Cost to writers on {}, best of {} turns", self.ground.what, self.options.pairs);
        let columns = [
            "what",
            "daemon",
            "processor time of the writer",
            "times",
            "time by the clock",
            "processor time of the daemon",
        ];
        let mut best: Vec<[Option<Turn>; 2]> = vec![[None; 2]; WORK.len()];
        for _ in 0..self.options.pairs {
            for (watched, at) in [(false, 0), (true, 1)] {
                self.watch(watched)?;
                for ((_, work), best) in WORK.iter().zip(&mut best) {
                    best[at] = Some(self.turn(*work)?.best(best[at]));
                }
            }
        }
        let table = Table::begin(&title, &columns);
        for ((what, _), turns) in WORK.iter().zip(best) {
            let [Some(without), Some(with)] = turns else { return Err("no turn was taken (--pairs)".into()) };
            without.row(&table, what, "does not watch", without.writer);
            with.row(&table, what, "watches", without.writer);
        }
        Ok(())
    }

    /// Registers the source, or forgets it.
    fn watch(&self, watched: bool) -> Outcome {
        let mut command = self.daemon.hearth();
        match watched {
            true => command.args(["add", "--wait"]).arg(&self.ground.top),
            false => command.args(["forget", "--force"]).arg(&self.ground.top),
        };
        peer::must(&mut command)?;
        Ok(())
    }

    fn turn(&self, work: Work) -> Result<Turn, Box<dyn Error>> {
        let folder = self.ground.top.join("turn");
        fs::create_dir(&folder)?;
        let before = (cpu::spent_here(), Instant::now(), cpu::spent_by(self.daemon.pid())?);
        work(&folder)?;
        let (writer, clock) = (cpu::spent_here() - before.0, before.1.elapsed());
        self.settle()?;
        let daemon = cpu::spent_by(self.daemon.pid())? - before.2;
        fs::remove_dir_all(&folder)?;
        self.settle()?;
        Ok(Turn { writer, clock, daemon })
    }

    /// Lets the daemon take in what happened, if it watches.
    fn settle(&self) -> Outcome {
        let mut connection = self.daemon.connect()?;
        let sources = connection.call("list", &serde_json::json!({}))?;
        let none = sources["sources"].as_array().is_none_or(Vec::is_empty);
        if none { Ok(()) } else { self.catch_up(&mut connection) }
    }
}

fn overflows(feed: &Value) -> Result<u64, Box<dyn Error>> {
    Ok(feed["overflows_total"].as_u64().ok_or("status tells of no overflows")?)
}

fn create(path: &Path) -> std::io::Result<()> {
    match File::create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::create(path).map(drop)
        }
        made => made.map(drop),
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path)
}
