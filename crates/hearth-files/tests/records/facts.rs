//! Single facts about records: what does not fit is counted, what moves keeps its rows.

use super::take;
use super::world::pool;
use hearth_core::{CancelToken, EntryKind};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::follow::{RecordEntry, RecordNow, Taken, What, take_records};
use hearth_files::index::{Body, Root, Volume};
use std::sync::Arc;

const ROOT: u64 = inode(5, 5);

const fn inode(record: u64, uses: u64) -> u64 {
    record << 16 | uses
}

fn entry(parent: u64, name: &str, kind: EntryKind, inode: u64) -> RecordEntry {
    RecordEntry { parent, name: name.into(), meta: Meta::unknown(kind, inode) }
}

fn record(number: u64, entries: Vec<RecordEntry>) -> RecordNow {
    RecordNow { inodes: inode(number, 0)..=inode(number, 0xffff), entries }
}

/// `/d/f`, `/d/s/g` and `/h`: records 10 to 14.
fn volume() -> Volume {
    let mut chunk = Chunk::default();
    let mut add = |parent, dir, name: &str, kind, record| {
        chunk.push(parent, dir, name.as_bytes(), Meta::unknown(kind, inode(record, 1)));
    };
    add(0, 1, "d", EntryKind::Dir, 10);
    add(1, NOT_A_DIR, "f", EntryKind::File, 11);
    add(1, 2, "s", EntryKind::Dir, 12);
    add(2, NOT_A_DIR, "g", EntryKind::File, 13);
    add(0, NOT_A_DIR, "h", EntryKind::File, 14);
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, ROOT) };
    Volume::new(&Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new()).expect("nobody cancels"))
}

fn paths(volume: &Volume) -> Vec<String> {
    let body = volume.body();
    let rows = body.tree(body.root_row(), 100).expect("few");
    let mut paths: Vec<String> =
        rows.iter().map(|&row| String::from_utf8(body.entry(row).path).expect("text")).collect();
    paths.sort();
    paths
}

#[track_caller]
fn check(records: &[RecordNow], misplaced: u64, expect: &[&str]) -> Taken {
    let mut volume = volume();
    let taken = take(&mut volume, records);
    assert_eq!(
        (taken.misplaced, paths(&volume)),
        (misplaced, expect.iter().map(|&path| path.into()).collect())
    );
    taken
}

#[test]
fn a_folder_that_moves_takes_along_what_nobody_speaks_of() {
    let moved = record(10, vec![entry(ROOT, "e", EntryKind::Dir, inode(10, 1))]);
    let taken = check(&[moved], 0, &["/", "/e", "/e/f", "/e/s", "/e/s/g", "/h"]);
    assert_eq!((taken.seen.applied, taken.seen.changes.len(), taken.seen.looked), (1, 1, 1));
    assert!(matches!(taken.seen.changes[0].what, What::Moved { from: ROOT, .. }));
}

#[test]
fn a_folder_whose_time_of_creation_was_set_stays_where_it_is() {
    let mut volume = volume();
    let born = |created_ns| {
        let mut folder = entry(ROOT, "d", EntryKind::Dir, inode(10, 1));
        folder.meta.created_ns = created_ns;
        record(10, vec![folder])
    };
    for time in [1, 2] {
        let taken = take(&mut volume, &[born(time)]);
        assert_eq!((taken.misplaced, taken.seen.applied), (0, 1));
    }
    assert_eq!(paths(&volume), ["/", "/d", "/d/f", "/d/s", "/d/s/g", "/h"]);
}

#[test]
fn a_folder_whose_record_is_used_anew_is_another_one() {
    let anew = record(10, vec![entry(ROOT, "d", EntryKind::Dir, inode(10, 2))]);
    check(std::slice::from_ref(&anew), 3, &["/", "/d", "/h"]);
    let gone = [11, 12, 13].map(|number| record(number, vec![]));
    check(&[&gone[..], &[anew]].concat(), 0, &["/", "/d", "/h"]);
}

