//! Where the machine key comes from, and who must not have had a hand on it.

use crate::desk::*;
use hearth_snapshot::*;
use std::path::{Path, PathBuf};

const CREDENTIALS: &str = "/credentials";
const CONFIGURED: &str = "/etc/key";
const STATE: &str = "/state";

fn places(configured: bool) -> KeyPlaces<'static> {
    KeyPlaces {
        credentials: Some(Path::new(CREDENTIALS)),
        configured: configured.then_some(Path::new(CONFIGURED)),
        state: Path::new(STATE),
    }
}

fn disk() -> LyingDisk {
    LyingDisk::new(11, Manners::default())
}

/// True if both keys open what the other sealed.
fn same(a: &MachineKey, b: &MachineKey) -> bool {
    let disk = disk();
    save(&disk, Path::new("/s"), &header(), a, &vec![]).expect("it saves");
    load(&disk, Path::new("/s"), b).is_ok()
}

#[test]
fn the_first_place_that_is_set_decides() {
    let disk = disk();
    let credential = Path::new(CREDENTIALS).join(CREDENTIAL_NAME);
    let own = Path::new(STATE).join(KEY_FILE_NAME);
    let origin = |configured| find_key(&disk, &places(configured)).expect("there is a key").origin;
    assert_eq!(origin(false), KeyOrigin::Created(own.clone()));
    assert_eq!(origin(false), KeyOrigin::State(own));
    disk.put(Path::new(CONFIGURED), &OTHER_KEY, 0o600);
    assert_eq!(origin(true), KeyOrigin::Configured(PathBuf::from(CONFIGURED)));
    disk.put(&credential, &MACHINE_KEY, 0o400);
    assert_eq!(origin(true), KeyOrigin::Credential(credential));
}

#[test]
fn a_key_that_was_made_is_found_again() {
    on_both(|shelf| {
        let places = KeyPlaces { credentials: None, configured: None, state: &shelf.folder };
        let made = find_key(&*shelf.storage, &places).expect("it is made");
        let found = find_key(&*shelf.storage, &places).expect("it is found");
        assert!(matches!(found.origin, KeyOrigin::State(_)));
        assert!(same(&made.key, &found.key) && !same(&made.key, &key()));
        assert_eq!(shelf.names(), [KEY_FILE_NAME]);
        let file = shelf.storage.open(&shelf.folder.join(KEY_FILE_NAME), Open::Read).expect("it is there");
        assert_eq!((file.ownership().expect("an owner").mode, file.len().expect("a length")), (0o600, 32));
    });
}

#[test]
fn two_who_make_a_key_end_with_one() {
    let shelf = Shelf::real();
    let places = KeyPlaces { credentials: None, configured: None, state: &shelf.folder };
    let keys: Vec<MachineKey> = std::thread::scope(|scope| {
        let find = || scope.spawn(|| find_key(&RealStorage, &places).expect("there is a key").key);
        let threads: Vec<_> = (0..4).map(|_| find()).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(keys.iter().all(|key| same(key, &keys[0])));
    assert_eq!(shelf.names(), [KEY_FILE_NAME]);
}

#[test]
fn a_configured_key_that_is_not_there_is_an_error() {
    assert!(matches!(find_key(&disk(), &places(true)), Err(KeyError::Missing(_))));
}

#[test]
fn a_key_is_32_bytes_or_64_digits() {
    let digits: String = MACHINE_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let read = |bytes: &[u8]| {
        let disk = disk();
        disk.put(Path::new(CONFIGURED), bytes, 0o600);
        find_key(&disk, &places(true)).map(|found| found.key)
    };
    for good in [
        &MACHINE_KEY[..],
        digits.as_bytes(),
        digits.to_uppercase().as_bytes(),
        format!("{digits}\n").as_bytes(),
    ] {
        assert!(same(&read(good).expect("a key"), &key()));
    }
    let long = digits.repeat(1000);
    for bad in ["", "short", &digits[1..], &format!("{digits}\n\n"), &digits.replace('6', "g"), &long] {
        assert!(matches!(read(bad.as_bytes()), Err(KeyError::Malformed(_))), "{bad:.70}");
    }
}

#[test]
fn our_own_file_that_is_no_key_is_made_anew() {
    let disk = disk();
    disk.put(&Path::new(STATE).join(KEY_FILE_NAME), b"torn", 0o600);
    assert!(matches!(find_key(&disk, &places(false)).expect("a key").origin, KeyOrigin::Created(_)));
    assert!(matches!(find_key(&disk, &places(false)).expect("a key").origin, KeyOrigin::State(_)));
}

#[test]
fn a_key_that_others_may_touch_is_refused() {
    let credential = Path::new(CREDENTIALS).join(CREDENTIAL_NAME);
    for (path, mode, owner, good) in [
        (Path::new(CONFIGURED), 0o600, 1000, true),
        (Path::new(CONFIGURED), 0o400, 0, true),
        (Path::new(CONFIGURED), 0o600, 1001, false),
        (Path::new(CONFIGURED), 0o640, 1000, false),
        (Path::new(CONFIGURED), 0o604, 1000, false),
        (&credential, 0o440, 0, true),
        (&credential, 0o400, 1000, true),
        (&credential, 0o444, 0, false),
        (&credential, 0o460, 0, false),
        (&credential, 0o400, 1001, false),
    ] {
        let disk = disk();
        disk.put(path, &MACHINE_KEY, mode);
        disk.set_owner(path, owner);
        let found = find_key(&disk, &places(path == Path::new(CONFIGURED)));
        assert_eq!(found.is_ok(), good, "{} {mode:o} {owner}", path.display());
        if let Err(error) = found {
            assert!(matches!(error, KeyError::Exposed { .. }), "{error}");
        }
    }
}

#[test]
fn a_named_pipe_is_no_key_and_nobody_waits_for_it() {
    let shelf = Shelf::real();
    let pipe = shelf.folder.join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let places = KeyPlaces { credentials: None, configured: Some(&pipe), state: &shelf.folder };
    assert!(matches!(find_key(&RealStorage, &places), Err(KeyError::Malformed(_))));
}

#[test]
fn a_key_is_never_shown() {
    assert_eq!(format!("{:?}", key()), "MachineKey(…)");
}
