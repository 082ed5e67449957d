//! A watched source: what a program did is in the next answer.

use crate::fixture::{Fixture, ask, patience};
use hearth_service::api::{FindRequest, FindSummary, Tier};
use std::fs;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

fn fresh(query: &str) -> FindRequest {
    FindRequest { wait_fresh: Some(LONG), ..ask(query) }
}

fn asked(fixture: &Fixture, query: &str) -> (Vec<String>, FindSummary) {
    let (rows, summary) = fixture.run(&fresh(query)).unwrap();
    let meta = &summary.sources[0];
    assert!(!meta.stale && meta.complete && meta.proof.is_some(), "{meta:?}");
    (rows, summary)
}

#[test]
fn what_was_made_renamed_and_removed_is_in_the_next_answer() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", ""), ("d/b", "")]);
    fixture.add("t");
    for round in 0..20 {
        let (new, moved) =
            (fixture.path(&format!("t/new-{round}")), fixture.path(&format!("t/d/moved-{round}")));
        fs::write(&new, "x").unwrap();
        assert_eq!(asked(&fixture, &format!("=new-{round}")).0, [format!("t/new-{round}")]);
        fs::rename(&new, &moved).unwrap();
        assert!(asked(&fixture, &format!("=new-{round}")).0.is_empty());
        assert_eq!(asked(&fixture, &format!("=moved-{round}")).0, [format!("t/d/moved-{round}")]);
        fs::remove_file(&moved).unwrap();
        assert!(asked(&fixture, &format!("=moved-{round}")).0.is_empty());
    }
    let status = fixture.service.status();
    let shard = &status.shards[0];
    assert!(shard.feed.live && shard.feed.advances_total >= 60, "{:?}", shard.feed);
    assert_eq!((shard.loads_total, shard.rebuilds_total), (1, 0), "nothing was scanned again: {shard:?}");
}

#[test]
fn without_asking_to_wait_it_is_there_a_moment_later() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    fs::create_dir_all(fixture.path("t/x/y/z")).unwrap();
    fs::write(fixture.path("t/x/y/z/deep"), "").unwrap();
    let until = Instant::now() + LONG;
    while fixture.find("=deep").is_empty() {
        assert!(Instant::now() < until, "never found");
    }
    assert_eq!(fixture.find("=deep"), ["t/x/y/z/deep"]);
}

#[test]
fn what_changed_while_it_was_out_of_memory_is_in_the_next_answer() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", ""), ("d/b", "")]);
    fixture.add("t");
    fixture.service.hibernate(&[], &patience()).unwrap();
    fs::write(fixture.path("t/d/later"), "").unwrap();
    assert_eq!(fixture.service.status().shards[0].tier, Tier::Cold);
    assert_eq!(asked(&fixture, "=later").0, ["t/d/later"]);
    fs::remove_file(fixture.path("t/d/later")).unwrap();
    assert!(asked(&fixture, "=later").0.is_empty());
}

#[test]
fn what_changed_while_the_service_was_down_is_compared_not_scanned() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", ""), ("d/b", ""), ("e/c", "1")]);
    fixture.add("t");
    let fixture = fixture.reopen_watching(|fixture| {
        fs::write(fixture.path("t/d/later"), "").unwrap();
        fs::write(fixture.path("t/e/c"), "22").unwrap();
        fs::remove_file(fixture.path("t/a")).unwrap();
    });
    assert_eq!(asked(&fixture, "type:file").0, ["t/d/b", "t/d/later", "t/e/c"]);
    assert_eq!(asked(&fixture, "size:2").0, ["t/e/c"]);
    let status = fixture.service.status();
    assert_eq!(status.shards[0].load_reason.as_ref().map(|reason| reason.word), Some("loaded"));
    assert!(status.shards[0].feed.last_compare.is_some_and(|compare| compare.changed >= 3));
}

#[test]
fn many_changes_are_folded_in() {
    let fixture = Fixture::watching();
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let many = 20_000;
    for number in 0..many {
        fs::write(fixture.path(&format!("t/{number}")), "").unwrap();
    }
    let (rows, _) = asked(&fixture, "type:file");
    assert_eq!(rows.len(), many + 1);
    let until = Instant::now() + LONG;
    while fixture.service.status().shards[0].rebuilds_total == 0 {
        assert!(Instant::now() < until, "never folded");
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(fixture.path("t/last"), "").unwrap();
    assert_eq!(asked(&fixture, "type:file").0.len(), many + 2);
}

#[test]
fn pages_go_on_in_the_instant_of_the_first_while_everything_changes() {
    let fixture = Fixture::watching();
    let files: Vec<String> = (10..60).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|name| (name.as_str(), "")).collect();
    fixture.tree("t", &files);
    fixture.add("t");
    let (mut rows, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let request = FindRequest { limit: Some(7), cursor, ..ask("type:file") };
        let (page, summary) = fixture.run(&request).unwrap();
        rows.extend(page);
        pages += 1;
        fs::write(fixture.path(&format!("t/a{pages}")), "").unwrap();
        fs::remove_file(fixture.path(&format!("t/f{}", 60 - pages))).unwrap();
        assert_eq!(asked(&fixture, &format!("=a{pages}")).0.len(), 1);
        cursor = summary.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let wanted: Vec<String> = files.iter().map(|(name, _)| format!("t/{name}")).collect();
    assert_eq!((rows, pages), (wanted, 8));
}
