//! `add`, `forget`, `list`, `refresh`, `status`, `config`.

use crate::world::{PATIENCE_MS, World, of_type};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

#[test]
fn a_source_lives_from_add_to_forget() {
    let world = World::empty();
    world.put(b"x");
    assert_eq!(world.run(&["list"]).code, 1, "nothing is there yet");
    let added =
        world.run(&["add", ".", "--as", "volume", "--name", "mine", "--wait", "--timeout", PATIENCE_MS]);
    assert_eq!(
        (added.code, added.text()),
        (0, format!("added mine ({})\n", world.tree().display())),
        "{}",
        added.stderr
    );
    let listed = world.lines(&["list"]);
    assert_eq!(listed[1].split_whitespace().take(2).collect::<Vec<_>>(), ["mine", "volume"]);
    let json = world.json(&["list", "--json"]);
    assert_eq!((&json[0]["type"], &json[0]["name"]), (&"source".into(), &"mine".into()));
    assert_eq!(world.lines(&["find", "=x"]), ["x"]);
    assert_eq!(world.run(&["add", "."]).text(), added.text(), "what is there already stays as it is");
    let forgot = world.run(&["forget", "--force", "."]);
    assert_eq!(forgot.code, 0, "{}", forgot.stderr);
    let expect = format!("forgot mine ({}), ", world.tree().display());
    assert!(
        forgot.text().starts_with(&expect) && forgot.text().ends_with(" of disk freed\n"),
        "{}",
        forgot.text()
    );
    assert_eq!(world.run(&["list"]).code, 1);
}

#[test]
fn forgetting_what_is_not_there_is_an_error() {
    let world = World::with(&["x"]);
    for source in ["absent", "/nonexistent-folder"] {
        let run = world.run(&["forget", source]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    }
}

#[test]
fn adding_what_is_not_there_is_an_error() {
    let world = World::empty();
    assert_eq!(world.run(&["add", "absent"]).code, 2);
    assert_eq!(world.json(&["add", "absent", "--json"])[0]["type"], "error");
}

#[test]
fn refreshing_finds_what_is_new() {
    let world = World::with(&["old"]);
    world.put(b"new");
    let run = world.run(&["refresh", "tree", "--wait", "--timeout", PATIENCE_MS]);
    assert_eq!((run.code, run.text().as_str()), (0, "refreshing tree\n"), "{}", run.stderr);
    assert_eq!(world.lines(&["find", "=new"]), ["new"]);
    world.put(b"newer");
    let json = world.json(&["refresh", ".", "--wait", "--timeout", PATIENCE_MS, "--json"]);
    assert_eq!((&json[0]["type"], &json[0]["source"]), (&"refresh".into(), &"tree".into()));
    assert_eq!(world.lines(&["find", "=newer"]), ["newer"]);
    assert_eq!(world.run(&["refresh", "absent"]).code, 2);
    assert_eq!(world.run(&["refresh"]).text(), "refreshing tree\n");
}

#[test]
fn status_tells_daemon_and_sources() {
    let world = World::with(&["x", "y"]);
    let json = world.json(&["status", "--json"]);
    let daemon = of_type(&json, "daemon")[0];
    assert!(
        daemon["pid"].is_u64() && daemon["version"].is_string() && daemon["uptime_s"].is_u64(),
        "{daemon}"
    );
    let shard = of_type(&json, "shard")[0];
    assert_eq!(
        (&shard["name"], &shard["health"], &shard["kind"]),
        (&"tree".into(), &"fresh".into(), &"volume".into())
    );
    assert_eq!(shard["root"], world.tree().to_str().expect("it is text"));
    assert!(shard["rows"].as_u64() >= Some(2) && shard["generation"].as_u64() >= Some(1), "{shard}");
    let lines = world.lines(&["--json", "status"]);
    assert_eq!(lines.len(), 2, "options may stand before the command");
    let text = world.lines(&["status"]);
    assert!(text[0].starts_with("hearthd "), "{text:?}");
    assert!(text[1].starts_with("memory ["), "{text:?}");
    assert!(text.iter().any(|line| line.starts_with("tree ") && line.contains(" fresh ")), "{text:?}");
}

#[test]
fn config_shows_settings_and_their_origin() {
    let world = World::empty();
    let path = world.lines(&["config", "--path"]);
    assert_eq!(path, [world.home().join("config.toml").to_str().expect("it is text")]);
    assert!(!world.home().exists(), "the path alone needs no daemon");
    let settings = world.json(&["config", "--json"]);
    assert!(
        settings.iter().all(|setting| setting["key"].is_string() && setting["origin"].is_string()),
        "{settings:?}"
    );
    assert!(!settings.is_empty());
    let text = world.lines(&["config"]);
    assert!(text[0].starts_with("# ") && text[1].starts_with("key "), "{text:?}");
}

#[test]
fn a_watched_status_comes_again_until_nobody_reads() {
    let world = World::with(&["x"]);
    let mut child =
        world.command(&["status", "--watch", "--json"]).stdout(Stdio::piped()).spawn().expect("hearth runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let daemons =
        lines.by_ref().filter(|line| line.as_ref().is_ok_and(|line| line.contains("\"daemon\""))).take(2);
    assert_eq!(daemons.count(), 2);
    drop(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
