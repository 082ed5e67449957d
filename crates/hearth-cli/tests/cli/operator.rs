//! `preload`, `pin`, `unpin`, `hibernate`, `forget`: what is in memory, as an operator decides it.

use crate::world::{PATIENCE_MS, Run, World, of_type};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

/// A world with one source, `tree`, that is in memory.
fn world() -> World {
    World::with(&["a.txt", "b/c.txt"])
}

/// The state of the source `tree`.
fn shard(world: &World) -> Value {
    let status = world.json(&["status", "--json"]);
    of_type(&status, "shard").into_iter().find(|shard| shard["name"] == "tree").expect("it is there").clone()
}

fn succeeded(run: &Run) -> String {
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    run.text()
}

#[test]
fn a_source_goes_out_of_memory_and_comes_back() {
    let world = world();
    let text = succeeded(&world.run(&["hibernate", "tree"]));
    assert!(text.starts_with("hibernated tree, ") && text.ends_with(" freed\n"), "{text}");
    assert_ne!(text, "hibernated tree, 0 freed\n");
    let asleep = shard(&world);
    assert_eq!((&asleep["tier"], &asleep["resident_bytes"]), (&json!("cold"), &json!(0)), "{asleep}");
    assert_eq!(world.lines(&["find", "=a.txt", "--wait", "--timeout", PATIENCE_MS]), ["a.txt"]);
    let awake = shard(&world);
    assert!(awake["resident_bytes"].as_u64() > Some(0) && awake["promotions_total"] == 1, "{awake}");
    succeeded(&world.run(&["hibernate"]));
    let text = succeeded(&world.run(&["preload", "--timeout", PATIENCE_MS]));
    assert!(text.starts_with("preloaded tree, ") && !text.contains("pinned"), "{text}");
    assert_eq!(shard(&world)["tier"], "hot");
}

#[test]
fn a_source_out_of_memory_is_a_line_of_dashes() {
    let world = world();
    succeeded(&world.run(&["hibernate"]));
    let lines = world.lines(&["status"]);
    let line = lines.iter().find(|line| line.starts_with("tree ")).expect("its line");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((&words[..3], &words[4..7]), (&["tree", "cold", "-"][..], &["-", "-", "-"][..]), "{line}");
}

#[test]
fn hibernating_what_is_not_in_memory_finds_nothing() {
    let world = world();
    succeeded(&world.run(&["hibernate"]));
    let run = world.run(&["hibernate"]);
    assert_eq!((run.code, run.text().as_str()), (1, ""));
    assert!(run.stderr.contains("nothing is in memory"), "{}", run.stderr);
}

#[test]
fn a_pin_with_a_time_says_when_it_ends() {
    let world = world();
    let text = succeeded(&world.run(&["preload", "tree", "--pin-minutes", "30"]));
    assert!(text.ends_with(", pinned for 30 min\n"), "{text}");
    let pinned = shard(&world);
    assert_eq!((&pinned["tier"], &pinned["pinned"]), (&json!("hot"), &json!(true)), "{pinned}");
    assert!(pinned["pin_expires_ns"].as_i64() > Some(0), "{pinned}");
    let json = world.json(&["preload", ".", "-p", "60", "--json"]);
    assert_eq!((&json[0]["type"], &json[0]["name"]), (&json!("source"), &json!("tree")));
    assert!(json[0]["pin_expires_ns"].as_i64() > pinned["pin_expires_ns"].as_i64(), "{json:?}");
}

#[test]
fn a_pinned_source_stays_until_it_is_unpinned() {
    let world = world();
    let text = succeeded(&world.run(&["pin", "tree"]));
    assert!(text.starts_with("pinned tree, "), "{text}");
    let pinned = shard(&world);
    assert_eq!((&pinned["pinned"], &pinned["pin_expires_ns"]), (&json!(true), &Value::Null), "{pinned}");
    let refused = world.run(&["hibernate", "tree"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("hearth unpin tree"), "{}", refused.stderr);
    assert_eq!(world.run(&["hibernate"]).code, 1, "all that are not pinned is none");
    assert_eq!(succeeded(&world.run(&["unpin"])), "unpinned tree\n");
    assert_eq!(shard(&world)["pinned"], false);
    assert_eq!(world.run(&["unpin"]).code, 1, "there is no pin");
    succeeded(&world.run(&["hibernate", "tree"]));
}

#[test]
fn a_pin_outlives_a_refresh() {
    let world = world();
    succeeded(&world.run(&["pin", "tree"]));
    succeeded(&world.run(&["refresh", "--wait", "--timeout", PATIENCE_MS]));
    let shard = shard(&world);
    assert_eq!((&shard["tier"], &shard["pinned"]), (&json!("hot"), &json!(true)), "{shard}");
}

#[test]
fn a_source_in_memory_is_forgotten_only_by_force() {
    let world = world();
    let refused = world.run(&["forget", "tree", "--json"]);
    assert_eq!(refused.code, 2);
    let error = &refused.json()[0];
    assert_eq!((&error["code"], &error["kind"]), (&json!(-32012), &json!("in_memory")), "{error}");
    assert_eq!(error["data"]["tier"], "warm", "{error}");
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    let forgotten = &world.json(&["forget", "tree", "--force", "--json"])[0];
    assert!(forgotten["type"] == "source" && forgotten["freed_bytes"].as_u64() > Some(0), "{forgotten}");
    assert!(forgotten["snapshot_bytes"].is_u64(), "{forgotten}");
    assert_eq!(world.run(&["list"]).code, 1);
}

#[test]
fn a_source_out_of_memory_is_forgotten_without_force() {
    let world = world();
    succeeded(&world.run(&["hibernate"]));
    let text = succeeded(&world.run(&["forget", "tree"]));
    assert!(text.contains("), 0 of memory and ") && text.ends_with(" of disk freed\n"), "{text}");
}

#[test]
fn a_source_that_is_not_there_is_an_error_with_a_hint() {
    let world = world();
    for command in ["preload", "pin", "unpin", "hibernate"] {
        let run = world.run(&[command, "tree", "absent"]);
        assert_eq!((run.code, run.text().as_str()), (2, ""), "{command}");
        assert!(run.stderr.contains("hint: "), "{command}: {}", run.stderr);
        assert_eq!(world.json(&[command, "/nonexistent-folder", "--json"])[0]["code"], -32001, "{command}");
    }
    assert_eq!(shard(&world)["pinned"], false, "nothing happened to the one that is there");
}

#[test]
fn subscribers_hear_of_every_move() {
    let world = world();
    let mut child = world
        .command(&["rpc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("hearth runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("it is text");
        serde_json::from_str(&line).expect("it is JSON")
    };
    let ask =
        json!({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"topics": ["transitions"]}});
    writeln!(input, "{ask}").expect("hearth reads");
    assert_eq!(next()["result"]["topics"], json!(["transitions"]));
    succeeded(&world.run(&["hibernate", "tree"]));
    let mut sequences = Vec::new();
    let went = loop {
        let message = next();
        assert_eq!(message["method"], "transition", "{message}");
        let params = message["params"].clone();
        sequences.push(params["sequence"].as_u64().expect("a number"));
        if params["axis"] == "tier" {
            break params;
        }
    };
    assert_eq!(
        (&went["source"], &went["from"], &went["to"], &went["reason"], &went["bytes"]),
        (&json!("tree"), &json!("warm"), &json!("cold"), &json!("hibernate"), &json!(0)),
        "{went}"
    );
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "{sequences:?}");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}
