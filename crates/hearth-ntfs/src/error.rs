//! Why a volume cannot be read as a whole. What is wrong with one record is counted, and no error.

use std::io;

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum NtfsError {
    /// Reading failed.
    #[error("reading {bytes} bytes at {offset}: {source}")]
    Io {
        /// First byte that was asked for.
        offset: u64,
        /// How many.
        bytes: u64,
        /// Why.
        source: io::Error,
    },
    /// This is no NTFS.
    #[error("no NTFS here: {0}")]
    NotNtfs(&'static str),
    /// It is NTFS, and something that all else hangs on is damaged.
    #[error("damaged NTFS: {0}")]
    Damaged(String),
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] hearth_core::Cancelled),
}
