//! What goes wrong, how it is told, and exit code 2.

use crate::world::{World, finished};

#[test]
fn a_bad_query_is_pointed_at() {
    let world = World::with(&["a"]);
    let run = world.run(&["find", "foo", "siez:3"]);
    assert_eq!((run.code, run.stdout.as_slice()), (2, b"".as_slice()));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("hearth: error: "), "{}", run.stderr);
    assert_eq!(lines[1], "  foo siez:3", "{}", run.stderr);
    assert_eq!(lines[2], "      ^", "{}", run.stderr);
    assert!(run.stderr.contains("size"), "{}", run.stderr);
}

#[test]
fn a_bad_value_of_an_option_is_pointed_at_in_the_query_it_became() {
    let world = World::with(&["a"]);
    let run = world.run(&["a", "--size", "lots"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("  a size:\"lots\"\n"), "{}", run.stderr);
}

#[test]
fn json_errors_are_objects_too() {
    let world = World::with(&["a"]);
    let run = world.run(&["find", "re:(", "--json"]);
    assert_eq!(run.code, 2);
    let lines = run.json();
    let error = lines.last().expect("there is one");
    assert_eq!(
        (&error["type"], &error["code"], &error["kind"]),
        (&"error".into(), &(-32008).into(), &"bad_query".into())
    );
    assert!(error["data"]["position"].is_u64() && error["message"].is_string(), "{error}");
    assert!(run.stderr.contains("error: "), "{}", run.stderr);
    let usage = world.run(&["find", "--json", "--nonsense"]);
    assert_eq!((usage.code, &usage.json()[0]["code"]), (2, &(-32602).into()));
}

#[test]
fn a_bad_template_is_refused_before_anything_is_asked() {
    let world = World::empty();
    let run = world.run(&["x", "--format", "{path} {nope}"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("  {path} {nope}\n         ^\n"), "{}", run.stderr);
    assert!(!world.home().exists(), "no daemon was needed");
}

#[test]
fn arguments_that_do_not_go_together_are_refused() {
    let world = World::empty();
    for args in [
        &["x", "--long", "--csv"][..],
        &["x", "--count", "--limit", "3"],
        &["x", "-r", "-x"],
        &["x", "-s"],
        &["x", "-t", "folders"],
        &["x", "-n", "many"],
        &["x", "-n", "0"],
        &["x", "--color", "blue"],
        &["stats", "--by", "colour"],
        &["dupes", "--min-size", "big"],
        &["daemon"],
        &["forget"],
        &[],
    ] {
        let run = world.run(args);
        assert_eq!(run.code, 2, "{args:?}");
        assert_eq!(run.text(), "", "{args:?}");
        assert!(!run.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn bad_sort_keys_are_refused() {
    let run = World::with(&["a"]).run(&["a", "--sort", "sise"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("sise") && run.stderr.contains("size"), "{}", run.stderr);
}

#[test]
fn a_folder_outside_every_source_is_an_error_with_a_way_out() {
    let world = World::with(&["a"]);
    let run = world.run(&["a", "--in", "/nonexistent-folder"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("hearth add"), "{}", run.stderr);
}

#[test]
fn a_missing_daemon_program_is_explained() {
    let world = World::empty();
    let run = finished(world.command(&["x"]).env("HEARTH_DAEMON", "/nonexistent/hearthd"));
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("/nonexistent/hearthd") && run.stderr.contains("HEARTH_DAEMON"),
        "{}",
        run.stderr
    );
}

#[test]
fn kinds_of_later_builds_are_refused_clearly() {
    let world = World::empty();
    let run = world.run(&["add", ".", "--as", "workspace"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("not in this build"), "{}", run.stderr);
}

#[test]
fn a_timeout_is_an_error() {
    let world = World::empty();
    (0..3000).for_each(|number| world.put(format!("d{}/f{number}", number % 50).as_bytes()));
    world.index();
    let run = world.run(&["find", "re:.*f.*1.*", "--timeout", "0"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("timed out") || run.stderr.contains("timeout"), "{}", run.stderr);
}

#[test]
fn operators_arguments_are_checked_before_a_daemon_is_needed() {
    let world = World::empty();
    for args in
        [&["pin"][..], &["preload", "--pin-minutes", "0"], &["preload", "-p", "x"], &["hibernate", "--force"]]
    {
        let run = world.run(args);
        assert_eq!(run.code, 2, "{args:?}");
        assert!(run.stderr.contains("hint: "), "{args:?}: {}", run.stderr);
    }
    assert!(!world.home().exists());
}
