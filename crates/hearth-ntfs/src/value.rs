//! Finds the value of an attribute, whose pieces may be spread over many records.
//!
//! A record counts as a piece if it is in use, is the one that the list of attributes means, and names the base
//! record in its present use. Pieces may be found in any order.

use crate::attribute::{self, ATTRIBUTE_LIST, Attribute, COMPRESSED, ENCRYPTED, Form};
use crate::content::{Body, Content};
use crate::error::NtfsError;
use crate::limits;
use crate::list::{Entries, Entry, others};
use crate::read::ReadAt;
use crate::record::{Record, Slot};
use crate::reference::FileReference;
use crate::runs::{Mapping, Run, ordered};
use crate::volume::Volume;

/// Which attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'n> {
    pub(crate) kind: u32,
    pub(crate) name: &'n str,
}

impl Wanted<'_> {
    fn is(self, attribute: &Attribute<'_>) -> bool {
        attribute.kind == self.kind && attribute.is_named(self.name)
    }

    fn is_named_by(self, entry: &Entry<'_>) -> bool {
        entry.kind == self.kind && entry.name.units().eq(self.name.encode_utf16())
    }
}

/// Pieces as they are found, in any order.
#[derive(Debug, Default)]
struct Pieces {
    resident: Option<Vec<u8>>,
    /// Length, initialised length, neither compressed nor encrypted.
    sizes: Option<(u64, u64, bool)>,
    runs: Vec<Run>,
}

impl Pieces {
    fn add(&mut self, attribute: &Attribute<'_>, clusters: u64) {
        match attribute.form {
            Form::Resident { value, .. } => {
                self.resident.get_or_insert_with(|| value.to_vec());
            }
            Form::External(head) => {
                if head.first_vcn == 0 {
                    let plain = attribute.flags & (COMPRESSED | ENCRYPTED) == 0;
                    self.sizes.get_or_insert((head.size, head.initialised, plain));
                }
                let room = limits::RUNS.saturating_sub(self.runs.len());
                let mapping = Mapping::new(head.mapping, head.first_vcn, clusters);
                self.runs.extend(mapping.map_while(Result::ok).take(room));
            }
        }
    }

    fn into_body(self) -> Option<Body> {
        match (self.resident, self.sizes) {
            (Some(value), _) => Some(Body::Resident(value)),
            (None, Some((len, initialised, plain))) => {
                Some(Body::External { runs: ordered(self.runs), len, initialised, plain })
            }
            (None, None) => None,
        }
    }
}

/// The value of an attribute of record `number`; `None` if there is none or the record is no file's.
pub(crate) fn find<'v, R: ReadAt>(
    volume: &'v Volume<R>,
    number: u64,
    wanted: Wanted<'_>,
) -> Result<Option<Content<'v, R>>, NtfsError> {
    let bytes = volume.record(number)?;
    if matches!(bytes.slot(), Slot::Torn | Slot::Damaged) {
        return Err(NtfsError::Damaged(format!("file record {number} is torn or overwritten")));
    }
    let base = bytes.view().filter(|record| record.in_use() && record.base().is_none());
    let Some(base) = base else { return Ok(None) };
    let pieces = gather(volume, &base, FileReference::new(number, base.sequence()), wanted)?;
    let has_runs = !pieces.runs.is_empty();
    match pieces.into_body() {
        None if has_runs => {
            let what = format!("the piece of record {number} that tells a content's size is missing");
            Err(NtfsError::Damaged(what))
        }
        body => Ok(body.map(|body| Content::new(volume, body))),
    }
}

/// All pieces of a value that can be found.
fn gather<R: ReadAt>(
    volume: &Volume<R>,
    base: &Record<'_>,
    own: FileReference,
    wanted: Wanted<'_>,
) -> Result<Pieces, NtfsError> {
    let mut pieces = Pieces::default();
    let mut list = None;
    for attribute in base.attributes() {
        if wanted.is(&attribute) {
            pieces.add(&attribute, volume.geometry().clusters());
        } else if attribute.kind == ATTRIBUTE_LIST {
            list = local(volume, &attribute);
        }
    }
    let list = list.map(|list| list.read_up_to(limits::LIST_BYTES)).transpose()?.unwrap_or_default();
    let entries = Entries(&list).filter(|entry| wanted.is_named_by(entry));
    for other in others(entries, own) {
        add_from(volume, other, own, wanted, &mut pieces);
    }
    Ok(pieces)
}

/// A value whose mapping does not leave its record; `None` for a later piece of one.
pub(crate) fn local<'v, R: ReadAt>(
    volume: &'v Volume<R>,
    attribute: &Attribute<'_>,
) -> Option<Content<'v, R>> {
    let mut pieces = Pieces::default();
    pieces.add(attribute, volume.geometry().clusters());
    pieces.into_body().map(|body| Content::new(volume, body))
}

/// Adds the pieces in extension record `other`, if it is what the list takes it for. A piece that cannot be
/// read leaves a gap, which is told when it is read.
fn add_from<R: ReadAt>(
    volume: &Volume<R>,
    other: FileReference,
    base: FileReference,
    wanted: Wanted<'_>,
    pieces: &mut Pieces,
) {
    let Ok(bytes) = volume.record(other.number()) else { return };
    let extends = |record: &Record<'_>| {
        record.in_use() && record.sequence() == other.sequence() && record.base() == Some(base)
    };
    let Some(record) = bytes.view().filter(extends) else { return };
    for attribute in record.attributes().filter(|attribute| wanted.is(attribute)) {
        pieces.add(&attribute, volume.geometry().clusters());
    }
}

/// The unnamed value of a kind.
pub(crate) fn unnamed(kind: u32) -> Wanted<'static> {
    Wanted { kind, name: "" }
}

/// A named or unnamed content.
pub(crate) fn data(name: &str) -> Wanted<'_> {
    Wanted { kind: attribute::DATA, name }
}
