//! The feed of a tree, on real ones, as any user may have it. (Things that only root can do are tried and fail.)

use crate::pacing::{self, SETTLE};
use crate::world::sight::{look, uncovered};
use crate::world::{LONG, catch_up, joined};
use hearth_disks::acts::{Act, Actor, acts};
use hearth_watch::inotify::{self, Enter};
use hearth_watch::{Batch, Dirt, Feed, FeedError, FeedHandle, FeedKind, FeedOptions, Proof, ReadAhead};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn all() -> Enter {
    Box::new(|_, _| true)
}

fn options() -> FeedOptions {
    FeedOptions { settle: Duration::ZERO, ..FeedOptions::default() }
}

fn tree(folders: &[&str]) -> TempDir {
    let temp = tempfile::tempdir().expect("a folder");
    folders.iter().for_each(|folder| fs::create_dir_all(temp.path().join(folder)).expect("made"));
    temp
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("stat").ino()
}

fn name(folder: &Path, name: &str) -> Dirt {
    Dirt::Name { folder: inode(folder), name: name.as_bytes().into() }
}

fn watches(feed: &dyn Feed) -> u64 {
    match feed.describe() {
        FeedKind::Inotify { watches, .. } => watches,
        other => panic!("{other:?}"),
    }
}

fn sorted(batch: Batch) -> Vec<Dirt> {
    let mut dirt = batch.dirt;
    dirt.sort();
    dirt.dedup();
    dirt
}

fn folders_of(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut at = 0;
    while let Some(folder) = found.get(at).cloned() {
        let entries = fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry"));
        found.extend(
            entries.filter(|entry| entry.file_type().expect("a type").is_dir()).map(|entry| entry.path()),
        );
        at += 1;
    }
    found
}

/// Makes something in every folder and requires that all of it is told.
fn assert_all_watched(feed: &mut dyn Feed, root: &Path) {
    let folders = folders_of(root);
    catch_up(feed);
    folders.iter().for_each(|folder| fs::write(folder.join("probe"), "").expect("written"));
    let told: HashSet<Dirt> = catch_up(feed).dirt.into_iter().collect();
    for folder in &folders {
        assert!(told.contains(&name(folder, "probe")), "{} is not watched", folder.display());
    }
}

#[test]
fn a_folder_that_comes_is_told_as_a_whole_and_watched() {
    let temp = tree(&["a/b"]);
    let mut feed = inotify::open(temp.path(), all(), &options()).expect("opened");
    assert_eq!(watches(&feed), 3);
    fs::write(temp.path().join("a/b/file"), "").expect("written");
    assert_eq!(sorted(catch_up(&mut feed)), [name(&temp.path().join("a/b"), "file")]);
    fs::create_dir_all(temp.path().join("new/below")).expect("made");
    let dirt = catch_up(&mut feed).dirt;
    for folder in ["new", "new/below"] {
        let folder = inode(&temp.path().join(folder));
        assert!(dirt.contains(&Dirt::Folder { folder }), "{dirt:?}");
    }
    assert_eq!(watches(&feed), 5);
    assert_all_watched(&mut feed, temp.path());
}

#[test]
fn a_renamed_folder_keeps_its_watches_and_one_that_left_loses_them() {
    let temp = tree(&["tree/a/b/c", "tree/d", "outside"]);
    let root = temp.path().join("tree");
    let mut feed = inotify::open(&root, all(), &options()).expect("opened");
    assert_eq!(watches(&feed), 5);
    fs::rename(root.join("a"), root.join("d/a")).expect("moved");
    fs::write(root.join("d/a/b/c/file"), "").expect("written");
    let mut wanted = vec![name(&root, "a"), name(&root.join("d"), "a"), name(&root.join("d/a/b/c"), "file")];
    wanted.sort();
    assert_eq!(sorted(catch_up(&mut feed)), wanted, "and no folder is new");
    fs::rename(root.join("d/a/b"), temp.path().join("outside/b")).expect("moved");
    catch_up(&mut feed);
    let deadline = Instant::now() + LONG;
    while watches(&feed) > 3 && Instant::now() < deadline {
        assert!(feed.next(Duration::from_millis(50)).expect("works").is_none());
    }
    assert_eq!(watches(&feed), 3);
    fs::write(temp.path().join("outside/b/c/file"), "").expect("written");
    assert_eq!(catch_up(&mut feed).dirt, []);
    fs::rename(temp.path().join("outside/b"), root.join("back")).expect("moved");
    catch_up(&mut feed);
    assert_eq!(watches(&feed), 5);
    assert_all_watched(&mut feed, &root);
}

