//! What a look at the disk found that the index does not have: the message from who looks to who writes.
//!
//! Folders have numbers here as in a scan: those that the index knows have their own, those that are new get
//! one from [`FIRST_NEW`] on, which the writer turns into the folder's own when it adds the row. The finding of a
//! new folder always comes before all findings inside it.

use crate::entry::{Meta, ScanDir};

/// Numbers of new folders begin here; those that the index knows are below.
pub(super) const FIRST_NEW: ScanDir = 1 << 31;

/// An entry on disk.
#[derive(Debug)]
pub(super) struct There {
    pub(super) folder: ScanDir,
    pub(super) name: Box<[u8]>,
    pub(super) meta: Meta,
    /// Of a folder: the number that it has, known or new.
    pub(super) dir: Option<ScanDir>,
    /// Of a folder: what is below it is not for the index (a mount, an exclude rule, nested too deep).
    pub(super) barred: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) enum Finding {
    /// This entry is there, and is not so in the index.
    There(There),
    /// No entry has this name.
    Gone { folder: ScanDir, name: Box<[u8]> },
    /// A folder's own metadata.
    Itself { folder: ScanDir, meta: Meta },
    /// A folder changed while it was looked at.
    Again { folder: ScanDir },
}
