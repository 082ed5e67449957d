//! The largest value among all rows of a block of names, to the accuracy of one byte.
//!
//! The largest values under a condition on names are in few of its blocks; these bounds say which to read
//! first and when to stop. Bounds are taken from the blocks' own maxima, so that each of the classes
//! holds about as many blocks, whatever the values are.

use super::names::BLOCK;
use hearth_core::HeapSize;

/// One class per block of names; larger classes have larger bounds.
#[derive(Debug)]
pub(crate) struct Peaks {
    classes: Box<[u8]>,
    /// Of each class, a bound of the values of its blocks, which one of them reaches.
    bounds: Box<[i64]>,
}

impl Peaks {
    /// `values` are those of the rows, `names` their name ids, of which there are `count`.
    pub(crate) fn build(values: &[i64], names: impl Iterator<Item = u32>, count: usize) -> Self {
        let mut maxima = vec![i64::MIN; count.div_ceil(BLOCK as usize)];
        for (&value, name) in values.iter().zip(names) {
            let most = &mut maxima[(name / BLOCK) as usize];
            *most = value.max(*most);
        }
        let mut sorted = maxima.clone();
        sorted.sort_unstable();
        let classes = usize::from(u8::MAX) + 1;
        let ends = (1..=classes).filter_map(|class| (sorted.len() * class / classes).checked_sub(1));
        let mut bounds: Vec<i64> = ends.map(|end| sorted[end]).collect();
        bounds.dedup();
        let class = |most: &i64| bounds.partition_point(|bound| bound < most) as u8;
        Peaks { classes: maxima.iter().map(class).collect(), bounds: bounds.into() }
    }

    /// Classes and bounds.
    pub(crate) fn stored(&self) -> (&[u8], &[i64]) {
        (&self.classes, &self.bounds)
    }

    /// The reverse of [`Peaks::stored`]. `None` if a class has no bound.
    pub(crate) fn from_stored(classes: Vec<u8>, bounds: Vec<i64>) -> Option<Self> {
        let largest = classes.iter().copied().max();
        largest
            .is_none_or(|class| usize::from(class) < bounds.len())
            .then(|| Peaks { classes: classes.into(), bounds: bounds.into() })
    }

    /// Class of a block.
    #[inline]
    pub(crate) fn class(&self, block: u32) -> u8 {
        self.classes[block as usize]
    }

    /// No row of a name in a block of this class has a larger value.
    #[inline]
    pub(crate) fn bound(&self, class: u8) -> i64 {
        self.bounds[usize::from(class)]
    }
}

impl HeapSize for Peaks {
    fn heap_bytes(&self) -> usize {
        self.classes.heap_bytes() + self.bounds.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_hold_and_follow_the_maxima(
            rows in prop::collection::vec((any::<i16>(), 0u32..9000), 0..2000),
            narrow: bool,
        ) {
            let values: Vec<i64> =
                rows.iter().map(|(value, _)| i64::from(if narrow { value % 8 } else { *value })).collect();
            let peaks = Peaks::build(&values, rows.iter().map(|(_, name)| *name), 9000);
            let mut maxima = vec![i64::MIN; 9000usize.div_ceil(BLOCK as usize)];
            for (value, (_, name)) in values.iter().zip(&rows) {
                let most = &mut maxima[(name / BLOCK) as usize];
                *most = (*most).max(*value);
                prop_assert!(*value <= peaks.bound(peaks.class(name / BLOCK)));
            }
            let mut blocks: Vec<u32> = (0..maxima.len() as u32).collect();
            blocks.sort_by_key(|&block| maxima[block as usize]);
            prop_assert!(blocks.is_sorted_by_key(|&block| peaks.class(block)));
            let distinct = maxima.iter().collect::<std::collections::BTreeSet<_>>().len();
            prop_assert!(distinct > 200 || peaks.bounds.iter().all(|bound| maxima.contains(bound)));
        }
    }

    #[test]
    fn no_names_have_no_classes() {
        assert!(Peaks::build(&[], std::iter::empty(), 0).classes.is_empty());
    }
}
