//! `hearth preload`, `pin`, `unpin`, `hibernate`: which sources are in memory.
//!
//! The daemon decides what fits; here its answers become a line for each source, with its size. Nothing to do
//! is exit code 1 with a word why.

use super::sources::name_or_root;
use super::{cwd, tell};
use crate::args::memory::{HibernateArgs, PinArgs, PreloadArgs, UnpinArgs};
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::reach::{connect, refused};
use crate::text::{size, time};
use crate::waiting::show_scan;
use hearth_core::UnixNanos;
use hearth_protocol::answer::Kept;
use hearth_protocol::params::{PreloadParams, SourcesParams};
use std::ffi::OsString;

/// Brings sources into memory.
pub(crate) fn preload(args: &PreloadArgs, console: &mut Console) -> Outcome {
    let mut params =
        PreloadParams { pin_minutes: args.pin_minutes, timeout_ms: args.timeout, ..PreloadParams::default() };
    named(&args.sources)?.into_iter().for_each(|source| params.add_source(source));
    let mut client = connect(console)?;
    client.subscribe_progress().map_err(refused)?;
    let kept = client.preload(&params, &mut |scan| show_scan(scan, &mut console.notes)).map_err(refused)?;
    console.notes.clear();
    for kept in &kept {
        let (name, bytes) = (&kept.source.name, size::human(kept.resident_bytes));
        tell(kept, &format!("preloaded {name}, {bytes}{}", pinned(kept, time::now())), args.json, console)?;
    }
    Ok(done(kept.len(), "there is no source; `hearth add PATH` adds one", console))
}

/// Brings sources into memory and keeps them there.
pub(crate) fn pin(args: &PinArgs, console: &mut Console) -> Outcome {
    let params = SourcesParams { timeout_ms: args.timeout, ..sources(&args.sources)? };
    let mut client = connect(console)?;
    client.subscribe_progress().map_err(refused)?;
    let kept = client.pin(&params, &mut |scan| show_scan(scan, &mut console.notes)).map_err(refused)?;
    console.notes.clear();
    for kept in &kept {
        let text = format!("pinned {}, {}", kept.source.name, size::human(kept.resident_bytes));
        tell(kept, &text, args.json, console)?;
    }
    Ok(Done::Found)
}

/// Ends pins.
pub(crate) fn unpin(args: &UnpinArgs, console: &mut Console) -> Outcome {
    let params = sources(&args.sources)?;
    let unpinned = connect(console)?.unpin(&params).map_err(refused)?;
    for source in &unpinned {
        tell(source, &format!("unpinned {}", source.name), args.json, console)?;
    }
    Ok(done(unpinned.len(), "nothing is pinned", console))
}

/// Takes sources out of memory.
pub(crate) fn hibernate(args: &HibernateArgs, console: &mut Console) -> Outcome {
    let params = sources(&args.sources)?;
    let mut freed = connect(console)?.hibernate(&params).map_err(refused)?;
    if args.sources.is_empty() {
        // Of all there are, those that had nothing to give are not worth a line.
        freed.retain(|freed| freed.freed_bytes > 0);
    }
    for freed in &freed {
        let text = format!("hibernated {}, {} freed", freed.source.name, size::human(freed.freed_bytes));
        tell(freed, &text, args.json, console)?;
    }
    Ok(done(freed.len(), "nothing is in memory that is not pinned", console))
}

fn sources(arguments: &[OsString]) -> Result<SourcesParams, Stop> {
    let mut params = SourcesParams::default();
    named(arguments)?.into_iter().for_each(|source| params.add_source(source));
    Ok(params)
}

fn named(arguments: &[OsString]) -> Result<Vec<Vec<u8>>, Stop> {
    if arguments.is_empty() {
        return Ok(Vec::new());
    }
    let cwd = cwd()?;
    Ok(arguments.iter().map(|argument| name_or_root(argument, &cwd)).collect())
}

/// How long it stays, after the size.
fn pinned(kept: &Kept, now: UnixNanos) -> String {
    match (kept.pinned, kept.pin_expires_ns) {
        (false, _) => String::new(),
        (true, None) => ", pinned".to_owned(),
        (true, Some(at)) => format!(", pinned for {}", minutes(time::until(at, now))),
    }
}

/// Rounded up: the time that the answer took to come is not the user's.
fn minutes(ms: u64) -> String {
    match ms.div_ceil(60_000).max(1) {
        few @ ..120 => format!("{few} min"),
        many => time::span(many * 60_000),
    }
}

fn done(count: usize, nothing: &str, console: &mut Console) -> Done {
    if count == 0 {
        console.notes.say(nothing);
    }
    Done::found_if(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::answer::Source;
    use hearth_protocol::{RootField, V1};

    fn kept(pinned: bool, pin_expires_ns: Option<i64>) -> Kept {
        let root = RootField(b"/".to_vec());
        let source = Source { v: V1, id: 1, name: "root".into(), kind: "volume".into(), root };
        Kept { source, resident_bytes: 57 << 20, pinned, pin_expires_ns }
    }

    #[test]
    fn a_pin_says_how_long_it_lasts() {
        let minute = 60_000_000_000;
        assert_eq!(pinned(&kept(false, None), 0), "");
        assert_eq!(pinned(&kept(true, None), 0), ", pinned");
        assert_eq!(pinned(&kept(true, Some(30 * minute)), 3_000_000), ", pinned for 30 min");
        assert_eq!(pinned(&kept(true, Some(5)), 9), ", pinned for 1 min");
        assert_eq!(pinned(&kept(true, Some(119 * minute)), 0), ", pinned for 119 min");
        assert_eq!(pinned(&kept(true, Some(150 * minute)), 0), ", pinned for 2h 30m");
    }
}
