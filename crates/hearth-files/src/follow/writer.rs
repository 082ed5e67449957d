//! Findings become changes of the volume.
//!
//! A folder whose name is gone, or has come to mean something else, may turn up elsewhere a moment later with
//! everything below it. Therefore it is not taken out at once: one whose name is gone stays where it is
//! and is *doomed*; one whose name is taken by something else goes to *limbo*, under a name that no file
//! can have. What was not found elsewhere is taken out at the end. Between [`Writer::apply`] and
//! [`Writer::finish`] the volume is not fit to be published.

use std::collections::{BTreeSet, HashMap};

use hearth_core::EntryKind;

use super::Look;
use super::finding::{FIRST_NEW, Finding, There};
use super::ground::{Ground, may_be_same_folder};
use super::seen::{Record, Seen, Spot};
use crate::entry::{Meta, ScanDir};
use crate::index::{Body, DirId, Known, NONE, ROOT, RowId, Volume};

/// What is to be done about the other names of an inode when one was changed, added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Nothing: all names are looked at anyway.
    Seen,
    /// They get the metadata that one of them was found to have.
    Share,
    /// Each is looked at: the number may stand for several inodes.
    Look,
}

/// A folder whose name was taken.
struct Ousted {
    /// Where it was.
    from: Spot,
    /// It had been found to be gone from there.
    is_gone: bool,
}

/// See the module.
pub(super) struct Writer<'v> {
    volume: &'v mut Volume,
    /// Numbers in the volume of new folders, [`NONE`] for those that are not in it.
    new: Vec<DirId>,
    doomed: HashMap<DirId, (DirId, Box<[u8]>)>,
    /// Folders in limbo.
    limbo: HashMap<DirId, Ousted>,
    limbo_names: u64,
    /// Moves that are not possible yet: the target still lies below the folder.
    stuck: Vec<There>,
    names: Names,
    /// Inodes of which one name was changed, added or removed, and the others are to be looked at.
    links: BTreeSet<u64>,
    record: Record,
    again: BTreeSet<Look>,
    applied: usize,
    placed: usize,
}

impl<'v> Writer<'v> {
    pub(super) fn new(volume: &'v mut Volume, names: Names) -> Self {
        Self {
            volume,
            names,
            new: Vec::new(),
            doomed: HashMap::new(),
            limbo: HashMap::new(),
            limbo_names: 0,
            stuck: Vec::new(),
            links: BTreeSet::new(),
            record: Record::default(),
            again: BTreeSet::new(),
            applied: 0,
            placed: 0,
        }
    }

