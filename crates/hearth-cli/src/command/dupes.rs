//! `hearth dupes`: files of equal content.
//!
//! The daemon reads the candidates, which can take long: progress is shown meanwhile, and the time
//! limit is the longest there is unless the user sets one. What the reading left out, by its budget or by an
//! error, is told after the groups.

use super::{cwd, tell_quality};
use crate::args::report::DupesArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::notes::Notes;
use crate::query_text::{asking, query_text};
use crate::reach::reach;
use crate::render::colors::paint;
use crate::text::{csv, quote, size};
use crate::waiting;
use hearth_client::Event;
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::answer::{DupeGroup, RequestProgress, Summary};
use hearth_protocol::limits::REPORT_ROWS;
use hearth_protocol::params::DupesParams;
use std::io;
use std::path::Path;

/// Bold, for the heading of a group.
const HEADING: &str = "1";

/// Asks and prints.
pub(crate) fn run(args: &DupesArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let query = query_text(&args.query, &cwd);
    let params = params(args, &query, &cwd);
    let mut reached = reach(args.reach.no_daemon, console)?;
    waiting::prepare(&mut reached, console, args.reach.no_daemon, args.reach.timeout, &|_| true)?;
    let (groups, summary) =
        waiting::ask(&mut reached.client, console, args.reach.timeout, &mut |client, console| {
            client.dupes(&params, &mut |event| show(&event, &mut console.notes))
        })
        .map_err(|stop| stop.pointing_into(&query))?;
    print(args, &groups, &summary, console)?;
    console.printer.flush()?;
    tell_total(groups.len(), &summary, &mut console.notes);
    tell_quality(&summary.meta, &mut console.notes);
    Ok(Done::found_if(!groups.is_empty()))
}

fn show(event: &Event<'_>, notes: &mut Notes) -> io::Result<()> {
    match event {
        Event::Request(progress) => {
            notes.progress(|| describe(progress));
            Ok(())
        }
        other => waiting::show(other, notes),
    }
}

fn params(args: &DupesArgs, query: &[u8], cwd: &Path) -> DupesParams {
    let params = DupesParams {
        min_size: args.min_size.0,
        read_budget: args.read_budget.map(|budget| budget.0),
        limit: args.limit.unwrap_or(REPORT_ROWS),
        progress: true,
        timeout_ms: Some(args.reach.timeout.unwrap_or(REQUEST_TIMEOUT_MAX_MS)),
        wait_fresh_ms: args.reach.wait_fresh.map(|wait| wait.ms),
        ..DupesParams::default()
    };
    asking(params, query, &args.query, cwd)
}

fn describe(progress: &RequestProgress) -> String {
    let amount = |number| if progress.unit == "bytes" { size::human(number) } else { size::grouped(number) };
    let of = progress.total.map_or_else(String::new, |total| format!(" of {}", amount(total)));
    format!("comparing: {}{of} {}", amount(progress.done), progress.unit)
}

fn print(
    args: &DupesArgs,
    groups: &[DupeGroup],
    summary: &Summary,
    console: &mut Console,
) -> Result<(), Stop> {
    let printer = &mut console.printer;
    if args.form.json {
        groups.iter().try_for_each(|group| printer.json(group))?;
        return printer.json(summary);
    }
    if args.form.csv {
        printer.push(|out| csv::push_record(out, ["group", "size", "hash", "path"].map(str::as_bytes)))?;
        return groups
            .iter()
            .zip(1..)
            .try_for_each(|(group, number)| printer.push(|out| push_csv(out, group, number)));
    }
    let look = GroupLook {
        headed: printer.is_terminal() && !args.null,
        quoted: printer.is_terminal(),
        colored: console.colors(args.color.color).is_some(),
        end: if args.null { 0 } else { b'\n' },
    };
    let printer = &mut console.printer;
    groups
        .iter()
        .zip(0..)
        .try_for_each(|(group, at): (_, usize)| printer.push(|out| push_group(out, group, at > 0, &look)))
}

/// How groups appear.
struct GroupLook {
    headed: bool,
    quoted: bool,
    colored: bool,
    end: u8,
}

/// A group: for people a heading, then the paths; an empty line between groups.
fn push_group(out: &mut Vec<u8>, group: &DupeGroup, follows: bool, look: &GroupLook) {
    if follows {
        out.push(look.end);
    }
    if look.headed {
        let wasted = group.size.saturating_mul(group.files.len().saturating_sub(1) as u64);
        let text = format!("{} each, {} wasted", size::human(group.size), size::human(wasted));
        paint(out, look.colored.then_some(HEADING), |out| out.extend_from_slice(text.as_bytes()));
        out.push(look.end);
    }
    for file in &group.files {
        if look.quoted {
            quote::push_visible(out, &file.0);
        } else {
            out.extend_from_slice(&file.0);
        }
        out.push(look.end);
    }
}

fn push_csv(out: &mut Vec<u8>, group: &DupeGroup, number: usize) {
    let (number, size) = (number.to_string(), group.size.to_string());
    for file in &group.files {
        csv::push_record(out, [number.as_bytes(), size.as_bytes(), group.hash.as_bytes(), &file.0]);
    }
}

fn tell_total(shown: usize, summary: &Summary, notes: &mut Notes) {
    let Some(total) = summary.dupes else { return };
    let groups = summary.matched.unwrap_or(shown as u64);
    let (wasted, read) = (size::human(total.wasted), size::human(total.read));
    notes.say(&format!("{groups} groups, {wasted} could be freed ({read} read)"));
    if !total.exhaustive {
        notes.say("the read budget ended before everything was compared; --read-budget raises it");
    }
    if total.unreadable > 0 {
        notes.say(&format!(
            "{} files could not be read or changed meanwhile",
            size::grouped(total.unreadable)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{Id, PathField, V1};

    fn group() -> DupeGroup {
        let files = vec![PathField(b"/a".to_vec()), PathField(b"/b\n".to_vec())];
        DupeGroup { v: V1, size: 1024, hash: "00ff".into(), files }
    }

    #[test]
    fn groups_are_separated_by_an_empty_record() {
        let look = GroupLook { headed: false, quoted: false, colored: false, end: 0 };
        let mut out = Vec::new();
        push_group(&mut out, &group(), false, &look);
        push_group(&mut out, &group(), true, &look);
        assert_eq!(out, b"/a\0/b\n\0\0/a\0/b\n\0");
    }

    #[test]
    fn people_see_what_a_group_wastes() {
        let look = GroupLook { headed: true, quoted: true, colored: true, end: b'\n' };
        let mut out = Vec::new();
        push_group(&mut out, &group(), false, &look);
        assert_eq!(String::from_utf8_lossy(&out), "\x1b[1m1.0K each, 1.0K wasted\x1b[0m\n/a\n$'/b\\n'\n");
    }

    #[test]
    fn csv_has_a_record_per_file() {
        let mut out = Vec::new();
        push_csv(&mut out, &group(), 3);
        assert_eq!(out, b"3,1024,00ff,/a\n3,1024,00ff,\"/b\n\"\n");
    }

    #[test]
    fn progress_is_in_its_unit() {
        let mut progress =
            RequestProgress { id: Id::Number(1), done: 2048, total: Some(1 << 20), unit: "bytes".into() };
        assert_eq!(describe(&progress), "comparing: 2.0K of 1.0M bytes");
        (progress.unit, progress.total) = ("files".into(), None);
        assert_eq!(describe(&progress), "comparing: 2,048 files");
    }
}
