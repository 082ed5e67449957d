//! Answers: results, the rows of reports, and notifications.
//!
//! Every object of an answer has `"v": 1` and `"type"`, so that it is a line of the command line's
//! `--json` as it stands. Readers ignore fields they do not know.

mod changes;
mod doctor;
mod history;
mod key;
pub mod ntfs;
mod status;

use crate::bytes::{KeyField, PathField, RootField, V1};
use crate::envelope::Id;
pub use changes::{Change, SourceClock, Subscribed, WatchEvent, WatchNote};
pub use doctor::{Check, Checks, State};
pub use history::{Act, HistoryTotal};
pub use key::{KeyRotation, LeftOut};
use serde::{Deserialize, Serialize};
pub use status::{Compared, Daemon, DiskUpdate, Feed, LastScan, Scanning, Shard, Status};

/// Result of `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the protocol.
    pub protocol: u32,
    /// Version of the daemon.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// Limits that a client can run into.
    pub limits: Limits,
    /// What this daemon can do.
    pub capabilities: Capabilities,
}

/// Limits in [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest request line, bytes.
    pub message_bytes: u64,
    /// Most connections.
    pub connections: u64,
    /// Most requests of one connection at once.
    pub requests_per_connection: u64,
    /// Time of a request that does not say, milliseconds.
    pub timeout_ms: u64,
    /// Longest time a request may ask for, milliseconds.
    pub timeout_max_ms: u64,
    /// A `find` of at most this many rows is answered before exports.
    pub interactive_rows: u64,
    /// Longest query, bytes.
    pub query_bytes: u64,
}

/// Capabilities in [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Methods.
    pub methods: Vec<String>,
    /// Encodings of `find`.
    pub encodings: Vec<String>,
    /// Topics of `subscribe`.
    pub topics: Vec<String>,
}

/// How good one source's part of an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMeta {
    /// The source.
    pub source: String,
    /// Generation of the body answered from.
    pub generation: u64,
    /// Opaque position in the source's change feed.
    pub clock: String,
    /// Age of the body, milliseconds.
    pub age_ms: u64,
    /// True if later changes may be missing.
    pub stale: bool,
    /// False while the first scan runs.
    pub complete: bool,
    /// Why it is stale or incomplete.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// With `wait_fresh_ms`: how it is known that everything is in it that was written before the question: `cookie`,
    /// `queue`, `compared`. Absent if nobody asked for that, or waited in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// Result of `find`, and the part that results of reports share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "summary")]
pub struct Summary {
    /// Always 1.
    pub v: V1,
    /// Exact number of matches (entries; folders, groups in reports); absent if not asked for and not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<u64>,
    /// Rows sent.
    pub shown: u64,
    /// Time in the daemon, microseconds.
    pub elapsed_us: u64,
    /// One per source touched.
    pub meta: Vec<SourceMeta>,
    /// Where to continue, if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `since`: where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// `since`, `ntfs_journal`: whether there was more than the limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// How each source found its part, if asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<Explain>,
    /// `stats`: totals over all groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<StatsTotal>,
    /// `dupes`: what was read and found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dupes: Option<DupesTotal>,
    /// `history`: what there is of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryTotal>,
    /// `ntfs_journal`: what was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<ntfs::JournalTotal>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How one source found its part of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explain {
    /// The source.
    pub source: String,
    /// The accelerator that drove the query.
    pub accelerator: String,
    /// Candidates looked at after the accelerator.
    pub candidates: u64,
    /// Steps in order.
    pub steps: Vec<ExplainStep>,
}

/// One step of an [`Explain`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// What was done.
    pub what: String,
    /// What came out of it.
    pub out: u64,
    /// Time, microseconds.
    pub micros: u64,
}

