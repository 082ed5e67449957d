//! Memory of this process as the kernel counts it, and returning free memory to the kernel.

use std::fs;
use tikv_jemalloc_ctl::raw;

/// Resident bytes of this process (`statm`).
pub(crate) fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm has numbers");
    pages * rustix::param::page_size() as u64
}

/// Most resident bytes since the start or since [`forget_peak`].
pub(crate) fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("status has VmHWM");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("VmHWM is in kB");
    kilobytes * 1024
}

/// Lets the peak begin anew (`proc_pid_clear_refs(5)`).
pub(crate) fn forget_peak() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// Returns all free memory of the allocator to the kernel.
///
/// A decay time of zero purges an arena at once; the usual time is put back afterwards.
pub(crate) fn purge() {
    let arenas: u32 = tikv_jemalloc_ctl::arenas::narenas::read().expect("jemalloc is linked");
    for arena in 0..arenas {
        for kind in ["dirty", "muzzy"] {
            let name = format!("arena.{arena}.{kind}_decay_ms\0");
            // SAFETY: the name ends in NUL and this setting is an `ssize_t`. An arena that was never
            // used refuses it, which is fine.
            let before = unsafe { raw::read::<isize>(name.as_bytes()) };
            if let Ok(before) = before {
                // SAFETY: as above.
                let _ = unsafe { raw::write::<isize>(name.as_bytes(), 0) };
                // SAFETY: as above.
                let _ = unsafe { raw::write::<isize>(name.as_bytes(), before) };
            }
        }
    }
}
