//! What is on an NTFS disk: the answers of `ntfs_info`, `ntfs_record` and `ntfs_journal`.
//!
//! Words for bits are the daemon's; numbers are there beside them where more may be in them than words say.
//! References to records are `NUMBER-SEQUENCE`. What there is not is absent.

use crate::bytes::{LabelField, NameField, PathField, TextField, V1};
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

/// Result of `ntfs_record`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "record")]
pub struct FileRecord {
    /// Always 1.
    pub v: V1,
    /// Its number.
    pub number: u64,
    /// `record`, `empty` (never used), `torn` (half written) or `damaged`; only a `record` has a header.
    pub slot: String,
    /// First four bytes, those that are not printable as `.`.
    pub signature: String,
    /// True if the copy in `$MFTMirr` stands in for it.
    pub from_mirror: bool,
    /// False if its attributes make no sense to their end.
    pub whole: bool,
    /// The sequence that was asked for, if the record has another one now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_sequence: Option<u16>,
    /// Its header.
    #[serde(flatten)]
    pub header: Option<RecordHeader>,
    /// Its paths in the volume, as far as the folders above are there.
    pub paths: Vec<PathField>,
    /// Its attributes, in order.
    pub attributes: Vec<RecordAttribute>,
}

/// Header of a [`FileRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHeader {
    /// How often the slot was used.
    pub sequence: u16,
    /// False if it was deleted.
    pub in_use: bool,
    /// True if it has an index of names.
    pub is_dir: bool,
    /// Flags as on disk.
    pub flags: u16,
    /// Names, 8.3 aliases included.
    pub links: u16,
    /// `$LogFile` sequence number of its last change.
    pub log_sequence: u64,
    /// Bytes in use.
    pub used_bytes: u32,
    /// Bytes of the slot.
    pub allocated_bytes: u32,
    /// The record that it extends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// An attribute of a [`FileRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordAttribute {
    /// Type as on disk.
    pub code: u32,
    /// Type as `$NAME`; absent for types that do not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Number within the record.
    pub id: u16,
    /// Its name.
    #[serde(flatten)]
    pub name: Option<NameField>,
    /// Flags as on disk.
    pub flags: u16,
    /// Of `compressed`, `encrypted`, `sparse`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<String>,
    /// Whether its value is in the record.
    pub resident: bool,
    /// Bytes of the value.
    pub size: u64,
    /// Where its value lies, if that is not in the record.
    #[serde(flatten)]
    pub clusters: Option<Clusters>,
    /// What its value means; absent for content, and for what cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<AttributeValue>,
}

/// Where a value lies that is not in its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// First cluster of the value that is mapped here.
    pub first_vcn: u64,
    /// The last one.
    pub last_vcn: u64,
    /// Bytes that were written.
    pub initialised: u64,
    /// Bytes of clusters, holes included.
    pub allocated: u64,
    /// Bytes that a compressed or sparse value takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_allocated: Option<u64>,
    /// Clusters that are compressed together; 0 if none are.
    pub compression_clusters: u64,
    /// Its pieces.
    pub runs: Vec<ClusterRun>,
    /// False if the mapping makes no sense to its end.
    pub runs_whole: bool,
}

/// Clusters in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRun {
    /// First cluster of the value.
    pub vcn: u64,
    /// First cluster of the volume; absent for a hole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lcn: Option<u64>,
    /// How many.
    pub clusters: u64,
}

/// What the value of an attribute means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum AttributeValue {
    /// `$STANDARD_INFORMATION`.
    Standard(StandardValue),
    /// `$ATTRIBUTE_LIST`.
    List(ListValue),
    /// `$FILE_NAME`.
    Name(NameValue),
    /// `$OBJECT_ID`.
    ObjectId(ObjectIdValue),
    /// `$VOLUME_NAME`.
    Label(LabelField),
    /// `$VOLUME_INFORMATION`.
    Volume(VolumeValue),
    /// `$REPARSE_POINT`.
    Reparse(ReparseValue),
    /// `$INDEX_ROOT`.
    Index(IndexValue),
    /// Anything else.
    Bytes(BytesValue),
}

/// Four times, nanoseconds since 1970 UTC; absent where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_ns: Option<i64>,
    /// Last change of content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ns: Option<i64>,
    /// Last change of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_ns: Option<i64>,
    /// Last access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessed_ns: Option<i64>,
}

/// See [`AttributeValue::Standard`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandardValue {
    /// Its times.
    #[serde(flatten)]
    pub times: Times,
    /// Attributes as letters.
    pub attributes: String,
    /// Attributes as on disk.
    pub attribute_bits: u32,
    /// Last USN that speaks of it.
    pub usn: u64,
    /// Owner in `$Quota`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<u32>,
    /// Entry in `$Secure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_id: Option<u32>,
    /// Bytes charged to the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged_bytes: Option<u64>,
}

/// See [`AttributeValue::List`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListValue {
    /// Its entries.
    pub entries: Vec<ListEntry>,
}

/// Entry of an `$ATTRIBUTE_LIST`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// Type as on disk.
    pub code: u32,
    /// Type as `$NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the attribute.
    #[serde(flatten)]
    pub name: Option<NameField>,
    /// First cluster that the piece maps.
    pub first_vcn: u64,
    /// Record that holds it.
    pub record: String,
    /// Its number within that record.
    pub id: u16,
}

/// See [`AttributeValue::Name`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameValue {
    /// The name.
    #[serde(flatten)]
    pub name: NameField,
    /// `posix`, `win32`, `dos` or `win32-dos`.
    pub namespace: String,
    /// The folder that holds it.
    pub parent: String,
    /// Times as of the last change of the name.
    #[serde(flatten)]
    pub times: Times,
    /// Bytes as of the last change of the name.
    pub size: u64,
    /// Bytes on disk as of the last change of the name.
    pub allocated: u64,
    /// Attributes as of the last change of the name, as letters.
    pub attributes: String,
}

