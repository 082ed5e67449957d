//! Chooses how each block of a column is stored, and writes it.
//!
//! A plan is a base, a scale and a code width; rows it cannot express become exceptions. The search is
//! greedy, for speed: first the densest window of values, then a scale most values in it share. It need
//! not find the optimum, and nothing about correctness rests on it: whatever a plan leaves out is written
//! as an exception.

use super::super::bits::{BitWriter, LOAD_PADDING, low_mask, width_for};
use super::{
    BLOCK_ROWS, Block, Column, HAS_EXCEPTIONS, HAS_NO_TIME, RELATIVE, SCALES, UNSCALED, special_floor,
};
use hearth_core::NO_TIME;

/// Bits that a plan reckons for an exception: more than the 72 it takes, because it is slower to read.
const EXCEPTION_BITS: usize = 96;

/// Builds a [`Column`] block by block.
pub(super) struct Encoder {
    blocks: Vec<Block>,
    bytes: Vec<u8>,
}

impl Encoder {
    /// For a column of `rows` rows.
    pub(super) fn new(rows: usize) -> Self {
        Encoder { blocks: Vec::with_capacity(rows.div_ceil(BLOCK_ROWS)), bytes: Vec::new() }
    }

    /// Appends a block of 1 to 128 rows.
    pub(super) fn push(&mut self, rows: &[i64]) {
        self.write(rows, rows, &Plan::of(rows, rows), 0);
    }

    /// Appends a block, as differences from `reference` if that is smaller.
    pub(super) fn push_relative(&mut self, rows: &[i64], reference: &[i64]) {
        let plan = Plan::of(rows, rows);
        let mut differences = [0; BLOCK_ROWS];
        for (out, (row, reference)) in differences.iter_mut().zip(rows.iter().zip(reference)) {
            *out = row.wrapping_sub(*reference);
        }
        let differences = &differences[..rows.len()];
        match (plan.bits > 0).then(|| Plan::of(rows, differences)) {
            Some(relative) if relative.bits < plan.bits => self.write(rows, differences, &relative, RELATIVE),
            _ => self.write(rows, rows, &plan, 0),
        }
    }

    /// Writes a block whose codes stand for `offsets` (the rows, or their differences from the reference).
    fn write(&mut self, rows: &[i64], offsets: &[i64], plan: &Plan, relative: u64) {
        let start = self.bytes.len();
        assert!(start < 1 << 40, "a column of {start} bytes");
        let mut codes = [0; BLOCK_ROWS];
        if plan.width > 0 || plan.exceptions {
            ENCODERS[plan.scale](offsets, plan.base, plan.limit(), &mut codes);
        }
        if plan.no_time {
            mark_missing(rows, plan.limit() + 1, &mut codes);
        }
        let mut outside = Exceptions::default();
        if plan.exceptions {
            outside.take(&mut codes[..rows.len()], low_mask(plan.width));
        }
        self.pack(&codes[..rows.len()], plan.width);
        self.bytes.extend_from_slice(outside.rows());
        outside
            .rows()
            .iter()
            .for_each(|&row| self.bytes.extend_from_slice(&rows[usize::from(row)].to_le_bytes()));
        self.blocks.push(plan.block(start, outside.len, relative));
    }

    fn pack(&mut self, codes: &[u64], width: u8) {
        let end = self.bytes.len() + (codes.len() * usize::from(width)).div_ceil(8);
        let start = self.bytes.len();
        self.bytes.resize(end + LOAD_PADDING, 0);
        let mut writer = BitWriter::new(&mut self.bytes[start..]);
        codes.iter().for_each(|&code| writer.push(code, width));
        writer.finish();
        self.bytes.truncate(end);
    }

    /// The column of the blocks so far, which hold `len` rows.
    pub(super) fn finish(mut self, len: usize) -> Column {
        self.bytes.extend_from_slice(&[0; LOAD_PADDING]);
        Column { blocks: self.blocks.into_boxed_slice(), bytes: self.bytes.into_boxed_slice(), len }
    }
}

