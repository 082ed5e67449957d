//! What became of entries between two bodies, told from a follower's report.
//!
//! A report says where something changed, in the order in which that was found out; one entry may occur several
//! times, and what came and went within one call was never seen by anybody. So the report is taken as a list of
//! places only: what is there in the body before and in the body after decides. What follows is exact for the places
//! that are named, whatever the report says of them, and each row occurs once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use hearth_core::EntryKind;

use super::ground::may_be_same_folder;
use super::seen::{Changed, What, is_modified};
use crate::entry::Meta;
use crate::index::{Body, DirId, NONE, ROOT, RowId};

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A row of the body before that is gone, a folder with everything below it.
    Removed(RowId),
    /// A row of the body before that stands elsewhere in the body after, a folder with everything below it. A file
    /// that had the new place before is gone.
    Renamed {
        /// Its row before.
        from: RowId,
        /// Its row after.
        to: RowId,
    },
    /// A row of the body after that is new, a folder with everything below it.
    Created(RowId),
    /// An entry whose metadata changed, or a file in whose place stands another.
    Modified {
        /// Its row before.
        before: RowId,
        /// Its row after.
        after: RowId,
    },
}

/// What became of the root and of the entries at the places that a report names: first what was removed, then what was renamed, then
/// what was created, then what was modified. What is in a folder that is itself removed or created is left out.
pub fn differences(before: &Body, after: &Body, changes: &[Changed]) -> Vec<Difference> {
    let mut pairing = Pairing {
        before: Places::new(before, changes),
        after: Places::new(after, changes),
        same_base: Arc::ptr_eq(&before.base, &after.base),
        left: HashSet::new(),
        arrived: HashSet::new(),
        found: Vec::new(),
    };
    changes.iter().for_each(|change| pairing.find_move(change));
    let mut known = HashSet::new();
    for (folder, name) in changes.iter().flat_map(spots) {
        if known.insert((folder, name)) {
            pairing.compare(folder, name);
        }
    }
    pairing.judge_both(before.root_row(), after.root_row());
    pairing.into_differences()
}

/// Places that a change names.
fn spots(change: &Changed) -> impl Iterator<Item = (u64, &[u8])> {
    let from = match &change.what {
        What::Moved { from, from_name } => Some((*from, &**from_name)),
        What::Created | What::Removed | What::Modified => None,
    };
    from.into_iter().chain([(change.folder, &*change.name)])
}

/// Finds folders of one body by inode, and their entries by name.
struct Places<'b> {
    body: &'b Body,
    folders: HashMap<u64, Vec<DirId>>,
    /// Added entries of the folders that are asked for often.
    added: HashMap<DirId, HashMap<&'b [u8], RowId>>,
    asked: HashMap<DirId, u32>,
}

/// Look-ups in one folder from which on its added entries are laid out.
const OFTEN: u32 = 8;

impl<'b> Places<'b> {
    fn new(body: &'b Body, changes: &[Changed]) -> Self {
        let wanted: BTreeSet<u64> = changes.iter().flat_map(spots).map(|(folder, _)| folder).collect();
        let mut folders: HashMap<u64, Vec<DirId>> = HashMap::new();
        for (inode, dir) in body.folders_of_inodes(&wanted) {
            folders.entry(inode).or_default().push(dir);
        }
        Self { body, folders, added: HashMap::new(), asked: HashMap::new() }
    }

    fn folders(&self, inode: u64) -> &[DirId] {
        self.folders.get(&inode).map_or(&[], Vec::as_slice)
    }

    fn row(&mut self, dir: DirId, name: &[u8]) -> Option<RowId> {
        let asked = self.asked.entry(dir).or_default();
        *asked += 1;
        if *asked < OFTEN {
            return self.body.child(dir, name);
        }
        let body = self.body;
        let added = self.added.entry(dir).or_insert_with(|| added_entries(body, dir));
        added.get(name).copied().or_else(|| body.base_child(dir, name))
    }

    fn meta(&self, row: RowId) -> Meta {
        self.body.meta(row)
    }
}

fn added_entries(body: &Body, dir: DirId) -> HashMap<&[u8], RowId> {
    let mut entries = HashMap::new();
    let mut added = body.delta.patch(dir).first;
    while added != NONE {
        let row = body.delta.rows.get(added).expect("a linked row is live");
        entries.insert(&*row.name, body.base.len + added);
        added = row.next;
    }
    entries
}

struct Pairing<'b> {
    before: Places<'b>,
    after: Places<'b>,
    /// Folders have the same numbers in both bodies.
    same_base: bool,
    /// Rows before that are known to have moved.
    left: HashSet<RowId>,
    /// Rows after that are known to have come from elsewhere.
    arrived: HashSet<RowId>,
    found: Vec<Difference>,
}

