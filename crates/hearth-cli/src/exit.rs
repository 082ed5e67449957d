//! The exit codes, all in one place.
//!
//! 0 found or done · 1 nothing found, or problems found by `doctor` · 2 error, also after partial results, or done in part · a
//! reader that went away is success.

use crate::failure::{Failure, Stop};
use crate::notes::Notes;
use crate::printer::Printer;
use std::process::ExitCode;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Found, or done.
    Found,
    /// There was nothing to find, or nothing to do it to.
    Nothing,
    /// Looked for problems and found some.
    Problems,
    /// Done, but not for all; what was left out is told.
    InPart,
}

impl Done {
    /// [`Done::Found`] if `found`.
    pub(crate) fn found_if(found: bool) -> Self {
        if found { Done::Found } else { Done::Nothing }
    }
}

/// What every command returns.
pub(crate) type Outcome = Result<Done, Stop>;

/// Writes what is left, tells a failure, and turns the outcome into the exit code of the process.
/// `json`: the command was asked for JSON.
pub(crate) fn finish(outcome: Outcome, printer: &mut Printer, notes: &mut Notes, json: bool) -> ExitCode {
    notes.clear();
    let flushed = match outcome {
        Err(Stop::PipeClosed) => Err(Stop::PipeClosed),
        outcome => printer.flush().and(outcome),
    };
    match flushed {
        Ok(Done::Found) | Err(Stop::PipeClosed) => ExitCode::SUCCESS,
        Ok(Done::Nothing | Done::Problems) => ExitCode::from(1),
        Ok(Done::InPart) => ExitCode::from(2),
        Err(Stop::Failed(failure)) => {
            tell(&failure, printer, notes, json);
            ExitCode::from(2)
        }
    }
}

fn tell(failure: &Failure, printer: &mut Printer, notes: &mut Notes, json: bool) {
    if json {
        // A failure to say so on standard output still leaves the text below.
        let _ = printer.json(&failure.to_json()).and_then(|()| printer.flush());
    }
    notes.failure(failure);
}
