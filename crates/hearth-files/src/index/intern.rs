//! Finds the distinct names of a scan.
//!
//! Two passes over the names, each split over the pool: hash every name, then let each thread own
//! a part of the hash space and number the distinct names of that part.

use crate::entry::Chunk;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The distinct names and, per row, which of them it has.
pub(crate) struct Interned<'a> {
    pub(crate) unique: Vec<&'a [u8]>,
    /// Index 0 is the extra first name, then the rows of the chunks in order.
    pub(crate) of_row: Vec<u32>,
}

const PARTS: usize = 8;
const EMPTY: u32 = u32::MAX;

/// One part's open-addressing table: (high hash half, index into `unique`).
struct Part<'a> {
    slots: Vec<(u32, u32)>,
    unique: Vec<&'a [u8]>,
}

/// Interns `first` and the names of all chunk rows.
pub(crate) fn intern<'a>(first: &'a [u8], chunks: &'a [Arc<Chunk>], pool: &ThreadPool) -> Interned<'a> {
    pool.install(|| {
        let of_chunks = chunks.par_iter().map(|chunk| chunk.names().map(hash).collect());
        let mut hashes: Vec<Vec<u64>> = of_chunks.collect();
        hashes.insert(0, vec![hash(first)]);
        let of_row: Vec<AtomicU32> =
            std::iter::repeat_with(AtomicU32::default).take(hashes.iter().map(Vec::len).sum()).collect();
        let parts = (0..PARTS).into_par_iter();
        let parts: Vec<Vec<&[u8]>> =
            parts.map(|part| number_part(part, first, chunks, &hashes, &of_row)).collect();
        join(&parts, &hashes, of_row)
    })
}

/// Puts the names of all parts one after the other.
fn join<'a>(parts: &[Vec<&'a [u8]>], hashes: &[Vec<u64>], of_row: Vec<AtomicU32>) -> Interned<'a> {
    let mut starts = [0; PARTS];
    for part in 1..PARTS {
        starts[part] = starts[part - 1] + parts[part - 1].len() as u32;
    }
    let numbered = of_row.into_iter().zip(hashes.iter().flatten());
    let of_row = numbered.map(|(index, &hash)| index.into_inner() + starts[hash as usize % PARTS]).collect();
    Interned { unique: parts.concat(), of_row }
}

/// Numbers the distinct names of one part, and notes in `of_row` which one its rows have.
fn number_part<'a>(
    part: usize,
    first: &'a [u8],
    chunks: &'a [Arc<Chunk>],
    hashes: &[Vec<u64>],
    of_row: &[AtomicU32],
) -> Vec<&'a [u8]> {
    let mut table = Part { slots: vec![(0, EMPTY); 1024], unique: Vec::new() };
    let mut number = |name: &'a [u8], hash: u64, row: &AtomicU32| {
        if hash as usize % PARTS == part {
            row.store(table.number(hash, name), Ordering::Relaxed);
        }
    };
    number(first, hashes[0][0], &of_row[0]);
    let mut row = 1;
    for (chunk, hashes) in chunks.iter().zip(&hashes[1..]) {
        let rows = &of_row[row..row + hashes.len()];
        chunk.names().zip(hashes).zip(rows).for_each(|((name, &hash), row)| number(name, hash, row));
        row += hashes.len();
    }
    table.unique
}

impl<'a> Part<'a> {
    fn number(&mut self, hash: u64, name: &'a [u8]) -> u32 {
        if self.unique.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let tag = (hash >> 32) as u32;
        let mask = self.slots.len() - 1;
        let mut at = tag as usize & mask;
        loop {
            let (slot_tag, index) = self.slots[at];
            if index == EMPTY {
                self.slots[at] = (tag, self.unique.len() as u32);
                self.unique.push(name);
                return self.unique.len() as u32 - 1;
            }
            if slot_tag == tag && self.unique[index as usize] == name {
                return index;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![(0, EMPTY); old.len() * 2];
        let mask = self.slots.len() - 1;
        for (tag, index) in old.into_iter().filter(|&(_, index)| index != EMPTY) {
            let mut at = tag as usize & mask;
            while self.slots[at].1 != EMPTY {
                at = (at + 1) & mask;
            }
            self.slots[at] = (tag, index);
        }
    }
}

/// Multiply-and-fold over 8-byte words; names are not chosen by an enemy of this table, and a
/// collision only costs a comparison.
fn hash(name: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(K);
        (product >> 64) as u64 ^ product as u64
    };
    let mut words = name.chunks_exact(8);
    let mut state = K ^ name.len() as u64;
    for word in &mut words {
        state = mix(state, u64::from_le_bytes(word.try_into().expect("chunks of 8")));
    }
    let mut tail = [0u8; 8];
    tail[..words.remainder().len()].copy_from_slice(words.remainder());
    mix(mix(state, u64::from_le_bytes(tail)), K)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Meta, NOT_A_DIR};
    use hearth_core::EntryKind;
    use std::collections::HashSet;

    #[test]
    fn every_row_gets_its_own_name_back_and_no_name_twice() {
        let mut chunk = Chunk::default();
        let meta = Meta::unknown(EntryKind::File, 1);
        let text: Vec<Vec<u8>> = (0..5000u32).map(|n| format!("name {}", n % 1700).into_bytes()).collect();
        for name in &text {
            chunk.push(0, NOT_A_DIR, name, meta);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let chunks = [Arc::new(chunk)];
        let interned = intern(b"", &chunks, &pool);
        assert_eq!(interned.unique.len(), 1701);
        assert_eq!(interned.unique.iter().collect::<HashSet<_>>().len(), 1701);
        assert_eq!(interned.unique[interned.of_row[0] as usize], b"");
        for (row, name) in text.iter().enumerate() {
            assert_eq!(interned.unique[interned.of_row[row + 1] as usize], name.as_slice());
        }
    }
}
