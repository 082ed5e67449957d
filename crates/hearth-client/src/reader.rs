//! Buffered reading of lines and raw frames from a daemon.
//!
//! Raw bytes are handed out straight from the read buffer, so that an export is copied once in this process.

use crate::error::CallError;
use hearth_protocol::limits::REPLY_BYTES;
use std::io::{self, Read};

/// Size of the buffer to begin with: most answers fit, and a short command touches little memory.
const FIRST_BYTES: usize = 16 * 1024;
/// Size that raw frames let the buffer grow to; lines let it grow to their own length.
const RAW_BYTES: usize = 256 * 1024;

/// Reader with one growing buffer; `buffer[start..end]` is unread.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(source: R) -> Self {
        FrameReader { source, buffer: Vec::new(), start: 0, end: 0 }
    }

    /// The next line without its newline. The end of the stream is an error.
    pub(crate) fn line(&mut self) -> Result<&[u8], CallError> {
        let mut searched = 0;
        let length = loop {
            let unread = &self.buffer[self.start + searched..self.end];
            if let Some(found) = memchr::memchr(b'\n', unread) {
                break searched + found;
            }
            searched = self.end - self.start;
            if searched > REPLY_BYTES {
                return Err(CallError::Protocol(format!(
                    "the daemon sent a line longer than {REPLY_BYTES} bytes"
                )));
            }
            self.fill()?;
        };
        let line = self.start..self.start + length;
        self.start += length + 1;
        Ok(&self.buffer[line])
    }

    /// Hands the next `length` bytes to `receiver`, in pieces of any size.
    pub(crate) fn raw(
        &mut self,
        mut length: u64,
        receiver: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CallError> {
        while length > 0 {
            if self.start == self.end {
                self.expect_raw(length);
                self.fill()?;
            }
            let piece = usize::try_from(length).unwrap_or(usize::MAX).min(self.end - self.start);
            receiver(&self.buffer[self.start..self.start + piece]).map_err(CallError::Receiver)?;
            self.start += piece;
            length -= piece as u64;
        }
        Ok(())
    }

    /// Lets the next read take more of a large frame at once. Nothing must be unread.
    fn expect_raw(&mut self, length: u64) {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(RAW_BYTES);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
    }

    /// Bytes read from the source and not yet handed out.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn fill(&mut self) -> Result<(), CallError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            self.make_room();
        }
        match self.read_some() {
            Ok(0) => Err(CallError::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.end += count;
                Ok(())
            }
            Err(error) => Err(CallError::Lost(error)),
        }
    }

    fn read_some(&mut self) -> io::Result<usize> {
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Moves the unread bytes to the front if that frees half of the buffer, else doubles it.
    fn make_room(&mut self) {
        if self.start > self.buffer.len() / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else {
            self.buffer.resize((self.buffer.len() * 2).max(FIRST_BYTES), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `step` bytes per read.
    struct Trickle<'a> {
        bytes: &'a [u8],
        step: usize,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.step.min(self.bytes.len()).min(out.len());
            out[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes = &self.bytes[count..];
            Ok(count)
        }
    }

    #[test]
    fn lines_and_raw_bytes_alternate_whatever_the_reads() {
        let long = "x".repeat(3 * RAW_BYTES);
        let stream = format!("one\nab\ncdtwo\n\n{long}\n");
        for step in [1, 2, 3, 7, 100_000, usize::MAX] {
            let mut reader = FrameReader::new(Trickle { bytes: stream.as_bytes(), step });
            assert_eq!(reader.line().unwrap(), b"one");
            let mut raw = Vec::new();
            let mut keep = |piece: &[u8]| {
                raw.extend_from_slice(piece);
                Ok(())
            };
            reader.raw(5, &mut keep).unwrap();
            assert_eq!(raw, b"ab\ncd");
            assert_eq!(reader.line().unwrap(), b"two");
            assert_eq!(reader.line().unwrap(), b"");
            assert_eq!(reader.line().unwrap(), long.as_bytes());
            assert!(matches!(reader.line(), Err(CallError::Lost(_))));
        }
    }

    #[test]
    fn the_buffer_grows_with_what_comes() {
        let frame = vec![b'x'; 3 * RAW_BYTES];
        let stream = [b"short\n".as_slice(), &frame, b"after\n"].concat();
        let mut reader = FrameReader::new(Trickle { bytes: &stream, step: usize::MAX });
        assert_eq!(reader.line().unwrap(), b"short");
        assert_eq!(reader.buffer.len(), FIRST_BYTES);
        let mut seen = 0;
        let mut count = |piece: &[u8]| {
            seen += piece.len();
            Ok(())
        };
        reader.raw(frame.len() as u64, &mut count).unwrap();
        assert_eq!((seen, reader.buffer.len()), (frame.len(), RAW_BYTES));
        assert_eq!(reader.line().unwrap(), b"after");
    }

    #[test]
    fn a_receiver_that_fails_ends_the_frame() {
        let mut reader = FrameReader::new(&b"abc"[..]);
        let outcome = reader.raw(3, &mut |_| Err(io::ErrorKind::BrokenPipe.into()));
        assert!(
            matches!(outcome, Err(CallError::Receiver(error)) if error.kind() == io::ErrorKind::BrokenPipe)
        );
    }
}
