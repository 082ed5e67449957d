//! What the daemon withstands.

use crate::house::{House, wait_for};
use crate::wire::Wire;
use hearth_core::limits::{CONNECTIONS, MESSAGE_BYTES, REQUESTS_PER_CONNECTION};
use serde_json::json;

fn assert_unharmed(house: &House) {
    assert!(house.client().status().unwrap().daemon.requests_total > 0);
}

#[test]
fn a_huge_message_is_refused_and_the_connection_goes_on() {
    let house = House::with_daemon();
    let mut wire = house.wire();
    let piece = vec![b'x'; MESSAGE_BYTES / 2];
    for _ in 0..20 {
        wire.send(&piece);
    }
    wire.send(b"\n");
    wire.ask(1, "list", &json!({}));
    assert_eq!(wire.error(None), -32010);
    assert_eq!(wire.reply(Some(1))["result"]["sources"], json!([]));
}

#[test]
fn half_a_message_and_a_closed_connection_do_no_harm() {
    let house = House::with_daemon();
    for _ in 0..20 {
        house.wire().send(br#"{"jsonrpc":"2.0","id":1,"met"#);
    }
    assert_unharmed(&house);
}

#[test]
fn half_a_message_and_the_end_of_sending_is_an_error() {
    let house = House::with_daemon();
    let mut wire = house.wire();
    wire.send(br#"{"jsonrpc":"2.0","id":1,"met"#);
    wire.stop_sending();
    assert_eq!(wire.error(None), -32700);
    assert!(wire.is_closed());
}

#[test]
fn a_client_that_only_stops_sending_gets_its_replies() {
    let house = House::with_files([&b"a"[..]]);
    let mut wire = house.wire();
    for id in 1..=200 {
        wire.ask(id, "find", &json!({"count": true}));
    }
    wire.stop_sending();
    let mut ids: Vec<i64> = (0..200).map(|_| wire.message()["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=200).collect::<Vec<i64>>());
    assert!(wire.is_closed());
}

#[test]
fn garbage_is_answered_line_by_line() {
    let house = House::with_daemon();
    let mut wire = house.wire();
    wire.send(b"\xff\xfe\x00\x01\n\n   \n{\"a\":1}\n[1,2]\nnull\n");
    assert_eq!(
        [wire.error(None), wire.error(None), wire.error(None), wire.error(None)],
        [-32700, -32600, -32600, -32600]
    );
    wire.send(format!("{}\n", "[".repeat(100_000)).as_bytes());
    wire.send(format!("{}\n", "{\"params\":".repeat(100_000)).as_bytes());
    assert_eq!([wire.error(None), wire.error(None)], [-32600, -32700]);
    wire.send(br#"{"jsonrpc":"2.0","method":"list"}"#);
    wire.send(b"\n");
    assert_eq!(wire.error(None), -32600);
    wire.ask(1, "list", &json!({}));
    wire.reply(Some(1));
    assert_unharmed(&house);
}

#[test]
fn a_thousand_connections_are_served_up_to_the_limit() {
    let house = House::with_daemon();
    raise_descriptor_limit();
    let mut open: Vec<Wire> = (0..1000).map(|_| house.wire()).collect();
    let (mut served, mut refused) = (0, 0);
    for wire in &mut open {
        let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\",\"params\":{}}\n";
        // Those turned away may be closed before they could ask.
        let _ = std::io::Write::write_all(&mut wire.stream, request);
        let message = wire.message();
        match message["error"]["code"].as_i64() {
            None => served += 1,
            Some(-32006) => {
                assert_eq!(message["error"]["data"]["limit"], json!(CONNECTIONS));
                assert!(wire.is_closed());
                refused += 1;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    // `start` looked for the socket with connections that may still have been counted at the first.
    assert!(served <= CONNECTIONS && served + 4 >= CONNECTIONS, "{served} served");
    assert_eq!(served + refused, 1000);
    drop(open);
    wait_for("room for a new connection", || {
        let mut wire = house.wire();
        let asked = std::io::Write::write_all(
            &mut wire.stream,
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n",
        );
        asked.is_ok() && wire.message().get("result").is_some()
    });
}

/// This process needs a thousand sockets of its own.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[test]
fn more_requests_than_may_run_wait_for_their_turn() {
    let house = House::with_files([&b"a"[..], b"b"]);
    let mut wire = house.wire();
    let many = 10 * REQUESTS_PER_CONNECTION as i64;
    let mut lines = String::new();
    for id in 0..many {
        lines +=
            &format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"find\",\"params\":{{\"limit\":5}}}}\n");
    }
    wire.send(lines.as_bytes());
    let mut replies = 0;
    while replies < many {
        let message = wire.message();
        assert!(message.get("error").is_none(), "{message}");
        replies += i64::from(message.get("result").is_some());
    }
}

/// Exports that nobody reads: two hold the threads of the bulk lane, the third waits for one.
fn stuck_exports(house: &House) -> [Wire; 3] {
    let stuck = [(); 3].map(|()| {
        let mut wire = house.wire();
        wire.ask(1, "find", &json!({}));
        wire
    });
    let mut other = house.wire();
    wait_for("the exports to stand still", || {
        other.ask(1, "status", &json!({}));
        other.reply(Some(1))["result"]["daemon"]["bulk_waiting"] == json!(1)
    });
    stuck
}

#[test]
fn a_client_that_stops_reading_holds_up_only_itself() {
    let house = House::with_a_large_tree();
    let stuck = stuck_exports(&house);
    let mut other = house.wire();
    let before = house.client().status().unwrap().daemon.rss_bytes.unwrap();
    for id in 2..200 {
        other.ask(id, "find", &json!({"query": "name-00007", "limit": 10}));
        assert_eq!(other.reply(Some(id))["result"]["matched"], json!(1));
    }
    let after = house.client().status().unwrap().daemon.rss_bytes.unwrap();
    assert!(after < before + (64 << 20), "{before} → {after} bytes");
    // Whoever goes away frees the threads it held.
    drop(stuck);
    let mut export = house.wire();
    export.ask(1, "find", &json!({}));
    assert_eq!(export.reply(Some(1))["result"]["shown"], json!(12_001));
}

#[test]
fn a_stuck_client_that_reads_again_gets_everything() {
    let house = House::with_a_large_tree();
    let mut wire = house.wire();
    wire.ask(1, "find", &json!({"encoding": "nul", "query": "type:file"}));
    let mut jsonl = house.wire();
    jsonl.ask(1, "find", &json!({"encoding": "jsonl", "query": "type:file"}));
    for (wire, end) in [(&mut wire, 0), (&mut jsonl, b'\n')] {
        let mut rows = 0;
        loop {
            let message = wire.message();
            let Some(length) = message["params"]["raw_bytes"].as_u64() else {
                assert_eq!(message["result"]["shown"], json!(12_000));
                break;
            };
            let raw = wire.raw(length as usize);
            assert_eq!(raw.last(), Some(&end), "a frame holds whole rows");
            rows += raw.iter().filter(|&&byte| byte == end).count();
        }
        assert_eq!(rows, 12_000);
    }
}

#[test]
fn an_id_in_use_is_refused() {
    let house = House::with_a_large_tree();
    let _stuck = stuck_exports(&house);
    let mut wire = house.wire();
    wire.ask(1, "find", &json!({}));
    wire.ask(1, "find", &json!({}));
    // The first has no thread to run on.
    assert_eq!(wire.error(Some(1)), -32600);
}

#[test]
fn an_id_is_free_as_soon_as_its_reply_is_read() {
    let house = House::with_files([&b"a"[..]]);
    let mut wire = house.wire();
    for _ in 0..500 {
        wire.ask(1, "find", &json!({"count": true}));
        assert_eq!(wire.message()["result"]["matched"], json!(2));
    }
}
