//! `rpc`: a script talks to the daemon.

use crate::world::World;
use std::io::Write as _;
use std::process::Stdio;

fn rpc(world: &World, input: &str) -> (Vec<u8>, i32) {
    let mut child = world
        .command(&["rpc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("hearth runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("hearth reads");
    let output = child.wait_with_output().expect("hearth ends");
    (output.stdout, output.status.code().expect("it was not killed"))
}

#[test]
fn every_request_has_its_reply() {
    let world = World::with(&["a.txt", "b.txt"]);
    let input = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":"two","method":"find","params":{"query":"txt"}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":3,"method":"nonsense"}"#,
        "\n",
        "not json\n",
    );
    let (output, code) = rpc(&world, input);
    assert_eq!(code, 0);
    let text = String::from_utf8(output).expect("replies are text");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("replies are JSON")).collect();
    let reply = |id: serde_json::Value| {
        lines.iter().find(|line| line["id"] == id && line["method"].is_null()).expect("a reply")
    };
    assert_eq!(reply(1.into())["result"]["protocol"], 1);
    assert_eq!(reply("two".into())["result"]["matched"], 2);
    assert_eq!(reply(3.into())["error"]["code"], -32601);
    assert!(lines.iter().any(|line| line["error"]["code"] == -32700), "{text}");
    assert!(lines.iter().any(|line| line["method"] == "rows"), "{text}");
}

#[test]
fn raw_frames_pass_unchanged() {
    let world = World::with(&["x\ny.txt"]);
    let input = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"find\",\"params\":{\"query\":\"txt\",\"encoding\":\"nul\"}}\n";
    let (output, code) = rpc(&world, input);
    assert_eq!(code, 0);
    let path = format!("{}/x\ny.txt\0", world.tree().display());
    assert!(
        output.windows(path.len()).any(|window| window == path.as_bytes()),
        "{}",
        String::from_utf8_lossy(&output)
    );
}

#[test]
fn no_request_is_no_reply() {
    let world = World::empty();
    assert_eq!(rpc(&world, ""), (Vec::new(), 0));
}
