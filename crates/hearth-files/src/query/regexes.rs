//! Regular expressions of a query: validated while parsing, compiled the same way everywhere.
//!
//! Syntax and case folding are those of the `regex` crate over bytes: `(?-u:\xFF)` matches a byte
//! that is not UTF-8.

use super::QueryError;
use super::lexer::Word;
use crate::fold::is_upper;
use hearth_core::limits::REGEX_BYTES;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_syntax::ast::{self, Ast, ClassSetItem, Visitor};
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::convert::Infallible;

/// Estimates below this leave room for the reversed program, which is also limited.
const SURELY_FITS: usize = REGEX_BYTES / 4;

/// Compiles a regular expression of a query, or one that [`super::glob_to_regex`] made.
///
/// # Errors
/// A syntax error, or a program beyond [`REGEX_BYTES`]; neither happens for a parsed `Regex` pattern
/// as long as the same `case_sensitive` is given.
pub fn compile_regex(source: &str, case_sensitive: bool) -> Result<Regex, Box<meta::BuildError>> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(REGEX_BYTES));
    Regex::builder().configure(config).syntax(syntax_config(case_sensitive)).build(source).map_err(Box::new)
}

/// A table-driven form of the same expression for very many short texts, if it is small enough to be
/// built at once. Its searches may give up (on Unicode word borders, say); the regex then decides.
pub(crate) fn compile_table(source: &str, case_sensitive: bool) -> Option<dense::DFA<Vec<u32>>> {
    const BYTES: usize = 512 * 1024;
    let config = dense::Config::new()
        .dfa_size_limit(Some(BYTES))
        .determinize_size_limit(Some(2 * BYTES))
        .start_kind(StartKind::Unanchored);
    let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(BYTES));
    dense::Builder::new()
        .configure(config)
        .syntax(syntax_config(case_sensitive))
        .thompson(nfa)
        .build(source)
        .ok()
}

fn syntax_config(case_sensitive: bool) -> syntax::Config {
    syntax::Config::new().utf8(false).case_insensitive(!case_sensitive)
}

/// True if `source`, which is valid, compiles within [`REGEX_BYTES`].
pub(super) fn fits(source: &str, case_sensitive: bool) -> bool {
    compile_regex(source, case_sensitive).is_ok()
}

/// Rough size of the compiled form, bytes, on the high side: compiling only to learn the size would
/// take longer than most searches.
fn estimated_bytes(hir: &Hir) -> usize {
    const STATE: usize = 64;
    /// States for one range of characters, whose ends may differ in each of four bytes.
    const RANGE: usize = 16;
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE,
        HirKind::Literal(literal) => literal.0.len() * STATE,
        HirKind::Class(Class::Bytes(_)) => STATE,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() * RANGE * STATE,
        HirKind::Capture(capture) => estimated_bytes(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            estimated_bytes(&repetition.sub).saturating_mul(times as usize)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(estimated_bytes).fold(STATE, usize::saturating_add)
        }
    }
}

/// Validates a regular expression and returns its source, and whether it holds an upper-case literal.
pub(super) fn check(word: &Word, forced_case: bool) -> Result<(String, bool), QueryError> {
    if word.is_empty() {
        return Err(QueryError::new(word.end, "a regular expression is missing", "a regular expression"));
    }
    let source = word.text("UTF-8; a single byte is written (?-u:\\xFF)")?;
    let ast = ast::parse::ParserBuilder::new().build().parse(&source);
    let ast = ast.map_err(|error| bad(word, error.span(), &error.kind().to_string()))?;
    let upper = holds_capital(&ast);
    let case_sensitive = upper || forced_case;
    let mut translator = TranslatorBuilder::new().utf8(false).case_insensitive(!case_sensitive).build();
    let hir = translator.translate(&source, &ast);
    let hir = hir.map_err(|error| bad(word, error.span(), &error.kind().to_string()))?;
    if estimated_bytes(&hir) > SURELY_FITS && !fits(&source, case_sensitive) {
        let expected = format!("one that compiles to at most {REGEX_BYTES} bytes");
        return Err(QueryError::new(word.start(), "the regular expression is too large", expected));
    }
    Ok((source, upper))
}

fn bad(word: &Word, span: &ast::Span, reason: &str) -> QueryError {
    let message = format!("bad regular expression: {reason}");
    QueryError::new(word.at(span.start.offset), message, "the syntax of the Rust regex crate")
}

fn holds_capital(ast: &Ast) -> bool {
    match ast::visit(ast, Capitals { found: false }) {
        Ok(found) => found,
        Err(never) => match never {},
    }
}

/// Looks for upper-case literals; `\S` and `\pL` are none.
struct Capitals {
    found: bool,
}

impl Visitor for Capitals {
    type Output = bool;
    type Err = Infallible;

    fn finish(self) -> Result<bool, Infallible> {
        Ok(self.found)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Ast::Literal(literal) = ast {
            self.found |= is_upper(literal.c);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        self.found |= match item {
            ClassSetItem::Literal(literal) => is_upper(literal.c),
            ClassSetItem::Range(range) => is_upper(range.start.c) || is_upper(range.end.c),
            _ => false,
        };
        Ok(())
    }
}
