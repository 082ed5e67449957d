//! Opens a snapshot and hands out its sections.
//!
//! Opening reads the prefix, the header and the table, nothing else; a section is then read alone. Content goes
//! from the chunk that was read straight to where the caller wants it: beside the caller's memory there
//! is one chunk per thread.

use crate::codec::Codec;
use crate::error::LoadError;
use crate::header::{Expected, Header};
use crate::key::MachineKey;
use crate::layout::{BLOCK_BYTES, CHUNK_BYTES, FOOTER_BYTES, Footer, HEADER_AT, Prefix, SLOTS, SLOTS_AT};
use crate::seal::{Part, Sealer, Secret};
use crate::slot;
use crate::storage::{Open, Storage, StorageFile, read_exact_at};
use crate::table::{Entry, Table};
use crate::temporary::left_over;
use crate::workbench::{Workbench, Workbenches};
use rayon::prelude::*;
use std::io;
use std::path::{Path, PathBuf};

/// An open snapshot. It stays readable when another one takes its place.
pub struct Reader {
    file: File,
    file_len: u64,
    sealer: Sealer,
    header: Header,
    header_hash: [u8; 32],
    table: Table,
    chunks_at: u64,
    benches: Workbenches,
}

/// A section, as the table of the snapshot has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its number.
    pub id: u32,
    /// How it is compressed.
    pub codec: Codec,
    /// Length of its content, bytes: at most 64 times its stored length.
    pub len: u64,
    /// Stored length, bytes.
    pub stored_len: u64,
}

impl Reader {
    /// Opens the snapshot at `path`, if it is the expected one.
    pub fn open(
        storage: &dyn Storage,
        path: &Path,
        expected: &Expected<'_>,
        key: &MachineKey,
    ) -> Result<Self, LoadError> {
        let envelope = Envelope::open(storage, path, Open::Read)?;
        let footer = envelope.footer()?;
        let sealer = Sealer::new(&envelope.data_key(key)?);
        let stored_header = envelope.file.read(HEADER_AT, envelope.prefix.header_len)?;
        let header_hash = envelope.prefix.hash_with(&stored_header);
        let header = open_header(path, &sealer, &envelope.prefix, stored_header)?;
        header.check(path, expected)?;
        let table = open_table(&envelope, &sealer, footer, &header_hash)?;
        let chunks_at = envelope.chunks_at();
        let Envelope { file, len, .. } = envelope;
        let benches = Workbenches::default();
        Ok(Self { file, file_len: len, sealer, header, header_hash, table, chunks_at, benches })
    }

    /// What the snapshot says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Length of the file, bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_len
    }

    /// All sections, in the order in which they were written.
    pub fn sections(&self) -> impl Iterator<Item = Section> + '_ {
        self.table.sections.iter().map(|entry| self.describe(entry))
    }

    /// One section.
    pub fn section(&self, id: u32) -> Option<Section> {
        self.entry(id).ok().map(|entry| self.describe(entry))
    }

    /// Hands out a section chunk by chunk: the offset in the section, and the bytes there. All chunks but
    /// the last are [`CHUNK_BYTES`] long. What `decoder` refuses is [`LoadError::Deserialize`].
    pub fn read_chunks(
        &self,
        id: u32,
        mut decoder: impl FnMut(u64, &[u8]) -> Result<(), String>,
    ) -> Result<(), LoadError> {
        let entry = self.entry(id)?;
        let mut content = Vec::new();
        for index in 0..entry.chunks() {
            content.resize(entry.chunk_len(index), 0);
            self.read_chunk(entry, index, &mut content)?;
            decoder(index * CHUNK_BYTES as u64, &content)
                .map_err(|detail| LoadError::Deserialize { section: id, detail })?;
        }
        Ok(())
    }

    /// Fills `target`, which is as long as the section, on all threads of `pool`.
    pub fn read_into(&self, id: u32, pool: &rayon::ThreadPool, target: &mut [u8]) -> Result<(), LoadError> {
        let entry = self.entry(id)?;
        if entry.len != target.len() as u64 {
            let detail = format!("is {} bytes long, and {} are wanted", entry.len, target.len());
            return Err(LoadError::Deserialize { section: id, detail });
        }
        pool.install(|| {
            let chunks = target.par_chunks_mut(CHUNK_BYTES).enumerate();
            chunks.try_for_each(|(index, content)| self.read_chunk(entry, index as u64, content))
        })
    }

    /// Reads a whole section on all threads of `pool`.
    pub fn read(&self, id: u32, pool: &rayon::ThreadPool) -> Result<Vec<u8>, LoadError> {
        let len = usize::try_from(self.entry(id)?.len)
            .map_err(|_| self.file.io("read", io::ErrorKind::OutOfMemory.into()))?;
        let mut content = vec![0; len];
        self.read_into(id, pool, &mut content)?;
        Ok(content)
    }

    fn entry(&self, id: u32) -> Result<&Entry, LoadError> {
        let entry = self.table.sections.iter().find(|entry| entry.id == id);
        entry.ok_or_else(|| LoadError::Deserialize { section: id, detail: "is not there".to_owned() })
    }

    fn describe(&self, entry: &Entry) -> Section {
        let chunks = entry.first_chunk..entry.first_chunk + entry.chunks() as usize;
        let stored_len = chunks.map(|chunk| self.table.place(chunk).stored_len as u64).sum();
        Section { id: entry.id, codec: entry.codec, len: entry.len, stored_len }
    }

    fn read_chunk(&self, entry: &Entry, index: u64, content: &mut [u8]) -> Result<(), LoadError> {
        self.benches.work(|bench| self.read_chunk_at(bench, entry, index, content))
    }

    fn read_chunk_at(
        &self,
        bench: &mut Workbench,
        entry: &Entry,
        index: u64,
        content: &mut [u8],
    ) -> Result<(), LoadError> {
        let chunk = entry.first_chunk + index as usize;
        let place = self.table.place(chunk);
        let mut stored = std::mem::take(&mut bench.stored);
        stored.resize(place.stored_len, 0);
        self.file.read_exact(self.chunks_at + place.at, &mut stored)?;
        let part = Part::Chunk { number: chunk as u64, last_of_section: index + 1 == entry.chunks() };
        let path = &self.file.path;
        let record = self.sealer.open(part, &self.header_hash, &mut stored);
        let record = record.map_err(|_| LoadError::decrypt(path, format!("chunk {chunk}")))?;
        let expanded = entry.codec.unpack(record, content, bench);
        bench.stored = stored;
        expanded
            .map_err(|_| LoadError::DecompressFailed { path: path.clone(), part: format!("chunk {chunk}") })
    }
}

