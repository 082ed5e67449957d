//! The answer of `status`: the process, and one shard per source.
//!
//! All numbers of one answer are of one instant. Bytes of the daemon are sums over its shards, but for
//! what the process was measured to hold.

use crate::bytes::{RootField, V1};
use serde::{Deserialize, Serialize};

/// Result of `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The memory budget.
    pub budget_bytes: u64,
    /// Heap bytes of all bodies and digests.
    pub resident_bytes: u64,
    /// Heap bytes of all digests.
    pub digest_bytes: u64,
    /// Set aside for loads and builds under way.
    pub reserved_bytes: u64,
    /// Replaced or given-up bodies that queries still hold.
    pub retained_bytes: u64,
    /// Everything that counts against the budget.
    pub held_bytes: u64,
    /// Most that ever counted.
    pub high_water_bytes: u64,
    /// Bodies and digests that cannot be given up.
    pub pinned_bytes: u64,
    /// How short of memory the machine is: `none`, `some`, `critical`.
    pub pressure: String,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// How much of it is in memory: `cold`, `parked`, `warm`, `hot`.
    pub tier: String,
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
    /// Heap bytes of body and digest.
    pub resident_bytes: u64,
    /// Heap bytes of the digest.
    pub digest_bytes: u64,
    /// Set aside for a load or build under way.
    pub reserved_bytes: u64,
    /// Its replaced or given-up bodies that queries still hold.
    pub retained_bytes: u64,
    /// Most bytes it held at one time since it came into memory.
    pub high_water_bytes: u64,
    /// Whether it must stay in memory.
    pub pinned: bool,
    /// When the pin ends, nanoseconds since 1970 UTC; absent if it does not end by itself, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_expires_ns: Option<i64>,
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
    /// Queries a minute, decaying, to two decimals.
    pub query_rate_per_min: f64,
    /// Times a query or an operator brought it into memory.
    pub promotions_total: u64,
    /// Bodies that were made where none was in memory.
    pub loads_total: u64,
    /// Bodies that replaced one in memory.
    pub rebuilds_total: u64,
    /// When the last good body was published, nanoseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_ns: Option<i64>,
    /// Attempts that failed since the last one that did not.
    pub retry_count: u32,
    /// When the next attempt is due after a failure, nanoseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry_ns: Option<i64>,
    /// Last error, if the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What the last load found in the place of the snapshot, one word: `loaded`, or why it was not: `missing`,
    /// `stale-by-ttl`, `stale-vs-source`, `stale-by-epoch`, `io`, `key-unavailable`, `decrypt-failed`,
    /// `decompress-failed`, `parse`, `scratch`, `deserialize`. Absent before the first load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_reason: Option<String>,
    /// The same in a sentence, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_text: Option<String>,
    /// Length of its snapshot on disk, bytes; 0 without one.
    pub snapshot_bytes: u64,
    /// When that was saved, nanoseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_saved_ns: Option<i64>,
    /// True if the body in memory is newer than the snapshot and is still to be saved.
    pub unsaved: bool,
    /// Why the last save failed, until one succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_save_error: Option<String>,
    /// How its changes are noticed.
    pub feed: Feed,
    /// How the last body of an NTFS volume came to be; absent of other sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskUpdate>,
}

/// How changes of a source are noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// `fanotify`, `inotify`, `journal`, `poll` or `none`.
    pub kind: String,
    /// True if changes are told as they happen.
    pub live: bool,
    /// The same in a phrase, with the reason where it is not the best kind.
    pub text: String,
    /// Times that changes came faster than they could be taken.
    pub overflows_total: u64,
    /// Bodies that followed by taking changes in.
    pub advances_total: u64,
    /// Places that were looked at again.
    pub looks_total: u64,
    /// The last comparison with the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_compare: Option<Compared>,
}

/// A comparison of an index with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// When it ended, nanoseconds since 1970 UTC.
    pub at_ns: i64,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// Entries that were looked at.
    pub looked: u64,
    /// Rows that changed.
    pub changed: u64,
}

/// How the index came to follow its NTFS volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUpdate {
    /// `read`: the whole file table; `replayed`: the change journal; `unchanged`: nothing had happened.
    pub how: String,
    /// Why the whole file table was read, a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_text: Option<String>,
    /// When, nanoseconds since 1970 UTC.
    pub at_ns: i64,
    /// Records read: of the file table, or of the journal.
    pub records: u64,
    /// Files that were looked at.
    pub files: u64,
    /// Entries that a replay changed.
    pub changed: u64,
    /// Milliseconds it took.
    pub took_ms: u64,
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
