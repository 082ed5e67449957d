//! Folders of a body by inode: feeds and followers name folders so, people by path.

use super::base::DirId;
use super::body::Body;
use super::delta::NONE;
use std::collections::{HashMap, HashSet};

impl Body {
    /// Absolute paths of the folders with these inodes, in their order and without trailing slash (`/` is
    /// empty); `None` where there is none. Of several with one inode (mounts, subvolumes) one is taken.
    ///
    /// Folders that came since the base was built are gone through once a call: ask for many at once.
    pub fn folder_paths(&self, inodes: &[u64]) -> Vec<Option<Vec<u8>>> {
        let in_base: Vec<Option<DirId>> = inodes.iter().map(|&inode| self.base_folder(inode)).collect();
        let others = inodes.iter().zip(&in_base).filter(|(_, known)| known.is_none());
        let added = self.added_folders(&others.map(|(&inode, _)| inode).collect());
        let folder = |(inode, known): (&u64, Option<DirId>)| known.or_else(|| added.get(inode).copied());
        let folders = inodes.iter().zip(in_base).map(folder);
        folders.map(|dir| dir.map(|dir| self.folder_path(dir))).collect()
    }

    fn base_folder(&self, inode: u64) -> Option<DirId> {
        self.base.dirs_of_inode(inode).find(|&dir| self.is_live(self.dir_row(dir)))
    }

    /// Those of the folders that came since the base was built, by inode.
    fn added_folders(&self, wanted: &HashSet<u64>) -> HashMap<u64, DirId> {
        let mut found = HashMap::new();
        if wanted.is_empty() {
            return found;
        }
        for dir in self.base.dir_count()..self.delta.next_dir {
            if self.delta.patch(dir).row == NONE {
                continue;
            }
            let inode = self.meta(self.dir_row(dir)).inode;
            if wanted.contains(&inode) {
                found.entry(inode).or_insert(dir);
            }
        }
        found
    }

    fn folder_path(&self, dir: DirId) -> Vec<u8> {
        let mut path = Vec::new();
        self.prefix_into(dir, &mut path);
        path.pop();
        path
    }
}
