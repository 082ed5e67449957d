//! Globs: from a query's words to glob text, and from glob text to a regular expression.
//!
//! `*` any run of bytes without `/` · `?` one character · `[a-z]` `[!a]` one of a class · `{a,b}`
//! either, nested at will · `\x` the character itself · in paths, a component `**` spans any number
//! of components. A character is a Unicode scalar value or, in text that is not Unicode, a single
//! byte from C0 to FF (every Latin-1 letter; a regular expression cannot tell whether a byte from 80
//! to BF belongs to a character, only `*` and such a byte itself match it).

use super::QueryError;
use super::lexer::Word;
use super::regexes::fits;
use crate::fold::fold;
use hearth_core::limits::QUERY_DEPTH;
use std::fmt::Write;

/// What a glob is matched against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobScope {
    /// The whole name.
    Name,
    /// The whole absolute path, from any component on unless the glob begins with `/`.
    Path,
}

const RUN: &str = "(?-u:[^/]*)";
const ANY_BYTES: &str = "(?s-u:.*)";
const SOME_BYTES: &str = "(?s-u:.+)";
const ONE: &str = r"(?:[^/]|(?-u:[\xC0-\xFF]))";

/// Regular expressions shorter than this cannot pass the size limit and are not compiled to be sure.
const SURELY_FITS: usize = 8 * 1024;

/// True if a word holds a bare wildcard.
pub(super) fn has_wildcard(word: &Word) -> bool {
    word.units.iter().any(|unit| unit.live && b"*?[{".contains(&unit.byte))
}

/// Glob text of a word: folded unless case counts, and sure to translate and to compile.
pub(super) fn checked_glob(
    word: &Word,
    scope: GlobScope,
    case_sensitive: bool,
) -> Result<Vec<u8>, QueryError> {
    let (text, positions) = glob_text(word);
    let place = |index: usize| positions.get(index).copied().unwrap_or(word.end);
    let in_query = |error: QueryError| QueryError { position: place(error.position), ..error };
    let mut regex = glob_to_regex(&text, scope).map_err(in_query)?;
    let mut stored = text;
    if !case_sensitive {
        stored = fold(&stored);
        let reversed = |_| {
            QueryError::new(word.start(), "a range loses its order when case is ignored", "`case:` before it")
        };
        regex = glob_to_regex(&stored, scope).map_err(reversed)?;
    }
    if regex.len() > SURELY_FITS && !fits(&regex, true) {
        return Err(QueryError::new(word.start(), "the glob is too large", "fewer wildcards"));
    }
    Ok(stored)
}

/// Glob text in which literal wildcards are escaped, and the place in the query of each of its bytes.
fn glob_text(word: &Word) -> (Vec<u8>, Vec<usize>) {
    let mut text = Vec::with_capacity(word.units.len());
    let mut positions = Vec::with_capacity(word.units.len());
    for unit in &word.units {
        if !unit.live && br"*?[]{},\-!^".contains(&unit.byte) {
            text.push(b'\\');
            positions.push(unit.at);
        }
        text.push(unit.byte);
        positions.push(unit.at);
    }
    (text, positions)
}

/// The regular expression (syntax of the `regex` crate, for bytes) that matches exactly the texts a
/// glob matches, anchored at both ends.
///
/// # Errors
/// Unbalanced brackets or braces, a reversed range, a trailing backslash, braces nested too deeply;
/// positions are bytes of `glob`.
pub fn glob_to_regex(glob: &[u8], scope: GlobScope) -> Result<String, QueryError> {
    let mut translator = Translator { glob, at: 0, scope, braces: Vec::new(), out: String::from("^") };
    if scope == GlobScope::Path && glob.first() != Some(&b'/') {
        translator.out.push_str(ANY_BYTES);
        translator.out.push('/');
    }
    while translator.at < glob.len() {
        translator.item()?;
    }
    if let Some(open) = translator.braces.pop() {
        return Err(QueryError::new(
            open,
            "this brace is never closed",
            "a closing `}`, or `\\{` for the character",
        ));
    }
    translator.out.push('$');
    Ok(translator.out)
}

/// One character of a glob, or a byte that belongs to none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Char(char),
    Byte(u8),
}

struct Translator<'a> {
    glob: &'a [u8],
    at: usize,
    scope: GlobScope,
    /// Where the open braces stand.
    braces: Vec<usize>,
    out: String,
}

