//! One record of the journal, in any of its three forms.
//!
//! Version 2 is what NTFS writes; 3 has wider file identifiers, of which NTFS fills half; 4 tells changed ranges
//! and has neither name nor time, and follows a record of version 3 that has both.

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::name::Utf16;
use crate::reference::FileReference;
use crate::time::unix_nanos;
use hearth_core::{NO_TIME, UnixNanos};

/// Smallest length of a record of any version, bytes.
pub(super) const MIN_BYTES: usize = 60;
/// Bytes of an extent in a record of version 4.
const EXTENT_BYTES: usize = 16;

/// Something that happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsnRecord<'a> {
    /// Major and minor version of its form: 2, 3 or 4.
    pub version: (u16, u16),
    /// Its place in the journal.
    pub usn: u64,
    /// The file.
    pub reference: FileReference,
    /// The directory that holds `name`.
    pub parent: FileReference,
    /// When; [`NO_TIME`] in version 4.
    pub time_ns: UnixNanos,
    /// `USN_REASON_…`, all since the file was opened; see [`super::reasons_in_words`].
    pub reasons: u32,
    /// `USN_SOURCE_…`: who did it, where that is not a user; see [`super::sources_in_words`].
    pub source: u32,
    /// `FILE_ATTRIBUTE_…`; 0 in version 4.
    pub attributes: u32,
    /// The name, without its path; none in version 4.
    pub name: Utf16<'a>,
    /// Changed ranges; only in version 4.
    pub extents: Extents<'a>,
}

impl<'a> UsnRecord<'a> {
    /// The record with which `bytes` begin, and its length. `None` if they begin with no record of `usn`.
    pub(super) fn read(bytes: &'a [u8], usn: u64) -> Option<(Self, usize)> {
        let len = length(bytes)?;
        let record = Self::of(&bytes[..len])?;
        (record.usn == usn).then_some((record, len))
    }

    /// The record that is exactly `bytes`, whatever its USN.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        match u16_at(bytes, 4)? {
            2 => Self::version_2(bytes),
            3 => Self::version_3(bytes),
            4 => Self::version_4(bytes),
            _ => None,
        }
    }

    fn version_2(bytes: &'a [u8]) -> Option<Self> {
        let head: &[u8; 60] = bytes.first_chunk()?;
        Some(Self {
            version: version(bytes)?,
            usn: u64_at(head, 24)?,
            reference: FileReference::from_disk(u64_at(head, 8)?),
            parent: FileReference::from_disk(u64_at(head, 16)?),
            time_ns: unix_nanos(u64_at(head, 32)?),
            reasons: u32_at(head, 40)?,
            source: u32_at(head, 44)?,
            attributes: u32_at(head, 52)?,
            name: name(bytes, 56, head.len())?,
            extents: Extents::default(),
        })
    }

    fn version_3(bytes: &'a [u8]) -> Option<Self> {
        let head: &[u8; 76] = bytes.first_chunk()?;
        Some(Self {
            version: version(bytes)?,
            usn: u64_at(head, 40)?,
            reference: long_reference(head, 8)?,
            parent: long_reference(head, 24)?,
            time_ns: unix_nanos(u64_at(head, 48)?),
            reasons: u32_at(head, 56)?,
            source: u32_at(head, 60)?,
            attributes: u32_at(head, 68)?,
            name: name(bytes, 72, head.len())?,
            extents: Extents::default(),
        })
    }

    fn version_4(bytes: &'a [u8]) -> Option<Self> {
        let head: &[u8; 64] = bytes.first_chunk()?;
        let count = usize::from(u16_at(head, 60)?);
        let each = usize::from(u16_at(head, 62)?);
        let stored = bytes.get(head.len()..)?.get(..count * each)?;
        Some(Self {
            version: version(bytes)?,
            usn: u64_at(head, 40)?,
            reference: long_reference(head, 8)?,
            parent: long_reference(head, 24)?,
            time_ns: NO_TIME,
            reasons: u32_at(head, 48)?,
            source: u32_at(head, 52)?,
            attributes: 0,
            name: Utf16::default(),
            extents: Extents {
                bytes: (count == 0 || each == EXTENT_BYTES).then_some(stored)?,
                more: u32_at(head, 56)?,
            },
        })
    }
}

/// Changed ranges of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extents<'a> {
    bytes: &'a [u8],
    more: u32,
}

impl<'a> Extents<'a> {
    /// Offset and length of each range, bytes.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (u64, u64)> + 'a {
        self.bytes.chunks_exact(EXTENT_BYTES).map(|extent| {
            let half = |at| u64_at(extent, at).unwrap_or_default();
            (half(0), half(8))
        })
    }

    /// How many ranges the records that follow still tell.
    pub fn more(self) -> u32 {
        self.more
    }
}

/// The length that a record at the begin of `bytes` gives itself, if it can be one.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let len = u32_at(bytes, 0)? as usize;
    (len >= MIN_BYTES && len.is_multiple_of(8) && len <= bytes.len()).then_some(len)
}

fn version(bytes: &[u8]) -> Option<(u16, u16)> {
    Some((u16_at(bytes, 4)?, u16_at(bytes, 6)?))
}

/// The name whose length and offset lie at `at`; it may not lie in the `head` bytes of the fixed part.
fn name(bytes: &[u8], at: usize, head: usize) -> Option<Utf16<'_>> {
    let (len, from) = (usize::from(u16_at(bytes, at)?), usize::from(u16_at(bytes, at + 2)?));
    let name = bytes.get(from..from + len)?;
    (from >= head && len.is_multiple_of(2)).then_some(Utf16::new(name))
}

/// A file identifier of 128 bits, as NTFS fills it: the lower half is the reference, the upper half zero.
fn long_reference(bytes: &[u8], at: usize) -> Option<FileReference> {
    (u64_at(bytes, at + 8)? == 0).then_some(FileReference::from_disk(u64_at(bytes, at)?))
}
