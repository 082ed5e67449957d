//! Waiting for sources to be read, with progress.
//!
//! The daemon's `status` is asked again and again, at growing intervals: it costs microseconds, needs
//! no state on either side, and sees every way a scan can end. A wait ends when nothing more is going on,
//! whatever became of what it was for. A question that itself waits for a load is told of scans meanwhile.

use crate::console::Console;
use crate::exit::Done;
use crate::failure::{Failure, Stop};
use crate::notes::Notes;
use crate::reach::{Reached, refused};
use crate::text::{quote, size};
use hearth_client::{CallError, Client, Event};
use hearth_protocol::answer::{ScanProgress, Shard, SourceMeta, Status, Summary};
use hearth_protocol::params::FindParams;
use hearth_protocol::{Code, RpcError, method};
use std::io;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How long a question waits for a source that has nothing to show yet.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// After this a question that gave nothing yet is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(150);

/// Returns the state of things when no shard is `unfinished` any more, or `None` at the deadline.
pub(crate) fn until_read(
    client: &mut Client,
    console: &mut Console,
    deadline: Option<Instant>,
    unfinished: &dyn Fn(&Shard) -> bool,
) -> Result<Option<Status>, Stop> {
    let mut pause = FIRST_PAUSE;
    loop {
        let status = client.status().map_err(refused)?;
        let open: Vec<&Shard> = status.shards.iter().filter(|shard| unfinished(shard)).collect();
        if open.is_empty() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            console.notes.clear();
            return Ok(open.is_empty().then_some(status));
        }
        console.notes.progress(|| progress(&open));
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// True while a first scan or a new one is under way, or has yet to begin. To any other source nothing happens by
/// itself, even if a scan that was given up still runs.
pub(crate) fn is_being_read(shard: &Shard) -> bool {
    matches!(shard.health.as_str(), "loading" | "rebuilding")
}

/// An instant `timeout_ms` from now.
pub(crate) fn deadline(timeout_ms: Option<u64>) -> Option<Instant> {
    timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)))
}

/// Waits until `sources`, each a name and a generation, have one after that; fails with what kept one from it.
pub(crate) fn for_sources(
    client: &mut Client,
    console: &mut Console,
    timeout_ms: Option<u64>,
    sources: &[(String, u64)],
) -> Result<Done, Stop> {
    let unfinished =
        |shard: &Shard| is_being_read(shard) && sources.iter().any(|(name, _)| *name == shard.name);
    let Some(status) = until_read(client, console, deadline(timeout_ms), &unfinished)? else {
        let error = RpcError::new(Code::TimedOut, "the time is over and the sources are still being read");
        return Err(Failure::from(error)
            .hint("they go on being read; `hearth status` shows how far they are")
            .into());
    };
    for (name, generation) in sources {
        match status.shards.iter().find(|shard| shard.name == *name) {
            None => return Err(forgotten(name)),
            Some(shard) if shard.health == "failed" => return Err(could_not_read(shard)),
            Some(shard) if shard.generation <= *generation => return Err(given_up(shard)),
            Some(_) => {}
        }
    }
    Ok(Done::Found)
}

fn forgotten(name: &str) -> Stop {
    let message = format!("{name} was forgotten while this command waited for it");
    let error = RpcError::new(Code::UnknownSource, message).with("asked", name);
    Failure::from(error).hint("`hearth add PATH` adds it again").into()
}

fn given_up(shard: &Shard) -> Stop {
    let name = shard.name.as_str();
    let message = format!("reading {name} was given up: it was taken out of memory meanwhile");
    let error = RpcError::new(Code::Cancelled, message).with("source", name);
    Failure::from(error).hint(format!("`hearth preload {name}` reads it and brings it back")).into()
}

fn could_not_read(shard: &Shard) -> Stop {
    let why = shard.last_error.as_deref().unwrap_or("no reason was given");
    let error =
        RpcError::new(Code::BuildFailed, format!("cannot read {}: {why}", quote::visible(&shard.root.0)));
    let hint =
        format!("`hearth refresh {}` tries again at once, `hearth status` shows the memory", shard.name);
    Failure::from(error.with("source", shard.name.as_str())).hint(hint).into()
}

/// A request: asked once or several times.
type Question<'a, T> = dyn FnMut(&mut Client, &mut Console) -> Result<(T, Summary), CallError> + 'a;

