//! Files of a volume as rows of an index.
//!
//! A row is a name that is no 8.3 alias, or a named stream of one. Folders are numbered by their records, the root is 0.
//! Whether a folder is there in the use that a name means is known only at the end; where one is not, or folders hold each
//! other in a circle, a second pass puts what would hang in the air into a folder [`ORPHANS`] of the root.

use crate::run::ScanRun;
use hearth_core::{EntryKind, NO_TIME};
use hearth_files::entry::{Chunk, DELETED, Meta, NO_OWNER, NOT_A_DIR, ScanDir};
use hearth_files::follow::{RecordEntry, RecordNow};
use hearth_ntfs::usn::is_journal;
use hearth_ntfs::{DataSize, File, FileReference, Visit};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// Folder of entries whose own folder is not there.
pub(super) const ORPHANS: &[u8] = b"$OrphanFiles";
/// Its inode, which no record has.
pub(super) const ORPHANS_INODE: u64 = FileReference::MAX_NUMBER << 16;
/// Record of the root.
const ROOT: u64 = 5;
/// Rows that are handed on at once.
const CHUNK_ROWS: usize = 8192;
/// `FILE_ATTRIBUTE_DIRECTORY`, which records keep elsewhere.
const DIRECTORY: u32 = 0x10;
/// `FILE_ATTRIBUTE_NORMAL`: there is no other, which records keep as nothing or as this.
const NORMAL: u32 = 0x80;

/// Reparse points that lead elsewhere: symbolic links, junctions and mount points, links of WSL.
const LINKS: [u32; 3] = [0xa000_000c, 0xa000_0003, 0xa000_001d];

/// Which files become rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those that are there.
    Present,
    /// Those that were deleted, and the folders above them.
    Deleted,
}

/// The folders of a volume by record number: in which use a record is one, and which folder holds it.
pub(super) struct Folders {
    sequence: Box<[AtomicU16]>,
    parent: Box<[AtomicU32]>,
}

impl Folders {
    /// None yet, of so many records.
    pub(super) fn new(records: u32) -> Self {
        Self {
            sequence: (0..records).map(|_| AtomicU16::new(0)).collect(),
            parent: (0..records).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn add(&self, number: u64, sequence: u16, parent: u64) {
        let Some(slot) = self.sequence.get(number as usize) else { return };
        slot.store(sequence, Ordering::Relaxed);
        let parent = u32::try_from(parent).unwrap_or(u32::MAX);
        self.parent[number as usize].store(parent, Ordering::Relaxed);
    }

    fn is_there(&self, reference: FileReference) -> bool {
        let known = self.sequence.get(reference.number() as usize);
        let known = known.map_or(0, |sequence| sequence.load(Ordering::Relaxed));
        reference.number() == ROOT || (known != 0 && known == reference.sequence())
    }

    fn parent_of(&self, number: u32) -> u32 {
        self.parent.get(number as usize).map_or(u32::MAX, |parent| parent.load(Ordering::Relaxed))
    }

    /// Folders of which each closes a circle.
    fn circles(&self) -> HashSet<u32> {
        const UNSEEN: u8 = 0;
        const ON_THE_WAY: u8 = 1;
        const DONE: u8 = 2;
        let mut state = vec![UNSEEN; self.sequence.len()];
        let mut circles = HashSet::new();
        for start in 0..self.sequence.len() as u32 {
            let (mut way, mut at) = (Vec::new(), start);
            let is_dir = |at: u32| {
                u64::from(at) != ROOT
                    && self.sequence.get(at as usize).is_some_and(|s| s.load(Ordering::Relaxed) != 0)
            };
            while is_dir(at) && state[at as usize] == UNSEEN {
                state[at as usize] = ON_THE_WAY;
                way.push(at);
                at = self.parent_of(at);
            }
            if is_dir(at) && state[at as usize] == ON_THE_WAY {
                circles.insert(at);
            }
            way.into_iter().for_each(|at| state[at as usize] = DONE);
        }
        circles
    }

    /// These folders and all above them.
    fn with_those_above(&self, folders: impl Iterator<Item = u32>) -> HashSet<u32> {
        let mut all = HashSet::new();
        for mut at in folders {
            while u64::from(at) != ROOT && (at as usize) < self.sequence.len() && all.insert(at) {
                at = self.parent_of(at);
            }
        }
        all
    }
}

/// What the first pass has found out and the second goes by.
pub(super) struct Plan {
    /// Folders that names mean and that are not there.
    missing: HashSet<u64>,
    /// Folders that are put among the orphans to break a circle.
    cut: HashSet<u32>,
    /// The folders that are rows; `None`: all.
    kept: Option<HashSet<u32>>,
    orphans: ScanDir,
}

impl Plan {
    /// From what all threads have seen.
    pub(super) fn of(rows: Rows, folders: &Folders, seen: &[Seen]) -> Self {
        let is_there = |key: &u64| folders.is_there(FileReference::from_key(*key));
        let parents = seen.iter().flat_map(|seen| &seen.parents).copied();
        let (there, mut missing): (Vec<u64>, Vec<u64>) = parents.partition(is_there);
        let above = seen.iter().flat_map(|seen| &seen.above).copied();
        missing.extend(above.filter(|key| !is_there(key)));
        let numbers = there.into_iter().map(|key| FileReference::from_key(key).number() as u32);
        let kept = (rows == Rows::Deleted).then(|| folders.with_those_above(numbers));
        let orphans = folders.sequence.len() as ScanDir;
        Self { missing: missing.into_iter().collect(), cut: folders.circles(), kept, orphans }
    }

    /// True if the first pass did not know all.
    pub(super) fn is_needed(&self) -> bool {
        !self.missing.is_empty() || !self.cut.is_empty() || self.kept.is_some()
    }

    fn folder_of(&self, parent: FileReference, number: u64) -> Option<ScanDir> {
        let orphan = self.missing.contains(&parent.to_key()) || self.cut.contains(&(number as u32));
        orphan.then_some(self.orphans)
    }

    fn keeps(&self, number: u64) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.contains(&(number as u32)))
    }

