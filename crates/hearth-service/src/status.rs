//! `status`: what is held, how good it is, and what is being done; what this machine offers to go by.
//!
//! All of a source's numbers are of one instant of the catalogue; the sums are those of the kernel's last
//! step. Times of the kernel are told by the wall clock as it goes now.

use crate::Service;
use crate::api::{Doctor, Pin, ShardStatus, SourceFailure, Status};
use crate::catalogue::Shard;
use crate::clock;
use crate::freshness;
use crate::pressure::{Gauge, RootFolder};
use crate::run::millis;
use hearth_core::UnixNanos;
use hearth_residency::Moment;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Service {
    /// The state of the service and of every source, at one instant.
    pub fn status(&self) -> Status {
        let shards = self.catalogue.load().iter().map(|shard| self.shard_status(shard)).collect();
        let totals = self.driver.totals();
        Status {
            uptime_s: self.began.elapsed().as_secs(),
            queries_total: self.queries.load(Ordering::Relaxed),
            budget_bytes: totals.budget_bytes,
            resident_bytes: totals.bodies_bytes + totals.digests_bytes,
            digest_bytes: totals.digests_bytes,
            reserved_bytes: totals.reserved_bytes,
            retained_bytes: totals.retained_bytes,
            held_bytes: totals.held_bytes,
            high_water_bytes: totals.high_water_bytes,
            pinned_bytes: totals.pinned_bytes,
            pressure: totals.pressure,
            shards,
        }
    }

    /// The state of everything, what can be read of the memory of this machine, and what failed.
    pub fn doctor(&self) -> Doctor {
        let signals = Gauge::new(Arc::new(RootFolder::new("/"))).describe();
        let shards = self.catalogue.load();
        let failures = shards.iter().filter_map(|shard| self.source_failure(shard)).collect();
        Doctor { status: self.status(), signals, failures, snapshots: self.snapshot_place() }
    }

    fn source_failure(&self, shard: &Shard) -> Option<SourceFailure> {
        shard.view.last_failure.as_ref()?;
        Some(SourceFailure {
            source: shard.source.info.name.clone(),
            error: self.failure_of(shard),
            next_retry_ns: shard.view.retry_at.map(|at| self.wall_clock(at)),
        })
    }

    /// The state of one source.
    pub(crate) fn shard_status(&self, shard: &Shard) -> ShardStatus {
        let partial = shard.partial.as_ref().map(|partial| partial.known());
        let known = shard.published.as_ref().map(|published| published.known()).or(partial).or(shard.known);
        let view = &shard.view;
        let (queries_total, last_query_ns) = shard.source.queries();
        ShardStatus {
            source: shard.source.info.clone(),
            tier: view.tier,
            health: view.health,
            generation: view.generation,
            clock: known.map_or_else(String::new, |known| shard.source.journal.clock(known.generation)),
            age_ms: known.map_or(0, |known| millis(freshness::age(&known, &shard.source.track.freshness()))),
            rows: known.map_or(0, |known| known.rows),
            resident_bytes: view.body_bytes + view.digest_bytes,
            digest_bytes: view.digest_bytes,
            reserved_bytes: view.reserved_bytes,
            retained_bytes: view.retained_bytes,
            high_water_bytes: view.high_water_bytes,
            pinned: view.pin != Pin::None,
            pin_expires_ns: self.pin_expires(view.pin),
            scanning: shard.source.run.load().as_ref().map(|run| run.progress()),
            last_scan: shard.last_scan.as_deref().cloned(),
            last_query_ns,
            queries_total,
            query_rate_per_min: view.rate_per_min,
            promotions_total: view.promotions_total,
            loads_total: view.loads_total,
            rebuilds_total: view.rebuilds_total,
            last_good_ns: shard.last_good_ns,
            retry_count: view.failures,
            next_retry_ns: view.retry_at.map(|at| self.wall_clock(at)),
            last_error: shard.last_error(),
            load_reason: shard.load_reason.as_deref().cloned(),
            snapshot: shard.snapshot,
            unsaved: view.unsaved,
            last_save_error: view.last_save_failure.clone(),
            feed: shard.source.track.describe(view.advances_total),
            disk: shard.source.disk.describe(),
        }
    }

    /// When a pin ends by itself.
    pub(crate) fn pin_expires(&self, pin: Pin) -> Option<UnixNanos> {
        match pin {
            Pin::Until(until) => Some(self.wall_clock(until)),
            Pin::None | Pin::Forever => None,
        }
    }

    /// A time of the kernel by the wall clock as it goes now.
    fn wall_clock(&self, moment: Moment) -> UnixNanos {
        let left = self.driver.instant(moment).saturating_duration_since(Instant::now());
        clock::now_ns().saturating_add(UnixNanos::try_from(left.as_nanos()).unwrap_or(UnixNanos::MAX))
    }
}
