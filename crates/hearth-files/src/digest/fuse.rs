//! A static set of 64-bit keys in about nine bits each: the 3-wise binary fuse filter of Graf and
//! Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022.
//!
//! An array of bytes is cut in segments. A key chooses three neighbouring segments and one slot in each;
//! it belongs to the set if the three bytes, combined by XOR, give its 8-bit fingerprint. To build it,
//! keys that are alone in a slot are peeled off until none is left; in reverse order each key then sets the
//! slot it was alone in. Peeling gets stuck now and then; another seed chooses other slots.
//!
//! A key that was given is always found. Another one is found with a probability of 1/256.
//! Large sets are cut by their keys into parts of about a million, so that building needs little
//! memory beside the keys.

use super::keys::mix;
use hearth_core::HeapSize;

/// Keys per part that are aimed at.
const PART_KEYS: usize = 1 << 20;

/// Seeds tried per part before there is no filter. One works with a probability above one half.
const ATTEMPTS: u64 = 64;

/// A segment has at most 2 to the power of this many slots.
const MOST_SEGMENT_BITS: u32 = 18;

/// A part without its slots: seed; bits of a segment's slots, segments in which a window can begin.
pub(super) type PartShape = (u64, (u32, u32));

/// See the module.
#[derive(Debug)]
pub(super) struct FuseFilter {
    /// Ordered by the keys they hold.
    parts: Box<[Part]>,
}

impl FuseFilter {
    /// A filter of the keys, which should be well mixed; a key may come twice. `None` if no seed works:
    /// then any key may be in the set.
    pub(super) fn build(keys: Vec<u64>) -> Option<FuseFilter> {
        Self::build_within(keys, PART_KEYS, ATTEMPTS)
    }

    fn build_within(mut keys: Vec<u64>, part_keys: usize, attempts: u64) -> Option<FuseFilter> {
        keys.sort_unstable();
        keys.dedup();
        let count = keys.len().div_ceil(part_keys).max(1);
        let mut rest = keys.as_slice();
        let part = |number: usize| {
            let (keys, after) = rest.split_at(rest.partition_point(|&key| scale(key, count) <= number));
            rest = after;
            Part::build(keys, attempts)
        };
        let parts = (0..count).map(part).collect::<Option<Box<[Part]>>>()?;
        Some(FuseFilter { parts })
    }

    /// Seed and shape of each part, and the slots of each.
    pub(super) fn stored(&self) -> (Vec<PartShape>, Vec<&[u8]>) {
        let shape = |part: &Part| (part.seed, (part.shape.segment_bits, part.shape.starts as u32));
        (self.parts.iter().map(shape).collect(), self.parts.iter().map(|part| &*part.slots).collect())
    }

    /// The reverse of [`FuseFilter::stored`], the slots of all parts one after the other. `None` if they do not
    /// fit the shapes.
    pub(super) fn from_stored(shapes: &[PartShape], slots: &[u8]) -> Option<FuseFilter> {
        let mut rest = slots;
        let part = |&(seed, (segment_bits, starts)): &PartShape| {
            let shape = Shape { segment_bits, starts: starts as usize };
            (segment_bits <= MOST_SEGMENT_BITS).then_some(())?;
            let (slots, after) = rest.split_at_checked(shape.slots())?;
            rest = after;
            Some(Part { seed, shape, slots: slots.into() })
        };
        let parts = shapes.iter().map(part).collect::<Option<Box<[Part]>>>()?;
        (rest.is_empty() && !parts.is_empty()).then_some(FuseFilter { parts })
    }

    /// False only if the key was not given.
    pub(super) fn contains(&self, key: u64) -> bool {
        self.parts[scale(key, self.parts.len())].contains(key)
    }
}

impl HeapSize for FuseFilter {
    fn heap_bytes(&self) -> usize {
        let slots: usize = self.parts.iter().map(|part| part.slots.heap_bytes()).sum();
        self.parts.len() * size_of::<Part>() + slots
    }
}

/// Maps a well-mixed word to a number below `count`, keeping the order.
#[inline]
fn scale(word: u64, count: usize) -> usize {
    ((u128::from(word) * count as u128) >> 64) as usize
}

#[derive(Debug)]
struct Part {
    seed: u64,
    shape: Shape,
    /// Fingerprints; empty if there are no keys.
    slots: Box<[u8]>,
}

impl Part {
    fn build(keys: &[u64], attempts: u64) -> Option<Part> {
        (0..attempts).find_map(|attempt| Part::with_seed(keys, mix(attempt + 1)))
    }

    fn with_seed(keys: &[u64], seed: u64) -> Option<Part> {
        let shape = Shape::for_keys(keys.len());
        let mut slots = vec![0; shape.slots()].into_boxed_slice();
        for (hash, own) in Peeling::new(shape, keys, seed)?.run(keys.len())?.into_iter().rev() {
            slots[own as usize] = combined(&slots, shape.window(hash)) ^ fingerprint(hash);
        }
        Some(Part { seed, shape, slots })
    }

    fn contains(&self, key: u64) -> bool {
        let hash = mix(key ^ self.seed);
        !self.slots.is_empty() && combined(&self.slots, self.shape.window(hash)) == fingerprint(hash)
    }
}

fn combined(slots: &[u8], window: [usize; 3]) -> u8 {
    slots[window[0]] ^ slots[window[1]] ^ slots[window[2]]
}

fn fingerprint(hash: u64) -> u8 {
    (hash ^ hash >> 32) as u8
}

/// How the slots are cut in segments.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// A segment has 2 to the power of this many slots.
    segment_bits: u32,
    /// Segments in which a window of three can begin; 0 if there are no keys.
    starts: usize,
}

