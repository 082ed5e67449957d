//! The name dictionary: every distinct name of a volume once, searchable and ordered.
//!
//! Ids run from 0 in the order of the names' first rows, so whoever wants the first rows of an answer
//! reads the dictionary from its beginning and stops. The alphabetical order, by (folded bytes, raw
//! bytes), stands beside it: exact and prefix lookups are ranges of *positions* in that order.
//! The folded text of all names is one blob made for scanning; raw forms are kept only where
//! they differ, and come back byte for byte, whatever the encoding. Blocks of [`BLOCK`] ids are the
//! unit of scans and of the gram index. Immutable once built.

mod build;
mod case;
mod ext;
mod front;
mod order;
mod scan;
mod sort;
mod stored;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use build::{LEFT_OUT, SortedNames};
pub use ext::extension;
pub(crate) use scan::Needle;
pub(crate) use text::BLOCK;

use crate::fold::fold_into;
use case::CaseTable;
use ext::Extensions;
use hearth_core::HeapSize;
use order::NameOrder;
use std::ops::Range;
use text::NameText;

/// Distinct names with case, extensions and order.
#[derive(Debug)]
pub(crate) struct NameDict {
    text: NameText,
    case: CaseTable,
    ext: Extensions,
    order: NameOrder,
}

/// Why a set of names cannot be a dictionary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DictError {
    /// Ids are 32 bits.
    #[error("{names} distinct names are more than one index can number")]
    TooManyNames {
        /// Distinct names given.
        names: usize,
    },
    /// The text of all names is addressed with 32 bits.
    #[error("the distinct names take {bytes} bytes, more than the 4 GiB one index can address")]
    TooMuchText {
        /// Bytes needed.
        bytes: usize,
    },
    /// Names are at most 65535 bytes.
    #[error("a name of {bytes} bytes is too long to index")]
    NameTooLong {
        /// Which input name.
        index: usize,
        /// Its length.
        bytes: usize,
    },
    /// NUL separates names and is in none of them.
    #[error("a name holds a NUL byte")]
    NulInName {
        /// Which input name.
        index: usize,
    },
}

impl NameDict {
    /// Number of names.
    pub(crate) fn len(&self) -> usize {
        self.text.len() as usize
    }

    /// Number of blocks of [`BLOCK`] names, the last one possibly shorter.
    pub(crate) fn blocks(&self) -> u32 {
        self.text.blocks()
    }

    /// Folded form of a name.
    #[inline]
    pub(crate) fn folded(&self, id: u32) -> &[u8] {
        self.text.get(id)
    }

    /// Appends the raw form of a name.
    #[inline]
    pub(crate) fn raw_into(&self, id: u32, out: &mut Vec<u8>) {
        let base = out.len();
        self.text.append_to(id, out);
        self.case.restore(id, out, base);
    }

    /// Raw form of a name; `buf` is overwritten if it has to be put together.
    pub(crate) fn raw<'a>(&'a self, id: u32, buf: &'a mut Vec<u8>) -> &'a [u8] {
        if !self.case.differs(id) { self.text.get(id) } else { self.raw_beside(id, &[], buf) }
    }

