//! Differences between two bodies, applied to the rows of the one, give those of the other.

use super::oracle::{Step, choose, ops, steps};
use super::world::{Op, PLACES, World, run};
use hearth_core::{CancelToken, EntryKind};
use hearth_files::entry::Meta;
use hearth_files::follow::{Difference, differences};
use hearth_files::index::{Body, RowId};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;

/// What of each entry a difference tells, by path.
type Told = BTreeMap<Vec<u8>, (u64, u32, u32, u32, Option<(u64, i64, u32)>)>;

fn told(body: &Body, row: RowId) -> Told {
    let describe = |meta: Meta| {
        let inside = (meta.kind() != EntryKind::Dir).then_some((meta.size, meta.modified_ns, meta.links));
        (meta.inode, meta.mode, meta.uid, meta.gid, inside)
    };
    let rows = body.tree(row, usize::MAX).expect("no limit");
    rows.into_iter().map(|row| (body.entry(row).path, describe(body.meta(row)))).collect()
}

/// What there is, with the differences applied. Removals and sources speak of the body before, all else of the one after.
fn apply(before: &Body, after: &Body, found: &[Difference]) -> Told {
    let mut rows = told(before, before.root_row());
    let (mut gone, mut come) = (Told::new(), Told::new());
    let alone = |body: &Body, row| {
        let path = body.entry(row).path;
        told(body, row).into_iter().filter(|(at, _)| *at == path).collect::<Told>()
    };
    for difference in found {
        match *difference {
            Difference::Removed(row) => gone.extend(told(before, row)),
            Difference::Created(row) => come.extend(told(after, row)),
            Difference::Renamed { from, to } => {
                gone.extend(told(before, from));
                come.extend(told(after, to));
            }
            Difference::Modified { before: was, after: is } => {
                gone.extend(alone(before, was));
                come.extend(alone(after, is));
            }
        }
    }
    rows.retain(|path, _| !gone.contains_key(path));
    rows.extend(come);
    rows
}

#[track_caller]
fn check(before: &Body, after: &Body, found: &[Difference]) {
    assert_eq!(apply(before, after, found), told(after, after.root_row()), "{found:?}");
}

fn check_following(world: &World, before: &[Op], steps: &[Step], folds: bool) {
    before.iter().for_each(|op| drop(run(&world.root, op)));
    let mut volume = world.volume();
    let (mut waiting, mut was) = (Vec::new(), volume.body());
    let rounds = (0..20).map(Step::Deliver).collect::<Vec<_>>();
    for (at, step) in steps.iter().chain(&rounds).enumerate() {
        match step {
            Step::Do(op) => waiting.extend(run(&world.root, op)),
            Step::Deliver(seed) => {
                let looks = choose(&mut waiting, *seed, at >= steps.len());
                let seen = world.follower().look(&mut volume, &looks, &CancelToken::new()).expect("a root");
                waiting.extend(seen.again);
                let mut now = volume.body();
                if folds {
                    now = now.fold(super::world::pool(), &CancelToken::new()).expect("nobody cancels");
                }
                check(&was, &now, &differences(&was, &now, &seen.changes));
                was = volume.body();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn differences_lead_from_one_body_to_the_next(
        before in ops(20), steps in steps(30), place in 0usize..2, folds: bool
    ) {
        check_following(&World::in_place(PLACES[place]), &before, &steps, folds);
    }
}

/// Indexes, acts, looks at these names, and gives the differences in words.
#[track_caller]
fn words(world: &World, names: &[&str], act: impl FnOnce()) -> Vec<String> {
    let mut volume = world.volume();
    let was = volume.body();
    let mut looks: Vec<_> = names.iter().map(|name| world.name(name)).collect();
    act();
    looks.extend(names.iter().map(|name| world.name(name)));
    let seen = world.look(&mut volume, &looks);
    let now = volume.body();
    let found = differences(&was, &now, &seen.changes);
    check(&was, &now, &found);
    let path = |body: &Body, row| {
        let path = String::from_utf8(body.entry(row).path).expect("text");
        path.strip_prefix(&format!("{}/", world.root.display())).expect("below the root").to_owned()
    };
    let say = |difference: &Difference| match *difference {
        Difference::Removed(row) => format!("removed {}", path(&was, row)),
        Difference::Created(row) => format!("created {}", path(&now, row)),
        Difference::Renamed { from, to } => format!("renamed {} {}", path(&was, from), path(&now, to)),
        Difference::Modified { after, .. } => format!("modified {}", path(&now, after)),
    };
    found.iter().map(say).collect()
}

#[test]
fn a_folder_stands_for_everything_below_it() {
    let world = World::with(&["a/b/c", "to/"]);
    let rename = || fs::rename(world.at("a"), world.at("to/x")).expect("moved");
    assert_eq!(words(&world, &["a", "to/x"], rename), ["renamed a to/x"]);
    let remove = || fs::remove_dir_all(world.at("to/x")).expect("removed");
    assert_eq!(words(&world, &["to/x", "to/x/b", "to/x/b/c"], remove), ["removed to/x"]);
    assert_eq!(words(&world, &["n", "n/m"], || world.make("n/m/o")), ["created n"]);
}

#[test]
fn a_file_that_is_replaced_was_modified() {
    let world = World::with(&["f", "tmp"]);
    let replace = || fs::rename(world.at("tmp"), world.at("f")).expect("moved");
    assert_eq!(words(&world, &["tmp", "f"], replace), ["renamed tmp f"]);
    let write_and_rename = || {
        world.make("other");
        fs::rename(world.at("other"), world.at("f")).expect("moved");
    };
    assert_eq!(words(&world, &["other", "f"], write_and_rename), ["modified f"]);
}

#[test]
fn what_another_name_of_a_file_did_is_told_of_all_its_names() {
    let world = World::with(&["f"]);
    fs::hard_link(world.at("f"), world.at("g")).expect("linked");
    let append = || fs::write(world.at("f"), "more than before").expect("written");
    let mut said = words(&world, &["f"], append);
    said.sort();
    assert_eq!(said, ["modified f", "modified g"]);
    let unlink = || fs::remove_file(world.at("g")).expect("removed");
    assert_eq!(words(&world, &["g"], unlink), ["removed g", "modified f"]);
}
