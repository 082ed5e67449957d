//! Why a scan gave no result.
//!
//! A variant per thing that a caller can act on; the system's other refusals keep its words. Only trouble
//! that ends the whole scan is here: what befalls single entries is counted in the report.

use std::io;
use std::path::{Path, PathBuf};

use hearth_core::Cancelled;
use hearth_core::limits::VOLUME_ENTRIES;

/// Why a scan ended without a report, and where. Trouble with single entries is no error: it is
/// counted in the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Nothing is there.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path asked for.
        path: PathBuf,
    },
    /// Something else than a folder is there.
    #[error("{}: not a folder", path.display())]
    NotADirectory {
        /// The path asked for.
        path: PathBuf,
    },
    /// The path, or a folder on the way, may not be read.
    #[error("{}: permission denied", path.display())]
    Denied {
        /// The path asked for.
        path: PathBuf,
    },
    /// The folder shows the kernel's state, not files.
    #[error("{}: a virtual file system ({fs_type}) holds no files to index", path.display())]
    VirtualFileSystem {
        /// The path asked for.
        path: PathBuf,
        /// Type of the file system, for instance `proc`.
        fs_type: String,
    },
    /// The caller's token fired.
    #[error("scan {0}")]
    Cancelled(Cancelled),
    /// More entries than row numbers.
    #[error("{}: more than {VOLUME_ENTRIES} entries", path.display())]
    TooManyEntries {
        /// Root of the scan.
        path: PathBuf,
    },
    /// A worker or the receiver of the chunks panicked.
    #[error("internal error while scanning {}: {message}", path.display())]
    Panicked {
        /// Root of the scan.
        path: PathBuf,
        /// What the panic said.
        message: String,
    },
    /// Any other refusal of the system.
    #[error("{}: {reason}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

impl ScanError {
    /// The error of an operation on `path`.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Io { path, reason: error.to_string() },
        }
    }
}
