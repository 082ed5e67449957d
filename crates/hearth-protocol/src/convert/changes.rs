//! Changes and standing queries, between the wire and the service.
//!
//! The service groups events that belong together under one clock; on the wire the last of them carries it, so
//! that who goes on from a clock has seen all that it stands for.

use super::{Report, metas, within};
use crate::answer;
use crate::bytes::{FromField, PathField, V1};
use crate::error::RpcError;
use crate::limits::SOURCES;
use crate::params::{SinceParams, SubscribeParams};
use hearth_service::api;
use std::time::Duration;

impl SinceParams {
    /// The typed request.
    pub fn to_request(&self) -> Result<api::SinceRequest, RpcError> {
        Ok(api::SinceRequest {
            clock: self.clock.clone(),
            within: within(self.within_bytes())?,
            limit: self.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            wait_fresh: self.wait_fresh_ms.map(Duration::from_millis),
        })
    }
}

impl SubscribeParams {
    /// The typed request of a standing query.
    pub fn to_request(&self) -> Result<api::WatchRequest, RpcError> {
        super::at_most("the number of clocks in `since`", self.since.len() as u64, SOURCES as u64)?;
        Ok(api::WatchRequest {
            query: self.query_bytes()?.unwrap_or_default(),
            cwd: self.cwd_bytes()?,
            within: within(self.within_bytes())?,
            since: self.since.clone(),
        })
    }
}

/// Rows and summary of a `since`.
pub fn since_report(since: api::SinceAnswer) -> Report<answer::Change> {
    let rows: Vec<_> = since.changes.into_iter().map(Into::into).collect();
    let summary = answer::Summary {
        shown: rows.len() as u64,
        elapsed_us: since.elapsed_us,
        meta: metas(since.sources),
        clock: Some(since.clock),
        more: since.more,
        ..Default::default()
    };
    (rows, summary)
}

impl From<api::Change> for answer::Change {
    fn from(change: api::Change) -> Self {
        let what = change.what.as_str().to_owned();
        let from = match change.what {
            api::ChangeKind::Renamed { from } => Some(FromField(from)),
            api::ChangeKind::Created | api::ChangeKind::Removed | api::ChangeKind::Modified => None,
        };
        answer::Change {
            v: V1,
            what,
            kind: change.kind.as_str().to_owned(),
            path: PathField(change.path),
            from,
            generation: change.generation,
            at_ns: change.at_ns,
        }
    }
}

/// The events of a batch; the last one has the clock.
pub fn watch_events(batch: api::WatchBatch) -> Vec<answer::WatchEvent> {
    let api::WatchBatch { source, clock, events } = batch;
    let mut events: Vec<_> = events.into_iter().map(|event| watch_event(event, &source)).collect();
    if let Some(last) = events.last_mut() {
        last.clock = Some(clock);
    }
    events
}

fn watch_event(event: api::WatchEvent, source: &str) -> answer::WatchEvent {
    let blank = |what: &str| answer::WatchEvent {
        v: V1,
        what: what.to_owned(),
        source: source.to_owned(),
        path: None,
        from: None,
        kind: None,
        size: None,
        modified_ns: None,
        why: None,
        clock: None,
    };
    let about = |what: &str, entry: api::WatchedEntry| answer::WatchEvent {
        path: Some(PathField(entry.path)),
        kind: Some(entry.kind.as_str().to_owned()),
        size: Some(entry.size),
        modified_ns: (entry.modified_ns != hearth_core::NO_TIME).then_some(entry.modified_ns),
        ..blank(what)
    };
    match event {
        api::WatchEvent::Appeared(entry) => about("appeared", entry),
        api::WatchEvent::Changed(entry) => about("changed", entry),
        api::WatchEvent::Renamed { from, entry } => {
            answer::WatchEvent { from: Some(FromField(from)), ..about("renamed", entry) }
        }
        api::WatchEvent::Vanished { path, kind } => answer::WatchEvent {
            path: Some(PathField(path)),
            kind: Some(kind.as_str().to_owned()),
            ..blank("vanished")
        },
        api::WatchEvent::Resync { why } => answer::WatchEvent { why: Some(why), ..blank("resync") },
    }
}
