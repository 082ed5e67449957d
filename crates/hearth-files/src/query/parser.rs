//! The structure of a query: groups, alternatives, negation, limits.
//!
//! ```text
//! query  = or
//! or     = and ("|" and)*
//! and    = not not*                   (an empty query has none)
//! not    = "!"* (group | term)
//! group  = "(" or ")"
//! ```
//!
//! Recursion is bounded by [`QUERY_DEPTH`], work by [`QUERY_BYTES`] and [`QUERY_TERMS`].

use super::ast::{Expr, Query, Term, Test};
use super::lexer::Lexer;
use super::{Context, QueryError};
use hearth_core::limits::{QUERY_BYTES, QUERY_DEPTH, QUERY_TERMS};
use std::ops::Range;

/// Parses query text. An empty query matches everything.
///
/// # Errors
/// Anything that is not understood, at the byte where it stands; also a text, a nesting or a number
/// of terms beyond the limits, or a path, user or group that `ctx` cannot resolve.
pub fn parse(text: &[u8], ctx: &Context<'_>) -> Result<Query, QueryError> {
    if text.len() > QUERY_BYTES {
        return Err(too_long());
    }
    if let Some(position) = memchr::memchr(0, text) {
        return Err(QueryError::new(position, "a NUL byte", "text without NUL bytes: no name holds one"));
    }
    let mut parser = Parser { lexer: Lexer::new(text), ctx, terms: 0 };
    parser.lexer.skip_space();
    if parser.lexer.peek().is_none() {
        return Ok(Query { expr: Expr::And(Vec::new()) });
    }
    let expr = parser.or()?;
    debug_assert!(parser.lexer.peek().is_none());
    Ok(Query { expr })
}

fn too_long() -> QueryError {
    QueryError::new(QUERY_BYTES, "the query is too long", format!("at most {QUERY_BYTES} bytes"))
}

/// State of one parse.
pub(super) struct Parser<'a, 'c> {
    pub(super) lexer: Lexer<'a>,
    pub(super) ctx: &'c Context<'c>,
    terms: usize,
}

impl Parser<'_, '_> {
    fn or(&mut self) -> Result<Expr, QueryError> {
        let mut branches = vec![self.and("a term")?];
        while self.lexer.take(b'|') {
            branches.push(self.and("a term after `|`")?);
        }
        Ok(any(branches))
    }

    fn and(&mut self, expected: &str) -> Result<Expr, QueryError> {
        let mut parts = vec![self.not(expected)?];
        while !self.at_end_of_and() {
            parts.push(self.not("a term")?);
        }
        Ok(all(parts))
    }

    /// True at the end of the text, at `|`, and at a `)` that closes a group.
    fn at_end_of_and(&mut self) -> bool {
        self.lexer.skip_space();
        match self.lexer.peek() {
            None | Some(b'|') => true,
            Some(b')') => self.lexer.groups > 0,
            Some(_) => false,
        }
    }

    fn not(&mut self, expected: &str) -> Result<Expr, QueryError> {
        let mut negated = false;
        let mut expected = expected;
        loop {
            if self.at_end_of_and() {
                return Err(QueryError::new(self.lexer.position(), "a term is missing", expected));
            }
            if !self.lexer.take(b'!') {
                break;
            }
            negated = !negated;
            expected = "a term after `!`";
        }
        let expr = if self.lexer.peek() == Some(b'(') { self.group()? } else { self.term()? };
        Ok(if negated { not(expr) } else { expr })
    }

    fn group(&mut self) -> Result<Expr, QueryError> {
        let open = self.lexer.position();
        if self.lexer.groups == QUERY_DEPTH {
            let expected = format!("at most {QUERY_DEPTH} groups within each other");
            return Err(QueryError::new(open, "groups are nested too deeply", expected));
        }
        self.lexer.advance(1);
        self.lexer.groups += 1;
        let expr = self.or()?;
        if !self.lexer.take(b')') {
            return Err(QueryError::new(
                open,
                "this group is never closed",
                "a closing `)` later in the query",
            ));
        }
        self.lexer.groups -= 1;
        Ok(expr)
    }

    /// Makes a leaf, counting it.
    pub(super) fn leaf(&mut self, span: Range<usize>, test: Test) -> Result<Expr, QueryError> {
        if self.terms == QUERY_TERMS {
            let expected = format!("at most {QUERY_TERMS} terms");
            return Err(QueryError::new(span.start, "the query has too many terms", expected));
        }
        self.terms += 1;
        Ok(Expr::Term(Term { span, test }))
    }
}

/// All of `parts`, without needless nesting.
pub(super) fn all(parts: Vec<Expr>) -> Expr {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Expr::And(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { Expr::And(flat) }
}

/// Any of `branches`, without needless nesting.
pub(super) fn any(branches: Vec<Expr>) -> Expr {
    let mut flat = Vec::with_capacity(branches.len());
    for branch in branches {
        match branch {
            Expr::Or(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { Expr::Or(flat) }
}

/// The opposite, without double negation.
pub(super) fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => *inner,
        other => Expr::Not(Box::new(other)),
    }
}