fn mark_missing(rows: &[i64], no_time: u64, codes: &mut [u64; BLOCK_ROWS]) {
    for (code, row) in codes.iter_mut().zip(rows) {
        *code = if *row == NO_TIME { no_time } else { *code };
    }
}

/// Rows of a block that the plan has no code for.
struct Exceptions {
    rows: [u8; BLOCK_ROWS],
    len: usize,
}

impl Default for Exceptions {
    fn default() -> Self {
        Exceptions { rows: [0; BLOCK_ROWS], len: 0 }
    }
}

impl Exceptions {
    /// Notes the rows without code and gives them `mark`.
    fn take(&mut self, codes: &mut [u64], mark: u64) {
        for (row, code) in codes.iter_mut().enumerate() {
            self.rows[self.len] = row as u8;
            self.len += usize::from(*code == NO_CODE);
            *code = if *code == NO_CODE { mark } else { *code };
        }
    }

    fn rows(&self) -> &[u8] {
        &self.rows[..self.len]
    }
}

/// What an encoder writes for an offset that has no code. A plan with exceptions never uses it as one.
const NO_CODE: u64 = u64::MAX;

/// Codes of offsets at one scale: [`NO_CODE`] where the scale does not divide or the code exceeds `limit`.
type EncodeFn = fn(offsets: &[i64], base: i64, limit: u64, codes: &mut [u64; BLOCK_ROWS]);

/// How many keys differ from `anchor` by no multiple of one scale.
type StrangersFn = fn(keys: &[i64], anchor: i64) -> usize;

// One instance per scale: a division by a constant is a multiplication.
const ENCODERS: [EncodeFn; SCALES.len()] = [
    encode::<{ SCALES[0] }>,
    encode::<{ SCALES[1] }>,
    encode::<{ SCALES[2] }>,
    encode::<{ SCALES[3] }>,
    encode::<{ SCALES[4] }>,
    encode::<{ SCALES[5] }>,
    encode::<{ SCALES[6] }>,
    encode::<{ SCALES[7] }>,
];

const STRANGERS: [StrangersFn; SCALES.len()] = [
    strangers::<{ SCALES[0] }>,
    strangers::<{ SCALES[1] }>,
    strangers::<{ SCALES[2] }>,
    strangers::<{ SCALES[3] }>,
    strangers::<{ SCALES[4] }>,
    strangers::<{ SCALES[5] }>,
    strangers::<{ SCALES[6] }>,
    strangers::<{ SCALES[7] }>,
];

fn encode<const SCALE: u64>(offsets: &[i64], base: i64, limit: u64, codes: &mut [u64; BLOCK_ROWS]) {
    for (code, offset) in codes.iter_mut().zip(offsets) {
        let delta = offset.wrapping_sub(base) as u64;
        let quotient = delta / SCALE;
        *code = if quotient <= limit && quotient * SCALE == delta { quotient } else { NO_CODE };
    }
}

fn strangers<const SCALE: u64>(keys: &[i64], anchor: i64) -> usize {
    keys.iter().map(|key| usize::from(!key.abs_diff(anchor).is_multiple_of(SCALE))).sum()
}

/// How a block is to be stored, and what that costs.
#[derive(Clone, Copy, Debug)]
struct Plan {
    base: i64,
    /// Index in [`SCALES`].
    scale: usize,
    width: u8,
    no_time: bool,
    /// Whether the highest code marks exceptions.
    exceptions: bool,
    /// Cost of the block, its header left out.
    bits: usize,
}

impl Plan {
    /// The cheapest plan found for `rows` when `offsets` are what is encoded.
    fn of(rows: &[i64], offsets: &[i64]) -> Plan {
        let keys = Keys::of(rows, offsets);
        let few = Plan {
            base: NO_TIME,
            scale: UNSCALED,
            width: 0,
            no_time: false,
            exceptions: keys.len > 0,
            bits: keys.len * EXCEPTION_BITS,
        };
        if keys.len == 0 {
            return few;
        }
        let missing = rows.len() > keys.len;
        let plan = Window::around(keys, rows.len(), missing).narrowed().scaled();
        if missing && few.bits < plan.bits { few } else { plan }
    }

