//! A home whose daemon can be started, killed and asked, and whose disk can be looked at.
//!
//! The daemon is a child of the test, in the foreground, and saves at once. What it says goes to a file, whose
//! end is shown when something fails.

use crate::tree::{Facts, State};
use crate::world::World;
use hearth_client::protocol::method;
use hearth_client::{Client, Entry, Event, Options, Places};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far more than anything takes, so that only a defect fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Name of the source that [`House::index`] registers.
pub(crate) const SOURCE: &str = "tree";

/// A home, a tree beside it, and at most one daemon.
pub(crate) struct House {
    world: World,
    settings: Vec<(&'static str, String)>,
    daemon: Option<Child>,
}

/// An answer with everything in it.
pub(crate) struct Answer {
    pub(crate) rows: State,
    /// The `meta` of the source.
    pub(crate) meta: Value,
}

impl Answer {
    pub(crate) fn is(&self, word: &str) -> bool {
        self.meta[word] == true
    }
}

impl House {
    /// A home without a daemon, whose daemon will save at once. It watches nothing: what it answers from are instants that
    /// a test made, not those in between.
    pub(crate) fn new() -> Self {
        let world = World::empty();
        let house = Self { world, settings: Vec::new(), daemon: None };
        for folder in [house.home(), house.temporary()] {
            fs::DirBuilder::new().mode(0o700).create(folder).expect("a folder");
        }
        house.with("HEARTH_SNAPSHOT_INTERVAL_S", "0").with("HEARTH_WATCH_FEED", "off")
    }

    /// The same with a setting for the daemon: an environment variable.
    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.settings.push((variable, value.to_owned()));
        self
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.world.tree()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.world.home()
    }

