//! Starting a daemon, exactly one however many clients want it at the same time.
//!
//! Clients race for a lock file in the run folder. Who holds it checks again that nobody listens,
//! spawns the daemon and keeps the lock until the socket answers; the others try to connect meanwhile.

use crate::call::Client;
use crate::connect::{Options, try_connect};
use crate::error::ConnectError;
use hearth_protocol::Places;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);
/// Time between two tries to start a daemon beside one that is ending.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a daemon may take to end, and somewhat more.
const ENDING_LIMIT: Duration = Duration::from_secs(90);
/// Most bytes of the daemon's words that are passed on.
const SAID_BYTES: u64 = 4096;
/// Exit status of a daemon that found another one holding the lock.
const ALREADY_RUNNING: i32 = 3;

/// Connects, having started a daemon if still nobody listens.
pub(crate) fn start(places: &Places, options: &mut Options<'_>) -> Result<UnixStream, ConnectError> {
    places.prepare_run()?;
    let mut wait = Wait::new(options.start_timeout);
    let lock = open_lock(&places.start_lock())?;
    while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        if let Some(stream) = try_connect(places)? {
            return Ok(stream);
        }
        wait.pause(places)?;
    }
    if let Some(stream) = try_connect(places)? {
        return Ok(stream);
    }
    (options.notice)("starting the hearth daemon");
    await_socket(places, &program(options), wait)
}

/// A daemon over a socket pair, for one client.
pub(crate) fn spawn_private(options: &Options<'_>) -> Result<Client, ConnectError> {
    let program = program(options);
    let failed = |source| ConnectError::Spawn { program: program.clone(), source };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let child = Command::new(&program)
        .arg("--stdio")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Client::new(ours, Some(child)).map_err(failed)
}

fn open_lock(path: &Path) -> Result<File, ConnectError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    open.map_err(|source| ConnectError::Socket { socket: path.to_owned(), source })
}

/// Program of the daemon: `$HEARTH_DAEMON`, else `hearthd` beside the current program, else on the `PATH`.
pub fn daemon_program() -> PathBuf {
    let beside = || {
        let path = std::env::current_exe().ok()?.with_file_name("hearthd");
        path.is_file().then_some(path)
    };
    let told = std::env::var_os("HEARTH_DAEMON").map(PathBuf::from);
    told.or_else(beside).unwrap_or_else(|| PathBuf::from("hearthd"))
}

fn program(options: &Options<'_>) -> PathBuf {
    options.daemon.clone().unwrap_or_else(daemon_program)
}

/// Runs the daemon, which leaves this client's session by itself: it must not become the leader of a
/// process group before that.
fn spawn(program: &Path, places: &Places) -> Result<Child, ConnectError> {
    let child = Command::new(program)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .envs(home_of(places))
        .spawn();
    child.map_err(|source| ConnectError::Spawn { program: program.to_owned(), source })
}

/// Tells the daemon the folder that holds everything, as an absolute path: it starts in `/`. Other
/// places come from variables that it inherits.
fn home_of(places: &Places) -> Option<(&'static str, &Path)> {
    let home = places.run.parent()?;
    (*places == Places::under(home)).then_some(("HEARTH_HOME", home))
}

fn await_socket(places: &Places, program: &Path, mut wait: Wait) -> Result<UnixStream, ConnectError> {
    let mut child = spawn(program, places)?;
    let mut again_at = Instant::now() + RETRY_PAUSE;
    loop {
        if let Some(stream) = try_connect(places)? {
            return Ok(stream);
        }
        match child.try_wait() {
            // Another daemon holds the lock: one that is starting answers soon, one that is ending saves what
            // it has and makes room.
            Ok(Some(status)) if status.code() == Some(ALREADY_RUNNING) && wait.has_time() => {
                wait.limit = wait.limit.max(ENDING_LIMIT);
                if Instant::now() >= again_at {
                    child = spawn(program, places)?;
                    again_at = Instant::now() + RETRY_PAUSE;
                }
            }
            Ok(Some(status)) => return Err(died(places, &mut child, status)),
            _ => {}
        }
        wait.pause(places)?;
    }
}

fn died(places: &Places, child: &mut Child, status: ExitStatus) -> ConnectError {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        // Unreadable words are no reason to hide that it died.
        let _ = stderr.take(SAID_BYTES).read_to_string(&mut said);
    }
    if said.trim().is_empty() {
        said = log_tail(&places.log()).unwrap_or_else(|_| "it left no message".to_owned());
    }
    ConnectError::Died { status: status.to_string(), said: said.trim().to_owned() }
}

fn log_tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SAID_BYTES)))?;
    let mut tail = Vec::new();
    file.take(SAID_BYTES).read_to_end(&mut tail)?;
    let text = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    Ok(lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
}

/// Pauses that grow, within a time limit.
struct Wait {
    began: Instant,
    limit: Duration,
    pause: Duration,
}

impl Wait {
    fn new(limit: Duration) -> Self {
        Wait { began: Instant::now(), limit, pause: FIRST_PAUSE }
    }

    fn has_time(&self) -> bool {
        self.began.elapsed() < self.limit
    }

    fn pause(&mut self, places: &Places) -> Result<(), ConnectError> {
        if !self.has_time() {
            let waited_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
            return Err(ConnectError::Slow { waited_ms, log: places.log() });
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
