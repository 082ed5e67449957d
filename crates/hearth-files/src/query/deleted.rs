//! Whether a query asks for what was deleted.
//!
//! Entries that were deleted are read only for whoever asks for them, so it must be certain from the query alone:
//! `deleted:` has to be something that every match meets.

use super::QueryError;
use super::ast::{Expr, Query, Test};

impl Query {
    /// True if every entry that matches was deleted: `deleted:` is one of the terms that all must hold.
    ///
    /// # Errors
    /// `deleted:` stands below `!` or `|`, where it is no property of every match; the error points at it.
    pub fn asks_for_deleted(&self) -> Result<bool, QueryError> {
        let parts = match &self.expr {
            Expr::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let (own, below): (Vec<&Expr>, Vec<&Expr>) =
            parts.iter().partition(|part| matches!(part, Expr::Term(term) if term.test == Test::Deleted));
        match below.into_iter().find_map(place) {
            Some(position) => Err(QueryError::new(
                position,
                "`deleted:` stands where it need not hold",
                "`deleted:` beside the other terms, not after `!` and not beside a `|`",
            )),
            None => Ok(!own.is_empty()),
        }
    }
}

/// Where `deleted:` stands in an expression.
fn place(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().find_map(place),
        Expr::Not(part) => place(part),
        Expr::Term(term) => (term.test == Test::Deleted).then_some(term.span.start),
    }
}
