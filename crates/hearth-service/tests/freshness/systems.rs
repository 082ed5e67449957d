//! All storms on every file system that a test can make, as a whole and as a part of one.

use crate::storms::{self, Ground};
use crate::world::World;
use hearth_disks::{Disk, Kind, own_mounts, subvolume};
use hearth_service::Config;
use std::fs;
use std::path::Path;

/// Storms over a whole file system, the service's folders being elsewhere.
#[track_caller]
fn whole(kind: Kind, feed: &str, test: &str) {
    if !own_mounts(&format!("systems::{test}")) {
        return;
    }
    let Some(disk) = Disk::new(kind, test) else { return };
    if kind == Kind::Btrfs {
        subvolume(&disk.root.join("inner")).expect("btrfs makes subvolumes");
        storms::fill(&disk.root.join("inner/folder"), 5).expect("filled");
    }
    storm(&disk.root, None, &disk.beside().join("home"), feed);
}

/// Storms in a folder of a file system that also holds the service's folders.
#[track_caller]
fn part(kind: Kind, feed: &str, test: &str) {
    if !own_mounts(&format!("systems::{test}")) {
        return;
    }
    let Some(disk) = Disk::new(kind, test) else { return };
    let (top, outside) = (disk.root.join("tree"), disk.root.join("outside"));
    fs::create_dir(&outside).expect("made");
    match kind {
        Kind::Btrfs => subvolume(&top).expect("btrfs makes subvolumes"),
        _ => fs::create_dir(&top).expect("made"),
    }
    // Nothing can be renamed or linked from one subvolume to another.
    let outside = (kind != Kind::Btrfs).then_some(&*outside);
    storm(&top, outside, &disk.root.join("home"), feed);
}

#[track_caller]
fn storm(top: &Path, outside: Option<&Path>, home: &Path, feed: &str) {
    storms::fill(&top.join("before/inner"), 50).expect("filled");
    let world = World::open(home, top, Config::default());
    assert_eq!(world.status().feed.kind, feed, "{:?}", world.status().feed);
    storms::all(&Ground { top, outside, check: &|after| world.assert_fresh(after) });
    let feed = world.status().feed;
    assert_eq!((feed.overflows_total, feed.last_compare), (0, None), "it was told: {feed:?}");
    assert!(feed.advances_total > 20, "{feed:?}");
}

/// Nothing is told of it, so it is compared when somebody asks.
#[test]
fn what_changes_in_a_subvolume_inside_is_in_an_answer_that_waits() {
    let test = "what_changes_in_a_subvolume_inside_is_in_an_answer_that_waits";
    if !own_mounts(&format!("systems::{test}")) {
        return;
    }
    let Some(disk) = Disk::new(Kind::Btrfs, test) else { return };
    let inner = disk.root.join("inner");
    subvolume(&inner).expect("btrfs makes subvolumes");
    storms::fill(&inner.join("folder"), 5).expect("filled");
    let world = World::open(&disk.beside().join("home"), &disk.root, Config::default());
    world.assert_fresh("the beginning");
    for round in 0..3 {
        fs::write(inner.join(format!("new-{round}")), "x").expect("written");
        world.assert_fresh("a change in the subvolume");
    }
}

#[test]
fn a_volume_on_ext4_stays_fresh() {
    whole(Kind::Ext4, "fanotify", "a_volume_on_ext4_stays_fresh");
}

#[test]
fn a_volume_on_xfs_stays_fresh() {
    whole(Kind::Xfs, "fanotify", "a_volume_on_xfs_stays_fresh");
}

#[test]
fn a_volume_on_btrfs_with_a_subvolume_stays_fresh() {
    whole(Kind::Btrfs, "fanotify", "a_volume_on_btrfs_with_a_subvolume_stays_fresh");
}

#[test]
fn a_volume_in_memory_stays_fresh() {
    whole(Kind::Tmpfs, "fanotify", "a_volume_in_memory_stays_fresh");
}

#[test]
fn a_volume_on_overlay_stays_fresh() {
    whole(Kind::Overlay, "inotify", "a_volume_on_overlay_stays_fresh");
}

#[test]
fn a_tree_on_ext4_stays_fresh() {
    part(Kind::Ext4, "fanotify", "a_tree_on_ext4_stays_fresh");
}

#[test]
fn a_tree_on_xfs_stays_fresh() {
    part(Kind::Xfs, "fanotify", "a_tree_on_xfs_stays_fresh");
}

#[test]
fn a_subvolume_of_btrfs_stays_fresh() {
    part(Kind::Btrfs, "fanotify", "a_subvolume_of_btrfs_stays_fresh");
}

#[test]
fn a_tree_in_memory_stays_fresh() {
    part(Kind::Tmpfs, "fanotify", "a_tree_in_memory_stays_fresh");
}
