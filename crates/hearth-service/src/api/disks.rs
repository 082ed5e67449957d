//! Requests and answers about what is on NTFS disks, beside their indexes.
//!
//! Vocabulary of NTFS is that of the crate that reads it, and comes through here so that faces need no arrow past
//! this one.

use hearth_core::UnixNanos;
pub use hearth_files::attribute_letters;
pub use hearth_files::entry::{DELETED, Meta};
pub use hearth_ntfs::details::{
    AttributeDetails, Header, Index, ListEntry, NameValue, Place, RecordDetails, StandardValue, Value,
};
pub use hearth_ntfs::logfile::LogState;
pub use hearth_ntfs::partitions::{Partition, Scheme};
pub use hearth_ntfs::usn::{reasons_in_words, sources_in_words};
pub use hearth_ntfs::{FileReference, Geometry, Information, Namespace, Run, Slot};

/// What is on a disk.
#[derive(Clone, Debug)]
pub struct DiskInfo {
    /// The file or device.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: DiskKind,
    /// Bytes of it; of a capture, expanded.
    pub bytes: u64,
    /// Its partitions, in the order of their table.
    pub partitions: Vec<Partition>,
    /// Its NTFS volumes, or the one that was asked for.
    pub volumes: Vec<DiskVolume>,
}

/// What a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// A block device.
    Device,
    /// A file that holds a disk or a volume.
    Image,
    /// A compressed image or file table.
    Capture,
    /// A file that holds a file table alone.
    Table,
}

/// An NTFS volume of a disk.
#[derive(Clone, Debug)]
pub struct DiskVolume {
    /// Its partition; `None` if it fills the disk.
    pub partition: Option<u32>,
    /// First byte on the disk.
    pub start: u64,
    /// What is known of it; `None` if it cannot be read at all.
    pub facts: Option<VolumeFacts>,
    /// What cannot be read, and why, in words.
    pub problems: Vec<String>,
}

/// Facts about a volume.
#[derive(Clone, Debug)]
pub struct VolumeFacts {
    /// Sizes and places.
    pub geometry: Geometry,
    /// Label, version, flags; `None` if that cannot be read.
    pub information: Option<Information>,
    /// Bytes of `$MFT`.
    pub mft_bytes: u64,
    /// Slots for records in it.
    pub records: u64,
    /// Slots in use; `None` if the map of them is not there.
    pub records_in_use: Option<u64>,
    /// Pieces that `$MFT` lies in; `None` of a file table alone.
    pub mft_fragments: Option<u64>,
    /// State of `$LogFile`; `None` if it is not there.
    pub log: Option<LogState>,
    /// The change journal, if one is kept.
    pub journal: Option<JournalFacts>,
}

/// A change journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalFacts {
    /// Which journal it is.
    pub id: u64,
    /// Lowest USN from which it can be read.
    pub first_usn: u64,
    /// Lowest USN of this journal.
    pub lowest_valid_usn: u64,
    /// USN of the next record.
    pub next_usn: u64,
    /// Bytes that it is to keep.
    pub max_bytes: u64,
    /// Bytes by which it grows and is cut.
    pub delta_bytes: u64,
}

/// A file record that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordWanted {
    /// By its number.
    Number(u64),
    /// By its number, in a certain use.
    Reference(FileReference),
    /// By a path in the volume, whose root is `/`; case does not matter where no name has just this case.
    Path(Vec<u8>),
}

/// A file record.
#[derive(Clone, Debug)]
pub struct RecordAnswer {
    /// The record, decoded.
    pub details: RecordDetails,
    /// The sequence that was asked for, if the record has another one now.
    pub asked_sequence: Option<u16>,
    /// Its paths in the volume, as far as the folders above are there.
    pub paths: Vec<Vec<u8>>,
}

/// A stretch of a change journal that is asked for.
#[derive(Clone, Debug, Default)]
pub struct JournalRequest {
    /// Absolute path of the disk or of the records of a journal alone, or name of a source.
    pub disk: Vec<u8>,
    /// From this USN on; `None` = from the first that is stored.
    pub since: Option<u64>,
    /// Only what happened to this path in the volume, or below it.
    pub below: Option<Vec<u8>>,
    /// Most entries; `None` = all.
    pub limit: Option<u64>,
}

/// Something that happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its place in the journal.
    pub usn: u64,
    /// When; [`hearth_core::NO_TIME`] in version 4.
    pub time_ns: UnixNanos,
    /// The file.
    pub reference: FileReference,
    /// The folder that holds it.
    pub parent: FileReference,
    /// Its name; empty in version 4.
    pub name: Vec<u8>,
    /// Its path in the volume, if the folder is still there.
    pub path: Option<Vec<u8>>,
    /// `USN_REASON_…`, see [`reasons_in_words`].
    pub reasons: u32,
    /// `USN_SOURCE_…`, see [`sources_in_words`].
    pub source: u32,
    /// `FILE_ATTRIBUTE_…`; 0 in version 4.
    pub attributes: u32,
    /// Form of the record: 2, 3 or 4.
    pub version: u16,
    /// Changed ranges, version 4: offset and length of each, bytes.
    pub extents: Vec<(u64, u64)>,
}

/// What was read of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalEnd {
    /// Entries that were told.
    pub shown: u64,
    /// Records that were read for them.
    pub records: u64,
    /// True if there was more than the limit.
    pub more: bool,
    /// Where to go on.
    pub next_usn: u64,
    /// Bytes that are no records and were passed over.
    pub skipped_bytes: u64,
    /// The journal; `None` if there are its records alone.
    pub facts: Option<JournalFacts>,
}
