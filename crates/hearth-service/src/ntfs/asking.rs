//! Questions about a disk that its index does not answer: what is on it, and what one file record says.
//!
//! They read the disk as it is now, and change nothing of the service but that the last expanded capture is kept.

use super::folders::Folders;
use super::medium::{Bytes, Medium, Spot};
use super::opening::{OpenError, Opened, is_table};
use super::seeking;
use crate::Service;
use crate::api::SourceKind;
use crate::api::disks::{
    DiskInfo, DiskKind, DiskVolume, JournalFacts, RecordAnswer, RecordWanted, VolumeFacts,
};
use crate::error::{ServiceError, lossy};
use crate::paths::normalise;
use hearth_core::CancelToken;
use hearth_ntfs::partitions::{self, Place};
use hearth_ntfs::usn::Journal;
use hearth_ntfs::{FileReference, NtfsError, Volume, Window, details, logfile};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

impl Service {
    /// What is on a disk: an absolute path, `PATH#NUMBER` for one of its partitions, or the name of an NTFS source.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::BadRequest`] for what cannot be read as a disk,
    /// [`ServiceError::PermissionDenied`], [`ServiceError::Cancelled`], [`ServiceError::TimedOut`].
    pub fn ntfs_info(&self, disk: &[u8], cancel: &CancelToken) -> Result<DiskInfo, ServiceError> {
        let spot = self.spot(disk)?;
        let failed = |error: OpenError| unreadable(&spot, error);
        let medium = self.media.open(&spot.file, cancel).map_err(|error| failed(error.into()))?;
        let table = is_table(&medium.bytes);
        let (partitions, places) = match table {
            true => (Vec::new(), vec![Place { partition: None, start: 0, len: medium.bytes.len() }]),
            false => (partitions::of(&medium.bytes), partitions::volumes(&medium.bytes)),
        };
        let wanted = |place: &Place| spot.partition.is_none_or(|number| place.partition == Some(number));
        let mut volumes = Vec::new();
        for place in places.iter().filter(|place| wanted(place)) {
            volumes.push(volume(&medium.bytes, place, table, cancel)?);
        }
        if let (Some(partition), true) = (spot.partition, volumes.is_empty()) {
            let there = places.iter().filter_map(|place| place.partition).collect();
            return Err(failed(OpenError::NoPartition { path: spot.file.clone(), partition, there }));
        }
        Ok(DiskInfo {
            path: spot.file.as_os_str().as_bytes().to_vec(),
            kind: kind(&spot, &medium, table),
            bytes: medium.bytes.len(),
            partitions,
            volumes,
        })
    }

    /// One file record of a volume; see [`Service::ntfs_info`] for `disk`.
    ///
    /// # Errors
    /// As [`Service::ntfs_info`]; [`ServiceError::BadRequest`] also if there is no such record, or nothing at the path.
    pub fn ntfs_record(
        &self,
        disk: &[u8],
        wanted: &RecordWanted,
        cancel: &CancelToken,
    ) -> Result<RecordAnswer, ServiceError> {
        let spot = self.spot(disk)?;
        let opened = self.media.volume(&spot, false, cancel).map_err(|error| unreadable(&spot, error))?;
        let (number, sequence) = match wanted {
            RecordWanted::Number(number) => (*number, None),
            RecordWanted::Reference(reference) => (reference.number(), Some(reference.sequence())),
            RecordWanted::Path(path) => {
                let found = self.seek(&spot, &opened, path, cancel)?;
                (found.number(), Some(found.sequence()))
            }
        };
        let details = details::of(&opened.volume, number).map_err(|error| no_record(error, &opened))?;
        let now = details.header.map(|header| header.sequence);
        Ok(RecordAnswer {
            asked_sequence: sequence.filter(|asked| now != Some(*asked)),
            paths: Folders::new(&opened.volume, cancel).paths_of(number),
            details,
        })
    }

    /// The record at a path: told by the index where that is in memory and right, else by the file table.
    fn seek(
        &self,
        spot: &Spot,
        opened: &Opened,
        path: &[u8],
        cancel: &CancelToken,
    ) -> Result<FileReference, ServiceError> {
        let parts = seeking::components(path, &spot.root());
        if let Some(reference) = self.indexed(spot, &parts) {
            let now = details::of(&opened.volume, reference.number()).ok().and_then(|details| details.header);
            if now.is_some_and(|header| header.in_use && header.sequence == reference.sequence()) {
                return Ok(reference);
            }
        }
        let found = seeking::seek(&opened.volume, &parts, cancel).map_err(|error| broken(spot, error))?;
        found.ok_or_else(|| ServiceError::BadRequest {
            field: "file",
            message: format!("there is no {} in {}", lossy(path), lossy(&spot.root())),
            hint: "give the path in the volume, beginning with /".to_owned(),
        })
    }

    /// What the index in memory of a registered volume knows of a path in it.
    fn indexed(&self, spot: &Spot, parts: &[Vec<u8>]) -> Option<FileReference> {
        let root = spot.root();
        let id =
            self.registry.lock().by_name_or_root(&root).filter(|known| known.kind == SourceKind::Ntfs)?.id;
        let body = Arc::clone(&self.catalogue.get(id)?.published.as_ref()?.body);
        let path = parts.iter().fold(root, |path, part| [&path, &b"/"[..], part].concat());
        let row = body.find_path(&path)?;
        Some(FileReference::from_key(body.meta(row).inode))
    }