    /// The row of the folder of orphans.
    pub(super) fn folder_row(&self) -> Chunk {
        let mut chunk = Chunk::default();
        let meta = Meta { uid: NO_OWNER, gid: NO_OWNER, ..Meta::unknown(EntryKind::Dir, ORPHANS_INODE) };
        chunk.push(0, self.orphans, ORPHANS, meta);
        chunk
    }
}

/// What one thread has seen.
#[derive(Default)]
pub(super) struct Seen {
    /// Folders that names of rows mean, as keys of references.
    parents: HashSet<u64>,
    /// Folders that hold folders which are rows only for what is below them.
    above: HashSet<u64>,
    /// The last of them: neighbours are often in one folder.
    last: u64,
    /// Metadata of the root.
    pub(super) root: Option<Meta>,
    /// Record of the change journal.
    pub(super) journal: Option<u64>,
    /// Rows made.
    pub(super) rows: u64,
    /// Of these, those whose folder is not there.
    pub(super) orphans: u64,
}

/// Makes rows of files, on one thread.
pub(super) struct Writer<'a> {
    rows: Rows,
    run: &'a ScanRun,
    folders: &'a Folders,
    /// In the second pass.
    plan: Option<&'a Plan>,
    chunk: Chunk,
    name: Vec<u8>,
    pub(super) seen: Seen,
}

impl<'a> Writer<'a> {
    pub(super) fn new(rows: Rows, run: &'a ScanRun, folders: &'a Folders, plan: Option<&'a Plan>) -> Self {
        Self { rows, run, folders, plan, chunk: Chunk::default(), name: Vec::new(), seen: Seen::default() }
    }

    /// Hands the last rows on.
    pub(super) fn finish(mut self) -> Seen {
        self.hand_on();
        self.seen
    }

    fn hand_on(&mut self) {
        let mut chunk = std::mem::take(&mut self.chunk);
        if chunk.rows.is_empty() {
            return;
        }
        self.run.counters.entries.fetch_add(chunk.rows.len() as u64, Ordering::Relaxed);
        self.seen.rows += chunk.rows.len() as u64;
        chunk.shrink_to_fit();
        self.run.take(chunk);
    }

    /// Whether a file becomes rows now. Of the deleted, nothing does in the first pass.
    fn is_row(&self, file: &File<'_>) -> bool {
        match (self.rows, self.plan) {
            (Rows::Present, _) => file.in_use,
            (Rows::Deleted, None) => false,
            (Rows::Deleted, Some(plan)) if file.in_use => file.is_dir && plan.keeps(file.reference.number()),
            (Rows::Deleted, Some(_)) => true,
        }
    }

    /// Notes the folder that a name means.
    fn note_parent(&mut self, parent: FileReference, of_row: bool) {
        let key = parent.to_key();
        if self.plan.is_some() || (of_row && key == self.seen.last) {
            return;
        }
        if of_row {
            self.seen.last = key;
            self.seen.parents.insert(key);
        } else {
            self.seen.above.insert(key);
        }
    }

    fn push(&mut self, parent: FileReference, number: u64, dir: ScanDir, meta: Meta) {
        let orphan = self.plan.and_then(|plan| plan.folder_of(parent, number));
        self.seen.orphans += u64::from(orphan.is_some());
        // A number that no record has is missing, which the second pass knows.
        let parent = orphan.unwrap_or(if parent.number() == ROOT { 0 } else { parent.number() as ScanDir });
        if parent == dir || (parent as usize) > self.folders.sequence.len() {
            return;
        }
        self.chunk.push(parent, dir, &self.name, meta);
    }
}

