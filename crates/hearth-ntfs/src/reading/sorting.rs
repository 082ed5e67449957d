//! One record after the other: told where it tells a file alone, else kept aside.
//!
//! Nothing is allocated for a record that tells a file alone, and nothing is checked of a slot that nobody
//! asked for. One of the first records is replaced by its copy where it is damaged.

use super::aside::Aside;
use super::report::ReadReport;
use crate::file::{File, Visit};
use crate::parts::{Head, Parts, Taken};
use crate::read::ReadAt;
use crate::record::{Record, Slot, mend, seems_in_use};
use crate::reference::FileReference;
use crate::volume::{MIRRORED, Volume};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Files in use.
    InUse,
    /// Files in use and deleted ones.
    All,
    /// Every slot, also one that holds no file.
    Slots,
}

/// Takes records.
#[derive(Debug)]
pub(crate) struct Sorting<'v, 'w, R, V> {
    pub(crate) volume: &'v Volume<R>,
    pub(crate) told: Told,
    pub(crate) visitor: &'w mut V,
    pub(crate) aside: &'w mut Aside,
    pub(crate) report: &'w mut ReadReport,
}

impl<R: ReadAt, V: Visit> Sorting<'_, '_, R, V> {
    /// Takes the slot of record `number` as it is on disk.
    #[inline]
    pub(crate) fn take<'a>(&mut self, parts: &mut Parts<'a>, number: u64, bytes: &'a mut [u8]) {
        if self.told == Told::InUse && number >= MIRRORED && !seems_in_use(bytes) {
            return;
        }
        match self.slot(number, bytes) {
            Slot::Record => {}
            Slot::Empty => return self.no_file(FileReference::new(number, 0)),
            Slot::Torn => {
                self.report.torn += 1;
                return self.report.cannot_read(number);
            }
            Slot::Damaged => {
                self.report.damaged += 1;
                return self.report.cannot_read(number);
            }
        }
        if let Some(record) = Record::new(bytes) {
            self.take_record(parts, number, &record);
        }
    }

    /// Mends a record; one of the first is taken from its copy if it is not sound.
    #[inline]
    fn slot(&self, number: u64, bytes: &mut [u8]) -> Slot {
        let slot = mend(bytes);
        if number >= MIRRORED || slot == Slot::Record {
            return slot;
        }
        match self.volume.mirrored(number) {
            Some(copy) => {
                bytes.copy_from_slice(copy.bytes());
                Slot::Record
            }
            None if slot == Slot::Empty => Slot::Damaged,
            None => slot,
        }
    }

    #[inline]
    fn take_record<'a>(&mut self, parts: &mut Parts<'a>, number: u64, record: &Record<'a>) {
        let head = Head {
            reference: FileReference::new(number, record.sequence()),
            in_use: record.in_use(),
            is_dir: record.is_dir(),
            link_count: record.link_count(),
        };
        if record.base().is_some() {
            return self.take_piece(head, record);
        }
        parts.clear();
        let mut attributes = record.attributes();
        for attribute in attributes.by_ref() {
            if parts.take(&attribute, number) == Taken::Elsewhere {
                return self.aside.keep(head, record);
            }
        }
        if !attributes.ended() {
            parts.not_whole();
        }
        if !head.in_use && parts.is_empty() {
            return self.no_file(head.reference);
        }
        let file = parts.file(&head);
        self.report.files += 1;
        self.report.not_whole += u64::from(!file.whole);
        self.visitor.file(&file);
    }

    fn take_piece(&mut self, head: Head, record: &Record<'_>) {
        match self.told {
            Told::InUse | Told::All => self.aside.keep(head, record),
            Told::Slots => self.no_file(head.reference),
        }
    }

    /// Tells that there is no file with a record of its own here.
    pub(crate) fn no_file(&mut self, reference: FileReference) {
        if self.told == Told::Slots {
            let file = File {
                reference,
                in_use: false,
                is_dir: false,
                link_count: 0,
                standard: None,
                names: &[],
                data: None,
                streams: &[],
                reparse: None,
                whole: true,
            };
            self.visitor.file(&file);
        }
    }
}
