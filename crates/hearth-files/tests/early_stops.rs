//! A page is the beginning of the whole answer, whatever the way to it.
//!
//! Pages and tops stop early and by several ways, depending on how many names and rows match; whole
//! answers look at everything. The volume is large enough for each of these ways to give up and for
//! all cores to take part.

use hearth_core::{CancelToken, EntryKind};
use hearth_files::engine::{Find, find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Change, Root, RowId, Volume};
use hearth_files::query::{Context, Query, SortKey, parse, parse_sort};
use proptest::prelude::*;
use rayon::ThreadPool;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

const FOLDERS: u32 = 1500;
const FILES: u32 = 60;

static POOL: LazyLock<ThreadPool> =
    LazyLock::new(|| rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads"));

/// One volume as it was built, and with changes since.
static BODIES: LazyLock<[Arc<Body>; 2]> = LazyLock::new(|| {
    let body = Arc::new(body());
    [Arc::clone(&body), Arc::new(changed(&body))]
});

/// Numbers that look random, the same in every run.
fn mixed(number: u32) -> u32 {
    number.wrapping_mul(0x9E37_79B1) ^ (number.wrapping_mul(0x85EB_CA6B) >> 13)
}

/// Some names are in every folder, some in many, most in one; later folders repeat those of earlier ones.
fn file_name(folder: u32, file: u32) -> String {
    let random = mixed(folder * FILES + file);
    match file {
        0 => "index.html".into(),
        1 => "__init__.py".into(),
        2..10 => format!("module_{}.py", random % 97),
        10..25 => format!("Page-{}.HTML", random % (folder + 1)),
        25..40 => format!("img_{random:08x}.jpg"),
        _ => format!("{}-{random:x}.dat", ["alpha", "beta", "gamma", "delta"][random as usize % 4]),
    }
}

fn file_meta(folder: u32, file: u32) -> Meta {
    let random = mixed(folder * FILES + file + 7);
    Meta {
        size: u64::from(random % 64).pow(2) * u64::from(random >> 24),
        modified_ns: i64::from(random >> 8) * 1_000_000_000,
        ..Meta::unknown(EntryKind::File, u64::from(folder * FILES + file) + 10_000)
    }
}

fn body() -> Body {
    let mut chunk = Chunk::default();
    for folder in 1..=FOLDERS {
        // A folder in ten holds others, all of one name.
        let (parent, name) = match folder % 10 {
            0 => (folder - 1, "__pycache__".to_owned()),
            _ => (0, folder_name(folder)),
        };
        chunk.push(parent, folder, name.as_bytes(), Meta::unknown(EntryKind::Dir, u64::from(folder) + 10));
        for file in 0..FILES {
            chunk.push(folder, NOT_A_DIR, file_name(folder, file).as_bytes(), file_meta(folder, file));
        }
    }
    let root = Root { path: b"/vol".to_vec(), meta: Meta::unknown(EntryKind::Dir, 2) };
    let body = Body::build(&root, &[Arc::new(chunk)], &POOL, &CancelToken::new()).expect("a body");
    // Names that a folder has twice are entries once.
    assert!(body.entries() > u64::from(FOLDERS * FILES) * 9 / 10);
    body
}

fn folder_name(folder: u32) -> String {
    format!("folder-{:04}", mixed(folder) % 10_000 * 2000 + folder)
}

fn inode_of(folder: u32) -> u64 {
    u64::from(folder) + 10
}

/// Removes, adds and moves a few entries of every kind.
fn changed(body: &Body) -> Body {
    let mut changes = Vec::new();
    for folder in (1..=FOLDERS).step_by(7) {
        let parent = inode_of(folder);
        changes.push(Change::Remove { parent, name: file_name(folder, folder % FILES).into_bytes() });
        let meta = Meta { size: 1 << 40, ..Meta::unknown(EntryKind::File, u64::from(folder) + 1_000_000) };
        changes.push(Change::Put { parent, name: format!("Page-{folder}.new.html").into_bytes(), meta });
    }
    for folder in [11, 501, 1001] {
        let (from_name, to_name) = (folder_name(folder).into_bytes(), b"moved".to_vec());
        changes.push(Change::Move { from: 2, from_name, to: inode_of(folder + 1), to_name });
    }
    let mut volume = Volume::new(body);
    assert_eq!(volume.apply(&changes).applied, changes.len());
    volume.body()
}

fn parsed(text: &str) -> Query {
    let nobody = |_: &str| None;
    let zone = jiff::tz::TimeZone::UTC;
    let context = Context { now_ns: 0, zone, cwd: None, home: None, user_id: &nobody, group_id: &nobody };
    parse(text.as_bytes(), &context).expect("a good query")
}

/// Rows of an answer and its total.
fn answer(
    body: &Arc<Body>,
    query: &Query,
    sort: &[SortKey],
    (skip, limit): (u64, Option<u64>),
) -> (Vec<RowId>, Option<u64>) {
    let mut rows = Vec::new();
    let ask = Find { query, sort, skip, limit, total: false };
    let found = find(body, &ask, &POOL, &CancelToken::new(), &mut |batch| {
        rows.extend_from_slice(batch);
        ControlFlow::Continue(())
    });
    (rows, found.expect("the query is supported").matched)
}

fn check(text: &str, sort: &str, skip: u64, limit: u64) {
    let (query, sort_keys) = (parsed(text), parse_sort(sort).expect("a good sort"));
    for (body, what) in BODIES.iter().zip(["built", "changed"]) {
        let (whole, total) = answer(body, &query, &sort_keys, (0, None));
        let (page, matched) = answer(body, &query, &sort_keys, (skip, Some(limit)));
        let expect = whole.iter().skip(skip as usize).take(limit as usize).copied().collect::<Vec<_>>();
        assert_eq!(page, expect, "{what}: {text:?} by {sort:?}, {limit} after {skip}");
        assert_eq!(total, Some(whole.len() as u64), "{what}: {text:?}");
        assert!(matched.is_none_or(|matched| matched == whole.len() as u64), "{what}: {text:?} by {sort:?}");
    }
}

const NAMES: &[&str] = &[
    "html",
    "index.html",
    "page-1",
    "case:Page",
    "pyc",
    "py",
    "__init__",
    "img_",
    "img_0",
    "img_00f",
    "img_0f",
    "alpha",
    "ta-",
    "a",
    "jpg !img_1",
    "re:^[a-z]+-[0-9]+",
    "re:e{9}",
    "ext:jpg",
    "ext:jpg;dat",
    "*_1*.py",
    "=index.html",
    "html page-12",
    "moved",
    "module_9",
    "le_1",
    "new",
    "qqq",
    "folder- | page-3",
    "case:re:Page-1[0-9]\\.",
];
const ROWS: &[&str] = &["", "type:file", "type:dir", "size:>100kb", "size:>1gb", "/vol/folder-1", "depth:>3"];
const SORTS: &[&str] = &[
    "",
    "path:desc",
    "size",
    "size:desc",
    "modified",
    "modified:desc",
    "name",
    "name:desc",
    "size:desc,name",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_page_is_the_beginning_of_the_whole_answer(
        name in prop::sample::select(NAMES),
        row in prop::sample::select(ROWS),
        sort in prop::sample::select(SORTS),
        skip in prop_oneof![3 => Just(0u64), 1 => 0u64..3000],
        limit in prop_oneof![2 => 1u64..30, 1 => 100u64..5000],
    ) {
        check(&format!("{name} {row}"), sort, skip, limit);
    }
}

#[test]
fn pages_of_frequent_names_that_hardly_match_are_whole() {
    for text in ["index.html size:>1gb", "__init__ type:dir", "html type:dir", "a size:>90gb"] {
        for sort in ["", "size:desc", "name", "modified:desc"] {
            check(text, sort, 0, 20);
        }
    }
}

#[test]
fn pages_inside_each_folder_are_whole() {
    for folder in (1..=FOLDERS).step_by(113).filter(|folder| folder % 10 != 0) {
        check(&format!("in:/vol/{} html", folder_name(folder)), "", 0, 5);
        check(&format!("in:/vol/{} py", folder_name(folder)), "name", 0, 5);
    }
}
