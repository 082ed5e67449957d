//! Builds a [`GramIndex`]: two passes over the text, each block range on its own thread.
//!
//! The first pass counts, per range and gram, the blocks that hold it. The counts decide what becomes a
//! bitmap and where each list of each range lies, so the second pass writes every block number straight
//! to its place, two bytes each, and temporary memory stays near the size of those numbers.
//! Last, the pieces of each list are coded together.

use super::alphabet::Alphabet;
use super::postings::ListWriter;
use super::{DENSE, Directory, GramIndex};
use crate::index::names::NameDict;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::ops::Range;

/// Grams in at least one of this many blocks become bitmaps.
const DENSE_ONE_IN: u64 = 10;
/// Most blocks of a range: numbers within a range are 16 bits.
const RANGE_BLOCKS: u32 = 1 << 16;
/// Most ranges beyond what [`RANGE_BLOCKS`] asks for; each costs a counter per possible gram.
const MOST_RANGES: u32 = 8;
/// Grams per parallel task of the coding.
const TASK: usize = 4096;

/// A gram that occurs.
struct Gram {
    code: u32,
    /// Blocks that hold it.
    blocks: u32,
    /// Number of its bitmap, if it has one.
    bitmap: Option<u32>,
}

/// One range of blocks and its share of all postings.
struct Share {
    blocks: Range<u32>,
    /// Per gram code: first the number of blocks, then where the next one goes: a place in `lists`,
    /// or the number of a bitmap with [`DENSE`].
    slots: Vec<u32>,
    /// Block numbers less `blocks.start`.
    lists: Vec<u16>,
    /// Bitmaps of the range's blocks, one after the other.
    bitmaps: Vec<u64>,
}

impl GramIndex {
    /// Indexes all names of a dictionary on `pool`.
    pub(crate) fn build(dict: &NameDict, pool: &ThreadPool) -> GramIndex {
        pool.install(|| {
            let alphabet = Alphabet::of(dict.blob());
            let mut shares = shares(dict.blocks(), pool.current_num_threads() as u32);
            shares.par_iter_mut().for_each(|share| share.count(dict, &alphabet));
            let Some(grams) = place_all(&mut shares, dict.blocks(), alphabet.codes()) else {
                return GramIndex::without_postings(dict.blocks());
            };
            shares.par_iter_mut().for_each(|share| share.fill(dict, &alphabet));
            join(alphabet, &grams, &shares, dict.blocks())
        })
    }
}

fn shares(blocks: u32, threads: u32) -> Vec<Share> {
    let wanted = threads.clamp(1, MOST_RANGES).max(blocks.div_ceil(RANGE_BLOCKS));
    let size = blocks.div_ceil(wanted).next_multiple_of(64).max(64);
    let starts = (0..blocks).step_by(size as usize);
    starts.map(|start| Share::new(start..blocks.min(start + size))).collect()
}

/// Decides bitmap or list for each gram and gives out the places. `None` if a range has too many.
fn place_all(shares: &mut [Share], blocks: u32, codes: usize) -> Option<Vec<Gram>> {
    let mut grams = Vec::new();
    let mut places = vec![0u32; shares.len()];
    let mut bitmaps = 0;
    for code in 0..codes {
        let total: u32 = shares.iter().map(|share| share.slots[code]).sum();
        if total == 0 {
            continue;
        }
        let dense = u64::from(total) * DENSE_ONE_IN >= u64::from(blocks);
        grams.push(Gram { code: code as u32, blocks: total, bitmap: dense.then_some(bitmaps) });
        for (share, place) in shares.iter_mut().zip(&mut places) {
            let slot = &mut share.slots[code];
            let count = std::mem::replace(slot, if dense { DENSE | bitmaps } else { *place });
            if !dense {
                *place = place.checked_add(count).filter(|&place| place < DENSE)?;
            }
        }
        bitmaps += u32::from(dense);
    }
    for (share, place) in shares.iter_mut().zip(places) {
        share.lists = vec![0; place as usize];
        share.bitmaps = vec![0; bitmaps as usize * share.words()];
    }
    Some(grams)
}

impl Share {
    fn new(blocks: Range<u32>) -> Self {
        Share { blocks, slots: Vec::new(), lists: Vec::new(), bitmaps: Vec::new() }
    }

    /// Words of a bitmap over the range.
    fn words(&self) -> usize {
        self.blocks.len().div_ceil(64)
    }

    fn count(&mut self, dict: &NameDict, alphabet: &Alphabet) {
        let mut slots = vec![0; alphabet.codes()];
        let mut reader = GramReader::new(alphabet);
        for block in self.blocks.clone() {
            for &code in reader.distinct(dict.block_text(block)) {
                slots[code as usize] += 1;
            }
        }
        self.slots = slots;
    }

    fn fill(&mut self, dict: &NameDict, alphabet: &Alphabet) {
        let words = self.words();
        let mut reader = GramReader::new(alphabet);
        for block in self.blocks.clone() {
            let within = block - self.blocks.start;
            for &code in reader.distinct(dict.block_text(block)) {
                let slot = &mut self.slots[code as usize];
                if *slot & DENSE == 0 {
                    self.lists[*slot as usize] = within as u16;
                    *slot += 1;
                } else {
                    let bitmap = (*slot & !DENSE) as usize * words;
                    self.bitmaps[bitmap + within as usize / 64] |= 1 << (within % 64);
                }
            }
        }
    }
}

