//! Where volumes lie on a disk: partition tables of both kinds, and a disk that is a volume itself.
//!
//! A table is believed as far as it fits on the disk. Chains of extended partitions and tables of GPT are bounded,
//! whatever they say of themselves.
//! Source: UEFI specification, chapter 5; for MBR the common practice.

use crate::boot;
use crate::bytes::{array_at, u32_at, u64_at};
use crate::read::ReadAt;

/// Sector sizes that are tried, bytes.
const SECTOR_SIZES: [u64; 2] = [512, 4096];
/// Logical partitions that a chain may have.
const MAX_LOGICAL: usize = 256;
/// Bytes of a table of GPT that are read.
const MAX_TABLE_BYTES: u64 = 1 << 20;
/// Bytes of an entry of GPT.
const GPT_ENTRY_BYTES: std::ops::RangeInclusive<u64> = 128..=4096;
const MBR_BYTES: usize = 512;
const MBR_TABLE: usize = 0x1be;
const MBR_ENTRY_BYTES: usize = 16;
const MBR_PRIMARY: u32 = 4;

/// Kinds of partition tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Master boot record, extended partitions included.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// An entry of a partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As Linux counts: from 1, logical ones from 5.
    pub number: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes, cut to the disk.
    pub len: u64,
    /// The table that names it.
    pub scheme: Scheme,
    /// Two hexadecimal digits, or a GUID.
    pub kind: String,
    /// True if NTFS is there, whatever its kind says.
    pub looks_ntfs: bool,
}

/// A volume on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the partition; `None` if the disk is the volume.
    pub partition: Option<u32>,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

/// The partitions of a disk, in the order of its table; none if there is no table or it cannot be read.
pub fn of<R: ReadAt>(disk: &R) -> Vec<Partition> {
    let gpt = SECTOR_SIZES.iter().find_map(|sector_bytes| gpt(disk, *sector_bytes));
    // The boot sector of a volume ends as a master boot record does.
    gpt.unwrap_or_else(|| if boot::read(disk, 0).is_ok() { Vec::new() } else { mbr(disk) })
}

/// The NTFS volumes of a disk: itself, or partitions of it. One whose boot sector is lost counts if the copy of it
/// is there.
pub fn volumes<R: ReadAt>(disk: &R) -> Vec<Place> {
    let whole = Place { partition: None, start: 0, len: disk.len() };
    if boot::read(disk, 0).is_ok() {
        return vec![whole];
    }
    let ntfs = of(disk).into_iter().filter(|partition| partition.looks_ntfs);
    let places =
        ntfs.map(|found| Place { partition: Some(found.number), start: found.start, len: found.len });
    let places: Vec<_> = places.collect();
    // The copy at the end of a disk is that of its last partition, where there is one.
    if places.is_empty() && looks_ntfs(disk, 0, disk.len()) { vec![whole] } else { places }
}

/// What a table says of a partition, not yet held against the disk.
struct Entry {
    number: u32,
    start: u64,
    len: u64,
    kind: String,
}

impl Entry {
    fn checked<R: ReadAt>(self, disk: &R, scheme: Scheme) -> Option<Partition> {
        let Self { number, start, len, kind } = self;
        let len = len.min(disk.len().checked_sub(start)?);
        let looks_ntfs = looks_ntfs(disk, start, len);
        (len > 0).then_some(Partition { number, start, len, scheme, kind, looks_ntfs })
    }
}

/// True if there is a boot sector, or a copy of one, in these bytes of the disk.
fn looks_ntfs<R: ReadAt>(disk: &R, start: u64, len: u64) -> bool {
    boot::places(len).any(|place| place < len && boot::read(disk, start.saturating_add(place)).is_ok())
}

fn mbr<R: ReadAt>(disk: &R) -> Vec<Partition> {
    let Some(sector) = boot_record(disk, 0) else { return Vec::new() };
    // Disks of 4096-byte sectors count in those; nothing says so, but NTFS is there.
    let counted = SECTOR_SIZES.map(|sector_bytes| mbr_partitions(disk, &sector, sector_bytes));
    let [small, large] = counted;
    let ntfs = |partitions: &[Partition]| partitions.iter().any(|partition| partition.looks_ntfs);
    if !ntfs(&small) && ntfs(&large) { large } else { small }
}

fn mbr_partitions<R: ReadAt>(disk: &R, sector: &[u8; MBR_BYTES], sector_bytes: u64) -> Vec<Partition> {
    let mut entries = Vec::new();
    let mut logical = Vec::new();
    for (number, slot) in (1..=MBR_PRIMARY).zip(slots(sector)) {
        match slot.kind {
            0 => continue,
            kind if is_extended(kind) && logical.is_empty() => {
                logical = chain(disk, u64::from(slot.first), sector_bytes);
            }
            _ => {}
        }
        entries.push(slot.entry(number, 0, sector_bytes));
    }
    entries.extend(logical);
    entries.into_iter().filter_map(|entry| entry.checked(disk, Scheme::Mbr)).collect()
}

