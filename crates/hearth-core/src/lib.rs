//! Ground vocabulary of Hearth: kinds, times, limits, cancellation, heap accounting.
//!
//! Everything here is plain data or a small synchronisation primitive. Nothing touches disk,
//! network or environment, and nothing knows what an index is, so every other crate may use it.

mod cancel;
mod heap;
mod kind;
pub mod limits;
mod size;

pub use cancel::{CancelToken, Cancelled};
pub use heap::HeapSize;
pub use kind::EntryKind;
pub use size::human_bytes;

/// Nanoseconds since 1970-01-01 UTC, signed, as file systems report them.
pub type UnixNanos = i64;

/// Stands in a time column where the file system has no such time.
pub const NO_TIME: UnixNanos = i64::MIN;
