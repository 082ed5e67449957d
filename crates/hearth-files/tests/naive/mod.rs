//! The oracle: what a query means, entry by entry, in the plainest code that can say it.
//!
//! A [`NaiveTree`] is a list of entries. Every test of the query language looks at the list anew and
//! follows the documentation of `query::ast` word for word; nothing is remembered and nothing is fast.
//! It shares with the product only the parser's types, `fold`, `compile_regex` and the category lists.

#![allow(dead_code, unreachable_pub, missing_docs)]

use hearth_core::{EntryKind, NO_TIME};
use hearth_files::entry::{DELETED, Meta, NO_OWNER};
use hearth_files::fold::fold;
use hearth_files::query::{
    DupeField, EXTENSION_BYTES, Expr, NumberField, PathPattern, Pattern, Query, SortField, SortKey, Test,
    Text, TimeField, category_extensions, compile_regex,
};
use std::cmp::Ordering;

pub mod glob;

/// One entry: absolute path (`/` for the root of the file system) and metadata.
#[derive(Clone, Debug)]
pub struct NaiveEntry {
    pub path: Vec<u8>,
    pub meta: Meta,
}

impl NaiveEntry {
    pub fn name(&self) -> &[u8] {
        let start = self.path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        &self.path[start..]
    }

    pub fn kind(&self) -> EntryKind {
        self.meta.kind()
    }

    fn is_dir(&self) -> bool {
        self.kind() == EntryKind::Dir
    }
}

/// All entries of one volume, in any order. The root of the volume is the one with the shortest path.
#[derive(Clone, Debug)]
pub struct NaiveTree {
    pub entries: Vec<NaiveEntry>,
}

impl NaiveTree {
    pub fn new(entries: Vec<NaiveEntry>) -> Self {
        NaiveTree { entries }
    }

    /// Indices of the entries that match, in the order of `entries`.
    pub fn select(&self, query: &Query) -> Vec<usize> {
        (0..self.entries.len()).filter(|&index| self.matches(query, index)).collect()
    }

    /// `indices` in the order of `sort`; ties by path.
    pub fn sort(&self, sort: &[SortKey], indices: Vec<usize>) -> Vec<usize> {
        let mut indices = indices;
        indices.sort_by(|&a, &b| self.compare(sort, a, b));
        indices
    }

    pub fn matches(&self, query: &Query, index: usize) -> bool {
        self.holds(&query.expr, index)
    }

    fn holds(&self, expr: &Expr, index: usize) -> bool {
        match expr {
            Expr::And(parts) => parts.iter().all(|part| self.holds(part, index)),
            Expr::Or(parts) => parts.iter().any(|part| self.holds(part, index)),
            Expr::Not(part) => !self.holds(part, index),
            Expr::Term(term) => self.test(&term.test, index),
        }
    }

    fn test(&self, test: &Test, index: usize) -> bool {
        let entry = &self.entries[index];
        match test {
            Test::Name(text) => text_matches(text, entry.name()),
            Test::Path(text) => path_matches(&text.pattern, text.case_sensitive, &entry.path),
            Test::Ext(list) => list.contains(&extension(entry.name())),
            Test::Type(kinds) => kinds.contains(&entry.kind()),
            Test::Category(categories) => {
                let extension = extension(entry.name());
                let mut listed = categories.iter().flat_map(|category| category_extensions(*category));
                entry.kind() == EntryKind::File && listed.any(|known| known.as_bytes() == extension)
            }
            Test::Number(field, range) => {
                self.number(*field, index).is_some_and(|value| range.contains(value))
            }
            Test::Time(field, range) => {
                let at = match field {
                    TimeField::Modified => entry.meta.modified_ns,
                    TimeField::Created => entry.meta.created_ns,
                    TimeField::Accessed => entry.meta.accessed_ns,
                };
                at != NO_TIME && range.contains(at)
            }
            Test::Owner(ids) => entry.meta.uid != NO_OWNER && ids.contains(&entry.meta.uid),
            Test::Group(ids) => entry.meta.gid != NO_OWNER && ids.contains(&entry.meta.gid),
            Test::Perm(perm) => entry.meta.uid != NO_OWNER && perm.matches(entry.meta.mode),
            Test::Attr(bits) => (0..32).all(|bit| bits >> bit & 1 <= entry.meta.attributes >> bit & 1),
            Test::Deleted => entry.meta.attributes & DELETED != 0,
            Test::In(folder) => is_below(&entry.path, folder),
            Test::Parent(text) => {
                self.parent(index).is_some_and(|at| text_matches(text, self.entries[at].name()))
            }
            Test::Empty if entry.is_dir() => self.children(index) == 0,
            Test::Empty => entry.kind() == EntryKind::File && entry.meta.size == 0,
            Test::Dupe(field) => (0..self.entries.len()).any(|other| self.is_dupe(*field, index, other)),
            Test::Invalid => std::str::from_utf8(entry.name()).is_err(),
        }
    }