fn open_header(
    path: &Path,
    sealer: &Sealer,
    prefix: &Prefix,
    mut stored: Vec<u8>,
) -> Result<Header, LoadError> {
    let text = sealer.open(Part::Header, &prefix.hash(), &mut stored);
    let text = text.map_err(|_| LoadError::decrypt(path, "the header"))?;
    Header::parse(text)
        .ok_or_else(|| LoadError::parse(path, "the header holds values that no version writes"))
}

fn open_table(
    envelope: &Envelope,
    sealer: &Sealer,
    footer: Footer,
    header_hash: &[u8; 32],
) -> Result<Table, LoadError> {
    let path = &envelope.file.path;
    let len =
        usize::try_from(footer.table_len).map_err(|_| LoadError::parse(path, "the table is too long"))?;
    let mut stored = envelope.file.read(footer.table_at, len)?;
    let text = sealer.open(Part::Table { at: footer.table_at }, header_hash, &mut stored);
    let text = text.map_err(|_| LoadError::decrypt(path, "the table"))?;
    Table::parse(text, footer.table_at - envelope.chunks_at())
        .map_err(|detail| LoadError::parse(path, detail))
}

/// What of a snapshot is in clear: the prefix and the key slots.
pub(crate) struct Envelope {
    pub(crate) file: File,
    /// Length of the file, bytes.
    len: u64,
    pub(crate) prefix: Prefix,
    pub(crate) slots: Vec<u8>,
}

impl Envelope {
    pub(crate) fn open(storage: &dyn Storage, path: &Path, how: Open) -> Result<Self, LoadError> {
        let file = File::open(storage, path, how)?;
        let len = file.file.len().map_err(|error| file.io("look at", error))?;
        let prefix = Prefix::parse(path, &file.read(0, short(len).min(BLOCK_BYTES))?)?;
        let least = HEADER_AT + (prefix.header_len + FOOTER_BYTES) as u64;
        if len < least {
            return Err(LoadError::parse(path, "the file ends before its table: it was cut"));
        }
        let slots = file.read(SLOTS_AT, SLOTS * BLOCK_BYTES)?;
        Ok(Self { file, len, prefix, slots })
    }

    fn footer(&self) -> Result<Footer, LoadError> {
        let bytes = self.file.read(self.len - FOOTER_BYTES as u64, FOOTER_BYTES)?;
        Footer::parse(&self.file.path, &bytes, self.chunks_at(), self.len)
    }

    fn chunks_at(&self) -> u64 {
        HEADER_AT + self.prefix.header_len as u64
    }

    pub(crate) fn data_key(&self, key: &MachineKey) -> Result<Secret, LoadError> {
        slot::open(&self.file.path, key, &self.slots, &self.prefix.hash())
    }
}

fn short(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// A file of storage that knows its path, for errors.
pub(crate) struct File {
    pub(crate) file: Box<dyn StorageFile>,
    pub(crate) path: PathBuf,
}

impl File {
    fn open(storage: &dyn Storage, path: &Path, how: Open) -> Result<Self, LoadError> {
        match storage.open(path, how) {
            Ok(file) => Ok(Self { file, path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(match left_over(storage, path) {
                Some(temporary) => LoadError::Scratch { path: path.to_owned(), temporary },
                None => LoadError::Missing { path: path.to_owned() },
            }),
            Err(error) => Err(LoadError::io(path, "open", error)),
        }
    }

    /// Reads `len` bytes, which the caller has compared with the length of the file.
    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, LoadError> {
        let mut bytes = vec![0; len];
        self.read_exact(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn read_exact(&self, offset: u64, bytes: &mut [u8]) -> Result<(), LoadError> {
        read_exact_at(&*self.file, bytes, offset).map_err(|error| self.io("read", error))
    }

    pub(crate) fn io(&self, doing: &'static str, error: io::Error) -> LoadError {
        LoadError::io(&self.path, doing, error)
    }
}
