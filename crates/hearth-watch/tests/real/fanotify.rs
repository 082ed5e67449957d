//! The feed of a whole file system, on real ones. Needs root; without it each test says so and does nothing.

use crate::pacing::{self, SETTLE};
use crate::world::sight::{look, uncovered};
use crate::world::{KINDS, LONG, catch_up, joined, may_mount, run};
use hearth_disks::acts::{Actor, acts};
use hearth_disks::{Disk, Kind};
use hearth_watch::{
    ActKind, Batch, Dirt, Feed, FeedError, FeedKind, FeedOptions, Proof, ReadAhead, Writes, fanotify,
};
use proptest::test_runner::{Config, TestRunner};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn options(place: &Path) -> FeedOptions {
    let cookies = place.join("cookies");
    fs::create_dir_all(&cookies).expect("made");
    FeedOptions { settle: Duration::ZERO, cookie_folder: Some(cookies), ..FeedOptions::default() }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("stat").ino()
}

fn name(folder: &Path, name: &str) -> Dirt {
    Dirt::Name { folder: inode(folder), name: name.as_bytes().into() }
}

/// A feed of an own file system of each kind that can be had.
fn on_each(test: &str, check: impl Fn(Kind, &Disk)) {
    if !may_mount(test) {
        return;
    }
    for kind in KINDS {
        if let Some(place) = Disk::new(kind, test) {
            check(kind, &place);
        }
    }
}

fn sorted(batch: &Batch) -> Vec<Dirt> {
    let mut dirt = batch.dirt.clone();
    dirt.sort();
    dirt
}

#[test]
fn what_is_done_to_a_name_makes_that_name_dirty() {
    on_each("single operations", |kind, place| {
        let folder = place.root.join("folder");
        fs::create_dir(&folder).expect("made");
        let mut feed = fanotify::open(&place.root, &options(&place.root)).expect("opened");
        assert_eq!(feed.describe(), FeedKind::Fanotify);
        assert_eq!(catch_up(&mut feed).dirt, [], "{kind:?}: nothing happened");
        fs::write(folder.join("file"), "contents").expect("written");
        assert_eq!(catch_up(&mut feed).dirt, [name(&folder, "file")], "{kind:?}: create and write");
        fs::rename(folder.join("file"), place.root.join("moved")).expect("moved");
        let both = sorted(&catch_up(&mut feed));
        let mut wanted = vec![name(&folder, "file"), name(&place.root, "moved")];
        wanted.sort();
        assert_eq!(both, wanted, "{kind:?}: rename");
        fs::remove_file(place.root.join("moved")).expect("removed");
        assert_eq!(catch_up(&mut feed).dirt, [name(&place.root, "moved")], "{kind:?}: remove");
        fs::write(place.root.join("one"), "").expect("written");
        fs::hard_link(place.root.join("one"), folder.join("two")).expect("linked");
        catch_up(&mut feed);
        fs::remove_file(folder.join("two")).expect("removed");
        let object = Dirt::Object { inode: inode(&place.root.join("one")) };
        let mut wanted = vec![name(&folder, "two"), object];
        wanted.sort();
        assert_eq!(sorted(&catch_up(&mut feed)), wanted, "{kind:?}: a hard link goes");
        fs::set_permissions(&place.root, fs::metadata(&place.root).expect("stat").permissions())
            .expect("set");
        assert_eq!(
            catch_up(&mut feed).dirt,
            [Dirt::Object { inode: inode(&place.root) }],
            "{kind:?}: the root"
        );
    });
}

