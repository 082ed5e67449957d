//! The wall clock, read in one place.

use hearth_core::UnixNanos;
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 now; clocks outside the years 1678 to 2262 are cut to those.
pub(crate) fn now_ns() -> UnixNanos {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => UnixNanos::try_from(since.as_nanos()).unwrap_or(UnixNanos::MAX),
        Err(before) => UnixNanos::try_from(before.duration().as_nanos()).map_or(UnixNanos::MIN + 1, |ns| -ns),
    }
}
