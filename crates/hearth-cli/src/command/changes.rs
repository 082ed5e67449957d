//! `hearth since` and `hearth watch`: what changed, and what changes.
//!
//! Both print a line as soon as it is known: a sign, a blank, a path. A watch outlives its daemon: it keeps the last
//! clock of each source and goes on from there when it finds a daemon again.

use super::{cwd, tell_quality};
use crate::args::changes::{SinceArgs, WatchArgs};
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::query_text::{absolute, asking, query_text};
use crate::reach::{connect, connect_if_running, places, reach, refused};
use crate::text::quote;
use crate::waiting;
use hearth_client::{CallError, Client};
use hearth_protocol::answer::{Change, Status, WatchEvent, WatchNote};
use hearth_protocol::params::{SinceParams, SubscribeParams, Topic};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

/// Times between two looks for a daemon.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Asks what changed, and prints.
pub(crate) fn since(args: &SinceArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let mut params = SinceParams {
        clock: args.clock.clone(),
        limit: args.limit,
        timeout_ms: args.timeout,
        wait_fresh_ms: args.wait_fresh.map(|wait| wait.ms),
        ..SinceParams::default()
    };
    for folder in &args.within {
        params.add_within(absolute(folder, &cwd).into_os_string().into_vec());
    }
    let mut client = connect(console)?;
    let answer = client.since(&params, &mut |event| waiting::show(&event, &mut console.notes));
    let (changes, summary) = answer.map_err(refused)?;
    console.notes.clear();
    if args.json {
        changes.iter().try_for_each(|change| console.printer.json(change))?;
        console.printer.json(&summary)?;
    } else {
        let quoted = console.printer.is_terminal();
        let line = Line { quoted, end: b'\n' };
        changes.iter().try_for_each(|change| console.printer.push(|out| line.push_change(out, change)))?;
    }
    console.printer.flush()?;
    tell_quality(&summary.meta, &mut console.notes);
    if let Some(clock) = summary.clock.filter(|_| !args.json) {
        let more = if summary.more { "there is more after" } else { "go on with" };
        console.notes.say(&format!("{more} {clock}"));
    }
    Ok(Done::found_if(!changes.is_empty()))
}

/// Follows a query and prints. Ends when nobody reads, or by a signal.
pub(crate) fn watch(args: &WatchArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let query = query_text(&args.query, &cwd);
    let params = asking(SubscribeParams::to(Topic::Watch), &query, &args.query, &cwd);
    let mut reached = reach(false, console)?;
    waiting::prepare(&mut reached, console, false, None, &|_| true)?;
    let mut watch = Watch { args, params, clocks: BTreeMap::new(), failed: None };
    let mut client = reached.client;
    loop {
        let error = watch.follow(&mut client, console);
        if let Some(stop) = watch.failed.take() {
            return Err(stop);
        }
        if !matches!(error, CallError::Lost(_)) {
            return Err(refused(error).pointing_into(&query));
        }
        console.notes.say("the daemon is gone; this goes on when there is one");
        client = find_daemon()?;
        console.notes.say("connected again");
    }
}

