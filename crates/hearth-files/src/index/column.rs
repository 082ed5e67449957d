//! Compressed columns of 64-bit values with cheap random access, and zone maps to skip rows.
//!
//! A file system's numbers are alike among neighbours: sizes of one folder, times of one unpacking,
//! inodes given out in order. A column cuts its rows into blocks of 128 and stores each block as a
//! base plus small codes at the narrowest width that pays, so a value is one header, one load and one
//! multiplication away, and a volume's metadata takes a few bytes per row.
//!
//! What always holds: every `i64` round-trips; a block stands alone (nothing outside it is needed to
//! decode it, but the caller's reference where the block is relative); codes of a block start at a byte.
//!
//! A block's bytes are 128 codes, bit-packed, then one byte per exception (its row in the block,
//! ascending), then eight bytes per exception (its value). From the top down, a block's codes are: one that
//! marks an exception, if it has any; one for [`NO_TIME`], if it has any; `(value - base) / scale`.
//! Codes of 64 bits are always offsets.

mod encode;
mod stored;

pub(crate) use self::stored::LEAST_BLOCK_BYTES;

use self::encode::Encoder;
use super::bits::{load_u64, low_mask};
use hearth_core::{HeapSize, NO_TIME};
use std::ops::Range;

/// Rows of one block.
pub(crate) const BLOCK_ROWS: usize = 128;

/// Bytes of one exception: its row, its value.
const EXCEPTION_BYTES: usize = 9;

/// Units that file systems count in: times by 100 ns, µs, ms, s, 2 s; sizes by sector and page. The best first.
const SCALES: [u64; 8] = [2_000_000_000, 1_000_000_000, 1_000_000, 4096, 1_000, 512, 100, 1];
/// Index of the scale 1.
const UNSCALED: usize = SCALES.len() - 1;

/// How one block is stored. In `meta`, from the lowest bit: width of a code (7 bits), scale (3), relative,
/// has a code for "no time", has a code for exceptions, 3 unused, exceptions (8), first byte of the block (40).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    base: i64,
    meta: u64,
}

const RELATIVE: u64 = 1 << 10;
const HAS_NO_TIME: u64 = 1 << 11;
const HAS_EXCEPTIONS: u64 = 1 << 12;

impl Block {
    #[inline]
    fn width(self) -> u8 {
        (self.meta & 0x7f) as u8
    }

    #[inline]
    fn scale(self) -> u64 {
        SCALES[(self.meta >> 7 & 7) as usize]
    }

    #[inline]
    fn has(self, flag: u64) -> bool {
        self.meta & flag != 0
    }

    #[inline]
    fn exceptions(self) -> usize {
        (self.meta >> 16 & 0xff) as usize
    }

    #[inline]
    fn start(self) -> usize {
        (self.meta >> 24) as usize
    }

    /// How many of the highest codes are not offsets.
    #[inline]
    fn specials(self) -> u64 {
        u64::from(self.has(HAS_NO_TIME)) + u64::from(self.has(HAS_EXCEPTIONS))
    }

    /// Whether a code may be none of an offset. A block of width 0 has one code for offset and exception.
    #[inline]
    fn is_special(self, code: u64) -> bool {
        code.wrapping_add(self.specials()) > low_mask(self.width())
    }

    /// The offset that a code stands for.
    #[inline]
    fn value(self, code: u64) -> i64 {
        self.base.wrapping_add(code.wrapping_mul(self.scale()) as i64)
    }
}

/// An immutable, compressed sequence of `i64`.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    blocks: Box<[Block]>,
    bytes: Box<[u8]>,
    len: usize,
}

impl Column {
    /// Compresses `values`.
    pub(crate) fn build(values: &[i64]) -> Self {
        let mut encoder = Encoder::new(values.len());
        values.chunks(BLOCK_ROWS).for_each(|rows| encoder.push(rows));
        encoder.finish(values.len())
    }

    /// Compresses `values`, each block as it is or as differences from `reference` (at least as long),
    /// whichever is smaller. Such a column is read with [`get_relative`](Self::get_relative).
    pub(crate) fn build_relative(values: &[i64], reference: &[i64]) -> Self {
        let mut encoder = Encoder::new(values.len());
        let references = reference[..values.len()].chunks(BLOCK_ROWS);
        for (rows, reference) in values.chunks(BLOCK_ROWS).zip(references) {
            encoder.push_relative(rows, reference);
        }
        encoder.finish(values.len())
    }

