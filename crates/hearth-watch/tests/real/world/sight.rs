//! What of a tree can be seen with `lstat`, and whether dirt covers what became different.

use hearth_watch::{Batch, Dirt};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A name in a folder, which is named by its inode.
pub(crate) type Key = (u64, Box<[u8]>);

/// Everything about an entry that an index may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) inode: u64,
    pub(crate) is_folder: bool,
    rest: (u32, u32, u32, u64, u64),
    times: (i64, i64, i64, i64),
}

/// A tree at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) entries: BTreeMap<Key, Seen>,
    pub(crate) folders: HashSet<u64>,
}

/// Looks at everything below a folder.
pub(crate) fn look(root: &Path) -> Sight {
    let mut sight = Sight::default();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let folder = fs::symlink_metadata(&path).expect("a folder").ino();
        sight.folders.insert(folder);
        for entry in fs::read_dir(&path).expect("listed").map(|entry| entry.expect("an entry")) {
            let seen = seen(&fs::symlink_metadata(entry.path()).expect("stat"));
            if seen.is_folder {
                open.push(entry.path());
            }
            sight.entries.insert((folder, entry.file_name().as_bytes().into()), seen);
        }
    }
    sight
}

fn seen(meta: &fs::Metadata) -> Seen {
    Seen {
        inode: meta.ino(),
        is_folder: meta.is_dir(),
        rest: (meta.mode(), meta.uid(), meta.gid(), meta.size(), meta.nlink()),
        times: (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()),
    }
}

/// Names that became different and that no dirt makes somebody look at.
pub(crate) fn uncovered<'a>(before: &'a Sight, after: &'a Sight, batch: &Batch) -> Vec<&'a Key> {
    if batch.overflowed {
        return vec![];
    }
    let dirt = Known::of(&batch.dirt);
    let keys = before.entries.keys().chain(after.entries.keys()).collect::<HashSet<_>>();
    let changed = keys.into_iter().filter(|key| before.entries.get(*key) != after.entries.get(*key));
    // What is in a folder that came or went is found with that folder.
    let stays =
        changed.filter(|(folder, _)| before.folders.contains(folder) && after.folders.contains(folder));
    stays.filter(|key| !dirt.covers(key, before, after)).collect()
}

/// Dirt, by what it names.
struct Known<'a> {
    names: HashSet<(u64, &'a [u8])>,
    folders: HashSet<u64>,
    /// Folders in which something is dirty: their own metadata are looked at.
    touched: HashSet<u64>,
    objects: HashSet<u64>,
}

impl<'a> Known<'a> {
    fn of(dirt: &'a [Dirt]) -> Self {
        let mut known = Self {
            names: HashSet::new(),
            folders: HashSet::new(),
            touched: HashSet::new(),
            objects: HashSet::new(),
        };
        for dirt in dirt {
            match dirt {
                Dirt::Name { folder, name } => {
                    known.names.insert((*folder, name));
                    known.touched.insert(*folder);
                }
                Dirt::Folder { folder } => {
                    known.folders.insert(*folder);
                    known.touched.insert(*folder);
                }
                Dirt::Object { inode } => _ = known.objects.insert(*inode),
            }
        }
        known
    }

    fn names(&self, (folder, name): &Key) -> bool {
        self.folders.contains(folder) || self.names.contains(&(*folder, name))
    }

    fn covers(&self, key: &Key, before: &Sight, after: &Sight) -> bool {
        let seen = [before, after].map(|sight| sight.entries.get(key));
        let by_itself = seen.into_iter().flatten().any(|seen| {
            self.objects.contains(&seen.inode) || (seen.is_folder && self.touched.contains(&seen.inode))
        });
        self.names(key)
            || by_itself
            || seen.into_iter().flatten().any(|seen| self.other_name(seen.inode, before, after))
    }

    /// Whether another name of the same file is dirty: whoever looks at that sees the file.
    fn other_name(&self, inode: u64, before: &Sight, after: &Sight) -> bool {
        let mut all = before.entries.iter().chain(&after.entries);
        all.any(|(key, seen)| seen.inode == inode && !seen.is_folder && self.names(key))
    }
}
