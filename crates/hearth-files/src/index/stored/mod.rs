//! A body as sections of bytes, and back: what a snapshot keeps.
//!
//! [`Body::sections`] lends the memory of every part, [`Body::load`] fills the same parts again, each at
//! its exact size. What follows from other parts at the speed of reading it (lengths of names, counts in
//! bitmaps, parents of folders) is not stored. `docs/design/files-sections.md` draws every section.
//!
//! What always holds: whatever the bytes are, a load ends with a body on which every query ends without
//! a panic, or with a [`StoredError`]. Every number that leads to a place in memory is checked here, and
//! every chain that is followed is known to end; what may be wrong is the answer.

mod columns;
mod delta;
mod dirs;
mod head;
pub(crate) mod memory;
pub(crate) mod numbers;
mod order;
pub(crate) mod parts;
pub(crate) mod reader;
mod rows;
pub(crate) mod section;

pub use section::{Section, SectionId};

use super::base::Base;
use super::body::Body;
use super::delta::Delta;
use super::grams::GramIndex;
use super::names::NameDict;
use columns::load_columns;
use dirs::StoredDirs;
use head::Head;
use hearth_core::{CancelToken, Cancelled};
use rayon::ThreadPool;
use reader::Reader;
use rows::RowNames;
use std::error::Error;
use std::sync::Arc;

const HEAD: SectionId = SectionId::new(1, "head");
const ROOT: SectionId = SectionId::new(2, "root path");

/// Why a section could not be had from its source.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// Where sections come from. Asked by several threads at once, from within the pool of the load.
pub trait SectionSource: Sync {
    /// Length of a section in bytes, `None` if there is none. That much is allocated, so it must be no
    /// mere claim: at least what the source holds must justify it.
    fn len_of(&self, section: SectionId) -> Option<usize>;

    /// Fills `out`, which is as long as the section.
    ///
    /// # Errors
    /// Whatever keeps the source from it; passed on in [`StoredError::Source`].
    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError>;
}

/// Why sections gave no index.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Written in a layout that this program does not read.
    #[error("the index is stored in layout {found}, this program reads layout {known}: build it again")]
    Version {
        /// Layout of the sections.
        found: u32,
        /// The layout that is read.
        known: u32,
    },
    /// A section is missing or shorter than what it should hold.
    #[error("section {section} has {found} bytes instead of {wanted}: build the index again")]
    Truncated {
        /// Which.
        section: SectionId,
        /// Its bytes.
        found: usize,
        /// The bytes it should have, at least.
        wanted: usize,
    },
    /// A section holds what no index does.
    #[error("section {section} is damaged ({what}): build the index again")]
    Corrupt {
        /// Which.
        section: SectionId,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The source failed.
    #[error("section {section} cannot be read: {source}")]
    Source {
        /// Which.
        section: SectionId,
        /// Why.
        source: SourceError,
    },
}

impl Body {
    /// All sections, the head first; the changes since the base are a section of their own.
    pub fn sections(&self) -> Vec<Section<'_>> {
        let base = &*self.base;
        let mut sections =
            vec![Section::made(HEAD, Head::of(base).encode()), Section::bytes_of(ROOT, &base.root)];
        base.names.store(&mut sections);
        base.grams.store(&mut sections);
        rows::store(base, &mut sections);
        dirs::store(base, &mut sections);
        columns::store(base, &mut sections);
        delta::store(self, &mut sections);
        sections
    }

    /// A body from its sections, read and checked on `pool`.
    ///
    /// # Errors
    /// [`StoredError`]; nothing of what was read is kept.
    pub fn load(
        source: &dyn SectionSource,
        pool: &ThreadPool,
        cancel: &CancelToken,
    ) -> Result<Body, StoredError> {
        let reader = Reader::new(source, cancel);
        let head = Head::decode(&reader.all(HEAD)?, HEAD)?;
        rows::check_claims(&reader, &head)?;
        let base = pool.install(|| load_base(&reader, &head))?;
        let delta = if reader.has(delta::DELTA) {
            delta::load(&reader.all(delta::DELTA)?, &base)?
        } else {
            Delta::new(base.dir_count())
        };
        Ok(Body { base: Arc::new(base), delta })
    }
}

fn load_base(reader: &Reader<'_>, head: &Head) -> Result<Base, StoredError> {
    let texts = || {
        let (names, grams) = rayon::join(
            || NameDict::load(reader, head.names, head.ext_width),
            || GramIndex::load(reader, head.names),
        );
        Ok::<_, StoredError>((names?, grams?))
    };
    let tables = || {
        let (rows, (dirs, columns)) = rayon::join(
            || RowNames::load(reader, head),
            || rayon::join(|| StoredDirs::load(reader, head), || load_columns(reader, head)),
        );
        Ok::<_, StoredError>((rows?, dirs?, columns?))
    };
    let (texts, tables) = rayon::join(texts, tables);
    let ((names, grams), (rows, dirs, columns)) = (texts?, tables?);
    let hard_links = rows::load_hard_links(reader, head, &dirs.is_dir)?;
    let base = Base {
        root: load_root(reader, head)?,
        len: head.rows,
        names,
        grams,
        name_of: rows.name_of,
        firsts: rows.firsts,
        repeats: rows.repeats,
        repeat_starts: rows.repeat_starts,
        row_counts: rows.row_counts,
        is_dir: dirs.is_dir,
        dirs: dirs.columns,
        columns,
        hard_links,
    };
    order::check(&base)?;
    Ok(base)
}

/// An absolute path without trailing slash, "" for `/`.
fn load_root(reader: &Reader<'_>, head: &Head) -> Result<Box<[u8]>, StoredError> {
    let root = reader.bytes(ROOT, head.root_bytes as usize)?;
    let absolute = root.is_empty() || (root[0] == b'/' && !root.ends_with(b"/"));
    ROOT.check(absolute && !root.contains(&0), "no absolute path")?;
    Ok(root.into_boxed_slice())
}
