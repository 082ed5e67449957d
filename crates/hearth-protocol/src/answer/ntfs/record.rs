//! One file record of an NTFS volume: the answer of `ntfs_record`.
//!
//! It is told as it stands on disk, attribute by attribute, with what the values mean beside the numbers. References to
//! records are `NUMBER-SEQUENCE`. What there is not is absent.

use crate::bytes::{LabelField, NameField, PathField, TextField, V1};
use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::super::survives;
    use super::*;
    use serde_json::json;

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
}