/// The logical partitions of the extended one at sector `base`.
fn chain<R: ReadAt>(disk: &R, base: u64, sector_bytes: u64) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = base;
    for _ in 0..MAX_LOGICAL {
        let Some(sector) = boot_record(disk, at * sector_bytes) else { break };
        let [data, next, ..] = slots(&sector);
        if data.kind != 0 {
            entries.push(data.entry(MBR_PRIMARY + 1 + entries.len() as u32, at, sector_bytes));
        }
        let following = base + u64::from(next.first);
        // Links only lead forward.
        if !is_extended(next.kind) || following <= at {
            break;
        }
        at = following;
    }
    entries
}

fn boot_record<R: ReadAt>(disk: &R, at: u64) -> Option<[u8; MBR_BYTES]> {
    let mut sector = [0; MBR_BYTES];
    disk.read_exact_at(at, &mut sector).ok()?;
    sector.ends_with(&[0x55, 0xaa]).then_some(sector)
}

fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0f | 0x85)
}

/// One of the four slots of a boot record; places in sectors.
#[derive(Clone, Copy)]
struct MbrSlot {
    kind: u8,
    first: u32,
    count: u32,
}

impl MbrSlot {
    fn entry(self, number: u32, base: u64, sector_bytes: u64) -> Entry {
        Entry {
            number,
            start: (base + u64::from(self.first)) * sector_bytes,
            len: u64::from(self.count) * sector_bytes,
            kind: format!("{:02x}", self.kind),
        }
    }
}

fn slots(sector: &[u8; MBR_BYTES]) -> [MbrSlot; MBR_PRIMARY as usize] {
    [0, 1, 2, 3].map(|slot| {
        let at = MBR_TABLE + slot * MBR_ENTRY_BYTES;
        let word = |from| u32_at(sector, at + from).unwrap_or(0);
        MbrSlot { kind: sector[at + 4], first: word(8), count: word(12) }
    })
}

fn gpt<R: ReadAt>(disk: &R, sector_bytes: u64) -> Option<Vec<Partition>> {
    let last = (disk.len() / sector_bytes).checked_sub(1)? * sector_bytes;
    let header = [sector_bytes, last].into_iter().find_map(|at| GptHeader::read(disk, at, sector_bytes))?;
    Some(header.entries().filter_map(|entry| entry.checked(disk, Scheme::Gpt)).collect())
}

/// A header whose checksum is right, with its table, whose is too.
struct GptHeader {
    sector_bytes: u64,
    entry_bytes: usize,
    table: Vec<u8>,
}

impl GptHeader {
    fn read<R: ReadAt>(disk: &R, at: u64, sector_bytes: u64) -> Option<Self> {
        let mut head = [0; 512];
        disk.read_exact_at(at, &mut head).ok()?;
        let len = u32_at(&head, 12).filter(|len| (92..=512).contains(len))? as usize;
        let sum = u32_at(&head, 16)?;
        head[16..20].fill(0);
        if !head.starts_with(b"EFI PART") || crc32(&head[..len]) != sum {
            return None;
        }
        let entry_bytes = u64::from(u32_at(&head, 84)?);
        let table_bytes = u64::from(u32_at(&head, 80)?) * entry_bytes;
        if !GPT_ENTRY_BYTES.contains(&entry_bytes) || table_bytes > MAX_TABLE_BYTES.min(disk.len()) {
            return None;
        }
        let mut table = vec![0; table_bytes as usize];
        let table_at = u64_at(&head, 72)?.checked_mul(sector_bytes)?;
        disk.read_exact_at(table_at, &mut table).ok()?;
        let right = crc32(&table) == u32_at(&head, 88)?;
        right.then_some(Self { sector_bytes, entry_bytes: entry_bytes as usize, table })
    }

    fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let entries = (1..).zip(self.table.chunks_exact(self.entry_bytes));
        entries.filter_map(|(number, entry)| self.entry(number, entry))
    }

    fn entry(&self, number: u32, entry: &[u8]) -> Option<Entry> {
        let kind: [u8; 16] = array_at(entry, 0).filter(|kind| *kind != [0; 16])?;
        let (first, last) = (u64_at(entry, 32)?, u64_at(entry, 40)?);
        let count = last.checked_sub(first)?.checked_add(1)?;
        let start = first.checked_mul(self.sector_bytes)?;
        Some(Entry { number, start, len: count.saturating_mul(self.sector_bytes), kind: guid_text(kind) })
    }
}

/// The first three groups lie with their lowest byte first.
fn guid_text(guid: [u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::with_capacity(36);
    for (place, at) in ORDER.into_iter().enumerate() {
        text.push_str(if [4, 6, 8, 10].contains(&place) { "-" } else { "" });
        text.push_str(&format!("{:02x}", guid[at]));
    }
    text
}

/// CRC-32 of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (sum & 1).wrapping_neg() & 0xedb8_8320)
    });
    !sum
}

#[cfg(test)]
mod tests;
