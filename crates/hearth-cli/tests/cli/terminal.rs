//! What a person sees: the same commands with a terminal as standard output.

use crate::world::World;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

/// Both ends of a new terminal: what is shown on it, and what a command gets.
pub(crate) fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let slave =
        File::options().read(true).write(true).open(OsStr::from_bytes(name.to_bytes())).expect("it opens");
    (File::from(master), slave)
}

/// A command that has begun with a terminal as its standard output, and what it shows there.
fn begun_on_terminal(command: &mut Command) -> (Child, File) {
    let (master, slave) = terminal();
    let child = command.stdout(slave).stderr(Stdio::null()).spawn().expect("hearth runs");
    // The command holds the other end too; only once it is closed does reading end.
    command.stdout(Stdio::null());
    (child, master)
}

/// Everything a command shows on a terminal, and its exit code.
fn on_terminal(command: &mut Command) -> (String, i32) {
    let (mut child, mut terminal) = begun_on_terminal(command);
    let mut shown = Vec::new();
    // A terminal whose other end is closed reports an I/O error after its last byte.
    let _ = terminal.read_to_end(&mut shown);
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

#[test]
fn a_watched_status_is_drawn_in_place_and_ends_by_an_interrupt() {
    let world = world();
    let (mut child, mut terminal) = begun_on_terminal(&mut world.command(&["status", "--watch"]));
    let mut shown = String::new();
    while shown.matches("\x1b[J\x1b[?7h").count() < 2 {
        let mut piece = [0; 4096];
        let count = terminal.read(&mut piece).expect("more is shown");
        shown.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    assert_eq!(child.wait().expect("it ends").signal(), Some(2));
    assert_eq!(shown.matches("\x1b[?7l\x1b[H").count(), 2, "{shown:?}");
    assert!(shown.contains("\x1b[K\r\n") && shown.contains("tree"), "{shown:?}");
    for flicker_or_hidden_cursor in ["\x1b[2J", "\x1b[?25l"] {
        assert!(!shown.contains(flicker_or_hidden_cursor), "{shown:?}");
    }
}

#[test]
fn bars_are_drawn_in_what_the_locale_can_show() {
    let world = world();
    let (shown, _) = on_terminal(world.command(&["status"]).env("LC_ALL", "C.UTF-8"));
    assert!(shown.contains("memory \u{2595}"), "{shown}");
    let (shown, _) = on_terminal(world.command(&["status"]).env("LC_ALL", "C"));
    assert!(shown.contains("memory [") && shown.is_ascii(), "{shown}");
}
