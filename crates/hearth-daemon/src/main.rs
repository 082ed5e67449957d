//! `hearthd`: the process around the service.
//!
//! Sockets, dispatch, lanes, signals, limits, log. No policy and no index: every operation is one
//! call of the service. The async runtime serves sockets, signals and timers on one thread; work
//! runs on owned threads, so that a long request never delays the reading of a short one.

mod args;
mod checkup;
mod connection;
mod dispatch;
mod exit;
mod lanes;
mod listen;
mod lock;
mod log;
mod memory;
mod operation;
mod outgoing;
mod progress;
mod run;
mod server;
mod session;
mod ticket;
mod transitions;
mod watches;

use std::process::ExitCode;

/// Heap of the whole process; see [`memory`] for its settings.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    match args::parse(arguments) {
        Ok(args::Asked::Run(mode)) => exit::report(run::run(mode)),
        Ok(args::Asked::Print(text)) => exit::print(&text),
        Err(error) => exit::report(Err(error)),
    }
}
