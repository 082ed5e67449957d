//! Numbers and their ranges: sizes with binary units, and plain counts.
//!
//! Text becomes a range of `u64` with inclusive bounds, so the engine compares whole numbers and knows no operators.
//! Units are powers of 1024 whatever their spelling; a range that nothing can be in is an error.

use super::QueryError;
use super::ast::{NumberField, NumberRange};
use super::lexer::Word;
use super::ranges::{RangeText, split};

const UNITS: &str = "b, k, m, g, t or p (powers of 1024)";

/// Digits after the decimal point that can be kept exactly.
const FRACTION_DIGITS: usize = 18;

/// The range that a value of a numeric key stands for.
pub(super) fn range(word: &Word, field: NumberField) -> Result<NumberRange, QueryError> {
    let bytes = is_size(field);
    if bytes && word.bytes() == b"empty" {
        return Ok(NumberRange { min: Some(0), max: Some(0) });
    }
    let exactly = |value| NumberRange { min: Some(value), max: Some(value) };
    Ok(match split(word) {
        RangeText::Equal(value) => exactly(number(&value, bytes)?),
        RangeText::LessOrEqual(value) => NumberRange { min: None, max: Some(number(&value, bytes)?) },
        RangeText::GreaterOrEqual(value) => NumberRange { min: Some(number(&value, bytes)?), max: None },
        RangeText::Less(value) => NumberRange { min: None, max: Some(below(&value, bytes)?) },
        RangeText::Greater(value) => NumberRange { min: Some(above(&value, bytes)?), max: None },
        RangeText::Between(from, to) => closed(from.as_ref(), to.as_ref(), bytes)?,
    })
}

/// Fields counted in bytes take units; counts do not, `1k` of them would be a trap.
fn is_size(field: NumberField) -> bool {
    matches!(field, NumberField::Size | NumberField::Allocated | NumberField::TreeSize)
}

fn closed(from: Option<&Word>, to: Option<&Word>, bytes: bool) -> Result<NumberRange, QueryError> {
    let min = from.map(|word| number(word, bytes)).transpose()?;
    let max = to.map(|word| number(word, bytes)).transpose()?;
    match (min, max, to) {
        (Some(min), Some(max), Some(to)) if min > max => {
            Err(QueryError::new(to.start(), "the range ends before it begins", format!("at least {min}")))
        }
        _ => Ok(NumberRange { min, max }),
    }
}

fn below(word: &Word, bytes: bool) -> Result<u64, QueryError> {
    let nothing = || QueryError::new(word.start(), "nothing is smaller than 0", "a number above 0");
    number(word, bytes)?.checked_sub(1).ok_or_else(nothing)
}

fn above(word: &Word, bytes: bool) -> Result<u64, QueryError> {
    number(word, bytes)?.checked_add(1).ok_or_else(|| too_large(word))
}

fn too_large(word: &Word) -> QueryError {
    QueryError::new(word.start(), "the number is too large", format!("a number below {}", u64::MAX))
}

/// One number. A size with a fraction is rounded down to whole bytes.
fn number(word: &Word, bytes: bool) -> Result<u64, QueryError> {
    let text = word.bytes();
    let whole = digits(&text);
    if whole == 0 {
        let expected = if bytes { "a size such as 10mb" } else { "a whole number" };
        let message = if text.is_empty() {
            "a number is missing".into()
        } else {
            format!("`{}` is no number", word.shown())
        };
        return Err(QueryError::new(word.start(), message, expected));
    }
    let fraction = if text.get(whole) == Some(&b'.') { digits(&text[whole + 1..]) } else { 0 };
    let unit_start = if fraction > 0 { whole + 1 + fraction } else { whole };
    let unit = unit(&word.tail(unit_start), bytes)?;
    if fraction > 0 && unit == 1 {
        return Err(QueryError::new(
            word.at(whole),
            "a fraction of a byte",
            "a whole number or a unit: k, m, g, t, p",
        ));
    }
    scaled(&text[..whole], &text[unit_start - fraction..unit_start], unit).ok_or_else(|| too_large(word))
}

/// Value of `whole.fraction` times `unit`, rounded down; `None` if it does not fit.
fn scaled(whole: &[u8], fraction: &[u8], unit: u64) -> Option<u64> {
    let kept = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let parts = decimal(whole)?.checked_mul(u128::from(unit))?;
    let scale = 10u128.pow(u32::try_from(kept.len()).ok()?);
    let rest = decimal(kept)? * u128::from(unit) / scale;
    u64::try_from(parts.checked_add(rest)?).ok()
}

fn decimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0u128, |value, digit| value.checked_mul(10)?.checked_add(u128::from(digit - b'0')))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn unit(word: &Word, bytes: bool) -> Result<u64, QueryError> {
    let name = word.bytes().to_ascii_lowercase();
    if !bytes && !name.is_empty() {
        let message = format!("`{}` after the number", word.shown());
        return Err(QueryError::new(word.start(), message, "a whole number without a unit"));
    }
    let power = match name.as_slice() {
        b"" | b"b" => 0,
        b"k" | b"kb" | b"kib" => 1,
        b"m" | b"mb" | b"mib" => 2,
        b"g" | b"gb" | b"gib" => 3,
        b"t" | b"tb" | b"tib" => 4,
        b"p" | b"pb" | b"pib" => 5,
        _ => {
            return Err(QueryError::new(word.start(), format!("there is no unit `{}`", word.shown()), UNITS));
        }
    };
    Ok(1 << (10 * power))
}
