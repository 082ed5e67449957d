//! Unicode simple case folding of byte strings: how names and needles are compared when case does
//! not count.
//!
//! Two characters fold to the same one exactly if `(?i)` of the `regex` crate treats them as equal,
//! so that folded comparison, globs and regular expressions agree. One character always becomes one
//! character (`ß` stays `ß`), although its length in UTF-8 may change. Bytes that are not UTF-8 pass
//! unchanged, nothing is lost and nothing is rejected. Folding is idempotent.

mod table;

use table::FOLDED;

/// Pages of 256 code points up to the last one that holds a folded character.
const PAGES: usize = (FOLDED[FOLDED.len() - 1].0 >> 8) as usize + 1;

/// Where each page begins in [`FOLDED`]; most pages are empty, and CJK text never searches.
static PAGE_STARTS: [u16; PAGES + 1] = page_starts();

const fn page_starts() -> [u16; PAGES + 1] {
    let mut starts = [0; PAGES + 1];
    let mut page = 0;
    let mut row = 0;
    while page < PAGES {
        starts[page] = row as u16;
        while row < FOLDED.len() && (FOLDED[row].0 >> 8) as usize == page {
            row += 1;
        }
        page += 1;
    }
    starts[PAGES] = row as u16;
    starts
}

/// The representative of a character's case class: `K`, `k` and the Kelvin sign all give `k`.
#[inline]
pub fn fold_char(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { fold_unicode(c) }
}

fn fold_unicode(c: char) -> char {
    let code = u32::from(c);
    let page = (code >> 8) as usize;
    if page >= PAGES {
        return c;
    }
    let rows = &FOLDED[usize::from(PAGE_STARTS[page])..usize::from(PAGE_STARTS[page + 1])];
    match rows.binary_search_by_key(&code, |row| row.0) {
        Ok(found) => char::from_u32(rows[found].1).unwrap_or(c),
        Err(_) => c,
    }
}

/// Appends the folded form of `bytes` to `out`.
pub fn fold_into(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(bytes);
    let ascii = lower_ascii_prefix(&mut out[start..]);
    if ascii < bytes.len() {
        out.truncate(start + ascii);
        fold_slowly(&bytes[ascii..], out);
    }
}

/// The folded form of `bytes`.
pub fn fold(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    fold_into(bytes, &mut out);
    out
}

/// What every folded text begins with whose raw form begins with `bytes`, also where those end within a
/// character, which alone would be taken for bytes that are not UTF-8.
pub(crate) fn fold_beginning(bytes: &[u8]) -> Vec<u8> {
    let cut = bytes.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    fold(&bytes[..bytes.len() - cut])
}

/// True if folding would leave `bytes` as they are.
pub fn is_folded(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return !bytes.iter().any(u8::is_ascii_uppercase);
    }
    bytes.utf8_chunks().all(|chunk| chunk.valid().chars().all(|c| fold_char(c) == c))
}

/// True if `bytes` hold an upper-case letter that folding changes: under smart case such a pattern is
/// compared as it stands. Letters that fold without being capitals (`ς`, `ſ`) do not count.
pub fn has_upper(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| chunk.valid().chars().any(is_upper))
}

/// True for an upper-case or title-case letter that folding changes.
pub fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_uppercase();
    }
    fold_char(c) != c && c.to_lowercase().next() != Some(c)
}

const WORD: usize = size_of::<u64>();
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Lowers ASCII letters in place, eight bytes at a time, and returns how many bytes at the front are
/// pure ASCII and done: all of them, or up to the word that holds the first other byte.
#[inline]
fn lower_ascii_prefix(bytes: &mut [u8]) -> usize {
    let len = bytes.len();
    if len < WORD {
        return lower_short(bytes);
    }
    let (words, rest) = bytes.as_chunks_mut::<WORD>();
    for (done, chunk) in words.iter_mut().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        if word & HIGH_BITS != 0 {
            return done * WORD;
        }
        *chunk = lower_word(word).to_le_bytes();
    }
    if rest.is_empty() { len } else { lower_tail(bytes) }
}

/// Lowers the last, incomplete word of a text of at least one word by lowering the whole last eight
/// bytes: doing some of them twice changes nothing.
#[inline]
fn lower_tail(bytes: &mut [u8]) -> usize {
    let len = bytes.len();
    let Some(tail) = bytes.last_chunk_mut::<WORD>() else { return 0 };
    let word = u64::from_le_bytes(*tail);
    if word & HIGH_BITS != 0 {
        return len / WORD * WORD;
    }
    *tail = lower_word(word).to_le_bytes();
    len
}

