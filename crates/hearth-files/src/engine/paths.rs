//! Conditions on the path, turned into row ranges where the tree allows it.
//!
//! A folder's tree is one range of base rows, so "below this folder", a path prefix and a substring
//! with a slash become a few ranges, found through the name dictionary and the folders above. Rows
//! that are not at their base place (added, or below a moved folder) are compared by their text.

use super::EngineError;
use super::program::{Node, RowTest};
use super::text::Matcher;
use crate::fold::{fold, fold_beginning, fold_into};
use crate::index::{Base, Body, DirId, RowId};
use hearth_core::CancelToken;
use std::ops::Range;

/// Ordered, disjoint ranges of base rows.
pub(crate) type RowRanges = Vec<Range<RowId>>;

/// A condition on the absolute path.
#[derive(Debug)]
pub(crate) struct PathTest {
    /// Exact for base rows at their place, if known.
    pub(crate) ranges: Option<RowRanges>,
    /// Exact for every row.
    pub(crate) matcher: Matcher,
    pub(crate) raw: bool,
}

/// Unites ranges in any order.
fn united(mut ranges: RowRanges) -> RowRanges {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut out: RowRanges = Vec::with_capacity(ranges.len());
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// Rows in both.
pub(crate) fn intersection(a: &[Range<RowId>], b: &[Range<RowId>]) -> RowRanges {
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < a.len() && j < b.len() {
        let both = a[i].start.max(b[j].start)..a[i].end.min(b[j].end);
        if !both.is_empty() {
            out.push(both);
        }
        if a[i].end < b[j].end { i += 1 } else { j += 1 }
    }
    out
}

/// True if a row lies in one of the ranges.
pub(crate) fn in_ranges(ranges: &[Range<RowId>], row: RowId) -> bool {
    let after = ranges.partition_point(|range| range.start <= row);
    after > 0 && row < ranges[after - 1].end
}

/// Rows strictly below an absolute folder.
pub(crate) fn below_folder(body: &Body, folder: &[u8]) -> Node {
    let root = &*body.base.root;
    if root == folder {
        return Node::Row(RowTest::Below(0));
    }
    if root.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/")) {
        return Node::Const(true);
    }
    let dir = body.find_path(folder).and_then(|row| body.dir_of(row));
    dir.map_or(Node::Const(false), |dir| Node::Row(RowTest::Below(dir)))
}

/// The same by the text of the path, in whatever body.
pub(crate) fn below_text(folder: &[u8]) -> Node {
    let text = |matcher| Node::Row(RowTest::Path(Box::new(PathTest::text(matcher, true))));
    let begins = text(Matcher::Prefix([folder, b"/"].concat()));
    if folder.is_empty() {
        // The root of all is the one path that ends in a slash.
        return Node::All(vec![begins, Node::Not(Box::new(text(Matcher::Exact(b"/".to_vec()))))]);
    }
    begins
}

impl PathTest {
    /// Compares the text of every row.
    pub(crate) fn text(matcher: Matcher, raw: bool) -> PathTest {
        PathTest { ranges: None, matcher, raw }
    }

    fn node(ranges: RowRanges, matcher: Matcher, raw: bool) -> Node {
        Node::Row(RowTest::Path(Box::new(PathTest { ranges: Some(united(ranges)), matcher, raw })))
    }

    /// The whole path.
    pub(crate) fn exact(body: &Body, path: &[u8], raw: bool) -> Node {
        let finder = Resolver { base: &body.base, raw };
        let rows = finder.below_root(path).map_or_else(Vec::new, |below| finder.rows_at(&below));
        Self::node(rows.into_iter().map(|row| row..row + 1).collect(), Matcher::Exact(path.to_vec()), raw)
    }

