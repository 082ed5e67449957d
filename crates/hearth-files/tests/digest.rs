//! The digest against the engine: what the engine finds is never refuted, before and after changes, and
//! what is not there mostly is.

mod model;
mod naive;

use hearth_core::{CancelToken, EntryKind, HeapSize};
use hearth_files::digest::{Digest, FolderShare, Summary};
use hearth_files::engine::{Find, find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::fold::fold;
use hearth_files::index::{Body, Change, Root, RowId, Volume};
use hearth_files::query::{
    Context, Expr, PathPattern, PathText, Pattern, Query, Term, Test, Text, parse, quote_term,
};
use model::{Model, ops, pool};
use naive::NaiveTree;
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;

const ROOT_INODE: u64 = 2;

fn parsed(text: &[u8]) -> Query {
    let context = Context {
        now_ns: 1_700_000_000_000_000_000,
        zone: jiff::tz::TimeZone::UTC,
        cwd: Some(b"/"),
        home: None,
        user_id: &|_| None,
        group_id: &|_| None,
    };
    parse(text, &context).unwrap_or_else(|error| panic!("{}", error.render(text)))
}

/// Whether the engine finds anything.
fn finds(body: &Arc<Body>, query: &Query) -> bool {
    let ask = Find { query, sort: &[], skip: 0, limit: Some(1), total: false };
    let sink = &mut |_: &[u32]| ControlFlow::Continue(());
    find(body, &ask, pool(), &CancelToken::new(), sink).expect("the query is supported").shown > 0
}

/// A volume whose root holds a file of each name.
fn flat(names: &[Vec<u8>]) -> Body {
    let mut chunk = Chunk::default();
    for (at, name) in names.iter().enumerate() {
        chunk.push(0, NOT_A_DIR, name, Meta::unknown(EntryKind::File, at as u64 + 10));
    }
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, ROOT_INODE) };
    Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new()).expect("nobody cancels")
}

fn puts(names: &[Vec<u8>]) -> Vec<Change> {
    let put = |(at, name): (usize, &Vec<u8>)| Change::Put {
        parent: ROOT_INODE,
        name: name.clone(),
        meta: Meta::unknown(EntryKind::File, at as u64 + 10_000_000),
    };
    names.iter().enumerate().map(put).collect()
}

/// Queries that look at names and paths in every way, some of which match nothing.
const QUERIES: &[&str] = &[
    "",
    "a",
    "é",
    "É",
    "日本",
    "本語.r",
    "nothinghere",
    "readme",
    "README",
    "*.rs",
    "*.RS",
    "foo*",
    "?",
    "[ab]*",
    "{foo,bar}*",
    "foo?bar",
    "img*.png",
    "=foo.rs",
    "=readme",
    "=README",
    "case:=a",
    "case:É",
    "word:foo",
    "fuzzy:rdm",
    "re:^[a-z]+$",
    "re:foo|bar",
    r"re:\.rs$",
    "re:^foo_bar$",
    r"re:^(read|conf)\w+",
    "case:re:^Read",
    "re:(?-i)FOO",
    "re:kelvin",
    "ext:rs",
    "ext:rs;txt",
    "ext:",
    "ext:md",
    "kind:code",
    "kind:image",
    "type:dir foo",
    "size:>100",
    "empty:",
    "dupe:name",
    "invalid:",
    "parent:foo",
    "parent:a*",
    "in:/a",
    "in:/a/b",
    "notin:/a",
    "/a/",
    "/foo/b",
    "a/b",
    "a/",
    "o/f",
    "b/foo",
    "d/a",
    "**/foo*",
    "a/**/*.rs",
    "/a/**",
    "repath:a/.*b",
    "=/a/b",
    "a | nothinghere",
    "foo !rs",
    "!nothinghere",
    "(foo | ext:rs) !case:FOO",
];