/// A connection to a daemon that somebody else starts.
fn find_daemon() -> Result<Client, Stop> {
    let places = places()?;
    let mut pause = FIRST_PAUSE;
    loop {
        std::thread::sleep(pause);
        // One that is just starting or stopping cannot be talked to yet.
        if let Ok(Some(client)) = connect_if_running(&places) {
            return Ok(client);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A standing query, over any number of connections.
struct Watch<'a> {
    args: &'a WatchArgs,
    params: SubscribeParams,
    /// Where to go on in each source.
    clocks: BTreeMap<String, String>,
    /// Why printing failed.
    failed: Option<Stop>,
}

impl Watch<'_> {
    /// Prints what one connection tells, until it ends.
    fn follow(&mut self, client: &mut Client, console: &mut Console) -> CallError {
        let known = self.clocks.values().cloned();
        let since = if self.clocks.is_empty() { self.args.since.clone() } else { known.collect() };
        let params = SubscribeParams { since, ..self.params.clone() };
        let status = match client.status() {
            Ok(status) => status,
            Err(error) => return error,
        };
        let mut first = Vec::new();
        let began = client.watch(&params, &mut |note| {
            first.push(note);
            Ok(())
        });
        match began {
            Ok(subscribed) => {
                self.clocks = subscribed.clocks.into_iter().map(|at| (at.source, at.clock)).collect();
                self.tell_what_is_late(&status, console);
            }
            Err(error) => return error,
        }
        let mut notes = first.into_iter();
        loop {
            let note = match notes.next().map_or_else(|| client.next_watch(), Ok) {
                Ok(note) => note,
                Err(error) => return error,
            };
            if let Err(stop) = self.print(note, console) {
                self.failed = Some(stop);
                return CallError::Lost(std::io::ErrorKind::BrokenPipe.into());
            }
        }
    }

    /// Says which of the watched sources are not told of changes as they happen.
    fn tell_what_is_late(&self, status: &Status, console: &mut Console) {
        let late =
            status.shards.iter().filter(|shard| !shard.feed.live && self.clocks.contains_key(&shard.name));
        for shard in late {
            console.notes.say(&format!("{}: changes show late: {}", shard.name, shard.feed.text));
        }
    }

    fn print(&mut self, note: WatchNote, console: &mut Console) -> Result<(), Stop> {
        let end = if self.args.null { 0 } else { b'\n' };
        let line = Line { quoted: console.printer.is_terminal() && !self.args.null, end };
        for event in note.events {
            if self.args.json {
                console.printer.json(&event)?;
            } else {
                console.printer.push(|out| line.push_event(out, &event))?;
            }
            if let Some(why) = &event.why {
                console.printer.flush()?;
                console.notes.say(&format!("{}: list anew what matches: {why}", event.source));
            }
            if let Some(clock) = event.clock {
                self.clocks.insert(event.source, clock);
            }
        }
        console.printer.flush()
    }
}

/// How lines are written.
#[derive(Clone, Copy)]
struct Line {
    /// For a person.
    quoted: bool,
    end: u8,
}

impl Line {
    fn push_change(self, out: &mut Vec<u8>, change: &Change) {
        let slash: &[u8] = if change.kind == "dir" && change.what != "modified" { b"/" } else { b"" };
        let from = change.from.as_ref().map(|from| from.0.as_slice());
        self.push(out, sign(&change.what), from, &change.path.0, slash);
    }

    fn push_event(self, out: &mut Vec<u8>, event: &WatchEvent) {
        // What cannot be told has no path.
        let Some(path) = &event.path else { return };
        self.push(out, sign(&event.what), event.from.as_ref().map(|from| from.0.as_slice()), &path.0, b"");
    }

    fn push(self, out: &mut Vec<u8>, sign: u8, from: Option<&[u8]>, path: &[u8], slash: &[u8]) {
        out.extend([sign, b' ']);
        if let Some(from) = from {
            self.push_path(out, from);
            out.extend_from_slice(slash);
            if self.end == 0 { out.push(0) } else { out.extend_from_slice(b" -> ") }
        }
        self.push_path(out, path);
        out.extend_from_slice(slash);
        out.push(self.end);
    }

    fn push_path(self, out: &mut Vec<u8>, path: &[u8]) {
        if self.quoted { quote::push_visible(out, path) } else { out.extend_from_slice(path) }
    }
}

fn sign(what: &str) -> u8 {
    match what {
        "created" | "appeared" => b'+',
        "removed" | "vanished" => b'-',
        "renamed" => b'>',
        _ => b'~',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{FromField, PathField, V1};

    fn change(what: &str, kind: &str, from: Option<&str>) -> Change {
        Change {
            v: V1,
            what: what.into(),
            kind: kind.into(),
            path: PathField(b"/a\xff".to_vec()),
            from: from.map(|from| FromField(from.as_bytes().to_vec())),
            generation: 1,
            at_ns: 1,
        }
    }

    fn shown(line: Line, change: &Change) -> Vec<u8> {
        let mut out = Vec::new();
        line.push_change(&mut out, change);
        out
    }

    #[test]
    fn a_folder_that_stands_for_what_is_below_it_ends_in_a_slash() {
        let line = Line { quoted: false, end: b'\n' };
        assert_eq!(shown(line, &change("created", "dir", None)), b"+ /a\xff/\n");
        assert_eq!(shown(line, &change("modified", "dir", None)), b"~ /a\xff\n");
        assert_eq!(shown(line, &change("removed", "file", None)), b"- /a\xff\n");
        assert_eq!(shown(line, &change("renamed", "dir", Some("/b"))), b"> /b/ -> /a\xff/\n");
    }

    #[test]
    fn a_person_sees_quoted_names_and_a_program_can_tell_two_paths_apart() {
        let renamed = change("renamed", "file", Some("/b"));
        assert_eq!(shown(Line { quoted: true, end: b'\n' }, &renamed), b"> /b -> $'/a\\xff'\n");
        assert_eq!(shown(Line { quoted: false, end: 0 }, &renamed), b"> /b\0/a\xff\0");
    }
}
