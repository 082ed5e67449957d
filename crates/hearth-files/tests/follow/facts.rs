//! What one call finds out, and what it tells.

use super::world::{World, inode_of, told};
use hearth_core::{CancelToken, Cancelled, NO_TIME};
use hearth_files::entry::{Chunk, Meta};
use hearth_files::follow::{CHANGES_RECORDED, FollowError, Look, Seen, What};
use hearth_files::index::Volume;
use std::fs;

/// Indexes, acts, looks; what is told must be this, and the index that of a fresh scan.
#[track_caller]
fn check(world: &World, looks: &[Look], act: impl FnOnce(), expected: &[&str]) -> Seen {
    let mut volume = world.volume();
    act();
    let seen = world.look(&mut volume, looks);
    assert_eq!(told(&seen), expected);
    assert_eq!(seen.again, []);
    world.assert_fresh(&volume);
    seen
}

fn rename(world: &World, from: &str, to: &str) {
    fs::rename(world.at(from), world.at(to)).expect("moved");
}

#[test]
fn a_moved_folder_is_one_move_whatever_is_inside() {
    let world = World::with(&["a/b/c/d/", "to/"]);
    (0..3000).for_each(|number| world.make(&format!("a/b/file {number}")));
    for looks in [["a/b", "to/x"], ["to/x", "a/b"]] {
        let looks = looks.map(|path| world.name(path));
        let (from, inode) = (world.inode("a"), world.inode("a/b"));
        let seen = check(&world, &looks, || rename(&world, "a/b", "to/x"), &["moved dir x"]);
        let from_name = b"b".as_slice().into();
        assert_eq!(seen.changes[0].what, What::Moved { from, from_name });
        assert_eq!((seen.changes[0].inode, seen.changes[0].folder), (inode, world.inode("to")));
        assert_eq!((seen.listed_folders, seen.looked), (0, 1), "nothing inside was looked at");
        rename(&world, "to/x", "a/b");
    }
}

#[test]
fn folders_that_change_places_are_two_moves() {
    let world = World::with(&["a/one", "a/in/", "b/two", "b/in/"]);
    let swap = || {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, world.at("a"), CWD, world.at("b"), RenameFlags::EXCHANGE).expect("swapped");
    };
    let looks = [world.name("a"), world.name("b")];
    let seen = check(&world, &looks, swap, &["moved dir a", "moved dir b"]);
    assert_eq!(seen.listed_folders, 0);
}

#[test]
fn a_folder_that_moves_below_one_that_took_its_place_keeps_its_rows() {
    let world = World::with(&["f/q/deep/file", "f/file"]);
    let looks = [
        Look::Name { folder: world.inode("f/q"), name: b"f"[..].into() },
        world.name("f"),
        world.name("f/q"),
    ];
    let act = || {
        rename(&world, "f", "aside");
        world.make("f/");
        rename(&world, "aside/q", "f/q");
        rename(&world, "aside", "f/q/f");
    };
    let seen = check(&world, &looks, act, &["created dir f", "moved dir q", "moved dir f"]);
    assert_eq!(seen.listed_folders, 1, "only the new folder");
}

#[test]
fn a_folder_may_move_into_one_that_is_still_inside_it() {
    // The looks are carried out in the order of inodes, and which numbers are free is not ours to say: worlds that
    // have others are kept until one has those that are wanted.
    let mut others = Vec::new();
    let world = loop {
        let world = World::with(&["q/deep/file", "p/f/file"]);
        rename(&world, "q", "p/f/q");
        if world.inode("p/f/q") < world.inode("p") {
            break world;
        }
        others.push(world);
        assert!(others.len() < 1000, "folders never get ascending numbers");
    };
    let inside = Look::Name { folder: world.inode("p/f/q"), name: b"f"[..].into() };
    let looks = [inside, world.name("p/f"), world.name("p/f/q"), world.name("aside")];
    let act = || {
        rename(&world, "p/f", "aside");
        world.make("p/f/");
        rename(&world, "aside/q", "p/f/q");
        rename(&world, "aside", "p/f/q/f");
    };
    let seen = check(&world, &looks, act, &["created dir f", "moved dir q", "moved dir f"]);
    assert_eq!(seen.listed_folders, 1, "only the new folder");
}

#[test]
fn what_has_the_name_of_a_folder_is_not_taken_for_it() {
    let world = World::with(&["a/file", "z/"]);
    let mut volume = world.volume();
    let inside = Look::Name { folder: world.inode("a"), name: b"x"[..].into() };
    rename(&world, "a", "z/b");
    world.make("a/x");
    world.look(&mut volume, &[inside]);
    world.look(&mut volume, &[world.name("a"), world.name("z/b")]);
    world.assert_fresh(&volume);
}

#[test]
fn a_removed_tree_of_which_everything_is_told_leaves_nothing_to_look_at() {
    let world = World::with(&["a/kept"]);
    let folders: Vec<String> = (0..12).map(|number| format!("gone/{}/{number}", number % 3)).collect();
    folders.iter().for_each(|folder| world.make(&format!("{folder}/file")));
    let mut looks = vec![world.name("gone")];
    for folder in &folders {
        looks.extend([world.name(folder), world.name(&format!("{folder}/file"))]);
    }
    let act = || fs::remove_dir_all(world.at("gone")).expect("removed");
    check(&world, &looks, act, &["removed dir gone"]);
}

