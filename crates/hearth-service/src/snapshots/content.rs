//! Body and digest as sections of a container, and back.
//!
//! The index says what its sections are, the container keeps them; here they meet, and nothing of either
//! is copied beside the other.

use super::about::About;
use hearth_core::{CancelToken, Cancelled};
use hearth_files::digest::Digest;
use hearth_files::index::{Body, Section, SectionId, SectionSource, SourceError, StoredError};
use hearth_snapshot::{CHUNK_BYTES, Codec, KeyError, LoadError, Reader, SaveError, Writer};
use rayon::ThreadPool;

/// Section of [`About`]; those of the index have smaller numbers.
const ABOUT: u32 = 0x1_0000;
/// Longest [`About`] that is read, bytes.
const ABOUT_BYTES: u64 = 64 << 20;

/// Why a snapshot was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSaved {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Source(LoadError),
}

/// Writes everything of a body.
pub(super) fn write(
    writer: &mut Writer<'_>,
    about: &About,
    body: &Body,
    digest: &Digest,
    cancel: &CancelToken,
) -> Result<(), NotSaved> {
    writer.section(ABOUT, Codec::Zstd)?;
    writer.write(&about.encode())?;
    for section in digest.sections().iter().chain(&body.sections()) {
        write_section(writer, section, cancel)?;
    }
    Ok(())
}

fn write_section(
    writer: &mut Writer<'_>,
    section: &Section<'_>,
    cancel: &CancelToken,
) -> Result<(), NotSaved> {
    writer.section(u32::from(section.id().number()), Codec::Zstd)?;
    let len = section.len();
    for from in (0..len).step_by(CHUNK_BYTES) {
        cancel.check()?;
        writer.write(&section.bytes(from..len.min(from + CHUNK_BYTES)))?;
    }
    Ok(())
}

/// Reads what is known with a body.
pub(super) fn read_about(reader: &Reader, pool: &ThreadPool) -> Result<About, LoadError> {
    let refused = |detail: &str| LoadError::Deserialize { section: ABOUT, detail: detail.to_owned() };
    match reader.section(ABOUT) {
        None => Err(refused("is not there")),
        Some(section) if section.len > ABOUT_BYTES => Err(refused("is too long")),
        Some(_) => About::decode(&reader.read(ABOUT, pool)?).ok_or_else(|| refused("is not of this version")),
    }
}

/// A container as a source of sections.
pub(super) struct Contents<'a> {
    pub(super) reader: &'a Reader,
    pub(super) pool: &'a ThreadPool,
}

impl SectionSource for Contents<'_> {
    fn len_of(&self, section: SectionId) -> Option<usize> {
        let section = self.reader.section(u32::from(section.number()))?;
        usize::try_from(section.len).ok()
    }

    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError> {
        Ok(self.reader.read_into(u32::from(section.number()), self.pool, out)?)
    }
}

/// Why there is no body or digest.
pub(crate) enum NotLoaded {
    Cancelled,
    Because(LoadError),
}

impl From<LoadError> for NotLoaded {
    fn from(error: LoadError) -> Self {
        NotLoaded::Because(error)
    }
}

impl From<StoredError> for NotLoaded {
    fn from(error: StoredError) -> Self {
        NotLoaded::Because(match error {
            StoredError::Cancelled(_) => return NotLoaded::Cancelled,
            StoredError::Version { found, known } => LoadError::StaleByEpoch {
                cached: format!("index layout {found}"),
                current: format!("index layout {known}"),
            },
            StoredError::Source { section, source } => match source.downcast::<LoadError>() {
                Ok(error) => *error,
                Err(error) => deserialize(section, error.to_string()),
            },
            StoredError::Truncated { section, .. } | StoredError::Corrupt { section, .. } => {
                deserialize(section, error.to_string())
            }
        })
    }
}

fn deserialize(section: SectionId, detail: String) -> LoadError {
    LoadError::Deserialize { section: u32::from(section.number()), detail }
}