/// Queries for names and paths that are there.
fn queries_of(naive: &NaiveTree, seed: usize) -> Vec<Vec<u8>> {
    let mut queries: Vec<Vec<u8>> = QUERIES.iter().map(|text| text.as_bytes().to_vec()).collect();
    for (at, entry) in naive.entries.iter().enumerate().filter(|entry| !entry.1.name().is_empty()) {
        let (name, path) = (entry.name(), entry.path.as_slice());
        let from = (at * 7 + seed) % name.len();
        let piece = &name[from..name.len().min(from + 1 + (at + seed) % 9)];
        let path_from = (at * 5 + seed) % path.len();
        let path_piece = &path[path_from..path.len().min(path_from + 2 + (at + seed) % 12)];
        queries.extend([quote_term(piece), quote_term(path_piece)]);
        for (key, value) in [
            ("=", name),
            ("case:=", name),
            ("case:", piece),
            ("parent:", name),
            ("in:", path),
            ("=", path),
            ("case:=", path),
            ("", path),
            ("case:", path),
            ("nothinghere | =", name),
            ("!nothinghere =", name),
        ] {
            queries.push([key.as_bytes(), &quote_term(value)].concat());
        }
    }
    queries
}

fn check(body: &Arc<Body>, digests: &[(&str, &Digest)], naive: &NaiveTree, seed: usize) {
    for text in queries_of(naive, seed) {
        let query = parsed(&text);
        if finds(body, &query) {
            for (what, digest) in digests {
                assert!(!digest.refutes(&query), "{what}: {} is there", text.escape_ascii());
            }
        }
    }
}

