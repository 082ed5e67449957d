//! `doctor`: what is in order, and what is not.

use crate::world::{Run, World};
use serde_json::Value;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;

fn check<'a>(checks: &'a [Value], name: &str) -> &'a Value {
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {checks:?}"))
}

fn checks(run: &Run) -> Vec<Value> {
    let checks = run.json();
    for check in &checks {
        assert_eq!(check["type"], "check", "{check}");
        assert!(check["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{check}");
        assert!(["ok", "note", "problem"].contains(&check["state"].as_str().expect("a word")), "{check}");
    }
    checks
}

#[test]
fn a_healthy_daemon_has_no_problem() {
    let world = World::with(&["x"]);
    let run = world.run(&["doctor", "--json"]);
    let checks = checks(&run);
    let problems: Vec<&Value> = checks.iter().filter(|check| check["state"] == "problem").collect();
    assert_eq!((run.code, problems), (0, Vec::new()), "{}", run.stderr);
    for name in ["daemon", "socket", "state folder", "open files", "snapshots", "snapshot key", "sources"] {
        assert_eq!(check(&checks, name)["state"], "ok", "{name}");
    }
    assert!(check(&checks, "daemon")["detail"].as_str().expect("text").contains("resident"));
    assert!(check(&checks, "socket")["detail"].as_str().expect("text").contains("mode 0600"));
    assert!(check(&checks, "sources")["detail"].as_str().expect("text").starts_with("1, 1 in memory"));
}

#[test]
fn a_problem_is_exit_code_1_and_says_what_to_do() {
    let world = World::with(&["x"]);
    let state = world.home().join("state");
    set_permissions(&state, Permissions::from_mode(0o777)).expect("it is ours");
    let run = world.run(&["doctor"]);
    set_permissions(&state, Permissions::from_mode(0o700)).expect("it is ours");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let text = run.text();
    let at = text.lines().position(|line| line.starts_with("problem  state folder "));
    let hint = text.lines().nth(at.expect("its line") + 1).expect("a hint");
    assert!(hint.trim_start().starts_with("hint: chmod 0700 "), "{text}");
    let checks: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(
        checks
            .iter()
            .all(|line| line.starts_with("ok ") || line.starts_with("note ") || line.starts_with("problem "))
    );
    assert!(checks.len() > 10, "{text}");
}

#[test]
fn a_source_that_cannot_be_read_is_a_problem() {
    let world = World::with(&["x"]);
    std::fs::rename(world.tree(), world.tree().with_file_name("elsewhere")).expect("it moves");
    let refresh = world.command(&["refresh", "tree", "--wait"]).current_dir(world.home()).output();
    assert_eq!(refresh.expect("hearth runs").status.code(), Some(2));
    let mut doctor = world.command(&["doctor", "--json"]);
    let run = crate::world::finished(doctor.current_dir(world.home()));
    let checks = checks(&run);
    let source = check(&checks, "source tree");
    assert_eq!((run.code, &source["state"]), (1, &"problem".into()), "{source}");
    assert!(source["hint"].as_str().expect("text").contains("hearth refresh tree"), "{source}");
}

#[test]
fn without_a_daemon_a_private_one_is_checked() {
    let world = World::empty();
    let run = world.run(&["--no-daemon", "doctor", "--json"]);
    let checks = checks(&run);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(check(&checks, "daemon")["detail"].as_str().expect("text").contains("private"), "{checks:?}");
    assert_eq!(check(&checks, "sources")["state"], "note", "{checks:?}");
    assert!(!world.home().join("run/hearth.sock").exists());
}

#[test]
fn a_configuration_that_was_not_read_again_is_told() {
    let world = World::with(&["x"]);
    // Written later than the daemon began, whatever the resolution of the file system's times.
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::write(world.home().join("config.toml"), "[idle]\nwarm = 900\n").expect("a file");
    let checks = checks(&world.run(&["doctor", "--json"]));
    let configuration = check(&checks, "configuration");
    assert_eq!(configuration["state"], "note", "{configuration}");
    assert!(configuration["hint"].as_str().expect("text").contains("restart"), "{configuration}");
}
