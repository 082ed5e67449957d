//! Columns and zones as they are stored, and the checks that make stored ones safe to read.
//!
//! A column is read at places that its block headers name. What always holds after a load: blocks lie
//! one after the other without gaps and end with the padding, widths are such that one load reads a code,
//! and no block needs a reference that the reader of the column does not have.

use super::{BLOCK_ROWS, Block, Column, EXCEPTION_BYTES, HAS_EXCEPTIONS, HAS_NO_TIME, RELATIVE, ZoneMap};
use crate::index::bits::{LOAD_PADDING, PackedInts, low_mask};
use crate::index::stored::section::Element;
use rayon::prelude::*;

/// Blocks per parallel task.
const TASK: usize = 1 << 9;

impl Element for Block {
    const BYTES: usize = 16;

    #[inline]
    fn put(self, out: &mut [u8]) {
        (self.base, self.meta).put(out);
    }

    #[inline]
    fn get(bytes: &[u8]) -> Self {
        let (base, meta) = Element::get(bytes);
        Block { base, meta }
    }
}

impl Column {
    /// Headers of the blocks.
    pub(crate) fn stored_blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What the headers point into.
    pub(crate) fn stored_codes(&self) -> &[u8] {
        &self.bytes
    }

    /// Blocks of a column of `len` rows.
    pub(crate) fn blocks_of(len: usize) -> usize {
        len.div_ceil(BLOCK_ROWS)
    }

    /// A column from what [`stored_blocks`](Self::stored_blocks) and [`stored_codes`](Self::stored_codes)
    /// gave; or what is wrong with it.
    pub(crate) fn from_stored(
        blocks: Vec<Block>,
        codes: Vec<u8>,
        len: usize,
        relative: bool,
    ) -> Result<Self, &'static str> {
        let mut end = 0;
        for block in &blocks {
            if PackedInts::stored_len(block.width(), 0).is_none() {
                return Err("no such width");
            }
            if block.has(RELATIVE) && !relative {
                return Err("relative to nothing");
            }
            if block.start() != end {
                return Err("blocks that do not follow each other");
            }
            end += usize::from(block.width()) * BLOCK_ROWS / 8 + block.exceptions() * EXCEPTION_BYTES;
        }
        if end + LOAD_PADDING != codes.len() {
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
