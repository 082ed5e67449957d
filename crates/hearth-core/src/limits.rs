//! Every fixed limit of the product, in one place, with its unit.

/// Longest query text, bytes.
pub const QUERY_BYTES: usize = 16 * 1024;
/// Deepest nesting of groups in a query.
pub const QUERY_DEPTH: usize = 64;
/// Most terms in one query.
pub const QUERY_TERMS: usize = 512;
/// Size limit of one compiled regular expression, bytes.
pub const REGEX_BYTES: usize = 4 * 1024 * 1024;
/// Longest name of one directory entry, bytes. A named stream of NTFS has the longest, `file:stream`, each up to 255
/// UTF-16 units, of at most three bytes as WTF-8.
pub const NAME_BYTES: usize = 3 * 255 + 1 + 3 * 255;
/// Deepest directory nesting that is indexed.
pub const TREE_DEPTH: usize = 4096;
/// Most entries in one volume (row numbers are 32-bit, with room for a delta).
pub const VOLUME_ENTRIES: usize = 1 << 31;
/// Longest RPC message (one line), bytes.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// Most simultaneous connections.
pub const CONNECTIONS: usize = 256;
/// Requests of one connection that may run or wait at once.
pub const REQUESTS_PER_CONNECTION: usize = 32;
/// Interactive requests that may wait for a worker.
pub const INTERACTIVE_QUEUE: usize = 1024;
/// Bulk requests (exports, duplicates) that may wait for a worker.
pub const BULK_QUEUE: usize = 64;
/// Default time one request may take, milliseconds.
pub const REQUEST_TIMEOUT_MS: u64 = 60_000;
/// Longest time one request may ask for, milliseconds.
pub const REQUEST_TIMEOUT_MAX_MS: u64 = 3_600_000;
