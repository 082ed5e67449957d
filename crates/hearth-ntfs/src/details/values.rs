//! What the values of attributes mean.
//!
//! Each is decoded from its bytes alone, and from no more of them than the reader's bounds allow. A value that
//! is too short for what it should be is shown as the bytes that it is.

use crate::attribute::{self, Attribute};
use crate::bytes::{array_at, u16_at, u32_at, u64_at};
use crate::file::{Namespace, Standard};
use crate::limits;
use crate::list::Entries;
use crate::name::Utf16;
use crate::parts;
use crate::read::ReadAt;
use crate::reference::FileReference;
use crate::reparse::{Reparse, Target};
use crate::time::unix_nanos;
use crate::value::local;
use crate::volume::Volume;
use hearth_core::UnixNanos;

/// Bytes of an unknown value that are shown.
const SHOWN_BYTES: u64 = 4096;

/// What a value means.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `$STANDARD_INFORMATION`.
    Standard(StandardValue),
    /// `$ATTRIBUTE_LIST`.
    List(Vec<ListEntry>),
    /// `$FILE_NAME`.
    Name(NameValue),
    /// `$OBJECT_ID`: GUIDs of the object, its birth volume, birth object and domain, as far as given.
    ObjectId(Vec<String>),
    /// `$VOLUME_NAME`.
    Label(Vec<u8>),
    /// `$VOLUME_INFORMATION`.
    Volume {
        /// Version of the format, major and minor.
        version: (u8, u8),
        /// Flags as on disk.
        flags: u16,
    },
    /// `$REPARSE_POINT`.
    Reparse {
        /// `IO_REPARSE_TAG_…`.
        tag: u32,
        /// The tag in words.
        tag_name: Option<&'static str>,
        /// Where it leads, as `kind: text`.
        target: Vec<(&'static str, Vec<u8>)>,
    },
    /// `$INDEX_ROOT`.
    Index(Index),
    /// Anything else but content: its first bytes.
    Bytes(Vec<u8>),
}

/// `$STANDARD_INFORMATION`, with what version 3 has besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardValue {
    /// Times, attributes, USN.
    pub standard: Standard,
    /// Most versions, version, class; of no use.
    pub versions: [u32; 3],
    /// Owner in `$Quota`, entry in `$Secure`, bytes charged to the owner; `None` before version 3.
    pub owner_security_charged: Option<(u32, u32, u64)>,
}

/// An entry of an `$ATTRIBUTE_LIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Type as on disk.
    pub kind: u32,
    /// Type as `$NAME`.
    pub kind_name: Option<&'static str>,
    /// Name of the attribute.
    pub name: Vec<u8>,
    /// First cluster that the piece maps.
    pub first_vcn: u64,
    /// Record that holds it.
    pub record: FileReference,
    /// Its number within that record.
    pub id: u16,
}

/// `$FILE_NAME`, with the copies that it keeps of what is true elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameValue {
    /// Directory that holds it.
    pub parent: FileReference,
    /// Rules that it keeps.
    pub namespace: Namespace,
    /// The name.
    pub name: Vec<u8>,
    /// Created, modified, record changed, accessed: as of the last change of the name.
    pub times_ns: [UnixNanos; 4],
    /// Allocated and logical size, bytes: as of the last change of the name.
    pub sizes: (u64, u64),
    /// Attributes as of the last change of the name.
    pub attributes: u32,
}

/// `$INDEX_ROOT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
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

/// What the value of an attribute means; `None` for content, and for what cannot be read.
pub(super) fn of<R: ReadAt>(volume: &Volume<R>, attribute: &Attribute<'_>) -> Option<Value> {
    if attribute.kind == attribute::DATA {
        return None;
    }
    if let Some(value) = attribute.resident() {
        return Some(decoded(attribute.kind, value));
    }
    let limit = match attribute.kind {
        attribute::ATTRIBUTE_LIST => limits::LIST_BYTES,
        attribute::REPARSE_POINT => limits::REPARSE_BYTES,
        _ => return None,
    };
    let value = local(volume, attribute)?.read_up_to(limit).ok()?;
    Some(decoded(attribute.kind, &value))
}

