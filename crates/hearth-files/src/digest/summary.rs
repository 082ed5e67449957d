//! What a digest remembers of a volume in numbers: how many entries and bytes there are, and which of the
//! root's folders hold most of them.
//!
//! It is true for the body that it was made of; changes that are absorbed without a body leave it alone.

use crate::index::{Body, Totals};
use hearth_core::{EntryKind, HeapSize};
use std::cmp::Reverse;

/// Folders listed in [`Summary::largest`] at most.
pub(super) const LARGEST: usize = 8;

/// Figures of a body at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Entries, the root of the volume included.
    pub entries: u64,
    /// Folders among them, the root included.
    pub folders: u64,
    /// Totals of the root: everything below it.
    pub totals: Totals,
    /// Folders directly below the root with the most bytes below them, largest first, at most eight.
    pub largest: Vec<FolderShare>,
}

/// One folder directly below the root of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderShare {
    /// Raw name.
    pub name: Vec<u8>,
    /// Totals of everything below it.
    pub totals: Totals,
}

impl Summary {
    /// Figures of a body. Costs what changed since its base and what lies directly below its root.
    pub fn of(body: &Body) -> Summary {
        let root = body.root_row();
        Summary {
            entries: body.entries(),
            folders: body.folders(),
            totals: body.totals(root).unwrap_or_default(),
            largest: largest(body),
        }
    }

    /// Entries that are not folders.
    pub fn files(&self) -> u64 {
        self.entries - self.folders
    }
}

fn largest(body: &Body) -> Vec<FolderShare> {
    let rows = body.dir_of(body.root_row()).map_or_else(Vec::new, |dir| body.children_of(dir));
    let folders = rows.into_iter().filter(|&row| body.kind(row) == EntryKind::Dir);
    let mut shares: Vec<FolderShare> = folders
        .map(|row| {
            let mut name = Vec::new();
            body.name_into(row, &mut name);
            FolderShare { name, totals: body.totals(row).unwrap_or_default() }
        })
        .collect();
    shares.sort_unstable_by(|a, b| (Reverse(a.totals.size), &a.name).cmp(&(Reverse(b.totals.size), &b.name)));
    shares.truncate(LARGEST);
    shares.shrink_to_fit();
    shares
}

impl HeapSize for Summary {
    fn heap_bytes(&self) -> usize {
        let names: usize = self.largest.iter().map(|share| share.name.heap_bytes()).sum();
        self.largest.capacity() * size_of::<FolderShare>() + names
    }
}
