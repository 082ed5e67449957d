//! The way to the daemon: connect, start it if need be, ask, stream the answer.
//!
//! Synchronous and small, because it is linked into a command that starts and ends within
//! milliseconds: no async runtime, no threads, no index code. One connect, one write and reads; no
//! handshake precedes the first request. It never prints: what a user should read comes back as an
//! error or through the notice callback.

mod call;
mod connect;
mod error;
mod reader;
mod start;

pub use call::{Client, Event, FindHandler};
pub use connect::Options;
pub use error::{CallError, ConnectError};
pub use hearth_protocol as protocol;
pub use hearth_protocol::{Entry, Places, RpcError};
pub use start::daemon_program;