/// An index in which `old` stands for an earlier folder with the inode that `new` has now.
fn with_an_earlier_folder(world: &World, birth: fn(i64) -> i64) -> Volume {
    let body = world.body_of(|chunk| {
        let new = chunk.rows.iter().find(|row| chunk.name(row) == b"new");
        let Some(mut old) = new else { return Chunk::default() };
        old.meta.created_ns = birth(old.meta.created_ns);
        let mut edited = Chunk::default();
        edited.push(old.parent, old.dir, b"old", old.meta);
        for (number, name) in (100..).zip([&b"dir"[..], b"left"]) {
            edited.push(old.dir, number, name, Meta { inode: u64::MAX - u64::from(number), ..old.meta });
        }
        edited
    });
    Volume::new(&body)
}

#[test]
fn a_folder_with_the_inode_of_one_that_is_gone_is_another() {
    let world = World::with(&["new/dir/file", "new/x"]);
    let looks = ["old", "new"].map(|path| world.name(path));
    let mut volume = with_an_earlier_folder(&world, |birth| birth - 1);
    let seen = world.look(&mut volume, &looks);
    assert_eq!(told(&seen), ["created dir new", "removed dir old"]);
    world.assert_fresh(&volume);
}

#[test]
fn without_birth_times_a_folder_is_told_from_an_earlier_one_by_what_is_in_it() {
    let world = World::with(&["new/dir/file", "new/x"]);
    let looks = ["old", "new"].map(|path| world.name(path));
    let mut volume = with_an_earlier_folder(&world, |_| NO_TIME);
    let mut seen = world.look(&mut volume, &looks);
    assert_eq!(told(&seen)[0], "moved dir new");
    while !seen.again.is_empty() {
        seen = world.look(&mut volume, &seen.again);
    }
    world.assert_fresh(&volume);
}

#[test]
fn a_new_folder_comes_with_everything_below_it() {
    let world = World::with(&["a/"]);
    let act = || (0..20).for_each(|number| world.make(&format!("a/new/{number}/x/y/file")));
    let look = Look::Name { folder: world.inode("a"), name: b"new"[..].into() };
    let seen = check(&world, &[look], act, &["created dir new"]);
    assert_eq!((seen.applied, seen.listed_folders), (82, 61), "81 new rows and the folder they came to");
}

#[test]
fn a_new_folder_with_very_many_below_it_is_listed_by_many_threads() {
    let world = World::with(&["a/"]);
    let act = || {
        (0..900).for_each(|number| world.make(&format!("a/new/{}/{number}/file", number % 7)));
        (0..5000).for_each(|number| world.make(&format!("a/new/3/large/file {number}")));
    };
    let look = Look::Name { folder: world.inode("a"), name: b"new"[..].into() };
    let seen = check(&world, &[look], act, &["created dir new"]);
    assert_eq!(seen.listed_folders, 909);
}

#[test]
fn files_tell_whether_they_came_went_moved_or_changed() {
    let world = World::with(&["a/old", "a/kept", "a/name", "b/", "gone/x/y"]);
    let looks = ["a/old", "a/kept", "a/name", "b/other", "b/new", "gone"].map(|path| world.name(path));
    let act = || {
        fs::remove_file(world.at("a/old")).expect("removed");
        fs::write(world.at("a/kept"), "longer than it was").expect("written");
        rename(&world, "a/name", "b/other");
        world.make("b/new");
        fs::remove_dir_all(world.at("gone")).expect("removed");
    };
    let mut volume = world.volume();
    act();
    let seen = world.look(&mut volume, &looks);
    let mut lines = told(&seen);
    lines.sort();
    let expected = [
        "created file new",
        "modified file kept",
        "moved file other",
        "removed dir gone",
        "removed file old",
    ];
    assert_eq!(lines, expected);
    world.assert_fresh(&volume);
}

#[test]
fn a_file_saved_by_rename_is_a_removal_and_a_move() {
    let world = World::with(&["a/doc"]);
    let act = || {
        world.make("a/doc.tmp");
        rename(&world, "a/doc.tmp", "a/doc");
    };
    let looks = ["a/doc.tmp", "a/doc"].map(|path| world.name(path));
    check(&world, &looks, act, &["removed file doc", "created file doc"]);
}

#[test]
fn metadata_of_all_names_of_an_inode_follow() {
    let world = World::with(&["a/one", "b/"]);
    let mut volume = world.volume();
    fs::hard_link(world.at("a/one"), world.at("b/two")).expect("linked");
    fs::hard_link(world.at("a/one"), world.at("b/three")).expect("linked");
    world.look(&mut volume, &[world.name("b/two"), world.name("b/three")]);
    world.assert_fresh(&volume);
    fs::write(world.at("b/three"), "more bytes than before").expect("written");
    fs::remove_file(world.at("a/one")).expect("removed");
    world.look(&mut volume, &[world.name("a/one")]);
    world.assert_fresh(&volume);
    fs::write(world.at("b/three"), "other bytes").expect("written");
    world.look(&mut volume, &[Look::Object { inode: world.inode("b/two") }]);
    world.assert_fresh(&volume);
}

