//! `history`: who made, changed and removed something. Only fanotify tells, which only root may use.

use crate::world::{Run, World, of_type};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A world whose daemon keeps a history.
fn world() -> World {
    let world = World::empty();
    fs::create_dir_all(world.home()).expect("a folder");
    fs::write(world.home().join("config.toml"), "[history]\nentries = 1000\n").expect("a file");
    world.put(b"src/main.rs");
    world.index();
    world
}

/// True if the daemon can be told who does something; else says why the test has nothing to look at.
fn is_told(world: &World) -> bool {
    let lines = world.json(&["status", "--json"]);
    let feed = &of_type(&lines, "shard")[0]["feed"];
    if feed["kind"] != "fanotify" {
        writeln!(std::io::stderr(), "skipped: fanotify cannot be had here: {feed}").expect("it is open");
    }
    feed["kind"] == "fanotify"
}

fn shell(world: &World, script: &str) {
    let status = Command::new("sh").args(["-c", script]).current_dir(world.tree()).status();
    assert!(status.expect("sh runs").success(), "{script}");
}

/// Asks until the answer has this in it: acts are noted a moment after they were done.
fn ask(world: &World, args: &[&str], what: &str) -> Run {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let run = world.run(args);
        if run.text().contains(what) || Instant::now() > until {
            return run;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn what_and_path(world: &World, acts: &[&Value]) -> Vec<(String, String)> {
    let prefix = format!("{}/", world.tree().display());
    let text = |value: &Value| value.as_str().expect("text").replace(&prefix, "");
    acts.iter().map(|act| (text(&act["what"]), text(&act["path"]))).collect()
}

#[test]
fn a_history_that_is_off_says_how_to_switch_it_on() {
    let world = World::with(&["a"]);
    let summary = world.json(&["history", "--json"]);
    let history = &of_type(&summary, "summary")[0]["history"];
    assert!(history["why"].as_str().is_some_and(|why| !why.is_empty()), "{history}");
    let run = world.run(&["history"]);
    assert_eq!((run.code, run.text().as_str()), (1, ""));
    assert!(run.stderr.contains(history["why"].as_str().expect("text")), "{}", run.stderr);
    if rustix::process::geteuid().is_root() {
        assert!(run.stderr.contains("HEARTH_HISTORY_ENTRIES=10000"), "{}", run.stderr);
        assert_eq!(history["on"], false);
    }
}

#[test]
fn what_cannot_be_asked_is_refused_where_it_stands() {
    let world = World::with(&["a"]);
    let run = world.run(&["history", "a", "size:>1"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("size: looks at the metadata"), "{}", run.stderr);
    let run = world.run(&["history", "/nonexistent-folder/x"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no source"), "{}", run.stderr);
}

#[test]
fn the_program_that_made_a_file_is_named() {
    let world = world();
    if !is_told(&world) {
        return;
    }
    // A program that has ended by the time it is asked for has no name: this one stays.
    let mut shell = Command::new("sh");
    shell.args(["-c", ": > src/new.rs; read end"]).current_dir(world.tree()).stdin(Stdio::piped());
    let mut shell = shell.spawn().expect("sh runs");
    let lines = ask(&world, &["history", "src/new.rs", "--json"], "created").json();
    let text = world.run(&["history", "new.rs"]).text();
    // Its input ends, and with it the program.
    shell.wait().expect("it ends");
    let act = *of_type(&lines, "act").last().unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!((&act["what"], &act["command"]), (&"created".into(), &"sh".into()), "{act}");
    assert_eq!((&act["pid"], &act["uid"]), (&shell.id().into(), &0.into()), "{act}");
    let line = text.lines().last().unwrap_or_default();
    assert!(
        line.contains(&format!("  sh[{}]  root  ", shell.id())) && line.ends_with("src/new.rs"),
        "{text}"
    );
}

#[test]
fn what_went_with_its_folder_is_found_by_the_path_it_had() {
    let world = world();
    if !is_told(&world) {
        return;
    }
    shell(&world, "mkdir d");
    assert_eq!(world.run(&["find", "=d", "--wait-fresh", "10s"]).code, 0);
    shell(&world, "touch d/one.txt && sleep 0.2 && mv d/one.txt d/two.txt && sleep 0.2 && rm -r d");
    let gone = format!("\"path\":\"{}/d\",\"what\":\"removed\"", world.tree().display());
    let lines = ask(&world, &["history", "./d", "-n", "50", "--json"], &gone).json();
    let acts: Vec<(String, String)> = what_and_path(&world, &of_type(&lines, "act"));
    for (what, path) in [
        ("removed", "d"),
        ("removed", "d/two.txt"),
        ("renamed-to", "d/two.txt"),
        ("renamed-from", "d/one.txt"),
        ("created", "d/one.txt"),
        ("created", "d"),
    ] {
        assert!(acts.contains(&(what.to_owned(), path.to_owned())), "{what} {path}: {acts:?}");
    }
    assert_eq!(of_type(&lines, "summary")[0]["history"]["on"], true);
    let lines = world.json(&["history", "ext:txt", "--in", ".", "--json"]);
    let names: Vec<(String, String)> = what_and_path(&world, &of_type(&lines, "act"));
    assert!(names.len() >= 4 && names.iter().all(|(_, path)| path.ends_with(".txt")), "{names:?}");
}
