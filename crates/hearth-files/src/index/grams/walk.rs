//! Candidate blocks in order, a few at a time.
//!
//! Names are numbered by their first rows, so whoever wants the first rows of an answer needs only the first
//! candidates. A walk decodes posting lists as far as it is asked to, and drops a list that rules out
//! too little for the bytes it takes. What it hands out is what a full intersection would, or more.

use super::postings::Reader;
use super::{BLOCK_SCAN_BYTES, BlockSet, GramIndex, GramLiteral, Posting, bit};
use std::borrow::Cow;

/// See the module.
pub(crate) struct BlockWalk<'a> {
    source: Source<'a>,
    lists: Vec<Filter<'a>>,
    bitmaps: Vec<&'a [u64]>,
    /// Where blocks are marked while a list is read; all zero between steps.
    marks: BlockSet,
}

/// What the blocks come from, before anything is ruled out.
enum Source<'a> {
    /// The rarest gram's list.
    List(Reader<'a>),
    /// A bitmap and the next of its words.
    Words(Cow<'a, [u64]>, usize),
    /// Everything from a block to an end.
    Range(u32, u32),
}

/// A list that rules out blocks.
struct Filter<'a> {
    reader: Reader<'a>,
    /// Steps in a row that took more bytes than the blocks ruled out were worth.
    weak_steps: u32,
}

impl GramIndex {
    /// As [`GramIndex::candidates`], in order and only as far as asked for.
    pub(crate) fn walk(&self, literals: &[GramLiteral<'_>]) -> BlockWalk<'_> {
        let Some(mut postings) = self.postings_of(literals) else { return BlockWalk::all(0) };
        postings.sort_unstable_by_key(Posting::cost);
        let source = match postings.first() {
            None => Source::Range(0, self.blocks),
            Some(&Posting::List(bytes)) => Source::List(Reader::new(bytes)),
            Some(&Posting::Bitmap { words, .. }) => Source::Words(Cow::Borrowed(words), 0),
        };
        let (mut lists, mut bitmaps) = (Vec::new(), Vec::new());
        for posting in postings.iter().skip(1) {
            match posting {
                Posting::List(bytes) => lists.push(Filter { reader: Reader::new(bytes), weak_steps: 0 }),
                Posting::Bitmap { words, .. } => bitmaps.push(*words),
            }
        }
        let marks = BlockSet::none(if lists.is_empty() { 0 } else { self.blocks });
        BlockWalk { source, lists, bitmaps, marks }
    }
}

impl<'a> BlockWalk<'a> {
    fn of(source: Source<'a>) -> Self {
        BlockWalk { source, lists: Vec::new(), bitmaps: Vec::new(), marks: BlockSet::none(0) }
    }

    /// Every one of `blocks`.
    pub(crate) fn all(blocks: u32) -> Self {
        Self::of(Source::Range(0, blocks))
    }

    /// The members of a set.
    pub(crate) fn over(set: BlockSet) -> Self {
        Self::of(Source::Words(Cow::Owned(set.into_words()), 0))
    }

    /// Puts the next candidates into `out`, at most about `most`, perhaps none. False if no others follow.
    pub(crate) fn fill(&mut self, most: usize, out: &mut Vec<u32>) -> bool {
        out.clear();
        let more = match &mut self.source {
            Source::List(reader) => reader.take(most, |block| out.push(block)),
            Source::Words(words, next) => read_words(words, next, &self.bitmaps, most, out),
            Source::Range(next, end) => {
                let from = *next;
                *next = from.saturating_add(most as u32).min(*end);
                out.extend(from..*next);
                *next < *end
            }
        };
        if let Source::List(_) = self.source {
            self.bitmaps.iter().for_each(|words| keep_bitmap(out, words));
            let marks = &mut self.marks;
            self.lists.retain_mut(|filter| filter.keep(out, marks));
        }
        more
    }
}

/// Takes the ones that all bitmaps share, in whole words, until `most` are found.
fn read_words(words: &[u64], next: &mut usize, others: &[&[u64]], most: usize, out: &mut Vec<u32>) -> bool {
    while *next < words.len() && out.len() < most {
        let mut ones = others.iter().fold(words[*next], |word, other| word & other[*next]);
        while ones != 0 {
            out.push(*next as u32 * 64 + ones.trailing_zeros());
            ones &= ones - 1;
        }
        *next += 1;
    }
    *next < words.len()
}

/// Keeps the blocks that are also in a bitmap. Whether one stays is a coin toss, so nothing branches on it.
fn keep_bitmap(blocks: &mut Vec<u32>, words: &[u64]) {
    let mut count = 0;
    for at in 0..blocks.len() {
        let block = blocks[at];
        blocks[count] = block;
        count += bit(words, block);
    }
    blocks.truncate(count);
}

impl Filter<'_> {
    /// Keeps the blocks that are also in the list. False once reading on is not worth it.
    fn keep(&mut self, blocks: &mut Vec<u32>, marks: &mut BlockSet) -> bool {
        let Some(&last) = blocks.last() else { return true };
        blocks.iter().for_each(|&block| marks.insert(block));
        // One more than can be found: the slot after the last find is written too.
        let mut kept = vec![0; blocks.len() + 1];
        let mut count = 0;
        let before = self.reader.bytes_left();
        let words = marks.words();
        self.reader.take_to(last, |block| {
            kept[count] = block;
            count += bit(words, block);
        });
        blocks.iter().for_each(|&block| marks.clear_word(block));
        kept.truncate(count);
        let worth = (blocks.len() - count) * BLOCK_SCAN_BYTES;
        let weak = worth < before - self.reader.bytes_left();
        self.weak_steps = if weak { self.weak_steps + 1 } else { 0 };
        *blocks = kept;
        self.weak_steps < 2
    }
}
