//! NTFS volumes as sources: opened raw, read as a whole, followed by their change journal.
//!
//! The crate `hearth-ntfs` reads bytes, the index knows rows; here they meet. A root is a block device, an image, a
//! compressed capture of one, or a file table alone; `#N` behind it names a partition. Nothing here opens anything for
//! writing.

mod asking;
mod deleted;
mod folders;
mod making;
mod medium;
mod opening;
mod position;
mod probe;
mod reread;
mod rows;
mod seeking;
mod telling;
mod track;

pub(crate) use making::Disks;
use medium::Stamp;
pub(crate) use medium::{Media, Spot};
pub(crate) use opening::OpenError;
pub(crate) use position::Position;
pub(crate) use probe::DiskProbe;
pub(crate) use track::DiskTrack;

use crate::forecast::working_bytes;
use hearth_core::CancelToken;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

impl Media {
    /// The stamp of the medium that a spot is on, if it has one.
    pub(crate) fn stamp(&self, spot: &Spot) -> Option<Stamp> {
        Stamp::of(&fs::metadata(&spot.file).ok()?)
    }

    /// Working set of the first read of a root, bytes: one row for each record. What cannot be opened now, or is a capture,
    /// is taken for small; what is larger shows while it is read.
    pub(crate) fn first_read(&self, root: &[u8]) -> u64 {
        const UNKNOWN_RECORDS: u64 = 200_000;
        let spot = Spot::of(root);
        let opened = match self.is_capture(&spot.file) {
            true => None,
            false => self.volume(&spot, false, &CancelToken::new()).ok(),
        };
        working_bytes(opened.map_or(UNKNOWN_RECORDS, |opened| opened.volume.record_count()))
    }

    /// What tells the volume at a root from any other one, bytes that mean nothing else.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub(crate) fn identity(&self, root: &[u8]) -> io::Result<Vec<u8>> {
        let spot = Spot::of(root);
        let meta = fs::metadata(&spot.file)?;
        let mut bytes = b"ntfs".to_vec();
        bytes.extend_from_slice(&(root.len() as u64).to_le_bytes());
        bytes.extend_from_slice(root);
        let opened = match self.is_capture(&spot.file) {
            true => None,
            false => Some(self.volume(&spot, false, &CancelToken::new()).map_err(io::Error::other)?),
        };
        match opened.filter(|opened| opened.follows) {
            Some(opened) => {
                let geometry = opened.volume.geometry();
                bytes.extend_from_slice(&geometry.serial.to_le_bytes());
                bytes.extend_from_slice(&opened.volume.reader().start().to_le_bytes());
            }
            // Another copy is another source.
            None => {
                for number in
                    [meta.ino(), meta.len(), meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned()]
                {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
            }
        }
        Ok(bytes)
    }
}
