//! Byte counts for people: at most five characters, powers of 1024.
//!
//! Rounded to the nearest shown digit; one decimal below ten units, none above.

const UNITS: [char; 7] = ['B', 'K', 'M', 'G', 'T', 'P', 'E'];

/// `bytes` in the largest unit that keeps the number at least 1: `999`, `1.5K`, `12M`.
pub fn human_bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut unit = (bytes.ilog2() / 10) as usize;
    let mut tenths = scaled(bytes, unit, 10);
    if tenths >= 10 * 1024 - 5 {
        unit += 1;
        tenths = scaled(bytes, unit, 10);
    }
    let letter = UNITS[unit];
    if tenths < 100 {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    } else {
        format!("{}{letter}", scaled(bytes, unit, 1))
    }
}

/// `bytes` in units of 1024^`unit`, times `factor`, to the nearest integer.
fn scaled(bytes: u64, unit: usize, factor: u128) -> u128 {
    let shift = 10 * unit;
    (u128::from(bytes) * factor + (1 << (shift - 1))) >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_to_what_is_shown() {
        let cases = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1536, "1.5K"),
            (10_188, "9.9K"),
            (10_240, "10K"),
            (10_752, "11K"),
            (1_048_575, "1.0M"),
            (1_047_000, "1022K"),
            (5 << 30, "5.0G"),
            (u64::MAX, "16E"),
        ];
        for (bytes, expect) in cases {
            assert_eq!(human_bytes(bytes), expect, "{bytes}");
        }
    }

    #[test]
    fn every_power_of_two_fits_five_characters() {
        for shift in 0..64 {
            for bytes in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) + 1] {
                assert!(human_bytes(bytes).len() <= 5, "{bytes} {}", human_bytes(bytes));
            }
        }
    }
}
