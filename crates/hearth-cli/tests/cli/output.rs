//! The forms of an answer, and the two streams.

use crate::world::{PATIENCE_MS, World, finished, of_type};
use std::io::Read as _;
use std::process::Stdio;

fn world() -> World {
    World::with(&["a/one.txt", "a/two,\"2\".txt", "b/three.txt"])
}

#[test]
fn data_is_all_there_is_on_standard_output() {
    let world = world();
    let run = world.run(&["find", "one"]);
    assert_eq!(run.stdout, format!("{}/a/one.txt\n", world.tree().display()).as_bytes());
    assert_eq!(run.stderr, "");
    let none = world.run(&["find", "absent"]);
    assert_eq!((none.code, none.stdout.as_slice(), none.stderr.as_str()), (1, b"".as_slice(), ""));
}

#[test]
fn json_is_entries_and_a_summary() {
    let world = world();
    let lines = world.json(&["find", "one", "--json"]);
    let [entry, summary] = lines.as_slice() else { panic!("{lines:?}") };
    let stat = std::fs::metadata(world.tree().join("a/one.txt")).expect("it exists");
    assert_eq!(entry["type"], "entry");
    assert_eq!(entry["path"], world.tree().join("a/one.txt").to_str().expect("it is text"));
    assert_eq!(
        (&entry["name"], &entry["kind"], &entry["source"]),
        (&"one.txt".into(), &"file".into(), &"tree".into())
    );
    assert_eq!(entry["size"], stat.len());
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(entry["modified_ns"], stat.mtime() * 1_000_000_000 + stat.mtime_nsec());
    assert_eq!((&entry["mode"], &entry["uid"]), (&stat.mode().into(), &stat.uid().into()));
    assert_eq!((&entry["file_id"], &entry["links"]), (&stat.ino().into(), &stat.nlink().into()));
    for field in ["allocated", "created_ns", "accessed_ns", "gid"] {
        assert!(!entry[field].is_null() || field == "created_ns", "{field}");
    }
    assert_eq!(
        (&summary["type"], &summary["matched"], &summary["shown"]),
        (&"summary".into(), &1.into(), &1.into())
    );
    assert!(summary["elapsed_us"].is_u64());
    let meta = &summary["meta"][0];
    assert_eq!((&meta["source"], &meta["complete"]), (&"tree".into(), &true.into()));
}

