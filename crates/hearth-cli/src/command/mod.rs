//! One file per command: arguments to requests, answers to output.
//!
//! A command builds a request, asks the daemon and hands what comes back to the printer; it returns an
//! outcome and never ends the process. Here are the way from arguments to commands, and what several
//! commands say alike: how good an answer is, and numbers in tables.

mod changes;
mod config;
mod daemon;
mod doctor;
mod du;
mod dupes;
mod find;
mod history;
mod memory;
mod ntfs;
mod rpc;
mod shell;
mod sources;
mod stats;
mod status;

use crate::args::Command;
use crate::console::Console;
use crate::exit::Outcome;
use crate::failure::{Failure, Stop};
use crate::notes::Notes;
use crate::text::{size, time};
use hearth_protocol::answer::SourceMeta;
use std::path::PathBuf;

/// Carries out a command.
pub(crate) fn run(command: &Command, console: &mut Console) -> Outcome {
    match command {
        Command::Find(args) => find::run(args, console),
        Command::Du(args) => du::run(args, console),
        Command::Dupes(args) => dupes::run(args, console),
        Command::Stats(args) => stats::run(args, console),
        Command::History(args) => history::run(args, console),
        Command::Since(args) => changes::since(args, console),
        Command::Watch(args) => changes::watch(args, console),
        Command::Add(args) => sources::add(args, console),
        Command::Forget(args) => sources::forget(args, console),
        Command::List(args) => sources::list(args, console),
        Command::Refresh(args) => sources::refresh(args, console),
        Command::Status(args) => status::run(args, console),
        Command::Doctor(args) => doctor::run(args, console),
        Command::Preload(args) => memory::preload(args, console),
        Command::Pin(args) => memory::pin(args, console),
        Command::Unpin(args) => memory::unpin(args, console),
        Command::Hibernate(args) => memory::hibernate(args, console),
        Command::Ntfs(args) => ntfs::run(args, console),
        Command::Daemon(args) => daemon::run(args, console),
        Command::Rpc(args) => rpc::run(args, console),
        Command::Config(args) => config::run(args, console),
        Command::Completions(args) => shell::completions(args, console),
        Command::Man(_) => shell::man(console),
    }
}

/// True if the command was asked for JSON.
pub(crate) fn wants_json(command: &Command) -> bool {
    match command {
        Command::Find(args) => args.form.json,
        Command::Du(args) => args.form.json,
        Command::Dupes(args) => args.form.json,
        Command::Stats(args) => args.form.json,
        Command::History(args) => args.json,
        Command::Since(args) => args.json,
        Command::Watch(args) => args.json,
        Command::Add(args) => args.json,
        Command::Forget(args) => args.json,
        Command::List(args) => args.json,
        Command::Refresh(args) => args.json,
        Command::Status(args) => args.json,
        Command::Doctor(args) => args.json,
        Command::Preload(args) => args.json,
        Command::Pin(args) => args.json,
        Command::Unpin(args) => args.json,
        Command::Hibernate(args) => args.json,
        Command::Ntfs(args) => args.action.wants_json(),
        Command::Config(args) => args.json,
        Command::Daemon(_) | Command::Rpc(_) | Command::Completions(_) | Command::Man(_) => false,
    }
}

/// The current folder.
fn cwd() -> Result<PathBuf, Stop> {
    std::env::current_dir().map_err(|error| Failure::io("cannot tell the current folder", &error).into())
}

/// One thing that was done: an object for a program, a line for a person, at once.
fn tell(object: &impl serde::Serialize, text: &str, json: bool, console: &mut Console) -> Result<(), Stop> {
    if json {
        console.printer.json(object)?;
    } else {
        console.printer.line(text)?;
    }
    console.printer.flush()
}

/// Says which sources answered with less than everything: one line each.
fn tell_quality(sources: &[SourceMeta], notes: &mut Notes) {
    sources.iter().filter_map(quality).for_each(|line| notes.say(&line));
}

/// Source, age and reason, if an answer from it is stale or incomplete.
fn quality(meta: &SourceMeta) -> Option<String> {
    let what = match (meta.complete, meta.stale) {
        (false, _) => "incomplete",
        (true, true) => "stale",
        (true, false) => return None,
    };
    let age = if meta.generation == 0 { String::new() } else { format!(", {} old", time::span(meta.age_ms)) };
    let why = if meta.why.is_empty() { String::new() } else { format!(": {}", meta.why) };
    Some(format!("{} is {what}{age}{why}", meta.source))
}

/// Bytes in a table.
fn size_cell(bytes: u64, exact: bool) -> Vec<u8> {
    if exact { bytes.to_string() } else { size::human(bytes) }.into_bytes()
}

/// A count in a table.
fn count_cell(count: u64, exact: bool) -> Vec<u8> {
    if exact { count.to_string() } else { size::grouped(count) }.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_that_lack_something_are_told() {
        let meta = |generation, complete, stale, why: &str| SourceMeta {
            source: "root".into(),
            generation,
            clock: String::new(),
            age_ms: 90_000,
            stale,
            complete,
            why: why.into(),
            proof: None,
        };
        assert_eq!(quality(&meta(1, true, false, "")), None);
        let line = quality(&meta(1, true, true, "the last scan failed"));
        assert_eq!(line.as_deref(), Some("root is stale, 1m 30s old: the last scan failed"));
        let line = quality(&meta(0, false, true, "waits for its first scan"));
        assert_eq!(line.as_deref(), Some("root is incomplete: waits for its first scan"));
        assert_eq!(quality(&meta(2, false, false, "")).as_deref(), Some("root is incomplete, 1m 30s old"));
    }
}
