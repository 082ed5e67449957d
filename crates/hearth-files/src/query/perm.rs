//! Permission bits as in `find -perm`: octal, or the symbolic form that sets bits.
//!
//! A leading `-` asks for all of the bits, `/` for any of them, neither for exactly these. The result is
//! at most the twelve bits `0o7777`; symbolic operators that take bits away have no meaning here and are refused.

use super::QueryError;
use super::ast::Perm;
use super::lexer::Word;

const EXPECTED: &str = "an octal mode such as 644, -644 or /222, or a symbolic one such as u=rw,g=r";

/// The condition that the value of `perm:` stands for.
pub(super) fn perm(word: &Word) -> Result<Perm, QueryError> {
    let bytes = word.bytes();
    match bytes.first() {
        Some(b'-') => Ok(Perm::AllOf(mode(&word.tail(1))?)),
        Some(b'/') => Ok(Perm::AnyOf(mode(&word.tail(1))?)),
        _ => Ok(Perm::Exactly(mode(word)?)),
    }
}

fn mode(word: &Word) -> Result<u32, QueryError> {
    let bytes = word.bytes();
    if !bytes.first().is_some_and(u8::is_ascii_digit) {
        return symbolic(word);
    }
    if let Some(bad) = bytes.iter().position(|byte| !(b'0'..=b'7').contains(byte)) {
        return Err(QueryError::new(word.at(bad), "not an octal digit", "digits from 0 to 7"));
    }
    let value = bytes
        .iter()
        .fold(0u32, |value, digit| value.saturating_mul(8).saturating_add(u32::from(digit - b'0')));
    if value > 0o7777 {
        return Err(QueryError::new(word.start(), "the mode has more than twelve bits", "at most 7777"));
    }
    Ok(value)
}

fn symbolic(word: &Word) -> Result<u32, QueryError> {
    let mut bits = 0;
    for clause in word.split(b",") {
        bits |= clause_bits(&clause)?;
    }
    Ok(bits)
}

/// Bits of one clause such as `ug+rw`; no letter before the operator means everybody.
fn clause_bits(clause: &Word) -> Result<u32, QueryError> {
    let bytes = clause.bytes();
    let operator = bytes.iter().take_while(|byte| b"ugoa".contains(byte)).count();
    if !matches!(bytes.get(operator), Some(b'=' | b'+')) {
        return Err(QueryError::new(clause.at(operator), "not a mode", EXPECTED));
    }
    let who = if operator == 0 { b"a".as_slice() } else { &bytes[..operator] };
    let mut bits = 0;
    for (offset, letter) in bytes[operator + 1..].iter().enumerate() {
        let position = clause.at(operator + 1 + offset);
        let bit = |class: &u8| letter_bits(*class, *letter);
        let granted: Option<u32> = who.iter().map(bit).try_fold(0, |all, bits| Some(all | bits?));
        bits |=
            granted.ok_or_else(|| QueryError::new(position, "not a permission letter", "r, w, x, s or t"))?;
    }
    Ok(bits)
}

fn letter_bits(class: u8, letter: u8) -> Option<u32> {
    let (shift, set_id) = match class {
        b'u' => (0o100, 0o4000),
        b'g' => (0o10, 0o2000),
        b'o' => (0o1, 0),
        _ => (0o111, 0o6000),
    };
    match letter {
        b'r' => Some(4 * shift),
        b'w' => Some(2 * shift),
        b'x' => Some(shift),
        b's' => Some(set_id),
        b't' => Some(if matches!(class, b'a' | b'o') { 0o1000 } else { 0 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::lexer::Lexer;

    fn read(text: &str) -> Result<Perm, usize> {
        let word = Lexer::new(text.as_bytes()).word().expect("a word");
        perm(&word).map_err(|error| error.position)
    }

    #[test]
    fn modes() {
        for (text, expected) in [
            ("644", Ok(Perm::Exactly(0o644))),
            ("-4000", Ok(Perm::AllOf(0o4000))),
            ("/222", Ok(Perm::AnyOf(0o222))),
            ("0", Ok(Perm::Exactly(0))),
            ("u=rw,g=r,o=r", Ok(Perm::Exactly(0o644))),
            ("-ug+w", Ok(Perm::AllOf(0o220))),
            ("/a+x", Ok(Perm::AnyOf(0o111))),
            ("-+t", Ok(Perm::AllOf(0o1000))),
            ("-u+s", Ok(Perm::AllOf(0o4000))),
            ("/+s", Ok(Perm::AnyOf(0o6000))),
            ("", Err(0)),
            ("-", Err(1)),
            ("648", Err(2)),
            ("17777", Err(0)),
            ("99999999999", Err(0)),
            ("u=rq", Err(3)),
            ("u-w", Err(1)),
            ("u=r,", Err(4)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
