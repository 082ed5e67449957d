//! Taking in what file records hold: the way of a change journal whose places are records, not folders.
//!
//! A record says which entries its inodes have now. What of them is not in the index comes, moves or changes; what
//! the index has besides goes. Only records that were touched are told, in any order, so folders may come before those
//! that hold them, exchange names, or lie below what was below them: the writer sorts that out, as it does for
//! what is found on disk. What always holds: told everything that was touched, the index is that of a fresh
//! read; where it cannot be, [`Taken::misplaced`] says so.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use hearth_core::{CancelToken, Cancelled, EntryKind};

use super::finding::{FIRST_NEW, Finding, There};
use super::seen::Seen;
use super::writer::{Names, Writer};
use crate::entry::{Meta, ScanDir};
use crate::index::{ROOT, RowId, Volume};

/// Findings between two looks at the token.
const FINDINGS_PER_CHECK: usize = 4096;

/// What a record of a file system holds now: all rows of `inodes` become `entries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordNow {
    /// Every inode that an entry of this record has or had. Of two records told, these are the same or disjoint; of
    /// those with the same, the last one told counts.
    pub inodes: RangeInclusive<u64>,
    /// The entries, a row for each; none if the record is not in use.
    pub entries: Vec<RecordEntry>,
}

/// One entry of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEntry {
    /// Inode of the folder that holds it. Of the root of the volume whatever it may be: it stays where it is.
    pub parent: u64,
    /// Raw name.
    pub name: Vec<u8>,
    /// Metadata; the inode lies in the range of the record.
    pub meta: Meta,
}

/// What became of records that were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// All places that may differ now.
    pub seen: Seen,
    /// What does not fit together: entries whose folder is not there or lies below themselves, two entries of one place,
    /// entries in folders that went and of which no record speaks. If there are any, the index has to be built anew.
    pub misplaced: u64,
}

/// Makes the rows of these records what the records hold. A folder with an inode that the index knows keeps its rows
/// wherever it is now; one with another inode is new, and what is in it has to be told. A file that no record speaks of
/// gives way to an entry that has its place.
///
/// # Errors
/// [`Cancelled`]; the volume then holds a part of the changes.
pub fn take_records(
    volume: &mut Volume,
    records: &[RecordNow],
    cancel: &CancelToken,
) -> Result<Taken, Cancelled> {
    let told = Told::new(records);
    let stands = volume.known().body.rows_in_inodes(&told.inodes);
    let mut taking = Taking {
        numbers: told.number_folders(volume),
        told,
        writer: Writer::new(volume, Names::Seen),
        misplaced: 0,
        cancel,
    };
    let done = taking.take(&stands);
    let Taking { told, writer, misplaced, .. } = taking;
    let (seen, left) = writer.finish_told();
    done.map(|()| Taken { seen: Seen { looked: told.entries, ..seen }, misplaced: misplaced + left })
}

/// What was told, each record once.
struct Told<'r> {
    /// Ascending, disjoint.
    inodes: Vec<RangeInclusive<u64>>,
    records: Vec<&'r RecordNow>,
    entries: usize,
}

impl<'r> Told<'r> {
    fn new(records: &'r [RecordNow]) -> Self {
        let mut records: Vec<&RecordNow> = records.iter().rev().collect();
        records.sort_by_key(|record| *record.inodes.start());
        records.dedup_by_key(|record| *record.inodes.start());
        let inodes = records.iter().map(|record| record.inodes.clone()).collect();
        let entries = records.iter().map(|record| record.entries.len()).sum();
        Told { inodes, records, entries }
    }

    fn entries(&self) -> impl Iterator<Item = &'r RecordEntry> + use<'r> {
        self.records.clone().into_iter().flat_map(|record| &record.entries)
    }

    fn speaks_of(&self, inode: u64) -> bool {
        let at = self.inodes.partition_point(|range| *range.end() < inode);
        self.inodes.get(at).is_some_and(|range| range.contains(&inode))
    }

    /// Numbers for the folders that are told: their own if the index knows them, else new ones.
    fn number_folders(&self, volume: &Volume) -> HashMap<u64, ScanDir> {
        let mut numbers = HashMap::new();
        let mut next = FIRST_NEW;
        for inode in self.entries().filter(|entry| is_folder(entry)).map(|entry| entry.meta.inode) {
            numbers.entry(inode).or_insert_with(|| {
                volume.known().folders_of_inode(inode).next().unwrap_or_else(|| {
                    next += 1;
                    next - 1
                })
            });
        }
        numbers
    }
}

fn is_folder(entry: &RecordEntry) -> bool {
    entry.meta.kind() == EntryKind::Dir
}

/// Where an entry is said to be.
type Place<'r> = (u64, &'r [u8]);

/// See the module.
struct Taking<'r, 'v> {
    told: Told<'r>,
    /// Numbers of the folders that are told, by inode.
    numbers: HashMap<u64, ScanDir>,
    writer: Writer<'v>,
    misplaced: u64,
    cancel: &'r CancelToken,
}

