//! What a feed hands out: dirt, merged over a short time, with what has to be known beside it.
//!
//! Folders and objects are named by their inodes, which mean something within one file system (on btrfs, one
//! subvolume).

use std::sync::Arc;
use std::time::Instant;

use crate::cookie::Cookie;

/// What should be looked at again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dirt {
    /// This name in this folder: it may have come, gone, become another, or changed its metadata.
    Name {
        /// Inode of the folder.
        folder: u64,
        /// The name, as bytes.
        name: Box<[u8]>,
    },
    /// The list of names of this folder, with their metadata: its watch came late, or too many of its names are dirty.
    Folder {
        /// Inode of the folder.
        folder: u64,
    },
    /// Metadata of the object itself and of all its names: a watched root, or an object whose name the event
    /// does not tell, for instance because one of its hard links came or went.
    Object {
        /// Its inode.
        inode: u64,
    },
}

/// What happened since the last batch, merged: each piece of dirt once.
///
/// The metadata of a folder changes with every change inside it; that is not said as a piece of dirt of its own.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What to look at again, names of one folder side by side.
    pub dirt: Vec<Dirt>,
    /// Something was lost: everything must be compared, and the comparison must begin after this batch came.
    /// `dirt` may be empty then.
    pub overflowed: bool,
    /// Cookies that the feed has passed, in the order in which they were dropped.
    pub cookies: Vec<Cookie>,
    /// When the oldest event of the batch was read.
    pub since: Instant,
    /// Who did it, where the feed can tell and was asked to. Acts on one name while the reader was away merge: they are
    /// then listed in the order of [`ActKind`].
    pub acts: Vec<Act>,
    /// Acts that were left out because a batch holds a bounded number.
    pub acts_dropped: u64,
    /// Position of the feed after this batch: grows with every batch, begins anew with every feed.
    pub clock: u64,
    /// Events in the same file system but outside of the watched subvolume (btrfs), or not attributable to any object
    /// that still exists. There is no dirt for them.
    pub elsewhere: u64,
}

/// One thing that somebody did to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Inode of the folder.
    pub folder: u64,
    /// The name in it.
    pub name: Box<[u8]>,
    /// What was done.
    pub kind: ActKind,
    /// Who did it; 0 if that process is not visible from here.
    pub pid: u32,
    /// When it was read, nanoseconds since 1970.
    pub at_ns: i64,
    /// Name of the program (`comm`); empty if the process was gone before it could be asked.
    pub command: Arc<str>,
    /// Effective user of the process; `None` if it was gone.
    pub uid: Option<u32>,
}

/// What can be done to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActKind {
    /// It came into being, also as another hard link.
    Created,
    /// It is the new name of something.
    RenamedTo,
    /// Contents were written, or the size was changed.
    Modified,
    /// Owner, mode, times or extended attributes were changed.
    Attributes,
    /// It was the old name of something.
    RenamedFrom,
    /// It was removed.
    Removed,
}
