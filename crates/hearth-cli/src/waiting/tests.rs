//! Waits against a daemon that says what it is told to say.

use super::*;
use crate::sample;
use hearth_client::{Options, Places};
use hearth_protocol::answer::Scanning;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use tempfile::TempDir;

fn shard(health: &str, scanning: bool) -> Shard {
    let scanning = scanning.then_some(Scanning { entries: 3000, elapsed_ms: 1500 });
    Shard { health: health.into(), scanning, loads_total: 0, ..sample::shard() }
}

#[test]
fn a_source_is_read_until_it_is_fresh_or_failed() {
    for (health, scanning, expect) in [
        ("empty", false, false),
        ("loading", true, true),
        ("rebuilding", false, true),
        ("fresh", false, false),
        ("failed", false, false),
        ("failed", true, false),
        ("empty", true, false),
    ] {
        assert_eq!(is_being_read(&shard(health, scanning)), expect, "{health} {scanning}");
    }
}

#[test]
fn a_source_that_was_given_up_is_not_waited_for() {
    let asleep = Shard { tier: "cold".into(), ..shard("empty", false) };
    for loads_total in [0, 2] {
        assert!(!is_being_read(&Shard { loads_total, ..asleep.clone() }));
    }
    assert!(is_being_read(&Shard { health: "loading".into(), ..asleep }));
}

#[test]
fn progress_has_entries_and_rate() {
    let (one, two) = (shard("loading", true), shard("empty", false));
    assert_eq!(progress(&[&one, &two]), "reading root: 3,000 entries, 2,000/s; root: about to begin");
}

#[test]
fn only_an_empty_answer_from_an_unfinished_source_is_asked_again() {
    let meta = |complete| SourceMeta {
        source: "root".into(),
        generation: 0,
        clock: String::new(),
        age_ms: 0,
        stale: false,
        complete,
        why: String::new(),
        proof: None,
    };
    let summary = |shown, matched, complete| Summary {
        shown,
        matched,
        meta: vec![meta(complete)],
        ..Summary::default()
    };
    assert!(is_empty(&summary(0, None, false)));
    assert!(is_empty(&summary(0, Some(0), false)));
    assert!(!is_empty(&summary(0, Some(3), false)), "a count has no rows");
    assert!(!is_empty(&summary(1, None, false)));
    assert!(!is_empty(&summary(0, None, true)));
    assert!(!is_empty(&Summary::default()));
}

/// A client of a daemon that answers each `status` with the next of these shards, the last again and again.
fn scripted(looks: Vec<Vec<Shard>>) -> (Client, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::under(folder.path());
    places.prepare_run().unwrap();
    let listener = UnixListener::bind(places.socket()).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut looks = looks.into_iter().peekable();
        let mut now = Vec::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            now = looks.next().unwrap_or(now);
            let asked: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let status = Status { daemon: sample::daemon(), shards: now.clone() };
            writeln!(&stream, "{}", json!({"jsonrpc": "2.0", "id": asked["id"], "result": status})).unwrap();
        }
    });
    let mut notice = |_: &str| {};
    let options = Options { auto_start: false, ..Options::new(&mut notice) };
    (Client::connect(&places, options).unwrap(), folder)
}

/// What a wait for `root` after generation 3 comes to.
fn waited(looks: Vec<Vec<Shard>>) -> Result<(), String> {
    let (mut client, _folder) = scripted(looks);
    match for_sources(&mut client, &mut Console::new(), Some(60_000), &[("root".to_owned(), 3)]) {
        Ok(_) => Ok(()),
        Err(Stop::Failed(failure)) => Err(failure.to_text()),
        Err(Stop::PipeClosed) => panic!("nothing was printed"),
    }
}

fn at(health: &str, generation: u64) -> Vec<Shard> {
    vec![Shard { generation, ..shard(health, false) }]
}

#[test]
fn a_wait_ends_with_the_next_generation() {
    assert_eq!(waited(vec![at("rebuilding", 3), at("rebuilding", 4), at("fresh", 5)]), Ok(()));
    assert_eq!(waited(vec![at("rebuilding", 3), at("empty", 4)]), Ok(()), "it left memory after it was read");
}

#[test]
fn a_wait_for_what_is_taken_out_of_memory_ends_with_a_word() {
    for looks in [vec![at("empty", 3)], vec![at("loading", 3), at("loading", 3), at("empty", 3)]] {
        let said = waited(looks).unwrap_err();
        assert!(said.contains("root was given up") && said.contains("hearth preload root"), "{said}");
    }
}

#[test]
fn a_scan_that_hangs_after_it_was_given_up_holds_no_wait() {
    let hanging = |health| vec![Shard { generation: 3, ..shard(health, true) }];
    assert!(waited(vec![hanging("rebuilding"), hanging("empty")]).unwrap_err().contains("given up"));
    assert!(waited(vec![hanging("failed")]).unwrap_err().contains("cannot read"));
}

#[test]
fn a_wait_for_what_is_forgotten_ends_with_a_word() {
    let other = vec![Shard { name: "other".into(), ..shard("loading", true) }];
    for looks in [vec![Vec::new()], vec![at("loading", 3), other]] {
        let said = waited(looks).unwrap_err();
        assert!(said.contains("root was forgotten") && said.contains("hint: "), "{said}");
    }
}

#[test]
fn a_wait_for_what_fails_says_why() {
    let failed = Shard { last_error: Some("no disk".into()), ..at("failed", 3).remove(0) };
    let said = waited(vec![at("loading", 3), vec![failed]]).unwrap_err();
    assert!(said.contains("no disk") && said.contains("hearth refresh root"), "{said}");
}

#[test]
fn a_wait_has_a_limit() {
    let (mut client, _folder) = scripted(vec![at("loading", 3)]);
    let outcome = for_sources(&mut client, &mut Console::new(), Some(20), &[("root".to_owned(), 3)]);
    let Err(Stop::Failed(failure)) = outcome else { panic!("it goes on being read") };
    assert!(failure.to_text().contains("time is over"), "{}", failure.to_text());
}
