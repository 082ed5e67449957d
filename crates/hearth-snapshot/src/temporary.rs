//! Temporary files: how a file is replaced in one step, and how what a crash left is removed.
//!
//! A temporary file is called `.NAME.RRRRRRRRRRRRRRRR.tmp`, beside its target. One that is dropped before it
//! is committed is removed.

use crate::error::SaveError;
use crate::storage::{Onto, Storage, StorageFile, write_all_at};
use hearth_core::UnixNanos;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ENDING: &[u8] = b".tmp";
const RANDOM_DIGITS: usize = 16;

/// A file that is being written and is not yet in its place.
pub(crate) struct TemporaryFile<'a> {
    storage: &'a dyn Storage,
    file: Box<dyn StorageFile>,
    path: PathBuf,
    target: PathBuf,
    len: u64,
    committed: bool,
}

impl<'a> TemporaryFile<'a> {
    pub(crate) fn create(storage: &'a dyn Storage, target: &Path) -> Result<Self, SaveError> {
        let mut random = [0; RANDOM_DIGITS / 2];
        storage.fill_random(&mut random).map_err(|source| SaveError::io(target, "name", source))?;
        let path = temporary_path(target, u64::from_le_bytes(random));
        let file = storage.create_new(&path).map_err(|source| SaveError::io(&path, "create", source))?;
        Ok(Self { storage, file, path, target: target.to_owned(), len: 0, committed: false })
    }

    /// Bytes written so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), SaveError> {
        match write_all_at(&*self.file, bytes, self.len) {
            Ok(()) => {
                self.len += bytes.len() as u64;
                Ok(())
            }
            Err(source)
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Err(SaveError::NoSpace { path: self.path.clone(), written_bytes: self.len })
            }
            Err(source) => Err(SaveError::io(&self.path, "write", source)),
        }
    }

    /// Puts the file in its place, durably. A sync that fails is not tried again: the system may have
    /// dropped what it could not write.
    pub(crate) fn commit(mut self, onto: Onto) -> Result<(), SaveError> {
        self.file.sync().map_err(|source| SaveError::io(&self.path, "sync", source))?;
        let renamed = self.storage.rename(&self.path, &self.target, onto);
        renamed.map_err(|source| SaveError::io(&self.target, "rename onto", source))?;
        self.committed = true;
        let folder = folder_of(&self.target);
        self.storage.sync_folder(folder).map_err(|source| SaveError::io(folder, "sync", source))
    }
}

impl Drop for TemporaryFile<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // What cannot be removed now is swept at the next start.
            let _left = self.storage.remove(&self.path);
        }
    }
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary_path(target: &Path, random: u64) -> PathBuf {
    let mut name = b".".to_vec();
    name.extend_from_slice(target.file_name().unwrap_or_default().as_bytes());
    name.extend_from_slice(format!(".{random:0width$x}", width = RANDOM_DIGITS).as_bytes());
    name.extend_from_slice(ENDING);
    folder_of(target).join(std::ffi::OsString::from_vec(name))
}

/// The name of the file that a temporary file was to become.
fn target_name(temporary: &OsStr) -> Option<&[u8]> {
    let name = temporary.as_bytes().strip_prefix(b".")?.strip_suffix(ENDING)?;
    let (target, random) = name.split_at_checked(name.len().checked_sub(RANDOM_DIGITS + 1)?)?;
    let hexadecimal = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let ours = !target.is_empty() && random[0] == b'.' && random[1..].iter().all(hexadecimal);
    ours.then_some(target)
}

/// A temporary file that was to become `target`, if there is one.
pub(crate) fn left_over(storage: &dyn Storage, target: &Path) -> Option<PathBuf> {
    let (folder, name) = (folder_of(target), target.file_name()?.as_bytes());
    let files = storage.list(folder).ok()?;
    let left = files.into_iter().find(|file| target_name(&file.name) == Some(name))?;
    Some(folder.join(left.name))
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Number of files.
    pub files: usize,
    /// Their length, bytes.
    pub bytes: u64,
}

/// Removes the temporary files of a folder that were last written at least `age` before `now_ns`; at the
/// start, when nothing of ours can be writing, that is an age of zero. Other files are left alone.
pub fn sweep(storage: &dyn Storage, folder: &Path, now_ns: UnixNanos, age: Duration) -> io::Result<Swept> {
    let age_ns = UnixNanos::try_from(age.as_nanos()).unwrap_or(UnixNanos::MAX);
    let mut swept = Swept::default();
    for file in storage.list(folder)? {
        let old = age_ns == 0 || now_ns.saturating_sub(file.modified_ns) >= age_ns;
        if old && target_name(&file.name).is_some() {
            storage.remove(&folder.join(&file.name))?;
            swept.files += 1;
            swept.bytes += file.len;
        }
    }
    Ok(swept)
}

/// Removes the temporary files that were to become `target`, at the start, when nothing of ours can be writing it.
pub fn sweep_of(storage: &dyn Storage, target: &Path) -> io::Result<Swept> {
    let (folder, mut swept) = (folder_of(target), Swept::default());
    let files = match storage.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(swept),
        files => files?,
    };
    for file in files {
        if target_name(&file.name) == target.file_name().map(OsStr::as_bytes) {
            storage.remove(&folder.join(&file.name))?;
            swept.files += 1;
            swept.bytes += file.len;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_tells_its_target_and_nothing_else_does() {
        let path = temporary_path(Path::new("cache/a.b"), 0x1f);
        assert_eq!(path, Path::new("cache/.a.b.000000000000001f.tmp"));
        assert_eq!(target_name(path.file_name().expect("it has a name")), Some(&b"a.b"[..]));
        for other in
            ["a.b", ".a.tmp", ".000000000000001f.tmp", ".a.00000000000000XX.tmp", ".a.000000000000001f"]
        {
            assert_eq!(target_name(OsStr::new(other)), None, "{other}");
        }
    }
}
