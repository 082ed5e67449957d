//! Waiting for sources to be read, with progress; and the first source of a new user.
//!
//! The daemon's `status` is asked again and again, at growing intervals: it costs microseconds, needs
//! no state on either side, and sees every way a scan can end.

use crate::console::Console;
use crate::exit::Done;
use crate::failure::{Failure, Stop};
use crate::reach::refused;
use crate::text::{quote, size};
use hearth_client::{CallError, Client};
use hearth_protocol::answer::{Shard, Summary};
use hearth_protocol::params::AddParams;
use hearth_protocol::{Code, RpcError};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How long a search waits for a source that it had to add, or that has nothing to show yet.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// Returns when every shard that `unfinished` holds for is done, or with `false` at the deadline.
pub(crate) fn until_read(
    client: &mut Client,
    console: &mut Console,
    deadline: Option<Instant>,
    unfinished: &dyn Fn(&Shard) -> bool,
) -> Result<bool, Stop> {
    let mut pause = FIRST_PAUSE;
    loop {
        let status = client.status().map_err(refused)?;
        let open: Vec<&Shard> = status.shards.iter().filter(|shard| unfinished(shard)).collect();
        if open.is_empty() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            console.notes.clear();
            return Ok(open.is_empty());
        }
        console.notes.progress(|| progress(&open));
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// True while a first scan or a new one is under way, or has yet to begin.
pub(crate) fn is_being_read(shard: &Shard) -> bool {
    shard.scanning.is_some() || !matches!(shard.health.as_str(), "fresh" | "failed")
}

/// An instant `timeout_ms` from now.
pub(crate) fn deadline(timeout_ms: Option<u64>) -> Option<Instant> {
    timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)))
}

/// Waits for `sources` by name; fails with what kept one from being read.
pub(crate) fn for_sources(
    client: &mut Client,
    console: &mut Console,
    timeout_ms: Option<u64>,
    sources: &[(String, u64)],
) -> Result<Done, Stop> {
    let known = |shard: &Shard| sources.iter().find(|(name, _)| *name == shard.name);
    let unfinished = |shard: &Shard| {
        known(shard).is_some_and(|(_, generation)| {
            is_being_read(shard) || (shard.generation <= *generation && shard.health != "failed")
        })
    };
    if !until_read(client, console, deadline(timeout_ms), &unfinished)? {
        let error = RpcError::new(Code::TimedOut, "the time is over and the sources are still being read");
        return Err(Failure::from(error).hint("they go on being read; `hearth status` shows how far they are").into());
    }
    let status = client.status().map_err(refused)?;
    match status.shards.iter().find(|shard| known(shard).is_some() && shard.health == "failed") {
        Some(shard) => Err(could_not_read(shard)),
        None => Ok(Done::Found),
    }
}

fn could_not_read(shard: &Shard) -> Stop {
    let why = shard.last_error.as_deref().unwrap_or("no reason was given");
    let error = RpcError::new(Code::BuildFailed, format!("cannot read {}: {why}", quote::visible(&shard.root.0)));
    Failure::from(error.with("source", shard.name.as_str())).into()
}

/// Asks a question of the sources. If there is no source at all, adds the first one and asks again; if
/// there is nothing to answer from yet, waits a little for the running scan.
pub(crate) fn ask<T>(
    client: &mut Client,
    console: &mut Console,
    timeout_ms: Option<u64>,
    question: &mut dyn FnMut(&mut Client, &mut Console) -> Result<(T, Summary), CallError>,
) -> Result<(T, Summary), Stop> {
    let limit = Instant::now() + timeout_ms.map_or(FIRST_ANSWER, Duration::from_millis);
    loop {
        match question(client, console) {
            Ok((_, summary)) if summary.meta.is_empty() && adopt_first(client, console, limit)? => {}
            Err(CallError::Rpc(error)) if error.is(Code::UnknownSource) && adopt_first(client, console, limit)? => {}
            Err(CallError::Rpc(error)) if error.is(Code::NotReady) && Instant::now() < limit => {
                pause_for(client, console, limit)?;
            }
            Ok(answer) => return Ok(answer),
            Err(error) => return Err(refused(error)),
        }
    }
}

fn pause_for(client: &mut Client, console: &mut Console, limit: Instant) -> Result<(), Stop> {
    std::thread::sleep(FIRST_PAUSE);
    let unready = |shard: &Shard| is_being_read(shard) && shard.generation == 0;
    until_read(client, console, Some(limit), &unready).map(|_| ())
}

/// Adds the home directory (root: the root file system) if there is no source, and gives it time to be
/// read. False if there are sources.
fn adopt_first(client: &mut Client, console: &mut Console, limit: Instant) -> Result<bool, Stop> {
    if !client.list().map_err(refused)?.is_empty() {
        return Ok(false);
    }
    let Some(root) = first_root() else {
        return Ok(false);
    };
    console.notes.say(&format!("nothing is indexed yet; adding {}", quote::visible(&root)));
    let mut params = AddParams::default();
    params.set_path(root);
    client.add(&params, &mut |_| Ok(())).map_err(refused)?;
    until_read(client, console, Some(limit), &is_being_read)?;
    Ok(true)
}

fn first_root() -> Option<Vec<u8>> {
    if rustix::process::geteuid().is_root() {
        return Some(b"/".to_vec());
    }
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(OsString::into_vec)
}

/// One line about everything that is being read.
fn progress(open: &[&Shard]) -> String {
    let parts: Vec<String> = open.iter().map(|shard| format!("{}: {}", shard.name, how_far(shard))).collect();
    format!("reading {}", parts.join("; "))
}

/// How far a scan is, in words.
pub(crate) fn how_far(shard: &Shard) -> String {
    match &shard.scanning {
        Some(scan) => {
            let rate = scan.entries.saturating_mul(1000) / scan.elapsed_ms.max(1);
            format!("{} entries, {}/s", size::grouped(scan.entries), size::grouped(rate))
        }
        None => "about to begin".to_owned(),
    }
}
