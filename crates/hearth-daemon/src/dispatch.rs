//! From a line to an answer given at once or a job in a lane.
//!
//! Runs on the connection's task, so nothing here may wait: parameters are parsed and checked, and
//! everything else is left to the job.

use crate::connection::Connection;
use crate::lanes::Lane;
use crate::operation;
use crate::server::Server;
use crate::ticket::{Job, Work};
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::envelope::{Request, error_line, result_line};
use hearth_protocol::{Code, Id, RpcError, method};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What a request comes to.
pub(crate) enum Plan {
    /// This reply line.
    Now(Vec<u8>),
    /// Work in a lane.
    Later(Later),
}

/// Work that is still to be done.
pub(crate) struct Later {
    /// Where.
    pub(crate) lane: Lane,
    /// How long it may take; `None` = as configured.
    pub(crate) timeout_ms: Option<u64>,
    /// What.
    pub(crate) work: Work,
}

/// What planning may look at.
pub(crate) struct Context<'a> {
    /// The daemon.
    pub(crate) server: &'a Arc<Server>,
    /// Who asks.
    pub(crate) connection: &'a Arc<Connection>,
    /// The request's id.
    pub(crate) id: &'a Id,
}

/// Begins the request on a line. Whatever is wrong with it is answered.
pub(crate) fn begin(server: &Arc<Server>, connection: &Arc<Connection>, line: &[u8]) {
    if line.trim_ascii().is_empty() {
        return;
    }
    server.requests.fetch_add(1, Ordering::Relaxed);
    match Request::parse(line) {
        Ok(request) => begin_request(server, connection, &request),
        Err(bad) => connection.outgoing.push(error_line(bad.id.as_ref(), &bad.error)),
    }
}

/// True if the line cancels another request.
pub(crate) fn is_cancel(line: &[u8]) -> bool {
    Request::parse(line).is_ok_and(|request| request.method == method::CANCEL)
}

/// Answers the request on a line with an error instead of beginning it.
pub(crate) fn turn_down(connection: &Arc<Connection>, line: &[u8], why: &RpcError) {
    if let Ok(Request { id: Some(id), .. }) = Request::parse(line) {
        connection.outgoing.push(error_line(Some(&id), why));
    }
}

fn begin_request(server: &Arc<Server>, connection: &Arc<Connection>, request: &Request<'_>) {
    let Some(id) = &request.id else { return notified(connection, request) };
    tracing::debug!(%id, method = &*request.method, "request");
    let context = Context { server, connection, id };
    let outcome = match plan(&context, request) {
        Ok(Plan::Now(line)) => {
            connection.outgoing.push(line);
            Ok(())
        }
        Ok(Plan::Later(later)) => submit(&context, later),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        connection.outgoing.push(error_line(Some(id), &error));
    }
}

/// A request without an id: only `cancel` makes sense as one.
fn notified(connection: &Arc<Connection>, request: &Request<'_>) {
    let outcome = match &*request.method {
        method::CANCEL => operation::cancel(connection, request).map(|_| ()),
        other => Err(RpcError::new(Code::InvalidRequest, format!("`{other}` needs an `id`"))),
    };
    if let Err(error) = outcome {
        connection.outgoing.push(error_line(None, &error));
    }
}

fn plan(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    match &*request.method {
        method::FIND => operation::find::plan(request),
        method::DU => operation::report::plan_du(request),
        method::STATS => operation::report::plan_stats(request),
        method::DUPES => operation::report::plan_dupes(context, request),
        method::HISTORY => operation::report::plan_history(request),
        method::SINCE => operation::changes::plan_since(request),
        method::ADD => operation::source::plan_add(context, request),
        method::FORGET => operation::source::plan_forget(context, request),
        method::LIST => operation::source::plan_list(request),
        method::REFRESH => operation::source::plan_refresh(request),
        method::PRELOAD => operation::operate::plan_preload(request),
        method::PIN => operation::operate::plan_pin(request),
        method::UNPIN => operation::operate::plan_unpin(request),
        method::HIBERNATE => operation::operate::plan_hibernate(request),
        method::ROTATE_KEY => operation::process::plan_rotate_key(request),
        method::NTFS_INFO => operation::ntfs::plan_info(request),
        method::NTFS_RECORD => operation::ntfs::plan_record(request),
        method::NTFS_JOURNAL => operation::ntfs::plan_journal(request),
        method::STATUS => operation::process::plan_status(request),
        method::DOCTOR => operation::process::plan_doctor(request),
        method::HELLO => operation::process::hello(context, request),
        method::CONFIG => operation::process::config(context, request),
        method::SHUTDOWN => operation::process::shutdown(context, request),
        method::CANCEL => now(context.id, &operation::cancel(context.connection, request)?),
        method::SUBSCRIBE => operation::changes::subscribe(context, request),
        method::UNSUBSCRIBE => operation::changes::unsubscribe(context, request),
        unknown => Err(no_such_method(unknown)),
    }
}

/// The plan of answering at once.
pub(crate) fn now<R: Serialize>(id: &Id, result: &R) -> Result<Plan, RpcError> {
    reply(id, result).map(Plan::Now)
}

/// The plan of answering from a lane.
pub(crate) fn later<F>(lane: Lane, timeout_ms: Option<u64>, work: F) -> Result<Plan, RpcError>
where
    F: FnOnce(&crate::ticket::Call) -> Result<Vec<u8>, RpcError> + Send + 'static,
{
    if let Some(asked) = timeout_ms.filter(|asked| !(1..=REQUEST_TIMEOUT_MAX_MS).contains(asked)) {
        let message = format!("`timeout_ms` is {asked}; possible are 1 to {REQUEST_TIMEOUT_MAX_MS}");
        return Err(RpcError::invalid_params(message));
    }
    Ok(Plan::Later(Later { lane, timeout_ms, work: Box::new(work) }))
}

/// The reply line of a result.
pub(crate) fn reply<R: Serialize>(id: &Id, result: &R) -> Result<Vec<u8>, RpcError> {
    result_line(id, result)
        .map_err(|error| RpcError::new(Code::Internal, format!("cannot render the answer: {error}")))
}

fn submit(context: &Context<'_>, later: Later) -> Result<(), RpcError> {
    let Context { server, connection, id } = context;
    let timeout = Duration::from_millis(later.timeout_ms.unwrap_or(server.config.limits.request_timeout_ms));
    let ticket = connection.begin(id, Instant::now() + timeout)?;
    server.lanes.submit(later.lane, Job::new(ticket, Arc::clone(server), later.lane, later.work));
    Ok(())
}

fn no_such_method(asked: &str) -> RpcError {
    let shown: String = asked.chars().take(64).collect();
    RpcError::new(Code::MethodNotFound, format!("there is no method `{shown}`"))
        .hint("`hello` lists the methods in its capabilities")
}
