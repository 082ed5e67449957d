//! Why looking gave no result.
//!
//! Trouble with single entries is counted in [`Seen`](super::Seen); only what makes the rest of the work
//! pointless is here. Changes made until then are true ones and stay.

use std::path::PathBuf;

use hearth_core::Cancelled;

use crate::scan::ScanError;

/// Why a follower stopped. The volume then holds some of the changes, all of them true; what was to be looked
/// at counts as not looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The root of the volume cannot be opened: it went away, or may not be read any more.
    #[error("the root of the volume cannot be opened: {0}")]
    Root(#[source] ScanError),
    /// The folder at the root's path is another one: the file system was unmounted, or something was
    /// mounted over it.
    #[error("{}: not the folder that was indexed; it was unmounted, replaced or covered", path.display())]
    OtherRoot {
        /// Path of the root.
        path: PathBuf,
    },
    /// The caller's token fired.
    #[error("stopped looking for changes: {0}")]
    Cancelled(#[from] Cancelled),
    /// So much differs that a new scan takes less memory and time.
    #[error("more than {limit} entries changed; scan the volume again")]
    TooMuchChanged {
        /// The caller's limit, rows.
        limit: usize,
    },
    /// A thread panicked.
    #[error("internal error while looking for changes: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
}
