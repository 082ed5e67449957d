//! One directory entry of an answer, as the output forms read it.
//!
//! All forms read this one borrowed shape, so that a row costs no allocation. A column that was not
//! asked for reads as nothing: forms name the columns they need before the request is sent.

use hearth_core::{EntryKind, UnixNanos};
use hearth_protocol::Entry;

/// A directory entry. Times are `None` where the file system has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// Absolute path.
    pub(crate) path: &'a [u8],
    /// What it is.
    pub(crate) kind: EntryKind,
    /// Logical size, bytes.
    pub(crate) size: u64,
    /// Bytes on disk.
    pub(crate) allocated: u64,
    /// Last change of the content.
    pub(crate) modified_ns: Option<UnixNanos>,
    /// Birth.
    pub(crate) created_ns: Option<UnixNanos>,
    /// Last access.
    pub(crate) accessed_ns: Option<UnixNanos>,
    /// Type and permission bits; as owner and group, `None` on NTFS.
    pub(crate) mode: Option<u32>,
    /// Owner.
    pub(crate) uid: Option<u32>,
    /// Group.
    pub(crate) gid: Option<u32>,
    /// Attributes as letters, of NTFS.
    pub(crate) attributes: Option<&'a str>,
    /// Use of its file record, of NTFS.
    pub(crate) sequence: Option<u16>,
    /// Whether it was deleted.
    pub(crate) deleted: bool,
    /// Inode number, or number of the file record.
    pub(crate) file_id: u64,
    /// Hard links.
    pub(crate) links: u32,
    /// Name of the source that holds it.
    pub(crate) source: &'a str,
}

impl<'a> Row<'a> {
    /// The row behind an entry of an answer. Columns that were not asked for read as nothing.
    pub(crate) fn of(entry: &'a Entry) -> Self {
        Row {
            path: entry.path_bytes(),
            kind: entry.kind().unwrap_or(EntryKind::File),
            size: entry.size.unwrap_or_default(),
            allocated: entry.allocated.unwrap_or_default(),
            modified_ns: entry.modified_ns,
            created_ns: entry.created_ns,
            accessed_ns: entry.accessed_ns,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            attributes: entry.attributes.as_deref(),
            sequence: entry.sequence,
            deleted: entry.deleted,
            file_id: entry.file_id.unwrap_or_default(),
            links: entry.links.unwrap_or_default(),
            source: entry.source.as_deref().unwrap_or_default(),
        }
    }

    /// Last component of the path; `/` for the root itself.
    pub(crate) fn name(&self) -> &'a [u8] {
        match split(self.path) {
            (_, b"") => self.path,
            (_, name) => name,
        }
    }

    /// Everything before the name, without the slash that separates them; `/` for what lies in the root.
    pub(crate) fn dir(&self) -> &'a [u8] {
        match split(self.path).0 {
            [dir @ .., b'/'] if !dir.is_empty() => dir,
            dir => dir,
        }
    }

    /// What follows the last dot of the name, as written; empty if the only dot leads the name.
    pub(crate) fn ext(&self) -> &'a [u8] {
        let name = self.name();
        match name.iter().rposition(|&byte| byte == b'.') {
            None | Some(0) => b"",
            Some(dot) => &name[dot + 1..],
        }
    }
}

/// Splits behind the last slash.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1))
}

#[cfg(test)]
pub(crate) fn sample(path: &[u8]) -> Row<'_> {
    Row {
        path,
        kind: EntryKind::File,
        size: 1536,
        allocated: 4096,
        modified_ns: Some(1_700_000_000_000_000_000),
        created_ns: None,
        accessed_ns: Some(0),
        mode: Some(0o100_644),
        uid: Some(1000),
        gid: Some(100),
        attributes: None,
        sequence: None,
        deleted: false,
        file_id: 42,
        links: 1,
        source: "root",
    }
}

/// The same on an NTFS disk.
#[cfg(test)]
pub(crate) fn sample_ntfs(path: &[u8]) -> Row<'_> {
    Row {
        mode: None,
        uid: None,
        gid: None,
        attributes: Some("HSA"),
        sequence: Some(3),
        deleted: true,
        ..sample(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, dir: &str, name: &str, ext: &str) {
        let row = sample(path.as_bytes());
        assert_eq!(
            (row.dir(), row.name(), row.ext()),
            (dir.as_bytes(), name.as_bytes(), ext.as_bytes()),
            "{path}"
        );
    }

    #[test]
    fn paths_come_apart() {
        check("/a/b.tar.gz", "/a", "b.tar.gz", "gz");
        check("/b", "/", "b", "");
        check("/", "/", "/", "");
        check("/x/.bashrc", "/x", ".bashrc", "");
        check("/x/a.", "/x", "a.", "");
    }
}
