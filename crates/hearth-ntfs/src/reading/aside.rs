//! Records that tell no file alone, kept until all are read: those that name others, and those named.
//!
//! Kept is only what a file is told by. Runs, values and what this crate has no use for are cut off, so that a
//! record takes a tenth of its size.

use crate::attribute::{self, Attribute, Form, RESIDENT_HEADER_BYTES};
use crate::parts::{BAD_CLUSTERS, Head};
use crate::record::{Attributes, Record};
use crate::reference::FileReference;
use std::ops::Range;

/// A record that was kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) head: Head,
    /// The file that it belongs to: for a base record, itself.
    pub(crate) base: FileReference,
    /// False if its attributes make no sense to their end.
    pub(crate) whole: bool,
    bytes: Range<usize>,
}

/// Kept records, and their attributes in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    arena: Vec<u8>,
    pub(crate) bases: Vec<Kept>,
    pub(crate) pieces: Vec<Kept>,
}

impl Aside {
    /// Keeps a base or extension record.
    pub(crate) fn keep(&mut self, head: Head, record: &Record<'_>) {
        let from = self.arena.len();
        let mut attributes = record.attributes();
        for attribute in attributes.by_ref() {
            self.pack(&attribute, head.reference.number() == BAD_CLUSTERS);
        }
        let bytes = from..self.arena.len();
        let base = record.base();
        let kept = Kept { head, base: base.unwrap_or(head.reference), whole: attributes.ended(), bytes };
        if base.is_some() { self.pieces.push(kept) } else { self.bases.push(kept) }
    }

    /// The attributes that were kept of a record.
    pub(crate) fn attributes(&self, kept: &Kept) -> Attributes<'_> {
        Attributes::packed(&self.arena[kept.bytes.clone()])
    }

    fn pack(&mut self, attribute: &Attribute<'_>, with_runs: bool) {
        let bytes = attribute.bytes();
        let end = match attribute.kind {
            attribute::STANDARD_INFORMATION
            | attribute::ATTRIBUTE_LIST
            | attribute::FILE_NAME
            | attribute::REPARSE_POINT => bytes.len(),
            attribute::DATA if attribute.size().is_none() => return,
            attribute::DATA if with_runs => bytes.len(),
            attribute::DATA => header_bytes(attribute),
            _ => return,
        };
        let Some(packed) = bytes.get(..end) else { return };
        let at = self.arena.len();
        self.arena.extend_from_slice(packed);
        // The length, second field of each attribute, is that of what was kept.
        self.arena[at + 4..at + 8].copy_from_slice(&(end as u32).to_le_bytes());
    }
}

/// Bytes of an attribute up to the end of its header and name.
fn header_bytes(attribute: &Attribute<'_>) -> usize {
    let header = match attribute.form {
        Form::Resident { .. } => RESIDENT_HEADER_BYTES,
        Form::External(_) => attribute.bytes().len().min(attribute::LONGEST_HEADER_BYTES),
    };
    header.max(attribute.name_end())
}
