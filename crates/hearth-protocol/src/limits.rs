//! Limits of the wire, beside the product's own in [`hearth_core::limits`].

/// Longest request line, bytes, its newline not counted.
pub use hearth_core::limits::MESSAGE_BYTES;

/// Bytes of one `rows` notification after which its rows are sent (one row may be longer).
pub const ROWS_BYTES: usize = 64 * 1024;
/// Bytes of one raw frame after which it is sent (one path may be longer).
pub const RAW_FRAME_BYTES: usize = 256 * 1024;
/// Longest line a client accepts from a daemon, bytes: a single row may list very many duplicates.
pub const REPLY_BYTES: usize = 256 * 1024 * 1024;
/// Longest raw frame a client accepts, bytes.
pub const RAW_FRAME_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Longest request id that is text, bytes.
pub const ID_BYTES: usize = 256;
/// A `find` that may deliver more rows than this runs in the bulk lane.
pub const INTERACTIVE_ROWS: u64 = 10_000;
/// Most folders in one `in` list.
pub const WITHIN_PATHS: usize = 1024;
/// Most sources that one request names.
pub const SOURCES: usize = 1024;
/// Longest pin that ends by itself, minutes: a year.
pub const PIN_MINUTES: u64 = 365 * 24 * 60;
/// Most rows of one `du`, `stats`, `dupes` or `history` answer.
pub const REPORT_ROWS: u64 = 1_000_000;
/// Deepest level of one `du` answer.
pub const DU_DEPTH: u32 = 4096;
/// Most standing queries of one connection.
pub const WATCHES: usize = 16;
