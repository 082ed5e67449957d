//! Unpacks all codes of a block at once, one routine per code width.
//!
//! With the width known to the compiler, shifts and masks are constants and eight codes take one bounds
//! check: two to three times the speed of reading code by code.

use super::super::bits::{LOAD_PADDING, load_u64, low_mask};
use super::BLOCK_ROWS;

/// Codes that begin at a byte together.
const GROUP: usize = 8;

/// Codes of one whole block, from bytes that have [`LOAD_PADDING`] more behind them.
pub(super) type UnpackFn = fn(bytes: &[u8], codes: &mut [u64; BLOCK_ROWS]);

/// The routine for each width. Widths from 58 to 63 are never used.
pub(super) static UNPACK: [UnpackFn; 65] = routines();

const fn routines() -> [UnpackFn; 65] {
    macro_rules! at_each {
        ($($width:literal)*) => { [$(unpack::<$width>),*] };
    }
    at_each! {
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
        39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 64 64 64 64 64 64 64
    }
}

fn unpack<const WIDTH: usize>(bytes: &[u8], codes: &mut [u64; BLOCK_ROWS]) {
    for (group, codes) in codes.chunks_exact_mut(GROUP).enumerate() {
        let bytes = &bytes[group * WIDTH..][..WIDTH + LOAD_PADDING];
        for (at, code) in codes.iter_mut().enumerate() {
            let bit = at * WIDTH;
            *code = load_u64(bytes, bit >> 3) >> (bit & 7) & low_mask(WIDTH as u8);
        }
    }
}
