//! Folded names as one scannable text, with constant-time access by id.
//!
//! The text is `\0name\0name\0…\0`: every name stands between two NUL bytes, so one substring search
//! over many names can also ask for beginnings and ends. Access goes through the start of every 16th
//! name plus one length byte per name; finding a name thus never walks the text, which would cost a
//! cache miss per line. Length bytes saturate: a group that holds a name of 255 bytes or more is
//! walked instead.

use super::front::{self, Part};
use crate::index::stored::StoredError;
use crate::index::stored::memory::zeros;
use crate::index::stored::parts::{self, Parts};
use crate::index::stored::reader::Reader;
use crate::index::stored::section::{Section, SectionId};
use hearth_core::HeapSize;
use std::ops::Range;

const PART_LENS: SectionId = SectionId::new(7, "lengths of the text of names");
const PARTS: Parts = Parts::new(256, "text of names");

/// Names per block, the unit of the gram index and of scans.
pub(crate) const BLOCK: u32 = 16;

/// Names per stored start.
pub(super) const GROUP: u32 = 16;
const GROUPS_PER_BLOCK: u32 = BLOCK / GROUP;
const _: () = assert!(BLOCK.is_multiple_of(GROUP), "a block begins where a group begins");
/// Length byte of names of 255 bytes or more.
const LONG: u8 = u8::MAX;
/// Names up to this length are copied at a fixed size.
const SHORT: usize = 32;

/// The text; ids are positions in it.
#[derive(Debug, Default)]
pub(super) struct NameText {
    blob: Vec<u8>,
    /// Length of each name, saturated; padded with zeros to whole groups.
    lens: Vec<u8>,
    /// Start of the first name of each group.
    starts: Vec<u32>,
    len: u32,
}

/// A name and where it lies: `start..end` without its NUL bytes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) id: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Appends names in their final order.
pub(super) struct TextWriter {
    text: NameText,
}

impl TextWriter {
    /// A writer for `names` names of `bytes` bytes together.
    pub(super) fn with_capacity(names: usize, bytes: usize) -> Self {
        let groups = names.div_ceil(GROUP as usize);
        let mut blob = Vec::with_capacity(bytes + names + 1);
        blob.push(0);
        let lens = Vec::with_capacity(groups * GROUP as usize);
        TextWriter { text: NameText { blob, lens, starts: Vec::with_capacity(groups), len: 0 } }
    }

    /// Appends a piece: names each followed by NUL, and their saturated lengths. All pieces but the
    /// last hold whole groups.
    pub(super) fn append(&mut self, names: &[u8], lens: &[u8]) {
        let text = &mut self.text;
        debug_assert!(text.len.is_multiple_of(GROUP));
        let mut at = text.blob.len();
        text.blob.extend_from_slice(names);
        for group in lens.chunks(GROUP as usize) {
            text.starts.push(at as u32);
            for &len in group {
                at = text.end_of(at, len) + 1;
            }
        }
        text.lens.extend_from_slice(lens);
        text.len += lens.len() as u32;
    }

    pub(super) fn finish(mut self) -> NameText {
        let groups = self.text.starts.len();
        self.text.lens.resize(groups * GROUP as usize, 0);
        self.text
    }
}

/// Saturated length as the text stores it.
pub(super) fn length_byte(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(LONG)
}

