//! Columns and zones as they are stored, and the checks that make stored ones safe to read.
//!
//! A column is read at places that its block headers name. What always holds after a load: blocks lie
//! one after the other without gaps and end with the padding, widths are such that one load reads a code,
//! and no block needs a reference that the reader of the column does not have.

use super::{BLOCK_ROWS, Block, Column, EXCEPTION_BYTES, HAS_EXCEPTIONS, HAS_NO_TIME, RELATIVE, ZoneMap};
use crate::index::bits::{LOAD_PADDING, PackedInts, low_mask};
use crate::index::stored::numbers::{self, Numbers};
use rayon::prelude::*;

/// Blocks per parallel task.
const TASK: usize = 1 << 9;

/// Bytes of `meta` that are stored: all but the first byte of the block, which follows from the blocks before.
const META_BYTES: usize = 3;

/// Least bytes of the header of a block: those of `meta`, and a difference of bases.
pub(crate) const LEAST_BLOCK_BYTES: usize = META_BYTES + 1;

impl Column {
    /// Headers of the blocks: what they say of their codes, then their bases, each by what it differs from
    /// the one before.
    pub(crate) fn encode_blocks(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.blocks.len() * (META_BYTES + 4));
        for block in &self.blocks {
            out.extend_from_slice(&block.meta.to_le_bytes()[..META_BYTES]);
        }
        let mut before = 0;
        for block in &self.blocks {
            numbers::put_signed(&mut out, block.base.wrapping_sub(before));
            before = block.base;
        }
        out
    }

    /// What the headers point into.
    pub(crate) fn stored_codes(&self) -> &[u8] {
        &self.bytes
    }

    /// Blocks of a column of `len` rows.
    pub(crate) fn blocks_of(len: usize) -> usize {
        len.div_ceil(BLOCK_ROWS)
    }

    /// A column from what [`encode_blocks`](Self::encode_blocks) and [`stored_codes`](Self::stored_codes)
    /// gave; or what is wrong with it.
    pub(crate) fn from_stored(
        headers: &[u8],
        codes: Vec<u8>,
        len: usize,
        relative: bool,
    ) -> Result<Self, &'static str> {
        let (metas, bases) =
            headers.split_at_checked(Self::blocks_of(len) * META_BYTES).ok_or("headers that are cut off")?;
        let mut blocks = Vec::with_capacity(Self::blocks_of(len));
        let (mut bases, mut base, mut end) = (Numbers::new(bases), 0i64, 0);
        for meta in metas.chunks_exact(META_BYTES) {
            base = base.wrapping_add(bases.take_signed().ok_or("headers that are cut off")?);
            let meta = meta.iter().rev().fold(0, |meta, &byte| meta << 8 | u64::from(byte));
            let block = Block { base, meta: meta | (end as u64) << (META_BYTES * 8) };
            if PackedInts::stored_len(block.width(), 0).is_none() {
                return Err("no such width");
            }
            if block.has(RELATIVE) && !relative {
                return Err("relative to nothing");
            }
            end += usize::from(block.width()) * BLOCK_ROWS / 8 + block.exceptions() * EXCEPTION_BYTES;
            blocks.push(block);
        }
        if !bases.is_empty() || end + LOAD_PADDING != codes.len() {
            return Err("blocks that end elsewhere than the codes");
        }
        Ok(Column { blocks: blocks.into(), bytes: codes.into(), len })
    }

    /// Whether every value of a column built without reference is from 0 to below `limit`.
    pub(crate) fn is_below(&self, limit: u64) -> bool {
        let below = |block: usize| {
            let rows = block * BLOCK_ROWS..self.len.min((block + 1) * BLOCK_ROWS);
            self.blocks[block].is_plainly_below(limit)
                || rows.map(|row| self.get(row) as u64).all(|value| value < limit)
        };
        (0..self.blocks.len()).into_par_iter().with_min_len(TASK).all(below)
    }
}

impl Block {
    /// Whether the header alone says that every value is below `limit`.
    fn is_plainly_below(self, limit: u64) -> bool {
        let largest =
            u128::from(low_mask(self.width())) * u128::from(self.scale()) + u128::from(self.base as u64);
        !self.has(HAS_NO_TIME) && !self.has(HAS_EXCEPTIONS) && largest < u128::from(limit)
    }
}

impl ZoneMap {
    /// The smallest and the largest values.
    pub(crate) fn stored(&self) -> (&[i64], &[i64]) {
        (&self.min, &self.max)
    }

    /// The reverse of [`ZoneMap::stored`]; both have one value per group.
    pub(crate) fn from_stored(min: Vec<i64>, max: Vec<i64>) -> Self {
        assert_eq!(min.len(), max.len(), "groups");
        ZoneMap { min: min.into(), max: max.into() }
    }
}
