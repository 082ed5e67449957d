//! Values of the keys that take words: extensions, kinds, categories, users, attributes, yes and no.
//!
//! A list is separated by `;` or `,` and matches if one of its members does. Every value is checked here
//! and becomes what the index stores (folded extensions, numeric ids), each once; an unknown word is an
//! error at its first byte.

use super::QueryError;
use super::ast::{Category, DupeField, EXTENSION_BYTES, Test};
use super::glob::has_wildcard;
use super::lexer::Word;
use crate::attributes::{all_letters, bit_of_letter};
use crate::fold::fold;
use hearth_core::EntryKind;

const LIST: &[u8] = b";,";

/// `ext:`
pub(super) fn ext(word: &Word) -> Result<Test, QueryError> {
    if word.is_empty() {
        return Ok(Test::Ext(vec![Vec::new()]));
    }
    let mut list = word.split(LIST).iter().map(one_extension).collect::<Result<Vec<_>, _>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(Test::Ext(list))
}

fn one_extension(item: &Word) -> Result<Vec<u8>, QueryError> {
    let bytes = item.bytes();
    let dots = bytes.iter().take_while(|&&byte| byte == b'.').count();
    if dots == bytes.len() {
        return Err(QueryError::new(item.start(), "an extension is missing", "an extension such as rs"));
    }
    if has_wildcard(item) {
        return Err(QueryError::new(
            item.start(),
            "an extension takes no wildcards",
            "a glob over the name, such as *.jp*g",
        ));
    }
    if let Some(bad) = bytes[dots..].iter().position(|byte| matches!(byte, b'.' | b'/')) {
        let expected = "the part after the last dot, or a glob such as *.tar.gz";
        return Err(QueryError::new(item.at(dots + bad), "an extension holds no dot and no slash", expected));
    }
    let extension = fold(&bytes[dots..]);
    if extension.len() > EXTENSION_BYTES {
        let expected = format!("at most {EXTENSION_BYTES} bytes");
        return Err(QueryError::new(item.start(), "no extension is that long", expected));
    }
    Ok(extension)
}

/// `type:`
pub(super) fn kinds(word: &Word) -> Result<Test, QueryError> {
    let expected = || EntryKind::ALL.map(EntryKind::as_str).join(", ");
    Ok(Test::Type(list(word, EntryKind::from_word, "there is no type", expected)?))
}

/// `kind:`
pub(super) fn categories(word: &Word) -> Result<Test, QueryError> {
    let expected = || Category::ALL.map(Category::as_str).join(", ");
    Ok(Test::Category(list(word, Category::from_word, "there is no kind", expected)?))
}

/// `dupe:`
pub(super) fn dupe(word: &Word) -> Result<Test, QueryError> {
    match word.bytes().as_slice() {
        b"name" => Ok(Test::Dupe(DupeField::Name)),
        b"size" => Ok(Test::Dupe(DupeField::Size)),
        _ => Err(QueryError::new(word.start(), format!("duplicates by `{}`", word.shown()), "name or size")),
    }
}

fn list<T: PartialEq>(
    word: &Word,
    known: impl Fn(&str) -> Option<T>,
    message: &str,
    expected: impl Fn() -> String,
) -> Result<Vec<T>, QueryError> {
    let mut found = Vec::new();
    for item in word.split(LIST) {
        let text = item.shown();
        let value = known(&text.to_ascii_lowercase())
            .ok_or_else(|| QueryError::new(item.start(), format!("{message} `{text}`"), expected()))?;
        if !found.contains(&value) {
            found.push(value);
        }
    }
    Ok(found)
}

/// `owner:` and `group:`: names or numbers; `what` is `user` or `group`.
pub(super) fn ids(
    word: &Word,
    what: &str,
    id_of: &dyn Fn(&str) -> Option<u32>,
) -> Result<Vec<u32>, QueryError> {
    let mut found = Vec::new();
    for item in word.split(LIST) {
        let id = one_id(&item, what, id_of)?;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

fn one_id(item: &Word, what: &str, id_of: &dyn Fn(&str) -> Option<u32>) -> Result<u32, QueryError> {
    let expected = format!("the name or number of a {what}");
    let text = item.text(&expected)?;
    if text.is_empty() {
        return Err(QueryError::new(item.start(), format!("a {what} is missing"), expected));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let too_large =
            |_| QueryError::new(item.start(), "the number is too large", format!("at most {}", u32::MAX));
        return text.parse().map_err(too_large);
    }
    id_of(&text)
        .ok_or_else(|| QueryError::new(item.start(), format!("there is no {what} `{text}`"), expected))
}

/// `attr:`: letters, all of which must be set.
pub(super) fn attributes(word: &Word) -> Result<Test, QueryError> {
    let bad =
        |at| QueryError::new(word.at(at), "not an attribute letter", format!("letters of {}", all_letters()));
    if word.is_empty() {
        return Err(bad(0));
    }
    let bits = word.bytes().into_iter().enumerate().map(|(at, letter)| bit_of_letter(letter).ok_or(at));
    let all = bits.reduce(|all, bit| Ok(all? | bit?)).unwrap_or(Err(0));
    all.map(Test::Attr).map_err(bad)
}

/// `deleted:`
pub(super) fn deleted(word: &Word) -> Result<Test, QueryError> {
    if word.is_empty() {
        return Ok(Test::Deleted);
    }
    let message = format!("`{}` after a key that takes no value", word.shown());
    Err(QueryError::new(word.start(), message, "a space after `deleted:`"))
}

/// Value of a key that may stand alone: nothing and `yes` are true, `no` is false.
pub(super) fn yes(word: &Word) -> Result<bool, QueryError> {
    match word.bytes().as_slice() {
        b"" | b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(QueryError::new(
            word.start(),
            format!("`{}` where yes or no fits", word.shown()),
            "nothing, yes or no",
        )),
    }
}
