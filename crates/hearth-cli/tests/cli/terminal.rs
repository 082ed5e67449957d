//! What a person sees: the same commands with a terminal as standard output.

use crate::world::World;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

/// Everything a command shows on a terminal, and its exit code.
fn on_terminal(command: &mut Command) -> (String, i32) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let slave =
        File::options().read(true).write(true).open(OsStr::from_bytes(name.to_bytes())).expect("it opens");
    let mut child = command.stdout(slave).stderr(Stdio::null()).spawn().expect("hearth runs");
    // The command holds the other end too; only once it is closed does reading end.
    command.stdout(Stdio::null());
    let mut shown = Vec::new();
    // A terminal whose other end is closed reports an I/O error after its last byte.
    let _ = File::from(master).read_to_end(&mut shown);
    let code = child.wait().expect("hearth ends").code().expect("it was not killed");
    (String::from_utf8_lossy(&shown).replace("\r\n", "\n"), code)
}

fn world() -> World {
    let world = World::empty();
    world.put(b"plain.txt");
    world.put(b"odd\x1b[2J\n\xff.txt");
    world.put(b"dir/");
    world.index();
    world
}

#[test]
fn names_cannot_drive_the_terminal() {
    let world = world();
    let (shown, code) = on_terminal(&mut world.command(&["odd", "--color=never"]));
    assert_eq!(shown, format!("$'{}/odd\\e[2J\\n\\xff.txt'\n", world.tree().display()));
    assert_eq!(code, 0);
    for form in [&["odd", "-l", "--color=never"][..], &["odd", "--format", "{name}"]] {
        let (shown, _) = on_terminal(&mut world.command(form));
        assert!(shown.contains("odd\\e[2J\\n\\xff.txt'") && !shown.contains('\x1b'), "{shown:?}");
    }
}

#[test]
fn a_terminal_has_colours_unless_told_otherwise() {
    let world = world();
    let tree = world.tree();
    let colored = format!("\x1b[01;34m{}/\x1b[0m\x1b[01;34mdir\x1b[0m\n", tree.display());
    assert_eq!(on_terminal(&mut world.command(&["=dir"])).0, colored);
    let plain = format!("{}/dir\n", tree.display());
    assert_eq!(on_terminal(world.command(&["=dir"]).env("NO_COLOR", "1")).0, plain);
    assert_eq!(on_terminal(world.command(&["=dir"]).env("TERM", "dumb")).0, plain);
    assert_eq!(on_terminal(&mut world.command(&["=dir", "--color=never"])).0, plain);
}

#[test]
fn links_are_for_terminals_that_ask() {
    let world = world();
    let (shown, _) = on_terminal(&mut world.command(&["plain", "--hyperlink", "--color=never"]));
    assert!(shown.starts_with("\x1b]8;;file://"), "{shown:?}");
    let (shown, _) = on_terminal(&mut world.command(&["plain", "--color=never"]));
    assert_eq!(shown, format!("{}/plain.txt\n", world.tree().display()));
}
