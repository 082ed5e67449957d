//! Names that are no text, or that hold what separates names.

use crate::world::{PATIENCE_MS, World, of_type};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

const STRANGE: [&[u8]; 5] =
    [b"new\nline.odd", b"tab\t\x1b[31m.odd", b"caf\xe9.odd", b"\xff\xfe.odd", b" spaces \".odd"];

fn world() -> World {
    let world = World::empty();
    STRANGE.iter().for_each(|name| world.put(name));
    world.index();
    world
}

/// Full paths of the strange names, sorted.
fn expected(world: &World) -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = STRANGE
        .iter()
        .map(|name| world.tree().join(OsStr::from_bytes(name)).as_os_str().as_bytes().to_vec())
        .collect();
    paths.sort();
    paths
}

#[test]
fn nul_separated_paths_are_exact() {
    let world = world();
    let run = world.run(&["find", "-e", "odd", "-0"]);
    let mut paths: Vec<Vec<u8>> = run.stdout.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
    assert_eq!(paths.pop().as_deref(), Some(b"".as_slice()), "the last path ends with NUL too");
    paths.sort();
    assert_eq!(paths, expected(&world));
}

#[test]
fn piped_paths_are_raw() {
    let world = world();
    let run = world.run(&["find", "-x", " spaces \".odd"]);
    assert_eq!(run.stdout, [world.tree().as_os_str().as_bytes(), b"/ spaces \".odd\n"].concat());
    let run = world.run(&["find", "caf", "--format", "{name}"]);
    assert_eq!(run.stdout, b"caf\xe9.odd\n");
}

#[test]
fn a_query_need_not_be_text() {
    let world = world();
    for (query, name) in [(b"\xff\xfe".as_slice(), STRANGE[3]), (b"caf\xe9", STRANGE[2])] {
        let run = world.run(&[OsStr::from_bytes(query)]);
        assert_eq!(run.stdout, [world.tree().as_os_str().as_bytes(), b"/", name, b"\n"].concat());
    }
}

#[test]
fn json_carries_bytes_as_base64() {
    let world = world();
    let lines = world.json(&["find", "invalid:", "--json"]);
    let entries = of_type(&lines, "entry");
    assert_eq!(entries.len(), 2);
    for entry in entries {
        assert!(entry["path"].is_null() && entry["path_b64"].is_string(), "{entry}");
    }
    let lines = world.json(&["find", "line", "--json"]);
    assert_eq!(of_type(&lines, "entry")[0]["name"], "new\nline.odd");
}

#[test]
fn csv_keeps_line_breaks_inside_quotes() {
    let world = world();
    let run = world.run(&["find", "line", "--csv"]);
    assert!(run.text().contains("\"new\nline.odd\""), "{}", run.text());
}

#[test]
fn a_source_whose_root_is_no_text_can_be_refreshed() {
    let world = World::empty();
    world.put(b"d\xe9/inside");
    let root = OsStr::from_bytes(b"./d\xe9");
    let wait = [OsStr::new("--wait"), OsStr::new("--timeout"), OsStr::new(PATIENCE_MS)];
    for command in ["add", "refresh"] {
        let run = world.run(&[&[OsStr::new(command), root][..], &wait].concat());
        assert_eq!(run.code, 0, "{command}: {}", run.stderr);
    }
}

#[test]
fn a_folder_that_is_no_text_can_be_named() {
    let world = World::empty();
    world.put(b"d\xe9/inside");
    world.put(b"outside");
    world.index();
    let run = world.run(&[
        OsStr::new("find"),
        OsStr::new("--in"),
        OsStr::from_bytes(b"d\xe9"),
        OsStr::new("--count"),
    ]);
    assert_eq!(run.text(), "1\n", "{}", run.stderr);
}