impl Pairing<'_> {
    fn find_move(&mut self, change: &Changed) {
        let What::Moved { from, from_name } = &change.what else { return };
        let wanted = |meta: &Meta| meta.inode == change.inode && meta.kind() == change.kind;
        let from = find(&mut self.before, *from, from_name, wanted);
        let to = find(&mut self.after, change.folder, &change.name, wanted);
        let (Some(from), Some(to)) = (from, to) else { return };
        let is_one = may_be_same_folder(&self.before.meta(from), &self.after.meta(to));
        if is_one && !self.left.contains(&from) && !self.arrived.contains(&to) {
            self.left.insert(from);
            self.arrived.insert(to);
            self.found.push(Difference::Renamed { from, to });
        }
    }

    /// Compares what is at a place in both bodies.
    fn compare(&mut self, folder: u64, name: &[u8]) {
        for (before, after) in self.folder_pairs(folder) {
            let before = before.and_then(|dir| self.before.row(dir, name));
            let after = after.and_then(|dir| self.after.row(dir, name));
            self.judge(before, after);
        }
    }

    /// The folders with this inode: those that are in both bodies, and those that are in one.
    fn folder_pairs(&self, inode: u64) -> Vec<(Option<DirId>, Option<DirId>)> {
        let (before, after) = (self.before.folders(inode), self.after.folders(inode));
        let is_one = |one: DirId, other: DirId| {
            if self.same_base {
                return one == other;
            }
            let meta = |body: &Body, dir| body.meta(body.dir_row(dir));
            let alone = before.len() == 1 && after.len() == 1;
            may_be_same_folder(&meta(self.before.body, one), &meta(self.after.body, other))
                && (alone || path_of(self.before.body, one) == path_of(self.after.body, other))
        };
        let partner = |dir: DirId| after.iter().copied().find(|&other| is_one(dir, other));
        let is_new = |&&other: &&DirId| !before.iter().any(|&dir| is_one(dir, other));
        let new = after.iter().filter(is_new).map(|&dir| (None, Some(dir)));
        before.iter().map(|&dir| (Some(dir), partner(dir))).chain(new).collect()
    }

    fn judge(&mut self, before: Option<RowId>, after: Option<RowId>) {
        let stayed = before.filter(|row| !self.left.contains(row));
        let came = after.filter(|row| !self.arrived.contains(row));
        match (stayed, came) {
            (Some(before), Some(after)) => self.judge_both(before, after),
            (None, Some(row)) => self.found.push(Difference::Created(row)),
            (Some(row), None) => {
                let files = |taker: RowId| {
                    self.before.body.kind(row) != EntryKind::Dir
                        && self.after.body.kind(taker) != EntryKind::Dir
                };
                if !after.is_some_and(files) {
                    self.found.push(Difference::Removed(row));
                }
            }
            (None, None) => {}
        }
    }

    fn judge_both(&mut self, before: RowId, after: RowId) {
        let (was, is) = (self.before.meta(before), self.after.meta(after));
        let same = was.kind() == is.kind() && may_be_same_folder(&was, &is);
        if same && !is_modified(&was, &is) {
            return;
        }
        if same || (was.kind() == is.kind() && was.kind() != EntryKind::Dir) {
            self.found.push(Difference::Modified { before, after });
        } else {
            self.found.extend([Difference::Removed(before), Difference::Created(after)]);
        }
    }

    fn into_differences(self) -> Vec<Difference> {
        let Self { before, after, mut found, .. } = self;
        let dirs = |of: &dyn Fn(&Difference) -> Option<DirId>| found.iter().filter_map(of).collect();
        let removed: HashSet<DirId> = dirs(&|found| match found {
            Difference::Removed(row) => before.body.dir_of(*row),
            _ => None,
        });
        let created: HashSet<DirId> = dirs(&|found| match found {
            Difference::Created(row) => after.body.dir_of(*row),
            _ => None,
        });
        found.retain(|found| match found {
            Difference::Removed(row) => !lies_below(before.body, *row, &removed),
            Difference::Created(row) => !lies_below(after.body, *row, &created),
            Difference::Renamed { .. } | Difference::Modified { .. } => true,
        });
        found.sort_by_key(|found| match found {
            Difference::Removed(_) => 0,
            Difference::Renamed { .. } => 1,
            Difference::Created(_) => 2,
            Difference::Modified { .. } => 3,
        });
        found
    }
}

fn find(places: &mut Places<'_>, folder: u64, name: &[u8], wanted: impl Fn(&Meta) -> bool) -> Option<RowId> {
    let (body, dirs) = (places.body, places.folders(folder).to_vec());
    dirs.into_iter().filter_map(|dir| places.row(dir, name)).find(|&row| wanted(&body.meta(row)))
}

fn path_of(body: &Body, dir: DirId) -> Vec<u8> {
    let mut path = Vec::new();
    body.prefix_into(dir, &mut path);
    path
}

/// Whether a row lies below one of these folders.
fn lies_below(body: &Body, row: RowId, folders: &HashSet<DirId>) -> bool {
    if folders.is_empty() {
        return false;
    }
    let mut dir = body.parent(row);
    while dir != ROOT {
        if folders.contains(&dir) {
            return true;
        }
        dir = body.dir_parent(dir);
    }
    false
}
