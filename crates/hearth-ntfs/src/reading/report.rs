//! What reading records met: figures while it runs, and a report at its end.
//!
//! Damage is no error here: a volume with bad records is told as far as it goes, and the report says how far
//! that is, so that who asked can decide whether it is enough.

use crate::limits;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which records are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those in use. Long stretches that `$BITMAP` says are unused are not read.
    InUse,
    /// Those in use and those that still say what they were.
    All,
}

/// How far reading is, for those who watch. Grows while records are read.
#[derive(Debug, Default)]
pub struct Counters {
    /// Slots looked at.
    pub records: AtomicU64,
    /// Files told.
    pub files: AtomicU64,
    /// Bytes of `$MFT` read.
    pub bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn add(&self, records: u64, files: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What was read, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Slots looked at.
    pub records: u64,
    /// Files told.
    pub files: u64,
    /// Records of which only a part was written.
    pub torn: u64,
    /// Records that are marked as bad, or are none.
    pub damaged: u64,
    /// Slots that could not be read from the disk.
    pub unread: u64,
    /// Files of which a part is missing or makes no sense.
    pub not_whole: u64,
    /// Extension records in use that belong to no file.
    pub orphan_pieces: u64,
    /// Bytes of `$MFT` that were not read as nothing in them is in use.
    pub skipped_bytes: u64,
    /// Numbers of torn, damaged and unread records, ascending; the first thousand.
    pub unreadable: Vec<u64>,
}

impl ReadReport {
    pub(crate) fn cannot_read(&mut self, number: u64) {
        if self.unreadable.len() < limits::UNREADABLE {
            self.unreadable.push(number);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.files += other.files;
        self.torn += other.torn;
        self.damaged += other.damaged;
        self.unread += other.unread;
        self.not_whole += other.not_whole;
        self.orphan_pieces += other.orphan_pieces;
        self.skipped_bytes += other.skipped_bytes;
        self.unreadable.extend_from_slice(&other.unreadable);
        self.unreadable.sort_unstable();
        self.unreadable.truncate(limits::UNREADABLE);
    }
}
