//! The records of a stretch of the journal, page by page.
//!
//! A record counts only where it says it lies, and within its page. The first bytes of a page that are no record
//! end the page: they are zeroes up to its end, or all of it is counted as skipped.

use super::PAGE_BYTES;
use super::record::{MIN_BYTES, UsnRecord, length};

/// The records of `bytes`, which lie in the journal from `first_usn` on.
pub fn parse(bytes: &[u8], first_usn: u64) -> Records<'_> {
    Records { bytes, at: 0, first_usn, settled: 0, skipped_bytes: 0 }
}

/// The USN of the first byte of a piece of a journal that does not say where it comes from: told by the first
/// two records that follow on each other, or by the only one. `None` if there are no such records.
pub fn first_usn(bytes: &[u8]) -> Option<u64> {
    let starts = (0..bytes.len()).step_by(8);
    starts.filter_map(|at| claimed_start(bytes, at)).next()
}

/// The USN of the first byte, as the record at `at` says it and the one behind it confirms it.
fn claimed_start(bytes: &[u8], at: usize) -> Option<u64> {
    let len = length(&bytes[at..])?;
    let usn = UsnRecord::of(&bytes[at..at + len])?.usn;
    let start = usn.checked_sub(at as u64)?;
    let end = usn.checked_add(len as u64)?;
    let behind = &bytes[at + len..];
    let confirmed = end % PAGE_BYTES == 0
        || behind.len() < MIN_BYTES
        || behind.starts_with(&[0; 4])
        || UsnRecord::read(behind, end).is_some();
    (confirmed && usn % PAGE_BYTES + len as u64 <= PAGE_BYTES).then_some(start)
}

/// Iterator over records; see [`parse`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    first_usn: u64,
    /// Up to here all is known; what follows is zeroes so far.
    settled: usize,
    skipped_bytes: u64,
}

impl<'a> Records<'a> {
    /// Bytes so far that are neither records nor the zeroes behind them.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// From where to go on when there is more: behind the last record or garbage. Zeroes behind it may be the end
    /// of a page, or a record that did not reach the disk yet.
    pub fn settled_usn(&self) -> u64 {
        self.first_usn.saturating_add(self.settled as u64)
    }

    /// Where the next record would lie.
    fn next_usn(&self) -> u64 {
        self.first_usn.saturating_add(self.at as u64)
    }

    /// The rest of the page, cut to what there is.
    fn page(&self) -> &'a [u8] {
        let left = (PAGE_BYTES - self.next_usn() % PAGE_BYTES) as usize;
        let rest = &self.bytes[self.at..];
        &rest[..left.min(rest.len())]
    }

    fn skip(&mut self, page: &[u8]) {
        if page.iter().any(|byte| *byte != 0) {
            self.skipped_bytes += page.len() as u64;
            self.settled = self.at + page.len();
        }
        self.at += page.len();
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = UsnRecord<'a>;

    fn next(&mut self) -> Option<UsnRecord<'a>> {
        while self.at < self.bytes.len() {
            let page = self.page();
            if let Some((record, len)) = UsnRecord::read(page, self.next_usn()) {
                self.at += len;
                self.settled = self.at;
                return Some(record);
            }
            self.skip(page);
        }
        None
    }
}
