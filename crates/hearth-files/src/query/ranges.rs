//! The shape of a range, shared by numbers and dates: comparison, `a..b`, or one value.

use super::lexer::Word;

/// A range whose ends are still text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RangeText {
    /// `x` or `=x`
    Equal(Word),
    /// `<x`
    Less(Word),
    /// `<=x`
    LessOrEqual(Word),
    /// `>x`
    Greater(Word),
    /// `>=x`
    GreaterOrEqual(Word),
    /// `a..b`, each end optional, but not both
    Between(Option<Word>, Option<Word>),
}

/// Splits a value into the operator and its operands. Quoting does not matter in such values.
pub(super) fn split(word: &Word) -> RangeText {
    let bytes = word.bytes();
    match bytes.as_slice() {
        [b'<', b'=', ..] => RangeText::LessOrEqual(word.tail(2)),
        [b'>', b'=', ..] => RangeText::GreaterOrEqual(word.tail(2)),
        [b'<', ..] => RangeText::Less(word.tail(1)),
        [b'>', ..] => RangeText::Greater(word.tail(1)),
        [b'=', ..] => RangeText::Equal(word.tail(1)),
        _ => between(word, &bytes),
    }
}

fn between(word: &Word, bytes: &[u8]) -> RangeText {
    let Some(dots) = bytes.windows(2).position(|pair| pair == b"..") else {
        return RangeText::Equal(word.clone());
    };
    let (from, to) = (word.slice(0, dots), word.tail(dots + 2));
    if from.is_empty() && to.is_empty() {
        return RangeText::Equal(to);
    }
    RangeText::Between((!from.is_empty()).then_some(from), (!to.is_empty()).then_some(to))
}
