//! Stopping requests: by `cancel`, by time, by closing.

use crate::house::{House, wait_for};
use crate::wire::Wire;
use hearth_client::{Entry, FindHandler};
use hearth_protocol::params::FindParams;
use serde_json::json;
use std::io;

struct Ignore;

impl FindHandler for Ignore {
    fn entries(&mut self, _: Vec<Entry>) -> io::Result<()> {
        Ok(())
    }

    fn raw(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Clients that do not read the export they asked for: two hold the threads of the bulk lane, one waits.
fn occupy_bulk_lane(house: &House) -> [Wire; 3] {
    let stuck = [(); 3].map(|()| {
        let mut wire = house.wire();
        wire.ask(1, "find", &json!({}));
        wire
    });
    let mut client = house.client();
    wait_for("the bulk lane to be full", || client.status().unwrap().daemon.bulk_waiting == 1);
    stuck
}

#[test]
fn a_request_that_waits_is_cancelled_at_once() {
    let house = House::with_a_large_tree();
    let _stuck = occupy_bulk_lane(&house);
    let mut wire = house.wire();
    wire.ask(7, "find", &json!({}));
    wire.ask(8, "cancel", &json!({"id": 7}));
    assert_eq!(wire.message()["error"]["code"], json!(-32007));
    assert_eq!(wire.reply(Some(8))["result"], json!({"cancelled": true}));
    wire.ask(9, "cancel", &json!({"id": 7}));
    assert_eq!(wire.reply(Some(9))["result"], json!({"cancelled": false}));
}

#[test]
fn a_request_that_waits_too_long_is_answered() {
    let house = House::with_a_large_tree();
    let _stuck = occupy_bulk_lane(&house);
    let mut wire = house.wire();
    wire.ask(7, "find", &json!({"timeout_ms": 20}));
    let reply = wire.reply(Some(7));
    assert_eq!(
        (&reply["error"]["code"], &reply["error"]["data"]["partial"]),
        (&json!(-32014), &json!(false))
    );
}

#[test]
fn a_running_export_is_cancelled_while_it_waits_for_its_reader() {
    let house = House::with_a_large_tree();
    let mut stuck = occupy_bulk_lane(&house);
    for wire in &mut stuck {
        wire.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":1}}\n");
    }
    // Nobody has read a byte yet, and the threads are free again.
    house.client().find(&FindParams::default(), &mut Ignore).unwrap();
    assert_eq!(stuck.map(|mut wire| wire.error(Some(1))), [-32007; 3]);
}

#[test]
fn a_running_export_ends_at_its_time_limit_and_says_that_rows_went() {
    let house = House::with_a_large_tree();
    let mut wire = house.wire();
    wire.ask(1, "find", &json!({"timeout_ms": 300}));
    std::thread::sleep(std::time::Duration::from_millis(600));
    let first = wire.reply(Some(1));
    assert_eq!(first["error"]["code"], json!(-32014), "{first}");
    assert_eq!(first["error"]["data"]["partial"], json!(true), "{first}");
}

#[test]
fn a_cancelled_id_of_another_connection_is_left_alone() {
    let house = House::with_a_large_tree();
    let _stuck = occupy_bulk_lane(&house);
    let mut wire = house.wire();
    wire.ask(9, "cancel", &json!({"id": 1}));
    assert_eq!(wire.reply(Some(9))["result"], json!({"cancelled": false}));
}
