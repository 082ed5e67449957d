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
pub(super) fn for_each(mut list: &[u8], mut each: impl FnMut(u32)) {
    let mut next = 0;
    loop {
        while let Some(gaps) = list.first_chunk::<8>().filter(|gaps| all_short(**gaps)) {
            for &gap in gaps {
                each(next + u32::from(gap));
                next += u32::from(gap) + 1;
            }
            list = &list[8..];
        }
        let Some(gap) = read_gap(&mut list) else { return };
        each(next + gap);
        next += gap + 1;
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
