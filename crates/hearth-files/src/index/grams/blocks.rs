//! Sets of blocks: what a gram lookup answers with.
//!
//! A bitmap over all blocks of one dictionary, so that uniting and intersecting answers costs a pass over
//! a few kilobytes whatever is in them. Bits past the last block are always zero.

use hearth_core::HeapSize;

/// A set of blocks of one dictionary, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockSet {
    words: Vec<u64>,
    blocks: u32,
}

impl BlockSet {
    /// No block of `blocks`.
    pub(crate) fn none(blocks: u32) -> Self {
        BlockSet { words: vec![0; blocks.div_ceil(64) as usize], blocks }
    }

    /// All of `blocks`.
    pub(crate) fn all(blocks: u32) -> Self {
        let mut words = vec![u64::MAX; blocks.div_ceil(64) as usize];
        if let (Some(last), used @ 1..) = (words.last_mut(), blocks % 64) {
            *last = (1 << used) - 1;
        }
        BlockSet { words, blocks }
    }

    pub(super) fn from_words(words: Vec<u64>, blocks: u32) -> Self {
        debug_assert_eq!(words.len(), blocks.div_ceil(64) as usize);
        BlockSet { words, blocks }
    }

    /// The same bits as [`BlockSet::words`].
    pub(super) fn into_words(self) -> Vec<u64> {
        self.words
    }

    /// The bits, 64 blocks per word, lowest first.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Adds a block.
    #[inline]
    pub(crate) fn insert(&mut self, block: u32) {
        debug_assert!(block < self.blocks);
        self.words[block as usize / 64] |= 1 << (block % 64);
    }

    /// Takes out a block and all that share its word: a store without a load, for emptying a set whose
    /// members are known.
    #[inline]
    pub(super) fn clear_word(&mut self, block: u32) {
        self.words[block as usize / 64] = 0;
    }

    /// Whether a block is in the set.
    #[inline]
    pub(crate) fn contains(&self, block: u32) -> bool {
        self.words[block as usize / 64] >> (block % 64) & 1 != 0
    }

    /// Number of blocks in the set.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Adds the blocks of a set of the same dictionary.
    pub(crate) fn union(&mut self, other: &BlockSet) {
        assert_eq!(self.blocks, other.blocks, "sets of different dictionaries");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Keeps the blocks that are also in a set of the same dictionary.
    pub(crate) fn intersect(&mut self, other: &BlockSet) {
        assert_eq!(self.blocks, other.blocks, "sets of different dictionaries");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// The blocks in the set, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0u32..).flat_map(|(&word, at)| Ones(word).map(move |bit| at * 64 + bit))
    }
}

impl HeapSize for BlockSet {
    fn heap_bytes(&self) -> usize {
        self.words.heap_bytes()
    }
}

/// Positions of the ones of a word.
struct Ones(u64);

impl Iterator for Ones {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (bit < 64).then_some(bit)
    }
}
