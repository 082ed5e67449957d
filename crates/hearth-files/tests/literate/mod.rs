//! Reads the cases of `docs/query-language.md`.
//!
//! A fence `tree` lists the entries of a sample volume, one a line: path (`\xNN` for any byte, a
//! trailing slash for a folder), then `key=value` pairs; folders above are added where they are
//! missing. A fence `find` holds queries after `> `, each followed by the paths it finds, in order; its
//! info string may name a sort. A fence `same` holds queries, one a line, that all find the same, and
//! something. A fence `error` is what [`QueryError::render`] shows, its second line being the query.

#![allow(dead_code, unreachable_pub, missing_docs)]

use hearth_core::{EntryKind, NO_TIME, UnixNanos};
use hearth_files::entry::{DELETED, Meta, NO_OWNER};
use hearth_files::query::Context;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The text of the specification.
pub const SPECIFICATION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/query-language.md"));

/// Everything that a specification asks for.
#[derive(Debug, Default)]
pub struct Book {
    /// Sample volumes; each a list of entries in the order of the text, folders before what they hold.
    pub trees: Vec<Vec<Sample>>,
    pub cases: Vec<Case>,
}

/// One entry of a sample volume; the path of the root is `/`.
#[derive(Clone, Debug)]
pub struct Sample {
    pub path: Vec<u8>,
    pub meta: Meta,
}

/// One query and what it must give.
#[derive(Debug)]
pub struct Case {
    /// Line of the text where the query stands, 1-based.
    pub line: usize,
    /// Index in [`Book::trees`].
    pub tree: usize,
    pub query: Vec<u8>,
    /// Text for `parse_sort`; empty = by path.
    pub sort: String,
    pub expect: Expect,
}

#[derive(Debug, PartialEq)]
pub enum Expect {
    /// These paths in this order.
    Paths(Vec<Vec<u8>>),
    /// What this other query finds, which is not nothing.
    SameAs(Vec<u8>),
    /// This rendering of the error.
    Error(String),
}

/// The world in which the specification's queries are asked.
pub fn context() -> Context<'static> {
    Context {
        now_ns: nanos("2026-01-15T12:00:00"),
        zone: TimeZone::UTC,
        cwd: Some(b"/home/ann/src"),
        home: Some(b"/home/ann"),
        user_id: &|name| USERS.iter().find(|user| user.0 == name).map(|user| user.1),
        group_id: &|name| GROUPS.iter().find(|group| group.0 == name).map(|group| group.1),
    }
}

/// Those that the samples have, "File Attribute Constants" of Windows; `-` for none.
const ATTRIBUTES: [(char, u32); 9] = [
    ('R', 0x1),
    ('H', 0x2),
    ('S', 0x4),
    ('D', 0x10),
    ('A', 0x20),
    ('P', 0x200),
    ('L', 0x400),
    ('C', 0x800),
    ('-', 0),
];
const USERS: [(&str, u32); 3] = [("root", 0), ("ann", 1000), ("bob", 1001)];
const GROUPS: [(&str, u32); 3] = [("root", 0), ("shadow", 42), ("users", 100)];

/// Reads a whole specification. Panics, with the line, on anything it does not understand.
pub fn load(text: &str) -> Book {
    let mut book = Book::default();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let body = lines.by_ref().take_while(|(_, line)| *line != "```");
        let block: Vec<(usize, &str)> = body.map(|(at, line)| (at + 1, line)).collect();
        let (word, rest) = info.split_once(' ').unwrap_or((info, ""));
        match word {
            "tree" => book.trees.push(tree(&block)),
            "find" => book.find(&block, rest.strip_prefix("sort=").unwrap_or(rest)),
            "same" => book.same(&block),
            "error" => book.error(&block),
            "text" => {}
            other => panic!("unknown fence `{other}`"),
        }
    }
    book
}

impl Book {
    fn case(&mut self, line: usize, query: &str, sort: &str, expect: Expect) {
        let tree = self.trees.len().checked_sub(1).expect("a tree before the first case");
        self.cases.push(Case { line, tree, query: query.as_bytes().to_vec(), sort: sort.to_owned(), expect });
    }

    fn find(&mut self, block: &[(usize, &str)], sort: &str) {
        for &(line, text) in block {
            if let Some(query) = text.strip_prefix('>') {
                self.case(line, query.strip_prefix(' ').unwrap_or(query), sort, Expect::Paths(Vec::new()));
                continue;
            }
            match self.cases.last_mut().map(|case| &mut case.expect) {
                Some(Expect::Paths(paths)) => paths.push(unescape(text)),
                _ => panic!("line {line}: a path without a query"),
            }
        }
    }