impl Visit for Writer<'_> {
    fn file(&mut self, file: &File<'_>) {
        let number = file.reference.number();
        if self.rows == Rows::Present && !file.in_use {
            return;
        }
        let meta = meta_of(file);
        let is_root = number == ROOT && file.in_use;
        if is_root {
            self.seen.root = Some(meta);
        }
        if is_journal(file) {
            self.seen.journal = Some(number);
        }
        let is_dir = meta.kind() == EntryKind::Dir;
        if is_dir && self.plan.is_none() {
            // The record counts on when it is freed; names mean its use before.
            let sequence = file.reference.sequence();
            let sequence = if file.in_use { sequence } else { sequence.wrapping_sub(1) };
            let parent = file.links().next().map_or(u64::MAX, |link| link.parent.number());
            self.folders.add(number, sequence, parent);
        }
        let of_row = self.rows == Rows::Present || !file.in_use;
        if (of_row || is_dir) && !is_root {
            file.links().for_each(|link| self.note_parent(link.parent, of_row));
        }
        if !self.is_row(file) {
            return;
        }
        let dir = if is_dir { number as ScanDir } else { NOT_A_DIR };
        for link in file.links() {
            self.name.clear();
            if !is_root {
                link.name.push_to(&mut self.name);
                self.push(link.parent, number, dir, meta);
            }
            if self.rows == Rows::Deleted && file.in_use {
                continue;
            }
            let len = self.name.len();
            for stream in file.streams {
                self.name.truncate(len);
                self.name.push(b':');
                stream.name.push_to(&mut self.name);
                // Nothing hangs below a stream, so that it breaks no circle.
                self.push(link.parent, u64::MAX, NOT_A_DIR, stream_meta(&meta, &stream.data));
            }
            if is_root {
                break;
            }
        }
        if self.chunk.rows.len() >= CHUNK_ROWS {
            self.hand_on();
        }
    }
}

/// Collects what records hold now.
#[derive(Default)]
pub(super) struct Collector {
    pub(super) records: Vec<RecordNow>,
}

impl Visit for Collector {
    fn file(&mut self, file: &File<'_>) {
        let number = file.reference.number();
        let key = |sequence| FileReference::new(number, sequence).to_key();
        let inodes = key(0)..=key(u16::MAX);
        let mut entries = Vec::new();
        if file.in_use {
            let meta = meta_of(file);
            for link in file.links() {
                let parent = link.parent.to_key();
                let name = if number == ROOT { Vec::new() } else { link.name.to_bytes() };
                // The root is told like others and stays where it is.
                entries.push(RecordEntry { parent, name: name.clone(), meta });
                for stream in file.streams {
                    let mut name = name.clone();
                    name.push(b':');
                    stream.name.push_to(&mut name);
                    entries.push(RecordEntry { parent, name, meta: stream_meta(&meta, &stream.data) });
                }
                if number == ROOT {
                    break;
                }
            }
        }
        self.records.push(RecordNow { inodes, entries });
    }
}

fn meta_of(file: &File<'_>) -> Meta {
    let leads_elsewhere = file.reparse.is_some_and(|reparse| LINKS.contains(&reparse.tag));
    let kind = match file.is_dir {
        _ if leads_elsewhere => EntryKind::Link,
        true => EntryKind::Dir,
        false => EntryKind::File,
    };
    let data = file.data.unwrap_or_default();
    let time = |of: fn(&hearth_ntfs::Standard) -> i64| file.standard.as_ref().map_or(NO_TIME, of);
    let attributes = file.standard.map_or(0, |standard| standard.attributes) & !DELETED;
    let plain = if attributes == 0 { NORMAL } else { 0 };
    let marks = if file.is_dir { DIRECTORY } else { plain } | if file.in_use { 0 } else { DELETED };
    Meta {
        size: data.size,
        allocated: data.allocated,
        modified_ns: time(|standard| standard.modified_ns),
        created_ns: time(|standard| standard.created_ns),
        accessed_ns: time(|standard| standard.accessed_ns),
        inode: file.reference.to_key(),
        mode: kind.type_bits(),
        uid: NO_OWNER,
        gid: NO_OWNER,
        links: if kind == EntryKind::Dir { 1 } else { file.links().count().max(1) as u32 },
        attributes: attributes | marks,
    }
}

fn stream_meta(file: &Meta, data: &DataSize) -> Meta {
    Meta {
        size: data.size,
        allocated: data.allocated,
        mode: EntryKind::Stream.type_bits(),
        attributes: file.attributes & !DIRECTORY,
        ..*file
    }
}
