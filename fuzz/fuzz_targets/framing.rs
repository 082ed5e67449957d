//! The line splitter: however a stream is cut into pieces, the same lines come out, and never more
//! bytes are held than the limit allows. The first byte sets the limit, the second the cutting.
#![no_main]

use hearth_protocol::framing::{Event, LineDecoder};
use libfuzzer_sys::fuzz_target;

fn decode<'a>(limit: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let mut decoder = LineDecoder::new(limit);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, |event| {
            events.push(match event {
                Event::Line(line) => Some(line.to_vec()),
                Event::TooLong => None,
            });
        });
        assert!(decoder.held() <= limit);
    }
    events
}

fuzz_target!(|data: &[u8]| {
    let [limit, cut, stream @ ..] = data else { return };
    let whole = decode(usize::from(*limit), std::iter::once(stream));
    let pieces = decode(usize::from(*limit), stream.chunks(usize::from(*cut).max(1)));
    assert_eq!(whole, pieces);
    assert!(whole.iter().flatten().all(|line| line.len() <= usize::from(*limit) && !line.contains(&b'\n')));
});
