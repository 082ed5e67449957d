//! Search first: decides whether the arguments name a command or are a search.
//!
//! A search is parsed by a parser that knows `find` only, which is why a bare word costs no more
//! start-up than its own options. Options common to commands may stand before the command.

use crate::args::{Cli, Command, find};
use clap::Parser as _;
use std::ffi::OsString;

/// Every command word. A test holds it equal to what the parser knows.
pub(crate) const COMMANDS: [&str; 24] = [
    "find",
    "du",
    "dupes",
    "stats",
    "history",
    "since",
    "watch",
    "add",
    "forget",
    "list",
    "status",
    "doctor",
    "refresh",
    "preload",
    "pin",
    "unpin",
    "hibernate",
    "ntfs",
    "daemon",
    "rpc",
    "config",
    "completions",
    "man",
    "help",
];

/// Options that may stand before a command and take no value.
const LEADING: [&str; 2] = ["--json", "--no-daemon"];
/// Options that may stand before a command and take a value.
const LEADING_WITH_VALUE: [&str; 2] = ["--color", "--timeout"];

/// Parses the arguments of the process, the program's name first.
pub(crate) fn parse(args: &[OsString]) -> Result<Command, clap::Error> {
    match route(args) {
        Route::Search { skip } => {
            let words = args.iter().skip(skip).cloned();
            find::parse(words).map(|args| Command::Find(Box::new(args)))
        }
        Route::Command { at } => Cli::try_parse_from(command_first(args.to_vec(), at)).map(|cli| cli.command),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// A search; the words before index `skip` are not part of it.
    Search { skip: usize },
    /// The command stands at index `at`.
    Command { at: usize },
}

fn route(args: &[OsString]) -> Route {
    let at = first_word(args);
    match args.get(at).and_then(|word| word.to_str()) {
        Some("find") if at == 1 => Route::Search { skip: 2 },
        Some(word) if COMMANDS.contains(&word) => Route::Command { at },
        Some("-h" | "--help" | "-V" | "--version") => Route::Command { at },
        None if args.len() <= at => Route::Command { at },
        _ => Route::Search { skip: 1 },
    }
}

/// Index of the first argument that is not a leading option.
fn first_word(args: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(arg) = args.get(at).and_then(|arg| arg.to_str()) {
        let name = arg.split('=').next().unwrap_or(arg);
        if LEADING.contains(&arg) || (LEADING_WITH_VALUE.contains(&name) && arg != name) {
            at += 1;
        } else if LEADING_WITH_VALUE.contains(&arg) {
            at += 2;
        } else {
            break;
        }
    }
    at
}

/// The arguments with the command in front of the options that preceded it.
fn command_first(mut args: Vec<OsString>, at: usize) -> Vec<OsString> {
    if let Some(leading) = args.get_mut(1..=at) {
        leading.rotate_right(1);
    }
    args
}

/// The command that a search for `word` may have been meant as: one edit away, or an exact prefix.
pub(crate) fn meant_command(word: &[u8]) -> Option<&'static str> {
    let word = std::str::from_utf8(word).ok().filter(|word| word.len() >= 3 && !COMMANDS.contains(word))?;
    let mut commands = COMMANDS.into_iter();
    let by_start = commands.clone().find(|command| command.starts_with(word));
    by_start.or_else(|| commands.find(|command| is_one_edit(command, word)))
}

/// True if one letter more, less, other, or two swapped neighbours turn `a` into `b`.
fn is_one_edit(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, a @ ..], b) | (b, [_, a @ ..]) if a == b => true,
        ([a0, a1, a @ ..], [b0, b1, b @ ..]) => a0 == b1 && a1 == b0 && a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn words(args: &str) -> Vec<OsString> {
        std::iter::once("hearth").chain(args.split_whitespace()).map(OsString::from).collect()
    }

    fn check(args: &str, expect: Route) {
        assert_eq!(route(&words(args)), expect, "hearth {args}");
    }

    #[test]
    fn the_list_of_commands_is_the_parsers() {
        let mut command = Cli::command();
        command.build();
        let mut known: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let mut listed: Vec<String> = COMMANDS.map(str::to_owned).to_vec();
        known.sort();
        listed.sort();
        assert_eq!(listed, known);
        command.debug_assert();
        find::command().debug_assert();
    }

    #[test]
    fn a_first_word_that_is_no_command_is_a_search() {
        check("report", Route::Search { skip: 1 });
        check("find status", Route::Search { skip: 2 });
        check("-n 5 status", Route::Search { skip: 1 });
        check("-- status", Route::Search { skip: 1 });
        check("--json report", Route::Search { skip: 1 });
        check("status", Route::Command { at: 1 });
        check("--json status", Route::Command { at: 2 });
        check("--color never --json status", Route::Command { at: 4 });
        check("--color=never du", Route::Command { at: 2 });
        check("--help", Route::Command { at: 1 });
        check("", Route::Command { at: 1 });
    }

    #[test]
    fn leading_options_reach_their_command() {
        assert!(matches!(parse(&words("--json status")), Ok(Command::Status(args)) if args.json));
        assert!(matches!(parse(&words("--json find x")), Ok(Command::Find(args)) if args.form.json));
        assert!(matches!(parse(&words("--json x")), Ok(Command::Find(args)) if args.form.json));
    }

    #[test]
    fn a_search_takes_its_words_and_options_in_any_order() {
        let Ok(Command::Find(args)) = parse(&words("a -n 3 b --in . c")) else { panic!("not a search") };
        assert_eq!(args.query.terms, ["a", "b", "c"]);
        assert_eq!(args.order.limit, Some(3));
        let Ok(Command::Find(args)) = parse(&words("-- status -x")) else { panic!("not a search") };
        assert_eq!(args.query.terms, ["status", "-x"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_for() {
        use std::os::unix::ffi::OsStringExt as _;
        let args = vec!["hearth".into(), OsString::from_vec(b"\xff".to_vec())];
        assert!(matches!(parse(&args), Ok(Command::Find(_))));
    }

    #[test]
    fn conflicts_are_refused() {
        for args in
            ["x --json --csv", "x --count -l", "x -0 --csv", "x -r -F", "x --format a --json", "x -n -1"]
        {
            assert!(parse(&words(args)).is_err(), "{args}");
        }
    }

    #[test]
    fn slips_are_recognised() {
        for (word, command) in [
            ("sttaus", "status"),
            ("statu", "status"),
            ("statuss", "status"),
            ("lisr", "list"),
            ("comp", "completions"),
        ] {
            assert_eq!(meant_command(word.as_bytes()), Some(command), "{word}");
        }
        for word in ["li", "report", "status", "\u{e9}t"] {
            assert_eq!(meant_command(word.as_bytes()), None, "{word}");
        }
    }
}
