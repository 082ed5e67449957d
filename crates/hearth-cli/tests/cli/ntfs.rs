//! NTFS disks and images: looked into, added, searched.

use crate::world::{PATIENCE_MS, World, of_type};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Where the two volumes begin on the disk that [`put_disk`] makes.
const STARTS: [u64; 2] = [1 << 20, 4 << 20];

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hearth-ntfs/tests/data").join(name)
}

fn unpacked(name: &str) -> Vec<u8> {
    let packed = File::open(sample(name)).expect("the sample is there");
    zstd::stream::decode_all(packed).expect("it is packed")
}

/// Puts a file with these bytes into the tree.
fn put(world: &World, name: &str, bytes: &[u8]) {
    fs::write(world.tree().join(name), bytes).expect("a file");
}

/// A volume with folders, streams and no journal.
fn put_volume(world: &World) {
    put(world, "volume.img", &unpacked("vol/partition_8mib.dd.zst"));
}

/// A disk with two NTFS volumes and a partition of another kind between them.
fn put_disk(world: &World) {
    let volumes = ["vol/testfs1_512dirs.dd.zst", "vol/partition_8mib.dd.zst"].map(unpacked);
    let mut table = [0_u8; 512];
    let places = [
        (7, STARTS[0], volumes[0].len() as u64),
        (0x83, 3 << 20, 1 << 20),
        (7, STARTS[1], volumes[1].len() as u64),
    ];
    for (at, (kind, start, len)) in places.into_iter().enumerate() {
        let entry = &mut table[0x1be + 16 * at..][..16];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&u32::try_from(start / 512).expect("small").to_le_bytes());
        entry[12..16].copy_from_slice(&u32::try_from(len / 512).expect("small").to_le_bytes());
    }
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    let disk = File::create(world.tree().join("disk.img")).expect("a file");
    disk.write_all_at(&table, 0).expect("room");
    for (start, volume) in STARTS.into_iter().zip(&volumes) {
        disk.write_all_at(volume, start).expect("room");
    }
}

