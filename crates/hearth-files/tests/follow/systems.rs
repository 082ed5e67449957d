//! Other file systems, made in a file and mounted for the test: inodes that are used again at once, inodes
//! that repeat in subvolumes. Without the right to mount, the parts are left out and say so.

use super::oracle::{check_following, check_reconcile, ops, steps};
use super::world::{World, told};
use hearth_disks::{Disk, Kind, snapshot, subvolume};
use hearth_files::follow::{Look, Reconcile};
use proptest::test_runner::{Config, TestError, TestRunner};
use std::fs;

#[track_caller]
fn check(kind: Kind) {
    let Some(disk) = Disk::new(kind, "following") else { return };
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let followed = runner.run(&(ops(20), steps(30)), |(before, steps)| {
        check_following(&World::below(&disk.root), &before, &steps);
        Ok(())
    });
    assert_eq!(followed.map_err(|error: TestError<_>| error.to_string()), Ok(()));
    let reconciled = runner.run(&(ops(20), ops(20)), |(before, after)| {
        check_reconcile(&World::below(&disk.root), &before, &after);
        Ok(())
    });
    assert_eq!(reconciled.map_err(|error: TestError<_>| error.to_string()), Ok(()));
}

#[test]
fn xfs_is_followed() {
    check(Kind::Xfs);
}

#[test]
fn btrfs_is_followed() {
    check(Kind::Btrfs);
}

#[test]
fn ext4_is_followed() {
    check(Kind::Ext4);
}

#[test]
fn subvolumes_with_the_same_inodes_are_told_apart() {
    let Some(disk) = Disk::new(Kind::Btrfs, "subvolumes") else { return };
    let world = World::below(&disk.root);
    subvolume(&world.at("live")).expect("made");
    ["live/a/file", "live/a/linked", "live/b/c/other"].iter().for_each(|name| world.make(name));
    fs::hard_link(world.at("live/a/linked"), world.at("live/b/link")).expect("linked");
    snapshot(&world.at("live"), &world.at("one")).expect("made");
    let mut volume = world.volume();
    snapshot(&world.at("live"), &world.at("two")).expect("made");
    assert_eq!(world.inode("live/a"), world.inode("two/a"));
    assert_eq!(told(&world.look(&mut volume, &[world.name("two")])), ["created dir two"]);
    world.assert_fresh(&volume);

    fs::write(world.at("one/a/linked"), "changed here only").expect("written");
    fs::rename(world.at("two/b"), world.at("two/moved")).expect("moved");
    fs::remove_file(world.at("live/b/link")).expect("removed");
    let looks = ["one/a/linked", "two/b", "two/moved", "live/b/link"].map(|name| world.name(name));
    world.look(&mut volume, &looks);
    world.assert_fresh(&volume);

    world.make("one/a/new");
    fs::write(world.at("two/moved/link"), "changed there only").expect("written");
    world.look(&mut volume, &[Look::Folder { folder: world.inode("one/a") }]);
    world.look(&mut volume, &[Look::Object { inode: world.inode("two/a/linked") }]);
    world.assert_fresh(&volume);

    fs::rename(world.at("live"), world.at("gone")).expect("moved");
    fs::rename(world.at("one"), world.at("live")).expect("moved");
    world.make("live/a/later");
    world.reconcile(&mut volume, &Reconcile::default());
    world.assert_fresh(&volume);
}
