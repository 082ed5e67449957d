//! The order of names by (folded, raw), beside their numbering.
//!
//! Ids follow the rows, not the alphabet; a *position* is a name's place in the alphabetical order. Both
//! directions are packed tables. A search by text first narrows the positions on a small sample of
//! eight-byte keys that stays in the processor's caches, so that only its last steps read names.

use crate::index::bits::{BitWriter, PackedBuilder, PackedInts, width_for};
use crate::index::stored::StoredError;
use crate::index::stored::numbers::{self, Numbers};
use crate::index::stored::parts::{self, Parts};
use crate::index::stored::reader::Reader;
use crate::index::stored::section::Section;
use hearth_core::HeapSize;
use std::ops::Range;

const PARTS: Parts = Parts::new(512, "order of names");

/// Positions between two sampled keys.
pub(super) const STRIDE: usize = 64;

/// See the module. Immutable once built.
#[derive(Debug)]
pub(super) struct NameOrder {
    /// Position → id.
    ids: PackedInts,
    /// Id → position.
    positions: PackedInts,
    /// Key of every [`STRIDE`]th name in order.
    keys: Vec<u64>,
}

impl NameOrder {
    /// `ids` are the ids in order; `folded` gives the folded form of an id.
    pub(super) fn build<'a>(ids: &[u32], folded: impl Fn(u32) -> &'a [u8]) -> Self {
        let mut positions = vec![0; ids.len()];
        for (position, &id) in ids.iter().enumerate() {
            positions[id as usize] = position as u32;
        }
        NameOrder {
            ids: PackedInts::from_slice_u32(ids),
            positions: PackedInts::from_slice_u32(&positions),
            keys: ids.iter().step_by(STRIDE).map(|&id| key(folded(id), 0)).collect(),
        }
    }

    /// Adds the sections: the positions, by what each is larger than the one after the position before it.
    /// Names of one folder ascend, so most of these numbers are small.
    pub(super) fn store<'a>(&'a self, out: &mut Vec<Section<'a>>) {
        PARTS.store(self.positions.len(), |ids| self.encode(ids), out);
    }

    fn encode(&self, ids: Range<usize>) -> Vec<u8> {
        let mut out = Vec::with_capacity(ids.len() * 2);
        let mut next = 0;
        for position in self.positions.iter_range(ids) {
            numbers::put_signed(&mut out, position as i64 - next);
            next = position as i64 + 1;
        }
        out
    }

    /// The order of `names` names, without its keys, on the current thread pool.
    pub(super) fn load(reader: &Reader<'_>, names: u32) -> Result<Self, StoredError> {
        let count = names as usize;
        PARTS.check_claims(reader, count, |ids| ids.len())?;
        let width = width_for(u64::from(names - 1));
        let positions = PackedInts::written(width, count, |bytes| {
            let targets = parts::cut(bytes, count, |ids| (ids.len() * usize::from(width)).div_ceil(8));
            PARTS.load(reader, count, targets, |ids, coded, target| {
                decode(ids.len(), coded, target, width, names)
            })
        })?;
        let mut ids = PackedBuilder::new(width, count);
        for (id, position) in (0..).zip(positions.iter_range(0..count)) {
            ids.set(position as usize, id);
        }
        Ok(NameOrder { ids: ids.finish(), positions, keys: Vec::new() })
    }

    /// Takes the keys from the folded names, which must be in this order as far as keys tell.
    pub(super) fn take_keys<'a>(&mut self, folded: impl Fn(u32) -> &'a [u8]) -> Result<(), StoredError> {
        let sampled = (0..self.ids.len()).step_by(STRIDE);
        self.keys = sampled.map(|position| key(folded(self.id_at(position as u32)), 0)).collect();
        PARTS.section(0).check(self.keys.is_sorted(), "names that are not in order")
    }

    /// Id of the name at a position.
    #[inline]
    pub(super) fn id_at(&self, position: u32) -> u32 {
        self.ids.get(position as usize) as u32
    }

    /// Position of an id.
    #[inline]
    pub(super) fn position_of(&self, id: u32) -> u32 {
        self.positions.get(id as usize) as u32
    }

    /// Positions outside which names are surely smaller than `text`, or larger and without it as prefix.
    pub(super) fn around(&self, text: &[u8]) -> Range<u32> {
        let (low, high) = (key(text, 0), key(text, u8::MAX));
        let start = self.keys.partition_point(|&key| key < low).saturating_sub(1) * STRIDE;
        let end = self.keys.partition_point(|&key| key <= high) * STRIDE;
        start as u32..end.min(self.ids.len()) as u32
    }
}

impl HeapSize for NameOrder {
    fn heap_bytes(&self) -> usize {
        self.ids.heap_bytes() + self.positions.heap_bytes() + self.keys.heap_bytes()
    }
}

/// Writes the positions of a part of the ids. False if they are no `count` positions below `names`.
fn decode(count: usize, coded: &[u8], out: &mut [u8], width: u8, names: u32) -> bool {
    let (mut coded, mut writer) = (Numbers::new(coded), BitWriter::new(out));
    let mut next = 0i64;
    for _ in 0..count {
        let Some(ahead) = coded.take_signed() else { return false };
        let position = next.wrapping_add(ahead);
        if !(0..i64::from(names)).contains(&position) {
            return false;
        }
        writer.push(position as u64, width);
        next = position + 1;
    }
    writer.finish();
    coded.is_empty()
}

/// The first eight bytes, big-endian; `fill` stands for what is missing.
fn key(text: &[u8], fill: u8) -> u64 {
    let mut bytes = [fill; 8];
    let known = text.len().min(8);
    bytes[..known].copy_from_slice(&text[..known]);
    u64::from_be_bytes(bytes)
}