#[test]
fn an_entry_without_its_folder_is_counted() {
    let all = ["/", "/d", "/d/f", "/d/s", "/d/s/g", "/h"];
    let lost = entry(inode(90, 1), "x", EntryKind::File, inode(20, 1));
    check(&[record(20, vec![lost.clone()])], 1, &all);
    let folder = entry(inode(91, 1), "y", EntryKind::Dir, inode(90, 1));
    check(&[record(20, vec![lost]), record(90, vec![folder])], 1, &all);
}

#[test]
fn folders_that_hold_one_another_are_counted() {
    let one = |first: u64, other: u64, uses| {
        record(first, vec![entry(inode(other, uses), "x", EntryKind::Dir, inode(first, uses))])
    };
    check(&[one(20, 21, 1), one(21, 20, 1)], 2, &["/", "/d", "/d/f", "/d/s", "/d/s/g", "/h"]);
    let taken = check(&[one(10, 12, 1), one(12, 10, 1)], 4, &["/", "/h"]);
    assert!(taken.seen.applied > 0);
}

#[test]
fn what_goes_with_a_folder_and_was_not_told_is_counted() {
    check(&[record(10, vec![])], 3, &["/", "/h"]);
    check(&[record(10, vec![]), record(12, vec![])], 2, &["/", "/h"]);
    let stays = record(11, vec![entry(inode(10, 1), "f", EntryKind::File, inode(11, 1))]);
    check(&[record(10, vec![]), record(12, vec![]), record(13, vec![]), stays], 2, &["/", "/h"]);
}

#[test]
fn two_claims_to_one_place_are_counted() {
    let claim = |number| record(number, vec![entry(ROOT, "n", EntryKind::File, inode(number, 1))]);
    check(&[claim(20), claim(21)], 1, &["/", "/d", "/d/f", "/d/s", "/d/s/g", "/h", "/n"]);
    let twice = ["n", "o"].map(|name| entry(ROOT, name, EntryKind::Dir, inode(20, 1)));
    check(&[record(20, twice.to_vec())], 1, &["/", "/d", "/d/f", "/d/s", "/d/s/g", "/h", "/n"]);
}

#[test]
fn a_place_that_is_taken_gives_way_if_it_is_no_folder() {
    let claim = |name| record(20, vec![entry(ROOT, name, EntryKind::File, inode(20, 1))]);
    check(&[claim("h")], 0, &["/", "/d", "/d/f", "/d/s", "/d/s/g", "/h"]);
    check(&[claim("d")], 4, &["/", "/d", "/h"]);
}

#[test]
fn the_root_stays_where_it_is() {
    let mut volume = volume();
    let mut root = entry(ROOT, ".", EntryKind::Dir, ROOT);
    root.meta.size = 77;
    let stream = entry(ROOT, ":s", EntryKind::Stream, ROOT);
    let taken = take(&mut volume, &[record(5, vec![root, stream])]);
    assert_eq!((taken.misplaced, taken.seen.applied), (0, 2));
    assert_eq!(volume.body().meta(volume.body().root_row()).size, 77);
    assert_eq!(paths(&volume)[1], "/:s");
    assert_eq!(take(&mut volume, &[record(5, vec![])]).misplaced, 1);
}

#[test]
fn the_last_that_is_told_of_a_record_counts() {
    let named = |name| record(14, vec![entry(ROOT, name, EntryKind::File, inode(14, 1))]);
    check(&[named("old"), named("new")], 0, &["/", "/d", "/d/f", "/d/s", "/d/s/g", "/new"]);
}

#[test]
fn cancelling_leaves_a_tree() {
    let mut volume = volume();
    let cancel = CancelToken::new();
    cancel.cancel();
    let moved = record(10, vec![entry(ROOT, "e", EntryKind::Dir, inode(10, 1))]);
    assert!(take_records(&mut volume, &[moved], &cancel).is_err());
    assert!(paths(&volume).contains(&"/h".to_owned()));
}
