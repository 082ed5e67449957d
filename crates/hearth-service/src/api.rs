//! Requests and answers of the product's operations, as plain typed values.
//!
//! Faces convert these to and from their wire format; nothing here serialises. Paths are absolute
//! bytes. An operation over several sources answers as one.

mod changes;
pub mod disks;

pub use changes::{
    Change, ChangeKind, SinceAnswer, SinceRequest, WatchBatch, WatchEvent, WatchRequest, WatchedEntry,
};

use crate::error::ServiceError;
pub use crate::pressure::Availability;
use hearth_core::UnixNanos;
use hearth_files::engine::Explain;
use hearth_files::index::{Body, RowId};
pub use hearth_residency::{Health, Pin, Pressure, Reason, Tier};
pub use hearth_watch::ActKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Name of a source: unique, stable, shown to users.
pub type SourceName = String;

/// `find`: search files.
#[derive(Clone, Debug, Default)]
pub struct FindRequest {
    /// Query text (bytes: names need not be Unicode).
    pub query: Vec<u8>,
    /// Folder that relative paths in the query start from; absolute.
    pub cwd: Option<Vec<u8>>,
    /// Only below these absolute folders; empty = every source.
    pub within: Vec<Vec<u8>>,
    /// Sort keys as text (`size:desc,name`); empty = path.
    pub sort: String,
    /// Most rows to deliver; `None` = all.
    pub limit: Option<u64>,
    /// Continue after an earlier page: that answer's `cursor`.
    pub cursor: Option<String>,
    /// Whether the exact total is wanted even where it costs more than the page.
    pub total: bool,
    /// Deliver no rows, only the total.
    pub count_only: bool,
    /// Describe how the answer was found.
    pub explain: bool,
    /// See everything that was written before the question; wait at most this long for that.
    pub wait_fresh: Option<Duration>,
}

/// Rows of one source, delivered in answer order. Bodies are shared: render, do not keep.
pub struct Rows<'a> {
    /// The source that holds the rows.
    pub source: &'a SourceName,
    /// What kind of source that is: inodes of NTFS are file references as keys.
    pub kind: SourceKind,
    /// The instant of the source that is answered from.
    pub body: &'a Arc<Body>,
    /// Rows of `body`, in answer order.
    pub rows: &'a [RowId],
}

/// Receiver of rows. An error ends the operation early and is not an error of the operation.
pub trait RowSink {
    /// Takes the next rows of the answer.
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed>;
}

/// The receiver went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkClosed;

/// How good one source's part of an answer is.
#[derive(Clone, Debug)]
pub struct SourceMeta {
    /// The source.
    pub source: SourceName,
    /// Generation of the body answered from.
    pub generation: u64,
    /// Opaque position in the source's change feed.
    pub clock: String,
    /// Age of the body, milliseconds.
    pub age_ms: u64,
    /// True if changes after the body's clock may be missing.
    pub stale: bool,
    /// True if every entry of the source is in the body (false while the first scan runs).
    pub complete: bool,
    /// Why it is stale or incomplete, in plain words; empty if neither.
    pub why: String,
    /// How it is known that everything is in it that was written before the question; `None` if nobody asked for
    /// that, or waited in vain.
    pub proof: Option<Proof>,
}

/// How a wait for everything that was written before a question was proven to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A file of the daemon's own, made after the question, came through the feed.
    Cookie,
    /// What was in the feed's queue when the question came was taken in.
    Queue,
    /// The source was compared after the question came.
    Compared,
}

/// How changes of a source are noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// `fanotify`, `inotify`, `poll` or `none`.
    pub kind: &'static str,
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
    pub last_compare: Option<CompareOutcome>,
}

/// A comparison of an index with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareOutcome {
    /// When it ended.
    pub at_ns: UnixNanos,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// Entries that were looked at.
    pub looked: u64,
    /// Rows that changed.
    pub changed: u64,
}

