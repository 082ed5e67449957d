//! What is wrong with a query, and how that is shown to whoever wrote it.
//!
//! Every error names a byte of the query text, so that a face can point at it.

use std::fmt;

/// Most bytes of a query shown on either side of the place of an error.
const SHOWN: usize = 60;

/// A query that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Byte offset in the query text; at most its length.
    pub position: usize,
    /// What would have been right there.
    pub expected: String,
    /// What is wrong, on one line.
    pub message: String,
}

impl QueryError {
    pub(super) fn new(position: usize, message: impl Into<String>, expected: impl Into<String>) -> Self {
        let message: String = message.into();
        QueryError { position, message: visible(message.as_bytes()), expected: expected.into() }
    }

    /// Message, the query's line, and a caret below the place of the error; no newline at the end.
    /// Control characters and bytes that are not Unicode appear as one replacement character each.
    pub fn render(&self, query: &[u8]) -> String {
        let at = self.position.min(query.len());
        let start = char_start(query, at.saturating_sub(SHOWN));
        let end = char_start(query, query.len().min(at.saturating_add(SHOWN)));
        let before = visible(&query[start..at]);
        let after = visible(&query[at..end.max(at)]);
        let cut = if start > 0 { "…" } else { "" };
        let more = if end < query.len() { "…" } else { "" };
        let indent = " ".repeat(cut.chars().count() + before.chars().count());
        format!("{}\n  {cut}{before}{after}{more}\n  {indent}^ expected {}", self.message, self.expected)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the query; expected {})", self.message, self.position, self.expected)
    }
}

impl std::error::Error for QueryError {}

/// The nearest start of a UTF-8 character at or before `at`.
fn char_start(text: &[u8], at: usize) -> usize {
    let continues = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (at.saturating_sub(3)..=at).rev().find(|at| !continues(at)).unwrap_or(at)
}

fn visible(text: &[u8]) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' | '\r' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    String::from_utf8_lossy(text).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_stands_below_the_character() {
        let error = QueryError::new(3, "no", "yes");
        assert_eq!(error.render("éa(b".as_bytes()), "no\n  éa(b\n    ^ expected yes");
        assert_eq!(error.to_string(), "no (at byte 3 of the query; expected yes)");
    }

    #[test]
    fn messages_hold_no_control_characters() {
        let error = QueryError::new(0, "there is no type `\n\x1b[2J`", "one");
        assert_eq!(error.message, "there is no type ` \u{fffd}[2J`");
    }

    #[test]
    fn long_and_dirty_queries_are_cut_and_cleaned() {
        let mut query = vec![b'a'; 300];
        query[150] = 0x1b;
        query[151] = b'\n';
        let shown = QueryError::new(150, "no", "yes").render(&query);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1].chars().count(), 2 + 1 + 2 * SHOWN + 1);
        assert_eq!(lines[2].find('^'), Some(2 + 1 + SHOWN));
        assert!(!lines[1].contains('\u{1b}'));
    }
}
