//! Snapshots that somebody or something changed: flipped, cut, exchanged, put back, replaced by what is no
//! file. The daemon starts, tells a reason that fits, scans, and answers what a walk finds.

use crate::house::{House, damage, note};
use crate::street::{SOURCES, Street};
use crate::tree::{Dice, Grove, State};
use hearth_client::protocol::method;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

const SEED: u64 = 0x7461_6d70_6572;
/// Every reason that damage inside of a file can lead to.
const DAMAGED: [&str; 5] = ["parse", "decrypt-failed", "key-unavailable", "stale-by-epoch", "missing"];

#[test]
fn any_flipped_bit_is_a_reason_that_fits_and_a_scan() {
    let (mut street, mut dice) = (Street::new(), Dice::new(SEED));
    for round in 0..5 {
        let mut flips = Vec::new();
        let reasons = street.after(|street| {
            for number in 0..SOURCES {
                damage(&street.snapshot(number), |bytes| {
                    // In the blocks in clear in each second round, anywhere in the others.
                    let at = dice.index(if round % 2 == 0 { bytes.len() } else { 12_288 });
                    let bit = dice.below(8);
                    bytes[at] ^= 1 << bit;
                    flips.push((at, bit, bytes.len()));
                });
            }
        });
        for (reason, flip) in reasons.iter().zip(&flips) {
            // The second key slot is empty, and nobody looks at the slot of another key.
            let unread = (8192..12_288).contains(&flip.0);
            let fits = DAMAGED[..4].contains(&reason.as_str()) || unread && reason == "loaded";
            assert!(fits, "byte, bit, of: {flip:?} gave {reason}\n{}", street.house.words());
        }
    }
}

#[test]
fn a_file_that_was_cut_or_grew_is_a_reason_that_fits_and_a_scan() {
    let (mut street, mut dice) = (Street::new(), Dice::new(SEED + 1));
    for round in 0..3 {
        let mut cuts = Vec::new();
        let reasons = street.after(|street| {
            for number in 0..SOURCES {
                damage(&street.snapshot(number), |bytes| {
                    let before = bytes.len();
                    match (round, number) {
                        (0, 0) => bytes.clear(),
                        (0, 1) => bytes.truncate(1),
                        (0, 2) => bytes.truncate(before - 1),
                        (0, 3) => bytes.truncate(12_288),
                        (0, 4) => bytes.push(0),
                        (0, 5) => bytes.extend_from_within(..),
                        (0, 6) => bytes.fill(0),
                        (0, 7) => bytes[before / 2..].fill(0),
                        (0, 8) => {}
                        _ => bytes.truncate(dice.index(before)),
                    }
                    cuts.push((before, bytes.len()));
                });
            }
            if round == 0 {
                // Of nothing but holes to its end.
                let file = OpenOptions::new().write(true).open(street.snapshot(8)).expect("a file");
                file.set_len(1 << 40).expect("holes take no room");
            }
        });
        for (reason, cut) in reasons.iter().zip(&cuts) {
            let fits = ["parse", "decrypt-failed", "key-unavailable"].contains(&reason.as_str());
            assert!(fits, "length before and after: {cut:?} gave {reason}\n{}", street.house.words());
        }
    }
}

#[test]
fn snapshots_of_each_other_are_not_taken_for_ones_own() {
    let mut street = Street::new();
    let reasons = street.after(|street| {
        let all: Vec<Vec<u8>> =
            (0..SOURCES).map(|number| fs::read(street.snapshot(number)).expect("a file")).collect();
        for number in 0..SOURCES {
            fs::write(street.snapshot(number), &all[(number + 1) % SOURCES]).expect("it is ours");
        }
    });
    assert_eq!(reasons, vec!["stale-vs-source"; SOURCES]);
    // One whose middle is of another is neither.
    let reasons = street.after(|street| {
        let other = fs::read(street.snapshot(1)).expect("a file");
        damage(&street.snapshot(0), |bytes| {
            let to = bytes.len().min(other.len()) - 24;
            bytes[16_384.min(to)..to].copy_from_slice(&other[16_384.min(to)..to]);
        });
    });
    assert!(["parse", "decrypt-failed"].contains(&reasons[0].as_str()), "{reasons:?}");
    assert_eq!(reasons[1..], vec!["loaded"; SOURCES - 1]);
}

#[test]
fn what_is_no_file_in_the_place_of_a_snapshot_holds_nothing_up() {
    let mut street = Street::new();
    let reasons = street.at_first_after(|street| {
        let place = |number: usize| {
            let path = street.snapshot(number);
            fs::remove_file(&path).expect("it is ours");
            path
        };
        let special =
            |path: &Path, kind| mknodat(CWD, path, kind, Mode::RUSR | Mode::WUSR, 0).expect("a node");
        special(&place(0), FileType::Fifo);
        symlink("/dev/zero", place(1)).expect("a link");
        symlink("nowhere", place(2)).expect("a link");
        symlink(street.snapshot(6), place(3)).expect("a link");
        special(&place(4), FileType::Socket);
        place(5);
        fs::create_dir(place(SOURCES - 1)).expect("a folder");
    });
    note(&format!("fifo, /dev/zero, dangling link, link to another's, socket, nothing; folder: {reasons:?}"));
    assert_eq!(reasons[5], "missing");
    assert_eq!(reasons[6..SOURCES - 1], vec!["loaded"; SOURCES - 7]);
    for number in [0, 1, 2, 3, 4, SOURCES - 1] {
        let fits = ["io", "parse", "missing", "stale-vs-source"].contains(&reasons[number].as_str());
        assert!(fits, "{number}: {reasons:?}");
    }
    // All but the folder are replaced by files.
    let told = |shard: &Value| shard["last_save_error"].is_string();
    let done = |shard: &Value| shard["unsaved"] == false || told(shard);
    street.house.until("all were tried to be saved", || street.shards().iter().all(done));
    let failed: Vec<usize> = street
        .shards()
        .iter()
        .enumerate()
        .filter(|(_, shard)| told(shard))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(failed, [SOURCES - 1], "{:#?}\n{}", street.shards(), street.house.words());
    for number in 0..SOURCES - 1 {
        assert!(street.snapshot(number).symlink_metadata().expect("it is there").is_file(), "{number}");
    }
    // Nothing was written through a link.
    assert!(!street.house.snapshots().join("nowhere").exists());
    fs::remove_dir(street.snapshot(SOURCES - 1)).expect("it is ours");
    assert_eq!(street.after(|_| {})[..SOURCES - 1], vec!["loaded"; SOURCES - 1]);
}

