//! The machine key is changed: whatever happens meanwhile, every snapshot opens with the key that counts.

use crate::house::{House, SOURCE};
use crate::street::{SOURCES, Street};
use crate::tree::{Dice, Grove};
use hearth_client::protocol::method;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

const KILLS: usize = 8;

#[test]
fn killed_while_the_key_is_changed_every_snapshot_opens() {
    let (mut street, mut dice) = (Street::new(), Dice::new(11));
    let key = street.house.places().state.join("snapshot.key");
    let rotate = |house: &House| house.ask(method::ROTATE_KEY, &json!({}));
    let began = Instant::now();
    rotate(&street.house).expect("a new key");
    let takes = u64::try_from(began.elapsed().as_micros()).expect("short");
    let mut new_keys = 0;
    for kill in 0..KILLS {
        let (before, delay) = (fs::read(&key).expect("a key"), dice.below(takes * 5 / 4));
        std::thread::scope(|scope| {
            let house = &street.house;
            // Nobody is left to answer, or the change came first.
            scope.spawn(|| drop(rotate(house)));
            sleep(Duration::from_micros(delay));
            house.signal(Signal::KILL);
        });
        street.house.kill();
        new_keys += usize::from(fs::read(&key).expect("a key") != before);
        street.start();
        assert_eq!(
            street.reasons(),
            vec!["loaded"; SOURCES],
            "kill {kill} after {delay} us\n{}",
            street.house.words()
        );
        assert_eq!(fs::metadata(&key).expect("a key").len(), 32);
        street.wait_saved();
    }
    crate::house::note(&format!("{KILLS} kills in changes of {takes} us; {new_keys} left the new key"));
    assert_eq!(street.house.unfinished_saves(), Vec::<PathBuf>::new());
}

#[test]
fn a_key_that_is_changed_while_everything_is_saved_loses_nothing() {
    let mut house = House::new();
    let mut grove = Grove::plant(&house.tree(), 50, 2000, 12);
    house.start();
    house.index();
    for _ in 0..10 {
        grove.change(20);
        house.refresh();
        let rotation = house.tell(method::ROTATE_KEY, &json!({}));
        assert_eq!((&rotation["resealed"], &rotation["left_out"]), (&json!([SOURCE]), &json!([])));
    }
    house.kill();
    house.start();
    house.wait_complete();
    assert_eq!(house.shard()["load_reason"], "loaded", "{}", house.words());
    // A save that met a change of the key is done again.
    house.until("it is saved", || house.shard()["unsaved"] == false);
    assert!(house.terminate().success());
    house.start();
    house.wait_complete();
    assert_eq!(house.shard()["load_reason"], "loaded");
}

#[test]
fn what_a_crash_left_beside_the_key_is_removed_at_the_start() {
    let mut house = House::new();
    drop(Grove::plant(&house.tree(), 5, 50, 13));
    house.start();
    house.index();
    assert!(house.terminate().success());
    let left = house.places().state.join(".snapshot.key.0123456789abcdef.tmp");
    fs::write(&left, [7; 32]).expect("it is ours");
    house.start();
    house.wait_complete();
    assert_eq!(house.shard()["load_reason"], "loaded");
    assert_eq!(house.unfinished_state(), Vec::<PathBuf>::new());
}
