//! How daemons begin and end.

use crate::house::{House, starting, wait_for};
use crate::wire::Wire;
use hearth_client::{Client, ConnectError};
use rustix::process::Signal;
use serde_json::json;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

#[test]
fn racing_clients_start_exactly_one_daemon() {
    let house = House::empty();
    let places = house.places();
    let pids: Vec<u32> = std::thread::scope(|scope| {
        let connect = || {
            let mut notice = |_: &str| {};
            Client::connect(&places, starting(&mut notice)).unwrap().hello("race").unwrap().pid
        };
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(connect)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    let mut notices = Vec::new();
    let mut notice = |line: &str| notices.push(line.to_owned());
    Client::connect(&places, starting(&mut notice)).unwrap().shutdown().unwrap();
    assert!(notices.is_empty(), "a running daemon was started: {notices:?}");
    wait_for("the socket to go", || !places.socket().exists());
}

#[test]
fn a_started_daemon_leaves_the_session_and_logs_to_its_file() {
    let house = House::empty();
    let mut notices = Vec::new();
    let mut notice = |line: &str| notices.push(line.to_owned());
    let mut client = Client::connect(&house.places(), starting(&mut notice)).unwrap();
    let pid = client.hello("test").unwrap().pid;
    assert_eq!(notices.len(), 1);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit(')').next().unwrap().split_ascii_whitespace().nth(3).unwrap();
    assert_eq!(session, pid.to_string());
    let log = house.places().log();
    wait_for("the log", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("started")));
    wait_for("stderr to be the log", || {
        std::fs::read_link(format!("/proc/{pid}/fd/2")).is_ok_and(|target| target == log)
    });
    client.shutdown().unwrap();
}

#[test]
fn a_daemon_that_cannot_start_is_quoted() {
    let house = House::empty();
    std::fs::create_dir_all(house.home()).unwrap();
    std::fs::write(house.places().config, "[limits]\nconections = 7\n").unwrap();
    let mut notice = |_: &str| {};
    let error = Client::connect(&house.places(), starting(&mut notice)).unwrap_err();
    assert!(matches!(error, ConnectError::Died { .. }), "{error}");
    assert!(error.to_string().contains("limits.conections"), "{error}");
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let house = House::empty();
    let places = house.places();
    std::fs::create_dir_all(&places.run).unwrap();
    std::fs::set_permissions(&places.run, Permissions::from_mode(0o755)).unwrap();
    let output = house.command().arg("--foreground").stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("0755"), "{said}");
    let mut notice = |_: &str| {};
    let error = Client::connect(&places, starting(&mut notice)).unwrap_err();
    assert!(matches!(error, ConnectError::Places(_)), "{error}");
}

#[test]
fn the_socket_and_its_folder_are_private() {
    let house = House::with_daemon();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&house.places().run), mode(&house.places().socket())), (0o700, 0o600));
    assert_eq!(mode(&house.places().state), 0o700);
}

#[test]
fn a_second_daemon_is_refused() {
    let mut house = House::with_daemon();
    let pid = house.daemon().id();
    let output = house.command().stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("process {pid}")), "{said}");
    house.client().status().unwrap();
}

#[test]
fn a_killed_daemon_leaves_nothing_in_the_way() {
    let mut house = House::with_files([&b"a"[..]]);
    house.signal(Signal::KILL);
    house.wait_exit();
    assert!(house.places().socket().exists(), "it had no time to clean up");
    let mut notice = |_: &str| {};
    let mut client = Client::connect(&house.places(), starting(&mut notice)).unwrap();
    assert_eq!(client.list().unwrap().len(), 1, "its sources are remembered");
    client.shutdown().unwrap();
}

#[test]
fn terminated_during_an_export_it_answers_and_ends() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut house = House::with_a_large_tree();
        let mut wire = house.wire();
        wire.ask(1, "find", &json!({}));
        wire.ask(2, "find", &json!({}));
        wire.message();
        house.signal(signal);
        let mut answered = Vec::new();
        while let Some(line) = wire.line() {
            let message: serde_json::Value = serde_json::from_str(&line).unwrap();
            answered.extend(message["id"].as_i64());
        }
        answered.sort_unstable();
        assert_eq!(answered, [1, 2]);
        assert_eq!(house.wait_exit().code(), Some(0));
        assert!(!house.places().socket().exists());
    }
}

#[test]
fn terminated_beside_a_client_that_does_not_read_it_ends_all_the_same() {
    let mut house = House::with_a_large_tree();
    let mut wire = house.wire();
    wire.ask(1, "find", &json!({}));
    wire.message();
    house.signal(Signal::TERM);
    assert_eq!(house.wait_exit().code(), Some(0));
}

#[test]
fn a_hang_up_opens_the_log_anew() {
    let mut house = House::with_daemon();
    let log = house.places().log();
    std::fs::rename(&log, log.with_extension("old")).unwrap();
    house.signal(Signal::HUP);
    wait_for("a new log", || log.exists());
    house.client().status().unwrap();
}

#[test]
fn a_home_with_a_path_longer_than_a_socket_address_works() {
    let house = House::empty();
    let home = house.home().join("long-component".repeat(10)).join("h");
    let places = hearth_client::Places::under(&home);
    assert!(places.socket().as_os_str().len() > 108);
    let mut notice = |_: &str| {};
    let mut client = Client::connect(&places, starting(&mut notice)).unwrap();
    client.shutdown().unwrap();
}

#[test]
fn over_a_socket_on_stdin_it_serves_one_client_and_ends() {
    let house = House::empty();
    house.write(b"a.txt", b"x");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut child = house.command().arg("--stdio").stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
    let mut wire = Wire::over(ours);
    wire.ask(1, "add", &json!({"path": house.tree(), "wait": true}));
    wire.reply(Some(1));
    wire.ask(2, "find", &json!({"query": "=a.txt", "count": true}));
    assert_eq!(wire.reply(Some(2))["result"]["matched"], json!(1));
    drop(wire);
    assert!(child.wait().unwrap().success());
    assert!(!house.places().socket().exists());
}

#[test]
fn over_pipes_it_answers_and_ends_with_its_input() {
    let house = House::empty();
    let mut command = house.command();
    let mut child = command.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n").unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"sources\":[]}}\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_private_daemon_beside_a_running_one_changes_no_sources() {
    let house = House::with_daemon();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut child = house.command().arg("--stdio").stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
    let mut wire = Wire::over(ours);
    wire.ask(1, "add", &json!({"path": house.tree()}));
    assert_eq!(wire.error(Some(1)), -32009);
    drop(wire);
    assert!(child.wait().unwrap().success());
}

#[test]
fn unknown_arguments_are_refused() {
    let house = House::empty();
    let output = house.command().arg("--demon").stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--demon"));
    let output = house.command().arg("--version").stdout(Stdio::piped()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hearthd "));
}