    /// The disk that is meant by an absolute path, or by the name of a source.
    pub(super) fn spot(&self, disk: &[u8]) -> Result<Spot, ServiceError> {
        if let Some(path) = normalise(disk) {
            return Ok(Spot::of(&path));
        }
        let registry = self.registry.lock();
        let known = registry.by_name_or_root(disk).ok_or_else(|| registry.unknown(disk))?;
        match known.kind {
            SourceKind::Ntfs | SourceKind::NtfsDeleted => Ok(Spot::of(&known.root)),
            SourceKind::Volume => Err(ServiceError::BadRequest {
                field: "disk",
                message: format!("{} is a mounted file system, and not read as a disk", known.name),
                hint: "name the block device that it is on, or an image".to_owned(),
            }),
        }
    }
}

fn kind(spot: &Spot, medium: &Medium, table: bool) -> DiskKind {
    let device = || fs::metadata(&spot.file).is_ok_and(|meta| meta.file_type().is_block_device());
    match () {
        () if medium.capture => DiskKind::Capture,
        () if table => DiskKind::Table,
        () if device() => DiskKind::Device,
        () => DiskKind::Image,
    }
}

/// Reads the facts of one volume. What fails is a problem of that volume, and no error.
fn volume(
    bytes: &Bytes,
    place: &Place,
    table: bool,
    cancel: &CancelToken,
) -> Result<DiskVolume, ServiceError> {
    let window = Window::new(Arc::clone(bytes), place.start, place.len);
    let mut problems = Problems(Vec::new());
    let opened = if table { Volume::open_mft(window) } else { Volume::open(window) };
    let facts = match problems.of("the volume", opened)? {
        Some(volume) => Some(facts(&volume, &mut problems, cancel)?),
        None => None,
    };
    Ok(DiskVolume { partition: place.partition, start: place.start, facts, problems: problems.0 })
}

fn facts(
    volume: &Volume<Window<Bytes>>,
    problems: &mut Problems,
    cancel: &CancelToken,
) -> Result<VolumeFacts, ServiceError> {
    let whole = volume.geometry().has_clusters;
    let bitmap = problems.of("the map of records", volume.bitmap())?.flatten();
    let content = problems.of("the place of the file table", volume.content(0, ""))?.flatten();
    let log = if whole { problems.of("the log file", logfile::state(volume))? } else { None };
    let journal = problems.of("the change journal", Journal::open(volume, cancel))?.flatten();
    Ok(VolumeFacts {
        geometry: volume.geometry().clone(),
        information: problems.of("label and version", volume.information())?,
        mft_bytes: volume.mft_bytes(),
        records: volume.record_count(),
        records_in_use: bitmap.map(|map| in_use(&map, volume.record_count())),
        mft_fragments: content.filter(|_| whole).map(|content| content.runs().len() as u64),
        log,
        journal: journal.as_ref().map(journal_facts),
    })
}

pub(super) fn journal_facts(journal: &Journal<'_, Window<Bytes>>) -> JournalFacts {
    JournalFacts {
        id: journal.id(),
        first_usn: journal.first_usn(),
        lowest_valid_usn: journal.lowest_valid_usn(),
        next_usn: journal.next_usn(),
        max_bytes: journal.max_bytes(),
        delta_bytes: journal.delta_bytes(),
    }
}

/// Bits that are set among the first `records`.
fn in_use(map: &[u8], records: u64) -> u64 {
    let whole = usize::try_from(records / 8).unwrap_or(usize::MAX).min(map.len());
    let rest = map.get(whole).map_or(0, |byte| byte & ((1_u16 << (records % 8)) - 1) as u8);
    map[..whole].iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>() + u64::from(rest.count_ones())
}

/// What could not be read of a volume.
struct Problems(Vec<String>);

impl Problems {
    /// Notes an error, unless it is that somebody does not want to know any more.
    fn of<T>(&mut self, what: &str, read: Result<T, NtfsError>) -> Result<Option<T>, ServiceError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(NtfsError::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(error) => {
                self.0.push(format!("{what}: {error}"));
                Ok(None)
            }
        }
    }
}

/// Why a disk cannot be opened.
pub(super) fn unreadable(spot: &Spot, error: OpenError) -> ServiceError {
    let denied = error.is_denied();
    match error {
        OpenError::Cancelled(cancelled) => cancelled.into(),
        _ if denied => ServiceError::PermissionDenied { path: spot.file.clone() },
        error => ServiceError::BadRequest {
            field: "disk",
            message: error.to_string(),
            hint: "name a block device, an image of a disk or volume, a $MFT file, or a compressed capture of one".to_owned(),
        },
    }
}

/// Why an open volume cannot be read on.
pub(super) fn broken(spot: &Spot, error: NtfsError) -> ServiceError {
    unreadable(spot, OpenError::Ntfs { path: spot.file.clone(), source: error })
}

fn no_record(error: NtfsError, opened: &Opened) -> ServiceError {
    match error {
        NtfsError::Cancelled(cancelled) => cancelled.into(),
        error => ServiceError::BadRequest {
            field: "record",
            message: error.to_string(),
            hint: format!(
                "records are numbered from 0 to {}",
                opened.volume.record_count().saturating_sub(1)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bits_of_records_count() {
        assert_eq!(in_use(&[0xff, 0xff], 16), 16);
        assert_eq!(in_use(&[0xff, 0xff], 11), 11);
        assert_eq!(in_use(&[0x81], 100), 2);
        assert_eq!(in_use(&[], 5), 0);
    }
}
