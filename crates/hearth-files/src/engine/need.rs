//! What a matching name must contain, as far as the gram index can use it.
//!
//! A need is a necessary condition, never a sufficient one: dropping any part of it only lets more
//! names through to verification. Literals are folded, because grams are.

use crate::fold::fold;
use crate::index::{BlockSet, BlockWalk, Body, GramLiteral, Needle};
use crate::query::{GlobScope, Pattern, Text, glob_to_regex};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing is known.
    Nothing,
    Literal {
        bytes: Vec<u8>,
        at_start: bool,
        at_end: bool,
    },
    All(Vec<Need>),
    Any(Vec<Need>),
}

impl Need {
    /// The folded name contains these bytes.
    pub(crate) fn folded(bytes: &[u8], at_start: bool, at_end: bool) -> Need {
        if bytes.is_empty() {
            return Need::Nothing;
        }
        Need::Literal { bytes: bytes.to_vec(), at_start, at_end }
    }

    /// The raw name contains these bytes. Folding keeps that true only for whole characters.
    pub(crate) fn raw(bytes: &[u8], at_start: bool, at_end: bool) -> Need {
        match std::str::from_utf8(bytes) {
            Ok(_) => Need::folded(&fold(bytes), at_start, at_end),
            Err(_) => Need::Nothing,
        }
    }

    pub(crate) fn all(parts: impl IntoIterator<Item = Need>) -> Need {
        let mut parts: Vec<Need> = parts.into_iter().filter(|part| *part != Need::Nothing).collect();
        match parts.len() {
            0 => Need::Nothing,
            1 => parts.remove(0),
            _ => Need::All(parts),
        }
    }

    pub(crate) fn any(parts: impl IntoIterator<Item = Need>) -> Need {
        let mut parts: Vec<Need> = parts.into_iter().collect();
        if parts.is_empty() || parts.contains(&Need::Nothing) {
            return Need::Nothing;
        }
        if parts.len() == 1 { parts.remove(0) } else { Need::Any(parts) }
    }

    /// Blocks of names that may hold a match; `None` if the need says nothing.
    pub(crate) fn blocks(&self, body: &Body) -> Option<BlockSet> {
        match self {
            Need::Nothing => None,
            Need::Literal { .. } => Some(body.base.grams.candidates(&[self.gram_literal()?])),
            Need::All(parts) => {
                let literals: Vec<GramLiteral<'_>> = parts.iter().filter_map(Need::gram_literal).collect();
                let mut blocks = (!literals.is_empty()).then(|| body.base.grams.candidates(&literals));
                for part in parts.iter().filter(|part| part.gram_literal().is_none()) {
                    blocks = match (blocks, part.blocks(body)) {
                        (Some(mut known), Some(more)) => {
                            known.intersect(&more);
                            Some(known)
                        }
                        (known, more) => known.or(more),
                    };
                }
                blocks
            }
            Need::Any(parts) => {
                let mut parts = parts.iter().map(|part| part.blocks(body));
                let mut union = parts.next()??;
                for part in parts {
                    union.union(&part?);
                }
                Some(union)
            }
        }
    }

    /// The same blocks in order, found as far as they are asked for where the need is plain enough.
    pub(crate) fn walk<'b>(&self, body: &'b Body) -> BlockWalk<'b> {
        let literals: Option<Vec<GramLiteral<'_>>> = match self {
            Need::Literal { .. } => self.gram_literal().map(|literal| vec![literal]),
            Need::All(parts) => parts.iter().map(Need::gram_literal).collect(),
            Need::Nothing | Need::Any(_) => None,
        };
        match literals {
            Some(literals) => body.base.grams.walk(&literals),
            None => match self.blocks(body) {
                Some(set) => BlockWalk::over(set),
                None => BlockWalk::all(body.base.names.blocks()),
            },
        }
    }

    /// A search that every matching name passes, if one is known: for the longest literal.
    pub(crate) fn needle(&self) -> Option<Needle> {
        match self {
            Need::Literal { bytes, at_start, at_end } => Some(Needle::new(bytes, *at_start, *at_end)),
            Need::All(_) => Some(Needle::new(self.longest_literal()?, false, false)),
            Need::Nothing | Need::Any(_) => None,
        }
    }

    pub(crate) fn gram_literal(&self) -> Option<GramLiteral<'_>> {
        match self {
            Need::Literal { bytes, at_start, at_end } => {
                Some(GramLiteral { bytes, anchored_start: *at_start, anchored_end: *at_end })
            }
            _ => None,
        }
    }

    /// A literal that every match contains, if one is known: the longest.
    pub(crate) fn longest_literal(&self) -> Option<&[u8]> {
        match self {
            Need::Literal { bytes, .. } => Some(bytes),
            Need::All(parts) => {
                parts.iter().filter_map(Need::longest_literal).max_by_key(|bytes| bytes.len())
            }
            Need::Nothing | Need::Any(_) => None,
        }
    }

    /// What a name that meets the condition must contain.
    pub(crate) fn of_text(text: &Text) -> Need {
        let literal = |bytes: &[u8], whole: bool| {
            if text.case_sensitive {
                Need::raw(bytes, whole, whole)
            } else {
                Need::folded(bytes, whole, whole)
            }
        };
        match &text.pattern {
            Pattern::Substring(needle) => literal(needle, false),
            Pattern::Exact(name) => literal(name, true),
            Pattern::Fuzzy(_) => Need::Nothing,
            Pattern::Regex(pattern) => Need::of_regex(pattern),
            Pattern::Glob(glob) => {
                glob_to_regex(glob, GlobScope::Name).map_or(Need::Nothing, |pattern| Need::of_regex(&pattern))
            }
        }
    }

    /// What a name with this extension (folded; empty = none) must contain.
    pub(crate) fn of_extension(ext: &[u8]) -> Need {
        if ext.is_empty() { Need::Nothing } else { Need::folded(&[b".", ext].concat(), false, true) }
    }

    /// What a match of a regular expression must contain. Unparsable text yields nothing: the
    /// compiler of the expression is the one to complain.
    pub(crate) fn of_regex(pattern: &str) -> Need {
        match ParserBuilder::new().utf8(false).build().parse(pattern) {
            Ok(hir) => Builder::default().run(&hir),
            Err(_) => Need::Nothing,
        }
    }
}

