//! The disk side of one call: the opened root, and ways from it to folders that the index knows.
//!
//! The root is opened for each call and closed after it, so that a follower at rest keeps no file system
//! busy. It must be the folder that was indexed: an unmounted volume leaves an empty folder behind, which
//! would otherwise empty the index. A way is made of names that the index believes in; whether it still
//! leads to the folder that was meant is for the caller to check, by inode.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_core::NO_TIME;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, retry_on_intr};

use super::FollowError;
use crate::entry::Meta;
use crate::index::{DirId, Known, ROOT};
use crate::scan::stat::{self, Folder, Place};
use crate::scan::tree::{Dir, FdBudget, Handle};
use crate::scan::{ScanError, is_gone};

const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const STRICT: ResolveFlags =
    ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_XDEV).union(ResolveFlags::BENEATH);

/// ext2 to ext4, xfs, f2fs, tmpfs, by the magic of `statfs(2)`.
const PLAIN: [u32; 4] = [0xef53, 0x5846_5342, 0xf2f5_2010, 0x0102_1994];
/// btrfs, bcachefs.
const WITH_SUBVOLUMES: [u32; 2] = [0x9123_683e, 0xca45_1a4e];

/// Whether two folders may be one: the same inode, and not born at different times. File systems use the
/// numbers of removed inodes again.
pub(super) fn may_be_same_folder(one: &Meta, other: &Meta) -> bool {
    one.inode == other.inode && !born_apart(one, other)
}

/// Whether they must be one: the birth times are known, too.
pub(super) fn are_one_folder(one: &Meta, other: &Meta) -> bool {
    may_be_same_folder(one, other) && one.created_ns != NO_TIME && other.created_ns != NO_TIME
}

fn born_apart(one: &Meta, other: &Meta) -> bool {
    let known = |meta: &Meta| meta.created_ns != NO_TIME;
    known(one) && known(other) && one.created_ns != other.created_ns
}

/// Whether an error says that a way does not lead to the folder any more.
pub(super) fn leads_astray(error: Errno) -> bool {
    is_gone(error) || error == Errno::XDEV
}

/// The folders from below the root down to one, with their names.
pub(super) type Way = Vec<(DirId, CString)>;

/// The way to a folder, `None` if it stands nowhere at present (see `writer`).
pub(super) fn way_to(known: Known<'_>, folder: DirId) -> Option<Way> {
    let (mut way, mut at) = (Way::new(), folder);
    while at != ROOT {
        let row = known.body.dir_row(at);
        let mut name = Vec::with_capacity(24);
        known.body.name_into(row, &mut name);
        if name.contains(&b'/') {
            return None;
        }
        way.push((at, CString::new(name).ok()?));
        at = known.body.parent(row);
    }
    way.reverse();
    Some(way)
}

/// See the module.
pub(super) struct Ground {
    root: Arc<Dir>,
    place: Place,
    magic: Option<u32>,
    pub(super) budget: Arc<FdBudget>,
}

impl Ground {
    /// Opens the root at `path` (empty for `/`), which must be the one in the index. Folders may hold this many
    /// descriptors.
    pub(super) fn open(path: &[u8], known: Known<'_>, held: usize) -> Result<Self, FollowError> {
        let shown = Path::new(OsStr::from_bytes(if path.is_empty() { b"/" } else { path }));
        let failed = |error: Errno| FollowError::Root(ScanError::from_io(shown, &error.into()));
        let fd = retry_on_intr(|| openat(CWD, shown, PASS, Mode::empty())).map_err(failed)?;
        let Folder { meta, place, .. } = stat::folder(fd.as_fd()).map_err(failed)?;
        if !may_be_same_folder(&meta, &known.folder_meta(ROOT)) {
            return Err(FollowError::OtherRoot { path: PathBuf::from(shown) });
        }
        let magic = rustix::fs::fstatfs(&fd).ok().map(|found| found.f_type as u32);
        Ok(Self { root: Arc::new(Dir::root(fd)), place, magic, budget: FdBudget::new(held) })
    }

    /// Whether an entry at `place` belongs to the volume.
    pub(super) fn holds(&self, place: &Place) -> bool {
        self.place.same_volume(place)
    }

