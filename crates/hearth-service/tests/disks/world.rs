//! A service with disks, and everything it knows of them.

use hearth_core::{CancelToken, EntryKind};
use hearth_service::api::{DiskStatus, FindRequest, RowSink, Rows, SinkClosed, SourceInfo, SourceMeta};
use hearth_service::{Config, Folders, Service};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for something that must come.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What an index knows of an entry; the time of the last access is left out, which no journal tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts {
    pub(crate) kind: EntryKind,
    pub(crate) size: u64,
    pub(crate) allocated: u64,
    pub(crate) modified_ns: i64,
    pub(crate) created_ns: i64,
    pub(crate) inode: u64,
    pub(crate) links: u32,
    pub(crate) attributes: u32,
}

/// Everything below a root, by path without the root.
pub(crate) type Tree = BTreeMap<Vec<u8>, Vec<Facts>>;

/// A service in a folder of its own.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) home: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::open(tempfile::tempdir().expect("made"))
    }

    fn open(home: TempDir) -> Self {
        let service = Service::open(Config::default(), &Folders::under(home.path())).expect("opened");
        Self { service, home }
    }

    /// Ends the service and begins another one in the same folder.
    pub(crate) fn reopen(self, meanwhile: impl FnOnce()) -> Self {
        self.service.shutdown();
        let Self { service, home } = self;
        drop(service);
        meanwhile();
        Self::open(home)
    }

    /// Adds what is at a path and waits until it is read.
    pub(crate) fn add(&self, path: &Path) -> Vec<SourceInfo> {
        let sources = self.service.add_disk(path.as_os_str().as_bytes(), None, &patience()).expect("added");
        sources.iter().for_each(|source| self.settle(&source.name));
        sources
    }

    pub(crate) fn settle(&self, name: &str) {
        self.service.wait_complete(name, &patience()).expect("read");
    }

    /// What a query finds in one source, by path below its root.
    pub(crate) fn find(
        &self,
        source: &SourceInfo,
        query: &str,
        wait: Option<Duration>,
    ) -> (Tree, SourceMeta) {
        let request = FindRequest {
            query: query.into(),
            within: vec![source.root.clone()],
            wait_fresh: wait,
            ..FindRequest::default()
        };
        let mut found = Found { root: source.root.clone(), tree: Tree::new() };
        let mut summary = self.service.find(&request, &patience(), &mut found).expect("answered");
        (found.tree, summary.sources.remove(0))
    }

    /// Everything in a source.
    pub(crate) fn everything(&self, source: &SourceInfo) -> Tree {
        self.find(source, "", None).0
    }

    /// Everything in a source, with all that was written before.
    pub(crate) fn fresh(&self, source: &SourceInfo) -> Tree {
        let (tree, meta) = self.find(source, "", Some(LONG));
        assert!(!meta.stale && meta.complete && meta.proof.is_some(), "{meta:?}");
        tree
    }

    pub(crate) fn disk(&self, source: &SourceInfo) -> DiskStatus {
        let status = self.service.status();
        let shard = status.shards.into_iter().find(|shard| shard.source.id == source.id).expect("known");
        shard.disk.expect("it was read")
    }
}

/// A token that ends a test which hangs.
pub(crate) fn patience() -> CancelToken {
    CancelToken::new().with_deadline(Instant::now() + LONG)
}

struct Found {
    root: Vec<u8>,
    tree: Tree,
}

impl RowSink for Found {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed> {
        for &row in rows.rows {
            let (mut path, meta) = (Vec::new(), rows.body.meta(row));
            rows.body.path_into(row, &mut path);
            let path = path.strip_prefix(&*self.root).expect("below the root").to_vec();
            let facts = Facts {
                kind: meta.kind(),
                size: meta.size,
                allocated: meta.allocated,
                modified_ns: meta.modified_ns,
                created_ns: meta.created_ns,
                inode: meta.inode,
                links: meta.links,
                attributes: meta.attributes,
            };
            self.tree.entry(path).or_default().push(facts);
        }
        Ok(())
    }
}

/// Says how two trees differ, the first few entries.
#[track_caller]
pub(crate) fn assert_same(answer: &Tree, truth: &Tree) {
    let wrong = answer.iter().filter(|(path, facts)| truth.get(*path) != Some(facts));
    let missing = truth.iter().filter(|(path, _)| !answer.contains_key(*path));
    let shown: Vec<String> = wrong
        .map(|(path, facts)| format!("{}\n  answer: {facts:?}\n  truth:  {:?}", text(path), truth.get(path)))
        .chain(missing.map(|(path, facts)| format!("{} is missing: {facts:?}", text(path))))
        .collect();
    assert!(shown.is_empty(), "{} differ:\n{}", shown.len(), shown[..shown.len().min(6)].join("\n"));
}

pub(crate) fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