/// Collects needs of one concatenation, joining neighbouring literals.
#[derive(Default)]
struct Builder {
    needs: Vec<Need>,
    run: Vec<u8>,
    /// The run begins where the text begins.
    at_start: bool,
}

impl Builder {
    fn run(mut self, hir: &Hir) -> Need {
        self.add(hir);
        self.flush(false);
        Need::all(self.needs)
    }

    fn flush(&mut self, at_end: bool) {
        let run = std::mem::take(&mut self.run);
        let at_start = std::mem::take(&mut self.at_start);
        self.needs.push(Need::raw(&run, at_start, at_end));
    }

    fn add(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => self.run.extend_from_slice(&literal.0),
            HirKind::Class(class) => match same_letter(class) {
                Some(letter) => self.run.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                None => self.flush(false),
            },
            HirKind::Look(Look::Start) => {
                // A start in the middle can only match if all before it was empty.
                let first = self.needs.is_empty() && self.run.is_empty();
                self.flush(false);
                self.at_start = first;
            }
            HirKind::Look(Look::End) => self.flush(true),
            HirKind::Look(_) => self.flush(false),
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.add(part)),
            HirKind::Repetition(repetition) => {
                self.flush(false);
                if repetition.min > 0 {
                    self.needs.push(Builder::default().run(&repetition.sub));
                }
            }
            HirKind::Alternation(parts) => {
                self.flush(false);
                self.needs.push(Need::any(parts.iter().map(|part| Builder::default().run(part))));
            }
        }
    }
}

/// The folded letter of a class that holds nothing but cases of one letter.
fn same_letter(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else { return None };
    let letters: usize = class.ranges().iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum();
    if letters == 0 || letters > 8 {
        return None;
    }
    let mut folded =
        class.ranges().iter().flat_map(|range| range.start()..=range.end()).map(crate::fold::fold_char);
    let first = folded.next()?;
    folded.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(bytes: &str, at_start: bool, at_end: bool) -> Need {
        Need::Literal { bytes: bytes.as_bytes().to_vec(), at_start, at_end }
    }

    #[test]
    fn regexes_yield_what_they_must_contain() {
        let check = |pattern, want| assert_eq!(Need::of_regex(pattern), want, "{pattern}");
        check("foo", literal("foo", false, false));
        check("FOO", literal("foo", false, false));
        check("^foo$", literal("foo", true, true));
        check("foo.*bar", Need::All(vec![literal("foo", false, false), literal("bar", false, false)]));
        check("foo(bar)?baz", Need::All(vec![literal("foo", false, false), literal("baz", false, false)]));
        check("(?i)Foo", literal("foo", false, false));
        check(
            "(foo|bar)x",
            Need::All(vec![
                Need::Any(vec![literal("foo", false, false), literal("bar", false, false)]),
                literal("x", false, false),
            ]),
        );
        check("(foo|.*)", Need::Nothing);
        check("[a-z]+", Need::Nothing);
        check("(foo)+", literal("foo", false, false));
        check("(foo)*", Need::Nothing);
        check(r"\.rs$", literal(".rs", false, true));
        check("a^foo", Need::All(vec![literal("a", false, false), literal("foo", false, false)]));
    }
}
