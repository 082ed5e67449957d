//! `hearth daemon run|start|stop|restart|logs`.
//!
//! `run` turns this process into the daemon; the others reach it over its socket, whoever started it.
//! `stop` returns when the process has ended, not when it agreed to, so that what follows (`restart`,
//! an update) never meets the old one.

use crate::args::operate::{DaemonAction, DaemonArgs};
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use crate::logs;
use crate::reach::{connect, connect_if_running, places, refused};
use hearth_client::daemon_program;
use hearth_protocol::Code;
use hearth_protocol::RpcError;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// How long a daemon may take to end, seconds.
const STOP_SECONDS: i64 = 90;

/// Carries out one action.
pub(crate) fn run(args: &DaemonArgs, console: &mut Console) -> Outcome {
    match &args.action {
        DaemonAction::Run => be_the_daemon(),
        DaemonAction::Start => start(console),
        DaemonAction::Stop => match stop()? {
            Some(pid) => tell(console, &format!("stopped the daemon (pid {pid})")),
            None => {
                console.notes.say("no daemon runs");
                Ok(Done::Nothing)
            }
        },
        DaemonAction::Restart => {
            stop()?;
            start(console)
        }
        DaemonAction::Logs(args) => logs::show(&places()?.log(), args, console),
    }
}

/// Replaces this process: signals, exit code and memory are then the daemon's own.
fn be_the_daemon() -> Outcome {
    let program = daemon_program();
    let error = Command::new(&program).arg("--foreground").exec();
    let failure = Failure::io(&format!("cannot run {}", program.display()), &error);
    Err(failure.hint("install hearthd beside hearth or on the PATH, or name it in HEARTH_DAEMON").into())
}

fn start(console: &mut Console) -> Outcome {
    let hello = connect(console)?.hello("hearth").map_err(refused)?;
    tell(console, &format!("the daemon runs (pid {})", hello.pid))
}

/// Asks the daemon to end and waits until its process has; `None` if none runs.
fn stop() -> Result<Option<u32>, Stop> {
    let Some(mut client) = connect_if_running(&places()?)? else {
        return Ok(None);
    };
    let pid = client.hello("hearth").map_err(refused)?.pid;
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Taken before the request, so that the number cannot have passed to another process.
    let handle = process.and_then(|process| pidfd_open(process, PidfdFlags::empty()).ok());
    client.shutdown().map_err(refused)?;
    if let Some(handle) = handle {
        let limit = Timespec { tv_sec: STOP_SECONDS, tv_nsec: 0 };
        let ended = rustix::event::poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit));
        if matches!(ended, Ok(0)) {
            let error = RpcError::new(
                Code::TimedOut,
                format!("the daemon (pid {pid}) did not end within {STOP_SECONDS} s"),
            );
            return Err(Failure::from(error).hint("`hearth daemon logs` shows what it does").into());
        }
    }
    Ok(Some(pid))
}

fn tell(console: &mut Console, text: &str) -> Outcome {
    console.printer.line(text)?;
    Ok(Done::Found)
}
