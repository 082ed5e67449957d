//! A root as an open NTFS volume: the medium, the part of it, the tables that all else hangs on.
//!
//! What a disk holds is found by looking at it: a volume that fills it, a table of partitions, or the records of
//! a file table alone. Several volumes on one disk are told apart by the number of the partition.

use super::medium::{Bytes, Media, MediumError, Spot, Stamp};
use super::position::{JournalState, VolumeState};
use hearth_core::{CancelToken, Cancelled};
use hearth_ntfs::partitions::{self, Place};
use hearth_ntfs::usn::{Journal, JournalError};
use hearth_ntfs::{NtfsError, Volume, Window, logfile};
use std::io;
use std::path::{Path, PathBuf};

/// What is read of a journal to find its last record, bytes.
const TAIL_BYTES: u64 = 128 << 10;
/// What no record of a journal crosses, bytes.
const PAGE_BYTES: u64 = 4096;

/// First bytes of a file record.
const RECORD: &[u8; 4] = b"FILE";

/// Why a root is no NTFS volume that can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Medium(#[from] MediumError),
    #[error("{}: {source}", path.display())]
    Ntfs { path: PathBuf, source: NtfsError },
    #[error("{} holds no NTFS volume: neither a volume, nor a partition of one, nor a file table", path.display())]
    NoVolume { path: PathBuf },
    #[error("{} has no NTFS volume in partition {partition}; there {}", path.display(), describe(.there))]
    NoPartition { path: PathBuf, partition: u32, there: Vec<u32> },
    #[error("{} holds several NTFS volumes ({}): name one as {}#{}", path.display(), describe(.there), path.display(), there[0])]
    Several { path: PathBuf, there: Vec<u32> },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl OpenError {
    /// True if the file may not be read.
    pub(crate) fn is_denied(&self) -> bool {
        let OpenError::Medium(MediumError::Io { source, .. }) = self else { return false };
        source.kind() == io::ErrorKind::PermissionDenied
    }
}

fn describe(partitions: &[u32]) -> String {
    let numbers: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    match numbers.len() {
        0 => "are none".to_owned(),
        1 => format!("is one in partition {}", numbers[0]),
        _ => format!("are some in partitions {}", numbers.join(", ")),
    }
}

/// A volume that is being read.
pub(crate) struct Opened {
    pub(crate) volume: Volume<Window<Bytes>>,
    /// As of the medium.
    pub(crate) stamp: Option<Stamp>,
    /// False if there is nothing but the file table, or a copy: it has no journal that goes on.
    pub(crate) follows: bool,
}

impl Opened {
    /// What a later look is to be compared with; `None` if only the medium's stamp can tell. `journal` is the number of the
    /// record of the journal, if there is one.
    ///
    /// # Errors
    /// As reading.
    pub(crate) fn state(
        &self,
        journal: Option<u64>,
        cancel: &CancelToken,
    ) -> Result<Option<VolumeState>, NtfsError> {
        if !self.follows {
            return Ok(None);
        }
        let journal = match journal {
            Some(number) => Journal::at(&self.volume, number, cancel)?,
            None => None,
        };
        Ok(Some(VolumeState {
            journal: journal.map(|journal| end_of(&journal, cancel)).transpose()?,
            log: logfile::state(&self.volume)?,
            dirty: self.volume.information()?.is_dirty(),
            mft_bytes: self.volume.mft_bytes(),
            bitmap: self.volume.bitmap()?.unwrap_or_default(),
        }))
    }
}

/// Where a journal ends. What looks like its end may be records that have not reached the disk, so that the end is
/// behind the last record.
fn end_of(journal: &Journal<'_, Window<Bytes>>, cancel: &CancelToken) -> Result<JournalState, NtfsError> {
    let tail = journal.next_usn().saturating_sub(TAIL_BYTES) / PAGE_BYTES * PAGE_BYTES;
    let next_usn = match journal.read(tail.max(journal.first_usn()), cancel, &mut |_| {}) {
        Ok(read) => read.next_usn,
        Err(JournalError::Ntfs(error)) => return Err(error),
        Err(JournalError::BelowLowest { .. } | JournalError::BeyondEnd { .. }) => journal.next_usn(),
    };
    Ok(JournalState { number: journal.number(), id: journal.id(), next_usn })
}

impl Media {
    /// Opens the volume that a spot names. With `last`, an expanded capture is not kept for the next.
    pub(crate) fn volume(&self, spot: &Spot, last: bool, cancel: &CancelToken) -> Result<Opened, OpenError> {
        let medium = if last { self.open_last(&spot.file, cancel) } else { self.open(&spot.file, cancel) }?;
        let failed = |source| OpenError::Ntfs { path: spot.file.clone(), source };
        if spot.partition.is_none() && is_table(&medium.bytes) {
            let len = medium.bytes.len();
            let volume = Volume::open_mft(Window::new(medium.bytes, 0, len)).map_err(failed)?;
            return Ok(Opened { volume, stamp: medium.stamp, follows: false });
        }
        let Place { start, len, .. } =
            choose(&spot.file, spot.partition, partitions::volumes(&medium.bytes))?;
        let volume = Volume::open(Window::new(medium.bytes, start, len)).map_err(failed)?;
        Ok(Opened { volume, stamp: medium.stamp, follows: !medium.capture })
    }

    /// The spots of all volumes of a disk, or the spot itself.
    pub(crate) fn spots(&self, spot: &Spot, cancel: &CancelToken) -> Result<Vec<Spot>, OpenError> {
        match self.volume(spot, false, cancel) {
            Ok(_) => Ok(vec![spot.clone()]),
            Err(OpenError::Several { there, .. }) => {
                let spot = |partition| Spot { file: spot.file.clone(), partition: Some(partition) };
                Ok(there.into_iter().map(spot).collect())
            }
            Err(error) => Err(error),
        }
    }
}

/// True if these bytes begin with a file record, as those of a file table alone do.
pub(super) fn is_table(bytes: &Bytes) -> bool {
    let mut magic = [0; 4];
    bytes.read_exact_at(0, &mut magic).is_ok() && magic == *RECORD
}

fn choose(path: &Path, wanted: Option<u32>, places: Vec<Place>) -> Result<Place, OpenError> {
    let path = path.to_owned();
    let there: Vec<u32> = places.iter().filter_map(|place| place.partition).collect();
    match wanted {
        Some(partition) => {
            let found = places.into_iter().find(|place| place.partition == Some(partition));
            found.ok_or(OpenError::NoPartition { path, partition, there })
        }
        None if places.len() > 1 => Err(OpenError::Several { path, there }),
        None => places.into_iter().next().ok_or(OpenError::NoVolume { path }),
    }
}
