//! A scan of a real tree beside the least that a scan can do and beside updatedb.
//!
//! Three programs take turns over the same tree: the scanner, whose rows are kept, a bare walk that
//! reads the same fields with as many threads and keeps nothing, and `updatedb`, which reads names only. Warm runs follow one another; before
//! each cold run the kernel's caches are dropped, which needs root.

use crate::Outcome;
use crate::options::Options;
use crate::peer::{self, TemporaryFolder, program};
use crate::samples::{Samples, ratio};
use crate::table::{Table, count, digits, rate, time};
use crate::walk::{Counter, walk};
use hearth_core::CancelToken;
use hearth_files::entry::Chunk;
use hearth_files::scan::{ScanCounters, ScanOptions, scan};
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

pub(crate) fn run(options: &Options) -> Outcome {
    let folder = TemporaryFolder::new("scan")?;
    let race = Race { options, folder: &folder };
    race.round("Scan, warm", options.pairs, || Ok(()))?;
    if rustix::process::geteuid().is_root() {
        race.round("Scan, cold caches", options.pairs.min(3), drop_caches)?;
    } else {
        println!("\ncold runs need root: not measured");
    }
    Ok(())
}

/// The command that builds plocate's database of `root` in `database`: one file system as far as it
/// can be told to, nothing else pruned.
pub(crate) fn updatedb(root: &Path, database: &Path) -> std::io::Result<Command> {
    let program = program("updatedb.plocate").or_else(|_| program("updatedb"))?;
    let mut command = Command::new(program);
    command.args(["--prunepaths", "", "--prunenames", "", "--prune-bind-mounts", "yes"]);
    command.args([
        "--require-visibility",
        "no",
        "--add-prunefs",
        "proc sysfs devtmpfs devpts tmpfs cgroup cgroup2",
    ]);
    command.arg("--database-root").arg(root).arg("--output").arg(database);
    Ok(command)
}

/// Drops the page cache, dentries and inodes (`proc_sys_vm(5)`).
fn drop_caches() -> Outcome {
    rustix::fs::sync();
    Ok(std::fs::write("/proc/sys/vm/drop_caches", "3")?)
}

struct Race<'a> {
    options: &'a Options,
    folder: &'a TemporaryFolder,
}

impl Race<'_> {
    fn round(&self, title: &str, pairs: usize, before: impl Fn() -> Outcome) -> Outcome {
        let (mut own, mut bare, mut peer) = (Samples::default(), Samples::default(), Samples::default());
        let mut entries = [0; 2];
        // The first turn warms the caches and does not count.
        for turn in 0..=pairs {
            if turn == 1 {
                (own, bare, peer) = Default::default();
            }
            before()?;
            entries[0] = own.time(|| self.scan())?;
            before()?;
            entries[1] = bare.time(|| self.bare_walk())?;
            before()?;
            self.updatedb(&mut peer)?;
        }
        let columns = ["what", "entries", "p50", "longest", "entries per second", "time / scan"];
        let table = Table::begin(&format!("{title}, {pairs} turns"), &columns);
        let threads = self.options.threads;
        let bare_name = format!("bare walk, {threads} threads");
        let rows = [
            ("hearth scan", entries[0], &own),
            (&bare_name, entries[1], &bare),
            ("updatedb", entries[1], &peer),
        ];
        for (what, entries, samples) in rows {
            let median = samples.median();
            let [p50, longest] = [median, samples.longest()].map(time);
            let times = digits(ratio(median, own.median()));
            table.row(&[what.into(), count(entries), p50, longest, rate(entries, median), times]);
        }
        Ok(())
    }

    /// Scans and keeps every row, as the daemon does.
    fn scan(&self) -> Result<u64, Box<dyn Error>> {
        let options = ScanOptions { threads: Some(self.options.threads), exclude: Vec::new() };
        let chunks = Mutex::new(Vec::new());
        let keep = |chunk: Chunk| chunks.lock().expect("no scanner panics").push(chunk);
        let report =
            scan(&self.options.path, &options, &ScanCounters::default(), &CancelToken::new(), &keep)?;
        Ok(report.entries)
    }

    fn bare_walk(&self) -> std::io::Result<u64> {
        let visitors = (0..self.options.threads).map(|_| Counter::default()).collect();
        let counters = walk(&self.options.path, (), visitors)?;
        Ok(counters.iter().map(|counter| counter.entries).sum())
    }

    fn updatedb(&self, samples: &mut Samples) -> Outcome {
        let database = self.folder.join("scan.db");
        let finished = peer::timed(&mut updatedb(&self.options.path, &database)?, samples)?;
        if finished.success { Ok(()) } else { Err(format!("updatedb ended with {:?}", finished.code).into()) }
    }
}
