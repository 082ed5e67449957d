//! An entry of a file system, as a row of an answer: what a client reads, what a daemon renders.
//!
//! Two shapes of the same fields, because the two sides need different things: owned and tolerant of
//! absent fields for reading, borrowed and complete for writing. Bytes that are not UTF-8 travel as base64.

use crate::bytes::B64;
use hearth_core::EntryKind;
use serde::{Deserialize, Serialize};

/// One row of `find` as a client reads it. Fields that were not asked for are `None`; so are times
/// that the file system does not have, and folder totals of entries that are not folders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Absolute path, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Absolute path, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<B64>,
    /// Last component of the path, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Last component of the path, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_b64: Option<B64>,
    /// Word of [`EntryKind::as_str`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Logical size, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Bytes allocated on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated: Option<u64>,
    /// Last modification, nanoseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_ns: Option<i64>,
    /// Birth, nanoseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_ns: Option<i64>,
    /// Last access, nanoseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accessed_ns: Option<i64>,
    /// Type and permission bits of `stat(2)`; entries of NTFS have none, nor owner and group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// NTFS: attributes as letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<String>,
    /// Inode number; NTFS: number of the file record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<u64>,
    /// NTFS: which use of the record it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u16>,
    /// Hard links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<u32>,
    /// NTFS: true of what was deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Name of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Components of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Folder: entries directly in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<u64>,
    /// Folder: entries anywhere below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descendants: Option<u64>,
    /// Folder: sum of sizes below, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
    /// Folder: sum of allocated bytes below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_allocated: Option<u64>,
}

impl Entry {
    /// The path, empty if it was not asked for.
    pub fn path_bytes(&self) -> &[u8] {
        either(self.path.as_deref(), self.path_b64.as_ref())
    }

    /// The name, empty if it was not asked for.
    pub fn name_bytes(&self) -> &[u8] {
        either(self.name.as_deref(), self.name_b64.as_ref())
    }

    /// The kind, if it was asked for.
    pub fn kind(&self) -> Option<EntryKind> {
        self.kind.as_deref().and_then(EntryKind::from_word)
    }
}

fn either<'a>(text: Option<&'a str>, b64: Option<&'a B64>) -> &'a [u8] {
    text.map(str::as_bytes).or(b64.map(|b64| b64.0.as_slice())).unwrap_or_default()
}

/// Everything a daemon knows about one entry, borrowed: input of [`crate::render::append_entry`].
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    /// Absolute path.
    pub path: &'a [u8],
    /// Where the name begins in `path`.
    pub name_start: usize,
    /// Kind.
    pub kind: EntryKind,
    /// Logical size, bytes.
    pub size: u64,
    /// Bytes allocated on disk.
    pub allocated: u64,
    /// Last modification, or [`hearth_core::NO_TIME`].
    pub modified_ns: i64,
    /// Birth, or [`hearth_core::NO_TIME`].
    pub created_ns: i64,
    /// Last access, or [`hearth_core::NO_TIME`].
    pub accessed_ns: i64,
    /// What only some file systems have.
    pub own: OwnView<'a>,
    /// Inode number, or number of the file record.
    pub file_id: u64,
    /// Hard links.
    pub links: u32,
    /// Name of the source.
    pub source: &'a str,
    /// Components of the path.
    pub depth: u32,
    /// Folder totals.
    pub totals: Option<TotalsView>,
}

/// The part of an [`EntryView`] that depends on the kind of file system.
#[derive(Clone, Copy, Debug)]
pub enum OwnView<'a> {
    /// A file system with owners.
    Unix {
        /// Type and permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// NTFS.
    Ntfs {
        /// Attributes as letters.
        letters: &'a str,
        /// Use of the file record.
        sequence: u16,
        /// Whether it was deleted.
        deleted: bool,
    },
}

/// Totals of a folder.
#[derive(Clone, Copy, Debug)]
pub struct TotalsView {
    /// Entries directly in it.
    pub children: u64,
    /// Entries anywhere below.
    pub descendants: u64,
    /// Sum of sizes below, bytes.
    pub size: u64,
    /// Sum of allocated bytes below.
    pub allocated: u64,
}
