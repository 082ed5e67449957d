//! Every class of query against the naive evaluator: what is asked, and how an answer is compared.

#![allow(dead_code, unreachable_pub, missing_docs)]

use super::model::pool;
use super::naive::{self, NaiveTree};
use hearth_core::CancelToken;
use hearth_files::engine::{EngineError, Find, Standing, find};
use hearth_files::index::Body;
use hearth_files::query::{Context, Query, SortKey, parse, parse_sort};
use std::ops::ControlFlow;
use std::sync::Arc;

const NOW: i64 = 1_700_000_000_000_000_000;

pub fn parsed(text: &[u8]) -> Query {
    let context = Context {
        now_ns: NOW,
        zone: jiff::tz::TimeZone::UTC,
        cwd: None,
        home: None,
        user_id: &|_| None,
        group_id: &|_| None,
    };
    parse(text, &context).unwrap_or_else(|error| panic!("{}", error.render(text)))
}

/// Paths of an answer, and its total.
pub fn answer(
    body: &Arc<Body>,
    query: &Query,
    sort: &[SortKey],
    page: (u64, Option<u64>),
    total: bool,
) -> (Vec<Vec<u8>>, Option<u64>) {
    let mut paths = Vec::new();
    let ask = Find { query, sort, skip: page.0, limit: page.1, total };
    let found = find(body, &ask, pool(), &CancelToken::new(), &mut |rows| {
        paths.extend(rows.iter().map(|&row| body.entry(row).path));
        ControlFlow::Continue(())
    })
    .expect("the query is supported");
    assert_eq!(found.shown, paths.len() as u64);
    (paths, found.matched)
}

fn text(bytes: &[Vec<u8>]) -> Vec<String> {
    bytes.iter().map(|path| path.escape_ascii().to_string()).collect()
}

/// Every page and order of one query equals the naive answer.
pub fn check(body: &Arc<Body>, naive: &NaiveTree, query_text: &[u8], sort_text: &str, what: &str) {
    let query = parsed(query_text);
    let sort = parse_sort(sort_text).expect("a good sort");
    let want: Vec<Vec<u8>> = naive
        .sort(&sort, naive.select(&query))
        .into_iter()
        .map(|at| naive.entries[at].path.clone())
        .collect();
    let context = || format!("{what}: {} sort {sort_text}", query_text.escape_ascii());
    let (all, matched) = answer(body, &query, &sort, (0, None), true);
    assert_eq!(text(&all), text(&want), "{}", context());
    assert_eq!(matched, Some(want.len() as u64), "{}", context());
    for (skip, limit) in [(0, 1), (0, 3), (2, 2), (0, want.len() as u64 + 1), (0, 0)] {
        let (page, matched) = answer(body, &query, &sort, (skip, Some(limit)), true);
        let end = want.len().min((skip + limit) as usize);
        let slice = &want[end.min(skip as usize)..end];
        assert_eq!(text(&page), text(slice), "{} skip {skip} limit {limit}", context());
        assert_eq!(matched, Some(want.len() as u64), "{} skip {skip} limit {limit}", context());
        let (page, matched) = answer(body, &query, &sort, (skip, Some(limit)), false);
        assert_eq!(text(&page), text(slice), "{} skip {skip} limit {limit}, no total", context());
        assert!(matched.is_none_or(|matched| matched == want.len() as u64), "{}", context());
    }
}

/// A query that is kept judges every row as a find does, and nothing that matches is held for impossible.
pub fn check_standing(body: &Arc<Body>, naive: &NaiveTree, what: &str) {
    for text in QUERIES {
        let query = parsed(text.as_bytes());
        let standing = match Standing::new(&query) {
            Ok(standing) => standing,
            Err(EngineError::Unsupported { message, .. }) => {
                assert!(text.contains("dupe:") || text.contains("da:"), "{text}: {message}");
                continue;
            }
            Err(error) => panic!("{text}: {error}"),
        };
        let mut judge = standing.on(body);
        for (at, entry) in naive.entries.iter().enumerate() {
            let row = body.find_path(&entry.path).expect("it is there");
            let wanted = naive.matches(&query, at);
            let context = || format!("{what}: {text} on {}", entry.path.escape_ascii());
            assert_eq!(judge.matches(row), wanted, "{}", context());
            assert!(!wanted || standing.may_match(&entry.path, entry.kind()), "{}", context());
        }
    }
}

/// Metadata and totals of every entry equal the model's.
pub fn check_entries(body: &Arc<Body>, naive: &NaiveTree, what: &str) {
    assert_eq!(body.entries(), naive.entries.len() as u64, "{what}");
    for entry in &naive.entries {
        let row = body
            .find_path(&entry.path)
            .unwrap_or_else(|| panic!("{what}: {} is missing", entry.path.escape_ascii()));
        let known = body.entry(row);
        assert_eq!(known.path, entry.path, "{what}");
        assert_eq!(known.meta, entry.meta, "{what}: {}", entry.path.escape_ascii());
        let below = |other: &&naive::NaiveEntry| {
            let folder: &[u8] = if entry.path == b"/" { b"" } else { &entry.path };
            other.path.len() > folder.len() + 1
                && other.path.starts_with(folder)
                && other.path[folder.len()] == b'/'
        };
        if let Some(totals) = known.totals {
            let inside: Vec<_> = naive.entries.iter().filter(below).collect();
            let size: u64 = inside
                .iter()
                .filter(|other| other.kind() != hearth_core::EntryKind::Dir)
                .map(|other| other.meta.size)
                .sum();
            assert_eq!(totals.descendants, inside.len() as u64, "{what}: {}", entry.path.escape_ascii());
            assert_eq!(totals.size, size, "{what}: {}", entry.path.escape_ascii());
            assert_eq!(
                totals.allocated,
                inside.iter().map(|other| other.meta.allocated).sum::<u64>(),
                "{what}"
            );
            assert_eq!(body.children(row).len() as u64, totals.children, "{what}");
        }
    }
}

