//! How the volume was left, as its log says it.
//!
//! Windows writes every change of the volume's structure into `$LogFile` first, and says in two restart pages at
//! its head up to where (LSN) all is done. The number only grows, so that two equal states mean that
//! Windows changed nothing in between. Drivers that write without a log fill it with `0xff`; ntfs-3g does so
//! only where the volume was not unmounted, and leaves no trace in the log of a volume that was.
//! Source: `LFS_RESTART_PAGE_HEADER` and `LFS_RESTART_AREA`, as ntfs-3g documents them.

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::error::NtfsError;
use crate::read::ReadAt;
use crate::volume::Volume;

/// Record of `$LogFile`.
const NUMBER: u64 = 2;
/// Bytes of a restart page that are looked at, and the usual length of one.
const PAGE_BYTES: usize = 4096;
/// Lengths that a page may have.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=65536;
/// Bytes that one fixup guards.
const STRIDE: usize = 512;
const NO_CLIENT: u16 = 0xffff;
const VOLUME_IS_CLEAN: u16 = 2;

/// What the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Filled with `0xff`: the volume was just made, or a driver wrote to it that keeps no log.
    Empty,
    /// Kept by Windows.
    Restart {
        /// Number of the last record of the log that is done with.
        lsn: u64,
        /// The volume was unmounted, or nobody had anything in the log.
        clean: bool,
    },
    /// There are no good restart pages.
    Unreadable,
}

/// What the log of `volume` says.
///
/// # Errors
/// [`NtfsError::Io`], [`NtfsError::Damaged`] if its record is.
pub fn state<R: ReadAt>(volume: &Volume<R>) -> Result<LogState, NtfsError> {
    let Some(log) = volume.content(NUMBER, "")?.filter(|_| volume.geometry().has_clusters) else {
        return Ok(LogState::Unreadable);
    };
    let head = log.read_up_to(2 * PAGE_BYTES as u64)?;
    if head.len() == 2 * PAGE_BYTES && head.iter().all(|byte| *byte == 0xff) {
        return Ok(LogState::Empty);
    }
    let first = Restart::read(&head);
    let second_at = first.as_ref().map_or(PAGE_BYTES, |restart| restart.page_bytes);
    let second = page_at(&log, second_at as u64)?.and_then(|page| Restart::read(&page));
    let newest = first.into_iter().chain(second).max_by_key(|restart| restart.lsn);
    Ok(newest.map_or(LogState::Unreadable, |Restart { lsn, clean, .. }| LogState::Restart { lsn, clean }))
}

fn page_at(log: &impl ReadAt, offset: u64) -> Result<Option<Vec<u8>>, NtfsError> {
    let bytes = PAGE_BYTES as u64;
    if log.len() < offset + bytes {
        return Ok(None);
    }
    let mut page = vec![0; PAGE_BYTES];
    let filled = log.read_exact_at(offset, &mut page);
    filled.map_err(|source| NtfsError::Io { offset, bytes, source })?;
    Ok(Some(page))
}

/// One restart page.
struct Restart {
    page_bytes: usize,
    lsn: u64,
    clean: bool,
}

impl Restart {
    /// From the first bytes of a page, a whole number of strides.
    fn read(bytes: &[u8]) -> Option<Self> {
        let page_bytes =
            u32_at(bytes, 16).filter(|bytes| PAGE_SIZES.contains(bytes) && bytes.is_power_of_two())?;
        let page = bytes.get(..bytes.len().min(page_bytes as usize))?;
        let page = mended(page).filter(|page| page.starts_with(b"RSTR"))?;
        let area = page.get(usize::from(u16_at(&page, 24)?)..)?;
        let flags = u16_at(area, 14)?;
        let clean = flags & VOLUME_IS_CLEAN != 0 || u16_at(area, 12)? == NO_CLIENT;
        Some(Self { page_bytes: page_bytes as usize, lsn: u64_at(area, 0)?, clean })
    }
}

/// The page with what its fixups stand for; `None` if it is torn.
fn mended(page: &[u8]) -> Option<Vec<u8>> {
    let mut page = page.to_vec();
    let fixups = usize::from(u16_at(&page, 4)?);
    let mark = u16_at(&page, fixups)?;
    for sector in 1..=page.len() / STRIDE {
        let stood = u16_at(&page, fixups + 2 * sector)?;
        let end = page.get_mut(sector * STRIDE - 2..sector * STRIDE)?;
        if end != mark.to_le_bytes() {
            return None;
        }
        end.copy_from_slice(&stood.to_le_bytes());
    }
    Some(page)
}
