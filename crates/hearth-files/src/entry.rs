//! One directory entry's metadata, and the raw rows that a scan hands to the index builder.
//!
//! These types are the seam between the sources of a volume (a walk, a change feed) and the index, so
//! neither side knows the other. Names are raw bytes without NUL and without `/`; a row's place in a chunk
//! means nothing, only its folder number and its name do.

mod rows;

pub use rows::{RowIter, Rows};

use hearth_core::{EntryKind, NO_TIME, UnixNanos};

/// In [`Meta::uid`] and [`Meta::gid`]: the file system knows no such owners (NTFS), or this one could not be read.
pub const NO_OWNER: u32 = u32::MAX;

/// In [`Meta::attributes`]: the entry was deleted, and its record still tells of it. No attribute of NTFS has
/// this bit.
pub const DELETED: u32 = 1 << 31;

/// Metadata of one inode as the file system reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    /// Logical size, bytes.
    pub size: u64,
    /// Bytes allocated on disk (512-byte blocks of `stat(2)` times 512).
    pub allocated: u64,
    /// Last modification of the content.
    pub modified_ns: UnixNanos,
    /// Birth time, or [`NO_TIME`].
    pub created_ns: UnixNanos,
    /// Last access.
    pub accessed_ns: UnixNanos,
    /// Inode number (NTFS: file reference).
    pub inode: u64,
    /// Type and permission bits of `stat(2)`. Of NTFS the type bits alone.
    pub mode: u32,
    /// Owner, or [`NO_OWNER`].
    pub uid: u32,
    /// Group, or [`NO_OWNER`].
    pub gid: u32,
    /// Number of hard links.
    pub links: u32,
    /// Attributes of NTFS as Windows reports them (`FILE_ATTRIBUTE_…`, "File Attribute Constants": that of directories
    /// included, which no record stores) and [`DELETED`]; 0 where the file system has none.
    pub attributes: u32,
}

impl Meta {
    /// Metadata of an entry whose name is known and whose inode could not be read.
    pub fn unknown(kind: EntryKind, inode: u64) -> Self {
        Meta {
            size: 0,
            allocated: 0,
            modified_ns: NO_TIME,
            created_ns: NO_TIME,
            accessed_ns: NO_TIME,
            inode,
            mode: kind.type_bits(),
            uid: NO_OWNER,
            gid: NO_OWNER,
            links: 1,
            attributes: 0,
        }
    }

    /// Kind from the type bits of `mode`.
    pub fn kind(&self) -> EntryKind {
        EntryKind::from_mode(self.mode)
    }
}

/// Number of a directory within one scan; 0 is the root of the volume.
pub type ScanDir = u32;

/// In [`RawRow::dir`]: the row is not a directory.
pub const NOT_A_DIR: ScanDir = u32::MAX;

/// One entry as a scan found it. The name lives in the chunk's `names`.
#[derive(Clone, Copy, Debug)]
pub struct RawRow {
    /// Directory that holds the entry.
    pub parent: ScanDir,
    /// The entry's own number if it is a directory, else [`NOT_A_DIR`].
    pub dir: ScanDir,
    /// Start of the name among those of the chunk.
    pub name_start: u32,
    /// Length of the name, bytes.
    pub name_len: u16,
    /// The entry's metadata.
    pub meta: Meta,
}

/// A batch of raw rows. Rows of one directory may be spread over chunks; a chunk may arrive before
/// the chunk that holds its parent's own row.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// The rows, in no particular order.
    pub rows: Rows,
    /// Names of the rows, back to back, no separators.
    pub names: Vec<u8>,
}

impl Chunk {
    /// Adds one row.
    pub fn push(&mut self, parent: ScanDir, dir: ScanDir, name: &[u8], meta: Meta) {
        assert!(u16::try_from(name.len()).is_ok(), "names are shorter than 64 KiB");
        self.names.extend_from_slice(name);
        assert!(u32::try_from(self.names.len()).is_ok(), "a chunk holds less than 4 GiB of names");
        self.rows.push(parent, dir, name.len(), &meta);
    }

    /// Gives back memory that was taken in advance.
    pub fn shrink_to_fit(&mut self) {
        self.rows.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    /// The names of the rows, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.names.as_slice();
        self.rows.names().map(move |(len, _)| {
            let (name, after) = rest.split_at(len);
            rest = after;
            name
        })
    }

    /// Name of one of this chunk's rows.
    pub fn name(&self, row: &RawRow) -> &[u8] {
        let start = row.name_start as usize;
        &self.names[start..start + usize::from(row.name_len)]
    }
}
