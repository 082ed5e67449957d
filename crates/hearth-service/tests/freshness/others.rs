//! File systems in which others change things, without an event here: a program that shows another folder (bindfs).

use crate::world::{World, until};
use hearth_disks::{left_out, own_mounts};
use hearth_service::Config;
use hearth_service::api::Proof;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A folder that is shown at another place.
struct Shown<'a>(&'a Path);

impl<'a> Shown<'a> {
    fn new(folder: &Path, at: &'a Path) -> Option<Self> {
        let shown = Command::new("bindfs").arg(folder).arg(at).stderr(Stdio::null()).status();
        shown.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        // Its process ends with it.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn what_others_change_is_compared_when_somebody_waits_and_now_and_then() {
    let test = "what_others_change_is_compared_when_somebody_waits_and_now_and_then";
    if !own_mounts(&format!("others::{test}")) {
        return;
    }
    let temp = tempfile::tempdir().expect("a folder");
    let (behind, front) = (temp.path().join("behind"), temp.path().join("front"));
    fs::create_dir_all(behind.join("folder")).expect("made");
    fs::create_dir(&front).expect("made");
    let Some(_shown) = Shown::new(&behind, &front) else {
        return left_out("a shared file system", "bindfs is not installed, or may not be used");
    };
    let mut config = Config::default();
    config.watch.poll = Duration::from_secs(2);
    let world = World::open(&temp.path().join("home"), &front, config);
    let feed = world.status().feed;
    assert!(feed.kind == "inotify" && !feed.live && feed.text.contains("others"), "{feed:?}");
    for round in 0..3 {
        fs::write(behind.join(format!("folder/other-{round}")), "x").expect("written");
        let (found, meta) = world.finds(&format!("=other-{round}"), Some(Duration::from_secs(30)));
        assert!(found && !meta.stale && meta.proof == Some(Proof::Compared), "{meta:?}");
    }
    fs::write(front.join("folder/own"), "x").expect("written");
    until("its own change is told", || world.finds("=own", None).0);
    fs::write(behind.join("folder/late"), "x").expect("written");
    until("the next comparison finds it", || world.finds("=late", None).0);
}
