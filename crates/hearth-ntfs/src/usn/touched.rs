//! What a replay has to read again: the numbers of the records that a stretch of the journal speaks of.
//!
//! A record of the journal says that something changed, the file's own record says what is so now. So only
//! numbers are kept, however often a file was written to, and never more than a limit: beyond it, reading
//! everything is cheaper.

use super::record::UsnRecord;
use super::words::reason;

/// Record numbers gathered from a stretch of the journal.
#[derive(Clone, Debug)]
pub struct Touched {
    files: Numbers,
    parents: Numbers,
    records: u64,
    closes: u64,
}

impl Touched {
    /// Nothing yet, and room for `limit` files and as many directories that held them.
    pub fn new(limit: usize) -> Self {
        Self { files: Numbers::new(limit), parents: Numbers::new(limit), records: 0, closes: 0 }
    }

    /// Takes a record.
    pub fn take(&mut self, record: &UsnRecord<'_>) {
        self.records += 1;
        self.closes += u64::from(record.reasons & reason::CLOSE != 0);
        self.files.insert(record.reference.number());
        self.parents.insert(record.parent.number());
    }

    /// Records taken.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many of them say that a file was closed.
    pub fn closes(&self) -> u64 {
        self.closes
    }

    /// Numbers of the files that changed, ascending; `None` if they are more than the limit.
    pub fn files(&mut self) -> Option<&[u64]> {
        self.files.sorted()
    }

    /// Numbers of the directories that held these files then, ascending: their times may have changed, which no
    /// record says. `None` if they are more than the limit.
    pub fn parents(&mut self) -> Option<&[u64]> {
        self.parents.sorted()
    }
}

/// A bounded set that is cheap to insert into.
#[derive(Clone, Debug)]
struct Numbers {
    limit: usize,
    /// In any order, some more than once; empty once there were too many.
    all: Vec<u64>,
    too_many: bool,
}

impl Numbers {
    fn new(limit: usize) -> Self {
        Self { limit, all: Vec::new(), too_many: false }
    }

    fn insert(&mut self, number: u64) {
        // Most records speak of the file that the one before spoke of.
        if self.too_many || self.all.last() == Some(&number) {
            return;
        }
        self.all.push(number);
        if self.all.len() > 2 * self.limit {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.too_many |= self.all.len() > self.limit;
        if self.too_many {
            self.all = Vec::new();
        }
    }

    fn sorted(&mut self) -> Option<&[u64]> {
        self.settle();
        (!self.too_many).then_some(&self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileReference;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn record(number: u64, parent: u64, reasons: u32) -> UsnRecord<'static> {
        UsnRecord {
            version: (2, 0),
            usn: 0,
            reference: FileReference::new(number, 1),
            parent: FileReference::new(parent, 1),
            time_ns: 0,
            reasons,
            source: 0,
            attributes: 0,
            name: Default::default(),
            extents: Default::default(),
        }
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_a_plain_set_up_to_the_limit(
            numbers in proptest::collection::vec((0_u64..40, 0_u64..6, any::<bool>()), 0..300),
            limit in 0_usize..50,
        ) {
            let mut touched = Touched::new(limit);
            let (mut files, mut parents) = (BTreeSet::new(), BTreeSet::new());
            for (number, parent, close) in &numbers {
                touched.take(&record(*number, *parent, u32::from(*close) << 31));
                files.insert(*number);
                parents.insert(*parent);
            }
            let bounded = |set: BTreeSet<u64>| (set.len() <= limit).then(|| Vec::from_iter(set));
            prop_assert_eq!(touched.files().map(<[u64]>::to_vec), bounded(files));
            prop_assert_eq!(touched.parents().map(<[u64]>::to_vec), bounded(parents));
            prop_assert_eq!(touched.records(), numbers.len() as u64);
            prop_assert_eq!(touched.closes(), numbers.iter().filter(|(_, _, close)| *close).count() as u64);
        }
    }

    #[test]
    fn a_file_beyond_the_limit_stays_beyond_after_being_asked() {
        let mut touched = Touched::new(1);
        touched.take(&record(1, 5, 0));
        touched.take(&record(2, 5, 0));
        assert_eq!(touched.files(), None);
        touched.take(&record(1, 5, 0));
        assert_eq!(touched.files(), None);
        assert_eq!(touched.parents(), Some(&[5][..]));
    }
}