    /// As [`Self::raw`] where the folded form is at hand.
    #[inline]
    pub(crate) fn raw_beside<'a>(&'a self, id: u32, folded: &'a [u8], buf: &'a mut Vec<u8>) -> &'a [u8] {
        if !self.case.differs(id) {
            return folded;
        }
        buf.clear();
        self.raw_into(id, buf);
        buf
    }

    /// Id of the name at a position of the alphabetical order.
    #[inline]
    pub(crate) fn id_at(&self, position: u32) -> u32 {
        self.order.id_at(position)
    }

    /// Position of a name in the alphabetical order.
    #[inline]
    pub(crate) fn position_of(&self, id: u32) -> u32 {
        self.order.position_of(id)
    }

    /// Whether the names at two positions have one folded form. Reads no text where neither name has
    /// another raw form: different names then.
    pub(crate) fn same_folded(&self, position: u32, other: u32) -> bool {
        let (id, other) = (self.id_at(position), self.id_at(other));
        let may = self.case.differs(id) || self.case.differs(other);
        may && self.folded(id) == self.folded(other)
    }

    /// Twice the position of a raw name in the alphabetical order, less one if it is not in the dictionary:
    /// odd keys lie between two names, and different names in one gap have the same.
    pub(crate) fn key_of(&self, raw: &[u8]) -> i64 {
        let mut folded = Vec::with_capacity(raw.len());
        fold_into(raw, &mut folded);
        let (position, equal) = self.place(&folded, raw);
        i64::from(position) * 2 - i64::from(!equal)
    }

    /// Id of a raw name.
    pub(crate) fn find(&self, raw: &[u8]) -> Option<u32> {
        let mut folded = Vec::with_capacity(raw.len());
        fold_into(raw, &mut folded);
        let (position, equal) = self.place(&folded, raw);
        equal.then(|| self.id_at(position))
    }

    /// Positions of all names with this folded form.
    pub(crate) fn find_folded(&self, folded: &[u8]) -> Range<u32> {
        let around = self.order.around(folded);
        let start = self.partition(around.clone(), |name| name < folded);
        let next = (start + 1).min(around.end);
        if start == around.end || self.folded(self.id_at(start)) != folded {
            return start..start;
        }
        if next == around.end || self.folded(self.id_at(next)) != folded {
            return start..next;
        }
        start..self.partition(next..around.end, |name| name <= folded)
    }

    /// Positions of all names whose folded form begins with `prefix`.
    pub(crate) fn prefix_folded(&self, prefix: &[u8]) -> Range<u32> {
        let around = self.order.around(prefix);
        let start = self.partition(around.clone(), |name| name < prefix);
        start..self.partition(start..around.end, |name| name.starts_with(prefix))
    }

    /// Where a name stands in the alphabetical order: the position of the first name that is not before
    /// it, and whether that is the name itself.
    fn place(&self, folded: &[u8], raw: &[u8]) -> (u32, bool) {
        let Range { start: mut low, end: mut high } = self.find_folded(folded);
        let mut buf = Vec::new();
        while low < high {
            let middle = low + (high - low) / 2;
            match self.raw(self.id_at(middle), &mut buf).cmp(raw) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return (middle, true),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        (low, false)
    }

    /// First position of a range whose folded name does not satisfy `before`, which must be monotone.
    fn partition(&self, positions: Range<u32>, before: impl Fn(&[u8]) -> bool) -> u32 {
        let Range { start: mut low, end: mut high } = positions;
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.folded(self.id_at(middle))) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Extension number of a name; 0 = none.
    #[inline]
    pub(crate) fn ext_of(&self, id: u32) -> u32 {
        self.ext.of(id)
    }

    /// Folded extension of a number (1..=[`Self::ext_count`]); empty for 0.
    pub(crate) fn ext_name(&self, ext: u32) -> &[u8] {
        self.ext.name(ext)
    }

    /// Number of a folded extension; numbers are in byte order of the extensions.
    pub(crate) fn find_ext(&self, folded: &[u8]) -> Option<u32> {
        self.ext.find(folded)
    }

    /// Number of different extensions.
    pub(crate) fn ext_count(&self) -> usize {
        self.ext.count()
    }

    /// Reports each id of `ids` with extension `ext` (0 = without one), ascending.
    pub(crate) fn names_with_ext(&self, ext: u32, ids: Range<u32>, found: impl FnMut(u32)) {
        self.ext.names_with(ext, ids.start.min(ids.end)..ids.end, found);
    }

    /// Ids of a block.
    pub(crate) fn block_ids(&self, block: u32) -> Range<u32> {
        self.text.ids_of(&(block..block + 1))
    }

    /// Folded text of a block: its names each between NUL bytes, the first and the last byte being NUL.
    pub(crate) fn block_text(&self, block: u32) -> &[u8] {
        &self.text.blob()[self.text.block_span(&(block..block + 1))]
    }

    /// Folded text of all names, each between NUL bytes.
    pub(crate) fn blob(&self) -> &[u8] {
        self.text.blob()
    }

    /// Reports each id of a range of blocks whose folded name holds the needle, ascending. One search
    /// over the whole range, so long ranges run at memory speed.
    pub(crate) fn scan_blocks(&self, blocks: Range<u32>, needle: &Needle, found: impl FnMut(u32)) {
        self.text.scan(blocks, needle, found);
    }

    /// Reads a byte of every cache line of a block, so that the lines of several blocks, touched one
    /// after the other before any of them is scanned, arrive together.
    pub(crate) fn touch_block(&self, block: u32) {
        self.text.touch(block);
    }

    /// Hands out each name of a block: id and folded form.
    pub(crate) fn for_each_in_block(&self, block: u32, mut each: impl FnMut(u32, &[u8])) {
        let ids = self.block_ids(block);
        if ids.is_empty() {
            return;
        }
        let mut place = self.text.place(ids.start);
        loop {
            each(place.id, &self.text.blob()[place.start..place.end]);
            if place.id + 1 == ids.end {
                return;
            }
            place = self.text.next(place);
        }
    }

    /// Heap bytes by part: text, case, extensions, alphabetical order.
    pub(crate) fn heap_parts(&self) -> [(&'static str, usize); 4] {
        [
            ("name text", self.text.heap_bytes()),
            ("name case", self.case.heap_bytes()),
            ("extensions", self.ext.heap_bytes()),
            ("name order", self.order.heap_bytes()),
        ]
    }
}

impl HeapSize for NameDict {
    fn heap_bytes(&self) -> usize {
        self.heap_parts().iter().map(|(_, bytes)| bytes).sum()
    }
}
