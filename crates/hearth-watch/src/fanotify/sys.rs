//! The four system calls around file handles and fanotify groups. All unsafe code of this crate is here.
//!
//! Handles are copied into a buffer of the longest size there is, so that the kernel never reads or writes past it.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::events::Handle;

/// Longest handle, bytes (`MAX_HANDLE_SZ`).
const HANDLE_BYTES: usize = 128;
/// `struct file_handle` without its bytes, in words: length and type.
const HEAD_WORDS: usize = 2;

/// `struct file_handle`: length in bytes, type, bytes.
#[derive(Clone)]
pub(super) struct HandleBuffer {
    words: [u32; HEAD_WORDS + HANDLE_BYTES / 4],
}

impl HandleBuffer {
    /// A copy of a handle; `None` if it is longer than handles may be.
    fn of(handle: Handle<'_>) -> Option<Self> {
        let mut buffer = Self { words: [0; HEAD_WORDS + HANDLE_BYTES / 4] };
        if handle.bytes.len() > HANDLE_BYTES {
            return None;
        }
        buffer.words[0] = u32::try_from(handle.bytes.len()).ok()?;
        buffer.words[1] = handle.kind.cast_unsigned();
        for (word, bytes) in buffer.words[HEAD_WORDS..].iter_mut().zip(handle.bytes.chunks(4)) {
            let mut padded = [0; 4];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_ne_bytes(padded);
        }
        Some(buffer)
    }

    /// Type and bytes.
    pub(super) fn parts(&self) -> (i32, Vec<u8>) {
        let length = (self.words[0] as usize).min(HANDLE_BYTES);
        let bytes = self.words[HEAD_WORDS..].iter().flat_map(|word| word.to_ne_bytes());
        (self.words[1].cast_signed(), bytes.take(length).collect())
    }
}

/// A new group, see `fanotify_init(2)`.
pub(super) fn init(flags: u32) -> io::Result<OwnedFd> {
    let event_flags = libc::O_RDONLY | libc::O_LARGEFILE | libc::O_CLOEXEC;
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::fanotify_init(flags, event_flags.cast_unsigned()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds a mark for what `path` relative to `folder` leads to, see `fanotify_mark(2)`.
pub(super) fn mark(
    group: BorrowedFd<'_>,
    flags: u32,
    mask: u64,
    folder: BorrowedFd<'_>,
    path: &CStr,
) -> io::Result<()> {
    // SAFETY: `path` is a string that ends with NUL and lives during the call; both descriptors are open.
    let result =
        unsafe { libc::fanotify_mark(group.as_raw_fd(), flags, mask, folder.as_raw_fd(), path.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The handle of an open file, see `name_to_handle_at(2)`.
pub(super) fn handle_of(file: BorrowedFd<'_>) -> io::Result<HandleBuffer> {
    let mut buffer = HandleBuffer { words: [0; HEAD_WORDS + HANDLE_BYTES / 4] };
    buffer.words[0] = u32::try_from(HANDLE_BYTES).unwrap_or(u32::MAX);
    let mut mount = 0;
    // SAFETY: the buffer is as long as its first word says plus the two words of the head, aligned like `struct file_handle`,
    // and exclusively borrowed; the path is a constant that ends with NUL; `mount` is writable.
    let result = unsafe {
        libc::name_to_handle_at(
            file.as_raw_fd(),
            c"".as_ptr(),
            buffer.words.as_mut_ptr().cast(),
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(buffer) }
}

/// Opens what a handle names, in the file system of `mount`, see `open_by_handle_at(2)`.
pub(super) fn open_handle(mount: BorrowedFd<'_>, handle: Handle<'_>, flags: i32) -> io::Result<OwnedFd> {
    let mut buffer = HandleBuffer::of(handle).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the buffer holds a `struct file_handle` whose length does not exceed it, aligned for it, exclusively borrowed
    // for the call; `mount` is open.
    let fd = unsafe { libc::open_by_handle_at(mount.as_raw_fd(), buffer.words.as_mut_ptr().cast(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
