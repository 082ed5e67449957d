//! `daemon run|start|stop|restart|logs`, and starting by itself.

use crate::world::{PATIENCE_MS, World};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

fn pid(world: &World) -> u64 {
    let status = world.json(&["status", "--json"]);
    status[0]["pid"].as_u64().expect("a daemon has a pid")
}

#[test]
fn the_daemon_starts_by_itself_and_says_so() {
    let world = World::empty();
    let first = world.run(&["list"]);
    assert!(first.stderr.contains("starting"), "{}", first.stderr);
    let second = world.run(&["list"]);
    assert_eq!(second.stderr, "");
}

#[test]
fn start_stop_restart() {
    let world = World::empty();
    assert_eq!(world.run(&["daemon", "stop"]).code, 1, "none runs");
    let started = world.run(&["daemon", "start"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    let first = pid(&world);
    assert_eq!(started.text(), format!("the daemon runs (pid {first})\n"));
    assert_eq!(world.run(&["daemon", "start"]).text(), started.text(), "it runs already");
    assert_eq!(world.run(&["daemon", "restart"]).code, 0);
    let second = pid(&world);
    assert_ne!(first, second);
    assert_eq!(world.run(&["daemon", "stop"]).text(), format!("stopped the daemon (pid {second})\n"));
    assert!(!std::path::Path::new(&format!("/proc/{second}/exe")).exists(), "it has ended");
    assert_eq!(world.run(&["daemon", "stop"]).code, 1);
}

#[test]
fn sources_outlive_the_daemon() {
    let world = World::with(&["kept"]);
    assert_eq!(world.run(&["daemon", "restart"]).code, 0);
    assert_eq!(world.lines(&["find", "=kept", "--wait", "--timeout", PATIENCE_MS]), ["kept"]);
}

#[test]
fn run_is_the_daemon_itself() {
    let world = World::empty();
    let mut child = world
        .command(&["daemon", "run"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !world.home().join("run/hearth.sock").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(pid(&world), u64::from(child.id()));
    assert_eq!(world.run(&["daemon", "stop"]).code, 0);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn logs_show_the_end_and_can_be_followed() {
    let world = World::empty();
    assert_eq!(world.run(&["daemon", "logs"]).code, 1, "there is no log yet");
    std::fs::create_dir_all(world.home().join("state")).expect("a folder");
    let log = world.home().join("state/hearthd.log");
    std::fs::write(&log, "one\ntwo\nthree\n").expect("a file");
    assert_eq!(world.run(&["daemon", "logs", "-n", "2"]).text(), "two\nthree\n");
    let mut child =
        world.command(&["daemon", "logs", "-f", "-n", "1"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("it is text"), "three");
    std::fs::write(&log, "one\ntwo\nthree\nfour\n").expect("a file");
    assert_eq!(lines.next().expect("a line").expect("it is text"), "four");
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}
