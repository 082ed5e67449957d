//! `hearth history`: which program made, changed or removed something.
//!
//! What is kept, and what of it matches, is the daemon's to say; here an argument is told to be a path or a
//! query, and rows become a table or JSON Lines. That nothing is kept, or not everything, is a note.

use super::cwd;
use crate::args::find::QueryArgs;
use crate::args::history::HistoryArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::query_text::{asking, query_text};
use crate::reach::{connect, refused};
use crate::render::table::{Align, Table};
use crate::text::{quote, size, time};
use hearth_protocol::answer::{Act, Summary};
use hearth_protocol::params::HistoryParams;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Asks and prints.
pub(crate) fn run(args: &HistoryArgs, console: &mut Console) -> Outcome {
    let cwd = cwd()?;
    let path = path(args, &cwd);
    let terms = if path.is_some() { Vec::new() } else { args.terms.clone() };
    let query_args = QueryArgs { terms, within: args.within.clone(), ..QueryArgs::default() };
    let query = query_text(&query_args, &cwd);
    let mut params = HistoryParams { limit: args.limit, ..HistoryParams::default() };
    if let Some(path) = path {
        params.set_path(path.into_os_string().into_vec());
    }
    let params = asking(params, &query, &query_args, &cwd);
    let answer = connect(console)?.history(&params, &mut |_| Ok(()));
    let (rows, summary) = answer.map_err(|error| refused(error).pointing_into(&query))?;
    print(args, &rows, &summary, console)?;
    console.printer.flush()?;
    tell_what_lacks(rows.len(), &summary, console);
    Ok(Done::found_if(!rows.is_empty()))
}

/// The path that is asked for, absolute, if it is one.
fn path(args: &HistoryArgs, cwd: &Path) -> Option<PathBuf> {
    let [term] = args.terms.as_slice() else { return None };
    let path = cwd.join(term);
    let exists = || path.symlink_metadata().is_ok();
    let may_be = looks_like_path(term) && (!is_query(term.as_bytes()) || exists());
    may_be.then(|| without_links(&path))
}

fn looks_like_path(term: &OsStr) -> bool {
    term.as_bytes().starts_with(b".") || term.as_bytes().contains(&b'/')
}

/// True for what the query language has a meaning of its own for.
fn is_query(term: &[u8]) -> bool {
    let key = term.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let has_key = key > 0 && term.get(key) == Some(&b':');
    has_key || b"!=\"(~".contains(&term[0]) || term.iter().any(|byte| b"*?[{|".contains(byte))
}

/// The place that a path names: links in the folders above are followed as far as those exist, the name is not.
fn without_links(path: &Path) -> PathBuf {
    if path.file_name().is_none() {
        return path.canonicalize().unwrap_or_else(|_| path.to_owned());
    }
    let folders = path.ancestors().skip(1);
    let real =
        folders.filter_map(|folder| Some(folder.canonicalize().ok()?.join(path.strip_prefix(folder).ok()?)));
    real.into_iter().next().unwrap_or_else(|| path.to_owned())
}

