//! The order of names by (folded, raw), beside their numbering.
//!
//! Ids follow the rows, not the alphabet; a *position* is a name's place in the alphabetical order. Both
//! directions are packed tables. A search by text first narrows the positions on a small sample of
//! eight-byte keys that stays in the processor's caches, so that only its last steps read names.

use crate::index::bits::PackedInts;
use hearth_core::HeapSize;
use std::ops::Range;

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

    /// Ids, positions, keys.
    pub(super) fn stored(&self) -> (&PackedInts, &PackedInts, &[u64]) {
        (&self.ids, &self.positions, &self.keys)
    }

    /// The reverse of [`NameOrder::stored`]; the keys ascend.
    pub(super) fn from_stored(ids: PackedInts, positions: PackedInts, keys: Vec<u64>) -> Self {
        NameOrder { ids, positions, keys }
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

/// The first eight bytes, big-endian; `fill` stands for what is missing.
fn key(text: &[u8], fill: u8) -> u64 {
    let mut bytes = [fill; 8];
    let known = text.len().min(8);
    bytes[..known].copy_from_slice(&text[..known]);
    u64::from_be_bytes(bytes)
}
