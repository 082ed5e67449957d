//! One instant of a volume's index: a shared base and the delta up to that instant.
//!
//! Rows below the base's length are base rows, the others are added rows. A folder is named by its
//! [`DirId`]; which row stands for it may change. Reading never locks and never changes anything.

use super::base::{Base, DirId};
use super::build::{self, Repeats};
use super::delta::{Delta, NONE, ROOT};
use super::{BuildError, Entry, Root, RowId, Totals};
use crate::entry::{Chunk, Meta, NOT_A_DIR};
use crate::fold::fold_into;
use hearth_core::{CancelToken, EntryKind, HeapSize};
use rayon::ThreadPool;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

/// See the module. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Body {
    pub(crate) base: Arc<Base>,
    pub(crate) delta: Delta,
}

impl Body {
    /// Builds a body from scan output. Rows whose folder's own row is missing from the chunks are
    /// left out (they belong to listings that are not in yet).
    ///
    /// # Errors
    /// [`BuildError::Cancelled`], or a limit of the index was passed.
    pub fn build(
        root: &Root,
        chunks: &[Arc<Chunk>],
        pool: &ThreadPool,
        cancel: &CancelToken,
    ) -> Result<Body, BuildError> {
        Ok(Body::from_base(build::build(root, chunks, Repeats::LeftOut, pool, cancel)?))
    }

    /// As [`Body::build`], for entries of which a folder may hold several under one name (deleted ones). Each is a row;
    /// such a body answers queries and is not one to apply changes to.
    ///
    /// # Errors
    /// As [`Body::build`].
    pub fn build_with_repeats(
        root: &Root,
        chunks: &[Arc<Chunk>],
        pool: &ThreadPool,
        cancel: &CancelToken,
    ) -> Result<Body, BuildError> {
        Ok(Body::from_base(build::build(root, chunks, Repeats::Kept, pool, cancel)?))
    }

    fn from_base(base: Base) -> Body {
        let delta = Delta::new(base.dir_count());
        Body { base: Arc::new(base), delta }
    }

    /// The same entries with the delta folded into a new base.
    ///
    /// # Errors
    /// As [`Body::build`].
    pub fn fold(&self, pool: &ThreadPool, cancel: &CancelToken) -> Result<Body, BuildError> {
        let root = Root { path: self.base.root.to_vec(), meta: self.meta(self.root_row()) };
        let chunks = self.to_chunks(cancel)?;
        Body::build(&root, &chunks, pool, cancel)
    }

    fn to_chunks(&self, cancel: &CancelToken) -> Result<Vec<Arc<Chunk>>, BuildError> {
        const CHUNK_ROWS: usize = 16 * 1024;
        let mut chunks = Vec::new();
        let mut chunk = Chunk::default();
        let mut name = Vec::new();
        for row in self.live_rows() {
            if self.dir_of(row) == Some(ROOT) {
                continue;
            }
            name.clear();
            self.name_into(row, &mut name);
            chunk.push(self.parent(row), self.dir_of(row).unwrap_or(NOT_A_DIR), &name, self.meta(row));
            if chunk.rows.len() == CHUNK_ROWS {
                cancel.check()?;
                chunks.push(Arc::new(std::mem::take(&mut chunk)));
            }
        }
        chunks.push(Arc::new(chunk));
        Ok(chunks)
    }

