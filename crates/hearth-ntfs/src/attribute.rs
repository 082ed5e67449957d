//! One attribute of a record: its header, its name, and its value if that lies in the record.
//!
//! A value that lies in clusters may be mapped by many attributes, each with the first cluster that it maps. Its
//! sizes are told by the one that begins at cluster 0 alone; what the others say of them is never believed.

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::file::DataSize;
use crate::name::Utf16;

pub(crate) const STANDARD_INFORMATION: u32 = 0x10;
pub(crate) const ATTRIBUTE_LIST: u32 = 0x20;
pub(crate) const FILE_NAME: u32 = 0x30;
pub(crate) const OBJECT_ID: u32 = 0x40;
pub(crate) const VOLUME_NAME: u32 = 0x60;
pub(crate) const VOLUME_INFORMATION: u32 = 0x70;
pub(crate) const DATA: u32 = 0x80;
pub(crate) const INDEX_ROOT: u32 = 0x90;
pub(crate) const BITMAP: u32 = 0xb0;
pub(crate) const REPARSE_POINT: u32 = 0xc0;

/// Type of an attribute as `$NAME`.
pub(crate) fn kind_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        STANDARD_INFORMATION => "$STANDARD_INFORMATION",
        ATTRIBUTE_LIST => "$ATTRIBUTE_LIST",
        FILE_NAME => "$FILE_NAME",
        OBJECT_ID => "$OBJECT_ID",
        0x50 => "$SECURITY_DESCRIPTOR",
        VOLUME_NAME => "$VOLUME_NAME",
        VOLUME_INFORMATION => "$VOLUME_INFORMATION",
        DATA => "$DATA",
        INDEX_ROOT => "$INDEX_ROOT",
        0xa0 => "$INDEX_ALLOCATION",
        BITMAP => "$BITMAP",
        REPARSE_POINT => "$REPARSE_POINT",
        0xd0 => "$EA_INFORMATION",
        0xe0 => "$EA",
        0x100 => "$LOGGED_UTILITY_STREAM",
        _ => return None,
    })
}

/// Bits of compression in the flags.
pub(crate) const COMPRESSED: u16 = 0x00ff;
pub(crate) const ENCRYPTED: u16 = 0x4000;
pub(crate) const SPARSE: u16 = 0x8000;

/// Bytes of the header of a resident attribute, without its name.
pub(crate) const RESIDENT_HEADER_BYTES: usize = 24;
/// Bytes of the longest header, that of a compressed or sparse value.
pub(crate) const LONGEST_HEADER_BYTES: usize = 72;
/// Bytes of the header of a non-resident attribute, without what only compressed and sparse ones have.
const EXTERNAL_HEADER_BYTES: usize = 64;

/// An attribute whose header makes sense.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u32,
    pub(crate) flags: u16,
    pub(crate) id: u16,
    pub(crate) name: Utf16<'a>,
    pub(crate) form: Form<'a>,
    bytes: &'a [u8],
}

/// Where the value lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form<'a> {
    /// In the record. `value` is empty where the header points out of the attribute; `len` is what it says.
    Resident { value: &'a [u8], len: u32 },
    /// In clusters.
    External(External<'a>),
}

/// Header of a value in clusters. Sizes mean something in the piece that begins at cluster 0 alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct External<'a> {
    pub(crate) first_vcn: u64,
    pub(crate) last_vcn: u64,
    pub(crate) compression_unit: u8,
    pub(crate) allocated: u64,
    pub(crate) size: u64,
    pub(crate) initialised: u64,
    /// What compressed and sparse values take.
    pub(crate) total_allocated: Option<u64>,
    pub(crate) mapping: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The attribute that fills `bytes`.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let header: &[u8; RESIDENT_HEADER_BYTES] = bytes.first_chunk()?;
        let kind = u32_at(header, 0)?;
        let flags = u16_at(header, 12)?;
        let name = name(bytes, header[9], u16_at(header, 10)?)?;
        let form = if header[8] == 0 { resident(bytes, header)? } else { external(bytes, flags)? };
        Some(Self { kind, flags, id: u16_at(header, 14)?, name, form, bytes })
    }

    /// The value, if it lies in the record.
    #[inline]
    pub(crate) fn resident(&self) -> Option<&'a [u8]> {
        match self.form {
            Form::Resident { value, .. } => Some(value),
            Form::External(_) => None,
        }
    }

    /// Where its name ends, counted from its begin; 0 if it has none.
    pub(crate) fn name_end(&self) -> usize {
        let at = u16_at(self.bytes, 10).filter(|_| !self.name.is_empty());
        at.map_or(0, |at| usize::from(at) + self.name.as_bytes().len())
    }

    /// All bytes of the attribute.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The sizes of the whole value; `None` for a piece that does not begin it.
    #[inline]
    pub(crate) fn size(&self) -> Option<DataSize> {
        let (size, allocated, resident) = match self.form {
            Form::Resident { len, .. } => (u64::from(len), 0, true),
            Form::External(External { first_vcn: 1.., .. }) => return None,
            Form::External(head) => (head.size, head.total_allocated.unwrap_or(head.allocated), false),
        };
        let has = |bits| self.flags & bits != 0;
        let (compressed, sparse, encrypted) = (has(COMPRESSED), has(SPARSE), has(ENCRYPTED));
        Some(DataSize { size, allocated, resident, compressed, sparse, encrypted })
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name.units().eq(name.encode_utf16())
    }
}

#[inline]
fn name(bytes: &[u8], units: u8, at: u16) -> Option<Utf16<'_>> {
    if units == 0 {
        return Some(Utf16::default());
    }
    let at = usize::from(at);
    bytes.get(at..at + 2 * usize::from(units)).map(Utf16::new)
}

#[inline]
fn resident<'a>(bytes: &'a [u8], header: &[u8; RESIDENT_HEADER_BYTES]) -> Option<Form<'a>> {
    let len = u32_at(header, 16)?;
    let at = usize::from(u16_at(header, 20)?);
    let value = bytes.get(at..at + len as usize).unwrap_or_default();
    Some(Form::Resident { value, len })
}

#[inline]
fn external(bytes: &[u8], flags: u16) -> Option<Form<'_>> {
    let header: &[u8; EXTERNAL_HEADER_BYTES] = bytes.first_chunk()?;
    let mapping_at = usize::from(u16_at(header, 32)?);
    let has_total = flags & (COMPRESSED | SPARSE) != 0 && mapping_at >= LONGEST_HEADER_BYTES;
    Some(Form::External(External {
        first_vcn: u64_at(header, 16)?,
        last_vcn: u64_at(header, 24)?,
        compression_unit: header[34],
        allocated: u64_at(header, 40)?,
        size: u64_at(header, 48)?,
        initialised: u64_at(header, 56)?,
        total_allocated: if has_total { u64_at(bytes, 64) } else { None },
        mapping: bytes.get(mapping_at..).unwrap_or_default(),
    }))
}
