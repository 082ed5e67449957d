//! Reading records in bulk: all of a volume on all cores, or some of them.
//!
//! Pieces of `$MFT` are read in order, each by the thread that is free. A record that tells a file alone is told
//! at once, from where it was read; the few others are kept aside and joined when all are there.

mod aside;
mod joining;
mod report;
mod sorting;
mod stretches;

pub use report::{Counters, ReadReport, Which};

use crate::error::NtfsError;
use crate::file::Visit;
use crate::parts::Parts;
use crate::read::ReadAt;
use crate::reference::FileReference;
use crate::volume::Volume;
use aside::Aside;
use hearth_core::CancelToken;
use joining::Joining;
use sorting::{Sorting, Told};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use stretches::Pieces;

/// Files that a thread joins before it looks whether to stop.
const JOINED_AT_ONCE: usize = 256;

impl<R: ReadAt> Volume<R> {
    /// Tells all files, each to one of the visitors; one thread for each visitor.
    ///
    /// # Errors
    /// [`NtfsError::Cancelled`]. What cannot be read is in the report, and no error.
    ///
    /// # Panics
    /// If a visitor does.
    pub fn read_all<V: Visit>(
        &self,
        visitors: Vec<V>,
        which: Which,
        counters: &Counters,
        cancel: &CancelToken,
    ) -> Result<(Vec<V>, ReadReport), NtfsError> {
        let (pieces, skipped_bytes) = stretches::all(self, which);
        let told = if which == Which::InUse { Told::InUse } else { Told::All };
        let next = AtomicUsize::new(0);
        let readers = on_threads(visitors, |visitor| {
            let mut thread = Thread { visitor, aside: Aside::default(), report: ReadReport::default() };
            thread.read(self, told, &pieces, &next, counters, cancel)?;
            Ok(thread)
        })?;
        let mut report = ReadReport { skipped_bytes, ..ReadReport::default() };
        let (mut visitors, mut asides) = (Vec::new(), Vec::new());
        for thread in readers {
            report.add(&thread.report);
            visitors.push(thread.visitor);
            asides.push(thread.aside);
        }
        let visitors = join(&Joining::new(self, asides), visitors, &mut report, counters, cancel)?;
        Ok((visitors, report))
    }

    /// Tells what the records of these numbers hold, also those that hold no file: then `in_use` is false, and
    /// without names if nothing is known. Those that cannot be read are in the report instead.
    ///
    /// # Errors
    /// [`NtfsError::Cancelled`].
    pub fn read_some<V: Visit>(
        &self,
        numbers: &[u64],
        visitor: &mut V,
        cancel: &CancelToken,
    ) -> Result<ReadReport, NtfsError> {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let mut report = ReadReport::default();
        let mut aside = Aside::default();
        let mut sorting =
            Sorting { volume: self, told: Told::Slots, visitor, aside: &mut aside, report: &mut report };
        sorting.take_numbers(&numbers, cancel)?;
        let mut pieces = Aside::default();
        let mut sorting = Sorting {
            volume: self,
            told: Told::All,
            visitor: &mut NoOne,
            aside: &mut pieces,
            report: &mut ReadReport::default(),
        };
        sorting.take_numbers(&joining::named_records(self, &aside), cancel)?;
        pieces.bases.clear();
        let joining = Joining::new(self, vec![aside, pieces]);
        for at in 0..joining.len() {
            cancel.check()?;
            joining.tell(at, visitor, &mut report);
        }
        Ok(report)
    }
}

/// Takes files that nobody wants.
#[derive(Debug)]
struct NoOne;

impl Visit for NoOne {
    fn file(&mut self, _: &crate::File<'_>) {}
}

/// What one thread reads with, and has read.
struct Thread<V> {
    visitor: V,
    aside: Aside,
    report: ReadReport,
}

impl<V: Visit> Thread<V> {
    fn read<R: ReadAt>(
        &mut self,
        volume: &Volume<R>,
        told: Told,
        pieces: &[Range<u64>],
        next: &AtomicUsize,
        counters: &Counters,
        cancel: &CancelToken,
    ) -> Result<(), NtfsError> {
        let mut memory = Pieces::new(volume);
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            cancel.check()?;
            let files = self.report.files;
            let records = memory.read(piece, &mut self.report, cancel)?;
            let Self { visitor, aside, report } = self;
            let mut sorting = Sorting { volume, told, visitor, aside, report };
            let mut parts = Parts::new(volume.geometry());
            for (number, record) in records {
                sorting.take(&mut parts, number, record);
            }
            let count = piece.end - piece.start;
            counters.add(count, self.report.files - files, count * u64::from(volume.geometry().record_bytes));
        }
        Ok(())
    }
}

impl<R: ReadAt, V: Visit> Sorting<'_, '_, R, V> {
    /// Reads and takes the records of `numbers`, ascending.
    fn take_numbers(&mut self, numbers: &[u64], cancel: &CancelToken) -> Result<(), NtfsError> {
        let (there, beyond) = numbers.split_at(numbers.partition_point(|n| *n < self.volume.record_count()));
        let mut memory = Pieces::new(self.volume);
        for piece in stretches::merged(there.iter().map(|number| *number..*number + 1), self.volume) {
            cancel.check()?;
            let mut parts = Parts::new(self.volume.geometry());
            for (number, record) in memory.read(&piece, self.report, cancel)? {
                if there.binary_search(&number).is_ok() {
                    self.take(&mut parts, number, record);
                }
            }
        }
        beyond.iter().for_each(|number| self.no_file(FileReference::new(*number, 0)));
        Ok(())
    }
}

/// Tells the files that were kept aside.
fn join<R: ReadAt, V: Visit>(
    joining: &Joining<'_, R>,
    visitors: Vec<V>,
    report: &mut ReadReport,
    counters: &Counters,
    cancel: &CancelToken,
) -> Result<Vec<V>, NtfsError> {
    let next = AtomicUsize::new(0);
    let told = on_threads(visitors, |mut visitor| {
        let (mut report, mut taken) = (ReadReport::default(), 0);
        loop {
            let from = next.fetch_add(JOINED_AT_ONCE, Ordering::Relaxed).min(joining.len());
            let some = from..(from + JOINED_AT_ONCE).min(joining.len());
            if some.is_empty() {
                return Ok((visitor, report, taken));
            }
            cancel.check()?;
            counters.add(0, some.len() as u64, 0);
            taken += some.map(|at| joining.tell(at, &mut visitor, &mut report)).sum::<u64>();
        }
    })?;
    let mut taken = 0;
    let visitors = told.into_iter().map(|(visitor, own, count)| {
        report.add(&own);
        taken += count;
        visitor
    });
    let visitors = visitors.collect();
    report.orphan_pieces = joining.pieces_in_use().saturating_sub(taken);
    Ok(visitors)
}

/// Runs `work` with each item on a thread of its own.
fn on_threads<T: Send, U: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<U, NtfsError> + Sync,
) -> Result<Vec<U>, NtfsError> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        let ends = threads.into_iter().map(|thread| match thread.join() {
            Ok(end) => end,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ends.collect()
    })
}