/// End of a `find`.
#[derive(Clone, Debug)]
pub struct FindSummary {
    /// Exact number of matching entries; `None` if it was not asked for and did not fall out.
    pub matched: Option<u64>,
    /// Rows delivered.
    pub shown: u64,
    /// Time in the service, microseconds.
    pub elapsed_us: u64,
    /// One per source touched.
    pub sources: Vec<SourceMeta>,
    /// Where to continue, if there is more.
    pub cursor: Option<String>,
    /// Per source, if asked for.
    pub explain: Vec<(SourceName, Explain)>,
}

/// `du`: biggest folders below a folder.
#[derive(Clone, Debug, Default)]
pub struct DuRequest {
    /// Absolute folder; `None` = every source's root.
    pub path: Option<Vec<u8>>,
    /// Levels below the folder to list (1 = its direct folders).
    pub depth: u32,
    /// Most rows, biggest first.
    pub limit: usize,
    /// Order by allocated bytes instead of logical size.
    pub by_allocated: bool,
    /// See everything that was written before the question; wait at most this long for that.
    pub wait_fresh: Option<Duration>,
}

/// Totals of one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuRow {
    /// Absolute path.
    pub path: Vec<u8>,
    /// Sum of sizes of all non-folders below, each directory entry counted.
    pub tree_size: u64,
    /// Sum of allocated bytes below, folders included.
    pub tree_allocated: u64,
    /// Entries below.
    pub descendants: u64,
    /// The source.
    pub source: SourceName,
}

/// Answer of `du`; rows begin with the asked folder itself.
#[derive(Clone, Debug)]
pub struct DuAnswer {
    /// The asked folders, then the biggest below, biggest first.
    pub rows: Vec<DuRow>,
    /// One per source touched.
    pub sources: Vec<SourceMeta>,
    /// Time in the service, microseconds.
    pub elapsed_us: u64,
}

/// What `stats` groups by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsBy {
    /// Extension.
    Ext,
    /// Kind of entry.
    Type,
    /// Size class (powers of ten).
    Size,
    /// Age class of the modification time.
    Age,
    /// Owner.
    Owner,
    /// Top folder below each asked root.
    Folder,
}

/// `stats`: counts and bytes per group.
#[derive(Clone, Debug)]
pub struct StatsRequest {
    /// Grouping.
    pub by: StatsBy,
    /// Only entries that match this query; empty = all.
    pub query: Vec<u8>,
    /// Folder that relative paths in the query start from; absolute.
    pub cwd: Option<Vec<u8>>,
    /// Only below these absolute folders; empty = every source.
    pub within: Vec<Vec<u8>>,
    /// Most groups, largest bytes first (classes: natural order).
    pub limit: usize,
    /// See everything that was written before the question; wait at most this long for that.
    pub wait_fresh: Option<Duration>,
}

/// One group of `stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsRow {
    /// Name of the group (bytes: extensions and folders need not be Unicode). Extensions are folded,
    /// none is empty; folders form the group `/` where groups are about files (extension, size).
    pub key: Vec<u8>,
    /// Entries.
    pub entries: u64,
    /// Sum of logical sizes of non-folders.
    pub size: u64,
    /// Sum of allocated bytes.
    pub allocated: u64,
}

/// Answer of `stats`.
#[derive(Clone, Debug)]
pub struct StatsAnswer {
    /// Groups in order.
    pub rows: Vec<StatsRow>,
    /// Number of groups before the limit.
    pub groups: u64,
    /// Everything that matched, over all groups.
    pub total: StatsRow,
    /// One per source touched.
    pub sources: Vec<SourceMeta>,
    /// Time in the service, microseconds.
    pub elapsed_us: u64,
}

/// `dupes`: files of equal content.
#[derive(Clone, Debug)]
pub struct DupesRequest {
    /// Only entries that match this query; empty = all.
    pub query: Vec<u8>,
    /// Folder that relative paths in the query start from; absolute.
    pub cwd: Option<Vec<u8>>,
    /// Only below these absolute folders; empty = every source.
    pub within: Vec<Vec<u8>>,
    /// Smallest size to consider, bytes (at least 1).
    pub min_size: u64,
    /// Most bytes to read from disk in all; 0 = the configured budget. The answer says when it was
    /// spent.
    pub read_budget: u64,
    /// Most groups, most wasted bytes first.
    pub limit: usize,
    /// See everything that was written before the question; wait at most this long for that.
    pub wait_fresh: Option<Duration>,
}

