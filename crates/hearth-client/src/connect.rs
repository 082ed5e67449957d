//! Finding the daemon: connect to its socket, or start it, or run one just for this client.
//!
//! A socket without a listener counts as no daemon, whatever left it behind. A listener that belongs
//! to another user (root excepted) is refused before a byte is sent to it.

use crate::call::Client;
use crate::error::ConnectError;
use crate::start;
use hearth_protocol::Places;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How to connect.
pub struct Options<'a> {
    /// Start a daemon if none listens.
    pub auto_start: bool,
    /// How long a started daemon may take until it listens.
    pub start_timeout: Duration,
    /// Program of the daemon; `None` = [`daemon_program`](crate::daemon_program).
    pub daemon: Option<PathBuf>,
    /// Receives lines for the user's eyes, such as that a daemon is being started.
    pub notice: &'a mut dyn FnMut(&str),
}

impl<'a> Options<'a> {
    /// Auto-start, ten seconds, the usual program.
    pub fn new(notice: &'a mut dyn FnMut(&str)) -> Self {
        Options { auto_start: true, start_timeout: Duration::from_secs(10), daemon: None, notice }
    }
}

impl Client {
    /// Connects to the daemon of `places`, starting it if allowed and necessary.
    pub fn connect(places: &Places, mut options: Options<'_>) -> Result<Client, ConnectError> {
        let stream = match try_connect(places)? {
            Some(stream) => stream,
            None if options.auto_start => start::start(places, &mut options)?,
            None => return Err(ConnectError::NotRunning(places.socket())),
        };
        Client::new(stream, None).map_err(|source| ConnectError::Socket { socket: places.socket(), source })
    }

    /// Runs a daemon as a child of this process that serves only this client and ends with it. It finds its
    /// places in the environment, as every daemon does.
    pub fn spawn_in_process(options: &Options<'_>) -> Result<Client, ConnectError> {
        start::spawn_private(options)
    }
}

/// A connection, or `None` if nobody listens (no socket, or one that a dead daemon left).
pub(crate) fn try_connect(places: &Places) -> Result<Option<UnixStream>, ConnectError> {
    let socket = places.socket();
    let failed = |source| ConnectError::Socket { socket: socket.clone(), source };
    let attempt = places.socket_address().and_then(UnixStream::connect);
    let stream = match attempt {
        Ok(stream) => stream,
        Err(error) if nobody_listens(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(|errno| failed(errno.into()))?;
    let uid = peer.uid.as_raw();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(ConnectError::Stranger { socket, uid });
    }
    Ok(Some(stream))
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