    /// The value of `row`, which there must be, of a column built without reference.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> i64 {
        self.get_relative(row, || unreachable!("a relative column is read without its reference"))
    }

    /// The value of `row` of any column; `reference` gives that row's reference and is asked only if needed.
    #[inline]
    pub(crate) fn get_relative(&self, row: usize, reference: impl FnOnce() -> i64) -> i64 {
        debug_assert!(row < self.len);
        let block = self.blocks[row / BLOCK_ROWS];
        let width = usize::from(block.width());
        let bit = row % BLOCK_ROWS * width;
        let code = load_u64(&self.bytes, block.start() + (bit >> 3)) >> (bit & 7) & low_mask(block.width());
        if block.is_special(code)
            && let Some(value) = self.special(block, row)
        {
            return value;
        }
        let value = block.value(code);
        if block.has(RELATIVE) { reference().wrapping_add(value) } else { value }
    }

    /// The value of a row whose code is special; `None` if the code is an offset after all (width 0).
    #[cold]
    fn special(&self, block: Block, row: usize) -> Option<i64> {
        let (rows, values) = self.exceptions(block);
        match rows.iter().position(|&exception| usize::from(exception) == row % BLOCK_ROWS) {
            Some(at) => Some(load_u64(values, at * 8) as i64),
            None => block.has(HAS_NO_TIME).then_some(NO_TIME),
        }
    }

    /// How many blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Numbers between which all values of a block lie; `None` where its header does not tell. Not for columns that
    /// have a reference.
    pub(crate) fn bounds(&self, block: usize) -> Option<(i64, i64)> {
        let block = self.blocks[block];
        if block.has(HAS_NO_TIME | HAS_EXCEPTIONS) {
            return None;
        }
        let reach = low_mask(block.width()).checked_mul(block.scale())?;
        Some((block.base, block.base.checked_add_unsigned(reach)?))
    }

    /// All values of a block, of a column built without reference; gives how many they are.
    pub(crate) fn decode(&self, block: usize, values: &mut [i64; BLOCK_ROWS]) -> usize {
        let rows = BLOCK_ROWS.min(self.len - block * BLOCK_ROWS);
        let (first, header) = (block * BLOCK_ROWS, self.blocks[block]);
        debug_assert!(!header.has(RELATIVE), "a relative column is read without its reference");
        let (start, width, mask) = (header.start(), usize::from(header.width()), low_mask(header.width()));
        for (at, value) in values[..rows].iter_mut().enumerate() {
            let bit = at * width;
            let code = load_u64(&self.bytes, start + (bit >> 3)) >> (bit & 7) & mask;
            *value = if header.is_special(code)
                && let Some(special) = self.special(header, first + at)
            {
                special
            } else {
                header.value(code)
            };
        }
        rows
    }

    /// Rows and values of the exceptions of a block.
    fn exceptions(&self, block: Block) -> (&[u8], &[u8]) {
        let start = block.start() + usize::from(block.width()) * BLOCK_ROWS / 8;
        self.bytes[start..start + block.exceptions() * EXCEPTION_BYTES].split_at(block.exceptions())
    }
}

impl HeapSize for Column {
    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.blocks) + self.bytes.heap_bytes()
    }
}

/// Rows of one zone.
pub(crate) const ZONE_ROWS: usize = 1024;

/// Smallest and largest value of every 1024 rows: a scan passes over groups that cannot match.
#[derive(Clone, Debug)]
pub(crate) struct ZoneMap {
    min: Box<[i64]>,
    max: Box<[i64]>,
}

impl ZoneMap {
    /// Summarises `values`.
    pub(crate) fn build(values: &[i64]) -> Self {
        let groups = || values.chunks(ZONE_ROWS).map(|group| group.iter().copied());
        ZoneMap {
            min: groups().filter_map(Iterator::min).collect(),
            max: groups().filter_map(Iterator::max).collect(),
        }
    }

    /// How many groups.
    #[inline]
    pub(crate) fn groups(&self) -> usize {
        self.min.len()
    }

    /// Smallest value of a group.
    #[inline]
    pub(crate) fn min(&self, group: usize) -> i64 {
        self.min[group]
    }

    /// Largest value of a group.
    #[inline]
    pub(crate) fn max(&self, group: usize) -> i64 {
        self.max[group]
    }

