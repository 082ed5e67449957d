//! Places to look at that a body lacks, each once, in bounded memory.
//!
//! What does not fit is not forgotten: everything is then to be compared.

use hearth_files::follow::Look;
use hearth_watch::Dirt;
use std::collections::HashSet;

/// Memory of one backlog, bytes: some 300 000 names of usual length.
const MOST_BYTES: usize = 32 << 20;
/// What a place takes besides its name, bytes.
const PLACE_BYTES: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    looks: HashSet<Look>,
    bytes: usize,
    lost: bool,
}

impl Backlog {
    /// Adds a place.
    pub(super) fn add(&mut self, look: Look) {
        if self.lost {
            return;
        }
        let bytes = PLACE_BYTES + if let Look::Name { name, .. } = &look { name.len() } else { 0 };
        if self.looks.insert(look) {
            self.bytes += bytes;
        }
        if self.bytes > MOST_BYTES {
            self.lose();
        }
    }

    /// From now on everything is to be compared.
    pub(super) fn lose(&mut self) {
        *self = Self { lost: true, ..Self::default() };
    }

    /// True if everything is to be compared.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// True if there is nowhere to look.
    pub(super) fn is_empty(&self) -> bool {
        self.looks.is_empty() && !self.lost
    }

    /// The places.
    pub(super) fn looks(&self) -> impl Iterator<Item = &Look> {
        self.looks.iter()
    }

    /// Takes the places out, in an order that keeps those of one folder together.
    pub(super) fn take(&mut self) -> Vec<Look> {
        self.bytes = 0;
        let mut looks: Vec<Look> = self.looks.drain().collect();
        looks.sort_unstable();
        looks
    }
}

/// Where to look because of a piece of dirt.
pub(super) fn look_at(dirt: Dirt) -> Look {
    match dirt {
        Dirt::Name { folder, name } => Look::Name { folder, name },
        Dirt::Folder { folder } => Look::Folder { folder },
        Dirt::Object { inode } => Look::Object { inode },
    }
}

/// Inode of the folder that dirt lies in, if it says so.
pub(super) fn folder_of(dirt: &Dirt) -> Option<u64> {
    match dirt {
        Dirt::Name { folder, .. } | Dirt::Folder { folder } => Some(*folder),
        Dirt::Object { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Look {
        Look::Name { folder: 7, name: format!("{number:08}").into_bytes().into() }
    }

    #[test]
    fn each_place_is_there_once_and_taken_in_order() {
        let mut backlog = Backlog::default();
        [3, 1, 3, 2].into_iter().for_each(|number| backlog.add(name(number)));
        assert_eq!(backlog.take(), [name(1), name(2), name(3)]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn what_does_not_fit_asks_for_a_comparison() {
        let mut backlog = Backlog::default();
        let fits = MOST_BYTES / (PLACE_BYTES + 8);
        (0..fits).for_each(|number| backlog.add(name(number)));
        assert!(!backlog.is_lost());
        // Repeating takes no room.
        (0..fits).for_each(|number| backlog.add(name(number)));
        assert!(!backlog.is_lost());
        (fits..fits + 2).for_each(|number| backlog.add(name(number)));
        assert!(backlog.is_lost() && !backlog.is_empty() && backlog.take().is_empty());
    }
}
