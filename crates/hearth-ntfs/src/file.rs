//! A file as its records tell it: base record and extension records joined, nothing interpreted away.
//!
//! Everything borrows from the records it was read from, so that reading a whole volume copies nothing.

use crate::name::Utf16;
use crate::reference::FileReference;
use crate::reparse::Reparse;
use hearth_core::UnixNanos;

/// What is done with files as they are read. Each thread that reads has one of its own.
pub trait Visit: Send {
    /// Takes a file; in no particular order.
    fn file(&mut self, file: &File<'_>);
}

/// One file, directory or system file.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Number and sequence of its base record.
    pub reference: FileReference,
    /// False if it was deleted: then this is what the record still says.
    pub in_use: bool,
    /// True if it has an index of names.
    pub is_dir: bool,
    /// Names as counted in the record, 8.3 aliases included.
    pub link_count: u16,
    /// Times and attributes, the source of truth for both.
    pub standard: Option<Standard>,
    /// All names, 8.3 aliases included.
    pub names: &'a [FileName<'a>],
    /// Size of the unnamed content; directories have none.
    pub data: Option<DataSize>,
    /// Named content.
    pub streams: &'a [Stream<'a>],
    /// Where it leads, or who stands in for it.
    pub reparse: Option<Reparse<'a>>,
    /// False if a part of it could not be read.
    pub whole: bool,
}

impl<'a> File<'a> {
    /// The names that are links: all but 8.3 aliases of a name that is there.
    pub fn links(&self) -> impl Iterator<Item = &'a FileName<'a>> + use<'a> {
        let names = self.names;
        // An 8.3 name alone is better than none.
        let only_aliases = names.iter().all(|name| name.namespace == Namespace::Dos);
        names.iter().filter(move |name| only_aliases || name.namespace != Namespace::Dos)
    }
}

/// `$STANDARD_INFORMATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// Birth.
    pub created_ns: UnixNanos,
    /// Last change of content.
    pub modified_ns: UnixNanos,
    /// Last change of the record.
    pub changed_ns: UnixNanos,
    /// Last access, where that is kept.
    pub accessed_ns: UnixNanos,
    /// `FILE_ATTRIBUTE_…` as on disk.
    pub attributes: u32,
    /// Last USN that speaks of it; 0 where the record has no room for one.
    pub usn: u64,
}

/// The rules that a name keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Any characters, case matters.
    Posix,
    /// Long name of Windows.
    Win32,
    /// 8.3 alias of another name.
    Dos,
    /// A long name that is its own 8.3 name.
    Win32AndDos,
}

/// One `$FILE_NAME`. Its times are those of its last change and say little; sizes are left out for that reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName<'a> {
    /// Directory that holds it.
    pub parent: FileReference,
    /// Rules that it keeps.
    pub namespace: Namespace,
    /// The name.
    pub name: Utf16<'a>,
}

/// Size of a content, as its record claims: a damaged record may claim anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataSize {
    /// Logical length, bytes.
    pub size: u64,
    /// Bytes taken on disk outside of records: what is compressed or sparse takes less than its length.
    pub allocated: u64,
    /// Kept inside the record.
    pub resident: bool,
    /// Compressed by NTFS.
    pub compressed: bool,
    /// Has holes.
    pub sparse: bool,
    /// Encrypted by NTFS.
    pub encrypted: bool,
}

/// A named content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream<'a> {
    /// Its name, without the file's.
    pub name: Utf16<'a>,
    /// Its size.
    pub data: DataSize,
}