    fn number(&self, field: NumberField, index: usize) -> Option<u64> {
        let entry = &self.entries[index];
        match field {
            NumberField::Size => (!entry.is_dir()).then_some(entry.meta.size),
            NumberField::Allocated => (!entry.is_dir()).then_some(entry.meta.allocated),
            NumberField::Depth => Some(depth(&entry.path)),
            NumberField::NameLength => Some(characters(entry.name()).len() as u64),
            NumberField::PathLength => Some(entry.path.len() as u64),
            NumberField::Links => Some(u64::from(entry.meta.links)),
            NumberField::Children => entry.is_dir().then(|| self.children(index)),
            NumberField::TreeSize => entry.is_dir().then(|| self.tree_size(index)),
            NumberField::Descendants => entry.is_dir().then(|| self.descendants(index)),
        }
    }

    /// The folder that holds an entry; none for the root of the volume.
    pub fn parent(&self, index: usize) -> Option<usize> {
        let path = &self.entries[index].path;
        if path == b"/" {
            return None;
        }
        let slash = path.iter().rposition(|&byte| byte == b'/')?;
        let folder: &[u8] = if slash == 0 { b"/" } else { &path[..slash] };
        self.entries.iter().position(|other| other.path == folder)
    }

    pub fn children(&self, index: usize) -> u64 {
        (0..self.entries.len()).filter(|&other| self.parent(other) == Some(index)).count() as u64
    }

    fn below(&self, index: usize) -> impl Iterator<Item = &NaiveEntry> {
        let path = &self.entries[index].path;
        let folder = if path == b"/" { &[] } else { path.as_slice() };
        self.entries.iter().filter(move |other| is_below(&other.path, folder))
    }

    pub fn descendants(&self, index: usize) -> u64 {
        self.below(index).count() as u64
    }

    pub fn tree_size(&self, index: usize) -> u64 {
        self.below(index).filter(|entry| !entry.is_dir()).map(|entry| entry.meta.size).sum()
    }

    fn is_dupe(&self, field: DupeField, one: usize, other: usize) -> bool {
        let (a, b) = (&self.entries[one], &self.entries[other]);
        match field {
            DupeField::Name => one != other && fold(a.name()) == fold(b.name()),
            DupeField::Size => {
                let file = |entry: &NaiveEntry| entry.kind() == EntryKind::File;
                file(a)
                    && file(b)
                    && a.meta.size > 0
                    && a.meta.size == b.meta.size
                    && a.meta.inode != b.meta.inode
            }
        }
    }

    pub fn compare(&self, sort: &[SortKey], a: usize, b: usize) -> Ordering {
        for key in sort {
            let order = self.compare_field(key.field, a, b);
            if order.is_ne() {
                return if key.descending { order.reverse() } else { order };
            }
        }
        self.compare_field(SortField::Path, a, b)
    }

    fn compare_field(&self, field: SortField, a: usize, b: usize) -> Ordering {
        let (one, other) = (&self.entries[a], &self.entries[b]);
        let (mine, theirs) = (&one.meta, &other.meta);
        match field {
            SortField::Name => name_key(one.name()).cmp(&name_key(other.name())),
            SortField::Path => path_key(&one.path).cmp(&path_key(&other.path)),
            SortField::Size => mine.size.cmp(&theirs.size),
            SortField::Allocated => mine.allocated.cmp(&theirs.allocated),
            SortField::Modified => mine.modified_ns.cmp(&theirs.modified_ns),
            SortField::Created => mine.created_ns.cmp(&theirs.created_ns),
            SortField::Accessed => mine.accessed_ns.cmp(&theirs.accessed_ns),
            SortField::Ext => extension(one.name()).cmp(&extension(other.name())),
            SortField::Type => one.kind().cmp(&other.kind()),
            SortField::Depth => depth(&one.path).cmp(&depth(&other.path)),
            SortField::TreeSize => self.size_with_tree(a).cmp(&self.size_with_tree(b)),
            SortField::Descendants => self.descendants_or_zero(a).cmp(&self.descendants_or_zero(b)),
            SortField::Owner => mine.uid.cmp(&theirs.uid),
        }
    }

