//! What of the signals and limits of memory this machine offers, in words.
//!
//! Every line is always there, in one order, so that what is missing is seen as well. Everything is
//! read anew: the report holds for the instant it is made.

use super::MemoryWorld;
use super::alarm::SystemAlarm;
use super::cgroup::{Limit, Lineage, tightest};
use super::counters::{MEMINFO, Machine, PSI, Psi};
use std::io;
use std::path::Path;

/// Something that memory pressure or the default budget is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// What it is.
    pub name: &'static str,
    /// Whether it can be had here.
    pub available: bool,
    /// The latest numbers, or why there are none and what to do about it.
    pub detail: String,
}

/// Everything, always in the same order.
pub(super) fn describe(world: &dyn MemoryWorld) -> Vec<Availability> {
    let line = |name, found: Result<String, String>| Availability {
        name,
        available: found.is_ok(),
        detail: found.unwrap_or_else(|why| why),
    };
    vec![
        line("memory of the machine", machine(world)),
        line("pressure stall information", psi(world)),
        line("wake-up by stalls", alarm(world)),
        line("control group, version 2", v2(world)),
        line("events of control groups", events(world)),
        line("control group, version 1", v1(world)),
        line("limit of control groups", Ok(limit(world))),
    ]
}

fn machine(world: &dyn MemoryWorld) -> Result<String, String> {
    let machine = Machine::read(world).map_err(|error| format!("{MEMINFO}: {}", words(&error)))?;
    Ok(format!("{} in total, {} available", mib(machine.total), mib(machine.available)))
}

fn psi(world: &dyn MemoryWorld) -> Result<String, String> {
    let psi = Psi::read(world).map_err(|error| {
        let why = words(&error);
        format!("{PSI}: {why}; the kernel has it off (boot with psi=1) or the container hides it")
    })?;
    let (some, full) = (psi.some, psi.full);
    let ms = some.total_us / 1000;
    Ok(format!("stalled: some {} %, all {} % of the last 10 s; {ms} ms since boot", some.avg10, full.avg10))
}

fn alarm(world: &dyn MemoryWorld) -> Result<String, String> {
    let alarm = SystemAlarm::open(world).map_err(|error| {
        let why = words(&error);
        format!("{PSI}: {why}; pressure is looked at every pressure.poll_ms, also when nothing happens")
    })?;
    let events = match alarm.groups() {
        0 => String::new(),
        groups => format!(", as do the events of {groups} control groups"),
    };
    Ok(format!("100 ms of stalls in 2 s wake the daemon{events}"))
}

fn v2(world: &dyn MemoryWorld) -> Result<String, String> {
    let lineage = with_memory(world)?;
    let current = lineage.current(world).map_or("an unknown amount".to_owned(), mib);
    Ok(format!("{} holds {current}; {} groups in sight", own(&lineage).display(), lineage.groups.len()))
}

fn events(world: &dyn MemoryWorld) -> Result<String, String> {
    let lineage = with_memory(world)?;
    let told = lineage.groups.iter().zip(lineage.events(world));
    let told = told.filter_map(|(group, events)| Some((group, events?)));
    let lines: Vec<String> = told
        .map(|(group, events)| {
            let (low, high, max) = (events.low, events.high, events.max);
            let (oom, kill) = (events.oom, events.oom_kill);
            format!("{}: low {low}, high {high}, max {max}, oom {oom}, oom_kill {kill}", group.display())
        })
        .collect();
    if lines.is_empty() { Err("no group has memory.events".to_owned()) } else { Ok(lines.join("; ")) }
}

fn v1(world: &dyn MemoryWorld) -> Result<String, String> {
    let lineage = Lineage::v1(world)?;
    Ok(format!("{}, for its limit; version 1 has no events to watch", own(&lineage).display()))
}

fn limit(world: &dyn MemoryWorld) -> String {
    let shown = |limit: Limit| format!("{} by {}", mib(limit.bytes), limit.file.display());
    tightest(world).map_or_else(|| "none is set".to_owned(), shown)
}

fn with_memory(world: &dyn MemoryWorld) -> Result<Lineage, String> {
    let lineage = Lineage::v2(world)?;
    if lineage.has_memory(world) {
        return Ok(lineage);
    }
    Err(format!("{} and the groups above have no memory controller", own(&lineage).display()))
}

fn own(lineage: &Lineage) -> &Path {
    lineage.groups.first().map_or(Path::new("/"), |group| group)
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "not there".to_owned(),
        io::ErrorKind::InvalidData => "not in the shape that is documented".to_owned(),
        io::ErrorKind::Unsupported => "cannot be waited for".to_owned(),
        _ => error.to_string(),
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
