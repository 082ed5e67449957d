//! What changed: rows of `since`, and what standing queries tell.
//!
//! A row of `since` may stand for everything below a folder; an event of a standing query is about one entry. Fields
//! that an event does not have are absent, never null.

use crate::bytes::{FromField, PathField, V1};
use crate::params::Topic;
use serde::{Deserialize, Serialize};

/// Row of `since`: what became of an entry. A folder that was created, removed or renamed stands for everything below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "change")]
pub struct Change {
    /// Always 1.
    pub v: V1,
    /// `created`, `removed`, `renamed`, `modified`.
    pub what: String,
    /// Kind of the entry.
    pub kind: String,
    /// Absolute path: of what was removed the last one.
    #[serde(flatten)]
    pub path: PathField,
    /// Path before, if it was renamed.
    #[serde(flatten)]
    pub from: Option<FromField>,
    /// Generation that first has it so.
    pub generation: u64,
    /// When it was noticed, nanoseconds since 1970 UTC.
    pub at_ns: i64,
}

/// What a standing query tells of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "event")]
pub struct WatchEvent {
    /// Always 1.
    pub v: V1,
    /// `appeared`, `changed`, `vanished`, `renamed`, or `resync`: what matches must be listed anew.
    pub what: String,
    /// The source.
    pub source: String,
    /// Absolute path; of what vanished the last one; absent in `resync`.
    #[serde(flatten)]
    pub path: Option<PathField>,
    /// Path before, if it was renamed.
    #[serde(flatten)]
    pub from: Option<FromField>,
    /// Kind of the entry; absent in `resync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Size of what matches now, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Last modification of what matches now, nanoseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ns: Option<i64>,
    /// Why, in `resync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// In the last of the events that belong together: a clock to go on from once all of them are carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
}

/// Notification `watch`: events of a standing query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchNote {
    /// Number of the standing query.
    pub watch: u64,
    /// The events, in order.
    pub events: Vec<WatchEvent>,
}

/// Result of `subscribe` and `unsubscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// Topics now subscribed to.
    pub topics: Vec<Topic>,
    /// Number of the standing query that began, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<u64>,
    /// Where that begins in each source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<SourceClock>,
}

/// A clock of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceClock {
    /// The source.
    pub source: String,
    /// The clock.
    pub clock: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(path: Option<Vec<u8>>, from: Option<Vec<u8>>) -> WatchEvent {
        WatchEvent {
            v: V1,
            what: "renamed".into(),
            source: "s".into(),
            path: path.map(PathField),
            from: from.map(FromField),
            kind: Some("file".into()),
            size: Some(3),
            modified_ns: None,
            why: None,
            clock: None,
        }
    }

    #[test]
    fn what_an_event_does_not_have_is_absent() {
        let text = serde_json::to_string(&event(Some(b"/a".to_vec()), None)).unwrap();
        let expect =
            r#"{"type":"event","v":1,"what":"renamed","source":"s","path":"/a","kind":"file","size":3}"#;
        assert_eq!(text, expect);
    }

    proptest! {
        #[test]
        fn changes_and_events_survive_the_wire(
            path in proptest::collection::vec(any::<u8>(), 0..12),
            from in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..12)),
            generation: u64,
            at_ns: i64,
        ) {
            let change = Change {
                v: V1,
                what: "renamed".into(),
                kind: "dir".into(),
                path: PathField(path.clone()),
                from: from.clone().map(FromField),
                generation,
                at_ns,
            };
            let text = serde_json::to_string(&change).unwrap();
            prop_assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
            for path in [Some(path), None] {
                let note = WatchNote { watch: generation, events: vec![event(path, from.clone())] };
                let text = serde_json::to_string(&note).unwrap();
                prop_assert_eq!(serde_json::from_str::<WatchNote>(&text).unwrap(), note);
            }
        }
    }
}
