//! Bounds on what an input can make the reader do. Each is far above what a real volume has.

/// Bytes of an `$ATTRIBUTE_LIST` that are read; NTFS itself stops at 256 KiB.
pub(crate) const LIST_BYTES: u64 = 1 << 20;

/// Bytes of an `$ATTRIBUTE_LIST` that are read though no records were found that they could speak of.
pub(crate) const UNJUSTIFIED_LIST_BYTES: u64 = 16 << 10;

/// Records that one file may be spread over.
pub(crate) const RECORDS_PER_FILE: usize = 1 << 15;

/// Extents of one content; each takes two bytes of a record at least.
pub(crate) const RUNS: usize = 1 << 22;

/// Bytes of a `$REPARSE_POINT`, as NTFS bounds them.
pub(crate) const REPARSE_BYTES: u64 = 16 << 10;

/// Sizes that a file record can have, bytes.
pub(crate) const RECORD_BYTES: std::ops::RangeInclusive<u32> = 256..=(64 << 10);

/// Sizes that a sector can have, bytes.
pub(crate) const SECTOR_BYTES: std::ops::RangeInclusive<u32> = 256..=4096;

/// Largest cluster, bytes.
pub(crate) const CLUSTER_BYTES: u64 = 2 << 20;

/// Numbers of unreadable records that a report holds.
pub(crate) const UNREADABLE: usize = 1000;

/// Bytes at the head of a bare `$MFT` that are searched for a first good record.
pub(crate) const BARE_SEARCH_BYTES: u64 = 1 << 20;
