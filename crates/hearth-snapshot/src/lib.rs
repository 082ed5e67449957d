//! The sealed container of Hearth: a file of sections that a restart loads instead of scanning.
//!
//! [`Writer`] makes one, [`Reader`] opens one. A section is bytes under a number; what they mean is the
//! caller's business. `docs/design/snapshot.md` draws the file byte by byte.
//!
//! What always holds:
//! - nothing of a section or of a header reaches the disk in clear;
//! - what a reader hands out was saved under exactly this header, at exactly this place;
//! - a path holds the old or the new snapshot, whatever happens while one is saved;
//! - any input ends in content or in one [`LoadError`], and in no more memory than its size justifies.
//!
//! Everything goes through a [`Storage`]: the real one, or a disk in memory that cuts, tears and lies.
#![forbid(unsafe_code)]

mod codec;
mod error;
mod fields;
mod header;
mod key;
mod layout;
mod reader;
mod rotate;
mod seal;
mod slot;
mod storage;
mod table;
mod temporary;
mod workbench;
mod writer;

pub use codec::Codec;
pub use error::{Level, LoadError, SaveError};
pub use header::{Expected, Freshness, Header};
pub use key::{
    CREDENTIAL_NAME, FoundKey, KEY_FILE_NAME, KeyError, KeyOrigin, KeyPlaces, MachineKey, find_key,
};
pub use layout::{CHUNK_BYTES, FORMAT_VERSION};
pub use reader::{Reader, Section};
pub use rotate::{Rotation, add_key, keep_only_key, rotate_key_file};
pub use storage::lying::{Fault, LyingDisk, Manners};
pub use storage::real::RealStorage;
pub use storage::{Listed, Onto, Open, Ownership, Storage, StorageFile};
pub use temporary::{Swept, sweep, sweep_of};
pub use writer::{Saved, Writer};
