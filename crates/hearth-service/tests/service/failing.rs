//! Sources that cannot be read any more: what still answers, for how long, and what is said then.

use crate::fixture::{Fixture, ask, patience};
use hearth_service::api::{FindRequest, Health, Tier};
use hearth_service::{Config, ServiceError};
use std::fs;
use std::time::Duration;

/// A service with a source `t` that was scanned and whose folder is gone since.
fn gone(max_age: Duration) -> Fixture {
    let mut config = Config::default();
    config.stale.max_age = Some(max_age);
    let fixture = Fixture::with(config);
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    fs::rename(fixture.path("t"), fixture.path("elsewhere")).unwrap();
    fixture.service.refresh(&[b"t".to_vec()]).unwrap();
    let failed = fixture.service.wait_complete("t", &patience()).unwrap_err();
    assert!(matches!(&failed, ServiceError::BuildFailed { reason, .. } if reason.contains("No such file")));
    fixture
}

#[test]
fn a_failed_renewal_is_told_and_the_last_good_body_answers() {
    let fixture = gone(Duration::from_secs(3600));
    let (rows, summary) = fixture.run(&ask("type:file")).unwrap();
    assert_eq!(rows, ["t/a"]);
    let meta = &summary.sources[0];
    assert!(meta.stale && meta.complete && meta.why.contains("No such file"), "{meta:?}");
    let shard = &fixture.service.status().shards[0];
    assert_eq!((shard.tier, shard.health, shard.retry_count), (Tier::Warm, Health::Failed, 1));
    assert!(shard.last_error.as_ref().unwrap().contains("No such file") && shard.next_retry_ns.is_some());
}

#[test]
fn a_body_past_its_age_is_refused_until_a_newer_one_is_made() {
    let fixture = gone(Duration::from_millis(1));
    let within = vec![fixture.bytes("t")];
    let refused = fixture.run(&FindRequest { within, ..ask("type:file") }).unwrap_err();
    let ServiceError::StaleExpired { last_good_ns, last_error, .. } = &refused else { panic!("{refused}") };
    assert!(last_good_ns.is_some() && last_error.as_ref().unwrap().contains("No such file"));

    fixture.tree("u", &[("b", "")]);
    fixture.add("u");
    let (rows, summary) = fixture.run(&ask("type:file")).unwrap();
    assert_eq!(rows, ["u/b"], "the others answer");
    let meta = summary.sources.iter().find(|meta| meta.source == "t").unwrap();
    assert!(!meta.complete && meta.stale && meta.why.contains("more than the"), "{meta:?}");

    fs::rename(fixture.path("elsewhere"), fixture.path("t")).unwrap();
    fixture.refresh("t");
    assert_eq!(fixture.find("type:file"), ["t/a", "u/b"]);
    let shard = &fixture.service.status().shards[0];
    assert_eq!((shard.health, shard.retry_count, &shard.last_error), (Health::Fresh, 0, &None));
}
