//! A restart in good order: the same answers as before, sooner than by a scan.

use crate::house::{House, SOURCE, note};
use crate::street::{SOURCES, Street};
use crate::tree::{Grove, State};
use hearth_client::protocol::method;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A saved tree of some size.
fn house() -> House {
    let mut house = House::new();
    drop(Grove::plant(&house.tree(), 200, 6000, 3));
    house.start();
    house.index();
    house
}

/// What a query prints, without the summary, which tells times.
fn rows(house: &House, query: &[&str]) -> Vec<u8> {
    let args: Vec<&str> = ["find", "--json"].into_iter().chain(query.iter().copied()).collect();
    let printed = house.run(&args);
    let lines = printed.split_inclusive(|byte| *byte == b'\n');
    let rows = lines.filter(|line| !line.starts_with(b"{\"type\":\"summary\""));
    let rows: Vec<u8> = rows.flatten().copied().collect();
    assert!(rows.len() < printed.len() && !rows.is_empty(), "{query:?}");
    rows
}

#[test]
fn the_same_query_prints_the_same_bytes_before_and_after_a_restart() {
    let mut house = house();
    let queries: [&[&str]; 7] = [
        &[],
        &["file-01"],
        &["*.rs", "--sort", "size:desc,name"],
        &["ext:jpg", "size:>100"],
        &["re:file-0[0-9]*7\\.txt$"],
        &["type:dir", "children:>3"],
        &["--sort", "modified:desc", "-n", "50"],
    ];
    let before = queries.map(|query| rows(&house, query));
    let answer = house.answer();
    assert!(house.terminate().success());
    let began = Instant::now();
    house.start();
    let (listens, first) = (began.elapsed(), house.answer());
    let answered = began.elapsed();
    assert!(first.rows == answer.rows && first.is("complete"), "{}", first.meta);
    let at_once = queries.map(|query| rows(&house, query));
    house.wait_complete();
    let compared = began.elapsed();
    let after = queries.map(|query| rows(&house, query));
    assert!(before == at_once && before == after);
    assert_eq!(house.shard()["load_reason"], "loaded");
    note(&format!(
        "restart over {} entries: listens after {listens:.1?}, everything answered after {answered:.1?} \
         (stale: {}), compared after {compared:.1?}",
        house.shard()["rows"],
        first.meta["stale"]
    ));
}

/// Paths and summary of an answer.
fn paths(house: &House, params: &Value) -> Result<(Vec<Vec<u8>>, Value), String> {
    let (entries, summary) = house.find(params)?;
    Ok((entries.iter().map(|entry| entry.path_bytes().to_vec()).collect(), summary))
}

fn page(house: &House, cursor: Option<&Value>) -> Result<(Vec<Vec<u8>>, Value), String> {
    let mut params = json!({"limit": 500, "sort": "size,path"});
    if let Some(cursor) = cursor {
        params["cursor"] = cursor.clone();
    }
    paths(house, &params)
}

#[test]
fn a_page_goes_on_after_a_restart_or_says_that_the_generation_moved() {
    let mut house = house();
    let (all, _) = paths(&house, &json!({"sort": "size,path"})).expect("rows");
    let (first, summary) = page(&house, None).expect("a page");
    assert_eq!(first, all[..500]);
    assert!(house.terminate().success());
    house.start();
    match page(&house, Some(&summary["cursor"])) {
        Ok((second, _)) => assert_eq!(second, all[500..1000], "of the body that was saved"),
        Err(error) => assert!(error.contains("generation") || error.contains("-32013"), "{error}"),
    }
    house.wait_complete();
    let moved = page(&house, Some(&summary["cursor"])).expect_err("it was compared since");
    let generation = house.shard()["generation"].as_u64().expect("a number");
    assert!(generation > 1, "{generation}: it never falls");
    note(&format!("of a cursor from before the restart: {moved}"));
}

