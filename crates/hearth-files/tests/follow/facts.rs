//! What one look does, and what it tells.

use super::world::{World, rows, set_old, told};
use hearth_files::follow::{Look, Seen, What};
use std::fs;

#[track_caller]
fn check(world: &World, act: impl FnOnce(), looks: &[Look], expected: &[&str]) -> Seen {
    let mut volume = world.volume();
    act();
    let seen = world.look(&mut volume, looks);
    assert_eq!(told(&seen), expected);
    assert_eq!(seen.again, []);
    world.assert_fresh(&volume);
    seen
}

#[test]
fn a_moved_folder_is_one_move_whatever_is_inside() {
    let world = World::with(&["a/b/c/d/", "to/"]);
    (0..2000).for_each(|number| world.make(&format!("a/b/file {number}")));
    let looks = [world.name("to/x"), world.name("a/b")];
    let act = || fs::rename(world.at("a/b"), world.at("to/x")).expect("moved");
    let seen = check(&world, act, &looks, &[]);
    let _ = seen;
}
