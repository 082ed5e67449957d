//! Chooses how each block of a column is stored, and writes it.
//!
//! A plan is a base, a scale and a code width; rows it cannot express become exceptions. The search is
//! greedy, for speed: first the densest window of values, then a scale most values in it share. It need
//! not find the optimum, and nothing about correctness rests on it: whatever a plan leaves out is written
//! as an exception.

use super::super::bits::{BitWriter, LOAD_PADDING, low_mask, width_for};
use super::{BLOCK_ROWS, Block, Column, HAS_EXCEPTIONS, HAS_NO_TIME, RELATIVE, SCALES, UNSCALED};
use hearth_core::NO_TIME;
use std::borrow::Cow;

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
        self.pack(&codes, plan.width);
        self.bytes.extend_from_slice(outside.rows());
        outside
            .rows()
            .iter()
            .for_each(|&row| self.bytes.extend_from_slice(&rows[usize::from(row)].to_le_bytes()));
        self.blocks.push(plan.block(start, outside.len, relative));
    }

    /// Appends all codes, those of rows behind the column's end too: a block's exceptions are found by
    /// its width alone.
    fn pack(&mut self, codes: &[u64; BLOCK_ROWS], width: u8) {
        let start = self.bytes.len();
        let end = start + usize::from(width) * BLOCK_ROWS / 8;
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
type StrangersFn = fn(keys: &[u64], anchor: u64) -> usize;

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

fn strangers<const SCALE: u64>(keys: &[u64], anchor: u64) -> usize {
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
        let plan = Window::around(&keys, rows.len()).narrowed().scaled();
        if keys.len < rows.len() && few.bits < plan.bits { few } else { plan }
    }

    /// Every value as it is, at full width.
    fn raw(rows: usize) -> Plan {
        let bits = rows * u64::BITS as usize;
        Plan { base: 0, scale: UNSCALED, width: 64, no_time: false, exceptions: false, bits }
    }

    /// Highest code that is an offset.
    fn limit(&self) -> u64 {
        low_mask(self.width).saturating_sub(u64::from(self.no_time) + u64::from(self.exceptions))
    }

    /// The header of the block that starts at byte `start`.
    fn block(&self, start: usize, exceptions: usize, relative: u64) -> Block {
        let no_time = if self.no_time { HAS_NO_TIME } else { 0 };
        let exceptional = if self.exceptions { HAS_EXCEPTIONS } else { 0 };
        let shape = u64::from(self.width) | (self.scale as u64) << 7 | relative | no_time | exceptional;
        Block { base: self.base, meta: shape | (exceptions as u64) << 16 | (start as u64) << 24 }
    }
}

/// The values of a block that want codes of their own, in row order, as distances from the lowest.
struct Keys {
    lowest: i64,
    highest: u64,
    distances: [u64; BLOCK_ROWS],
    len: usize,
}

impl Keys {
    /// The offsets of the rows that are not [`NO_TIME`].
    fn of(rows: &[i64], offsets: &[i64]) -> Keys {
        let mut distances = [0; BLOCK_ROWS];
        let (mut len, mut low, mut high) = (0, i64::MAX, i64::MIN);
        for (row, &offset) in rows.iter().zip(offsets) {
            let missing = *row == NO_TIME;
            distances[len] = offset as u64;
            low = low.min(if missing { low } else { offset });
            high = high.max(if missing { high } else { offset });
            len += usize::from(!missing);
        }
        distances[..len].iter_mut().for_each(|distance| *distance = distance.wrapping_sub(low as u64));
        Keys { lowest: low, highest: high.wrapping_sub(low) as u64, distances, len }
    }

    fn all(&self) -> &[u64] {
        &self.distances[..self.len]
    }
}

/// The keys that get codes: all from `low` to `low + range`. The others are exceptions.
#[derive(Clone, Copy)]
struct Window<'a> {
    keys: &'a Keys,
    low: u64,
    range: u64,
    rows: usize,
    no_time: bool,
    outside: usize,
    width: u8,
    bits: usize,
}

impl<'a> Window<'a> {
    /// The window that leaves nothing out; there must be a key.
    fn around(keys: &'a Keys, rows: usize) -> Self {
        let no_time = rows > keys.len;
        Window { keys, low: 0, range: keys.highest, rows, no_time, outside: 0, width: 0, bits: 0 }.costed()
    }

    fn costed(mut self) -> Self {
        (self.width, self.bits) = self.cost(self.range, 0);
        self
    }

    /// The cheapest of ever narrower windows around the densest keys.
    fn narrowed(self) -> Self {
        let mut best = self;
        let mut next = self.densest_part(best.bits);
        while let Some(window) = next {
            best = if window.bits < best.bits { window } else { best };
            next = window.densest_part(best.bits);
        }
        best
    }

