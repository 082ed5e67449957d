//! `status`, and what operators and subscribers are told of shards, from the service's types.
//!
//! States and reasons become the words that the contract fixes for them.

use crate::answer;
use crate::bytes::{KeyFileField, RootField, V1};
use hearth_service::api;
use std::os::unix::ffi::OsStringExt;

impl From<api::ShardStatus> for answer::Shard {
    fn from(shard: api::ShardStatus) -> Self {
        let (load_reason, load_text) = load_words(shard.load_reason);
        answer::Shard {
            v: V1,
            id: shard.source.id,
            kind: shard.source.kind.as_str().to_owned(),
            root: RootField(shard.source.root),
            name: shard.source.name,
            tier: shard.tier.as_str().to_owned(),
            health: shard.health.as_str().to_owned(),
            generation: shard.generation,
            clock: shard.clock,
            age_ms: shard.age_ms,
            rows: shard.rows,
            resident_bytes: shard.resident_bytes,
            digest_bytes: shard.digest_bytes,
            reserved_bytes: shard.reserved_bytes,
            retained_bytes: shard.retained_bytes,
            high_water_bytes: shard.high_water_bytes,
            pinned: shard.pinned,
            pin_expires_ns: shard.pin_expires_ns,
            scanning: shard.scanning.map(scanning),
            last_scan: shard.last_scan.map(last_scan),
            last_query_ns: shard.last_query_ns,
            queries_total: shard.queries_total,
            query_rate_per_min: (shard.query_rate_per_min * 100.0).round() / 100.0,
            promotions_total: shard.promotions_total,
            loads_total: shard.loads_total,
            rebuilds_total: shard.rebuilds_total,
            last_good_ns: shard.last_good_ns,
            retry_count: shard.retry_count,
            next_retry_ns: shard.next_retry_ns,
            last_error: shard.last_error,
            load_reason,
            load_text,
            snapshot_bytes: shard.snapshot.map_or(0, |snapshot| snapshot.bytes),
            snapshot_saved_ns: shard.snapshot.map(|snapshot| snapshot.saved_ns),
            unsaved: shard.unsaved,
            last_save_error: shard.last_save_error,
            feed: feed(shard.feed),
            disk: shard.disk.map(disk),
        }
    }
}

/// The word and the sentence of what came of looking for a snapshot.
fn load_words(reason: Option<api::LoadReason>) -> (Option<String>, Option<String>) {
    let word = reason.as_ref().map(|reason| reason.word.to_owned());
    (word, reason.map(|reason| reason.text).filter(|text| !text.is_empty()))
}

fn feed(feed: api::FeedStatus) -> answer::Feed {
    answer::Feed {
        kind: feed.kind.to_owned(),
        live: feed.live,
        text: feed.text,
        overflows_total: feed.overflows_total,
        advances_total: feed.advances_total,
        looks_total: feed.looks_total,
        last_compare: feed.last_compare.map(|compare| answer::Compared {
            at_ns: compare.at_ns,
            took_ms: compare.took_ms,
            looked: compare.looked,
            changed: compare.changed,
        }),
    }
}

fn disk(disk: api::DiskStatus) -> answer::DiskUpdate {
    let (reason, reason_text) = load_words(disk.reason);
    answer::DiskUpdate {
        how: disk.how.to_owned(),
        reason,
        reason_text,
        at_ns: disk.at_ns,
        records: disk.records,
        files: disk.files,
        changed: disk.changed,
        took_ms: disk.took_ms,
    }
}

fn scanning(scan: api::ScanProgress) -> answer::Scanning {
    answer::Scanning { entries: scan.entries, elapsed_ms: scan.elapsed_ms }
}

fn last_scan(scan: api::ScanOutcome) -> answer::LastScan {
    answer::LastScan {
        entries: scan.entries,
        scan_ms: scan.scan_ms,
        build_ms: scan.build_ms,
        denied: scan.denied,
        vanished: scan.vanished,
        failed: scan.failed,
        samples: scan.samples,
        skipped: scan.skipped,
    }
}