    pub(super) fn known(&self) -> Known<'_> {
        self.volume.known()
    }

    pub(super) fn volume(&self) -> &Volume {
        self.volume
    }

    /// Number of folders that came or moved so far.
    pub(super) fn placed(&self) -> usize {
        self.placed
    }

    /// Asks for another look later.
    pub(super) fn look_again(&mut self, look: Look) {
        self.again.insert(look);
    }

    /// Whether a folder or one above it is on the way out.
    pub(super) fn is_leaving(&self, mut dir: DirId) -> bool {
        if self.doomed.is_empty() && self.limbo.is_empty() {
            return false;
        }
        while dir != ROOT {
            if self.doomed.contains_key(&dir) || self.limbo.contains_key(&dir) {
                return true;
            }
            dir = self.volume.known().body.dir_parent(dir);
        }
        false
    }

    pub(super) fn apply_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.apply(finding));
    }

    pub(super) fn apply(&mut self, finding: Finding) {
        match finding {
            Finding::There(there) => self.there(there),
            Finding::Gone { folder, name } => self.gone(folder, &name),
            Finding::Itself { folder, meta } => self.itself(folder, meta),
            Finding::Again { folder } => self.changed_meanwhile(folder),
        }
    }

    /// The number in the volume of a folder that is in it.
    fn folder(&self, number: ScanDir) -> Option<DirId> {
        let dir = match number.checked_sub(FIRST_NEW) {
            Some(new) => *self.new.get(new as usize)?,
            None => number,
        };
        (dir != NONE && self.known().has_folder(dir)).then_some(dir)
    }

    fn inode(&self, dir: DirId) -> u64 {
        self.known().folder_meta(dir).inode
    }

    fn meta(&self, row: RowId) -> Meta {
        self.known().body.meta(row)
    }

    fn dir_of(&self, row: RowId) -> Option<DirId> {
        self.known().body.dir_of(row)
    }

    fn spot(&self, row: RowId) -> Spot {
        let body = self.known().body;
        (self.inode(body.parent(row)), name_of(body, row))
    }

    fn there(&mut self, there: There) {
        let Some(folder) = self.folder(there.folder) else { return };
        let row = self.volume.row_at(folder, &there.name);
        if let Some(row) = row {
            if self.is_same(row, &there) {
                self.keep(row, &there);
                return;
            }
            self.make_way(row);
        }
        let known = there.dir.filter(|&dir| dir < FIRST_NEW && self.known().has_folder(dir));
        match known {
            Some(dir) => self.take_along(dir, folder, there),
            None => self.add(folder, &there),
        }
    }

    fn is_same(&self, row: RowId, there: &There) -> bool {
        let known = self.meta(row);
        match self.dir_of(row) {
            Some(dir) if there.dir == Some(dir) => known.inode == there.meta.inode,
            Some(dir) => {
                let other = there.dir.is_none_or(|number| number < FIRST_NEW && number != dir);
                !other && may_be_same_folder(&known, &there.meta)
            }
            None => known.inode == there.meta.inode && known.kind() == there.meta.kind(),
        }
    }

    /// The entry stands where it stood.
    fn keep(&mut self, row: RowId, there: &There) {
        let dir = self.dir_of(row);
        self.refresh(row, there.meta);
        let Some(dir) = dir else { return };
        self.doomed.remove(&dir);
        if there.dir.is_some_and(|number| number >= FIRST_NEW) {
            // It came while it was being looked for, and is not compared with what is known of it.
            self.name_new(there.dir, dir);
            self.changed_meanwhile(dir);
        }
        if there.barred {
            self.empty(dir);
        }
    }

    /// Gives a folder this metadata.
    pub(super) fn refresh_folder(&mut self, dir: DirId, meta: Meta) {
        self.refresh(self.known().body.dir_row(dir), meta);
    }

    fn refresh(&mut self, row: RowId, meta: Meta) {
        let before = self.meta(row);
        if before == meta {
            return;
        }
        if self.dir_of(row) != Some(ROOT) {
            let spot = self.spot(row);
            self.record.modified(|| spot, &before, &meta);
        }
        self.volume.refresh(row, meta);
        self.applied += 1;
        self.other_names(&meta);
    }

    /// The other names of an inode follow.
    fn other_names(&mut self, meta: &Meta) {
        if meta.kind() == EntryKind::Dir || meta.links < 2 {
            return;
        }
        match self.names {
            Names::Seen => {}
            Names::Share => self.share(*meta),
            Names::Look => drop(self.links.insert(meta.inode)),
        }
    }

    /// Gives all names of a file's inode this metadata.
    fn share(&mut self, meta: Meta) {
        for row in self.volume.names_of_inode(meta.inode) {
            if self.known().body.kind(row) == meta.kind() {
                self.note(row, meta);
            }
        }
    }

    /// Gives a name of a file this metadata.
    fn note(&mut self, row: RowId, meta: Meta) {
        let (before, spot) = (self.meta(row), self.spot(row));
        self.record.modified(|| spot, &before, &meta);
        self.volume.refresh(row, meta);
    }

    fn name_new(&mut self, number: Option<ScanDir>, dir: DirId) {
        let Some(new) = number.and_then(|number| number.checked_sub(FIRST_NEW)) else { return };
        let new = new as usize;
        if self.new.len() <= new {
            self.new.resize(new + 1, NONE);
        }
        self.new[new] = dir;
    }

    fn add(&mut self, folder: DirId, there: &There) {
        let dir = self.volume.add(folder, &there.name, there.meta);
        // What is in a new folder came with it.
        if there.folder < FIRST_NEW {
            self.record.created((self.inode(folder), there.name.clone()), &there.meta);
        }
        self.applied += 1;
        match dir {
            Some(dir) => {
                self.placed += 1;
                self.name_new(there.dir, dir);
            }
            None => self.other_names(&there.meta),
        }
    }

    /// A folder that the index has elsewhere.
    fn take_along(&mut self, dir: DirId, folder: DirId, there: There) {
        let row = self.known().body.dir_row(dir);
        let from = self.limbo.get(&dir).map_or_else(|| self.spot(row), |ousted| ousted.from.clone());
        if dir == folder || !self.volume.move_folder(dir, folder, &there.name) {
            self.stuck.push(there);
            return;
        }
        self.doomed.remove(&dir);
        self.limbo.remove(&dir);
        self.placed += 1;
        self.applied += 1;
        let to = (self.inode(folder), there.name);
        if from != to {
            self.record.moved(from, to, &there.meta);
        }
        self.refresh(self.known().body.dir_row(dir), there.meta);
        if there.barred {
            self.empty(dir);
        }
    }

    /// Something else has the name of this entry.
    fn make_way(&mut self, row: RowId) {
        let Some(dir) = self.dir_of(row) else {
            self.take_out(row, None);
            return;
        };
        let ousted = Ousted { from: self.spot(row), is_gone: self.doomed.remove(&dir).is_some() };
        let name = format!("/{}", self.limbo_names);
        self.limbo_names += 1;
        if self.volume.move_folder(dir, ROOT, name.as_bytes()) {
            self.limbo.insert(dir, ousted);
        }
    }

    fn gone(&mut self, folder: ScanDir, name: &[u8]) {
        let Some(folder) = self.folder(folder) else { return };
        let Some(row) = self.volume.row_at(folder, name) else { return };
        match self.dir_of(row) {
            Some(dir) => drop(self.doomed.insert(dir, (folder, name.into()))),
            None => self.take_out(row, None),
        }
    }

    fn take_out(&mut self, row: RowId, spot: Option<Spot>) {
        let (meta, spot) = (self.meta(row), spot.unwrap_or_else(|| self.spot(row)));
        self.record.removed(spot, &meta);
        let unlinked = self.volume.take_out(row);
        if self.names != Names::Seen {
            self.links.extend(unlinked.into_keys());
        }
        self.applied += 1;
    }

    /// What is below a folder is not for the index.
    fn empty(&mut self, dir: DirId) {
        let body = self.known().body;
        // By name: taking out one name of an inode may give its other names new rows.
        let names: Vec<Box<[u8]>> = body.children_of(dir).into_iter().map(|row| name_of(body, row)).collect();
        for name in names {
            if let Some(row) = self.volume.row_at(dir, &name) {
                self.make_way(row);
            }
        }
    }

    fn itself(&mut self, folder: ScanDir, meta: Meta) {
        let Some(dir) = self.folder(folder) else { return };
        if may_be_same_folder(&self.known().folder_meta(dir), &meta) {
            self.refresh(self.known().body.dir_row(dir), meta);
        } else {
            self.changed_meanwhile(folder);
        }
    }

    fn changed_meanwhile(&mut self, folder: ScanDir) {
        if let Some(dir) = self.folder(folder) {
            let folder = self.inode(dir);
            self.again.insert(Look::Folder { folder });
        }
    }

    /// Tries again what was not possible before, while that helps.
    pub(super) fn retry(&mut self) {
        loop {
            let stuck = std::mem::take(&mut self.stuck);
            let before = stuck.len();
            self.apply_all(stuck.into_iter().map(Finding::There));
            if self.stuck.len() == before || self.stuck.is_empty() {
                return;
            }
        }
    }

    /// Takes out what went, counts links anew, and gives the report.
    pub(super) fn finish(mut self, ground: &Ground) -> Seen {
        self.retry();
        for there in std::mem::take(&mut self.stuck) {
            self.look_at_both_ends(there);
        }
        self.take_out_leaving();
        for inode in std::mem::take(&mut self.links) {
            self.look_at_names(ground, inode);
        }
        self.into_seen()
    }

    /// As [`Writer::finish`], where nothing can be looked at again. Gives with the report how many findings and rows
    /// were left over: moves that are not possible, and what went with a folder without having been found to be gone.
    pub(super) fn finish_told(mut self) -> (Seen, u64) {
        self.retry();
        let stuck = self.stuck.len() as u64;
        let left = stuck + self.take_out_leaving();
        (self.into_seen(), left)
    }

    fn into_seen(self) -> Seen {
        let Record { changes, unrecorded, .. } = self.record;
        let again = self.again.into_iter().collect();
        Seen { changes, unrecorded, applied: self.applied, again, ..Seen::default() }
    }

    /// Takes out the folders that were not found elsewhere, those below others first. Gives the number of rows that
    /// went with them and that nobody said were gone.
    fn take_out_leaving(&mut self) -> u64 {
        let mut left = 0;
        let body = self.known().body;
        let mut doomed: Vec<(u32, DirId)> =
            self.doomed.keys().map(|&dir| (body.level(body.dir_row(dir)), dir)).collect();
        doomed.sort_unstable();
        for (_, dir) in doomed.into_iter().rev() {
            let Some((folder, name)) = self.doomed.remove(&dir) else { continue };
            let row = self.volume.row_at(folder, &name);
            if let Some(row) = row.filter(|&row| self.dir_of(row) == Some(dir)) {
                left += self.known().body.dir_totals(dir).descendants;
                self.take_out(row, None);
            }
        }
        for (dir, ousted) in std::mem::take(&mut self.limbo) {
            left += self.known().body.dir_totals(dir).descendants + u64::from(!ousted.is_gone);
            self.take_out(self.known().body.dir_row(dir), Some(ousted.from));
        }
        left
    }

    /// A move that was not possible: one of the folders on the way moved too, and that was not seen yet.
    fn look_at_both_ends(&mut self, there: There) {
        let Some(to) = self.folder(there.folder) else { return };
        self.again.insert(Look::Name { folder: self.inode(to), name: there.name });
        if let Some(dir) = there.dir.and_then(|number| self.folder(number)) {
            let (folder, name) = self.spot(self.known().body.dir_row(dir));
            self.again.insert(Look::Name { folder, name });
        }
    }

    /// Looks at the names of a file's inode: at the first that is there, if it speaks for all.
    fn look_at_names(&mut self, ground: &Ground, inode: u64) {
        for row in self.volume.names_of_inode(inode) {
            let Some(meta) = self.file_at(ground, row) else { continue };
            if self.names == Names::Share {
                self.share(meta);
                return;
            }
            self.note(row, meta);
        }
    }

    /// Metadata of a file, if it is still where the index has it.
    fn file_at(&self, ground: &Ground, row: RowId) -> Option<Meta> {
        let (body, known) = (self.known().body, self.meta(row));
        let found = ground.entry_of(self.known(), body.parent(row), &name_of(body, row))?;
        let (meta, place) = found.ok()?;
        let same = (meta.inode, meta.kind()) == (known.inode, known.kind());
        (same && ground.holds(&place)).then_some(meta)
    }
}

fn name_of(body: &Body, row: RowId) -> Box<[u8]> {
    let mut name = Vec::with_capacity(24);
    body.name_into(row, &mut name);
    name.into()
}
