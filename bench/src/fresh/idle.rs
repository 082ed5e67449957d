//! A daemon to which nothing happens: how often its threads wake up, and what it writes.

use super::Bench;
use crate::table::{Table, time};
use crate::{Outcome, cpu};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Saves, folds and returned memory of what came before come to their end in this time.
const SETTLING: Duration = Duration::from_secs(20);
const SPAN: Duration = Duration::from_secs(60);

impl Bench<'_> {
    pub(super) fn idle(&self) -> Outcome {
        std::thread::sleep(SETTLING);
        let pid = self.daemon.pid();
        let (wakes, written, spent) = (wakes(pid)?, written(pid)?, cpu::spent_by(pid)?);
        std::thread::sleep(SPAN);
        let after = self::wakes(pid)?;
        let table = Table::begin(&format!("An idle daemon, {} s", SPAN.as_secs()), &["thread", "wake-ups"]);
        let woken =
            after.iter().map(|(thread, count)| (thread, count - wakes.get(thread).copied().unwrap_or(0)));
        let woken: Vec<_> = woken.filter(|(_, count)| *count > 0).collect();
        for ((_, name), count) in &woken {
            table.row(&[name.clone(), count.to_string()]);
        }
        let all: u64 = woken.iter().map(|(_, count)| count).sum();
        table.row(&["all threads".to_owned(), all.to_string()]);
        println!(
            "\nbytes written to disk meanwhile: {}; processor time: {}",
            self::written(pid)? - written,
            time(cpu::spent_by(pid)? - spent)
        );
        Ok(())
    }
}

/// How often each thread gave up the processor to wait, by number and name.
fn wakes(pid: u64) -> std::io::Result<BTreeMap<(String, String), u64>> {
    let mut wakes = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?;
        // A thread may end while this is read.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim);
        let number = task.file_name().to_string_lossy().into_owned();
        let count = field("voluntary_ctxt_switches:").parse().unwrap_or(0);
        wakes.insert((number, field("Name:").to_owned()), count);
    }
    Ok(wakes)
}

fn written(pid: u64) -> std::io::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let bytes = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes:"))
        .and_then(|bytes| bytes.trim().parse().ok());
    bytes.ok_or_else(|| std::io::Error::other("the kernel does not count what is written"))
}