#[test]
fn every_change_that_can_be_seen_is_covered_by_dirt() {
    on_each("random operations", |kind, place| {
        let mut feed = fanotify::open(&place.root, &options(&place.root)).expect("opened");
        let cases = std::cell::Cell::new(0);
        let feed = std::cell::RefCell::new(&mut feed);
        let mut runner =
            TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
        let ran = runner.run(&acts(40), |acts| {
            cases.set(cases.get() + 1);
            let root = place.root.join(format!("case{}", cases.get()));
            fs::create_dir(&root).expect("made");
            let (first, second) = acts.split_at(acts.len() / 2);
            let mut actor = Actor::new(&root);
            first.iter().for_each(|act| drop(actor.run(act)));
            catch_up(&mut **feed.borrow_mut());
            let before = look(&root);
            second.iter().for_each(|act| drop(actor.run(act)));
            let batch = catch_up(&mut **feed.borrow_mut());
            let after = look(&root);
            proptest::prop_assert_eq!(
                uncovered(&before, &after, &batch),
                Vec::<&crate::world::sight::Key>::new()
            );
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
    });
}

#[test]
fn a_write_to_a_file_that_stays_open_is_told_or_not_as_asked() {
    on_each("open files", |kind, place| {
        for (writes, told) in [(Writes::AsTheyHappen, true), (Writes::WhenClosed, false)] {
            let options = FeedOptions { writes, ..options(&place.root) };
            let mut log = fs::File::create(place.root.join("log")).expect("made");
            let mut feed = fanotify::open(&place.root, &options).expect("opened");
            std::io::Write::write_all(&mut log, b"line").expect("written");
            let wanted = [name(&place.root, "log")];
            assert_eq!(catch_up(&mut feed).dirt == wanted, told, "{kind:?} {writes:?}");
            drop(log);
            assert_eq!(catch_up(&mut feed).dirt, wanted, "{kind:?} {writes:?}: closed");
        }
    });
}

#[test]
fn a_storm_that_nobody_reads_overflows_once_and_the_feed_works_on() {
    on_each("overflow", |kind, place| {
        let most = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").expect("a limit");
        let most: u32 = most.trim().parse().expect("a number");
        let mut feed = fanotify::open(&place.root, &options(&place.root)).expect("opened");
        for round in 0..2 {
            for number in 0..most + 100 {
                fs::create_dir(place.root.join(format!("{round}-{number}"))).expect("made");
            }
            let lost = feed.drop_cookie().expect("a cookie whose file nobody will tell of");
            let mut overflows = 0;
            let mut passed = false;
            while let Some(batch) = feed.next(Duration::from_millis(50)).expect("works") {
                overflows += u32::from(batch.overflowed);
                passed |= batch.cookies.contains(&lost);
            }
            assert_eq!((overflows, passed), (1, true), "{kind:?} round {round}");
            fs::write(place.root.join("after"), "").expect("written");
            let after = catch_up(&mut feed);
            assert_eq!((after.overflowed, after.dirt), (false, vec![name(&place.root, "after")]), "{kind:?}");
        }
    });
}

#[test]
fn a_cookie_passes_with_all_that_was_done_before_it() {
    on_each("cookies", |kind, place| {
        for folder in [true, false] {
            let mut options = options(&place.root);
            options.settle = Duration::from_secs(1);
            options.cookie_folder = options.cookie_folder.filter(|_| folder);
            let mut feed = fanotify::open(&place.root, &options).expect("opened");
            let handle = feed.handle();
            for round in 0..20 {
                let made = format!("{folder}-{round}");
                let (root, handle) = (place.root.clone(), handle.clone());
                let started = Instant::now();
                let writer = std::thread::spawn({
                    let made = made.clone();
                    move || {
                        fs::write(root.join(made), "").expect("written");
                        handle.drop_cookie().expect("a cookie")
                    }
                });
                let mut batch = feed.next(LONG).expect("works").expect("a batch");
                while batch.cookies.is_empty() {
                    batch = joined(Some(batch), feed.next(LONG).expect("works").expect("a batch"));
                }
                let cookie = writer.join().expect("written");
                assert_eq!(batch.cookies, [cookie], "{kind:?}");
                assert_eq!(cookie.proof, if folder { Proof::Passed } else { Proof::Quiet });
                let mut dirt = sorted(&batch);
                dirt.dedup();
                assert_eq!(dirt, [name(&place.root, &made)], "{kind:?}: and nothing about the cookie");
                assert!(started.elapsed() < Duration::from_millis(900), "a cookie does not wait for more");
            }
        }
    });
}

#[test]
fn a_cookie_folder_of_another_file_system_is_not_used() {
    on_each("foreign cookie folder", |kind, place| {
        let temp = tempfile::tempdir().expect("a folder");
        let options = FeedOptions { cookie_folder: Some(temp.path().to_owned()), ..FeedOptions::default() };
        let mut feed = fanotify::open(&place.root, &options).expect("opened");
        let cookie = feed.drop_cookie().expect("a cookie");
        assert_eq!(cookie.proof, Proof::Quiet, "{kind:?}");
        assert_eq!(feed.next(LONG).expect("works").expect("a batch").cookies, [cookie]);
    });
}

#[test]
fn a_lone_change_is_told_at_once_and_those_after_it_are_gathered() {
    on_each("gathering", |kind, place| {
        let options = FeedOptions { settle: SETTLE, ..options(&place.root) };
        let feed = fanotify::open(&place.root, &options).expect("opened");
        let mut ahead = ReadAhead::start(feed, &options).expect("started");
        pacing::lone_and_gathered(&mut ahead, &place.root.join(format!("{kind:?}")));
    });
}

#[test]
fn an_idle_feed_does_not_wake_up() {
    on_each("idle", |kind, place| {
        let options = FeedOptions { settle: Duration::from_millis(2), ..options(&place.root) };
        let feed = fanotify::open(&place.root, &options).expect("opened");
        let touch = |round: u32| fs::write(place.root.join(round.to_string()), "").expect("written");
        assert_eq!(pacing::wakes_of_idle(feed, &options, touch), [0, 0], "{kind:?}");
    });
}

#[test]
fn who_did_it_is_told_with_program_and_user() {
    on_each("acts", |kind, place| {
        let options = FeedOptions { history: 10, ..options(&place.root) };
        let mut feed = fanotify::open(&place.root, &options).expect("opened");
        let (from, to) = (place.root.join("from"), place.root.join("to"));
        let script = format!("echo > {0}; mv {0} {1}; rm {1}; sleep 0.2", from.display(), to.display());
        let mut shell = std::process::Command::new("sh").args(["-c", &script]).spawn().expect("a shell");
        let mut acts = Vec::new();
        while shell.try_wait().expect("waited").is_none() {
            let batch = feed.next(Duration::from_millis(20)).expect("works");
            acts.extend(batch.into_iter().flat_map(|batch| batch.acts));
        }
        let root = inode(&place.root);
        let of = |name: &str, kind| acts.iter().find(|act| &*act.name == name.as_bytes() && act.kind == kind);
        let created = of("from", ActKind::Created).expect("created");
        assert_eq!((&*created.command, created.uid, created.folder), ("sh", Some(0), root), "{kind:?}");
        assert_eq!(created.pid, shell.id());
        for (name, did) in
            [("from", ActKind::RenamedFrom), ("to", ActKind::RenamedTo), ("to", ActKind::Removed)]
        {
            assert!(
                of(name, did).is_some_and(|act| act.pid != shell.id()),
                "{kind:?} {name} {did:?} of {acts:?}"
            );
        }
    });
}

#[test]
fn acts_in_a_batch_are_bounded_and_the_rest_is_counted() {
    on_each("bounded acts", |kind, place| {
        let options = FeedOptions { history: 3, ..options(&place.root) };
        let mut feed = fanotify::open(&place.root, &options).expect("opened");
        (0..10).for_each(|number| fs::create_dir(place.root.join(number.to_string())).expect("made"));
        let batch = catch_up(&mut feed);
        assert_eq!((batch.acts.len(), batch.acts_dropped), (3, 7), "{kind:?}");
    });
}

#[test]
fn changes_through_another_mount_of_the_file_system_are_told() {
    on_each("second mount", |kind, place| {
        let temp = tempfile::tempdir().expect("a folder");
        let inner = place.root.join("inner");
        fs::create_dir(&inner).expect("made");
        let mut feed = fanotify::open(&place.root, &options(&place.root)).expect("opened");
        let second = temp.path().to_str().expect("plain").to_owned();
        assert!(run("mount", &["--bind", inner.to_str().expect("plain"), &second]));
        fs::write(temp.path().join("file"), "").expect("written");
        let batch = catch_up(&mut feed);
        assert!(run("umount", &[&second]));
        assert_eq!(batch.dirt, [name(&inner, "file")], "{kind:?}");
    });
}

#[test]
fn a_feed_does_not_keep_its_file_system_mounted() {
    on_each("unmounting", |kind, place| {
        let options = FeedOptions { cookie_folder: None, ..FeedOptions::default() };
        let mut feed = fanotify::open(&place.root, &options).expect("opened");
        assert!(run("umount", &[place.root.to_str().expect("plain")]), "{kind:?}");
        assert!(feed.next(Duration::from_millis(5)).is_ok());
    });
}

#[test]
fn of_a_btrfs_only_the_watched_subvolume_makes_dirt() {
    let test = "subvolumes";
    if !may_mount(test) {
        return;
    }
    let Some(place) = Disk::new(Kind::Btrfs, test) else { return };
    for subvolume in ["home", "data"] {
        let path = place.root.join(subvolume);
        assert!(run("btrfs", &["subvolume", "create", path.to_str().expect("plain")]));
    }
    let temp = tempfile::tempdir().expect("a folder");
    let home = temp.path().to_str().expect("plain").to_owned();
    let source = std::process::Command::new("findmnt").args(["-no", "SOURCE"]).arg(&place.root).output();
    let source = String::from_utf8(source.expect("findmnt runs").stdout).expect("plain");
    assert!(run("mount", &["-o", "subvol=home", source.trim(), &home]));
    let mut feed =
        fanotify::open(temp.path(), &options(temp.path())).expect("opened, though it is no top level");
    fs::write(place.root.join("data/file"), "").expect("written");
    fs::write(place.root.join("file"), "").expect("written");
    let elsewhere = catch_up(&mut feed);
    assert_eq!((elsewhere.dirt.len(), elsewhere.elsewhere > 0), (0, true));
    fs::write(place.root.join("home/file"), "").expect("written");
    let here = catch_up(&mut feed);
    assert_eq!((here.dirt, here.elsewhere), (vec![name(temp.path(), "file")], 0));
    assert!(run("umount", &["--lazy", &home]));
}

#[test]
fn what_cannot_be_watched_as_a_whole_says_what_it_is() {
    let test = "overlay";
    if !may_mount(test) {
        return;
    }
    let Some(place) = Disk::new(Kind::Tmpfs, test) else { return };
    for folder in ["lower", "upper", "work", "merged"] {
        fs::create_dir(place.root.join(folder)).expect("made");
    }
    let at = |folder: &str| place.root.join(folder).display().to_string();
    let layers = format!("lowerdir={},upperdir={},workdir={}", at("lower"), at("upper"), at("work"));
    let merged = at("merged");
    assert!(run("mount", &["-t", "overlay", "-o", &layers, "overlay", &merged]));
    let refused = fanotify::open(Path::new(&merged), &FeedOptions::default()).err();
    assert!(run("umount", &[&merged]));
    assert!(
        matches!(&refused, Some(FeedError::Unsupported { file_system, .. }) if file_system == "overlay"),
        "{refused:?}"
    );
    let proc = fanotify::open(Path::new("/proc"), &FeedOptions::default()).err();
    assert!(matches!(proc, Some(FeedError::Unsupported { .. })), "{proc:?}");
}
