//! Changing the machine key, whole and cut off anywhere.

use crate::desk::*;
use hearth_snapshot::*;
use std::path::{Path, PathBuf};

const STATE: &str = "/state";

fn places() -> KeyPlaces<'static> {
    KeyPlaces { credentials: None, configured: None, state: Path::new(STATE) }
}

fn paths() -> Vec<PathBuf> {
    ["/cache/a", "/cache/b", "/cache/c"].map(PathBuf::from).to_vec()
}

fn contents(number: u64) -> Contents {
    vec![(1, Codec::None, noise(number, 2000))]
}

fn disk(seed: u64) -> (LyingDisk, MachineKey) {
    let disk = LyingDisk::new(seed, Manners::default());
    let key = find_key(&disk, &places()).expect("a key is made").key;
    for (number, path) in (0..).zip(paths()) {
        save(&disk, &path, &header(), &key, &contents(number)).expect("it saves");
    }
    (disk, key)
}

fn rotate(disk: &LyingDisk, old: &MachineKey) -> Result<Rotation, KeyError> {
    rotate_key_file(disk, &Path::new(STATE).join(KEY_FILE_NAME), old, &paths())
}

fn assert_all_open(disk: &LyingDisk, key: &MachineKey) {
    for (number, path) in (0..).zip(paths()) {
        let found = load(disk, &path, key).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found, contents(number), "{}", path.display());
    }
}

#[test]
fn the_new_key_opens_everything_and_the_old_one_nothing() {
    let (disk, first) = disk(1);
    let mut key = first;
    for _ in 0..3 {
        let rotation = rotate(&disk, &key).expect("it rotates");
        assert_eq!((rotation.rewrapped, rotation.left_out.len()), (3, 0));
        for path in paths() {
            assert_eq!(load(&disk, &path, &key).expect_err("old").word(), "key-unavailable");
        }
        key = rotation.key;
        assert_all_open(&disk, &key);
        assert_all_open(&disk, &find_key(&disk, &places()).expect("the key file is fine").key);
    }
}

#[test]
fn only_key_slots_are_written() {
    let (disk, key) = disk(2);
    let before = disk.get(&paths()[0]).expect("it is there");
    rotate(&disk, &key).expect("it rotates");
    let after = disk.get(&paths()[0]).expect("it is there");
    assert_eq!(before[..4096], after[..4096]);
    assert_eq!(before[12_288..], after[12_288..]);
    assert!(after[4096..8192].iter().all(|&byte| byte == 0), "the old key is gone");
    assert_ne!(before[8192..12_288], after[8192..12_288]);
}

#[test]
fn what_does_not_open_is_left_out() {
    let (disk, key) = disk(3);
    disk.put(&paths()[1], b"not a snapshot", 0o600);
    save(&disk, &paths()[2], &header(), &key_of(OTHER_KEY), &contents(2)).expect("it saves");
    let rotation = rotate(&disk, &key).expect("it rotates");
    let words: Vec<_> = rotation.left_out.iter().map(|(path, error)| (path.clone(), error.word())).collect();
    assert_eq!(words, [(paths()[1].clone(), "parse"), (paths()[2].clone(), "key-unavailable")]);
    assert_eq!(rotation.rewrapped, 1);
}

#[test]
fn cut_anywhere_the_key_file_opens_every_snapshot() {
    let mut cuts = 0;
    for seed in 0..12 {
        for operation in 0.. {
            let (disk, key) = disk(seed);
            disk.set_fault(disk.operations() + operation, Fault::PowerCut);
            let rotated = rotate(&disk, &key);
            if !disk.is_down() {
                assert!(rotated.is_ok());
                break;
            }
            cuts += 1;
            let found = disk.after_power_cut(seed * 1000 + operation);
            let key = find_key(&found, &places()).expect("the key file is fine");
            assert!(matches!(key.origin, KeyOrigin::State(_)));
            assert_all_open(&found, &key.key);
            let again = rotate(&found, &key.key).expect("and it can be rotated again");
            assert_eq!(again.rewrapped, 3);
            assert_all_open(&found, &again.key);
        }
    }
    assert!(cuts > 400, "{cuts} cuts");
}

#[test]
fn a_full_or_failing_disk_leaves_every_snapshot_open() {
    for fault in [Fault::NoSpace, Fault::BadDisk] {
        for operation in 0..60 {
            let (disk, key) = disk(operation);
            disk.set_fault(disk.operations() + operation, fault);
            let rotated = rotate(&disk, &key);
            disk.clear_faults();
            let in_file = find_key(&disk, &places()).expect("the key file is fine").key;
            let Ok(rotation) = rotated else {
                assert_all_open(&disk, &in_file);
                continue;
            };
            let left: Vec<&PathBuf> = rotation.left_out.iter().map(|(path, _)| path).collect();
            for path in paths().iter().filter(|path| !left.contains(path)) {
                assert!(load(&disk, path, &in_file).is_ok(), "{fault:?} {operation} {}", path.display());
            }
            assert!(left.len() <= 1, "one fault, one snapshot");
        }
    }
}
