//! The journal of a volume: what it says about itself, and its records from a USN on.
//!
//! Other programs may write to it meanwhile. What is read is the journal as it was when it was opened, and every
//! byte since the USN asked for is accounted for: as a record, as zeroes, or as skipped.

use super::records::parse;
use super::{PAGE_BYTES, UsnRecord};
use crate::bytes::u64_at;
use crate::content::Content;
use crate::error::NtfsError;
use crate::file::{File, Visit};
use crate::read::ReadAt;
use crate::volume::Volume;
use hearth_core::CancelToken;
use std::ops::Range;

/// Record of `$Extend`.
const EXTEND: u64 = 11;
const NAME: &str = "$UsnJrnl";
/// Bytes of `$Max`.
const MAX_BYTES: u64 = 32;
/// Bytes that are read at once; a multiple of a page.
const PIECE_BYTES: u64 = 1 << 20;
/// Records that are looked at at once when the journal is searched.
const SEARCHED_AT_ONCE: u64 = 4096;

/// Why the journal cannot tell what happened since a USN.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading failed, or was stopped.
    #[error(transparent)]
    Ntfs(#[from] NtfsError),
    /// What came next was cut off: the journal keeps only so much.
    #[error("the journal no longer holds what follows USN {from}: it begins at {lowest}")]
    BelowLowest {
        /// The USN that was asked for.
        from: u64,
        /// The lowest that could have been.
        lowest: u64,
    },
    /// The USN is of another journal, or the volume was set back.
    #[error("USN {from} is not yet written: the journal ends at {next}")]
    BeyondEnd {
        /// The USN that was asked for.
        from: u64,
        /// The end.
        next: u64,
    },
}

/// What reading a stretch of the journal came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalRead {
    /// From where to go on: behind the last record, and no less than from where it was read. Zeroes that follow
    /// may be records that did not reach the disk yet.
    pub next_usn: u64,
    /// Records told.
    pub records: u64,
    /// Bytes that hold neither records nor the zeroes behind them: what they told is lost.
    pub skipped_bytes: u64,
}

impl JournalRead {
    /// Counts what is mapped nowhere, although records lay there.
    fn skip(&mut self, hole: Range<u64>) {
        if !hole.is_empty() {
            self.skipped_bytes += hole.end - hole.start;
            self.next_usn = hole.end;
        }
    }
}

/// True for the file that holds the journal. Who reads all files finds the journal on the way.
pub fn is_journal(file: &File<'_>) -> bool {
    let mut names = file.names.iter();
    file.in_use && names.any(|name| name.parent.number() == EXTEND && name.name.is_ascii_text(NAME))
}

/// What `$Max` says: `CREATE_USN_JOURNAL_DATA`, the identifier, and where this journal began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Max {
    max_bytes: u64,
    delta_bytes: u64,
    id: u64,
    lowest_valid_usn: u64,
}

impl Max {
    fn of(bytes: &[u8]) -> Option<Self> {
        let [max_bytes, delta_bytes, id, lowest_valid_usn] = [0, 8, 16, 24].map(|at| u64_at(bytes, at));
        let (id, lowest_valid_usn) = (id?, lowest_valid_usn?);
        Some(Self { max_bytes: max_bytes?, delta_bytes: delta_bytes?, id, lowest_valid_usn })
    }
}

/// The change journal as it was when it was opened.
#[derive(Debug)]
pub struct Journal<'v, R> {
    content: Content<'v, R>,
    number: u64,
    max: Max,
    /// What does not lie in holes, whole pages, ascending and disjoint.
    stored: Vec<Range<u64>>,
}

impl<'v, R: ReadAt> Journal<'v, R> {
    /// Searches the records for the journal; `None` if there is none, or only records.
    ///
    /// # Errors
    /// [`NtfsError::Damaged`] if the journal is there and cannot be understood, [`NtfsError::Io`],
    /// [`NtfsError::Cancelled`].
    pub fn open(volume: &'v Volume<R>, cancel: &CancelToken) -> Result<Option<Self>, NtfsError> {
        let count = volume.record_count();
        for first in (0..count).step_by(SEARCHED_AT_ONCE as usize) {
            let numbers: Vec<u64> = (first..count.min(first + SEARCHED_AT_ONCE)).collect();
            if let Some(number) = search(volume, &numbers, cancel)? {
                return Self::of_record(volume, number);
            }
        }
        Ok(None)
    }

