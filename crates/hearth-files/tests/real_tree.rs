//! The engine against the naive evaluator over a real, large tree, as `find` lists it.
//!
//! Large enough for every accelerator: pages found by walking and by names, growing spans, zones,
//! parallel walks. The tree is the largest system folder that does not change while tests run.

mod naive;

use hearth_core::{CancelToken, NO_TIME};
use hearth_files::engine::{Find, find};
use hearth_files::entry::Meta;
use hearth_files::index::{Body, Root};
use hearth_files::query::{Context, parse, parse_sort, quote_term};
use hearth_files::scan::{ScanCounters, ScanOptions, scan};
use naive::{NaiveEntry, NaiveTree};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

const TREE: &str = "/usr/lib";

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads")
}

/// What `find` says: one record per entry, fields separated by NUL.
fn listed() -> NaiveTree {
    let format = "%p\\0%y\\0%m\\0%U\\0%G\\0%n\\0%i\\0%s\\0%b\\0%T@\\0%B@\\0";
    let out = Command::new("find").args([TREE, "-xdev", "-printf", format]).output().expect("find runs");
    let fields: Vec<&[u8]> = out.stdout.split(|&byte| byte == 0).collect();
    NaiveTree::new(fields.chunks_exact(11).map(entry).collect())
}

fn entry(fields: &[&[u8]]) -> NaiveEntry {
    let text = |at: usize| std::str::from_utf8(fields[at]).expect("find prints ASCII numbers");
    let number = |at: usize| text(at).parse::<u64>().expect("a number");
    let kind = match fields[1] {
        b"d" => 0o040_000,
        b"l" => 0o120_000,
        b"p" => 0o010_000,
        b"s" => 0o140_000,
        b"b" => 0o060_000,
        b"c" => 0o020_000,
        _ => 0o100_000,
    };
    let meta = Meta {
        size: number(7),
        allocated: number(8) * 512,
        modified_ns: nanoseconds(text(9)),
        created_ns: nanoseconds(text(10)),
        accessed_ns: 0,
        inode: number(6),
        mode: kind | u32::from_str_radix(text(2), 8).expect("an octal mode"),
        uid: number(3) as u32,
        gid: number(4) as u32,
        links: number(5) as u32,
        attributes: 0,
    };
    NaiveEntry { path: fields[0].to_vec(), meta }
}

/// `seconds.fraction` with ten digits; anything else means that there is no such time.
fn nanoseconds(text: &str) -> i64 {
    let parsed = text.split_once('.').and_then(|(seconds, fraction)| {
        let nanos: i64 = fraction.get(..9)?.parse().ok()?;
        Some(seconds.parse::<i64>().ok()? * 1_000_000_000 + nanos)
    });
    parsed.unwrap_or(NO_TIME)
}

fn indexed() -> Body {
    let chunks = Mutex::new(Vec::new());
    let sink = |chunk| chunks.lock().expect("no panic in the sink").push(Arc::new(chunk));
    let options = ScanOptions { exclude: Vec::new(), ..ScanOptions::default() };
    let report = scan(Path::new(TREE), &options, &ScanCounters::default(), &CancelToken::new(), &sink)
        .expect("a scan");
    assert_eq!(report.root, Path::new(TREE).as_os_str().as_bytes());
    let root = Root { path: report.root, meta: report.root_meta };
    Body::build(&root, &chunks.into_inner().expect("no panic"), &pool(), &CancelToken::new())
        .expect("a build")
}

const QUERIES: &[(&str, &str)] = &[
    ("", ""),
    ("", "size:desc"),
    ("", "name"),
    ("lib", ""),
    ("e", "size:desc"),
    ("README", ""),
    ("readme", "modified"),
    ("zzqqxx", ""),
    ("*.so", ""),
    ("*.h", "name"),
    ("lib*.so.?", ""),
    ("{std,lib}*", "size"),
    ("re:^[a-z]+[0-9]+$", ""),
    ("re:[aeiou]{4}", "size:desc"),
    ("re:^lib.*\\.so", ""),
    ("ext:py;h", ""),
    ("ext:", "modified,name:desc"),
    ("type:link", ""),
    ("type:dir", "name"),
    ("kind:code size:>10k", "size:desc"),
    ("size:>1mb", ""),
    ("size:>1mb", "name"),
    ("size:1000..1010", ""),
    ("dm:2020..2022", "modified"),
    ("depth:3", ""),
    ("len:>40", "name"),
    ("nlink:>1 !type:dir", ""),
    ("perm:/111 type:file", ""),
    ("in:/usr/lib/gcc *.a", ""),
    ("in:/usr/lib/python3 name", "size:desc"),
    ("/usr/lib/", ""),
    ("/usr/lib/g", ""),
    ("lib/g", ""),
    ("lib/python", ""),
    ("gcc/x86", "name"),
    ("python3/**/_*", ""),
    ("repath:gcc/.*so", ""),
    ("lib | bin", ""),
    ("lib !so", "size:desc"),
    ("(ext:h | ext:c) config", ""),
    ("case:README", ""),
    ("word:index", ""),
    ("fuzzy:mkfs", ""),
    ("parent:include", "size:desc"),
];

#[test]
fn a_real_tree_answers_as_find_and_the_naive_evaluator_say() {
    let naive = listed();
    assert!(naive.entries.len() > 1000, "{TREE} is too small to show anything");
    let body = Arc::new(indexed());
    assert_eq!(body.entries(), naive.entries.len() as u64);
    let pool = pool();
    for (query, sort) in QUERIES {
        check(&body, &naive, query.as_bytes(), sort, &pool);
    }
    for at in (0..naive.entries.len()).step_by(naive.entries.len() / 12 + 1) {
        let name = naive.entries[at].name();
        let from = at % name.len();
        let piece = &name[from..name.len().min(from + 2 + at % 7)];
        check(&body, &naive, &quote_term(piece), "", &pool);
    }
}

fn check(body: &Arc<Body>, naive: &NaiveTree, text: &[u8], sort_text: &str, pool: &rayon::ThreadPool) {
    let nobody = |_: &str| None;
    let zone = jiff::tz::TimeZone::UTC;
    let context = Context { now_ns: 0, zone, cwd: None, home: None, user_id: &nobody, group_id: &nobody };
    let query = parse(text, &context).unwrap_or_else(|error| panic!("{}", error.render(text)));
    let sort = parse_sort(sort_text).expect("a good sort");
    let want = naive.sort(&sort, naive.select(&query));
    for (skip, limit, total) in
        [(0, None, true), (0, Some(100), false), (7, Some(20), true), (0, Some(0), true)]
    {
        let ask = Find { query: &query, sort: &sort, skip, limit, total };
        let mut paths = Vec::new();
        let found = find(body, &ask, pool, &CancelToken::new(), &mut |rows| {
            body.paths_into(rows, 0, &mut paths);
            ControlFlow::Continue(())
        })
        .expect("a supported query");
        let shown: Vec<usize> =
            want.iter().copied().skip(skip as usize).take(limit.unwrap_or(u64::MAX) as usize).collect();
        let expected: Vec<u8> =
            shown.iter().flat_map(|&at| [&naive.entries[at].path[..], b"\0"].concat()).collect();
        let what = format!(
            "{} sort {sort_text} skip {skip} limit {limit:?}: {:?}",
            text.escape_ascii(),
            found.explain
        );
        assert_eq!(found.shown, shown.len() as u64, "{what}");
        assert!(paths == expected, "other rows or another order: {what}");
        assert!(found.matched.is_none_or(|matched| matched == want.len() as u64), "{what}");
        assert!(!total || found.matched.is_some(), "{what}");
    }
}
