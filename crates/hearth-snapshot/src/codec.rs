//! From the content of a chunk to its record and back.
//!
//! A record of a compressed section says how long its body is; a body as long as the content is the
//! content. Records are padded so that none expands beyond [`EXPANSION`]: a reader can then tell from
//! stored lengths how much memory a file may ask for.

use crate::layout::{EXPANSION, TAG_BYTES};
use crate::workbench::Workbench;

const LENGTH_BYTES: usize = 4;
/// Level of zstd: half again the time of the first level to write, none to read.
pub(crate) const ZSTD_LEVEL: i32 = 3;
/// A body that saves less than this part of the content is not worth expanding.
const LEAST_SAVED: usize = 32;

/// How the content of a section is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all: for what is dense already, as filters are.
    None,
    /// Fast to write and to read.
    Lz4,
    /// Smaller.
    Zstd,
}

/// A record does not expand to its length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotExpanded;

impl Codec {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Lz4 => 1,
            Codec::Zstd => 2,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Codec::None, Codec::Lz4, Codec::Zstd].into_iter().find(|codec| codec.byte() == byte)
    }

    /// True if a chunk of `content` bytes, at least one, may be stored in `stored` bytes.
    pub(crate) fn fits(self, content: usize, stored: usize) -> bool {
        let Some(record) = stored.checked_sub(TAG_BYTES) else { return false };
        match self {
            Codec::None => record == content,
            Codec::Lz4 | Codec::Zstd => {
                record > LENGTH_BYTES
                    && record <= LENGTH_BYTES + content
                    && record.saturating_mul(EXPANSION) >= content
            }
        }
    }

    /// The record of a chunk, with room for its tag.
    pub(crate) fn pack(self, content: &[u8], bench: &mut Workbench) -> Vec<u8> {
        let mut record = Vec::with_capacity(LENGTH_BYTES + self.bound(content.len()) + TAG_BYTES);
        if self == Codec::None {
            record.extend_from_slice(content);
            return record;
        }
        record.resize(LENGTH_BYTES + self.bound(content.len()), 0);
        let body = self.compress(content, &mut record[LENGTH_BYTES..], bench);
        let body = body.filter(|&len| len < content.len() - content.len() / LEAST_SAVED);
        let body = body.unwrap_or_else(|| {
            record[LENGTH_BYTES..][..content.len()].copy_from_slice(content);
            content.len()
        });
        record[..LENGTH_BYTES].copy_from_slice(&u32::try_from(body).expect("a chunk is short").to_le_bytes());
        record.truncate(LENGTH_BYTES + body);
        record.resize(record.len().max(content.len().div_ceil(EXPANSION)), 0);
        record
    }

    /// Room that compression may take, and no less than the content.
    fn bound(self, content: usize) -> usize {
        match self {
            Codec::None | Codec::Zstd => content,
            Codec::Lz4 => lz4_flex::block::get_maximum_output_size(content),
        }
    }

    /// Length of the body, or `None` where the content does not get shorter.
    fn compress(self, content: &[u8], body: &mut [u8], bench: &mut Workbench) -> Option<usize> {
        match self {
            Codec::None => None,
            Codec::Lz4 => lz4_flex::block::compress_into(content, body).ok(),
            Codec::Zstd => bench.compressor().ok()?.compress_to_buffer(content, body).ok(),
        }
    }

    /// Expands a record into the whole of `content`.
    pub(crate) fn unpack(
        self,
        record: &[u8],
        content: &mut [u8],
        bench: &mut Workbench,
    ) -> Result<(), NotExpanded> {
        let body = if self == Codec::None { record } else { body(record).ok_or(NotExpanded)? };
        if body.len() == content.len() {
            content.copy_from_slice(body);
            return Ok(());
        }
        match self.expand(body, content, bench) {
            Some(len) if len == content.len() => Ok(()),
            _ => Err(NotExpanded),
        }
    }

    fn expand(self, body: &[u8], content: &mut [u8], bench: &mut Workbench) -> Option<usize> {
        match self {
            Codec::None => None,
            Codec::Lz4 => lz4_flex::block::decompress_into(body, content).ok(),
            Codec::Zstd => bench.decompressor().ok()?.decompress_to_buffer(body, content).ok(),
        }
    }
}

fn body(record: &[u8]) -> Option<&[u8]> {
    let (len, rest) = record.split_first_chunk::<LENGTH_BYTES>()?;
    rest.get(..u32::from_le_bytes(*len) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn every_record_fits_and_expands_to_its_content() {
        let mut bench = Workbench::default();
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
            for content in [vec![7], vec![0; 5000], noise(5000), b"abcabcab".repeat(999), noise(3)] {
                let record = codec.pack(&content, &mut bench);
                assert!(codec.fits(content.len(), record.len() + TAG_BYTES), "{codec:?} {}", content.len());
                let mut back = vec![1; content.len()];
                codec.unpack(&record, &mut back, &mut bench).expect("a record expands");
                assert_eq!(back, content);
            }
        }
    }

    #[test]
    fn a_record_of_another_length_does_not_expand() {
        let mut bench = Workbench::default();
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
            let record = codec.pack(&b"abcabcab".repeat(999), &mut bench);
            for len in [0, 1, 7991, 7993, 20_000] {
                let expanded = codec.unpack(&record, &mut vec![0; len], &mut bench);
                assert_eq!(expanded, Err(NotExpanded), "{codec:?} {len}");
            }
        }
    }

    #[test]
    fn nothing_expands_more_than_the_limit() {
        for codec in [Codec::Lz4, Codec::Zstd] {
            let record = codec.pack(&[0; 1 << 20], &mut Workbench::default());
            assert_eq!(record.len(), (1 << 20) / EXPANSION);
            assert!(!codec.fits(1 << 20, record.len() + TAG_BYTES - 1));
        }
    }
}