#[inline]
fn lower_short(bytes: &mut [u8]) -> usize {
    if !bytes.is_ascii() {
        return 0;
    }
    bytes.make_ascii_lowercase();
    bytes.len()
}

/// Lowers eight ASCII bytes at once: a byte's high bit is raised by the first sum from `A` on, by the
/// second after `Z`, and the difference, moved to bit 5, is what separates the cases.
#[inline]
fn lower_word(word: u64) -> u64 {
    let from_a = word + u64::from_le_bytes([0x80 - b'A'; WORD]);
    let after_z = word + u64::from_le_bytes([0x7f - b'Z'; WORD]);
    word | (((from_a ^ after_z) & HIGH_BITS) >> 2)
}

fn fold_slowly(bytes: &[u8], out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii() {
                out.push((c as u8).to_ascii_lowercase());
            } else {
                out.extend_from_slice(fold_unicode(c).encode_utf8(&mut buffer).as_bytes());
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    /// Every character that `(?i)` treats as equal to `c`.
    fn class_of(c: char) -> Vec<char> {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        class.case_fold_simple();
        class.iter().flat_map(|range| range.start()..=range.end()).collect()
    }

    #[test]
    fn classes_are_those_of_regex_syntax() {
        for c in '\0'..=char::MAX {
            let class = class_of(c);
            assert!(class.contains(&fold_char(c)), "{c:?} folds out of its class");
            let alone = class.iter().all(|&other| fold_char(other) == fold_char(c));
            assert!(alone, "{c:?}: {class:?} do not fold to one character");
        }
    }

    #[test]
    fn table_is_sorted_and_its_targets_stay() {
        assert!(FOLDED.is_sorted_by(|a, b| a.0 < b.0));
        for (from, to) in FOLDED {
            let to = char::from_u32(to).expect("a scalar value");
            assert_eq!(fold_char(to), to, "{from:x}");
        }
    }

    #[test]
    fn known_classes() {
        for (text, folded) in [
            ("kK\u{212A}", "kkk"),
            ("sS\u{17F}", "sss"),
            ("σςΣ", "σσσ"),
            ("ÅÅå", "ååå"),
            ("straße ẞ", "straße ß"),
            ("İı", "İı"),
            ("ЖУРНАЛ.LOG", "журнал.log"),
            ("ǅ", "ǆ"),
        ] {
            assert_eq!(fold(text.as_bytes()), folded.as_bytes(), "{text}");
        }
    }

    #[test]
    fn invalid_bytes_pass() {
        assert_eq!(fold(b"A\xffB\xc3"), b"a\xffb\xc3");
        assert_eq!(fold(b"\xed\xa0\x80ABCDEFGH"), b"\xed\xa0\x80abcdefgh");
    }

    #[test]
    fn capitals() {
        for (text, expected) in [
            ("abc", false),
            ("aBc", true),
            ("ſς", false),
            ("É", true),
            ("\u{212A}", true),
            ("ᏣᎳᎩ", false),
            ("ǅ", true),
        ] {
            assert_eq!(has_upper(text.as_bytes()), expected, "{text}");
        }
        assert!(!has_upper(b"\xff\xfe"));
    }

    /// One character at a time, without any fast path.
    fn fold_plainly(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in bytes.utf8_chunks() {
            out.extend(chunk.valid().chars().map(fold_char).collect::<String>().into_bytes());
            out.extend(chunk.invalid());
        }
        out
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let pieces = prop_oneof![
            "[A-Za-z0-9._ @\\[`{]{1,12}".prop_map(String::into_bytes),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            prop::sample::select(vec!["K", "ς", "Ⱥ", "ẞ", "Ω"]).prop_map(|s| s.as_bytes().to_vec()),
            any::<u8>().prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn fast_paths_agree_with_the_plain_one(text in texts(), before in texts()) {
            let mut out = before.clone();
            fold_into(&text, &mut out);
            prop_assert_eq!(&out[..before.len()], &before[..]);
            prop_assert_eq!(&out[before.len()..], &fold_plainly(&text)[..]);
        }

        #[test]
        fn folding_is_idempotent(text in texts()) {
            let once = fold(&text);
            prop_assert!(is_folded(&once));
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn is_folded_means_unchanged(text in texts()) {
            prop_assert_eq!(is_folded(&text), fold(&text) == text);
        }

        #[test]
        fn capitals_are_not_folded(text in texts()) {
            prop_assert!(!(has_upper(&text) && is_folded(&text)));
        }
    }
}