#[test]
fn a_key_that_is_lost_changed_or_no_key_costs_a_scan() {
    let mut street = Street::new();
    let key = street.house.places().state.join("snapshot.key");
    let good = fs::read(&key).expect("a key");
    let others: [(&str, &dyn Fn()); 5] = [
        ("lost", &|| fs::remove_file(&key).expect("it is ours")),
        ("another", &|| fs::write(&key, [7; 32]).expect("it is ours")),
        ("empty", &|| fs::write(&key, []).expect("it is ours")),
        ("long", &|| fs::write(&key, [7; 33]).expect("it is ours")),
        ("open", &|| fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours")),
    ];
    for (what, act) in others {
        assert!(street.house.terminate().success());
        act();
        street.start();
        assert_eq!(street.reasons(), vec!["key-unavailable"; SOURCES], "{what}");
        // A good key in its place, and everything sealed under it.
        assert!(street.house.terminate().success());
        if key.exists() {
            fs::remove_file(&key).expect("it is ours");
        }
        fs::write(&key, &good).expect("it is ours");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it is ours");
        street.house.start();
        street.wait_saved();
    }
    assert_eq!(street.after(|_| {}), vec!["loaded"; SOURCES]);
}

#[test]
fn an_older_snapshot_that_is_put_back_is_stale_and_then_brought_to_the_present() {
    let mut house = House::new();
    let mut grove = Grove::plant(&house.tree(), 100, 3000, SEED);
    house.start();
    house.index();
    let snapshot = house.snapshots().join("0000000000000001.hearth");
    let (old, old_state) = (fs::read(&snapshot).expect("a file"), State::of(&house.tree()));
    grove.change(300);
    house.refresh();
    house.wait_saved();
    let generation = house.shard()["generation"].as_u64();
    assert!(house.terminate().success());
    assert_ne!(fs::read(&snapshot).expect("a file"), old);
    fs::write(&snapshot, old).expect("it is ours");
    house.start();
    let first = house.answer();
    if first.is("stale") {
        assert!(first.rows == old_state, "{:#?}", first.rows.differences(&old_state));
    } else {
        assert!(first.rows == State::of(&house.tree()), "{}", first.meta);
    }
    house.wait_complete();
    house.assert_equals_tree();
    let shard = house.shard();
    assert_eq!(shard["load_reason"], "loaded");
    note(&format!("generation {generation:?} before, {} after a rollback", shard["generation"]));
}

/// Of a source that is on disk only: its digest is read first, and its body if that says "maybe".
#[test]
fn a_snapshot_that_is_spoilt_while_its_source_is_out_of_memory_costs_a_scan() {
    let mut street = Street::new();
    let spoil = |number: usize| {
        let path = street.snapshot(number);
        match number {
            0 | 1 => fs::remove_file(&path).expect("it is ours"),
            2 | 3 => damage(&path, |bytes| bytes.truncate(bytes.len() / 2)),
            // The first chunks are the digest's, the last the body's.
            4 | 5 => damage(&path, |bytes| bytes[12_288..13_400].fill(0)),
            6 | 7 => damage(&path, |bytes| bytes[13_400..14_500].fill(0)),
            8 | 9 => damage(&path, |bytes| {
                let end = bytes.len() - 600;
                bytes[end - 400..end].fill(0);
            }),
            _ => damage(&path, Vec::clear),
        }
    };
    street.house.tell(method::HIBERNATE, &json!({}));
    street.house.until("all are cold", || street.shards().iter().all(|shard| shard["tier"] == "cold"));
    (0..SOURCES).for_each(spoil);
    for number in 0..SOURCES {
        // What is not there, or what is.
        let (query, matched) = if number % 2 == 0 { ("=no-such-name", 0) } else { ("type:dir", 10) };
        let asked = json!({"query": query, "in": [street.root(number)]});
        let (_, summary) = street.house.find(&asked).unwrap_or_else(|error| panic!("{number}: {error}"));
        let meta = &summary["meta"][0];
        assert!(meta["complete"] == true && meta["stale"] == false, "{number}: {summary}");
        assert_eq!(summary["matched"], matched, "{number}: {summary}");
    }
    street.house.tell(method::FIND, &json!({"count": true, "wait_complete": true}));
    street.assert_equals_trees();
    let shards = street.shards();
    let told: Vec<String> = shards
        .iter()
        .map(|shard| format!("{} {} {}", shard["tier"], shard["health"], shard["load_reason"]))
        .collect();
    note(&format!("spoilt while cold: {told:#?}"));
    assert!(shards.iter().all(|shard| shard["last_error"].is_null()), "{told:?}\n{}", street.house.words());
    street.wait_saved();
    assert_eq!(street.after(|_| {}), vec!["loaded"; SOURCES]);
}
