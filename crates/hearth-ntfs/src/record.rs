//! A file record: header, fixups, and the walk over its attributes.
//!
//! The last two bytes of each 512 bytes hold a number that changes with each write; what belongs there lies
//! in the header. A record is mended (checked, and those bytes put back) before anything in it is believed.

use crate::attribute::Attribute;
use crate::bytes::{array_at, u16_at, u32_at, u64_at};
use crate::reference::FileReference;

/// Bytes of a header without its fixups.
pub(crate) const HEADER_BYTES: usize = 0x28;

const IN_USE: u16 = 1;
const DIRECTORY: u16 = 2;

/// What a slot of `$MFT` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A record.
    Record,
    /// Zeroes: never used.
    Empty,
    /// A record of which only a part was written.
    Torn,
    /// Marked as bad by a checking program, or no record.
    Damaged,
}

/// True if `bytes` begin as a record does and say that it is in use. Cheap: nothing is checked.
#[inline]
pub(crate) fn seems_in_use(bytes: &[u8]) -> bool {
    array_at(bytes, 0x16).is_some_and(|[low, _]: [u8; 2]| low & IN_USE as u8 != 0)
}

/// Checks the fixups of a record and puts the bytes back that they stand for.
#[inline]
pub(crate) fn mend(bytes: &mut [u8]) -> Slot {
    match bytes.first_chunk::<4>() {
        Some(b"FILE") => {}
        Some([0, 0, 0, 0]) => return Slot::Empty,
        _ => return Slot::Damaged,
    }
    match stride(bytes) {
        Some((start, stride)) => put_back(bytes, start, stride),
        None => Slot::Damaged,
    }
}

/// Where the fixups lie, and how many bytes each stands for.
#[inline]
fn stride(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = usize::from(u16_at(bytes, 4)?);
    let count = usize::from(u16_at(bytes, 6)?).checked_sub(1)?;
    let stride = if count * 512 == bytes.len() { 512 } else { bytes.len().checked_div(count)? };
    let possible = stride >= 256 && stride * count == bytes.len();
    // The fixups lie in the first piece, before its own last bytes.
    (possible && start >= HEADER_BYTES && start + 2 * count + 4 <= stride).then_some((start, stride))
}

#[inline]
fn put_back(bytes: &mut [u8], start: usize, stride: usize) -> Slot {
    let count = bytes.len() / stride;
    let mark = [bytes[start], bytes[start + 1]];
    for piece in bytes.chunks_exact(stride) {
        if piece[stride - 2..] != mark {
            return Slot::Torn;
        }
    }
    for at in 0..count {
        let from = start + 2 + 2 * at;
        let end = (at + 1) * stride;
        bytes.copy_within(from..from + 2, end - 2);
    }
    Slot::Record
}

/// A mended record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    header: &'a [u8; HEADER_BYTES],
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes mended bytes; `None` if they are too few for a header.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { header: bytes.first_chunk()?, bytes })
    }

    fn u16(&self, at: usize) -> u16 {
        u16_at(self.header, at).unwrap_or(0)
    }

    fn u32(&self, at: usize) -> u32 {
        u32_at(self.header, at).unwrap_or(0)
    }

    fn u64(&self, at: usize) -> u64 {
        u64_at(self.header, at).unwrap_or(0)
    }

    pub(crate) fn log_sequence(&self) -> u64 {
        self.u64(0x08)
    }

    pub(crate) fn sequence(&self) -> u16 {
        self.u16(0x10)
    }

    pub(crate) fn link_count(&self) -> u16 {
        self.u16(0x12)
    }

    pub(crate) fn first_attribute(&self) -> u16 {
        self.u16(0x14)
    }

    pub(crate) fn flags(&self) -> u16 {
        self.u16(0x16)
    }

    pub(crate) fn in_use(&self) -> bool {
        self.flags() & IN_USE != 0
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.flags() & DIRECTORY != 0
    }

    pub(crate) fn used_bytes(&self) -> u32 {
        self.u32(0x18)
    }

    pub(crate) fn allocated_bytes(&self) -> u32 {
        self.u32(0x1c)
    }

    /// The record that this one extends, if it is an extension record.
    pub(crate) fn base(&self) -> Option<FileReference> {
        let base = self.u64(0x20);
        (base != 0).then(|| FileReference::from_disk(base))
    }

    #[inline]
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        let end = self.bytes.len().min(self.used_bytes() as usize);
        let rest = self.bytes.get(usize::from(self.first_attribute())..end);
        Attributes { rest: rest.unwrap_or_default(), ended: false }
    }
}

/// The attributes of a record, as far as they make sense.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, which need no mark at their end.
    pub(crate) fn packed(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, ended: true }
    }

    /// True once the mark was found that follows the last attribute.
    pub(crate) fn ended(&self) -> bool {
        self.ended && self.rest.is_empty()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<Attribute<'a>> {
        let kind = u32_at(self.rest, 0)?;
        if kind == u32::MAX {
            (self.ended, self.rest) = (true, &[]);
            return None;
        }
        let length = u32_at(self.rest, 4)? as usize;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        let attribute = Attribute::new(bytes)?;
        self.rest = rest;
        Some(attribute)
    }
}
