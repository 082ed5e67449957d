//! Long sequences, cut in parts that stand alone.
//!
//! A sequence whose elements are stored by their difference from the one before can only be read from its
//! beginning. So it is cut: each part is a section of its own, written and read by one thread, and beside
//! the memory that is filled there is a part per thread.

use super::StoredError;
use super::reader::Reader;
use super::section::{Section, SectionId};
use rayon::prelude::*;
use std::ops::Range;

/// Most parts of a sequence; their sections have numbers of their own.
const MOST: usize = 96;

/// Parts begin at multiples of this many elements.
const GRAIN: usize = 2048;

/// The sections of a sequence: the first has this number, and 95 more may follow.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    first: u16,
    name: &'static str,
}

impl Parts {
    pub(crate) const fn new(first: u16, name: &'static str) -> Self {
        Parts { first, name }
    }

    /// The section of a part.
    pub(crate) fn section(self, part: usize) -> SectionId {
        debug_assert!(part < MOST);
        SectionId::new(self.first + part as u16, self.name)
    }

    /// Adds a section for each part of `count` elements, which `encode` makes when it is asked for.
    pub(crate) fn store<'a>(
        self,
        count: usize,
        encode: impl Fn(Range<usize>) -> Vec<u8> + Copy + Sync + 'a,
        out: &mut Vec<Section<'a>>,
    ) {
        let parts = ranges(count).enumerate();
        out.extend(
            parts.map(|(part, range)| Section::coded(self.section(part), move || encode(range.clone()))),
        );
    }

    /// Checks that each part has at least as many bytes as `least` says for its elements, before anything is
    /// made for them.
    pub(crate) fn check_claims(
        self,
        reader: &Reader<'_>,
        count: usize,
        mut least: impl FnMut(Range<usize>) -> usize,
    ) -> Result<(), StoredError> {
        let mut parts = ranges(count).enumerate();
        parts.try_for_each(|(part, range)| reader.check_least(self.section(part), least(range)))
    }

    /// Reads all parts of a sequence, each into its target, in parallel. `decode` gets the elements of the
    /// part, its bytes and its target; false: they are none.
    pub(crate) fn load<T: Send>(
        self,
        reader: &Reader<'_>,
        count: usize,
        targets: Vec<T>,
        decode: impl Fn(Range<usize>, &[u8], T) -> bool + Sync,
    ) -> Result<(), StoredError> {
        let parts: Vec<(usize, Range<usize>)> = ranges(count).enumerate().collect();
        assert_eq!(parts.len(), targets.len(), "a target for each part");
        parts.into_par_iter().zip(targets).try_for_each(|((part, range), target)| {
            let id = self.section(part);
            let decoded = reader.with(id, |bytes| decode(range, bytes, target))?;
            id.check(decoded, "no such elements")
        })
    }
}

/// Elements of a part, the last one excepted.
pub(crate) fn unit(count: usize) -> usize {
    count.div_ceil(MOST).next_multiple_of(GRAIN).max(GRAIN)
}

/// The elements of each part.
pub(crate) fn ranges(count: usize) -> impl Iterator<Item = Range<usize>> {
    let unit = unit(count);
    (0..count).step_by(unit).map(move |start| start..count.min(start + unit))
}

/// Cuts memory in parts: `len_of` says how much belongs to a part's elements. What is left over stays.
pub(crate) fn cut<T>(
    mut memory: &mut [T],
    count: usize,
    mut len_of: impl FnMut(Range<usize>) -> usize,
) -> Vec<&mut [T]> {
    let part = |range| memory.split_off_mut(..len_of(range)).expect("memory for all parts");
    ranges(count).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_and_hold_everything() {
        for count in [0, 1, 2047, 2048, 2049, 96 * 2048, 96 * 2048 + 1, 10_000_001, 1 << 31] {
            let parts: Vec<_> = ranges(count).collect();
            assert!(parts.len() <= MOST, "{count}");
            assert!(parts.iter().all(|part| part.start.is_multiple_of(GRAIN) && !part.is_empty()));
            assert_eq!(parts.iter().map(ExactSizeIterator::len).sum::<usize>(), count);
        }
    }
}
