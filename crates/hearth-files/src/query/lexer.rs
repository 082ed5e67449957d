//! Reads words of a query, keeping for each byte where it stood and whether it was written bare.
//!
//! A byte inside quotes or after a backslash is *literal*: it is never an operator, a wildcard, a
//! separator or part of a key. Every later stage works on [`Word`]s, so that any of its errors can
//! point into the query text.

use super::QueryError;

/// One byte of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// The byte meant.
    pub(super) byte: u8,
    /// False if it was quoted or escaped.
    pub(super) live: bool,
    /// Where it stands in the query text.
    pub(super) at: usize,
}

/// A piece of query text without its quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Its bytes.
    pub(super) units: Vec<Unit>,
    /// Position in the query text after its last byte.
    pub(super) end: usize,
}

impl Word {
    /// The bytes meant.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.units.iter().map(|unit| unit.byte).collect()
    }

    /// The text meant, or an error at the first byte that is not UTF-8.
    pub(super) fn text(&self, what: &str) -> Result<String, QueryError> {
        String::from_utf8(self.bytes()).map_err(|error| {
            let position = self.at(error.utf8_error().valid_up_to());
            QueryError::new(position, "this byte is not valid UTF-8", what)
        })
    }

    /// The text meant, for messages.
    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Position in the query text of the byte at `index`, or of the word's end.
    pub(super) fn at(&self, index: usize) -> usize {
        self.units.get(index).map_or(self.end, |unit| unit.at)
    }

    /// Position of the word's first byte.
    pub(super) fn start(&self) -> usize {
        self.at(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// True if the byte at `index` is `byte` and written bare.
    pub(super) fn is_live(&self, index: usize, byte: u8) -> bool {
        self.units.get(index).is_some_and(|unit| unit.live && unit.byte == byte)
    }

    /// The part from `from` up to `to`.
    pub(super) fn slice(&self, from: usize, to: usize) -> Word {
        Word { units: self.units[from..to].to_vec(), end: self.at(to) }
    }

    /// The part from `from` on.
    pub(super) fn tail(&self, from: usize) -> Word {
        self.slice(from, self.units.len())
    }

    /// The parts between bare bytes that are one of `separators`; at least one part.
    pub(super) fn split(&self, separators: &[u8]) -> Vec<Word> {
        let mut parts = Vec::new();
        let mut from = 0;
        for (index, unit) in self.units.iter().enumerate() {
            if unit.live && separators.contains(&unit.byte) {
                parts.push(self.slice(from, index));
                from = index + 1;
            }
        }
        parts.push(self.tail(from));
        parts
    }
}

/// A position in the query text, and how many groups are open there.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Groups that a bare `)` may close.
    pub(super) groups: usize,
}

/// True for the bytes that separate terms.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Lexer { text, at: 0, groups: 0 }
    }

    /// Where the next byte stands.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next byte.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Everything that is still unread.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Moves on by `count` bytes, at most to the end.
    pub(super) fn advance(&mut self, count: usize) {
        self.at = self.text.len().min(self.at + count);
    }

    /// Moves on over separators.
    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Takes `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Reads a word: up to a space, a bare `|`, or the `)` that closes an open group.
    pub(super) fn word(&mut self) -> Result<Word, QueryError> {
        let mut units = Vec::new();
        let mut parens = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.quoted(&mut units)?,
                b'\\' => self.escaped(&mut units)?,
                b'|' => break,
                byte if is_space(byte) => break,
                b')' if parens == 0 && self.groups > 0 => break,
                byte => {
                    parens = nesting(parens, byte);
                    self.push(&mut units, byte, true);
                }
            }
        }
        Ok(Word { units, end: self.at })
    }

    /// Reads a regular expression: a quoted text, or all up to a space or to a `)` without its own `(`
    /// where a group is open. Backslashes outside quotes belong to the expression.
    pub(super) fn regex(&mut self) -> Result<Word, QueryError> {
        let mut units = Vec::new();
        if self.peek() == Some(b'"') {
            self.quoted(&mut units)?;
            let end = self.at;
            self.expect_end_of_term()?;
            return Ok(Word { units, end });
        }
        let mut parens = 0usize;
        let mut class = None;
        while let Some(byte) = self.peek().filter(|&byte| !is_space(byte)) {
            match byte {
                b'\\' => {
                    self.push(&mut units, byte, true);
                    if let Some(next) = self.peek() {
                        self.push(&mut units, next, true);
                    }
                    continue;
                }
                b'[' if class.is_none() => class = Some(self.first_of_class()),
                b']' if class.is_some_and(|first| self.at > first) => class = None,
                b')' if class.is_none() && parens == 0 && self.groups > 0 => break,
                _ if class.is_none() => parens = nesting(parens, byte),
                _ => {}
            }
            self.push(&mut units, byte, true);
        }
        Ok(Word { units, end: self.at })
    }

    /// Where the first member of a bracket expression stands; a `]` there does not close it.
    fn first_of_class(&self) -> usize {
        self.at + 1 + usize::from(self.text.get(self.at + 1) == Some(&b'^'))
    }

    fn expect_end_of_term(&self) -> Result<(), QueryError> {
        match self.peek() {
            None | Some(b'|' | b')') => Ok(()),
            Some(byte) if is_space(byte) => Ok(()),
            Some(_) => Err(QueryError::new(self.at, "text after the closing quote", "a space")),
        }
    }

    fn push(&mut self, units: &mut Vec<Unit>, byte: u8, live: bool) {
        units.push(Unit { byte, live, at: self.at });
        self.at += 1;
    }

    fn quoted(&mut self, units: &mut Vec<Unit>) -> Result<(), QueryError> {
        let open = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            if byte == b'"' {
                self.at += 1;
                return Ok(());
            }
            let escape = byte == b'\\' && matches!(self.text.get(self.at + 1), Some(b'"' | b'\\'));
            self.at += usize::from(escape);
            self.push(units, self.text[self.at], false);
        }
        Err(QueryError::new(open, "this quote is never closed", "a closing `\"` later in the query"))
    }

    fn escaped(&mut self, units: &mut Vec<Unit>) -> Result<(), QueryError> {
        self.at += 1;
        match self.peek() {
            Some(byte) => {
                self.push(units, byte, false);
                Ok(())
            }
            None => Err(QueryError::new(
                self.at,
                "nothing follows the backslash",
                "the character to take literally",
            )),
        }
    }
}

/// Parentheses open inside a word after `byte`.
fn nesting(parens: usize, byte: u8) -> usize {
    match byte {
        b'(' => parens + 1,
        b')' => parens.saturating_sub(1),
        _ => parens,
    }
}

/// Query text that stands for `value` literally, as a term of its own or as the value of a key.
pub fn quote_term(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 2);
    out.push(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}
