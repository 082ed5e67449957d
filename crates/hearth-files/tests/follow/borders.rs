//! Where the volume ends: mounts, exclude rules, permissions, the root itself.

use super::world::{World, name_look, told};
use hearth_core::CancelToken;
use hearth_files::follow::{FollowError, Look, Reconcile};
use hearth_files::index::Volume;
use hearth_files::scan::{ExcludeRule, ScanError};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something mounted, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and a word about it, where this user may not mount.
    fn at(path: &Path, arguments: &[&str]) -> Option<Self> {
        let status = Command::new("mount").args(arguments).arg(path).stderr(Stdio::null()).status();
        if status.is_ok_and(|status| status.success()) {
            return Some(Self(path.to_path_buf()));
        }
        hearth_disks::left_out("borders", "this user may not mount");
        None
    }

    fn tmpfs(path: &Path) -> Option<Self> {
        Self::at(path, &["-t", "tmpfs", "hearth-test"])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_mounted_folder_loses_its_contents_and_gets_them_back() {
    let world = World::with(&["a/on/covered/file", "a/other/file", "b/"]);
    let mut volume = world.volume();
    let looks = [world.name("a/on"), world.name("a/other")];
    let inside = Look::Name { folder: world.inode("a/on"), name: b"covered"[..].into() };
    let Some(first) = Mounted::tmpfs(&world.at("a/on")) else { return };
    // The roots of two of them have the same inode number.
    let second = Mounted::tmpfs(&world.at("a/other"));
    fs::write(world.at("a/on/stranger"), "").expect("written");
    world.look(&mut volume, &looks);
    world.assert_fresh(&volume);
    let strangers = Look::Name { folder: world.inode("a/on"), name: b"stranger"[..].into() };
    let seen = world.look(&mut volume, &[strangers, inside]);
    assert_eq!(told(&seen), Vec::<String>::new());
    world.assert_fresh(&volume);
    drop((first, second));
    world.look(&mut volume, &looks);
    world.assert_fresh(&volume);
}

#[test]
fn a_folder_mounted_on_itself_is_a_border_too() {
    let world = World::with(&["a/dir/file"]);
    let mut volume = world.volume();
    let on = world.at("a/dir");
    let Some(itself) = Mounted::at(&on, &["--bind", on.to_str().expect("plain")]) else { return };
    world.look(&mut volume, &[world.name("a/dir")]);
    world.assert_fresh(&volume);
    drop(itself);
    let everything = Reconcile { complete_until_ns: Some(i64::MAX), ..Reconcile::default() };
    world.reconcile(&mut volume, &everything);
    world.assert_fresh(&volume);
}

#[test]
fn a_reconcile_sees_mounts_that_came_and_went() {
    let world = World::with(&["a/on/covered/file", "a/off/x", "b/file"]);
    let Some(off) = Mounted::tmpfs(&world.at("a/off")) else { return };
    let mut volume = world.volume();
    drop(off);
    let _on = Mounted::tmpfs(&world.at("a/on"));
    world.reconcile(&mut volume, &Reconcile::default());
    world.assert_fresh(&volume);
}

fn excluding(names: &[&str], rules: impl Fn(&World) -> Vec<String>) -> World {
    let mut world = World::with(names);
    let rules = rules(&world);
    let parse = |text: &String| ExcludeRule::parse(text.as_bytes()).expect("a rule");
    world.options.exclude = rules.iter().map(parse).collect();
    world
}

#[test]
fn an_excluded_folder_keeps_its_row_and_nothing_below_it() {
    let world = excluding(&["a/skip/x/y", "a/dir/file"], |_| vec!["skip".into()]);
    let mut volume = world.volume();
    world.make("a/skip/new");
    world.make("b/skip/new/file");
    let looks = [world.name("a/skip/new"), world.name("a/skip/x"), world.name("a/skip"), world.name("b")];
    world.look(&mut volume, &looks);
    world.assert_fresh(&volume);
    for (from, to) in [("a/dir", "a/dir2"), ("a/dir2", "skip"), ("a/skip", "a/open"), ("a/open", "dir")] {
        fs::rename(world.at(from), world.at(to)).expect("moved");
        world.look(&mut volume, &[world.name(from), world.name(to)]);
        world.assert_fresh(&volume);
    }
}

#[test]
fn a_rule_for_a_path_holds_when_folders_above_it_move() {
    let names = ["a/b/keep/file", "c/b/keep/file"];
    let world = excluding(&names, |world| vec![world.at("a/b").display().to_string()]);
    let mut volume = world.volume();
    for (from, to) in [("a", "x"), ("c", "a"), ("a", "c")] {
        fs::rename(world.at(from), world.at(to)).expect("moved");
        world.look(&mut volume, &[world.name(from), world.name(to)]);
        world.assert_fresh(&volume);
    }
}

/// Runs as a user without rights, on a thread of its own if this user has all rights.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let run = || {
        use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
        if rustix::process::geteuid().is_root() {
            set_thread_groups(&[]).expect("root may");
            set_thread_gid(rustix::process::Gid::from_raw(65_534)).expect("root may");
            set_thread_uid(rustix::process::Uid::from_raw(65_534)).expect("root may");
        }
        work()
    };
    std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

