//! Bodies and digests to and from sealed files, as the service keeps them.

use crate::peer::TemporaryFolder;
use hearth_core::CancelToken;
use hearth_files::digest::Digest;
use hearth_files::index::{Body, Section, SectionId, SectionSource, SourceError};
use hearth_snapshot::{CHUNK_BYTES, Codec, Expected, Header, MachineKey, Reader, RealStorage, Saved, Writer};
use rayon::ThreadPool;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KIND: [u8; 4] = *b"file";

/// A place for sealed files, and the key to them.
pub(crate) struct Shelf {
    folder: TemporaryFolder,
    key: MachineKey,
    pool: Arc<ThreadPool>,
}

impl Shelf {
    pub(crate) fn new(pool: Arc<ThreadPool>) -> Result<Self, Box<dyn Error>> {
        let key = MachineKey::random(&RealStorage)?;
        Ok(Shelf { folder: TemporaryFolder::new("snapshot")?, key, pool })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Saves sections, each with the codec that is chosen for it.
    pub(crate) fn save(
        &self,
        name: &str,
        sections: &[Section<'_>],
        codec: impl Fn(&Section<'_>) -> Codec,
    ) -> Result<Saved, Box<dyn Error>> {
        let header = Header {
            kind: KIND,
            identity: Vec::new(),
            epoch: Vec::new(),
            clock: Vec::new(),
            saved_at_ns: 0,
            counts: Vec::new(),
        };
        let mut writer = Writer::begin(&RealStorage, &self.pool, &self.path(name), &header, &self.key)?;
        for section in sections {
            writer.section(u32::from(section.id().number()), codec(section))?;
            for start in (0..section.len()).step_by(CHUNK_BYTES) {
                writer.write(&section.bytes(start..section.len().min(start + CHUNK_BYTES)))?;
            }
        }
        Ok(writer.commit()?)
    }

    pub(crate) fn open(&self, name: &str) -> Result<Sealed<'_>, Box<dyn Error>> {
        let expected = Expected { kind: KIND, identity: &[], epoch: &[], freshness: None };
        let reader = Reader::open(&RealStorage, &self.path(name), &expected, &self.key)?;
        Ok(Sealed { reader, pool: &self.pool })
    }
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

    /// Reads one section and forgets it.
    pub(crate) fn read(&self, id: u32) -> Result<(), Box<dyn Error>> {
        drop(self.reader.read(id, self.pool)?);
        Ok(())
    }
}

impl SectionSource for Sealed<'_> {
    fn len_of(&self, section: SectionId) -> Option<usize> {
        self.reader.section(u32::from(section.number())).and_then(|section| usize::try_from(section.len).ok())
    }

    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError> {
        Ok(self.reader.read_into(u32::from(section.number()), self.pool, out)?)
    }
}

/// Length of a file, bytes.
pub(crate) fn file_bytes(path: &Path) -> std::io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}
