//! Words that do not belong into a project's files: open ends, plans, people, one machine's paths.
//!
//! Open ends belong in the tracker, plans and names in commit messages. Paths of the machine the
//! checks run on are found out at run time, so that the list itself names none.

use crate::repo::{Source, root, sources};
use crate::{Problem, assert_tidy};

/// Endings of files that are checked.
const CHECKED: &[&str] = &[".rs", ".md", ".toml", ".yml", ".sh", "Makefile", "run", "setup", "bench", "fuzz"];
/// Marks of unfinished work.
const OPEN_ENDS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];
/// Words that tell of a plan when a number follows.
const PLANS: &[&str] = &["phase", "milestone", "sprint"];
/// Words that introduce a person.
const CREDITS: &[&str] = &["author:", "suggested by", "reported by", "credits:"];

fn problems(source: &Source, machine_paths: &[String]) -> Vec<Problem> {
    let numbered = (1..).zip(source.text.lines());
    let code = source.path.ends_with(".rs");
    let found = numbered.filter_map(|(line, text)| Some((line, banned(text, code, machine_paths)?)));
    found.map(|(line, what)| format!("{}:{line}: {what}", source.path)).collect()
}

fn banned(line: &str, code: bool, machine_paths: &[String]) -> Option<String> {
    let lower = line.to_lowercase();
    // In code only comments have open ends: a program may well search for the word.
    let prose = if code { line.split_once("//").map_or("", |(_, comment)| comment) } else { line };
    if let Some(mark) = OPEN_ENDS.iter().find(|mark| words(prose).any(|word| word == **mark)) {
        return Some(format!("`{mark}` is an open end"));
    }
    if let Some(plan) = PLANS.iter().find(|plan| is_numbered(&lower, plan)) {
        return Some(format!("`{plan}` and a number is a plan"));
    }
    if CREDITS.iter().any(|credit| lower.contains(credit)) || has_address(line) {
        return Some("names of people belong in commit messages".to_owned());
    }
    let path = machine_paths.iter().find(|path| line.contains(path.as_str()))?;
    Some(format!("`{path}` exists on one machine only"))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// True if `plan` is followed by a number: `phase 2`, `phase-2`.
fn is_numbered(lower: &str, plan: &str) -> bool {
    let words: Vec<&str> = words(lower).filter(|word| !word.is_empty()).collect();
    let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    words.windows(2).any(|pair| pair[0] == plan && number(pair[1]))
}

/// True if the line holds a mail address.
fn has_address(line: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || "<>()\"'`,;".contains(c)).any(is_address)
}

fn is_address(word: &str) -> bool {
    let Some((person, host)) = word.split_once('@') else { return false };
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_+".contains(c));
    !person.is_empty() && plain(person) && plain(host) && host.trim_matches('.').contains('.')
}

/// Paths that exist on this machine only: the checkout and cargo's home.
fn machine_paths() -> Vec<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or(format!("{home}/.cargo"));
    let checkout = root().to_string_lossy().into_owned();
    // A path of one component, as in a container, is too short to be told from an example.
    [checkout, cargo_home].into_iter().filter(|path| path.matches('/').count() >= 2).collect()
}

#[test]
fn no_banned_words() {
    let machine_paths = machine_paths();
    let sources = sources(CHECKED);
    let checked = sources.iter().filter(|source| !source.path.starts_with("crates/hearth-tidy/"));
    assert_tidy(&checked.flat_map(|source| problems(source, &machine_paths)).collect::<Vec<_>>());
}

#[cfg(test)]
mod can_fail {
    use super::*;

    fn check(text: &str) -> usize {
        problems(&Source::sample("a.rs", text), &["/srv/checkout".to_owned()]).len()
    }

    #[test]
    fn reports_open_ends_and_plans() {
        assert_eq!(check("// TODO: later\nlet x = 1; // FIXME\n// todo list\nfind(\"TODO\");"), 2);
        assert_eq!(check("// Phase 2 of it\n// phase-3\n// phases of the moon\n// phase one"), 2);
    }

    #[test]
    fn reports_people() {
        assert_eq!(check("// Author: somebody\n// mail a.person@example.org\n// rows @ 3.5\n#[a(x@y)]"), 2);
    }

    #[test]
    fn reports_paths_of_this_machine() {
        assert_eq!(check("include!(\"/srv/checkout/x.rs\");\nlet path = \"/srv/other\";"), 1);
    }
}
