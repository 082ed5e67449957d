//! Comparing everything: what is listed, what is not, what happens when the tree does not hold still.

use super::world::{Op, World, inode_of, run, set_old, told};
use hearth_core::{CancelToken, Cancelled};
use hearth_files::follow::{FollowError, Look, Reconcile, Scope};
use hearth_files::scan::ScanCounters;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Change times are known to be this exact.
const GRAIN: Duration = Duration::from_millis(2100);

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}

fn wide(world: &World) {
    for folder in 0..30 {
        (0..5).for_each(|file| world.make(&format!("d{}/f{folder}/file {file}", folder % 4)));
    }
}

#[test]
fn folders_that_were_not_touched_are_not_listed_and_files_in_them_are_compared() {
    let world = World::in_place("/tmp");
    wide(&world);
    world.make("empty/");
    std::thread::sleep(GRAIN);
    let complete_until_ns = Some(now_ns());
    let mut volume = world.volume();
    let how = Reconcile { complete_until_ns, ..Reconcile::default() };
    let quiet = world.reconcile(&mut volume, &how);
    assert_eq!((quiet.listed_folders, quiet.applied, quiet.looked), (1, 0, 185), "only the empty one");
    fs::write(world.at("d1/f1/file 2"), "changed in place").expect("written");
    fs::remove_file(world.at("d2/f2/file 0")).expect("removed");
    // As an archive is unpacked: what came is hidden behind an old time, and the folder has its own back.
    let time = fs::metadata(world.at("d3/f3")).expect("there").modified().expect("a time");
    world.make("d3/f3/hidden");
    fs::File::open(world.at("d3/f3")).expect("open").set_modified(time).expect("own folder");
    set_old(&world.at("d3/f3/hidden")).expect("own file");
    let seen = world.reconcile(&mut volume, &how);
    assert_eq!(seen.listed_folders, 3, "the two that were touched and the empty one");
    let mut lines = told(&seen);
    lines.sort();
    assert_eq!(lines, ["created file hidden", "modified file file 2", "removed file file 0"]);
    world.assert_fresh(&volume);
}

#[test]
fn random_changes_are_found_where_only_touched_folders_are_listed() {
    let world = World::in_place("/tmp");
    wide(&world);
    let ops = [
        Op::Rename(40, 3, 2),
        Op::Tree(5, 1),
        Op::Exchange(9, 77),
        Op::Remove(55),
        Op::Wrap(12),
        Op::Touch(31),
        Op::Link(99, 7, 3),
        Op::Retype(20),
        Op::Append(140),
    ];
    std::thread::sleep(GRAIN);
    let how = Reconcile { complete_until_ns: Some(now_ns()), ..Reconcile::default() };
    let mut volume = world.volume();
    ops.iter().for_each(|op| drop(run(&world.root, op)));
    let seen = world.reconcile(&mut volume, &how);
    assert!(seen.listed_folders > 5 && seen.listed_folders < 25, "{}", seen.listed_folders);
    world.assert_fresh(&volume);
}

#[test]
fn a_move_is_a_move_for_a_reconcile_too() {
    let world = World::with(&["a/dir/sub/file", "b/", "c/dir/x"]);
    let mut volume = world.volume();
    fs::rename(world.at("a/dir"), world.at("b/was a")).expect("moved");
    fs::rename(world.at("c/dir"), world.at("a/dir")).expect("moved");
    let seen = world.reconcile(&mut volume, &Reconcile::default());
    let mut lines = told(&seen);
    lines.sort();
    assert_eq!(lines, ["moved dir dir", "moved dir was a"]);
    world.assert_fresh(&volume);
}

#[test]
fn only_the_folders_in_scope_are_compared() {
    let world = World::with(&["a/x", "a/sub/y", "b/z"]);
    let mut volume = world.volume();
    fs::write(world.at("a/x"), "changed").expect("written");
    fs::write(world.at("b/z"), "changed").expect("written");
    world.make("a/new/deep/file");
    let scope = Scope::Folders(vec![world.inode("a"), u64::MAX]);
    let seen = world.reconcile(&mut volume, &Reconcile { scope, ..Reconcile::default() });
    assert_eq!(told(&seen), ["modified file x", "created dir new"]);
    assert_eq!(seen.listed_folders, 3);
    let scope = Scope::Folders(vec![world.inode("b"), inode_of(&world.root)]);
    world.reconcile(&mut volume, &Reconcile { scope, ..Reconcile::default() });
    world.assert_fresh(&volume);
}

