//! Processor time as the kernel counts it: of this process, of one of its threads, of another process.

use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::time::Duration;

/// User and system time of all threads since the start.
pub(crate) fn spent() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// User and system time of the calling thread since its start.
pub(crate) fn spent_here() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let spent = clock_gettime(clock);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).expect("below a second"))
}

/// User and system time of a process since its start, in steps of the kernel's clock tick (10 ms).
pub(crate) fn spent_by(pid: u64) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The 14th and 15th field of `proc_pid_stat(5)`; the 3rd comes after the name.
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}
