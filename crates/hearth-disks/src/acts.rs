//! Things that programs do to files, at random.
//!
//! Paths are drawn from a few names, so that what is done meets what was done before: folders become files, names
//! are taken over, files are removed while they are written to.

use proptest::prelude::*;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// One thing to do. Paths are few, so that things meet; what cannot be done is not done.
#[derive(Clone, Debug)]
pub enum Act {
    /// Makes a folder.
    Folder(PathBuf),
    /// Writes so many bytes from the start; makes the file if it is not there.
    Write(PathBuf, u8),
    /// Writes another file and renames it to this name.
    Replace(PathBuf),
    /// Opens a file for appending and keeps it open.
    Hold(PathBuf),
    /// Appends to a file that is held open.
    Append(usize),
    /// Changes the size, by path.
    Truncate(PathBuf, u8),
    /// Writes through a shared mapping.
    Mapped(PathBuf),
    /// Renames, also over what is there.
    Rename(PathBuf, PathBuf),
    /// Two names change places.
    Exchange(PathBuf, PathBuf),
    /// Gives a file another name.
    Link(PathBuf, PathBuf),
    /// Makes a file that gets its name last.
    Unnamed(PathBuf),
    /// Removes a file or an empty folder.
    Remove(PathBuf),
    /// Removes a folder with everything in it.
    RemoveAll(PathBuf),
    /// Changes the permissions.
    Mode(PathBuf, bool),
    /// Changes owner and group.
    Owner(PathBuf, u8),
    /// Changes the modification time only.
    Modified(PathBuf, u8),
    /// Sets an extended attribute.
    Attribute(PathBuf, u8),
    /// Makes a symbolic link.
    SymbolicLink(PathBuf),
    /// Makes a named pipe.
    Fifo(PathBuf),
}

fn path() -> impl Strategy<Value = PathBuf> {
    proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 1..4).prop_map(PathBuf::from_iter)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => path().prop_map(Act::Folder),
        4 => (path(), any::<u8>()).prop_map(|(at, size)| Act::Write(at, size)),
        1 => path().prop_map(Act::Replace),
        1 => path().prop_map(Act::Hold),
        2 => any::<usize>().prop_map(Act::Append),
        1 => (path(), any::<u8>()).prop_map(|(at, size)| Act::Truncate(at, size)),
        1 => path().prop_map(Act::Mapped),
        5 => (path(), path()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Act::Exchange(from, to)),
        2 => (path(), path()).prop_map(|(from, to)| Act::Link(from, to)),
        1 => path().prop_map(Act::Unnamed),
        3 => path().prop_map(Act::Remove),
        1 => path().prop_map(Act::RemoveAll),
        1 => (path(), any::<bool>()).prop_map(|(at, more)| Act::Mode(at, more)),
        1 => (path(), any::<u8>()).prop_map(|(at, who)| Act::Owner(at, who)),
        1 => (path(), any::<u8>()).prop_map(|(at, when)| Act::Modified(at, when)),
        1 => (path(), any::<u8>()).prop_map(|(at, value)| Act::Attribute(at, value)),
        1 => path().prop_map(Act::SymbolicLink),
        1 => path().prop_map(Act::Fifo),
    ]
}

/// Sequences of things to do.
pub fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(act(), 1..most)
}

/// Does things below a folder.
#[derive(Debug)]
pub struct Actor<'a> {
    root: &'a Path,
    held: Vec<File>,
}

impl<'a> Actor<'a> {
    /// Nothing is held open yet.
    pub fn new(root: &'a Path) -> Self {
        Self { root, held: Vec::new() }
    }

