//! The text of names as it is stored: each name as what it shares with the one before it, and the rest.
//!
//! Ids follow the rows and rows follow the order of names in their folder, so neighbours begin alike. A part
//! of the text is one byte per name, how many bytes it shares, then the rest of each name and NUL. At most
//! [`MOST_SHARED`] bytes are shared, so that no text is more than [`MOST_EXPANSION`] times as long as what
//! it comes from; the first name of a part shares nothing, so each part stands alone.

use super::text::{GROUP, length_byte};

/// Most bytes that a name shares with the one before it.
pub(super) const MOST_SHARED: usize = 31;

/// Longest name, bytes.
const LONGEST: usize = u16::MAX as usize;

/// Most bytes of text per coded byte: a name that shares all but its NUL takes two.
pub(super) const MOST_EXPANSION: usize = (MOST_SHARED + 1).div_ceil(2);

/// Codes the names of one part, each followed by NUL in `text`.
pub(super) fn encode(text: &[u8], count: usize) -> Vec<u8> {
    let mut coded = vec![0; count];
    coded.reserve(text.len() / 2);
    let (mut start, mut before) = (0, 0..0);
    for at in 0..count {
        let end = start + memchr::memchr(0, &text[start..]).expect("every name ends in NUL");
        let shared = shared(&text[before], &text[start..end]);
        coded[at] = shared as u8;
        coded.extend_from_slice(&text[start + shared..=end]);
        (before, start) = (start..end, end + 1);
    }
    coded
}

fn shared(before: &[u8], name: &[u8]) -> usize {
    before.iter().zip(name).take(MOST_SHARED).take_while(|(one, other)| one == other).count()
}

/// A part of the text that is filled: the bytes of its names with their NULs, the length byte of each, and
/// where the first name of each group begins.
pub(super) struct Part<'a> {
    /// Where `text` begins in the whole.
    pub(super) at: usize,
    pub(super) text: &'a mut [u8],
    pub(super) lens: &'a mut [u8],
    pub(super) starts: &'a mut [u32],
}

impl Part<'_> {
    /// Fills the part. False if the bytes are no names of together that length.
    pub(super) fn decode(self, count: usize, coded: &[u8]) -> bool {
        let Some((shares, mut rest)) = coded.split_at_checked(count) else { return false };
        let mut starts = self.starts.iter_mut();
        let (mut before, mut start) = (0, 0);
        for (at, (&shared, len)) in shares.iter().zip(self.lens).enumerate() {
            if at.is_multiple_of(GROUP as usize)
                && let Some(slot) = starts.next()
            {
                *slot = (self.at + start) as u32;
            }
            let shared = usize::from(shared);
            let own = own_bytes(rest);
            let end = start + shared + own;
            if shared > MOST_SHARED || before + shared > start || own == 0 || end > self.text.len() {
                return false;
            }
            share(self.text, before, start, shared);
            put(self.text, start + shared, rest, own);
            *len = length_byte(end - 1 - start);
            if end - 1 - start > LONGEST {
                return false;
            }
            (before, start, rest) = (start, end, &rest[own..]);
        }
        rest.is_empty() && start == self.text.len() && self.text.last() == Some(&0)
    }
}

/// Bytes that are copied at once as a rule: a fixed size costs a fraction of a copy of any size. What is
/// too much is overwritten by what follows.
const FIXED: usize = MOST_SHARED + 1;

/// Copies what a name shares with the one before it.
#[inline]
fn share(text: &mut [u8], before: usize, start: usize, shared: usize) {
    match text.get(before..before + FIXED).and_then(|bytes| <[u8; FIXED]>::try_from(bytes).ok()) {
        Some(bytes) if start + FIXED <= text.len() => text[start..start + FIXED].copy_from_slice(&bytes),
        _ => text.copy_within(before..before + shared, start),
    }
}

/// Copies the first `own` bytes.
#[inline]
fn put(text: &mut [u8], at: usize, bytes: &[u8], own: usize) {
    match (bytes.first_chunk::<FIXED>(), text.get_mut(at..at + FIXED)) {
        (Some(bytes), Some(text)) if own <= FIXED => text.copy_from_slice(bytes),
        _ => text[at..at + own].copy_from_slice(&bytes[..own]),
    }
}

/// Bytes up to the first NUL, itself included; all if there is none.
#[inline]
fn own_bytes(rest: &[u8]) -> usize {
    // The zero-byte test, exact for the first one: most names end here, and a search takes longer to begin.
    const LOW: u128 = u128::from_le_bytes([0x01; 16]);
    const HIGH: u128 = u128::from_le_bytes([0x80; 16]);
    if let Some(&bytes) = rest.first_chunk() {
        let bytes = u128::from_le_bytes(bytes);
        let zeros = bytes.wrapping_sub(LOW) & !bytes & HIGH;
        if zeros != 0 {
            return zeros.trailing_zeros() as usize / 8 + 1;
        }
    }
    memchr::memchr(0, rest).map_or(rest.len(), |own| own + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(coded: &[u8], count: usize, len: usize) -> Option<(Vec<u8>, Vec<u8>, Vec<u32>)> {
        let (mut text, mut lens) = (vec![0; len], vec![0; count]);
        let mut starts = vec![0; count.div_ceil(GROUP as usize)];
        let part = Part { at: 1, text: &mut text, lens: &mut lens, starts: &mut starts };
        part.decode(count, coded).then_some((text, lens, starts))
    }

    fn names() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let name = prop_oneof![
            6 => "[ab]{0,40}",
            2 => "[ab]{28,36}[a-z]{0,3}",
            1 => "[ab]{250,260}",
        ];
        prop::collection::vec(name.prop_map(String::into_bytes), 1..60)
    }

    proptest! {
        #[test]
        fn names_come_back(names in names()) {
            let text: Vec<u8> = names.iter().flat_map(|name| [name.as_slice(), &[0]].concat()).collect();
            let coded = encode(&text, names.len());
            prop_assert!(text.len() <= coded.len() * MOST_EXPANSION);
            let (back, lens, starts) = decoded(&coded, names.len(), text.len()).expect("nothing is wrong with it");
            prop_assert_eq!(back, text);
            let mut at = 1;
            for (id, name) in names.iter().enumerate() {
                prop_assert_eq!(usize::from(lens[id]), name.len().min(255));
                prop_assert!(!id.is_multiple_of(GROUP as usize) || starts[id / GROUP as usize] == at);
                at += name.len() as u32 + 1;
            }
        }

        #[test]
        fn damaged_bytes_are_refused_or_names(
            names in names(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in 0usize..3,
            longer in 0usize..3,
        ) {
            let text: Vec<u8> = names.iter().flat_map(|name| [name.as_slice(), &[0]].concat()).collect();
            let mut coded = encode(&text, names.len());
            *at.get_mut(&mut coded) = byte;
            coded.truncate(coded.len() - cut.min(coded.len()));
            if let Some((back, lens, _)) = decoded(&coded, names.len(), text.len() + longer) {
                let lengths: Vec<u8> = back[..back.len() - 1].split(|&byte| byte == 0).map(|name| length_byte(name.len())).collect();
                prop_assert_eq!(lengths, lens);
            }
        }
    }

    #[test]
    fn the_length_of_a_name_is_limited() {
        for (len, fits) in [(LONGEST, true), (LONGEST + 1, false)] {
            let text = [vec![b'x'; len], vec![0]].concat();
            assert_eq!(decoded(&encode(&text, 1), 1, text.len()).is_some(), fits, "{len}");
        }
    }
}
