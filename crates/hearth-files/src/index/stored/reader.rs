//! Reads sections into the memory where they stay.
//!
//! What always holds: a length is compared with the section's before anything is allocated for it, so a
//! claimed number costs nothing; what comes back has exactly the length asked for.

use super::memory::zeros;
use super::section::{Element, SectionId, decode};
use super::{SectionSource, StoredError};
use crate::index::bits::{Bits, PackedInts};
use hearth_core::CancelToken;
use std::sync::{Mutex, PoisonError};

/// See the module.
pub(crate) struct Reader<'a> {
    source: &'a dyn SectionSource,
    cancel: &'a CancelToken,
    /// For sections that do not stay: as many as threads ever needed one at once.
    scratch: Mutex<Vec<Vec<u8>>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a dyn SectionSource, cancel: &'a CancelToken) -> Self {
        Reader { source, cancel, scratch: Mutex::default() }
    }

    /// Whether there is such a section.
    pub(crate) fn has(&self, id: SectionId) -> bool {
        self.source.len_of(id).is_some()
    }

    /// A whole section, whatever its length.
    pub(crate) fn all(&self, id: SectionId) -> Result<Vec<u8>, StoredError> {
        let mut bytes = zeros(self.len_of(id)?);
        self.fill(id, &mut bytes)?;
        Ok(bytes)
    }

    /// A whole section, to be looked at and forgotten.
    pub(crate) fn with<T>(&self, id: SectionId, look: impl FnOnce(&[u8]) -> T) -> Result<T, StoredError> {
        let mut bytes = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        bytes.resize(self.len_of(id)?, 0);
        self.fill(id, &mut bytes)?;
        let result = look(&bytes);
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        Ok(result)
    }

    fn len_of(&self, id: SectionId) -> Result<usize, StoredError> {
        self.source.len_of(id).ok_or(StoredError::Truncated { section: id, found: 0, wanted: 1 })
    }

    fn fill(&self, id: SectionId, bytes: &mut [u8]) -> Result<(), StoredError> {
        self.cancel.check()?;
        self.source.read(id, bytes).map_err(|source| StoredError::Source { section: id, source })
    }

    /// Whether a section has as many bytes as are wanted.
    pub(crate) fn check_len(&self, id: SectionId, wanted: usize) -> Result<(), StoredError> {
        match self.source.len_of(id) {
            Some(found) if found == wanted => Ok(()),
            Some(found) if found > wanted => Err(id.corrupt("longer than what it holds")),
            found => Err(StoredError::Truncated { section: id, found: found.unwrap_or(0), wanted }),
        }
    }

    /// Checks that a section has at least so many bytes.
    pub(crate) fn check_least(&self, id: SectionId, wanted: usize) -> Result<(), StoredError> {
        match self.source.len_of(id) {
            Some(found) if found >= wanted => Ok(()),
            found => Err(StoredError::Truncated { section: id, found: found.unwrap_or(0), wanted }),
        }
    }

    /// A section of a known length.
    pub(crate) fn bytes(&self, id: SectionId, wanted: usize) -> Result<Vec<u8>, StoredError> {
        self.check_len(id, wanted)?;
        self.all(id)
    }

    /// A section of a known number of elements.
    pub(crate) fn elements<T: Element>(&self, id: SectionId, count: usize) -> Result<Vec<T>, StoredError> {
        let wanted = count.checked_mul(T::BYTES).ok_or_else(|| id.corrupt("too many elements"))?;
        self.check_len(id, wanted)?;
        self.with(id, decode)
    }

    /// A section of elements, as many as it has.
    pub(crate) fn all_elements<T: Element>(&self, id: SectionId) -> Result<Vec<T>, StoredError> {
        id.check(self.len_of(id)?.is_multiple_of(T::BYTES), "part of an element")?;
        self.with(id, decode)
    }

    /// Packed numbers, all of them below `limit`.
    pub(crate) fn packed(
        &self,
        id: SectionId,
        width: u8,
        count: usize,
        limit: u64,
    ) -> Result<PackedInts, StoredError> {
        let wanted = PackedInts::stored_len(width, count).ok_or_else(|| id.corrupt("no such width"))?;
        let ints = PackedInts::from_stored(width, count, self.bytes(id, wanted)?.into_boxed_slice());
        if !ints.are_below(limit) {
            return Err(id.corrupt("a number out of range"));
        }
        Ok(ints)
    }

    /// A bitmap of `len` bits, of which `ones` are one.
    pub(crate) fn bits(
        &self,
        id: SectionId,
        len: usize,
        ones: Option<usize>,
        select: bool,
    ) -> Result<Bits, StoredError> {
        let words = self.elements(id, Bits::stored_words(len))?;
        let bits = Bits::from_stored(words, len, select).ok_or_else(|| id.corrupt("ones past the end"))?;
        if ones.is_some_and(|ones| ones != bits.ones()) {
            return Err(id.corrupt("not as many ones as it should have"));
        }
        Ok(bits)
    }
}

impl SectionId {
    /// The error for content that cannot be.
    pub(crate) fn corrupt(self, what: &'static str) -> StoredError {
        StoredError::Corrupt { section: self, what }
    }

    /// That error unless a condition holds.
    pub(crate) fn check(self, holds: bool, what: &'static str) -> Result<(), StoredError> {
        if holds { Ok(()) } else { Err(self.corrupt(what)) }
    }
}
