//! Tables as other programs write them, in memory.

use super::*;
use proptest::prelude::*;

const BOOT: &[u8] = include_bytes!("../../tests/data/rec/boot_512.bin");
const DISK_SECTORS: u64 = 600;
const TABLE_SECTORS: u64 = 6;

/// A disk of nothing but tables and boot sectors.
struct Disk {
    bytes: Vec<u8>,
    sector: usize,
}

impl Disk {
    fn new(sector: usize) -> Self {
        Self { bytes: vec![0; DISK_SECTORS as usize * sector], sector }
    }

    fn put(&mut self, sector: u64, within: usize, bytes: &[u8]) {
        let at = sector as usize * self.sector + within;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// An entry of the boot record at `sector`.
    fn put_mbr(&mut self, sector: u64, slot: usize, kind: u8, first: u64, count: u64) {
        let at = MBR_TABLE + slot * MBR_ENTRY_BYTES;
        self.put(sector, at + 4, &[kind]);
        self.put(sector, at + 8, &(first as u32).to_le_bytes());
        self.put(sector, at + 12, &(count as u32).to_le_bytes());
        self.put(sector, 510, &[0x55, 0xaa]);
    }

    fn put_gpt(&mut self, header_at: u64, table_at: u64, entries: &[(u64, u64)]) {
        let mut table = vec![0; TABLE_SECTORS as usize * self.sector];
        for (slot, (first, count)) in table.chunks_exact_mut(128).zip(entries) {
            slot[..16].copy_from_slice(&[7; 16]);
            slot[32..40].copy_from_slice(&first.to_le_bytes());
            slot[40..48].copy_from_slice(&(first + count - 1).to_le_bytes());
        }
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        let slots = table.len() as u32 / 128;
        for (at, value) in [(12, 92), (80, slots), (84, 128), (88, crc32(&table))] {
            header[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        header[72..80].copy_from_slice(&table_at.to_le_bytes());
        let sum = crc32(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        self.put(header_at, 0, &header);
        self.put(table_at, 0, &table);
    }
}

/// What may lie one behind the other: how many sectors, and what is there (nothing, NTFS, its copy alone).
fn layout() -> impl Strategy<Value = Vec<(u64, u8)>> {
    proptest::collection::vec((3_u64..20, 0_u8..3), 0..20)
}

/// Puts boot sectors, and says where the parts lie: first sector and how many, one sector apart.
fn put_parts(disk: &mut Disk, parts: &[(u64, u8)]) -> Vec<(u64, u64)> {
    let mut at = 10;
    let mut places = Vec::new();
    for (count, what) in parts {
        match what {
            1 => disk.put(at, 0, BOOT),
            2 => disk.put(at + count - 1, 0, BOOT),
            _ => {}
        }
        places.push((at, *count));
        at += count + 1;
    }
    places
}

/// Where volumes must be found.
fn expected(disk: &Disk, parts: &[(u64, u8)], places: &[(u64, u64)], first_number: u32) -> Vec<Place> {
    let numbered = (first_number..).zip(parts.iter().zip(places)).filter(|(_, ((_, what), _))| *what != 0);
    let place = |(number, (_, (first, count))): (u32, (_, &(u64, u64)))| Place {
        partition: Some(number),
        start: first * disk.sector as u64,
        len: count * disk.sector as u64,
    };
    numbered.map(place).collect()
}

proptest! {
    #[test]
    fn volumes_of_a_gpt_are_found_by_either_of_its_headers(
        parts in layout(), sector in prop_oneof![Just(512_usize), Just(4096)], damaged in 0_u8..3,
    ) {
        let mut disk = Disk::new(sector);
        let places = put_parts(&mut disk, &parts);
        disk.put_mbr(0, 0, 0xee, 1, DISK_SECTORS - 1);
        disk.put_gpt(1, 2, &places);
        disk.put_gpt(DISK_SECTORS - 1, DISK_SECTORS - 1 - TABLE_SECTORS, &places);
        match damaged {
            1 => disk.put(1, 60, b"x"),
            2 => disk.put(2, 127, b"x"),
            _ => {}
        }
        let found = of(&disk.bytes);
        let all: Vec<_> = found.iter().map(|found| (found.start / sector as u64, found.len / sector as u64)).collect();
        prop_assert_eq!(all, places.clone());
        prop_assert!(found.iter().all(|found| found.scheme == Scheme::Gpt && found.kind.len() == 36));
        prop_assert_eq!(volumes(&disk.bytes), expected(&disk, &parts, &places, 1));
    }

    #[test]
    fn volumes_in_an_extended_partition_are_found_along_its_chain(parts in layout(), before in 0_usize..4) {
        let mut disk = Disk::new(512);
        let places = put_parts(&mut disk, &parts);
        let (base, end) = (9, DISK_SECTORS);
        disk.put_mbr(0, before, 0x0f, base, end - base);
        // Each boot record lies right before its partition.
        for (at, (first, count)) in places.iter().enumerate() {
            disk.put_mbr(first - 1, 0, 7, 1, *count);
            if let Some((next, next_count)) = places.get(at + 1) {
                disk.put_mbr(first - 1, 1, 5, next - 1 - base, next_count + 1);
            }
        }
        let found = volumes(&disk.bytes);
        let logical: Vec<_> = found.iter().filter(|place| place.partition > Some(4)).copied().collect();
        prop_assert_eq!(logical, expected(&disk, &parts, &places, 5));
        prop_assert_eq!(of(&disk.bytes).len(), 1 + places.len());
    }

    #[test]
    fn any_disk_is_read_to_an_end(
        noise in proptest::collection::vec((0_usize..10 * 512, any::<u8>()), 0..200), tables in any::<bool>(),
    ) {
        let mut disk = Disk::new(512);
        disk.put_mbr(0, 0, 0x05, 1, DISK_SECTORS);
        if tables {
            disk.put_gpt(1, 2, &[(20, 30), (60, 70)]);
        }
        for (at, byte) in noise {
            disk.bytes[at] = byte;
        }
        let len = disk.bytes.len() as u64;
        for place in volumes(&disk.bytes) {
            prop_assert!(place.len > 0 && place.start + place.len <= len);
        }
        prop_assert!(of(&disk.bytes).len() <= MAX_LOGICAL + 4);
    }
}

#[test]
fn a_chain_that_leads_back_ends() {
    let mut disk = Disk::new(512);
    disk.put_mbr(0, 0, 0x05, 10, 500);
    disk.put_mbr(10, 0, 7, 1, 5);
    disk.put_mbr(10, 1, 5, 20, 30);
    disk.put_mbr(30, 0, 7, 1, 5);
    disk.put_mbr(30, 1, 5, 0, 30);
    let found: Vec<_> = of(&disk.bytes).iter().map(|found| (found.number, found.start / 512)).collect();
    assert_eq!(found, [(1, 10), (5, 11), (6, 31)]);
}

#[test]
fn a_disk_that_is_a_volume_has_no_partitions() {
    let mut disk = Disk::new(512);
    let whole = Place { partition: None, start: 0, len: 600 * 512 };
    disk.put(599, 0, BOOT);
    assert_eq!(volumes(&disk.bytes), [whole], "its boot sector is lost");
    disk.put(0, 0, BOOT);
    assert_eq!((volumes(&disk.bytes), of(&disk.bytes)), (vec![whole], Vec::new()));
    assert_eq!(volumes(&Vec::new()), []);
}

#[test]
fn primary_partitions_of_large_sectors_are_found_by_what_is_in_them() {
    let mut disk = Disk::new(4096);
    disk.put_mbr(0, 2, 7, 30, 40);
    disk.put(30, 0, BOOT);
    assert_eq!(volumes(&disk.bytes), [Place { partition: Some(3), start: 30 * 4096, len: 40 * 4096 }]);
    let entry = &of(&disk.bytes)[0];
    assert_eq!((entry.kind.as_str(), entry.scheme), ("07", Scheme::Mbr));
}

#[test]
fn checksums_are_those_of_everybody() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(guid_text([0; 16]), "00000000-0000-0000-0000-000000000000");
    let basic =
        [0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7];
    assert_eq!(guid_text(basic), "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
}
