//! The changes since the base, as one section that is replayed.
//!
//! Only what is so at the end is kept: removed base rows as runs, added rows by age with their names, what
//! folders' totals differ by, and which folders moved. Added rows and added folders are numbered anew, so
//! numbers follow from the order and no claim makes room for rows that are not there. Lists, texts and
//! places of folders come from adding the rows again.
//!
//! Layout: four counts, then runs, rows, totals and moved folders, each as [`Element`]s; last the names of
//! the rows back to back.

use super::StoredError;
use super::section::{Element, Section, SectionId, decode};
use crate::entry::Meta;
use crate::index::base::{Base, DirId};
use crate::index::body::Body;
use crate::index::delta::{Delta, DirPatch, NONE, ROOT};
use std::collections::HashMap;

pub(super) const DELTA: SectionId = SectionId::new(96, "changes");

/// First removed row, and how many follow each other.
type Run = (u32, u32);
/// Holding folder, own folder number or [`NONE`]; bytes of the name; metadata.
type Row = ((u32, u32), (u16, Meta));
/// Folder; children, descendants, size, allocated.
type Totals = (u32, [i64; 4]);

impl Element for Meta {
    const BYTES: usize = 68;

    fn put(self, out: &mut [u8]) {
        let Meta { size, allocated, modified_ns, created_ns, accessed_ns, inode, .. } = self;
        let Meta { mode, uid, gid, links, attributes, .. } = self;
        let classed = [mode, uid, gid, links, attributes];
        (([size, allocated, inode], [modified_ns, created_ns, accessed_ns]), classed).put(out);
    }

    fn get(bytes: &[u8]) -> Self {
        type Parts = (([u64; 3], [i64; 3]), [u32; 5]);
        let (([size, allocated, inode], times), classed) = Parts::get(bytes);
        let [modified_ns, created_ns, accessed_ns] = times;
        let [mode, uid, gid, links, attributes] = classed;
        Meta {
            size,
            allocated,
            modified_ns,
            created_ns,
            accessed_ns,
            inode,
            mode,
            uid,
            gid,
            links,
            attributes,
        }
    }
}

/// Adds the section, if anything changed.
pub(super) fn store(body: &Body, out: &mut Vec<Section<'_>>) {
    if !body.delta.is_empty() {
        out.push(Section::made(DELTA, encode(&body.delta, &body.base)));
    }
}

fn encode(delta: &Delta, base: &Base) -> Vec<u8> {
    let numbers = added_dirs(delta, base.dir_count());
    let number = |dir: DirId| numbers.get(&dir).copied().unwrap_or(dir);
    let runs = runs(delta.dead.iter_ones_in(0..base.len));
    let rows = delta.rows.iter().map(|(_, row)| -> Row {
        ((number(row.parent), number(row.dir)), (row.name.len() as u16, row.meta))
    });
    let rows: Vec<Row> = rows.collect();
    let is_known = |dir: DirId| dir < base.dir_count() || numbers.contains_key(&dir);
    let totals = delta.dirs.iter().filter(|&(dir, _)| is_known(dir)).map(|(dir, patch)| -> Totals {
        (number(dir), [patch.children, patch.descendants, patch.size, patch.allocated])
    });
    let totals: Vec<Totals> = totals.filter(|(_, totals)| *totals != [0; 4]).collect();
    let moved: Vec<u32> = delta.displaced.iter().map(|displaced| displaced.dir).collect();
    let mut out = Vec::new();
    append(&mut out, &[runs.len(), rows.len(), totals.len(), moved.len()].map(|count| count as u32));
    append(&mut out, &runs);
    append(&mut out, &rows);
    append(&mut out, &totals);
    append(&mut out, &moved);
    delta.rows.iter().for_each(|(_, row)| out.extend_from_slice(&row.name));
    out
}

/// Numbers of the live added folders, in the order of their rows.
fn added_dirs(delta: &Delta, base_dirs: u32) -> HashMap<DirId, DirId> {
    let dirs = delta.rows.iter().map(|(_, row)| row.dir).filter(|&dir| dir != NONE && dir >= base_dirs);
    dirs.zip(base_dirs..).collect()
}

fn runs(rows: impl Iterator<Item = u32>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some((start, len)) if *start + *len == row => *len += 1,
            _ => runs.push((row, 1)),
        }
    }
    runs
}

fn append<T: Element>(out: &mut Vec<u8>, elements: &[T]) {
    let start = out.len();
    out.resize(start + elements.len() * T::BYTES, 0);
    out[start..].chunks_exact_mut(T::BYTES).zip(elements).for_each(|(out, element)| element.put(out));
}

/// The changes to a base, as [`store`] wrote them.
pub(super) fn load(bytes: &[u8], base: &Base) -> Result<Delta, StoredError> {
    let mut rest = Rest { bytes, whole: bytes.len() };
    let counts: Vec<u32> = rest.take(4)?;
    let [runs, rows, totals, moved] = counts[..] else { unreachable!("four were taken") };
    let (runs, rows): (Vec<Run>, Vec<Row>) = (rest.take(runs)?, rest.take(rows)?);
    let (totals, moved): (Vec<Totals>, Vec<u32>) = (rest.take(totals)?, rest.take(moved)?);
    let mut replay = Replay { base, delta: Delta::new(base.dir_count()) };
    replay.remove_rows(&runs)?;
    replay.add_rows(&rows, rest)?;
    replay.add_totals(&totals)?;
    replay.move_folders(moved)?;
    replay.check_tree()?;
    Ok(replay.delta)
}

