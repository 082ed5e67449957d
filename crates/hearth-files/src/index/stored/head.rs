//! The head: version and counts, from which the lengths of most other sections follow.
//!
//! Counts are claims until the sections bear them out: nothing is allocated for them alone, and none is
//! larger than an index can be.

use super::StoredError;
use super::section::{Element, SectionId};
use crate::index::base::Base;
use hearth_core::limits;

/// Version of the layout of all sections of a body. Any change to what a section means raises it.
const LAYOUT: u32 = 3;

/// Version, rows, names, folders, hard links, bytes of the root path.
const COUNTS: usize = 6;
/// Width of an extension number.
const WIDTHS: usize = 1;

/// See the module.
pub(super) struct Head {
    pub(super) rows: u32,
    pub(super) names: u32,
    pub(super) dirs: u32,
    pub(super) hard_links: u32,
    pub(super) root_bytes: u32,
    /// Width of an extension number where it is stored apart.
    pub(super) ext_width: u8,
}

impl Head {
    pub(super) fn of(base: &Base) -> Head {
        Head {
            rows: base.len,
            names: base.names.len() as u32,
            dirs: base.dir_count(),
            hard_links: base.hard_links.len() as u32,
            root_bytes: base.root.len() as u32,
            ext_width: base.names.ext_width(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; COUNTS * 4];
        [LAYOUT, self.rows, self.names, self.dirs, self.hard_links, self.root_bytes].put(&mut bytes);
        bytes.push(self.ext_width);
        bytes
    }

    pub(super) fn decode(bytes: &[u8], section: SectionId) -> Result<Head, StoredError> {
        let wanted = COUNTS * 4 + WIDTHS;
        let truncated = StoredError::Truncated { section, found: bytes.len(), wanted };
        if let Some(found) =
            bytes.first_chunk().map(|&found| u32::from_le_bytes(found)).filter(|&found| found != LAYOUT)
        {
            return Err(StoredError::Version { found, known: LAYOUT });
        }
        let Some((counts, widths)) = bytes.split_at_checked(COUNTS * 4) else { return Err(truncated) };
        let [_, rows, names, dirs, hard_links, root_bytes] = <[u32; COUNTS]>::get(counts);
        let &[ext_width] = widths else { return Err(truncated) };
        section.check(rows > 0 && rows as usize <= limits::VOLUME_ENTRIES, "no possible number of rows")?;
        section.check((1..=rows).contains(&names), "no possible number of names")?;
        section.check((1..=rows).contains(&dirs), "no possible number of folders")?;
        Ok(Head { rows, names, dirs, hard_links, root_bytes, ext_width })
    }
}
