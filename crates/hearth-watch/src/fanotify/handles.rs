//! From the file handle in an event to the object it names, without a system call where its layout is known.
//!
//! | file system | type | bytes |
//! |---|---|---|
//! | ext2, ext3, ext4, f2fs, xfs with small inode numbers | 1 | inode u32, generation u32 |
//! | xfs | 0x81 | inode u64, generation u32 |
//! | btrfs | 0x4d | inode u64, subvolume u64, generation u32 |
//! | tmpfs | 1 | generation u32, inode low u32, inode high u32 |
//!
//! Handles of anything else are opened and looked at, and remembered; `fs/*/export.c` and `mm/shmem.c` of Linux have the layouts.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};

use super::events::Handle;
use super::sys;
use crate::pending::ObjectId;

pub(super) const EXT_MAGIC: u32 = 0xEF53;
pub(super) const F2FS_MAGIC: u32 = 0xF2F5_2010;
pub(super) const XFS_MAGIC: u32 = 0x5846_5342;
pub(super) const BTRFS_MAGIC: u32 = 0x9123_683E;
pub(super) const TMPFS_MAGIC: u32 = 0x0102_1994;

const INO32_GEN: i32 = 1;
const XFS_INO64_GEN: i32 = 0x81;
const BTRFS_WITHOUT_PARENT: i32 = 0x4d;

/// Handles whose objects are remembered, in each of two halves.
const REMEMBERED: usize = 4096;

/// Finds the objects of handles in one file system.
pub(super) struct Decoder {
    magic: u32,
    /// A path in the file system. It is opened when it is needed and not held: that would keep it mounted.
    path: PathBuf,
    /// Objects of handles that had to be opened: the newer ones, and the ones before.
    newer: HashMap<(i32, Box<[u8]>), ObjectId>,
    older: HashMap<(i32, Box<[u8]>), ObjectId>,
}

impl Decoder {
    /// `magic`: type of the file system as of `statfs(2)`.
    pub(super) fn new(magic: u32, path: &Path) -> Self {
        let (newer, older) = (HashMap::new(), HashMap::new());
        Self { magic, path: path.to_owned(), newer, older }
    }

    /// The object that a handle names; `None` if it cannot be known because it is gone.
    pub(super) fn object(&mut self, handle: Handle<'_>) -> Option<ObjectId> {
        by_layout(self.magic, handle).or_else(|| self.remembered(handle))
    }

    fn remembered(&mut self, handle: Handle<'_>) -> Option<ObjectId> {
        let key = (handle.kind, Box::from(handle.bytes));
        if let Some(object) = self.newer.get(&key) {
            return Some(*object);
        }
        let known = self.older.get(&key).copied();
        let object = known.or_else(|| by_opening(&self.path, handle))?;
        if self.newer.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, object);
        Some(object)
    }
}

/// The object, if the layout of the handle is known.
fn by_layout(magic: u32, handle: Handle<'_>) -> Option<ObjectId> {
    let u32_at = |at: usize| Some(u32::from_ne_bytes(handle.bytes.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_ne_bytes(handle.bytes.get(at..at + 8)?.try_into().ok()?));
    let object = |subvolume, inode, generation: u32| {
        Some(ObjectId { subvolume, inode, generation: u64::from(generation) })
    };
    match (magic, handle.kind, handle.bytes.len()) {
        (EXT_MAGIC | F2FS_MAGIC | XFS_MAGIC, INO32_GEN, 8) => object(0, u64::from(u32_at(0)?), u32_at(4)?),
        (XFS_MAGIC, XFS_INO64_GEN, 12) => object(0, u64_at(0)?, u32_at(8)?),
        (BTRFS_MAGIC, BTRFS_WITHOUT_PARENT, 20) => object(u64_at(8)?, u64_at(0)?, u32_at(16)?),
        (TMPFS_MAGIC, INO32_GEN, 12) => {
            object(0, u64::from(u32_at(4)?) | (u64::from(u32_at(8)?) << 32), u32_at(0)?)
        }
        _ => None,
    }
}

/// The object, by opening it. Its generation is not known; as the handle is valid now, neither is it needed.
fn by_opening(path: &Path, handle: Handle<'_>) -> Option<ObjectId> {
    let mount =
        openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let file = sys::open_handle(mount.as_fd(), handle, libc::O_PATH | libc::O_CLOEXEC).ok()?;
    Some(ObjectId::of_inode(fstat(file).ok()?.st_ino))
}

/// The object of an open file.
pub(super) fn object_of(magic: u32, file: impl AsFd) -> std::io::Result<ObjectId> {
    let (kind, bytes) = sys::handle_of(file.as_fd())?.parts();
    match by_layout(magic, Handle { kind, bytes: &bytes }) {
        Some(object) => Ok(object),
        None => Ok(ObjectId::of_inode(fstat(file)?.st_ino)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layouts_are_read_field_by_field() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        let decode = |magic, kind, bytes: &[u8]| {
            by_layout(magic, Handle { kind, bytes })
                .map(|found| (found.subvolume, found.inode, found.generation))
        };
        assert_eq!(decode(EXT_MAGIC, 1, &words(&[12, 9])), Some((0, 12, 9)));
        assert_eq!(decode(TMPFS_MAGIC, 1, &words(&[9, 12, 1])), Some((0, (1 << 32) + 12, 9)));
        let xfs = [&(5_u64 << 33).to_ne_bytes()[..], &9_u32.to_ne_bytes()].concat();
        assert_eq!(decode(XFS_MAGIC, 0x81, &xfs), Some((0, 5 << 33, 9)));
        let btrfs = [&257_u64.to_ne_bytes()[..], &256_u64.to_ne_bytes(), &9_u32.to_ne_bytes()].concat();
        assert_eq!(decode(BTRFS_MAGIC, 0x4d, &btrfs), Some((256, 257, 9)));
        assert_eq!(decode(EXT_MAGIC, 1, &words(&[1, 2, 3])), None, "another length");
        assert_eq!(decode(0x1234, 1, &words(&[12, 9])), None, "another file system");
    }

    #[test]
    fn a_handle_of_unknown_layout_is_opened_once_and_remembered() {
        let temp = tempfile::tempdir().expect("a folder");
        let file = std::fs::File::create(temp.path().join("file")).expect("made");
        let Ok((kind, bytes)) = sys::handle_of(file.as_fd()).map(|buffer| buffer.parts()) else { return };
        let handle = Handle { kind, bytes: &bytes };
        if sys::open_handle(file.as_fd(), handle, libc::O_PATH).is_err() {
            return;
        }
        let mut decoder = Decoder::new(0, temp.path());
        let wanted = Some(fstat(&file).expect("stat").st_ino);
        assert_eq!(decoder.object(handle).map(|object| object.inode), wanted);
        std::fs::remove_file(temp.path().join("file")).expect("removed");
        drop(file);
        assert_eq!(decoder.object(handle).map(|object| object.inode), wanted, "from memory");
        assert_eq!(Decoder::new(0, temp.path()).object(handle), None, "it is gone");
    }

    proptest! {
        #[test]
        fn any_handle_decodes_without_panic(kind: i32, bytes: Vec<u8>, known in 0..5_usize) {
            let magics = [EXT_MAGIC, XFS_MAGIC, BTRFS_MAGIC, TMPFS_MAGIC, 0];
            for kind in [kind, INO32_GEN, XFS_INO64_GEN, BTRFS_WITHOUT_PARENT] {
                let _ = by_layout(magics[known], Handle { kind, bytes: &bytes });
            }
        }
    }
}
