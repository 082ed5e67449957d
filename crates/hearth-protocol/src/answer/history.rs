//! Rows of `history`: what was done to a name, by whom and when.
//!
//! Paths are those of that time. What is not known of a process, because it had ended when it was asked for, is
//! absent or empty; nothing is guessed.

use crate::bytes::{PathField, V1};
use serde::{Deserialize, Serialize};

/// Something that a program did to a name, or several equal acts in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "act")]
pub struct Act {
    /// Always 1.
    pub v: V1,
    /// Absolute path it had then; `…/name` in a folder that was never seen.
    #[serde(flatten)]
    pub path: PathField,
    /// Inode of a folder that came and went before it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_folder: Option<u64>,
    /// `created`, `renamed-to`, `modified`, `attributes`, `renamed-from`, `removed`.
    pub what: String,
    /// When it was done last, nanoseconds since 1970 UTC.
    pub at_ns: i64,
    /// When it was done first.
    pub first_ns: i64,
    /// How often.
    pub times: u64,
    /// Number of the process; 0 if the daemon cannot see it.
    pub pid: u32,
    /// Name of the program; empty if the process was gone before it could be asked.
    pub command: String,
    /// Effective user of the process; absent if it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Name of the user, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The source.
    pub source: String,
}

/// What there is of the history, in the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryTotal {
    /// Whether acts are kept at all.
    pub on: bool,
    /// Why acts are not kept, or not those of every source, and what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Acts that are kept of the sources that were asked.
    pub kept: u64,
    /// Acts in their file systems that could not be kept, because they came too fast.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_one_object_and_what_is_not_known_is_absent() {
        let act = Act {
            v: V1,
            path: PathField("…/a".into()),
            unseen_folder: Some(9),
            what: "removed".into(),
            at_ns: 2,
            first_ns: 1,
            times: 3,
            pid: 4,
            command: String::new(),
            uid: None,
            user: None,
            source: "s".into(),
        };
        let text = serde_json::to_string(&act).unwrap();
        let expect = r#"{"type":"act","v":1,"path":"…/a","unseen_folder":9,"what":"removed","at_ns":2,"first_ns":1,"times":3,"pid":4,"command":"","source":"s"}"#;
        assert_eq!(text, expect);
        assert_eq!(serde_json::from_str::<Act>(&text).unwrap(), act);
    }
}