    /// Does one thing.
    ///
    /// # Errors
    /// It was not possible; nothing was done, or a part of it.
    pub fn run(&mut self, act: &Act) -> std::io::Result<()> {
        let at = |path: &Path| self.root.join(path);
        match act {
            Act::Folder(path) => fs::create_dir(at(path)),
            Act::Write(path, size) => {
                let mut options = OpenOptions::new();
                let mut file =
                    options.write(true).create(true).truncate(true).not_waiting().open(at(path))?;
                file.write_all(&vec![b'x'; usize::from(*size)])
            }
            Act::Replace(path) => {
                fs::write(at(path).with_extension("new"), "replaced")?;
                fs::rename(at(path).with_extension("new"), at(path))
            }
            Act::Hold(path) => {
                self.held.push(OpenOptions::new().append(true).not_waiting().open(at(path))?);
                Ok(())
            }
            Act::Append(which) => match self.held.len() {
                0 => Ok(()),
                held => append(&mut self.held[which % held]),
            },
            Act::Truncate(path, size) => truncate(&at(path), *size),
            Act::Mapped(path) => store_mapped(&at(path)),
            Act::Rename(from, to) => fs::rename(at(from), at(to)),
            Act::Exchange(from, to) => {
                Ok(rustix::fs::renameat_with(CWD, at(from), CWD, at(to), RenameFlags::EXCHANGE)?)
            }
            Act::Link(from, to) => fs::hard_link(at(from), at(to)),
            Act::Unnamed(path) => name_later(&at(path)),
            Act::Remove(path) => fs::remove_file(at(path)).or_else(|_| fs::remove_dir(at(path))),
            Act::RemoveAll(path) => fs::remove_dir_all(at(path)),
            Act::Mode(path, more) => {
                fs::set_permissions(at(path), fs::Permissions::from_mode(if *more { 0o755 } else { 0o700 }))
            }
            Act::Owner(path, who) => {
                let who = u32::from(*who);
                let (uid, gid) = (Uid::from_raw(who), Gid::from_raw(who));
                Ok(rustix::fs::chownat(CWD, at(path), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
            }
            Act::Modified(path, when) => set_modified(&at(path), *when),
            Act::Attribute(path, value) => {
                Ok(rustix::fs::lsetxattr(at(path), "trusted.hearth", &[*value], XattrFlags::empty())?)
            }
            Act::SymbolicLink(path) => std::os::unix::fs::symlink("a", at(path)),
            Act::Fifo(path) => Ok(rustix::fs::mknodat(CWD, at(path), FileType::Fifo, Mode::RWXU, 0)?),
        }
    }
}

/// Appends, unless the name by which the file was opened is gone: events then tell a name that leads nowhere.
fn append(file: &mut File) -> std::io::Result<()> {
    let name = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    if name.as_os_str().as_encoded_bytes().ends_with(b" (deleted)") {
        Ok(())
    } else {
        file.write_all(b"more")
    }
}

/// By path, not through an open file.
fn truncate(path: &Path, size: u8) -> std::io::Result<()> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: the path ends with NUL and lives during the call.
    match unsafe { libc::truncate(path.as_ptr(), i64::from(size)) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Writes through a shared mapping that is undone afterwards.
fn store_mapped(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).not_waiting().open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    // SAFETY: a new shared mapping of one page of an open, not empty file, at an address of the kernel's choice; one byte inside
    // of it is written before it is undone, and nothing else knows the address.
    unsafe {
        let flags = rustix::mm::MapFlags::SHARED;
        let access = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE;
        let page = rustix::mm::mmap(std::ptr::null_mut(), 1, access, flags, &file, 0)?;
        page.cast::<u8>().write_volatile(b'm');
        rustix::mm::munmap(page, 1)?;
    }
    Ok(())
}

/// A pipe that nobody reads would be waited for.
trait NotWaiting {
    fn not_waiting(&mut self) -> &mut Self;
}

impl NotWaiting for OpenOptions {
    fn not_waiting(&mut self) -> &mut Self {
        self.custom_flags(libc::O_NONBLOCK)
    }
}

/// Makes a file without a name and gives it one when it is written.
fn name_later(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().expect("below the root");
    let file = rustix::fs::openat(CWD, folder, OFlags::TMPFILE | OFlags::WRONLY, Mode::RWXU)?;
    let file = File::from(file);
    file.write_all_at(b"unnamed", 0)?;
    Ok(rustix::fs::linkat(&file, "", CWD, path, AtFlags::EMPTY_PATH)?)
}

/// Changes the modification time only.
fn set_modified(path: &Path, when: u8) -> std::io::Result<()> {
    let last_modification = Timespec { tv_sec: i64::from(when), tv_nsec: 0 };
    let last_access = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let times = Timestamps { last_access, last_modification };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