#[test]
fn json_of_nothing_is_a_summary_and_exit_code_one() {
    let run = world().run(&["find", "absent", "--json"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.json()[0]["matched"], 0);
}

#[test]
fn the_exact_total_survives_a_limit() {
    let lines = world().json(&["find", "txt", "--json", "-n", "1"]);
    let summary = of_type(&lines, "summary")[0];
    assert_eq!((&summary["matched"], &summary["shown"]), (&3.into(), &1.into()));
}

#[test]
fn counting() {
    let world = world();
    assert_eq!(world.lines(&["txt", "--count"]), ["3"]);
    let none = world.run(&["absent", "-c"]);
    assert_eq!((none.code, none.text().as_str()), (1, "0\n"));
    let lines = world.json(&["txt", "--count", "--json"]);
    assert_eq!((lines.len(), &lines[0]["matched"]), (1, &3.into()));
}

#[test]
fn csv_is_quoted_and_headed() {
    let lines = world().lines(&["two", "--csv"]);
    assert!(lines[0].starts_with("path,name,kind,size,"), "{}", lines[0]);
    assert!(lines[1].starts_with("\"a/two,\"\"2\"\".txt\",\"two,\"\"2\"\".txt\",file,13,"), "{}", lines[1]);
    assert!(lines[1].ends_with(",tree,,,"), "{}", lines[1]);
}

#[test]
fn csv_of_nothing_is_a_header() {
    let run = world().run(&["absent", "--csv"]);
    assert_eq!((run.code, run.text().lines().count()), (1, 1));
}

#[test]
fn templates() {
    let world = world();
    assert_eq!(
        world.lines(&["one", "--format", "{name}\\t{ext}\\t{size}\\t{size:h}\\t{kind}\\t{{}}"]),
        ["one.txt\ttxt\t9\t9\tfile\t{}"]
    );
    let run = world.run(&["txt", "--format", "{name}", "-0", "--in", "b"]);
    assert_eq!(run.stdout, b"three.txt\0");
    let iso = world.lines(&["one", "--format", "{modified:iso}"]);
    assert!(iso[0].ends_with("+00:00") && iso[0].len() == 25, "{iso:?}");
}

#[test]
fn long_rows_have_their_columns() {
    let lines = world().lines(&["one", "-l"]);
    let columns: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(columns.len(), 8, "{lines:?}");
    assert!(columns[0].starts_with("-rw"), "{lines:?}");
    assert_eq!((columns[1], columns[4], columns[7]), ("1", "9", "a/one.txt"));
}

#[test]
fn colour_and_links_only_when_asked_for_or_seen() {
    let world = world();
    let tree = world.tree();
    let colored = format!("\x1b[01;34m{}/b/\x1b[0mthree.txt\n", tree.display());
    assert_eq!(world.run(&["three", "--color", "always"]).text(), colored);
    assert_eq!(finished(world.command(&["three"]).env("CLICOLOR_FORCE", "1")).text(), colored);
    let plain = format!("{}/b/three.txt\n", tree.display());
    assert_eq!(
        finished(world.command(&["three"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")).text(),
        plain
    );
    assert_eq!(world.run(&["three", "--color=never"]).text(), plain);
    assert_eq!(world.run(&["three", "--hyperlink=auto"]).text(), plain);
    let linked = world.run(&["three", "--hyperlink=always"]).text();
    assert!(linked.starts_with("\x1b]8;;file://") && linked.ends_with("\x1b]8;;\x1b\\\n"), "{linked:?}");
    let ls = finished(world.command(&["three", "--color=always"]).env("LS_COLORS", "*.txt=31:di=4"));
    assert_eq!(ls.text(), format!("\x1b[4m{}/b/\x1b[0m\x1b[31mthree.txt\x1b[0m\n", tree.display()));
}

#[test]
fn explanations_go_beside_the_data() {
    let world = world();
    let run = world.run(&["one", "--explain"]);
    assert_eq!(world.relative(&run), ["a/one.txt"]);
    assert!(run.stderr.contains("tree: ") && run.stderr.contains("candidates"), "{}", run.stderr);
    let lines = world.json(&["one", "--explain", "--json"]);
    let explain = of_type(&lines, "explain")[0];
    assert!(explain["accelerator"].is_string() && explain["steps"].is_array(), "{explain}");
    assert!(of_type(&lines, "summary")[0]["explain"].is_null());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::empty();
    (0..4000).for_each(|number| world.put(format!("{}{number}", "name".repeat(50)).as_bytes()));
    world.index();
    for form in [&["find"][..], &["find", "--json"], &["find", "--csv"], &["find", "-0"], &["find", "-l"]] {
        let mut child =
            world.command(form).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hearth runs");
        let mut first = [0; 10];
        child.stdout.take().expect("a pipe").read_exact(&mut first).expect("rows come");
        let output = child.wait_with_output().expect("hearth ends");
        assert_eq!(output.status.code(), Some(0), "{form:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{form:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let world = world();
    let full = std::fs::File::options().write(true).open("/dev/full").expect("every Linux has it");
    let run = finished(world.command(&["txt"]).stdout(full));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("cannot write to standard output"), "{}", run.stderr);
}

#[test]
fn a_private_daemon_answers_and_leaves() {
    let world = world();
    assert_eq!(world.lines(&["one", "--no-daemon"]), ["a/one.txt"]);
    assert_eq!(world.run(&["daemon", "stop"]).code, 0);
    assert_eq!(world.lines(&["one", "--no-daemon"]), ["a/one.txt"]);
    assert_eq!(world.run(&["daemon", "stop"]).code, 1, "the private daemon must not have stayed");
}

#[test]
fn waiting_for_completeness() {
    let world = world();
    assert_eq!(world.lines(&["one", "--wait", "--timeout", PATIENCE_MS]), ["a/one.txt"]);
}