impl Shape {
    /// Sizes as measured in the paper: segments grow with the set, up to 2^18 slots, and the slots to
    /// spare fall to an eighth of the keys at a million.
    fn for_keys(keys: usize) -> Shape {
        if keys == 0 {
            return Shape { segment_bits: 0, starts: 0 };
        }
        let ln = (keys as f64).ln();
        let segment_bits = ((ln / 3.33_f64.ln() + 2.25) as u32).min(MOST_SEGMENT_BITS);
        let spread = (0.875 + 0.25 * 1e6_f64.ln() / ln.max(1.0)).max(1.125);
        let segments = ((keys as f64 * spread) as usize).div_ceil(1 << segment_bits);
        Shape { segment_bits, starts: segments.saturating_sub(2).max(1) }
    }

    fn slots(self) -> usize {
        if self.starts == 0 { 0 } else { (self.starts + 2) << self.segment_bits }
    }

    /// The three slots of a hash, in three neighbouring segments.
    #[inline]
    fn window(self, hash: u64) -> [usize; 3] {
        let first = scale(hash, self.starts);
        let offsets = mix(hash);
        let mask = (1 << self.segment_bits) - 1;
        [0, 1, 2].map(|at| (first + at) << self.segment_bits | (offsets >> (21 * at)) as usize & mask)
    }
}

/// The keys that are still in the slots, as a count and a sum (XOR of hashes) per slot.
struct Peeling {
    shape: Shape,
    counts: Vec<u8>,
    sums: Vec<u64>,
}

impl Peeling {
    /// `None` if a slot overflows, which only keys made for it can do.
    fn new(shape: Shape, keys: &[u64], seed: u64) -> Option<Peeling> {
        let mut peeling = Peeling { shape, counts: vec![0; shape.slots()], sums: vec![0; shape.slots()] };
        for &key in keys {
            let hash = mix(key ^ seed);
            for slot in shape.window(hash) {
                peeling.counts[slot] = peeling.counts[slot].checked_add(1)?;
                peeling.sums[slot] ^= hash;
            }
        }
        Some(peeling)
    }

    /// Each hash with a slot that no later one of the list uses; `None` if some cannot be peeled off.
    fn run(mut self, keys: usize) -> Option<Vec<(u64, u32)>> {
        let mut order = Vec::with_capacity(keys);
        let mut alone: Vec<u32> =
            (0..self.counts.len() as u32).filter(|&slot| self.counts[slot as usize] == 1).collect();
        while let Some(slot) = alone.pop() {
            if self.counts[slot as usize] != 1 {
                continue;
            }
            let hash = self.sums[slot as usize];
            order.push((hash, slot));
            for other in self.shape.window(hash) {
                self.counts[other] -= 1;
                self.sums[other] ^= hash;
                if self.counts[other] == 1 {
                    alone.push(other as u32);
                }
            }
        }
        (order.len() == keys).then_some(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keys that a filter of these should be asked about and that are not among them.
    fn strangers(keys: &[u64], count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|at| mix(at | 1 << 60)).filter(|key| !keys.contains(key))
    }

    #[test]
    fn a_filter_of_nothing_holds_nothing() {
        let filter = FuseFilter::build(Vec::new()).expect("nothing to peel");
        assert!(!strangers(&[], 1000).any(|key| filter.contains(key)));
    }

    #[test]
    fn one_in_256_strangers_is_taken_for_a_key() {
        for count in [1_000, 100_000] {
            let filter = FuseFilter::build((0..count).map(mix).collect()).expect("well-mixed keys");
            let taken = strangers(&[], 256 * 400).filter(|&key| filter.contains(key)).count();
            assert!((300..500).contains(&taken), "{taken} of {count} keys, expected about 400");
        }
    }

    #[test]
    fn a_large_filter_takes_nine_bits_a_key() {
        let keys = 600_000;
        let filter = FuseFilter::build((0..keys).map(mix).collect()).expect("well-mixed keys");
        let bits = filter.heap_bytes() as f64 * 8.0 / keys as f64;
        assert!((8.9..9.4).contains(&bits), "{bits} bits");
    }

    #[test]
    fn keys_that_no_seed_separates_give_no_filter() {
        let keys: Vec<u64> = (0..100).map(mix).collect();
        assert!(FuseFilter::build_within(keys, PART_KEYS, 0).is_none());
    }

    #[test]
    fn most_seeds_work() {
        for count in [1, 2, 3, 5, 10, 50, 500, 5_000] {
            let works = |set: &u64| {
                let keys: Vec<u64> = (0..count).map(|at| mix(at << 20 | set)).collect();
                Part::with_seed(&keys, mix(1)).is_some()
            };
            let worked = (0..100).filter(works).count();
            assert!(worked >= 60, "{worked} of 100 sets of {count} keys");
        }
    }

    proptest! {
        #[test]
        fn every_key_is_found(
            mut keys in prop::collection::vec(prop_oneof![any::<u64>(), 0..40u64], 0..400),
            twice in 0usize..20,
            part_keys in prop_oneof![Just(PART_KEYS), 1usize..50],
        ) {
            keys.extend_from_within(..twice.min(keys.len()));
            let filter = FuseFilter::build_within(keys.clone(), part_keys, ATTEMPTS).expect("few keys");
            for &key in &keys {
                prop_assert!(filter.contains(key));
            }
            let taken = strangers(&keys, 4096).filter(|&key| filter.contains(key)).count();
            prop_assert!(taken < 100, "{} of 4096 strangers", taken);
        }
    }
}
