//! Evaluates a compiled condition on names and rows.
//!
//! An [`Eye`] belongs to one thread: it holds the scratch memory of the evaluation and remembers the
//! path of the folder that it last looked into, since neighbouring rows share folders.

use super::paths::{PathTest, in_ranges};
use super::program::{NameTest, Node, RowTest};
use super::text::{Caches, Matcher, char_count};
use crate::entry::NO_OWNER;
use crate::fold::fold_into;
use crate::index::{Body, Class, DirId, NONE, RowId};
use crate::query::{NumberField, TimeField};
use hearth_core::{EntryKind, NO_TIME};

/// A name in both forms. Where no test needs the raw form, it is the folded one.
#[derive(Clone, Copy)]
pub(crate) struct NameText<'a> {
    pub(crate) folded: &'a [u8],
    pub(crate) raw: &'a [u8],
}

/// See the module.
pub(crate) struct Eye<'a> {
    pub(crate) body: &'a Body,
    raw_wanted: bool,
    /// Every row is a live base row at its base place.
    plain: bool,
    caches: Caches,
    raw: Vec<u8>,
    folded: Vec<u8>,
    prefix_of: DirId,
    raw_prefix: Vec<u8>,
    folded_prefix: Vec<u8>,
    path: Vec<u8>,
}

