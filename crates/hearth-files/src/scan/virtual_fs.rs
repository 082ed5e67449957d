//! Which file systems hold no files of their own.
//!
//! Kernel interfaces such as `/proc` look like trees but are endless, change at every look and mean
//! nothing to somebody who searches a file, so they are refused as a root. A mount is judged by the
//! type name of the mount table where there is one, else by the magic number of `statfs(2)`
//! (values from `linux/magic.h`). Memory file systems (`tmpfs`, `ramfs`) hold real files and are no
//! virtual file systems here; `devtmpfs` is one, although `statfs(2)` calls it `tmpfs`.

const TYPES: &[&str] = &[
    "autofs",
    "bdev",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "pipefs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sockfs",
    "sysfs",
    "tracefs",
];

const MAGICS: &[(u32, &str)] = &[
    (0x0000_0187, "autofs"),
    (0x0000_1cd1, "devpts"),
    (0x0000_9fa0, "proc"),
    (0x0027_e0eb, "cgroup"),
    (0x0765_5821, "resctrl"),
    (0x1980_0202, "mqueue"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x4341_5d53, "smackfs"),
    (0x534f_434b, "sockfs"),
    (0x5049_5045, "pipefs"),
    (0x6165_676c, "pstore"),
    (0x6265_6570, "configfs"),
    (0x6265_6572, "sysfs"),
    (0x6264_6576, "bdev"),
    (0x6367_7270, "cgroup2"),
    (0x6462_6720, "debugfs"),
    (0x6573_5543, "fusectl"),
    (0x6c6f_6f70, "binder"),
    (0x6e66_7364, "nfsd"),
    (0x6e73_6673, "nsfs"),
    (0x6759_6969, "rpc_pipefs"),
    (0x7363_6673, "securityfs"),
    (0x7472_6163, "tracefs"),
    (0x9584_58f6, "hugetlbfs"),
    (0xcafe_4a11, "bpf"),
    (0xde5e_81e4, "efivarfs"),
    (0xf97c_ff8c, "selinuxfs"),
];

/// Whether a type name of the mount table is a kernel interface rather than a store of files.
pub fn is_virtual(fs_type: &str) -> bool {
    TYPES.contains(&fs_type)
}

/// Name of the virtual file system with this `statfs(2)` magic, `None` for all others.
pub(super) fn virtual_by_magic(magic: u32) -> Option<&'static str> {
    MAGICS.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_names_a_virtual_type_once() {
        for (index, (magic, name)) in MAGICS.iter().enumerate() {
            assert!(is_virtual(name), "{name}");
            assert!(MAGICS[index + 1..].iter().all(|(other, _)| other != magic), "{name}");
        }
    }

    #[test]
    fn stores_of_files_are_not_virtual() {
        for name in ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "nfs4", "zfs"] {
            assert!(!is_virtual(name), "{name}");
        }
    }

    #[test]
    fn proc_is_known_by_its_magic() {
        let magic = rustix::fs::statfs("/proc").expect("proc is mounted").f_type;
        assert_eq!(virtual_by_magic(magic as u32), Some("proc"));
    }
}