/// One set of files with equal content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DupeGroup {
    /// Size of each, bytes.
    pub size: u64,
    /// BLAKE3 of the content, hex.
    pub hash: String,
    /// Absolute paths, ordered; one inode appears once, under its first path.
    pub paths: Vec<Vec<u8>>,
}

/// Progress of a long operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, if known.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: &'static str,
}

/// Answer of `dupes`.
#[derive(Clone, Debug)]
pub struct DupesAnswer {
    /// Groups, most wasted bytes first.
    pub groups: Vec<DupeGroup>,
    /// Groups before the limit.
    pub groups_total: u64,
    /// Bytes that would be freed by keeping one file of each group.
    pub wasted: u64,
    /// Bytes read from disk.
    pub read: u64,
    /// False if the read budget ended before everything was compared.
    pub exhaustive: bool,
    /// Files that could not be read or changed meanwhile.
    pub unreadable: u64,
    /// One per source touched.
    pub sources: Vec<SourceMeta>,
    /// Time in the service, microseconds.
    pub elapsed_us: u64,
}

/// `history`: which program made, changed or removed something.
#[derive(Clone, Debug, Default)]
pub struct HistoryRequest {
    /// Absolute path: acts on it and on what is below it. It need not exist (any more).
    pub path: Option<Vec<u8>>,
    /// Query text that names and paths must match; empty = all. What looks at metadata is refused.
    pub query: Vec<u8>,
    /// Folder that relative paths in the query start from; absolute.
    pub cwd: Option<Vec<u8>>,
    /// Only below these absolute folders; empty = every source.
    pub within: Vec<Vec<u8>>,
    /// Most rows, newest first.
    pub limit: usize,
}

/// Something that a program did to a name, or several equal acts in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Absolute path it had then; `…/name` in a folder that came and went before it was seen.
    pub path: Vec<u8>,
    /// Inode of a folder that was never seen.
    pub unseen_folder: Option<u64>,
    /// What was done.
    pub kind: ActKind,
    /// When it was done first.
    pub first_ns: UnixNanos,
    /// When it was done last.
    pub at_ns: UnixNanos,
    /// How often it was done.
    pub times: u64,
    /// Number of the process; 0 if it is not visible to this one.
    pub pid: u32,
    /// Name of the program (`comm`); empty if the process was gone before it could be asked.
    pub command: String,
    /// Effective user of the process; `None` if it was gone.
    pub uid: Option<u32>,
    /// Name of the user, where it is known.
    pub user: Option<String>,
    /// The source.
    pub source: SourceName,
}

/// Answer of `history`.
#[derive(Clone, Debug)]
pub struct HistoryAnswer {
    /// Acts, newest first.
    pub rows: Vec<HistoryRow>,
    /// Rows before the limit.
    pub matched: u64,
    /// Acts that are kept of the sources that were asked.
    pub kept: u64,
    /// Acts in their file systems that could not be kept, because they came too fast.
    pub dropped: u64,
    /// Whether acts are kept at all.
    pub on: bool,
    /// Why acts are not kept, or not those of every source, and what to do; empty if all are.
    pub why: String,
    /// Time in the service, microseconds.
    pub elapsed_us: u64,
}

/// Kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A mounted file system, or a tree in one.
    Volume,
    /// An NTFS disk or image, read raw.
    Ntfs,
    /// What was deleted from one of those, as far as it can be told.
    NtfsDeleted,
}

impl SourceKind {
    /// The word of the list of sources and of the JSON field `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Volume => "volume",
            SourceKind::Ntfs => "ntfs",
            SourceKind::NtfsDeleted => "ntfs-deleted",
        }
    }
}

