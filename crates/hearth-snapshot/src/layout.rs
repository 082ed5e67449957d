//! Where things stand in the file, and its prefix: the one block in clear.
//!
//! `docs/design/snapshot.md` is the page for these numbers. The first 16 bytes (magic, versions) keep
//! their meaning in every version, so that a file of another version is known as such.

use crate::error::LoadError;
use crate::fields::{Fields, all_zero};
use std::path::Path;

/// Version of the format that is written.
pub const FORMAT_VERSION: u16 = 1;
/// Oldest version that is read.
pub(crate) const READ_MIN: u16 = 1;
/// Oldest version whose readers understand what is written.
pub(crate) const WRITE_MIN: u16 = 1;

/// Content of one chunk, bytes; the last chunk of a section may be shorter. Elements of columns whose
/// sizes divide it never straddle two chunks.
pub const CHUNK_BYTES: usize = 1 << 20;
/// What sealing adds to a part, bytes.
pub(crate) const TAG_BYTES: usize = 16;
/// Most bytes of content per stored byte.
pub(crate) const EXPANSION: usize = 64;

pub(crate) const BLOCK_BYTES: usize = 4096;
pub(crate) const SLOTS: usize = 2;
pub(crate) const SLOTS_AT: u64 = BLOCK_BYTES as u64;
pub(crate) const HEADER_AT: u64 = SLOTS_AT + (SLOTS * BLOCK_BYTES) as u64;
pub(crate) const FOOTER_BYTES: usize = 24;

/// Most sections in one file.
pub(crate) const SECTIONS: usize = 4096;
/// Longest identity, clock or epoch, bytes.
pub(crate) const HEADER_FIELD_BYTES: usize = 64 * 1024;
/// Most counts in a header.
pub(crate) const COUNTS: usize = 64;
/// Longest stored header, bytes.
pub(crate) const HEADER_BYTES: usize = 256 * 1024;

const MAGIC: [u8; 8] = *b"HEARTHSN";
const END_MAGIC: [u8; 8] = *b"HEARTHND";
const VERSIONS_END: usize = 12;
const SEAL_AES_256_GCM: u8 = 1;
const ID_BYTES: usize = 16;
const PREFIX_USED: usize = 36;

/// The block in clear at the beginning.
#[derive(Clone)]
pub(crate) struct Prefix {
    /// The block as stored; what everything sealed is bound to.
    pub(crate) block: Vec<u8>,
    /// Stored length of the header, bytes.
    pub(crate) header_len: usize,
}

impl Prefix {
    pub(crate) fn new(id: [u8; ID_BYTES], header_len: usize) -> Self {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        block.extend_from_slice(&MAGIC);
        block.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&WRITE_MIN.to_le_bytes());
        block.extend_from_slice(&[SEAL_AES_256_GCM, 0, 0, 0]);
        block.extend_from_slice(&id);
        block.extend_from_slice(&u32::try_from(header_len).expect("a header is short").to_le_bytes());
        block.resize(BLOCK_BYTES, 0);
        Self { block, header_len }
    }

    /// Reads the prefix off the beginning of a file, as much of it as there is.
    pub(crate) fn parse(path: &Path, block: &[u8]) -> Result<Self, LoadError> {
        check_version(path, block)?;
        let bad = |detail| LoadError::parse(path, detail);
        if block.len() != BLOCK_BYTES {
            return Err(bad("the file ends inside its prefix"));
        }
        let mut fields = Fields::new(&block[VERSIONS_END..PREFIX_USED]);
        if fields.u32() != Some(u32::from(SEAL_AES_256_GCM)) {
            return Err(bad("an unknown kind of seal"));
        }
        fields.take(ID_BYTES);
        let header_len = fields.u32().map_or(0, |len| len as usize);
        if !(TAG_BYTES..=HEADER_BYTES).contains(&header_len) || !all_zero(&block[PREFIX_USED..]) {
            return Err(bad("the prefix holds values that no version writes"));
        }
        Ok(Self { block: block.to_vec(), header_len })
    }

    /// What key slots and header are bound to.
    pub(crate) fn hash(&self) -> [u8; 32] {
        blake3::hash(&self.block).into()
    }

    /// What chunks and table are bound to.
    pub(crate) fn hash_with(&self, stored_header: &[u8]) -> [u8; 32] {
        blake3::Hasher::new().update(&self.block).update(stored_header).finalize().into()
    }
}

fn check_version(path: &Path, block: &[u8]) -> Result<(), LoadError> {
    let mut fields = Fields::new(block);
    if fields.take(MAGIC.len()) != Some(&MAGIC) {
        return Err(LoadError::parse(path, "this is not a snapshot"));
    }
    let (Some(version), Some(write_min)) = (fields.u16(), fields.u16()) else {
        return Err(LoadError::parse(path, "the file ends inside its prefix"));
    };
    if version >= READ_MIN && write_min <= FORMAT_VERSION {
        return Ok(());
    }
    Err(LoadError::StaleByEpoch {
        cached: format!("format {version}, read by {write_min} and newer"),
        current: format!("format {FORMAT_VERSION}, reads {READ_MIN} and newer"),
    })
}

/// The end of the file: where the table is.
#[derive(Clone, Copy)]
pub(crate) struct Footer {
    pub(crate) table_at: u64,
    /// Stored length of the table, bytes.
    pub(crate) table_len: u64,
}

impl Footer {
    pub(crate) fn encode(self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        bytes[..8].copy_from_slice(&self.table_at.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.table_len.to_le_bytes());
        bytes[16..].copy_from_slice(&END_MAGIC);
        bytes
    }

    /// Reads the footer of a file of `file_len` bytes; the table must stand between `least` and it.
    pub(crate) fn parse(path: &Path, bytes: &[u8], least: u64, file_len: u64) -> Result<Self, LoadError> {
        let mut fields = Fields::new(bytes);
        let (table_at, table_len) = (fields.u64().unwrap_or(0), fields.u64().unwrap_or(0));
        if fields.take(END_MAGIC.len()) != Some(&END_MAGIC) {
            return Err(LoadError::parse(path, "the file does not end as a snapshot does: it was cut"));
        }
        let end = table_at.checked_add(table_len).and_then(|end| end.checked_add(FOOTER_BYTES as u64));
        if table_at < least || table_len < TAG_BYTES as u64 || end != Some(file_len) {
            return Err(LoadError::parse(path, "the table is not where the footer says"));
        }
        Ok(Self { table_at, table_len })
    }
}
