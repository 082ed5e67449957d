//! The mount table is watched: mounts come and go, and nothing is told in between. Needs root.

use crate::world::{LONG, may_mount};
use hearth_disks::{Disk, Kind};
use hearth_watch::{FeedError, MountsChanged, MountsWatch};
use std::time::Duration;

#[test]
fn a_mount_and_an_unmount_are_told_once_each() {
    if !may_mount("mounts") {
        return;
    }
    let mut watch = MountsWatch::open().expect("opened");
    assert_eq!(watch.next(Duration::ZERO).expect("works"), None);
    let place = Disk::new(Kind::Tmpfs, "mounts").expect("a tmpfs");
    assert_eq!(watch.next(LONG).expect("works"), Some(MountsChanged));
    assert_eq!(watch.next(Duration::ZERO).expect("works"), None);
    drop(place);
    assert_eq!(watch.next(LONG).expect("works"), Some(MountsChanged));
    assert_eq!(watch.next(Duration::from_millis(20)).expect("works"), None);
}

#[test]
fn a_watch_can_be_woken_and_stopped_while_it_waits() {
    let mut watch = MountsWatch::open().expect("opened");
    let waker = watch.waker();
    let other = std::thread::spawn(move || {
        waker.wake();
        std::thread::sleep(Duration::from_millis(20));
        waker.stop();
    });
    assert_eq!(watch.next(Duration::MAX).expect("woken"), None);
    assert!(matches!(watch.next(Duration::MAX), Err(FeedError::Stopped)));
    other.join().expect("stopped");
}
