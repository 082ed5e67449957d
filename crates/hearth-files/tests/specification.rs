//! Every case of `docs/query-language.md`, answered by the engine.
//!
//! The sample volume is read twice: once as a scan gives it, once as changes to a volume that held
//! nothing but its root. Both bodies must find the paths that the specification shows, in its order,
//! streamed as well as in pages.

#![allow(missing_docs)]

mod literate;

use hearth_core::CancelToken;
use hearth_files::engine::{Find, find};
use hearth_files::entry::{Chunk, NOT_A_DIR};
use hearth_files::index::{Body, Change, Root, Volume};
use hearth_files::query::{parse, parse_sort};
use literate::{Book, Case, Expect, SPECIFICATION, Sample, context};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads"))
}

/// Folder and name of a path that is not the root.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = path.iter().rposition(|&byte| byte == b'/').expect("an absolute path");
    (if slash == 0 { b"/" } else { &path[..slash] }, &path[slash + 1..])
}

/// The root of a sample volume and everything below it.
fn apart(tree: &[Sample]) -> (&Sample, impl Iterator<Item = &Sample>) {
    let root = tree.iter().find(|sample| sample.path == b"/").expect("a root");
    (root, tree.iter().filter(|sample| sample.path != b"/"))
}

fn build(root: &Sample, chunk: Chunk) -> Body {
    let root = Root { path: Vec::new(), meta: root.meta };
    Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new()).expect("nobody cancels")
}

/// The sample volume as a scan finds it.
fn scanned(tree: &[Sample]) -> Body {
    let (root, below) = apart(tree);
    let mut folders = HashMap::from([(&b"/"[..], 0)]);
    let mut chunk = Chunk::default();
    for sample in below {
        let (folder, name) = split(&sample.path);
        let dir = match sample.meta.kind() {
            hearth_core::EntryKind::Dir => folders.len() as u32,
            _ => NOT_A_DIR,
        };
        chunk.push(folders[folder], dir, name, sample.meta);
        if dir != NOT_A_DIR {
            folders.insert(&sample.path, dir);
        }
    }
    build(root, chunk)
}

/// The sample volume as a feed reports it, entry by entry.
fn reported(tree: &[Sample]) -> Body {
    let (root, below) = apart(tree);
    let inodes: HashMap<&[u8], u64> =
        tree.iter().map(|sample| (&sample.path[..], sample.meta.inode)).collect();
    let mut volume = Volume::new(&build(root, Chunk::default()));
    for sample in below {
        let (folder, name) = split(&sample.path);
        let put = Change::Put { parent: inodes[folder], name: name.to_vec(), meta: sample.meta };
        assert_eq!(volume.apply(&[put]).unplaced, 0, "{}", sample.path.escape_ascii());
    }
    volume.body()
}

type Paths = Vec<Vec<u8>>;

/// What a query finds, or the rendering of why it cannot be asked.
fn found(body: &Arc<Body>, query: &[u8], sort: &str, skip: u64, limit: Option<u64>) -> Result<Paths, String> {
    let text = query;
    let query = parse(text, &context()).map_err(|error| error.render(text))?;
    query.asks_for_deleted().map_err(|error| error.render(text))?;
    let sort = parse_sort(sort).map_err(|error| error.render(sort.as_bytes()))?;
    let mut paths = Paths::new();
    let ask = Find { query: &query, sort: &sort, skip, limit, total: true };
    let end = find(body, &ask, pool(), &CancelToken::new(), &mut |rows| {
        paths.extend(rows.iter().map(|&row| body.entry(row).path));
        ControlFlow::Continue(())
    });
    let matched = end.map_err(|error| error.to_string())?.matched;
    let most = matched.expect("the total was asked for").saturating_sub(skip);
    assert_eq!(paths.len() as u64, most.min(limit.unwrap_or(most)), "the total fits what was delivered");
    Ok(paths)
}

fn expected(body: &Arc<Body>, case: &Case) -> Result<Paths, String> {
    match &case.expect {
        Expect::Paths(paths) => Ok(paths.clone()),
        Expect::Error(shown) => Err(shown.clone()),
        Expect::SameAs(other) => {
            let paths = found(body, other, &case.sort, 0, None)?;
            assert!(!paths.is_empty(), "line {}: nothing is found", case.line);
            Ok(paths)
        }
    }
}

/// What is wrong with a case, if anything.
fn check(body: &Arc<Body>, case: &Case) -> Option<String> {
    let expected = expected(body, case);
    for (skip, limit) in [(0, None), (0, Some(1)), (1, Some(2)), (0, Some(1000))] {
        let found = found(body, &case.query, &case.sort, skip, limit);
        let page = |paths: &Paths| {
            let paths = paths.iter().skip(skip as usize);
            paths.take(limit.map_or(usize::MAX, |limit| limit as usize)).cloned().collect::<Paths>()
        };
        if found != expected.as_ref().map(page).map_err(Clone::clone) {
            let query = String::from_utf8_lossy(&case.query);
            return Some(format!(
                "line {}: {query} (skip {skip}, limit {limit:?})\n{}",
                case.line,
                shown(found)
            ));
        }
    }
    None
}

fn shown(found: Result<Paths, String>) -> String {
    let lines = |paths: Paths| paths.iter().map(|path| format!("{}\n", path.escape_ascii())).collect();
    found.map_or_else(|error| error, lines)
}

fn check_all(body_of: impl Fn(&[Sample]) -> Body) {
    let Book { trees, cases } = literate::load(SPECIFICATION);
    let bodies: Vec<Arc<Body>> = trees.iter().map(|tree| Arc::new(body_of(tree))).collect();
    assert!(cases.len() > 100, "the cases were found");
    for (tree, body) in trees.iter().zip(&bodies) {
        assert_eq!(body.entries(), tree.len() as u64);
    }
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(&bodies[case.tree], case)).collect();
    assert!(wrong.is_empty(), "{} cases differ; they give:\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_engine_answers_a_scanned_volume_as_specified() {
    check_all(scanned);
}

#[test]
fn the_engine_answers_a_reported_volume_as_specified() {
    check_all(reported);
}

#[test]
fn a_wrong_answer_is_reported() {
    let Book { trees, cases } = literate::load(SPECIFICATION);
    let body = Arc::new(scanned(&trees[0]));
    let mut case = cases.into_iter().find(|case| matches!(&case.expect, Expect::Paths(all) if all.len() > 1));
    let Some(Case { expect: Expect::Paths(paths), .. }) = &mut case else { panic!("a case with two paths") };
    paths.swap(0, 1);
    assert!(check(&body, &case.expect("the same case")).is_some());
}
