//! The part of a digest that follows changes: a bounded, growing Bloom filter.
//!
//! Layers of 1 Ki, 8 Ki and then 64 Ki keys are filled one after the other; each is a blocked Bloom
//! filter (a key sets six bits in one block of 256) with 16 bits per key, so that a stranger is taken for
//! a key about once in 300 per layer. Cloning shares the layers; adding copies only the last one, at
//! most 128 KiB, and only while somebody else holds it.
//!
//! Nothing is ever removed. When the room is used up the filter gives its memory back and from then on
//! holds everything.

use super::keys::mix;
use hearth_core::HeapSize;
use std::sync::Arc;

/// 256 bits.
pub(super) type Block = [u64; 4];

/// Keys per block of a full layer.
const BLOCK_KEYS: usize = 16;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    layers: Vec<Layer>,
    keys: usize,
    /// Most keys; 0 once there were more.
    room: usize,
}

#[derive(Clone, Debug)]
struct Layer {
    blocks: Arc<[Block]>,
    /// Keys it can still take.
    left: usize,
}

impl Fresh {
    /// An empty filter for at most `room` (> 0) keys.
    pub(super) fn new(room: usize) -> Fresh {
        Fresh { layers: Vec::new(), keys: 0, room }
    }

    /// Room, keys, and of each layer its blocks and the keys that it can still take.
    pub(super) fn stored(&self) -> (usize, usize, Vec<(&[Block], usize)>) {
        let layers = self.layers.iter().map(|layer| (&*layer.blocks, layer.left));
        (self.room, self.keys, layers.collect())
    }

    /// The reverse of [`Fresh::stored`]: room, keys, what each layer can still take; the blocks of all layers one
    /// after the other. `None` if they do not fit each other.
    pub(super) fn from_stored(counts: &[u64], blocks: &[Block]) -> Option<Fresh> {
        let (&[room, keys], left) = counts.split_first_chunk()?;
        let (mut rest, mut fresh) = (blocks, Fresh::new(usize::try_from(room).ok()?));
        for (at, &left) in left.iter().enumerate() {
            let room = layer_keys(at);
            let (blocks, after) = rest.split_at_checked(room / BLOCK_KEYS)?;
            let left = usize::try_from(left).ok().filter(|&left| left <= room)?;
            fresh.layers.push(Layer { blocks: blocks.into(), left });
            rest = after;
        }
        fresh.keys = usize::try_from(keys).ok().filter(|&keys| keys <= fresh.room)?;
        rest.is_empty().then_some(fresh)
    }

    /// True if there were more keys than room: every key may be here.
    pub(super) fn is_saturated(&self) -> bool {
        self.room == 0
    }

    /// False only if the key was never added.
    pub(super) fn contains(&self, key: u64) -> bool {
        self.is_saturated() || self.layers.iter().any(|layer| layer.contains(key))
    }

    pub(super) fn add(&mut self, key: u64) {
        if self.contains(key) {
            return;
        }
        if self.keys == self.room {
            *self = Fresh::new(0);
            return;
        }
        if self.layers.last().is_none_or(|layer| layer.left == 0) {
            self.layers.push(Layer::new(layer_keys(self.layers.len())));
        }
        self.keys += 1;
        self.layers.last_mut().expect("a layer with room was added").add(key);
    }
}

/// Keys for which the layer with this many before it has room.
fn layer_keys(before: usize) -> usize {
    1 << (10 + 3 * before.min(2))
}

impl HeapSize for Fresh {
    fn heap_bytes(&self) -> usize {
        let blocks: usize = self.layers.iter().map(|layer| layer.blocks.len() * size_of::<Block>()).sum();
        self.layers.capacity() * size_of::<Layer>() + blocks
    }
}

impl Layer {
    fn new(keys: usize) -> Layer {
        Layer { blocks: std::iter::repeat_n([0; 4], keys / BLOCK_KEYS).collect(), left: keys }
    }

    fn block_of(&self, key: u64) -> usize {
        ((u128::from(key) * self.blocks.len() as u128) >> 64) as usize
    }

    fn contains(&self, key: u64) -> bool {
        let block = &self.blocks[self.block_of(key)];
        let bits = bits_of(key);
        block.iter().zip(bits).all(|(word, bits)| word & bits == bits)
    }

    fn add(&mut self, key: u64) {
        let at = self.block_of(key);
        let block = &mut Arc::make_mut(&mut self.blocks)[at];
        block.iter_mut().zip(bits_of(key)).for_each(|(word, bits)| *word |= bits);
        self.left -= 1;
    }
}

/// The six bits of a key within its block.
fn bits_of(key: u64) -> Block {
    let mut block = [0; 4];
    for &bit in &mix(key).to_le_bytes()[..6] {
        block[usize::from(bit / 64)] |= 1 << (bit % 64);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_strangers_are_taken_for_keys() {
        let mut fresh = Fresh::new(80_000);
        (0..80_000).for_each(|at| fresh.add(mix(at)));
        assert!(!fresh.is_saturated());
        let taken = (0..100_000u64).filter(|at| fresh.contains(mix(at | 1 << 50))).count();
        assert!(taken < 1500, "{taken} of 100000");
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let mut fresh = Fresh::new(80_000);
        let mut most = 0;
        for at in 0..200_000 {
            fresh.add(mix(at));
            most = most.max(fresh.heap_bytes());
        }
        assert!(fresh.is_saturated());
        assert!(most <= 300 * 1024, "{most} bytes");
        assert_eq!(fresh.heap_bytes(), 0);
        assert!(fresh.contains(mix(1 << 50)), "a saturated filter knows nothing");
    }

    proptest! {
        #[test]
        fn every_added_key_is_found(keys in prop::collection::vec(any::<u64>(), 1..5000), room in 1usize..6000) {
            let mut fresh = Fresh::new(room);
            keys.iter().for_each(|&key| fresh.add(mix(key)));
            prop_assert!(keys.iter().all(|&key| fresh.contains(mix(key))));
        }

        #[test]
        fn a_clone_does_not_see_later_keys(before in 0u64..3000, after in 1u64..3000) {
            let mut fresh = Fresh::new(100_000);
            (0..before).for_each(|at| fresh.add(mix(at)));
            let published = fresh.clone();
            (before..before + after).for_each(|at| fresh.add(mix(at)));
            let seen = (before..before + after).filter(|&at| published.contains(mix(at))).count() as u64;
            prop_assert!(seen <= after / 20 + 5, "{} of {}", seen, after);
        }
    }
}
