//! A temporary home with a tree to index and a daemon.

use crate::wire::Wire;
use hearth_client::{Client, Options, Places};
use hearth_protocol::params::AddParams;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Upper bound for anything that must happen; far beyond what it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct House {
    folder: TempDir,
    daemon: Option<Child>,
}

impl House {
    /// A home without a daemon.
    pub(crate) fn empty() -> House {
        let folder = tempfile::Builder::new().prefix("hearthd-test-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tree")).unwrap();
        House { folder, daemon: None }
    }

    /// A home with a daemon that knows no source.
    pub(crate) fn with_daemon() -> House {
        let mut house = House::empty();
        house.start();
        house
    }

    /// A home with a daemon that has indexed these files, given below the tree.
    pub(crate) fn with_files<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> House {
        let mut house = House::empty();
        for name in names {
            house.write(name, b"content");
        }
        house.start();
        house.index();
        house
    }

    /// A home whose export is larger than every buffer on the way.
    pub(crate) fn with_a_large_tree() -> House {
        let names: Vec<String> = (0..12_000).map(|n| format!("{}-{n:05}", "long-name".repeat(12))).collect();
        House::with_files(names.iter().map(String::as_bytes))
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn places(&self) -> Places {
        Places::under(&self.home())
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(crate) fn write(&self, name: &[u8], content: &[u8]) {
        let path = self.tree().join(OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The daemon's command with this home, and nothing else of the environment that could matter.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearthd"));
        command.env_clear().env("HEARTH_HOME", self.home()).env("HOME", self.tree());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts a daemon and waits until it listens.
    pub(crate) fn start(&mut self) {
        self.daemon = Some(self.command().spawn().unwrap());
        wait_for("the socket", || self.try_client().is_some());
    }

    /// Registers the tree and waits until it is indexed.
    pub(crate) fn index(&self) {
        let mut params = AddParams { wait: true, ..Default::default() };
        params.set_path(self.tree().as_os_str().as_bytes().to_vec());
        self.client().add(&params, &mut |_| Ok(())).unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        self.try_client().expect("the daemon listens")
    }

    fn try_client(&self) -> Option<Client> {
        let mut notice = |_: &str| {};
        Client::connect(&self.places(), Options { auto_start: false, ..Options::new(&mut notice) }).ok()
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::connect(&self.places().socket())
    }

    /// The daemon this house started.
    pub(crate) fn daemon(&mut self) -> &mut Child {
        self.daemon.as_mut().expect("a daemon was started")
    }

    /// Sends a signal to the daemon.
    pub(crate) fn signal(&mut self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.daemon());
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until the daemon ended.
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the end of the daemon", || {
            status = self.daemon().try_wait().unwrap();
            status.is_some()
        });
        self.daemon = None;
        status.unwrap()
    }

    /// A daemon that a client started, if it still runs: found by its lock, known by its environment.
    fn foreign_daemon(&self) -> Option<rustix::process::Pid> {
        let text = std::fs::read_to_string(self.places().daemon_lock()).ok()?;
        let pid: i32 = text.trim().parse().ok()?;
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let home = self.home();
        let is_ours =
            environment.windows(home.as_os_str().len()).any(|part| part == home.as_os_str().as_bytes());
        rustix::process::Pid::from_raw(pid).filter(|_| is_ours)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if let Some(pid) = self.foreign_daemon() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Waits until something is so; panics when it does not become so.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Options that start the daemon under test.
pub(crate) fn starting<'a>(notice: &'a mut dyn FnMut(&str)) -> Options<'a> {
    let daemon = Some(Path::new(env!("CARGO_BIN_EXE_hearthd")).to_owned());
    Options { daemon, start_timeout: PATIENCE, ..Options::new(notice) }
}