impl<'r> Taking<'r, '_> {
    fn take(&mut self, stands: &[(u64, RowId)]) -> Result<(), Cancelled> {
        self.take_root();
        let wanted = self.wanted();
        self.apply(self.gone(stands, &wanted))?;
        let (folders, others): (Vec<_>, Vec<_>) = wanted.into_values().partition(|entry| is_folder(entry));
        let (new, known): (Vec<_>, Vec<_>) =
            folders.into_iter().partition(|folder| self.numbers[&folder.meta.inode] >= FIRST_NEW);
        for entries in [self.parents_first(new), known, others] {
            let found: Vec<Finding> = entries.into_iter().filter_map(|entry| self.there(entry)).collect();
            self.apply(found)?;
        }
        Ok(())
    }

    fn apply(&mut self, findings: Vec<Finding>) -> Result<(), Cancelled> {
        for (at, finding) in findings.into_iter().enumerate() {
            if at % FINDINGS_PER_CHECK == 0 {
                self.cancel.check()?;
            }
            self.writer.apply(finding);
        }
        Ok(())
    }

    /// The root has no place to be moved to; its record can only say what it is like.
    fn take_root(&mut self) {
        let inode = self.writer.known().folder_meta(ROOT).inode;
        if !self.told.speaks_of(inode) {
            return;
        }
        let root = self.told.entries().find(|entry| is_folder(entry) && entry.meta.inode == inode);
        match root {
            Some(root) => self.writer.refresh_folder(ROOT, root.meta),
            None => self.misplaced += 1,
        }
    }

    /// The entries that are told, by place; the root is none. Where two have one place, or a folder has two, nobody knows
    /// which is right.
    fn wanted(&mut self) -> HashMap<Place<'r>, &'r RecordEntry> {
        let mut wanted = HashMap::with_capacity(self.told.entries);
        let mut placed: HashSet<ScanDir> = HashSet::new();
        for entry in self.told.entries() {
            let number = self.numbers.get(&entry.meta.inode).copied().filter(|_| is_folder(entry));
            if number == Some(ROOT) {
                continue;
            }
            let again = number.is_some_and(|number| !placed.insert(number));
            if again || wanted.contains_key(&(entry.parent, &entry.name[..])) {
                self.misplaced += 1;
            } else {
                wanted.insert((entry.parent, &entry.name[..]), entry);
            }
        }
        wanted
    }

    /// Rows that no entry told stands for.
    fn gone(&self, stands: &[(u64, RowId)], wanted: &HashMap<Place<'r>, &'r RecordEntry>) -> Vec<Finding> {
        let body = self.writer.known().body;
        let mut gone = Vec::new();
        let mut name = Vec::new();
        for &(inode, row) in stands.iter().filter(|&&(_, row)| body.dir_of(row) != Some(ROOT)) {
            let folder = body.parent(row);
            name.clear();
            body.name_into(row, &mut name);
            let there = wanted.get(&(self.writer.known().inode(body.dir_row(folder)), &name[..]));
            let stays =
                |entry: &&RecordEntry| entry.meta.inode == inode && entry.meta.kind() == body.kind(row);
            if !there.is_some_and(stays) {
                gone.push(Finding::Gone { folder, name: name[..].into() });
            }
        }
        gone
    }

    /// New folders, each after the one that holds it. Those that hold one another are nowhere.
    fn parents_first(&mut self, new: Vec<&'r RecordEntry>) -> Vec<&'r RecordEntry> {
        let count = new.len();
        let mut inside: HashMap<u64, Vec<&RecordEntry>> = HashMap::new();
        let is_new = |inode: &u64| self.numbers.get(inode).is_some_and(|&number| number >= FIRST_NEW);
        let (waiting, mut placed): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|folder| is_new(&folder.parent));
        for folder in waiting {
            inside.entry(folder.parent).or_default().push(folder);
        }
        let mut at = 0;
        while let Some(folder) = placed.get(at) {
            placed.extend(inside.remove(&folder.meta.inode).unwrap_or_default());
            at += 1;
        }
        self.misplaced += (count - placed.len()) as u64;
        placed
    }

    /// An entry as a finding, if its folder is there.
    fn there(&mut self, entry: &RecordEntry) -> Option<Finding> {
        let Some(folder) = self.folder(entry.parent) else {
            self.misplaced += 1;
            return None;
        };
        let dir = is_folder(entry).then(|| self.numbers[&entry.meta.inode]);
        let name = entry.name[..].into();
        Some(Finding::There(There { folder, name, meta: entry.meta, dir, barred: false }))
    }

    fn folder(&self, inode: u64) -> Option<ScanDir> {
        if self.told.speaks_of(inode) {
            return self.numbers.get(&inode).copied();
        }
        self.writer.known().folders_of_inode(inode).next()
    }
}
