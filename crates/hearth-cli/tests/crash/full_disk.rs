//! No room for snapshots: that is told, nothing else suffers, and room that comes later is used.
//!
//! The cache folder of the daemon is a small file system of its own, in a name space that only the daemon
//! and what it starts are in: it ends with them.

use crate::house::{House, files_below, note};
use crate::tree::Grove;
use hearth_client::protocol::method;
use rustix::process::geteuid;
use serde_json::json;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::Command;

/// A daemon whose cache folder holds 1 MiB, and that folder, seen from here.
fn small_disk(house: &mut House) -> File {
    let cache = house.places().cache;
    fs::create_dir_all(&cache).expect("a folder");
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m,mode=0700 hearth \"$0\" && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(&cache);
    house.spawn_as(command);
    let seen = PathBuf::from(format!("/proc/{}/root", house.pid()));
    File::open(seen.join(cache.strip_prefix("/").expect("absolute"))).expect("the folder")
}

/// A file in a folder that may not have a path.
fn below(folder: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Takes all the room there is but this.
fn fill(cache: &File, room: usize) {
    let mut bytes = vec![1; 2 << 20];
    while fs::write(below(cache, "ballast"), &bytes).is_err() {
        bytes.truncate(bytes.len() - 4096);
    }
    bytes.truncate(bytes.len() - room);
    fs::write(below(cache, "ballast"), &bytes).expect("room");
}

#[test]
fn a_full_disk_is_told_and_room_that_comes_later_is_used() {
    if !geteuid().is_root() {
        return note("skipped: only root can make a small file system");
    }
    let mut house = House::new();
    let mut grove = Grove::plant(&house.tree(), 50, 2000, 5);
    let cache = small_disk(&mut house);
    fill(&cache, 8192);
    house.add();
    house.wait_complete();
    house.wait_until("an error", |shard| shard["last_save_error"].is_string());
    let shard = house.shard();
    let error = shard["last_save_error"].as_str().expect("text");
    assert!(error.contains("no room on the disk"), "{error}");
    assert!(shard["unsaved"] == true && shard["snapshot_bytes"] == 0, "{shard}");
    house.assert_equals_tree();
    grove.change(100);
    house.refresh();
    house.assert_equals_tree();
    assert_eq!(files_below(&below(&cache, "snapshots")), Vec::<PathBuf>::new(), "it is removed again");
    let doctor =
        String::from_utf8_lossy(&house.hearth(&["doctor"]).output().expect("it runs").stdout).into_owned();
    assert!(doctor.contains("no room on the disk"), "{doctor}");
    // Whatever comes next, the end saves it.
    fs::remove_file(below(&cache, "ballast")).expect("it is ours");
    assert!(house.terminate().success());
    let files = files_below(&below(&cache, "snapshots"));
    assert_eq!(files, [below(&cache, "snapshots/0000000000000001.hearth")], "{}", house.words());
}

#[test]
fn a_disk_that_fills_up_keeps_the_snapshot_from_before() {
    if !geteuid().is_root() {
        return note("skipped: only root can make a small file system");
    }
    let mut house = House::new();
    let mut grove = Grove::plant(&house.tree(), 50, 2000, 6);
    let cache = small_disk(&mut house);
    house.index();
    let snapshot = below(&cache, "snapshots/0000000000000001.hearth");
    let before = fs::read(&snapshot).expect("a file");
    fill(&cache, 4096);
    grove.change(200);
    house.refresh();
    house.wait_until("an error", |shard| shard["last_save_error"].is_string());
    assert_eq!(fs::read(&snapshot).expect("a file"), before);
    house.assert_equals_tree();
    // The end tries once more, in vain, and ends.
    assert!(house.terminate().success(), "{}", house.words());
    assert_eq!(fs::read(&snapshot).expect("a file"), before);
    assert_eq!(files_below(&below(&cache, "snapshots")), [snapshot]);
}

#[test]
fn a_folder_that_cannot_be_made_costs_only_that_nothing_is_kept() {
    let mut house = House::new();
    let mut grove = Grove::plant(&house.tree(), 20, 500, 7);
    fs::create_dir_all(house.places().cache).expect("a folder");
    fs::write(house.snapshots(), "a file in its place").expect("a file");
    house.start();
    house.add();
    house.wait_complete();
    house.assert_equals_tree();
    grove.change(50);
    house.refresh();
    house.assert_equals_tree();
    house.tell(method::HIBERNATE, &json!({}));
    house.wait_complete();
    house.assert_equals_tree();
    let doctor =
        String::from_utf8_lossy(&house.hearth(&["doctor"]).output().expect("it runs").stdout).into_owned();
    assert!(doctor.contains("none are kept") && doctor.contains("not kept on disk"), "{doctor}");
    assert!(house.terminate().success());
    assert_eq!(fs::read(house.snapshots()).expect("a file"), b"a file in its place");
}
