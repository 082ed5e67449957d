//! Files that are spread over records: told once all of their records are at hand, in whatever order those came.
//!
//! An extension record belongs to a file if it names the file's base record in its present use and, where the
//! list of attributes can be read, if that list names it in its present use. When a file is deleted its
//! records get the next sequence number each, while what they say of each other stays.

use super::aside::{Aside, Kept};
use super::report::ReadReport;
use crate::attribute::{ATTRIBUTE_LIST, Attribute, Form, REPARSE_POINT};
use crate::file::Visit;
use crate::limits;
use crate::list::{Entries, others};
use crate::parts::Parts;
use crate::read::ReadAt;
use crate::reference::FileReference;
use crate::value::local;
use crate::volume::Volume;

/// Kept records of all threads, pieces by the file they belong to.
#[derive(Debug)]
pub(crate) struct Joining<'v, R> {
    volume: &'v Volume<R>,
    asides: Vec<Aside>,
    /// Key of the base, number of the piece, which piece of which thread.
    pieces: Vec<(u64, u64, u32, u32)>,
    bases: Vec<(u32, u32)>,
}

impl<'v, R: ReadAt> Joining<'v, R> {
    pub(crate) fn new(volume: &'v Volume<R>, asides: Vec<Aside>) -> Self {
        let (mut pieces, mut bases) = (Vec::new(), Vec::new());
        for (thread, aside) in (0..).zip(&asides) {
            let own = (0..).zip(&aside.pieces);
            pieces.extend(
                own.map(|(at, piece)| (piece.base.to_key(), piece.head.reference.number(), thread, at)),
            );
            bases.extend((0..).zip(&aside.bases).map(|(at, _)| (thread, at)));
        }
        pieces.sort_unstable();
        Self { volume, asides, pieces, bases }
    }

    /// Number of files to tell.
    pub(crate) fn len(&self) -> usize {
        self.bases.len()
    }

    /// Extension records in use.
    pub(crate) fn pieces_in_use(&self) -> u64 {
        let pieces = self.asides.iter().flat_map(|aside| &aside.pieces);
        pieces.filter(|piece| piece.head.in_use).count() as u64
    }

    /// Tells file `at`; how many extension records in use it took.
    pub(crate) fn tell<V: Visit>(&self, at: usize, visitor: &mut V, report: &mut ReadReport) -> u64 {
        let (thread, base) = self.bases[at];
        let aside = &self.asides[thread as usize];
        let base = &aside.bases[base as usize];
        let mut pieces = self.candidates(base);
        let listed = Listed::of(self.volume, aside.attributes(base), base, pieces.len());
        pieces.retain(|(_, piece)| listed.names(piece, base.head.in_use));
        let is_short = listed.is_short_of(&pieces);
        let in_use = pieces.iter().filter(|(_, piece)| piece.head.in_use).count() as u64;
        pieces.insert(0, (aside, base));
        let reparse = self.external_reparse(&pieces);
        let mut parts = self.gathered(&pieces, base.head.reference.number());
        match &reparse {
            Some(Some(value)) => parts.take_reparse(value),
            Some(None) => parts.not_whole(),
            None => {}
        }
        if is_short {
            parts.not_whole();
        }
        let file = parts.file(&base.head);
        report.files += 1;
        report.not_whole += u64::from(!file.whole);
        visitor.file(&file);
        in_use
    }

    /// What the records of a file say, but for what lies in clusters.
    fn gathered<'a>(&self, records: &[(&'a Aside, &'a Kept)], number: u64) -> Parts<'a> {
        let mut parts = Parts::new(self.volume.geometry());
        for (aside, kept) in records {
            for attribute in aside.attributes(kept) {
                // Lists and what lies in clusters are seen to elsewhere.
                let _ = parts.take(&attribute, number);
            }
            if !kept.whole {
                parts.not_whole();
            }
        }
        parts
    }

