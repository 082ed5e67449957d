//! The gram index: which blocks of names can hold a literal.
//!
//! Every three-byte window of `NUL name NUL` is a gram; per gram the index knows the blocks of names
//! that hold it, as a bitmap where they are many, as a coded list where they are few. The NUL bytes make
//! beginnings and ends of names part of grams, so anchored literals are narrowed down too.
//!
//! What always holds: an answer contains every block with a matching name. It may contain more: names are
//! checked afterwards anyway, so an intersection stops where checking is cheaper.

mod alphabet;
mod blocks;
mod build;
mod postings;
mod stored;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use blocks::BlockSet;
pub(crate) use walk::BlockWalk;

use alphabet::Alphabet;
use hearth_core::HeapSize;

/// Marks, in a directory start, a gram that has a bitmap.
const DENSE: u32 = 1 << 31;
/// Bytes of a coded list that are worth reading to rule out one block: about what it takes to find the
/// block's text in memory and to scan it. Bounds the work, never the answer.
const BLOCK_SCAN_BYTES: usize = 24;

/// A folded literal that a name must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GramLiteral<'a> {
    /// Folded bytes.
    pub(crate) bytes: &'a [u8],
    /// The name begins with it.
    pub(crate) anchored_start: bool,
    /// The name ends with it.
    pub(crate) anchored_end: bool,
}

impl GramLiteral<'_> {
    /// Hands out the grams that every name with this literal has.
    pub(crate) fn for_each_gram(&self, mut each: impl FnMut([u8; 3])) {
        let start = self.anchored_start.then_some(0).into_iter();
        let mut text = start.chain(self.bytes.iter().copied()).chain(self.anchored_end.then_some(0));
        let (Some(mut first), Some(mut second)) = (text.next(), text.next()) else { return };
        text.for_each(|third| {
            each([first, second, third]);
            (first, second) = (second, third);
        });
    }
}

/// Postings from grams to blocks. Immutable once built.
#[derive(Debug)]
pub(crate) struct GramIndex {
    blocks: u32,
    /// `None` if the names were too much to index: every answer then is all blocks.
    directory: Option<Directory>,
    /// Per gram in directory order: a coded list; or, with a bitmap, its number and its count of
    /// blocks as little-endian u32.
    postings: Vec<u8>,
    /// Bitmaps over all blocks, one after the other.
    bitmaps: Vec<u64>,
}

/// The blocks of one gram.
#[derive(Clone, Copy)]
enum Posting<'a> {
    List(&'a [u8]),
    Bitmap { words: &'a [u64], count: u32 },
}

impl Posting<'_> {
    /// Order of work: lists before bitmaps, rare before frequent.
    fn cost(&self) -> (bool, usize) {
        match self {
            Posting::List(bytes) => (false, bytes.len()),
            Posting::Bitmap { count, .. } => (true, *count as usize),
        }
    }
}

impl GramIndex {
    fn without_postings(blocks: u32) -> Self {
        GramIndex { blocks, directory: None, postings: Vec::new(), bitmaps: Vec::new() }
    }

