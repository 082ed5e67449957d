//! `since` and standing queries, of a tree that a live feed follows.

use crate::house::House;
use hearth_client::{CallError, Client};
use hearth_protocol::Code;
use hearth_protocol::answer::{WatchEvent, WatchNote};
use hearth_protocol::limits::WATCHES;
use hearth_protocol::params::{FindParams, SinceParams, SubscribeParams, Topic};
use serde_json::json;
use std::collections::VecDeque;

/// The clock of the tree, once everything that was written is in it.
fn clock(client: &mut Client) -> String {
    let params = FindParams { count: true, ..FindParams::default() };
    let summary: hearth_protocol::answer::Summary = client.call("find", &params).unwrap();
    summary.meta[0].clock.clone()
}

/// What changed since a clock: what and the name of each, until there are so many.
fn since(client: &mut Client, clock: &str, count: usize) -> (Vec<String>, String) {
    let mut all = (Vec::new(), String::new());
    crate::house::wait_for("the changes", || {
        let params = SinceParams { clock: clock.to_owned(), ..SinceParams::default() };
        let (changes, summary) = client.since(&params, &mut |_| Ok(())).unwrap();
        let name = |path: &[u8]| String::from_utf8_lossy(path).rsplit('/').next().unwrap().to_owned();
        let words = changes.iter().map(|change| format!("{} {}", change.what, name(&change.path.0)));
        all = (words.collect(), summary.clock.unwrap());
        all.0.len() >= count
    });
    all
}

#[test]
fn what_changed_since_a_clock_is_told_and_a_clock_of_another_run_is_refused() {
    let mut house = House::with_files([&b"a"[..], b"b"]);
    let mut client = house.client();
    let first = clock(&mut client);
    house.write(b"c", b"new");
    let (words, second) = since(&mut client, &first, 1);
    assert_eq!(words[0], "created c");
    std::fs::remove_file(house.tree().join("a")).unwrap();
    let (words, _) = since(&mut client, &second, 1);
    assert!(words.contains(&"removed a".to_owned()), "{words:?}");
    client.shutdown().unwrap();
    house.wait_exit();
    house.start();
    let params = SinceParams { clock: first, ..SinceParams::default() };
    match house.client().since(&params, &mut |_| Ok(())) {
        Err(CallError::Rpc(error)) => {
            assert!(error.is(Code::GenerationMoved) && error.hint.is_some(), "{error:?}");
            assert!(error.data["generation"].is_u64() && error.data["source"] == "tree", "{error:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_that_is_no_clock_is_refused() {
    let house = House::with_files([&b"a"[..]]);
    let mut wire = house.wire();
    for params in [json!({"clock": "yesterday"}), json!({}), json!({"clock": "c1.1.2.3", "limt": 1})] {
        wire.ask(1, "since", &params);
        assert_eq!(wire.error(Some(1)), -32602, "{params}");
    }
    wire.ask(1, "since", &json!({"clock": "c1.ffff.1.1"}));
    assert_eq!(wire.error(Some(1)), -32001);
    wire.ask(1, "subscribe", &json!({"topics": ["progress"], "query": "a"}));
    assert_eq!(wire.error(Some(1)), -32602);
    wire.ask(1, "subscribe", &json!({"topics": ["watch"], "query": "dupe:name"}));
    assert_eq!(wire.error(Some(1)), -32008);
}

fn query(text: &str) -> SubscribeParams {
    SubscribeParams { query: Some(text.to_owned()), ..SubscribeParams::to(Topic::Watch) }
}

/// A standing query and what it told that nobody has looked at.
struct Watch {
    client: Client,
    told: VecDeque<WatchNote>,
}

impl Watch {
    fn begin(house: &House, params: &SubscribeParams) -> Self {
        let (mut client, mut told) = (house.client(), VecDeque::new());
        let subscribed = client.watch(params, &mut |note| {
            told.push_back(note);
            Ok(())
        });
        let subscribed = subscribed.unwrap();
        assert_eq!((subscribed.topics, subscribed.watch), (vec![Topic::Watch], Some(1)));
        assert_eq!(subscribed.clocks.len(), 1);
        Self { client, told }
    }

    /// The next event of this kind about an entry of this name.
    fn wait_for(&mut self, what: &str, name: &str) -> WatchEvent {
        loop {
            let note = self.told.pop_front().unwrap_or_else(|| self.client.next_watch().unwrap());
            let is_it = |event: &&WatchEvent| {
                let ends = |path: &hearth_protocol::PathField| path.0.ends_with(name.as_bytes());
                event.what == what && event.path.as_ref().is_some_and(ends)
            };
            if let Some(event) = note.events.iter().find(is_it) {
                return event.clone();
            }
        }
    }
}

#[test]
fn a_standing_query_tells_what_becomes_of_what_matches() {
    let house = House::with_files([&b"a.rs"[..], b"b.c"]);
    let mut watch = Watch::begin(&house, &query("*.rs"));
    house.write(b"d/new.rs", b"content");
    let event = watch.wait_for("appeared", "/d/new.rs");
    assert_eq!((event.source.as_str(), event.kind.as_deref()), ("tree", Some("file")));
    std::fs::rename(house.tree().join("d"), house.tree().join("e")).unwrap();
    let event = watch.wait_for("renamed", "/e/new.rs");
    assert!(event.from.unwrap().0.ends_with(b"/d/new.rs"));
    std::fs::remove_file(house.tree().join("a.rs")).unwrap();
    watch.wait_for("vanished", "/a.rs");
}

#[test]
fn who_connects_again_with_a_clock_is_told_what_was_missed() {
    let house = House::with_files([&b"a.rs"[..]]);
    let before = clock(&mut house.client());
    house.write(b"missed.rs", b"content");
    since(&mut house.client(), &before, 1);
    let params = SubscribeParams { since: vec![before], ..query("*.rs") };
    let event = Watch::begin(&house, &params).wait_for("appeared", "/missed.rs");
    assert!(event.clock.is_some());
    let params = SubscribeParams { since: vec!["c1.1.1.1".to_owned()], ..query("*.rs") };
    let mut watch = Watch::begin(&house, &params);
    let note = watch.told.pop_front().unwrap_or_else(|| watch.client.next_watch().unwrap());
    assert_eq!((note.events.len(), note.events[0].what.as_str()), (1, "resync"));
}

#[test]
fn standing_queries_are_bounded_and_end() {
    let house = House::with_files([&b"a"[..]]);
    let mut wire = house.wire();
    let subscribe = json!({"topics": ["watch"]});
    for number in 1..=WATCHES {
        wire.ask(1, "subscribe", &subscribe);
        assert_eq!(wire.reply(Some(1))["result"]["watch"], number);
    }
    wire.ask(1, "subscribe", &subscribe);
    assert_eq!(wire.error(Some(1)), -32006);
    wire.ask(1, "unsubscribe", &json!({"topics": ["watch"], "watch": 3}));
    assert_eq!(wire.reply(Some(1))["result"]["topics"], json!(["watch"]));
    wire.ask(1, "subscribe", &subscribe);
    assert_eq!(wire.reply(Some(1))["result"]["watch"], WATCHES + 1);
    wire.ask(1, "unsubscribe", &json!({"topics": ["watch"]}));
    assert_eq!(wire.reply(Some(1))["result"]["topics"], json!([]));
}
