//! A private daemon over a real tree, for the benchmarks that go through the whole product.
//!
//! It lives in a temporary `HEARTH_HOME` and is stopped, and waited for, when this value goes.

use crate::peer::{self, TemporaryFolder};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon.
pub(crate) struct Daemon {
    home: TemporaryFolder,
    program: PathBuf,
    pid: u64,
}

impl Daemon {
    /// Starts a daemon and has it index `root`; returns when the first scan is done.
    pub(crate) fn start(root: &Path) -> Result<Self, Box<dyn Error>> {
        let program = std::env::current_exe()?.with_file_name("hearth");
        if !program.is_file() {
            return Err(
                format!("{} is missing; build hearth-cli and hearth-daemon", program.display()).into()
            );
        }
        let mut daemon = Daemon { home: TemporaryFolder::new("home")?, program, pid: 0 };
        peer::must(daemon.hearth().args(["daemon", "start"]))?;
        daemon.pid = daemon.read_pid()?;
        peer::must(daemon.hearth().args(["add", "--wait"]).arg(root))?;
        Ok(daemon)
    }

    /// The command `hearth`, talking to this daemon.
    pub(crate) fn hearth(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HEARTH_HOME", self.home());
        command
    }

    /// Its `HEARTH_HOME`.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Opens a connection of its own.
    pub(crate) fn connect(&self) -> std::io::Result<Connection> {
        let stream = UnixStream::connect(self.home.path().join("run/hearth.sock"))?;
        Ok(Connection {
            replies: BufReader::new(stream.try_clone()?),
            requests: stream,
            line: String::new(),
            id: 0,
        })
    }

    fn read_pid(&self) -> Result<u64, Box<dyn Error>> {
        let status = peer::must(self.hearth().args(["status", "--json"]))?.stdout;
        let objects = String::from_utf8(status)?;
        let objects = objects.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let pid =
            objects.filter(|object| object["type"] == "daemon").find_map(|object| object["pid"].as_u64());
        Ok(pid.ok_or("status --json shows no pid of the daemon")?)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u64 {
        self.pid
    }

    /// Resident bytes of the daemon.
    pub(crate) fn resident(&self) -> std::io::Result<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid))?;
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Ok(pages * rustix::param::page_size() as u64)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // If it does not stop, its folder disappears below it and the next line cannot help either.
        let _ = peer::must(self.hearth().args(["daemon", "stop"]));
        let begun = Instant::now();
        while Path::new(&format!("/proc/{}", self.pid)).exists() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A connection to the daemon's socket.
pub(crate) struct Connection {
    requests: UnixStream,
    replies: BufReader<UnixStream>,
    line: String,
    id: u64,
}

impl Connection {
    /// Sends one request and reads up to its reply; rows that come before are read and dropped.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Result<Value, Box<dyn Error>> {
        self.id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params });
        self.requests.write_all(format!("{request}\n").as_bytes())?;
        loop {
            self.line.clear();
            if self.replies.read_line(&mut self.line)? == 0 {
                return Err("the daemon closed the connection".into());
            }
            let message: Value = serde_json::from_str(&self.line)?;
            if message["id"] != self.id || message.get("method").is_some() {
                continue;
            }
            return match message.get("error") {
                Some(error) => Err(format!("{method}: {error}").into()),
                None => Ok(message["result"].clone()),
            };
        }
    }
}
