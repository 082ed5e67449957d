//! NTFS volumes for tests: made and changed by `ntfs-3g`, with the change journal that Windows would have written.
//!
//! Nothing of the product is used here, so that what is told about a volume is a second opinion.

pub mod acts;
mod fill;
mod image;
mod journal;
mod listing;
mod raw;
pub mod usn;

pub use fill::Dice;
pub use image::{Form, Mount, NtfsImage};
pub use journal::Journal;
pub use listing::{Kind, Listing, Row};