#[test]
fn a_folders_own_times_follow_what_happens_inside_and_are_not_told() {
    let world = World::with(&["a/b/file"]);
    let mut volume = world.volume();
    world.make("a/b/new");
    assert_eq!(told(&world.look(&mut volume, &[world.name("a/b/new")])), ["created file new"]);
    world.assert_fresh(&volume);
    set_mode(&world, "a", 0o700);
    assert_eq!(
        told(&world.look(&mut volume, &[Look::Object { inode: world.inode("a") }])),
        ["modified dir a"]
    );
    set_mode(&world, "", 0o711);
    world.look(&mut volume, &[Look::Object { inode: inode_of(&world.root) }]);
    world.assert_fresh(&volume);
}

fn set_mode(world: &World, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(world.at(name), fs::Permissions::from_mode(mode)).expect("own folder");
}

#[test]
fn a_look_at_a_folder_finds_its_entries_and_what_is_below_new_ones() {
    let world = World::with(&["a/gone", "a/kept/x", "a/dir/y"]);
    let mut volume = world.volume();
    fs::remove_file(world.at("a/gone")).expect("removed");
    fs::write(world.at("a/kept/x"), "changed, and nobody says so").expect("written");
    world.make("a/new/deep/file");
    let seen = world.look(&mut volume, &[Look::Folder { folder: world.inode("a") }]);
    assert_eq!(seen.listed_folders, 3);
    assert_ne!(volume.body().meta(row(&volume, &world, "a/kept/x")).size, 27, "not looked for");
    world.look(&mut volume, &[world.name("a/kept/x")]);
    world.assert_fresh(&volume);
}

fn row(volume: &Volume, world: &World, name: &str) -> u32 {
    use std::os::unix::ffi::OsStrExt;
    volume.body().find_path(world.at(name).as_os_str().as_bytes()).expect("in the index")
}

#[test]
fn looks_at_what_nobody_knows_change_nothing() {
    let world = World::with(&["a/b"]);
    let looks = [
        Look::Name { folder: u64::MAX, name: b"x"[..].into() },
        Look::Folder { folder: 3 },
        Look::Object { inode: u64::MAX - 1 },
        Look::Name { folder: world.inode("a"), name: b"never"[..].into() },
        Look::Name { folder: world.inode("a"), name: b"b/../b"[..].into() },
        Look::Name { folder: world.inode("a"), name: b".."[..].into() },
        Look::Name { folder: world.inode("a"), name: b"\0"[..].into() },
        Look::Name { folder: world.inode("a"), name: b""[..].into() },
    ];
    let seen = check(&world, &looks, || (), &[]);
    assert_eq!(seen.applied, 0);
}

#[test]
fn links_in_place_of_folders_are_not_followed() {
    let world = World::with(&["a/b/file", "other/b/stranger"]);
    let looks = [Look::Name { folder: world.inode("a/b"), name: b"stranger"[..].into() }];
    let mut volume = world.volume();
    rename(&world, "a", "hidden");
    std::os::unix::fs::symlink("other", world.at("a")).expect("linked");
    let seen = world.look(&mut volume, &looks);
    assert_eq!(told(&seen), ["created link a", "removed dir a"], "the way to the folder breaks there");
    world.look(&mut volume, &[world.name("hidden")]);
    world.assert_fresh(&volume);
}

#[test]
fn the_record_ends_and_the_rest_is_counted() {
    let world = World::in_place("/dev/shm");
    let extra = 10;
    (0..CHANGES_RECORDED + extra)
        .for_each(|number| fs::write(world.at(&number.to_string()), "").expect("made"));
    let mut volume = Volume::new(&World::in_place("/dev/shm").body());
    assert!(matches!(
        world.follower().look(&mut volume, &[], &CancelToken::new()),
        Err(FollowError::OtherRoot { .. })
    ));
    let mut volume = world.volume();
    let looks = [Look::Folder { folder: inode_of(&world.root) }];
    fs::read_dir(&world.root)
        .expect("listed")
        .for_each(|file| fs::remove_file(file.expect("read").path()).expect("removed"));
    let seen = world.look(&mut volume, &looks);
    assert_eq!((seen.changes.len(), seen.unrecorded), (CHANGES_RECORDED, extra));
    assert_eq!(volume.body().entries(), 1);
}

#[test]
fn a_cancelled_look_leaves_a_volume_that_can_go_on() {
    let world = World::with(&["a/b/c/file", "x/y"]);
    let mut volume = world.volume();
    rename(&world, "a", "b");
    world.make("a");
    let looks = ["a", "b"].map(|path| world.name(path));
    let cancel = CancelToken::new();
    cancel.cancel();
    let result = world.follower().look(&mut volume, &looks, &cancel);
    assert_eq!(result, Err(FollowError::Cancelled(Cancelled::Requested)));
    world.look(&mut volume, &looks);
    world.assert_fresh(&volume);
}