    fn same(&mut self, block: &[(usize, &str)]) {
        let (_, first) = block[0];
        for &(line, query) in &block[1..] {
            self.case(line, query, "", Expect::SameAs(first.as_bytes().to_vec()));
        }
    }

    fn error(&mut self, block: &[(usize, &str)]) {
        let (line, query) = block[1];
        let shown: Vec<&str> = block.iter().map(|(_, text)| *text).collect();
        let query = query.strip_prefix("  ").expect("an indented query");
        self.case(line, query, "", Expect::Error(shown.join("\n")));
    }
}

fn tree(block: &[(usize, &str)]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for &(line, text) in block {
        let mut words = text.split_whitespace();
        let path = unescape(words.next().unwrap_or_else(|| panic!("line {line}: no path")));
        let is_dir = path.ends_with(b"/");
        let path = if path.len() > 1 && is_dir { path[..path.len() - 1].to_vec() } else { path };
        add_folders_above(&mut samples, &path);
        let kind = if is_dir { EntryKind::Dir } else { EntryKind::File };
        let mut meta = default_meta(kind, samples.len());
        let mut seen_access = false;
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or_else(|| panic!("line {line}: `{word}`"));
            set(&mut meta, key, value);
            seen_access |= key == "accessed";
        }
        if !seen_access {
            meta.accessed_ns = meta.modified_ns;
        }
        samples.push(Sample { path, meta });
    }
    samples
}

fn add_folders_above(samples: &mut Vec<Sample>, path: &[u8]) {
    let slashes = (0..path.len()).filter(|&at| path[at] == b'/' && path != b"/");
    for slash in slashes {
        let folder = path[..slash.max(1)].to_vec();
        if samples.iter().all(|sample| sample.path != folder) {
            let meta = default_meta(EntryKind::Dir, samples.len());
            samples.push(Sample { path: folder, meta });
        }
    }
}

fn default_meta(kind: EntryKind, index: usize) -> Meta {
    let modified_ns = nanos("2020-01-01T00:00:00");
    let permissions = if kind == EntryKind::Dir { 0o755 } else { 0o644 };
    Meta {
        size: if kind == EntryKind::Dir { 4096 } else { 0 },
        allocated: 0,
        modified_ns,
        created_ns: NO_TIME,
        accessed_ns: modified_ns,
        inode: 1000 + index as u64,
        mode: kind.type_bits() | permissions,
        uid: 0,
        gid: 0,
        links: 1,
        attributes: 0,
    }
}

fn set(meta: &mut Meta, key: &str, value: &str) {
    let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("`{key}={value}`"));
    match key {
        "size" => {
            meta.size = number();
            meta.allocated = meta.size.next_multiple_of(4096);
        }
        "allocated" => meta.allocated = number(),
        "modified" => meta.modified_ns = nanos(value),
        "created" => meta.created_ns = nanos(value),
        "accessed" => meta.accessed_ns = nanos(value),
        "inode" => meta.inode = number(),
        "links" => meta.links = u32::try_from(number()).expect("a small number"),
        "mode" => meta.mode = meta.mode & !0o7777 | u32::from_str_radix(value, 8).expect("octal"),
        "kind" => {
            let kind = EntryKind::from_word(value).unwrap_or_else(|| panic!("`{key}={value}`"));
            meta.mode = kind.type_bits() | meta.mode & 0o7777;
        }
        "attr" => {
            (meta.mode, meta.uid, meta.gid) = (meta.kind().type_bits(), NO_OWNER, NO_OWNER);
            let bit = |letter| ATTRIBUTES.iter().find(|(known, _)| *known == letter).expect("a letter").1;
            meta.attributes = value.chars().map(bit).fold(0, |all, bit| all | bit);
        }
        "deleted" => meta.attributes |= DELETED,
        "owner" => meta.uid = (context().user_id)(value).expect("a user of the sample"),
        "group" => meta.gid = (context().group_id)(value).expect("a group of the sample"),
        _ => panic!("`{key}={value}`"),
    }
}

/// Nanoseconds since 1970 of a date with time, in UTC.
pub fn nanos(text: &str) -> UnixNanos {
    let civil: DateTime = text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"));
    let timestamp = civil.to_zoned(TimeZone::UTC).expect("in range").timestamp();
    i64::try_from(timestamp.as_nanosecond()).expect("in range")
}

/// `\xNN` stands for a byte, `\\` for a backslash.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match tail.first() {
            Some(b'x') if byte == b'\\' => {
                let digits = std::str::from_utf8(&tail[1..3]).expect("two digits");
                out.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = &tail[3..];
            }
            Some(b'\\') if byte == b'\\' => {
                out.push(byte);
                rest = &tail[1..];
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}
