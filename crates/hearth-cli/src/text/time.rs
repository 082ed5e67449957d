//! Instants and spans for people and for scripts.
//!
//! Instants are nanoseconds since 1970 UTC and are shown in the local time zone with its offset, so
//! that the text still names one instant. The zone is read on first use only: most searches print none.

use hearth_core::UnixNanos;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::LazyLock;

static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// RFC 3339 with seconds and offset: `2026-11-20T17:05:00+01:00`. Empty where no such time exists.
pub(crate) fn iso(at: Option<UnixNanos>) -> String {
    format_in(&ZONE, at, "%Y-%m-%dT%H:%M:%S%:z")
}

/// Minutes, for columns: `2026-11-20 17:05`. Empty where no such time exists.
pub(crate) fn minutes(at: Option<UnixNanos>) -> String {
    format_in(&ZONE, at, "%Y-%m-%d %H:%M")
}

/// Seconds, for columns: `2026-11-20 17:05:09`. Empty where no such time exists.
pub(crate) fn seconds(at: Option<UnixNanos>) -> String {
    format_in(&ZONE, at, "%Y-%m-%d %H:%M:%S")
}

/// RFC 3339 with all digits of the second: `2026-11-20T17:05:00.1234567+01:00`. Empty where no such time exists.
pub(crate) fn exact(at: Option<UnixNanos>) -> String {
    format_in(&ZONE, at, "%Y-%m-%dT%H:%M:%S%.f%:z")
}

fn format_in(zone: &TimeZone, at: Option<UnixNanos>, format: &str) -> String {
    let stamp = at.and_then(|at| Timestamp::from_nanosecond(i128::from(at)).ok());
    stamp.map_or_else(String::new, |stamp| stamp.to_zoned(zone.clone()).strftime(format).to_string())
}

/// This instant.
pub(crate) fn now() -> UnixNanos {
    UnixNanos::try_from(Timestamp::now().as_nanosecond()).unwrap_or(UnixNanos::MAX)
}

/// Milliseconds from `now` to `at`; 0 if that is past.
pub(crate) fn until(at: UnixNanos, now: UnixNanos) -> u64 {
    u64::try_from(at.saturating_sub(now)).unwrap_or(0) / 1_000_000
}

/// A span in the two largest units that are not zero: `850ms`, `12s`, `3m 20s`, `2h`, `5d 4h`.
pub(crate) fn span(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    if ms < 1000 {
        return format!("{ms}ms");
    }
    let seconds = ms / 1000;
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let (unit, letter) = UNITS[first];
    let mut text = format!("{}{letter}", seconds / unit);
    if let Some((next, letter)) = UNITS.get(first + 1)
        && seconds % unit >= *next
    {
        text.push_str(&format!(" {}{letter}", seconds % unit / next));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_carry_their_offset() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let at = Some(1_700_000_000_123_456_789);
        assert_eq!(format_in(&zone, at, "%Y-%m-%dT%H:%M:%S%:z"), "2023-11-15T00:13:20+02:00");
        assert_eq!(format_in(&TimeZone::UTC, Some(-1), "%Y-%m-%d %H:%M"), "1969-12-31 23:59");
        assert_eq!(format_in(&TimeZone::UTC, None, "%Y"), "");
    }

    #[test]
    fn every_representable_instant_has_a_text() {
        for at in [i64::MIN + 1, -1, 0, 1, i64::MAX] {
            assert!(!iso(Some(at)).is_empty());
        }
    }

    #[test]
    fn what_is_past_is_no_time_away() {
        assert_eq!(until(5_000_000, 2_000_000), 3);
        assert_eq!(until(2, 5), 0);
        assert_eq!(until(i64::MAX, i64::MIN), i64::MAX as u64 / 1_000_000);
    }

    #[test]
    fn spans_use_two_units() {
        for (ms, expect) in [
            (0, "0ms"),
            (999, "999ms"),
            (12_900, "12s"),
            (200_000, "3m 20s"),
            (7_200_000, "2h"),
            (7_201_000, "2h"),
            (446_400_000, "5d 4h"),
        ] {
            assert_eq!(span(ms), expect);
        }
    }
}
