//! A file system of records, as NTFS keeps one: an inode is the number of a record and how often it was used.
//!
//! Operations keep it a tree and note which records they touched. What a record holds can be told at any time, and
//! everything can be read anew.

use hearth_core::{CancelToken, EntryKind, NO_TIME};
use hearth_files::entry::{Chunk, Meta, NO_OWNER, NOT_A_DIR};
use hearth_files::follow::{RecordEntry, RecordNow};
use hearth_files::index::{Body, Root, Totals};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

pub(crate) fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads"))
}

const ROOT: usize = 5;
/// Few, so that they are used again.
const RECORDS: usize = 22;
const NAMES: [&str; 6] = ["a", "A", "b", "new", "é.txt", "x.rs"];
const STREAMS: [&str; 2] = ["Zone.Identifier", "s"];

#[derive(Clone, Debug, PartialEq)]
struct Used {
    is_dir: bool,
    /// Record and use of the folder, name.
    names: Vec<((usize, u64), &'static str)>,
    streams: BTreeSet<&'static str>,
    size: u64,
    created: i64,
    attributes: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// (folder, name, is a folder, record)
    Create(usize, usize, bool, usize),
    /// (entry, folder, name): what has the name goes.
    Rename(usize, usize, usize),
    /// Two entries exchange their places.
    Exchange(usize, usize),
    Link(usize, usize, usize),
    /// One name; a folder goes with everything below it.
    Remove(usize),
    /// Comes or goes.
    Stream(usize, usize),
    Write(usize, u64),
    /// The time of creation, which programs set.
    Born(usize, i64),
    /// The record is used for something else at once.
    Retype(usize),
    /// A folder comes between an entry and its folder: (entry, name, record).
    Wrap(usize, usize, usize),
}

pub(crate) fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let n = 0usize..1000;
    let op = prop_oneof![
        6 => (n.clone(), n.clone(), any::<bool>(), n.clone()).prop_map(|(a, b, c, d)| Op::Create(a, b, c, d)),
        6 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Rename(a, b, c)),
        3 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Exchange(a, b)),
        2 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Link(a, b, c)),
        3 => n.clone().prop_map(Op::Remove),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Stream(a, b)),
        2 => (n.clone(), 0u64..9000).prop_map(|(a, b)| Op::Write(a, b)),
        1 => (n.clone(), -5i64..5).prop_map(|(a, b)| Op::Born(a, b)),
        1 => n.clone().prop_map(Op::Retype),
        2 => (n.clone(), n.clone(), n).prop_map(|(a, b, c)| Op::Wrap(a, b, c)),
    ];
    prop::collection::vec(op, 0..most)
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct World {
    records: BTreeMap<usize, Used>,
    uses: HashMap<usize, u64>,
    pub(crate) touched: BTreeSet<usize>,
}

/// One name of a record: record, which of its names.
type At = (usize, usize);

impl World {
    pub(crate) fn new() -> Self {
        let mut world =
            Self { records: BTreeMap::new(), uses: HashMap::from([(ROOT, 5)]), touched: BTreeSet::new() };
        world.records.insert(ROOT, world.used(ROOT, true));
        world
    }

    fn used(&self, record: usize, is_dir: bool) -> Used {
        let created = if record.is_multiple_of(3) { NO_TIME } else { record as i64 * 100 };
        let attributes = if is_dir { 0x10 } else { 0x20 | (record as u32 & 3) };
        Used { is_dir, names: Vec::new(), streams: BTreeSet::new(), size: record as u64, created, attributes }
    }

    fn key(&self, record: usize) -> (usize, u64) {
        (record, self.uses[&record])
    }

    fn entries(&self) -> Vec<At> {
        let names =
            |(&record, used): (&usize, &Used)| (0..used.names.len()).map(move |at| (record, at)).collect();
        self.records.iter().flat_map(|record| -> Vec<At> { names(record) }).collect()
    }

    fn entry(&self, choice: usize) -> Option<At> {
        let all = self.entries();
        (!all.is_empty()).then(|| all[choice % all.len()])
    }

    fn folder(&self, choice: usize) -> usize {
        let folders: Vec<usize> =
            self.records.iter().filter(|(_, used)| used.is_dir).map(|(&at, _)| at).collect();
        folders[choice % folders.len()]
    }

