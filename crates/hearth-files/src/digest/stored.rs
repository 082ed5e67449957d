//! A digest as sections of bytes, and back; readable without the body's.
//!
//! One small section says what there is and how it is cut; the filters are sections of their own. What
//! always holds: whatever the bytes are, a load ends with a digest that can be asked anything, or with a
//! [`StoredError`]. What may be wrong is what it refutes.

use super::fresh::{Block, Fresh};
use super::fuse::{FuseFilter, PartShape};
use super::grams::{GramSet, WORDS};
use super::summary::{FolderShare, LARGEST, Summary};
use super::{Digest, Known};
use crate::index::Totals;
use crate::index::stored::reader::Reader;
use crate::index::stored::section::{Element, Section, SectionId};
use crate::index::{SectionSource, StoredError};
use hearth_core::CancelToken;
use std::sync::Arc;

const HEAD: SectionId = SectionId::new(128, "head of the digest");
const ROOT: SectionId = SectionId::new(129, "root path of the digest");
const SUMMARY: SectionId = SectionId::new(130, "summary");
const LARGEST_NAMES: SectionId = SectionId::new(131, "names of the largest folders");
const NAMES: FilterIds = FilterIds::new(132, "filter of names");
const EXTENSIONS: FilterIds = FilterIds::new(134, "filter of extensions");
const GRAMS: FilterIds = FilterIds::new(136, "filter of grams");
const GRAM_BITMAP: SectionId = SectionId::new(138, "bitmap of grams");
const FRESH: SectionId = SectionId::new(139, "keys of changes");
const FRESH_LAYERS: SectionId = SectionId::new(140, "layers of changes");

/// Version of the layout of all sections of a digest. Any change to what a key means raises it too.
const LAYOUT: u32 = 1;

/// Sections of a filter: shapes of its parts, their slots. Without a filter there is neither.
#[derive(Clone, Copy)]
struct FilterIds {
    shapes: SectionId,
    slots: SectionId,
}

impl FilterIds {
    const fn new(number: u16, name: &'static str) -> Self {
        FilterIds { shapes: SectionId::new(number, name), slots: SectionId::new(number + 1, name) }
    }

    fn store<'a>(self, filter: Option<&'a FuseFilter>, out: &mut Vec<Section<'a>>) {
        let Some(filter) = filter else { return };
        let (shapes, slots) = filter.stored();
        out.push(Section::made(self.shapes, encoded(&shapes)));
        out.push(Section::pieces_of(self.slots, slots));
    }

    fn load(self, reader: &Reader<'_>) -> Result<Option<FuseFilter>, StoredError> {
        if !reader.has(self.shapes) {
            return Ok(None);
        }
        let shapes: Vec<PartShape> = reader.all_elements(self.shapes)?;
        let filter = FuseFilter::from_stored(&shapes, &reader.all(self.slots)?);
        filter.map(Some).ok_or_else(|| self.shapes.corrupt("parts that do not fit the slots"))
    }
}

impl Element for Totals {
    const BYTES: usize = 32;

    fn put(self, out: &mut [u8]) {
        let Totals { children, descendants, size, allocated } = self;
        [children, descendants, size, allocated].put(out);
    }

    fn get(bytes: &[u8]) -> Self {
        let [children, descendants, size, allocated] = Element::get(bytes);
        Totals { children, descendants, size, allocated }
    }
}

fn encoded<T: Element>(elements: &[T]) -> Vec<u8> {
    let mut bytes = vec![0; elements.len() * T::BYTES];
    bytes.chunks_exact_mut(T::BYTES).zip(elements).for_each(|(out, element)| element.put(out));
    bytes
}

