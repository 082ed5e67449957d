//! Sections: what a stored index is made of, and how bytes are taken from memory without a copy of it.
//!
//! A [`Section`] borrows the memory of a part and hands out any range of it as little-endian bytes. Bytes
//! are handed out as they lie in memory; wider elements are encoded range by range, so that nobody ever
//! needs a second copy of a column. Sections are opaque to whoever keeps them: number and length are
//! all there is to know.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Which part of an index a section holds. Numbers are never given a second meaning.
#[derive(Clone, Copy, Debug)]
pub struct SectionId {
    number: u16,
    name: &'static str,
}

impl SectionId {
    pub(crate) const fn new(number: u16, name: &'static str) -> Self {
        SectionId { number, name }
    }

    /// The number that stands for it in a file.
    pub fn number(self) -> u16 {
        self.number
    }

    /// Its name, for messages and reports.
    pub fn name(self) -> &'static str {
        self.name
    }
}

impl PartialEq for SectionId {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for SectionId {}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.number)
    }
}

/// One section of a stored index, borrowed from it.
pub struct Section<'a> {
    id: SectionId,
    content: Content<'a>,
}

enum Content<'a> {
    Made(Vec<u8>),
    /// One after the other.
    Pieces(Vec<&'a [u8]>),
    Elements(Box<dyn Encode + 'a>),
    Coded(Coded<'a>),
}

impl<'a> Section<'a> {
    /// A small section that was put together.
    pub(crate) fn made(id: SectionId, bytes: Vec<u8>) -> Self {
        Section { id, content: Content::Made(bytes) }
    }

    pub(crate) fn bytes_of(id: SectionId, bytes: &'a [u8]) -> Self {
        Self::pieces_of(id, vec![bytes])
    }

    pub(crate) fn pieces_of(id: SectionId, pieces: Vec<&'a [u8]>) -> Self {
        Section { id, content: Content::Pieces(pieces) }
    }

    pub(crate) fn elements_of<T: Element>(id: SectionId, elements: &'a [T]) -> Self {
        Section { id, content: Content::Elements(Box::new(elements)) }
    }

    /// A section that is made when it is asked for.
    pub(crate) fn coded(id: SectionId, make: impl Fn() -> Vec<u8> + Sync + 'a) -> Self {
        Section { id, content: Content::Coded(Coded { make: Box::new(make), made: Mutex::new(None) }) }
    }

    /// Which section it is.
    pub fn id(&self) -> SectionId {
        self.id
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Made(bytes) => bytes.len(),
            Content::Pieces(pieces) => pieces.iter().map(|piece| piece.len()).sum(),
            Content::Elements(elements) => elements.encoded_len(),
            Content::Coded(coded) => coded.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, which must lie within the section; borrowed where memory holds them in
    /// one piece as they are stored. Ranges may be taken in any order and by several threads; a section
    /// that is read once, from its beginning to its end, keeps nothing that was made for it.
    pub fn bytes(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        match &self.content {
            Content::Made(bytes) => Cow::Borrowed(&bytes[range]),
            Content::Pieces(pieces) => join(pieces, range),
            Content::Elements(elements) => Cow::Owned(elements.encode(range)),
            Content::Coded(coded) => Cow::Owned(coded.bytes(range)),
        }
    }
}

fn join<'a>(pieces: &[&'a [u8]], range: Range<usize>) -> Cow<'a, [u8]> {
    let mut joined = Cow::Borrowed([].as_slice());
    let mut from = 0;
    for piece in pieces {
        let part = range.start.clamp(from, from + piece.len()) - from
            ..range.end.clamp(from, from + piece.len()) - from;
        match (joined.is_empty(), part.is_empty()) {
            (_, true) => {}
            (true, false) => joined = Cow::Borrowed(&piece[part]),
            (false, false) => joined.to_mut().extend_from_slice(&piece[part]),
        }
        from += piece.len();
    }
    assert_eq!(joined.len(), range.len(), "a range past the end of a section");
    joined
}

/// Bytes that are made when they are asked for, and forgotten with their last one.
struct Coded<'a> {
    make: Box<dyn Fn() -> Vec<u8> + Sync + 'a>,
    made: Mutex<Option<Vec<u8>>>,
}

