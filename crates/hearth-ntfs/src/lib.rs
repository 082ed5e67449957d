//! NTFS as bytes: boot sector, file records and their attributes, change journal.
//!
//! Everything works over [`ReadAt`] and reads only. The input is never trusted: whatever the bytes are, nothing
//! here panics, loops without end or allocates more than the input can justify. What cannot be read is
//! counted and said. Nothing here knows what an index is.

mod attribute;
mod boot;
mod bytes;
mod content;
pub mod details;
mod error;
mod file;
mod information;
mod limits;
mod list;
pub mod logfile;
mod name;
pub mod partitions;
mod parts;
mod read;
mod reading;
mod record;
mod reference;
mod reparse;
mod runs;
mod time;
pub mod upcase;
pub mod usn;
mod value;
mod volume;

pub use boot::Geometry;
pub use content::Content;
pub use error::NtfsError;
pub use file::{DataSize, File, FileName, Namespace, Standard, Stream, Visit};
pub use information::Information;
pub use name::Utf16;
pub use read::{OpenFile, ReadAt, Window};
pub use reading::{Counters, ReadReport, Which};
pub use record::Slot;
pub use reference::FileReference;
pub use reparse::{Reparse, Target};
pub use runs::Run;
pub use time::unix_nanos;
pub use volume::{RecordBytes, Volume};
