//! A file system that goes away keeps its index, offline, until it returns; what covers a folder hides it.

use crate::world::{World, until};
use hearth_disks::{Disk, Kind, own_mounts};
use hearth_service::Config;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it can be run");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// The file behind the loop device that is mounted here.
fn image_of(root: &str) -> String {
    let device = run("findmnt", &["-n", "-o", "SOURCE", root]);
    run("losetup", &["-n", "-O", "BACK-FILE", &device])
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

#[test]
fn an_unmounted_volume_answers_offline_until_it_returns() {
    let test = "an_unmounted_volume_answers_offline_until_it_returns";
    if !own_mounts(&format!("mounts::{test}")) {
        return;
    }
    let Some(disk) = Disk::new(Kind::Ext4, test) else { return };
    fs::create_dir(disk.root.join("folder")).expect("made");
    fs::write(disk.root.join("folder/kept"), "x").expect("written");
    let image = image_of(text(&disk.root));
    let world = World::open(&disk.beside().join("home"), &disk.root, Config::default());
    world.assert_fresh("the beginning");
    run("umount", &[text(&disk.root)]);
    until("it is known to be away", || {
        let (found, meta) = world.finds("=kept", None);
        assert!(found, "{meta:?}");
        meta.stale && meta.why.contains("not mounted")
    });
    let (_, meta) = world.finds("=kept", Some(Duration::from_millis(100)));
    assert!(meta.stale && meta.proof.is_none(), "{meta:?}");
    run("mount", &["-o", "loop", &image, text(&disk.root)]);
    fs::write(disk.root.join("folder/later"), "y").expect("written");
    until("it is back", || {
        let (found, meta) = world.finds("=later", Some(Duration::from_secs(1)));
        found && !meta.stale
    });
    world.assert_fresh("it was away");
}

#[test]
fn what_is_mounted_inside_hides_what_was_there() {
    let test = "what_is_mounted_inside_hides_what_was_there";
    if !own_mounts(&format!("mounts::{test}")) {
        return;
    }
    let Some(disk) = Disk::new(Kind::Ext4, test) else { return };
    let folder = disk.root.join("folder");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("hidden"), "x").expect("written");
    let world = World::open(&disk.beside().join("home"), &disk.root, Config::default());
    assert!(world.finds("=hidden", Some(Duration::from_secs(10))).0);
    run("mount", &["-t", "tmpfs", "tmpfs", text(&folder)]);
    until("it is hidden", || !world.finds("=hidden", Some(Duration::from_secs(1))).0);
    run("umount", &[text(&folder)]);
    until("it is seen again", || world.finds("=hidden", Some(Duration::from_secs(1))).0);
    world.assert_fresh("the mount inside went");
}
