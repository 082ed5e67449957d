//! Times: 100 ns since 1601 on disk, nanoseconds since 1970 everywhere else.

use hearth_core::{NO_TIME, UnixNanos};

/// 100 ns from 1601-01-01 to 1970-01-01.
const EPOCH_TICKS: i64 = 116_444_736_000_000_000;

/// A FILETIME as nanoseconds since 1970; [`NO_TIME`] for zero and for what does not fit (before 1677, after 2262).
pub fn unix_nanos(filetime: u64) -> UnixNanos {
    let ticks = i64::try_from(filetime).ok().filter(|ticks| *ticks != 0);
    ticks.and_then(|ticks| (ticks - EPOCH_TICKS).checked_mul(100)).unwrap_or(NO_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_and_the_ends_of_the_range() {
        assert_eq!(unix_nanos(116_444_736_000_000_000), 0);
        assert_eq!(unix_nanos(132_223_104_000_000_000), 1_577_836_800_000_000_000);
        assert_eq!(unix_nanos(116_444_735_999_999_999), -100);
        for none in [0, 1, u64::MAX, i64::MAX as u64] {
            assert_eq!(unix_nanos(none), NO_TIME, "{none}");
        }
    }
}
