//! The file system of the machine.
//!
//! Calls are made directly, since what matters here is in their flags: `O_EXCL` and `O_NOFOLLOW`,
//! positional reads and writes without a shared position, a rename that may refuse to replace.

use super::{Listed, Onto, Open, Ownership, Storage, StorageFile};
use hearth_core::UnixNanos;
use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealStorage;

struct RealFile(OwnedFd);

fn open_with(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?)
}

impl Storage for RealStorage {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = open_with(path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>> {
        let access = if how == Open::Read { OFlags::RDONLY } else { OFlags::RDWR };
        // Without NONBLOCK, opening a named pipe would wait for its other end.
        Ok(Box::new(RealFile(open_with(path, access | OFlags::NONBLOCK)?)))
    }

    fn rename(&self, from: &Path, to: &Path, onto: Onto) -> io::Result<()> {
        if onto == Onto::Nothing {
            match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
                // The file system does not know the flag: the last of two wins.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                done => return Ok(done?),
            }
        }
        Ok(rustix::fs::rename(from, to)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlink(path)?)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let folder =
            rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        match rustix::fs::fsync(folder) {
            // A file system that does not sync folders: there is nothing to wait for.
            Err(Errno::INVAL) => Ok(()),
            done => Ok(done?),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // What vanishes meanwhile is not in the folder.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                let modified_ns = nanos(metadata.mtime(), metadata.mtime_nsec());
                files.push(Listed { name: entry.file_name(), len: metadata.len(), modified_ns });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn user(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn fill_random(&self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let filled =
                rustix::io::retry_on_intr(|| rustix::rand::getrandom(&mut *bytes, GetRandomFlags::empty()))?;
            bytes = &mut bytes[filled..];
        }
        Ok(())
    }
}

impl StorageFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(rustix::fs::fstat(&self.0)?.st_size).map_err(io::Error::other)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::pread(&self.0, &mut *bytes, offset))?)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.0, bytes, offset))?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn ownership(&self) -> io::Result<Ownership> {
        let stat = rustix::fs::fstat(&self.0)?;
        let regular = FileType::from_raw_mode(stat.st_mode).is_file();
        Ok(Ownership { owner: stat.st_uid, mode: Mode::from_raw_mode(stat.st_mode).bits() & 0o777, regular })
    }
}

fn nanos(seconds: i64, rest: i64) -> UnixNanos {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