fn one(world: &World, args: &[&str]) -> Value {
    let mut lines = world.json(args);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn a_disk_shows_its_partitions_and_volumes() {
    let world = World::empty();
    put_disk(&world);
    let disk = one(&world, &["ntfs", "info", "disk.img", "--json"]);
    assert_eq!((&disk["type"], &disk["kind"]), (&"disk".into(), &"image".into()));
    let partitions: Vec<_> = disk["partitions"].as_array().expect("a list").iter().collect();
    let told = |key: &str| partitions.iter().map(|partition| partition[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("number"), [json!(1), json!(2), json!(3)]);
    assert_eq!(told("ntfs"), [json!(true), json!(false), json!(true)]);
    assert_eq!(told("scheme"), [json!("mbr"), json!("mbr"), json!("mbr")]);
    let volumes = disk["volumes"].as_array().expect("a list");
    let places: Vec<_> =
        volumes.iter().map(|volume| (&volume["partition"], &volume["start_bytes"])).collect();
    assert_eq!(places, [(&json!(1), &json!(STARTS[0])), (&json!(3), &json!(STARTS[1]))]);
    assert_eq!((&volumes[0]["cluster_bytes"], &volumes[0]["version"]), (&json!(512), &json!("3.1")));
    assert!(volumes[0]["records_in_use"].as_u64() >= Some(540), "{}", volumes[0]);
    let second = one(&world, &["ntfs", "info", "./disk.img#3", "--json"]);
    assert_eq!(second["volumes"], json!([volumes[1]]));
    let text = world.run(&["ntfs", "info", "disk.img"]).text();
    for line in ["NTFS volume in partition 1\n", "NTFS volume in partition 3\n", "  journal   none\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let none = world.run(&["ntfs", "info", "disk.img#2"]);
    assert!(none.code == 2 && none.stderr.contains("in partitions 1, 3"), "{}", none.stderr);
}

#[test]
fn captures_and_file_tables_are_looked_into() {
    let world = World::empty();
    put(&world, "table", &unpacked("mft/nist_dfr16.mft.zst"));
    let table = one(&world, &["ntfs", "info", "table", "--json"]);
    assert_eq!((&table["kind"], &table["volumes"][0]["records"]), (&"table".into(), &json!(154)));
    assert_eq!(
        (&table["volumes"][0]["serial"], &table["volumes"][0]["problems"]),
        (&Value::Null, &Value::Null)
    );
    let packed = sample("vol/partition_8mib.dd.zst");
    let capture = one(&world, &["ntfs", "info", packed.to_str().expect("text"), "--json"]);
    assert_eq!((&capture["kind"], &capture["bytes"]), (&"capture".into(), &json!(8 << 20)));
    let text = world.run(&["ntfs", "record", packed.to_str().expect("text"), "/Users"]).text();
    assert!(text.starts_with("record 38-1: folder, in use, 1 link\n  path   /Users\n"), "{text}");
}

#[test]
fn a_record_is_named_by_number_or_path() {
    let world = World::empty();
    put_volume(&world);
    let path = "/Windows/System32/Config/SYSTEM";
    let record = one(&world, &["ntfs", "record", "volume.img", path, "--json"]);
    assert_eq!(
        (&record["number"], &record["sequence"], &record["in_use"]),
        (&json!(42), &json!(1), &json!(true))
    );
    assert_eq!(record["paths"], json!([{ "path": path }]));
    let attributes = record["attributes"].as_array().expect("a list");
    let value =
        |kind: &str| &attributes.iter().find(|attribute| attribute["kind"] == kind).expect(kind)["value"];
    assert_eq!(value("$FILE_NAME")["name"], "SYSTEM");
    assert_eq!(
        (&value("$FILE_NAME")["parent"], &value("$STANDARD_INFORMATION")["attributes"]),
        (&json!("41-1"), &json!("A"))
    );
    for same in ["42", "0x2a", "42-1", "C:\\windows\\system32\\config\\system"] {
        assert_eq!(one(&world, &["ntfs", "record", "volume.img", same, "--json"]), record, "{same}");
    }
    let other = one(&world, &["ntfs", "record", "volume.img", "42-7", "--json"]);
    assert_eq!((&other["asked_sequence"], &other["sequence"]), (&json!(7), &json!(1)));
    let text = world.run(&["ntfs", "record", "volume.img", "42-7"]).text();
    assert!(text.starts_with("record 42-1: file, in use, 1 link; use 7, which was asked for, "), "{text}");
    assert!(text.contains("\n$FILE_NAME (0x30, id "), "{text}");
    assert!(text.contains("  created     2026-03-"), "{text}");
    for (bad, word) in [("9999999", "the last is"), ("/Windows/none", "there is no"), ("42-x", "no path")] {
        let run = world.run(&["ntfs", "record", "volume.img", bad]);
        assert!(run.code == 2 && run.stderr.contains("hint: "), "{bad}: {word}: {}", run.stderr);
    }
}

#[test]
fn a_journal_is_read_from_its_records_alone() {
    let world = World::empty();
    fs::copy(sample("usn/v2_19records.J"), world.tree().join("$J")).expect("a file");
    let lines = world.json(&["ntfs", "journal", "$J", "--json"]);
    let (rows, summary) = (of_type(&lines, "usn"), lines.last().expect("a summary"));
    assert_eq!((rows.len(), &summary["shown"]), (19, &json!(19)));
    let first = rows[0];
    assert_eq!(
        (&first["usn"], &first["record"], &first["parent"], &first["version"]),
        (&json!(0), &json!(30), &json!(5), &json!(2))
    );
    assert_eq!((&first["name"], &first["attributes"]), (&json!("Nieuw - Tekstdocument.txt"), &json!("A")));
    assert_eq!(
        (&first["reasons"], &rows[1]["reasons"]),
        (&json!(["file-create"]), &json!(["file-create", "close"]))
    );
    assert_eq!(first["time_ns"], json!((130_933_917_272_031_250_i64 - 116_444_736_000_000_000) * 100));
    let limited = world.json(&["ntfs", "journal", "$J", "--json", "-n", "2", "--since", "100"]);
    let summary = limited.last().expect("a summary");
    assert_eq!(
        (&limited[0], &summary["more"], &summary["journal"]["next_usn"]),
        (rows[1], &json!(true), &json!(336))
    );
    let text = world.run(&["ntfs", "journal", "$J", "-n", "1"]);
    assert!(
        text.text().contains(" file-create ") && text.text().ends_with("  [5-5]/Nieuw - Tekstdocument.txt\n"),
        "{}",
        text.text()
    );
    assert!(text.stderr.contains("--since 112 goes on"), "{}", text.stderr);
    let beyond = world.run(&["ntfs", "journal", "$J", "--since", "999999", "--json"]);
    assert_eq!((beyond.code, &beyond.json()[0]["data"]["field"]), (2, &json!("since")));
    let below = world.run(&["ntfs", "journal", "$J", "--path", "/a"]);
    assert!(below.code == 2 && below.stderr.contains("hint: "), "{}", below.stderr);
}

#[test]
fn damage_in_a_journal_is_passed_over_and_said() {
    let world = World::empty();
    put(&world, "J", &unpacked("usn/v2_with_garbage_page.J.zst"));
    let expect =
        fs::read_to_string(sample("usn/v2_with_garbage_page.usn.tsv")).expect("text").lines().count();
    let run = world.run(&["ntfs", "journal", "J"]);
    assert_eq!((run.code, run.text().lines().count()), (0, expect), "{}", run.stderr);
    assert!(run.stderr.contains("are no records"), "{}", run.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::empty();
    put(&world, "J", &unpacked("usn/v2_with_garbage_page.J.zst"));
    let mut child = world
        .command(&["ntfs", "journal", "J", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("hearth runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.next().is_some_and(|line| line.is_ok()));
    drop(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_volume_without_a_journal_says_so() {
    let world = World::empty();
    put_volume(&world);
    let run = world.run(&["ntfs", "journal", "volume.img"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("keeps no change journal") && run.stderr.contains("hint: "),
        "{}",
        run.stderr
    );
}

fn add<'a>(what: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["add", what, "--wait", "--timeout", PATIENCE_MS], more].concat()
}

#[test]
fn a_disk_becomes_a_source_for_each_volume() {
    let world = World::empty();
    put_disk(&world);
    let run = world.run(&add("disk.img", &[]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let roots = |lines: &[Value]| lines.iter().map(|source| source["root"].clone()).collect::<Vec<_>>();
    let expect =
        ["disk.img#1", "disk.img#3"].map(|name| json!(world.tree().join(name).to_str().expect("text")));
    assert_eq!(run.text().lines().count(), 2, "{}", run.text());
    let listed = world.json(&["list", "--json"]);
    assert_eq!(roots(&listed), expect);
    assert!(listed.iter().all(|source| source["kind"] == "ntfs"), "{listed:?}");
    assert_eq!(world.lines(&["find", "=512"]), ["disk.img#1/many_subdirs/512"]);
    assert_eq!(world.lines(&["find", "=Amcache.hve"]), ["disk.img#3/Windows/appcompat/programs/Amcache.hve"]);
    assert_eq!(world.run(&["forget", "--force", "./disk.img#1"]).code, 0);
    assert_eq!(roots(&world.json(&["list", "--json"])), expect[1..]);
    let again = world.json(&add("./disk.img#1", &["--as", "ntfs", "--name", "first", "--json"]));
    assert_eq!((&again[0]["name"], roots(&again)), (&json!("first"), expect[..1].to_vec()));
    let info = one(&world, &["ntfs", "info", "first", "--json"]);
    assert_eq!(info["volumes"][0]["partition"], 1);
}

#[test]
fn a_path_is_added_as_what_it_is() {
    let world = World::empty();
    put_volume(&world);
    put(&world, "text", b"words");
    for (args, word) in [
        (["add", "volume.img", "--as", "volume"], "is not a folder"),
        (["add", ".", "--as", "ntfs"], "a folder"),
        (["add", "text", "--as", "ntfs"], "holds no NTFS volume"),
    ] {
        let run = world.run(&args);
        assert!(
            run.code == 2 && run.stderr.contains(word) && run.stderr.contains("hint: "),
            "{args:?}: {}",
            run.stderr
        );
    }
    assert_eq!(world.run(&add("volume.img", &[])).code, 0);
    assert_eq!(world.run(&add(".", &[])).code, 0);
    let kinds: Vec<_> = world.json(&["list", "--json"]).iter().map(|source| source["kind"].clone()).collect();
    assert_eq!(kinds, ["ntfs", "volume"]);
}

#[test]
fn entries_of_ntfs_are_told_with_their_attributes() {
    let world = World::empty();
    put_volume(&world);
    assert_eq!(world.run(&add("volume.img", &[])).code, 0);
    let entry = &world.json(&["find", "=SYSTEM", "--json"])[0];
    assert_eq!(
        (&entry["file_id"], &entry["sequence"], &entry["attributes"]),
        (&json!(42), &json!(1), &json!("A"))
    );
    assert!(["mode", "uid", "gid", "deleted"].iter().all(|field| entry.get(field).is_none()), "{entry}");
    let format = "{name} {attributes} {file_id}-{sequence}[{mode}{uid}{gid}{deleted}]";
    assert_eq!(world.lines(&["find", "=SYSTEM", "--format", format]), ["SYSTEM A 42-1[]"]);
    let csv = world.lines(&["find", "=SYSTEM", "--csv"]);
    assert!(csv[0].ends_with(",source,attributes,sequence,deleted") && csv[1].ends_with(",A,1,"), "{csv:?}");
    let long = world.lines(&["find", "=SYSTEM", "-l"]);
    assert!(long[0].starts_with("-A           1     -     -    13 "), "{long:?}");
    let hidden =
        world.lines(&["find", "-A", "hs", "parent:volume.img", "-t", "file", "--format", "{attributes}"]);
    assert!(!hidden.is_empty() && hidden.iter().all(|letters| letters.contains("HS")), "{hidden:?}");
    let bad = world.run(&["find", "-A", "q"]);
    assert!(bad.code == 2 && bad.stderr.contains("attr:\"q\""), "{}", bad.stderr);
}

#[test]
fn what_was_deleted_is_found_when_it_is_asked_for() {
    let world = World::empty();
    put(&world, "undelete.dd", &unpacked("vol/dftt7_undelete.dd.zst"));
    assert_eq!(world.run(&add("undelete.dd", &[])).code, 0);
    assert_eq!(world.run(&["find", "=frag1.dat"]).code, 1, "it is not there any more");
    let entry = &world.json(&["find", "--deleted", "=frag1.dat", "--json"])[0];
    assert_eq!(
        (&entry["deleted"], &entry["size"], &entry["file_id"]),
        (&json!(true), &json!(1584), &json!(29))
    );
    assert_eq!(world.lines(&["find", "deleted:", "=frag1.dat", "--format", "{deleted}"]), ["true"]);
}

#[test]
fn status_tells_how_the_index_of_a_disk_came_to_be() {
    let world = World::empty();
    put_volume(&world);
    assert_eq!(world.run(&add("volume.img", &[])).code, 0);
    let lines = world.json(&["status", "--json"]);
    let shard = of_type(&lines, "shard")[0];
    assert_eq!((&shard["kind"], &shard["disk"]["how"]), (&json!("ntfs"), &json!("read")));
    assert!(
        shard["disk"]["records"].as_u64() > Some(40) && shard["disk"]["reason_text"].is_string(),
        "{shard}"
    );
    let text = world.run(&["status"]).text();
    assert!(text.contains("volume.img: file table read "), "{text}");
    let doctor = world.json(&["doctor", "--json"]);
    assert!(!doctor.iter().any(|check| check["name"] == "feed volume.img"), "{doctor:?}");
}

#[test]
fn every_look_into_a_disk_has_help_with_examples() {
    let world = World::empty();
    for look in ["info", "record", "journal"] {
        let run = world.run(&["ntfs", look, "--help"]);
        let example = format!("Examples:\n  hearth ntfs {look} ");
        assert!(run.code == 0 && run.text().contains(&example), "{}", run.text());
    }
}
