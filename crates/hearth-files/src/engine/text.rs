//! Compiled comparisons of one piece of text: a name or a path.
//!
//! A matcher sees the text in the form it was compiled for: folded if it ignores case, raw if not.
//! Regular expressions of users always see raw text, since they may switch case on and off inside.
//! Globs made of literals and stars are compared directly; everything else is a linear-time regular
//! expression. Regular expressions keep their scratch memory in the caller's [`Caches`].

use crate::query::{compile_regex, compile_table};
use memchr::memmem::Finder;
use regex_automata::Input;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::meta::{Cache, Regex};
use std::sync::OnceLock;

/// Scratch memory of the regular expressions of one program, by slot; one per thread.
#[derive(Default)]
pub(crate) struct Caches(Vec<Option<Cache>>);

impl Caches {
    fn of(&mut self, slot: usize, regex: &Regex) -> &mut Cache {
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot].get_or_insert_with(|| regex.create_cache())
    }
}

/// A regular expression; where very many texts are to be searched, as a table as well.
#[derive(Debug)]
pub(crate) struct RegexMatcher {
    regex: Regex,
    slot: usize,
    source: String,
    case_sensitive: bool,
    table: OnceLock<Option<dense::DFA<Vec<u32>>>>,
}

impl RegexMatcher {
    fn matches(&self, text: &[u8], caches: &mut Caches) -> bool {
        let input = Input::new(text).earliest(true);
        if let Some(Some(table)) = self.table.get()
            && let Ok(end) = table.try_search_fwd(&input)
        {
            return end.is_some();
        }
        self.regex.search_half_with(caches.of(self.slot, &self.regex), &input).is_some()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) enum Matcher {
    Substring(Finder<'static>),
    WholeWord(Finder<'static>),
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    /// Literal pieces with stars between them, anchored at both ends.
    Stars {
        first: Vec<u8>,
        middle: Vec<Finder<'static>>,
        last: Vec<u8>,
    },
    Regex(Box<RegexMatcher>),
    /// The needle cut into characters (or invalid bytes).
    Fuzzy(Vec<Vec<u8>>),
}

impl Matcher {
    pub(crate) fn substring(needle: &[u8]) -> Matcher {
        Matcher::Substring(Finder::new(needle).into_owned())
    }

    pub(crate) fn whole_word(needle: &[u8]) -> Matcher {
        Matcher::WholeWord(Finder::new(needle).into_owned())
    }

    pub(crate) fn fuzzy(needle: &[u8]) -> Matcher {
        let mut pieces = Vec::new();
        for chunk in needle.utf8_chunks() {
            pieces.extend(chunk.valid().chars().map(|c| c.to_string().into_bytes()));
            pieces.extend(chunk.invalid().iter().map(|&byte| vec![byte]));
        }
        Matcher::Fuzzy(pieces)
    }

    /// A glob of literals and stars only; `None` if it has other wildcards.
    pub(crate) fn stars(glob: &[u8]) -> Option<Matcher> {
        if glob.iter().any(|byte| b"?[]{}\\".contains(byte)) {
            return None;
        }
        let mut pieces = glob.split(|&byte| byte == b'*');
        let first = pieces.next()?.to_vec();
        let Some(last) = pieces.next_back() else { return Some(Matcher::Exact(first)) };
        let middle =
            pieces.filter(|piece| !piece.is_empty()).map(|piece| Finder::new(piece).into_owned()).collect();
        Some(Matcher::Stars { first, middle, last: last.to_vec() })
    }

    /// A regular expression, found anywhere in the raw text. `slot` must be unique within a program.
    pub(crate) fn regex(pattern: &str, case_sensitive: bool, slot: usize) -> Result<Matcher, String> {
        let regex = compile_regex(pattern, case_sensitive).map_err(|error| error.to_string())?;
        let (source, table) = (pattern.to_owned(), OnceLock::new());
        Ok(Matcher::Regex(Box::new(RegexMatcher { regex, slot, source, case_sensitive, table })))
    }

    /// Spends a millisecond or so to make millions of searches cheaper.
    pub(crate) fn prepare_for_many(&self) {
        if let Matcher::Regex(regex) = self {
            regex.table.get_or_init(|| compile_table(&regex.source, regex.case_sensitive));
        }
    }

    pub(crate) fn matches(&self, text: &[u8], caches: &mut Caches) -> bool {
        match self {
            Matcher::Substring(finder) => finder.find(text).is_some(),
            Matcher::WholeWord(finder) => has_whole_word(text, finder),
            Matcher::Exact(want) => text == want,
            Matcher::Prefix(want) => text.starts_with(want),
            Matcher::Stars { first, middle, last } => matches_stars(text, first, middle, last),
            Matcher::Regex(regex) => regex.matches(text, caches),
            Matcher::Fuzzy(pieces) => matches_fuzzy(text, pieces),
        }
    }
}

fn matches_stars(text: &[u8], first: &[u8], middle: &[Finder<'_>], last: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    middle
        .iter()
        .try_fold(rest, |rest, piece| piece.find(rest).map(|at| &rest[at + piece.needle().len()..]))
        .is_some()
}

fn matches_fuzzy(text: &[u8], pieces: &[Vec<u8>]) -> bool {
    pieces
        .iter()
        .try_fold(text, |rest, piece| memchr::memmem::find(rest, piece).map(|at| &rest[at + piece.len()..]))
        .is_some()
}

fn has_whole_word(text: &[u8], finder: &Finder<'_>) -> bool {
    let needle = finder.needle();
    let mut from = 0;
    while let Some(at) = finder.find(&text[from..]).map(|at| from + at) {
        if is_border(text, at) && is_border(text, at + needle.len()) {
            return true;
        }
        from = at + 1;
        if from > text.len() {
            break;
        }
    }
    false
}

/// A border is where a word character meets anything else, or an end of the text.
fn is_border(text: &[u8], at: usize) -> bool {
    at == 0 || at == text.len() || word_before(&text[..at]) != word_after(&text[at..])
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_after(text: &[u8]) -> bool {
    let head = &text[..text.len().min(4)];
    head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()).is_some_and(is_word)
}

fn word_before(text: &[u8]) -> bool {
    let tail = &text[text.len().saturating_sub(4)..];
    let last = tail.utf8_chunks().last();
    last.filter(|chunk| chunk.invalid().is_empty())
        .and_then(|chunk| chunk.valid().chars().next_back())
        .is_some_and(is_word)
}

/// Length of a name: Unicode scalar values, each invalid byte counting one.
pub(crate) fn char_count(name: &[u8]) -> u64 {
    name.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum::<usize>()
        as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_expression_answers_as_before() {
        let texts: [&[u8]; 9] = [
            b"",
            b"abc1",
            b"ABC",
            "größe".as_bytes(),
            b"\xff\xfe",
            b"a b",
            b"foo_bar",
            "K\u{212a}".as_bytes(),
            b"aeiou",
        ];
        for pattern in [
            "^[a-z]+[0-9]+$",
            "[aeiou]{4}",
            r"\bfoo",
            "(?i)k{2}",
            r"\w+$",
            "",
            "^.{3}$",
            r"(?-u:\xFF)",
            "ß|b$",
        ] {
            for case_sensitive in [false, true] {
                let plain = Matcher::regex(pattern, case_sensitive, 0).expect("a good pattern");
                let prepared = Matcher::regex(pattern, case_sensitive, 0).expect("a good pattern");
                prepared.prepare_for_many();
                for text in texts {
                    let (mut one, mut other) = (Caches::default(), Caches::default());
                    assert_eq!(
                        plain.matches(text, &mut one),
                        prepared.matches(text, &mut other),
                        "{pattern} {text:?}"
                    );
                }
            }
        }
    }
}
