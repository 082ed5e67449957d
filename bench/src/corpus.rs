//! A real tree, read once: the raw material of the generated volume.
//!
//! Rows stand in an order in which a folder's own row comes before the rows in it, so that any
//! prefix of the rows is a tree.

use crate::walk::{Visitor, walk};
use hearth_core::{NO_TIME, UnixNanos};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR, RawRow, ScanDir};
use rustix::fs::{Statx, StatxTimestamp};
use std::collections::HashSet;
use std::path::Path;

/// A real tree.
pub(crate) struct Corpus {
    /// Every entry but the root. Folder numbers are dense; 0 is the root.
    pub(crate) chunk: Chunk,
    /// Its rows.
    pub(crate) rows: Vec<RawRow>,
    /// Folders, the root included.
    pub(crate) dirs: u32,
    /// Largest inode number.
    pub(crate) last_inode: u64,
}

impl Corpus {
    /// Reads the tree below `root`. Names with a newline are left out, with what is below them: a
    /// peer's input is a list of lines.
    pub(crate) fn read(root: &Path) -> std::io::Result<Self> {
        let reader = Reader { chunk: Chunk::default(), dirs: 1, last_inode: 0 };
        // One thread, so that folders come before what is in them.
        let reader = walk(root, 0, vec![reader])?.pop().expect("the visitor comes back");
        let Reader { chunk, dirs, last_inode } = reader;
        if chunk.rows.is_empty() {
            return Err(std::io::Error::other(format!("{} holds nothing", root.display())));
        }
        Ok(Corpus { rows: chunk.rows.iter().collect(), chunk, dirs, last_inode })
    }
}

/// What can be said about the names of a volume.
pub(crate) struct NameFacts {
    pub(crate) entries: u64,
    pub(crate) unique: u64,
    pub(crate) bytes: u64,
    pub(crate) folders: u64,
}

impl NameFacts {
    /// Looks at every row of some chunks.
    pub(crate) fn of<'a>(chunks: impl Iterator<Item = &'a Chunk>) -> Self {
        let mut seen = HashSet::new();
        let mut facts = NameFacts { entries: 0, unique: 0, bytes: 0, folders: 0 };
        for chunk in chunks {
            for row in &chunk.rows {
                let name = chunk.name(&row);
                facts.entries += 1;
                facts.bytes += name.len() as u64;
                facts.folders += u64::from(row.dir != NOT_A_DIR);
                facts.unique += u64::from(seen.insert(name));
            }
        }
        facts
    }
}

struct Reader {
    chunk: Chunk,
    dirs: ScanDir,
    last_inode: u64,
}

impl Visitor for Reader {
    type Tag = ScanDir;

    fn entry(&mut self, parent: ScanDir, name: &[u8], stat: &Statx) -> Option<ScanDir> {
        if name.contains(&b'\n') {
            return None;
        }
        let meta = meta(stat);
        self.last_inode = self.last_inode.max(meta.inode);
        let dir = if meta.kind() == hearth_core::EntryKind::Dir { self.dirs } else { NOT_A_DIR };
        self.dirs += u32::from(dir != NOT_A_DIR);
        self.chunk.push(parent, dir, name, meta);
        (dir != NOT_A_DIR).then_some(dir)
    }
}

fn meta(stat: &Statx) -> Meta {
    let born = stat.stx_mask & rustix::fs::StatxFlags::BTIME.bits() != 0;
    Meta {
        size: stat.stx_size,
        allocated: stat.stx_blocks * 512,
        modified_ns: nanos(&stat.stx_mtime),
        created_ns: if born { nanos(&stat.stx_btime) } else { NO_TIME },
        accessed_ns: nanos(&stat.stx_atime),
        inode: stat.stx_ino,
        mode: u32::from(stat.stx_mode),
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        links: stat.stx_nlink,
        attributes: 0,
    }
}

fn nanos(time: &StatxTimestamp) -> UnixNanos {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(i64::from(time.tv_nsec))
}
