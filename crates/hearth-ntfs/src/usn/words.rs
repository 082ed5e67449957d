//! Reasons and sources as words.
//!
//! The words are the names of `USN_REASON_…` and `USN_SOURCE_…` in winioctl.h, in lower case and with hyphens, so
//! that people find them in the documents of Windows.

/// `USN_REASON_…` that decisions hang on.
pub mod reason {
    /// The file or directory was made.
    pub const FILE_CREATE: u32 = 0x100;
    /// The file or directory was deleted.
    pub const FILE_DELETE: u32 = 0x200;
    /// It had the name of this record until now.
    pub const RENAME_OLD_NAME: u32 = 0x1000;
    /// It has the name of this record from now on.
    pub const RENAME_NEW_NAME: u32 = 0x2000;
    /// It was closed: the next record of this file begins with no reasons.
    pub const CLOSE: u32 = 0x8000_0000;
}

const REASONS: [(u32, &str); 24] = [
    (0x1, "data-overwrite"),
    (0x2, "data-extend"),
    (0x4, "data-truncation"),
    (0x10, "named-data-overwrite"),
    (0x20, "named-data-extend"),
    (0x40, "named-data-truncation"),
    (reason::FILE_CREATE, "file-create"),
    (reason::FILE_DELETE, "file-delete"),
    (0x400, "ea-change"),
    (0x800, "security-change"),
    (reason::RENAME_OLD_NAME, "rename-old-name"),
    (reason::RENAME_NEW_NAME, "rename-new-name"),
    (0x4000, "indexable-change"),
    (0x8000, "basic-info-change"),
    (0x1_0000, "hard-link-change"),
    (0x2_0000, "compression-change"),
    (0x4_0000, "encryption-change"),
    (0x8_0000, "object-id-change"),
    (0x10_0000, "reparse-point-change"),
    (0x20_0000, "stream-change"),
    (0x40_0000, "transacted-change"),
    (0x80_0000, "integrity-change"),
    (0x100_0000, "desired-storage-class-change"),
    (reason::CLOSE, "close"),
];

const SOURCES: [(u32, &str); 4] = [
    (0x1, "data-management"),
    (0x2, "auxiliary-data"),
    (0x4, "replication-management"),
    (0x8, "client-replication-management"),
];

/// The words for the bits of [`super::UsnRecord::reasons`], lowest bit first; bits without a word are left out.
pub fn reasons_in_words(reasons: u32) -> impl Iterator<Item = &'static str> {
    words(&REASONS, reasons)
}

/// The words for the bits of [`super::UsnRecord::source`]; none if a user did it.
pub fn sources_in_words(source: u32) -> impl Iterator<Item = &'static str> {
    words(&SOURCES, source)
}

fn words(table: &'static [(u32, &'static str)], bits: u32) -> impl Iterator<Item = &'static str> {
    table.iter().filter(move |(bit, _)| bits & bit != 0).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_has_one_word_of_its_own() {
        let all: Vec<_> = reasons_in_words(u32::MAX).chain(sources_in_words(u32::MAX)).collect();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), all.len());
        for (bit, word) in REASONS {
            assert_eq!(reasons_in_words(bit).collect::<Vec<_>>(), [word]);
        }
        let said: Vec<_> = reasons_in_words(0x8000_0102).collect();
        assert_eq!(said, ["data-extend", "file-create", "close"]);
        assert_eq!(sources_in_words(0).count(), 0);
    }
}
