//! Questions that wait in the daemon for a load, asked of a daemon that takes its time.

use crate::terminal::terminal;
use crate::world::World;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::Duration;

/// Progress that is told before an answer; more than half a second of it.
const LOOKS: u64 = 14;
const BETWEEN_LOOKS: Duration = Duration::from_millis(60);

/// A daemon for one client that answers `question` after a while, or never. Ends with the client; gives the
/// methods that were asked.
fn slow_daemon(world: &World, question: &'static str, answers: bool) -> JoinHandle<Vec<String>> {
    let run = world.home().join("run");
    std::fs::create_dir_all(&run).expect("a folder");
    let listener = UnixListener::bind(run.join("hearth.sock")).expect("a socket");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut methods = Vec::new();
        for line in BufReader::new(stream.try_clone().expect("the same")).lines() {
            let asked: Value = serde_json::from_str(&line.expect("a line")).expect("it is JSON");
            let method = asked["method"].as_str().expect("a method").to_owned();
            let result = if method == question {
                take_time(&stream, methods.iter().any(|method| method == "subscribe"));
                json!({"type": "summary", "v": 1, "shown": 0, "elapsed_us": 1, "meta": []})
            } else {
                json!({"topics": ["progress"]})
            };
            if answers || method != question {
                say(&stream, &json!({"jsonrpc": "2.0", "id": asked["id"], "result": result}));
            }
            methods.push(method);
        }
        methods
    })
}

fn take_time(stream: &UnixStream, subscribed: bool) {
    for look in 1..=LOOKS {
        if subscribed {
            let scan = json!({"source": "docs", "entries": look, "elapsed_ms": 1000, "done": false});
            say(stream, &json!({"jsonrpc": "2.0", "method": "progress", "params": scan}));
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

fn say(mut stream: &UnixStream, message: &Value) {
    writeln!(stream, "{message}").expect("the client reads");
}

#[test]
fn a_person_sees_how_far_the_load_is() {
    for question in ["find", "du", "stats", "dupes"] {
        let world = World::empty();
        let daemon = slow_daemon(&world, question, true);
        let (mut screen, stderr) = terminal();
        let mut command = world.command(&[question]);
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().expect("hearth runs");
        // The command holds the other end too; only once it is closed does reading end.
        command.stderr(Stdio::null());
        let mut shown = Vec::new();
        let _ = screen.read_to_end(&mut shown);
        let shown = String::from_utf8_lossy(&shown);
        assert!(child.wait_with_output().expect("it ends").status.code().is_some(), "{question}");
        assert!(
            shown.contains("\r\x1b[2Kreading docs: ") && shown.contains(" entries, "),
            "{question}: {shown:?}"
        );
        assert!(
            !shown.contains("reading docs: 1 entries"),
            "{question}: silent for half a second: {shown:?}"
        );
        assert!(shown.ends_with("\r\x1b[2K") || question == "dupes", "{question}: nothing stays: {shown:?}");
        assert_eq!(daemon.join().expect("it ends"), ["subscribe", question]);
    }
}

#[test]
fn a_program_asks_for_no_progress() {
    let world = World::empty();
    let daemon = slow_daemon(&world, "find", true);
    assert_eq!(world.run(&["find", "x"]).stderr, "");
    assert_eq!(daemon.join().expect("it ends"), ["find"]);
}

#[test]
fn an_interrupt_ends_the_wait_and_the_question() {
    let world = World::empty();
    let daemon = slow_daemon(&world, "find", false);
    let mut child = world
        .command(&["find", "x"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("hearth runs");
    std::thread::sleep(BETWEEN_LOOKS * 4);
    assert!(child.try_wait().expect("it is ours").is_none(), "it waits");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    assert_eq!(child.wait().expect("it ends").signal(), Some(2));
    assert_eq!(daemon.join().expect("its client is gone"), ["find"]);
}