    /// Opens the journal whose record this was before; `None` if it is not there any more, wherever else one
    /// may be.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn at(volume: &'v Volume<R>, number: u64, cancel: &CancelToken) -> Result<Option<Self>, NtfsError> {
        let found = search(volume, &[number], cancel)?;
        found.map_or(Ok(None), |number| Self::of_record(volume, number))
    }

    fn of_record(volume: &'v Volume<R>, number: u64) -> Result<Option<Self>, NtfsError> {
        if !volume.geometry().has_clusters {
            return Ok(None);
        }
        let (Some(max), Some(content)) = (volume.content(number, "$Max")?, volume.content(number, "$J")?)
        else {
            // It is being made or deleted.
            return Ok(None);
        };
        let short =
            || NtfsError::Damaged("$Max, which says how the journal is kept, is too short".to_owned());
        let max = Max::of(&max.read_up_to(MAX_BYTES)?).ok_or_else(short)?;
        Ok(Some(Self { stored: stored(&content, volume)?, content, number, max }))
    }

    /// Number of its record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Which journal this is: one that was made anew has another.
    pub fn id(&self) -> u64 {
        self.max.id
    }

    /// The lowest USN from which it can be read.
    pub fn first_usn(&self) -> u64 {
        let stored = self.content.first_stored().next_multiple_of(PAGE_BYTES);
        stored.max(self.max.lowest_valid_usn).min(self.next_usn())
    }

    /// The lowest USN of this journal; what lies below was written before it was made.
    pub fn lowest_valid_usn(&self) -> u64 {
        self.max.lowest_valid_usn
    }

    /// Its end: no record has this USN or a higher one.
    pub fn next_usn(&self) -> u64 {
        self.content.len()
    }

    /// Bytes that it is to keep.
    pub fn max_bytes(&self) -> u64 {
        self.max.max_bytes
    }

    /// Bytes by which it grows and is cut.
    pub fn delta_bytes(&self) -> u64 {
        self.max.delta_bytes
    }

    /// Tells all records from the USN `from` on, ascending. `from` is the USN of a record, or where
    /// the journal or a [`JournalRead`] ended.
    ///
    /// # Errors
    /// See [`JournalError`]; records may have been told before.
    pub fn read(
        &self,
        from: u64,
        cancel: &CancelToken,
        each: &mut dyn FnMut(&UsnRecord<'_>),
    ) -> Result<JournalRead, JournalError> {
        let (lowest, next) = (self.first_usn(), self.next_usn());
        if from > next {
            return Err(JournalError::BeyondEnd { from, next });
        }
        if from < lowest {
            return Err(JournalError::BelowLowest { from, lowest });
        }
        let mut read = JournalRead { next_usn: from, ..JournalRead::default() };
        let mut at = from;
        for part in &self.stored {
            let part = part.start.max(from)..part.end;
            if !part.is_empty() {
                read.skip(at..part.start);
                at = part.end;
                self.read_part(part, cancel, each, &mut read)?;
            }
        }
        read.skip(at..next);
        Ok(read)
    }

    fn read_part(
        &self,
        part: Range<u64>,
        cancel: &CancelToken,
        each: &mut dyn FnMut(&UsnRecord<'_>),
        read: &mut JournalRead,
    ) -> Result<(), NtfsError> {
        let mut buffer = vec![0; PIECE_BYTES.min(part.end - part.start) as usize];
        let mut at = part.start;
        while at < part.end {
            cancel.check()?;
            let end = part.end.min((at / PIECE_BYTES + 1) * PIECE_BYTES);
            let piece = &mut buffer[..(end - at) as usize];
            let bytes = end - at;
            let filled = self.content.read_exact_at(at, piece);
            filled.map_err(|source| NtfsError::Io { offset: at, bytes, source })?;
            let mut records = parse(piece, at);
            for record in &mut records {
                each(&record);
                read.records += 1;
            }
            read.skipped_bytes += records.skipped_bytes();
            if records.settled_usn() > at {
                read.next_usn = records.settled_usn();
            }
            at = end;
        }
        Ok(())
    }
}

/// The number of the record among `numbers` that is the journal's.
fn search<R: ReadAt>(
    volume: &Volume<R>,
    numbers: &[u64],
    cancel: &CancelToken,
) -> Result<Option<u64>, NtfsError> {
    struct Finder(Option<u64>);
    impl Visit for Finder {
        fn file(&mut self, file: &File<'_>) {
            if is_journal(file) {
                self.0.get_or_insert(file.reference.number());
            }
        }
    }
    let mut finder = Finder(None);
    volume.read_some(numbers, &mut finder, cancel)?;
    Ok(finder.0)
}

/// The pages of `content` that have clusters.
fn stored<R: ReadAt>(content: &Content<'_, R>, volume: &Volume<R>) -> Result<Vec<Range<u64>>, NtfsError> {
    let len = content.len();
    if content.runs().is_empty() {
        return Ok(Vec::from_iter((content.first_stored() < len).then_some(0..len)));
    }
    let cluster_bytes = volume.geometry().cluster_bytes;
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut total: u64 = 0;
    for run in content.runs().iter().filter(|run| run.lcn.is_some()) {
        let [start, end] = [run.vcn, run.end()].map(|vcn| vcn.saturating_mul(cluster_bytes));
        let end = end.div_ceil(PAGE_BYTES).saturating_mul(PAGE_BYTES).min(len);
        let start = start / PAGE_BYTES * PAGE_BYTES;
        total = total.saturating_add(end.saturating_sub(start));
        match parts.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ if start < end => parts.push(start..end),
            _ => {}
        }
    }
    // Runs that lie over each other could keep a reader busy for years. Each may begin and end inside a page.
    let room = volume.reader().len().saturating_add(2 * PAGE_BYTES * content.runs().len() as u64);
    if total > room {
        return Err(NtfsError::Damaged(format!("the journal's {total} bytes do not fit on the volume")));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keeps_what_it_says_of_its_journals() {
        let newer = include_bytes!("../../tests/data/usn/win11.Max");
        let max =
            Max { max_bytes: 32 << 20, delta_bytes: 8 << 20, id: 0x01d8_1ada_4f3a_b4d0, lowest_valid_usn: 0 };
        assert_eq!(Max::of(newer), Some(max));
        let older = include_bytes!("../../tests/data/usn/win2012r2.Max");
        assert_eq!(Max::of(older), Some(Max { max_bytes: 512 << 20, id: 0x01d6_8d0a_6fe3_b3d3, ..max }));
        assert_eq!(Max::of(&newer[..31]), None);
    }
}
