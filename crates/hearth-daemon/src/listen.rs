//! The socket: taking its place, accepting clients, turning strangers and the surplus away.
//!
//! Only the daemon's own user and root get past here, and never more clients at once than the
//! configured number; whoever is turned away is told why. A failed accept delays the next, and ends nothing.

use crate::exit::Failure;
use crate::server::Server;
use crate::session;
use hearth_protocol::envelope::error_line;
use hearth_protocol::{Code, Places, RpcError};
use rustix::net::SendFlags;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// Pause after a failed accept (out of descriptors, mostly), so that it is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the socket, mode 0600, having removed one that a dead daemon left.
pub(crate) fn bind(places: &Places) -> Result<UnixListener, Failure> {
    let path = places.socket();
    let failed = |error: io::Error| Failure::cannot(format_args!("listen on {}", path.display()), error);
    let address = places.socket_address().map_err(failed)?;
    if std::os::unix::net::UnixStream::connect(&address).is_ok() {
        return Err(Failure::already_running(format!("another daemon listens on {}", path.display())));
    }
    remove(&path).map_err(failed)?;
    // The folder is 0700, so nobody can connect between these two calls.
    let listener = UnixListener::bind(&address).map_err(failed)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Removes the socket, if it is there.
pub(crate) fn remove(socket: &Path) -> io::Result<()> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Accepts until the daemon stops.
pub(crate) async fn accept(server: Arc<Server>, listener: UnixListener) {
    let mut stop = server.stop.listen();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.requested() => return,
        };
        match accepted {
            Ok((stream, _)) => welcome(&server, stream),
            Err(error) => {
                tracing::error!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn welcome(server: &Arc<Server>, stream: UnixStream) {
    if !is_allowed(&stream) {
        tracing::warn!("a process of another user was turned away");
        return turn_away(&stream, &RpcError::new(Code::PermissionDenied, "this daemon serves another user"));
    }
    let Some(admitted) = server.admit() else {
        let limit = server.config.limits.connections;
        return turn_away(&stream, &RpcError::busy("connections", limit, 100));
    };
    let server = Arc::clone(server);
    tokio::spawn(async move {
        session::serve(server, stream).await;
        drop(admitted);
    });
}

/// The daemon's own user, and root, who could do everything anyway.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

/// Says why, as far as a fresh socket takes it, and closes.
fn turn_away(stream: &UnixStream, why: &RpcError) {
    // A client that is gone already needs no reason.
    let _ = rustix::net::send(stream, &error_line(None, why), SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
}
