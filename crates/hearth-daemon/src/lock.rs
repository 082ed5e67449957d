//! One daemon per state folder.
//!
//! The lock is the kernel's (`flock`), so it ends with the process however that ends; the file's content,
//! the process id, is only for people.

use crate::exit::Failure;
use hearth_protocol::Places;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

/// Held for the daemon's life.
#[derive(Debug)]
pub(crate) struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(places: &Places) -> Result<DaemonLock, Failure> {
        let path = places.daemon_lock();
        let failed = |error: std::io::Error| Failure::cannot(format_args!("lock {}", path.display()), error);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(taken(places, file)),
            Err(errno) => return Err(failed(errno.into())),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(DaemonLock { _file: file })
    }
}

fn taken(places: &Places, mut file: File) -> Failure {
    let mut owner = String::new();
    // The text is a courtesy; without it the refusal stands all the same.
    let _ = file.read_to_string(&mut owner);
    let owner = match owner.trim() {
        "" => String::new(),
        pid => format!(" (process {pid})"),
    };
    Failure::already_running(format!("another hearthd{owner} already serves {}", places.state.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_about_the_first() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        places.prepare_state().unwrap();
        let held = DaemonLock::take(&places).unwrap();
        let refused = DaemonLock::take(&places).unwrap_err();
        assert!(refused.message.contains(&format!("process {}", std::process::id())), "{}", refused.message);
        assert_eq!(refused.status, 3);
        drop(held);
        DaemonLock::take(&places).unwrap();
    }
}
