//! What changed since a clock, and standing queries, of trees that are really followed.

use crate::fixture::{Fixture, ask, patience};
use hearth_service::api::{FindRequest, SinceAnswer, SinceRequest, WatchEvent, WatchRequest};
use hearth_service::config::FeedChoice;
use hearth_service::{Config, ServiceError, Watched, Watching};
use std::fs;
use std::time::{Duration, Instant};

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// The clock of an answer that holds everything that was written.
fn clock(fixture: &Fixture) -> String {
    let request = FindRequest { wait_fresh: Some(LONG), ..ask("") };
    let (_, summary) = fixture.run(&request).unwrap();
    assert!(!summary.sources[0].stale, "{:?}", summary.sources);
    summary.sources[0].clock.clone()
}

fn since(fixture: &Fixture, clock: &str) -> Result<SinceAnswer, ServiceError> {
    let request = SinceRequest { clock: clock.to_owned(), wait_fresh: Some(LONG), ..SinceRequest::default() };
    fixture.service.since(&request, &patience())
}

/// What changed since a clock, in words.
fn words(fixture: &Fixture, clock: &str) -> Vec<String> {
    let answer = since(fixture, clock).unwrap();
    let name = |path: &[u8]| String::from_utf8_lossy(path).rsplit('/').next().unwrap().to_owned();
    answer.changes.iter().map(|change| format!("{} {}", change.what.as_str(), name(&change.path))).collect()
}

fn watch(fixture: &Fixture, query: &str) -> Watching {
    let request = WatchRequest { query: query.into(), ..WatchRequest::default() };
    fixture.service.watch(&request, || ()).unwrap()
}

/// The next event.
fn next(watching: &mut Watching) -> WatchEvent {
    match watching.next(LONG) {
        Watched::Batch(mut batch) => batch.events.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_that_was_written_before_the_question_is_told() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", ""), ("b/c", "")]);
    fixture.add("t");
    let mut before = clock(&fixture);
    for round in 0..20 {
        let name = format!("f{round}");
        fixture.tree("t", &[(name.as_str(), "")]);
        let told = words(&fixture, &before);
        assert_eq!(told.last(), Some(&format!("created {name}")), "{told:?}");
        before = clock(&fixture);
        assert_eq!(words(&fixture, &before), Vec::<String>::new());
    }
    let answer = since(&fixture, &before).unwrap();
    assert_eq!((answer.clock, answer.more), (before, false));
}

#[test]
fn folding_changes_in_loses_no_clock_and_a_new_scan_does() {
    let mut config = Config::default();
    config.history.changes = 100_000;
    let fixture = Fixture::watching_with(config);
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let before = clock(&fixture);
    let mut watching = watch(&fixture, "last");
    // So much that it is folded into the rest.
    fs::create_dir(fixture.path("t/many")).unwrap();
    (0..20_000).for_each(|number| fs::write(fixture.path("t/many").join(number.to_string()), "").unwrap());
    let until = Instant::now() + LONG;
    while fixture.service.status().shards[0].rebuilds_total == 0 {
        assert!(Instant::now() < until, "never folded");
        clock(&fixture);
    }
    fixture.tree("t", &[("last", "")]);
    let told = words(&fixture, &before);
    assert_eq!((told.first(), told.last()), (Some(&"created many".into()), Some(&"created last".into())));
    assert!(matches!(next(&mut watching), WatchEvent::Appeared(entry) if entry.path.ends_with(b"/last")));
    fixture.refresh("t");
    assert!(matches!(since(&fixture, &before), Err(ServiceError::ClockMoved { .. })));
    assert!(matches!(next(&mut watching), WatchEvent::Resync { .. }));
}

#[test]
fn where_nothing_tells_of_changes_comparisons_do() {
    let mut config = Config::default();
    config.watch.feed = FeedChoice::Poll;
    config.watch.poll = Duration::from_millis(200);
    let fixture = Fixture::watching_with(config);
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let (mut watching, before) = (watch(&fixture, "b"), clock(&fixture));
    fixture.tree("t", &[("b", "")]);
    assert!(matches!(next(&mut watching), WatchEvent::Appeared(entry) if entry.path.ends_with(b"/b")));
    assert_eq!(words(&fixture, &before), ["created b"]);
}

#[test]
fn what_happened_while_nothing_was_in_memory_is_not_known() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let before = clock(&fixture);
    fixture.service.hibernate(&[b"t".to_vec()], &patience()).unwrap();
    fixture.tree("t", &[("b", "")]);
    match since(&fixture, &before) {
        Err(ServiceError::ClockMoved { source_name, .. }) => assert_eq!(source_name, "t"),
        other => panic!("{other:?}"),
    }
    let now = clock(&fixture);
    fs::remove_file(fixture.path("t/b")).unwrap();
    assert_eq!(words(&fixture, &now), ["removed b"]);
}

#[test]
fn a_watch_keeps_its_source_followed_and_hears_of_its_end() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let mut watching = watch(&fixture, "!a");
    assert_eq!(watching.clocks().len(), 1);
    fixture.tree("t", &[("b", "")]);
    assert!(matches!(next(&mut watching), WatchEvent::Appeared(_)));
    fixture.tree("u", &[("a", "")]);
    fixture.add("u");
    let mut other = watch(&fixture, "!a");
    fixture.service.forget(b"t", true).unwrap();
    assert!(matches!(next(&mut watching), WatchEvent::Resync { why } if why.contains("forgotten")));
    fixture.service.shutdown();
    while other.next(LONG) != Watched::Ended {}
}
