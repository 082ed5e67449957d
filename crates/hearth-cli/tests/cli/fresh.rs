//! Questions that see what was written before them, and how that is told.

use crate::world::{World, of_type};

#[test]
fn what_was_made_before_the_question_is_found() {
    let world = World::with(&["a"]);
    for number in 0..20 {
        world.put(format!("new-{number}.txt").as_bytes());
        let lines = world.json(&["find", &format!("new-{number}.txt"), "--wait-fresh", "20s", "--json"]);
        assert_eq!(of_type(&lines, "entry").len(), 1, "{number}: {lines:?}");
        let meta = &of_type(&lines, "summary")[0]["meta"][0];
        assert_eq!(meta["stale"], false, "{meta}");
        let proof = meta["proof"].as_str().unwrap_or_default();
        assert!(["cookie", "queue", "compared"].contains(&proof), "{meta}");
    }
}

#[test]
fn every_report_can_wait() {
    let world = World::with(&["a"]);
    world.write(b"big/b.iso", &[1; 5000]);
    world.write(b"big/c.iso", &[1; 5000]);
    for args in [&["du", "."][..], &["stats"], &["dupes"]] {
        let args = [args, &["--wait-fresh", "20s", "--json"]].concat();
        let lines = world.json(&args);
        let meta = &of_type(&lines, "summary")[0]["meta"][0];
        assert_eq!(
            (meta["stale"].as_bool(), meta["proof"].is_string()),
            (Some(false), true),
            "{args:?}: {meta}"
        );
    }
    let run = world.run(&["find", "a", "--wait-fresh", "soon"]);
    assert!(run.code == 2 && run.stderr.contains("500ms, 2s or 1m"), "{}", run.stderr);
}

#[test]
fn status_says_how_changes_are_noticed() {
    let world = World::with(&["a"]);
    let lines = world.json(&["status", "--json"]);
    let feed = &of_type(&lines, "shard")[0]["feed"];
    assert!(["fanotify", "inotify", "poll"].contains(&feed["kind"].as_str().expect("a word")), "{feed}");
    let table = world.run(&["status"]).text();
    assert!(table.contains("  feed  ") && table.contains(feed["kind"].as_str().expect("a word")), "{table}");
    let checks = world.json(&["doctor", "--json"]);
    let named = |check: &serde_json::Value| check["name"] == "feeds" || check["name"] == "feed tree";
    let check = checks.iter().find(|check| named(check)).expect("a check");
    assert!(check["detail"].as_str().is_some_and(|text| text.contains(feed["text"].as_str().expect("text"))));
}

/// A world whose daemon is configured so.
fn configured(text: &str) -> World {
    let world = World::empty();
    std::fs::create_dir_all(world.home()).expect("a folder");
    std::fs::write(world.home().join("config.toml"), text).expect("a file");
    world.put(b"a");
    world.index();
    world
}

#[test]
fn a_wait_in_vain_is_told() {
    let world = configured("[watch]\nfeed = \"off\"\n");
    let run = world.run(&["find", "=a", "--wait-fresh", "100ms"]);
    assert_eq!((run.code, world.relative(&run)), (0, vec!["a".to_owned()]));
    assert!(run.stderr.contains("tree is stale") && run.stderr.contains("watch.feed"), "{}", run.stderr);
    let lines = world.json(&["find", "=a", "--wait-fresh", "100ms", "--json"]);
    let meta = &of_type(&lines, "summary")[0]["meta"][0];
    assert_eq!((&meta["stale"], meta.get("proof")), (&true.into(), None), "{meta}");
    assert_eq!(world.run(&["find", "=a"]).stderr, "", "who does not ask to wait is told of nothing");
}

#[test]
fn a_source_that_nothing_tells_of_says_what_to_do() {
    let world = configured("[watch]\nfeed = \"poll\"\npoll_s = 86400\n");
    let lines = world.json(&["status", "--json"]);
    let feed = &of_type(&lines, "shard")[0]["feed"];
    assert_eq!((&feed["kind"], &feed["live"]), (&"poll".into(), &false.into()), "{feed}");
    assert!(world.run(&["status"]).text().contains("tree: changes: "), "the table says why");
    world.put(b"b");
    let lines = world.json(&["find", "=b", "--wait-fresh", "20s", "--json"]);
    assert_eq!(of_type(&lines, "entry").len(), 1, "{lines:?}");
    assert_eq!(of_type(&lines, "summary")[0]["meta"][0]["proof"], "compared");
}
