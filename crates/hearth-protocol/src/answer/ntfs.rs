//! What is on an NTFS disk: the answers of `ntfs_info`, `ntfs_record` and `ntfs_journal`.
//!
//! Words for bits are the daemon's; numbers are there beside them where more may be in them than words say.
//! What there is not is absent.

mod record;

use crate::bytes::{LabelField, NameField, PathField, V1};
pub use record::{
    AttributeValue, BytesValue, ClusterRun, Clusters, FileRecord, IndexValue, ListEntry, ListValue,
    NameValue, ObjectIdValue, RecordAttribute, RecordHeader, ReparseValue, StandardValue, TargetPart, Times,
    VolumeValue,
};
use serde::{Deserialize, Serialize};

/// Result of `ntfs_info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "disk")]
pub struct Disk {
    /// Always 1.
    pub v: V1,
    /// The file or device.
    #[serde(flatten)]
    pub path: PathField,
    /// `device`, `image`, `capture` (a compressed image or file table) or `table` (a file table alone).
    pub kind: String,
    /// Bytes of it; of a capture, expanded.
    pub bytes: u64,
    /// Its partitions; none if it has no table of them.
    pub partitions: Vec<Partition>,
    /// Its NTFS volumes, or the one that was asked for.
    pub volumes: Vec<DiskVolume>,
}

/// A partition of a [`Disk`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Number, as in `PATH#NUMBER`.
    pub number: u32,
    /// First byte.
    pub start_bytes: u64,
    /// Bytes.
    pub length_bytes: u64,
    /// `mbr` or `gpt`.
    pub scheme: String,
    /// What the table says it is for.
    pub kind: String,
    /// True if an NTFS volume is in it.
    pub ntfs: bool,
}

/// An NTFS volume of a [`Disk`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskVolume {
    /// Its partition; absent if it fills the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// First byte.
    pub start_bytes: u64,
    /// What is known of it; absent if it cannot be read at all.
    #[serde(flatten)]
    pub facts: Option<VolumeFacts>,
    /// What cannot be read, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Facts about a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Its label; absent if that cannot be read.
    #[serde(flatten)]
    pub label: Option<LabelField>,
    /// Version of the format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it has to be checked before it is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// Serial number, 16 hexadecimal digits; absent of a file table alone, as all that hangs on clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Bytes of a sector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_bytes: Option<u32>,
    /// Bytes of a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_bytes: Option<u64>,
    /// Bytes of the volume, as its boot sector says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// First byte of `$MFT`, from the start of the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mft_offset: Option<u64>,
    /// First byte of the copy of its first records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_offset: Option<u64>,
    /// Pieces that `$MFT` lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mft_fragments: Option<u64>,
    /// Bytes of `$MFT`.
    pub mft_bytes: u64,
    /// Bytes of a file record.
    pub record_bytes: u32,
    /// Slots for records.
    pub records: u64,
    /// Slots in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_in_use: Option<u64>,
    /// State of the log file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogFile>,
    /// The change journal; absent if none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalFacts>,
}

/// State of `$LogFile`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// `empty` (emptied by a driver that keeps no log, or new), `restart` (kept by Windows) or `unreadable`.
    pub state: String,
    /// Its last sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<u64>,
    /// Whether the volume was put away in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<bool>,
}

/// A change journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalFacts {
    /// Its number, 16 hexadecimal digits.
    pub id: String,
    /// USN of the first record that is still stored.
    pub first_usn: u64,
    /// Lowest USN that it promises to know.
    pub lowest_valid_usn: u64,
    /// USN of the next record.
    pub next_usn: u64,
    /// Bytes it may have.
    pub max_bytes: u64,
    /// Bytes it grows and is cut by.
    pub delta_bytes: u64,
}

/// Row of `ntfs_journal`: something that happened to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "usn")]
pub struct UsnEntry {
    /// Always 1.
    pub v: V1,
    /// Its place in the journal.
    pub usn: u64,
    /// When, nanoseconds since 1970 UTC; absent in version 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<i64>,
    /// Record of the file.
    pub record: u64,
    /// Use of that record.
    pub sequence: u16,
    /// Record of the folder.
    pub parent: u64,
    /// Use of that record.
    pub parent_sequence: u16,
    /// Name of the file; empty in version 4.
    #[serde(flatten)]
    pub name: NameField,
    /// Path in the volume, if the folder is still there.
    #[serde(flatten)]
    pub path: Option<PathField>,
    /// What happened since the file was opened, in words.
    pub reasons: Vec<String>,
    /// Who did it, in words; empty for a user.
    pub source_info: Vec<String>,
    /// Attributes as letters; empty in version 4.
    pub attributes: String,
    /// Form of the record: 2, 3 or 4.
    pub version: u16,
    /// Changed ranges, version 4: offset and length of each, bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extents: Vec<(u64, u64)>,
}

/// What `ntfs_journal` read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalTotal {
    /// Records that were read, shown or not.
    pub records: u64,
    /// Where to go on: the USN after the last record that was read.
    pub next_usn: u64,
    /// Bytes that are no records and were passed over.
    pub skipped_bytes: u64,
    /// The journal; absent if the file holds its records alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<JournalFacts>,
}

/// What an answer looks like on the wire; it must be the same when it has been read back.
#[cfg(test)]
fn survives<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    answer: &T,
) -> serde_json::Value {
    let text = serde_json::to_string(answer).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), answer);
    serde_json::from_str(&text).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_that_cannot_be_read_says_why_and_nothing_else() {
        let unread =
            DiskVolume { partition: Some(2), start_bytes: 512, facts: None, problems: vec!["torn".into()] };
        let disk = Disk {
            v: V1,
            path: PathField(b"/d.img".to_vec()),
            kind: "image".into(),
            bytes: 1024,
            partitions: Vec::new(),
            volumes: vec![unread],
        };
        let json = survives(&disk);
        assert_eq!(json["volumes"], json!([{ "partition": 2, "start_bytes": 512, "problems": ["torn"] }]));
    }

    #[test]
    fn a_journal_record_without_its_folder_has_no_path() {
        let mut entry = UsnEntry {
            v: V1,
            usn: 96,
            time_ns: Some(5),
            record: 40,
            sequence: 2,
            parent: 5,
            parent_sequence: 5,
            name: NameField(b"a".to_vec()),
            path: None,
            reasons: vec!["file-create".into(), "close".into()],
            source_info: Vec::new(),
            attributes: "A".into(),
            version: 2,
            extents: Vec::new(),
        };
        assert!(survives(&entry).get("path").is_none());
        entry.path = Some(PathField(b"/a".to_vec()));
        let json = survives(&entry);
        assert_eq!((&json["type"], &json["path"], &json["name"]), (&json!("usn"), &json!("/a"), &json!("a")));
    }
}
