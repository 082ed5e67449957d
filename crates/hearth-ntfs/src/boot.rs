//! The boot sector: how large sectors, clusters and records are, and where `$MFT` begins.
//!
//! A copy lies in the last sector of the volume, in the middle on volumes of NT 3.51. The code for starting
//! a machine and the mark at the sector's end say nothing about NTFS and are not looked at.

use crate::bytes::u64_at;
use crate::error::NtfsError;
use crate::limits;
use crate::read::ReadAt;

/// Bytes of the sector that hold facts.
const HEAD_BYTES: usize = 0x50;

/// What the boot sector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a sector; a power of two. 512 for a bare `$MFT`.
    pub sector_bytes: u32,
    /// Bytes of a cluster; a power of two. 0 for a bare `$MFT`.
    pub cluster_bytes: u64,
    /// Bytes of a file record; a power of two.
    pub record_bytes: u32,
    /// Bytes of the volume, as the boot sector says; the length of the file for a bare `$MFT`.
    pub total_bytes: u64,
    /// Serial number of the volume.
    pub serial: u64,
    /// First byte of `$MFT`.
    pub mft_offset: u64,
    /// First byte of the copy of its first records.
    pub mirror_offset: u64,
    /// False for a bare `$MFT`: content outside of records is not there.
    pub has_clusters: bool,
}

impl Geometry {
    /// What `sector` says.
    ///
    /// # Errors
    /// [`NtfsError::NotNtfs`] says what is wrong.
    pub(crate) fn of(sector: &[u8; HEAD_BYTES]) -> Result<Self, NtfsError> {
        let wrong = |what| NtfsError::NotNtfs(what);
        if sector[3..11] != *b"NTFS    " {
            return Err(wrong("the boot sector lacks the mark \"NTFS\""));
        }
        let sector_bytes = u32::from(u16::from_le_bytes([sector[0x0b], sector[0x0c]]));
        if !sector_bytes.is_power_of_two() || !limits::SECTOR_BYTES.contains(&sector_bytes) {
            return Err(wrong("the boot sector names a sector size that does not exist"));
        }
        let cluster_bytes = cluster_bytes(sector_bytes, sector[0x0d])
            .ok_or(wrong("the boot sector names a cluster size that does not exist"))?;
        let record_bytes = record_bytes(cluster_bytes, sector[0x40])
            .ok_or(wrong("the boot sector names a record size that does not exist"))?;
        let place = |at, unit: u64| {
            let units = u64_at(sector, at).and_then(|count| count.checked_mul(unit));
            units.ok_or(wrong("the boot sector names places that cannot exist"))
        };
        Ok(Self {
            sector_bytes,
            cluster_bytes,
            record_bytes,
            total_bytes: place(0x28, sector_bytes.into())?,
            serial: place(0x48, 1)?,
            mft_offset: place(0x30, cluster_bytes)?,
            mirror_offset: place(0x38, cluster_bytes)?,
            has_clusters: true,
        })
    }

    /// Clusters that there can be; the last may be cut.
    pub(crate) fn clusters(&self) -> u64 {
        if self.has_clusters { self.total_bytes.div_ceil(self.cluster_bytes) } else { u64::MAX }
    }
}

/// Up to 128 sectors as they are, above that as a negative power of two.
fn cluster_bytes(sector_bytes: u32, factor: u8) -> Option<u64> {
    let sectors = match factor {
        1..=128 if factor.is_power_of_two() => u64::from(factor),
        0xe0.. => 1 << factor.wrapping_neg(),
        _ => return None,
    };
    let bytes = sectors * u64::from(sector_bytes);
    (bytes <= limits::CLUSTER_BYTES).then_some(bytes)
}

/// Clusters where positive, else a negative power of two in bytes.
fn record_bytes(cluster_bytes: u64, factor: u8) -> Option<u32> {
    let bytes = match factor {
        1..=127 => u64::from(factor) * cluster_bytes,
        0xe1.. => 1 << factor.wrapping_neg(),
        _ => return None,
    };
    let bytes = u32::try_from(bytes).ok()?;
    (bytes.is_power_of_two() && limits::RECORD_BYTES.contains(&bytes)).then_some(bytes)
}

/// All places where a boot sector may be found in `len` bytes, the first sector first.
pub(crate) fn places(len: u64) -> impl Iterator<Item = u64> {
    let copies = [512, 1024, 2048, 4096, 256].into_iter().flat_map(move |bytes| {
        let sectors: u64 = len / bytes;
        [sectors.saturating_sub(1) * bytes, sectors / 2 * bytes]
    });
    std::iter::once(0).chain(copies.filter(|place| *place > 0))
}

/// The boot sector at `place`.
pub(crate) fn read<R: ReadAt>(reader: &R, place: u64) -> Result<Geometry, NtfsError> {
    let mut head = [0; HEAD_BYTES];
    let bytes = head.len() as u64;
    if place.checked_add(bytes).is_none_or(|end| end > reader.len()) {
        return Err(NtfsError::NotNtfs("there is no room for a boot sector"));
    }
    reader.read_exact_at(place, &mut head).map_err(|source| NtfsError::Io {
        offset: place,
        bytes,
        source,
    })?;
    Geometry::of(&head)
}
