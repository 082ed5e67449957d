//! Why a command ended before its end, and how that is told.
//!
//! A failure says what is wrong, where, and what to do next. With `--json` it is also an `error` object
//! on standard output, so that a script that reads only that stream sees it.

use crate::text::quote;
use crate::text::width::columns;
use hearth_protocol::{Code, RpcError};
use serde_json::Value;
use std::io;

/// A command stops early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something went wrong.
    Failed(Box<Failure>),
    /// Nobody reads standard output any more.
    PipeClosed,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    error: RpcError,
    /// Query or template that the error's position points into.
    pointed: Option<Vec<u8>>,
    /// Where in `pointed`.
    position: Option<usize>,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(Box::new(failure))
    }
}

impl Stop {
    /// The same, pointing into the query that was asked.
    pub(crate) fn pointing_into(self, query: &[u8]) -> Self {
        match self {
            Stop::Failed(failure) => Failure::pointing_into(*failure, query).into(),
            Stop::PipeClosed => Stop::PipeClosed,
        }
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        let position =
            error.data.get("position").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
        Failure { error, pointed: None, position }
    }
}

impl Failure {
    /// Arguments that cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        RpcError::invalid_params(message).into()
    }

    /// The operating system refused something.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        RpcError::new(Code::Internal, format!("{what}: {}", describe(error))).into()
    }

    /// The same failure with what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error = self.error.hint(hint);
        self
    }

    /// The same failure, pointing into `text` at the position that the error already has.
    pub(crate) fn pointing_into(mut self, text: &[u8]) -> Self {
        self.pointed = Some(text.to_vec());
        self
    }

    /// The same failure, pointing into `text` at `position`.
    pub(crate) fn pointing_at(mut self, text: &[u8], position: usize) -> Self {
        self.error = self.error.with("position", position);
        self.position = Some(position);
        self.pointing_into(text)
    }

    /// The object of `--json`.
    pub(crate) fn to_json(&self) -> Value {
        self.error.to_json_line()
    }

    /// The text for people: message, the place, the hint, each on lines of its own.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("error: {}\n", self.error.message);
        if let (Some(pointed), Some(position)) = (&self.pointed, self.position) {
            text.push_str(&caret(pointed, position));
        }
        if let Some(expected) = self.error.data.get("expected").and_then(Value::as_str)
            && !expected.is_empty()
            && !self.error.message.contains(expected)
            && self.error.hint.as_ref().is_none_or(|hint| !hint.contains(expected))
        {
            text.push_str(&format!("  expected: {expected}\n"));
        }
        if let Some(hint) = &self.error.hint {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        text
    }
}

/// `text` on one line and below it a caret under the byte at `position`.
fn caret(text: &[u8], position: usize) -> String {
    let position = position.min(text.len());
    let (before, after) = (one_line(&text[..position]), one_line(&text[position..]));
    format!("  {before}{after}\n  {}^\n", " ".repeat(columns(&before)))
}

/// Text of a query without anything that moves a cursor: one column per character, more or less.
fn one_line(text: &[u8]) -> String {
    let mut line = String::new();
    for chunk in text.utf8_chunks() {
        line.extend(chunk.valid().chars().map(|ch| if quote::is_printable(ch) { ch } else { '\u{fffd}' }));
        line.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    line
}

/// What the operating system said, without the number.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_query_shows_where() {
        let error = RpcError::new(Code::BadQuery, "unknown key `siz`")
            .with("position", 4)
            .with("expected", "a key such as size")
            .hint("quote it to search for it as text");
        let text = Failure::from(error).pointing_into(b"foo siz:3").to_text();
        assert_eq!(
            text,
            "error: unknown key `siz`\n  foo siz:3\n      ^\n  expected: a key such as size\n  \
             hint: quote it to search for it as text\n"
        );
    }

    #[test]
    fn the_caret_stands_below_its_character_whatever_is_before() {
        assert_eq!(caret("漢é\u{301} x".as_bytes(), 8), "  漢é\u{301} x\n      ^\n");
        assert_eq!(caret(b"\xff\n(", 2), "  \u{fffd}\u{fffd}(\n    ^\n");
        assert_eq!(caret(b"ab", 99), "  ab\n    ^\n");
    }

    #[test]
    fn failures_are_json_too() {
        let json = Failure::usage("no").hint("yes").pointing_at(b"{x}", 1).to_json();
        assert_eq!(
            (&json["type"], &json["v"], &json["code"]),
            (&"error".into(), &1.into(), &(-32602).into())
        );
        assert_eq!((&json["hint"], &json["data"]["position"]), (&"yes".into(), &1.into()));
    }

    #[test]
    fn system_errors_are_described_without_their_number() {
        let text = Failure::io("cannot open x", &io::Error::from_raw_os_error(2)).to_text();
        assert_eq!(text, "error: cannot open x: No such file or directory\n");
    }
}
