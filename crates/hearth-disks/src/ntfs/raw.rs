//! Edits of a volume that no program makes for us: what only Windows would do.
//!
//! Only the first records are reached this way, which lie in one piece in every volume that was just made.

use super::image::NtfsImage;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// Bytes that one fixup guards.
const STRIDE: usize = 512;
/// `$LogFile`.
const LOG: u64 = 2;
/// `$Volume`.
const VOLUME: u64 = 3;
/// `$Extend`.
const EXTEND: u64 = 11;
/// Length of a restart page, bytes.
const RESTART_BYTES: usize = 4096;

const VOLUME_INFORMATION: u32 = 0x70;
const DATA: u32 = 0x80;
const INDEX_ROOT: u32 = 0x90;
const BITMAP: u32 = 0xb0;

impl NtfsImage {
    /// Sets or clears the flag that asks for a check of the volume; it must not be mounted.
    ///
    /// # Panics
    /// If the volume is damaged.
    pub fn set_dirty(&self, dirty: bool) {
        let raw = Raw::open(self);
        let mut record = raw.record(VOLUME);
        let flags = record.content(VOLUME_INFORMATION) + 10;
        record.0[flags] = record.0[flags] & !1 | u8::from(dirty);
        raw.put_record(VOLUME, record);
    }

    /// Writes both restart pages of the log, as Windows leaves them: all up to `lsn` is done, and the volume was
    /// unmounted (`clean`) or not. It must not be mounted. The next mount for writing by `ntfs-3g` empties a log
    /// that is not clean.
    ///
    /// # Panics
    /// If the volume is damaged.
    pub fn set_log(&self, lsn: u64, clean: bool) {
        let raw = Raw::open(self);
        let (start, len) = raw.first_run(LOG, DATA);
        let mut page = restart_page(lsn, clean, len);
        protect(&mut page);
        for at in [start, start + RESTART_BYTES as u64] {
            raw.file.write_all_at(&page.0, at).expect("written");
        }
    }

    /// Empties the log, as drivers do that write without one; the volume must not be mounted.
    ///
    /// # Panics
    /// If the volume is damaged.
    pub fn empty_log(&self) {
        let raw = Raw::open(self);
        let (start, len) = raw.first_run(LOG, DATA);
        raw.file.write_all_at(&vec![0xff; len as usize], start).expect("written");
    }

    /// Takes a file without clusters out of `$Extend`, which `ntfs-3g` refuses; it must not be mounted.
    pub(super) fn delete_from_extend(&self, number: u64) {
        let raw = Raw::open(self);
        let mut record = raw.record(number);
        record.0[22] &= !1;
        record.put16(16, record.get16(16) + 1);
        raw.put_record(number, record);
        let mut folder = raw.record(EXTEND);
        folder.remove_index_entry(number);
        raw.put_record(EXTEND, folder);
        let at = raw.first_run(0, BITMAP).0 + number / 8;
        let mut byte = [0];
        raw.file.read_exact_at(&mut byte, at).expect("read");
        raw.file.write_all_at(&[byte[0] & !(1 << (number % 8))], at).expect("written");
    }
}

/// Source: `RESTART_PAGE_HEADER`, `LFS_RESTART_AREA` and `LFS_CLIENT_RECORD`, version 1.1.
fn restart_page(lsn: u64, clean: bool, log_bytes: u64) -> Record {
    const AREA: usize = 0x30;
    const NO_CLIENT: u16 = 0xffff;
    const CLIENT: usize = 0x30;
    let mut page = Record(vec![0; RESTART_BYTES]);
    page.0[..4].copy_from_slice(b"RSTR");
    page.put16(4, 0x1e);
    page.put16(6, (RESTART_BYTES / STRIDE + 1) as u16);
    page.put32(16, RESTART_BYTES as u32);
    page.put32(20, RESTART_BYTES as u32);
    page.put16(24, AREA as u16);
    page.put16(26, 1);
    page.put16(28, 1);
    page.put64(AREA, lsn);
    page.put16(AREA + 8, 1);
    page.put16(AREA + 10, if clean { 0 } else { NO_CLIENT });
    page.put16(AREA + 12, if clean { NO_CLIENT } else { 0 });
    page.put16(AREA + 14, if clean { 2 } else { 0 });
    page.put32(AREA + 16, 67 - (log_bytes.ilog2() + 1));
    page.put16(AREA + 20, (CLIENT + 160) as u16);
    page.put16(AREA + 22, CLIENT as u16);
    page.put64(AREA + 24, log_bytes);
    page.put16(AREA + 36, 0x30);
    page.put16(AREA + 38, 0x40);
    let client = AREA + CLIENT;
    page.put64(client, lsn);
    page.put64(client + 8, lsn);
    page.put16(client + 16, NO_CLIENT);
    page.put16(client + 18, NO_CLIENT);
    page.put32(client + 28, 8);
    for (at, unit) in "NTFS".encode_utf16().enumerate() {
        page.put16(client + 32 + 2 * at, unit);
    }
    page
}