    fn at(&self, folder: usize, name: &str) -> Option<At> {
        let key = self.key(folder);
        self.entries().into_iter().find(|&(record, at)| self.records[&record].names[at] == (key, name))
    }

    /// Whether a folder is another one or lies below it.
    fn is_within(&self, mut folder: usize, above: usize) -> bool {
        while folder != ROOT {
            if folder == above {
                return true;
            }
            folder = self.records[&folder].names[0].0.0;
        }
        above == ROOT
    }

    fn edit(&mut self, record: usize) -> &mut Used {
        self.touched.insert(record);
        self.records.get_mut(&record).expect("it is used")
    }

    pub(crate) fn run(&mut self, op: &Op) {
        match *op {
            Op::Create(folder, name, is_dir, record) => {
                let (folder, name) = (self.folder(folder), NAMES[name % NAMES.len()]);
                if self.at(folder, name).is_none() {
                    self.create(folder, name, is_dir, record);
                }
            }
            Op::Rename(entry, folder, name) => self.rename(entry, folder, name),
            Op::Exchange(one, other) => self.exchange(one, other),
            Op::Link(entry, folder, name) => self.link(entry, folder, name),
            Op::Remove(entry) => drop(self.entry(entry).map(|at| self.remove(at))),
            Op::Stream(entry, stream) => {
                let record = self.entry(entry).map_or(ROOT, |at| at.0);
                let streams = &mut self.edit(record).streams;
                let stream = STREAMS[stream % STREAMS.len()];
                if record != ROOT && !streams.remove(stream) {
                    streams.insert(stream);
                }
            }
            Op::Write(entry, size) => {
                let record = self.entry(entry).map_or(ROOT, |at| at.0);
                self.edit(record).size = size;
            }
            Op::Born(entry, created) => {
                let record = self.entry(entry).map_or(ROOT, |at| at.0);
                self.edit(record).created = created;
            }
            Op::Retype(entry) => self.retype(entry),
            Op::Wrap(entry, name, record) => self.wrap(entry, name, record),
        }
    }

    fn create(&mut self, folder: usize, name: &'static str, is_dir: bool, record: usize) -> Option<usize> {
        let free: Vec<usize> = (ROOT + 1..RECORDS).filter(|at| !self.records.contains_key(at)).collect();
        let record = *free.get(record.checked_rem(free.len())?)?;
        self.use_record(folder, name, is_dir, record);
        Some(record)
    }

    fn use_record(&mut self, folder: usize, name: &'static str, is_dir: bool, record: usize) {
        *self.uses.entry(record).or_default() += 1;
        let names = vec![(self.key(folder), name)];
        self.records.insert(record, Used { names, ..self.used(record, is_dir) });
        self.touched.insert(record);
    }

    fn rename(&mut self, entry: usize, folder: usize, name: usize) {
        let Some((record, at)) = self.entry(entry) else { return };
        let (folder, name) = (self.folder(folder), NAMES[name % NAMES.len()]);
        if self.records[&record].is_dir && self.is_within(folder, record) {
            return;
        }
        let old = self.records[&record].names[at];
        match self.at(folder, name) {
            Some((other, _)) if other == record || self.is_within(old.0.0, other) => return,
            Some(target) => self.remove(target),
            None => {}
        }
        // The target may have been another name of the same record.
        let key = self.key(folder);
        let names = &mut self.edit(record).names;
        *names.iter_mut().find(|name| **name == old).expect("it stands") = (key, name);
    }

    fn exchange(&mut self, one: usize, other: usize) {
        let (Some(one), Some(other)) = (self.entry(one), self.entry(other)) else { return };
        let place = |world: &Self, (record, at): At| world.records[&record].names[at];
        let (mine, theirs) = (place(self, one), place(self, other));
        let into_itself =
            |(record, _): At, to: usize| self.records[&record].is_dir && self.is_within(to, record);
        if one.0 == other.0 || into_itself(one, theirs.0.0) || into_itself(other, mine.0.0) {
            return;
        }
        self.edit(one.0).names[one.1] = theirs;
        self.edit(other.0).names[other.1] = mine;
    }

    fn link(&mut self, entry: usize, folder: usize, name: usize) {
        let Some((record, _)) = self.entry(entry) else { return };
        let (folder, name) = (self.folder(folder), NAMES[name % NAMES.len()]);
        if !self.records[&record].is_dir && self.at(folder, name).is_none() {
            let key = self.key(folder);
            self.edit(record).names.push((key, name));
        }
    }

