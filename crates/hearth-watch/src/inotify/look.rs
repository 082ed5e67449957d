//! Looking at folders on disk.
//!
//! Opening one by a path that may be too long for one call, its subfolders, a count of all. Links are never followed.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hearth_core::limits::TREE_DEPTH;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Result;

/// Longest path that one call takes, bytes.
const PATH_BYTES: usize = 4000;

/// Opens a folder for reading; never through a link at its end.
pub(super) fn open_folder(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut rest = path.as_os_str().as_bytes();
    let mut above: Option<OwnedFd> = None;
    while rest.len() > PATH_BYTES {
        let Some(cut) = rest[..PATH_BYTES].iter().rposition(|byte| *byte == b'/').filter(|cut| *cut > 0)
        else {
            break;
        };
        let part = OsStr::from_bytes(&rest[..cut]);
        above = Some(open_at(above.as_ref(), part, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)?);
        rest = &rest[cut + 1..];
    }
    open_at(above.as_ref(), OsStr::from_bytes(rest), flags)
}

fn open_at(above: Option<&OwnedFd>, path: &OsStr, flags: OFlags) -> Result<OwnedFd> {
    match above {
        Some(above) => openat(above, path, flags, Mode::empty()),
        None => openat(CWD, path, flags, Mode::empty()),
    }
}

/// Inode of the folder above an open one.
pub(super) fn inode_above(folder: impl AsFd) -> Result<u64> {
    statat(folder, "..", AtFlags::empty()).map(|status| status.st_ino)
}

/// Names of the folders in an open folder, as far as they can be read.
pub(super) fn subfolders(folder: OwnedFd) -> Vec<Box<[u8]>> {
    let entries = Dir::new(folder).into_iter().flatten().map_while(Result::ok);
    let maybe = entries.filter(|entry| matches!(entry.file_type(), FileType::Directory | FileType::Unknown));
    let named = maybe.filter(|entry| !matches!(entry.file_name().to_bytes(), b"." | b".."));
    named.map(|entry| Box::from(entry.file_name().to_bytes())).collect()
}

/// Number of folders of a tree that `enter` lets in, its root included.
pub(super) fn count_folders(root: &Path, enter: &mut dyn FnMut(&Path, u64) -> bool) -> u64 {
    let mut count = 0;
    let mut open: Vec<(PathBuf, usize)> = vec![(root.to_owned(), 0)];
    while let Some((path, depth)) = open.pop() {
        let Ok((folder, status)) = open_and_stat(&path) else { continue };
        if depth > 0 && !enter(&path, status.st_dev) {
            continue;
        }
        count += 1;
        if depth < TREE_DEPTH {
            let below = subfolders(folder).into_iter();
            open.extend(below.map(|name| (path.join(OsStr::from_bytes(&name)), depth + 1)));
        }
    }
    count
}

/// Opens a folder and says what it is.
pub(super) fn open_and_stat(path: &Path) -> Result<(OwnedFd, Stat)> {
    let folder = open_folder(path)?;
    let status = fstat(&folder)?;
    Ok((folder, status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_folder_deeper_than_a_path_can_say_is_opened_and_counted() {
        let temp = tempfile::tempdir().expect("a folder");
        let name = "d".repeat(200);
        let mut at = openat(CWD, temp.path(), OFlags::PATH, Mode::empty()).expect("opened");
        let mut path = temp.path().to_owned();
        for _ in 0..50 {
            rustix::fs::mkdirat(&at, &name, Mode::RWXU).expect("made");
            at = openat(&at, &name, OFlags::PATH, Mode::empty()).expect("opened");
            path.push(&name);
        }
        let (folder, status) = open_and_stat(&path).expect("opened");
        assert_eq!(status.st_ino, fstat(&at).expect("stat").st_ino);
        assert_eq!(
            inode_above(&folder).expect("stat"),
            open_and_stat(path.parent().expect("above")).expect("opened").1.st_ino
        );
        assert_eq!(count_folders(temp.path(), &mut |_, _| true), 51);
        assert_eq!(count_folders(temp.path(), &mut |path, _| path.as_os_str().len() < 1000), 5);
    }

    #[test]
    fn only_folders_are_listed_and_links_are_not_opened() {
        let temp = tempfile::tempdir().expect("a folder");
        fs::create_dir(temp.path().join("folder")).expect("made");
        fs::write(temp.path().join("file"), "").expect("written");
        std::os::unix::fs::symlink("folder", temp.path().join("link")).expect("linked");
        let (folder, status) = open_and_stat(temp.path()).expect("opened");
        assert_eq!(status.st_ino, fs::metadata(temp.path()).expect("stat").ino());
        assert_eq!(subfolders(folder), [Box::from(&b"folder"[..])]);
        assert!(open_folder(&temp.path().join("link")).is_err());
    }
}