/// What of the section was not read yet.
#[derive(Clone, Copy)]
struct Rest<'a> {
    bytes: &'a [u8],
    whole: usize,
}

impl<'a> Rest<'a> {
    fn split(&mut self, len: usize) -> Result<&'a [u8], StoredError> {
        let read = self.whole - self.bytes.len();
        let truncated =
            StoredError::Truncated { section: DELTA, found: self.whole, wanted: read.saturating_add(len) };
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn take<T: Element>(&mut self, count: u32) -> Result<Vec<T>, StoredError> {
        self.split((count as usize).saturating_mul(T::BYTES)).map(decode)
    }
}

struct Replay<'a> {
    base: &'a Base,
    delta: Delta,
}

impl Replay<'_> {
    fn remove_rows(&mut self, runs: &[Run]) -> Result<(), StoredError> {
        let mut next = 0;
        for &(start, len) in runs {
            let end = start.checked_add(len).filter(|&end| end <= self.base.len && start >= next);
            let end = end.ok_or_else(|| DELTA.corrupt("removed rows that are not in order"))?;
            (start..end).for_each(|row| self.delta.dead.set(row, true));
            next = end;
        }
        Ok(())
    }

    fn add_rows(&mut self, rows: &[Row], mut names: Rest<'_>) -> Result<(), StoredError> {
        let base_dirs = self.base.dir_count();
        let added_dirs = rows.iter().filter(|((_, dir), _)| *dir != NONE && *dir >= base_dirs).count();
        // Room for changes that follow: a row number is at most half of all 32-bit numbers.
        DELTA.check(rows.len() < 1 << 30, "too many rows")?;
        let end = base_dirs + added_dirs as u32;
        for &((parent, dir), (name_len, meta)) in rows {
            let name = names.split(usize::from(name_len))?;
            DELTA.check(parent < end && !name.contains(&0), "a row that cannot be")?;
            self.check_dir(parent, dir)?;
            let row = self.delta.push(parent, dir, self.base.added_name(name), meta);
            if dir != NONE {
                self.delta.edit_dir(dir, |patch| patch.row = row);
                self.delta.next_dir = self.delta.next_dir.max(dir + 1);
            }
        }
        DELTA.check(names.bytes.is_empty(), "more than the names")
    }

    /// A row may stand for the next added folder, or for one of the base whose row was removed.
    fn check_dir(&self, parent: DirId, dir: DirId) -> Result<(), StoredError> {
        let holds = if dir == NONE {
            true
        } else if dir < self.base.dir_count() {
            let first = self.delta.patch(dir).row == NONE && self.delta.dead.get(self.base.dir_row(dir));
            first && (dir != ROOT || parent == ROOT)
        } else {
            dir == self.delta.next_dir
        };
        DELTA.check(holds, "a folder that cannot be")
    }

    fn add_totals(&mut self, totals: &[Totals]) -> Result<(), StoredError> {
        for &(dir, [children, descendants, size, allocated]) in totals {
            DELTA.check(dir < self.delta.next_dir, "totals of no folder")?;
            self.delta.edit_dir(dir, |patch| {
                *patch = DirPatch { children, descendants, size, allocated, ..*patch }
            });
        }
        Ok(())
    }

    fn move_folders(&mut self, mut dirs: Vec<u32>) -> Result<(), StoredError> {
        dirs.sort_unstable();
        dirs.dedup();
        DELTA.check(
            dirs.last().is_none_or(|&dir| dir < self.base.dir_count()),
            "a moved folder that is not there",
        )?;
        self.delta.displace_all(dirs.into_iter().map(|dir| self.base.displaced(dir)));
        Ok(())
    }

    /// Every folder with an added row lies below the root, and so does each row.
    fn check_tree(&self) -> Result<(), StoredError> {
        DELTA.check(self.is_live(ROOT), "no root")?;
        let mut places = vec![Place::Unknown; self.delta.next_dir as usize];
        places[ROOT as usize] = Place::Below;
        let mut chain = Vec::new();
        for (_, row) in self.delta.rows.iter() {
            DELTA.check(self.is_live(row.parent), "a row in a folder that was removed")?;
            let mut dir = row.parent;
            while places[dir as usize] == Place::Unknown {
                places[dir as usize] = Place::Walked;
                chain.push(dir);
                dir = self.parent(dir);
            }
            DELTA.check(places[dir as usize] == Place::Below, "a folder below itself")?;
            chain.drain(..).for_each(|dir| places[dir as usize] = Place::Below);
        }
        Ok(())
    }

    fn is_live(&self, dir: DirId) -> bool {
        self.delta.patch(dir).row != NONE || !self.delta.dead.get(self.base.dir_row(dir))
    }

    fn parent(&self, dir: DirId) -> DirId {
        let added = self.delta.rows.get(self.delta.patch(dir).row);
        added.map_or_else(|| self.base.dir_parent(dir), |row| row.parent)
    }
}

/// What is known of a folder.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Unknown,
    /// On the chain that is being walked.
    Walked,
    Below,
}