/// See [`AttributeValue::ObjectId`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectIdValue {
    /// Of the object, its birth volume, birth object and domain, as far as given.
    pub guids: Vec<String>,
}

/// See [`AttributeValue::Volume`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeValue {
    /// Version of the format.
    pub version: String,
    /// Flags as on disk.
    pub flags: u16,
}

/// See [`AttributeValue::Reparse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReparseValue {
    /// `IO_REPARSE_TAG_…`, 8 hexadecimal digits.
    pub tag: String,
    /// The tag in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_name: Option<String>,
    /// Where it leads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<TargetPart>,
}

/// Part of what a reparse point says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPart {
    /// What it is.
    pub part: String,
    /// What it says.
    #[serde(flatten)]
    pub text: TextField,
}

/// See [`AttributeValue::Index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexValue {
    /// Type of the attribute that is indexed; 0 for views.
    pub indexed: u32,
    /// Rule of order as on disk.
    pub collation: u32,
    /// Bytes of a node outside of the record.
    pub node_bytes: u32,
    /// Entries in the root.
    pub entries: u32,
    /// True if there are nodes outside of the record.
    pub is_large: bool,
}

/// See [`AttributeValue::Bytes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BytesValue {
    /// First bytes of the value, hexadecimal.
    pub hex: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(answer: &T) -> Value {
        let text = serde_json::to_string(answer).unwrap();
        assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), answer);
        serde_json::from_str(&text).unwrap()
    }

    fn attribute(value: AttributeValue) -> RecordAttribute {
        RecordAttribute {
            code: 0x30,
            kind: Some("$FILE_NAME".into()),
            id: 2,
            name: None,
            flags: 0,
            is: Vec::new(),
            resident: true,
            size: 70,
            clusters: None,
            value: Some(value),
        }
    }

    fn record(attributes: Vec<RecordAttribute>) -> FileRecord {
        FileRecord {
            v: V1,
            number: 41,
            slot: "record".into(),
            signature: "FILE".into(),
            from_mirror: false,
            whole: true,
            asked_sequence: None,
            header: None,
            paths: vec![PathField(b"/a\xff".to_vec())],
            attributes,
        }
    }

    #[test]
    fn every_value_of_an_attribute_survives_the_wire() {
        let times = Times { created_ns: Some(1), ..Times::default() };
        let name = NameField(b"a\xff".to_vec());
        let entry = ListEntry {
            code: 0x80,
            kind: None,
            name: Some(name.clone()),
            first_vcn: 0,
            record: "5-5".into(),
            id: 1,
        };
        let values = vec![
            AttributeValue::Standard(StandardValue {
                times,
                attributes: "RA".into(),
                attribute_bits: 0x21,
                usn: 3,
                owner_id: None,
                security_id: Some(256),
                charged_bytes: None,
            }),
            AttributeValue::List(ListValue { entries: vec![entry] }),
            AttributeValue::Name(NameValue {
                name,
                namespace: "win32".into(),
                parent: "5-5".into(),
                times,
                size: 1,
                allocated: 2,
                attributes: String::new(),
            }),
            AttributeValue::ObjectId(ObjectIdValue { guids: vec!["x".into()] }),
            AttributeValue::Label(LabelField(b"c".to_vec())),
            AttributeValue::Volume(VolumeValue { version: "3.1".into(), flags: 1 }),
            AttributeValue::Reparse(ReparseValue {
                tag: "a000000c".into(),
                tag_name: Some("SYMLINK".into()),
                target: vec![TargetPart { part: "print".into(), text: TextField(b"\xffx".to_vec()) }],
            }),
            AttributeValue::Index(IndexValue {
                indexed: 0x30,
                collation: 1,
                node_bytes: 4096,
                entries: 2,
                is_large: false,
            }),
            AttributeValue::Bytes(BytesValue { hex: "00ff".into() }),
        ];
        let json = survives(&record(values.into_iter().map(attribute).collect()));
        assert_eq!(json["paths"], json!([{ "path_b64": "L2H/" }]));
        assert_eq!(json["attributes"][0]["value"]["form"], "standard");
        assert_eq!(json["attributes"][2]["value"]["name_b64"], "Yf8=");
        assert!(json["attributes"][0].get("name").is_none() && json.get("sequence").is_none(), "{json}");
    }

    #[test]
    fn where_a_value_lies_stands_beside_its_size() {
        let runs = vec![
            ClusterRun { vcn: 0, lcn: Some(7), clusters: 2 },
            ClusterRun { vcn: 2, lcn: None, clusters: 1 },
        ];
        let clusters = Clusters {
            first_vcn: 0,
            last_vcn: 2,
            initialised: 9,
            allocated: 12,
            total_allocated: None,
            compression_clusters: 0,
            runs,
            runs_whole: true,
        };
        let data = RecordAttribute {
            name: Some(NameField(b"s".to_vec())),
            resident: false,
            clusters: Some(clusters),
            value: None,
            ..attribute(AttributeValue::Bytes(BytesValue { hex: String::new() }))
        };
        let json = survives(&record(vec![data]));
        let data = &json["attributes"][0];
        assert_eq!((&data["name"], &data["last_vcn"]), (&json!("s"), &json!(2)));
        assert_eq!(data["runs"], json!([{ "vcn": 0, "lcn": 7, "clusters": 2 }, { "vcn": 2, "clusters": 1 }]));
    }

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
