//! The oracle: what a walk of the disk finds, and how an answer differs from it.
//!
//! It shares no code with the scanner. It crosses into subvolumes, as the scanner does; the disks of these tests
//! have no other mounts below.

use hearth_core::EntryKind;
use hearth_service::api::{RowSink, Rows, SinkClosed};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What an index must know of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    kind: EntryKind,
    size: u64,
    modified_ns: i64,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    inode: u64,
}

impl Facts {
    fn of(meta: &Metadata) -> Self {
        Self {
            kind: EntryKind::from_mode(meta.mode()),
            size: meta.size(),
            modified_ns: meta.mtime() * 1_000_000_000 + meta.mtime_nsec(),
            mode: meta.mode(),
            uid: meta.uid(),
            gid: meta.gid(),
            links: u32::try_from(meta.nlink()).expect("few links"),
            inode: meta.ino(),
        }
    }
}

/// Every entry by its absolute path.
#[derive(Debug, Default)]
pub(crate) struct Tree(BTreeMap<Vec<u8>, Facts>);

impl Tree {
    /// What is on disk below `root`, and `root` itself.
    pub(crate) fn on_disk(root: &Path) -> Self {
        let (mut tree, mut open) = (Self::default(), vec![root.to_owned()]);
        while let Some(path) = open.pop() {
            let meta = fs::symlink_metadata(&path).expect("nobody changes the tree now");
            if meta.is_dir() {
                let entries = fs::read_dir(&path).expect("nobody changes the tree now");
                open.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
            tree.0.insert(path.as_os_str().as_bytes().to_vec(), Facts::of(&meta));
        }
        tree
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first few differences, in words; `None` if there are none.
    pub(crate) fn difference(&self, disk: &Tree) -> Option<String> {
        let wrong = self.0.iter().filter(|(path, facts)| disk.0.get(*path) != Some(facts));
        let wrong = wrong.map(|(path, facts)| (path, Some(facts), disk.0.get(path)));
        let missing = disk.0.iter().filter(|(path, _)| !self.0.contains_key(*path));
        let missing = missing.map(|(path, facts)| (path, None, Some(facts)));
        let all: Vec<_> = wrong.chain(missing).collect();
        let shown = all.iter().take(5).map(|(path, answer, disk)| {
            format!("{}\n  answer: {answer:?}\n  disk:   {disk:?}\n", String::from_utf8_lossy(path))
        });
        (!all.is_empty()).then(|| format!("{} differ:\n{}", all.len(), shown.collect::<String>()))
    }
}

impl RowSink for Tree {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed> {
        for &row in rows.rows {
            let (entry, kind) = (rows.body.entry(row), rows.body.kind(row));
            let meta = entry.meta;
            let facts = Facts {
                kind,
                size: meta.size,
                modified_ns: meta.modified_ns,
                mode: meta.mode,
                uid: meta.uid,
                gid: meta.gid,
                links: meta.links,
                inode: meta.inode,
            };
            assert!(self.0.insert(entry.path, facts).is_none(), "a path twice");
        }
        Ok(())
    }
}
