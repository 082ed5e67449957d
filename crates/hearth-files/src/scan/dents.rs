//! Reading directories: `getdents64(2)` into a large buffer, and the records in it.
//!
//! A record is: inode (8 bytes), position (8), record length (2), type (1), name, NUL, padding.
//! The parser works on a plain byte slice; a record that does not fit ends the iteration, so no input
//! can make it read outside of the buffer or loop.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use hearth_core::EntryKind;
use rustix::io::{Errno, retry_on_intr};

/// Size of the buffer of one call, bytes: about two thousand entries of usual names. Larger ones
/// fall out of the second-level cache and were not faster.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

const RECORD_LENGTH: usize = 16;
const TYPE: usize = 18;
const NAME: usize = 19;

/// One record of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dent<'a> {
    /// Inode number; below a mount point it is the covered one.
    pub(crate) inode: u64,
    /// Kind if the file system tells, [`EntryKind::File`] if not.
    pub(crate) kind: EntryKind,
    /// The name.
    pub(crate) name: &'a CStr,
}

/// Reads the next records of an open directory into `buffer` and returns their length in bytes;
/// 0 at the end of the directory.
pub(crate) fn read(dir: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    retry_on_intr(|| read_once(dir, buffer))
}

fn read_once(dir: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`, which is exclusively
    // borrowed for the call; `dir` is an open descriptor for its whole lifetime.
    let got =
        unsafe { libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
    usize::try_from(got).map_err(|_| last_errno())
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// The records of a buffer that [`read`] filled, without `.` and `..`.
pub(crate) fn records(mut bytes: &[u8]) -> impl Iterator<Item = Dent<'_>> {
    std::iter::from_fn(move || {
        let (dent, rest) = split_record(bytes)?;
        bytes = rest;
        Some(dent)
    })
    .filter(|dent| !matches!(dent.name.to_bytes(), b"" | b"." | b".."))
}

fn split_record(bytes: &[u8]) -> Option<(Dent<'_>, &[u8])> {
    let length = bytes.get(RECORD_LENGTH..RECORD_LENGTH + 2)?;
    let length = usize::from(u16::from_ne_bytes(length.try_into().ok()?));
    let (record, rest) = bytes.split_at_checked(length)?;
    let inode = u64::from_ne_bytes(record.get(..8)?.try_into().ok()?);
    let kind = kind_of(*record.get(TYPE)?);
    let name = CStr::from_bytes_until_nul(record.get(NAME..)?).ok()?;
    Some((Dent { inode, kind, name }, rest))
}

fn kind_of(d_type: u8) -> EntryKind {
    match d_type {
        libc::DT_DIR => EntryKind::Dir,
        libc::DT_LNK => EntryKind::Link,
        libc::DT_FIFO => EntryKind::Fifo,
        libc::DT_SOCK => EntryKind::Socket,
        libc::DT_BLK => EntryKind::Block,
        libc::DT_CHR => EntryKind::Char,
        _ => EntryKind::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(inode: u64, d_type: u8, name: &[u8]) -> Vec<u8> {
        let length = (NAME + name.len() + 1).next_multiple_of(8);
        let mut out = inode.to_ne_bytes().to_vec();
        out.extend([0; 8]);
        out.extend(u16::try_from(length).expect("short").to_ne_bytes());
        out.push(d_type);
        out.extend(name);
        out.resize(length, 0);
        out
    }

    #[test]
    fn records_are_read_and_dots_left_out() {
        let mut bytes = record(1, libc::DT_DIR, b".");
        bytes.extend(record(2, libc::DT_DIR, b".."));
        bytes.extend(record(3, libc::DT_LNK, b"\xff\n"));
        bytes.extend(record(4, 0, &[b'x'; 255]));
        let found: Vec<_> = records(&bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].inode, found[0].kind, found[0].name), (3, EntryKind::Link, c"\xff\n"));
        assert_eq!((found[1].kind, found[1].name.to_bytes().len()), (EntryKind::File, 255));
    }

    #[test]
    fn a_real_directory_reads_to_its_end() {
        let dir = std::fs::File::open("/proc/self").expect("proc is mounted");
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut names = Vec::new();
        loop {
            let got = read(std::os::fd::AsFd::as_fd(&dir), &mut buffer).expect("readable");
            names.extend(records(&buffer[..got]).map(|dent| dent.name.to_owned()));
            if got == 0 {
                break;
            }
        }
        assert!(names.iter().any(|name| name.as_c_str() == c"mountinfo"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_the_iteration(bytes: Vec<u8>) {
            proptest::prop_assert!(records(&bytes).count() <= bytes.len());
        }
    }
}
