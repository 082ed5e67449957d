//! Writes a snapshot: sections one after the other, chunks compressed and sealed in parallel.
//!
//! Content is collected to a batch of chunks, at most [`BATCH_CHUNKS`], which bounds the memory of a
//! save. Until [`Writer::commit`] has returned, the path holds what it held before; a writer that is
//! dropped leaves nothing.

use crate::codec::Codec;
use crate::error::SaveError;
use crate::header::Header;
use crate::key::MachineKey;
use crate::layout::{CHUNK_BYTES, FOOTER_BYTES, Footer, Prefix, SECTIONS, TAG_BYTES};
use crate::seal::{NONCE_BYTES, Part, Sealer, empty_secret};
use crate::slot;
use crate::storage::{Onto, Storage};
use crate::table::Table;
use crate::temporary::TemporaryFile;
use crate::workbench::Workbenches;
use rayon::prelude::*;
use std::path::Path;

/// Most chunks that wait to be sealed, and most that wait to be written.
const BATCH_CHUNKS: usize = 16;

/// A snapshot that is being written.
pub struct Writer<'a> {
    pool: &'a rayon::ThreadPool,
    file: TemporaryFile<'a>,
    sealer: Sealer,
    header_hash: [u8; 32],
    table: Table,
    /// Content of the last section that is not sealed yet. Never empty if the section has content: its
    /// last chunk is known as such only when the section ends.
    pending: Vec<u8>,
    batch_bytes: usize,
    content_bytes: u64,
    benches: Workbenches,
}

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Length of the file, bytes.
    pub file_bytes: u64,
    /// Length of the content of all sections, bytes.
    pub content_bytes: u64,
    /// Number of chunks.
    pub chunks: usize,
}

impl<'a> Writer<'a> {
    /// Begins a snapshot that will be at `path`. Chunks are compressed and sealed on `pool`.
    pub fn begin(
        storage: &'a dyn Storage,
        pool: &'a rayon::ThreadPool,
        path: &Path,
        header: &Header,
        key: &MachineKey,
    ) -> Result<Self, SaveError> {
        let mut stored_header = header.encode()?;
        let random = |bytes: &mut [u8]| {
            storage.fill_random(bytes).map_err(|source| SaveError::io(path, "make a key for", source))
        };
        let (mut id, mut nonce, mut data_key) = ([0; 16], [0; NONCE_BYTES], empty_secret());
        random(&mut id)?;
        random(&mut nonce)?;
        random(&mut data_key[..])?;

        let sealer = Sealer::new(&data_key);
        let prefix = Prefix::new(id, stored_header.len() + TAG_BYTES);
        sealer.seal(Part::Header, &prefix.hash(), &mut stored_header);
        let mut file = TemporaryFile::create(storage, path)?;
        file.append(&prefix.block)?;
        file.append(&slot::filled(key, &data_key, nonce, &prefix.hash()))?;
        file.append(&slot::empty())?;
        file.append(&stored_header)?;
        Ok(Self {
            pool,
            file,
            sealer,
            header_hash: prefix.hash_with(&stored_header),
            table: Table::default(),
            pending: Vec::new(),
            batch_bytes: CHUNK_BYTES * (2 * pool.current_num_threads()).min(BATCH_CHUNKS),
            content_bytes: 0,
            benches: Workbenches::default(),
        })
    }

    /// Ends the section before and begins section `id`.
    pub fn section(&mut self, id: u32, codec: Codec) -> Result<(), SaveError> {
        self.end_section()?;
        if self.table.sections.iter().any(|section| section.id == id) {
            return Err(SaveError::SectionTwice { section: id });
        }
        if self.table.sections.len() == SECTIONS {
            return Err(SaveError::Limit { what: "sections", limit: SECTIONS });
        }
        self.table.push_section(id, codec);
        Ok(())
    }

    /// Appends to the section that was begun last.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), SaveError> {
        if self.table.sections.is_empty() {
            return Err(SaveError::NoSection);
        }
        self.content_bytes += bytes.len() as u64;
        while self.pending.len() + bytes.len() > self.batch_bytes {
            if self.pending.is_empty() {
                let (batch, rest) = bytes.split_at(self.batch_bytes);
                self.seal(batch, false)?;
                bytes = rest;
            } else {
                let (fill, rest) = bytes.split_at(self.batch_bytes - self.pending.len());
                self.pending.extend_from_slice(fill);
                self.seal_pending(false)?;
                bytes = rest;
            }
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends slices one after the other.
    pub fn write_all<'s>(&mut self, slices: impl IntoIterator<Item = &'s [u8]>) -> Result<(), SaveError> {
        slices.into_iter().try_for_each(|slice| self.write(slice))
    }

    /// Ends the last section and puts the snapshot in its place, durably.
    ///
    /// # Errors
    /// The path then holds what it held before, except where the last step failed, the sync of the
    /// folder: then it holds the new snapshot, and after a crash the old or the new one.
    pub fn commit(mut self) -> Result<Saved, SaveError> {
        self.end_section()?;
        let table_at = self.file.len();
        let mut table = self.table.encode();
        self.sealer.seal(Part::Table { at: table_at }, &self.header_hash, &mut table);
        let footer = Footer { table_at, table_len: table.len() as u64 };
        self.file.append(&table)?;
        self.file.append(&footer.encode())?;
        let saved = Saved {
            file_bytes: table_at + footer.table_len + FOOTER_BYTES as u64,
            content_bytes: self.content_bytes,
            chunks: self.table.chunk_count(),
        };
        self.file.commit(Onto::Anything)?;
        Ok(saved)
    }

    fn end_section(&mut self) -> Result<(), SaveError> {
        if self.pending.is_empty() { Ok(()) } else { self.seal_pending(true) }
    }

    fn seal_pending(&mut self, last: bool) -> Result<(), SaveError> {
        let mut pending = std::mem::take(&mut self.pending);
        let sealed = self.seal(&pending, last);
        pending.clear();
        self.pending = pending;
        sealed
    }

    /// Seals a batch of chunks in parallel and appends them in order.
    fn seal(&mut self, batch: &[u8], last: bool) -> Result<(), SaveError> {
        let codec = self.table.sections.last().expect("content belongs to a section").codec;
        let first = self.table.chunk_count() as u64;
        let count = batch.len().div_ceil(CHUNK_BYTES);
        let (sealer, hash) = (&self.sealer, &self.header_hash);
        let benches = &self.benches;
        let seal = |(index, content)| {
            let last_of_section = last && index + 1 == count;
            let mut record = benches.work(|bench| codec.pack(content, bench));
            let part = Part::Chunk { number: first + index as u64, last_of_section };
            sealer.seal(part, hash, &mut record);
            record
        };
        let sealed: Vec<Vec<u8>> =
            self.pool.install(|| batch.par_chunks(CHUNK_BYTES).enumerate().map(seal).collect());
        for (content, stored) in batch.chunks(CHUNK_BYTES).zip(&sealed) {
            self.file.append(stored)?;
            self.table.push_chunk(content.len(), stored.len());
        }
        Ok(())
    }
}