#[test]
fn a_reconcile_counts_what_it_compares() {
    let world = World::in_place("/tmp");
    wide(&world);
    (0..3000).for_each(|file| world.make(&format!("large/{file}")));
    (0..600).for_each(|folder| world.make(&format!("many/{folder}/")));
    let mut volume = world.volume();
    let counters = ScanCounters::default();
    let seen = world.follower().reconcile(&mut volume, &Reconcile::default(), &counters, &CancelToken::new());
    let seen = seen.expect("the root is there");
    let entries = volume.body().entries() - 1;
    assert_eq!((seen.looked as u64, counters.entries.into_inner()), (entries, entries));
    assert_eq!(seen.listed_folders as u64, counters.directories.into_inner());
    assert_eq!(seen.applied, 0);
}

#[test]
fn too_many_changes_end_a_reconcile() {
    let world = World::with(&["a/"]);
    let mut volume = world.volume();
    (0..200).for_each(|file| world.make(&format!("a/{}/{file}", file % 20)));
    let how = Reconcile { most_changes: 50, ..Reconcile::default() };
    assert_eq!(world.try_reconcile(&mut volume, &how), Err(FollowError::TooMuchChanged { limit: 50 }));
    assert!(volume.body().entries() < 150, "it stopped");
    world.reconcile(&mut volume, &Reconcile::default());
    world.assert_fresh(&volume);
}

#[test]
fn a_cancelled_reconcile_ends_and_leaves_a_volume_that_can_go_on() {
    let world = World::in_place("/tmp");
    (0..3000).for_each(|folder| world.make(&format!("{}/{folder}/file", folder % 50)));
    let mut volume = world.volume();
    fs::rename(world.at("7"), world.at("8/seven")).expect("moved");
    let (cancel, counters) = (CancelToken::new(), ScanCounters::default());
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while counters.entries.load(Ordering::Relaxed) < 700 {
                std::thread::yield_now();
            }
            cancel.cancel();
        });
        world.follower().reconcile(&mut volume, &Reconcile::default(), &counters, &cancel)
    });
    assert_eq!(result, Err(FollowError::Cancelled(Cancelled::Requested)));
    world.reconcile(&mut volume, &Reconcile::default());
    world.assert_fresh(&volume);
}

/// Moves folders around and makes and removes files until told to stop; gives the looks that cover it.
fn churn(world: &World, stop: &AtomicBool) -> Vec<Look> {
    let mut looks = Vec::new();
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return looks;
        }
        let op = match turn % 4 {
            0 => Op::Rename(turn * 7, turn * 13, turn),
            1 => Op::Tree(turn * 5, turn * 3),
            2 => Op::Exchange(turn * 11, turn * 3),
            _ => Op::Remove(turn * 17),
        };
        looks.extend(run(&world.root, &op));
    }
    looks
}

#[test]
fn what_moves_under_a_reconcile_is_found_by_the_looks_or_by_the_next_one() {
    let (world, stop) = (World::in_place("/dev/shm"), AtomicBool::new(false));
    wide(&world);
    let mut volume = world.volume();
    let (mut looks, mut again) = std::thread::scope(|scope| {
        let churning = scope.spawn(|| churn(&world, &stop));
        let mut again = Vec::new();
        for round in 0..5000 {
            again.extend(world.reconcile(&mut volume, &Reconcile::default()).again);
            if round > 40 && !again.is_empty() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
        (churning.join().expect("no panic"), again)
    });
    assert_ne!(again, [], "something changed while it was looked at");
    let mut other = volume_of(&volume);
    looks.append(&mut again);
    while !looks.is_empty() {
        looks = world.look(&mut volume, &looks).again;
    }
    world.assert_fresh(&volume);
    world.reconcile(&mut other, &Reconcile::default());
    world.assert_fresh(&other);
}

/// A second writer that goes on from the same instant.
fn volume_of(volume: &hearth_files::index::Volume) -> hearth_files::index::Volume {
    hearth_files::index::Volume::new(&volume.body())
}