pub const QUERIES: &[&str] = &[
    "",
    "a",
    "A",
    "o",
    "rs",
    "foo",
    "FOO",
    "readme",
    "conf",
    "é",
    "É",
    "日本",
    "本",
    "nothinghere",
    "*.rs",
    "*.RS",
    "foo*",
    "*o*",
    "a*b",
    "?",
    "??",
    "[ab]*",
    "{foo,bar}*",
    "=foo.rs",
    "=README",
    "=readme",
    "case:foo",
    "case:=a",
    "word:foo",
    "word:a",
    "fuzzy:fo",
    "fuzzy:rdm",
    "re:^[a-z]+$",
    "re:o+",
    "re:foo|bar",
    r"re:\.rs$",
    "re:.",
    "re:[0-9]",
    "re:É",
    "ext:rs",
    "ext:rs;txt",
    "ext:",
    "type:file",
    "type:dir",
    "type:link",
    "type:stream",
    "type:stream o",
    "!type:stream size:>20",
    "kind:code",
    "kind:image",
    "size:>100",
    "size:0",
    "size:empty",
    "size:10..1000",
    "allocated:>0",
    "dm:<2020",
    "dm:2020..2022",
    "dc:>2000",
    "da:>2001",
    "dm:today",
    "depth:1",
    "depth:>2",
    "len:1",
    "len:>5",
    "pathlen:>10",
    "owner:1000",
    "group:1",
    "perm:644",
    "perm:0",
    "perm:/0",
    "owner:4294967295",
    "group:4294967295",
    "!owner:0",
    "attr:r",
    "attr:HS",
    "attr:rhsa o",
    "!attr:a",
    "deleted:",
    "deleted: a",
    "perm:-444",
    "perm:/111",
    "nlink:>1",
    "children:0",
    "children:>2",
    "treesize:>500",
    "descendants:>3",
    "empty:",
    "dupe:name",
    "dupe:size",
    "invalid:",
    "parent:foo",
    "parent:a*",
    "in:/a",
    "in:/",
    "in:/a/b",
    "notin:/a",
    "in:/nothing",
    "/a/",
    "/a",
    "/A",
    "/foo/b",
    "a/b",
    "a/",
    "o/f",
    "b/foo",
    "**/foo*",
    "a/**/*.rs",
    "/a/**",
    "/*/b*",
    "repath:a/.*b",
    "repath:^/a",
    "=/a/b",
    "a | b",
    "foo !rs",
    "!type:dir",
    "(foo | ext:rs) !case:FOO",
    "a b",
    "type:file (size:0 | a)",
    "in:/a *.rs",
    "foo in:/b",
    "!a",
    "!(a | b)",
    "a/b !ext:rs",
    "dupe:name type:file",
    "o size:>50",
    "e dm:>2015",
    "case:re:^[a-z]+$",
    "case:re:^.{4,}$",
    "case:re:[aeiou]{2}",
    "re:(?-i)FOO",
    "re:(?i:readme)x?",
];
pub const SORTS: &[&str] = &[
    "",
    "path:desc",
    "name",
    "name:desc",
    "size",
    "size:desc",
    "modified:desc",
    "modified",
    "created",
    "accessed:desc",
    "ext",
    "ext:desc",
    "type,name",
    "depth:desc,size",
    "treesize:desc",
    "descendants:desc",
    "owner",
    "allocated:desc",
    "size,name:desc",
    "type:desc",
    "path",
];

pub fn check_all(body: &Arc<Body>, naive: &NaiveTree, seed: usize, what: &str) {
    check_entries(body, naive, what);
    for (at, query) in QUERIES.iter().enumerate() {
        check(body, naive, query.as_bytes(), SORTS[(at + seed) % SORTS.len()], what);
    }
    for needle in naive.needles(seed) {
        check(body, naive, &needle, SORTS[seed % SORTS.len()], what);
    }
}

trait Needles {
    fn needles(&self, seed: usize) -> Vec<Vec<u8>>;
}

impl Needles for NaiveTree {
    /// Quoted pieces of names that are there.
    fn needles(&self, seed: usize) -> Vec<Vec<u8>> {
        let mut needles = Vec::new();
        for (at, entry) in self.entries.iter().enumerate().filter(|(at, _)| at % 5 == seed % 5) {
            let name = entry.name();
            let from = (at * 7 + seed) % name.len().max(1);
            let piece = &name[from..name.len().min(from + 1 + at % 6)];
            if !piece.is_empty() {
                needles.push(hearth_files::query::quote_term(piece));
            }
        }
        needles
    }
}
