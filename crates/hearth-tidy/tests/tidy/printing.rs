//! One type owns the standard output. Clippy denies the printing macros too, but an `allow` in a
//! crate would silence it; this check cannot be silenced.

use crate::repo::{Source, modules};
use crate::{Problem, assert_tidy};

const MACROS: &[&str] = &["println!", "eprintln!", "print!", "eprint!", "dbg!"];

/// True where printing is the job: the command-line program's printer, and the benchmarks.
fn may_print(path: &str) -> bool {
    path.starts_with("crates/hearth-cli/src/printer") || path.starts_with("bench/")
}

fn problems(module: &Source) -> Vec<Problem> {
    if may_print(&module.path) {
        return vec![];
    }
    let numbered = (1..).zip(module.text.lines());
    let printing = numbered.filter_map(|(line, text)| Some((line, printing_macro(text)?)));
    printing.map(|(line, name)| format!("{}:{line}: `{name}` outside the printer", module.path)).collect()
}

/// The printing macro that a line of code uses, if any; comments do not count.
fn printing_macro(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    MACROS.iter().copied().find(|name| code.match_indices(name).any(|(at, _)| begins_word(code, at)))
}

/// True if no identifier continues to the left of `at`.
fn begins_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[test]
fn only_the_printer_prints() {
    assert_tidy(&modules().iter().flat_map(problems).collect::<Vec<_>>());
}

#[cfg(test)]
mod can_fail {
    use super::*;

    #[test]
    fn reports_each_macro_once() {
        let text = "fn a() { println!(\"x\"); }\n// print!\n    eprint!(\"y\");\nmy_print!(1);\n";
        assert_eq!(problems(&Source::sample("crates/hearth-files/src/a.rs", text)).len(), 2);
        assert_eq!(problems(&Source::sample("crates/hearth-cli/src/printer.rs", text)).len(), 0);
    }
}
