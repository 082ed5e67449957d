//! Folding and sorting of names, in parallel.
//!
//! Names are folded once into arenas, then sorted by (folded, raw) on integers: eight folded bytes
//! make a key, names with equal keys are keyed again by their next eight bytes. A comparison thus
//! never leaves the record array, and the arenas are read once per eight bytes of shared prefix.
//! Names hold no NUL byte, so a key that ends in a zero byte says that its name ended too.

use super::DictError;
use crate::fold::{fold_into, is_folded};
use rayon::prelude::*;

/// Input names per arena, small enough that the offsets of an arena always fit u32.
const PART: usize = 1 << 14;
/// Longest raw name, bytes.
const LONGEST: usize = u16::MAX as usize;
/// Runs longer than this are sorted by all threads.
const PARALLEL: usize = 1 << 15;
/// Shared prefix, bytes, beyond which names are compared whole; bounds the recursion.
const DEEPEST: usize = 1024;

/// The folded form of every input name.
pub(super) struct Folded {
    parts: Vec<Part>,
}

struct Part {
    text: Vec<u8>,
    /// Offsets of the names in `text`, one more than names.
    starts: Vec<u32>,
    differs: Vec<bool>,
}

#[derive(Clone, Copy)]
struct Record {
    key: u64,
    index: u32,
}

impl Folded {
    /// Folds all names on the current thread pool, and checks them on the way.
    pub(super) fn new(names: &[&[u8]]) -> Result<Self, DictError> {
        let parts = names.par_chunks(PART).enumerate().map(|(at, names)| Part::new(at * PART, names));
        Ok(Folded { parts: parts.collect::<Result<_, _>>()? })
    }

    /// Folded form of an input name.
    pub(super) fn get(&self, index: u32) -> &[u8] {
        let part = &self.parts[index as usize / PART];
        let within = index as usize % PART;
        &part.text[part.starts[within] as usize..part.starts[within + 1] as usize]
    }

    /// Whether folding changed an input name.
    pub(super) fn differs(&self, index: u32) -> bool {
        self.parts[index as usize / PART].differs[index as usize % PART]
    }

    /// Bytes of all folded names together.
    pub(super) fn total_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.text.len()).sum()
    }

    /// Eight bytes from `depth` on, big-endian, zeros after the end of the name.
    fn key(&self, index: u32, depth: usize) -> u64 {
        let rest = self.get(index).get(depth..).unwrap_or_default();
        match rest.first_chunk::<8>() {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => rest.iter().rev().fold(0, |key, &byte| key >> 8 | u64::from(byte) << 56),
        }
    }
}

impl Part {
    /// Folds names of which the first is input name `first`.
    fn new(first: usize, names: &[&[u8]]) -> Result<Self, DictError> {
        let bytes = names.iter().map(|name| name.len()).sum();
        let mut part = Part {
            text: Vec::with_capacity(bytes),
            starts: Vec::with_capacity(names.len() + 1),
            differs: Vec::with_capacity(names.len()),
        };
        part.starts.push(0);
        for (index, name) in (first..).zip(names) {
            check(index, name)?;
            part.push(name);
        }
        Ok(part)
    }

    fn push(&mut self, name: &[u8]) {
        let start = self.text.len();
        if is_folded(name) {
            self.text.extend_from_slice(name);
            self.differs.push(false);
        } else {
            fold_into(name, &mut self.text);
            self.differs.push(&self.text[start..] != name);
        }
        self.starts.push(self.text.len() as u32);
    }
}

fn check(index: usize, name: &[u8]) -> Result<(), DictError> {
    if name.len() > LONGEST {
        return Err(DictError::NameTooLong { index, bytes: name.len() });
    }
    memchr::memchr(0, name).map_or(Ok(()), |_| Err(DictError::NulInName { index }))
}

/// Input indexes in the order of (folded, raw), sorted on the current thread pool.
pub(super) fn sorted(names: &[&[u8]], folded: &Folded) -> Vec<u32> {
    let sorter = Sorter { names, folded };
    let record = |index| Record { key: folded.key(index, 0), index };
    let mut records: Vec<Record> = (0..names.len() as u32).into_par_iter().map(record).collect();
    sorter.sort(&mut records, 0);
    records.into_par_iter().map(|record| record.index).collect()
}

struct Sorter<'a> {
    names: &'a [&'a [u8]],
    folded: &'a Folded,
}

impl Sorter<'_> {
    /// Sorts records that share `depth` bytes and hold the keys of that depth.
    fn sort(&self, records: &mut [Record], depth: usize) {
        if records.len() > PARALLEL {
            records.par_sort_unstable_by_key(|record| record.key);
            let runs = records.par_chunk_by_mut(|a, b| a.key == b.key);
            runs.for_each(|run| self.deepen(run, depth));
        } else {
            records.sort_unstable_by_key(|record| record.key);
            for run in records.chunk_by_mut(|a, b| a.key == b.key) {
                self.deepen(run, depth);
            }
        }
    }

    /// Sorts records of equal keys by what follows the key.
    fn deepen(&self, run: &mut [Record], depth: usize) {
        if run.len() == 1 {
            return;
        }
        if run[0].key & 0xFF == 0 {
            run.sort_unstable_by_key(|record| self.names[record.index as usize]);
        } else if depth >= DEEPEST {
            run.sort_unstable_by_key(|r| (self.folded.get(r.index), self.names[r.index as usize]));
        } else {
            let depth = depth + size_of::<u64>();
            for record in &mut *run {
                record.key = self.folded.key(record.index, depth);
            }
            self.sort(run, depth);
        }
    }
}
