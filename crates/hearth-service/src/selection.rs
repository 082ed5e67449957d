//! Which sources a request is about, and what of each.
//!
//! A folder is answered for by the source with the deepest root around it, and by every source whose
//! root lies in it (those are other file systems mounted there). Folders come from the request and
//! from the conditions that every match of the query must meet; a source that can hold no match is
//! left out. A folder that nobody answers for is an error, not an empty answer.

use crate::catalogue::{Shard, Shards};
use crate::error::ServiceError;
use crate::paths::{holds, normalise};
use crate::registry::unknown_source;
use hearth_files::fold::fold;
use hearth_files::query::{Expr, PathPattern, PathText, Query, Term, Test};
use std::sync::Arc;

/// What of a source is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything.
    Whole,
    /// What lies below these folders.
    Folders(Vec<Vec<u8>>),
}

/// A source that takes part.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) shard: Arc<Shard>,
    pub(crate) scope: Scope,
}

/// The sources that answer for these folders; all of them if there are no folders.
pub(crate) fn choose(shards: &Shards, folders: &[Vec<u8>]) -> Result<Vec<Chosen>, ServiceError> {
    let mut scopes: Vec<Option<Scope>> = vec![folders.is_empty().then_some(Scope::Whole); shards.len()];
    for folder in folders {
        let path = absolute(folder)?;
        if !take(shards, &mut scopes, &path) {
            return Err(nobody(shards, folder));
        }
    }
    let chosen = shards.iter().zip(scopes);
    let chosen = chosen.filter_map(|(shard, scope)| Some(Chosen { shard: Arc::clone(shard), scope: scope? }));
    Ok(chosen.collect())
}

/// Drops the sources that cannot hold a match of the query.
pub(crate) fn prune(
    shards: &Shards,
    chosen: Vec<Chosen>,
    query: &Query,
) -> Result<Vec<Chosen>, ServiceError> {
    let mut left = chosen;
    for test in required(&query.expr) {
        let before = left.len();
        let path = match test {
            Test::In(path) => {
                let roots: Vec<&[u8]> = shards.iter().map(|shard| shard.source.root.as_slice()).collect();
                let answers = answering(&roots, path);
                let answers =
                    |id| shards.iter().zip(&answers).any(|(shard, answers)| shard.id() == id && *answers);
                left.retain(|chosen| answers(chosen.shard.id()));
                path
            }
            Test::Path(PathText { pattern: PathPattern::Prefix(prefix), case_sensitive }) => {
                let meets = |root: &[u8]| {
                    let root = if *case_sensitive { root.to_vec() } else { fold(root) };
                    root.starts_with(prefix) || prefix.starts_with(&root)
                };
                left.retain(|chosen| meets(&chosen.shard.source.root));
                prefix
            }
            _ => continue,
        };
        if left.is_empty() && before > 0 {
            return Err(nobody(shards, path));
        }
    }
    Ok(left)
}

/// The query, limited to a scope.
pub(crate) fn limited(query: &Query, scope: &Scope) -> Query {
    let Scope::Folders(folders) = scope else { return query.clone() };
    let below = |folder: &Vec<u8>| Expr::Term(Term { span: 0..0, test: Test::In(folder.clone()) });
    let mut below: Vec<Expr> = folders.iter().map(below).collect();
    let below = if below.len() == 1 { below.remove(0) } else { Expr::Or(below) };
    Query { expr: Expr::And(vec![below, query.expr.clone()]) }
}

/// Paths of `in:` that every match lies below, and other tests that every match meets.
fn required(expr: &Expr) -> Vec<&Test> {
    match expr {
        Expr::And(parts) => parts.iter().flat_map(required).collect(),
        Expr::Term(term) => vec![&term.test],
        Expr::Or(_) | Expr::Not(_) => Vec::new(),
    }
}

fn absolute(folder: &[u8]) -> Result<Vec<u8>, ServiceError> {
    normalise(folder).ok_or_else(|| ServiceError::BadRequest {
        field: "within",
        message: format!("{} is not an absolute path", String::from_utf8_lossy(folder)),
        hint: "give the whole path, beginning with /".to_owned(),
    })
}

/// Widens the scopes by one folder; false if nobody answers for it.
fn take(shards: &Shards, scopes: &mut [Option<Scope>], path: &[u8]) -> bool {
    let roots: Vec<&[u8]> = shards.iter().map(|shard| shard.source.root.as_slice()).collect();
    let answers = answering(&roots, path);
    for ((scope, root), _) in scopes.iter_mut().zip(&roots).zip(&answers).filter(|(_, answers)| **answers) {
        if holds(path, root) {
            *scope = Some(Scope::Whole);
            continue;
        }
        match scope {
            Some(Scope::Whole) => {}
            Some(Scope::Folders(folders)) => folders.push(path.to_vec()),
            None => *scope = Some(Scope::Folders(vec![path.to_vec()])),
        }
    }
    answers.contains(&true)
}

/// For each root, whether its source answers for a folder.
fn answering(roots: &[&[u8]], path: &[u8]) -> Vec<bool> {
    let around = roots.iter().filter(|root| holds(root, path));
    let deepest = around.max_by_key(|root| root.len());
    roots.iter().map(|root| holds(path, root) || Some(root) == deepest).collect()
}