    /// Rows of a group of a column of `len` rows.
    #[inline]
    pub(crate) fn rows(&self, group: usize, len: usize) -> Range<usize> {
        group * ZONE_ROWS..len.min((group + 1) * ZONE_ROWS)
    }
}

impl HeapSize for ZoneMap {
    fn heap_bytes(&self) -> usize {
        self.min.heap_bytes() + self.max.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::bits::LOAD_PADDING;
    use proptest::prelude::*;

    /// Values as file systems have them, and as nobody would expect them.
    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            3 => 0i64..5000,
            3 => (0i64..2000).prop_map(|s| (1_700_000_000 + s) * 1_000_000_000),
            2 => 1_700_000_000_000_000_000i64..1_700_000_100_000_000_000,
            2 => (0i64..64).prop_map(|pages| pages * 4096),
            2 => Just(NO_TIME),
            1 => any::<i64>(),
            1 => prop::sample::select(vec![i64::MIN + 1, i64::MAX, -1, 0, 1, i64::MAX - 1]),
        ]
    }

    /// Runs of one kind with single rows of another among them, so that every kind of block appears.
    fn values() -> impl Strategy<Value = Vec<i64>> {
        let run = (any::<u8>(), value(), 0usize..200, prop::collection::vec((0usize..200, value()), 0..5));
        prop::collection::vec(run, 0..4).prop_map(|runs| {
            let mut all = Vec::new();
            for (kind, first, len, others) in runs {
                let scale = SCALES[usize::from(kind) % SCALES.len()] as i64;
                let start = all.len();
                let step = |row: i64| if kind < 128 { 0 } else { (row * 7919 % 300).wrapping_mul(scale) };
                all.extend((0..len as i64).map(|row| first.wrapping_add(step(row))));
                others.iter().filter(|(at, _)| *at < len).for_each(|&(at, other)| all[start + at] = other);
            }
            all
        })
    }

    fn check(column: &Column, values: &[i64], reference: Option<&[i64]>) {
        assert_eq!(column.len, values.len());
        for (row, &value) in values.iter().enumerate() {
            let of_row = || reference.expect("no relative block without reference")[row];
            assert_eq!(column.get_relative(row, of_row), value, "row {row}");
        }
        if reference.is_none() {
            check_blocks(column, values);
        }
    }

    fn check_blocks(column: &Column, values: &[i64]) {
        assert_eq!(column.blocks(), values.len().div_ceil(BLOCK_ROWS));
        let mut decoded = [0; BLOCK_ROWS];
        for (block, wanted) in values.chunks(BLOCK_ROWS).enumerate() {
            let rows = column.decode(block, &mut decoded);
            assert_eq!(&decoded[..rows], wanted);
            if let Some((first, last)) = column.bounds(block) {
                assert!(wanted.iter().all(|value| (first..=last).contains(value)), "block {block}");
            }
        }
    }

    fn bits_per_row(column: &Column) -> f64 {
        column.heap_bytes() as f64 * 8.0 / column.len as f64
    }

    /// A cheap source of numbers that look random.
    fn noise(seed: u64) -> u64 {
        let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb) >> 7
    }

    proptest! {
        #[test]
        fn mixed_values_round_trip(values in values()) {
            check(&Column::build(&values), &values, None);
        }

        #[test]
        fn any_values_round_trip(values in prop::collection::vec(value(), 0..400)) {
            check(&Column::build(&values), &values, None);
        }

        #[test]
        fn full_range_values_round_trip(values in prop::collection::vec(any::<i64>(), 0..300), shift in 0u32..64) {
            let values: Vec<i64> = values.iter().map(|value| value >> shift).collect();
            check(&Column::build(&values), &values, None);
        }

        #[test]
        fn relative_values_round_trip(pairs in values(), others in prop::collection::vec((any::<usize>(), value()), 0..40)) {
            let reference: Vec<i64> = pairs.iter().rev().copied().collect();
            let mut values: Vec<i64> = reference.iter().map(|value| value.wrapping_add(value % 5)).collect();
            for (at, value) in others {
                if let Some(at) = at.checked_rem(values.len()) {
                    values[at] = value;
                }
            }
            check(&Column::build_relative(&values, &reference), &values, Some(&reference));
            check(&Column::build_relative(&pairs, &reference), &pairs, Some(&reference));
        }

        #[test]
        fn zones_enclose_their_rows(values in prop::collection::vec(any::<i64>(), 0..3000)) {
            let zones = ZoneMap::build(&values);
            let mut rows = 0;
            for group in 0..zones.groups() {
                let range = zones.rows(group, values.len());
                prop_assert_eq!(range.start, rows);
                rows = range.end;
                prop_assert_eq!(Some(&zones.min(group)), values[range.clone()].iter().min());
                prop_assert_eq!(Some(&zones.max(group)), values[range].iter().max());
            }
            prop_assert_eq!(rows, values.len());
        }
    }

    #[test]
    fn constant_blocks_cost_their_header() {
        for value in [0, 7, i64::MIN, i64::MAX, -1] {
            let column = Column::build(&[value; 1280]);
            assert_eq!(column.heap_bytes(), 10 * 16 + LOAD_PADDING, "{value}");
        }
    }

    #[test]
    fn an_outlier_is_an_exception() {
        let mut values: Vec<i64> = (0..1280).map(|row| 1000 + row % 8).collect();
        values[100] = i64::MAX;
        values[300] = i64::MIN + 1;
        values[301] = 0;
        let column = Column::build(&values);
        check(&column, &values, None);
        assert!(bits_per_row(&column) < 6.0, "{}", bits_per_row(&column));
    }

    #[test]
    fn few_times_among_none_are_exceptions() {
        let values: Vec<i64> =
            (0..1280).map(|row| if row % 128 == 5 { row << 40 } else { NO_TIME }).collect();
        let column = Column::build(&values);
        check(&column, &values, None);
        assert!(bits_per_row(&column) < 2.0, "{}", bits_per_row(&column));
    }

    #[test]
    fn missing_times_cost_no_exceptions() {
        let time = |row: u64| (1_700_000_000 + (noise(row) & 1023) as i64) * 1_000_000_000;
        let values: Vec<i64> = (0..1280).map(|row| if row % 3 == 0 { NO_TIME } else { time(row) }).collect();
        let column = Column::build(&values);
        check(&column, &values, None);
        assert!(bits_per_row(&column) < 12.5, "{}", bits_per_row(&column));
    }

    #[test]
    fn whole_seconds_with_a_few_full_times_are_scaled() {
        let mut values: Vec<i64> =
            (0..1280u64).map(|row| (1_700_000_000 + (noise(row) & 255) as i64) * 1_000_000_000).collect();
        values.iter_mut().step_by(64).for_each(|value| *value += 123_456_789);
        let column = Column::build(&values);
        check(&column, &values, None);
        assert!(bits_per_row(&column) < 12.0, "{}", bits_per_row(&column));
    }

    #[test]
    fn values_near_their_reference_are_relative() {
        let reference: Vec<i64> = (0..1280).map(|row| noise(row) as i64).collect();
        let values: Vec<i64> = reference.iter().map(|value| value + (value & 3)).collect();
        let column = Column::build_relative(&values, &reference);
        check(&column, &values, Some(&reference));
        assert!(bits_per_row(&column) < 3.5, "{}", bits_per_row(&column));
    }

    #[test]
    fn a_constant_difference_with_an_exception_is_relative() {
        let reference: Vec<i64> = (0..128).map(|row| noise(row) as i64).collect();
        let mut values = reference.clone();
        values[7] = -1;
        let column = Column::build_relative(&values, &reference);
        check(&column, &values, Some(&reference));
        assert_eq!(column.heap_bytes(), 16 + 9 + LOAD_PADDING);
    }

    #[test]
    fn two_neighbours_among_missing_times_end_the_search() {
        let values: Vec<i64> = (0..128).map(|row| if row % 3 == 0 { NO_TIME } else { row & 1 }).collect();
        check(&Column::build(&values), &values, None);
    }

    #[test]
    fn the_whole_range_with_missing_times_fits_64_bits() {
        let mut values: Vec<i64> = (0..128).map(|row| noise(row) as i64 - (1 << 56)).collect();
        (values[0], values[1], values[2]) = (i64::MIN, i64::MIN + 1, i64::MAX);
        values.iter_mut().skip(3).step_by(2).for_each(|value| *value = value.wrapping_shl(7));
        check(&Column::build(&values), &values, None);
        let reference: Vec<i64> = values.iter().rev().copied().collect();
        check(&Column::build_relative(&values, &reference), &values, Some(&reference));
    }
}
