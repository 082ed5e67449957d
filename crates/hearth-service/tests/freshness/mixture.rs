//! Random things done to random names, in short sequences with a comparison after each.

use crate::world::World;
use hearth_disks::acts::{Act, Actor, acts};
use hearth_disks::{Disk, Kind, own_mounts};
use hearth_service::Config;
use hearth_service::config::FeedChoice;
use proptest::test_runner::{Config as Cases, TestError, TestRunner};
use std::cell::Cell;
use std::fs;

/// Runs sequences in folders of their own, each in three parts.
#[track_caller]
fn check(world: &World, cases: u32, possible: impl Fn(&Act) -> bool) {
    let number = Cell::new(0);
    let mut runner = TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() });
    let ran = runner.run(&acts(60), |acts| {
        number.set(number.get() + 1);
        let folder = world.root.join(format!("case{}", number.get()));
        fs::create_dir(&folder).expect("made");
        let mut actor = Actor::new(&folder);
        for part in acts.chunks(acts.len().div_ceil(3)) {
            // What is not possible leaves the tree as it is.
            part.iter().filter(|act| possible(act)).for_each(|act| drop(actor.run(act)));
            proptest::prop_assert_eq!(world.problem(), None);
        }
        Ok(())
    });
    assert_eq!(ran.map_err(|error: TestError<_>| error.to_string()), Ok(()));
}

#[track_caller]
fn on_disk(kind: Kind, test: &str) {
    if !own_mounts(&format!("mixture::{test}")) {
        return;
    }
    let Some(disk) = Disk::new(kind, test) else { return };
    let world = World::open(&disk.beside().join("home"), &disk.root, Config::default());
    check(&world, 25, |_| true);
}

#[test]
fn random_acts_on_ext4() {
    on_disk(Kind::Ext4, "random_acts_on_ext4");
}

#[test]
fn random_acts_on_xfs() {
    on_disk(Kind::Xfs, "random_acts_on_xfs");
}

#[test]
fn random_acts_on_btrfs() {
    on_disk(Kind::Btrfs, "random_acts_on_btrfs");
}

#[test]
fn random_acts_in_memory() {
    on_disk(Kind::Tmpfs, "random_acts_in_memory");
}

#[test]
fn random_acts_over_inotify() {
    let temp = tempfile::tempdir().expect("a folder");
    let (top, home) = (temp.path().join("tree"), temp.path().join("home"));
    fs::create_dir(&top).expect("made");
    let mut config = Config::default();
    config.watch.feed = FeedChoice::Inotify;
    check(&World::open(&home, &top, config), 25, |_| true);
}

#[test]
fn random_acts_while_nothing_tells() {
    let temp = tempfile::tempdir().expect("a folder");
    let (top, home) = (temp.path().join("tree"), temp.path().join("home"));
    fs::create_dir(&top).expect("made");
    let mut config = Config::default();
    config.watch.feed = FeedChoice::Poll;
    check(&World::open(&home, &top, config), 10, |_| true);
}
