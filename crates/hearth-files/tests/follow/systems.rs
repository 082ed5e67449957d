//! Other file systems, made in a file and mounted for the test: inodes that are used again at once, inodes
//! that repeat in subvolumes. Without the right to mount, the parts are left out and say so.

use super::borders::Mounted;
use super::oracle::{check_following, check_reconcile, ops, steps};
use super::world::{World, told};
use hearth_files::follow::{Look, Reconcile};
use proptest::test_runner::{Config, TestError, TestRunner};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A new file system, until it is dropped.
struct FileSystem {
    top: PathBuf,
    _mounted: Mounted,
    _folder: tempfile::TempDir,
}

impl FileSystem {
    fn new(kind: &str) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("hearth disk ").tempdir().expect("a folder");
        let (image, top) = (folder.path().join("image"), folder.path().join("top"));
        fs::File::create(&image).and_then(|file| file.set_len(512 << 20)).expect("made");
        fs::create_dir(&top).expect("made");
        let mut make = Command::new(format!("mkfs.{kind}"));
        let made = make.arg(&image).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
        let mounted = Mounted::at(&top, &["-o", "loop", image.to_str().expect("plain")])?;
        Some(Self { top, _mounted: mounted, _folder: folder })
    }
}

#[track_caller]
fn check(kind: &str) {
    let Some(disk) = FileSystem::new(kind) else { return };
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let followed = runner.run(&(ops(20), steps(30)), |(before, steps)| {
        check_following(&World::below(&disk.top), &before, &steps);
        Ok(())
    });
    assert_eq!(followed.map_err(|error: TestError<_>| error.to_string()), Ok(()));
    let reconciled = runner.run(&(ops(20), ops(20)), |(before, after)| {
        check_reconcile(&World::below(&disk.top), &before, &after);
        Ok(())
    });
    assert_eq!(reconciled.map_err(|error: TestError<_>| error.to_string()), Ok(()));
}

#[test]
fn xfs_is_followed() {
    check("xfs");
}

#[test]
fn btrfs_is_followed() {
    check("btrfs");
}

#[test]
fn ext4_is_followed() {
    check("ext4");
}

fn btrfs(arguments: &[&str], paths: &[&Path]) {
    let status = Command::new("btrfs").args(arguments).args(paths).stdout(Stdio::null()).status();
    assert!(status.expect("it made the file system").success(), "btrfs {arguments:?}");
}

#[test]
fn subvolumes_with_the_same_inodes_are_told_apart() {
    let Some(disk) = FileSystem::new("btrfs") else { return };
    let world = World::below(&disk.top);
    btrfs(&["subvolume", "create"], &[&world.at("live")]);
    ["live/a/file", "live/a/linked", "live/b/c/other"].iter().for_each(|name| world.make(name));
    fs::hard_link(world.at("live/a/linked"), world.at("live/b/link")).expect("linked");
    btrfs(&["subvolume", "snapshot"], &[&world.at("live"), &world.at("one")]);
    let mut volume = world.volume();
    btrfs(&["subvolume", "snapshot"], &[&world.at("live"), &world.at("two")]);
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
