//! The world behind a trait: the file system calls a snapshot is made and read with.
//!
//! There are two: [`real::RealStorage`], and [`lying::LyingDisk`], which keeps a live and a durable
//! image in memory and cuts, tears and fails as told. The same tests run on both.

pub(crate) mod lying;
pub(crate) mod real;

use hearth_core::UnixNanos;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read.
    Read,
    /// To read and to write in place.
    ReadWrite,
}

/// What a rename may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onto {
    /// A file, which it replaces.
    Anything,
    /// Nothing: it fails with `AlreadyExists` where there is a file.
    Nothing,
}

/// Who a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// User id of the owner.
    pub owner: u32,
    /// Permission bits, lowest nine.
    pub mode: u32,
    /// True if it is a regular file.
    pub regular: bool,
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the folder.
    pub name: OsString,
    /// Length, bytes.
    pub len: u64,
    /// When it was last written.
    pub modified_ns: UnixNanos,
}

/// The file system, as far as snapshots need it. Symbolic links at the end of a path are not followed.
pub trait Storage: Send + Sync {
    /// Makes a file, mode 0600, to read and to write. Fails with `AlreadyExists` where there is one.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;
    /// Opens a file; never waits, whatever is there.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>>;
    /// Gives a file another name in one step.
    fn rename(&self, from: &Path, to: &Path, onto: Onto) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes what happened to the names of a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// The regular files of a folder, in order of their names.
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;
    /// User id of this process.
    fn user(&self) -> u32;
    /// Fills `bytes` with random bytes that are good for keys.
    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// An open file.
pub trait StorageFile: Send + Sync {
    /// Length, bytes.
    fn len(&self) -> io::Result<u64>;
    /// True if there is nothing in it.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads up to `bytes.len()` bytes; 0 at the end of the file. May read less than there is.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes up to `bytes.len()` bytes, at least one. May write less than told.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes the content durable.
    fn sync(&self) -> io::Result<()>;
    /// Who it belongs to.
    fn ownership(&self) -> io::Result<Ownership>;
}

/// Fills `bytes`, or fails with `UnexpectedEof`.
pub(crate) fn read_exact_at(file: &dyn StorageFile, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = file.read_at(bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}

/// Writes all of `bytes`.
pub(crate) fn write_all_at(file: &dyn StorageFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.write_at(bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}