    /// Folder for temporary files of the daemon and of `hearth`.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.home().with_file_name("temporary")
    }

    /// Folder of the snapshots.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.places().cache.join("snapshots")
    }

    pub(crate) fn places(&self) -> Places {
        Places::under(&self.home())
    }

    /// `hearth` with arguments, not yet run.
    pub(crate) fn hearth<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.world.command(args);
        command.envs(self.settings.iter().cloned()).env("TMPDIR", self.temporary());
        command
    }

    /// Runs `hearth` and gives what it printed. Fails unless it succeeded.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Vec<u8> {
        let output = self.hearth(args).output().expect("hearth runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", output.status);
        output.stdout
    }

    /// Begins a daemon in the foreground, whose process this test owns, and does not wait for it.
    pub(crate) fn spawn(&mut self) {
        let command = self.hearth(&["daemon", "run"]);
        self.spawn_by(command);
    }

    /// Begins a daemon by a command that runs what its further arguments say, and waits until it answers.
    pub(crate) fn spawn_as(&mut self, mut command: Command) {
        let daemon = self.hearth(&["daemon", "run"]);
        command.arg(daemon.get_program()).args(daemon.get_args());
        let set = daemon.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(set).stdin(Stdio::null());
        self.spawn_by(command);
        self.await_socket();
    }

    fn spawn_by(&mut self, mut command: Command) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        let said = OpenOptions::new().create(true).append(true).open(self.said()).expect("a file");
        self.daemon = Some(command.stdout(Stdio::null()).stderr(said).spawn().expect("it runs"));
    }

    /// Begins a daemon and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.spawn();
        self.await_socket();
    }

    fn await_socket(&mut self) {
        let began = Instant::now();
        while self.try_client().is_none() {
            let ended = self.daemon.as_mut().expect("a daemon").try_wait().expect("it is ours");
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", self.words());
            assert!(began.elapsed() < PATIENCE, "no socket\n{}", self.words());
            sleep(Duration::from_micros(500));
        }
    }

    /// What the daemons of this home wrote to stderr.
    pub(crate) fn said(&self) -> PathBuf {
        self.home().with_file_name("said")
    }

    /// The end of that.
    pub(crate) fn words(&self) -> String {
        let said = String::from_utf8_lossy(&fs::read(self.said()).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon").id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it is ours");
    }

    /// Kills the daemon, which has no time to do anything about it.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon");
        daemon.kill().expect("it is ours");
        daemon.wait().expect("it ends");
    }

    /// Lets the daemon end by itself.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.daemon.take().expect("a daemon").wait().expect("it ends")
    }

    fn try_client(&self) -> Option<Client> {
        let mut notice = |_: &str| {};
        Client::connect(&self.places(), Options { auto_start: false, ..Options::new(&mut notice) }).ok()
    }

    /// Asks the daemon.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> Result<Value, String> {
        let mut client = self.try_client().ok_or("nobody listens")?;
        client.call(method, params).map_err(|error| error.to_string())
    }

    /// Asks the daemon what it must answer.
    #[track_caller]
    pub(crate) fn tell(&self, method: &str, params: &Value) -> Value {
        self.ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.words()))
    }

    /// Registers the tree; its scan begins.
    pub(crate) fn add(&self) {
        self.tell(method::ADD, &json!({"path": self.tree(), "name": SOURCE}));
    }

    /// Registers the tree and waits until it is indexed and saved.
    pub(crate) fn index(&self) {
        self.add();
        self.wait_complete();
        self.wait_saved();
    }

    /// Scans the tree anew and waits for the end of that.
    pub(crate) fn refresh(&self) {
        self.tell(method::REFRESH, &json!({}));
        self.wait_complete();
    }

    /// State of the source.
    #[track_caller]
    pub(crate) fn shard(&self) -> Value {
        let status = self.tell(method::STATUS, &json!({}));
        let shards = status["shards"].as_array().expect("shards");
        shards.iter().find(|shard| shard["name"] == SOURCE).unwrap_or_else(|| panic!("{status}")).clone()
    }

    /// Waits until every source is compared with the disk.
    #[track_caller]
    pub(crate) fn wait_complete(&self) {
        self.tell(method::FIND, &json!({"count": true, "wait_complete": true}));
        self.wait_until("fresh", |shard| shard["health"] == "fresh");
    }

    /// Waits until what is in memory is on disk.
    #[track_caller]
    pub(crate) fn wait_saved(&self) {
        self.wait_until("saved", |shard| shard["unsaved"] == false && shard["snapshot_bytes"] != 0);
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        self.until(what, || holds(&self.shard()));
    }

    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            let status = || self.tell(method::STATUS, &json!({}));
            assert!(began.elapsed() < PATIENCE, "never {what}: {}\n{}", status(), self.words());
            sleep(Duration::from_millis(10));
        }
    }

    /// `find`: its rows and its summary.
    pub(crate) fn find(&self, params: &Value) -> Result<(Vec<Entry>, Value), String> {
        let mut client = self.try_client().ok_or("nobody listens")?;
        let mut rows = Vec::new();
        let mut take = |event: Event<'_>| {
            if let Event::Rows(batch) = event {
                rows.extend(serde_json::from_str::<Vec<Entry>>(batch.get())?);
            }
            Ok(())
        };
        let summary = client.call_with(method::FIND, params, &mut take).map_err(|error| error.to_string())?;
        Ok((rows, summary))
    }

    /// Everything there is now.
    #[track_caller]
    pub(crate) fn answer(&self) -> Answer {
        let columns = ["path", "kind", "size", "modified_ns", "file_id", "mode", "links"];
        let found = self.find(&json!({"columns": columns}));
        let (entries, summary) = found.unwrap_or_else(|error| panic!("find: {error}\n{}", self.words()));
        let mut rows = State::new();
        rows.extend(entries.iter().map(|entry| (entry.path_bytes().to_vec(), Facts::told(entry))));
        Answer { rows, meta: summary["meta"][0].clone() }
    }

    /// Fails unless the index is the tree.
    #[track_caller]
    pub(crate) fn assert_equals_tree(&self) {
        let (answer, tree) = (self.answer(), State::of(&self.tree()));
        assert!(answer.is("complete") && !answer.is("stale"), "{}", answer.meta);
        let differences = answer.rows.differences(&tree);
        assert!(differences.is_empty(), "index, then tree: {differences:#?}\n{}", self.words());
    }

    /// Temporary files of snapshots.
    pub(crate) fn unfinished_saves(&self) -> Vec<PathBuf> {
        temporary_files_below(&self.places().cache)
    }

    /// Temporary files of the key and of the list of sources.
    pub(crate) fn unfinished_state(&self) -> Vec<PathBuf> {
        temporary_files_below(&self.places().state)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Every file below a folder. What vanishes meanwhile is left out.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path())),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

fn temporary_files_below(folder: &Path) -> Vec<PathBuf> {
    let temporary = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
    files_below(folder).into_iter().filter(temporary).collect()
}

/// Writes a line beside the tests' own output.
pub(crate) fn note(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Changes the bytes of a file.
pub(crate) fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a file");
    how(&mut bytes);
    fs::write(path, bytes).expect("it is ours");
}