impl NameText {
    /// Adds the sections of the text: the length of each part, and the parts.
    pub(super) fn store<'a>(&'a self, out: &mut Vec<Section<'a>>) {
        let names = self.len as usize;
        let lens = parts::ranges(names).flat_map(|part| (self.part(part).len() as u32).to_le_bytes());
        out.push(Section::made(PART_LENS, lens.collect()));
        PARTS.store(names, |part| front::encode(self.part(part.clone()), part.len()), out);
    }

    /// The text of `names` names, at least one, on the current thread pool.
    pub(super) fn load(reader: &Reader<'_>, names: u32) -> Result<Self, StoredError> {
        let (count, groups) = (names as usize, names.div_ceil(GROUP) as usize);
        let part_lens: Vec<u32> = reader.elements(PART_LENS, parts::ranges(count).count())?;
        let mut claims = part_lens.iter();
        PARTS.check_claims(reader, count, |ids| {
            let text = claims.next().map_or(0, |&len| len as usize);
            (text / front::MOST_EXPANSION).max(ids.len() * 2)
        })?;
        let len = part_lens.iter().fold(1, |len, &part| len + part as usize);
        PART_LENS.check(u32::try_from(len).is_ok(), "more than the 4 GiB that can be addressed")?;
        let (mut blob, mut lens, mut starts) = (zeros(len), zeros(groups * GROUP as usize), zeros(groups));
        let mut part_len = part_lens.iter();
        let mut at = 1;
        let texts = parts::cut(&mut blob[1..], count, |_| part_len.next().map_or(0, |&len| len as usize));
        let part_lens = parts::cut(&mut lens, count, |part| part.len());
        let part_starts = parts::cut(&mut starts, count, |part| part.len().div_ceil(GROUP as usize));
        let targets = texts.into_iter().zip(part_lens).zip(part_starts).map(|((text, lens), starts)| {
            let part = Part { at, text, lens, starts };
            at += part.text.len();
            part
        });
        let decode = |range: Range<usize>, coded: &[u8], part: Part<'_>| part.decode(range.len(), coded);
        PARTS.load(reader, count, targets.collect(), decode)?;
        Ok(NameText { blob, lens, starts, len: names })
    }

    /// The names of a part, each followed by NUL.
    fn part(&self, ids: Range<usize>) -> &[u8] {
        let start =
            |id: usize| self.starts.get(id / GROUP as usize).map_or(self.blob.len(), |&at| at as usize);
        let end = if ids.end == self.len as usize { self.blob.len() } else { start(ids.end) };
        &self.blob[start(ids.start)..end]
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    pub(super) fn blocks(&self) -> u32 {
        self.len.div_ceil(BLOCK)
    }

    /// Name of an id.
    #[inline]
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let place = self.place(id);
        &self.blob[place.start..place.end]
    }

    /// Appends the name of an id.
    #[inline]
    pub(super) fn append_to(&self, id: u32, out: &mut Vec<u8>) {
        let Place { start, end, .. } = self.place(id);
        match self.blob.get(start..start + SHORT) {
            Some(bytes) if end - start <= SHORT => {
                // Copying a fixed size and cutting is several times cheaper than a copy of any size.
                out.extend_from_slice(bytes);
                out.truncate(out.len() - (start + SHORT - end));
            }
            _ => out.extend_from_slice(&self.blob[start..end]),
        }
    }

    /// Where an id's name lies.
    #[inline]
    pub(super) fn place(&self, id: u32) -> Place {
        assert!(id < self.len, "name id {id} of {}", self.len);
        let group = id / GROUP;
        let within = id % GROUP;
        let start = self.starts[group as usize] as usize;
        let first = (group * GROUP) as usize;
        let lens: [u8; GROUP as usize] =
            self.lens[first..first + GROUP as usize].try_into().expect("whole groups");
        match sum_of_short(lens, within) {
            Some(sum) => {
                let start = start + sum + within as usize;
                Place { id, start, end: start + usize::from(lens[within as usize]) }
            }
            None => self.walk(self.first_of_group(group), within),
        }
    }

    /// Place of the name that holds `offset`, its final NUL included; offset 0 belongs to the first.
    pub(super) fn place_at(&self, offset: usize) -> Place {
        let group = self.starts.partition_point(|&start| start as usize <= offset).saturating_sub(1);
        self.seek(self.first_of_group(group as u32), offset)
    }

    /// Moves forward from a place to the name that holds `offset`.
    pub(super) fn seek(&self, mut place: Place, offset: usize) -> Place {
        while place.end < offset && place.id + 1 < self.len {
            place = self.next(place);
        }
        place
    }

    /// The following name, which must exist.
    pub(super) fn next(&self, place: Place) -> Place {
        let id = place.id + 1;
        let start = place.end + 1;
        Place { id, start, end: self.end_of(start, self.lens[id as usize]) }
    }

    /// Offsets of the text of a range of blocks, both bounding NUL bytes included.
    pub(super) fn block_span(&self, blocks: &Range<u32>) -> Range<usize> {
        self.block_start(blocks.start) - 1..self.block_start(blocks.end)
    }

    /// Reads a byte of every cache line that a scan of the block will read.
    pub(super) fn touch(&self, block: u32) {
        const LINE: usize = 64;
        let lens = self.lens[(block * BLOCK) as usize];
        let text = &self.blob[self.block_span(&(block..block + 1))];
        std::hint::black_box(text.iter().step_by(LINE).fold(lens, |all, byte| all | byte));
    }

    fn block_start(&self, block: u32) -> usize {
        let group = (block * GROUPS_PER_BLOCK) as usize;
        self.starts.get(group).map_or(self.blob.len(), |&start| start as usize)
    }

    fn first_of_group(&self, group: u32) -> Place {
        let start = self.starts[group as usize] as usize;
        let id = group * GROUP;
        Place { id, start, end: self.end_of(start, self.lens[id as usize]) }
    }

    fn walk(&self, mut place: Place, steps: u32) -> Place {
        for _ in 0..steps {
            place = self.next(place);
        }
        place
    }

    fn end_of(&self, start: usize, len: u8) -> usize {
        match len {
            LONG => start + memchr::memchr(0, &self.blob[start..]).expect("every name ends in NUL"),
            len => start + usize::from(len),
        }
    }
}

impl HeapSize for NameText {
    fn heap_bytes(&self) -> usize {
        self.blob.heap_bytes() + self.lens.heap_bytes() + self.starts.heap_bytes()
    }
}

/// Sum of the first `count` (< 16) length bytes; `None` if a length of the group is saturated.
fn sum_of_short(lens: [u8; GROUP as usize], count: u32) -> Option<usize> {
    const ODD: u64 = 0x00FF_00FF_00FF_00FF;
    let lens = u128::from_le_bytes(lens);
    if has_long_byte(lens as u64) || has_long_byte((lens >> 64) as u64) {
        return None;
    }
    let lens = lens & ((1u128 << (8 * count)) - 1);
    let (low, high) = (lens as u64, (lens >> 64) as u64);
    let lanes = (low & ODD) + (low >> 8 & ODD) + (high & ODD) + (high >> 8 & ODD);
    Some((lanes.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize)
}

/// Whether a byte of the word is 255 (the zero-byte test on the complement).
fn has_long_byte(word: u64) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    (!word).wrapping_sub(LOW) & word & HIGH != 0
}
