//! Bit-level containers: integers packed at a fixed width, and a bitmap with rank and select.
//!
//! The index keeps tens of millions of small numbers (row numbers, offsets, name ids). A fixed width
//! chosen from the largest one costs a fraction of a `Vec<u32>` and is still one load away.
//! Both types are immutable once built and own exactly the bytes they report.
//!
//! What always holds: numbers lie back to back, least significant bit first, in little-endian bytes,
//! and eight zero bytes follow the last one, so that any number is read with one unaligned 64-bit load.
//! A number of 58 to 63 bits could straddle nine bytes; such widths are rounded up to 64.

use super::stored::memory::zeros;
use hearth_core::HeapSize;
use std::hint::select_unpredictable;
use std::ops::Range;

/// Zero bytes after packed data, so that a 64-bit load at the last number stays inside.
pub(crate) const LOAD_PADDING: usize = 8;

/// Smallest width, in bits, that holds `max` and is read with one load.
#[inline]
pub(crate) fn width_for(max: u64) -> u8 {
    match 64 - max.leading_zeros() as u8 {
        58.. => 64,
        bits => bits,
    }
}

/// The `width` lowest bits set; `width` is at most 64.
#[inline]
pub(crate) fn low_mask(width: u8) -> u64 {
    if width == 0 { 0 } else { u64::MAX >> (64 - u32::from(width)) }
}

/// The eight bytes at `at`, little-endian.
#[inline]
pub(crate) fn load_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}

/// Writes numbers of any width into bytes that end in [`LOAD_PADDING`] bytes of their own.
pub(crate) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    pending: u64,
    filled: u32,
}

impl<'a> BitWriter<'a> {
    /// Starts at the first byte of `out`.
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        BitWriter { out, at: 0, pending: 0, filled: 0 }
    }

    /// Writes the `width` lowest bits of `value`; the bits above must be zero.
    #[inline]
    pub(crate) fn push(&mut self, value: u64, width: u8) {
        debug_assert!(value <= low_mask(width));
        let width = u32::from(width);
        self.pending |= value << self.filled;
        self.filled += width;
        if self.filled >= 64 {
            self.store();
            self.at += 8;
            self.filled -= 64;
            self.pending = value.unbounded_shr(width - self.filled);
        }
    }

    /// Writes what is pending, and no byte more.
    pub(crate) fn finish(self) {
        let pending = &self.pending.to_le_bytes()[..self.filled.div_ceil(8) as usize];
        self.out[self.at..self.at + pending.len()].copy_from_slice(pending);
    }

    #[inline]
    fn store(&mut self) {
        self.out[self.at..self.at + 8].copy_from_slice(&self.pending.to_le_bytes());
    }
}

/// Integers of one fixed width, 0 to 64 bits, immutable.
#[derive(Clone, Debug)]
pub(crate) struct PackedInts {
    bytes: Box<[u8]>,
    mask: u64,
    len: usize,
    width: u8,
}

impl PackedInts {
    /// Packs `values` at `width` bits (58 to 63 become 64); every value must fit.
    pub(crate) fn build<I>(width: u8, values: I) -> Self
    where
        I: IntoIterator<Item = u64>,
        I::IntoIter: ExactSizeIterator,
    {
        let values = values.into_iter();
        let (width, len) = (loadable(width), values.len());
        let mask = low_mask(width);
        let mut bytes = vec![0; packed_bytes(width, len)].into_boxed_slice();
        let mut writer = BitWriter::new(&mut bytes);
        for value in values {
            assert!(value <= mask, "{value} is wider than {width} bits");
            writer.push(value, width);
        }
        writer.finish();
        PackedInts { bytes, mask, len, width }
    }

    /// Packs `values` at the width of the largest.
    pub(crate) fn from_slice_u32(values: &[u32]) -> Self {
        let max = values.iter().copied().max().unwrap_or(0);
        Self::build(width_for(u64::from(max)), values.iter().map(|&value| u64::from(value)))
    }

