//! Volumes that the kit makes: whole in the eyes of `ntfs-3g` and `ntfsinfo`, and as they are told.

use hearth_disks::ntfs::acts::{Actor, acts};
use hearth_disks::ntfs::usn::{Entry, Stretch};
use hearth_disks::ntfs::{Form, Journal, Kind, NtfsImage};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

fn info(image: &NtfsImage, arguments: &[&str]) -> String {
    let output = Command::new("ntfsinfo").args(arguments).arg(image.path()).output().expect("installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn small() -> Option<NtfsImage> {
    NtfsImage::new(32 << 20, Form::default())
}

#[test]
fn a_mount_ends_with_its_value_also_by_a_panic() {
    let Some(image) = small() else { return };
    let mounted = || {
        fs::read_to_string("/proc/self/mountinfo")
            .expect("shown")
            .contains(image.beside().to_str().expect("plain"))
    };
    let mount = image.mount();
    fs::write(mount.root().join("file"), "x").expect("it can be written to");
    assert!(mounted());
    let broken = std::panic::catch_unwind(move || {
        let _mount = mount;
        panic!("a test that fails");
    });
    assert!(broken.is_err() && !mounted());
    assert_eq!(image.listing()[&b"file"[..]].size, 1);
}

#[test]
fn a_filled_volume_has_what_is_rare() {
    for form in [Form::default(), Form { sector_bytes: 4096, cluster_bytes: 65536 }] {
        let Some(image) = NtfsImage::new(128 << 20, form) else { return };
        image.mount().fill(700, 1).expect("room");
        let rows = image.listing();
        let files =
            rows.keys().filter(|path| path.starts_with(b"many/folder") && path.contains(&b'.')).count();
        assert!((500..690).contains(&files), "{files}");
        assert_eq!(rows[&b"rare/linked"[..]].links, 151);
        assert_eq!(rows[&b"rare/streamed"[..]].streams.len(), 40);
        assert_eq!(rows[&b"rare/streamed"[..]].streams[&b"stream 39"[..]], 39 * 97);
        assert_eq!(rows[&b"rare/sparse"[..]].size, (40 << 20) + 103);
        assert!(rows.contains_key(format!("rare/{}", "\u{1f600}".repeat(120)).as_bytes()));
        assert!(rows.keys().any(|path| path.ends_with(b"level 119/bottom")));
        assert!(rows[&b"rare"[..]].kind == Kind::Folder && !rows.contains_key(&b"$MFT"[..]));
        let linked = rows[&b"rare/linked"[..]].number.to_string();
        assert!(info(&image, &["-i", &linked, "-f"]).contains("$ATTRIBUTE_LIST"));
    }
}

fn entry(file: u64) -> Entry {
    let name = "name".encode_utf16().collect();
    Entry { version: 2, file, parent: 5 << 48 | 5, filetime: 1 << 56, reasons: 2, name, ..Entry::default() }
}

/// What `ntfs-3g` reads from the journal, from `first` on.
fn stored(image: &NtfsImage, name: &str, first: u64) -> Vec<u8> {
    let mount = image.mount_to_read();
    let path = hearth_disks::ntfs::Mount::stream(&mount.root().join("$Extend/$UsnJrnl"), name);
    let file = fs::File::open(path).expect("a journal");
    let mut bytes = vec![0; (file.metadata().expect("shown").len() - first) as usize];
    file.read_exact_at(&mut bytes, first).expect("read");
    bytes
}

#[test]
fn a_journal_grows_is_cut_and_is_made_anew() {
    let Some(image) = small() else { return };
    let mut journal = Journal::create(&image, 77, 1 << 24);
    let mut expected = Stretch::new(1 << 24);
    for round in 0..3 {
        let entries: Vec<_> = (0..200).map(|file| entry(round * 1000 + file)).collect();
        let first = expected.next_usn();
        for entry in &entries {
            expected.push(entry);
        }
        assert_eq!(journal.append(&image.mount(), &entries), Some(first));
    }
    assert_eq!(stored(&image, "$J", 1 << 24), expected.bytes());
    assert_eq!(stored(&image, "$Max", 16)[..8], 77_u64.to_le_bytes());
    let lowest = journal.trim(&image.mount(), (1 << 24) + 10_000);
    assert_eq!(lowest, (1 << 24) + 8192);
    assert_eq!(stored(&image, "$J", lowest), expected.bytes()[8192..]);
    assert!(stored(&image, "$J", 0)[..1 << 24].iter().all(|byte| *byte == 0));
    let told = info(&image, &["-f", "-F", "/$Extend/$UsnJrnl"]);
    let sparse = told
        .split("'$J'")
        .nth(1)
        .is_some_and(|rest| rest.trim_start().starts_with("Attribute flags:\t 0x8000"));
    assert!(sparse, "{told}");

    let number = journal.number();
    journal.delete(&image);
    assert!(!image.mount_to_read().root().join("$Extend/$UsnJrnl").exists());
    assert!(image.mount_to_read().root().join("$Extend/$ObjId").exists(), "others are left");
    let next = Journal::create(&image, 78, 0);
    assert_eq!((next.number(), stored(&image, "$Max", 16)[0]), (number, 78));
}

#[test]
fn the_log_says_what_windows_would_say() {
    let Some(image) = small() else { return };
    drop(image.mount());
    let log = || {
        let mut page = [0; 4];
        let mount = image.mount_to_read();
        let log = fs::File::open(mount.root().join("$LogFile")).expect("shown");
        log.read_exact_at(&mut page, 0).expect("read");
        page
    };
    let accepted = || {
        let output = Command::new("ntfsinfo").arg("-m").arg(image.path()).output();
        output.expect("installed").status.success()
    };
    image.set_log(0x1234_5678, true);
    image.set_dirty(true);
    assert!(log() == *b"RSTR" && !accepted(), "it is to be checked first");
    image.set_dirty(false);
    assert!(accepted());
    fs::write(image.mount().root().join("file"), "x").expect("room");
    assert_eq!(log(), *b"RSTR", "a log that was clean is left as it is");
    image.set_log(0x1234_5678, false);
    fs::write(image.mount().root().join("file"), "y").expect("room");
    assert_eq!(log(), [0xff; 4], "what was not done is forgotten");
    image.set_log(1, true);
    image.empty_log();
    assert_eq!(log(), [0xff; 4]);
}

#[test]
fn the_journal_of_random_acts_names_every_file_that_changed() {
    if small().is_none() {
        return;
    }
    let config = Config { cases: 20, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let checked = runner.run(&acts(60), |acts| {
        let image = small().expect("it could be made before");
        let (first, acts) = acts.split_at(acts.len() / 2);
        let mount = image.mount();
        let mut actor = Actor::new(&mount, image.form().record_bytes(), 2);
        for act in first {
            let _ = actor.run(act);
        }
        drop(mount);
        let before = image.listing();
        let mount = image.mount();
        let mut actor = Actor::new(&mount, image.form().record_bytes(), 2);
        for act in acts {
            // What is not possible is not done.
            let _ = actor.run(act);
        }
        let journal = actor.into_journal();
        drop(mount);
        let after = image.listing();
        let reference = |row: &hearth_disks::ntfs::Row| u64::from(row.sequence) << 48 | row.number;
        let mut last = BTreeMap::new();
        for entry in &journal {
            last.insert(entry.file, entry);
        }
        let parents: Vec<u64> = journal.iter().map(|entry| entry.parent).collect();
        let differing = after.iter().filter(|(path, row)| before.get(*path) != Some(row));
        for (path, row) in differing.chain(before.iter().filter(|(path, _)| !after.contains_key(*path))) {
            let moved_with_folder =
                before.values().any(|other| other == row) && after.values().any(|other| other == row);
            let told = last.contains_key(&reference(row)) || parents.contains(&reference(row));
            prop_assert!(
                told || moved_with_folder,
                "{:?} {:?} {:?}",
                String::from_utf8_lossy(path),
                row,
                journal
            );
        }
        for (path, row) in &after {
            let path = String::from_utf8_lossy(path);
            if let Some(entry) = last.get(&reference(row)) {
                prop_assert_eq!(entry.reasons & 0x200, 0, "{} is told as deleted", path);
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}
