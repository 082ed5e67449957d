//! Which file system is to be watched, what it is called in events, and whether it can be watched at all.
//!
//! It is refused where a mark would succeed and miss changes: on network file systems and what lies over others.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatFs, StatxFlags, fstatfs, fstatvfs, openat, statx};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};

use super::handles::{self, BTRFS_MAGIC};
use crate::error::FeedError;
use crate::pending::ObjectId;

/// Overlays: what is below them changes without an event, which nobody should do, and objects have no lasting
/// identity.
const OVERLAY: (u32, &str) = (0x794C_7630, "overlay");
/// File systems whose contents change without this machine's doing, by their number: no feed tells of that.
const SHARED: [(u32, &str); 11] = [
    (0x6969, "nfs"),
    (0x517B, "smb"),
    (0xFE53_4D42, "smb2"),
    (0xFF53_4D42, "cifs"),
    (0x0102_1997, "9p"),
    (0x5346_414F, "afs"),
    (0x00C3_6400, "ceph"),
    (0x6573_5546, "fuse"),
    (0x7461_636F, "ocfs2"),
    (0x0116_1970, "gfs2"),
    (0x0BD0_0BD0, "lustre"),
];
const NAMED: [(u32, &str); 5] = [
    (handles::EXT_MAGIC, "ext4"),
    (handles::XFS_MAGIC, "xfs"),
    (BTRFS_MAGIC, "btrfs"),
    (handles::TMPFS_MAGIC, "tmpfs"),
    (handles::F2FS_MAGIC, "f2fs"),
];

/// A file system, opened to put a mark on it. Dropped after that: an open folder would keep it mounted.
pub(super) struct Volume {
    path: PathBuf,
    /// Root of what is watched.
    pub(super) root: ObjectId,
    pub(super) magic: u32,
    /// Its id, as events have it.
    pub(super) fsid: [u8; 8],
    /// A folder by which the whole of it can be marked.
    pub(super) whole: OwnedFd,
}

impl Volume {
    /// Looks at the file system that holds the folder `path`.
    pub(super) fn open(path: &Path) -> Result<Self, FeedError> {
        let io = |error: io::Error| FeedError::io(path.display().to_string(), error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(|error| io(error.into()))?;
        let status = fstatfs(&folder).map_err(|error| io(error.into()))?;
        let magic = magic_of(&status);
        if magic == OVERLAY.0 || is_shared(magic) {
            return Err(unsupported(path, magic, "changes made elsewhere or below it make no event here"));
        }
        let root = handles::object_of(magic, &folder).map_err(|error| refused(path, magic, error))?;
        let whole = if magic == BTRFS_MAGIC { top_level(path).unwrap_or(folder) } else { folder };
        let fsid = fsid_of(&whole).map_err(io)?;
        Ok(Self { path: path.to_owned(), root, magic, fsid, whole })
    }

    /// What a failed mark means.
    pub(super) fn refused(&self, error: io::Error) -> FeedError {
        refused(&self.path, self.magic, error)
    }
}

fn is_shared(magic: u32) -> bool {
    SHARED.iter().any(|(shared, _)| *shared == magic)
}

/// Whether what is at `path` may change without this machine's doing: network file systems, and those that a program
/// provides (FUSE). A live feed tells of what is done here only.
///
/// # Errors
/// The path cannot be looked at.
pub fn changes_elsewhere(path: &Path) -> io::Result<bool> {
    Ok(is_shared(magic_of(&rustix::fs::statfs(path)?)))
}

fn magic_of(status: &StatFs) -> u32 {
    // Only 32 bits have a meaning; some platforms extend the sign.
    u32::try_from(status.f_type & 0xFFFF_FFFF).unwrap_or_default()
}

/// Both words of the identifier, in the byte order of the machine.
fn fsid_of(folder: &OwnedFd) -> io::Result<[u8; 8]> {
    let id = fstatvfs(folder)?.f_fsid;
    let word =
        |shift: u32| u32::try_from((id >> shift) & u64::from(u32::MAX)).unwrap_or_default().to_ne_bytes();
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&word(0));
    bytes[4..].copy_from_slice(&word(32));
    Ok(bytes)
}

/// The top-level subvolume of a btrfs, as a mount that nobody sees and that ends with its descriptor: the kernel takes a mark
/// for the whole file system only there.
fn top_level(path: &Path) -> io::Result<OwnedFd> {
    let device = device_of(path)?;
    let context = fsopen("btrfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", device)?;
    fsconfig_set_string(context.as_fd(), "subvolid", "5")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOATIME;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// The block device that holds a path, from the mount table.
fn device_of(path: &Path) -> io::Result<Vec<u8>> {
    let status = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID)?;
    let table = std::fs::read("/proc/thread-self/mountinfo")?;
    let wanted = status.stx_mnt_id.to_string();
    let line = table
        .split(|byte| *byte == b'\n')
        .find(|line| line.split(is_space).next() == Some(wanted.as_bytes()));
    let mut fields = line.ok_or(io::ErrorKind::NotFound)?.split(is_space).skip_while(|field| *field != b"-");
    Ok(fields.nth(2).ok_or(io::ErrorKind::NotFound)?.to_vec())
}

fn is_space(byte: &u8) -> bool {
    *byte == b' '
}

fn refused(path: &Path, magic: u32, error: io::Error) -> FeedError {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno {
        Some(Errno::PERM | Errno::ACCESS) => FeedError::NotPermitted { path: path.to_owned() },
        Some(Errno::OPNOTSUPP) => {
            unsupported(path, magic, "its files have no handles that can be opened again")
        }
        Some(Errno::NODEV) => unsupported(path, magic, "it has no identifier"),
        Some(Errno::XDEV) => unsupported(path, magic, "it is a subvolume whose top level cannot be reached"),
        Some(Errno::INVAL | Errno::NOSYS) => {
            unsupported(path, magic, "this kernel is older than 5.9, or lacks fanotify")
        }
        Some(Errno::MFILE) => FeedError::NoInstance,
        _ => FeedError::io(format!("fanotify mark of {}", path.display()), error),
    }
}

fn unsupported(path: &Path, magic: u32, why: &'static str) -> FeedError {
    let mut known = NAMED.iter().chain(&SHARED).chain([&OVERLAY]).filter(|(number, _)| *number == magic);
    let name = known.next().map_or_else(|| format!("file system {magic:#x}"), |(_, name)| (*name).to_owned());
    FeedError::Unsupported { path: path.to_owned(), file_system: name, why }
}