    /// Numbers of `width` bits, loadable as they are, written to their bytes by `write`, which also gets
    /// the zeros that follow them.
    pub(crate) fn written<E>(
        width: u8,
        len: usize,
        write: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let width = loadable(width);
        let mut bytes = zeros(packed_bytes(width, len)).into_boxed_slice();
        write(&mut bytes)?;
        Ok(PackedInts { bytes, mask: low_mask(width), len, width })
    }

    /// Bits of a number.
    pub(crate) fn width(&self) -> u8 {
        self.width
    }

    /// All bytes, the padding included.
    pub(crate) fn stored(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of [`stored`](Self::stored) for `len` numbers; `None` if there is no such width.
    pub(crate) fn stored_len(width: u8, len: usize) -> Option<usize> {
        let known = width <= 64 && loadable(width) == width;
        let bits = usize::from(width).checked_mul(len).filter(|_| known)?;
        Some(bits.div_ceil(8) + LOAD_PADDING)
    }

    /// The numbers of which [`stored`](Self::stored) gave the bytes, as long as [`Self::stored_len`] says.
    pub(crate) fn from_stored(width: u8, len: usize, bytes: Box<[u8]>) -> Self {
        assert_eq!(Some(bytes.len()), Self::stored_len(width, len), "{len} numbers of {width} bits");
        PackedInts { bytes, mask: low_mask(width), len, width }
    }

    /// Whether every number is below `limit`.
    pub(crate) fn are_below(&self, limit: u64) -> bool {
        self.mask < limit || self.iter_range(0..self.len).fold(true, |below, value| below & (value < limit))
    }

    /// How many numbers.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The number at `index`, which must be below [`len`](Self::len).
    #[inline]
    pub(crate) fn get(&self, index: usize) -> u64 {
        debug_assert!(index < self.len);
        self.at_bit(index * usize::from(self.width))
    }

    /// The numbers of `range`, in order.
    #[inline]
    pub(crate) fn iter_range(&self, range: Range<usize>) -> PackedIter<'_> {
        assert!(range.end <= self.len, "range end {} of {}", range.end, self.len);
        PackedIter {
            ints: self,
            bit: range.start * usize::from(self.width),
            left: range.end.saturating_sub(range.start),
        }
    }

    #[inline]
    fn at_bit(&self, bit: usize) -> u64 {
        (load_u64(&self.bytes, bit >> 3) >> (bit & 7)) & self.mask
    }
}

impl HeapSize for PackedInts {
    fn heap_bytes(&self) -> usize {
        self.bytes.heap_bytes()
    }
}

/// Sequential reader of a range of [`PackedInts`].
#[derive(Clone, Debug)]
pub(crate) struct PackedIter<'a> {
    ints: &'a PackedInts,
    bit: usize,
    left: usize,
}

impl Iterator for PackedIter<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let value = self.ints.at_bit(self.bit);
        self.bit += usize::from(self.ints.width);
        Some(value)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PackedIter<'_> {}

/// Fills a [`PackedInts`] in any order; what is never set is 0.
pub(crate) struct PackedBuilder {
    ints: PackedInts,
}

impl PackedBuilder {
    /// `len` zeros of `width` bits (58 to 63 become 64).
    pub(crate) fn new(width: u8, len: usize) -> Self {
        let width = loadable(width);
        let bytes = zeros(packed_bytes(width, len)).into_boxed_slice();
        PackedBuilder { ints: PackedInts { bytes, mask: low_mask(width), len, width } }
    }