/// A registered source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Number, stable while registered.
    pub id: u64,
    /// Unique name.
    pub name: SourceName,
    /// What kind of source it is.
    pub kind: SourceKind,
    /// Absolute root.
    pub root: Vec<u8>,
}

/// One source in `status`.
#[derive(Clone, Debug)]
pub struct ShardStatus {
    /// The source.
    pub source: SourceInfo,
    /// How much of it is in memory.
    pub tier: Tier,
    /// How good its body is.
    pub health: Health,
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
    /// Bytes set aside for a load or build under way.
    pub reserved_bytes: u64,
    /// Bytes of its replaced or given-up bodies that queries still hold.
    pub retained_bytes: u64,
    /// Most bytes it held at one time since it came into memory.
    pub high_water_bytes: u64,
    /// Whether it must stay in memory.
    pub pinned: bool,
    /// When the pin ends; `None` if it does not end by itself, or there is none.
    pub pin_expires_ns: Option<UnixNanos>,
    /// Entries seen by the running scan, if one runs.
    pub scanning: Option<ScanProgress>,
    /// Outcome of the last finished scan.
    pub last_scan: Option<ScanOutcome>,
    /// When a query last read it.
    pub last_query_ns: Option<UnixNanos>,
    /// Queries that read it.
    pub queries_total: u64,
    /// Queries a minute, decaying.
    pub query_rate_per_min: f64,
    /// Times a query or an operator brought it into memory.
    pub promotions_total: u64,
    /// Bodies that were made where none was in memory.
    pub loads_total: u64,
    /// Bodies that replaced one in memory.
    pub rebuilds_total: u64,
    /// When the last good body was published.
    pub last_good_ns: Option<UnixNanos>,
    /// Attempts that failed since the last one that did not.
    pub retry_count: u32,
    /// When the next attempt is due, after a failure.
    pub next_retry_ns: Option<UnixNanos>,
    /// Last error, if the last attempt failed.
    pub last_error: Option<String>,
    /// What the last load found in the place of the snapshot; `None` before the first load.
    pub load_reason: Option<LoadReason>,
    /// The snapshot on disk, if there is one that can be loaded.
    pub snapshot: Option<SnapshotFile>,
    /// True if the body in memory is newer than the snapshot and is still to be saved.
    pub unsaved: bool,
    /// Why the last save failed, until one succeeds.
    pub last_save_error: Option<String>,
    /// How its changes are noticed.
    pub feed: FeedStatus,
    /// How the last body of an NTFS volume came to be; `None` for other sources.
    pub disk: Option<DiskStatus>,
}

/// How an index came to follow its NTFS volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskStatus {
    /// `read`: the whole file table; `replayed`: the change journal; `unchanged`: nothing had happened.
    pub how: &'static str,
    /// Why the whole file table was read.
    pub reason: Option<LoadReason>,
    /// When.
    pub at_ns: UnixNanos,
    /// Records read: of the file table, or of the journal.
    pub records: u64,
    /// Files that were looked at.
    pub files: u64,
    /// Entries that a replay changed.
    pub changed: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}

/// A snapshot on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Length of the file, bytes.
    pub bytes: u64,
    /// When it was saved.
    pub saved_ns: UnixNanos,
}

/// What came of looking for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReason {
    /// One word: `loaded`, or why not: `missing`, `stale-by-ttl`, `stale-vs-source`, `stale-by-epoch`, `io`,
    /// `key-unavailable`, `decrypt-failed`, `decompress-failed`, `parse`, `scratch`, `deserialize`.
    pub word: &'static str,
    /// The same in a sentence; empty for `loaded`.
    pub text: String,
    /// True if an operator should look into it: not for `loaded` and what is expected now and then.
    pub unexpected: bool,
}

/// A running scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanProgress {
    /// Entries seen.
    pub entries: u64,
    /// Milliseconds since it began.
    pub elapsed_ms: u64,
}

