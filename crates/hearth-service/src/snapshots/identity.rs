//! What a snapshot is bound to: the file system of a source, the part of it, the folder in it.
//!
//! A path or a device name alone is no identity: another disk may be mounted there tomorrow. A file system
//! is known by its UUID where the kernel tells it, else by the identifier of `statfs(2)`, which some file
//! systems derive from the device number; then a snapshot may be refused after a restart, and never taken
//! for another's.

use crate::api::{SourceInfo, SourceKind};
use crate::ntfs::Media;
use crate::walk;
use hearth_files::scan::volume_of;
use rustix::fs::{Mode, OFlags, fstatvfs, open};
use rustix::ioctl::{Getter, ioctl, opcode};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// The source that is at a root now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Compared with what a snapshot says.
    pub(super) bytes: Vec<u8>,
    /// Device that the root is on, which is another one after the next mount.
    pub(super) device: u64,
}

impl Identity {
    /// Looks at the root of a source.
    pub(super) fn of(info: &SourceInfo, media: &Media) -> io::Result<Self> {
        match info.kind {
            SourceKind::Volume => Self::of_folder(&info.root),
            SourceKind::Ntfs | SourceKind::NtfsDeleted => {
                Ok(Self { bytes: media.identity(&info.root)?, device: 0 })
            }
        }
    }

    fn of_folder(root: &[u8]) -> io::Result<Self> {
        let path = walk::path(root);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let folder = File::from(open(path, flags, Mode::empty())?);
        let meta = folder.metadata()?;
        let fs_type = volume_of(path).map(|mount| mount.fs_type).unwrap_or_default();
        let uuid = uuid(&folder);
        // Of btrfs it tells subvolumes apart, whose roots all have one inode number.
        let fsid = if uuid.is_none() || fs_type == "btrfs" { Some(fsid(&folder)?) } else { None };
        let mut bytes = Vec::new();
        for part in [fs_type.as_bytes(), &uuid.unwrap_or_default(), &fsid.unwrap_or_default(), root] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(&meta.ino().to_le_bytes());
        Ok(Self { bytes, device: meta.dev() })
    }
}

/// `struct fsuuid2` of `linux/fs.h`.
#[repr(C)]
struct FsUuid {
    len: u8,
    uuid: [u8; 16],
}

/// UUID of a file system; `None` where the file system or the kernel does not tell it.
fn uuid(folder: &impl AsFd) -> Option<Vec<u8>> {
    const FS_IOC_GETFSUUID: rustix::ioctl::Opcode = opcode::read::<FsUuid>(0x15, 0);
    // SAFETY: the call takes no input and writes one `struct fsuuid2`, which `FsUuid` mirrors field by
    // field: bytes only, for which every value is valid. Its number is made of the size of that struct.
    let told = unsafe { ioctl(folder, Getter::<FS_IOC_GETFSUUID, FsUuid>::new()) }.ok()?;
    let uuid = told.uuid.get(..usize::from(told.len))?;
    uuid.iter().any(|byte| *byte != 0).then(|| uuid.to_vec())
}

fn fsid(folder: &impl AsFd) -> io::Result<Vec<u8>> {
    Ok(fstatvfs(folder)?.f_fsid.to_le_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_folder_is_itself_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        let of = |path: &std::path::Path| Identity::of_folder(path.as_os_str().as_bytes()).unwrap();
        assert_eq!(of(&a), of(&a));
        assert_ne!(of(&a), of(&b));
        let before = of(&a);
        fs::write(a.join("file"), "x").unwrap();
        assert_eq!(of(&a), before, "what is in it changes nothing");
        // Another folder under the same path.
        fs::rename(&a, folder.path().join("c")).unwrap();
        fs::create_dir(&a).unwrap();
        assert_ne!(of(&a), before);
        assert_eq!(Identity::of_folder(b"/no/such/folder").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
