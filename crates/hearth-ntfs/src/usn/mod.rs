//! The change journal of a volume: what happened to which file, in order.
//!
//! `$Extend\$UsnJrnl` has two streams: `$Max` says how the journal is kept, `$J` is the journal. A USN is a place
//! in `$J`, so that every record says where it must lie, which no stray bytes do. Records never cross a page of
//! [`PAGE_BYTES`], the rest of a page is zeroes, and the head of `$J` is a hole that grows. What is no record is
//! skipped up to the next page and counted.
//! Source: `USN_RECORD_V2`, `_V3`, `_V4` and `USN_JOURNAL_DATA` of winioctl.h.

mod journal;
mod record;
mod records;
mod touched;
mod words;

pub use journal::{Journal, JournalError, JournalRead, is_journal};
pub use record::{Extents, UsnRecord};
pub use records::{Records, first_usn, parse};
pub use touched::Touched;
pub use words::{reason, reasons_in_words, sources_in_words};

/// What no record crosses, bytes.
pub const PAGE_BYTES: u64 = 4096;
