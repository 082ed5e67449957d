//! `du`, `stats` and `dupes`.

use crate::world::{World, of_type};

fn world() -> World {
    let world = World::empty();
    world.write(b"big/a.iso", &vec![1; 300_000]);
    world.write(b"big/sub/b.iso", &vec![2; 200_000]);
    world.write(b"small/c.txt", b"same content");
    world.write(b"small/d.txt", b"same content");
    world.write(b"small/e.txt", b"other things");
    std::fs::hard_link(world.tree().join("small/e.txt"), world.tree().join("small/f.txt")).expect("a link");
    world.write(b"noext", b"x");
    world.index();
    world
}

#[test]
fn du_lists_the_folder_and_the_biggest_below() {
    let world = world();
    let lines = world.lines(&["du", ".", "--bytes"]);
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["size", "disk", "entries", "folder"]);
    let folders: Vec<&str> = lines[1..].iter().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(folders, [".", "big", "small"]);
    assert!(lines[2].trim_start().starts_with("500000 "), "{lines:?}");
    assert_eq!(world.lines(&["du", ".", "-d", "2", "-n", "2"]).len(), 1 + 1 + 2);
    let deep = world.lines(&["du", "big", "-d", "3"]);
    assert!(deep.last().is_some_and(|line| line.ends_with("big/sub")), "{deep:?}");
}

#[test]
fn du_without_a_path_is_about_every_source() {
    let world = world();
    let lines = world.json(&["du", "--json"]);
    let folders = of_type(&lines, "folder");
    assert_eq!(folders[0]["path"], world.tree().to_str().expect("it is text"));
    assert_eq!(folders[1]["tree_size"], 500_000);
    assert_eq!(of_type(&lines, "summary").len(), 1);
    let csv = world.lines(&["du", "--csv", "--allocated"]);
    assert_eq!(csv[0], "path,tree_size,tree_allocated,descendants,source");
}

#[test]
fn du_of_what_is_not_there_is_an_error() {
    let world = world();
    assert_eq!(world.run(&["du", "absent"]).code, 2);
    assert_eq!(world.run(&["du", "/nonexistent-folder"]).code, 2);
}

#[test]
fn stats_group_by_every_key() {
    let world = world();
    let ext = world.lines(&["stats", "-t", "file", "-b"]);
    assert!(ext[1].trim_start().starts_with("500000 ") && ext[1].ends_with("iso"), "{ext:?}");
    for key in ["ext", "type", "size", "age", "owner", "folder"] {
        let lines = world.json(&["stats", "--by", key, "--json"]);
        assert!(!of_type(&lines, "group").is_empty(), "{key}");
        let summary = of_type(&lines, "summary")[0];
        let entries: u64 =
            of_type(&lines, "group").iter().filter_map(|group| group["entries"].as_u64()).sum();
        assert_eq!(summary["total"]["entries"], entries, "{key}");
    }
    let folders = world.json(&["stats", "--by", "folder", "--in", ".", "--json"]);
    assert!(of_type(&folders, "group").iter().any(|group| group["size"] == 500_000), "{folders:?}");
    assert_eq!(world.lines(&["stats", "-e", "iso", "--csv"])[0], "key,entries,size,allocated");
    assert_eq!(world.run(&["stats", "absent-name"]).code, 1);
}

#[test]
fn stats_say_what_is_not_shown() {
    let run = world().run(&["stats", "-n", "1"]);
    assert_eq!(run.text().lines().count(), 2);
    assert!(run.stderr.contains("more groups"), "{}", run.stderr);
}

#[test]
fn dupes_are_files_of_equal_content_and_not_links() {
    let world = world();
    let run = world.run(&["dupes"]);
    assert_eq!(world.relative(&run), ["small/c.txt", "small/d.txt"], "{}", run.stderr);
    assert!(run.stderr.contains("1 groups, 12 could be freed"), "{}", run.stderr);
    let nul = world.run(&["dupes", "-0"]);
    assert_eq!(nul.stdout.iter().filter(|byte| **byte == 0).count(), 2);
    let lines = world.json(&["dupes", "--json"]);
    let group = of_type(&lines, "duplicates")[0];
    assert_eq!((&group["size"], group["files"].as_array().map(Vec::len)), (&12.into(), Some(2)));
    let csv = world.lines(&["dupes", "--csv"]);
    assert_eq!((csv[0].as_str(), csv.len()), ("group,size,hash,path", 3));
}

#[test]
fn dupes_can_be_narrowed() {
    let world = world();
    assert_eq!(world.run(&["dupes", "--min-size", "1k"]).code, 1);
    assert_eq!(world.run(&["dupes", "--in", "big"]).code, 1);
    assert_eq!(world.run(&["dupes", "-e", "txt", "-n", "1"]).code, 0);
    let spent = world.run(&["dupes", "--read-budget", "1"]);
    assert!(spent.stderr.contains("--read-budget"), "{}", spent.stderr);
}

#[test]
fn reports_answer_without_a_resident_daemon() {
    let world = world();
    assert_eq!(world.run(&["daemon", "stop"]).code, 0);
    for command in ["du", "stats", "dupes"] {
        assert_eq!(world.run(&[command, "--no-daemon"]).code, 0, "{command}");
    }
    assert_eq!(world.run(&["daemon", "stop"]).code, 1);
}
