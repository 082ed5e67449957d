//! `since`, `subscribe`, `unsubscribe`: what happened, and what happens.
//!
//! A subscription is made while its line is read. A standing query needs the service first, so it begins in a lane;
//! what it tells may be sent before the reply that says so.

use super::report::{by_rows, send};
use crate::dispatch::{Context, Plan, later, now, reply};
use crate::lanes::Lane;
use crate::ticket::Call;
use hearth_protocol::RpcError;
use hearth_protocol::answer::{SourceClock, Subscribed};
use hearth_protocol::convert::since_report;
use hearth_protocol::envelope::Request;
use hearth_protocol::params::{SinceParams, SubscribeParams, Topic, UnsubscribeParams};
use hearth_service::api::WatchRequest;
use std::sync::Arc;

pub(crate) fn plan_since(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: SinceParams = request.params()?;
    let request = params.to_request()?;
    let lane = by_rows(params.limit.unwrap_or(u64::MAX));
    later(lane, params.timeout_ms, move |call| {
        send(call, since_report(call.server.service.since(&request, &call.cancel)?))
    })
}

pub(crate) fn subscribe(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: SubscribeParams = request.params()?;
    let watch = params.topics.contains(&Topic::Watch);
    if !watch && (SubscribeParams { topics: params.topics.clone(), ..Default::default() }) != params {
        return Err(RpcError::invalid_params("a query is for the topic `watch`"));
    }
    let wanted = params.to_request()?;
    for &topic in &params.topics {
        context.connection.subscribe(&context.server.service, topic, true);
    }
    if watch {
        return later(Lane::Fast, None, move |call| begin_watch(call, &wanted));
    }
    now(context.id, &Subscribed { topics: context.connection.topics(), ..Subscribed::default() })
}

fn begin_watch(call: &Call, wanted: &WatchRequest) -> Result<Vec<u8>, RpcError> {
    call.prepare_sources(false)?;
    let place = call.connection.watches.reserve()?;
    let connection = Arc::downgrade(&call.connection);
    let bell = move || {
        if let Some(connection) = connection.upgrade() {
            connection.outgoing.wake();
        }
    };
    let watching = call.server.service.watch(wanted, bell)?;
    let clocks = watching.clocks().iter();
    let clocks = clocks.map(|(source, clock)| SourceClock { source: source.clone(), clock: clock.clone() });
    let clocks = clocks.collect();
    let watch = Some(call.connection.watches.begin(place, watching));
    reply(&call.id, &Subscribed { topics: call.connection.topics(), watch, clocks })
}

pub(crate) fn unsubscribe(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: UnsubscribeParams = request.params()?;
    for &topic in &params.topics {
        context.connection.subscribe(&context.server.service, topic, false);
        if topic == Topic::Watch {
            context.connection.watches.end(params.watch);
        }
    }
    now(context.id, &Subscribed { topics: context.connection.topics(), ..Subscribed::default() })
}
