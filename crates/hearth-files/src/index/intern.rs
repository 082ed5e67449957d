//! Finds the distinct names of a scan.
//!
//! Two passes over the names, each split over the pool: hash every name, then let each thread own
//! a part of the hash space and number the distinct names of that part.

use crate::entry::Chunk;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::sync::Arc;

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
    /// (row, index into `unique`) of each row that falls into this part.
    rows: Vec<(u32, u32)>,
}

/// Interns `first` and the names of all chunk rows.
pub(crate) fn intern<'a>(first: &'a [u8], chunks: &'a [Arc<Chunk>], pool: &ThreadPool) -> Interned<'a> {
    let names: Vec<&[u8]> = std::iter::once(first)
        .chain(chunks.iter().flat_map(|chunk| chunk.rows.iter().map(|row| chunk.name(row))))
        .collect();
    pool.install(|| {
        let hashes: Vec<u64> = names.par_iter().with_min_len(4096).map(|name| hash(name)).collect();
        let parts: Vec<Part<'_>> =
            (0..PARTS).into_par_iter().map(|part| number_part(part, &names, &hashes)).collect();
        join(parts, names.len())
    })
}

fn join(parts: Vec<Part<'_>>, rows: usize) -> Interned<'_> {
    let mut unique = Vec::with_capacity(parts.iter().map(|part| part.unique.len()).sum());
    let mut of_row = vec![0u32; rows];
    for part in parts {
        let base = unique.len() as u32;
        for (row, index) in part.rows {
            of_row[row as usize] = base + index;
        }
        unique.extend(part.unique);
    }
    Interned { unique, of_row }
}

fn number_part<'a>(part: usize, names: &[&'a [u8]], hashes: &[u64]) -> Part<'a> {
    let mut table = Part { slots: vec![(0, EMPTY); 1024], unique: Vec::new(), rows: Vec::new() };
    for (row, (&hash, &name)) in hashes.iter().zip(names).enumerate() {
        if hash as usize % PARTS == part {
            let index = table.number(hash, name);
            table.rows.push((row as u32, index));
        }
    }
    table
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
