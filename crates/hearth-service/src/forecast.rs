//! What indexing a source will take, before and while it is scanned.
//!
//! Raw rows and the index that is made of them are in memory at one time. The figures are upper ends of
//! what the benchmarks measured (`bench`, parts `index` and `ntfs`): 60 bytes of raw rows an entry, a
//! peak of 150 to 200 with the build.

use crate::walk;
use hearth_files::scan::volume_of;
use rustix::fs::statvfs;

/// Working set of a scan and build, bytes an entry.
const WORKING_BYTES_PER_ENTRY: u64 = 200;
/// The same where there is no entry.
const WORKING_BYTES: u64 = 2 << 20;
/// Entries to expect where the file system does not say.
const UNKNOWN_ENTRIES: u64 = 200_000;

/// Working set of a scan and build of so many entries, bytes.
pub(crate) fn working_bytes(entries: u64) -> u64 {
    entries.saturating_mul(WORKING_BYTES_PER_ENTRY).saturating_add(WORKING_BYTES)
}

/// Working set of the first scan of a root, as far as its file system tells, and at most `most`: what is
/// larger shows while it is scanned.
pub(crate) fn first_scan(root: &[u8], most: u64) -> u64 {
    working_bytes(entries(root)).min(most)
}

fn entries(root: &[u8]) -> u64 {
    let path = walk::path(root);
    let Ok(fs) = statvfs(path) else { return UNKNOWN_ENTRIES };
    let used = fs.f_files.saturating_sub(fs.f_ffree);
    let whole = volume_of(path).is_ok_and(|mount| mount.path == root);
    match used {
        0 => UNKNOWN_ENTRIES,
        // A folder of it may be any part of it.
        used if !whole => used.min(UNKNOWN_ENTRIES),
        used => used,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_is_bounded_and_never_nothing() {
        assert!(working_bytes(0) > 0);
        assert_eq!(working_bytes(u64::MAX), u64::MAX);
        assert_eq!(first_scan(b"/", 1000), 1000);
        assert_eq!(entries(b"/no/such/folder"), UNKNOWN_ENTRIES);
        assert!(entries(b"/") > 0 && first_scan(b"/", u64::MAX) > working_bytes(0));
    }
}
