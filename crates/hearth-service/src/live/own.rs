//! The daemon's own folders, whose changes are no reason to do anything.
//!
//! A daemon that indexes the file system it writes to would answer each of its own writes with more of them: a
//! saved snapshot is a change, which is to be saved. Such dirt waits until something else happens, or somebody asks.

use crate::Folders;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Name of the folder for cookies within the state folder.
const COOKIES: &str = "cookies";

/// See the module.
#[derive(Debug)]
pub(crate) struct OwnFolders {
    /// Device and inode.
    known: HashSet<(u64, u64)>,
    /// Where cookies may be made, and on which device that is.
    cookies: Option<(PathBuf, u64)>,
}

impl OwnFolders {
    /// Looks at the folders, which are there by now; the one for cookies is made.
    pub(crate) fn of(folders: &Folders, snapshots: &Path) -> Self {
        let cookies = folders.state.join(COOKIES);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&cookies);
        let cookies = made.and_then(|()| fs::metadata(&cookies)).map(|meta| (cookies, meta.dev()));
        let all = [folders.state.as_path(), folders.cache.as_path(), snapshots];
        let identity = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
        Self {
            known: all.into_iter().filter_map(|path| identity(path).ok()).collect(),
            cookies: cookies.ok(),
        }
    }

    /// True if a folder of a device is one of them.
    pub(super) fn hold(&self, device: u64, inode: u64) -> bool {
        self.known.contains(&(device, inode))
    }

    /// Where cookies for a source on this device are made, if that can be.
    pub(super) fn cookies(&self, device: u64) -> Option<PathBuf> {
        self.cookies.as_ref().filter(|(_, on)| *on == device).map(|(path, _)| path.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_known_by_what_they_are() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::under(temp.path());
        fs::create_dir_all(folders.cache.join("snapshots")).unwrap();
        let own = OwnFolders::of(&folders, &folders.cache.join("snapshots"));
        let meta = |path: &Path| fs::metadata(path).unwrap();
        let (state, other) = (meta(&folders.state), meta(temp.path()));
        assert!(own.hold(state.dev(), state.ino()));
        assert!(!own.hold(state.dev() + 1, state.ino()) && !own.hold(other.dev(), other.ino()));
        assert_eq!(own.cookies(state.dev()), Some(folders.state.join(COOKIES)));
        assert_eq!(own.cookies(state.dev() + 1), None);
        assert_eq!(meta(&folders.state.join(COOKIES)).mode() & 0o777, 0o700);
    }
}
