//! The operations of the protocol: parameters in, one call of the service, answer out.
//!
//! Parameters are checked while the line is read; the work itself goes to a lane, chosen by how long it
//! may take. What operations share is here: sending rows, sources that must exist, waiting for scans.

pub(crate) mod changes;
pub(crate) mod find;
pub(crate) mod ntfs;
pub(crate) mod operate;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod source;

use crate::connection::Connection;
use crate::lanes::Lane;
use crate::outgoing::NoRoom;
use crate::ticket::{Call, stopped};
use hearth_protocol::answer::CancelResult;
use hearth_protocol::envelope::Request;
use hearth_protocol::params::CancelParams;
use hearth_protocol::{Code, RpcError};
use hearth_service::ServiceError;
use std::sync::Arc;
use std::time::Duration;

/// How long a request of the fast lane waits for a client that does not read.
const FAST_PATIENCE: Duration = Duration::from_secs(1);

/// `cancel`.
pub(crate) fn cancel(connection: &Arc<Connection>, request: &Request<'_>) -> Result<CancelResult, RpcError> {
    let params: CancelParams = request.params()?;
    Ok(CancelResult { cancelled: connection.cancel(&params.id) })
}

impl Call {
    /// Sends a frame of rows; `partial` says whether rows went before it.
    fn send_rows(&self, frame: Vec<u8>, partial: bool) -> Result<(), RpcError> {
        let patience = (self.lane == Lane::Fast).then_some(FAST_PATIENCE);
        self.connection.outgoing.push_rows(frame, &self.cancel, patience).map_err(|why| match why {
            NoRoom::Closed => RpcError::new(Code::Cancelled, "the connection is closed"),
            NoRoom::Stopped(why) => stopped(why, partial),
            NoRoom::NotRead => RpcError::new(Code::Busy, "the client does not read what it asked for")
                .hint("read the replies, or ask for less at once")
                .with("retry_after_ms", 1000),
        })
    }

    /// Makes sure that there is something to ask, and waits for first scans if the request wants that.
    fn prepare_sources(&self, wait_complete: bool) -> Result<(), RpcError> {
        let service = &self.server.service;
        if service.list().is_empty() {
            service.ensure_default_source()?;
        }
        if wait_complete {
            for source in service.list() {
                self.wait_complete(&source.name)?;
            }
        }
        Ok(())
    }

    /// A source that failed, or was forgotten meanwhile, is left to the operation itself to report.
    fn wait_complete(&self, source: &str) -> Result<(), RpcError> {
        match self.server.service.wait_complete(source, &self.cancel) {
            Ok(()) | Err(ServiceError::BuildFailed { .. } | ServiceError::UnknownSource { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The lane of a request that may have to wait, for scans or for changes to be taken in.
fn lane_of(waits: bool, otherwise: Lane) -> Lane {
    if waits { Lane::Slow } else { otherwise }
}

/// The error of a request whose time is over says whether rows were sent.
fn mark_partial(error: RpcError, partial: bool) -> RpcError {
    if error.is(Code::TimedOut) { error.with("partial", partial) } else { error }
}
