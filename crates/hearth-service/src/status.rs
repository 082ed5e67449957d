//! `status`: what is held, how good it is, and what is being done.

use crate::Service;
use crate::api::{ShardStatus, Status};
use crate::catalogue::{Published, Shard};
use crate::run::millis;
use std::sync::atomic::Ordering;

impl Service {
    /// The state of the service and of every source, at one instant.
    pub fn status(&self) -> Status {
        let shards: Vec<ShardStatus> =
            self.lifecycle.catalogue.load().iter().map(|shard| shard_status(shard)).collect();
        Status {
            uptime_s: self.began.elapsed().as_secs(),
            queries_total: self.queries.load(Ordering::Relaxed),
            budget_bytes: 0,
            digest_bytes: 0,
            reserved_bytes: 0,
            retained_bytes: 0,
            held_bytes: 0,
            high_water_bytes: 0,
            pinned_bytes: 0,
            pressure: crate::api::Pressure::None,
            resident_bytes: shards.iter().map(|shard| shard.resident_bytes).sum(),
            shards,
        }
    }
}

fn shard_status(shard: &Shard) -> ShardStatus {
    let published = shard.published.as_deref();
    let (queries_total, last_query_ns) = shard.source.queries();
    ShardStatus {
        source: shard.source.info.clone(),
        health: shard.health,
        tier: crate::api::Tier::Warm,
        digest_bytes: 0,
        reserved_bytes: 0,
        retained_bytes: 0,
        high_water_bytes: 0,
        pinned: false,
        pin_expires_ns: None,
        query_rate_per_min: 0.0,
        promotions_total: 0,
        loads_total: 0,
        retry_count: 0,
        next_retry_ns: None,
        generation: shard.generation(),
        clock: published.map_or_else(String::new, Published::clock),
        age_ms: published.map_or(0, |published| millis(published.began.elapsed())),
        rows: published.map_or(0, |published| published.body.entries()),
        resident_bytes: published.map_or(0, |published| published.resident_bytes),
        scanning: shard.source.run.load().as_ref().map(|run| run.progress()),
        last_scan: shard.last_scan.as_deref().cloned(),
        last_query_ns,
        queries_total,
        rebuilds_total: shard.rebuilds_total,
        last_good_ns: shard.last_good_ns,
        last_error: shard.last_error.as_deref().map(str::to_owned),
    }
}
