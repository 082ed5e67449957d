//! `hearth find`: from options to one request, from its answer to rows.
//!
//! Plain paths for a program and JSON lines arrive from the daemon exactly as they leave here and
//! are copied; every other form is made from entries, of which only the needed columns are asked for.

use super::{cwd, tell_quality};
use crate::args::When;
use crate::args::find::{FindArgs, FormArgs};
use crate::argv::meant_command;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use crate::notes::Notes;
use crate::printer::Printer;
use crate::query_text::{asking, query_text};
use crate::reach::reach;
use crate::render::table::{Align, Table};
use crate::render::{Form, Look, Row, RowWriter};
use crate::text::template::Template;
use crate::waiting;
use hearth_client::{CallError, Client, FindHandler};
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::Entry;
use hearth_protocol::answer::{Explain, ScanProgress, Summary};
use hearth_protocol::params::{Encoding, FindParams};
use serde_json::json;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Searches and prints.
pub(crate) fn run(args: &FindArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let writer = row_writer(args, console)?;
    let query = query_text(&args.query, &cwd);
    let params = params(args, writer.as_ref(), &query, &cwd);
    let mut reached = reach(args.reach.no_daemon, console)?;
    let (folders, wait) = (params.within_bytes(), args.wait || args.reach.no_daemon);
    waiting::prepare(&mut reached, console, wait, args.reach.timeout, &|shard| {
        touches(&shard.root.0, &folders)
    })?;
    let summary = ask(&mut reached.client, console, args, &params, writer.as_ref())
        .map_err(|stop| stop.pointing_into(&query))?;
    conclude(args, &summary, console)
}

/// `None` where the daemon's bytes are the output.
fn row_writer(args: &FindArgs, console: &Console) -> Result<Option<RowWriter>, Stop> {
    let look = look(args, console);
    let form = form(&args.form)?;
    let is_raw = form == Form::Path && !look.quoted && look.colors.is_none() && !look.linked;
    Ok((!args.form.json && !args.form.count && !is_raw).then(|| RowWriter::new(form, look)))
}

fn look(args: &FindArgs, console: &Console) -> Look {
    let terminal = console.printer.is_terminal();
    Look {
        quoted: terminal,
        colors: console.colors(args.color.color),
        linked: match args.form.hyperlink {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && std::env::var_os("TERM").is_some_and(|term| term != "dumb"),
        },
        end: if args.form.null { 0 } else { b'\n' },
    }
}

fn form(args: &FormArgs) -> Result<Form, Stop> {
    if let Some(text) = &args.format {
        let template = Template::parse(text.as_bytes()).map_err(|error| {
            Failure::usage(format!("--format: {}", error.message))
                .hint(error.hint)
                .pointing_at(text.as_bytes(), error.position)
        })?;
        return Ok(Form::Template(template));
    }
    Ok(match () {
        () if args.long => Form::Long,
        () if args.csv => Form::Csv,
        () => Form::Path,
    })
}

fn params(args: &FindArgs, writer: Option<&RowWriter>, query: &[u8], cwd: &Path) -> FindParams {
    let params = FindParams {
        sort: args.order.sort.clone().unwrap_or_default(),
        limit: args.order.limit,
        total: args.form.json || args.form.count,
        count: args.form.count,
        explain: args.form.explain,
        // A reader may take its time (a pager, a slow pipe): without --timeout only the daemon's own limit holds.
        timeout_ms: Some(args.reach.timeout.unwrap_or(REQUEST_TIMEOUT_MAX_MS)),
        wait_fresh_ms: args.reach.wait_fresh.map(|wait| wait.ms),
        columns: writer.map(RowWriter::columns),
        encoding: match writer {
            Some(_) => Encoding::Json,
            None if args.form.json => Encoding::Jsonl,
            None if args.form.null => Encoding::Nul,
            None => Encoding::Lines,
        },
        ..FindParams::default()
    };
    asking(params, query, &args.query, cwd)
}

/// True if a source with this root holds one of the folders, or lies in one.
fn touches(root: &[u8], folders: &[Vec<u8>]) -> bool {
    let root = as_path(root);
    let meets = |folder: &Path| root.starts_with(folder) || folder.starts_with(root);
    folders.is_empty() || folders.iter().any(|folder| meets(as_path(folder)))
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn ask(
    client: &mut Client,
    console: &mut Console,
    args: &FindArgs,
    params: &FindParams,
    writer: Option<&RowWriter>,
) -> Result<Summary, Stop> {
    let mut begun = false;
    let mut failed = None;
    let answer = waiting::ask(client, console, args.reach.timeout, &mut |client, console| {
        let Console { printer, notes } = console;
        let mut rows = Rows { printer, notes, writer, begun: &mut begun, failed: &mut failed };
        let summary = client.find(params, &mut rows)?;
        rows.begin().map_err(CallError::Receiver)?;
        Ok(((), summary))
    });
    match failed {
        Some(stop) => Err(stop),
        None => answer.map(|((), summary)| summary),
    }
}

/// Takes rows to the printer. The header comes once, before the first row or the end.
struct Rows<'a> {
    printer: &'a mut Printer,
    notes: &'a mut Notes,
    writer: Option<&'a RowWriter>,
    begun: &'a mut bool,
    /// Why printing failed: the client only knows that it did.
    failed: &'a mut Option<Stop>,
}

