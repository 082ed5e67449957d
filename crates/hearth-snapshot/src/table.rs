//! The table of a file: its sections, and where every chunk is.
//!
//! The table says lengths only; offsets follow, since chunks stand without gaps. So there is nothing
//! that could overlap, and one comparison holds everything against the length of the file.

use crate::codec::Codec;
use crate::fields::{Fields, all_zero};
use crate::layout::{CHUNK_BYTES, SECTIONS};

const SECTION_BYTES: usize = 16;
const CHUNK_LEN_BYTES: usize = 4;

/// One section, as the table has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: u32,
    pub(crate) codec: Codec,
    /// Length of the content, bytes.
    pub(crate) len: u64,
    /// Number of its first chunk in the file.
    pub(crate) first_chunk: usize,
}

impl Entry {
    /// Number of chunks.
    pub(crate) fn chunks(&self) -> u64 {
        self.len.div_ceil(CHUNK_BYTES as u64)
    }

    /// Length of the content of its chunk `index`, bytes.
    pub(crate) fn chunk_len(&self, index: u64) -> usize {
        let rest = self.len - index * CHUNK_BYTES as u64;
        usize::try_from(rest).map_or(CHUNK_BYTES, |rest| rest.min(CHUNK_BYTES))
    }
}

/// All sections of a file and the places of their chunks.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) sections: Vec<Entry>,
    /// End of every chunk, as an offset from the first.
    ends: Vec<u64>,
}

/// Where a chunk is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Offset from the first chunk.
    pub(crate) at: u64,
    pub(crate) stored_len: usize,
}

impl Table {
    pub(crate) fn push_section(&mut self, id: u32, codec: Codec) {
        self.sections.push(Entry { id, codec, len: 0, first_chunk: self.ends.len() });
    }

    /// Adds a chunk to the last section.
    pub(crate) fn push_chunk(&mut self, content_len: usize, stored_len: usize) {
        self.sections.last_mut().expect("a chunk belongs to a section").len += content_len as u64;
        self.ends.push(self.stored_len() + stored_len as u64);
    }

    pub(crate) fn chunk_count(&self) -> usize {
        self.ends.len()
    }

    /// Stored length of all chunks, bytes.
    pub(crate) fn stored_len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(crate) fn place(&self, chunk: usize) -> Place {
        let at = if chunk == 0 { 0 } else { self.ends[chunk - 1] };
        Place { at, stored_len: usize::try_from(self.ends[chunk] - at).expect("a stored chunk is short") }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&u32::try_from(self.sections.len()).expect("sections are few").to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.ends.len() as u64).to_le_bytes());
        for section in &self.sections {
            bytes.extend_from_slice(&section.id.to_le_bytes());
            bytes.extend_from_slice(&[section.codec.byte(), 0, 0, 0]);
            bytes.extend_from_slice(&section.len.to_le_bytes());
        }
        for chunk in 0..self.ends.len() {
            let len = u32::try_from(self.place(chunk).stored_len).expect("a stored chunk is short");
            bytes.extend_from_slice(&len.to_le_bytes());
        }
        bytes
    }

    /// Reads a table whose chunks fill exactly `stored_len` bytes.
    pub(crate) fn parse(bytes: &[u8], stored_len: u64) -> Result<Self, &'static str> {
        let mut fields = Fields::new(bytes);
        let (sections, chunks) = counts(&mut fields).ok_or("the table does not have its length")?;
        let mut table = Table { sections: Vec::with_capacity(sections), ends: Vec::with_capacity(chunks) };
        let mut promised = 0;
        for _ in 0..sections {
            let entry =
                section(&mut fields, promised).ok_or("a section holds values that no version writes")?;
            promised += usize::try_from(entry.chunks()).map_err(|_| TOO_LONG)?;
            if promised > chunks {
                return Err(TOO_LONG);
            }
            table.sections.push(entry);
        }
        table.place_chunks(&mut fields)?;
        if table.chunk_count() != chunks || table.stored_len() != stored_len {
            return Err("the chunks do not fill the file");
        }
        if table.has_twins() {
            return Err("a section is there twice");
        }
        Ok(table)
    }

    fn place_chunks(&mut self, fields: &mut Fields<'_>) -> Result<(), &'static str> {
        for section in &self.sections {
            for index in 0..section.chunks() {
                let stored = fields.u32().map_or(0, |len| len as usize);
                if !section.codec.fits(section.chunk_len(index), stored) {
                    return Err("a chunk's stored length does not fit its content");
                }
                self.ends.push(self.ends.last().copied().unwrap_or(0) + stored as u64);
            }
        }
        Ok(())
    }

    fn has_twins(&self) -> bool {
        let mut ids: Vec<u32> = self.sections.iter().map(|section| section.id).collect();
        ids.sort_unstable();
        ids.windows(2).any(|pair| pair[0] == pair[1])
    }
}

const TOO_LONG: &str = "the sections claim more than the file has chunks";

/// Number of sections and of chunks, where the rest is as long as they need.
fn counts(fields: &mut Fields<'_>) -> Option<(usize, usize)> {
    let (sections, zero, chunks) = (fields.u32()? as usize, fields.u32()?, fields.u64()?);
    let chunks = usize::try_from(chunks).ok()?;
    let needed = chunks.checked_mul(CHUNK_LEN_BYTES)?.checked_add(sections.checked_mul(SECTION_BYTES)?)?;
    (zero == 0 && sections <= SECTIONS && needed == fields.len()).then_some((sections, chunks))
}

fn section(fields: &mut Fields<'_>, first_chunk: usize) -> Option<Entry> {
    let (id, codec, zero) = (fields.u32()?, fields.array::<1>()?, fields.take(3)?);
    let (codec, len) = (Codec::from_byte(codec[0])?, fields.u64()?);
    all_zero(zero).then_some(Entry { id, codec, len, first_chunk })
}
