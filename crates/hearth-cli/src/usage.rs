//! What the parser of arguments has to say: help, version, and what is wrong with the arguments.

use crate::args::When;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use std::ffi::OsString;

/// Prints help or version; turns anything else into a failure. The second value: whether JSON is wanted.
pub(crate) fn tell(error: &clap::Error, args: &[OsString], console: &mut Console) -> (Outcome, bool) {
    if !error.use_stderr() {
        return (print_help(error, console), false);
    }
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    (Err(failure(error)), json)
}

fn print_help(error: &clap::Error, console: &mut Console) -> Outcome {
    let text = error.render();
    let text = if console.colors(When::Auto).is_some() { text.ansi().to_string() } else { text.to_string() };
    console.printer.bytes(text.as_bytes())?;
    Ok(Done::Found)
}

fn failure(error: &clap::Error) -> Stop {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    Failure::usage(text.trim_end()).into()
}