#[test]
fn what_changed_while_nobody_looked_is_stale_first_and_found_then() {
    let mut house = house();
    let before = State::of(&house.tree());
    assert!(house.terminate().success());
    fs::write(house.tree().join("later.txt"), "new").expect("a file");
    house.start();
    let first = house.answer();
    if first.is("stale") {
        let why = first.meta["why"].as_str().unwrap_or_default();
        assert!(first.rows == before && why.contains("not yet compared"), "{why}");
    } else {
        assert!(first.rows == State::of(&house.tree()), "{}", first.meta);
    }
    house.wait_complete();
    house.assert_equals_tree();
}

#[test]
fn what_a_digest_on_disk_refutes_loads_no_body() {
    let mut house = house();
    house.tell(method::HIBERNATE, &json!({}));
    house.wait_saved();
    let loads = house.shard()["loads_total"].clone();
    for query in ["=no-such-name.txt", "ext:nosuch", "zyxwvut"] {
        let (rows, summary) = house.find(&json!({"query": query})).expect("an answer");
        assert!(rows.is_empty() && summary["matched"] == 0, "{query}: {summary}");
        let meta = &summary["meta"][0];
        assert!(meta["source"] == SOURCE && meta["complete"] == true, "{meta}");
    }
    let shard = house.shard();
    assert_eq!((&shard["tier"], &shard["loads_total"]), (&json!("parked"), &loads), "{shard}");
    assert_eq!(shard["resident_bytes"], shard["digest_bytes"], "{shard}");
    house.kill();
    house.start();
    house.wait_complete();
    house.assert_equals_tree();
}

#[test]
fn what_is_answered_at_once_of_many_sources_is_all_there_is() {
    let mut street = Street::new();
    let before = street.house.answer().rows;
    assert!(street.house.terminate().success());
    street.house.start();
    let (entries, summary) = street.house.find(&json!({})).expect("an answer");
    let metas = summary["meta"].as_array().expect("one of each");
    assert!(metas.len() == SOURCES && metas.iter().all(|meta| meta["complete"] == true), "{summary}");
    assert_eq!(entries.len(), before.len());
    street.house.tell(method::FIND, &json!({"count": true, "wait_complete": true}));
    street.assert_equals_trees();
}

#[test]
fn under_a_budget_that_fits_one_scan_every_source_answers_after_a_restart() {
    let house = House::new().with("HEARTH_MEMORY_BUDGET", "80mb").with("HEARTH_LOAD_LANES", "2");
    let mut street = Street::of(house);
    for kill in [true, false, true] {
        if kill {
            street.house.kill();
        } else {
            assert!(street.house.terminate().success());
        }
        street.house.start();
        for number in 0..SOURCES {
            let asked = json!({"in": [street.root(number)], "query": "type:dir"});
            let (rows, summary) =
                street.house.find(&asked).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_eq!(
                (rows.len(), &summary["meta"][0]["complete"]),
                (10, &json!(true)),
                "{number}: {summary}"
            );
        }
        street.house.tell(method::FIND, &json!({"count": true, "wait_complete": true}));
        street.assert_equals_trees();
        assert_eq!(street.reasons(), vec!["loaded"; SOURCES]);
    }
}

/// A daemon that ends has closed its socket and saves; who needs one meanwhile waits for the next.
#[test]
fn a_command_that_meets_a_daemon_that_is_ending_is_answered_by_the_next() {
    let house = House::new();
    fs::write(house.tree().join("file.txt"), "x").expect("a file");
    house.run(&["daemon", "start"]);
    house.index();
    house.run(&["daemon", "stop"]);
    let ending = OpenOptions::new().read(true).open(house.places().daemon_lock()).expect("it is there");
    flock(&ending, FlockOperation::NonBlockingLockExclusive).expect("nobody runs");
    let found = std::thread::scope(|scope| {
        let asking = scope.spawn(|| house.hearth(&["find", "-0", "=file.txt"]).output().expect("it runs"));
        sleep(Duration::from_millis(500));
        drop(ending);
        asking.join().expect("an answer")
    });
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success() && found.stdout.ends_with(b"/file.txt\0"), "{}: {said}", found.status);
}