/// Readies the sources for a question: says so if there are none yet, and with `wait` reads them first,
/// those that `concerned` holds for.
pub(crate) fn prepare(
    reached: &mut Reached,
    console: &mut Console,
    wait: bool,
    timeout_ms: Option<u64>,
    concerned: &dyn Fn(&Shard) -> bool,
) -> Result<(), Stop> {
    let client = &mut reached.client;
    if (reached.is_new || wait) && client.list().map_err(refused)?.is_empty() {
        let first =
            if rustix::process::geteuid().is_root() { "the root file system" } else { "the home directory" };
        console.notes.say(&format!("nothing is indexed yet; adding {first}"));
        if wait {
            // Any question makes the daemon add it. Its answer comes too early to be of use.
            let question = FindParams { count: true, ..FindParams::default() };
            client.call::<_, Summary>(method::FIND, &question).map_err(refused)?;
        }
    }
    if wait {
        let unfinished = |shard: &Shard| concerned(shard) && is_being_read(shard);
        until_read(client, console, deadline(timeout_ms), &unfinished)?;
    }
    Ok(())
}

/// Asks a question of the sources. An answer without a row from a source that is still being read says
/// nothing: it is asked again as more has been read, for a limited time.
pub(crate) fn ask<T>(
    client: &mut Client,
    console: &mut Console,
    timeout_ms: Option<u64>,
    question: &mut Question<'_, T>,
) -> Result<(T, Summary), Stop> {
    let limit = Instant::now() + timeout_ms.map_or(FIRST_ANSWER, Duration::from_millis);
    if console.notes.is_terminal() {
        client.subscribe_progress().map_err(refused)?;
    }
    loop {
        match question(client, console) {
            Ok((_, summary))
                if is_empty(&summary) && more_is_read(client, console, limit, &summary.meta)? => {}
            Err(CallError::Rpc(error))
                if error.is(Code::NotReady) && first_is_read(client, console, limit)? => {}
            Ok(answer) => {
                console.notes.clear();
                return Ok(answer);
            }
            Err(error) => return Err(refused(error)),
        }
    }
}

fn is_empty(summary: &Summary) -> bool {
    summary.shown == 0 && summary.matched.unwrap_or(0) == 0 && summary.meta.iter().any(|meta| !meta.complete)
}

/// Waits a moment, or until an incomplete source is whole; false if asking again gives nothing more. What is there
/// meanwhile is put together only for those who ask.
fn more_is_read(
    client: &mut Client,
    console: &mut Console,
    limit: Instant,
    answered: &[SourceMeta],
) -> Result<bool, Stop> {
    let again = Instant::now() + ASK_AGAIN;
    let incomplete = |shard: &Shard| answered.iter().find(|meta| meta.source == shard.name && !meta.complete);
    let is_newer = |shard: &Shard| incomplete(shard).is_some_and(|meta| shard.generation > meta.generation);
    let is_open = |shard: &Shard| incomplete(shard).is_some() && is_being_read(shard) && !is_newer(shard);
    until_read(client, console, Some(limit), &|shard| Instant::now() < again && is_open(shard))?;
    let shards = client.status().map_err(refused)?.shards;
    let open = Instant::now() < limit && shards.iter().any(is_open);
    Ok(open || shards.iter().any(is_newer))
}

/// Waits until everything that is being read has something to show; false if nothing is being read.
fn first_is_read(client: &mut Client, console: &mut Console, limit: Instant) -> Result<bool, Stop> {
    let status = client.status().map_err(refused)?;
    if Instant::now() >= limit || !status.shards.iter().any(is_being_read) {
        return Ok(false);
    }
    std::thread::sleep(FIRST_PAUSE);
    until_read(client, console, Some(limit), &|shard| is_being_read(shard) && shard.generation == 0)?;
    Ok(true)
}

/// Shows how far a load is that a question waits for.
pub(crate) fn show(event: &Event<'_>, notes: &mut Notes) -> io::Result<()> {
    match event {
        Event::Scan(scan) => show_scan(scan, notes),
        _ => Ok(()),
    }
}

/// The same of one scan.
pub(crate) fn show_scan(scan: &ScanProgress, notes: &mut Notes) -> io::Result<()> {
    if !scan.done {
        notes.progress(|| format!("reading {}: {}", scan.source, entries(scan.entries, scan.elapsed_ms)));
    }
    Ok(())
}

/// One line about everything that is being read.
fn progress(open: &[&Shard]) -> String {
    let parts: Vec<String> = open.iter().map(|shard| format!("{}: {}", shard.name, how_far(shard))).collect();
    format!("reading {}", parts.join("; "))
}

/// How far a scan is, in words.
pub(crate) fn how_far(shard: &Shard) -> String {
    match &shard.scanning {
        Some(scan) => entries(scan.entries, scan.elapsed_ms),
        None => "about to begin".to_owned(),
    }
}

fn entries(entries: u64, elapsed_ms: u64) -> String {
    let rate = entries.saturating_mul(1000) / elapsed_ms.max(1);
    format!("{} entries, {}/s", size::grouped(entries), size::grouped(rate))
}

#[cfg(test)]
mod tests;