    /// Paths that begin with `prefix`, whose last component may be cut short.
    pub(crate) fn prefix(body: &Body, prefix: &[u8], raw: bool) -> Node {
        let finder = Resolver { base: &body.base, raw };
        let root = finder.form(body.root());
        if root.starts_with(prefix) {
            return Node::Const(true);
        }
        let ranges =
            finder.below_root(prefix).map_or_else(Vec::new, |below| finder.trees_with_prefix(&below));
        Self::node(ranges, Matcher::Prefix(prefix.to_vec()), raw)
    }

    /// Paths that contain `needle`, which has a slash that is not its first byte.
    pub(crate) fn substring(
        body: &Body,
        needle: &[u8],
        raw: bool,
        cancel: &CancelToken,
    ) -> Result<Node, EngineError> {
        let finder = Resolver { base: &body.base, raw };
        if memchr::memmem::find(&finder.form(body.root()), needle).is_some() {
            return Ok(Node::Const(true));
        }
        let mut ranges = finder.trees_containing(body, needle, cancel)?;
        let root_prefix = [finder.form(&body.base.root).as_slice(), b"/"].concat();
        if memchr::memmem::find(&root_prefix, needle).is_some() {
            ranges.push(1..body.base.len);
        }
        Ok(Self::node(ranges, Matcher::substring(needle), raw))
    }
}

/// Finds places of the base tree by (parts of) their paths.
struct Resolver<'a> {
    base: &'a Base,
    raw: bool,
}

impl Resolver<'_> {
    fn form(&self, text: &[u8]) -> Vec<u8> {
        if self.raw { text.to_vec() } else { fold(text) }
    }

    /// What the folded names begin with that begin with `text`.
    fn beginning(&self, text: &[u8]) -> Vec<u8> {
        // Only raw text can be cut within a character: folded text is compared with folded names.
        if self.raw { fold_beginning(text) } else { text.to_vec() }
    }

    /// Components of a path below the volume's root; `None` if it lies elsewhere.
    fn below_root<'p>(&self, path: &'p [u8]) -> Option<Vec<&'p [u8]>> {
        let rest = path.strip_prefix(self.form(&self.base.root).as_slice())?;
        let rest = if rest.is_empty() { return Some(Vec::new()) } else { rest.strip_prefix(b"/")? };
        Some(if rest.is_empty() { Vec::new() } else { rest.split(|&byte| byte == b'/').collect() })
    }

    fn name(&self, row: RowId) -> Vec<u8> {
        let id = self.base.name_id(row);
        let mut name = Vec::new();
        if self.raw {
            self.base.names.raw_into(id, &mut name);
        } else {
            name.extend_from_slice(self.base.names.folded(id));
        }
        name
    }

    /// Children of a folder whose name equals (`whole`) or begins with `text`.
    fn children<'s>(&'s self, dir: DirId, text: &'s [u8], whole: bool) -> impl Iterator<Item = RowId> + 's {
        let names = &self.base.names;
        let wanted =
            if whole { names.find_folded(&fold(text)) } else { names.prefix_folded(&self.beginning(text)) };
        let named = move |&row: &RowId| wanted.contains(&names.position_of(self.base.name_id(row)));
        self.base.children(dir).filter(named).filter(move |&row| {
            !self.raw || if whole { self.name(row) == text } else { self.name(row).starts_with(text) }
        })
    }

    /// Folders at a path given by whole components; case-insensitively there may be several.
    fn dirs_at(&self, components: &[&[u8]]) -> Vec<DirId> {
        components.iter().fold(vec![0], |dirs, component| {
            let rows = dirs.iter().flat_map(|&dir| self.children(dir, component, true));
            rows.filter(|&row| self.base.is_dir(row)).map(|row| self.base.dir_at(row)).collect()
        })
    }

    fn rows_at(&self, components: &[&[u8]]) -> Vec<RowId> {
        let Some((last, above)) = components.split_last() else { return vec![0] };
        self.dirs_at(above)
            .into_iter()
            .flat_map(|dir| self.children(dir, last, true).collect::<Vec<_>>())
            .collect()
    }

    fn trees_with_prefix(&self, components: &[&[u8]]) -> RowRanges {
        let Some((last, above)) = components.split_last() else {
            return std::iter::once(0..self.base.len).collect();
        };
        let dirs = self.dirs_at(above).into_iter();
        dirs.flat_map(|dir| {
            self.children(dir, last, false).map(|row| row..self.base.after(row)).collect::<Vec<_>>()
        })
        .collect()
    }

    /// Trees at whose top a match of `needle` in the path is completed.
    fn trees_containing(
        &self,
        body: &Body,
        needle: &[u8],
        cancel: &CancelToken,
    ) -> Result<RowRanges, EngineError> {
        let mut segments: Vec<&[u8]> = needle.split(|&byte| byte == b'/').collect();
        let last = segments.pop().unwrap_or_default();
        let above = segments.pop().unwrap_or_default();
        let above_is_whole = !segments.is_empty();
        let mut ranges = Vec::new();
        let mut verify = Verifier { finder: self, body, needle, path: Vec::new(), folded: Vec::new() };
        if last.is_empty() {
            for dir in 1..self.base.dir_count() {
                if dir % 65_536 == 0 {
                    cancel.check().map_err(EngineError::Cancelled)?;
                }
                let row = self.base.dir_row(dir);
                if self.fits(row, above, above_is_whole) && verify.completes(row, true) {
                    ranges.push(row + 1..self.base.dir_end(dir));
                }
            }
            return Ok(ranges);
        }
        for position in self.base.names.prefix_folded(&self.beginning(last)) {
            if position % 4096 == 0 {
                cancel.check().map_err(EngineError::Cancelled)?;
            }
            let id = self.base.names.id_at(position);
            for row in self.base.rows_named(id).filter(|&row| row != 0) {
                let parent = self.base.dir_row(self.base.parent(row));
                if (parent == 0 || self.fits(parent, above, above_is_whole)) && verify.completes(row, false) {
                    ranges.push(row..self.base.after(row));
                }
            }
        }
        Ok(ranges)
    }

    /// Cheap check by folded name, before the path is put together.
    fn fits(&self, row: RowId, text: &[u8], whole: bool) -> bool {
        let folded = self.base.names.folded(self.base.name_id(row));
        if self.raw {
            return true;
        }
        if whole { folded == text } else { folded.ends_with(text) }
    }
}

