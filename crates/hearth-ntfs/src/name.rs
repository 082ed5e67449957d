//! Names: UTF-16 on disk, which need not be well formed; bytes elsewhere, which lose nothing.
//!
//! The bytes are UTF-8 where the name is Unicode. A surrogate without its partner becomes the three bytes
//! that UTF-8 would have for it (WTF-8), so that every name has bytes of its own. `/` and NUL, which no
//! system lets programs use, become U+F02F and U+F000, the private characters that other systems show for them.

/// A name as it lies on disk: UTF-16, little endian, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Utf16<'a>(&'a [u8]);

impl<'a> Utf16<'a> {
    /// Takes the bytes; an odd last one is left out.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(&bytes[..bytes.len() & !1])
    }

    /// The bytes on disk.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Number of UTF-16 units.
    pub fn len(self) -> usize {
        self.0.len() / 2
    }

    /// True if it has no units.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The units.
    pub fn units(self) -> impl Iterator<Item = u16> + 'a {
        self.0.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
    }

    /// True if it is this ASCII text.
    pub fn is_ascii_text(self, text: &str) -> bool {
        self.len() == text.len() && self.units().eq(text.bytes().map(u16::from))
    }

    /// Appends the bytes of the name; at most three for each unit.
    pub fn push_to(self, out: &mut Vec<u8>) {
        let mut rest = self.0;
        // Nearly all names are ASCII throughout.
        while let Some((unit, next)) = rest.split_first_chunk::<2>() {
            if unit[1] != 0 || !unit[0].is_ascii() || unit[0] == 0 || unit[0] == b'/' {
                break;
            }
            out.push(unit[0]);
            rest = next;
        }
        if !rest.is_empty() {
            push_any(Utf16(rest), out);
        }
    }

    /// The bytes of the name.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.push_to(&mut out);
        out
    }
}

fn push_any(name: Utf16<'_>, out: &mut Vec<u8>) {
    for decoded in char::decode_utf16(name.units()) {
        match decoded {
            Ok('/') => push_char('\u{f02f}', out),
            Ok('\0') => push_char('\u{f000}', out),
            Ok(c) => push_char(c, out),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                let [low, mid] = [unit & 0x3f, unit >> 6 & 0x3f].map(|bits| bits as u8 | 0x80);
                out.extend_from_slice(&[0xe0 | (unit >> 12) as u8, mid, low]);
            }
        }
    }
}

fn push_char(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn encode(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    proptest! {
        #[test]
        fn text_becomes_utf_8(text in "[^/\0]{0,40}") {
            prop_assert_eq!(Utf16::new(&encode(&text)).to_bytes(), text.as_bytes());
        }

        #[test]
        fn any_units_become_bytes_without_separators(units in proptest::collection::vec(any::<u16>(), 0..255)) {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let name = Utf16::new(&bytes).to_bytes();
            prop_assert!(name.len() <= 3 * units.len());
            prop_assert!(!name.contains(&0) && !name.contains(&b'/'));
        }
    }

    #[test]
    fn each_unit_has_bytes_of_its_own() {
        let mut seen = HashMap::new();
        for unit in (0..=u16::MAX).filter(|unit| ![0xf000, 0xf02f].contains(unit)) {
            let bytes = unit.to_le_bytes();
            let before = seen.insert(Utf16::new(&bytes).to_bytes(), unit);
            assert_eq!(before, None, "{unit:x}");
        }
    }

    #[test]
    fn a_surrogate_without_partner_keeps_its_value() {
        let bytes = [b'a', 0, 0x00, 0xd8, b'b', 0, 0x00, 0xdc];
        assert_eq!(Utf16::new(&bytes).to_bytes(), b"a\xed\xa0\x80b\xed\xb0\x80");
        assert_eq!(Utf16::new(&encode("\u{1f600}")).to_bytes(), "\u{1f600}".as_bytes());
    }

    #[test]
    fn ascii_is_compared_without_decoding() {
        assert!(Utf16::new(&encode("$UsnJrnl")).is_ascii_text("$UsnJrnl"));
        assert!(!Utf16::new(&encode("$UsnJrn1")).is_ascii_text("$UsnJrnl"));
        assert!(!Utf16::new(&encode("$UsnJrnl2")).is_ascii_text("$UsnJrnl"));
    }
}
