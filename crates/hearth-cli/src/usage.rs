//! What the parser of arguments has to say: help, version, and what is wrong with the arguments.
//!
//! Help that was asked for is data and goes to standard output. A complaint is taken apart into message
//! and hint, so that it looks like every other failure of this program, in JSON too.

use crate::args::When;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use clap::error::ErrorKind;
use std::ffi::OsString;

/// Prints help or version; turns anything else into a failure. The second value: whether JSON is wanted.
pub(crate) fn tell(error: &clap::Error, args: &[OsString], console: &mut Console) -> (Outcome, bool) {
    if !error.use_stderr() {
        return (print_help(error, console), false);
    }
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    (Err(failure(error, console)), json)
}

fn print_help(error: &clap::Error, console: &mut Console) -> Outcome {
    let text = error.render();
    let text = if console.colors(When::Auto).is_some() { text.ansi().to_string() } else { text.to_string() };
    console.printer.bytes(text.as_bytes())?;
    Ok(Done::Found)
}

fn failure(error: &clap::Error, console: &mut Console) -> Stop {
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        console.notes.block(text.as_bytes());
        return Failure::usage("a command, or something to search for, is missing").into();
    }
    let (message, hint) = split(&text);
    Failure::usage(message).hint(hint).into()
}

/// The parser's text as message (its first paragraph) and hint (its tips and the usage).
fn split(text: &str) -> (String, String) {
    let mut paragraphs = text.trim_end().split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    let hints: Vec<&str> = paragraphs
        .filter(|paragraph| !paragraph.starts_with("For more information"))
        .map(|paragraph| paragraph.trim().trim_start_matches("tip: "))
        .chain(["see --help"])
        .collect();
    (message, hints.join("\n        "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_the_first_paragraph() {
        let text = "error: unexpected argument '--x' found\n\n  tip: to pass it, use '-- --x'\n\n\
                    Usage: hearth find [TERM]\n\nFor more information, try '--help'.\n";
        let (message, hint) = split(text);
        assert_eq!(message, "unexpected argument '--x' found");
        assert_eq!(hint, "to pass it, use '-- --x'\n        Usage: hearth find [TERM]\n        see --help");
    }

    #[test]
    fn possible_values_stay_with_the_message() {
        let text = "error: invalid value 'x' for '--by <KEY>'\n  [possible values: ext]\n\nFor more information, try '--help'.";
        assert_eq!(split(text).0, "invalid value 'x' for '--by <KEY>'\n  [possible values: ext]");
    }
}
