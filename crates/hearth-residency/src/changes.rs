//! What is known to have changed in a source since its body was made, at any time one set per shard.
//!
//! Sets merge: paths unite, flags are or-ed, the strongest class wins, the latest clock wins. Too many
//! paths become "anywhere" under the same class, so a set has a bound.

use std::collections::BTreeSet;

/// Most paths that one set names.
pub const PATHS: usize = 4096;

/// How much must be looked at, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeClass {
    /// Known changes, to be applied to the present body.
    #[default]
    Apply,
    /// Something may have been missed: compare the source with the body.
    Reconcile,
    /// The body is not to be trusted: make it from the beginning.
    Rebuild,
}

/// Where a source changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// These paths, relative or absolute as the index likes.
    Paths(BTreeSet<Box<[u8]>>),
    /// Anywhere.
    Anywhere,
}

/// Changes of one source, coalesced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// Where.
    pub places: Places,
    /// Bits that mean something to the index only.
    pub flags: u32,
    /// How much must be looked at.
    pub class: ChangeClass,
    /// Position in the source's feed up to which the set holds everything.
    pub clock: u64,
}

impl ChangeSet {
    /// A set that asks for everything to be made anew.
    pub fn rebuild(clock: u64) -> Self {
        Self { places: Places::Anywhere, flags: 0, class: ChangeClass::Rebuild, clock }
    }

    /// A set that asks for the source to be compared with the body, everywhere.
    pub fn reconcile(clock: u64) -> Self {
        Self { class: ChangeClass::Reconcile, ..Self::rebuild(clock) }
    }

    /// Takes another set in; the order of merging makes no difference.
    pub fn merge(&mut self, other: ChangeSet) {
        self.flags |= other.flags;
        self.class = self.class.max(other.class);
        self.clock = self.clock.max(other.clock);
        self.places.merge(other.places);
    }
}

impl Places {
    fn merge(&mut self, other: Places) {
        match (&mut *self, other) {
            (Places::Paths(paths), Places::Paths(more)) => {
                paths.extend(more);
                if paths.len() > PATHS {
                    *self = Places::Anywhere;
                }
            }
            (_, Places::Anywhere) => *self = Places::Anywhere,
            (Places::Anywhere, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = ChangeSet> {
        let class =
            prop_oneof![Just(ChangeClass::Apply), Just(ChangeClass::Reconcile), Just(ChangeClass::Rebuild)];
        let paths = proptest::collection::btree_set(0u8..20, 0..6);
        (proptest::option::weighted(0.9, paths), any::<u32>(), class, 0u64..50).prop_map(
            |(paths, flags, class, clock)| {
                let paths = paths.map(|paths| paths.iter().map(|path| Box::from([*path])).collect());
                ChangeSet { places: paths.map_or(Places::Anywhere, Places::Paths), flags, class, clock }
            },
        )
    }

    fn merged(mut a: ChangeSet, b: ChangeSet) -> ChangeSet {
        a.merge(b);
        a
    }

    proptest! {
        #[test]
        fn merging_is_a_join(a in set(), b in set(), c in set()) {
            prop_assert_eq!(merged(a.clone(), a.clone()), a.clone());
            prop_assert_eq!(merged(a.clone(), b.clone()), merged(b.clone(), a.clone()));
            let left = merged(merged(a.clone(), b.clone()), c.clone());
            prop_assert_eq!(left, merged(a, merged(b, c)));
        }
    }

    #[test]
    fn too_many_paths_mean_anywhere() {
        let path = |number: usize| Box::from(number.to_le_bytes());
        let places = |range: std::ops::Range<usize>| Places::Paths(range.map(path).collect());
        let mut most = places(0..PATHS);
        most.merge(places(0..PATHS));
        assert_eq!(most, places(0..PATHS));
        most.merge(places(PATHS..PATHS + 1));
        assert_eq!(most, Places::Anywhere);
        most.merge(places(0..1));
        assert_eq!(most, Places::Anywhere);
    }
}
