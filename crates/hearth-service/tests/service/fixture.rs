//! A service in a folder of its own, and trees to index.

use hearth_core::CancelToken;
use hearth_service::api::{FindRequest, FindSummary, RowSink, Rows, SinkClosed};
use hearth_service::config::FeedChoice;
use hearth_service::{Config, Folders, Service, ServiceError};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A service and the folder that holds its state and the trees.
pub(crate) struct Fixture {
    pub(crate) service: Arc<Service>,
    folder: tempfile::TempDir,
}

impl Fixture {
    /// A service without sources.
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::open(unwatched(config))
    }

    /// A service that watches its sources.
    pub(crate) fn watching() -> Self {
        Self::open(Config::default())
    }

    /// The same as configured.
    pub(crate) fn watching_with(config: Config) -> Self {
        Self::open(config)
    }

    fn open(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::open(config, &Folders::under(folder.path())).unwrap();
        Self { service, folder }
    }

    /// A service with one scanned tree, `t`.
    pub(crate) fn with_tree(files: &[(&str, &str)]) -> Self {
        let fixture = Self::new();
        fixture.tree("t", files);
        fixture.add("t");
        fixture
    }

    /// Absolute path of something in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.path(name).as_os_str().as_bytes().to_vec()
    }

    /// Writes files below `top`; a name that ends with a slash is a folder.
    pub(crate) fn tree(&self, top: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(self.path(top)).unwrap();
        for (name, content) in files {
            let path = self.path(top).join(name);
            fs::create_dir_all(if name.ends_with('/') { &path } else { path.parent().unwrap() }).unwrap();
            if !name.ends_with('/') {
                fs::write(path, content).unwrap();
            }
        }
    }

    /// Registers a tree under its own name and waits for its scan.
    pub(crate) fn add(&self, top: &str) {
        self.service.add(&self.bytes(top), Some(top)).unwrap();
        self.service.wait_complete(top, &patience()).unwrap();
    }

    pub(crate) fn refresh(&self, top: &str) {
        self.service.refresh(&[top.as_bytes().to_vec()]).unwrap();
        self.service.wait_complete(top, &patience()).unwrap();
    }

    /// Reopens the service on the same state.
    pub(crate) fn reopen(self) -> Self {
        self.reopen_with(Config::default())
    }

    pub(crate) fn reopen_with(self, config: Config) -> Self {
        self.service.shutdown();
        let service = Service::open(unwatched(config), &Folders::under(self.folder.path())).unwrap();
        Self { service, folder: self.folder }
    }

    /// Reopens it as one that watches; what is done meanwhile nobody tells it.
    pub(crate) fn reopen_watching(self, meanwhile: impl FnOnce(&Self)) -> Self {
        self.service.shutdown();
        meanwhile(&self);
        let service = Service::open(Config::default(), &Folders::under(self.folder.path())).unwrap();
        Self { service, folder: self.folder }
    }

    /// Runs a request; paths are shown relative to the folder.
    pub(crate) fn run(&self, request: &FindRequest) -> Result<(Vec<String>, FindSummary), ServiceError> {
        let mut sink = Paths::default();
        let summary = self.service.find(request, &patience(), &mut sink)?;
        let top = self.path("");
        let name = |path: &Vec<u8>| {
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            path.strip_prefix(&top).unwrap_or(path).to_string_lossy().into_owned()
        };
        Ok((sink.paths.iter().map(name).collect(), summary))
    }

    /// Every match of a query, in the default order.
    pub(crate) fn find(&self, query: &str) -> Vec<String> {
        self.run(&ask(query)).unwrap().0
    }
}

/// Sources are as they were scanned until a test asks for more.
fn unwatched(mut config: Config) -> Config {
    config.watch.feed = FeedChoice::Off;
    config
}

/// A request for everything that matches.
pub(crate) fn ask(query: &str) -> FindRequest {
    FindRequest { query: query.into(), ..FindRequest::default() }
}

/// A token that ends a test which hangs.
pub(crate) fn patience() -> CancelToken {
    CancelToken::new().with_deadline(Instant::now() + Duration::from_secs(120))
}

/// A receiver that keeps all paths.
#[derive(Default)]
pub(crate) struct Paths {
    pub(crate) paths: Vec<Vec<u8>>,
    /// Refuse rows once there are this many.
    pub(crate) most: Option<usize>,
}

impl RowSink for Paths {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed> {
        assert!(!rows.rows.is_empty());
        if self.most.is_some_and(|most| self.paths.len() >= most) {
            return Err(SinkClosed);
        }
        for row in rows.rows {
            let mut path = Vec::new();
            rows.body.path_into(*row, &mut path);
            self.paths.push(path);
        }
        Ok(())
    }
}
