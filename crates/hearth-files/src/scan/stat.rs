//! One `statx(2)` call, turned into the row's metadata and the place the entry lives at.
//!
//! Links are never followed, automounts never triggered, and a network file system is not asked to
//! refresh what it has cached. The place (device and mount) tells where a volume ends.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::path::Path;

use hearth_core::{NO_TIME, UnixNanos};
use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, StatxTimestamp};
use rustix::io::{Errno, retry_on_intr};

use crate::entry::Meta;

const LOOK: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT).union(AtFlags::STATX_DONT_SYNC);
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);

/// Where an entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Device number, major and minor.
    pub(crate) device: (u32, u32),
    /// Mount, if the kernel tells (5.8 and later).
    pub(crate) mount: Option<u64>,
}

impl Place {
    /// Whether an entry at `other` belongs to the volume whose root is at `self`.
    ///
    /// The mount decides where it is known: inside one mount the device may still change, for
    /// instance between the subvolumes of btrfs, and they are all one volume.
    pub(crate) fn same_volume(&self, other: &Place) -> bool {
        match (self.mount, other.mount) {
            (Some(own), Some(its)) => own == its,
            _ => self.device == other.device,
        }
    }
}

/// Metadata and place of the entry `name` of the open directory `dir`.
pub(crate) fn entry_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<(Meta, Place), Errno> {
    let stat = retry_on_intr(|| rustix::fs::statx(dir, name, LOOK, WANTED))?;
    Ok((meta_of(&stat), place_of(&stat)))
}

/// An open directory as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) meta: Meta,
    pub(crate) place: Place,
    /// Last change of the inode; any change of its names is one.
    pub(crate) changed_ns: UnixNanos,
}

/// All about an open directory itself.
pub(crate) fn folder(dir: BorrowedFd<'_>) -> Result<Folder, Errno> {
    let stat = retry_on_intr(|| rustix::fs::statx(dir, c"", LOOK | AtFlags::EMPTY_PATH, WANTED))?;
    Ok(Folder { meta: meta_of(&stat), place: place_of(&stat), changed_ns: nanos(&stat.stx_ctime) })
}

/// Metadata and place of an open directory itself.
pub(crate) fn directory(dir: BorrowedFd<'_>) -> Result<(Meta, Place), Errno> {
    let Folder { meta, place, .. } = folder(dir)?;
    Ok((meta, place))
}

/// Place and inode of an open directory; cheaper than [`directory`].
pub(crate) fn place(dir: BorrowedFd<'_>) -> Result<(Place, u64), Errno> {
    const FEW: StatxFlags = StatxFlags::MNT_ID.union(StatxFlags::INO);
    let stat = retry_on_intr(|| rustix::fs::statx(dir, c"", LOOK | AtFlags::EMPTY_PATH, FEW))?;
    Ok((place_of(&stat), stat.stx_ino))
}

/// Number of the mount that holds `path`, `None` if the kernel does not tell.
pub(crate) fn mount_id(path: &Path) -> Result<Option<u64>, Errno> {
    let stat = retry_on_intr(|| rustix::fs::statx(CWD, path, LOOK, StatxFlags::MNT_ID))?;
    Ok(place_of(&stat).mount)
}

fn place_of(stat: &Statx) -> Place {
    let mount = has(stat, StatxFlags::MNT_ID).then_some(stat.stx_mnt_id);
    Place { device: (stat.stx_dev_major, stat.stx_dev_minor), mount }
}

fn meta_of(stat: &Statx) -> Meta {
    Meta {
        size: stat.stx_size,
        allocated: stat.stx_blocks.saturating_mul(512),
        modified_ns: nanos(&stat.stx_mtime),
        created_ns: if has(stat, StatxFlags::BTIME) { nanos(&stat.stx_btime) } else { NO_TIME },
        accessed_ns: nanos(&stat.stx_atime),
        inode: stat.stx_ino,
        mode: u32::from(stat.stx_mode),
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        links: stat.stx_nlink,
        attributes: 0,
    }
}

fn has(stat: &Statx, field: StatxFlags) -> bool {
    stat.stx_mask & field.bits() != 0
}

/// Times outside the years 1678 to 2261 are held at the ends; the lowest value means "no time".
fn nanos(time: &StatxTimestamp) -> UnixNanos {
    let seconds = time.tv_sec.saturating_mul(1_000_000_000);
    seconds.saturating_add(i64::from(time.tv_nsec)).max(NO_TIME + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(major: u32, mount: Option<u64>) -> Place {
        Place { device: (major, 0), mount }
    }

    #[test]
    fn a_known_mount_decides_before_the_device() {
        assert!(at(1, Some(7)).same_volume(&at(2, Some(7))), "a subvolume");
        assert!(!at(1, Some(7)).same_volume(&at(1, Some(8))), "a bind mount");
        assert!(at(1, None).same_volume(&at(1, None)));
        assert!(!at(1, None).same_volume(&at(2, None)));
        assert!(!at(1, Some(7)).same_volume(&at(2, None)));
    }
}
