//! What a volume holds, as `ntfs-3g` shows it.
//!
//! A walk of a mount tells all but the sequence numbers of records; those are read from `$MFT`, which the mount
//! shows as a file.

use super::image::NtfsImage;
use rustix::fs::getxattr;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Files that `ntfs-3g` shows only for want of better: no row of a listing.
const TOP_SYSTEM_FILES: u64 = 24;

/// Kinds that the listing tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With content.
    File,
    /// With names.
    Folder,
    /// A symbolic link, a junction, or a special file.
    Other,
}

/// One name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// Length of the unnamed content, bytes; 0 for folders.
    pub size: u64,
    /// Last change of content, nanoseconds since 1970.
    pub modified_ns: i64,
    /// Number of its record.
    pub number: u64,
    /// How often that record was used.
    pub sequence: u16,
    /// Names of the file, 8.3 aliases left out.
    pub links: u64,
    /// Name and length of each named stream.
    pub streams: BTreeMap<Vec<u8>, u64>,
}

/// Rows by path, without a leading slash; system files left out.
pub type Listing = BTreeMap<Vec<u8>, Row>;

impl NtfsImage {
    /// What the volume holds; it must not be mounted.
    ///
    /// # Panics
    /// If `ntfs-3g` cannot read it.
    pub fn listing(&self) -> Listing {
        let mount = self.mount_to_read();
        let records = Records::open(mount.root(), self.form().record_bytes());
        let mut listing = Listing::new();
        walk(mount.root(), &mut Vec::new(), &records, &mut listing);
        listing
    }
}

fn walk(folder: &Path, path: &mut Vec<u8>, records: &Records, listing: &mut Listing) {
    for entry in fs::read_dir(folder).expect("readable") {
        let entry = entry.expect("readable");
        let about = fs::symlink_metadata(entry.path()).expect("there");
        if about.ino() < TOP_SYSTEM_FILES {
            continue;
        }
        let before = path.len();
        path.extend_from_slice(if before == 0 { b"" } else { b"/" });
        path.extend_from_slice(entry.file_name().as_bytes());
        listing.insert(path.clone(), row(&entry.path(), &about, records));
        if about.is_dir() {
            walk(&entry.path(), path, records, listing);
        }
        path.truncate(before);
    }
}

fn row(path: &Path, about: &Metadata, records: &Records) -> Row {
    let kind = match about.file_type() {
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    };
    Row {
        kind,
        size: if kind == Kind::Folder { 0 } else { about.size() },
        modified_ns: about.mtime() * 1_000_000_000 + about.mtime_nsec(),
        number: about.ino(),
        sequence: records.sequence(about.ino()),
        links: about.nlink(),
        streams: if kind == Kind::Other { BTreeMap::new() } else { streams(path) },
    }
}

fn streams(path: &Path) -> BTreeMap<Vec<u8>, u64> {
    let mut names = vec![0; 1 << 16];
    let len = getxattr(path, "ntfs.streams.list", &mut names[..]).expect("shown");
    let names = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| (name.to_vec(), stream_size(path, name))).collect()
}

fn stream_size(path: &Path, name: &[u8]) -> u64 {
    let path = [path.as_os_str().as_bytes(), b":", name].concat();
    fs::metadata(std::ffi::OsStr::from_bytes(&path)).expect("listed").size()
}

/// The records of a mounted volume.
#[derive(Debug)]
pub(super) struct Records {
    table: File,
    record_bytes: u64,
}

impl Records {
    /// Those of the volume mounted at `root`.
    pub(super) fn open(root: &Path, record_bytes: u64) -> Self {
        // Past the pages that the kernel keeps, which may be older than the volume.
        let mut options = OpenOptions::new();
        let table = options.read(true).custom_flags(libc::O_DIRECT).open(root.join("$MFT"));
        Self { table: table.expect("shown"), record_bytes }
    }

    /// How often the record was used.
    pub(super) fn sequence(&self, number: u64) -> u16 {
        let mut bytes = [0; 2];
        self.table.read_exact_at(&mut bytes, number * self.record_bytes + 16).expect("a record");
        u16::from_le_bytes(bytes)
    }
}