/// A volume that is not mounted.
struct Raw {
    file: File,
    cluster_bytes: u64,
    record_bytes: u64,
    /// Where the records lie, then their copies, bytes.
    tables: [u64; 2],
}

impl Raw {
    fn open(image: &NtfsImage) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(image.path()).expect("there");
        let mut boot = Record(vec![0; STRIDE]);
        file.read_exact_at(&mut boot.0, 0).expect("a boot sector");
        let cluster_bytes = u64::from(image.form().cluster_bytes);
        let tables = [48, 56].map(|at| boot.get64(at) * cluster_bytes);
        Self { file, cluster_bytes, record_bytes: image.form().record_bytes(), tables }
    }

    fn record(&self, number: u64) -> Record {
        let mut record = Record(vec![0; self.record_bytes as usize]);
        self.file
            .read_exact_at(&mut record.0, self.tables[0] + number * self.record_bytes)
            .expect("a record");
        assert_eq!(
            (&record.0[..4], u64::from(record.get32(44))),
            (&b"FILE"[..], number),
            "it lies elsewhere"
        );
        unprotect(&mut record);
        record
    }

    fn put_record(&self, number: u64, mut record: Record) {
        protect(&mut record);
        let tables = if number < 4 { &self.tables[..] } else { &self.tables[..1] };
        for table in tables {
            self.file.write_all_at(&record.0, table + number * self.record_bytes).expect("written");
        }
    }

    /// Where the first clusters of an attribute lie and how many bytes they are.
    fn first_run(&self, number: u64, kind: u32) -> (u64, u64) {
        let record = self.record(number);
        let attribute = record.attribute(kind);
        assert_eq!(record.0[attribute + 8], 1, "not resident");
        let runs = &record.0[attribute + usize::from(record.get16(attribute + 32))..];
        let (len_bytes, place_bytes) = (usize::from(runs[0] & 15), usize::from(runs[0] >> 4));
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let place = number(&runs[1 + len_bytes..1 + len_bytes + place_bytes]);
        (place * self.cluster_bytes, number(&runs[1..1 + len_bytes]) * self.cluster_bytes)
    }
}

/// A record without its fixups.
struct Record(Vec<u8>);

impl Record {
    fn get16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn get32(&self, at: usize) -> u32 {
        u32::from(self.get16(at)) | u32::from(self.get16(at + 2)) << 16
    }

    fn get64(&self, at: usize) -> u64 {
        u64::from(self.get32(at)) | u64::from(self.get32(at + 4)) << 32
    }

    fn put16(&mut self, at: usize, value: u16) {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn put64(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Where the first attribute of a kind begins.
    fn attribute(&self, kind: u32) -> usize {
        let mut at = usize::from(self.get16(20));
        while self.get32(at) != kind {
            assert_ne!(self.get32(at), u32::MAX, "no attribute {kind:#x}");
            at += self.get32(at + 4) as usize;
        }
        at
    }

    /// Where the value of a resident attribute begins.
    fn content(&self, kind: u32) -> usize {
        let at = self.attribute(kind);
        assert_eq!(self.0[at + 8], 0, "resident");
        at + usize::from(self.get16(at + 20))
    }

    /// Takes the entry of a file out of a folder whose names all lie in its record.
    fn remove_index_entry(&mut self, number: u64) {
        let (attribute, header) = (self.attribute(INDEX_ROOT), self.content(INDEX_ROOT) + 16);
        let mut at = header + self.get32(header) as usize;
        while self.get64(at) & 0xffff_ffff_ffff != number {
            assert_eq!(self.get16(at + 12) & 2, 0, "no entry of {number}");
            at += usize::from(self.get16(at + 8));
        }
        let len = usize::from(self.get16(at + 8));
        // Used bytes of the record, length of the attribute, of its value, of the index and of its room.
        for length in [24, attribute + 4, attribute + 16, header + 4, header + 8] {
            self.put32(length, self.get32(length) - len as u32);
        }
        self.0.drain(at..at + len);
        self.0.resize(self.0.len() + len, 0);
    }
}

/// Puts back what the fixups took.
fn unprotect(record: &mut Record) {
    let (fixups, count) = (usize::from(record.get16(4)), usize::from(record.get16(6)));
    for sector in 1..count {
        let end = sector * STRIDE - 2;
        assert_eq!(record.get16(end), record.get16(fixups), "torn");
        record.put16(end, record.get16(fixups + 2 * sector));
    }
}

/// Ends each sector with the next number of the record, and keeps what was there.
fn protect(record: &mut Record) {
    let (fixups, count) = (usize::from(record.get16(4)), usize::from(record.get16(6)));
    let number = record.get16(fixups).wrapping_add(1).max(1);
    record.put16(fixups, number);
    for sector in 1..count {
        let end = sector * STRIDE - 2;
        record.put16(fixups + 2 * sector, record.get16(end));
        record.put16(end, number);
    }
}
