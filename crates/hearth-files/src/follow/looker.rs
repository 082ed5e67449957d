//! From looks to findings: which folder is meant, where it is, what is under the names.
//!
//! Looks come in no order, so a folder may be meant that the index has not moved to its place yet, or does
//! not have at all. Looks that cannot be carried out wait for another round, in which the others may have
//! brought the folder to its place; when a round changes nothing, the first step on the way to the folder
//! that leads astray is looked at itself, and the folder moves, or is gone. A folder that the index does
//! not have is skipped: whatever look finds it later lists it with everything in it.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::compare::{Comparer, ITSELF};
use super::finding::Finding;
use super::ground::{Way, leads_astray, way_to};
use super::run::{Means, run};
use super::walk::Walk;
use super::writer::Writer;
use super::{FollowError, Look, Scope};
use crate::entry::Meta;
use crate::index::{DirId, ROOT};
use crate::scan::queue::Batch;
use crate::scan::stat;
use crate::scan::tree::{Dir, Handle};

/// Rounds after which what still waits is left for another call.
const ROUNDS: usize = 8;

/// What is to be looked at in one folder.
struct Wanted<'l> {
    folder: u64,
    names: Vec<&'l [u8]>,
    all: bool,
}

/// See the module.
pub(super) struct Looker<'a, 'v> {
    pub(super) walk: &'a Walk<'a>,
    pub(super) comparer: Comparer<'a>,
    pub(super) writer: Writer<'v>,
    pub(super) means: Means<'a>,
}

impl Looker<'_, '_> {
    /// Carries out looks in rounds.
    pub(super) fn look(&mut self, looks: &[Look]) -> Result<(), FollowError> {
        let mut waiting = self.round(looks)?;
        for _ in 1..ROUNDS {
            if waiting.is_empty() {
                return Ok(());
            }
            let placed = self.writer.placed();
            let next = self.round(&waiting)?;
            waiting = if self.writer.placed() == placed { self.unblock(next) } else { next };
        }
        waiting.into_iter().for_each(|look| self.writer.look_again(look));
        Ok(())
    }

    /// Compares folders and whatever is below those that are new; in a deep walk, whatever is below all.
    pub(super) fn compare(&mut self, scope: &Scope) -> Result<(), FollowError> {
        let known = self.writer.known();
        let dirs: Vec<DirId> = match scope {
            Scope::Everything => vec![ROOT],
            Scope::Folders(inodes) => {
                inodes.iter().flat_map(|&inode| known.folders_of_inode(inode)).collect()
            }
        };
        for dir in dirs {
            if let Some(way) = way_to(known, dir).filter(|way| !self.excludes(way)) {
                self.list(dir, &self.walk.ground.dir_at(&way, None));
            }
        }
        run(self.walk, &mut self.comparer, &mut self.writer, self.means)
    }

    /// Carries out looks once, and gives those that have to wait.
    fn round(&mut self, looks: &[Look]) -> Result<Vec<Look>, FollowError> {
        let named = self.names_of_objects(looks);
        let mut looks: Vec<&Look> = looks.iter().chain(&named).collect();
        looks.sort_unstable();
        looks.dedup();
        let mut waiting = Vec::new();
        for same in looks.chunk_by(|one, other| one.folder() == other.folder()) {
            self.walk.cancel.check()?;
            let wanted = wanted(same);
            let dirs: Vec<DirId> = self.writer.known().folders_of_inode(wanted.folder).collect();
            let mut reached = true;
            for dir in dirs {
                reached &= self.look_in(dir, &wanted)?;
            }
            if !reached {
                waiting.extend(same.iter().map(|&look| look.clone()));
            }
        }
        self.writer.retry();
        Ok(waiting)
    }

    /// The places of inodes that are not folders.
    fn names_of_objects(&self, looks: &[Look]) -> Vec<Look> {
        let inodes = looks.iter().filter_map(|look| match look {
            Look::Object { inode } => Some(*inode),
            _ => None,
        });
        let volume = self.writer.volume();
        let no_folder = |inode: &u64| volume.known().folders_of_inode(*inode).next().is_none();
        let rows = inodes.filter(no_folder).flat_map(|inode| volume.names_of_inode(inode));
        rows.map(|row| {
            let (body, mut name) = (volume.known().body, Vec::new());
            body.name_into(row, &mut name);
            Look::Name { folder: volume.known().folder_meta(body.parent(row)).inode, name: name.into() }
        })
        .collect()
    }

