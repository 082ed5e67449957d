//! Snapshots as a user meets them: `status`, `doctor`, `forget`, `config key rotate`.

use crate::world::{PATIENCE_MS, World, of_type};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Far more than a save takes, so that only a defect fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A world with one source, `tree`, that is on disk and not in memory.
fn asleep() -> World {
    let world = World::with(&["a.txt", "b/c.txt"]);
    hibernate(&world);
    // The save goes on when the memory is given back.
    let begin = Instant::now();
    while status(&world)["snapshot_bytes"] == 0 {
        assert!(begin.elapsed() < PATIENCE, "nothing was saved: {}", status(&world));
        std::thread::sleep(Duration::from_millis(5));
    }
    world
}

fn status(world: &World) -> Value {
    let status = world.json(&["status", "--json"]);
    of_type(&status, "shard")[0].clone()
}

fn hibernate(world: &World) {
    let run = world.run(&["hibernate", "tree"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// Brings the source into memory and tells its state.
fn awake(world: &World) -> Value {
    assert_eq!(world.lines(&["find", "=a.txt", "--wait", "--timeout", PATIENCE_MS]), ["a.txt"]);
    status(world)
}

fn restart(world: &World) {
    let run = world.run(&["daemon", "restart"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

fn key_file(world: &World) -> PathBuf {
    world.home().join("state/snapshot.key")
}

/// Files below the cache folder.
fn snapshots(world: &World) -> Vec<PathBuf> {
    let mut folders = vec![world.home().join("cache")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn check(world: &World, name: &str) -> Value {
    let checks = world.json(&["doctor", "--json"]);
    let check = checks.iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no {name} in {checks:?}")).clone()
}

#[test]
fn a_restart_loads_what_was_saved() {
    let world = asleep();
    restart(&world);
    let shard = awake(&world);
    assert_eq!(shard["load_reason"], "loaded", "{shard}");
    assert!(shard["snapshot_bytes"].as_u64() > Some(0), "{shard}");
    assert!(shard["snapshot_saved_ns"].as_i64() > Some(0), "{shard}");
    assert!(shard["unsaved"].is_boolean() && shard["load_text"].is_null(), "{shard}");
    let lines = world.lines(&["status"]);
    assert!(
        lines.iter().any(|line| line.starts_with("tree: snapshot ") && line.contains(" old")),
        "{lines:?}"
    );
}

#[test]
fn a_forgotten_source_leaves_nothing_on_disk() {
    let world = asleep();
    let [snapshot] = &snapshots(&world)[..] else { panic!("{:?}", snapshots(&world)) };
    let bytes = fs::metadata(snapshot).expect("it is there").len();
    let forgotten = &world.json(&["forget", "tree", "--json"])[0];
    assert_eq!((&forgotten["freed_bytes"], &forgotten["snapshot_bytes"]), (&json!(0), &json!(bytes)));
    assert_eq!(snapshots(&world), Vec::<PathBuf>::new());
}

#[test]
fn a_new_key_opens_what_the_old_one_sealed() {
    let world = asleep();
    let before = fs::read(key_file(&world)).expect("a key");
    let run = world.run(&["config", "key", "rotate"]);
    let expect = format!("new key in {}; 1 snapshot sealed anew (tree)\n", key_file(&world).display());
    assert_eq!((run.code, run.text()), (0, expect), "{}", run.stderr);
    assert_ne!(fs::read(key_file(&world)).expect("a key"), before);
    restart(&world);
    assert_eq!(awake(&world)["load_reason"], "loaded");
}

#[test]
fn a_snapshot_that_does_not_open_is_left_out_of_a_rotation() {
    let world = asleep();
    for snapshot in snapshots(&world) {
        fs::write(snapshot, "not a snapshot").expect("it is ours");
    }
    for command in [["--json", "config", "key", "rotate"], ["config", "key", "rotate", "--json"]] {
        let run = world.run(&command);
        let rotation = &run.json()[0];
        assert_eq!((run.code, &rotation["type"]), (2, &json!("key_rotation")), "{rotation}");
        assert_eq!((&rotation["resealed"], &rotation["left_out"][0]["source"]), (&json!([]), &json!("tree")));
        assert_eq!(rotation["key_file"], key_file(&world).to_str().expect("text"));
    }
    let run = world.run(&["config", "key", "rotate"]);
    let text = run.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(run.code == 2 && lines[0].ends_with("; 0 snapshots sealed anew"), "{text}");
    assert!(lines[1].starts_with("left out tree: ") && lines.len() == 2, "{text}");
}

#[test]
fn a_rotation_is_not_asked_for_a_path() {
    let world = World::empty();
    let run = world.run(&["config", "--path", "key", "rotate"]);
    assert_eq!((run.code, run.text().as_str()), (2, ""));
    assert!(run.stderr.contains("--path"), "{}", run.stderr);
    let help = world.run(&["config", "key", "rotate", "--help"]).text();
    assert!(help.contains("Examples:\n  hearth config key rotate"), "{help}");
    assert!(!world.home().exists(), "neither needs a daemon");
}

#[test]
fn a_lost_key_costs_a_scan_and_is_told() {
    let world = asleep();
    fs::remove_file(key_file(&world)).expect("it is ours");
    restart(&world);
    let shard = awake(&world);
    assert_eq!(shard["load_reason"], "key-unavailable", "{shard}");
    assert!(shard["load_text"].as_str().is_some_and(|text| text.contains("key")), "{shard}");
    let told = check(&world, "snapshot tree");
    assert!(told["state"] == "note" && told["hint"].is_string(), "{told}");
    let lines = world.lines(&["status"]);
    assert!(
        lines.iter().any(|line| line.starts_with("tree: snapshot not loaded, key-unavailable: ")),
        "{lines:?}"
    );
}

#[test]
fn doctor_says_where_snapshots_and_their_key_are() {
    let world = asleep();
    let (place, key) = (check(&world, "snapshots"), check(&world, "snapshot key"));
    let folder = world.home().join("cache");
    assert!(place["detail"].as_str().expect("text").starts_with(folder.to_str().expect("text")), "{place}");
    assert!(
        key["detail"].as_str().expect("text").contains(key_file(&world).to_str().expect("text")),
        "{key}"
    );
}

#[test]
fn nothing_is_kept_where_snapshots_are_switched_off() {
    let world = World::empty();
    world.put(b"a.txt");
    fs::create_dir_all(world.home()).expect("a folder");
    fs::write(world.home().join("config.toml"), "[snapshot]\nenabled = false\n").expect("a file");
    world.index();
    hibernate(&world);
    assert_eq!((snapshots(&world), key_file(&world).exists()), (Vec::new(), false));
    let place = check(&world, "snapshots");
    assert!(
        place["state"] == "note" && place["detail"].as_str().expect("text").contains("config.toml:2"),
        "{place}"
    );
    let run = world.run(&["config", "key", "rotate"]);
    assert!(run.code == 2 && run.stderr.contains("hint: "), "{}", run.stderr);
}
