//! A file system in memory, as a kernel keeps it, that reports its changes as a feed would.

#![allow(dead_code, unreachable_pub, missing_docs)]

use super::naive::{NaiveEntry, NaiveTree};
use hearth_core::{CancelToken, EntryKind};
use hearth_files::entry::{Chunk, DELETED, Meta, NO_OWNER, NOT_A_DIR};
use hearth_files::index::{Body, Change, Root};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

/// Threads of all tests.
pub fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads"))
}

/// Names that collide, fold, break and confuse.
pub const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"foo",
    b"Foo",
    b"FOO.rs",
    b"foo.rs",
    b"bar.txt",
    b"README",
    b"readme",
    b"Readme.md",
    b"ab",
    b"a b",
    "é".as_bytes(),
    "É.txt".as_bytes(),
    "日本語.rs".as_bytes(),
    b"\xff\xfe",
    b"bad\xc3name.rs",
    b"new\nline",
    b"tab\there",
    b".hidden",
    b".rs",
    b"x.",
    b"config.toml",
    b"foo_bar",
    b"foo-bar.RS",
    b"img001.png",
    b"A",
    b"aa.tar.gz",
    "\u{212a}elvin".as_bytes(),
    b"no.extensionthatisreallyfartoolongtobeone_at_all",
    b"o",
];

/// One operation. Numbers choose among what exists, modulo its count.
#[derive(Clone, Debug)]
pub enum Op {
    /// (folder, name, size)
    Create(usize, usize, u64),
    Mkdir(usize, usize),
    Symlink(usize, usize),
    Stream(usize, usize),
    /// (entry, folder, name)
    Link(usize, usize, usize),
    Rename(usize, usize, usize),
    Remove(usize),
    /// (entry, size)
    Write(usize, u64),
    Chmod(usize, u32),
    /// A folder becomes a file or the other way round.
    Retype(usize),
}

/// Random operations, at most `most`.
pub fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let n = 0usize..1000;
    let size = prop_oneof![Just(0u64), 1u64..2000, Just(4096), 1u64 << 20..1 << 33];
    let op = prop_oneof![
        5 => (n.clone(), n.clone(), size.clone()).prop_map(|(a, b, s)| Op::Create(a, b, s)),
        4 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Mkdir(a, b)),
        1 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Symlink(a, b)),
        1 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Stream(a, b)),
        2 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Link(a, b, c)),
        4 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Rename(a, b, c)),
        2 => n.clone().prop_map(Op::Remove),
        2 => (n.clone(), size).prop_map(|(a, s)| Op::Write(a, s)),
        1 => (n.clone(), 0u32..0o10000).prop_map(|(a, m)| Op::Chmod(a, m)),
        1 => n.prop_map(Op::Retype),
    ];
    prop::collection::vec(op, 0..most)
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Model {
    root: Vec<u8>,
    inodes: HashMap<u64, Meta>,
    folders: BTreeMap<u64, BTreeMap<Vec<u8>, u64>>,
    next: u64,
}

const ROOT: u64 = 2;

impl Model {
    pub fn new(root: &str) -> Model {
        let mut model =
            Model { root: root.into(), inodes: HashMap::new(), folders: BTreeMap::new(), next: 10 };
        model.inodes.insert(ROOT, model.meta(ROOT, EntryKind::Dir, 4096));
        model.folders.insert(ROOT, BTreeMap::new());
        model
    }

    fn meta(&self, inode: u64, kind: EntryKind, size: u64) -> Meta {
        let wave = (inode * 2_654_435_761) % 700_000_000;
        // Some entries are as NTFS has them.
        let ntfs = inode % 4 == 1;
        let permissions = if ntfs { 0 } else { [0o644, 0o755][inode as usize % 2] };
        let owner = if ntfs { NO_OWNER } else { [1000, 0][usize::from(!inode.is_multiple_of(5))] };
        let attributes = (wave as u32 & 0x27) | if inode.is_multiple_of(3) { DELETED } else { 0 };
        Meta {
            size,
            allocated: size.div_ceil(4096) * 4096,
            modified_ns: (1_000_000_000 + wave as i64) * 1_000_000_000
                + if inode.is_multiple_of(3) { wave as i64 } else { 0 },
            created_ns: if inode.is_multiple_of(4) {
                hearth_core::NO_TIME
            } else {
                1_000_000_000_000_000_000 + wave as i64
            },
            accessed_ns: 1_100_000_000_000_000_000 + inode as i64,
            inode,
            mode: kind.type_bits() | permissions,
            uid: owner,
            gid: if ntfs { NO_OWNER } else { (inode % 3) as u32 },
            links: 1,
            attributes: if ntfs { attributes } else { 0 },
        }
    }