/// Row of `du`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "folder")]
pub struct DuRow {
    /// Always 1.
    pub v: V1,
    /// Absolute path.
    #[serde(flatten)]
    pub path: PathField,
    /// Sum of sizes of all non-folders below, bytes.
    pub tree_size: u64,
    /// Sum of allocated bytes below.
    pub tree_allocated: u64,
    /// Entries below.
    pub descendants: u64,
    /// The source.
    pub source: String,
}

/// Row of `stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "group")]
pub struct StatsRow {
    /// Always 1.
    pub v: V1,
    /// Name of the group.
    #[serde(flatten)]
    pub key: KeyField,
    /// Entries.
    pub entries: u64,
    /// Sum of sizes of non-folders, bytes.
    pub size: u64,
    /// Sum of allocated bytes.
    pub allocated: u64,
}

/// Totals of `stats` over all groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsTotal {
    /// Entries.
    pub entries: u64,
    /// Sum of sizes of non-folders, bytes.
    pub size: u64,
    /// Sum of allocated bytes.
    pub allocated: u64,
}

/// Row of `dupes`: files of equal content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "duplicates")]
pub struct DupeGroup {
    /// Always 1.
    pub v: V1,
    /// Size of each file, bytes.
    pub size: u64,
    /// BLAKE3 of the content, hex.
    pub hash: String,
    /// The files, ordered by path.
    pub files: Vec<PathField>,
}

/// What `dupes` read and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DupesTotal {
    /// Bytes that keeping one file of each group would free.
    pub wasted: u64,
    /// Bytes read from disk.
    pub read: u64,
    /// False if the read budget ended before everything was compared.
    pub exhaustive: bool,
    /// Files that could not be read or changed meanwhile.
    pub unreadable: u64,
}

/// Result of `add`: a source, and of a disk with several volumes the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The source, of several the first.
    #[serde(flatten)]
    pub source: Source,
    /// The other volumes of the disk, in the order of their partitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Source>,
}

/// A registered source: part of the result of `add`, row of `list` and `unpin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "source")]
pub struct Source {
    /// Always 1.
    pub v: V1,
    /// Number, stable while registered.
    pub id: u64,
    /// Unique name.
    pub name: String,
    /// `volume`, `ntfs`, `ntfs-deleted`.
    pub kind: String,
    /// Absolute root.
    #[serde(flatten)]
    pub root: RootField,
}

/// A source that an operator brought into memory: row of `preload` and `pin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The source.
    #[serde(flatten)]
    pub source: Source,
    /// Heap bytes of its body and digest.
    pub resident_bytes: u64,
    /// Whether it is pinned.
    pub pinned: bool,
    /// When its pin ends, nanoseconds since 1970 UTC; absent if it does not end by itself, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_expires_ns: Option<i64>,
}

/// A source that went out of memory: row of `hibernate`, result of `forget`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freed {
    /// The source.
    #[serde(flatten)]
    pub source: Source,
    /// Heap bytes of its body and digest; queries that hold the body keep it until they end.
    pub freed_bytes: u64,
    /// Bytes of its snapshot that were removed from disk; 0 where it was kept, or there was none.
    pub snapshot_bytes: u64,
}

/// Result of `list` and `unpin`; with other rows, of `preload`, `pin` and `hibernate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<Row = Source> {
    /// Sources in the order of their ids.
    pub sources: Vec<Row>,
}

/// Result of `refresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// Names of the sources whose scan begins or is under way.
    pub sources: Vec<String>,
}

/// Result of `cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelResult {
    /// True if such a request was running or waiting.
    pub cancelled: bool,
}

/// Result of `shutdown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    /// Always true.
    pub stopping: bool,
    /// Process id of the daemon that stops.
    pub pid: u32,
}

/// Result of `config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The file that was looked for.
    pub file: String,
    /// Every setting.
    pub settings: Vec<Setting>,
}

/// One setting of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// Effective value, as in the file.
    pub value: String,
    /// Where it comes from, in words: `default`, file and line, or environment variable.
    pub origin: String,
    /// What it does, one sentence.
    pub help: String,
}

