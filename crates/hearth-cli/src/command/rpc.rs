//! `hearth rpc`: standard input to the daemon, the daemon to standard output.
//!
//! Bytes are passed as they are, so that a script sees exactly the protocol, raw frames included.

use crate::args::operate::RpcArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use crate::printer::Printer;
use crate::reach::reach;
use std::io::{self, Write};

/// Passes bytes both ways until the daemon has answered everything.
pub(crate) fn run(args: &RpcArgs, console: &mut Console) -> Outcome {
    let client = reach(args.no_daemon, console)?.client;
    let mut output = Output { printer: &mut console.printer, stopped: None };
    let outcome = client.pump(io::stdin(), &mut output);
    match (output.stopped, outcome) {
        (Some(stop), _) => Err(stop),
        (None, Err(error)) => Err(Failure::io("the connection to the daemon is lost", &error).into()),
        (None, Ok(())) => Ok(Done::Found),
    }
}

/// The printer as a writer. Why it stopped is kept, because an I/O error cannot carry it.
struct Output<'a> {
    printer: &'a mut Printer,
    stopped: Option<Stop>,
}

impl Output<'_> {
    fn note(&mut self, outcome: Result<(), Stop>) -> io::Result<()> {
        outcome.map_err(|stop| {
            self.stopped = Some(stop);
            io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.printer.bytes(bytes);
        self.note(outcome).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let outcome = self.printer.flush();
        self.note(outcome)
    }
}
