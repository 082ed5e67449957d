//! A daemon and a source as `status` tells of them, for tests to change.
//!
//! Compiled for tests only. What a test is about it sets itself; everything else is plausible, healthy and
//! the same for all of them.

use hearth_protocol::answer::{Daemon, Feed, Shard};
use hearth_protocol::{RootField, V1};

/// A daemon with a budget of 512 MiB of which little is used.
pub(crate) fn daemon() -> Daemon {
    Daemon {
        v: V1,
        pid: 7,
        version: "0.1.0".into(),
        uptime_s: 3600,
        budget_bytes: 512 << 20,
        resident_bytes: 2 << 20,
        digest_bytes: 1 << 10,
        reserved_bytes: 0,
        retained_bytes: 0,
        held_bytes: 3 << 20,
        high_water_bytes: 4 << 20,
        pinned_bytes: 0,
        pressure: "none".into(),
        rss_bytes: Some(9 << 20),
        allocated_bytes: None,
        allocator_resident_bytes: None,
        queries_total: 1234,
        requests_total: 0,
        connections: 1,
        interactive_waiting: 0,
        bulk_waiting: 0,
    }
}

/// A source that is in memory and fresh.
pub(crate) fn shard() -> Shard {
    Shard {
        v: V1,
        id: 1,
        kind: "volume".into(),
        root: RootField(b"/".to_vec()),
        name: "root".into(),
        tier: "warm".into(),
        health: "fresh".into(),
        generation: 1,
        clock: String::new(),
        age_ms: 90_000,
        rows: 12_345,
        resident_bytes: 2 << 20,
        digest_bytes: 1 << 10,
        reserved_bytes: 0,
        retained_bytes: 0,
        high_water_bytes: 3 << 20,
        pinned: false,
        pin_expires_ns: None,
        scanning: None,
        last_scan: None,
        last_query_ns: None,
        queries_total: 3,
        query_rate_per_min: 1.25,
        promotions_total: 0,
        loads_total: 1,
        rebuilds_total: 0,
        last_good_ns: None,
        retry_count: 0,
        next_retry_ns: None,
        last_error: None,
        load_reason: None,
        load_text: None,
        snapshot_bytes: 0,
        snapshot_saved_ns: None,
        unsaved: false,
        last_save_error: None,
        feed: Feed { kind: "fanotify".into(), live: true, text: "live".into(), ..Feed::default() },
        disk: None,
    }
}
