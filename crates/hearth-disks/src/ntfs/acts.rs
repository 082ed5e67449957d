//! Things that programs do to files on NTFS, at random, and what Windows would write into the journal for each.
//!
//! Paths are drawn from a few names, so that what is done meets what was done before, and records are used again.
//! Windows adds up the reasons while a file is open and writes a record for each new one, then one more at
//! its close.

use super::image::Mount;
use super::listing::Records;
use super::usn::Entry;
use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use std::ffi::OsStr;
use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const DATA_OVERWRITE: u32 = 0x1;
const DATA_EXTEND: u32 = 0x2;
const DATA_TRUNCATION: u32 = 0x4;
const NAMED_DATA_EXTEND: u32 = 0x20;
const NAMED_DATA_TRUNCATION: u32 = 0x40;
const FILE_CREATE: u32 = 0x100;
const FILE_DELETE: u32 = 0x200;
const RENAME_OLD_NAME: u32 = 0x1000;
const RENAME_NEW_NAME: u32 = 0x2000;
const BASIC_INFO_CHANGE: u32 = 0x8000;
const HARD_LINK_CHANGE: u32 = 0x1_0000;
const STREAM_CHANGE: u32 = 0x20_0000;
const CLOSE: u32 = 0x8000_0000;

/// 100 ns from 1601 to 1970.
const EPOCH_TICKS: u64 = 116_444_736_000_000_000;

/// One thing to do. What cannot be done is not done.
#[derive(Clone, Debug)]
pub enum Act {
    /// Makes a folder.
    Folder(PathBuf),
    /// Writes so many bytes anew; makes the file if it is not there.
    Write(PathBuf, u16),
    /// Writes over the first byte: no size changes.
    Overwrite(PathBuf),
    /// Changes the size; what is added is a hole.
    Resize(PathBuf, u16),
    /// Renames, also over what is there.
    Rename(PathBuf, PathBuf),
    /// Gives a file another name.
    Link(PathBuf, PathBuf),
    /// Removes a name, or an empty folder.
    Remove(PathBuf),
    /// Removes a folder with everything in it.
    RemoveAll(PathBuf),
    /// Writes so many bytes into a named stream anew; makes it if it is not there.
    Stream(PathBuf, u8, u16),
    /// Removes a named stream.
    RemoveStream(PathBuf, u8),
    /// Changes the modification time only.
    Modified(PathBuf, u8),
}

fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("\u{1f600}")];
    proptest::collection::vec(name, 1..4).prop_map(PathBuf::from_iter)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => path().prop_map(Act::Folder),
        5 => (path(), 0_u16..6000).prop_map(|(at, size)| Act::Write(at, size)),
        1 => path().prop_map(Act::Overwrite),
        2 => (path(), any::<u16>()).prop_map(|(at, size)| Act::Resize(at, size)),
        5 => (path(), path()).prop_map(|(from, to)| Act::Rename(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Act::Link(from, to)),
        3 => path().prop_map(Act::Remove),
        1 => path().prop_map(Act::RemoveAll),
        2 => (path(), 0_u8..3, 0_u16..2000).prop_map(|(at, which, size)| Act::Stream(at, which, size)),
        1 => (path(), 0_u8..3).prop_map(|(at, which)| Act::RemoveStream(at, which)),
        1 => (path(), any::<u8>()).prop_map(|(at, when)| Act::Modified(at, when)),
    ]
}

/// Sequences of things to do.
pub fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(act(), 1..most)
}

/// Does things on a mounted volume and keeps the journal of it.
#[derive(Debug)]
pub struct Actor<'a> {
    mount: &'a Mount,
    record_bytes: u64,
    version: u16,
    journal: Vec<Entry>,
}

/// A file under one of its names, as the journal tells it.
#[derive(Clone, Debug)]
struct Name {
    file: u64,
    parent: u64,
    name: Vec<u16>,
    about: Metadata,
}

impl<'a> Actor<'a> {
    /// Nothing was done yet. Records of the journal are to have this version, 2 or 3.
    pub fn new(mount: &'a Mount, record_bytes: u64, version: u16) -> Self {
        Self { mount, record_bytes, version, journal: Vec::new() }
    }

    /// What Windows would have written for all that was done.
    pub fn into_journal(self) -> Vec<Entry> {
        self.journal
    }

