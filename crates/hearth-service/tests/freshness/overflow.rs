//! More changes than any queue holds: one comparison, nothing wrong afterwards, and no answer that hides it.

use crate::resident::Resident;
use crate::storms;
use hearth_disks::{Disk, Kind, own_mounts};
use hearth_service::config::FeedChoice;
use std::fs;
use std::path::Path;

/// Files that are made while nobody reads, most of which are removed again: with a write to each, more than
/// 100 000 operations.
const FILES: usize = 40_000;
/// One in so many stays: few enough that comparing takes less than a scan.
const STAYS: usize = 10;

/// Fills any queue: in a folder that is there already, since what is in a new one is found with it.
fn flood(top: &Path, turn: usize) {
    let folder = top.join(format!("flood-{turn}"));
    for number in 0..FILES {
        let path = folder.join(format!("file-{number}"));
        fs::write(&path, "x").expect("written");
        if !number.is_multiple_of(STAYS) {
            fs::remove_file(path).expect("removed");
        }
    }
    fs::write(top.join("before/file-1"), format!("in place, turn {turn}")).expect("written");
    fs::remove_file(top.join(format!("before/file-{}", turn + 2))).expect("removed");
}

#[track_caller]
fn check(top: &Path, home: &Path, feed: FeedChoice) {
    storms::fill(&top.join("before"), 5000).expect("filled");
    (0..2).for_each(|turn| fs::create_dir(top.join(format!("flood-{turn}"))).expect("made"));
    let mut resident = Resident::start(home, top, feed);
    resident.order("settle");
    let mut before = resident.fields("status");
    assert_eq!((&*before["kind"], &*before["overflows"]), (feed.as_str(), "0"));
    for turn in 0..2 {
        resident.halt();
        flood(top, turn);
        resident.go_on();
        if turn == 0 {
            let answers = resident.fields("first overflow");
            assert!(answers["stale"] != "0" && answers["right"] == "true", "stale until right: {answers:?}");
        }
        resident.assert_fresh("a flood");
        let after = resident.fields("status");
        assert_eq!(after["overflows"], (turn + 1).to_string(), "once: {after:?}");
        assert!(after["compared_at"] > before["compared_at"], "compared: {after:?}");
        assert_eq!(after["loads"], "1", "not made anew: {after:?}");
        fs::write(top.join(format!("later-{turn}")), "").expect("written");
        resident.assert_fresh("a change after a flood");
        let later = resident.fields("status");
        assert_eq!(later["compared_at"], after["compared_at"], "one comparison for a flood: {later:?}");
        before = later;
    }
}

#[test]
fn a_flood_over_fanotify_leads_to_one_comparison() {
    if !own_mounts("overflow::a_flood_over_fanotify_leads_to_one_comparison") {
        return;
    }
    let Some(disk) = Disk::new(Kind::Ext4, "a flood") else { return };
    check(&disk.root, &disk.beside().join("home"), FeedChoice::Fanotify);
}

#[test]
fn a_flood_over_inotify_leads_to_one_comparison() {
    let temp = tempfile::tempdir().expect("a folder");
    let top = temp.path().join("tree");
    check(&top, &temp.path().join("home"), FeedChoice::Inotify);
}