    /// Highest code that is an offset.
    fn limit(&self) -> u64 {
        match self.width {
            0 => 0,
            width => special_floor(width, self.no_time, self.exceptions).wrapping_sub(1),
        }
    }

    /// The header of the block that starts at byte `start`.
    fn block(&self, start: usize, exceptions: usize, relative: u64) -> Block {
        let no_time = if self.no_time { HAS_NO_TIME } else { 0 };
        let exceptional = if self.exceptions { HAS_EXCEPTIONS } else { 0 };
        let shape = u64::from(self.width) | (self.scale as u64) << 7 | relative | no_time | exceptional;
        Block { base: self.base, meta: shape | (exceptions as u64) << 16 | (start as u64) << 24 }
    }
}

/// The offsets of a block that want codes of their own, in row order.
#[derive(Clone, Copy)]
struct Keys {
    values: [i64; BLOCK_ROWS],
    len: usize,
}

impl Keys {
    /// The offsets of the rows that are not [`NO_TIME`].
    fn of(rows: &[i64], offsets: &[i64]) -> Keys {
        let mut keys = Keys { values: [0; BLOCK_ROWS], len: 0 };
        for (row, offset) in rows.iter().zip(offsets) {
            keys.values[keys.len] = *offset;
            keys.len += usize::from(*row != NO_TIME);
        }
        keys
    }

    /// The keys from `low` to `low + range`.
    fn within(&self, low: i64, range: u64) -> Keys {
        let mut keys = Keys { values: [0; BLOCK_ROWS], len: 0 };
        for key in self.all() {
            keys.values[keys.len] = *key;
            keys.len += usize::from(key.wrapping_sub(low) as u64 <= range);
        }
        keys
    }

    fn all(&self) -> &[i64] {
        &self.values[..self.len]
    }
}

/// The keys that get codes: all between two values. The others are exceptions.
#[derive(Clone, Copy)]
struct Window {
    keys: Keys,
    low: i64,
    range: u64,
    rows: usize,
    no_time: bool,
    outside: usize,
    width: u8,
    bits: usize,
}

impl Window {
    /// The window that leaves nothing out; there must be a key.
    fn around(keys: Keys, rows: usize, no_time: bool) -> Self {
        Window { keys, low: 0, range: 0, rows, no_time, outside: 0, width: 0, bits: 0 }.fitted()
    }

    /// The same keys with their true ends and cost.
    fn fitted(mut self) -> Self {
        let ends = |(low, high): (i64, i64), &key: &i64| (low.min(key), high.max(key));
        let (low, high) = self.keys.all().iter().fold((i64::MAX, i64::MIN), ends);
        (self.low, self.range) = (low, high.abs_diff(low));
        (self.width, self.bits) = self.cost(self.range, 0);
        self
    }

    /// The cheapest of ever narrower windows around the densest keys.
    fn narrowed(self) -> Self {
        let (mut best, mut window) = (self, self);
        // At one bit per row nothing is left to gain.
        while window.range > 1 && window.outside * EXCEPTION_BITS < best.bits {
            window = window.densest_part();
            if window.bits < best.bits {
                best = window;
            }
        }
        best
    }

    /// The part of the range, at most half of it, that promises the lowest cost.
    fn densest_part(&self) -> Self {
        let range_bits = 64 - self.range.leading_zeros();
        let shift = range_bits.saturating_sub(PARTS.trailing_zeros());
        let below = self.keys_below_parts(shift);
        let (mut best, mut best_bits) = ((0, PARTS), usize::MAX);
        for log in 0..range_bits - shift {
            let (start, inside) = fullest_run(&below, 1 << log);
            let outside = self.keys.len + self.outside - inside;
            let bits = self.rows * (shift + log) as usize + outside * EXCEPTION_BITS;
            if bits < best_bits {
                (best, best_bits) = ((start, 1 << log), bits);
            }
        }
        let low = self.low.wrapping_add(((best.0 as u64) << shift) as i64);
        let keys = self.keys.within(low, ((best.1 as u64) << shift) - 1);
        Window { keys, outside: self.outside + self.keys.len - keys.len, ..*self }.fitted()
    }

