//! The allocator's settings, returning freed memory, and what the process takes of the machine's.
//!
//! Building an index takes several times what it keeps, so freed pages go back to the kernel: after about a
//! second by themselves, at once after a build. All dealings with the allocator's interface are here.

use hearth_service::Allocator;
use std::ffi::CStr;
use std::ptr;
use tikv_jemalloc_ctl::{epoch, stats};

/// Read by jemalloc before `main`: a thread of its own returns freed pages after about a second, so
/// that the memory of a replaced index does not stay with the process.
// SAFETY: jemalloc looks for a symbol of this name that holds a pointer to a NUL-terminated text; a
// reference to a static array is exactly that, and nobody else defines the symbol.
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: &[u8; 60] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

/// `arena.<i>.purge` for the index that means all arenas (`MALLCTL_ARENAS_ALL` of jemalloc's header).
const PURGE_ALL: &CStr = c"arena.4096.purge";

/// The allocator of this process, for whoever keeps a memory budget.
#[derive(Debug)]
pub(crate) struct Jemalloc;

impl Allocator for Jemalloc {
    /// Pages in use and the allocator's own; free pages are about to be given back and do not count.
    fn held_bytes(&self) -> Option<u64> {
        epoch::advance().ok()?;
        let (active, metadata) = (stats::active::read().ok()?, stats::metadata::read().ok()?);
        Some((active + metadata) as u64)
    }

    /// Returns the free pages of every arena to the kernel now; takes the time that the kernel needs to
    /// unmap them.
    fn give_back(&self) {
        let status = purge();
        if status != 0 {
            tracing::warn!("free memory stays with the allocator for now (status {status})");
        }
    }
}

/// Zero, or an error number.
fn purge() -> i32 {
    let none = ptr::null_mut();
    // SAFETY: the name ends in NUL, and jemalloc wants null pointers for a control that neither reads
    // nor writes a value.
    unsafe { tikv_jemalloc_sys::mallctl(PURGE_ALL.as_ptr(), none, ptr::null_mut(), none, 0) }
}

/// Whether the allocator has a thread of its own that gives pages back; `None` if it does not say.
pub(crate) fn has_background_thread() -> Option<bool> {
    tikv_jemalloc_ctl::background_thread::read().ok()
}

/// Memory of this process. What could not be read is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident set as the kernel counts it, bytes.
    pub(crate) rss: Option<u64>,
    /// Handed out by the allocator, bytes.
    pub(crate) allocated: Option<u64>,
    /// Held by the allocator in physical memory, bytes.
    pub(crate) allocator_resident: Option<u64>,
}

/// Reads all of it now.
pub(crate) fn measure() -> Memory {
    // The allocator's numbers stand still until its epoch moves.
    let moved = epoch::advance().is_ok();
    let read = |number: Result<usize, _>| number.ok().filter(|_| moved).map(|bytes| bytes as u64);
    Memory {
        rss: rss(),
        allocated: read(stats::allocated::read()),
        allocator_resident: read(stats::resident::read()),
    }
}

fn rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_took_its_settings() {
        // SAFETY: both names are settings of jemalloc with these types.
        let (decay, background): (isize, bool) = unsafe {
            let decay = tikv_jemalloc_ctl::raw::read(b"opt.dirty_decay_ms\0").unwrap();
            (decay, tikv_jemalloc_ctl::raw::read(b"opt.background_thread\0").unwrap())
        };
        assert_eq!((decay, background), (1000, true));
    }

    #[test]
    fn freed_memory_leaves_the_process_at_once() {
        const BYTES: u64 = 256 << 20;
        let kept = vec![1u8; BYTES as usize];
        let before = rss().unwrap();
        drop(kept);
        assert_eq!(purge(), 0);
        let after = rss().unwrap();
        assert!(after + BYTES / 2 < before, "{before} → {after}");
    }

    #[test]
    fn numbers_are_plausible() {
        let kept = vec![1u8; 8 << 20];
        let memory = measure();
        assert!(memory.allocated.unwrap() >= kept.len() as u64);
        assert!(memory.rss.unwrap() >= kept.len() as u64);
    }
}