    /// Looks at what is wanted of one folder. False if the folder is not where the index has it.
    fn look_in(&mut self, dir: DirId, wanted: &Wanted<'_>) -> Result<bool, FollowError> {
        if self.writer.is_leaving(dir) {
            return Ok(false);
        }
        let Some(way) = way_to(self.writer.known(), dir) else { return Ok(false) };
        let opened = self.walk.ground.open_way(&way);
        let (fd, now) = match opened.and_then(|fd| Ok((stat::folder(fd.as_fd())?, fd))) {
            Ok((now, fd)) if self.walk.ground.is_folder(self.writer.known(), dir, &now) => (fd, now),
            Err(error) if !leads_astray(error) => {
                self.comparer.counts.tally.count(error);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        if self.excludes(&way) {
            return Ok(true);
        }
        let before = self.writer.known().folder_meta(dir);
        self.writer.apply(Finding::Itself { folder: dir, meta: now.meta });
        let handle = Handle::new(fd, &self.walk.ground.budget);
        let at = self.walk.ground.dir_at(&way, Some(&handle));
        for name in &wanted.names {
            self.look_at(dir, &at, &handle, name)?;
        }
        if wanted.all || self.may_have_opened(dir, &before, &now.meta) {
            self.list(dir, &at);
        }
        run(self.walk, &mut self.comparer, &mut self.writer, self.means)?;
        Ok(true)
    }

    /// Whether the contents of the folder at the end of a way are not for the index.
    fn excludes(&self, way: &Way) -> bool {
        let excluded = |((_, name), above): (&(DirId, CString), &[(DirId, CString)])| {
            self.walk.excludes_folder(&self.walk.ground.dir_at(above, None), name)
        };
        way.split_last().is_some_and(excluded)
    }

    fn may_have_opened(&self, dir: DirId, before: &Meta, now: &Meta) -> bool {
        self.comparer.may_have_opened(self.writer.known(), dir, before, now)
    }

    fn look_at(
        &mut self,
        dir: DirId,
        at: &Arc<Dir>,
        handle: &Arc<Handle>,
        name: &[u8],
    ) -> Result<(), FollowError> {
        let Ok(c_name) = CString::new(name) else { return Ok(()) };
        if name.is_empty() || name.contains(&b'/') || matches!(name, b"." | b"..") {
            return Ok(());
        }
        let row = self.writer.volume().row_at(dir, name);
        self.comparer.name(self.writer.known(), at, handle.as_fd(), &c_name, row);
        self.writer.apply_all(self.comparer.out.drain(..));
        self.walk.cancel.check()?;
        Ok(())
    }

    fn list(&self, dir: DirId, at: &Arc<Dir>) {
        let mut batch = Batch::new(Arc::clone(at));
        batch.push(dir, ITSELF, 0);
        self.walk.queue.push(0, batch);
    }

    /// When nothing moves any more: adds looks at the places where the ways to folders break. Where all breaks
    /// are known, the folders are gone, and what waits for them with them.
    fn unblock(&mut self, mut waiting: Vec<Look>) -> Vec<Look> {
        let mut breaks = Vec::new();
        for look in &waiting {
            let dirs: Vec<DirId> = self.writer.known().folders_of_inode(look.folder()).collect();
            breaks.extend(dirs.into_iter().filter_map(|dir| self.break_on_way(dir)));
        }
        if breaks.is_empty() {
            return breaks;
        }
        waiting.append(&mut breaks);
        waiting
    }

    /// A look at the place where the way to a folder breaks; `None` if that is known already.
    fn break_on_way(&mut self, dir: DirId) -> Option<Look> {
        if self.writer.is_leaving(dir) {
            return None;
        }
        let known = self.writer.known();
        let way = way_to(known, dir)?;
        match self.walk.ground.broken_step(known, &way) {
            Ok(Some((above, name))) => {
                Some(Look::Name { folder: known.folder_meta(above).inode, name: name.into_bytes().into() })
            }
            // It came back: the next round reaches it.
            Ok(None) => Some(Look::Object { inode: known.folder_meta(dir).inode }),
            Err(error) => {
                self.comparer.counts.tally.count(error);
                None
            }
        }
    }
}

fn wanted<'l>(same: &[&'l Look]) -> Wanted<'l> {
    let mut wanted = Wanted { folder: same[0].folder(), names: Vec::new(), all: false };
    for look in same {
        match look {
            Look::Name { name, .. } => wanted.names.push(name),
            Look::Folder { .. } => wanted.all = true,
            Look::Object { .. } => {}
        }
    }
    wanted
}