    /// Replaces the number at `index`.
    #[inline]
    pub(crate) fn set(&mut self, index: usize, value: u64) {
        let ints = &mut self.ints;
        assert!(index < ints.len && value <= ints.mask, "{value} at {index} does not fit");
        let bit = index * usize::from(ints.width);
        let (at, shift) = (bit >> 3, bit & 7);
        let word = load_u64(&ints.bytes, at) & !(ints.mask << shift) | value << shift;
        ints.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// The packed numbers.
    pub(crate) fn finish(self) -> PackedInts {
        self.ints
    }
}

/// The next width that is read with one load.
fn loadable(width: u8) -> u8 {
    assert!(width <= 64, "{width} bits do not fit in a word");
    if width > 57 { 64 } else { width }
}

fn packed_bytes(width: u8, len: usize) -> usize {
    (usize::from(width) * len).div_ceil(8) + LOAD_PADDING
}

/// Bits of one rank sample.
const SAMPLE_BITS: usize = 1024;
/// Bits between the finer counts inside a sample.
const STEP_BITS: usize = 256;
const STEP_WORDS: usize = STEP_BITS / 64;
const SAMPLE_STEPS: usize = SAMPLE_BITS / STEP_BITS;
/// Ones between two select hints.
const HINT_ONES: usize = 512;

/// Bitmap of at most 2³² − 1 bits with rank and select.
///
/// One 64-bit sample per 1024 bits (6.25 %): the ones before it in the low 32 bits, above them three
/// 10-bit counts of the ones before its second, third and fourth 256 bits. Select hints, where asked
/// for, name the sample that holds every 512th one.
#[derive(Clone, Debug)]
pub(crate) struct Bits {
    words: Box<[u64]>,
    samples: Box<[u64]>,
    hints: Box<[u32]>,
    len: usize,
    ones: usize,
}

impl Bits {
    /// A bitmap of `len` bits with ones at `positions` (any order, duplicates allowed).
    pub(crate) fn from_positions(len: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        BitsBuilder::from_positions(len, positions).finish(false)
    }

    /// The same with select hints: for bitmaps whose ones are looked up by number.
    pub(crate) fn with_select(len: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        BitsBuilder::from_positions(len, positions).finish(true)
    }

    /// All words: those of the bits and what follows them.
    pub(crate) fn stored(&self) -> &[u64] {
        &self.words
    }

    /// Length of [`stored`](Self::stored) for `len` bits.
    pub(crate) fn stored_words(len: usize) -> usize {
        // One part more than needed, so that rank at `len` reads words that exist.
        (len / STEP_BITS + 1) * STEP_WORDS
    }

    /// The bitmap of which [`stored`](Self::stored) gave the words. `None` if bits past the end are set.
    pub(crate) fn from_stored(words: Vec<u64>, len: usize, select: bool) -> Option<Self> {
        assert_eq!(words.len(), Self::stored_words(len), "words of {len} bits");
        let (last, rest) = words[len / 64..].split_first().expect("a part more than needed");
        let clean = last >> (len % 64) == 0 && rest.iter().all(|&word| word == 0);
        clean.then(|| BitsBuilder { words: words.into(), len }.finish(select))
    }

    /// How many ones.
    pub(crate) fn ones(&self) -> usize {
        self.ones
    }

    /// Positions of the ones from the one on that has `first` ones before it.
    pub(crate) fn ones_from(&self, first: usize) -> impl Iterator<Item = usize> + '_ {
        let start = if first < self.ones { self.select1(first) } else { self.len };
        let mut at = start / 64;
        let mut left = self.words[at] & (u64::MAX << (start % 64));
        std::iter::from_fn(move || {
            while left == 0 {
                at += 1;
                left = *self.words.get(at)?;
            }
            let position = at * 64 + left.trailing_zeros() as usize;
            left &= left - 1;
            Some(position)
        })
    }

