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
pub(super) fn end_of_list(mut list: &[u8]) -> Option<u64> {
    let mut end = 0;
    while !list.is_empty() {
        if let Some((ahead, len)) = list.first_chunk().and_then(|&bytes| sum_of_short(bytes)) {
            end += ahead;
            list = &list[len..];
            continue;
        }
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

/// How far the gaps lead that begin and end in eight bytes, and how many bytes they take; `None` if one of
/// them takes more than two bytes.
#[inline]
fn sum_of_short(bytes: [u8; 8]) -> Option<(u64, usize)> {
    const TOP_BITS: u64 = 0x8080_8080_8080_8080;
    let bytes = u64::from_le_bytes(bytes);
    // A gap that ends later is left out.
    let cut_off = bytes >> 63;
    let bytes = bytes & u64::MAX >> (cut_off * 8);
    let low_parts = bytes & TOP_BITS;
    let high_parts = low_parts << 8;
    if low_parts & high_parts != 0 {
        return None;
    }
    let (values, high) = (bytes & !TOP_BITS, (high_parts >> 7) * 0xFF);
    let gaps = 8 - cut_off - u64::from(low_parts.count_ones());
    Some((sum_of_bytes(values & !high) + sum_of_bytes(values & high) * 128 + gaps, 8 - cut_off as usize))
}

/// Sum of eight numbers below 128.
#[inline]
fn sum_of_bytes(numbers: u64) -> u64 {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    let pairs = (numbers & EVEN) + (numbers >> 8 & EVEN);
    pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48
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