    /// The extension records that say that they belong to a file.
    fn candidates(&self, base: &Kept) -> Vec<(&Aside, &Kept)> {
        let mut found = Vec::new();
        for sequence in uses(base.head.reference.sequence(), base.head.in_use) {
            let key = FileReference::new(base.head.reference.number(), sequence).to_key();
            let from = self.pieces.partition_point(|(base, ..)| *base < key);
            let own = self.pieces[from..].iter().take_while(|(base, ..)| *base == key);
            found.extend(own.map(|(.., thread, at)| {
                let aside = &self.asides[*thread as usize];
                (aside, &aside.pieces[*at as usize])
            }));
        }
        found.truncate(limits::RECORDS_PER_FILE);
        found
    }

    /// The value of a reparse point in clusters: `None` if there is none, `Some(None)` if it cannot be read.
    fn external_reparse(&self, records: &[(&Aside, &Kept)]) -> Option<Option<Vec<u8>>> {
        let mut attributes = records.iter().flat_map(|(aside, kept)| aside.attributes(kept));
        let external = |attribute: &Attribute<'_>| {
            attribute.kind == REPARSE_POINT && matches!(attribute.form, Form::External(_))
        };
        let attribute = attributes.find(external)?;
        let value = local(self.volume, &attribute);
        Some(value.and_then(|value| value.read_up_to(limits::REPARSE_BYTES).ok()))
    }
}

/// The uses of a record that others may name it by.
fn uses(sequence: u16, in_use: bool) -> impl Iterator<Item = u16> {
    let before = (!in_use).then(|| if sequence == 1 { u16::MAX } else { sequence.wrapping_sub(1) });
    std::iter::once(sequence).chain(before)
}

/// What the list of attributes names.
#[derive(Debug)]
enum Listed {
    /// These records, ascending, without the base. `cut` if there is more.
    Records { records: Vec<FileReference>, cut: bool },
    /// There is no list.
    Nothing,
    /// There is one, and it cannot be read.
    Unknown,
}

impl Listed {
    /// The list of a file that `pieces` records say that they belong to. Its length says nothing about how much
    /// is justified: many files could share one long list. An entry takes about as much as its attribute.
    fn of<'a, R: ReadAt>(
        volume: &Volume<R>,
        mut attributes: impl Iterator<Item = Attribute<'a>>,
        base: &Kept,
        pieces: usize,
    ) -> Self {
        let Some(list) = attributes.find(|attribute| attribute.kind == ATTRIBUTE_LIST) else {
            return Self::Nothing;
        };
        let attribute_bytes = u64::from(volume.geometry().record_bytes) * (pieces as u64 + 1);
        let limit = (limits::UNJUSTIFIED_LIST_BYTES + 2 * attribute_bytes).min(limits::LIST_BYTES);
        let read = local(volume, &list).map(|list| (list.len() > limit, list.read_up_to(limit)));
        match read {
            Some((cut, Ok(list))) => {
                Self::Records { records: others(Entries(&list), base.head.reference), cut }
            }
            _ => Self::Unknown,
        }
    }

    fn names(&self, piece: &Kept, base_in_use: bool) -> bool {
        let own = piece.head.reference;
        piece.head.in_use == base_in_use
            && match self {
                Self::Records { records, .. } => uses(own.sequence(), piece.head.in_use).any(|sequence| {
                    records.binary_search(&FileReference::new(own.number(), sequence)).is_ok()
                }),
                Self::Nothing => false,
                Self::Unknown => true,
            }
    }

    fn is_short_of(&self, pieces: &[(&Aside, &Kept)]) -> bool {
        match self {
            Self::Records { records, cut } => *cut || records.len() > pieces.len(),
            Self::Nothing => false,
            Self::Unknown => true,
        }
    }
}

/// Numbers of all extension records that the kept base records name, ascending, each once.
pub(crate) fn named_records<R: ReadAt>(volume: &Volume<R>, aside: &Aside) -> Vec<u64> {
    let mut numbers = Vec::new();
    for base in &aside.bases {
        let listed = Listed::of(volume, aside.attributes(base), base, limits::RECORDS_PER_FILE);
        if let Listed::Records { records, .. } = listed {
            numbers.extend(records.iter().map(|record| record.number()));
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
