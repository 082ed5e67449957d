//! Which parts of `$MFT` are read in one go, and reading them.
//!
//! A piece is small enough to stay in the cache of a core until its records are told. Where it cannot be read
//! as a whole, its records are read one by one, so that a bad sector costs the records in it and no more.

use super::report::{ReadReport, Which};
use crate::error::NtfsError;
use crate::read::ReadAt;
use crate::volume::Volume;
use hearth_core::CancelToken;
use std::ops::Range;

/// Bytes that are read in one go.
const PIECE_BYTES: u64 = 256 << 10;

/// Bytes without need that are read rather than left out.
const GAP_BYTES: u64 = 64 << 10;

/// Which records to read, in pieces, and how many bytes are left out.
pub(crate) fn all<R: ReadAt>(volume: &Volume<R>, which: Which) -> (Vec<Range<u64>>, u64) {
    let count = volume.record_count();
    let bitmap = match which {
        Which::InUse => volume.bitmap().ok().flatten().unwrap_or_default(),
        Which::All => Vec::new(),
    };
    // What the bitmap does not speak of may be in use.
    let beyond = (bitmap.len() as u64 * 8).min(count);
    let used = bitmap.iter().zip(0..).filter(|(byte, _)| **byte != 0);
    let used = used.map(|(_, group): (_, u64)| group * 8..(group * 8 + 8).min(count));
    let mut planned = merged(used.chain(std::iter::once(beyond..count)), volume);
    let read: u64 = planned.iter().map(|stretch| stretch.end - stretch.start).sum();
    planned.shrink_to_fit();
    (planned, (count - read) * u64::from(volume.geometry().record_bytes))
}

/// Merges ascending ranges of records that are near each other and cuts them into pieces.
pub(crate) fn merged<R: ReadAt>(
    ranges: impl Iterator<Item = Range<u64>>,
    volume: &Volume<R>,
) -> Vec<Range<u64>> {
    let record_bytes = u64::from(volume.geometry().record_bytes);
    let (gap, most) = (GAP_BYTES / record_bytes, (PIECE_BYTES / record_bytes).max(1));
    let mut pieces: Vec<Range<u64>> = Vec::new();
    for range in ranges.filter(|range| !range.is_empty()) {
        let mut start = range.start;
        if let Some(last) = pieces.last_mut().filter(|last| range.start - last.end <= gap) {
            last.end = range.end.min(last.start + most).max(last.end);
            start = start.max(last.end);
        }
        while start < range.end {
            pieces.push(start..range.end.min(start + most));
            start += most;
        }
    }
    pieces
}

/// Reads pieces into memory that serves again and again.
#[derive(Debug)]
pub(crate) struct Pieces<'v, R> {
    volume: &'v Volume<R>,
    buffer: Vec<u8>,
    failed: Vec<u64>,
}

impl<'v, R: ReadAt> Pieces<'v, R> {
    pub(crate) fn new(volume: &'v Volume<R>) -> Self {
        Self { volume, buffer: Vec::new(), failed: Vec::new() }
    }

    /// The records of a piece, each with its number, without those that cannot be read.
    pub(crate) fn read<'m>(
        &'m mut self,
        piece: &Range<u64>,
        report: &mut ReadReport,
        cancel: &CancelToken,
    ) -> Result<impl Iterator<Item = (u64, &'m mut [u8])> + use<'m, 'v, R>, NtfsError> {
        let record_bytes = self.volume.geometry().record_bytes as usize;
        let bytes = (piece.end - piece.start) as usize * record_bytes;
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes, 0);
        }
        self.failed.clear();
        let offset = piece.start * record_bytes as u64;
        if self.volume.read_mft(offset, &mut self.buffer[..bytes]).is_err() {
            self.read_one_by_one(piece, report, cancel)?;
        }
        report.records += piece.end - piece.start;
        let (records, failed) = (self.buffer[..bytes].chunks_exact_mut(record_bytes), &self.failed);
        let readable = |number: &u64| failed.is_empty() || failed.binary_search(number).is_err();
        Ok((piece.start..).zip(records).filter(move |(number, _)| readable(number)))
    }

    fn read_one_by_one(
        &mut self,
        piece: &Range<u64>,
        report: &mut ReadReport,
        cancel: &CancelToken,
    ) -> Result<(), NtfsError> {
        let record_bytes = self.volume.geometry().record_bytes as usize;
        for (number, record) in piece.clone().zip(self.buffer.chunks_exact_mut(record_bytes)) {
            cancel.check()?;
            if self.volume.read_mft(number * record_bytes as u64, record).is_err() {
                record.fill(0);
                // The first records have copies, which serve where there are zeroes.
                if self.volume.mirrored(number).is_none() {
                    self.failed.push(number);
                    report.unread += 1;
                    report.cannot_read(number);
                }
            }
        }
        Ok(())
    }
}
