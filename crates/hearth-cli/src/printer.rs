//! The one owner of standard output.
//!
//! Output is gathered in one buffer and written to the descriptor in large pieces, past the line
//! buffering of the standard library. A reader that went away is [`Stop::PipeClosed`]: every command
//! ends then, quietly and with success.

use crate::failure::{Failure, Stop};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use std::io::{self, IsTerminal as _};
use std::os::fd::BorrowedFd;

/// Buffered bytes that cause a write.
const WRITE_BYTES: usize = 64 * 1024;

/// Standard output with a buffer.
#[derive(Debug)]
pub(crate) struct Printer {
    buffer: Vec<u8>,
    terminal: bool,
}

impl Printer {
    /// The printer of this process.
    pub(crate) fn new() -> Self {
        Printer { buffer: Vec::new(), terminal: io::stdout().is_terminal() }
    }

    /// True if a person reads the output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Appends what `push` appends; writes once enough has gathered.
    pub(crate) fn push(&mut self, push: impl FnOnce(&mut Vec<u8>)) -> Result<(), Stop> {
        push(&mut self.buffer);
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Appends bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if bytes.len() < WRITE_BYTES {
            return self.push(|out| out.extend_from_slice(bytes));
        }
        self.flush()?;
        write_all(bytes)
    }

    /// Appends text and a line break.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Stop> {
        self.push(|out| {
            out.extend_from_slice(text.as_bytes());
            out.push(b'\n');
        })
    }

    /// Appends a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Stop> {
        self.push(|out| {
            serde_json::to_writer(&mut *out, value).expect("answers hold nothing that JSON cannot");
            out.push(b'\n');
        })
    }

    /// Writes what has gathered.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        let outcome = write_all(&self.buffer);
        self.buffer.clear();
        outcome
    }
}

fn write_all(mut bytes: &[u8]) -> Result<(), Stop> {
    let stdout = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(stdout, bytes) {
            Ok(0) => return Err(cannot_write(&io::ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_writable(stdout),
            Err(Errno::PIPE) => return Err(Stop::PipeClosed),
            Err(errno) => return Err(cannot_write(&errno.into())),
        }
    }
    Ok(())
}

/// Another process may have made the shared descriptor non-blocking.
fn wait_writable(stdout: BorrowedFd<'_>) {
    let mut fds = [PollFd::from_borrowed_fd(stdout, PollFlags::OUT)];
    // An interrupted wait only means one more attempt to write.
    let _ = rustix::event::poll(&mut fds, None);
}

fn cannot_write(error: &io::Error) -> Stop {
    Failure::io("cannot write to standard output", error).into()
}
