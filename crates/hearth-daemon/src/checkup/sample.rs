//! A source as the service tells of it, for tests to change.
//!
//! Compiled for tests only. What a test is about it sets itself; everything else is in order and the same for
//! all of them.

use hearth_service::api::{FeedStatus, Health, ScanOutcome, ShardStatus, SourceInfo, SourceKind, Tier};

/// A source that is in memory and was read without trouble.
pub(super) fn shard() -> ShardStatus {
    ShardStatus {
        source: SourceInfo { id: 1, name: "a".into(), kind: SourceKind::Volume, root: b"/a".to_vec() },
        tier: Tier::Warm,
        health: Health::Fresh,
        generation: 1,
        clock: String::new(),
        age_ms: 0,
        rows: 0,
        resident_bytes: 0,
        digest_bytes: 0,
        reserved_bytes: 0,
        retained_bytes: 0,
        high_water_bytes: 0,
        pinned: false,
        pin_expires_ns: None,
        scanning: None,
        last_scan: Some(scan()),
        last_query_ns: None,
        queries_total: 0,
        query_rate_per_min: 0.0,
        promotions_total: 0,
        loads_total: 0,
        rebuilds_total: 0,
        last_good_ns: None,
        retry_count: 0,
        next_retry_ns: None,
        last_error: None,
        load_reason: None,
        snapshot: None,
        unsaved: false,
        last_save_error: None,
        feed: feed(),
        disk: None,
    }
}

/// A feed that tells everything.
fn feed() -> FeedStatus {
    FeedStatus {
        kind: "fanotify",
        live: true,
        text: "live".into(),
        overflows_total: 0,
        advances_total: 0,
        looks_total: 0,
        last_compare: None,
    }
}

/// A scan in which nothing was closed.
pub(super) fn scan() -> ScanOutcome {
    ScanOutcome {
        entries: 1,
        scan_ms: 1,
        build_ms: 1,
        denied: 0,
        vanished: 0,
        failed: 0,
        samples: Vec::new(),
        skipped: Vec::new(),
    }
}
