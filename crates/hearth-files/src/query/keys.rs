//! The words that may stand before a colon.
//!
//! One table names every key, for reading, for messages and for suggestions, so a key cannot be known to
//! one and not to the others. Case of a key does not count. Letters before a colon that are no key are an
//! error, never a literal: a mistyped key must not quietly find nothing.

use super::QueryError;
use super::ast::{NumberField, TimeField};
use super::lexer::Lexer;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Case,
    Word,
    Fuzzy,
    Regex,
    PathRegex,
    Ext,
    Type,
    Category,
    Number(NumberField),
    Time(TimeField),
    Owner,
    Group,
    Perm,
    Attr,
    Deleted,
    In,
    NotIn,
    Parent,
    Empty,
    Dupe,
    Invalid,
}

/// Every key, in the order in which messages list them.
const KEYS: [(&str, Key); 31] = [
    ("case", Key::Case),
    ("word", Key::Word),
    ("fuzzy", Key::Fuzzy),
    ("re", Key::Regex),
    ("repath", Key::PathRegex),
    ("ext", Key::Ext),
    ("type", Key::Type),
    ("kind", Key::Category),
    ("size", Key::Number(NumberField::Size)),
    ("allocated", Key::Number(NumberField::Allocated)),
    ("dm", Key::Time(TimeField::Modified)),
    ("dc", Key::Time(TimeField::Created)),
    ("da", Key::Time(TimeField::Accessed)),
    ("depth", Key::Number(NumberField::Depth)),
    ("len", Key::Number(NumberField::NameLength)),
    ("pathlen", Key::Number(NumberField::PathLength)),
    ("nlink", Key::Number(NumberField::Links)),
    ("owner", Key::Owner),
    ("group", Key::Group),
    ("perm", Key::Perm),
    ("attr", Key::Attr),
    ("deleted", Key::Deleted),
    ("in", Key::In),
    ("notin", Key::NotIn),
    ("parent", Key::Parent),
    ("children", Key::Number(NumberField::Children)),
    ("treesize", Key::Number(NumberField::TreeSize)),
    ("descendants", Key::Number(NumberField::Descendants)),
    ("empty", Key::Empty),
    ("dupe", Key::Dupe),
    ("invalid", Key::Invalid),
];

/// Length of what looks like a key at the start of `text`: ASCII letters before a single colon.
pub(super) fn key_length(text: &[u8]) -> Option<usize> {
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let colon = text.get(letters) == Some(&b':') && text.get(letters + 1) != Some(&b':');
    (letters > 0 && colon).then_some(letters)
}

/// The word of a key, without its colon.
pub(super) fn key_name(key: Key) -> &'static str {
    KEYS.iter().find(|(_, other)| *other == key).map_or("", |(name, _)| name)
}

/// Reads a key and its colon if one is next.
pub(super) fn read_key(lexer: &mut Lexer<'_>) -> Result<Option<Key>, QueryError> {
    let Some(letters) = key_length(lexer.rest()) else { return Ok(None) };
    let name = String::from_utf8_lossy(&lexer.rest()[..letters]).to_ascii_lowercase();
    let Some((_, key)) = KEYS.iter().find(|(word, _)| *word == name) else {
        return Err(unknown(lexer.position(), &name));
    };
    lexer.advance(letters + 1);
    Ok(Some(*key))
}

fn unknown(position: usize, name: &str) -> QueryError {
    let near = nearest(name, KEYS.iter().map(|(word, _)| *word));
    let expected = if near.is_empty() {
        let all: Vec<&str> = KEYS.iter().map(|(word, _)| *word).collect();
        format!("one of {}, or quotes around the text", all.join(" "))
    } else {
        format!(
            "{}, or quotes around the text",
            near.iter().map(|word| format!("`{word}:`")).collect::<Vec<_>>().join(" or ")
        )
    };
    QueryError::new(position, format!("there is no key `{name}:`"), expected)
}

/// The words that `word` was probably meant to be: those at the smallest edit distance, if it is small.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let far = if word.len() <= 3 { 1 } else { 2 };
    let ranked: Vec<(usize, &str)> =
        known.map(|other| (distance(word.as_bytes(), other.as_bytes()), other)).collect();
    let best = ranked.iter().map(|(distance, _)| *distance).min().unwrap_or(usize::MAX);
    ranked
        .into_iter()
        .filter(|(distance, _)| *distance == best && best <= far)
        .map(|(_, other)| other)
        .collect()
}

/// Levenshtein distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, byte) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_named() {
        for (name, key) in KEYS {
            assert_eq!(read_key(&mut Lexer::new(format!("{name}:x").as_bytes())), Ok(Some(key)));
            assert_eq!(key_name(key), name);
        }
    }

    #[test]
    fn what_is_a_key() {
        assert_eq!(key_length(b"size:>1"), Some(4));
        assert_eq!(key_length(b"std::vec"), None);
        assert_eq!(key_length(b"12:30"), None);
        assert_eq!(key_length(b":x"), None);
        assert_eq!(key_length(b"a.b:c"), None);
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("abc", "", 3), ("siez", "size", 2), ("sizes", "size", 1)] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
        assert_eq!(nearest("exts", ["ext", "size"].into_iter()), ["ext"]);
        assert!(nearest("zzzzzz", ["ext", "size"].into_iter()).is_empty());
    }
}
