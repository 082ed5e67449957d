//! The name that NTFS gives a file: number of its record and how often that record was used.
//!
//! Records are used again. The sequence number tells the file that had a number before from the one that has
//! it now, so that a stale link never leads to a stranger.

use std::fmt;

/// File reference: record number (48 bits) and sequence number (16 bits).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileReference {
    number: u64,
    sequence: u16,
}

impl FileReference {
    /// Largest record number.
    pub const MAX_NUMBER: u64 = (1 << 48) - 1;

    /// Record `number`, cut to 48 bits, in its use `sequence`.
    pub fn new(number: u64, sequence: u16) -> Self {
        Self { number: number & Self::MAX_NUMBER, sequence }
    }

    /// From the form on disk: sequence in the upper 16 bits.
    pub fn from_disk(value: u64) -> Self {
        Self::new(value, (value >> 48) as u16)
    }

    /// The form on disk.
    pub fn to_disk(self) -> u64 {
        u64::from(self.sequence) << 48 | self.number
    }

    /// A key that orders by number, then sequence: all uses of a record are neighbours.
    pub fn to_key(self) -> u64 {
        self.number << 16 | u64::from(self.sequence)
    }

    /// Reverse of [`FileReference::to_key`].
    pub fn from_key(key: u64) -> Self {
        Self::new(key >> 16, key as u16)
    }

    /// Record number.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Sequence number; on disk 0 means any.
    pub fn sequence(self) -> u16 {
        self.sequence
    }
}

impl fmt::Display for FileReference {
    /// `NUMBER-SEQUENCE`, as forensic tools write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.sequence)
    }
}

impl fmt::Debug for FileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_forms_hold_all_of_it(value in any::<u64>()) {
            let reference = FileReference::from_disk(value);
            prop_assert_eq!(reference.to_disk(), value);
            prop_assert_eq!(FileReference::from_key(reference.to_key()), reference);
        }
    }
}
