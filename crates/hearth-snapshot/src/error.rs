//! Why a snapshot was not loaded, and why one was not saved.
//!
//! A reason for not loading is typed because each has its own word in `status`, its own level in the log
//! and its own line in `doctor`. All of them lead to the same act: the index is built from its source.

use crate::key::KeyError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a snapshot was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no snapshot: none was saved yet, or it was forgotten.
    #[error("{}: there is no snapshot", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// It is older than the configuration lets snapshots become.
    #[error("the snapshot is {} s old, and {} s is the limit", age.as_secs(), ttl.as_secs())]
    StaleByTtl {
        /// Time since it was saved.
        age: Duration,
        /// Oldest that is loaded.
        ttl: Duration,
    },
    /// It was made of another source than the one that is now at this place.
    #[error("{}: the snapshot is of another source than the one that is there now", path.display())]
    StaleVsSource {
        /// The snapshot.
        path: PathBuf,
    },
    /// It was made under other rules: format, index version, configuration.
    #[error("the snapshot was made under other rules: {cached}; now {current}")]
    StaleByEpoch {
        /// The rules it was made under.
        cached: String,
        /// The rules of now.
        current: String,
    },
    /// The disk did not give it.
    #[error("{}: cannot {doing} the snapshot: {source}", path.display())]
    Io {
        /// The snapshot.
        path: PathBuf,
        /// What was tried: `open`, `read`, ….
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The machine key is not there, may not be used, or is not the one that sealed this snapshot.
    #[error("the machine key does not open the snapshot: {0}")]
    KeyUnavailable(#[from] KeyError),
    /// A part is not what was sealed: damage, tampering, parts of another snapshot.
    #[error("{}: {part} of the snapshot is not what was sealed: it is damaged or was changed", path.display())]
    DecryptFailed {
        /// The snapshot.
        path: PathBuf,
        /// Which part: `the header`, `chunk 7`.
        part: String,
    },
    /// A part is as sealed, and does not expand to its length: it was written by faulty code.
    #[error("{}: {part} of the snapshot does not expand to its length", path.display())]
    DecompressFailed {
        /// The snapshot.
        path: PathBuf,
        /// Which part.
        part: String,
    },
    /// It is not laid out as a snapshot is.
    #[error("{}: {detail}", path.display())]
    Parse {
        /// The snapshot.
        path: PathBuf,
        /// What is wrong.
        detail: &'static str,
    },
    /// Only a temporary file of it is there: the first save was cut off.
    #[error("{}: the save of the snapshot was cut off and left only {}", path.display(), temporary.display())]
    Scratch {
        /// Where the snapshot would be.
        path: PathBuf,
        /// The temporary file; [`crate::sweep`] removes it.
        temporary: PathBuf,
    },
    /// The decoder of a section does not accept its content.
    #[error("section {section} of the snapshot: {detail}")]
    Deserialize {
        /// Number of the section.
        section: u32,
        /// What the decoder says.
        detail: String,
    },
}

/// How loud a reason is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Expected at first.
    Debug,
    /// Expected when something moved on.
    Info,
    /// Nothing is lost, but somebody may want to know.
    Warn,
    /// Something is broken: a disk, a file, code.
    Error,
}

impl LoadError {
    /// The reason in one word, as `status` shows it.
    pub fn word(&self) -> &'static str {
        self.traits().0
    }

    /// How loud the reason is in the log.
    pub fn level(&self) -> Level {
        self.traits().1
    }

    fn traits(&self) -> (&'static str, Level) {
        match self {
            Self::Missing { .. } => ("missing", Level::Debug),
            Self::StaleByTtl { .. } => ("stale-by-ttl", Level::Info),
            Self::StaleVsSource { .. } => ("stale-vs-source", Level::Info),
            Self::StaleByEpoch { .. } => ("stale-by-epoch", Level::Info),
            Self::Io { .. } => ("io", Level::Error),
            Self::KeyUnavailable(_) => ("key-unavailable", Level::Warn),
            Self::DecryptFailed { .. } => ("decrypt-failed", Level::Error),
            Self::DecompressFailed { .. } => ("decompress-failed", Level::Error),
            Self::Parse { .. } => ("parse", Level::Warn),
            Self::Scratch { .. } => ("scratch", Level::Info),
            Self::Deserialize { .. } => ("deserialize", Level::Error),
        }
    }

    pub(crate) fn parse(path: &Path, detail: &'static str) -> Self {
        Self::Parse { path: path.to_owned(), detail }
    }

    pub(crate) fn decrypt(path: &Path, part: impl Into<String>) -> Self {
        Self::DecryptFailed { path: path.to_owned(), part: part.into() }
    }

    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, source }
    }
}

/// Why a snapshot was not saved. The one that was there before still is.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The disk did not take it.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What was tried: `create`, `write`, `sync`, `rename`, ….
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The disk or the quota is full.
    #[error("{}: no room on the disk, {written_bytes} bytes were written", path.display())]
    NoSpace {
        /// The temporary file, removed again.
        path: PathBuf,
        /// How much had been written, bytes.
        written_bytes: u64,
    },
    /// More than the format holds.
    #[error("a snapshot holds at most {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
    /// Two sections of one number.
    #[error("section {section} is already in the snapshot")]
    SectionTwice {
        /// The number.
        section: u32,
    },
    /// Bytes were written before a section was begun.
    #[error("content outside of a section")]
    NoSection,
}

impl SaveError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, source }
    }
}