    /// (folder, name, inode) of every entry but the root, in a stable order.
    fn places(&self) -> Vec<(u64, Vec<u8>, u64)> {
        let entries = |(&folder, names): (&u64, &BTreeMap<Vec<u8>, u64>)| {
            names.iter().map(move |(name, &inode)| (folder, name.clone(), inode)).collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(entries).collect()
    }

    fn folder(&self, choice: usize) -> u64 {
        *self.folders.keys().nth(choice % self.folders.len()).expect("the root is always there")
    }

    fn place(&self, choice: usize) -> Option<(u64, Vec<u8>, u64)> {
        let places = self.places();
        (!places.is_empty()).then(|| places[choice % places.len()].clone())
    }

    fn is_below(&self, folder: u64, above: u64) -> bool {
        let parents: HashMap<u64, u64> =
            self.places().into_iter().map(|(parent, _, inode)| (inode, parent)).collect();
        let mut at = folder;
        while at != ROOT {
            if at == above {
                return true;
            }
            at = parents[&at];
        }
        above == ROOT
    }

    /// Runs an operation and says what a feed would.
    pub fn run(&mut self, op: &Op) -> Vec<Change> {
        match *op {
            Op::Create(folder, name, size) => self.create(folder, name, EntryKind::File, size),
            Op::Mkdir(folder, name) => self.create(folder, name, EntryKind::Dir, 4096),
            Op::Symlink(folder, name) => self.create(folder, name, EntryKind::Link, 7),
            Op::Stream(folder, name) => self.create(folder, name, EntryKind::Stream, 26),
            Op::Link(entry, folder, name) => self.link(entry, folder, name),
            Op::Rename(entry, folder, name) => self.rename(entry, folder, name),
            Op::Remove(entry) => match self.place(entry) {
                Some((folder, name, _)) => self.remove(folder, &name),
                None => Vec::new(),
            },
            Op::Write(entry, size) => self.write(entry, size),
            Op::Chmod(entry, mode) => self.chmod(entry, mode),
            Op::Retype(entry) => self.retype(entry),
        }
    }

    fn create(&mut self, folder: usize, name: usize, kind: EntryKind, size: u64) -> Vec<Change> {
        let (folder, name) = (self.folder(folder), NAMES[name % NAMES.len()].to_vec());
        if self.folders[&folder].contains_key(&name) {
            return Vec::new();
        }
        self.create_at(folder, name, kind, size)
    }

    fn create_at(&mut self, folder: u64, name: Vec<u8>, kind: EntryKind, size: u64) -> Vec<Change> {
        let inode = self.next;
        self.next += 1;
        let meta = self.meta(inode, kind, size);
        self.inodes.insert(inode, meta);
        if kind == EntryKind::Dir {
            self.folders.insert(inode, BTreeMap::new());
        }
        self.folders.get_mut(&folder).unwrap().insert(name.clone(), inode);
        vec![Change::Put { parent: folder, name, meta }]
    }

    fn link(&mut self, entry: usize, folder: usize, name: usize) -> Vec<Change> {
        let Some((_, _, inode)) = self.place(entry) else { return Vec::new() };
        let (folder, name) = (self.folder(folder), NAMES[name % NAMES.len()].to_vec());
        if self.folders.contains_key(&inode) || self.folders[&folder].contains_key(&name) {
            return Vec::new();
        }
        let meta = self.inodes.get_mut(&inode).unwrap();
        meta.links += 1;
        let meta = *meta;
        self.folders.get_mut(&folder).unwrap().insert(name.clone(), inode);
        vec![Change::Put { parent: folder, name, meta }]
    }

    fn rename(&mut self, entry: usize, folder: usize, name: usize) -> Vec<Change> {
        let Some((from, from_name, inode)) = self.place(entry) else { return Vec::new() };
        let (to, to_name) = (self.folder(folder), NAMES[name % NAMES.len()].to_vec());
        let target = self.folders[&to].get(&to_name).copied();
        if target == Some(inode) || (self.folders.contains_key(&inode) && self.is_below(to, inode)) {
            return Vec::new();
        }
        // A folder that holds the source cannot be the target.
        if target.is_some_and(|target| self.folders.contains_key(&target) && self.is_below(from, target)) {
            return Vec::new();
        }
        if target.is_some() {
            self.forget(to, &to_name);
        }
        self.folders.get_mut(&from).unwrap().remove(&from_name);
        self.folders.get_mut(&to).unwrap().insert(to_name.clone(), inode);
        vec![Change::Move { from, from_name, to, to_name }]
    }

    /// Takes an entry and all below it out of the model.
    fn forget(&mut self, folder: u64, name: &[u8]) {
        let inode = self.folders.get_mut(&folder).unwrap().remove(name).unwrap();
        if let Some(names) = self.folders.get(&inode).cloned() {
            names.keys().for_each(|name| self.forget(inode, name));
            self.folders.remove(&inode);
        }
        let meta = self.inodes.get_mut(&inode).unwrap();
        meta.links -= 1;
        if meta.links == 0 {
            self.inodes.remove(&inode);
        }
    }

    fn remove(&mut self, folder: u64, name: &[u8]) -> Vec<Change> {
        self.forget(folder, name);
        vec![Change::Remove { parent: folder, name: name.to_vec() }]
    }

    fn write(&mut self, entry: usize, size: u64) -> Vec<Change> {
        let Some((parent, name, inode)) = self.place(entry) else { return Vec::new() };
        if self.inodes[&inode].kind() != EntryKind::File {
            return Vec::new();
        }
        let meta = self.inodes.get_mut(&inode).unwrap();
        (meta.size, meta.allocated) = (size, size.div_ceil(512) * 512);
        meta.modified_ns += 1_000_000_007;
        let meta = *meta;
        // Both ways in which a feed may say it.
        if size.is_multiple_of(2) {
            vec![Change::Put { parent, name, meta }]
        } else {
            vec![Change::Meta { meta }]
        }
    }

    fn chmod(&mut self, entry: usize, mode: u32) -> Vec<Change> {
        let inode = if entry.is_multiple_of(7) {
            ROOT
        } else {
            self.place(entry).map_or(ROOT, |(_, _, inode)| inode)
        };
        let meta = self.inodes.get_mut(&inode).unwrap();
        meta.mode = meta.kind().type_bits() | mode & 0o7777;
        vec![Change::Meta { meta: *meta }]
    }

    fn retype(&mut self, entry: usize) -> Vec<Change> {
        let Some((folder, name, inode)) = self.place(entry) else { return Vec::new() };
        let kind = if self.folders.contains_key(&inode) { EntryKind::File } else { EntryKind::Dir };
        self.forget(folder, &name);
        self.create_at(folder, name, kind, 12)
    }

    /// What the naive evaluator looks at.
    pub fn naive(&self) -> NaiveTree {
        let root = if self.root.is_empty() { b"/".to_vec() } else { self.root.clone() };
        let mut entries = vec![NaiveEntry { path: root, meta: self.inodes[&ROOT] }];
        self.collect(ROOT, &self.root, &mut entries);
        NaiveTree::new(entries)
    }

    fn collect(&self, folder: u64, path: &[u8], out: &mut Vec<NaiveEntry>) {
        for (name, inode) in &self.folders[&folder] {
            let path = [path, b"/", name].concat();
            out.push(NaiveEntry { path: path.clone(), meta: self.inodes[inode] });
            if self.folders.contains_key(inode) {
                self.collect(*inode, &path, out);
            }
        }
    }

    fn chunk(&self) -> Chunk {
        let number = |inode: u64| {
            let at = self.folders.keys().position(|&known| known == inode);
            at.map_or(NOT_A_DIR, |at| at as u32)
        };
        let mut chunk = Chunk::default();
        for (folder, name, inode) in self.places() {
            chunk.push(number(folder), number(inode), &name, self.inodes[&inode]);
        }
        chunk
    }

    fn build_from(&self, chunks: &[Arc<Chunk>]) -> Body {
        let root = Root { path: self.root.clone(), meta: self.inodes[&ROOT] };
        Body::build(&root, chunks, pool(), &CancelToken::new()).expect("nobody cancels")
    }

    /// A body as a scan would give it, the rows in two chunks and not in order.
    pub fn build(&self) -> Body {
        let whole = self.chunk();
        let mut halves = [Chunk::default(), Chunk::default()];
        let rows: Vec<_> = whole.rows.iter().enumerate().collect();
        for (at, row) in rows.into_iter().rev() {
            halves[at % 2].push(row.parent, row.dir, whole.name(&row), row.meta);
        }
        self.build_from(&halves.map(Arc::new))
    }

    /// A body from a scan whose first row has not arrived.
    pub fn build_without_first_row(&self) -> Body {
        let whole = self.chunk();
        let mut chunk = Chunk::default();
        for row in whole.rows.iter().skip(1) {
            chunk.push(row.parent, row.dir, whole.name(&row), row.meta);
        }
        self.build_from(&[Arc::new(chunk)])
    }
}
