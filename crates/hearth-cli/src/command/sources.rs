//! `hearth add`, `forget`, `list`, `refresh`: the registered sources.
//!
//! The daemon has a current folder of its own, so relative paths are made absolute here. Kinds of sources
//! that this build cannot index are refused in words, never taken for another kind.

use super::{cwd, tell};
use crate::args::operate::{AddArgs, ForgetArgs, ListArgs, RefreshArgs, SourceKind};
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use crate::query_text::absolute;
use crate::reach::{connect, refused};
use crate::render::table::{Align, Table};
use crate::text::{quote, size};
use crate::waiting;
use hearth_protocol::answer::{Added, Freed, Source};
use hearth_protocol::method;
use hearth_protocol::params::{AddParams, ForgetParams, SourceKind as WireKind, SourcesParams};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Registers a source, or all volumes of a disk.
pub(crate) fn add(args: &AddArgs, console: &mut Console) -> Outcome {
    let kind = args.kind.map(wire_kind).transpose()?;
    let mut params = AddParams { name: args.name.clone(), kind, ..AddParams::default() };
    params.set_path(absolute(&args.path, &cwd()?).into_os_string().into_vec());
    let mut client = connect(console)?;
    let Added { source, more } = client.call(method::ADD, &params).map_err(refused)?;
    let sources: Vec<Source> = std::iter::once(source).chain(more).collect();
    for source in &sources {
        let text = format!("added {} ({})", source.name, quote::visible(&source.root.0));
        tell(source, &text, args.json, console)?;
    }
    if args.wait {
        let waited: Vec<(String, u64)> = sources.into_iter().map(|source| (source.name, 0)).collect();
        return waiting::for_sources(&mut client, console, args.timeout, &waited);
    }
    Ok(Done::Found)
}

fn wire_kind(kind: SourceKind) -> Result<WireKind, Stop> {
    match kind {
        SourceKind::Volume => Ok(WireKind::Volume),
        SourceKind::Ntfs => Ok(WireKind::Ntfs),
        SourceKind::Workspace => {
            let failure = Failure::usage("sources of kind `workspace` are not in this build");
            Err(failure.hint("`--as volume` indexes the names and metadata of a folder").into())
        }
    }
}

/// Unregisters sources.
pub(crate) fn forget(args: &ForgetArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let mut client = connect(console)?;
    for source in &args.sources {
        let mut params = ForgetParams { force: args.force, ..ForgetParams::default() };
        params.set_source(name_or_root(source, &cwd));
        let forgotten = client.forget(&params).map_err(refused)?;
        tell(&forgotten, &forgot(&forgotten), args.json, console)?;
    }
    Ok(Done::Found)
}

fn forgot(forgotten: &Freed) -> String {
    let Freed { source, freed_bytes, snapshot_bytes } = forgotten;
    let (memory, disk) = (size::human(*freed_bytes), size::human(*snapshot_bytes));
    let root = quote::visible(&source.root.0);
    format!("forgot {} ({root}), {memory} of memory and {disk} of disk freed", source.name)
}

/// Lists the sources.
pub(crate) fn list(args: &ListArgs, console: &mut Console) -> Outcome {
    let sources = connect(console)?.list().map_err(refused)?;
    if args.json {
        sources.iter().try_for_each(|source| console.printer.json(source))?;
    } else if !sources.is_empty() {
        let quoted = console.printer.is_terminal();
        console.printer.push(|out| table(&sources, quoted).push_to(out))?;
    }
    Ok(Done::found_if(!sources.is_empty()))
}

/// Scans sources anew.
pub(crate) fn refresh(args: &RefreshArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let mut client = connect(console)?;
    let before = client.status().map_err(refused)?;
    let mut params = SourcesParams::default();
    args.sources.iter().for_each(|source| params.add_source(name_or_root(source, &cwd)));
    let refreshed = client.refresh(&params).map_err(refused)?;
    for name in &refreshed {
        if args.json {
            console.printer.json(&serde_json::json!({ "v": 1, "type": "refresh", "source": name }))?;
        } else {
            console.printer.line(&format!("refreshing {name}"))?;
        }
    }
    console.printer.flush()?;
    if args.wait {
        let generation = |name: &String| {
            before.shards.iter().find(|shard| shard.name == *name).map_or(0, |shard| shard.generation)
        };
        let waited: Vec<(String, u64)> =
            refreshed.iter().map(|name| (name.clone(), generation(name))).collect();
        return waiting::for_sources(&mut client, console, args.timeout, &waited);
    }
    Ok(Done::found_if(!refreshed.is_empty()))
}

/// An argument with a slash, or one that is `.` or `..`, is a path; anything else is a name.
pub(super) fn name_or_root(argument: &OsString, cwd: &Path) -> Vec<u8> {
    let bytes = argument.as_bytes();
    if bytes.contains(&b'/') || matches!(bytes, b"." | b"..") {
        return absolute(Path::new(argument), cwd).into_os_string().into_vec();
    }
    bytes.to_vec()
}

fn table(sources: &[Source], quoted: bool) -> Table {
    let mut table = Table::new(&[("name", Align::Left), ("kind", Align::Left), ("root", Align::Left)]);
    for source in sources {
        let mut root = Vec::new();
        if quoted {
            quote::push_visible(&mut root, &source.root.0);
        } else {
            root.extend_from_slice(&source.root.0);
        }
        table.row(vec![source.name.clone().into_bytes(), source.kind.clone().into_bytes(), root]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{RootField, V1};

    #[test]
    fn a_slash_makes_a_path() {
        let given = |text: &str| name_or_root(&OsString::from(text), Path::new("/nonexistent-folder"));
        assert_eq!(given("docs"), b"docs");
        assert_eq!(given("./docs"), b"/nonexistent-folder/docs");
        assert_eq!(given("/nonexistent-root"), b"/nonexistent-root");
        assert_eq!(given(".."), b"/");
    }

    #[test]
    fn a_forgotten_source_says_what_it_held() {
        let root = RootField(b"/a\nb".to_vec());
        let source = Source { v: V1, id: 1, name: "a".into(), kind: "volume".into(), root };
        let forgotten = Freed { source, freed_bytes: 3 << 20, snapshot_bytes: 512 };
        assert_eq!(forgot(&forgotten), "forgot a ($'/a\\nb'), 3.0M of memory and 512 of disk freed");
    }

    #[test]
    fn kinds_of_later_builds_are_refused() {
        assert!(matches!(wire_kind(SourceKind::Volume), Ok(WireKind::Volume)));
        assert!(matches!(wire_kind(SourceKind::Ntfs), Ok(WireKind::Ntfs)));
        let Err(Stop::Failed(failure)) = wire_kind(SourceKind::Workspace) else { panic!("it was accepted") };
        assert!(failure.to_text().contains("not in this build"), "{}", failure.to_text());
    }
}