impl Digest {
    /// All sections, the head first. Their numbers are none of a body's, so both fit one file.
    pub fn sections(&self) -> Vec<Section<'_>> {
        let known = &*self.known;
        let (room, keys, layers) = self.fresh.stored();
        let mut sections = vec![
            Section::made(HEAD, encoded(&[LAYOUT, known.root.len() as u32])),
            Section::bytes_of(ROOT, &known.root),
            Section::made(SUMMARY, encoded_summary(&self.summary)),
            Section::pieces_of(
                LARGEST_NAMES,
                self.summary.largest.iter().map(|share| share.name.as_slice()).collect(),
            ),
        ];
        NAMES.store(known.names.as_ref(), &mut sections);
        EXTENSIONS.store(known.extensions.as_ref(), &mut sections);
        match &known.grams {
            GramSet::Sparse(filter) => GRAMS.store(filter.as_ref(), &mut sections),
            GramSet::Dense(words) => sections.push(Section::elements_of(GRAM_BITMAP, words)),
        }
        let left = layers.iter().map(|(_, left)| *left as u64);
        let counts: Vec<u64> = [room as u64, keys as u64].into_iter().chain(left).collect();
        sections.push(Section::made(FRESH, encoded(&counts)));
        let blocks = layers.iter().flat_map(|(blocks, _)| blocks.iter().copied());
        sections.push(Section::made(FRESH_LAYERS, encoded(&blocks.collect::<Vec<Block>>())));
        sections
    }

    /// A digest from its sections.
    ///
    /// # Errors
    /// [`StoredError`]; nothing of what was read is kept.
    pub fn load(source: &dyn SectionSource, cancel: &CancelToken) -> Result<Digest, StoredError> {
        let reader = Reader::new(source, cancel);
        let [found, root_bytes] = reader.elements::<u32>(HEAD, 2)?[..] else { unreachable!("two were read") };
        if found != LAYOUT {
            return Err(StoredError::Version { found, known: LAYOUT });
        }
        let known = Known {
            root: reader.bytes(ROOT, root_bytes as usize)?.into(),
            names: NAMES.load(&reader)?,
            extensions: EXTENSIONS.load(&reader)?,
            grams: load_grams(&reader)?,
        };
        let (fresh, summary) = (load_fresh(&reader)?, load_summary(&reader)?);
        Ok(Digest { known: Arc::new(known), fresh, summary: Arc::new(summary) })
    }
}

fn load_grams(reader: &Reader<'_>) -> Result<GramSet, StoredError> {
    if reader.has(GRAM_BITMAP) {
        return Ok(GramSet::Dense(reader.elements(GRAM_BITMAP, WORDS)?.into()));
    }
    Ok(GramSet::Sparse(GRAMS.load(reader)?))
}

fn load_fresh(reader: &Reader<'_>) -> Result<Fresh, StoredError> {
    let counts: Vec<u64> = reader.all_elements(FRESH)?;
    let blocks: Vec<Block> = reader.all_elements(FRESH_LAYERS)?;
    Fresh::from_stored(&counts, &blocks).ok_or_else(|| FRESH.corrupt("layers that do not fit the keys"))
}

/// Entries, folders, totals; then length of the name and totals of each of the largest folders.
fn encoded_summary(summary: &Summary) -> Vec<u8> {
    let mut bytes = encoded(&[((summary.entries, summary.folders), summary.totals)]);
    let largest = summary.largest.iter().map(|share| (share.name.len() as u32, share.totals));
    bytes.extend(encoded(&largest.collect::<Vec<_>>()));
    bytes
}

fn load_summary(reader: &Reader<'_>) -> Result<Summary, StoredError> {
    type Figures = ((u64, u64), Totals);
    type Share = (u32, Totals);
    let (bytes, names) = (reader.all(SUMMARY)?, reader.all(LARGEST_NAMES)?);
    let (found, wanted) = (bytes.len(), Figures::BYTES);
    let truncated = StoredError::Truncated { section: SUMMARY, found, wanted };
    let (figures, shares) = bytes.split_at_checked(wanted).ok_or(truncated)?;
    let ((entries, folders), totals) = Figures::get(figures);
    let shares = shares.chunks_exact(Share::BYTES);
    let whole = shares.remainder().is_empty() && shares.len() <= LARGEST && folders <= entries;
    SUMMARY.check(whole, "figures that cannot be")?;
    let mut rest = names.as_slice();
    let largest = shares.map(|share| {
        let (len, totals) = Share::get(share);
        let (name, left) = rest.split_at_checked(len as usize)?;
        rest = left;
        Some(FolderShare { name: name.to_vec(), totals })
    });
    let largest: Option<Vec<FolderShare>> = largest.collect();
    let largest = largest.ok_or_else(|| LARGEST_NAMES.corrupt("names that are cut off"))?;
    Ok(Summary { entries, folders, totals, largest })
}
