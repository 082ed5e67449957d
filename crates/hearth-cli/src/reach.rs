//! The way to the daemon, and what its errors mean to a user.
//!
//! Every command connects through here, so that starting a daemon, `--no-daemon` and the advice that
//! follows an error are the same for all of them.

use crate::console::Console;
use crate::failure::{Failure, Stop};
use hearth_client::{CallError, Client, ConnectError, Options, Places};
use hearth_protocol::{Code, RpcError};
use std::io;

/// The folders of this user's Hearth.
pub(crate) fn places() -> Result<Places, Stop> {
    Places::from_env().map_err(|error| unreachable_daemon(&ConnectError::Places(error)))
}

/// A connection, and whether the daemon behind it has only just begun.
pub(crate) struct Reached {
    /// The connection.
    pub(crate) client: Client,
    /// True if the daemon was started for it.
    pub(crate) is_new: bool,
}

/// Connects to the daemon, starting it if none runs.
pub(crate) fn connect(console: &mut Console) -> Result<Client, Stop> {
    reach(false, console).map(|reached| reached.client)
}

/// Connects to the resident daemon, or with `no_daemon` to one that lives as long as the connection.
pub(crate) fn reach(no_daemon: bool, console: &mut Console) -> Result<Reached, Stop> {
    let mut is_new = no_daemon;
    let mut notice = |line: &str| {
        is_new = true;
        console.notes.say(line);
    };
    let options = Options::new(&mut notice);
    let outcome =
        if no_daemon { Client::spawn_in_process(&options) } else { Client::connect(&places()?, options) };
    outcome.map(|client| Reached { client, is_new }).map_err(|error| unreachable_daemon(&error))
}

/// Connects only if a daemon runs.
pub(crate) fn connect_if_running(places: &Places) -> Result<Option<Client>, Stop> {
    let mut notice = |_: &str| {};
    let options = Options { auto_start: false, ..Options::new(&mut notice) };
    match Client::connect(places, options) {
        Ok(client) => Ok(Some(client)),
        Err(ConnectError::NotRunning(_)) => Ok(None),
        Err(error) => Err(unreachable_daemon(&error)),
    }
}

fn unreachable_daemon(error: &ConnectError) -> Stop {
    let failure = Failure::from(RpcError::new(Code::Internal, error.to_string()));
    match hint(error) {
        Some(hint) => failure.hint(hint).into(),
        None => failure.into(),
    }
}

fn hint(error: &ConnectError) -> Option<&'static str> {
    Some(match error {
        ConnectError::NotRunning(_) => "start it with `hearth daemon start`",
        ConnectError::Spawn { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            "install hearthd beside hearth or on the PATH, or name it in HEARTH_DAEMON"
        }
        ConnectError::Died { .. } | ConnectError::Slow { .. } => "`hearth daemon logs` shows what it said",
        ConnectError::Stranger { .. } => "set HEARTH_HOME to a folder of your own",
        ConnectError::Spawn { .. } | ConnectError::Socket { .. } | ConnectError::Places(_) => return None,
    })
}

/// What a failed request means; an error of the receiver is this process's own output going away.
pub(crate) fn refused(error: CallError) -> Stop {
    match error {
        CallError::Rpc(error) => Failure::from(error).into(),
        CallError::Receiver(error) if error.kind() == io::ErrorKind::BrokenPipe => Stop::PipeClosed,
        CallError::Receiver(error) => Failure::io("cannot use the daemon's answer", &error).into(),
        error @ (CallError::Lost(_) | CallError::Protocol(_)) => {
            let failure = Failure::from(RpcError::new(Code::Internal, error.to_string()));
            failure.hint("`hearth daemon logs` shows what the daemon said").into()
        }
    }
}