    /// For each part of `1 << shift` values from the low end: how many keys lie below it.
    fn keys_below_parts(&self, shift: u32) -> [u8; PARTS + 1] {
        let mut below = [0; PARTS + 1];
        for key in self.keys.all() {
            let part = (key.wrapping_sub(self.low) as u64 >> shift) as usize % PARTS;
            below[part + 1] += 1;
        }
        for part in 1..=PARTS {
            below[part] += below[part - 1];
        }
        below
    }

    /// Width of a code and bits of the block, with codes up to `max` and `strangers` more exceptions.
    fn cost(&self, max: u64, strangers: usize) -> (u8, usize) {
        let exceptions = self.outside + strangers;
        let specials = u64::from(self.no_time) + u64::from(exceptions > 0);
        match max.checked_add(specials) {
            // A single value needs no code: every row that is no exception has it.
            _ if max == 0 && !self.no_time => (0, exceptions * EXCEPTION_BITS),
            Some(highest) => {
                let width = width_for(highest);
                (width, usize::from(width) * self.rows + exceptions * EXCEPTION_BITS)
            }
            None => (64, usize::MAX),
        }
    }

    /// The cheapest plan over all scales. At a scale, keys that are no multiple of it apart from the one
    /// that stands for most become exceptions too.
    fn scaled(&self) -> Plan {
        let mut best = Plan {
            base: self.low,
            scale: UNSCALED,
            width: self.width,
            no_time: self.no_time,
            exceptions: self.outside > 0,
            bits: self.bits,
        };
        for (scale, &step) in SCALES[..UNSCALED].iter().enumerate() {
            if self.range >= step
                && let Some(anchor) = self.anchor(scale)
            {
                let plan = self.at_scale(scale, anchor);
                best = if plan.bits < best.bits { plan } else { best };
            }
        }
        best
    }

    fn at_scale(&self, scale: usize, anchor: i64) -> Plan {
        let strangers = STRANGERS[scale](self.keys.all(), anchor);
        // The lowest value of the window that lies whole steps below the anchor.
        let steps = anchor.abs_diff(self.low) / SCALES[scale];
        let base = anchor.wrapping_sub((steps * SCALES[scale]) as i64);
        let max = (self.range - base.abs_diff(self.low)) / SCALES[scale];
        let (width, bits) = self.cost(max, strangers);
        Plan { base, scale, width, no_time: self.no_time, exceptions: self.outside + strangers > 0, bits }
    }

    /// A key from which nearly all of a few keys lie multiples of the scale apart.
    fn anchor(&self, scale: usize) -> Option<i64> {
        let (keys, last) = (self.keys.all(), self.keys.len - 1);
        let sample = [keys[0], keys[last / 4], keys[last / 2], keys[last * 3 / 4], keys[last]];
        let strangers = STRANGERS[scale];
        let anchor = match strangers(&sample[1..3], sample[0]) {
            0 | 1 => sample[0],
            _ if strangers(&sample[1..2], sample[2]) == 0 => sample[1],
            _ => return None,
        };
        (strangers(&sample, anchor) <= 1).then_some(anchor)
    }
}

/// Parts that a window is cut into to find where its keys are dense.
const PARTS: usize = 64;

/// The `length` parts in a row that hold the most keys: first part and number of keys.
fn fullest_run(below: &[u8; PARTS + 1], length: usize) -> (usize, usize) {
    let inside = |start: usize| below[start + length] - below[start];
    let most = below[length..].iter().zip(below).map(|(end, start)| end - start).max().unwrap_or(0);
    let start = (0..=PARTS - length).find(|&start| inside(start) == most).unwrap_or(0);
    (start, usize::from(most))
}
