//! `since` and `watch`, as a person or a script sees them.

use crate::world::{World, of_type};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Child, ChildStdout, Stdio};

/// The clock that answers carry.
fn clock(world: &World) -> String {
    let lines = world.json(&["find", "--json", "-n", "1"]);
    let summary = of_type(&lines, "summary")[0].clone();
    summary["meta"][0]["clock"].as_str().expect("a clock").to_owned()
}

/// What changed since a clock, once something has.
fn since(world: &World, clock: &str) -> (Vec<String>, String) {
    for _ in 0..3000 {
        let run = world.run(&["since", clock]);
        if run.code == 0 {
            return (world.relative(&run), run.stderr);
        }
        assert_eq!((run.code, run.text().as_str()), (1, ""), "{}", run.stderr);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nothing changed")
}

#[test]
fn since_shows_what_changed_and_where_to_go_on() {
    let world = World::with(&["a", "b/c"]);
    let before = clock(&world);
    fs::rename(world.tree().join("b"), world.tree().join("d")).expect("renamed");
    let (lines, notes) = since(&world, &before);
    assert_eq!(lines[0], "> b/ -> d/");
    let next = notes.trim_end().rsplit(' ').next().expect("a clock").to_owned();
    assert!(notes.contains("go on with") && next.starts_with("c1."), "{notes}");
    fs::remove_file(world.tree().join("a")).expect("removed");
    assert_eq!(since(&world, &next).0[0], "- a");
    let lines = world.json(&["since", "--json", "--in", "d", &before]);
    let change = of_type(&lines, "change")[0];
    assert_eq!((&change["what"], &change["kind"]), (&"renamed".into(), &"dir".into()), "{change}");
    assert!(of_type(&lines, "summary")[0]["clock"].is_string());
}

#[test]
fn since_that_waits_misses_nothing() {
    let world = World::with(&["a"]);
    let before = clock(&world);
    for number in 0..10 {
        fs::write(world.tree().join(format!("n{number}")), "").expect("written");
        let run = world.run(&["since", &before, "--wait-fresh", "30s"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let lines = world.relative(&run);
        assert!(lines.contains(&format!("+ n{number}")), "{lines:?}");
    }
}

#[test]
fn a_clock_that_nobody_knows_is_an_error_that_says_what_to_do() {
    let world = World::with(&["a"]);
    let run = world.run(&["since", "yesterday"]);
    assert!(run.code == 2 && run.stderr.contains("no clock"), "{}", run.stderr);
    let run = world.run(&["since", "c1.1.1.1"]);
    assert!(run.code == 2 && run.stderr.contains("list anew"), "{}", run.stderr);
}

/// A running watch.
struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn begin(world: &World, args: &[&str]) -> Self {
        let mut command = world.command(&[&["watch"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hearth runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    /// The next line that holds this.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.lines.read_line(&mut line).expect("readable"),
                0,
                "the watch ended before {text}"
            );
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn end(mut self) -> String {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        let mut notes = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut notes).expect("text");
        notes
    }
}

#[test]
fn a_watch_shows_what_appears_changes_moves_and_vanishes() {
    let world = World::with(&["old.rs"]);
    let since = clock(&world);
    let mut watch = Watch::begin(&world, &["*.rs", "--since", &since]);
    world.put(b"new.rs");
    let root = world.tree().display().to_string();
    assert_eq!(watch.wait_for("new.rs"), format!("+ {root}/new.rs"));
    fs::rename(world.tree().join("old.rs"), world.tree().join("older.rs")).expect("renamed");
    assert_eq!(watch.wait_for("older.rs"), format!("> {root}/old.rs -> {root}/older.rs"));
    fs::remove_file(world.tree().join("new.rs")).expect("removed");
    watch.wait_for("- ");
    watch.end();
}

#[test]
fn a_watch_of_what_is_compared_now_and_then_says_so() {
    let world = World::empty();
    fs::DirBuilder::new().mode(0o700).create(world.home()).expect("made");
    fs::write(world.home().join("config.toml"), "[watch]\nfeed = \"poll\"\npoll_s = 1\n").expect("written");
    world.put(b"a.rs");
    world.index();
    let mut watch = Watch::begin(&world, &["*.rs"]);
    // A watch says nothing when it is ready; what comes after that is shown.
    for number in 0..3 {
        world.put(format!("b{number}.rs").as_bytes());
        std::thread::sleep(std::time::Duration::from_millis(1500));
    }
    watch.wait_for("+ ");
    let notes = watch.end();
    assert!(notes.contains("tree: changes show late: polled every 1 s"), "{notes}");
}

#[test]
fn a_watch_goes_on_with_the_next_daemon() {
    let world = World::with(&["a.rs"]);
    let since = clock(&world);
    let mut watch = Watch::begin(&world, &["*.rs", "--json", "--since", &since]);
    world.put(b"b.rs");
    watch.wait_for("appeared");
    assert_eq!(world.run(&["daemon", "restart"]).code, 0);
    let line = watch.wait_for("resync");
    assert!(line.contains(r#""source":"tree""#) && line.contains(r#""why":"#), "{line}");
    world.put(b"c.rs");
    watch.wait_for("c.rs");
    let notes = watch.end();
    assert!(notes.contains("the daemon is gone") && notes.contains("connected again"), "{notes}");
    assert!(notes.contains("list anew"), "{notes}");
}

#[test]
fn what_makes_no_sense_in_a_standing_query_is_refused_where_it_stands() {
    let world = World::with(&["a"]);
    let run = world.run(&["watch", "a", "dupe:size"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("dupe:") && run.stderr.contains("kept"), "{}", run.stderr);
}