impl Translator<'_> {
    fn item(&mut self) -> Result<(), QueryError> {
        match self.glob[self.at] {
            b'*' => self.stars(),
            b'?' => self.token(ONE),
            b'[' => self.class()?,
            b'{' => self.open_brace()?,
            b',' if !self.braces.is_empty() => self.token("|"),
            b'}' if self.braces.pop().is_some() => self.token(")"),
            b'}' => return Err(self.stray("this `}` closes nothing", "an opening `{` before it, or `\\}`")),
            b']' => return Err(self.stray("this `]` closes nothing", "an opening `[` before it, or `\\]`")),
            _ => self.literal()?,
        }
        Ok(())
    }

    fn token(&mut self, regex: &str) {
        self.at += 1;
        self.out.push_str(regex);
    }

    fn stray(&self, message: &str, expected: &str) -> QueryError {
        QueryError::new(self.at, message, expected)
    }

    fn open_brace(&mut self) -> Result<(), QueryError> {
        if self.braces.len() == QUERY_DEPTH {
            return Err(self.stray("braces are nested too deeply", "fewer braces within each other"));
        }
        self.braces.push(self.at);
        self.token("(?:");
        Ok(())
    }

    fn stars(&mut self) {
        let start = self.at;
        self.at += self.glob[start..].iter().take_while(|&&byte| byte == b'*').count();
        let after = self.glob.get(self.at);
        let component = (start == 0 || self.glob[start - 1] == b'/') && matches!(after, None | Some(b'/'));
        if self.scope == GlobScope::Name || self.at - start == 1 || !component {
            self.out.push_str(RUN);
        } else if after.is_none() {
            self.out.push_str(SOME_BYTES);
        } else {
            self.at += 1;
            self.out.push_str("(?:");
            self.out.push_str(SOME_BYTES);
            self.out.push_str("/)?");
        }
    }

    fn literal(&mut self) -> Result<(), QueryError> {
        match self.symbol()? {
            Symbol::Char(c) => {
                if regex_syntax::is_meta_character(c) {
                    self.out.push('\\');
                }
                self.out.push(c);
            }
            Symbol::Byte(byte) => self.emit(format_args!(r"(?-u:\x{byte:02X})")),
        }
        Ok(())
    }

    /// Takes one character, possibly escaped.
    fn symbol(&mut self) -> Result<Symbol, QueryError> {
        if self.glob.get(self.at) == Some(&b'\\') {
            self.at += 1;
        }
        let rest = &self.glob[self.at..];
        let Some(first) = rest.first() else {
            return Err(self.stray("nothing follows the backslash", "the character to take literally"));
        };
        let decoded =
            rest[..rest.len().min(4)].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        self.at += decoded.map_or(1, char::len_utf8);
        Ok(decoded.map_or(Symbol::Byte(*first), Symbol::Char))
    }

    fn class(&mut self) -> Result<(), QueryError> {
        let open = self.at;
        self.at += 1;
        let negated = matches!(self.glob.get(self.at), Some(b'!' | b'^'));
        self.at += usize::from(negated);
        let mut class = Class::default();
        let first = self.at;
        loop {
            match self.glob.get(self.at) {
                None => {
                    let expected = "a closing `]`, or `\\[` for the character";
                    return Err(QueryError::new(open, "this bracket is never closed", expected));
                }
                Some(b']') if self.at > first => break,
                Some(_) => self.class_item(&mut class)?,
            }
        }
        self.at += 1;
        let regex = if negated { class.negated() } else { class.positive() };
        self.out.push_str(&regex);
        Ok(())
    }

    fn class_item(&mut self, class: &mut Class) -> Result<(), QueryError> {
        let start = self.at;
        let from = self.symbol()?;
        let ranged =
            self.glob.get(self.at) == Some(&b'-') && !matches!(self.glob.get(self.at + 1), None | Some(b']'));
        if !ranged {
            class.add(from);
            return Ok(());
        }
        self.at += 1;
        let to = self.symbol()?;
        match (from, to) {
            (Symbol::Char(from), Symbol::Char(to)) if from <= to => {
                class.add_range(from, to);
                Ok(())
            }
            (Symbol::Char(_), Symbol::Char(_)) => {
                Err(QueryError::new(start, "the range ends before it begins", "the smaller character first"))
            }
            _ => Err(QueryError::new(start, "a range over bytes that are not Unicode", "single bytes")),
        }
    }

    fn emit(&mut self, regex: std::fmt::Arguments<'_>) {
        self.out.write_fmt(regex).expect("a string takes everything");
    }
}

/// Members of a bracket expression, as regular expression text.
#[derive(Default)]
struct Class {
    chars: String,
    bytes: String,
    holds_slash: bool,
}

impl Class {
    fn add(&mut self, symbol: Symbol) {
        match symbol {
            Symbol::Char(c) => self.add_range(c, c),
            Symbol::Byte(byte) => write!(self.bytes, r"\x{byte:02X}").expect("a string takes everything"),
        }
    }

    fn add_range(&mut self, from: char, to: char) {
        self.holds_slash |= (from..=to).contains(&'/');
        let (from, to) = (u32::from(from), u32::from(to));
        write!(self.chars, r"\x{{{from:X}}}-\x{{{to:X}}}").expect("a string takes everything");
    }

    fn positive(&self) -> String {
        let chars = match (self.chars.as_str(), self.holds_slash) {
            ("", _) => None,
            (chars, true) => Some(format!("[[{chars}]&&[^/]]")),
            (chars, false) => Some(format!("[{chars}]")),
        };
        let bytes = (!self.bytes.is_empty()).then(|| format!("(?-u:[{}])", self.bytes));
        match (chars, bytes) {
            (Some(chars), Some(bytes)) => format!("(?:{chars}|{bytes})"),
            (chars, bytes) => chars.or(bytes).unwrap_or_default(),
        }
    }

    fn negated(&self) -> String {
        let bytes = if self.bytes.is_empty() { String::new() } else { format!("&&[^{}]", self.bytes) };
        format!(r"(?:[^{}/]|(?-u:[\xC0-\xFF{bytes}]))", self.chars)
    }
}
