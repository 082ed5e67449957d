//! How the names of one folder are changed to make a copy of it differ.
//!
//! A spelling exchanges a few letters and shifts the digits; it leaves the ending (from the last dot
//! on), the length and the case alone. It is a bijection, so two different names stay different, and
//! in about every second folder it changes nothing.

use crate::random::Random;

/// Pairs of letters that are exchanged.
const EXCHANGES: usize = 3;

/// A bijection of names.
#[derive(Clone, Debug)]
pub(crate) struct Spelling {
    becomes: Option<Box<[u8; 256]>>,
}

impl Default for Spelling {
    /// Changes nothing.
    fn default() -> Self {
        Spelling { becomes: None }
    }
}

impl Spelling {
    pub(crate) fn random(random: &mut Random) -> Self {
        if random.below(15) < 7 {
            return Self::default();
        }
        let mut becomes: Box<[u8; 256]> = Box::new(std::array::from_fn(|byte| byte as u8));
        for _ in 0..EXCHANGES {
            let (one, other) = (random.below(26), random.below(26));
            for first in [b'a', b'A'] {
                becomes.swap(usize::from(first) + one, usize::from(first) + other);
            }
        }
        becomes[usize::from(b'0')..=usize::from(b'9')].rotate_left(random.below(10));
        Spelling { becomes: Some(becomes) }
    }

    /// Changes one name in place.
    pub(crate) fn apply(&self, name: &mut [u8]) {
        let Some(becomes) = &self.becomes else { return };
        let stem = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0).unwrap_or(name.len());
        for byte in &mut name[..stem] {
            *byte = becomes[usize::from(*byte)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn different_names_stay_different_and_endings_stay() {
        let names = ["a.rs", "b.rs", "ab", "a.b", "A.rs", "a1.rs", "a2.rs", ".rs", "ü.rs"];
        for seed in 0..100 {
            let spelling = Spelling::random(&mut Random::new(seed, 0));
            let changed = names.map(|name| {
                let mut bytes = name.as_bytes().to_vec();
                spelling.apply(&mut bytes);
                assert_eq!(name.ends_with(".rs"), bytes.ends_with(b".rs") || name == ".rs");
                bytes
            });
            assert_eq!(changed.iter().collect::<HashSet<_>>().len(), names.len());
        }
    }
}
