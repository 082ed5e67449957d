//! A volume: its geometry, where its records lie, and single records.
//!
//! `$MFT` is a file like any other, and its first record says where it lies. The copy of its first four
//! records (`$MFTMirr`) stands in for those of them that are damaged.

use crate::attribute::BITMAP;
use crate::boot::{self, Geometry};
use crate::content::Content;
use crate::error::NtfsError;
use crate::limits;
use crate::read::ReadAt;
use crate::record::{Record, Slot, mend};
use crate::runs::{Run, read_through};
use crate::value;

/// Records that `$MFTMirr` holds.
pub(crate) const MIRRORED: u64 = 4;

/// Rounds in which runs of `$MFT` are found through runs of `$MFT`.
const ROUNDS: usize = 64;

/// A volume or a bare `$MFT`, open for reading.
#[derive(Debug)]
pub struct Volume<R> {
    reader: R,
    geometry: Geometry,
    /// Runs of `$MFT`; none for a bare one.
    runs: Vec<Run>,
    mft_bytes: u64,
}

impl<R: ReadAt> Volume<R> {
    /// Opens a volume through its boot sector or, where that is damaged, a copy of it.
    ///
    /// # Errors
    /// [`NtfsError::NotNtfs`] if there is no boot sector, [`NtfsError::Damaged`] if neither `$MFT` nor its
    /// copy can be found, [`NtfsError::Io`].
    pub fn open(reader: R) -> Result<Self, NtfsError> {
        let mut told = NtfsError::NotNtfs("there is nothing");
        for place in boot::places(reader.len()) {
            let geometry = boot::read(&reader, place);
            match geometry.and_then(|geometry| Ok((locate(&reader, &geometry)?, geometry))) {
                Ok(((runs, mft_bytes), geometry)) => return Ok(Self { reader, geometry, runs, mft_bytes }),
                // What is wrong behind a boot sector says more than that a sector is none, and the first
                // sector more than the places of its copies.
                Err(error) => {
                    let is_none = |error: &NtfsError| matches!(error, NtfsError::NotNtfs(_));
                    if place == 0 || is_none(&told) && !is_none(&error) {
                        told = error;
                    }
                }
            }
        }
        Err(told)
    }

    /// Opens a file that holds `$MFT` alone. Content outside of records cannot be read from it.
    ///
    /// # Errors
    /// [`NtfsError::NotNtfs`] if there is no good record near its begin, [`NtfsError::Io`].
    pub fn open_mft(reader: R) -> Result<Self, NtfsError> {
        let record_bytes = bare_record_bytes(&reader)?;
        let total_bytes = reader.len();
        let geometry = Geometry {
            sector_bytes: 512,
            cluster_bytes: 0,
            record_bytes,
            total_bytes,
            serial: 0,
            mft_offset: 0,
            mirror_offset: 0,
            has_clusters: false,
        };
        Ok(Self { reader, geometry, runs: Vec::new(), mft_bytes: total_bytes })
    }

    /// Sizes and places.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// What it is read from.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// Slots for records in `$MFT`.
    pub fn record_count(&self) -> u64 {
        self.mft_bytes / u64::from(self.geometry.record_bytes)
    }

    /// Length of `$MFT`, bytes.
    pub fn mft_bytes(&self) -> u64 {
        self.mft_bytes
    }

    /// Which records are in use, one bit each, lowest first: `$MFT:$BITMAP`. `None` for a bare `$MFT`.
    ///
    /// # Errors
    /// [`NtfsError::Damaged`] if it is not mapped, [`NtfsError::Io`].
    pub fn bitmap(&self) -> Result<Option<Vec<u8>>, NtfsError> {
        if !self.geometry.has_clusters {
            return Ok(None);
        }
        let content = value::find(self, 0, value::unnamed(BITMAP))?;
        content.map(|content| content.read_up_to(self.record_count().div_ceil(8))).transpose()
    }

    /// Content of record `number`, the unnamed one or one by its name; `None` if there is none, or if the
    /// record is not in use or extends another.
    ///
    /// # Errors
    /// [`NtfsError::Damaged`] if its record or the list of its pieces is, [`NtfsError::Io`].
    pub fn content(&self, number: u64, name: &str) -> Result<Option<Content<'_, R>>, NtfsError> {
        value::find(self, number, value::data(name))
    }

    /// One record, whatever state it is in; from `$MFTMirr` where that is better.
    ///
    /// # Errors
    /// [`NtfsError::Damaged`] if there is no such slot, [`NtfsError::Io`].
    pub fn record(&self, number: u64) -> Result<RecordBytes, NtfsError> {
        if number >= self.record_count() {
            let last = self.record_count().saturating_sub(1);
            return Err(NtfsError::Damaged(format!("there is no file record {number}: the last is {last}")));
        }
        let own = self.own_record(number);
        if number < MIRRORED && !own.as_ref().is_ok_and(|own| own.slot == Slot::Record) {
            return self.mirrored(number).map_or(own, Ok);
        }
        own
    }

    fn own_record(&self, number: u64) -> Result<RecordBytes, NtfsError> {
        let mut bytes = vec![0; self.geometry.record_bytes as usize];
        let offset = number * u64::from(self.geometry.record_bytes);
        self.read_mft(offset, &mut bytes).map_err(|source| {
            let bytes = bytes.len() as u64;
            NtfsError::Io { offset, bytes, source }
        })?;
        let slot = mend(&mut bytes);
        Ok(RecordBytes { bytes, slot, from_mirror: false })
    }

    /// The copy of one of the first records, if it is good.
    pub(crate) fn mirrored(&self, number: u64) -> Option<RecordBytes> {
        if number >= MIRRORED || !self.geometry.has_clusters {
            return None;
        }
        mirrored(&self.reader, &self.geometry, number)
    }

    /// Fills `out` from byte `offset` of `$MFT`.
    pub(crate) fn read_mft(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        if !self.geometry.has_clusters {
            return self.reader.read_exact_at(offset, out);
        }
        read_through(&self.reader, self.geometry.cluster_bytes, &self.runs, offset, out)
    }
}