    /// Does one thing.
    ///
    /// # Errors
    /// It was not possible; nothing was done, or a part of it, and the journal tells what.
    pub fn run(&mut self, act: &Act) -> io::Result<()> {
        let root = self.mount.root().to_owned();
        let at = |path: &Path| root.join(path);
        match act {
            Act::Folder(path) => {
                fs::create_dir(at(path))?;
                self.tell_path(&at(path), &[FILE_CREATE])
            }
            Act::Write(path, size) => self.write(&at(path), *size),
            Act::Overwrite(path) => self.overwrite(&at(path)),
            Act::Resize(path, size) => self.resize(&at(path), u64::from(*size)),
            Act::Rename(from, to) => self.rename(&at(from), &at(to)),
            Act::Link(from, to) => {
                fs::hard_link(at(from), at(to))?;
                self.tell_path(&at(to), &[HARD_LINK_CHANGE])
            }
            Act::Remove(path) => self.remove(&at(path)),
            Act::RemoveAll(path) => self.remove_all(&at(path)),
            Act::Stream(path, which, size) => self.stream(&at(path), *which, *size),
            Act::RemoveStream(path, which) => {
                fs::remove_file(stream_path(&at(path), *which))?;
                self.tell_path(&at(path), &[STREAM_CHANGE])
            }
            Act::Modified(path, when) => {
                set_modified(&at(path), *when)?;
                self.tell_path(&at(path), &[BASIC_INFO_CHANGE])
            }
        }
    }

    fn write(&mut self, path: &Path, size: u16) -> io::Result<()> {
        let first = if path.try_exists()? { DATA_TRUNCATION } else { FILE_CREATE };
        fs::write(path, vec![b'x'; usize::from(size)])?;
        let reasons = [first, DATA_EXTEND];
        self.tell_path(path, &reasons[..if size == 0 { 1 } else { 2 }])
    }

    fn overwrite(&mut self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(());
        }
        file.write_all_at(b"o", 0)?;
        self.tell_path(path, &[DATA_OVERWRITE])
    }

    fn resize(&mut self, path: &Path, size: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        let grows = file.metadata()?.len() < size;
        file.set_len(size)?;
        self.tell_path(path, &[if grows { DATA_EXTEND } else { DATA_TRUNCATION }])
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let old = self.name(from)?;
        let replaced = self.name(to).ok();
        fs::rename(from, to)?;
        match replaced {
            // Two names of one file, or the same name: nothing happens.
            Some(replaced) if replaced.file == old.file => return Ok(()),
            Some(replaced) => self.tell_removed(&replaced),
            None => {}
        }
        self.push(&old, RENAME_OLD_NAME);
        self.tell_path(to, &[RENAME_NEW_NAME])
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let name = self.name(path)?;
        fs::remove_file(path).or_else(|_| fs::remove_dir(path))?;
        self.tell_removed(&name);
        Ok(())
    }

    fn remove_all(&mut self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()? {
                self.remove_all(&entry.path())?;
            }
        }
        self.remove(path)
    }

    fn stream(&mut self, path: &Path, which: u8, size: u16) -> io::Result<()> {
        // Without this, a file would be made.
        fs::metadata(path)?;
        let stream = stream_path(path, which);
        let first = if stream.try_exists()? { NAMED_DATA_TRUNCATION } else { STREAM_CHANGE };
        fs::write(stream, vec![b's'; usize::from(size)])?;
        self.tell_path(path, &[first, NAMED_DATA_EXTEND])
    }

    fn name(&self, path: &Path) -> io::Result<Name> {
        let about = fs::symlink_metadata(path)?;
        let parent = fs::symlink_metadata(path.parent().expect("below the top"))?;
        let name =
            path.file_name().and_then(OsStr::to_str).expect("drawn from text").encode_utf16().collect();
        let [file, parent] = [&about, &parent].map(|about| self.reference(about.ino()));
        Ok(Name { file, parent, name, about })
    }

    fn reference(&self, number: u64) -> u64 {
        // Not kept open: the volume could not be unmounted before the end of this value.
        let records = Records::open(self.mount.root(), self.record_bytes);
        u64::from(records.sequence(number)) << 48 | number
    }

    fn tell_path(&mut self, path: &Path, reasons: &[u32]) -> io::Result<()> {
        let name = self.name(path)?;
        let mut sum = 0;
        for reason in reasons.iter().chain(&[CLOSE]) {
            sum |= reason;
            self.push(&name, sum);
        }
        Ok(())
    }

    fn tell_removed(&mut self, name: &Name) {
        let others = !name.about.is_dir() && name.about.nlink() > 1;
        self.push(name, CLOSE | if others { HARD_LINK_CHANGE } else { FILE_DELETE });
    }

    fn push(&mut self, name: &Name, reasons: u32) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        self.journal.push(Entry {
            version: self.version,
            file: name.file,
            parent: name.parent,
            filetime: EPOCH_TICKS + since.as_nanos() as u64 / 100,
            reasons,
            source: 0,
            attributes: if name.about.is_dir() { 0x10 } else { 0x20 },
            name: name.name.clone(),
            extents: Vec::new(),
        });
    }
}

fn stream_path(path: &Path, which: u8) -> PathBuf {
    Mount::stream(path, &format!("stream {which}"))
}

/// Changes the modification time only.
fn set_modified(path: &Path, when: u8) -> io::Result<()> {
    let last_modification = Timespec { tv_sec: i64::from(when), tv_nsec: 0 };
    let last_access = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let times = Timestamps { last_access, last_modification };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