#[test]
fn a_folder_made_in_one_that_was_then_renamed_is_watched_at_its_new_place() {
    for decoy in [false, true] {
        let temp = tree(&["before/deep"]);
        let mut feed = inotify::open(temp.path(), all(), &options()).expect("opened");
        fs::create_dir_all(temp.path().join("before/deep/new/below")).expect("made");
        fs::rename(temp.path().join("before"), temp.path().join("after")).expect("moved");
        if decoy {
            fs::create_dir_all(temp.path().join("before/deep/new/other")).expect("made");
        }
        assert_all_watched(&mut feed, temp.path());
        let folders = u64::try_from(folders_of(temp.path()).len()).expect("few");
        assert_eq!(watches(&feed), folders);
    }
}

#[test]
fn exchanged_folders_keep_their_watches_whenever_their_events_are_read() {
    for meanwhile in [true, false] {
        let temp = tree(&["one/below"]);
        let at = |name: &str| temp.path().join(name);
        let mut feed = inotify::open(temp.path(), all(), &options()).expect("opened");
        fs::create_dir(at("two")).expect("made");
        if meanwhile {
            catch_up(&mut feed);
        }
        let acts = [Act::Exchange("one".into(), "two".into()), Act::Rename("one".into(), "two/moved".into())];
        let mut actor = Actor::new(temp.path());
        acts.iter().for_each(|act| actor.run(act).expect("possible"));
        assert_all_watched(&mut feed, temp.path());
        assert_eq!(watches(&feed), 4);
    }
}

#[test]
fn folders_that_are_not_let_in_are_not_watched_also_after_a_rename() {
    let temp = tree(&["kept/below", "left/below"]);
    let enter: Enter = Box::new(|path, _| !path.ends_with("left"));
    let mut feed = inotify::open(temp.path(), enter, &options()).expect("opened");
    assert_eq!(watches(&feed), 3);
    fs::rename(temp.path().join("left"), temp.path().join("entered")).expect("moved");
    catch_up(&mut feed);
    assert_eq!(watches(&feed), 5);
    fs::rename(temp.path().join("kept"), temp.path().join("left")).expect("moved");
    catch_up(&mut feed);
    assert_eq!(watches(&feed), 3);
}

#[test]
fn more_folders_than_allowed_are_counted_and_refused() {
    let temp = tree(&["a/1", "b/1", "c/1"]);
    let none = FeedOptions { watches_percent: 0, ..options() };
    let refused = inotify::open(temp.path(), all(), &none).err();
    assert!(matches!(refused, Some(FeedError::LimitReached { wanted: 7, allowed: 1 })), "{refused:?}");
}

#[test]
fn a_root_that_goes_ends_the_feed() {
    for go in
        [|root: &Path| fs::remove_dir_all(root), |root: &Path| fs::rename(root, root.with_extension("moved"))]
    {
        let temp = tree(&["root/below"]);
        let root = temp.path().join("root");
        let mut feed = inotify::open(&root, all(), &options()).expect("opened");
        go(&root).expect("gone");
        let deadline = Instant::now() + LONG;
        let end = loop {
            match feed.next(Duration::from_millis(50)) {
                Err(end) => break end,
                Ok(_) => assert!(Instant::now() < deadline, "it must end"),
            }
        };
        assert!(matches!(end, FeedError::RootGone { .. }), "{end:?}");
    }
}

