//! The query language: one parser with positions, for every face.
//!
//! [`parse`] turns query text into a [`Query`]; nothing is guessed and nothing is ignored, a bad
//! term is a [`QueryError`] that points at the byte where it went wrong and says what was expected.
//! `docs/query-language.md` is the specification; its cases run as tests.

mod ast;
mod categories;
mod dates;
mod deleted;
mod error;
mod filters;
mod glob;
mod keys;
mod lexer;
mod numbers;
mod parser;
mod paths;
mod perm;
mod ranges;
mod regexes;
mod sort;
mod terms;

pub use ast::*;
pub use categories::category_extensions;
pub use error::QueryError;
pub use glob::{GlobScope, glob_to_regex};
pub use lexer::quote_term;
pub use parser::parse;
pub use regexes::compile_regex;
pub(crate) use regexes::compile_table;
pub use sort::parse_sort;

use hearth_core::UnixNanos;
use jiff::tz::TimeZone;

/// What a query may refer to without saying it.
pub struct Context<'a> {
    /// The instant that `today` and `7d` are relative to.
    pub now_ns: UnixNanos,
    /// Where days begin and end.
    pub zone: TimeZone,
    /// Absolute folder that relative paths start from.
    pub cwd: Option<&'a [u8]>,
    /// Absolute folder that `~` stands for.
    pub home: Option<&'a [u8]>,
    /// User id of a user name.
    pub user_id: &'a dyn Fn(&str) -> Option<u32>,
    /// Group id of a group name.
    pub group_id: &'a dyn Fn(&str) -> Option<u32>,
}
