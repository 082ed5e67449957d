//! `$ATTRIBUTE_LIST`: which records hold the attributes of a file that does not fit into one.

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::limits;
use crate::name::Utf16;
use crate::reference::FileReference;

/// Bytes of an entry without its name.
const ENTRY_BYTES: usize = 26;

/// One attribute, or a piece of one, and the record it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: u32,
    pub(crate) name: Utf16<'a>,
    pub(crate) first_vcn: u64,
    pub(crate) record: FileReference,
    pub(crate) id: u16,
}

/// The entries, up to the first that makes no sense.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let length = usize::from(u16_at(self.0, 4)?);
        let (entry, rest) = self.0.split_at_checked(length)?;
        let head: &[u8; ENTRY_BYTES] = entry.first_chunk()?;
        let name_at = usize::from(head[7]);
        let name = entry.get(name_at..name_at + 2 * usize::from(head[6]));
        self.0 = rest;
        Some(Entry {
            kind: u32_at(head, 0)?,
            name: name.map(Utf16::new).unwrap_or_default(),
            first_vcn: u64_at(head, 8)?,
            record: FileReference::from_disk(u64_at(head, 16)?),
            id: u16_at(head, 24)?,
        })
    }
}

/// The records that entries name besides the base, ascending, each once.
pub(crate) fn others<'a>(
    entries: impl Iterator<Item = Entry<'a>>,
    base: FileReference,
) -> Vec<FileReference> {
    let records = entries.map(|entry| entry.record);
    let mut others: Vec<_> = records.filter(|record| record.number() != base.number()).collect();
    others.sort_unstable();
    others.dedup();
    others.truncate(limits::RECORDS_PER_FILE);
    others
}