/// The word for how short of memory the machine is.
pub fn pressure(pressure: api::Pressure) -> &'static str {
    match pressure {
        api::Pressure::None => "none",
        api::Pressure::Some => "some",
        api::Pressure::Critical => "critical",
    }
}

impl From<api::Kept> for answer::Kept {
    fn from(kept: api::Kept) -> Self {
        answer::Kept {
            source: kept.source.into(),
            resident_bytes: kept.resident_bytes,
            pinned: kept.pinned,
            pin_expires_ns: kept.pin_expires_ns,
        }
    }
}

impl From<api::Freed> for answer::Freed {
    fn from(freed: api::Freed) -> Self {
        let (freed_bytes, snapshot_bytes) = (freed.freed_bytes, freed.snapshot_bytes);
        answer::Freed { source: freed.source.into(), freed_bytes, snapshot_bytes }
    }
}

impl From<api::KeyRotation> for answer::KeyRotation {
    fn from(rotation: api::KeyRotation) -> Self {
        let left_out = rotation.left_out.into_iter();
        answer::KeyRotation {
            v: V1,
            key_file: KeyFileField(rotation.key_file.into_os_string().into_vec()),
            resealed: rotation.resealed,
            left_out: left_out.map(|(source, why)| answer::LeftOut { source, why }).collect(),
        }
    }
}

impl From<api::TransitionEvent> for answer::Transition {
    fn from(event: api::TransitionEvent) -> Self {
        let axis = match event.axis {
            api::Axis::Tier => "tier",
            api::Axis::Health => "health",
        };
        answer::Transition {
            sequence: event.sequence,
            at_ns: event.at_ns,
            id: event.id,
            source: event.source,
            axis: axis.to_owned(),
            from: event.from.to_owned(),
            to: event.to.to_owned(),
            reason: event.reason.as_str().to_owned(),
            bytes: event.bytes,
            generation: event.generation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_move_is_told_in_words() {
        let event = api::TransitionEvent {
            sequence: 9,
            at_ns: 1,
            id: 2,
            source: "a".into(),
            axis: api::Axis::Health,
            from: "loading",
            to: "fresh",
            reason: api::Reason::Publish,
            bytes: 10,
            generation: 3,
        };
        let expect = json!({
            "sequence": 9, "at_ns": 1, "id": 2, "source": "a", "axis": "health", "from": "loading",
            "to": "fresh", "reason": "publish", "bytes": 10, "generation": 3,
        });
        assert_eq!(json!(answer::Transition::from(event)), expect);
    }

    #[test]
    fn a_load_has_a_word_and_a_sentence_only_where_it_says_something() {
        let reason = |word, text: &str| Some(api::LoadReason { word, text: text.into(), unexpected: false });
        assert_eq!(load_words(None), (None, None));
        assert_eq!(load_words(reason("loaded", "")), (Some("loaded".into()), None));
        let missing = load_words(reason("missing", "there is none"));
        assert_eq!(missing, (Some("missing".into()), Some("there is none".into())));
    }

    #[test]
    fn a_rotation_keeps_the_bytes_of_its_path() {
        use std::ffi::OsString;
        let rotation = api::KeyRotation {
            key_file: OsString::from_vec(b"/k\xff".to_vec()).into(),
            resealed: vec!["a".into()],
            left_out: vec![("b".into(), "no disk".into())],
        };
        let expect = json!({
            "type": "key_rotation", "v": 1, "key_file_b64": "L2v/", "resealed": ["a"],
            "left_out": [{"source": "b", "why": "no disk"}],
        });
        assert_eq!(json!(answer::KeyRotation::from(rotation)), expect);
    }

    #[test]
    fn every_pressure_has_a_word_of_its_own() {
        let words = [api::Pressure::None, api::Pressure::Some, api::Pressure::Critical].map(pressure);
        assert_eq!(words, ["none", "some", "critical"]);
    }
}