/// The bytes of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBytes {
    bytes: Vec<u8>,
    slot: Slot,
    from_mirror: bool,
}

impl RecordBytes {
    /// The bytes: with fixups put back where `slot` is a record, else as on disk.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the slot holds.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// True if the copy in `$MFTMirr` stands in for the record.
    pub fn is_from_mirror(&self) -> bool {
        self.from_mirror
    }

    /// Its header and attributes, if it is sound.
    pub(crate) fn view(&self) -> Option<Record<'_>> {
        Record::new(&self.bytes).filter(|_| self.slot == Slot::Record)
    }
}

fn mirrored<R: ReadAt>(reader: &R, geometry: &Geometry, number: u64) -> Option<RecordBytes> {
    let mut bytes = vec![0; geometry.record_bytes as usize];
    let offset = geometry.mirror_offset.checked_add(number * u64::from(geometry.record_bytes))?;
    reader.read_exact_at(offset, &mut bytes).ok()?;
    let slot = mend(&mut bytes);
    (slot == Slot::Record).then_some(RecordBytes { bytes, slot, from_mirror: true })
}

/// Finds all runs of `$MFT`, and its length.
fn locate<R: ReadAt>(reader: &R, geometry: &Geometry) -> Result<(Vec<Run>, u64), NtfsError> {
    let record_bytes = u64::from(geometry.record_bytes);
    let first = Run {
        vcn: 0,
        lcn: Some(geometry.mft_offset / geometry.cluster_bytes),
        clusters: record_bytes.div_ceil(geometry.cluster_bytes),
    };
    let mut volume =
        Volume { reader, geometry: geometry.clone(), runs: vec![first], mft_bytes: record_bytes };
    // Records that map $MFT lie in what is mapped before them, in no certain order.
    for _ in 0..ROUNDS {
        let before = volume.runs.len();
        let (runs, bytes) = mapped(&volume)?;
        let grew = runs.len() > before || bytes > volume.mft_bytes;
        (volume.runs, volume.mft_bytes) = (runs, bytes);
        if !grew {
            break;
        }
    }
    Ok((volume.runs, volume.mft_bytes))
}

/// The runs of `$MFT` that can be found through those known, and its length as far as it can be true.
fn mapped<R: ReadAt>(volume: &Volume<R>) -> Result<(Vec<Run>, u64), NtfsError> {
    let missing = || NtfsError::Damaged("record 0, which says where $MFT lies, has no content".to_owned());
    let content = volume.content(0, "")?.ok_or_else(missing)?;
    let runs = content.runs().to_vec();
    let bytes = content.len().min(content.initialised()).min(volume.reader.len());
    if bytes < u64::from(volume.geometry.record_bytes) {
        return Err(missing());
    }
    Ok((runs, bytes))
}

/// Size of a record, as the first good one says.
fn bare_record_bytes<R: ReadAt>(reader: &R) -> Result<u32, NtfsError> {
    let bytes = reader.len().min(limits::BARE_SEARCH_BYTES);
    let mut head = vec![0; bytes as usize];
    reader.read_exact_at(0, &mut head).map_err(|source| NtfsError::Io { offset: 0, bytes, source })?;
    let none = NtfsError::NotNtfs("there is no good file record at its begin");
    (0..head.len()).step_by(256).find_map(|at| good_record_bytes(&head, at)).ok_or(none)
}

/// Size of the record at `at`, if there is a good one.
fn good_record_bytes(head: &[u8], at: usize) -> Option<u32> {
    let size = Record::new(head.get(at..)?)?.allocated_bytes();
    let possible = size.is_power_of_two() && limits::RECORD_BYTES.contains(&size);
    let in_place = possible && at.is_multiple_of(size as usize) && head[at..].starts_with(b"FILE");
    let mut bytes = in_place.then(|| head.get(at..at + size as usize))??.to_vec();
    (mend(&mut bytes) == Slot::Record).then_some(size)
}
