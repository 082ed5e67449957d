//! Terms, options and their meaning end to end.

use crate::world::World;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

fn world() -> World {
    let world = World::empty();
    for name in
        ["src/main.rs", "src/lib.rs", "src/deep/mod.rs", "docs/Guide.md", "docs/notes (old).txt", "a b/c.log"]
    {
        world.put(name.as_bytes());
    }
    world.write(b"big.bin", &vec![7; 3 << 20]);
    world.write(b"photo.jpg", &[1; 2000]);
    world.write(b"zero", b"");
    world.put(b"void/");
    std::os::unix::fs::symlink("src/main.rs", world.tree().join("link.rs")).expect("a link");
    fs::set_permissions(world.tree().join("zero"), fs::Permissions::from_mode(0o640)).expect("a mode");
    let old = SystemTime::now() - Duration::from_secs(400 * 86_400);
    fs::File::options()
        .write(true)
        .open(world.tree().join("photo.jpg"))
        .expect("it opens")
        .set_modified(old)
        .expect("a time");
    world.index();
    world
}

#[test]
fn terms_and_options_select_what_they_say() {
    let world = world();
    let cases: &[(&[&str], &[&str])] = &[
        (&["find", "main"], &["src/main.rs"]),
        (&["main"], &["src/main.rs"]),
        (&["main", ".rs"], &["src/main.rs"]),
        (&["main", "zzz"], &[]),
        (&["*.rs", "!main"], &["link.rs", "src/deep/mod.rs", "src/lib.rs"]),
        (&["main", "|", "lib", "-e", "rs"], &["src/lib.rs", "src/main.rs"]),
        (&["-t", "dir"], &[".", "a b", "docs", "src", "src/deep", "void"]),
        (&["-t", "l"], &["link.rs"]),
        (&["-t", "l,dir", "--in", "src"], &["src/deep"]),
        (&["-e", "rs", "-t", "file"], &["src/deep/mod.rs", "src/lib.rs", "src/main.rs"]),
        (&["-e", "md,log"], &["a b/c.log", "docs/Guide.md"]),
        (&["-k", "image"], &["photo.jpg"]),
        (&["-S", ">1mb"], &["big.bin"]),
        (&["-S", "empty"], &["zero"]),
        (&["--empty"], &["void", "zero"]),
        (&["-m", "..2025-01-01", "-t", "f", "--size", "2000"], &[]),
        (&["--perm", "640"], &["zero"]),
        (&["--perm", "-640", "-t", "f", "zero"], &["zero"]),
        (&["--owner", "4294967294"], &[]),
        (&["--group", "4294967294"], &[]),
        (&["--in", "src", "*.rs"], &["src/deep/mod.rs", "src/lib.rs", "src/main.rs"]),
        (
            &["--in", "src/deep", "--in", "docs", "-t", "f"],
            &["docs/Guide.md", "docs/notes (old).txt", "src/deep/mod.rs"],
        ),
        (&["*.rs", "--not-in", "src/deep", "-t", "f"], &["src/lib.rs", "src/main.rs"]),
        (&["-F", "notes (old)"], &["docs/notes (old).txt"]),
        (&["-r", "^(main|lib)\\.rs$"], &["src/lib.rs", "src/main.rs"]),
        (&["-x", "lib.rs"], &["src/lib.rs"]),
        (&["-x", "lib"], &[]),
        (&["-z", "mnrs"], &["src/main.rs"]),
        (&["-w", "notes"], &["docs/notes (old).txt"]),
        (&["-w", "note"], &[]),
        (&["-F", "guide"], &["docs/Guide.md"]),
        (&["-F", "-s", "guide"], &[]),
        (&["\"notes (old)\""], &["docs/notes (old).txt"]),
        (&["--", "-nothing"], &[]),
        (&["src/**/mod.rs"], &["src/deep/mod.rs"]),
    ];
    for (args, expect) in cases {
        let run = world.run(args);
        assert_eq!(world.relative(&run), *expect, "{args:?} {}", run.stderr);
        assert_eq!(run.code, i32::from(expect.is_empty()), "{args:?}");
    }
}

#[test]
fn times_select() {
    let world = world();
    assert_eq!(world.lines(&["-k", "image", "-m", "2020..364d"]), ["photo.jpg"]);
    assert_eq!(world.run(&["-k", "image", "--dm", "7d"]).code, 1);
    let today = world.lines(&["-x", "zero", "--modified", "7d", "--accessed", "7d"]);
    assert_eq!(today, ["zero"]);
    // Not every file system knows when a file was created; one that does not has no match.
    let knows_birth = fs::metadata(world.tree().join("zero")).expect("it exists").created().is_ok();
    assert_eq!(world.run(&["-x", "zero", "--created", "7d"]).code, i32::from(!knows_birth));
}

#[test]
fn depth_counts_from_the_root() {
    let world = world();
    let depth = world.tree().components().count();
    assert_eq!(world.lines(&["--depth", &depth.to_string(), "-e", "bin"]), ["big.bin"]);
    assert_eq!(world.run(&["--depth", &(depth + 1).to_string(), "-e", "bin"]).code, 1);
}

#[test]
fn order_and_limit() {
    let world = world();
    assert_eq!(world.lines(&["-t", "f", "--sort", "size:desc", "-n", "2"]), ["big.bin", "photo.jpg"]);
    let by_name = ["-t", "f", "-e", "rs", "--sort", "name:desc"];
    assert_eq!(world.lines(&by_name), ["src/deep/mod.rs", "src/main.rs", "src/lib.rs"]);
    assert_eq!(world.lines(&["-t", "f", "--sort", "ext,size:desc", "-n", "1"]), ["zero"]);
}

#[test]
fn everything_comes_without_a_term_or_limit() {
    let world = World::empty();
    (0..1500).for_each(|number| world.put(format!("f{number}").as_bytes()));
    world.index();
    assert_eq!(world.lines(&["find", "-t", "f"]).len(), 1500);
    assert_eq!(world.lines(&["find", "-t", "f", "-c"]), ["1500"]);
}

#[test]
fn relative_folders_start_at_the_current_one() {
    let world = world();
    let mut command = world.command(&["find", "mod", "--in", "../src"]);
    let run = crate::world::finished(command.current_dir(world.tree().join("docs")));
    assert_eq!(world.relative(&run), ["src/deep/mod.rs"]);
}
