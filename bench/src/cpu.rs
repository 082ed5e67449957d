//! Processor time of this process, of all its threads, as the kernel counts it.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// User and system time since the start.
pub(crate) fn spent() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).expect("below a second"))
}
