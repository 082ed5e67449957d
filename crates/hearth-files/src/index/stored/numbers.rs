//! Small numbers in as many bytes as they need: what neighbours differ by, mostly one byte each.
//!
//! LEB128: seven bits per byte, lowest first, the top bit set on all bytes but the last. Signed numbers are
//! folded first (0, −1, 1, −2, …), so that those near zero are short on both sides.

/// Appends a number.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63) as u64);
}

/// Takes numbers from the front of some bytes.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Numbers(bytes)
    }

    /// Whether all were taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next number; `None` if there is none, or none of 64 bits.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u64> {
        // How many bytes a number takes is hard to predict, so up to four are taken without a branch.
        const TOP_BITS: u32 = 0x8080_8080;
        let word = u32::from_le_bytes(self.0.first_chunk().copied().unwrap_or([0xFF; 4]));
        let ends = !word & TOP_BITS;
        if ends == 0 {
            return self.take_any();
        }
        self.0 = &self.0[ends.trailing_zeros() as usize / 8 + 1..];
        let word = word & (ends ^ (ends - 1));
        let number = word & 0x7F | word >> 1 & 0x3F80 | word >> 2 & 0x1F_C000 | word >> 3 & 0xFE0_0000;
        Some(u64::from(number))
    }

    fn take_any(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// The next signed number.
    #[inline]
    pub(crate) fn take_signed(&mut self) -> Option<i64> {
        self.take().map(|folded| (folded >> 1) as i64 ^ -((folded & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((any::<u64>(), 0u32..64), 0..50)) {
            let numbers: Vec<u64> = numbers.into_iter().map(|(number, shift)| number >> shift).collect();
            let mut bytes = Vec::new();
            for &number in &numbers {
                put(&mut bytes, number);
                put_signed(&mut bytes, number as i64);
                put_signed(&mut bytes, (number as i64).wrapping_neg());
            }
            let mut taken = Numbers::new(&bytes);
            for &number in &numbers {
                prop_assert_eq!(taken.take(), Some(number));
                prop_assert_eq!(taken.take_signed(), Some(number as i64));
                prop_assert_eq!(taken.take_signed(), Some((number as i64).wrapping_neg()));
            }
            prop_assert!(taken.is_empty() && taken.take().is_none());
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut taken = Numbers::new(&bytes);
            let mut count = 0;
            while taken.take().is_some() {
                count += 1;
            }
            prop_assert!(count <= bytes.len());
        }
    }

    #[test]
    fn numbers_of_more_than_64_bits_are_none() {
        let largest = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(Numbers::new(&largest).take(), Some(u64::MAX));
        let mut beyond = largest;
        beyond[9] = 0x02;
        assert_eq!(Numbers::new(&beyond).take(), None);
        assert_eq!(Numbers::new(&[0x80; 11]).take(), None);
        assert_eq!(Numbers::new(&[0x80]).take(), None);
    }

    #[test]
    fn signed_numbers_near_zero_take_a_byte() {
        for number in -64..64 {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            assert_eq!(bytes.len(), 1, "{number}");
        }
    }
}