#[test]
fn what_may_not_be_read_keeps_its_row_and_comes_back() {
    let world = World::with(&["closed/secret/file", "listed/file", "listed/dir/x", "open/file"]);
    let set = |name: &str, mode: u32| {
        // Without root it is the owner who is kept out.
        let shift = if rustix::process::geteuid().is_root() { 0 } else { 6 };
        let mode = if mode == 0o755 { mode } else { (mode << shift) & 0o777 };
        fs::set_permissions(world.at(name), fs::Permissions::from_mode(mode)).expect("own folder");
    };
    set("", 0o755);
    let mut volume = as_nobody(|| world.volume());
    let looks = ["closed", "listed"].map(|name| world.name(name));
    for (closed, listed) in [(0o700, 0o744), (0o755, 0o755), (0o711, 0o744), (0o755, 0o755)] {
        set("closed", closed);
        set("listed", listed);
        let denied = as_nobody(|| {
            let seen = world.look(&mut volume, &looks);
            world.assert_fresh_but_accesses(&volume);
            seen.denied
        });
        assert_eq!(denied, if closed == 0o755 { 0 } else { 3 }, "{closed:o}");
    }
    set("closed", 0o700);
    as_nobody(|| {
        world.reconcile(&mut volume, &Reconcile::default());
        world.assert_fresh_but_accesses(&volume);
    });
    set("closed", 0o755);
}

#[test]
fn a_root_that_went_away_or_was_replaced_leaves_the_index_alone() {
    let world = World::with(&["volume/a/file"]);
    let root = world.at("volume");
    let inner = World { root: root.clone(), options: world.options.clone() };
    let mut volume = inner.volume();
    let before = volume.body().entries();
    let look = name_look(&root.join("a"));
    fs::rename(&root, world.at("aside")).expect("moved");
    let look_now = |volume: &mut Volume| {
        let follower = inner.follower();
        let looked = follower.look(volume, std::slice::from_ref(&look), &CancelToken::new());
        let reconciled = inner.try_reconcile(volume, &Reconcile::default());
        assert_eq!(looked.as_ref().err(), reconciled.as_ref().err());
        looked
    };
    let gone = look_now(&mut volume).expect_err("nothing is there");
    assert_eq!(gone, FollowError::Root(ScanError::NotFound { path: root.clone() }));
    fs::create_dir(&root).expect("made");
    assert_eq!(look_now(&mut volume), Err(FollowError::OtherRoot { path: root.clone() }));
    fs::remove_dir(&root).expect("removed");
    fs::write(&root, "").expect("written");
    let file = look_now(&mut volume).expect_err("no folder");
    assert_eq!(file, FollowError::Root(ScanError::NotADirectory { path: root.clone() }));
    fs::remove_file(&root).expect("removed");
    fs::rename(world.at("aside"), &root).expect("moved back");
    assert_eq!(volume.body().entries(), before);
    look_now(&mut volume).expect("it is back");
    inner.assert_fresh(&volume);
}

#[test]
fn paths_longer_than_the_system_takes_are_followed() {
    let world = World::with(&["a/"]);
    let long = "x".repeat(250);
    let follower = world.follower();
    let mut volume = world.volume();
    let mut folder =
        rustix::fs::open(world.at("a"), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).expect("open");
    let mut inodes = vec![world.inode("a")];
    for _ in 0..24 {
        use rustix::fs::{Mode, OFlags, fstat, mkdirat, openat};
        mkdirat(&folder, long.as_str(), Mode::RWXU).expect("made");
        folder = openat(&folder, long.as_str(), OFlags::RDONLY, Mode::empty()).expect("open");
        inodes.push(fstat(&folder).expect("open").st_ino);
    }
    let look = |folder: u64| Look::Name { folder, name: long.as_bytes().into() };
    follower.look(&mut volume, &[look(inodes[0])], &CancelToken::new()).expect("looked");
    rustix::fs::mkdirat(&folder, "last", rustix::fs::Mode::RWXU).expect("made");
    let last = Look::Name { folder: inodes[24], name: b"last"[..].into() };
    follower.look(&mut volume, &[last], &CancelToken::new()).expect("looked");
    assert_eq!(volume.body().entries(), 27);
    world.assert_fresh(&volume);
}
