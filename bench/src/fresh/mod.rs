//! Freshness through the whole product: a private daemon watches a disk that is made for this run, over its
//! socket it is asked for what was just written.
//!
//! The disk is ext4 in a sparse file, where the user may mount one (root); otherwise a folder for temporary files,
//! and the heading says so. What the daemon spends is shown beside what the writer notices.

mod downtime;
mod idle;
mod latency;
mod writers;

use crate::Outcome;
use crate::daemon::{Connection, Daemon};
use crate::options::Options;
use crate::peer::TemporaryFolder;
use crate::trees;
use hearth_disks::{Disk, Kind};
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Entries of a tree: more would measure the making of files.
const MOST_ENTRIES: usize = 1_000_000;
/// Entries of the tree beside which single changes are timed.
const SOME_ENTRIES: usize = 100_000;

pub(crate) fn run(options: &Options) -> Outcome {
    let ground = Ground::new(Kind::Ext4)?;
    let tree = trees::grow(&ground.top, 1, options.entries.min(SOME_ENTRIES), options.seed)?.remove(0);
    {
        let bench = Bench { options, daemon: Daemon::start(&ground.top)?, ground: &ground, tree };
        println!("\nthe feed: {}", bench.feed(&mut bench.daemon.connect()?)?["text"]);
        bench.latency()?;
        bench.storm()?;
        bench.writers()?;
        bench.idle()?;
    }
    drop(ground);
    downtime::run(options)
}

/// A place to write to, until it is dropped.
struct Ground {
    top: PathBuf,
    /// What it is, for headings.
    what: &'static str,
    _disk: Option<Disk>,
    _folder: Option<TemporaryFolder>,
}

impl Ground {
    fn new(kind: Kind) -> std::io::Result<Self> {
        if let Some(disk) = Disk::new(kind, "bench fresh") {
            return Ok(Self {
                top: disk.root.clone(),
                what: kind.as_str(),
                _disk: Some(disk),
                _folder: None,
            });
        }
        let folder = TemporaryFolder::new("fresh")?;
        let top = folder.path().canonicalize()?;
        Ok(Self { top, what: "a folder for temporary files", _disk: None, _folder: Some(folder) })
    }
}

struct Bench<'a> {
    options: &'a Options,
    daemon: Daemon,
    ground: &'a Ground,
    /// A tree with files in it.
    tree: PathBuf,
}

impl Bench<'_> {
    /// What the daemon says of its feed.
    fn feed(&self, connection: &mut Connection) -> Result<Value, Box<dyn Error>> {
        let status = connection.call("status", &json!({}))?;
        let feed = status["shards"][0]["feed"].clone();
        if feed.is_object() { Ok(feed) } else { Err("status tells of no feed".into()) }
    }

    /// Waits until the daemon has taken in everything; an error if that is in vain.
    fn catch_up(&self, connection: &mut Connection) -> Outcome {
        let params = json!({ "query": "=nothing has this name", "limit": 1, "wait_fresh_ms": 60_000 });
        let summary = connection.call("find", &params)?;
        match summary["meta"][0]["stale"].as_bool() {
            Some(false) => Ok(()),
            _ => Err(format!("the daemon did not catch up: {}", summary["meta"][0]).into()),
        }
    }
}

/// A file of the tree's folders by number, each in another folder.
fn folders(tree: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for group in std::fs::read_dir(tree)? {
        for folder in std::fs::read_dir(group?.path())? {
            folders.push(folder?.path());
        }
    }
    folders.sort();
    Ok(folders)
}
