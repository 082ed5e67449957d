//! Putting watches on folders: on one that came, on all of a tree, within the limit.
//!
//! A folder is opened, checked against the folder above it, watched through its descriptor and listed after that. What
//! is found where events have not been read yet is noted and looked at again.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::inotify;
use rustix::io::Errno;

use super::places::NoWay;
use super::{Again, Displaced, Tree, add_watch, look};
use crate::error::FeedError;
use crate::paced::Sink;

/// What came of a look at a folder.
enum Seen {
    /// It is watched, under this number; with its subfolders if the watch is new.
    Watched(i32, Vec<Box<[u8]>>),
    /// It is not part of the tree, cannot be read or is gone.
    Not,
    /// The path led somewhere else: its events are still to come.
    InMotion,
}

/// What was done about a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    Now(i32),
    Later,
    Not,
}

impl Watched {
    fn now(self) -> Option<i32> {
        match self {
            Self::Now(watch) => Some(watch),
            Self::Later | Self::Not => None,
        }
    }
}

impl Tree {
    /// Goes over the whole tree: watches what is not watched and lets go of what is no longer there.
    pub(super) fn sweep(&mut self, mut sink: Option<&mut Sink<'_>>) -> Result<(), FeedError> {
        self.must_sweep = false;
        let root = self.places.root();
        let opened = look::open_and_stat(self.places.root_path()).ok();
        let is_root = |status: &rustix::fs::Stat| {
            self.places.get(root).is_some_and(|folder| folder.inode == status.st_ino)
        };
        let Some((folder, _)) = opened.filter(|(_, status)| is_root(status)) else {
            return Err(self.root_gone());
        };
        let mut seen = HashSet::from([root]);
        let mut open: Vec<(i32, Box<[u8]>)> =
            look::subfolders(folder).into_iter().map(|name| (root, name)).collect();
        while let Some((parent, name)) = open.pop() {
            let watched = self.watch(parent, &name, true, &mut open, sink.as_deref_mut())?;
            seen.extend(watched.now());
        }
        let gone: Vec<i32> = self.places.watches().filter(|watch| !seen.contains(watch)).collect();
        gone.into_iter().for_each(|watch| self.let_go(watch));
        Ok(())
    }

    /// Watches a folder and all below it that is not watched. False if there is no such folder in the tree.
    pub(super) fn grow(&mut self, parent: i32, name: &[u8], sink: &mut Sink<'_>) -> Result<bool, FeedError> {
        let mut open = Vec::new();
        let first = self.watch(parent, name, false, &mut open, Some(sink))?;
        while let Some((parent, name)) = open.pop() {
            self.watch(parent, &name, false, &mut open, Some(sink))?;
        }
        Ok(first != Watched::Not)
    }

    /// Watches one folder, puts its subfolders on `open` if they are to be looked at too, and tells of it if it is new.
    fn watch(
        &mut self,
        parent: i32,
        name: &[u8],
        always_list: bool,
        open: &mut Vec<(i32, Box<[u8]>)>,
        sink: Option<&mut Sink<'_>>,
    ) -> Result<Watched, FeedError> {
        let before = self.places.len();
        match self.look(parent, name, always_list)? {
            Seen::Watched(watch, subfolders) => {
                open.extend(subfolders.into_iter().map(|name| (watch, name)));
                if let Some(sink) = sink.filter(|_| self.places.len() > before)
                    && let Some(folder) = self.places.get(watch)
                {
                    sink.pending.add_folder(folder.inode);
                }
                Ok(Watched::Now(watch))
            }
            Seen::Not => Ok(Watched::Not),
            Seen::InMotion => {
                self.look_again(parent, name);
                Ok(Watched::Later)
            }
        }
    }

    fn look(&mut self, parent: i32, name: &[u8], always_list: bool) -> Result<Seen, FeedError> {
        let Some(above) = self.places.get(parent).map(|folder| folder.inode) else { return Ok(Seen::Not) };
        let Some(path_above) = self.places.path(parent) else { return Ok(Seen::InMotion) };
        let path = path_above.join(OsStr::from_bytes(name));
        let (folder, status) = match look::open_and_stat(&path) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !is_at(&path_above, above) => {
                return Ok(Seen::InMotion);
            }
            Err(Errno::MFILE | Errno::NFILE) => return Ok(Seen::InMotion),
            Err(_) => return Ok(Seen::Not),
        };
        match look::inode_above(&folder) {
            Ok(inode) if inode != above => return Ok(Seen::InMotion),
            _ => {}
        }
        if !(self.enter)(&path, status.st_dev) {
            return Ok(Seen::Not);
        }
        let watch = self.add(&folder)?;
        let is_new = self.places.get(watch).is_none();
        if self.put(watch, status.st_ino, parent, name).is_err() {
            return Ok(Seen::InMotion);
        }
        let list = is_new || always_list;
        Ok(Seen::Watched(watch, if list { look::subfolders(folder) } else { Vec::new() }))
    }

    pub(super) fn put(&mut self, watch: i32, inode: u64, parent: i32, name: &[u8]) -> Result<(), NoWay> {
        let displaced = self.places.put(watch, inode, parent, name)?;
        let since = Instant::now();
        self.displaced.extend(displaced.map(|watch| Displaced { watch, since }));
        Ok(())
    }

    /// Adds a watch within the limit.
    fn add(&self, folder: &OwnedFd) -> Result<i32, FeedError> {
        let used = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        let watch = match add_watch(&self.fd, folder.as_fd(), self.mask) {
            Ok(watch) => watch,
            Err(Errno::NOSPC) => return Err(FeedError::LimitReached { wanted: used + 1, allowed: used }),
            Err(error) => return Err(FeedError::io("watch of a folder", error)),
        };
        if self.places.get(watch).is_none() && used >= self.limit {
            return Err(FeedError::LimitReached { wanted: used + 1, allowed: self.limit });
        }
        Ok(watch)
    }

    /// The first time as soon as the queue is empty: the events that explain it are then known, as a rule.
    pub(super) fn look_again(&mut self, parent: i32, name: &[u8]) {
        self.again.push(Again { parent, name: name.into(), tries: 0, due: Instant::now() });
    }

    /// Ends the watches of a folder and of all below it.
    pub(super) fn let_go(&mut self, watch: i32) {
        for watch in self.places.subtree(watch) {
            self.places.forget(watch);
            // It may have ended by itself; the end is told either way, for a watch that is then unknown.
            let _ = inotify::remove_watch(&self.fd, watch);
        }
    }

    /// Adds to a reached limit how many watches there would have to be.
    pub(super) fn with_count(&mut self, error: FeedError) -> FeedError {
        match error {
            FeedError::LimitReached { allowed, wanted } => {
                let root: PathBuf = self.places.root_path().to_owned();
                let counted = look::count_folders(&root, &mut self.enter);
                FeedError::LimitReached { wanted: counted.max(wanted), allowed }
            }
            other => other,
        }
    }
}

/// Whether that folder is still at that path.
fn is_at(path: &Path, inode: u64) -> bool {
    look::open_and_stat(path).is_ok_and(|(_, status)| status.st_ino == inode)
}
