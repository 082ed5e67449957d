//! `hearth du`: the biggest folders.
//!
//! The daemon reads the totals of its index, so nothing on disk is walked; text, CSV and JSON Lines
//! are three views of the same rows. Names are quoted only where a terminal reads them.

use super::{cwd, tell_quality};
use crate::args::report::DuArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::query_text::absolute;
use crate::reach::reach;
use crate::render::table::{Align, Table};
use crate::render::{Look, Row};
use crate::text::csv;
use crate::waiting;
use hearth_core::EntryKind;
use hearth_protocol::Entry;
use hearth_protocol::answer::{DuRow, Summary};
use hearth_protocol::params::{DuBy, DuParams};
use std::os::unix::ffi::OsStringExt as _;

/// Asks and prints.
pub(crate) fn run(args: &DuArgs, console: &mut Console) -> Outcome {
    let params = params(args)?;
    let mut reached = reach(args.reach.no_daemon, console)?;
    waiting::prepare(&mut reached, console, args.reach.no_daemon, args.reach.timeout, &|_| true)?;
    let (rows, summary) =
        waiting::ask(&mut reached.client, console, args.reach.timeout, &mut |client, console| {
            client.du(&params, &mut |event| waiting::show(&event, &mut console.notes))
        })?;
    print(args, &rows, &summary, console)?;
    console.printer.flush()?;
    tell_quality(&summary.meta, &mut console.notes);
    Ok(Done::found_if(!rows.is_empty()))
}

fn params(args: &DuArgs) -> Result<DuParams, Stop> {
    let mut params = DuParams {
        depth: args.depth,
        limit: args.limit,
        by: if args.allocated { DuBy::Allocated } else { DuBy::Size },
        timeout_ms: args.reach.timeout,
        wait_fresh_ms: args.reach.wait_fresh.map(|wait| wait.ms),
        ..DuParams::default()
    };
    if let Some(path) = &args.path {
        params.set_path(absolute(path, &cwd()?).into_os_string().into_vec());
    }
    Ok(params)
}

fn print(args: &DuArgs, rows: &[DuRow], summary: &Summary, console: &mut Console) -> Result<(), Stop> {
    if args.form.json {
        rows.iter().try_for_each(|row| console.printer.json(row))?;
        return console.printer.json(summary);
    }
    if args.form.csv {
        return console.printer.push(|out| push_csv(out, rows));
    }
    let look = Look {
        quoted: console.printer.is_terminal(),
        colors: console.colors(args.color.color),
        linked: false,
        end: b'\n',
    };
    console.printer.push(|out| table(rows, &look, args.bytes).push_to(out))
}

fn table(rows: &[DuRow], look: &Look, exact: bool) -> Table {
    let right = Align::Right;
    let mut table =
        Table::new(&[("size", right), ("disk", right), ("entries", right), ("folder", Align::Left)]);
    for row in rows {
        let mut path = Vec::new();
        let entry = Entry { kind: Some(EntryKind::Dir.as_str().to_owned()), ..Entry::default() };
        look.push_path(&mut path, &Row { path: &row.path.0, ..Row::of(&entry) });
        let size = super::size_cell(row.tree_size, exact);
        let disk = super::size_cell(row.tree_allocated, exact);
        table.row(vec![size, disk, super::count_cell(row.descendants, exact), path]);
    }
    table
}

fn push_csv(out: &mut Vec<u8>, rows: &[DuRow]) {
    let header = ["path", "tree_size", "tree_allocated", "descendants", "source"];
    csv::push_record(out, header.map(str::as_bytes));
    for row in rows {
        let numbers = [row.tree_size, row.tree_allocated, row.descendants].map(|number| number.to_string());
        let numbers = numbers.iter().map(String::as_bytes);
        csv::push_record(
            out,
            std::iter::once(row.path.0.as_slice()).chain(numbers).chain([row.source.as_bytes()]),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{PathField, V1};

    fn row() -> DuRow {
        DuRow {
            v: V1,
            path: PathField(b"/a\n,b".to_vec()),
            tree_size: 2048,
            tree_allocated: 4096,
            descendants: 1234,
            source: "root".into(),
        }
    }

    #[test]
    fn folders_are_a_table_for_people() {
        let look = Look { quoted: true, colors: None, linked: false, end: b'\n' };
        let text = |exact| {
            let mut out = Vec::new();
            table(&[row()], &look, exact).push_to(&mut out);
            String::from_utf8(out).expect("all is text")
        };
        assert_eq!(text(false), "size  disk  entries  folder\n2.0K  4.0K    1,234  $'/a\\n,b'\n");
        assert_eq!(text(true), "size  disk  entries  folder\n2048  4096     1234  $'/a\\n,b'\n");
    }

    #[test]
    fn folders_are_csv_for_programs() {
        let mut out = Vec::new();
        push_csv(&mut out, &[row()]);
        assert_eq!(
            out,
            b"path,tree_size,tree_allocated,descendants,source\n\"/a\n,b\",2048,4096,1234,root\n"
        );
    }
}
