//! `hearth doctor`: what is in order, and what is not.
//!
//! The daemon judges; here each check becomes a line that begins with the word of its state, so that it reads
//! the same without colours, and below it what can be done.

use crate::args::operate::DoctorArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::reach::{reach, refused};
use crate::render::colors::paint;
use crate::text::quote;
use crate::text::width::columns;
use hearth_protocol::answer::{Check, State};

/// Asks and prints.
pub(crate) fn run(args: &DoctorArgs, console: &mut Console) -> Outcome {
    let checks = reach(args.no_daemon, console)?.client.doctor().map_err(refused)?;
    if args.json {
        checks.iter().try_for_each(|check| console.printer.json(check))?;
    } else {
        let colored = console.colors(args.color.color).is_some();
        console.printer.push(|out| push_text(out, &checks, colored))?;
    }
    let problems = checks.iter().any(|check| check.state == State::Problem);
    Ok(if problems { Done::Problems } else { Done::Found })
}

fn push_text(out: &mut Vec<u8>, checks: &[Check], colored: bool) {
    let shown = |text: &str| quote::visible(text.as_bytes());
    let states = checks.iter().map(|check| check.state.as_str().len()).max().unwrap_or(0);
    let names = checks.iter().map(|check| columns(&shown(&check.name))).max().unwrap_or(0);
    for check in checks {
        let (word, name) = (check.state.as_str(), shown(&check.name));
        paint(out, color(check.state).filter(|_| colored), |out| out.extend_from_slice(word.as_bytes()));
        let (after_word, after_name) = (states - word.len() + 2, names - columns(&name) + 2);
        let line = format!("{:after_word$}{name}{:after_name$}{}\n", "", "", shown(&check.detail));
        out.extend_from_slice(line.as_bytes());
        if let Some(hint) = &check.hint {
            let before = states + names + 4;
            out.extend_from_slice(format!("{:before$}hint: {}\n", "", shown(hint)).as_bytes());
        }
    }
}

fn color(state: State) -> Option<&'static str> {
    match state {
        State::Ok => Some("32"),
        State::Note => Some("33"),
        State::Problem => Some("31"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(checks: &[Check], colored: bool) -> String {
        let mut out = Vec::new();
        push_text(&mut out, checks, colored);
        String::from_utf8(out).expect("all is text")
    }

    #[test]
    fn checks_stand_in_columns_and_hints_below_them() {
        let checks = [
            Check::ok("daemon", "pid 7"),
            Check::note("sources", "none").hint("add one"),
            Check::problem("source \u{6f22}", "gone"),
        ];
        let expect = "\
ok       daemon     pid 7
note     sources    none
                    hint: add one
problem  source \u{6f22}  gone
";
        assert_eq!(text(&checks, false), expect);
    }

    #[test]
    fn only_healthy_checks_still_stand_in_columns() {
        let checks = [Check::ok("a", "x"), Check::ok("long", "y")];
        assert_eq!(text(&checks, false), "ok  a     x\nok  long  y\n");
    }

    #[test]
    fn the_state_is_coloured_and_nothing_drives_the_terminal() {
        let shown = text(&[Check::problem("source a\x1b[2J", "b\nc")], true);
        assert!(shown.starts_with("\x1b[31mproblem\x1b[0m  "), "{shown:?}");
        assert_eq!((shown.matches('\x1b').count(), shown.lines().count()), (2, 1), "{shown:?}");
    }
}
