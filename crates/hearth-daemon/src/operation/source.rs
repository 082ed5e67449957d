//! `add`, `forget`, `list`, `refresh`: which sources there are.
//!
//! All but `list` run in the slow lane: they touch file systems, which may hang.

use crate::dispatch::{Context, Plan, later, reply};
use crate::lanes::Lane;
use crate::server::Serving;
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::answer::{Added, Freed, List, Refreshed, Source};
use hearth_protocol::envelope::Request;
use hearth_protocol::params::{AddParams, ForgetParams, NoParams, SourceKind, SourcesParams};
use hearth_protocol::{Code, RpcError};
use hearth_service::api;

pub(crate) fn plan_add(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    refuse_if_borrowed(context)?;
    let params: AddParams = request.params()?;
    let root = params.path_bytes()?.ok_or_else(|| missing("path"))?;
    let timeout_ms = params.timeout_ms.or(params.wait.then_some(REQUEST_TIMEOUT_MAX_MS));
    later(Lane::Slow, timeout_ms, move |call| {
        let service = &call.server.service;
        let kind = params.kind.unwrap_or_else(|| kind_of(service.kind_of(&root)));
        let name = params.name.as_deref();
        let sources = match kind {
            SourceKind::Volume => vec![service.add(&root, name)?],
            SourceKind::Ntfs => service.add_disk(&root, name, &call.cancel)?,
        };
        for source in sources.iter().filter(|_| params.wait) {
            service.wait_complete(&source.name, &call.cancel)?;
        }
        reply(&call.id, &added(sources)?)
    })
}

fn kind_of(kind: api::SourceKind) -> SourceKind {
    match kind {
        api::SourceKind::Volume => SourceKind::Volume,
        api::SourceKind::Ntfs | api::SourceKind::NtfsDeleted => SourceKind::Ntfs,
    }
}

fn added(sources: Vec<api::SourceInfo>) -> Result<Added, RpcError> {
    let mut sources = sources.into_iter().map(Source::from);
    let nothing = || RpcError::new(Code::Internal, "no volume was added");
    Ok(Added { source: sources.next().ok_or_else(nothing)?, more: sources.collect() })
}

pub(crate) fn plan_forget(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    refuse_if_borrowed(context)?;
    let params: ForgetParams = request.params()?;
    let wanted = params.source_bytes()?.ok_or_else(|| missing("source"))?;
    later(Lane::Slow, None, move |call| {
        reply(&call.id, &Freed::from(call.server.service.forget(&wanted, params.force)?))
    })
}

pub(crate) fn plan_list(request: &Request<'_>) -> Result<Plan, RpcError> {
    request.params::<NoParams>()?;
    later(Lane::Fast, None, |call| {
        let sources = call.server.service.list().into_iter().map(Source::from).collect();
        reply(&call.id, &List { sources })
    })
}

pub(crate) fn plan_refresh(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: SourcesParams = request.params()?;
    let sources = params.to_request()?;
    later(Lane::Slow, params.timeout_ms, move |call| {
        let sources = call.server.service.refresh(&sources)?;
        let sources = sources.into_iter().map(|source| source.name).collect();
        reply(&call.id, &Refreshed { sources })
    })
}

/// A private daemon beside a running one must not change the list that the other one keeps.
fn refuse_if_borrowed(context: &Context<'_>) -> Result<(), RpcError> {
    if context.server.serving == (Serving::Private { beside: true }) {
        let message = "the list of sources belongs to the daemon that is running";
        return Err(
            RpcError::new(Code::PermissionDenied, message).hint("ask that daemon, without `--no-daemon`")
        );
    }
    Ok(())
}

fn missing(field: &str) -> RpcError {
    RpcError::invalid_params(format!("`{field}` is missing"))
}
