//! What is in memory: the methods of the operator, and those who follow its moves.

use crate::house::House;
use crate::wire::Wire;
use hearth_client::Client;
use hearth_protocol::answer::Transition;
use hearth_protocol::params::{PreloadParams, SourcesParams};
use serde_json::{Value, json};
use std::time::Duration;

/// Long enough for what has happened to be told.
const WHILE: Duration = Duration::from_secs(2);

fn topics(wire: &mut Wire, method: &str, topics: &Value) -> Value {
    wire.ask(1, method, &json!({ "topics": topics }));
    wire.reply(Some(1))["result"]["topics"].clone()
}

#[test]
fn operators_parameters_are_checked() {
    let house = House::with_daemon();
    let mut wire = house.wire();
    let many = vec!["a"; 1025];
    for (method, params) in [
        ("preload", json!({"pin_minutes": 0})),
        ("preload", json!({"pin_minutes": 525_601})),
        ("preload", json!({"timeout_ms": 0})),
        ("pin", json!({"pin_minutes": 5})),
        ("pin", json!({ "sources": many })),
        ("unpin", json!({"source": "a"})),
        ("hibernate", json!({"sources_b64": ["?"]})),
        ("refresh", json!({"sources_b64": ["?"]})),
        ("doctor", json!({"sources": []})),
        ("rotate_key", json!({"source": "a"})),
        ("forget", json!({"source": "a", "force": 1})),
        ("subscribe", json!({"topics": ["weather"]})),
    ] {
        wire.ask(1, method, &params);
        assert_eq!(wire.error(Some(1)), -32602, "{method} {params}");
    }
}

#[test]
fn refresh_takes_names_and_roots_of_any_bytes() {
    let house = House::with_files([&b"a"[..]]);
    let mut wire = house.wire();
    for (params, refreshed) in [
        (json!({"sources": ["tree"]}), json!(["tree"])),
        (json!({"sources": [house.tree()]}), json!(["tree"])),
        (json!({"sources_b64": ["dHJlZQ=="]}), json!(["tree"])),
        (json!({}), json!(["tree"])),
    ] {
        wire.ask(1, "refresh", &params);
        assert_eq!(wire.reply(Some(1))["result"]["sources"], refreshed, "{params}");
    }
    wire.ask(1, "refresh", &json!({"sources": ["tree"], "sources_b64": ["/w=="]}));
    assert_eq!(wire.error(Some(1)), -32001);
}

#[test]
fn topics_come_and_go_one_by_one() {
    let house = House::with_daemon();
    let hello = house.client().hello("test").unwrap();
    assert_eq!(hello.capabilities.topics, ["progress", "transitions", "watch"]);
    let mut wire = house.wire();
    let (progress, transitions) = (json!(["progress"]), json!(["transitions"]));
    assert_eq!(topics(&mut wire, "subscribe", &transitions), transitions);
    assert_eq!(topics(&mut wire, "subscribe", &progress), json!(["progress", "transitions"]));
    assert_eq!(topics(&mut wire, "unsubscribe", &transitions), progress);
    assert_eq!(topics(&mut wire, "unsubscribe", &json!(["progress", "transitions"])), json!([]));
}

fn ignoring() -> impl FnMut(&hearth_protocol::answer::ScanProgress) -> std::io::Result<()> {
    |_| Ok(())
}

/// Everything that is told until nothing more is.
fn told(client: &mut Client) -> Vec<Transition> {
    std::iter::from_fn(|| client.next_transition(WHILE).unwrap()).collect()
}

#[test]
fn moves_are_told_in_order_to_those_who_asked() {
    let house = House::with_files([&b"a"[..], b"b"]);
    let (mut follower, mut other, mut operator) = (house.client(), house.client(), house.client());
    follower.subscribe_transitions().unwrap();
    operator.hibernate(&SourcesParams::default()).unwrap();
    operator.preload(&PreloadParams::default(), &mut ignoring()).unwrap();
    let told = told(&mut follower);
    assert!(told.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1), "{told:?}");
    let tiers: Vec<(&str, &str, &str)> = told
        .iter()
        .filter(|transition| transition.axis == "tier")
        .map(|transition| (&*transition.from, &*transition.to, &*transition.reason))
        .collect();
    assert_eq!(tiers, [("warm", "cold", "hibernate"), ("cold", "hot", "preload")]);
    let last = told.iter().rfind(|transition| transition.to == "fresh").expect("it was loaded");
    assert!(last.bytes > 0 && last.generation > 1, "{last:?}");
    assert!(other.next_transition(Duration::from_millis(300)).unwrap().is_none(), "who did not ask");
}

#[test]
fn a_cold_source_is_loaded_once_for_all_who_want_it() {
    let house = House::with_a_large_tree();
    house.client().hibernate(&SourcesParams::default()).unwrap();
    let before = house.client().status().unwrap().shards.remove(0);
    std::thread::scope(|scope| {
        for _ in 0..25 {
            scope.spawn(|| {
                let kept = house.client().preload(&PreloadParams::default(), &mut ignoring()).unwrap();
                assert!(kept[0].resident_bytes > 0);
            });
        }
    });
    let after = house.client().status().unwrap().shards.remove(0);
    assert_eq!(after.loads_total, before.loads_total + 1);
}

#[test]
fn memory_that_is_given_up_is_no_longer_counted() {
    let house = House::with_a_large_tree();
    let mut client = house.client();
    let before = client.status().unwrap();
    assert!(before.shards[0].resident_bytes > 0 && before.daemon.held_bytes > 0, "{before:?}");
    let freed = client.hibernate(&SourcesParams::default()).unwrap();
    assert_eq!(freed[0].freed_bytes, before.shards[0].resident_bytes);
    let after = client.status().unwrap();
    assert_eq!((after.shards[0].tier.as_str(), after.shards[0].resident_bytes), ("cold", 0));
    assert!(after.daemon.resident_bytes < before.daemon.resident_bytes, "{after:?}");
}
