//! Numbers for three-byte grams.
//!
//! Names use far fewer than 256 byte values, so bytes are renumbered by falling frequency and a gram
//! is three such classes side by side. The tables over all grams stay small, and frequent grams
//! share cache lines.

use rayon::prelude::*;

const ABSENT: u16 = u16::MAX;
/// Text per parallel task of the count.
const TASK: usize = 1 << 20;

/// Renumbering of the bytes that occur in a text.
#[derive(Debug)]
pub(super) struct Alphabet {
    class_of: Box<[u16; 256]>,
    classes: u32,
    /// Bits of a class number.
    width: u32,
}

impl Alphabet {
    /// The alphabet of a text, on the current thread pool.
    pub(super) fn of(text: &[u8]) -> Self {
        let counts = count(text);
        let mut present: Vec<u8> = (0..=u8::MAX).filter(|&byte| counts[usize::from(byte)] > 0).collect();
        present.sort_by_key(|&byte| std::cmp::Reverse(counts[usize::from(byte)]));
        Self::from_bytes(&present).expect("each byte is there once")
    }

    /// The alphabet in which the bytes have the classes 0, 1 and so on. `None` if one comes twice.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut class_of = Box::new([ABSENT; 256]);
        for (&byte, class) in bytes.iter().zip(0..) {
            if std::mem::replace(&mut class_of[usize::from(byte)], class) != ABSENT {
                return None;
            }
        }
        let classes = bytes.len() as u32;
        Some(Alphabet { class_of, classes, width: classes.next_power_of_two().trailing_zeros() })
    }

    /// The bytes by class.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=u8::MAX).filter(|&byte| self.class(byte).is_some()).collect();
        bytes.sort_by_key(|&byte| self.class(byte));
        bytes
    }

    /// Number of classes, at most 256.
    pub(super) fn classes(&self) -> u32 {
        self.classes
    }

    /// Bits of a class number.
    pub(super) fn width(&self) -> u32 {
        self.width
    }

    /// Number of possible gram codes.
    pub(super) fn codes(&self) -> usize {
        1 << (3 * self.width)
    }

    /// Class of a byte that occurs.
    pub(super) fn class(&self, byte: u8) -> Option<u32> {
        let class = self.class_of[usize::from(byte)];
        (class != ABSENT).then_some(u32::from(class))
    }

    /// The three classes of a code.
    pub(super) fn split(&self, code: u32) -> [u32; 3] {
        let mask = (1 << self.width) - 1;
        [code >> (2 * self.width), code >> self.width & mask, code & mask]
    }
}

fn count(text: &[u8]) -> [u64; 256] {
    let one = |text: &[u8]| {
        let mut counts = [0u64; 256];
        text.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        counts
    };
    let add = |mut sum: [u64; 256], counts: [u64; 256]| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    };
    text.par_chunks(TASK).map(one).reduce(|| [0; 256], add)
}
