//! Coding of posting lists: ascending block numbers as variable-length gaps.
//!
//! Each number is stored as its distance from the one before, less one, in LEB128: seven bits per byte,
//! lowest first, the top bit set on all bytes but the last. A list is at most as long as the bytes
//! it takes, which serves as its estimated size.

/// Appends ascending numbers to a byte vector.
pub(super) struct ListWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The smallest number that may come next.
    next: u32,
}

impl<'a> ListWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        ListWriter { out, next: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, number: u32) {
        let mut gap = number - self.next;
        while gap >= 0x80 {
            self.out.push(gap as u8 | 0x80);
            gap >>= 7;
        }
        self.out.push(gap as u8);
        self.next = number + 1;
    }
}

/// Hands out the members of a coded list, ascending.
#[inline]
pub(super) fn for_each(list: &[u8], each: impl FnMut(u32)) {
    Reader::new(list).take_to(u32::MAX, each);
}

/// The number after the last member of a list from anywhere; `None` if it is not a coded list.
pub(super) fn end_of_list(list: &[u8]) -> Option<u64> {
    end_of_short(list).or_else(|| end_of_any(list))
}

/// [`end_of_list`] where no gap takes more than three bytes, which are nearly all lists. What a byte adds depends
/// on the two bytes before it alone, so bytes are added up eight at a time wherever gaps begin.
fn end_of_short(list: &[u8]) -> Option<u64> {
    let &[first, second, ..] = list else { return None };
    let mut sums = Sums::default();
    sums.add(&[padded(&[first, second])], &[padded(&[0, first])], &[[0; 8]]);
    let (words, tail) = list[2..].as_chunks();
    let (before, tail_before) = list[1..list.len() - 1].as_chunks();
    let (earlier, tail_earlier) = list[..list.len() - 2].as_chunks();
    let words = words.chunks(Sums::MOST).zip(before.chunks(Sums::MOST)).zip(earlier.chunks(Sums::MOST));
    words.for_each(|((words, before), earlier)| sums.add(words, before, earlier));
    sums.add(&[padded(tail)], &[padded(tail_before)], &[padded(tail_earlier)]);
    let gaps = list.len() as u64 - sums.continued;
    let ends = sums.longer == 0 && list.last().is_some_and(|&last| last < 0x80);
    ends.then_some(sums.values + sums.second * 127 + sums.third * (127 * 128) + gaps)
}

fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// What bytes of gaps add up to.
#[derive(Default)]
struct Sums {
    /// Seven bits of each byte.
    values: u64,
    /// The same of the bytes that continue a gap, and of those that continue one that was continued.
    second: u64,
    third: u64,
    /// Bytes that are continued.
    continued: u64,
    /// Not 0 if three bytes in a row are continued.
    longer: u64,
}

impl Sums {
    /// As many words as surely fit: each two bytes add up in 16 bits, counts in eight.
    const MOST: usize = 255;

    /// Adds at most [`Sums::MOST`] words; of each, `before` has the eight bytes that begin one earlier,
    /// and `earlier` those that begin two earlier.
    fn add(&mut self, words: &[[u8; 8]], before: &[[u8; 8]], earlier: &[[u8; 8]]) {
        const TOP_BITS: u64 = 0x8080_8080_8080_8080;
        let (mut values, mut second, mut third, mut continued) = (0, 0, 0, 0);
        for ((word, before), earlier) in words.iter().zip(before).zip(earlier) {
            let [word, before, earlier] = [word, before, earlier].map(|bytes| u64::from_le_bytes(*bytes));
            let (value, before, both) = (word & !TOP_BITS, before & TOP_BITS, before & earlier & TOP_BITS);
            values += pairs(value);
            second += pairs(value & (before - (before >> 7)));
            third += pairs(value & (both - (both >> 7)));
            continued += (word & TOP_BITS) >> 7;
            self.longer |= word & both;
        }
        self.values += sum_of_pairs(values);
        self.second += sum_of_pairs(second);
        self.third += sum_of_pairs(third);
        self.continued += sum_of_pairs(pairs(continued));
    }
}

