//! A home with many small sources, so that one restart tries many snapshots.
//!
//! Every start is judged: whatever lies on the disk, the daemon begins, and in the end its answers equal a walk
//! of every tree.

use crate::house::House;
use crate::tree::{Grove, State};
use hearth_client::protocol::method;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

pub(crate) const SOURCES: usize = 12;

/// Several sources, each with a snapshot of its own.
pub(crate) struct Street {
    pub(crate) house: House,
}

impl Street {
    pub(crate) fn new() -> Self {
        Self::of(House::new())
    }

    /// Sources of this home.
    pub(crate) fn of(house: House) -> Self {
        let mut street = Self { house };
        street.house.start();
        for number in 0..SOURCES {
            let root = street.root(number);
            fs::create_dir(&root).expect("a folder");
            drop(Grove::plant(&root, 10, 150 + 40 * number, number as u64));
            street.house.tell(method::ADD, &json!({"path": root, "name": name(number), "wait": true}));
        }
        street.wait_saved();
        street
    }

    pub(crate) fn root(&self, number: usize) -> PathBuf {
        self.house.tree().join(name(number))
    }

    /// Snapshot of a source; numbers of sources begin with 1.
    pub(crate) fn snapshot(&self, number: usize) -> PathBuf {
        self.house.snapshots().join(format!("{:016x}.hearth", number + 1))
    }

    pub(crate) fn shards(&self) -> Vec<Value> {
        let status = self.house.tell(method::STATUS, &json!({}));
        status["shards"].as_array().expect("shards").clone()
    }

    pub(crate) fn wait_saved(&self) {
        let saved = |shard: &Value| {
            assert!(shard["last_save_error"].is_null(), "{shard}\n{}", self.house.words());
            shard["unsaved"] == false && shard["health"] == "fresh"
        };
        self.house.until("all are saved", || self.shards().iter().all(saved));
    }

    /// Restarts after something was done to the files. Gives the reasons, by source.
    pub(crate) fn after(&mut self, act: impl FnOnce(&Self)) -> Vec<String> {
        let reasons = self.at_first_after(act);
        // And it goes on as if nothing had been.
        self.wait_saved();
        reasons
    }

    /// The same, and does not wait for saves.
    pub(crate) fn at_first_after(&mut self, act: impl FnOnce(&Self)) -> Vec<String> {
        assert!(self.house.terminate().success());
        act(self);
        self.start();
        self.reasons()
    }

    /// Starts the daemon; fails unless all it answers in the end is what a walk finds.
    pub(crate) fn start(&mut self) {
        self.house.start();
        self.house.tell(method::FIND, &json!({"count": true, "wait_complete": true}));
        self.assert_equals_trees();
    }

    /// Why what was on disk was not loaded, or `loaded`, by source.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let word = |shard: &Value| shard["load_reason"].as_str().unwrap_or("none").to_owned();
        self.shards().iter().map(word).collect()
    }

    #[track_caller]
    pub(crate) fn assert_equals_trees(&self) {
        let answer = self.house.answer();
        let mut trees = State::new();
        (0..SOURCES).for_each(|number| trees.merge(State::of(&self.root(number))));
        let differences = answer.rows.differences(&trees);
        assert!(differences.is_empty(), "index, then trees: {differences:#?}\n{}", self.house.words());
    }
}

fn name(number: usize) -> String {
    format!("source{number:02}")
}