    /// A narrower window: of the power-of-two fractions of the range down to a 64th the cheapest, if it
    /// costs less than `limit`; else the densest 32nd, if what it leaves out costs less, for that may hold a
    /// cheaper one. A range of 1 is not divided: one bit per row is little to gain.
    fn densest_part(&self, limit: usize) -> Option<Self> {
        if self.range <= 1 {
            return None;
        }
        let range_bits = 64 - self.range.leading_zeros();
        let shift = range_bits.saturating_sub(PARTS.trailing_zeros());
        let below = self.keys_below_parts(shift);
        let part = |log: u32| {
            let (start, inside) = fullest_run(&below, 1 << log);
            let outside = (self.keys.len - inside) * EXCEPTION_BITS;
            (self.rows * (shift + log) as usize + outside, outside, start, log)
        };
        let cheapest = (0..range_bits - shift).map(part).min()?;
        let dense = if cheapest.0 < limit { cheapest } else { part(1.min(range_bits - shift - 1)) };
        let (_, outside, start, log) = dense;
        let skipped = (start as u64) << shift;
        let range = ((1 << log << shift) - 1).min(self.range - skipped);
        (outside < limit).then(|| self.cut(self.low + skipped, range))
    }

    /// For each part of `1 << shift` distances from the low end: how many keys lie below it in the window.
    fn keys_below_parts(&self, shift: u32) -> [u8; PARTS + 1] {
        // Neighbours often fall in one part: separate counts keep their increments from waiting in line.
        let mut counts = [[0u8; PARTS + 1]; 4];
        for keys in self.keys.all().chunks(4) {
            for (counts, key) in counts.iter_mut().zip(keys) {
                let distance = key.wrapping_sub(self.low);
                counts[if distance <= self.range { (distance >> shift) as usize } else { PARTS }] += 1;
            }
        }
        let mut below = [0; PARTS + 1];
        for part in 0..PARTS {
            below[part + 1] = below[part] + counts.iter().map(|counts| counts[part]).sum::<u8>();
        }
        below
    }

    /// The window of the keys from `low` to `low + range`, of which there is at least one.
    fn cut(&self, low: u64, range: u64) -> Self {
        let (mut first, mut last, mut inside) = (u64::MAX, 0, 0);
        for &key in self.keys.all() {
            let within = key.wrapping_sub(low) <= range;
            first = first.min(if within { key } else { u64::MAX });
            last = last.max(if within { key } else { 0 });
            inside += usize::from(within);
        }
        Window { low: first, range: last - first, outside: self.keys.len - inside, ..*self }.costed()
    }

    /// Width of a code and bits of the block, with codes up to `max` and `strangers` more exceptions.
    fn cost(&self, max: u64, strangers: usize) -> (u8, usize) {
        let exceptions = self.outside + strangers;
        let specials = u64::from(self.no_time) + u64::from(exceptions > 0);
        let width = match max.checked_add(specials) {
            // A single value needs no code: every row that is no exception has it.
            _ if max == 0 && !self.no_time => 0,
            highest => highest.map_or(64, width_for),
        };
        (width, usize::from(width) * self.rows + exceptions * EXCEPTION_BITS)
    }

    /// The cheapest plan over all scales. At a scale, keys that are no multiple of it apart from the one
    /// that stands for most become exceptions too.
    fn scaled(&self) -> Plan {
        let mut best = self.plan(UNSCALED, self.low, self.range, 0);
        let keys = self.inside();
        for (scale, &step) in SCALES[..UNSCALED].iter().enumerate() {
            if self.range < step {
                continue;
            }
            if let Some(anchor) = anchor(&keys, STRANGERS[scale]) {
                // The lowest place of the window that lies whole steps below the anchor.
                let base = self.low + (anchor - self.low) % step;
                let max = (self.low + self.range - base) / step;
                let plan = self.plan(scale, base, max, STRANGERS[scale](&keys, anchor));
                best = if plan.bits < best.bits { plan } else { best };
            }
        }
        best
    }

    fn plan(&self, scale: usize, base: u64, max: u64, strangers: usize) -> Plan {
        let (width, bits) = self.cost(max, strangers);
        if width == 64 {
            return Plan::raw(self.rows);
        }
        let base = self.keys.lowest.wrapping_add(base as i64);
        Plan { base, scale, width, no_time: self.no_time, exceptions: self.outside + strangers > 0, bits }
    }

    /// The keys of the window.
    fn inside(&self) -> Cow<'a, [u64]> {
        if self.outside == 0 {
            return Cow::Borrowed(self.keys.all());
        }
        let within = |key: &u64| key.wrapping_sub(self.low) <= self.range;
        Cow::Owned(self.keys.all().iter().copied().filter(within).collect())
    }
}

/// A key from which nearly all of a few keys lie multiples of a scale apart.
fn anchor(keys: &[u64], strangers: StrangersFn) -> Option<u64> {
    let last = keys.len() - 1;
    let sample = [keys[0], keys[last / 4], keys[last / 2], keys[last * 3 / 4], keys[last]];
    let anchor = match strangers(&sample[1..3], sample[0]) {
        0 | 1 => sample[0],
        _ if strangers(&sample[1..2], sample[2]) == 0 => sample[1],
        _ => return None,
    };
    (strangers(&sample, anchor) <= 1).then_some(anchor)
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
