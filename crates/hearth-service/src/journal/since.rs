//! `since`: what changed in a source after a clock.
//!
//! The source is read as any question reads it, which brings it into memory and waits for freshness if that is
//! asked for; then the journal is asked for what came between the clock and the generation that was read.

use super::position::Position;
use super::record::Record;
use crate::Service;
use crate::api::{SinceAnswer, SinceRequest};
use crate::asking::refuse_if_all_failed;
use crate::catalogue::Shard;
use crate::error::ServiceError;
use crate::paths::normalise;
use crate::selection::{Chosen, Scope};
use hearth_core::CancelToken;
use hearth_files::query::{Expr, Query};
use std::sync::Arc;
use std::time::Instant;

impl Service {
    /// What changed in a source after the clock of an earlier answer. The source is brought into memory if it is not,
    /// since nothing of it is followed elsewhere.
    ///
    /// # Errors
    /// [`ServiceError::ClockMoved`] if that is not known any more: what matters must be listed anew.
    /// [`ServiceError::BadRequest`] for a text that is no clock or a folder that is not absolute,
    /// [`ServiceError::UnknownSource`] if the source is not registered any more, and what keeps a source from being
    /// read, as in [`Service::find`].
    pub fn since(&self, request: &SinceRequest, cancel: &CancelToken) -> Result<SinceAnswer, ServiceError> {
        let began = Instant::now();
        let position = parse_clock(&request.clock)?;
        let folders = folders(&request.within)?;
        let shards = self.catalogue.listed();
        let shard = shards.iter().find(|shard| shard.id() == position.source);
        let shard = shard.ok_or_else(|| self.unknown(request.clock.as_bytes()))?;
        let chosen = Chosen { shard: Arc::clone(shard), scope: Scope::Whole };
        let mut parts =
            self.parts(&shards, vec![chosen], &Query { expr: Expr::And(Vec::new()) }, request.wait_fresh);
        let held = self.read(&parts[0], cancel)?;
        refuse_if_all_failed(&mut parts)?;
        let generation = held.as_ref().map_or(0, |held| held.generation);
        let limit = request.limit.unwrap_or(usize::MAX);
        let page = shard.source.journal.read(position, generation, &folders, limit);
        let page = page.map_err(|_| moved(shard, generation))?;
        Ok(SinceAnswer {
            changes: page.records.iter().map(Record::to_change).collect(),
            clock: page.next.to_string(),
            more: page.more,
            sources: self.describe(&parts),
            elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        })
    }
}

/// Reads a clock of a request.
pub(super) fn parse_clock(text: &str) -> Result<Position, ServiceError> {
    Position::parse(text).ok_or_else(|| ServiceError::BadRequest {
        field: "clock",
        message: format!("{text:?} is no clock of this service"),
        hint: "clocks are in `meta` of every answer, and in `status`".to_owned(),
    })
}

fn folders(within: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ServiceError> {
    let normal = |folder: &Vec<u8>| {
        normalise(folder).ok_or_else(|| ServiceError::BadRequest {
            field: "within",
            message: format!("{} is not an absolute path", String::from_utf8_lossy(folder)),
            hint: "give the whole path, beginning with /".to_owned(),
        })
    };
    within.iter().map(normal).collect()
}

fn moved(shard: &Shard, generation: u64) -> ServiceError {
    ServiceError::ClockMoved { source_name: shard.source.info.name.clone(), generation }
}
