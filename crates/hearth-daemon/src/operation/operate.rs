//! `preload`, `pin`, `unpin`, `hibernate`: what is in memory.
//!
//! All run in the slow lane: the first two wait for loads, the last for memory to be freed, and the names of
//! sources are looked up beside whoever registers one on a file system that may hang.

use crate::dispatch::{Plan, later, reply};
use crate::lanes::Lane;
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::RpcError;
use hearth_protocol::answer::{Freed, Kept, List, Source};
use hearth_protocol::envelope::Request;
use hearth_protocol::params::{PreloadParams, SourcesParams};

pub(crate) fn plan_preload(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: PreloadParams = request.params()?;
    let (sources, pin) = params.to_request()?;
    later(Lane::Slow, waits(params.timeout_ms), move |call| {
        let kept = call.server.service.preload(&sources, pin, &call.cancel)?;
        reply(&call.id, &list::<_, Kept>(kept))
    })
}

pub(crate) fn plan_pin(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: SourcesParams = request.params()?;
    let sources = params.to_request()?;
    later(Lane::Slow, waits(params.timeout_ms), move |call| {
        let kept = call.server.service.pin(&sources, &call.cancel)?;
        reply(&call.id, &list::<_, Kept>(kept))
    })
}

pub(crate) fn plan_unpin(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: SourcesParams = request.params()?;
    let sources = params.to_request()?;
    later(Lane::Slow, params.timeout_ms, move |call| {
        reply(&call.id, &list::<_, Source>(call.server.service.unpin(&sources)?))
    })
}

pub(crate) fn plan_hibernate(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: SourcesParams = request.params()?;
    let sources = params.to_request()?;
    later(Lane::Slow, waits(params.timeout_ms), move |call| {
        reply(&call.id, &list::<_, Freed>(call.server.service.hibernate(&sources, &call.cancel)?))
    })
}

/// A request that waits for loads or saves may take as long as any.
fn waits(timeout_ms: Option<u64>) -> Option<u64> {
    timeout_ms.or(Some(REQUEST_TIMEOUT_MAX_MS))
}

fn list<T: Into<Row>, Row>(rows: Vec<T>) -> List<Row> {
    List { sources: rows.into_iter().map(Into::into).collect() }
}
