//! How the process ends: its words on stderr and its exit status.

use std::io::Write;
use std::process::ExitCode;

/// Exit status of everything that went wrong.
const FAILED: u8 = 2;
/// Exit status when another daemon serves the same place; clients that start daemons rely on it.
const ALREADY_RUNNING: u8 = 3;

/// Why the daemon ends with something other than success.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One line for people.
    pub(crate) message: String,
    /// Exit status.
    pub(crate) status: u8,
}

impl Failure {
    /// Wrong arguments.
    pub(crate) fn usage(message: String) -> Self {
        Failure { message, status: FAILED }
    }

    /// Another daemon is there.
    pub(crate) fn already_running(message: String) -> Self {
        Failure { message, status: ALREADY_RUNNING }
    }

    /// `what` could not be done.
    pub(crate) fn cannot(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Failure { message: format!("cannot {what}: {error}"), status: FAILED }
    }
}

/// Says on stderr what went wrong, and turns it into the exit status.
pub(crate) fn report(outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    tracing::error!("{}", failure.message);
    // Where stderr is closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "hearthd: {}", failure.message);
    ExitCode::from(failure.status)
}

/// Writes to stdout; a reader that went away is no failure.
pub(crate) fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ => ExitCode::SUCCESS,
    }
}
