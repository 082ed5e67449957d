//! Why there is no connection, or no answer.
//!
//! A variant for each thing a caller can act on: start a daemon, show its last words, choose another
//! folder, pass on the daemon's own error. Messages are for users; advice is the caller's to add.

use hearth_protocol::RpcError;
use hearth_protocol::envelope::NotAMessage;
use hearth_protocol::places::PlacesError;
use std::io;
use std::path::PathBuf;

/// Why there is no connection to a daemon.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No daemon listens, and it was not to be started.
    #[error("no daemon listens on {}", .0.display())]
    NotRunning(PathBuf),
    /// The socket is there and cannot be used.
    #[error("cannot connect to {}: {source}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody else's process listens on the socket.
    #[error("refusing to talk to {}: its process belongs to user {uid}", socket.display())]
    Stranger {
        /// The socket.
        socket: PathBuf,
        /// Owner of the listening process.
        uid: u32,
    },
    /// The program of the daemon could not be run.
    #[error("cannot start {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The daemon ended instead of listening.
    #[error("the daemon did not start ({status}): {said}")]
    Died {
        /// How it ended.
        status: String,
        /// Its own words, or the end of its log.
        said: String,
    },
    /// The daemon neither listened nor ended in time.
    #[error("the daemon did not answer within {waited_ms} ms; its log is {}", log.display())]
    Slow {
        /// Milliseconds waited.
        waited_ms: u64,
        /// Log of the daemon.
        log: PathBuf,
    },
    /// The folders cannot be used.
    #[error(transparent)]
    Places(#[from] PlacesError),
}

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon answered with an error.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The connection broke.
    #[error("the connection to the daemon is lost: {0}")]
    Lost(#[source] io::Error),
    /// The daemon said something that makes no sense.
    #[error("{0}")]
    Protocol(String),
    /// The caller's own receiver of rows failed (`BrokenPipe` where a reader of output went away). The connection is closed.
    #[error(transparent)]
    Receiver(io::Error),
}

impl CallError {
    pub(crate) fn nonsense(error: impl std::fmt::Display) -> Self {
        CallError::Protocol(format!("the daemon's answer cannot be read: {error}"))
    }
}

impl From<NotAMessage> for CallError {
    fn from(error: NotAMessage) -> Self {
        CallError::Protocol(error.to_string())
    }
}
