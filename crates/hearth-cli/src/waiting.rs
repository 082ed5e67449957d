//! Waiting for sources to be read, with progress.
//!
//! The daemon's `status` is asked again and again, at growing intervals: it costs microseconds, needs
//! no state on either side, and sees every way a scan can end.

use crate::console::Console;
use crate::exit::Done;
use crate::failure::{Failure, Stop};
use crate::reach::{Reached, refused};
use crate::text::{quote, size};
use hearth_client::{CallError, Client};
use hearth_protocol::answer::{Shard, SourceMeta, Summary};
use hearth_protocol::params::FindParams;
use hearth_protocol::{Code, RpcError, method};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How long a question waits for a source that has nothing to show yet.
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

/// True while a first scan or a new one is under way, or has yet to begin. A source without a body that once
/// had one was taken out of memory; nothing happens to it by itself.
pub(crate) fn is_being_read(shard: &Shard) -> bool {
    shard.scanning.is_some()
        || match shard.health.as_str() {
            "empty" => shard.loads_total == 0,
            health => matches!(health, "loading" | "rebuilding"),
        }
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
        return Err(Failure::from(error)
            .hint("they go on being read; `hearth status` shows how far they are")
            .into());
    }
    let status = client.status().map_err(refused)?;
    match status.shards.iter().find(|shard| known(shard).is_some() && shard.health == "failed") {
        Some(shard) => Err(could_not_read(shard)),
        None => Ok(Done::Found),
    }
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
    loop {
        match question(client, console) {
            Ok((_, summary))
                if is_empty(&summary) && more_is_read(client, console, limit, &summary.meta)? => {}
            Err(CallError::Rpc(error))
                if error.is(Code::NotReady) && first_is_read(client, console, limit)? => {}
            Ok(answer) => return Ok(answer),
            Err(error) => return Err(refused(error)),
        }
    }
}

fn is_empty(summary: &Summary) -> bool {
    summary.shown == 0 && summary.matched.unwrap_or(0) == 0 && summary.meta.iter().any(|meta| !meta.complete)
}

/// Waits until more of an incomplete source can be searched than was answered from; false if nothing comes.
fn more_is_read(
    client: &mut Client,
    console: &mut Console,
    limit: Instant,
    answered: &[SourceMeta],
) -> Result<bool, Stop> {
    let incomplete = |shard: &Shard| answered.iter().find(|meta| meta.source == shard.name && !meta.complete);
    let is_newer = |shard: &Shard| incomplete(shard).is_some_and(|meta| shard.generation > meta.generation);
    let unfinished = |shard: &Shard| incomplete(shard).is_some() && is_being_read(shard) && !is_newer(shard);
    until_read(client, console, Some(limit), &unfinished)?;
    Ok(client.status().map_err(refused)?.shards.iter().any(is_newer))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use hearth_protocol::answer::Scanning;

    fn shard(health: &str, scanning: bool) -> Shard {
        let scanning = scanning.then_some(Scanning { entries: 3000, elapsed_ms: 1500 });
        Shard { health: health.into(), scanning, loads_total: 0, ..sample::shard() }
    }

    #[test]
    fn a_source_is_read_until_it_is_fresh_or_failed() {
        for (health, scanning, expect) in [
            ("empty", false, true),
            ("loading", true, true),
            ("rebuilding", false, true),
            ("fresh", false, false),
            ("failed", false, false),
            ("failed", true, true),
        ] {
            assert_eq!(is_being_read(&shard(health, scanning)), expect, "{health} {scanning}");
        }
    }

    #[test]
    fn a_source_that_was_given_up_is_not_waited_for() {
        let asleep = Shard { tier: "cold".into(), loads_total: 2, ..shard("empty", false) };
        assert!(!is_being_read(&asleep));
        assert!(is_being_read(&Shard { health: "loading".into(), ..asleep }));
    }

    #[test]
    fn progress_has_entries_and_rate() {
        let (one, two) = (shard("loading", true), shard("empty", false));
        assert_eq!(progress(&[&one, &two]), "reading root: 3,000 entries, 2,000/s; root: about to begin");
    }

    #[test]
    fn only_an_empty_answer_from_an_unfinished_source_is_asked_again() {
        let meta = |complete| SourceMeta {
            source: "root".into(),
            generation: 0,
            clock: String::new(),
            age_ms: 0,
            stale: false,
            complete,
            why: String::new(),
        };
        let summary = |shown, matched, complete| Summary {
            shown,
            matched,
            meta: vec![meta(complete)],
            ..Summary::default()
        };
        assert!(is_empty(&summary(0, None, false)));
        assert!(is_empty(&summary(0, Some(0), false)));
        assert!(!is_empty(&summary(0, Some(3), false)), "a count has no rows");
        assert!(!is_empty(&summary(1, None, false)));
        assert!(!is_empty(&summary(0, None, true)));
        assert!(!is_empty(&Summary::default()));
    }
}
