//! `hearth ntfs journal`: what happened on a volume.
//!
//! Rows are printed as they come; a reader that goes away ends the reading in the daemon.

use super::disk;
use crate::args::ntfs::NtfsJournalArgs;
use crate::command::cwd;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::printer::Printer;
use crate::reach::{reach, refused};
use crate::text::{quote, size, time};
use hearth_client::{CallError, Event};
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::answer::Summary;
use hearth_protocol::answer::ntfs::UsnEntry;
use hearth_protocol::method;
use hearth_protocol::params::NtfsJournalParams;
use serde_json::value::RawValue;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

/// Asks and prints.
pub(super) fn run(args: &NtfsJournalArgs, console: &mut Console) -> Outcome {
    let mut params = NtfsJournalParams {
        since: args.since,
        limit: args.limit,
        // A reader may take its time: without --timeout only the daemon's own limit holds.
        timeout_ms: Some(args.reach.timeout.unwrap_or(REQUEST_TIMEOUT_MAX_MS)),
        ..NtfsJournalParams::default()
    };
    params.set_disk(disk(&args.disk, &cwd()?));
    if let Some(path) = &args.path {
        params.set_below(path.as_bytes().to_vec());
    }
    let mut reached = reach(args.reach.no_daemon, console)?;
    let mut failed = None;
    let printer = &mut console.printer;
    let answer = reached.client.call_with(method::NTFS_JOURNAL, &params, &mut |event| {
        let Event::Rows(rows) = event else { return Ok(()) };
        print(rows, args.json, printer).map_err(|stop| {
            failed = Some(stop);
            io::ErrorKind::BrokenPipe.into()
        })
    });
    if let Some(stop) = failed {
        return Err(stop);
    }
    conclude(args, &answer.map_err(refused)?, console)
}

fn print(rows: &RawValue, json: bool, printer: &mut Printer) -> Result<(), Stop> {
    let nonsense = |error: serde_json::Error| refused(CallError::Receiver(error.into()));
    let rows: Vec<UsnEntry> = serde_json::from_str(rows.get()).map_err(nonsense)?;
    for row in &rows {
        if json {
            printer.json(row)?;
        } else {
            printer.push(|out| push_line(out, row))?;
        }
    }
    printer.flush()
}

/// USN, time, record, what happened, path: widths that fit most.
fn push_line(out: &mut Vec<u8>, row: &UsnEntry) {
    let record = format!("{}-{}", row.record, row.sequence);
    let reasons = row.reasons.join(",");
    let head = format!("{:>12}  {:19}  {record:>10}  {reasons:40}  ", row.usn, time::seconds(row.time_ns));
    out.extend_from_slice(head.as_bytes());
    match &row.path {
        Some(path) => quote::push_visible(out, &path.0),
        None => {
            out.extend_from_slice(format!("[{}-{}]/", row.parent, row.parent_sequence).as_bytes());
            quote::push_visible(out, &row.name.0);
        }
    }
    out.push(b'\n');
}

fn conclude(args: &NtfsJournalArgs, summary: &Summary, console: &mut Console) -> Outcome {
    if args.json {
        console.printer.json(summary)?;
    }
    console.printer.flush()?;
    if let Some(journal) = summary.journal.as_ref().filter(|_| !args.json) {
        if summary.more {
            console.notes.say(&format!("there is more; --since {} goes on", journal.next_usn));
        }
        if journal.skipped_bytes > 0 {
            let skipped = size::grouped(journal.skipped_bytes);
            console.notes.say(&format!("{skipped} bytes of the journal are no records and were passed over"));
        }
    }
    Ok(Done::found_if(summary.shown > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{NameField, PathField, V1};

    #[test]
    fn a_row_has_a_path_or_the_folder_that_is_gone() {
        let mut row = UsnEntry {
            v: V1,
            usn: 96,
            time_ns: None,
            record: 40,
            sequence: 2,
            parent: 38,
            parent_sequence: 1,
            name: NameField(b"a b".to_vec()),
            path: None,
            reasons: vec!["file-create".into(), "close".into()],
            source_info: Vec::new(),
            attributes: "A".into(),
            version: 2,
            extents: Vec::new(),
        };
        let line = |row: &UsnEntry| {
            let mut out = Vec::new();
            push_line(&mut out, row);
            String::from_utf8(out).expect("all is text").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line(&row), "96 40-2 file-create,close [38-1]/a b");
        row.path = Some(PathField(b"/x/a".to_vec()));
        assert_eq!(line(&row), "96 40-2 file-create,close /x/a");
    }
}