    /// Whether the file system is known to stamp an inode, by this machine's clock, with each change of a folder's
    /// names. Network and user-space file systems have clocks and habits of their own.
    pub(super) fn stamps_every_change(&self) -> bool {
        self.magic.is_some_and(|magic| PLAIN.contains(&magic) || WITH_SUBVOLUMES.contains(&magic))
    }

    /// Whether files with the same inode are known to be one file. Subvolumes and the layers of an overlay each
    /// have their own.
    pub(super) fn inodes_are_unique(&self) -> bool {
        self.magic.is_some_and(|magic| PLAIN.contains(&magic))
    }

    fn root_fd(&self) -> BorrowedFd<'_> {
        self.root.handle().expect("the root keeps its descriptor").as_fd()
    }

    /// Opens the folder at the end of a way as a place to look from; needs no right to read it.
    pub(super) fn open_way(&self, way: &[(DirId, CString)]) -> Result<OwnedFd, Errno> {
        if way.is_empty() {
            return open_step(self.root_fd(), c".");
        }
        let path = way.iter().map(|(_, name)| name.to_bytes()).collect::<Vec<_>>().join(&b'/');
        match retry_on_intr(|| openat2(self.root_fd(), path.as_slice(), PASS, Mode::empty(), STRICT)) {
            // Older kernels, longer paths than the call takes, a rename under way.
            Err(Errno::NOSYS | Errno::NAMETOOLONG | Errno::AGAIN) => self.climb(way),
            done => done,
        }
    }

    fn climb(&self, way: &[(DirId, CString)]) -> Result<OwnedFd, Errno> {
        let mut fd = open_step(self.root_fd(), c".")?;
        for (_, name) in way {
            fd = open_step(fd.as_fd(), name)?;
        }
        Ok(fd)
    }

    /// The folder at the end of a way for the scanner's tools, open as `handle`, or else opened when needed.
    pub(super) fn dir_at(&self, way: &[(DirId, CString)], handle: Option<&Arc<Handle>>) -> Arc<Dir> {
        let step = |above, (dir, name): &(DirId, CString)| Arc::new(Dir::step(above, *dir, name.clone()));
        let Some(((dir, name), above)) = way.split_last() else { return Arc::clone(&self.root) };
        let above = above.iter().fold(Arc::clone(&self.root), step);
        match handle {
            Some(handle) => Arc::new(Dir::child(above, *dir, name.clone(), handle)),
            None => Arc::new(Dir::step(above, *dir, name.clone())),
        }
    }

    /// What is on disk where the index has this entry; `None` if it stands nowhere at present.
    pub(super) fn entry_of(
        &self,
        known: Known<'_>,
        folder: DirId,
        name: &[u8],
    ) -> Option<Result<(Meta, Place), Errno>> {
        let way = way_to(known, folder)?;
        let name = CString::new(name).ok().filter(|name| !name.as_bytes().contains(&b'/'))?;
        Some(self.open_way(&way).and_then(|above| stat::entry_at(above.as_fd(), &name)))
    }

    /// The first step of a way that does not lead to the folder it should: the folder that is left, and the
    /// name. `None` if all do.
    pub(super) fn broken_step(&self, known: Known<'_>, way: &Way) -> Result<Option<(DirId, CString)>, Errno> {
        let (mut fd, mut above) = (open_step(self.root_fd(), c".")?, ROOT);
        for (dir, name) in way {
            let opened = open_step(fd.as_fd(), name);
            match opened.and_then(|fd| Ok((stat::folder(fd.as_fd())?, fd))) {
                Ok((found, next)) if self.is_folder(known, *dir, &found) => fd = next,
                Err(error) if !leads_astray(error) => return Err(error),
                _ => return Ok(Some((above, name.clone()))),
            }
            above = *dir;
        }
        Ok(None)
    }

    /// Whether an open folder is the one with this number.
    pub(super) fn is_folder(&self, known: Known<'_>, dir: DirId, found: &Folder) -> bool {
        self.holds(&found.place) && may_be_same_folder(&found.meta, &known.folder_meta(dir))
    }
}

fn open_step(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| openat(above, name, PASS, Mode::empty()))
}