    fn size_with_tree(&self, index: usize) -> u64 {
        self.number(NumberField::TreeSize, index).unwrap_or(self.entries[index].meta.size)
    }

    fn descendants_or_zero(&self, index: usize) -> u64 {
        self.number(NumberField::Descendants, index).unwrap_or(0)
    }
}

/// The folded extension: what follows the last dot, unless that dot begins the name or more than 32
/// bytes follow.
fn extension(name: &[u8]) -> Vec<u8> {
    let folded = fold(name);
    let pieces: Vec<&[u8]> = folded.split(|&byte| byte == b'.').collect();
    let last = pieces[pieces.len() - 1];
    let dot_begins_name = pieces.len() == 2 && pieces[0].is_empty();
    if pieces.len() == 1 || dot_begins_name || last.len() > EXTENSION_BYTES {
        Vec::new()
    } else {
        last.to_vec()
    }
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.len() > folder.len() + 1 && path.starts_with(folder) && path[folder.len()] == b'/'
}

fn depth(path: &[u8]) -> u64 {
    path.split(|&byte| byte == b'/').filter(|component| !component.is_empty()).count() as u64
}

fn name_key(name: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (fold(name), name.to_vec())
}

fn path_key(path: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    path.split(|&byte| byte == b'/').filter(|component| !component.is_empty()).map(name_key).collect()
}

/// Unicode scalar values, and each invalid byte for itself.
pub fn characters(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for chunk in text.utf8_chunks() {
        found.extend(chunk.valid().split("").filter(|c| !c.is_empty()).map(str::as_bytes));
        found.extend(chunk.invalid().chunks(1));
    }
    found
}

pub fn text_matches(text: &Text, name: &[u8]) -> bool {
    let seen = if text.case_sensitive { name.to_vec() } else { fold(name) };
    match &text.pattern {
        Pattern::Substring(needle) if text.whole_word => has_word(needle, &seen),
        Pattern::Substring(needle) => contains(needle, &seen),
        Pattern::Exact(whole) => seen == *whole,
        Pattern::Glob(glob) => glob::name_matches(glob, &seen),
        Pattern::Regex(source) => regex_matches(source, text.case_sensitive, name),
        Pattern::Fuzzy(needle) => fuzzy(needle, &seen),
    }
}

fn path_matches(pattern: &PathPattern, case_sensitive: bool, path: &[u8]) -> bool {
    let seen = if case_sensitive { path.to_vec() } else { fold(path) };
    match pattern {
        PathPattern::Substring(needle) => contains(needle, &seen),
        PathPattern::Prefix(needle) => seen.starts_with(needle),
        PathPattern::Exact(whole) => seen == *whole,
        PathPattern::Glob(glob) => glob::path_matches(glob, &seen),
        PathPattern::Regex(source) => regex_matches(source, case_sensitive, path),
    }
}

fn places(needle: &[u8], text: &[u8]) -> impl Iterator<Item = usize> {
    (0..=text.len()).filter(move |&at| text[at..].starts_with(needle))
}

fn contains(needle: &[u8], text: &[u8]) -> bool {
    places(needle, text).next().is_some()
}

fn has_word(needle: &[u8], text: &[u8]) -> bool {
    places(needle, text).any(|at| is_border(text, at) && is_border(text, at + needle.len()))
}

fn is_border(text: &[u8], at: usize) -> bool {
    let is_word = |c: Option<&&[u8]>| {
        let c = c.and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|c| c.chars().next());
        c.is_some_and(|c| c == '_' || c.is_alphanumeric())
    };
    let (before, after) = (characters(&text[..at]), characters(&text[at..]));
    before.is_empty() || after.is_empty() || is_word(before.last()) != is_word(after.first())
}

fn fuzzy(needle: &[u8], text: &[u8]) -> bool {
    let mut rest = text;
    for c in characters(needle) {
        let Some(at) = places(c, rest).next() else { return false };
        rest = &rest[at + c.len()..];
    }
    true
}

fn regex_matches(source: &str, case_sensitive: bool, text: &[u8]) -> bool {
    compile_regex(source, case_sensitive).expect("the parser let it pass").is_match(text)
}
