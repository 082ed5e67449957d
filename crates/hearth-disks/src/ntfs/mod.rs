//! NTFS volumes for tests: made and changed by `ntfs-3g`, with the change journal that Windows would have written.
//!
//! Nothing of the product is used here, so that what is told about a volume is a second opinion.

pub mod usn;
