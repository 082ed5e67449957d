//! Where the volume of a scan ends, and what lies behind the border.
//!
//! A scan stays inside one mount. What is mounted on a folder below is not entered: another file
//! system is a volume of its own, and a second view on this one would show the same files twice. Loops
//! of bind mounts end here. The subvolumes of btrfs inside one mount are not mounts and are entered;
//! inode numbers may then repeat between subvolumes.

use super::mounts::{Mount, Mounts};
use super::stat::Place;
use super::virtual_fs::is_virtual;
use super::{SkipReason, virtual_fs};

/// The volume that is scanned.
pub(super) struct Boundary {
    place: Place,
    mounts: Mounts,
    mount: Option<Mount>,
    /// The scanned folder as its file system names it; known if the mount is.
    folder: Vec<u8>,
}

impl Boundary {
    /// The volume of the canonical path `root` (empty for `/`), which lives at `place`.
    pub(super) fn new(place: Place, root: &[u8], mounts: Mounts) -> Self {
        let mount = find(&mounts, &place, root).cloned();
        let folder = mount.as_ref().map(|mount| folder_of(mount, root)).unwrap_or_default();
        Self { place, mounts, mount, folder }
    }

    /// The type of the volume's file system if it is a virtual one; `magic` as of `statfs(2)`.
    pub(super) fn virtual_type(&self, magic: u32) -> Option<String> {
        let named = self.mount.as_ref().map(|mount| &mount.fs_type).filter(|name| is_virtual(name));
        named.cloned().or_else(|| virtual_fs::virtual_by_magic(magic).map(str::to_owned))
    }

    /// Whether an entry at `place` belongs to the volume.
    pub(super) fn holds(&self, place: &Place) -> bool {
        self.place.same_volume(place)
    }

    /// Why the folder at `path`, which does not belong to the volume, is not entered.
    pub(super) fn reason(&self, place: &Place, path: &[u8]) -> SkipReason {
        let now = if find(&self.mounts, place, path).is_none() { Mounts::read().ok() } else { None };
        let table = now.as_ref().unwrap_or(&self.mounts);
        let Some(other) = find(table, place, path) else {
            return SkipReason::OtherFileSystem { fs_type: "unknown".into() };
        };
        match &self.mount {
            Some(own) if own.device == other.device => self.second_view(other),
            _ if is_virtual(&other.fs_type) => {
                SkipReason::VirtualFileSystem { fs_type: other.fs_type.clone() }
            }
            _ => SkipReason::OtherFileSystem { fs_type: other.fs_type.clone() },
        }
    }

    fn second_view(&self, other: &Mount) -> SkipReason {
        match is_below(&other.root, &self.folder) {
            true => SkipReason::SecondView,
            false => SkipReason::OtherPart { folder: other.root.clone() },
        }
    }
}

fn find<'a>(mounts: &'a Mounts, place: &Place, path: &[u8]) -> Option<&'a Mount> {
    match place.mount {
        Some(id) => mounts.by_id(id),
        None => mounts.holding(if path.is_empty() { b"/" } else { path }),
    }
}

/// The name inside its file system of the folder that is seen at `path` through `mount`.
fn folder_of(mount: &Mount, path: &[u8]) -> Vec<u8> {
    let trim = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_vec();
    let below = path.strip_prefix(trim(&mount.path).as_slice()).unwrap_or_default();
    [trim(&mount.root).as_slice(), below].concat()
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
20 1 0:30 /@ / rw - btrfs /dev/sda rw
21 20 0:30 /@home /home rw - btrfs /dev/sda rw
22 20 0:30 /@/srv/a /mnt/a rw - btrfs /dev/sda rw
23 20 0:22 / /proc rw - proc proc rw
24 20 8:1 / /data rw - xfs /dev/sdb1 rw
";

    fn at(mount: u64) -> Place {
        Place { device: (0, 1000 + u32::try_from(mount).expect("small")), mount: Some(mount) }
    }

    fn reasons(root: &[u8]) -> Vec<SkipReason> {
        let boundary = Boundary::new(at(20), root, Mounts::parse(TABLE));
        (21..=24).map(|mount| boundary.reason(&at(mount), b"/somewhere")).collect()
    }

    #[test]
    fn mounts_are_told_apart_by_what_they_show() {
        let proc = SkipReason::VirtualFileSystem { fs_type: "proc".into() };
        let data = SkipReason::OtherFileSystem { fs_type: "xfs".into() };
        let home = SkipReason::OtherPart { folder: b"/@home".to_vec() };
        assert_eq!(reasons(b""), [home.clone(), SkipReason::SecondView, proc.clone(), data.clone()]);
        let elsewhere = SkipReason::OtherPart { folder: b"/@/srv/a".to_vec() };
        assert_eq!(reasons(b"/srv/ab"), [home, elsewhere, proc, data]);
    }

    #[test]
    fn a_mount_that_nobody_knows_is_still_a_border() {
        let boundary = Boundary::new(at(20), b"", Mounts::parse(TABLE));
        let stranger = Place { device: (9, 9), mount: Some(u64::MAX) };
        assert!(!boundary.holds(&stranger));
        let reason = boundary.reason(&stranger, b"/x");
        assert_eq!(reason, SkipReason::OtherFileSystem { fs_type: "unknown".into() });
    }
}