    fn remove(&mut self, (record, at): At) {
        if self.records[&record].is_dir {
            let key = self.key(record);
            while let Some(below) =
                self.entries().into_iter().find(|&(below, at)| self.records[&below].names[at].0 == key)
            {
                self.remove(below);
            }
        }
        let names = &mut self.edit(record).names;
        names.remove(at);
        if names.is_empty() {
            self.records.remove(&record);
        }
    }

    fn retype(&mut self, entry: usize) {
        let Some((record, _)) = self.entry(entry) else { return };
        let Used { is_dir, names, .. } = self.records[&record].clone();
        for _ in &names {
            self.remove((record, 0));
        }
        let ((folder, _), name) = names[0];
        self.use_record(folder, name, !is_dir, record);
    }

    fn wrap(&mut self, entry: usize, name: usize, record: usize) {
        let Some((inner, at)) = self.entry(entry) else { return };
        let ((folder, _), old) = self.records[&inner].names[at];
        let Some(outer) = self.create(folder, "wrapped for a moment", true, record) else { return };
        let key = self.key(outer);
        self.edit(inner).names[at] = (key, NAMES[name % NAMES.len()]);
        self.edit(outer).names[0].1 = old;
    }

    fn meta(&self, record: usize) -> Meta {
        let (used, kind) =
            (&self.records[&record], |is_dir| if is_dir { EntryKind::Dir } else { EntryKind::File });
        Meta {
            size: used.size,
            allocated: used.size.next_multiple_of(512),
            modified_ns: 7,
            created_ns: used.created,
            accessed_ns: 8,
            inode: inode(self.key(record)),
            mode: kind(used.is_dir).type_bits(),
            uid: NO_OWNER,
            gid: NO_OWNER,
            links: used.names.len() as u32,
            attributes: used.attributes,
        }
    }

    /// What a record holds.
    pub(crate) fn record(&self, record: usize) -> RecordNow {
        let inodes = inode((record, 0))..=inode((record, 0xffff));
        let mut entries = Vec::new();
        if let Some(used) = self.records.get(&record) {
            let meta = self.meta(record);
            for &(folder, name) in &used.names {
                let parent = inode(folder);
                entries.push(RecordEntry { parent, name: name.into(), meta });
                for stream in &used.streams {
                    let (mode, size) = (EntryKind::Stream.type_bits(), stream.len() as u64);
                    let name = format!("{name}:{stream}").into_bytes();
                    entries.push(RecordEntry { parent, name, meta: Meta { mode, size, ..meta } });
                }
            }
            if record == ROOT {
                entries.push(RecordEntry { parent: meta.inode, name: b".".to_vec(), meta });
            }
        }
        RecordNow { inodes, entries }
    }

    /// The index of everything there is.
    pub(crate) fn read(&self) -> Body {
        let mut chunk = Chunk::default();
        let numbers: HashMap<u64, u32> = self
            .records
            .iter()
            .filter(|(_, used)| used.is_dir)
            .map(|(&record, _)| (inode(self.key(record)), (record - ROOT) as u32))
            .collect();
        for &record in self.records.keys().filter(|&&record| record != ROOT) {
            for RecordEntry { parent, name, meta } in self.record(record).entries {
                let is_dir = meta.kind() == EntryKind::Dir;
                let dir = if is_dir { numbers[&meta.inode] } else { NOT_A_DIR };
                chunk.push(numbers[&parent], dir, &name, meta);
            }
        }
        let root = Root { path: b"/mnt/c".to_vec(), meta: self.meta(ROOT) };
        Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new()).expect("nobody cancels")
    }
}

fn inode((record, uses): (usize, u64)) -> u64 {
    (record as u64) << 16 | uses
}

/// All that a body says of its entries, by path.
pub(crate) fn listing(body: &Body) -> BTreeMap<Vec<u8>, (Meta, Option<Totals>)> {
    let rows = body.tree(body.root_row(), usize::MAX).expect("no limit");
    let listing: BTreeMap<_, _> = rows
        .iter()
        .map(|&row| body.entry(row))
        .map(|entry| (entry.path, (entry.meta, entry.totals)))
        .collect();
    assert_eq!(listing.len() as u64, body.entries());
    listing
}