/// ASCII, characters whose folding changes their length, and bytes that are not UTF-8.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-cA-C._-]{1,6}".prop_map(String::into_bytes),
        1 => "[a-z0-9 ]{1,12}".prop_map(String::into_bytes),
        2 => prop::sample::select(vec!["K", "ς", "Ⱥ", "ẞ", "Ω", "é", "É", "日本", "\u{212a}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => (0x80u8..=0xff).prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 1..5)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("no folder entries", |name| name != b"." && name != b"..")
}

/// Conditions that a name of the root folder meets by what they mean, made without the parser, so that needles may cut characters.
fn conditions_of(name: &[u8], from: usize, len: usize) -> Vec<Test> {
    let folded = fold(name);
    let cut = |text: &[u8]| text[from % text.len()..].iter().take(len).copied().collect::<Vec<u8>>();
    let text = |pattern, case_sensitive| Text { pattern, case_sensitive, whole_word: false };
    let path = |pattern, case_sensitive| PathText { pattern, case_sensitive };
    let rooted = |text: &[u8]| [b"/", text].concat();
    vec![
        Test::Name(text(Pattern::Substring(cut(&folded)), false)),
        Test::Name(text(Pattern::Substring(cut(name)), true)),
        Test::Name(text(Pattern::Exact(folded.clone()), false)),
        Test::Name(text(Pattern::Exact(name.to_vec()), true)),
        Test::Name(text(Pattern::Fuzzy(folded.clone()), false)),
        Test::Path(path(PathPattern::Prefix(rooted(&folded[..1 + from % folded.len()])), false)),
        Test::Path(path(PathPattern::Prefix(rooted(&name[..1 + from % name.len()])), true)),
        Test::Path(path(PathPattern::Exact(rooted(&folded)), false)),
        Test::Path(path(PathPattern::Exact(rooted(name)), true)),
        Test::Ext(vec![hearth_files::index::extension(&folded).unwrap_or_default().to_vec()]),
    ]
}

fn query_of(test: Test) -> Query {
    Query { expr: Expr::Term(Term { span: 0..0, test }) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_engine_finds_is_not_refuted(
        before in ops(12),
        after in ops(30),
        root in prop_oneof![Just(""), Just("/mnt/Disk é")],
        seed in 0usize..1000,
    ) {
        let mut model = Model::new(root);
        before.iter().for_each(|op| { model.run(op); });
        let mut volume = Volume::new(&model.build());
        let mut followed = Digest::of(&volume.body());
        let (then, earlier, naive) = (Arc::new(volume.body()), followed.clone(), model.naive());
        let mut stepped = followed.clone();
        for op in &after {
            let (before, changes) = (volume.body(), model.run(op));
            volume.apply(&changes);
            followed.absorb(&changes);
            stepped.follow(&before, &volume.body());
        }
        let mut leapt = earlier.clone();
        leapt.follow(&then, &volume.body());
        let body = Arc::new(volume.body());
        let built = Digest::of(&body);
        let all = [("followed", &followed), ("built", &built), ("stepped", &stepped), ("leapt", &leapt)];
        check(&body, &all, &model.naive(), seed);
        check(&then, &[("followed, before", &followed), ("earlier", &earlier)], &naive, seed);
    }

    #[test]
    fn no_cut_of_a_name_is_refuted(
        base in prop::collection::btree_set(name(), 0..12),
        added in prop::collection::vec(name(), 0..12),
        from in 0usize..100,
        len in 1usize..12,
    ) {
        let base: Vec<Vec<u8>> = base.into_iter().collect();
        let mut volume = Volume::new(&flat(&base));
        let mut followed = Digest::of(&volume.body());
        volume.apply(&puts(&added));
        followed.absorb(&puts(&added));
        let built = Digest::of(&volume.body());
        for name in base.iter().chain(&added) {
            for test in conditions_of(name, from, len) {
                let query = query_of(test);
                prop_assert!(!followed.refutes(&query), "followed: {:?} of {}", query, name.escape_ascii());
                prop_assert!(!built.refutes(&query), "built: {:?} of {}", query, name.escape_ascii());
            }
        }
    }

    #[test]
    fn a_summary_counts_what_is_there(before in ops(40), after in ops(40)) {
        let mut model = Model::new("");
        before.iter().for_each(|op| { model.run(op); });
        let mut volume = Volume::new(&model.build());
        let mut digest = Digest::of(&volume.body());
        check_summary(digest.summary(), &Arc::new(volume.body()));
        after.iter().for_each(|op| { volume.apply(&model.run(op)); });
        digest.summarise(&volume.body());
        check_summary(digest.summary(), &Arc::new(volume.body()));
    }
}

fn check_summary(summary: &Summary, body: &Arc<Body>) {
    assert_eq!(summary.entries, count(body, "").0);
    assert_eq!(summary.folders, count(body, "type:dir").0);
    assert_eq!(summary.files(), count(body, "!type:dir").0);
    assert_eq!(Some(summary.totals), body.totals(body.root_row()));
    let (tops, rows) = count(body, "type:dir depth:1");
    let mut largest: Vec<FolderShare> = rows
        .into_iter()
        .map(|row| {
            let mut name = Vec::new();
            body.name_into(row, &mut name);
            FolderShare { name, totals: body.totals(row).expect("a folder") }
        })
        .collect();
    largest.sort_by(|a, b| b.totals.size.cmp(&a.totals.size).then_with(|| a.name.cmp(&b.name)));
    assert_eq!(summary.largest, largest[..tops.min(8) as usize]);
}

/// Rows that match, and how many.
fn count(body: &Arc<Body>, query: &str) -> (u64, Vec<RowId>) {
    let mut rows = Vec::new();
    let query = parsed(query.as_bytes());
    let ask = Find { query: &query, sort: &[], skip: 0, limit: None, total: true };
    find(body, &ask, pool(), &CancelToken::new(), &mut |batch| {
        rows.extend(batch);
        ControlFlow::Continue(())
    })
    .expect("the query is supported");
    (rows.len() as u64, rows)
}

/// Reproducible words.
struct Words(u64);

impl Words {
    fn number(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn word(&mut self, letters: u64) -> String {
        (0..letters).map(|_| char::from(b'a' + self.number(26) as u8)).collect()
    }

    /// As files are called: syllables, a number, one of 40 extensions.
    fn file(&mut self) -> Vec<u8> {
        const PARTS: [&str; 12] =
            ["re", "port", "img", "con", "fig", "test", "main", "data", "lib", "un", "it", "view"];
        const EXTENSIONS: [&str; 10] = ["rs", "txt", "md", "o", "html", "png", "json", "c", "h", "py"];
        let mut name = String::new();
        for _ in 0..2 + self.number(3) {
            name += PARTS[self.number(12) as usize];
        }
        let number = self.number(100_000_000);
        format!("{name}_{number}.{}", EXTENSIONS[self.number(10) as usize]).into_bytes()
    }

    fn files(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut files: Vec<Vec<u8>> = (0..count).map(|_| self.file()).collect();
        files.sort();
        files.dedup();
        files
    }
}

/// Of absent things of each class, how many per hundred the digest must refute.
const ABSENT_REFUTED: usize = 95;

#[test]
fn what_is_not_there_is_refuted() {
    let mut words = Words(7);
    let mut volume = Volume::new(&flat(&words.files(20_000)));
    let mut digest = Digest::of(&volume.body());
    let added = puts(&words.files(5_000));
    volume.apply(&added);
    digest.absorb(&added);
    let body = Arc::new(volume.body());
    type Class = (&'static str, fn(&mut Words) -> String);
    let classes: [Class; 13] = [
        ("exact", |words| format!("={}", String::from_utf8(words.file()).expect("letters"))),
        ("exact, case counts", |words| format!("case:=A{}", words.word(6))),
        ("substring", |words| words.word(7)),
        ("extension", |words| format!("ext:{}", words.word(4))),
        ("extensions", |words| format!("ext:{};{}", words.word(4), words.word(5))),
        ("glob", |words| format!("{}*.rs", words.word(6))),
        ("suffix glob", |words| format!("*.{}", words.word(4))),
        ("regex", |words| format!("re:^{}[0-9]+", words.word(6))),
        ("either", |words| format!("{} | ={}", words.word(7), words.word(8))),
        ("both", |words| format!("report {}", words.word(7))),
        ("folder", |words| format!("in:/{}", words.word(6))),
        ("piece of a path", |words| format!("report/{}", words.word(6))),
        ("parent", |words| format!("parent:{}", words.word(7))),
    ];
    for (class, query) in classes {
        let asked: Vec<String> = (0..300).map(|_| query(&mut words)).collect();
        let absent: Vec<Query> =
            asked.iter().map(|text| parsed(text.as_bytes())).filter(|query| !finds(&body, query)).collect();
        assert!(absent.len() > 250, "{class}: {} of 300 are absent", absent.len());
        let refuted = absent.iter().filter(|query| digest.refutes(query)).count();
        assert!(refuted * 100 >= absent.len() * ABSENT_REFUTED, "{class}: {refuted} of {}", absent.len());
    }
}

#[test]
fn a_category_without_files_is_refuted() {
    let digest = Digest::of(&flat(&Words(3).files(1000)));
    for (query, refuted) in [("kind:audio", true), ("kind:video", true), ("kind:code", false)] {
        assert_eq!(digest.refutes(&parsed(query.as_bytes())), refuted, "{query}");
    }
}

#[test]
fn what_a_digest_cannot_know_is_not_refuted() {
    let digest = Digest::of(&flat(&[b"report.txt".to_vec()]));
    let cases = [
        "zz",
        "!zzzz",
        "fuzzy:zzzz",
        "repath:zzzz",
        "size:>1tb",
        "type:socket",
        "ext:",
        "attr:h",
        "deleted:",
        "zzzz | a",
    ];
    for query in cases {
        assert!(!digest.refutes(&parsed(query.as_bytes())), "{query}");
    }
    assert!(digest.refutes(&parsed(b"zzzz")));
}

#[test]
fn removed_names_stay_possible() {
    let mut digest = Digest::of(&flat(&[b"report.txt".to_vec()]));
    digest.absorb(&[Change::Remove { parent: ROOT_INODE, name: b"report.txt".to_vec() }]);
    assert!(!digest.refutes(&parsed(b"report")));
}

#[test]
fn moved_names_become_possible() {
    let mut digest = Digest::of(&flat(&[b"report.txt".to_vec()]));
    assert!(digest.refutes(&parsed(b"=summary.pdf")));
    digest.absorb(&[Change::Move {
        from: ROOT_INODE,
        from_name: b"report.txt".to_vec(),
        to: ROOT_INODE,
        to_name: b"Summary.pdf".to_vec(),
    }]);
    assert!(!digest.refutes(&parsed(b"=summary.pdf")));
}

#[test]
fn a_digest_that_absorbed_too_much_refutes_nothing_and_stays_small() {
    let mut words = Words(11);
    let mut digest = Digest::of(&flat(&words.files(100)));
    let absent = parsed(b"=nothing.here");
    let published = digest.clone();
    let mut most = 0;
    for _ in 0..10 {
        assert_eq!(digest.refutes(&absent), !digest.is_saturated());
        digest.absorb(&puts(&words.files(10_000)));
        most = most.max(digest.heap_bytes());
    }
    assert!(digest.is_saturated() && !digest.refutes(&absent));
    assert!(most < 300 * 1024, "{most} bytes");
    assert!(!published.is_saturated() && published.refutes(&absent), "a published digest never changes");
}

#[test]
fn a_digest_takes_one_and_a_half_bytes_an_entry() {
    let mut words = Words(5);
    let files = words.files(200_000);
    let mut digest = Digest::of(&flat(&files));
    let bytes = digest.heap_bytes();
    assert!(bytes as f64 <= 1.5 * files.len() as f64, "{bytes} bytes for {} entries", files.len());
    digest.absorb(&puts(&words.files(10_000)));
    let grown = digest.heap_bytes() - bytes;
    assert!((10_000..300_000).contains(&grown), "{grown} bytes for 10000 new names");
}
