//! Queries over paths of which nothing but the name is known: which of them match.
//!
//! The paths become a small index of their own, and the one engine answers from it, so that a query means here
//! what it means in `find`. What asks for metadata is refused: of a file that is gone nobody can tell its size.

use crate::error::ServiceError;
use hearth_core::{CancelToken, EntryKind};
use hearth_files::engine::{self, Find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR, ScanDir};
use hearth_files::index::{Body, BuildError, Root};
use hearth_files::query::{Expr, NumberField, Query, Term, Test, TimeField};
use rayon::ThreadPool;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Refuses a query that asks for more than names and paths.
pub(super) fn check(query: &Query) -> Result<(), ServiceError> {
    check_expr(&query.expr)
}

fn check_expr(expr: &Expr) -> Result<(), ServiceError> {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().try_for_each(check_expr),
        Expr::Not(part) => check_expr(part),
        Expr::Term(term) => metadata(&term.test).map_or(Ok(()), |what| Err(refusal(term, what))),
    }
}

/// The filter that a test belongs to, if it looks at more than names and paths.
fn metadata(test: &Test) -> Option<&'static str> {
    match test {
        Test::Name(_) | Test::Path(_) | Test::Ext(_) | Test::In(_) | Test::Parent(_) | Test::Invalid => None,
        Test::Number(field, _) => number(*field),
        Test::Type(_) => Some("type:"),
        Test::Category(_) => Some("kind:"),
        Test::Time(TimeField::Modified, _) => Some("dm:"),
        Test::Time(TimeField::Created, _) => Some("dc:"),
        Test::Time(TimeField::Accessed, _) => Some("da:"),
        Test::Owner(_) => Some("owner:"),
        Test::Group(_) => Some("group:"),
        Test::Perm(_) => Some("perm:"),
        Test::Attr(_) => Some("attr:"),
        Test::Deleted => Some("deleted:"),
        Test::Empty => Some("empty:"),
        Test::Dupe(_) => Some("dupe:"),
    }
}

fn number(field: NumberField) -> Option<&'static str> {
    match field {
        NumberField::Depth | NumberField::NameLength | NumberField::PathLength => None,
        NumberField::Size => Some("size:"),
        NumberField::Allocated => Some("allocated:"),
        NumberField::Links => Some("nlink:"),
        NumberField::Children => Some("children:"),
        NumberField::TreeSize => Some("treesize:"),
        NumberField::Descendants => Some("descendants:"),
    }
}

fn refusal(term: &Term, what: &str) -> ServiceError {
    ServiceError::BadQuery {
        position: term.span.start,
        expected: "names, ext:, len:, depth:, in:, parent: or a path".to_owned(),
        message: format!("{what} looks at the metadata of a file, of which the history knows only names"),
    }
}

/// Those of the absolute paths below `root` (without trailing slash) that match.
pub(super) fn matching(
    root: &[u8],
    paths: &BTreeSet<Vec<u8>>,
    query: &Query,
    pool: &ThreadPool,
    cancel: &CancelToken,
) -> Result<HashSet<Vec<u8>>, ServiceError> {
    let body = Arc::new(body_of(root, paths, pool, cancel)?);
    let find = Find { query, sort: &[], skip: 0, limit: None, total: false };
    let mut found = HashSet::new();
    engine::find(&body, &find, pool, cancel, &mut |rows| {
        let mut text = Vec::new();
        body.paths_into(rows, 0, &mut text);
        let matches = text.split(|&byte| byte == 0).filter(|path| paths.contains(*path));
        found.extend(matches.map(<[u8]>::to_vec));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn body_of(
    root: &[u8],
    paths: &BTreeSet<Vec<u8>>,
    pool: &ThreadPool,
    cancel: &CancelToken,
) -> Result<Body, ServiceError> {
    let below: Vec<&[u8]> = paths.iter().map(Vec::as_slice).filter(|path| is_below(root, path)).collect();
    let folders = folders(root, &below);
    let mut chunk = Chunk::default();
    for (inode, path) in (1..).zip(folders.keys().copied().chain(below).collect::<BTreeSet<_>>()) {
        let (parent, name) = split(path);
        let dir = folders.get(path).copied().unwrap_or(NOT_A_DIR);
        let kind = if dir == NOT_A_DIR { EntryKind::File } else { EntryKind::Dir };
        let parent = folders.get(parent).copied().unwrap_or(0);
        chunk.push(parent, dir, name, Meta::unknown(kind, inode));
    }
    let root = Root { path: root.to_vec(), meta: Meta::unknown(EntryKind::Dir, 0) };
    Body::build(&root, &[Arc::new(chunk)], pool, cancel).map_err(|error| match error {
        BuildError::Cancelled(cancelled) => cancelled.into(),
        error => ServiceError::BadRequest {
            field: "query",
            message: error.to_string(),
            hint: "ask for a path, or keep fewer acts (`history.entries`)".to_owned(),
        },
    })
}

/// Every folder between the root and the paths, with its number.
fn folders<'a>(root: &[u8], paths: &[&'a [u8]]) -> BTreeMap<&'a [u8], ScanDir> {
    let mut folders = BTreeMap::new();
    for path in paths {
        let mut folder = split(path).0;
        while folder.len() > root.len() && !folders.contains_key(folder) {
            folders.insert(folder, folders.len() as ScanDir + 1);
            folder = split(folder).0;
        }
    }
    folders
}