fn decoded(kind: u32, value: &[u8]) -> Value {
    let known = match kind {
        attribute::STANDARD_INFORMATION => standard(value),
        attribute::ATTRIBUTE_LIST => {
            Some(Value::List(Entries(value).map(|entry| list_entry(&entry)).collect()))
        }
        attribute::FILE_NAME => name(value),
        attribute::OBJECT_ID => {
            Some(Value::ObjectId(value.chunks_exact(16).take(4).filter_map(guid).collect()))
        }
        attribute::VOLUME_NAME => Some(Value::Label(Utf16::new(value).to_bytes())),
        attribute::VOLUME_INFORMATION => volume(value),
        attribute::REPARSE_POINT => Reparse::parse(value).map(|point| reparse(&point)),
        attribute::INDEX_ROOT => index(value),
        _ => None,
    };
    known.unwrap_or_else(|| Value::Bytes(value[..value.len().min(SHOWN_BYTES as usize)].to_vec()))
}

fn standard(value: &[u8]) -> Option<Value> {
    let later = u32_at(value, 48).zip(u32_at(value, 52)).zip(u64_at(value, 56));
    Some(Value::Standard(StandardValue {
        standard: parts::standard(value)?,
        versions: [u32_at(value, 36)?, u32_at(value, 40)?, u32_at(value, 44)?],
        owner_security_charged: later.map(|((owner, security), charged)| (owner, security, charged)),
    }))
}

fn list_entry(entry: &crate::list::Entry<'_>) -> ListEntry {
    ListEntry {
        kind: entry.kind,
        kind_name: attribute::kind_name(entry.kind),
        name: entry.name.to_bytes(),
        first_vcn: entry.first_vcn,
        record: entry.record,
        id: entry.id,
    }
}

fn name(value: &[u8]) -> Option<Value> {
    let name = parts::file_name(value)?;
    let time = |at| u64_at(value, at).map(unix_nanos);
    Some(Value::Name(NameValue {
        parent: name.parent,
        namespace: name.namespace,
        name: name.name.to_bytes(),
        times_ns: [time(8)?, time(16)?, time(24)?, time(32)?],
        sizes: (u64_at(value, 40)?, u64_at(value, 48)?),
        attributes: u32_at(value, 56)?,
    }))
}

fn volume(value: &[u8]) -> Option<Value> {
    let version = (*value.get(8)?, *value.get(9)?);
    Some(Value::Volume { version, flags: u16_at(value, 10)? })
}

fn reparse(point: &Reparse<'_>) -> Value {
    let target = match point.target() {
        Some(Target::Symlink { substitute, print, relative }) => {
            let kind = if relative { "relative" } else { "substitute" };
            vec![(kind, substitute.to_bytes()), ("print", print.to_bytes())]
        }
        Some(Target::MountPoint { substitute, print }) => {
            vec![("substitute", substitute.to_bytes()), ("print", print.to_bytes())]
        }
        Some(Target::LxSymlink(path)) => vec![("path", path.to_vec())],
        Some(Target::AppExecLink { package, entry, path }) => {
            vec![("package", package.to_bytes()), ("entry", entry.to_bytes()), ("path", path.to_bytes())]
        }
        None => Vec::new(),
    };
    Value::Reparse { tag: point.tag, tag_name: point.tag_name(), target }
}

/// Entries begin where the header of the node says and end with one that is marked as the last.
fn index(value: &[u8]) -> Option<Value> {
    let start = 16 + u32_at(value, 16)? as usize;
    let mut rest = value.get(start..)?;
    let mut entries = 0;
    while let (Some(length), Some(flags)) = (u16_at(rest, 8), u16_at(rest, 12)) {
        if flags & 2 != 0 || length < 16 {
            break;
        }
        entries += 1;
        rest = rest.get(usize::from(length)..).unwrap_or_default();
    }
    Some(Value::Index(Index {
        indexed: u32_at(value, 0)?,
        collation: u32_at(value, 4)?,
        node_bytes: u32_at(value, 8)?,
        entries,
        is_large: value.get(28)? & 1 != 0,
    }))
}

/// A GUID in its usual form; the first three groups are little endian.
fn guid(bytes: &[u8]) -> Option<String> {
    let (a, b, c) = (u32_at(bytes, 0)?, u16_at(bytes, 4)?, u16_at(bytes, 6)?);
    let [d, e]: [u8; 2] = array_at(bytes, 8)?;
    let rest: [u8; 6] = array_at(bytes, 10)?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{a:08x}-{b:04x}-{c:04x}-{d:02x}{e:02x}-{rest}"))
}