/// The sums of each two of eight numbers.
#[inline]
fn pairs(numbers: u64) -> u64 {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    (numbers & EVEN) + (numbers >> 8 & EVEN)
}

/// Sum of four numbers of 16 bits.
#[inline]
fn sum_of_pairs(pairs: u64) -> u64 {
    const EVEN: u64 = 0x0000_FFFF_0000_FFFF;
    let sums = (pairs & EVEN) + (pairs >> 16 & EVEN);
    (sums & 0xFFFF_FFFF) + (sums >> 32)
}

/// [`end_of_list`] gap by gap.
fn end_of_any(mut list: &[u8]) -> Option<u64> {
    let mut end = 0;
    while !list.is_empty() {
        let gap_len = list.iter().position(|&byte| byte < 0x80)? + 1;
        let (gap, rest) = list.split_at(gap_len);
        // The fifth byte has room for four bits.
        if gap_len > 5 || (gap_len == 5 && gap[4] > 0x0F) {
            return None;
        }
        end += gap.iter().rev().fold(0, |gap, byte| gap << 7 | u64::from(byte & 0x7F)) + 1;
        list = rest;
    }
    Some(end)
}

/// Reads a coded list from its beginning, a part at a time.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    list: &'a [u8],
    /// The smallest number that may come next.
    next: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(list: &'a [u8]) -> Self {
        Reader { list, next: 0 }
    }

    /// Bytes not read yet.
    pub(super) fn bytes_left(&self) -> usize {
        self.list.len()
    }

    /// Hands out the members up to `last`, itself included.
    #[inline]
    pub(super) fn take_to(&mut self, last: u32, mut each: impl FnMut(u32)) {
        /// More than eight gaps of one byte can add up to.
        const FAR: u32 = 8 * 128;
        loop {
            while last.saturating_sub(self.next) >= FAR && self.take_eight(&mut each) {}
            let before = *self;
            let Some(number) = self.take_one() else { return };
            if number > last {
                *self = before;
                return;
            }
            each(number);
        }
    }

    /// Hands out at most `most` members. False if these were the last.
    #[inline]
    pub(super) fn take(&mut self, most: usize, mut each: impl FnMut(u32)) -> bool {
        let mut left = most;
        while left > 0 {
            if left >= 8 && self.take_eight(&mut each) {
                left -= 8;
                continue;
            }
            let Some(number) = self.take_one() else { return false };
            each(number);
            left -= 1;
        }
        !self.list.is_empty()
    }

    /// Takes eight members if their gaps take one byte each.
    #[inline]
    fn take_eight(&mut self, each: &mut impl FnMut(u32)) -> bool {
        let Some(gaps) = self.list.first_chunk::<8>().filter(|gaps| all_short(**gaps)) else { return false };
        for &gap in gaps {
            each(self.next + u32::from(gap));
            self.next += u32::from(gap) + 1;
        }
        self.list = &self.list[8..];
        true
    }

    #[inline]
    fn take_one(&mut self) -> Option<u32> {
        let number = self.next + read_gap(&mut self.list)?;
        self.next = number + 1;
        Some(number)
    }
}

/// Whether eight gaps take one byte each.
#[inline]
fn all_short(gaps: [u8; 8]) -> bool {
    u64::from_le_bytes(gaps) & 0x8080_8080_8080_8080 == 0
}

/// Takes one gap. One and two bytes are told apart without a branch: in mixed lists it would be
/// mispredicted half of the time.
#[inline]
fn read_gap(list: &mut &[u8]) -> Option<u32> {
    if let &[low, high @ ..0x80, ..] = *list {
        let longer = low >> 7;
        *list = &list[1 + usize::from(longer)..];
        return Some(u32::from(low & 0x7F) + u32::from(high) * 128 * u32::from(longer));
    }
    let mut gap = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = list.split_first()?;
        *list = rest;
        gap |= u32::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Some(gap)
}
