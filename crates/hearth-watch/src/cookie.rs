//! Cookies: how a feed says that it has passed an instant.
//!
//! Kernel queues are filled inside of the system calls that change something, in order. A file that is made and removed in
//! a watched folder therefore shows up behind everything that was done before. Where no such folder is at
//! hand, the length of the queue is noted instead: once that much was read, the instant is passed.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An instant in the life of a feed. Numbers grow over all feeds of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie {
    /// Its number, unique within the process.
    pub number: u64,
    /// What shows that it was passed.
    pub proof: Proof,
}

/// What shows that a cookie was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {
    /// The events of a file went through the feed.
    Passed,
    /// What was in the queue at that moment was read; for a polled source, a comparison was asked for.
    Quiet,
}

const PREFIX: &[u8] = b".hearth-cookie-";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A number that no other cookie of this process has.
pub(crate) fn next_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A folder of the daemon's own in which cookie files may be made.
#[derive(Debug)]
pub(crate) struct CookieFolder {
    path: PathBuf,
    inode: u64,
}

impl CookieFolder {
    /// Takes a folder into use and removes what earlier processes left in it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let folder = Self { inode: fs::metadata(path)?.ino(), path: path.to_owned() };
        for entry in fs::read_dir(path)?.flatten() {
            if is_left_over(entry.file_name().as_bytes()) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(folder)
    }

    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes and removes the file of a cookie. It is not opened for writing: that would be one more event.
    pub(crate) fn drop_file(&self, number: u64) -> io::Result<()> {
        let path = self.path.join(file_name(number));
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        fs::OpenOptions::new().read(true).custom_flags(flags).mode(0o600).open(&path)?;
        fs::remove_file(&path)
    }

    /// Whether an event speaks of a cookie file, this process's or another's: such events are not dirt.
    pub(crate) fn is_cookie(&self, folder: u64, name: &[u8]) -> bool {
        folder == self.inode && name.starts_with(PREFIX)
    }
}

fn file_name(number: u64) -> OsString {
    format!("{}{}-{number}", String::from_utf8_lossy(PREFIX), std::process::id()).into()
}

/// Number of a cookie of this process by the name of its file.
pub(crate) fn number_of(name: &[u8]) -> Option<u64> {
    let (pid, number) = parse(name)?;
    (pid == std::process::id()).then_some(number)
}

fn parse(name: &[u8]) -> Option<(u32, u64)> {
    let text = std::str::from_utf8(name.strip_prefix(PREFIX)?).ok()?;
    let (pid, number) = text.split_once('-')?;
    Some((pid.parse().ok()?, number.parse().ok()?))
}

fn is_left_over(name: &[u8]) -> bool {
    parse(name).is_some_and(|(pid, _)| !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_number_to_its_own_process_only() {
        assert_eq!(number_of(file_name(17).as_bytes()), Some(17));
        assert_eq!(number_of(b".hearth-cookie-1-17"), None);
        for other in [&b".hearth-cookie-"[..], b".hearth-cookie-x-1", b"hearth", b".hearth-cookie-1-\xff"] {
            assert_eq!(number_of(other), None);
        }
    }

    #[test]
    fn a_dropped_file_leaves_nothing_and_left_overs_of_the_dead_go() {
        let temp = tempfile::tempdir().expect("a folder");
        let dead = temp.path().join(".hearth-cookie-4294967295-1");
        let alive = temp.path().join(".hearth-cookie-1-1");
        let other = temp.path().join("other");
        for path in [&dead, &alive, &other] {
            fs::write(path, "").expect("written");
        }
        let folder = CookieFolder::open(temp.path()).expect("opened");
        folder.drop_file(3).expect("dropped");
        assert_eq!((dead.exists(), alive.exists(), other.exists()), (false, true, true));
        assert_eq!(fs::read_dir(temp.path()).expect("listed").count(), 2);
        assert!(folder.is_cookie(folder.inode(), b".hearth-cookie-1-1"));
        assert!(!folder.is_cookie(folder.inode() + 1, b".hearth-cookie-1-1"));
        assert!(!folder.is_cookie(folder.inode(), b"other"));
    }
}