fn is_below(root: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.len() > 1 && rest[0] == b'/')
}

/// Folder and name of an absolute path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    (&path[..slash], &path[slash + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_files::query::{Context, parse};
    use jiff::tz::TimeZone;

    fn query(text: &str) -> Query {
        let context = Context {
            now_ns: 0,
            zone: TimeZone::UTC,
            cwd: Some(b"/r/src"),
            home: None,
            user_id: &|_| Some(7),
            group_id: &|_| Some(7),
        };
        parse(text.as_bytes(), &context).unwrap()
    }

    fn found(root: &str, paths: &[&str], text: &str) -> Vec<String> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        let found = matching(root.as_bytes(), &paths, &query(text), &pool, &CancelToken::new()).unwrap();
        let mut found: Vec<String> = found.into_iter().map(|path| String::from_utf8(path).unwrap()).collect();
        found.sort();
        found
    }

    #[test]
    fn a_query_means_what_it_means_in_find() {
        let paths =
            ["/r/src", "/r/src/Main.rs", "/r/src/a/main.rs", "/r/b/main.c", "/r/main.rs/x", "/r/…/gone.rs"];
        for (text, expect) in [
            ("main.rs", &["/r/src/Main.rs", "/r/src/a/main.rs"][..]),
            ("case:main", &["/r/b/main.c", "/r/src/a/main.rs"]),
            ("ext:rs", &["/r/src/Main.rs", "/r/src/a/main.rs", "/r/…/gone.rs"]),
            ("in:.", &["/r/src/Main.rs", "/r/src/a/main.rs"]),
            ("src/**", &["/r/src/Main.rs", "/r/src/a/main.rs"]),
            ("=src", &["/r/src"]),
            ("parent:a | parent:main.rs", &["/r/main.rs/x", "/r/src/a/main.rs"]),
            ("!main depth:2", &["/r/src"]),
            ("nothing", &[]),
        ] {
            assert_eq!(found("/r", &paths, text), expect, "{text}");
        }
    }

    #[test]
    fn the_root_of_everything_can_be_asked() {
        assert_eq!(found("", &["/a", "/b/a"], "a"), ["/a", "/b/a"]);
        assert_eq!(found("", &["/a", "/b/a"], "in:/b"), ["/b/a"]);
        assert!(found("/r", &["/s/a"], "").is_empty());
    }

    #[test]
    fn what_asks_for_metadata_is_refused_where_it_stands() {
        for (text, what) in [
            ("a size:>1", "size:"),
            ("a !type:dir", "type:"),
            ("a (b | kind:image)", "kind:"),
            ("a dm:today", "dm:"),
            ("a owner:ada", "owner:"),
            ("a empty:", "empty:"),
            ("a dupe:name", "dupe:"),
            ("a nlink:2", "nlink:"),
            ("a attr:h", "attr:"),
            ("a deleted:", "deleted:"),
        ] {
            match check(&query(text)) {
                Err(ServiceError::BadQuery { position, message, .. }) => {
                    assert!(position >= 2 && message.starts_with(what), "{text}: {position} {message}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(
            check(&query("a *.rs ext:c len:3 depth:2 in:/ parent:x invalid: pathlen:>3 notin:/y")).is_ok()
        );
    }
}