#[test]
fn cookies_pass_by_a_folder_inside_or_outside_of_the_tree_or_without_one() {
    let temp = tree(&["tree/inside", "outside"]);
    let root = temp.path().join("tree");
    for (folder, proof) in
        [(Some("tree/inside"), Proof::Passed), (Some("outside"), Proof::Passed), (None, Proof::Quiet)]
    {
        let cookie_folder = folder.map(|folder| temp.path().join(folder));
        let options = FeedOptions { cookie_folder, settle: Duration::from_secs(5), ..options() };
        let mut feed = inotify::open(&root, all(), &options).expect("opened");
        for round in 0..20 {
            let file = format!("{folder:?}-{round}").replace('/', "-");
            fs::write(root.join(&file), "").expect("written");
            let cookie = feed.drop_cookie().expect("a cookie");
            assert_eq!(cookie.proof, proof);
            let batch = feed.next(LONG).expect("works").expect("a batch");
            assert_eq!((batch.cookies, batch.dirt), (vec![cookie], vec![name(&root, &file)]));
        }
    }
}

#[test]
fn a_lone_change_is_told_at_once_and_those_after_it_are_gathered() {
    let temp = tree(&[]);
    let options = FeedOptions { settle: SETTLE, ..options() };
    let open = || inotify::open(temp.path(), all(), &options).expect("opened");
    pacing::lone_and_gathered(&mut open(), &temp.path().join("direct"));
    let mut ahead = ReadAhead::start(open(), &options).expect("started");
    pacing::lone_and_gathered(&mut ahead, &temp.path().join("ahead"));
}

#[test]
fn a_storm_makes_few_batches() {
    let temp = tree(&[]);
    let options = FeedOptions { settle: Duration::from_millis(50), ..options() };
    let open = || inotify::open(temp.path(), all(), &options).expect("opened");
    pacing::storm(&mut open(), &temp.path().join("direct"), options.settle);
    let mut ahead = ReadAhead::start(open(), &options).expect("started");
    pacing::storm(&mut ahead, &temp.path().join("ahead"), options.settle);
}

#[test]
fn an_idle_feed_does_not_wake_up() {
    let temp = tree(&["tree/a/b", "cookies"]);
    let root = temp.path().join("tree");
    for cookie_folder in [None, Some(temp.path().join("cookies"))] {
        let options = FeedOptions { cookie_folder, ..FeedOptions::default() };
        let feed = inotify::open(&root, all(), &options).expect("opened");
        // A folder that leaves is waited for a while, and no longer.
        let touch = |round: u32| {
            let leaving = root.join(round.to_string());
            fs::create_dir(&leaving).expect("made");
            fs::rename(leaving, temp.path().join(format!("left {round}"))).expect("moved");
        };
        assert_eq!(pacing::wakes_of_idle(feed, &options, touch), [0, 0]);
    }
}

#[test]
fn an_overflow_is_told_once_and_all_is_watched_after_it() {
    let temp = tree(&["a"]);
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
    let most: u32 = most.trim().parse().expect("a number");
    let mut feed = inotify::open(temp.path(), all(), &options()).expect("opened");
    for number in 0..most / 2 + 100 {
        let path = temp.path().join(format!("a/{number}"));
        fs::write(&path, "").expect("written");
        fs::remove_file(&path).expect("removed");
    }
    fs::create_dir_all(temp.path().join("late/below")).expect("made");
    let mut overflows = 0;
    while let Some(batch) = feed.next(Duration::from_millis(50)).expect("works") {
        overflows += u32::from(batch.overflowed);
    }
    assert_eq!((overflows, watches(&feed)), (1, 4));
    assert_all_watched(&mut feed, temp.path());
}

