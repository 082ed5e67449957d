//! Changes while nobody watches: the process is killed amid a storm, things change, another process begins.

use crate::resident::Resident;
use crate::storms::{self, Ground};
use hearth_disks::{Disk, Kind, own_mounts};
use hearth_service::config::FeedChoice;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Storms, in the middle of which the resident is killed; afterwards another one knows everything.
#[track_caller]
fn check(top: &Path, home: &Path, feed: FeedChoice) {
    storms::fill(&top.join("before/inner"), 2000).expect("filled");
    let mut resident = Resident::start(home, top, feed);
    resident.order("saved");
    for round in 0..3 {
        let storm = top.join(format!("storm-{round}"));
        fs::create_dir(&storm).expect("made");
        thread::scope(|scope| {
            let storming =
                scope.spawn(|| storms::most(&Ground { top: &storm, outside: None, check: &|_| {} }));
            thread::sleep(Duration::from_millis(100 * (round + 1)));
            resident.kill();
            storming.join().expect("it could be done");
        });
        fs::write(top.join("before/inner/file-7"), format!("in place, {round}")).expect("written");
        fs::rename(top.join("before"), top.join("aside")).expect("moved");
        fs::rename(top.join("aside"), top.join("before")).expect("moved back");
        fs::remove_file(top.join(format!("before/inner/file-{}", round + 10))).expect("removed");
        resident = Resident::start(home, top, feed);
        let fields = resident.fields("become fresh");
        assert_eq!(fields["right"], "true", "round {round}: what is not called stale is right, {fields:?}");
        resident.assert_fresh("a restart");
        let status = resident.fields("status");
        assert_eq!(status["loaded"], "loaded", "{status:?}");
        assert!(
            status["compared_at"] != "0" && status["changed"] != "0",
            "compared, not scanned: {status:?}"
        );
        resident.order("saved");
    }
}

#[test]
fn a_restart_knows_what_it_missed_on_ext4() {
    if !own_mounts("restarts::a_restart_knows_what_it_missed_on_ext4") {
        return;
    }
    let Some(disk) = Disk::new(Kind::Ext4, "a restart") else { return };
    check(&disk.root, &disk.beside().join("home"), FeedChoice::Auto);
}

#[test]
fn a_restart_knows_what_it_missed_on_btrfs() {
    if !own_mounts("restarts::a_restart_knows_what_it_missed_on_btrfs") {
        return;
    }
    let Some(disk) = Disk::new(Kind::Btrfs, "a restart") else { return };
    check(&disk.root, &disk.beside().join("home"), FeedChoice::Auto);
}

#[test]
fn a_restart_knows_what_it_missed_without_privileges() {
    let temp = tempfile::tempdir().expect("a folder");
    let top = temp.path().join("tree");
    fs::create_dir(&top).expect("made");
    check(&top, &temp.path().join("home"), FeedChoice::Inotify);
}
