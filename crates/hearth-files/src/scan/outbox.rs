//! Rows on their way to the receiver, in chunks.
//!
//! A chunk leaves when it is full or old, whichever comes first: full chunks cost the receiver little
//! per row, and on a slow disk a searcher still sees what was found a moment ago.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use crate::entry::{Chunk, Meta, ScanDir};

/// Rows of a full chunk.
const CHUNK_ROWS: usize = 8192;
/// Age at which a chunk leaves with what it has; also how long a worker without work waits to part
/// with its rows.
pub(super) const CHUNK_AGE: Duration = Duration::from_millis(100);

/// Collects the rows of one worker.
pub(super) struct Outbox<'a> {
    sink: &'a (dyn Fn(Chunk) + Sync),
    chunk: Chunk,
    sent: Instant,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(sink: &'a (dyn Fn(Chunk) + Sync)) -> Self {
        Self { sink, chunk: Chunk::default(), sent: Instant::now() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, parent: ScanDir, dir: ScanDir, name: &CStr, meta: Meta) {
        self.chunk.push(parent, dir, name.to_bytes(), meta);
        if self.chunk.rows.len() == CHUNK_ROWS {
            self.flush();
        }
    }

    /// Hands the chunk out if it is old.
    pub(super) fn flush_if_old(&mut self) {
        if self.sent.elapsed() >= CHUNK_AGE {
            self.flush();
        }
    }

    /// Hands out what there is.
    pub(super) fn flush(&mut self) {
        self.sent = Instant::now();
        if self.chunk.rows.is_empty() {
            return;
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.shrink_to_fit();
        (self.sink)(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_core::EntryKind;
    use std::sync::Mutex;

    fn add(outbox: &mut Outbox<'_>, rows: usize) {
        (0..rows).for_each(|_| outbox.push(0, 1, c"name", Meta::unknown(EntryKind::Dir, 1)));
    }

    #[test]
    fn a_chunk_leaves_when_it_is_full_or_old() {
        let sizes = Mutex::new(Vec::new());
        let sink = |chunk: Chunk| sizes.lock().expect("no panic").push((chunk.rows.len(), chunk.names.len()));
        let mut outbox = Outbox::new(&sink);
        add(&mut outbox, CHUNK_ROWS + 3);
        std::thread::sleep(CHUNK_AGE);
        outbox.flush_if_old();
        std::thread::sleep(CHUNK_AGE);
        outbox.flush_if_old();
        assert_eq!(*sizes.lock().expect("no panic"), [(CHUNK_ROWS, 4 * CHUNK_ROWS), (3, 12)], "no empty one");
    }
}
