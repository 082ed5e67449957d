//! The answer of `doctor`: one check after the other, each with its state.
//!
//! Words are for people. Programs go by `name`, which stays, and by `state`; the page of the protocol lists
//! the names.

use crate::bytes::V1;
use serde::{Deserialize, Serialize};

/// Result of `doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// In an order that does not change; those that concern sources come last.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "check")]
pub struct Check {
    /// Always 1.
    pub v: V1,
    /// What was looked at; for a source `source NAME`.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found, in words.
    pub detail: String,
    /// What to do about it, where something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How the subject of a [`Check`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth knowing, but everything works.
    Note,
    /// Something does not work.
    Problem,
}

impl State {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "problem",
        }
    }
}

impl Check {
    /// All is well.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(State::Ok, name, detail)
    }

    /// Worth knowing.
    pub fn note(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(State::Note, name, detail)
    }

    /// Something is wrong.
    pub fn problem(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(State::Problem, name, detail)
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn new(state: State, name: impl Into<String>, detail: impl Into<String>) -> Self {
        Check { v: V1, name: name.into(), state, detail: detail.into(), hint: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_check_is_a_line_of_json() {
        let check = Check::problem("source a", "no disk").hint("plug it in");
        let expect = r#"{"type":"check","v":1,"name":"source a","state":"problem","detail":"no disk","hint":"plug it in"}"#;
        assert_eq!(serde_json::to_string(&check).unwrap(), expect);
        assert!(!serde_json::to_string(&Check::ok("a", "b")).unwrap().contains("hint"));
    }

    #[test]
    fn states_are_the_words_they_say() {
        for state in [State::Ok, State::Note, State::Problem] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    proptest! {
        #[test]
        fn checks_survive_the_wire(name in ".{0,8}", detail in ".{0,20}", hint in proptest::option::of(".{0,8}")) {
            let mut checks = Checks { checks: vec![Check::note(name, detail)] };
            checks.checks[0].hint = hint;
            let text = serde_json::to_string(&checks).unwrap();
            prop_assert_eq!(serde_json::from_str::<Checks>(&text).unwrap(), checks);
        }
    }
}
