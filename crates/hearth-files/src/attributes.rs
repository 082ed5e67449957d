//! Letters for the attributes of NTFS: in queries (`attr:HS`) and in output, the same.
//!
//! The letters are those of Windows and its tools. Two of its programs disagree about one letter: `P` is a sparse
//! file here, as in a listing of Explorer, and a pinned one, which is `P` to `attrib`, is `K` (kept on the device).
//! Values: "File Attribute Constants" of the Windows documentation.

/// Letter, bit, what it says; in the order in which letters are written.
const LETTERS: [(u8, u32, &str); 18] = [
    (b'R', 0x1, "read-only"),
    (b'H', 0x2, "hidden"),
    (b'S', 0x4, "system"),
    (b'D', 0x10, "directory"),
    (b'A', 0x20, "archive"),
    (b'N', 0x80, "normal"),
    (b'T', 0x100, "temporary"),
    (b'P', 0x200, "sparse"),
    (b'L', 0x400, "reparse point"),
    (b'C', 0x800, "compressed"),
    (b'O', 0x1000, "offline"),
    (b'I', 0x2000, "not content indexed"),
    (b'E', 0x4000, "encrypted"),
    (b'V', 0x8000, "integrity"),
    (b'X', 0x2_0000, "no scrub"),
    (b'K', 0x8_0000, "pinned"),
    (b'U', 0x10_0000, "unpinned"),
    (b'M', 0x40_0000, "recalled on access"),
];

/// The letters of all attributes that are set and have one: `RHS`; "" if none.
pub fn attribute_letters(attributes: u32) -> String {
    LETTERS
        .iter()
        .filter(|(_, bit, _)| attributes & bit != 0)
        .map(|&(letter, ..)| char::from(letter))
        .collect()
}

/// The bit of a letter, large or small.
pub(crate) fn bit_of_letter(letter: u8) -> Option<u32> {
    let (_, bit, _) = LETTERS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(&letter))?;
    Some(*bit)
}

/// Every letter, for messages.
pub(crate) fn all_letters() -> String {
    attribute_letters(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::DELETED;

    #[test]
    fn letters_and_bits_are_each_one() {
        for (letter, bit, _) in LETTERS {
            assert_eq!((bit.count_ones(), bit & DELETED), (1, 0));
            assert_eq!(bit_of_letter(letter), Some(bit));
            assert_eq!(bit_of_letter(letter.to_ascii_lowercase()), Some(bit));
            assert_eq!(attribute_letters(bit), char::from(letter).to_string());
        }
        assert_eq!(all_letters().len(), LETTERS.len());
        assert_eq!((bit_of_letter(b'Q'), attribute_letters(DELETED | 0x40)), (None, String::new()));
    }

    #[test]
    fn the_specification_names_every_letter() {
        let specification =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/query-language.md"));
        for (letter, _, what) in LETTERS {
            let said = format!("`{}` {what}", char::from(letter));
            assert!(specification.replace('\n', " ").contains(&said), "{said}");
        }
    }
}
