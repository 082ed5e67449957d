//! Measures Hearth beside its peers and prints the results as Markdown tables.
//!
//! Each subcommand measures one thing; peers run in the same process run, interleaved, on the same
//! names. Nothing is written into the project: temporary files go to the temporary folder and are
//! removed. `hearth-bench help` lists the subcommands, `RESULTS.md` explains the method.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing tables is what this program is for")]

mod apply;
mod ask;
mod corpus;
mod cpu;
mod daemon;
mod engine;
mod follow;
mod fresh;
mod index;
mod memory;
mod names;
mod needles;
mod ntfs;
mod options;
mod peer;
mod plocate;
mod process;
mod random;
mod residency;
mod samples;
mod scan;
mod sealed;
mod snapshot;
mod spelling;
mod synthetic;
mod table;
mod trees;
mod volume;
mod walk;

use options::Options;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const HELP: &str = "\
usage: hearth-bench COMMAND [OPTION…] [PATH]

  names     name statistics of a tree (PATH, default /) and of the volume generated from it
  index     build time and memory of an index of generated entries
  engine    query latencies over generated entries, beside plocate
  apply     cost of one applied change, on a tenth of the entries and on all
  scan      scan of PATH (default /) beside a bare walk and updatedb, warm and cold
  follow    looks and reconciles of the follower on a tree of real files in shared memory
  fresh     a daemon over a disk of its own (as root): from a change to its being found, what writers
            and the idle machine pay, a restart beside a scan; at most a million entries
  ntfs      a volume of at most 240 000 files that ntfs-3g makes: its file table beside the crate `mft` and
            `dd`, from nothing to an answer, the change journal beside reading everything
  residency cost of a kernel step; loads, hot queries and memory under the kernel, on trees of
            a hundredth of the entries each
  process   `hearth find` from start to exit beside plocate, fd and true; latency under load
  trees     nothing measured: makes ten trees of so many entries each in the folder PATH
  all       everything else, one after the other

  --entries N       entries to generate (default 10m; k and m are understood)
  --needles N       random needles (default 1000)
  --peer-needles N  needles for the peer's slow queries (default 100)
  --pairs N         alternating runs of a scan, of saves and loads (default 5)
  --threads N       threads of a scan and of a bare walk (default: the scanner's own choice)
  --seed N          seed of everything random (default 1)
  --times KIND      times of generated entries: scattered (random to the nanosecond) or copied
";

/// What a benchmark may fail with; it is only ever shown.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("hearth-bench: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hearth-bench: {}: {error}", options.command);
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome {
    match options.command.as_str() {
        "names" => names::run(options),
        "index" => index::run(options),
        "engine" => engine::run(options),
        "apply" => apply::run(options),
        "scan" => scan::run(options),
        "follow" => follow::run(options),
        "fresh" => fresh::run(options),
        "ntfs" => ntfs::run(options),
        "residency" => residency::run(options),
        "snapshot" => snapshot::run(options),
        "process" => process::run(options),
        "all" => all(),
        "trees" => trees::run(options),
        "help" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("no such command; see `hearth-bench help` ({other})").into()),
    }
}

/// Every benchmark in a process of its own, so that the memory of one does not count for another.
fn all() -> Outcome {
    let program = std::env::current_exe()?;
    let options: Vec<_> = std::env::args_os().skip(2).collect();
    for command in
        ["names", "scan", "index", "engine", "apply", "follow", "fresh", "ntfs", "residency", "process"]
    {
        let status = std::process::Command::new(&program).arg(command).args(&options).status()?;
        if !status.success() {
            return Err(format!("{command} failed: {status}").into());
        }
    }
    Ok(())
}
