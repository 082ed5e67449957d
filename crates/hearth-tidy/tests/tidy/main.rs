//! Rules of the house that the compiler cannot hold, checked over the whole repository.
//!
//! Each check is a function from text (or from what cargo says) to a list of problems, so that it
//! can be fed a bad sample: a check that cannot fail is no check. The tests without the word
//! `reports` in their names run the check over the repository itself and must find nothing.

mod arrows;
mod depends;
mod docs;
mod modules;
mod printing;
mod repo;
mod words;

/// One broken rule: where, and what to do about it.
pub(crate) type Problem = String;

/// Fails the test with every problem, one a line.
#[track_caller]
pub(crate) fn assert_tidy(problems: &[Problem]) {
    assert!(problems.is_empty(), "{} problem(s):\n{}", problems.len(), problems.join("\n"));
}
