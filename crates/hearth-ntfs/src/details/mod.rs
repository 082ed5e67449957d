//! One record as a person reads it: header, attributes, and what their values mean.
//!
//! Nothing is joined here: a record is shown as it is, be it a base, an extension or no longer in use. Values
//! that lie in clusters are read where they can be, up to the bounds of the reader.

mod values;

pub use values::{Index, ListEntry, NameValue, StandardValue, Value};

use crate::attribute::{self, Attribute, COMPRESSED, ENCRYPTED, Form, SPARSE};
use crate::error::NtfsError;
use crate::read::ReadAt;
use crate::record::{Record, Slot};
use crate::reference::FileReference;
use crate::runs::{Mapping, Run};
use crate::volume::Volume;

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordDetails {
    /// Its number.
    pub number: u64,
    /// What the slot holds. Header and attributes are there for [`Slot::Record`] alone.
    pub slot: Slot,
    /// First four bytes.
    pub signature: [u8; 4],
    /// True if `$MFTMirr` stands in for it.
    pub from_mirror: bool,
    /// Its header.
    pub header: Option<Header>,
    /// Its attributes, in order.
    pub attributes: Vec<AttributeDetails>,
    /// False if its attributes make no sense to their end.
    pub whole: bool,
}

/// Header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `$LogFile` sequence number of its last change.
    pub log_sequence: u64,
    /// How often the slot was used.
    pub sequence: u16,
    /// Names, 8.3 aliases included.
    pub link_count: u16,
    /// Flags as on disk.
    pub flags: u16,
    /// Flag 1.
    pub in_use: bool,
    /// Flag 2.
    pub is_dir: bool,
    /// Bytes in use.
    pub used_bytes: u32,
    /// Bytes of the slot.
    pub allocated_bytes: u32,
    /// The record that it extends.
    pub base: Option<FileReference>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeDetails {
    /// Type as on disk.
    pub kind: u32,
    /// Type as `$NAME`; `None` for types that do not exist.
    pub kind_name: Option<&'static str>,
    /// Number within the record.
    pub id: u16,
    /// Name; empty if it has none.
    pub name: Vec<u8>,
    /// Flags as on disk.
    pub flags: u16,
    /// Compressed by NTFS.
    pub compressed: bool,
    /// Encrypted by NTFS.
    pub encrypted: bool,
    /// Has holes.
    pub sparse: bool,
    /// Where its value lies.
    pub place: Place,
    /// What its value means. `None` for content, and for what cannot be read.
    pub value: Option<Value>,
}

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the record.
    Resident {
        /// Bytes.
        size: u32,
    },
    /// In clusters.
    Clusters {
        /// First and last cluster of the value that this piece maps.
        vcns: (u64, u64),
        /// Bytes; of the first piece alone, as the other sizes.
        size: u64,
        /// Bytes that were written.
        initialised: u64,
        /// Bytes of clusters, holes included.
        allocated: u64,
        /// Bytes that a compressed or sparse value takes.
        total_allocated: Option<u64>,
        /// Power of two: clusters that are compressed together; 0 if none are.
        compression_unit: u8,
        /// Where its clusters are.
        runs: Vec<Run>,
        /// False if the mapping makes no sense to its end.
        runs_whole: bool,
    },
}

/// The record `number` of a volume.
///
/// # Errors
/// [`NtfsError::Damaged`] if there is no such slot, [`NtfsError::Io`].
pub fn of<R: ReadAt>(volume: &Volume<R>, number: u64) -> Result<RecordDetails, NtfsError> {
    let bytes = volume.record(number)?;
    let mut details = RecordDetails {
        number,
        slot: bytes.slot(),
        signature: bytes.bytes().first_chunk().copied().unwrap_or_default(),
        from_mirror: bytes.is_from_mirror(),
        header: None,
        attributes: Vec::new(),
        whole: bytes.slot() != Slot::Damaged && bytes.slot() != Slot::Torn,
    };
    if let Some(record) = bytes.view() {
        details.header = Some(header(&record));
        let mut attributes = record.attributes();
        details.attributes = attributes.by_ref().map(|attribute| described(volume, &attribute)).collect();
        details.whole = attributes.ended();
    }
    Ok(details)
}

fn header(record: &Record<'_>) -> Header {
    Header {
        log_sequence: record.log_sequence(),
        sequence: record.sequence(),
        link_count: record.link_count(),
        flags: record.flags(),
        in_use: record.in_use(),
        is_dir: record.is_dir(),
        used_bytes: record.used_bytes(),
        allocated_bytes: record.allocated_bytes(),
        base: record.base(),
    }
}

fn described<R: ReadAt>(volume: &Volume<R>, attribute: &Attribute<'_>) -> AttributeDetails {
    let has = |bits| attribute.flags & bits != 0;
    AttributeDetails {
        kind: attribute.kind,
        kind_name: attribute::kind_name(attribute.kind),
        id: attribute.id,
        name: attribute.name.to_bytes(),
        flags: attribute.flags,
        compressed: has(COMPRESSED),
        encrypted: has(ENCRYPTED),
        sparse: has(SPARSE),
        place: place(attribute, volume.geometry().clusters()),
        value: values::of(volume, attribute),
    }
}

fn place(attribute: &Attribute<'_>, clusters: u64) -> Place {
    let head = match attribute.form {
        Form::Resident { len, .. } => return Place::Resident { size: len },
        Form::External(head) => head,
    };
    let mapping: Vec<_> = Mapping::new(head.mapping, head.first_vcn, clusters).collect();
    Place::Clusters {
        vcns: (head.first_vcn, head.last_vcn),
        size: head.size,
        initialised: head.initialised,
        allocated: head.allocated,
        total_allocated: head.total_allocated,
        compression_unit: head.compression_unit,
        runs_whole: mapping.iter().all(Result::is_ok),
        runs: mapping.into_iter().flatten().collect(),
    }
}
