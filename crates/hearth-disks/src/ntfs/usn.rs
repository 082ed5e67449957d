//! The change journal as Windows writes it: records of versions 2, 3 and 4, in pages that none of them crosses.
//!
//! Source: `USN_RECORD_V2`, `_V3`, `_V4` of winioctl.h.

/// What no record crosses, bytes.
pub const PAGE_BYTES: u64 = 4096;

/// One record to be written. Version 4 has no time, attributes and name; the others have no extents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// 2, 3 or 4.
    pub version: u16,
    /// File reference as on disk: sequence in the upper 16 bits.
    pub file: u64,
    /// Reference of the directory.
    pub parent: u64,
    /// 100 ns since 1601.
    pub filetime: u64,
    /// `USN_REASON_…`.
    pub reasons: u32,
    /// `USN_SOURCE_…`.
    pub source: u32,
    /// `FILE_ATTRIBUTE_…`.
    pub attributes: u32,
    /// UTF-16 units; at most 255.
    pub name: Vec<u16>,
    /// Offset and length of changed ranges.
    pub extents: Vec<(u64, u64)>,
}

impl Entry {
    /// Its bytes at `usn`.
    pub fn encode(&self, usn: u64) -> Vec<u8> {
        let mut out = vec![0; 4];
        put16(&mut out, &[self.version, 0]);
        let wide = self.version > 2;
        for reference in [self.file, self.parent] {
            out.extend(reference.to_le_bytes());
            out.extend_from_slice(&[0; 8][..if wide { 8 } else { 0 }]);
        }
        out.extend(usn.to_le_bytes());
        if self.version == 4 {
            self.put_ranges(&mut out);
        } else {
            self.put_name(&mut out);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let len = out.len() as u32;
        out[..4].copy_from_slice(&len.to_le_bytes());
        out
    }

    fn put_name(&self, out: &mut Vec<u8>) {
        out.extend(self.filetime.to_le_bytes());
        put32(out, &[self.reasons, self.source, 0, self.attributes]);
        let at = out.len() + 4;
        put16(out, &[2 * self.name.len() as u16, at as u16]);
        put16(out, &self.name);
    }

    fn put_ranges(&self, out: &mut Vec<u8>) {
        put32(out, &[self.reasons, self.source, 0]);
        put16(out, &[self.extents.len() as u16, 16]);
        for (offset, len) in &self.extents {
            out.extend(offset.to_le_bytes());
            out.extend(len.to_le_bytes());
        }
    }
}

fn put16(out: &mut Vec<u8>, values: &[u16]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// A stretch of the journal that grows at its end.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    first_usn: u64,
    bytes: Vec<u8>,
}

impl Stretch {
    /// Nothing, at `first_usn`, a multiple of 8.
    pub fn new(first_usn: u64) -> Self {
        Self { first_usn, bytes: Vec::new() }
    }

    /// Where the first byte lies.
    pub fn first_usn(&self) -> u64 {
        self.first_usn
    }

    /// Where the next byte will lie.
    pub fn next_usn(&self) -> u64 {
        self.first_usn + self.bytes.len() as u64
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends a record, after zeroes if the page has no room for it; returns its USN.
    pub fn push(&mut self, entry: &Entry) -> u64 {
        let len = entry.encode(0).len() as u64;
        let left = PAGE_BYTES - self.next_usn() % PAGE_BYTES;
        if len > left {
            self.fill_page();
        }
        let usn = self.next_usn();
        self.bytes.extend(entry.encode(usn));
        usn
    }

    /// Zeroes up to the next page, none if one begins here.
    pub fn fill_page(&mut self) {
        let end = self.next_usn().next_multiple_of(PAGE_BYTES) - self.first_usn;
        self.bytes.resize(end as usize, 0);
    }

    /// Forgets what lies before `usn`.
    pub(super) fn forget_before(&mut self, usn: u64) {
        self.bytes.drain(..(usn - self.first_usn) as usize);
        self.first_usn = usn;
    }
}
