//! NTFS volumes as sources, end to end: images made by `ntfs-3g`, answers compared with what that lists.
//!
//! What the machine lacks is left out with a word on the error stream.

mod asking;
mod deleted;
mod forms;
mod listing;
mod replay;
mod world;
