//! What changed in one step, as it is kept: paths that stay true whatever becomes of the folders.
//!
//! Of what was removed the path is that in the body before, of all else that in the body after. Records of one step
//! come in an order in which they can be carried out one after the other: removals, renames, creations,
//! modifications. Renames that hang together (one into another, two that change places) have no such order; those
//! are kept as a removal and a creation.

use crate::api::{Change, ChangeKind};
use crate::journal::Step;
use crate::paths::holds;
use hearth_core::{EntryKind, UnixNanos};
use hearth_files::follow::Difference;
use hearth_files::index::{Body, RowId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Where an entry is or was. The folder has no trailing slash, the root of all is the empty path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    folder: Arc<[u8]>,
    name: Box<[u8]>,
}

impl Place {
    /// The absolute path.
    pub(crate) fn path(&self) -> Vec<u8> {
        [&*self.folder, b"/", &*self.name].concat()
    }
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Created,
    Removed,
    Renamed { from: Place },
    Modified,
}

/// One change of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) at_ns: UnixNanos,
    pub(crate) happened: Happened,
    pub(crate) kind: EntryKind,
    pub(crate) place: Place,
}

impl Record {
    /// Heap bytes and its own, the paths of folders counted in each record.
    pub(crate) fn bytes(&self) -> usize {
        let of = |place: &Place| place.folder.len() + place.name.len();
        let from = match &self.happened {
            Happened::Renamed { from } => of(from),
            Happened::Created | Happened::Removed | Happened::Modified => 0,
        };
        size_of::<Self>() + of(&self.place) + from
    }

    /// Whether it concerns what is below any of these folders; none = everything does.
    pub(crate) fn concerns(&self, folders: &[Vec<u8>]) -> bool {
        let path = self.place.path();
        let from = match &self.happened {
            Happened::Renamed { from } => Some(from.path()),
            Happened::Created | Happened::Removed | Happened::Modified => None,
        };
        // A folder stands for what is below it.
        let around = |path: &[u8], folder: &[u8]| {
            self.kind == EntryKind::Dir && self.happened != Happened::Modified && holds(path, folder)
        };
        let meets = |path: &[u8], folder: &[u8]| holds(folder, path) || around(path, folder);
        folders.is_empty()
            || folders
                .iter()
                .any(|folder| meets(&path, folder) || from.as_ref().is_some_and(|from| meets(from, folder)))
    }

    /// The form for others.
    pub(crate) fn to_change(&self) -> Change {
        let what = match &self.happened {
            Happened::Created => ChangeKind::Created,
            Happened::Removed => ChangeKind::Removed,
            Happened::Renamed { from } => ChangeKind::Renamed { from: from.path() },
            Happened::Modified => ChangeKind::Modified,
        };
        Change {
            what,
            kind: self.kind,
            path: self.place.path(),
            generation: self.generation,
            at_ns: self.at_ns,
        }
    }
}

/// The records of a step.
pub(crate) fn records(step: &Step<'_>, found: &[Difference]) -> Vec<Record> {
    let mut namer = Namer { before: Folders::new(step.before), after: Folders::new(step.after) };
    let mut told: Vec<(Happened, EntryKind, Place)> = found.iter().map(|found| namer.tell(found)).collect();
    untangle(&mut told);
    told.sort_by_key(|(happened, ..)| match happened {
        Happened::Removed => 0,
        Happened::Renamed { .. } => 1,
        Happened::Created => 2,
        Happened::Modified => 3,
    });
    let (generation, at_ns) = (step.generation, step.at_ns);
    told.into_iter()
        .map(|(happened, kind, place)| Record { generation, at_ns, happened, kind, place })
        .collect()
}

/// Names rows of both bodies.
struct Namer<'b> {
    before: Folders<'b>,
    after: Folders<'b>,
}

impl Namer<'_> {
    fn tell(&mut self, found: &Difference) -> (Happened, EntryKind, Place) {
        let (before, after) = (&mut self.before, &mut self.after);
        match *found {
            Difference::Removed(row) => (Happened::Removed, before.body.kind(row), before.place(row)),
            Difference::Created(row) => (Happened::Created, after.body.kind(row), after.place(row)),
            Difference::Renamed { from, to } => {
                (Happened::Renamed { from: before.place(from) }, after.body.kind(to), after.place(to))
            }
            Difference::Modified { after: row, .. } => {
                (Happened::Modified, after.body.kind(row), after.place(row))
            }
        }
    }
}

/// Paths of the folders of one body, each put together once.
struct Folders<'b> {
    body: &'b Body,
    paths: HashMap<RowId, Arc<[u8]>>,
}

impl<'b> Folders<'b> {
    fn new(body: &'b Body) -> Self {
        Self { body, paths: HashMap::new() }
    }

    fn place(&mut self, row: RowId) -> Place {
        let body = self.body;
        let Some(folder) = body.folder_of(row) else { return root_of(body) };
        let mut name = Vec::new();
        body.name_into(row, &mut name);
        let path = self.paths.entry(folder).or_insert_with(|| {
            let mut path = Vec::new();
            body.path_into(folder, &mut path);
            if path == b"/" { Arc::default() } else { path.into() }
        });
        Place { folder: Arc::clone(path), name: name.into() }
    }
}

/// Where the root of a volume is.
fn root_of(body: &Body) -> Place {
    let path = body.root();
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    Place { folder: path[..slash].into(), name: path[slash + 1..].into() }
}

/// Turns renames that cannot be carried out one after the other into removals and creations.
fn untangle(told: &mut Vec<(Happened, EntryKind, Place)>) {
    let mut renames = 0;
    let (mut sources, mut occupied): (HashSet<Vec<u8>>, HashSet<Vec<u8>>) = Default::default();
    for (happened, kind, place) in told.iter() {
        match happened {
            Happened::Renamed { from } => {
                renames += 1;
                sources.insert(from.path());
                if *kind == EntryKind::Dir {
                    occupied.extend([from.path(), place.path()]);
                }
            }
            Happened::Removed if *kind == EntryKind::Dir => drop(occupied.insert(place.path())),
            Happened::Removed | Happened::Created | Happened::Modified => {}
        }
    }
    if renames == 0 || (renames == 1 && occupied.len() <= 2 && told.len() == 1) {
        return;
    }
    let below = |path: &[u8]| ancestors(path).any(|above| occupied.contains(above));
    let mut created = Vec::new();
    for (happened, kind, place) in told.iter_mut() {
        let Happened::Renamed { from } = happened else { continue };
        let (source, target) = (from.path(), place.path());
        if sources.contains(&target) || below(&source) || below(&target) {
            created.push((Happened::Created, *kind, std::mem::replace(place, from.clone())));
            *happened = Happened::Removed;
        }
    }
    told.extend(created);
}

/// The folders above a path, the nearest first.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(slash, _)| &path[..slash])
}
