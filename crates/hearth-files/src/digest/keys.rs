//! What the filters of a digest hold: keys of folded names, of extensions and of grams.
//!
//! One function lists the keys of a name, so that what is built, absorbed and looked up is the same.
//! Keys are hashed to 64 bits; two keys with one hash only make an answer less sharp.

use crate::index::{GramLiteral, extension};

/// Something that a name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The whole folded name, hashed.
    Name(u64),
    /// The folded extension, hashed.
    Extension(u64),
    /// Three bytes of `NUL name NUL`.
    Gram([u8; 3]),
}

impl Key {
    pub(super) fn name(folded: &[u8]) -> Key {
        Key::Name(hash(folded, 1))
    }

    pub(super) fn extension(folded: &[u8]) -> Key {
        Key::Extension(hash(folded, 2))
    }

    /// 64 well-mixed bits.
    pub(super) fn hash(self) -> u64 {
        match self {
            Key::Name(hash) | Key::Extension(hash) => hash,
            Key::Gram(gram) => mix(u64::from(gram_number(gram))),
        }
    }
}

/// A gram as a number below 2^24.
pub(super) fn gram_number([first, second, third]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, first, second, third])
}

/// Reverse of [`gram_number`].
pub(super) fn gram_of_number(number: u32) -> [u8; 3] {
    let [_, gram @ ..] = number.to_be_bytes();
    gram
}

/// Hands out every key of a folded name.
pub(super) fn for_each_key(folded: &[u8], mut each: impl FnMut(Key)) {
    each(Key::name(folded));
    if let Some(ext) = extension(folded) {
        each(Key::extension(ext));
    }
    let whole = GramLiteral { bytes: folded, anchored_start: true, anchored_end: true };
    whole.for_each_gram(|gram| each(Key::Gram(gram)));
}

/// Multiplies and folds eight bytes at a time.
fn hash(bytes: &[u8], kind: u64) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let step = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(K);
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let start = mix(bytes.len() as u64 ^ kind << 32);
    let state = words.iter().fold(start, |state, &word| step(state, u64::from_le_bytes(word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(step(state, u64::from_le_bytes(last)))
}

/// Spreads every bit over the whole word, losing none (the finaliser of MurmurHash3).
#[inline]
pub(super) fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    word = (word ^ word >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    word ^ word >> 33
}