    /// Hands out the positions of the zeros.
    #[inline]
    pub(crate) fn for_each_zero(&self, mut each: impl FnMut(usize)) {
        for (word, start) in self.words.iter().zip((0..self.len).step_by(64)) {
            let mut left = !word & low_mask((self.len - start).min(64) as u8);
            while left != 0 {
                each(start + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
    }

    /// How many bits.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether bit `index` is one.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> bool {
        debug_assert!(index < self.len);
        self.words[index >> 6] >> (index & 63) & 1 != 0
    }

    /// Ones in the bits before `index`, which may be as large as [`len`](Self::len).
    #[inline]
    pub(crate) fn rank1(&self, index: usize) -> usize {
        debug_assert!(index <= self.len);
        let sample = Sample(self.samples[index / SAMPLE_BITS]);
        let step = index / STEP_BITS;
        let ones = sample.before() + sample.before_step(step % SAMPLE_STEPS);
        ones + ones_below(self.step_words(step * STEP_WORDS), index % STEP_BITS)
    }

    /// Position of the one that has `k` ones before it; there must be such a one.
    #[inline]
    pub(crate) fn select1(&self, k: usize) -> usize {
        assert!(k < self.ones, "one {k} of {}", self.ones);
        let at = self.sample_of_one(k);
        let sample = Sample(self.samples[at]);
        let left = k - sample.before();
        let step = (1..SAMPLE_STEPS).map(|step| usize::from(sample.before_step(step) <= left)).sum();
        let word = (at * SAMPLE_BITS + step * STEP_BITS) / 64;
        word * 64 + select_in_step(self.step_words(word), (left - sample.before_step(step)) as u64)
    }

    /// First one at `index` or later. Looks at no more than one sample's words, then jumps.
    #[inline]
    pub(crate) fn next_one(&self, index: usize) -> Option<usize> {
        if index >= self.len {
            return None;
        }
        let mut word = index >> 6;
        let mut bits = self.words[word] & (u64::MAX << (index & 63));
        let end = (index / SAMPLE_BITS + 1) * (SAMPLE_BITS / 64);
        while bits == 0 {
            word += 1;
            if word >= end.min(self.words.len()) {
                return self.first_one_of_sample(index / SAMPLE_BITS + 1);
            }
            bits = self.words[word];
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    fn first_one_of_sample(&self, at: usize) -> Option<usize> {
        let before = Sample(*self.samples.get(at)?).before();
        (before < self.ones).then(|| self.select1(before))
    }

    /// The last sample with at most `k` ones before it.
    #[inline]
    fn sample_of_one(&self, k: usize) -> usize {
        let (mut low, mut size) = match self.hints.get(k / HINT_ONES..k / HINT_ONES + 2) {
            Some(pair) => (pair[0] as usize, (pair[1] - pair[0]) as usize + 1),
            None => (0, self.samples.len()),
        };
        while size > 1 {
            let middle = low + size / 2;
            low = select_unpredictable(Sample(self.samples[middle]).before() <= k, middle, low);
            size -= size / 2;
        }
        low
    }

    /// The words from `word` on that one step counts.
    #[inline]
    fn step_words(&self, word: usize) -> &[u64; STEP_WORDS] {
        self.words[word..word + STEP_WORDS].try_into().expect("a slice of one step")
    }
}

impl HeapSize for Bits {
    fn heap_bytes(&self) -> usize {
        self.words.heap_bytes() + self.samples.heap_bytes() + self.hints.heap_bytes()
    }
}

/// Looks up ones by ascending number, quickly where they lie close together.
pub(crate) struct Ones<'a> {
    bits: &'a Bits,
    /// A number that is known, and its position.
    known: Option<(usize, usize)>,
}

impl<'a> Ones<'a> {
    pub(crate) fn new(bits: &'a Bits) -> Self {
        Ones { bits, known: None }
    }

    /// As [`Bits::select1`].
    #[inline]
    pub(crate) fn select(&mut self, k: usize) -> usize {
        const NEAR: usize = 8;
        let position = match self.known {
            Some((known, position)) if known <= k && k - known <= NEAR => {
                (known..k).fold(position, |at, _| self.bits.next_one(at + 1).expect("there is such a one"))
            }
            _ => self.bits.select1(k),
        };
        self.known = Some((k, position));
        position
    }

    /// Where the zeros that follow one `k` end: at the next one, or where the bitmap ends.
    #[inline]
    pub(crate) fn end_of(&mut self, k: usize) -> usize {
        if k + 1 < self.bits.ones { self.select(k + 1) } else { self.bits.len }
    }
}

/// Ones among the lowest `below` bits of one step; `below` is less than the step has.
#[inline]
fn ones_below(words: &[u64; STEP_WORDS], below: usize) -> usize {
    let mut counts = 0;
    for (at, word) in words.iter().enumerate() {
        let wanted = below.saturating_sub(at * 64).min(64);
        counts += byte_counts(word & 1u64.unbounded_shl(wanted as u32).wrapping_sub(1));
    }
    // At most 255 in all, so the highest byte of the product holds the sum.
    (counts.wrapping_mul(EACH_BYTE) >> 56) as usize
}

/// Position, in one step, of the one with `left` ones before it. Compares with all words rather than
/// branching: which word it is cannot be predicted.
#[inline]
fn select_in_step(words: &[u64; STEP_WORDS], left: u64) -> usize {
    let (mut word, mut before, mut sum) = (0, 0, 0);
    for bits in &words[..STEP_WORDS - 1] {
        sum += byte_counts(*bits).wrapping_mul(EACH_BYTE) >> 56;
        word += usize::from(sum <= left);
        before = select_unpredictable(sum <= left, sum, before);
    }
    word * 64 + select_in_word(words[word], (left - before) as u32) as usize
}

/// One rank sample, see [`Bits`].
#[derive(Clone, Copy)]
struct Sample(u64);

impl Sample {
    /// `before`: ones before the sample; `steps`: ones in each of its four parts.
    fn new(before: usize, steps: [u32; SAMPLE_STEPS]) -> Self {
        let second = u64::from(steps[0]);
        let third = second + u64::from(steps[1]);
        let fourth = third + u64::from(steps[2]);
        Sample(before as u64 | second << 32 | third << 42 | fourth << 52)
    }

    #[inline]
    fn before(self) -> usize {
        self.0 as u32 as usize
    }

    /// Ones between the start of the sample and its part `step`.
    #[inline]
    fn before_step(self, step: usize) -> usize {
        ((self.0 >> 32 << 10) >> (10 * step) & 0x3ff) as usize
    }
}

/// Collects the ones of a [`Bits`], in any order.
pub(crate) struct BitsBuilder {
    words: Box<[u64]>,
    len: usize,
}

impl BitsBuilder {
    /// `len` zeros; `len` must be below 2³².
    pub(crate) fn new(len: usize) -> Self {
        assert!(u32::try_from(len).is_ok(), "{len} bits are too many for a bitmap");
        let words = zeros(Bits::stored_words(len)).into_boxed_slice();
        BitsBuilder { words, len }
    }

    fn from_positions(len: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        let mut builder = Self::new(len);
        positions.into_iter().for_each(|position| builder.set(position));
        builder
    }

    /// Makes bit `index` a one.
    #[inline]
    pub(crate) fn set(&mut self, index: usize) {
        assert!(index < self.len, "bit {index} of {}", self.len);
        self.words[index >> 6] |= 1 << (index & 63);
    }

    /// The bitmap; `select` adds the hints that make `select1` independent of the length.
    pub(crate) fn finish(self, select: bool) -> Bits {
        let mut samples = Vec::with_capacity(self.len / SAMPLE_BITS + 1);
        let mut hints = Vec::new();
        let mut ones = 0;
        for words in self.words.chunks(SAMPLE_BITS / 64) {
            let steps = part_ones(words);
            samples.push(Sample::new(ones, steps).0);
            ones += steps.iter().sum::<u32>() as usize;
            while select && hints.len() * HINT_ONES < ones {
                hints.push(samples.len() as u32 - 1);
            }
        }
        if select {
            hints.push(samples.len() as u32 - 1);
        }
        Bits {
            words: self.words,
            samples: samples.into_boxed_slice(),
            hints: hints.into_boxed_slice(),
            len: self.len,
            ones,
        }
    }
}

/// Ones in each part of one sample's words; parts that do not exist have none.
fn part_ones(words: &[u64]) -> [u32; SAMPLE_STEPS] {
    let mut parts = [0; SAMPLE_STEPS];
    for (part, words) in parts.iter_mut().zip(words.chunks(STEP_WORDS)) {
        *part = words.iter().map(|word| word.count_ones()).sum();
    }
    parts
}

/// In each byte, the ones of that byte of `word`.
#[inline]
fn byte_counts(word: u64) -> u64 {
    let pairs = word - ((word >> 1) & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    (nibbles + (nibbles >> 4)) & 0x0f0f_0f0f_0f0f_0f0f
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Position of the one of `word` that has `k` ones before it; there must be one.
///
/// Broadword selection after Vigna, "Broadword implementation of rank/select queries" (2008): byte-wise
/// prefix counts, a parallel comparison to find the byte, a table for the bit in it.
#[inline]
fn select_in_word(word: u64, k: u32) -> u32 {
    let prefix = byte_counts(word).wrapping_mul(EACH_BYTE);
    let not_above = (((u64::from(k) * EACH_BYTE) | HIGH_BITS) - prefix) & HIGH_BITS;
    let byte = ((not_above >> 7).wrapping_mul(EACH_BYTE) >> 56) as u32 * 8;
    let inside = k - ((prefix << 8) >> byte) as u32 % 256;
    let bits = (word >> byte) as usize & 0xff;
    byte + u32::from(SELECT_IN_BYTE[bits * 8 + inside as usize])
}

/// At `byte * 8 + k`: position of the one of `byte` with `k` ones before it.
static SELECT_IN_BYTE: [u8; 2048] = select_table();

const fn select_table() -> [u8; 2048] {
    let mut table = [0; 2048];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut k) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte * 8 + k] = bit as u8;
                k += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = (u8, Vec<u64>)> {
        (0u8..=64).prop_flat_map(|width| {
            let number = any::<u64>().prop_map(move |value| value & low_mask(width));
            (Just(width), prop::collection::vec(number, 0..300))
        })
    }

    /// Bitmaps with long empty and long full stretches as well as noise.
    fn bitmap() -> impl Strategy<Value = Vec<bool>> {
        let run = (0u8..4, 0usize..1500, any::<u64>());
        prop::collection::vec(run, 0..6).prop_map(|runs| {
            let stretch = |(kind, len, seed): (u8, usize, u64)| {
                (0..len as u64).map(move |i| match kind {
                    0 => false,
                    1 => true,
                    2 => (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed) >> 11 & 1 == 1,
                    _ => (i ^ seed) % 97 == 0,
                })
            };
            runs.into_iter().flat_map(stretch).collect()
        })
    }

    fn bits_of(model: &[bool], select: bool) -> Bits {
        let positions = model.iter().enumerate().filter(|(_, set)| **set).map(|(at, _)| at);
        BitsBuilder::from_positions(model.len(), positions).finish(select)
    }

    proptest! {
        #[test]
        fn packed_numbers_round_trip((width, values) in numbers(), start in 0usize..300, end in 0usize..300) {
            let packed = PackedInts::build(width, values.iter().copied());
            prop_assert_eq!(packed.len(), values.len());
            for (at, &value) in values.iter().enumerate() {
                prop_assert_eq!(packed.get(at), value);
            }
            let (start, end) = (start.min(values.len()), end.min(values.len()));
            let range: Vec<u64> = packed.iter_range(start..end).collect();
            prop_assert_eq!(&range[..], values.get(start..end).unwrap_or(&[]));
        }

        #[test]
        fn packed_at_the_width_of_the_largest(values in prop::collection::vec(any::<u32>(), 0..200), shift in 0u32..32) {
            let values: Vec<u32> = values.iter().map(|value| value >> shift).collect();
            let packed = PackedInts::from_slice_u32(&values);
            let bits = 32 - values.iter().max().map_or(32, |max| max.leading_zeros()) as usize;
            prop_assert_eq!(packed.heap_bytes(), (values.len() * bits).div_ceil(8) + LOAD_PADDING);
            prop_assert!(packed.iter_range(0..values.len()).eq(values.iter().map(|&value| u64::from(value))));
        }

        #[test]
        fn packed_in_any_order((width, values) in numbers(), writes in prop::collection::vec(any::<(usize, u64)>(), 0..600)) {
            let mut model = vec![0; values.len()];
            let mut builder = PackedBuilder::new(width, values.len());
            for (at, value) in writes {
                let Some(at) = at.checked_rem(values.len()) else { continue };
                model[at] = value & low_mask(width);
                builder.set(at, model[at]);
            }
            let packed = builder.finish();
            prop_assert!(packed.iter_range(0..model.len()).eq(model.iter().copied()));
        }

        #[test]
        fn rank_select_and_next_agree_with_counting(model in bitmap(), select: bool) {
            let bits = bits_of(&model, select);
            let mut ones = 0;
            for (at, &set) in model.iter().enumerate() {
                prop_assert_eq!(bits.get(at), set);
                prop_assert_eq!(bits.rank1(at), ones);
                if set {
                    prop_assert_eq!(bits.select1(ones), at);
                    ones += 1;
                }
            }
            let (mut near, positions) = (Ones::new(&bits), (0..ones).map(|k| bits.select1(k)));
            for (k, position) in positions.enumerate().filter(|(k, _)| k % 13 < 3) {
                prop_assert_eq!(near.select(k), position);
                let end = if k + 1 < ones { bits.select1(k + 1) } else { model.len() };
                prop_assert_eq!(near.end_of(k), end);
            }
            prop_assert_eq!(bits.rank1(model.len()), ones);
            prop_assert_eq!(bits.ones, ones);
            let zeros = model.iter().enumerate().filter(|(_, set)| !**set).map(|(at, _)| at);
            let mut found = Vec::new();
            bits.for_each_zero(|position| found.push(position));
            prop_assert!(found.into_iter().eq(zeros));
            let mut next = None;
            for at in (0..model.len()).rev() {
                next = if model[at] { Some(at) } else { next };
                prop_assert_eq!(bits.next_one(at), next);
            }
            prop_assert_eq!(bits.next_one(model.len()), None);
        }

        #[test]
        fn select_in_word_finds_each_one(word: u64) {
            let ones = (0..64).filter(|bit| word >> bit & 1 == 1);
            for (k, bit) in ones.enumerate() {
                prop_assert_eq!(select_in_word(word, k as u32), bit);
            }
        }
    }

    #[test]
    fn far_apart_ones_are_selected() {
        let positions = [0, 5_000_000, 9_999_999];
        let both = [Bits::from_positions(10_000_000, positions), Bits::with_select(10_000_000, positions)];
        for bits in both {
            for (k, &position) in positions.iter().enumerate() {
                assert_eq!(bits.select1(k), position);
                assert_eq!(bits.next_one(position.saturating_sub(4_999_998)), Some(position));
            }
        }
    }

    #[test]
    fn rank_costs_at_most_a_sixteenth() {
        let bits = Bits::from_positions(1 << 20, []);
        let plain = (1 << 20) / 8;
        assert!(bits.heap_bytes() <= plain + plain / 16 + 64, "{}", bits.heap_bytes());
    }

    #[test]
    fn full_words_and_full_bytes_are_selected() {
        for bit in 0..64 {
            assert_eq!(select_in_word(u64::MAX, bit), bit);
            assert_eq!(select_in_word(1 << bit, 0), bit);
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn too_wide_numbers_are_refused() {
        PackedBuilder::new(5, 4).set(1, 32);
    }
}