impl Coded<'_> {
    fn len(&self) -> usize {
        self.with(|bytes| (bytes.len(), true))
    }

    fn bytes(&self, range: Range<usize>) -> Vec<u8> {
        self.with(|bytes| (bytes[range.clone()].to_vec(), range.end < bytes.len()))
    }

    /// Uses the bytes; keeps them if told so.
    fn with<T>(&self, using: impl FnOnce(&[u8]) -> (T, bool)) -> T {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = made.take().unwrap_or_else(|| (self.make)());
        let (result, keep) = using(&bytes);
        *made = keep.then_some(bytes);
        result
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes", self.id, self.len())
    }
}

/// A value that is stored in a fixed number of bytes.
pub(crate) trait Element: Copy + Sync {
    /// How many.
    const BYTES: usize;
    /// Writes it to exactly that many bytes.
    fn put(self, out: &mut [u8]);
    /// Reads it back.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! integer_elements {
    ($($integer:ty)*) => {$(
        impl Element for $integer {
            const BYTES: usize = size_of::<$integer>();

            #[inline]
            fn put(self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the element has"))
            }
        }
    )*};
}

integer_elements!(u16 u32 u64 i64);

/// The first element's bytes, then the second's.
impl<A: Element, B: Element> Element for (A, B) {
    const BYTES: usize = A::BYTES + B::BYTES;

    #[inline]
    fn put(self, out: &mut [u8]) {
        let (first, second) = out.split_at_mut(A::BYTES);
        self.0.put(first);
        self.1.put(second);
    }

    #[inline]
    fn get(bytes: &[u8]) -> Self {
        let (first, second) = bytes.split_at(A::BYTES);
        (A::get(first), B::get(second))
    }
}

impl<T: Element, const N: usize> Element for [T; N] {
    const BYTES: usize = T::BYTES * N;

    #[inline]
    fn put(self, out: &mut [u8]) {
        out.chunks_exact_mut(T::BYTES).zip(self).for_each(|(out, element)| element.put(out));
    }

    #[inline]
    fn get(bytes: &[u8]) -> Self {
        std::array::from_fn(|at| T::get(&bytes[at * T::BYTES..(at + 1) * T::BYTES]))
    }
}

/// All elements of some bytes, whose number must be a multiple of the element's.
pub(crate) fn decode<T: Element>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(T::BYTES).map(T::get).collect()
}

/// Elements whose type is forgotten.
trait Encode: Sync {
    fn encoded_len(&self) -> usize;
    fn encode(&self, range: Range<usize>) -> Vec<u8>;
}

impl<T: Element> Encode for &[T] {
    fn encoded_len(&self) -> usize {
        self.len() * T::BYTES
    }

    fn encode(&self, range: Range<usize>) -> Vec<u8> {
        let (first, last) = (range.start / T::BYTES, range.end.div_ceil(T::BYTES));
        let mut bytes = vec![0; (last - first) * T::BYTES];
        let elements = self[first..last].iter();
        bytes.chunks_exact_mut(T::BYTES).zip(elements).for_each(|(out, element)| element.put(out));
        bytes.truncate(range.end - first * T::BYTES);
        bytes.drain(..range.start - first * T::BYTES);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SectionId = SectionId::new(1, "test");

    #[test]
    fn every_range_of_a_section_is_a_part_of_the_whole() {
        let numbers: Vec<(u64, u32)> = (0..9).map(|at| (at << 40 | 3, at as u32)).collect();
        let (first, second) = ([1, 2, 3].as_slice(), [4, 5].as_slice());
        for section in [
            Section::elements_of(ID, &numbers),
            Section::pieces_of(ID, vec![first, &[], second, first]),
            Section::bytes_of(ID, second),
            Section::made(ID, vec![7; 20]),
            Section::coded(ID, || (3..50).collect()),
        ] {
            let whole = section.bytes(0..section.len()).into_owned();
            assert_eq!(whole.len(), section.len());
            for start in 0..=whole.len() {
                for end in start..=whole.len() {
                    assert_eq!(*section.bytes(start..end), whole[start..end], "{section:?} {start}..{end}");
                }
            }
        }
        let bytes = Section::elements_of(ID, &numbers).bytes(0..108).into_owned();
        assert_eq!(decode::<(u64, u32)>(&bytes), numbers);
    }

    #[test]
    fn bytes_are_borrowed() {
        let bytes = [1, 2, 3];
        assert!(matches!(Section::bytes_of(ID, &bytes).bytes(1..3), Cow::Borrowed([2, 3])));
    }
}