/// Notification `progress`: a scan goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanProgress {
    /// The source.
    pub source: String,
    /// Entries seen.
    pub entries: u64,
    /// Milliseconds since the scan began.
    pub elapsed_ms: u64,
    /// True in the last one.
    pub done: bool,
}

/// Notification `transition`: a shard moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Number of the event, one more than the one before: a gap means that events were lost.
    pub sequence: u64,
    /// When, nanoseconds since 1970 UTC.
    pub at_ns: i64,
    /// Number of the source.
    pub id: u64,
    /// The source.
    pub source: String,
    /// What moved: `tier` or `health`.
    pub axis: String,
    /// Word of the state it was in.
    pub from: String,
    /// Word of the state it is in.
    pub to: String,
    /// `load`, `promote`, `publish`, `digest`, `refresh`, `idle`, `budget`, `pressure`, `preload`,
    /// `pin-expired`, `hibernate`, `forget`, `failed`, `recovered`.
    pub reason: String,
    /// Heap bytes of body and digest in memory after it.
    pub bytes: u64,
    /// Generation after it.
    pub generation: u64,
}

/// Notification `request_progress`: a request goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestProgress {
    /// The request.
    pub id: Id,
    /// Units done.
    pub done: u64,
    /// Units in all, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is counted.
    pub unit: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;

    fn source(name: &str, root: Vec<u8>) -> Source {
        Source { v: V1, id: 3, name: name.into(), kind: "volume".into(), root: RootField(root) }
    }

    fn survives<T: Serialize + DeserializeOwned>(answer: &T) -> T {
        serde_json::from_str(&serde_json::to_string(answer).unwrap()).unwrap()
    }

    #[test]
    fn rows_about_sources_are_source_objects() {
        let freed = Freed { source: source("a", b"/a".to_vec()), freed_bytes: 7, snapshot_bytes: 5 };
        let expect = r#"{"type":"source","v":1,"id":3,"name":"a","kind":"volume","root":"/a","freed_bytes":7,"snapshot_bytes":5}"#;
        assert_eq!(serde_json::to_string(&freed).unwrap(), expect);
        let added = Added { source: freed.source.clone(), more: vec![source("b", b"/b".to_vec())] };
        assert_eq!(survives(&added), added);
        assert_eq!(
            survives::<Source>(&added.source),
            added.source,
            "a client that knows of one gets the first"
        );
        let kept = Kept { source: freed.source, resident_bytes: 9, pinned: false, pin_expires_ns: None };
        let text = serde_json::to_string(&List { sources: vec![kept] }).unwrap();
        assert!(text.ends_with(r#""resident_bytes":9,"pinned":false}]}"#), "{text}");
    }

    proptest! {
        #[test]
        fn operators_answers_survive_the_wire(
            name in ".{1,8}",
            root in proptest::collection::vec(any::<u8>(), 0..12),
            bytes: u64,
            snapshot_bytes: u64,
            pinned: bool,
            pin_expires_ns: Option<i64>,
        ) {
            let source = source(&name, root);
            let freed = Freed { source: source.clone(), freed_bytes: bytes, snapshot_bytes };
            let freed = List { sources: vec![freed] };
            prop_assert_eq!(survives(&freed), freed);
            let kept = Kept { source, resident_bytes: bytes, pinned, pin_expires_ns };
            prop_assert_eq!(survives(&kept), kept);
        }

        #[test]
        fn transitions_survive_the_wire(source in ".{0,8}", sequence: u64, at_ns: i64, bytes: u64) {
            let transition = Transition {
                sequence,
                at_ns,
                id: 1,
                source,
                axis: "tier".into(),
                from: "warm".into(),
                to: "parked".into(),
                reason: "idle".into(),
                bytes,
                generation: 4,
            };
            prop_assert_eq!(survives(&transition), transition);
        }
    }
}