fn nobody(shards: &Shards, folder: &[u8]) -> ServiceError {
    let sources: Vec<_> = shards.iter().map(|shard| shard.source.info.clone()).collect();
    unknown_source(&sources, folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SourceInfo, SourceKind};

    fn shards(roots: &[&str]) -> Shards {
        let info = |(id, root): (u64, &&str)| SourceInfo {
            id,
            name: format!("s{id}"),
            kind: SourceKind::Volume,
            root: root.as_bytes().to_vec(),
        };
        (1..).zip(roots).map(|at| Arc::new(Shard::new(info(at)))).collect()
    }

    fn chosen(roots: &[&str], folders: &[&str]) -> Vec<(u64, Scope)> {
        let folders: Vec<Vec<u8>> = folders.iter().map(|folder| folder.as_bytes().to_vec()).collect();
        let chosen = choose(&shards(roots), &folders).unwrap();
        chosen.into_iter().map(|chosen| (chosen.shard.id(), chosen.scope)).collect()
    }

    fn folders(folders: &[&str]) -> Scope {
        Scope::Folders(folders.iter().map(|folder| folder.as_bytes().to_vec()).collect())
    }

    #[test]
    fn without_folders_every_source_answers() {
        assert_eq!(chosen(&["/", "/data"], &[]), [(1, Scope::Whole), (2, Scope::Whole)]);
    }

    #[test]
    fn the_deepest_root_around_and_all_roots_inside_answer() {
        let roots = ["/", "/home", "/data/a", "/data/b"];
        assert_eq!(chosen(&roots, &["/etc"]), [(1, folders(&["/etc"]))]);
        assert_eq!(chosen(&roots, &["/home/"]), [(2, Scope::Whole)]);
        assert_eq!(chosen(&roots, &["/home/ada"]), [(2, folders(&["/home/ada"]))]);
        assert_eq!(
            chosen(&roots, &["/data"]),
            [(1, folders(&["/data"])), (3, Scope::Whole), (4, Scope::Whole)]
        );
        assert_eq!(
            chosen(&roots, &["/etc", "/usr", "/home"]),
            [(1, folders(&["/etc", "/usr"])), (2, Scope::Whole)]
        );
        assert_eq!(chosen(&roots, &["/etc", "/"])[0], (1, Scope::Whole));
    }

    #[test]
    fn a_folder_that_nobody_holds_is_an_error() {
        for folder in ["/srv", "/dat", "/"] {
            let error = choose(&shards(&["/data"]), &[folder.as_bytes().to_vec()]);
            match (folder, error) {
                ("/", Ok(chosen)) => assert_eq!(chosen.len(), 1),
                (_, Err(ServiceError::UnknownSource { .. })) => {}
                (folder, _) => panic!("{folder}"),
            }
        }
        let relative = choose(&shards(&["/data"]), &[b"data".to_vec()]);
        assert!(matches!(relative, Err(ServiceError::BadRequest { field: "within", .. })));
    }

    fn pruned(roots: &[&str], expr: Expr) -> Option<Vec<u64>> {
        let shards = shards(roots);
        let left = prune(&shards, choose(&shards, &[]).unwrap(), &Query { expr }).ok()?;
        Some(left.iter().map(|chosen| chosen.shard.id()).collect())
    }

    fn term(test: Test) -> Expr {
        Expr::Term(Term { span: 0..0, test })
    }

    #[test]
    fn conditions_of_the_query_leave_sources_out() {
        let roots = ["/", "/home", "/data"];
        let below = |path: &str| term(Test::In(path.as_bytes().to_vec()));
        let prefix = |path: &str, case_sensitive| {
            term(Test::Path(PathText { pattern: PathPattern::Prefix(path.into()), case_sensitive }))
        };
        assert_eq!(pruned(&roots, below("/home/ada")), Some(vec![2]));
        assert_eq!(pruned(&roots, Expr::And(vec![term(Test::Empty), below("/data")])), Some(vec![3]));
        assert_eq!(pruned(&roots, Expr::Not(Box::new(below("/data")))), Some(vec![1, 2, 3]));
        assert_eq!(pruned(&roots, Expr::Or(vec![below("/data"), term(Test::Empty)])), Some(vec![1, 2, 3]));
        assert_eq!(pruned(&roots, prefix("/da", true)), Some(vec![1, 3]));
        assert_eq!(pruned(&["/Data", "/data", "/etc"], prefix("/da", false)), Some(vec![1, 2]));
        assert_eq!(pruned(&["/home"], below("/srv")), None);
        assert_eq!(pruned(&["/home"], Expr::And(vec![])), Some(vec![1]));
    }

    #[test]
    fn a_limited_query_holds_the_folders_first() {
        let query = Query { expr: term(Test::Empty) };
        assert_eq!(limited(&query, &Scope::Whole), query);
        let Expr::And(parts) = limited(&query, &folders(&["/a", "/b"])).expr else { panic!() };
        assert!(matches!(&parts[0], Expr::Or(below) if below.len() == 2));
        assert_eq!(parts[1], query.expr);
    }
}
