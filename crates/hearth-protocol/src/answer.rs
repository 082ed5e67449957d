//! Answers: results, the rows of reports, and notifications.
//!
//! Every object of an answer has `"v": 1` and `"type"`, so that it is a line of the command line's
//! `--json` as it stands. Readers ignore fields they do not know.

use crate::bytes::{KeyField, PathField, RootField, V1};
use crate::envelope::Id;
use serde::{Deserialize, Serialize};

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
    /// How each source found its part, if asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<Explain>,
    /// `stats`: totals over all groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<StatsTotal>,
    /// `dupes`: what was read and found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dupes: Option<DupesTotal>,
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

/// A registered source: result of `add` and `forget`, row of `list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "source")]
pub struct Source {
    /// Always 1.
    pub v: V1,
    /// Number, stable while registered.
    pub id: u64,
    /// Unique name.
    pub name: String,
    /// `volume`.
    pub kind: String,
    /// Absolute root.
    #[serde(flatten)]
    pub root: RootField,
}

/// Result of `list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Sources in the order of their ids.
    pub sources: Vec<Source>,
}

/// Result of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The process.
    pub daemon: Daemon,
    /// One per source.
    pub shards: Vec<Shard>,
}

/// The process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "daemon")]
pub struct Daemon {
    /// Always 1.
    pub v: V1,
    /// Process id.
    pub pid: u32,
    /// Version of the daemon.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Heap bytes of all bodies.
    pub resident_bytes: u64,
    /// Memory of the process as the kernel counts it, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Bytes the allocator has handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_bytes: Option<u64>,
    /// Bytes the allocator holds in physical memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocator_resident_bytes: Option<u64>,
    /// Queries answered.
    pub queries_total: u64,
    /// Requests received.
    pub requests_total: u64,
    /// Open connections.
    pub connections: u64,
    /// Interactive requests that wait for a thread.
    pub interactive_waiting: u64,
    /// Bulk requests that wait for a thread.
    pub bulk_waiting: u64,
}

/// State of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "shard")]
pub struct Shard {
    /// Always 1.
    pub v: V1,
    /// Number of the source.
    pub id: u64,
    /// `volume`.
    pub kind: String,
    /// Absolute root.
    #[serde(flatten)]
    pub root: RootField,
    /// Name of the source.
    pub name: String,
    /// `empty`, `loading`, `fresh`, `rebuilding`, `failed`.
    pub health: String,
    /// Generation of the published body; 0 = none.
    pub generation: u64,
    /// Opaque clock of the body.
    pub clock: String,
    /// Age of the body, milliseconds.
    pub age_ms: u64,
    /// Entries in the body.
    pub rows: u64,
    /// Heap bytes of the body.
    pub resident_bytes: u64,
    /// The running scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanning: Option<Scanning>,
    /// The last finished scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scan: Option<LastScan>,
    /// When a query last read it, nanoseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_query_ns: Option<i64>,
    /// Queries that read it.
    pub queries_total: u64,
    /// Times its body was built anew.
    pub rebuilds_total: u64,
    /// When the last good body was published, nanoseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_ns: Option<i64>,
    /// Last error, if the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A running scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanning {
    /// Entries seen.
    pub entries: u64,
    /// Milliseconds since it began.
    pub elapsed_ms: u64,
}

/// A finished scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastScan {
    /// Entries found.
    pub entries: u64,
    /// Milliseconds of the walk.
    pub scan_ms: u64,
    /// Milliseconds of building the index.
    pub build_ms: u64,
    /// Directories or entries that permissions kept closed.
    pub denied: u64,
    /// Entries that vanished while being read.
    pub vanished: u64,
    /// Other errors.
    pub failed: u64,
    /// The first few problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
    /// Mounts and folders left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
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

/// Result of `subscribe` and `unsubscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// Topics now subscribed to.
    pub topics: Vec<crate::params::Topic>,
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
