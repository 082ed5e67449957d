//! NTFS as bytes: boot sector, file records and their attributes, change journal.
//!
//! Everything works over [`ReadAt`] and reads only. The input is never trusted: whatever the bytes are, nothing
//! here panics, loops without end or allocates more than the input can justify. What cannot be read is
//! counted and said. Nothing here knows what an index is.

mod error;
mod file;
mod name;
mod read;
mod reference;
mod time;
pub mod usn;

pub use error::NtfsError;
pub use file::{DataSize, File, FileName, Namespace, Reparse, Standard, Stream, Visit};
pub use name::Utf16;
pub use read::{OpenFile, ReadAt, Window};
pub use reference::FileReference;
pub use time::unix_nanos;
