//! The index of one volume: an immutable, compressed base and a small persistent delta.
//!
//! [`Body`] is what queries read: one instant, shared, never changing. [`Body::build`] makes one
//! from scan output, [`Volume`] applies changes and hands out new bodies, [`Body::fold`] makes the
//! delta part of a new base. Numbers of rows belong to one body and mean nothing in another.

mod base;
mod bits;
mod body;
mod build;
mod column;
mod delta;
mod folders;
mod grams;
mod inodes;
mod intern;
mod names;
mod paged;
mod peaks;
pub(crate) mod stored;
mod volume;

pub use body::Body;
pub use names::{DictError, extension};
pub use stored::{Section, SectionId, SectionSource, SourceError, StoredError};
pub use volume::{Applied, Change, Volume};

pub(crate) use base::{Base, Class, DirId, expected_allocation, partition};
pub(crate) use bits::Ones;
pub(crate) use column::{ZONE_ROWS, ZoneMap};
pub(crate) use delta::{NONE, ROOT, TEXT_ROWS};
pub(crate) use grams::{BlockSet, BlockWalk, GramLiteral};
pub(crate) use names::{BLOCK as BLOCK_NAMES, NameDict, Needle};
pub(crate) use peaks::Peaks;
pub(crate) use volume::Known;

use crate::entry::Meta;
use hearth_core::Cancelled;

/// Row number within one body; meaningless in any other body.
pub type RowId = u32;

/// Root of a volume.
#[derive(Clone, Debug)]
pub struct Root {
    /// Absolute path without trailing slash; "" for `/`.
    pub path: Vec<u8>,
    /// Metadata of the root directory.
    pub meta: Meta,
}

impl Root {
    /// Last component of the path; "" for `/`.
    pub(crate) fn name(&self) -> &[u8] {
        self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }
}

/// Totals of everything below a folder (the folder itself not counted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries directly in it.
    pub children: u64,
    /// Entries anywhere below.
    pub descendants: u64,
    /// Sum of sizes of non-folders below, each directory entry counted.
    pub size: u64,
    /// Sum of allocated bytes of everything below.
    pub allocated: u64,
}

/// One entry, materialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Absolute path.
    pub path: Vec<u8>,
    /// Where the name begins in `path`.
    pub name_start: usize,
    /// Metadata.
    pub meta: Meta,
    /// Components of the absolute path (`/` is 0).
    pub depth: u32,
    /// Folder totals; `None` for other entries.
    pub totals: Option<Totals>,
}

/// Why no body was built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// More entries than row numbers.
    #[error("{entries} entries, the limit of one volume is {limit}")]
    TooManyEntries {
        /// Entries in the scan.
        entries: usize,
        /// The limit.
        limit: usize,
    },
    /// The distinct names do not fit the dictionary.
    #[error("the names of this volume cannot be indexed: {0}")]
    Names(#[from] DictError),
}
