//! `hello`, `status`, `doctor`, `config`, `rotate_key`, `shutdown`: the daemon itself.
//!
//! Most are answered while their line is read; those that ask the service or the system go through lanes.
//! The limits that `hello` names are the ones that are enforced.

use crate::checkup;
use crate::dispatch::{Context, Plan, later, now, reply};
use crate::lanes::Lane;
use crate::memory;
use crate::server::Server;
use hearth_core::limits;
use hearth_protocol::answer::{
    Capabilities, Checks, Config, Daemon, Hello, KeyRotation, Limits, Setting, Status, Stopping,
};
use hearth_protocol::convert::pressure;
use hearth_protocol::envelope::Request;
use hearth_protocol::limits::INTERACTIVE_ROWS;
use hearth_protocol::params::{HelloParams, NoParams};
use hearth_protocol::{Code, PROTOCOL, RpcError, V1, method};
use hearth_service::api;
use std::sync::atomic::Ordering;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn hello(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: HelloParams = request.params()?;
    if params.protocol != PROTOCOL {
        let message = format!("this daemon speaks protocol {PROTOCOL}, the client {}", params.protocol);
        return Err(RpcError::new(Code::ProtocolMismatch, message)
            .hint("use client and daemon of the same release; `hearth daemon restart` starts the new one")
            .with("ours", PROTOCOL)
            .with("theirs", params.protocol));
    }
    let hello = Hello {
        protocol: PROTOCOL,
        version: VERSION.to_owned(),
        pid: std::process::id(),
        limits: limits(context.server),
        capabilities: capabilities(),
    };
    now(context.id, &hello)
}

fn limits(server: &Server) -> Limits {
    Limits {
        message_bytes: limits::MESSAGE_BYTES as u64,
        connections: server.config.limits.connections as u64,
        requests_per_connection: limits::REQUESTS_PER_CONNECTION as u64,
        timeout_ms: server.config.limits.request_timeout_ms,
        timeout_max_ms: limits::REQUEST_TIMEOUT_MAX_MS,
        interactive_rows: INTERACTIVE_ROWS,
        query_bytes: limits::QUERY_BYTES as u64,
    }
}

fn capabilities() -> Capabilities {
    let texts = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Capabilities {
        methods: texts(&method::ALL),
        encodings: texts(&["json", "jsonl", "lines", "nul"]),
        topics: texts(&["progress", "transitions", "watch"]),
    }
}

pub(crate) fn plan_status(request: &Request<'_>) -> Result<Plan, RpcError> {
    request.params::<NoParams>()?;
    later(Lane::Fast, None, |call| {
        let status = call.server.service.status();
        let daemon = daemon(&call.server, &status);
        let shards = status.shards.into_iter().map(Into::into).collect();
        reply(&call.id, &Status { daemon, shards })
    })
}

/// Looks at folders, and must answer while the fast lane does not: a thread of its own.
pub(crate) fn plan_doctor(request: &Request<'_>) -> Result<Plan, RpcError> {
    request.params::<NoParams>()?;
    later(Lane::Slow, None, |call| reply(&call.id, &Checks { checks: checkup::checks(&call.server) }))
}

/// Writes files, on a disk that may hang: a thread of its own.
pub(crate) fn plan_rotate_key(request: &Request<'_>) -> Result<Plan, RpcError> {
    request.params::<NoParams>()?;
    later(Lane::Slow, None, |call| reply(&call.id, &KeyRotation::from(call.server.service.rotate_key()?)))
}

fn daemon(server: &Server, status: &api::Status) -> Daemon {
    let memory = memory::measure();
    let (interactive_waiting, bulk_waiting) = server.lanes.waiting();
    Daemon {
        v: V1,
        pid: std::process::id(),
        version: VERSION.to_owned(),
        uptime_s: server.began.elapsed().as_secs(),
        budget_bytes: status.budget_bytes,
        resident_bytes: status.resident_bytes,
        digest_bytes: status.digest_bytes,
        reserved_bytes: status.reserved_bytes,
        retained_bytes: status.retained_bytes,
        held_bytes: status.held_bytes,
        high_water_bytes: status.high_water_bytes,
        pinned_bytes: status.pinned_bytes,
        pressure: pressure(status.pressure).to_owned(),
        rss_bytes: memory.rss,
        allocated_bytes: memory.allocated,
        allocator_resident_bytes: memory.allocator_resident,
        queries_total: status.queries_total,
        requests_total: server.requests.load(Ordering::Relaxed),
        connections: server.connections.load(Ordering::Relaxed) as u64,
        interactive_waiting: interactive_waiting as u64,
        bulk_waiting: bulk_waiting as u64,
    }
}

pub(crate) fn config(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    request.params::<NoParams>()?;
    let server = context.server;
    let settings = server.config.effective().into_iter().map(|setting| Setting {
        key: setting.key.to_owned(),
        value: setting.value,
        origin: setting.origin.to_string(),
        help: setting.help.to_owned(),
    });
    let file = server.places.config.to_string_lossy().into_owned();
    now(context.id, &Config { file, settings: settings.collect() })
}

pub(crate) fn shutdown(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    request.params::<NoParams>()?;
    tracing::info!("asked to stop");
    context.server.stop.request();
    now(context.id, &Stopping { stopping: true, pid: std::process::id() })
}