impl<'a> Eye<'a> {
    pub(crate) fn new(body: &'a Body, raw_wanted: bool) -> Self {
        Eye {
            body,
            raw_wanted,
            plain: body.delta.displaced.is_empty(),
            caches: Caches::default(),
            raw: Vec::new(),
            folded: Vec::new(),
            prefix_of: NONE,
            raw_prefix: Vec::new(),
            folded_prefix: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Whether a name of the base meets a name-only condition.
    pub(crate) fn name_id(&mut self, node: &Node, id: u32) -> bool {
        let folded = self.body.base.names.folded(id);
        self.name_with_folded(node, id, folded)
    }

    /// As [`Eye::name_id`], the folded form being known already.
    pub(crate) fn name_with_folded(&mut self, node: &Node, id: u32, folded: &[u8]) -> bool {
        let names = &self.body.base.names;
        let raw = if self.raw_wanted { names.raw_beside(id, folded, &mut self.raw) } else { folded };
        name_node(node, NameText { folded, raw }, &mut self.caches)
    }

    /// Whether a row meets any condition.
    pub(crate) fn row(&mut self, node: &Node, row: RowId) -> bool {
        match node {
            Node::Const(known) => *known,
            Node::All(parts) => parts.iter().all(|part| self.row(part, row)),
            Node::Any(parts) => parts.iter().any(|part| self.row(part, row)),
            Node::Not(part) => !self.row(part, row),
            Node::Name(_) => self.row_name(node, row),
            Node::Row(test) => self.row_test(test, row),
        }
    }

    fn row_name(&mut self, node: &Node, row: RowId) -> bool {
        if self.body.is_base(row) {
            return self.name_id(node, self.body.base.name_id(row));
        }
        self.raw.clear();
        self.body.name_into(row, &mut self.raw);
        self.folded.clear();
        fold_into(&self.raw, &mut self.folded);
        name_node(node, NameText { folded: &self.folded, raw: &self.raw }, &mut self.caches)
    }

    fn row_test(&mut self, test: &RowTest, row: RowId) -> bool {
        let body = self.body;
        match test {
            RowTest::Kinds(bits) => bits & (1 << body.kind(row) as u8) != 0,
            RowTest::Number(field, range) => {
                self.number(*field, row).is_some_and(|value| range.contains(value))
            }
            RowTest::Time(field, range) => {
                let at = time_of(body, *field, row);
                at != NO_TIME && range.contains(at)
            }
            RowTest::Owner(ids) => {
                let owner = class_of(body, row).uid;
                owner != NO_OWNER && ids.contains(&owner)
            }
            RowTest::Group(ids) => {
                let group = class_of(body, row).gid;
                group != NO_OWNER && ids.contains(&group)
            }
            RowTest::Perm(perm) => {
                let class = class_of(body, row);
                class.uid != NO_OWNER && perm.matches(class.mode)
            }
            RowTest::Attributes(bits) => class_of(body, row).attributes & bits == *bits,
            RowTest::Below(dir) => self.is_below(row, *dir),
            RowTest::Path(test) => self.path_test(test, row),
            RowTest::ParentName { matcher, raw } => self.parent_name(matcher, *raw, row),
            RowTest::Empty => match body.totals(row) {
                Some(totals) => totals.children == 0,
                None => body.kind(row) == EntryKind::File && body.size(row) == 0,
            },
            RowTest::Dupe(set) => set.contains(body, row),
        }
    }

    fn in_place(&self, row: RowId) -> bool {
        self.body.is_base(row) && (self.plain || !self.body.delta.is_displaced(row))
    }

    fn is_below(&self, row: RowId, dir: DirId) -> bool {
        let body = self.body;
        if self.in_place(row) {
            let base = &body.base;
            return dir < base.dir_count() && base.dir_row(dir) < row && row < base.dir_end(dir);
        }
        if body.dir_of(row) == Some(0) {
            return false;
        }
        let parent = body.parent(row);
        parent == dir || body.is_below(parent, dir)
    }

    fn path_test(&mut self, test: &PathTest, row: RowId) -> bool {
        if let Some(ranges) = test.ranges.as_ref().filter(|_| self.in_place(row)) {
            return in_ranges(ranges, row);
        }
        self.load_path(row, test.raw);
        test.matcher.matches(&self.path, &mut self.caches)
    }

    /// Puts the path of a row together, reusing the folder's part.
    fn load_path(&mut self, row: RowId, raw: bool) {
        self.path.clear();
        if self.body.dir_of(row) == Some(0) {
            if raw {
                self.path.extend_from_slice(self.body.root());
            } else {
                fold_into(self.body.root(), &mut self.path);
            }
            return;
        }
        let parent = self.body.parent(row);
        if parent != self.prefix_of {
            self.raw_prefix.clear();
            self.body.prefix_into(parent, &mut self.raw_prefix);
            self.folded_prefix.clear();
            fold_into(&self.raw_prefix, &mut self.folded_prefix);
            self.prefix_of = parent;
        }
        if raw {
            self.path.extend_from_slice(&self.raw_prefix);
            self.body.name_into(row, &mut self.path);
        } else {
            self.path.extend_from_slice(&self.folded_prefix);
            self.body.folded_into(row, &mut self.path);
        }
    }

    fn parent_name(&mut self, matcher: &Matcher, raw: bool, row: RowId) -> bool {
        if self.body.dir_of(row) == Some(0) {
            return false;
        }
        let parent = self.body.dir_row(self.body.parent(row));
        self.folded.clear();
        if raw {
            self.body.name_into(parent, &mut self.folded);
        } else {
            self.body.folded_into(parent, &mut self.folded);
        }
        matcher.matches(&self.folded, &mut self.caches)
    }

    fn number(&mut self, field: NumberField, row: RowId) -> Option<u64> {
        let body = self.body;
        let is_dir = || body.kind(row) == EntryKind::Dir;
        match field {
            NumberField::Size => (!is_dir()).then(|| body.size(row)),
            NumberField::Allocated => (!is_dir()).then(|| body.meta(row).allocated),
            NumberField::Depth => Some(u64::from(body.depth(row))),
            NumberField::NameLength => {
                self.raw.clear();
                body.name_into(row, &mut self.raw);
                Some(char_count(&self.raw))
            }
            NumberField::PathLength => {
                self.load_path(row, true);
                Some(self.path.len() as u64)
            }
            NumberField::Links => Some(u64::from(if body.is_base(row) {
                body.base.class(row).links
            } else {
                body.meta(row).links
            })),
            NumberField::Children => body.totals(row).map(|totals| totals.children),
            NumberField::TreeSize => body.totals(row).map(|totals| totals.size),
            NumberField::Descendants => body.totals(row).map(|totals| totals.descendants),
        }
    }
}

fn class_of(body: &Body, row: RowId) -> Class {
    if body.is_base(row) { body.base.class(row) } else { Class::of(&body.meta(row)) }
}

pub(crate) fn time_of(body: &Body, field: TimeField, row: RowId) -> i64 {
    match field {
        TimeField::Modified => body.modified(row),
        TimeField::Created if body.is_base(row) => body.base.created(row),
        TimeField::Accessed if body.is_base(row) => body.base.accessed(row),
        TimeField::Created => body.meta(row).created_ns,
        TimeField::Accessed => body.meta(row).accessed_ns,
    }
}

pub(super) fn name_node(node: &Node, name: NameText<'_>, caches: &mut Caches) -> bool {
    match node {
        Node::Const(known) => *known,
        Node::All(parts) => parts.iter().all(|part| name_node(part, name, caches)),
        Node::Any(parts) => parts.iter().any(|part| name_node(part, name, caches)),
        Node::Not(part) => !name_node(part, name, caches),
        Node::Name(test) => name_test(test, name, caches),
        Node::Row(_) => unreachable!("row tests are kept out of name conditions"),
    }
}

pub(super) fn name_test(test: &NameTest, name: NameText<'_>, caches: &mut Caches) -> bool {
    match test {
        NameTest::Text { matcher, raw, .. } => {
            matcher.matches(if *raw { name.raw } else { name.folded }, caches)
        }
        NameTest::Ext(extensions) => {
            let ext = extension_of(name.folded);
            extensions.binary_search_by(|known| known.as_slice().cmp(ext)).is_ok()
        }
        NameTest::Length(range) => range.contains(char_count(name.raw)),
        NameTest::Invalid => std::str::from_utf8(name.raw).is_err(),
    }
}

/// Extension of a folded name, without the dot; empty if it has none.
pub(crate) fn extension_of(folded: &[u8]) -> &[u8] {
    crate::index::extension(folded).unwrap_or_default()
}