impl Rows<'_> {
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(self.begun, true) {
            return Ok(());
        }
        self.notes.clear();
        let Some(writer) = self.writer else { return Ok(()) };
        let outcome = self.printer.push(|out| writer.push_header(out));
        self.note(outcome)
    }

    fn note(&mut self, outcome: Result<(), Stop>) -> io::Result<()> {
        outcome.map_err(|stop| {
            *self.failed = Some(stop);
            io::ErrorKind::BrokenPipe.into()
        })
    }

    /// A person sees rows as they come; a program gets them in large pieces.
    fn settle(&mut self, outcome: Result<(), Stop>) -> io::Result<()> {
        let outcome =
            if self.printer.is_terminal() { outcome.and_then(|()| self.printer.flush()) } else { outcome };
        self.note(outcome)
    }
}

impl FindHandler for Rows<'_> {
    fn entries(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        self.begin()?;
        let Some(writer) = self.writer else { return Ok(()) };
        let outcome = entries
            .iter()
            .try_for_each(|entry| self.printer.push(|out| writer.push_row(out, &Row::of(entry))));
        self.settle(outcome)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begin()?;
        let outcome = self.printer.bytes(bytes);
        self.settle(outcome)
    }

    /// Rows and progress would run into each other.
    fn scan_progress(&mut self, progress: &ScanProgress) -> io::Result<()> {
        if *self.begun { Ok(()) } else { waiting::show_scan(progress, self.notes) }
    }
}

fn conclude(args: &FindArgs, summary: &Summary, console: &mut Console) -> Outcome {
    let matched = summary.matched.unwrap_or(summary.shown);
    if args.form.json {
        print_json_end(summary, console)?;
    } else if args.form.count {
        console.printer.line(&matched.to_string())?;
    }
    console.printer.flush()?;
    if args.form.explain && !args.form.json {
        console.notes.block(&explain_tables(&summary.explain));
    }
    tell_quality(&summary.meta, &mut console.notes);
    let found = if args.form.count { matched > 0 } else { summary.shown > 0 };
    if !found {
        suggest_command(args, console);
    }
    Ok(Done::found_if(found))
}

fn print_json_end(summary: &Summary, console: &mut Console) -> Result<(), Stop> {
    for explain in &summary.explain {
        console.printer.json(&json!({
            "v": 1, "type": "explain", "source": explain.source, "accelerator": explain.accelerator,
            "candidates": explain.candidates, "steps": explain.steps,
        }))?;
    }
    console.printer.json(&Summary { explain: Vec::new(), ..summary.clone() })
}

fn explain_tables(explains: &[Explain]) -> Vec<u8> {
    let mut out = Vec::new();
    for explain in explains {
        out.extend_from_slice(
            format!("{}: {}, {} candidates\n", explain.source, explain.accelerator, explain.candidates)
                .as_bytes(),
        );
        let mut table = Table::new(&[("us", Align::Right), ("out", Align::Right), ("step", Align::Left)]);
        for step in &explain.steps {
            let cells = [step.micros.to_string(), step.out.to_string(), step.what.clone()];
            table.row(cells.map(String::into_bytes).to_vec());
        }
        table.push_to(&mut out);
    }
    out
}

/// A mistyped command is a search that finds nothing; a person is told what it may have been.
fn suggest_command(args: &FindArgs, console: &mut Console) {
    let [word] = args.query.terms.as_slice() else { return };
    if let Some(command) = meant_command(word.as_bytes()).filter(|_| console.notes.is_terminal()) {
        console.notes.say(&format!("nothing found; there is a command `hearth {command}`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_on_the_way_are_waited_for() {
        let folders = [b"/home/u".to_vec()];
        assert!(touches(b"/", &folders));
        assert!(touches(b"/home", &folders));
        assert!(touches(b"/home/u/x", &folders));
        assert!(!touches(b"/home/user", &folders));
        assert!(!touches(b"/srv", &folders));
        assert!(touches(b"/srv", &[]));
    }

    #[test]
    fn explanations_are_tables() {
        let step = hearth_protocol::answer::ExplainStep { what: "postings".into(), out: 12, micros: 7 };
        let explain = Explain {
            source: "root".into(),
            accelerator: "trigrams".into(),
            candidates: 3,
            steps: vec![step],
        };
        let text = String::from_utf8(explain_tables(&[explain])).expect("all is text");
        assert_eq!(text, "root: trigrams, 3 candidates\nus  out  step\n 7   12  postings\n");
    }
}
