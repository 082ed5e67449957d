//! Cutting a byte stream into lines, with a limit, without I/O.
//!
//! Bytes are pushed in as they come; each complete line comes out once, without its newline. A
//! line longer than the limit is reported once, at the byte that exceeds it, and skipped up to its
//! newline: memory stays bounded by the limit and the stream stays usable.

/// What came out of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete line, newline removed.
    Line(&'a [u8]),
    /// A line exceeds the limit; the rest of it is skipped.
    TooLong,
}

/// Line splitter with bounded memory.
#[derive(Debug)]
pub struct LineDecoder {
    limit: usize,
    partial: Vec<u8>,
    skipping: bool,
}

impl LineDecoder {
    /// A decoder for lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        LineDecoder { limit, partial: Vec::new(), skipping: false }
    }

    /// Takes the next bytes of the stream and hands out what they complete.
    pub fn push(&mut self, bytes: &[u8], mut on: impl FnMut(Event<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.end_line(&rest[..end], &mut on);
            rest = &rest[end + 1..];
        }
        self.keep(rest, &mut on);
    }

    /// Bytes of an unfinished line that are held.
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    /// True if the stream so far ends inside a line.
    pub fn is_mid_line(&self) -> bool {
        self.skipping || !self.partial.is_empty()
    }

    fn end_line(&mut self, tail: &[u8], on: &mut impl FnMut(Event<'_>)) {
        if std::mem::take(&mut self.skipping) {
            return;
        }
        if self.partial.len() + tail.len() > self.limit {
            on(Event::TooLong);
        } else if self.partial.is_empty() {
            on(Event::Line(tail));
        } else {
            self.partial.extend_from_slice(tail);
            on(Event::Line(&self.partial));
        }
        self.forget_partial();
    }

    fn keep(&mut self, tail: &[u8], on: &mut impl FnMut(Event<'_>)) {
        if self.skipping {
            return;
        }
        if self.partial.len() + tail.len() > self.limit {
            self.skipping = true;
            self.forget_partial();
            on(Event::TooLong);
        } else {
            self.partial.extend_from_slice(tail);
        }
    }

    fn forget_partial(&mut self) {
        const KEPT_CAPACITY: usize = 16 * 1024;
        self.partial.clear();
        self.partial.shrink_to(KEPT_CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 8;

    fn decode(pieces: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, LineDecoder) {
        let mut decoder = LineDecoder::new(LIMIT);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, |event| {
                events.push(match event {
                    Event::Line(line) => Some(line.to_vec()),
                    Event::TooLong => None,
                });
            });
            assert!(decoder.held() <= LIMIT);
        }
        (events, decoder)
    }

    fn naive(stream: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
        let last = lines.pop().unwrap_or_default();
        let fits = |line: &&[u8]| (line.len() <= LIMIT).then(|| line.to_vec());
        let mut events: Vec<_> = lines.iter().map(fits).collect();
        if last.len() > LIMIT {
            events.push(None);
        }
        events
    }

    #[test]
    fn a_line_of_exactly_the_limit_passes() {
        assert_eq!(decode(&[b"12345678\n"]).0, [Some(b"12345678".to_vec())]);
        assert_eq!(decode(&[b"123456789\n"]).0, [None]);
    }

    #[test]
    fn the_stream_is_usable_after_a_line_too_long() {
        let (events, decoder) = decode(&[b"123456", b"789", b"0", b"12\nok\nhal"]);
        assert_eq!(events, [None, Some(b"ok".to_vec())]);
        assert!(decoder.is_mid_line());
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            stream in proptest::collection::vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n'), 1 => any::<u8>()], 0..120),
            cuts in proptest::collection::vec(0usize..120, 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&pieces).0, naive(&stream));
        }
    }
}