/// A finished scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanOutcome {
    /// Entries found.
    pub entries: u64,
    /// Milliseconds of the walk.
    pub scan_ms: u64,
    /// Milliseconds of building the index after the walk.
    pub build_ms: u64,
    /// Directories or entries that permissions kept closed.
    pub denied: u64,
    /// Entries that vanished while being read.
    pub vanished: u64,
    /// Other errors.
    pub failed: u64,
    /// The first few problems, in words.
    pub samples: Vec<String>,
    /// Mounts below the root that are other volumes or virtual, and excluded folders.
    pub skipped: Vec<String>,
}

/// `status`.
#[derive(Clone, Debug)]
pub struct Status {
    /// Since the service began, seconds.
    pub uptime_s: u64,
    /// Queries answered.
    pub queries_total: u64,
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
    /// Everything that counts against the budget: the above and what the process was measured to hold besides.
    pub held_bytes: u64,
    /// Most that ever counted.
    pub high_water_bytes: u64,
    /// Bodies and digests that cannot be given up.
    pub pinned_bytes: u64,
    /// How short of memory the machine is.
    pub pressure: Pressure,
    /// One per source.
    pub shards: Vec<ShardStatus>,
}

/// `doctor`: the state of everything, what memory is judged by, and what went wrong.
#[derive(Debug)]
pub struct Doctor {
    /// The same as of `status`.
    pub status: Status,
    /// What memory pressure and the default budget can be read from on this machine.
    pub signals: Vec<Availability>,
    /// Sources whose last attempt failed, in the order of the status.
    pub failures: Vec<SourceFailure>,
    /// Where snapshots are kept and under which key.
    pub snapshots: SnapshotPlace,
}

/// Where snapshots are kept and under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPlace {
    /// The folder.
    pub folder: PathBuf,
    /// What is done with it.
    pub mode: SnapshotMode,
    /// Where the machine key comes from, in words, or why there is none.
    pub key: Result<String, String>,
    /// Length of all snapshots of registered sources, bytes.
    pub bytes: u64,
}

/// What a service does with snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotMode {
    /// Neither loads nor saves any.
    #[default]
    Off,
    /// Loads them; another process saves them.
    ReadOnly,
    /// Loads and saves them.
    ReadWrite,
}

/// What changing the machine key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    /// The file that holds the new key.
    pub key_file: PathBuf,
    /// Sources whose snapshots open with it.
    pub resealed: Vec<SourceName>,
    /// Sources whose snapshots do not, and why: they are made anew.
    pub left_out: Vec<(SourceName, String)>,
}

/// Why a source could not be read when that was last tried.
#[derive(Debug)]
pub struct SourceFailure {
    /// The source.
    pub source: SourceName,
    /// What a question that needs it is told.
    pub error: ServiceError,
    /// When it is tried again by itself.
    pub next_retry_ns: Option<UnixNanos>,
}

/// A source that was forgotten, or went out of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    /// The source.
    pub source: SourceInfo,
    /// Bytes of its body and digest; queries that hold the body keep it until they end.
    pub freed_bytes: u64,
    /// Bytes of its snapshot that were removed from disk; 0 where it was kept, or there was none.
    pub snapshot_bytes: u64,
}

/// A source that an operator brought into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The source.
    pub source: SourceInfo,
    /// Bytes of its body and digest.
    pub resident_bytes: u64,
    /// When its pin ends; `None` if it does not end by itself, or there is none.
    pub pin_expires_ns: Option<UnixNanos>,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// The axis that a shard moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// How much of it is in memory.
    Tier,
    /// How good its body is.
    Health,
}

/// One move of a shard, as subscribers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionEvent {
    /// Number of the event, one more than the one before: a gap means that events were lost.
    pub sequence: u64,
    /// When.
    pub at_ns: UnixNanos,
    /// Number of the source.
    pub id: u64,
    /// The source.
    pub source: SourceName,
    /// What moved.
    pub axis: Axis,
    /// Word of the state it was in.
    pub from: &'static str,
    /// Word of the state it is in.
    pub to: &'static str,
    /// Why.
    pub reason: Reason,
    /// Bytes of body and digest in memory after it.
    pub bytes: u64,
    /// Generation after it.
    pub generation: u64,
}
