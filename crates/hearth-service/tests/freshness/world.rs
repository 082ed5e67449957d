//! A service with one source, and the question whether it is as fresh as it says.
//!
//! What is asked carries `wait_fresh`, so an answer must hold everything that was done before.

use crate::walk::Tree;
use hearth_core::CancelToken;
use hearth_service::api::{FindRequest, FindSummary, ShardStatus, SourceMeta};
use hearth_service::{Config, Folders, Service};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for something that must come.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Longest wait of a question for what was written before it.
pub(crate) const FRESH: Duration = Duration::from_secs(10);

/// A token that ends a test which hangs.
pub(crate) fn patience() -> CancelToken {
    CancelToken::new().with_deadline(Instant::now() + LONG)
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A service over one tree.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) root: PathBuf,
}

impl World {
    /// A service with its folders in `home`, which indexes `root` from now on.
    pub(crate) fn begin(home: &Path, root: &Path, config: Config) -> Self {
        let service = Service::open(config, &Folders::under(home)).expect("opened");
        let root = root.canonicalize().expect("it is there");
        service.add(root.as_os_str().as_bytes(), Some("t")).expect("added");
        Self { service, root }
    }

    /// As [`World::begin`]; its first scan is done.
    pub(crate) fn open(home: &Path, root: &Path, config: Config) -> Self {
        let world = Self::begin(home, root, config);
        world.settle();
        world
    }

    /// Waits until nothing is under way.
    pub(crate) fn settle(&self) {
        self.service.wait_complete("t", &patience()).expect("made");
    }

    pub(crate) fn status(&self) -> ShardStatus {
        self.service.status().shards.remove(0)
    }

    /// Everything, seen after everything that was done before, and how good the answer is.
    pub(crate) fn everything(&self, wait_fresh: Option<Duration>) -> (Tree, SourceMeta) {
        let mut tree = Tree::default();
        let request = FindRequest { wait_fresh, ..FindRequest::default() };
        let FindSummary { mut sources, .. } =
            self.service.find(&request, &patience(), &mut tree).expect("answered");
        (tree, sources.remove(0))
    }

    /// Whether a name is found, and how good the answer is.
    pub(crate) fn finds(&self, query: &str, wait_fresh: Option<Duration>) -> (bool, SourceMeta) {
        let mut tree = Tree::default();
        let request = FindRequest { query: query.into(), wait_fresh, ..FindRequest::default() };
        let FindSummary { mut sources, .. } =
            self.service.find(&request, &patience(), &mut tree).expect("answered");
        (tree.len() > 0, sources.remove(0))
    }

    /// What is wrong with an answer that waited for everything; `None` if nothing is.
    pub(crate) fn problem(&self) -> Option<String> {
        let (answer, meta) = self.everything(Some(FRESH));
        if meta.stale || !meta.complete || meta.proof.is_none() {
            return Some(format!("in vain: {meta:?}, {:?}", self.status().feed));
        }
        let difference = answer.difference(&Tree::on_disk(&self.root));
        difference.map(|difference| format!("{difference}by {:?}, {:?}", meta.proof, self.status().feed))
    }

    /// The answer holds everything, says so, and equals a walk.
    #[track_caller]
    pub(crate) fn assert_fresh(&self, after: &str) {
        if let Some(problem) = self.problem() {
            panic!("after {after}: {problem}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.service.shutdown();
    }
}
