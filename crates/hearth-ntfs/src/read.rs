//! Where bytes come from: anything that can be read at a place, shared by many threads.
//!
//! A disk, an image, a partition of either, bytes in memory. Nothing here can write, and what lies past the
//! end is an error, never zeroes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Random access to bytes that others may be writing meanwhile.
pub trait ReadAt: Send + Sync {
    /// Fills `out` from `offset`, bytes.
    ///
    /// # Errors
    /// As reading; [`io::ErrorKind::UnexpectedEof`] if there are too few bytes.
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Number of bytes there are.
    fn len(&self) -> u64;

    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An open file of known length. The length is that of the moment it was opened.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    len: u64,
}

impl OpenFile {
    /// Takes a file or block device of `len` bytes.
    pub fn new(file: File, len: u64) -> Self {
        Self { file, len }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl ReadAt for OpenFile {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.get(from..from.checked_add(out.len())?));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_exact_at(offset, out)
    }

    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        (**self).read_exact_at(offset, out)
    }

    fn len(&self) -> u64 {
        (**self).len()
    }
}

impl<R: ReadAt + ?Sized> ReadAt for Box<R> {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        (**self).read_exact_at(offset, out)
    }

    fn len(&self) -> u64 {
        (**self).len()
    }
}

impl<R: ReadAt + ?Sized> ReadAt for std::sync::Arc<R> {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        (**self).read_exact_at(offset, out)
    }

    fn len(&self) -> u64 {
        (**self).len()
    }
}

/// A part of something readable: a partition of a disk.
#[derive(Clone, Debug)]
pub struct Window<R> {
    inner: R,
    start: u64,
    len: u64,
}

impl<R: ReadAt> Window<R> {
    /// The `len` bytes from `start`, cut to what is there.
    pub fn new(inner: R, start: u64, len: u64) -> Self {
        let len = len.min(inner.len().saturating_sub(start));
        Self { inner, start, len }
    }

    /// What it is a part of.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// Where it begins, bytes.
    pub fn start(&self) -> u64 {
        self.start
    }
}

impl<R: ReadAt> ReadAt for Window<R> {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.len);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.inner.read_exact_at(self.start + offset, out)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_part_and_nothing_else() {
        let bytes: Vec<u8> = (0..100).collect();
        let window = Window::new(bytes, 10, 20);
        let mut out = [0; 4];
        window.read_exact_at(16, &mut out).unwrap();
        assert_eq!(out, [26, 27, 28, 29]);
        assert_eq!(window.read_exact_at(17, &mut out).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            window.read_exact_at(u64::MAX, &mut out).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(window.len(), 20);
        assert_eq!(Window::new(window, 15, 20).len(), 5);
    }
}