    /// Every live row: base rows in path order, then added rows by age.
    pub(crate) fn live_rows(&self) -> impl Iterator<Item = RowId> + '_ {
        let base = (0..self.base.len).filter(|&row| !self.delta.dead.get(row));
        base.chain(self.added_rows())
    }

    /// Every live added row.
    pub(crate) fn added_rows(&self) -> impl Iterator<Item = RowId> + '_ {
        self.delta.rows.iter().map(|(row, _)| self.base.len + row)
    }

    /// Hands out the folded names of all live entries, some more than once, and maybe those of entries
    /// removed since the base was built.
    pub(crate) fn for_each_name(&self, mut each: impl FnMut(&[u8])) {
        let names = &self.base.names;
        for block in 0..names.blocks() {
            names.for_each_in_block(block, |_, folded| each(folded));
        }
        let mut folded = Vec::new();
        for (_, added) in self.delta.rows.iter() {
            folded.clear();
            fold_into(&added.name, &mut folded);
            each(&folded);
        }
    }

    /// Hands out the names of live entries that were added since an earlier body on the same base; none if that had
    /// another base.
    pub(crate) fn for_each_name_since(&self, earlier: &Body, mut each: impl FnMut(&[u8])) {
        if Arc::ptr_eq(&self.base, &earlier.base) {
            let added = self.delta.rows.iter_from(earlier.delta.next_row);
            added.for_each(|(_, row)| each(&row.name));
        }
    }

    /// Live folders, the root included.
    pub(crate) fn folders(&self) -> u64 {
        let base = &self.base;
        let dead = self.delta.dead.iter_ones_in(0..base.len).filter(|&row| base.is_dir(row)).count();
        let added = self.delta.rows.iter().filter(|(_, row)| row.dir != NONE).count();
        u64::from(base.dir_count()) - dead as u64 + added as u64
    }

    /// Inodes of all folders, those of removed ones perhaps among them, in no order.
    pub fn folder_inodes(&self) -> impl Iterator<Item = u64> + '_ {
        let base = &self.base;
        let in_base = (0..base.dir_count()).map(|dir| base.inode(base.dir_row(dir)));
        let added = self.delta.rows.iter().filter(|(_, row)| row.dir != NONE).map(|(_, row)| row.meta.inode);
        in_base.chain(added)
    }

    /// Absolute path of the volume's root.
    pub fn root(&self) -> &[u8] {
        if self.base.root.is_empty() { b"/" } else { &self.base.root }
    }

    /// Live entries, the root included.
    pub fn entries(&self) -> u64 {
        u64::from(self.base.len) - self.delta.dead.count_ones() + self.delta.rows.len() as u64
    }

    /// Row of the root.
    pub fn root_row(&self) -> RowId {
        self.dir_row(ROOT)
    }

    pub(crate) fn added(&self, row: RowId) -> Option<&super::delta::DeltaRow> {
        self.delta.rows.get(row.checked_sub(self.base.len)?)
    }

    fn expect_added(&self, row: RowId) -> &super::delta::DeltaRow {
        self.added(row).expect("a row of this body is live")
    }

    pub(crate) fn is_base(&self, row: RowId) -> bool {
        row < self.base.len
    }

    /// True if the row is an entry of this body.
    pub(crate) fn is_live(&self, row: RowId) -> bool {
        if self.is_base(row) { !self.delta.dead.get(row) } else { self.added(row).is_some() }
    }

    /// Folder that holds a row; the root's is itself.
    pub(crate) fn parent(&self, row: RowId) -> DirId {
        if self.is_base(row) { self.base.parent(row) } else { self.expect_added(row).parent }
    }

    /// The row's own folder number, if it is a folder.
    pub(crate) fn dir_of(&self, row: RowId) -> Option<DirId> {
        if self.is_base(row) {
            self.base.is_dir(row).then(|| self.base.dir_at(row))
        } else {
            Some(self.expect_added(row).dir).filter(|&dir| dir != NONE)
        }
    }

    /// Row that stands for a folder (of a removed one: where it last stood in the base).
    pub(crate) fn dir_row(&self, dir: DirId) -> RowId {
        if self.delta.next_row > 0 {
            let patched = self.delta.patch(dir).row;
            if patched != NONE {
                return self.base.len + patched;
            }
        }
        self.base.dir_row(dir)
    }

    /// Folder that holds a folder; the root's is itself.
    pub(crate) fn dir_parent(&self, dir: DirId) -> DirId {
        if self.delta.next_row == 0 { self.base.dir_parent(dir) } else { self.parent(self.dir_row(dir)) }
    }

    /// True if `dir` lies somewhere below `above`.
    pub(crate) fn is_below(&self, mut dir: DirId, above: DirId) -> bool {
        while dir != ROOT {
            dir = self.dir_parent(dir);
            if dir == above {
                return true;
            }
        }
        false
    }

    /// Kind of an entry.
    pub fn kind(&self, row: RowId) -> EntryKind {
        if self.is_base(row) { self.base.kind(row) } else { self.expect_added(row).meta.kind() }
    }

    /// Logical size, bytes.
    pub fn size(&self, row: RowId) -> u64 {
        if self.is_base(row) { self.base.size(row) } else { self.expect_added(row).meta.size }
    }

    /// Modification time.
    pub fn modified(&self, row: RowId) -> i64 {
        if self.is_base(row) { self.base.modified(row) } else { self.expect_added(row).meta.modified_ns }
    }

    /// Metadata of a row.
    pub fn meta(&self, row: RowId) -> Meta {
        if self.is_base(row) { self.base.meta(row) } else { self.expect_added(row).meta }
    }

    /// Folder totals of a row that is a directory.
    pub fn totals(&self, row: RowId) -> Option<Totals> {
        self.dir_of(row).map(|dir| self.dir_totals(dir))
    }

    pub(crate) fn dir_totals(&self, dir: DirId) -> Totals {
        let known = if dir < self.base.dir_count() { self.base.totals(dir) } else { Totals::default() };
        let patch = self.delta.patch(dir);
        Totals {
            children: known.children.wrapping_add_signed(patch.children),
            descendants: known.descendants.wrapping_add_signed(patch.descendants),
            size: known.size.wrapping_add_signed(patch.size),
            allocated: known.allocated.wrapping_add_signed(patch.allocated),
        }
    }

    /// Entries directly in a folder, in path order; empty for other rows.
    pub fn children(&self, row: RowId) -> Vec<RowId> {
        let Some(dir) = self.dir_of(row) else { return Vec::new() };
        let mut children = self.children_of(dir);
        if self.delta.patch(dir).first != NONE {
            children.sort_by(|&a, &b| self.compare_names(a, self, b));
        }
        children
    }

    /// Row of the folder that holds a row; `None` for the root.
    pub fn folder_of(&self, row: RowId) -> Option<RowId> {
        (self.dir_of(row) != Some(ROOT)).then(|| self.dir_row(self.parent(row)))
    }

    /// A row and all rows below it, folders before what is in them; `None` if they are more than `most`.
    pub fn tree(&self, row: RowId, most: usize) -> Option<Vec<RowId>> {
        let below = self.totals(row).map_or(0, |totals| totals.descendants);
        if below >= most as u64 {
            return None;
        }
        let mut rows = vec![row];
        let mut at = 0;
        while let Some(&row) = rows.get(at) {
            rows.extend(self.dir_of(row).map(|dir| self.children_of(dir)).unwrap_or_default());
            at += 1;
        }
        Some(rows)
    }

    /// Live folders with one of these inodes, each with its inode: one search for all of them.
    pub(crate) fn folders_of_inodes(&self, inodes: &BTreeSet<u64>) -> Vec<(u64, DirId)> {
        let in_base = |dir: &DirId| {
            let row = self.dir_row(*dir);
            self.is_base(row) && self.is_live(row)
        };
        let of_base = |&inode: &u64| {
            self.base.dirs_of_inode(inode).filter(in_base).map(move |dir| (inode, dir)).collect::<Vec<_>>()
        };
        let added = self.delta.rows.iter().filter(|(_, row)| row.dir != NONE);
        let added = added.filter(|(_, row)| inodes.contains(&row.meta.inode));
        let added = added.map(|(_, row)| (row.meta.inode, row.dir));
        inodes.iter().flat_map(of_base).chain(added).collect()
    }

    /// As [`Body::children`], base entries first.
    pub(crate) fn children_of(&self, dir: DirId) -> Vec<RowId> {
        let mut children = Vec::new();
        if dir < self.base.dir_count() {
            children.extend(self.base.children(dir).filter(|&row| !self.delta.dead.get(row)));
        }
        let mut added = self.delta.patch(dir).first;
        while added != NONE {
            children.push(self.base.len + added);
            added = self.expect_added(self.base.len + added).next;
        }
        children
    }

    /// Appends the raw name (of the root: the last component of its path).
    pub fn name_into(&self, row: RowId, out: &mut Vec<u8>) {
        if self.is_base(row) {
            self.base.name_into(row, out);
        } else {
            out.extend_from_slice(&self.expect_added(row).name);
        }
    }

    /// Appends the folded name.
    pub(crate) fn folded_into(&self, row: RowId, out: &mut Vec<u8>) {
        if self.is_base(row) {
            out.extend_from_slice(self.base.names.folded(self.base.name_id(row)));
        } else {
            fold_into(&self.expect_added(row).name, out);
        }
    }

    /// Appends the absolute path.
    pub fn path_into(&self, row: RowId, out: &mut Vec<u8>) {
        match self.dir_of(row) {
            Some(ROOT) => out.extend_from_slice(self.root()),
            _ => {
                self.prefix_into(self.parent(row), out);
                self.name_into(row, out);
            }
        }
    }

    /// Appends the absolute path of a folder with a slash at its end.
    pub(crate) fn prefix_into(&self, dir: DirId, out: &mut Vec<u8>) {
        let mut chain = Vec::with_capacity(16);
        let mut at = dir;
        while at != ROOT {
            let row = self.dir_row(at);
            chain.push(row);
            at = self.parent(row);
        }
        out.extend_from_slice(&self.base.root);
        out.push(b'/');
        for &row in chain.iter().rev() {
            self.name_into(row, out);
            out.push(b'/');
        }
    }

    /// Appends the absolute paths of rows, each followed by `end`; fast where neighbours share a folder.
    pub fn paths_into(&self, rows: &[RowId], end: u8, out: &mut Vec<u8>) {
        let mut prefix = Vec::with_capacity(256);
        let mut prefix_of = NONE;
        for &row in rows {
            if self.dir_of(row) == Some(ROOT) {
                out.extend_from_slice(self.root());
            } else {
                let parent = self.parent(row);
                if parent != prefix_of {
                    prefix.clear();
                    self.prefix_into(parent, &mut prefix);
                    prefix_of = parent;
                }
                out.extend_from_slice(&prefix);
                self.name_into(row, out);
            }
            out.push(end);
        }
    }

    /// Folders between the root of the volume and the row.
    pub(crate) fn level(&self, row: RowId) -> u32 {
        if self.is_base(row) && self.delta.displaced.is_empty() {
            return self.base.level(row);
        }
        let (mut level, mut row) = (0, row);
        while self.dir_of(row) != Some(ROOT) {
            row = self.dir_row(self.parent(row));
            level += 1;
        }
        level
    }

    /// Number of components of the absolute path (`/` is 0).
    pub fn depth(&self, row: RowId) -> u32 {
        self.root_depth() + self.level(row)
    }

    pub(crate) fn root_depth(&self) -> u32 {
        self.base.root.iter().filter(|&&byte| byte == b'/').count() as u32
    }

    /// One entry with everything known about it.
    pub fn entry(&self, row: RowId) -> Entry {
        let mut path = Vec::with_capacity(128);
        self.path_into(row, &mut path);
        let name_start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        Entry { path, name_start, meta: self.meta(row), depth: self.depth(row), totals: self.totals(row) }
    }

    /// Row at an absolute path (no trailing slash; the root's own path included).
    pub fn find_path(&self, path: &[u8]) -> Option<RowId> {
        let below = path.strip_prefix(&*self.base.root)?;
        if !below.is_empty() && below[0] != b'/' {
            return None;
        }
        let mut row = self.root_row();
        for name in below.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            row = self.child(self.dir_of(row)?, name)?;
        }
        Some(row)
    }

    /// Live entry of a folder by raw name.
    pub(crate) fn child(&self, dir: DirId, name: &[u8]) -> Option<RowId> {
        if let Some(row) = self.base_child(dir, name) {
            return Some(row);
        }
        let mut added = self.delta.patch(dir).first;
        while added != NONE {
            let row = self.expect_added(self.base.len + added);
            if *row.name == *name {
                return Some(self.base.len + added);
            }
            added = row.next;
        }
        None
    }

    /// As [`Body::child`], of the base alone.
    pub(crate) fn base_child(&self, dir: DirId, name: &[u8]) -> Option<RowId> {
        let based = || self.base.child(dir, name).filter(|&row| !self.delta.dead.get(row));
        (dir < self.base.dir_count()).then(based).flatten()
    }

    /// Heap bytes of base and delta.
    pub fn heap_bytes(&self) -> usize {
        self.base.heap_bytes() + self.delta.heap_bytes()
    }

    /// Of the heap bytes of an earlier body, those that this one surely holds too.
    pub fn shared_bytes(&self, earlier: &Body) -> usize {
        if Arc::ptr_eq(&self.base, &earlier.base) { self.base.heap_bytes() } else { 0 }
    }

    /// Heap bytes by part.
    pub fn heap_parts(&self) -> Vec<(&'static str, usize)> {
        let mut parts = self.base.heap_parts();
        parts.push(("delta", self.delta.heap_bytes()));
        parts
    }

    /// True if so much changed that queries gain by [`Body::fold`].
    pub fn wants_fold(&self) -> bool {
        self.delta.weight() > (self.base.len as usize / 128).max(16 * 1024)
            || self.delta.displaced.len() > 256
    }

    /// Where the name of a row stands in the order of names, see [`NameDict::key_of`].
    ///
    /// [`NameDict::key_of`]: super::NameDict::key_of
    pub(crate) fn name_key(&self, row: RowId) -> i64 {
        if self.is_base(row) {
            i64::from(self.base.name_position(row)) * 2
        } else {
            self.expect_added(row).name_key
        }
    }

    /// Order of two rows' names: folded, then raw.
    pub(crate) fn compare_names(&self, row: RowId, other: &Body, other_row: RowId) -> Ordering {
        if Arc::ptr_eq(&self.base, &other.base) {
            let (mine, theirs) = (self.name_key(row), other.name_key(other_row));
            // An even key is that of one name.
            if mine != theirs || mine % 2 == 0 {
                return mine.cmp(&theirs);
            }
        }
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        self.folded_into(row, &mut mine);
        other.folded_into(other_row, &mut theirs);
        mine.cmp(&theirs).then_with(|| {
            mine.clear();
            theirs.clear();
            self.name_into(row, &mut mine);
            other.name_into(other_row, &mut theirs);
            mine.cmp(&theirs)
        })
    }

    /// Order by path: component by component, each as in [`Body::compare_names`].
    pub(crate) fn compare_paths(&self, row: RowId, other: RowId) -> Ordering {
        if row == other {
            return Ordering::Equal;
        }
        let in_place = |row| self.is_base(row) && !self.delta.is_displaced(row);
        if in_place(row) && in_place(other) {
            return row.cmp(&other);
        }
        let (mine, theirs) = (self.chain(row), self.chain(other));
        let pairs = mine.iter().rev().zip(theirs.iter().rev());
        let mut orders =
            pairs.map(|(&a, &b)| if a == b { Ordering::Equal } else { self.compare_names(a, self, b) });
        orders.find(|order| order.is_ne()).unwrap_or_else(|| mine.len().cmp(&theirs.len()))
    }

    /// The row and the rows of the folders above it, the root left out.
    fn chain(&self, row: RowId) -> Vec<RowId> {
        let mut chain = Vec::with_capacity(16);
        let mut at = row;
        while self.dir_of(at) != Some(ROOT) {
            chain.push(at);
            at = self.dir_row(self.parent(at));
        }
        chain
    }
}