    /// Blocks that can hold a name with all of `literals`. Literals without a gram (one or two bytes, not
    /// anchored) do not narrow; if none narrows, these are all blocks.
    pub(crate) fn candidates(&self, literals: &[GramLiteral<'_>]) -> BlockSet {
        let Some(mut postings) = self.postings_of(literals) else { return BlockSet::none(self.blocks) };
        postings.sort_unstable_by_key(Posting::cost);
        match postings.split_first() {
            None => BlockSet::all(self.blocks),
            Some((&Posting::List(bytes), rest)) => self.narrow_list(bytes, rest),
            Some((&Posting::Bitmap { words, .. }, rest)) => self.narrow_bitmap(words, rest),
        }
    }

    /// Postings of all grams; `None` if a gram occurs nowhere.
    fn postings_of(&self, literals: &[GramLiteral<'_>]) -> Option<Vec<Posting<'_>>> {
        let Some(directory) = &self.directory else { return Some(Vec::new()) };
        let mut grams: Vec<[u8; 3]> = Vec::with_capacity(32);
        for literal in literals {
            literal.for_each_gram(|gram| grams.push(gram));
        }
        grams.sort_unstable();
        grams.dedup();
        grams.into_iter().map(|gram| Some(self.posting(directory, directory.find(gram)?))).collect()
    }

    fn posting(&self, directory: &Directory, index: usize) -> Posting<'_> {
        let start = directory.starts[index];
        let end = directory.starts[index + 1] & !DENSE;
        let bytes = &self.postings[(start & !DENSE) as usize..end as usize];
        if start & DENSE == 0 {
            return Posting::List(bytes);
        }
        let words = self.blocks.div_ceil(64) as usize;
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Posting::Bitmap { words: &self.bitmaps[number(0) as usize * words..][..words], count: number(4) }
    }

    fn narrow_list(&self, rarest: &[u8], rest: &[Posting<'_>]) -> BlockSet {
        let mut found = Narrowing::new(rarest, self.blocks);
        let mut weak_steps = 0;
        for posting in rest {
            let before = found.list.len();
            match posting {
                _ if before == 0 => break,
                Posting::Bitmap { words, .. } => found.keep_bitmap(words),
                Posting::List(bytes) if weak_steps < 2 && bytes.len() < before * BLOCK_SCAN_BYTES => {
                    found.keep_list(bytes);
                    let removed = before - found.list.len();
                    weak_steps = if removed * BLOCK_SCAN_BYTES < bytes.len() { weak_steps + 1 } else { 0 };
                }
                Posting::List(_) => {}
            }
        }
        found.into_set()
    }

    fn narrow_bitmap(&self, rarest: &[u64], rest: &[Posting<'_>]) -> BlockSet {
        let mut words = rarest.to_vec();
        for posting in rest {
            if let Posting::Bitmap { words: other, .. } = posting {
                words.iter_mut().zip(*other).for_each(|(word, other)| *word &= other);
            }
        }
        BlockSet::from_words(words, self.blocks)
    }

    /// Heap bytes by part: directory, lists, bitmaps.
    pub(crate) fn heap_parts(&self) -> [(&'static str, usize); 3] {
        [
            ("gram directory", self.directory.heap_bytes()),
            ("gram lists", self.postings.heap_bytes()),
            ("gram bitmaps", self.bitmaps.heap_bytes()),
        ]
    }
}

impl HeapSize for GramIndex {
    fn heap_bytes(&self) -> usize {
        self.heap_parts().iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Blocks that are left while postings are intersected.
///
/// Whether a block stays is a coin toss, so nothing branches on it: each is written to the list, and the list
/// grows by the bit found.
struct Narrowing {
    list: Vec<u32>,
    /// Where lists are marked; all zero between steps.
    marks: BlockSet,
}

impl Narrowing {
    fn new(coded: &[u8], blocks: u32) -> Self {
        let mut list = Vec::with_capacity(coded.len());
        postings::for_each(coded, |block| list.push(block));
        Narrowing { list, marks: BlockSet::none(blocks) }
    }

    /// Keeps what is also in a coded list.
    fn keep_list(&mut self, coded: &[u8]) {
        self.list.iter().for_each(|&block| self.marks.insert(block));
        // One more than can be found: the slot after the last find is written too.
        let mut kept = vec![0; self.list.len() + 1];
        let mut count = 0;
        let words = self.marks.words();
        postings::for_each(coded, |block| {
            kept[count] = block;
            count += bit(words, block);
        });
        kept.truncate(count);
        self.list.iter().for_each(|&block| self.marks.clear_word(block));
        self.list = kept;
    }

    /// Keeps what is also in a bitmap.
    fn keep_bitmap(&mut self, words: &[u64]) {
        let mut count = 0;
        for at in 0..self.list.len() {
            let block = self.list[at];
            self.list[count] = block;
            count += bit(words, block);
        }
        self.list.truncate(count);
    }

    fn into_set(mut self) -> BlockSet {
        self.list.iter().for_each(|&block| self.marks.insert(block));
        self.marks
    }
}

#[inline]
fn bit(words: &[u64], block: u32) -> usize {
    (words[block as usize / 64] >> (block % 64) & 1) as usize
}

/// Finds grams: a table over the first two bytes, then a search among at most 256 third bytes.
#[derive(Debug)]
struct Directory {
    alphabet: Alphabet,
    /// Per pair of classes, the first of its grams; one more at the end.
    pairs: Vec<u32>,
    /// Class of the third byte of each gram, ascending within a pair.
    thirds: Vec<u8>,
    /// Start of each gram's posting, with [`DENSE`]; one more at the end.
    starts: Vec<u32>,
}

impl Directory {
    /// `codes` ascend; `starts` has one more.
    fn new(alphabet: Alphabet, codes: impl Iterator<Item = u32>, starts: Vec<u32>) -> Self {
        let classes = alphabet.classes();
        let mut pairs = vec![0; (classes * classes) as usize + 1];
        let mut thirds = Vec::with_capacity(starts.len() - 1);
        for code in codes {
            let [first, second, third] = alphabet.split(code);
            pairs[(first * classes + second) as usize + 1] += 1;
            thirds.push(third as u8);
        }
        for pair in 1..pairs.len() {
            pairs[pair] += pairs[pair - 1];
        }
        Directory { alphabet, pairs, thirds, starts }
    }

    /// Number of a gram that occurs.
    fn find(&self, gram: [u8; 3]) -> Option<usize> {
        let [first, second, third] = gram.map(|byte| self.alphabet.class(byte));
        let pair = (first? * self.alphabet.classes() + second?) as usize;
        let start = self.pairs[pair] as usize;
        let thirds = &self.thirds[start..self.pairs[pair + 1] as usize];
        Some(start + memchr::memchr(third? as u8, thirds)?)
    }
}

impl HeapSize for Directory {
    fn heap_bytes(&self) -> usize {
        let alphabet = size_of::<[u16; 256]>();
        alphabet + self.pairs.heap_bytes() + self.thirds.heap_bytes() + self.starts.heap_bytes()
    }
}
