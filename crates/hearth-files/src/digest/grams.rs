//! The grams of a volume's names, as a set: a fuse filter where they are few, a bitmap of all 2^24
//! where that is smaller.
//!
//! A gram that is in the set is always found; one that is not may be found nevertheless.

use super::fuse::FuseFilter;
use super::keys::{Key, gram_number, gram_of_number};
use hearth_core::HeapSize;

/// Words of a bitmap over all grams.
pub(super) const WORDS: usize = (1 << 24) / 64;

/// From this many grams on, 2 MiB of bitmap are smaller than nine bits for each.
const DENSE: usize = (1 << 24) / 9;

/// See the module.
#[derive(Debug)]
pub(super) enum GramSet {
    /// `None`: any gram may occur.
    Sparse(Option<FuseFilter>),
    Dense(Box<[u64]>),
}

impl GramSet {
    /// False only if the gram does not occur.
    pub(super) fn contains(&self, gram: [u8; 3]) -> bool {
        match self {
            GramSet::Sparse(filter) => {
                filter.as_ref().is_none_or(|filter| filter.contains(Key::Gram(gram).hash()))
            }
            GramSet::Dense(words) => {
                let number = gram_number(gram) as usize;
                words[number / 64] >> (number % 64) & 1 == 1
            }
        }
    }
}

impl HeapSize for GramSet {
    fn heap_bytes(&self) -> usize {
        match self {
            GramSet::Sparse(filter) => filter.heap_bytes(),
            GramSet::Dense(words) => words.heap_bytes(),
        }
    }
}

/// Collects the grams that occur.
pub(super) struct GramCollector {
    words: Box<[u64]>,
}

impl GramCollector {
    pub(super) fn new() -> Self {
        GramCollector { words: vec![0; WORDS].into_boxed_slice() }
    }

    pub(super) fn add(&mut self, gram: [u8; 3]) {
        let number = gram_number(gram) as usize;
        self.words[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn finish(self) -> GramSet {
        let count: usize = self.words.iter().map(|word| word.count_ones() as usize).sum();
        if count >= DENSE {
            return GramSet::Dense(self.words);
        }
        let mut keys = Vec::with_capacity(count);
        for (at, &word) in self.words.iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let number = at as u32 * 64 + left.trailing_zeros();
                keys.push(Key::Gram(gram_of_number(number)).hash());
                left &= left - 1;
            }
        }
        GramSet::Sparse(FuseFilter::build(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every gram whose number is a multiple of `step`.
    fn every(step: u32) -> GramSet {
        let mut collector = GramCollector::new();
        (0..1 << 24).step_by(step as usize).for_each(|number| collector.add(gram_of_number(number)));
        collector.finish()
    }

    #[test]
    fn few_grams_are_filtered_and_many_are_a_bitmap() {
        let (few, many) = (every(100), every(7));
        assert!(matches!(few, GramSet::Sparse(Some(_))) && matches!(many, GramSet::Dense(_)));
        assert!(few.heap_bytes() < 210 * 1024, "{} bytes", few.heap_bytes());
        for (set, step, strangers) in [(few, 100, 1 << 17), (many, 7, 0)] {
            let wrong = |number: &u32| set.contains(gram_of_number(*number)) != number.is_multiple_of(step);
            assert!((0..1 << 24).step_by(step as usize).all(|number| set.contains(gram_of_number(number))));
            assert!((0..1 << 24).filter(wrong).count() <= strangers);
        }
    }
}
