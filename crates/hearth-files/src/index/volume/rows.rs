//! The writer's entrance for a follower: folders by number, entries by row, nothing guessed.
//!
//! A feed of changes names folders by inode and leaves moves to be found out; who looks at the disk knows
//! which folder he looked at and what became of it. Inodes may repeat within a volume (folders that something
//! is mounted on, subvolumes), numbers of folders do not, and they outlive renames and moves.

use super::Volume;
use crate::entry::Meta;
use crate::index::RowId;
use crate::index::base::DirId;
use crate::index::body::Body;
use crate::index::delta::NONE;
use std::collections::BTreeSet;

/// One instant of a volume to compare the disk with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) body: &'a Body,
    /// Folders that an added row of `body` stands for, by inode.
    pub(crate) added_dirs: &'a BTreeSet<(u64, DirId)>,
}

impl<'a> Known<'a> {
    /// Live folders with this inode, each once.
    pub(crate) fn folders_of_inode(self, inode: u64) -> impl Iterator<Item = DirId> + 'a {
        let body = self.body;
        let added = self.added_dirs.range((inode, 0)..=(inode, DirId::MAX)).map(|&(_, dir)| dir);
        let in_base = move |dir: &DirId| {
            let row = body.dir_row(*dir);
            body.is_base(row) && body.is_live(row)
        };
        added.chain(body.base.dirs_of_inode(inode).filter(in_base))
    }

    /// Whether a folder with this number is in the volume.
    pub(crate) fn has_folder(self, dir: DirId) -> bool {
        let in_base = dir < self.body.base.dir_count();
        (in_base || self.body.delta.patch(dir).row != NONE) && self.body.is_live(self.body.dir_row(dir))
    }

    /// Inode of a row.
    pub(crate) fn inode(self, row: RowId) -> u64 {
        self.body.added(row).map_or_else(|| self.body.base.inode(row), |added| added.meta.inode)
    }

    /// Metadata of a folder.
    pub(crate) fn folder_meta(self, dir: DirId) -> Meta {
        self.body.meta(self.body.dir_row(dir))
    }
}

impl Volume {
    /// What is known now.
    pub(crate) fn known(&self) -> Known<'_> {
        Known { body: &self.body, added_dirs: &self.added_dirs }
    }

    /// The entry of a folder by raw name.
    pub(crate) fn row_at(&self, folder: DirId, name: &[u8]) -> Option<RowId> {
        self.lookup(folder, name)
    }

    /// Rows of an inode that is no folder: as many as it has names.
    pub(crate) fn names_of_inode(&self, inode: u64) -> Vec<RowId> {
        self.rows_of_inode(inode)
    }

    /// Gives an entry this metadata; kind and inode stay.
    pub(crate) fn refresh(&mut self, row: RowId, meta: Meta) {
        self.set_meta(row, meta);
    }

    /// Adds an entry where there is none of its name; gives the number of a folder.
    pub(crate) fn add(&mut self, folder: DirId, name: &[u8], meta: Meta) -> Option<DirId> {
        self.insert(folder, name, meta)
    }

    /// Moves a folder to a free name. False if it would come to lie below itself.
    pub(crate) fn move_folder(&mut self, dir: DirId, to: DirId, name: &[u8]) -> bool {
        self.relocate(self.body.dir_row(dir), to, name).is_some()
    }
}
