//! Reading a file's content as the file that the index knows, or not at all.
//!
//! The last component is never followed if it is a link, special files are not opened for long, and a
//! file that is no longer the inode of that size, or changes while it is read, is refused. Paths
//! longer than the kernel takes at once are opened in steps.

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

/// Longest part of a path given to the kernel at once, bytes (its own limit is 4096 with the NUL).
const PATH_STEP: usize = 4000;
/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The file that a row of the index speaks of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) inode: u64,
    pub(crate) size: u64,
}

/// Hashes the first `most` bytes of a file (all of it if that is fewer); gives the hash and the
/// number of bytes that were read. `stop` is asked between reads.
pub(crate) fn hash_file(
    path: &[u8],
    expected: Expected,
    most: u64,
    stop: &dyn Fn() -> bool,
) -> io::Result<(blake3::Hash, u64)> {
    let file = open(path)?;
    let before = fstat(&file)?;
    check(&before, expected)?;
    let mut file = File::from(file);
    let wanted = most.min(expected.size);
    let (hash, read) = hash(&mut file, wanted, stop)?;
    let after = fstat(&file)?;
    let stamp = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    if read != wanted || stamp(&before) != stamp(&after) {
        return Err(changed());
    }
    Ok((hash, read))
}

fn hash(file: &mut File, wanted: u64, stop: &dyn Fn() -> bool) -> io::Result<(blake3::Hash, u64)> {
    let size = usize::try_from(wanted).unwrap_or(BUFFER_BYTES).clamp(1, BUFFER_BYTES);
    let (mut buffer, mut hasher, mut read) = (vec![0; size], blake3::Hasher::new(), 0);
    while read < wanted {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = usize::try_from(wanted - read).unwrap_or(size).min(size);
        let got = file.read(&mut buffer[..room])?;
        if got == 0 {
            break;
        }
        hasher.update(&buffer[..got]);
        read += got as u64;
    }
    Ok((hasher.finalize(), read))
}

fn check(stat: &Stat, expected: Expected) -> io::Result<()> {
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if regular && stat.st_ino == expected.inode && size == expected.size { Ok(()) } else { Err(changed()) }
}

fn changed() -> io::Error {
    io::Error::other("the file changed since it was indexed")
}

/// Opens a file for reading, without touching its access time where that is allowed.
fn open(path: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match open_in_steps(path, flags | OFlags::NOATIME) {
        Err(Errno::PERM) => Ok(open_in_steps(path, flags)?),
        opened => Ok(opened?),
    }
}

fn open_in_steps(path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let (mut folder, mut rest): (Option<OwnedFd>, &[u8]) = (None, path);
    loop {
        let at = folder.as_ref().map_or(CWD, AsFd::as_fd);
        if rest.len() <= PATH_STEP {
            return openat(at, rest, flags, Mode::empty());
        }
        let slash = rest[..PATH_STEP].iter().rposition(|byte| *byte == b'/').filter(|slash| *slash > 0);
        let (step, after) = rest.split_at(slash.ok_or(Errno::NAMETOOLONG)?);
        let next = openat(at, step, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        (folder, rest) = (Some(next), &after[1..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    fn expected(path: &Path) -> Expected {
        let meta = fs::symlink_metadata(path).unwrap();
        Expected { inode: meta.ino(), size: meta.size() }
    }

    fn hash_of(path: &Path, expected: Expected, most: u64) -> io::Result<(blake3::Hash, u64)> {
        hash_file(path.as_os_str().as_bytes(), expected, most, &|| false)
    }

    #[test]
    fn the_whole_or_the_beginning_is_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let content: Vec<u8> = (0..700_001_u32).map(|number| number.to_le_bytes()[1]).collect();
        fs::write(&path, &content).unwrap();
        let expected = expected(&path);
        assert_eq!(hash_of(&path, expected, u64::MAX).unwrap(), (blake3::hash(&content), 700_001));
        assert_eq!(hash_of(&path, expected, 4096).unwrap(), (blake3::hash(&content[..4096]), 4096));
        let stopped = hash_file(path.as_os_str().as_bytes(), expected, u64::MAX, &|| true);
        assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn another_file_than_the_indexed_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("l"));
        fs::write(&path, "four").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let good = expected(&path);
        assert!(hash_of(&path, good, 9).is_ok());
        assert!(hash_of(&link, good, 9).is_err(), "a link is not followed");
        assert!(hash_of(&path, Expected { size: 5, ..good }, 9).is_err());
        assert!(hash_of(&path, Expected { inode: good.inode + 1, ..good }, 9).is_err());
        assert!(hash_of(folder.path(), expected(folder.path()), 9).is_err(), "a folder");
        assert!(hash_of(&folder.path().join("gone"), good, 9).is_err());
    }

    #[test]
    fn a_path_longer_than_the_kernel_takes_is_opened() {
        let top = tempfile::tempdir().unwrap();
        let name = "d".repeat(200);
        let mut path = top.path().as_os_str().as_bytes().to_vec();
        let mut folder = openat(CWD, top.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        for _ in 0..45 {
            rustix::fs::mkdirat(&folder, &name, Mode::RWXU).unwrap();
            folder = openat(&folder, &name, OFlags::RDONLY, Mode::empty()).unwrap();
            path.extend([b"/", name.as_bytes()].concat());
        }
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = openat(&folder, "file", flags, Mode::RUSR).unwrap();
        rustix::io::write(&file, b"deep").unwrap();
        path.extend(b"/file");
        assert!(path.len() > 8192);
        let inode = fstat(&file).unwrap().st_ino;
        let hashed = hash_file(&path, Expected { inode, size: 4 }, 4, &|| false);
        assert_eq!(hashed.unwrap(), (blake3::hash(b"deep"), 4));
    }
}
