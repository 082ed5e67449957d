//! Shape of a module: it opens by saying what it is, it is not too long, and its name says
//! something. Names that fit everything (see [`EMPTY_NAMES`]) collect everything.

use crate::repo::{Source, is_module, modules, sources};
use crate::{Problem, assert_tidy};
use std::path::Path;

const LONGEST_HEADER: usize = 15;
/// From this many lines on a module's header has at least [`SHORTEST_LONG_HEADER`] lines.
const LONG_MODULE: usize = 60;
const SHORTEST_LONG_HEADER: usize = 3;
const LONGEST_MODULE: usize = 900;
const EMPTY_NAMES: &[&str] =
    &["utils", "util", "helpers", "helper", "manager", "misc", "common", "shared", "stuff"];

fn header_problems(module: &Source) -> Vec<Problem> {
    let header = module.text.lines().take_while(|line| line.starts_with("//!")).count();
    let long = module.text.lines().count() > LONG_MODULE;
    let least = if long { SHORTEST_LONG_HEADER } else { 1 };
    if (least..=LONGEST_HEADER).contains(&header) {
        return vec![];
    }
    let path = &module.path;
    vec![format!("{path}: opens with {header} lines of `//!`, wanted {least} to {LONGEST_HEADER}")]
}

fn length_problems(module: &Source) -> Vec<Problem> {
    let lines = module.text.lines().count();
    if lines <= LONGEST_MODULE {
        return vec![];
    }
    vec![format!("{}: {lines} lines, at most {LONGEST_MODULE}; split it", module.path)]
}

fn name_problems(path: &str) -> Vec<Problem> {
    let names = Path::new(path).with_extension("");
    let parts = names.iter().map(|part| part.to_string_lossy().into_owned());
    let empty = parts.filter(|part| EMPTY_NAMES.contains(&part.as_str()));
    empty.map(|part| format!("{path}: `{part}` says nothing about what is in it")).collect()
}

#[test]
fn modules_open_with_what_they_are() {
    assert_tidy(&modules().iter().flat_map(header_problems).collect::<Vec<_>>());
}

#[test]
fn files_are_not_too_long() {
    assert_tidy(&sources(&[".rs"]).iter().flat_map(length_problems).collect::<Vec<_>>());
}

#[test]
fn names_say_something() {
    assert_tidy(&sources(&[".rs"]).iter().flat_map(|file| name_problems(&file.path)).collect::<Vec<_>>());
}

#[cfg(test)]
mod can_fail {
    use super::*;

    fn lines(header: usize, code: usize) -> Source {
        Source::sample("a/src/b.rs", &("//! Text.\n".repeat(header) + &"fn x() {}\n".repeat(code)))
    }

    #[test]
    fn reports_a_header_that_is_missing_too_short_or_too_long() {
        for (header, code, problems) in [(0, 1, 1), (1, 1, 0), (1, 59, 0), (1, 60, 1), (3, 60, 0), (16, 1, 1)]
        {
            assert_eq!(header_problems(&lines(header, code)).len(), problems, "{header} + {code}");
        }
    }

    #[test]
    fn reports_a_long_file() {
        assert_eq!(length_problems(&lines(3, LONGEST_MODULE - 3)).len(), 0);
        assert_eq!(length_problems(&lines(3, LONGEST_MODULE - 2)).len(), 1);
    }

    #[test]
    fn reports_a_name_that_says_nothing() {
        assert_eq!(name_problems("crates/a/src/utils.rs").len(), 1);
        assert_eq!(name_problems("crates/a/src/common/mod.rs").len(), 1);
        assert_eq!(name_problems("crates/a/src/commons.rs").len(), 0);
    }

    #[test]
    fn tests_are_not_modules() {
        assert!(is_module("crates/a/src/b.rs"));
        assert!(!is_module("crates/a/tests/b.rs"));
        assert!(!is_module("crates/a/src/b/tests.rs"));
    }
}
