//! `hearth stats`: counts and bytes per group.
//!
//! Groups, their order and the total come from the daemon; here they become a table, CSV or JSON
//! Lines. What all groups come to goes to the notes, so that the table on standard output holds groups only.

use super::{cwd, tell_quality};
use crate::args::StatsKey;
use crate::args::report::StatsArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::query_text::{asking, query_text};
use crate::reach::reach;
use crate::render::table::{Align, Table};
use crate::text::{csv, quote, size};
use crate::waiting;
use hearth_protocol::answer::{StatsRow, Summary};
use hearth_protocol::params::{StatsBy, StatsParams};

/// Asks and prints.
pub(crate) fn run(args: &StatsArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let query = query_text(&args.query, &cwd);
    let params = StatsParams {
        by: by(args.by),
        limit: args.limit,
        timeout_ms: args.reach.timeout,
        wait_fresh_ms: args.reach.wait_fresh.map(|wait| wait.ms),
        ..StatsParams::default()
    };
    let params = asking(params, &query, &args.query, &cwd);
    let mut reached = reach(args.reach.no_daemon, console)?;
    waiting::prepare(&mut reached, console, args.reach.no_daemon, args.reach.timeout, &|_| true)?;
    let (rows, summary) =
        waiting::ask(&mut reached.client, console, args.reach.timeout, &mut |client, console| {
            client.stats(&params, &mut |event| waiting::show(&event, &mut console.notes))
        })
        .map_err(|stop| stop.pointing_into(&query))?;
    print(args, &rows, &summary, console)?;
    console.printer.flush()?;
    tell_quality(&summary.meta, &mut console.notes);
    Ok(Done::found_if(!rows.is_empty()))
}

fn by(key: StatsKey) -> StatsBy {
    match key {
        StatsKey::Ext => StatsBy::Ext,
        StatsKey::Type => StatsBy::Type,
        StatsKey::Size => StatsBy::Size,
        StatsKey::Age => StatsBy::Age,
        StatsKey::Owner => StatsBy::Owner,
        StatsKey::Folder => StatsBy::Folder,
    }
}

fn print(args: &StatsArgs, rows: &[StatsRow], summary: &Summary, console: &mut Console) -> Result<(), Stop> {
    if args.form.json {
        rows.iter().try_for_each(|row| console.printer.json(row))?;
        return console.printer.json(summary);
    }
    if args.form.csv {
        return console.printer.push(|out| push_csv(out, rows));
    }
    let quoted = console.printer.is_terminal();
    console.printer.push(|out| table(rows, title(args.by), quoted, args.bytes).push_to(out))?;
    console.printer.flush()?;
    tell_total(rows.len(), summary, console);
    Ok(())
}

fn title(key: StatsKey) -> &'static str {
    match key {
        StatsKey::Ext => "extension",
        StatsKey::Type => "type",
        StatsKey::Size => "size class",
        StatsKey::Age => "last change",
        StatsKey::Owner => "owner",
        StatsKey::Folder => "folder",
    }
}

/// An empty key, such as that of names without extension, is shown as `(none)`.
fn table(rows: &[StatsRow], title: &str, quoted: bool, exact: bool) -> Table {
    let right = Align::Right;
    let mut table = Table::new(&[("size", right), ("disk", right), ("entries", right), (title, Align::Left)]);
    for row in rows {
        let mut key = Vec::new();
        match row.key.0.as_slice() {
            b"" => key.extend_from_slice(b"(none)"),
            name if quoted => quote::push_visible(&mut key, name),
            name => key.extend_from_slice(name),
        }
        let size = super::size_cell(row.size, exact);
        let disk = super::size_cell(row.allocated, exact);
        table.row(vec![size, disk, super::count_cell(row.entries, exact), key]);
    }
    table
}

/// What all groups come to, shown or not: a note, so that the table on standard output holds groups only.
fn tell_total(shown: usize, summary: &Summary, console: &mut Console) {
    let Some(total) = summary.total else { return };
    let hidden = summary.matched.unwrap_or(0).saturating_sub(shown as u64);
    let more = if hidden > 0 { format!(" ({hidden} more groups; -n shows more)") } else { String::new() };
    console.notes.say(&format!(
        "{} entries, {}, {} on disk in all{more}",
        size::grouped(total.entries),
        size::human(total.size),
        size::human(total.allocated),
    ));
}

fn push_csv(out: &mut Vec<u8>, rows: &[StatsRow]) {
    csv::push_record(out, ["key", "entries", "size", "allocated"].map(str::as_bytes));
    for row in rows {
        let numbers = [row.entries, row.size, row.allocated].map(|number| number.to_string());
        csv::push_record(
            out,
            std::iter::once(row.key.0.as_slice()).chain(numbers.iter().map(String::as_bytes)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{KeyField, V1};

    fn row(key: &[u8]) -> StatsRow {
        StatsRow { v: V1, key: KeyField(key.to_vec()), entries: 12, size: 1 << 20, allocated: 0 }
    }

    #[test]
    fn groups_are_a_table_for_people() {
        let mut out = Vec::new();
        table(&[row(b""), row(b"a\x1b")], "extension", true, false).push_to(&mut out);
        let expect =
            "size  disk  entries  extension\n1.0M     0       12  (none)\n1.0M     0       12  $'a\\e'\n";
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn groups_are_csv_for_programs() {
        let mut out = Vec::new();
        push_csv(&mut out, &[row(b"a,b")]);
        assert_eq!(out, b"key,entries,size,allocated\n\"a,b\",12,1048576,0\n");
    }
}