fn print(args: &HistoryArgs, rows: &[Act], summary: &Summary, console: &mut Console) -> Result<(), Stop> {
    if args.json {
        rows.iter().try_for_each(|row| console.printer.json(row))?;
        return console.printer.json(summary);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let quoted = console.printer.is_terminal();
    console.printer.push(|out| table(rows, quoted).push_to(out))
}

fn table(rows: &[Act], quoted: bool) -> Table {
    let titles = ["time", "what", "program", "user", "path"].map(|title| (title, Align::Left));
    let mut table = Table::new(&titles);
    for row in rows {
        let mut path = Vec::new();
        if quoted {
            quote::push_visible(&mut path, &row.path.0);
        } else {
            path.extend_from_slice(&row.path.0);
        }
        let cells = [time::seconds(Some(row.at_ns)), what(row), program(row), user(row)];
        table.row(cells.map(String::into_bytes).into_iter().chain([path]).collect());
    }
    table
}

fn what(row: &Act) -> String {
    if row.times > 1 { format!("{} {}x", row.what, size::grouped(row.times)) } else { row.what.clone() }
}

/// Name and number of the process; `?` stands for what could not be seen.
fn program(row: &Act) -> String {
    let pid = if row.pid == 0 { "?".to_owned() } else { row.pid.to_string() };
    let name = if row.command.is_empty() { "?".to_owned() } else { quote::visible(row.command.as_bytes()) };
    format!("{name}[{pid}]")
}

fn user(row: &Act) -> String {
    let number = row.uid.map_or_else(|| "?".to_owned(), |uid| uid.to_string());
    row.user.as_ref().map_or(number, |name| quote::visible(name.as_bytes()))
}

fn tell_what_lacks(shown: usize, summary: &Summary, console: &mut Console) {
    let hidden = summary.matched.unwrap_or(0).saturating_sub(shown as u64);
    if hidden > 0 {
        console.notes.say(&format!("{} more; -n shows more", size::grouped(hidden)));
    }
    let Some(history) = &summary.history else { return };
    if !history.why.is_empty() {
        console.notes.say(&history.why);
    }
    if history.dropped > 0 {
        let dropped = size::grouped(history.dropped);
        console.notes.say(&format!("{dropped} acts came too fast to be kept"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{PathField, V1};

    fn act(path: &str) -> Act {
        Act {
            v: V1,
            path: PathField(path.into()),
            unseen_folder: None,
            what: "removed".into(),
            at_ns: 1_700_000_000_000_000_000,
            first_ns: 0,
            times: 1,
            pid: 42,
            command: "rm".into(),
            uid: Some(0),
            user: Some("root".into()),
            source: "s".into(),
        }
    }

    #[test]
    fn acts_are_a_table_for_people() {
        let unknown = Act {
            what: "modified".into(),
            times: 1200,
            pid: 0,
            command: String::new(),
            uid: Some(7),
            user: None,
            ..act("/b\n")
        };
        let mut out = Vec::new();
        table(&[act("/a"), unknown], true).push_to(&mut out);
        let text = String::from_utf8(out).expect("all is text");
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().skip(2).collect()).collect();
        assert!(text.starts_with("time                 what "), "{text}");
        assert_eq!(lines[1], ["removed", "rm[42]", "root", "/a"]);
        assert_eq!(lines[2], ["modified", "1,200x", "?[?]", "7", "$'/b\\n'"]);
    }

    #[test]
    fn an_argument_is_a_path_or_a_query() {
        let path = |terms: &[&str]| {
            let terms = terms.iter().map(Into::into).collect();
            let args = HistoryArgs { terms, within: Vec::new(), limit: 1, json: false };
            path(&args, Path::new("/nowhere"))
        };
        for (term, expect) in [
            ("a/b", Some("/nowhere/a/b")),
            ("/x/./y", Some("/x/y")),
            (".", Some("/nowhere")),
            (".bashrc", Some("/nowhere/.bashrc")),
            ("/", Some("/")),
            ("main.rs", None),
            ("src/**/a", None),
            ("in:/etc", None),
            ("re:a/b", None),
            ("!a/b", None),
            (".*rc", None),
        ] {
            assert_eq!(path(&[term]), expect.map(PathBuf::from), "{term}");
        }
        assert_eq!(path(&["a/b", "c"]), None);
        assert_eq!(path(&[]), None);
    }

    #[test]
    fn links_are_followed_in_folders_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("it exists");
        std::fs::create_dir(real.join("d")).expect("a folder");
        std::os::unix::fs::symlink("d", real.join("l")).expect("a link");
        assert_eq!(without_links(&real.join("l/gone/x")), real.join("d/gone/x"));
        assert_eq!(without_links(&real.join("l")), real.join("l"));
    }
}
