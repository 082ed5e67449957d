//! `du`, `stats`, `dupes`, `history`: answers that are complete before their first row is sent.
//!
//! The service returns them whole, within the limits of a report; they leave in frames like the rows of
//! `find`, so that no message grows with the answer. Progress is sent only to a client that keeps reading.

use super::lane_of;
use crate::dispatch::{Context, Plan, later, reply};
use crate::lanes::Lane;
use crate::ticket::Call;
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::answer::RequestProgress;
use hearth_protocol::convert::{Report, du_report, dupes_report, history_report, stats_report};
use hearth_protocol::envelope::{Request, notification_line};
use hearth_protocol::limits::INTERACTIVE_ROWS;
use hearth_protocol::params::{DuParams, DupesParams, HistoryParams, StatsParams};
use hearth_protocol::render::Frames;
use hearth_protocol::{Code, RpcError, method};
use hearth_service::api::Progress;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Shortest time between two progress notifications of one request.
const PROGRESS_PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn plan_du(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: DuParams = request.params()?;
    let request = params.to_request()?;
    let waits = params.wait_complete || params.wait_fresh_ms.is_some();
    let lane = lane_of(waits, by_rows(params.limit));
    later(lane, timeout(params.timeout_ms, params.wait_complete), move |call| {
        call.prepare_sources(params.wait_complete)?;
        send(call, du_report(call.server.service.du(&request, &call.cancel)?))
    })
}

pub(crate) fn plan_stats(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: StatsParams = request.params()?;
    let request = params.to_request()?;
    let waits = params.wait_complete || params.wait_fresh_ms.is_some();
    let lane = lane_of(waits, by_rows(params.limit));
    later(lane, timeout(params.timeout_ms, params.wait_complete), move |call| {
        call.prepare_sources(params.wait_complete)?;
        send(call, stats_report(call.server.service.stats(&request, &call.cancel)?))
    })
}

pub(crate) fn plan_dupes(context: &Context<'_>, request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: DupesParams = request.params()?;
    let request = params.to_request(context.server.config.dupes.read_budget)?;
    let waits = params.wait_complete || params.wait_fresh_ms.is_some();
    let lane = lane_of(waits, Lane::Bulk);
    later(lane, timeout(params.timeout_ms, params.wait_complete), move |call| {
        call.prepare_sources(params.wait_complete)?;
        let mut last = Instant::now();
        let mut progress = |progress: Progress| {
            if params.progress && last.elapsed() >= PROGRESS_PAUSE {
                last = Instant::now();
                notify(call, progress);
            }
        };
        let answer = call.server.service.dupes(&request, &call.cancel, &mut progress)?;
        send(call, dupes_report(answer))
    })
}

pub(crate) fn plan_history(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: HistoryParams = request.params()?;
    let request = params.to_request()?;
    later(by_rows(params.limit), params.timeout_ms, move |call| {
        send(call, history_report(call.server.service.history(&request, &call.cancel)?))
    })
}

pub(super) fn by_rows(limit: u64) -> Lane {
    if limit <= INTERACTIVE_ROWS { Lane::Fast } else { Lane::Bulk }
}

fn timeout(asked: Option<u64>, wait_complete: bool) -> Option<u64> {
    asked.or(wait_complete.then_some(REQUEST_TIMEOUT_MAX_MS))
}

/// A client that does not read is not sent more progress.
fn notify(call: &Call, progress: Progress) {
    if call.connection.outgoing.queued() > 0 {
        return;
    }
    let unit = progress.unit.to_owned();
    let progress = RequestProgress { id: call.id.clone(), done: progress.done, total: progress.total, unit };
    match notification_line(method::REQUEST_PROGRESS, &progress) {
        Ok(line) => call.connection.outgoing.push(line),
        Err(error) => tracing::error!("progress cannot be rendered: {error}"),
    }
}

pub(super) fn send<R: Serialize>(call: &Call, (rows, summary): Report<R>) -> Result<Vec<u8>, RpcError> {
    let mut frames = Frames::new(&call.id, false);
    let mut sent = false;
    for row in &rows {
        serde_json::to_writer(frames.row(), row)
            .map_err(|error| RpcError::new(Code::Internal, error.to_string()))?;
        if frames.is_full() {
            send_frame(call, &mut frames, &mut sent)?;
        }
    }
    send_frame(call, &mut frames, &mut sent)?;
    reply(&call.id, &summary)
}

fn send_frame(call: &Call, frames: &mut Frames, sent: &mut bool) -> Result<(), RpcError> {
    if let Some(frame) = frames.take() {
        call.send_rows(frame, *sent)?;
        *sent = true;
    }
    Ok(())
}