#[test]
fn a_removed_tree_leaves_no_watch() {
    let temp = tree(&["root/a/b/c/d", "root/a/e", "root/f"]);
    let root = temp.path().join("root");
    let mut feed = inotify::open(&root, all(), &options()).expect("opened");
    fs::remove_dir_all(root.join("a")).expect("removed");
    catch_up(&mut feed);
    assert_eq!(watches(&feed), 2);
}

#[test]
fn a_folder_that_becomes_readable_is_watched_from_then_on() {
    // Root may read everything; the user of this thread may not.
    let thread = std::thread::spawn(|| {
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::process::Uid::from_raw(65534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root may be anybody");
        }
        let temp = tree(&["closed/below"]);
        let closed = temp.path().join("closed");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("set");
        let mut feed = inotify::open(temp.path(), all(), &options()).expect("opened");
        assert_eq!(watches(&feed), 1);
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("set");
        catch_up(&mut feed);
        assert_eq!(watches(&feed), 3);
        let refused = hearth_watch::fanotify::open(temp.path(), &options()).err();
        assert!(matches!(refused, Some(FeedError::NotPermitted { .. })), "{refused:?}");
    });
    thread.join().expect("no panic");
}

/// Runs acts and reads the feed until a cookie that was dropped after them has passed.
fn read_while_acting(
    feed: &mut dyn Feed,
    handle: &FeedHandle,
    root: &Path,
    acts: &[Act],
    reading: Reading,
) -> Batch {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let actor = scope.spawn(|| {
            let mut actor = Actor::new(root);
            acts.iter().for_each(|act| drop(actor.run(act)));
            done.store(true, Ordering::Release);
            handle.wake();
        });
        let mut all = None;
        while reading != Reading::Afterwards && !done.load(Ordering::Acquire) {
            if let Some(batch) = feed.next(LONG).expect("works") {
                all = Some(joined(all, batch));
            }
        }
        actor.join().expect("acted");
        let last = catch_up(feed);
        joined(all, last)
    })
}

fn without_links(mut acts: Vec<Act>) -> Vec<Act> {
    acts.retain(|act| !matches!(act, Act::Link(..)));
    acts
}

/// How a feed is read in a test of random acts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Meanwhile,
    Afterwards,
    Ahead,
}

fn check_random_acts(reading: Reading) {
    let temp = tree(&[]);
    let inner = inotify::open(temp.path(), all(), &options()).expect("opened");
    let mut feed: Box<dyn Feed> = match reading {
        Reading::Ahead => Box::new(ReadAhead::start(inner, &options()).expect("started")),
        Reading::Meanwhile | Reading::Afterwards => Box::new(inner),
    };
    let handle = feed.handle();
    let feed = std::cell::RefCell::new(&mut *feed);
    let cases = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    // A link that comes and goes within a batch leaves traces on names that no event tells.
    let ran = runner.run(&acts(80).prop_map(without_links), |acts| {
        let mut feed = feed.borrow_mut();
        cases.set(cases.get() + 1);
        let root = temp.path().join(format!("case{}", cases.get()));
        fs::create_dir(&root).expect("made");
        let (first, second) = acts.split_at(acts.len() / 2);
        read_while_acting(&mut **feed, &handle, &root, first, reading);
        let before = look(&root);
        let batch = read_while_acting(&mut **feed, &handle, &root, second, reading);
        let after = look(&root);
        proptest::prop_assert_eq!(
            uncovered(&before, &after, &batch),
            Vec::<&crate::world::sight::Key>::new()
        );
        assert_all_watched(&mut **feed, &root);
        fs::remove_dir_all(&root).expect("removed");
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn every_change_that_can_be_seen_is_covered_by_dirt() {
    check_random_acts(Reading::Afterwards);
}

#[test]
fn every_change_is_covered_when_it_is_read_as_it_happens() {
    check_random_acts(Reading::Meanwhile);
}

#[test]
fn every_change_is_covered_by_what_was_read_ahead() {
    check_random_acts(Reading::Ahead);
}
