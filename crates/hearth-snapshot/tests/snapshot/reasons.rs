//! Every reason not to load: what provokes it, its word, how loud it is.

use crate::desk::*;
use crate::page::{self, Recipe};
use hearth_snapshot::*;
use std::path::Path;
use std::time::Duration;

const HOUR_NS: i64 = 3_600_000_000_000;

/// A disk with a small snapshot at `/s`.
fn disk() -> LyingDisk {
    let disk = LyingDisk::new(5, Manners::default());
    let contents = vec![(1, Codec::Zstd, prose(1, 3000)), (2, Codec::None, noise(1, 100))];
    save(&disk, Path::new("/s"), &header(), &key(), &contents).expect("it saves");
    disk
}

fn reason(disk: &LyingDisk, expected: &Expected<'_>, key: &MachineKey) -> LoadError {
    let opened = Reader::open(disk, Path::new("/s"), expected, key);
    opened.and_then(|reader| contents_of(&reader)).expect_err("there is a reason")
}

#[track_caller]
fn check(error: &LoadError, word: &str, level: Level) {
    assert_eq!((error.word(), error.level()), (word, level), "{error}");
    assert!(error.to_string().len() > 20, "{error}");
}

#[test]
fn missing() {
    let empty = LyingDisk::new(5, Manners::default());
    check(&reason(&empty, &expected(), &key()), "missing", Level::Debug);
    assert_eq!(load(&RealStorage, Path::new("/nowhere/at/all"), &key()).expect_err("no").word(), "missing");
}

#[test]
fn scratch() {
    let disk = LyingDisk::new(5, Manners::default());
    disk.put(Path::new("/.s.0123456789abcdef.tmp"), b"cut off", 0o600);
    check(&reason(&disk, &expected(), &key()), "scratch", Level::Info);
    disk.put(Path::new("/.t.0123456789abcdef.tmp"), b"of another", 0o600);
    disk.remove(Path::new("/.s.0123456789abcdef.tmp")).expect("it was there");
    assert_eq!(reason(&disk, &expected(), &key()).word(), "missing");
}

#[test]
fn stale_by_ttl() {
    let aged = |age_ns, ttl_s| {
        let freshness = Freshness { now_ns: SAVED_AT_NS + age_ns, ttl: Duration::from_secs(ttl_s) };
        Expected { freshness: Some(freshness), ..expected() }
    };
    let error = reason(&disk(), &aged(HOUR_NS, 3599), &key());
    check(&error, "stale-by-ttl", Level::Info);
    let LoadError::StaleByTtl { age, ttl } = error else { unreachable!("checked above") };
    assert_eq!((age.as_secs(), ttl.as_secs()), (3600, 3599));
    for (age_ns, ttl_s) in [(HOUR_NS, 3600), (-HOUR_NS, 0), (0, 0)] {
        let opened = Reader::open(&disk(), Path::new("/s"), &aged(age_ns, ttl_s), &key());
        assert!(opened.is_ok(), "{age_ns} {ttl_s}");
    }
}

#[test]
fn stale_vs_source() {
    let other = Expected { identity: b"file system 8, subvolume 5, inode 256", ..expected() };
    check(&reason(&disk(), &other, &key()), "stale-vs-source", Level::Info);
    let kind = Expected { kind: *b"code", ..expected() };
    check(&reason(&disk(), &kind, &key()), "stale-vs-source", Level::Info);
}

#[test]
fn stale_by_epoch() {
    let other = Expected { epoch: b"index 2, configuration 9", ..expected() };
    let error = reason(&disk(), &other, &key());
    check(&error, "stale-by-epoch", Level::Info);
    let LoadError::StaleByEpoch { cached, current } = error else { unreachable!("checked above") };
    assert_ne!(cached, current);
    assert!(!cached.contains("configuration"), "the log is no place for what is in an epoch");
}

#[test]
fn io_wherever_the_disk_fails() {
    let disk = disk();
    let before = disk.operations();
    load(&disk, Path::new("/s"), &key()).expect("it loads");
    let operations = disk.operations() - before;
    for operation in 0..operations {
        disk.set_fault(disk.operations() + operation, Fault::BadDisk);
        check(&reason(&disk, &expected(), &key()), "io", Level::Error);
    }
    load(&disk, Path::new("/s"), &key()).expect("and it loads again");
    assert!(operations >= 9, "{operations}");
}

#[test]
fn io_where_there_is_something_else() {
    let shelf = Shelf::real();
    std::fs::create_dir(shelf.path()).expect("a folder can be made");
    check(&load(&RealStorage, &shelf.path(), &key()).expect_err("a folder"), "io", Level::Error);
    let link = shelf.folder.join("link");
    std::os::unix::fs::symlink("volume.snapshot", &link).expect("a link can be made");
    check(&load(&RealStorage, &link, &key()).expect_err("a link"), "io", Level::Error);
}

#[test]
fn key_unavailable() {
    check(&reason(&disk(), &expected(), &key_of(OTHER_KEY)), "key-unavailable", Level::Warn);
    let places = KeyPlaces { credentials: None, configured: Some(Path::new("/no")), state: Path::new("/") };
    let error = LoadError::from(find_key(&disk(), &places).expect_err("there is no such file"));
    check(&error, "key-unavailable", Level::Warn);
}

#[test]
fn decrypt_failed() {
    let disk = disk();
    let mut file = disk.get(Path::new("/s")).expect("it is there");
    file[page::HEADER_AT + 300] ^= 1;
    disk.put(Path::new("/s"), &file, 0o600);
    check(&reason(&disk, &expected(), &key()), "decrypt-failed", Level::Error);
}

#[test]
fn decompress_failed() {
    let header = page::header(&[], IDENTITY, b"", EPOCH);
    let file = Recipe::new(header, &[(1, 2, 600)], vec![(vec![90; 94], true)]).put_together();
    let disk = LyingDisk::new(5, Manners::default());
    disk.put(Path::new("/s"), &file, 0o600);
    check(&reason(&disk, &expected(), &key()), "decompress-failed", Level::Error);
}

#[test]
fn parse() {
    let disk = LyingDisk::new(5, Manners::default());
    disk.put(Path::new("/s"), b"no snapshot, whatever its name", 0o600);
    check(&reason(&disk, &expected(), &key()), "parse", Level::Warn);
}

#[test]
fn deserialize() {
    let disk = disk();
    let reader = Reader::open(&disk, Path::new("/s"), &expected(), &key()).expect("it opens");
    let refused = reader.read_chunks(1, |_, _| Err("a row points nowhere".to_owned()));
    let error = refused.expect_err("the decoder refuses");
    check(&error, "deserialize", Level::Error);
    assert!(error.to_string().contains("a row points nowhere"));
    check(&reader.read(3, pool()).expect_err("no such section"), "deserialize", Level::Error);
}
