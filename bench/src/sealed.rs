//! An index as a sealed file, for the bench: what the service does between `Body::sections` and a container.
//!
//! Small on purpose: what is measured is the index and the container, not what stands between them.

use crate::peer::TemporaryFolder;
use hearth_core::CancelToken;
use hearth_files::digest::Digest;
use hearth_files::index::{Body, Section, SectionId, SectionSource, SourceError};
use hearth_snapshot::{CHUNK_BYTES, Codec, Expected, Header, MachineKey, Reader, RealStorage, Saved, Writer};
use rayon::ThreadPool;
use std::error::Error;
use std::path::PathBuf;

const KIND: [u8; 4] = *b"file";

/// A place for sealed files, and the key to them.
pub(crate) struct Shelf {
    folder: TemporaryFolder,
    key: MachineKey,
}

impl Shelf {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let key = MachineKey::random(&RealStorage)?;
        Ok(Shelf { folder: TemporaryFolder::new("snapshot")?, key })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Saves a body with its digest.
    pub(crate) fn save(
        &self,
        name: &str,
        (body, digest): (&Body, &Digest),
        codec: Codec,
        pool: &ThreadPool,
    ) -> Result<Saved, Box<dyn Error>> {
        let header = Header {
            kind: KIND,
            identity: Vec::new(),
            epoch: Vec::new(),
            clock: Vec::new(),
            saved_at_ns: 0,
            counts: Vec::new(),
        };
        let mut writer = Writer::begin(&RealStorage, pool, &self.path(name), &header, &self.key)?;
        for section in body.sections().iter().chain(&digest.sections()) {
            write(&mut writer, section, codec)?;
        }
        Ok(writer.commit()?)
    }

    pub(crate) fn open<'a>(&self, name: &str, pool: &'a ThreadPool) -> Result<Sealed<'a>, Box<dyn Error>> {
        let expected = Expected { kind: KIND, identity: &[], epoch: &[], freshness: None };
        let reader = Reader::open(&RealStorage, &self.path(name), &expected, &self.key)?;
        Ok(Sealed { reader, pool })
    }
}

fn write(writer: &mut Writer<'_>, section: &Section<'_>, codec: Codec) -> Result<(), Box<dyn Error>> {
    writer.section(u32::from(section.id().number()), codec)?;
    for start in (0..section.len()).step_by(CHUNK_BYTES) {
        writer.write(&section.bytes(start..section.len().min(start + CHUNK_BYTES)))?;
    }
    Ok(())
}

/// An open file.
pub(crate) struct Sealed<'a> {
    pub(crate) reader: Reader,
    pool: &'a ThreadPool,
}

impl Sealed<'_> {
    pub(crate) fn body(&self) -> Result<Body, Box<dyn Error>> {
        Ok(Body::load(self, self.pool, &CancelToken::new())?)
    }

    pub(crate) fn digest(&self) -> Result<Digest, Box<dyn Error>> {
        Ok(Digest::load(self, &CancelToken::new())?)
    }

    /// Opens and expands a section on this thread, and forgets it.
    pub(crate) fn open_section(&self, id: u32) -> Result<(), Box<dyn Error>> {
        Ok(self.reader.read_chunks(id, |_, _| Ok(()))?)
    }
}

impl SectionSource for Sealed<'_> {
    fn len_of(&self, section: SectionId) -> Option<usize> {
        let section = self.reader.section(u32::from(section.number()))?;
        usize::try_from(section.len).ok()
    }

    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError> {
        Ok(self.reader.read_into(u32::from(section.number()), self.pool, out)?)
    }
}
