//! `hearth`: arguments to requests, answers to output.
//!
//! The index lives in the daemon; this program holds none of it, starts in about a millisecond and
//! knows the daemon only through its protocol. What it prints to which stream and how it exits is the
//! contract that scripts rely on: [`printer`] owns standard output, [`notes`] standard error, [`exit`]
//! the exit codes.

mod args;
mod argv;
mod command;
mod console;
mod exit;
mod failure;
mod logs;
mod notes;
mod printer;
mod query_text;
mod reach;
mod render;
#[cfg(test)]
mod sample;
mod text;
mod usage;
mod waiting;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut console = console::Console::new();
    let args: Vec<_> = std::env::args_os().collect();
    let (outcome, json) = match argv::parse(&args) {
        Ok(command) => (command::run(&command, &mut console), command::wants_json(&command)),
        Err(error) => usage::tell(&error, &args, &mut console),
    };
    exit::finish(outcome, &mut console.printer, &mut console.notes, json)
}