/// Finds the distinct grams of a text.
struct GramReader {
    class_of: [u8; 256],
    separator: u32,
    width: u32,
    /// One bit per code; all zero between texts.
    seen: Vec<u64>,
    codes: Vec<u32>,
}

impl GramReader {
    fn new(alphabet: &Alphabet) -> Self {
        let class = |byte: u8| alphabet.class(byte).map_or(0, |class| class as u8);
        GramReader {
            class_of: std::array::from_fn(|byte| class(byte as u8)),
            separator: u32::from(class(0)),
            width: alphabet.width(),
            seen: vec![0; alphabet.codes().div_ceil(64)],
            codes: Vec::new(),
        }
    }

    /// Codes of the grams of the names in `text`, each once, in no order. The text is names between NUL
    /// bytes; a window whose middle is NUL spans two names and is no gram.
    fn distinct(&mut self, text: &[u8]) -> &[u32] {
        if self.codes.len() < text.len() {
            self.codes.resize(text.len(), 0);
        }
        let mask = (1u32 << (3 * self.width)) - 1;
        let (mut code, mut count) = (0u32, 0);
        let mut middle = self.separator;
        for (at, &byte) in text.iter().enumerate() {
            let class = u32::from(self.class_of[usize::from(byte)]);
            code = (code << self.width | class) & mask;
            let gram = at >= 2 && middle != self.separator;
            middle = class;
            let word = &mut self.seen[code as usize / 64];
            let bit = u64::from(gram) << (code % 64);
            self.codes[count] = code;
            count += usize::from(*word & bit != bit);
            *word |= bit;
        }
        let codes = &self.codes[..count];
        codes.iter().for_each(|&code| self.seen[code as usize / 64] = 0);
        codes
    }
}

fn join(alphabet: Alphabet, grams: &[Gram], shares: &[Share], blocks: u32) -> GramIndex {
    let bitmaps = join_bitmaps(grams, shares, blocks);
    let coded: Vec<(Vec<u8>, Vec<u32>)> = (0..grams.len().div_ceil(TASK))
        .into_par_iter()
        .map(|task| code_lists(grams, task * TASK..grams.len().min((task + 1) * TASK), shares))
        .collect();
    let bytes = coded.iter().map(|(bytes, _)| bytes.len()).sum::<usize>();
    if bytes >= DENSE as usize {
        return GramIndex::without_postings(blocks);
    }
    let mut postings = Vec::with_capacity(bytes);
    let mut starts = Vec::with_capacity(grams.len() + 1);
    for (bytes, own) in coded {
        let base = postings.len() as u32;
        starts.extend(own.iter().map(|start| start + base));
        postings.extend_from_slice(&bytes);
    }
    starts.push(postings.len() as u32);
    let directory = Directory::new(alphabet, grams.iter().map(|gram| gram.code), starts);
    GramIndex { blocks, directory: Some(directory), postings, bitmaps }
}

/// Codes of a run of grams and where each starts; see [`GramIndex::postings`] for the form.
fn code_lists(grams: &[Gram], run: Range<usize>, shares: &[Share]) -> (Vec<u8>, Vec<u32>) {
    let mut out = Vec::new();
    let mut starts = Vec::with_capacity(run.len());
    let last_list = grams[..run.start].iter().rev().find(|gram| gram.bitmap.is_none());
    let mut from: Vec<u32> =
        shares.iter().map(|share| last_list.map_or(0, |gram| share.slots[gram.code as usize])).collect();
    for gram in &grams[run] {
        let start = out.len() as u32;
        match gram.bitmap {
            Some(bitmap) => {
                starts.push(start | DENSE);
                out.extend_from_slice(&bitmap.to_le_bytes());
                out.extend_from_slice(&gram.blocks.to_le_bytes());
            }
            None => {
                starts.push(start);
                code_list(gram.code, shares, &mut from, &mut out);
            }
        }
    }
    (out, starts)
}

/// Codes one gram's list from the pieces of all ranges, which begin at `from`.
fn code_list(code: u32, shares: &[Share], from: &mut [u32], out: &mut Vec<u8>) {
    let mut list = ListWriter::new(out);
    for (share, from) in shares.iter().zip(from) {
        let end = share.slots[code as usize];
        for &within in &share.lists[*from as usize..end as usize] {
            list.push(share.blocks.start + u32::from(within));
        }
        *from = end;
    }
}

fn join_bitmaps(grams: &[Gram], shares: &[Share], blocks: u32) -> Vec<u64> {
    let words = blocks.div_ceil(64) as usize;
    let count = grams.iter().filter(|gram| gram.bitmap.is_some()).count();
    let mut joined = Vec::with_capacity(count * words);
    for bitmap in 0..count {
        for share in shares {
            joined.extend_from_slice(&share.bitmaps[bitmap * share.words()..][..share.words()]);
        }
    }
    joined
}
