//! The gram index as it is stored.
//!
//! Numbers of grams lead to places in the postings, and postings to blocks of names: both are checked, every
//! list to its last member. Lists of short gaps, which are most of all bytes, are added up eight at a time.

use super::alphabet::Alphabet;
use super::postings::end_of_list;
use super::{DENSE, Directory, GramIndex};
use crate::index::names::BLOCK;
use crate::index::stored::StoredError;
use crate::index::stored::reader::Reader;
use crate::index::stored::section::{Section, SectionId};
use rayon::prelude::*;

const ALPHABET: SectionId = SectionId::new(24, "bytes of grams");
const PAIRS: SectionId = SectionId::new(25, "pairs of grams");
const THIRDS: SectionId = SectionId::new(26, "third bytes of grams");
const STARTS: SectionId = SectionId::new(27, "starts of grams");
const POSTINGS: SectionId = SectionId::new(28, "lists of grams");
const BITMAPS: SectionId = SectionId::new(29, "bitmaps of grams");

/// Grams per parallel task.
const TASK: usize = 1 << 10;

impl GramIndex {
    /// Adds the sections of the index.
    pub(crate) fn store<'a>(&'a self, out: &mut Vec<Section<'a>>) {
        let Some(directory) = &self.directory else { return };
        out.push(Section::made(ALPHABET, directory.alphabet.bytes()));
        out.push(Section::elements_of(PAIRS, &directory.pairs));
        out.push(Section::bytes_of(THIRDS, &directory.thirds));
        out.push(Section::elements_of(STARTS, &directory.starts));
        out.push(Section::bytes_of(POSTINGS, &self.postings));
        out.push(Section::elements_of(BITMAPS, &self.bitmaps));
    }

    /// The index of that many names.
    pub(crate) fn load(reader: &Reader<'_>, names: u32) -> Result<Self, StoredError> {
        let blocks = names.div_ceil(BLOCK);
        if !reader.has(ALPHABET) {
            return Ok(GramIndex::without_postings(blocks));
        }
        let directory = load_directory(reader)?;
        let (postings, bitmaps) = (reader.all(POSTINGS)?, reader.all_elements(BITMAPS)?);
        let index = GramIndex { blocks, directory: Some(directory), postings, bitmaps };
        BITMAPS.check(index.bitmaps_are_within(), "a block that there is not")?;
        POSTINGS.check(index.postings_are_within(), "a block that there is not")?;
        Ok(index)
    }

    fn bitmaps_are_within(&self) -> bool {
        let words = self.blocks.div_ceil(64) as usize;
        let beyond = match self.blocks % 64 {
            0 => 0,
            used => u64::MAX << used,
        };
        let bitmaps = self.bitmaps.chunks(words);
        self.bitmaps.len().is_multiple_of(words)
            && bitmaps.into_iter().all(|bitmap| bitmap[words - 1] & beyond == 0)
    }

    fn postings_are_within(&self) -> bool {
        let starts = self.directory.as_ref().map_or(&[][..], |directory| &directory.starts);
        let ends_well = starts.last().is_some_and(|&end| end as usize == self.postings.len());
        let begins_well = starts.first().is_some_and(|&start| start & !DENSE == 0);
        let within = |at: usize| self.posting_is_within(starts[at], starts[at + 1] & !DENSE);
        ends_well && begins_well && (0..starts.len() - 1).into_par_iter().with_min_len(TASK).all(within)
    }

    fn posting_is_within(&self, start: u32, end: u32) -> bool {
        let Some(bytes) = self.postings.get((start & !DENSE) as usize..end as usize) else { return false };
        if start & DENSE == 0 {
            return end_of_list(bytes).is_some_and(|end| end <= u64::from(self.blocks));
        }
        let bitmaps = self.bitmaps.len() / self.blocks.div_ceil(64) as usize;
        bytes.len() == 8
            && bytes.first_chunk().is_some_and(|&number| (u32::from_le_bytes(number) as usize) < bitmaps)
    }
}

fn load_directory(reader: &Reader<'_>) -> Result<Directory, StoredError> {
    let alphabet = Alphabet::from_bytes(&reader.all(ALPHABET)?);
    let alphabet = alphabet.ok_or_else(|| ALPHABET.corrupt("a byte twice"))?;
    let classes = alphabet.classes() as usize;
    let pairs: Vec<u32> = reader.elements(PAIRS, classes * classes + 1)?;
    let thirds = reader.all(THIRDS)?;
    let starts = reader.elements(STARTS, thirds.len() + 1)?;
    let last = pairs.last().map(|&last| last as usize);
    PAIRS.check(pairs.is_sorted() && last == Some(thirds.len()), "a gram that there is not")?;
    Ok(Directory { alphabet, pairs, thirds, starts })
}