/// Checks candidates against the text of their path.
struct Verifier<'a, 'b> {
    finder: &'a Resolver<'b>,
    body: &'a Body,
    needle: &'a [u8],
    path: Vec<u8>,
    folded: Vec<u8>,
}

impl Verifier<'_, '_> {
    /// True if a match ends inside the last component (or with a slash after it).
    fn completes(&mut self, row: RowId, slash: bool) -> bool {
        self.path.clear();
        base_path_into(self.body, row, &mut self.path);
        if slash {
            self.path.push(b'/');
        }
        let text = if self.finder.raw {
            &self.path
        } else {
            self.folded.clear();
            fold_into(&self.path, &mut self.folded);
            &self.folded
        };
        let body_of_last = if slash { &text[..text.len() - 1] } else { text };
        let name_start = body_of_last.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let first_end = if slash { text.len() } else { name_start + 1 };
        let from = first_end.saturating_sub(self.needle.len());
        memchr::memmem::find(&text[from..], self.needle).is_some()
    }
}

/// Path of a base row at its base place, whatever the delta says.
fn base_path_into(body: &Body, row: RowId, out: &mut Vec<u8>) {
    let base = &body.base;
    let mut chain = vec![row];
    let mut dir = base.parent(row);
    while dir != 0 {
        chain.push(base.dir_row(dir));
        dir = base.dir_parent(dir);
    }
    out.extend_from_slice(&base.root);
    for &row in chain.iter().rev() {
        out.push(b'/');
        base.name_into(row, out);
    }
}
