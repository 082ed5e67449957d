//! `$Extend\$UsnJrnl` on a volume that has none: what Windows keeps and `ntfs-3g` does not.
//!
//! `ntfscp` may make the file where `ntfs-3g` may not; its streams are then written through a mount, holes
//! included. What the journal holds is kept in memory as well, to be compared with and to be written again.

use super::image::{Mount, NtfsImage};
use super::usn::{Entry, PAGE_BYTES, Stretch};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

/// The journal's path.
const PATH: &str = "$Extend/$UsnJrnl";
/// Bytes that a journal is to keep.
const MAX_BYTES: u64 = 32 << 20;
/// Bytes by which it is cut.
const DELTA_BYTES: u64 = 8 << 20;

/// A change journal on a volume.
#[derive(Clone, Debug)]
pub struct Journal {
    number: u64,
    cluster_bytes: u64,
    stretch: Stretch,
}

impl Journal {
    /// A new journal that begins at `first_usn`, cut to whole clusters. The volume must not be mounted.
    ///
    /// # Panics
    /// If there is one already, or no room.
    pub fn create(image: &NtfsImage, id: u64, first_usn: u64) -> Self {
        let cluster_bytes = u64::from(image.form().cluster_bytes).max(PAGE_BYTES);
        let first_usn = first_usn / cluster_bytes * cluster_bytes;
        let [empty, max] = ["empty", "max"].map(|name| image.beside().join(name));
        fs::write(&empty, "").expect("written");
        fs::write(&max, [MAX_BYTES, DELTA_BYTES, id, first_usn].map(u64::to_le_bytes).concat())
            .expect("written");
        let target = PathBuf::from("/").join(PATH);
        let copy = |options: &[&str], from| {
            crate::run("ntfscp", options, &[&image.path(), from, &target]).expect("room for a journal");
        };
        copy(&["-q"], &empty);
        copy(&["-q", "-N", "$Max"], &max);
        let mount = image.mount();
        let number = fs::metadata(mount.root().join(PATH)).expect("just made").ino();
        let journal = Self { number, cluster_bytes, stretch: Stretch::new(first_usn) };
        journal.open(&mount, true).set_len(first_usn).expect("room");
        journal
    }

    /// Number of its record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What is kept of it.
    pub fn stretch(&self) -> &Stretch {
        &self.stretch
    }

    /// Appends records; returns the USN of the first.
    ///
    /// # Panics
    /// If there is no room.
    pub fn append(&mut self, mount: &Mount, entries: &[Entry]) -> Option<u64> {
        let from = self.stretch.bytes().len();
        let usns: Vec<u64> = entries.iter().map(|entry| self.stretch.push(entry)).collect();
        let new = &self.stretch.bytes()[from..];
        let at = self.stretch.first_usn() + from as u64;
        self.open(mount, false).write_all_at(new, at).expect("room");
        usns.first().copied()
    }

    /// Cuts the head off, up to the last whole cluster before `lowest`; USNs stay as they are. Returns the lowest
    /// one that is left.
    ///
    /// # Panics
    /// If that is beyond the end, or there is no room.
    pub fn trim(&mut self, mount: &Mount, lowest: u64) -> u64 {
        let lowest = lowest / self.cluster_bytes * self.cluster_bytes;
        self.stretch.forget_before(lowest);
        fs::remove_file(stream(mount)).expect("a stream");
        let file = self.open(mount, true);
        file.set_len(self.stretch.next_usn()).expect("room");
        file.write_all_at(self.stretch.bytes(), self.stretch.first_usn()).expect("room");
        self.stretch.first_usn()
    }

    /// Deletes it. The volume must not be mounted.
    ///
    /// # Panics
    /// If it is gone already.
    pub fn delete(self, image: &NtfsImage) {
        fs::remove_file(stream(&image.mount())).expect("a stream");
        image.delete_from_extend(self.number);
    }

    fn open(&self, mount: &Mount, new: bool) -> File {
        OpenOptions::new().write(true).create(new).open(stream(mount)).expect("a stream")
    }
}

fn stream(mount: &Mount) -> PathBuf {
    Mount::stream(&mount.root().join(PATH), "$J")
}
