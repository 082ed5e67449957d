//! Sealed files: whatever is done to the bytes of a good one, opening and reading it gives what was saved or a
//! typed reason. The input is a file of its own, if its first byte is zero, else a list of places to change.
#![no_main]

use hearth_snapshot::{Codec, Expected, Header, LoadError, LyingDisk, MachineKey, Manners, Reader, Writer};
use libfuzzer_sys::fuzz_target;
use rayon::ThreadPool;
use std::path::Path;
use std::sync::LazyLock;

const PATH: &str = "/s";
const IDENTITY: &[u8] = b"file system 7, subvolume 5, inode 256";
const EPOCH: &[u8] = b"index 1, configuration 9";

static POOL: LazyLock<ThreadPool> =
    LazyLock::new(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"));

type Contents = Vec<(u32, Vec<u8>)>;

/// A good file, the key to it, and what is in it.
struct Good {
    file: Vec<u8>,
    key: MachineKey,
    contents: Contents,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let disk = LyingDisk::new(1, Manners::default());
    let key = MachineKey::random(&disk).expect("this disk has random bytes");
    let header = Header {
        kind: *b"fuzz",
        identity: IDENTITY.to_vec(),
        epoch: EPOCH.to_vec(),
        clock: b"clock 42".to_vec(),
        saved_at_ns: 7,
        counts: vec![3, 1 << 40],
    };
    let mut writer = Writer::begin(&disk, &POOL, Path::new(PATH), &header, &key).expect("it begins");
    let noise = |seed: u32, len: u32| -> Vec<u8> {
        (0..len).map(|at| ((at ^ seed).wrapping_mul(0x9E37_79B9) >> 21) as u8).collect()
    };
    let contents = vec![(1, noise(1, 300)), (2, b"abcabcab".repeat(90)), (3, vec![7; 5000]), (4, Vec::new())];
    for ((id, content), codec) in contents.iter().zip([Codec::None, Codec::Lz4, Codec::Zstd, Codec::Zstd]) {
        writer.section(*id, codec).expect("few sections");
        writer.write(content).expect("it is written");
    }
    writer.commit().expect("it is saved");
    Good { file: disk.get(Path::new(PATH)).expect("it is there"), key, contents }
});

fn load(file: &[u8], key: &MachineKey) -> Result<Contents, LoadError> {
    let disk = LyingDisk::new(0, Manners { short_transfers: file.len() % 2 == 1, ..Manners::default() });
    disk.put(Path::new(PATH), file, 0o600);
    let expected = Expected { kind: *b"fuzz", identity: IDENTITY, epoch: EPOCH, freshness: None };
    let reader = Reader::open(&disk, Path::new(PATH), &expected, key)?;
    reader.sections().map(|section| Ok((section.id, reader.read(section.id, &POOL)?))).collect()
}

/// Changes places: kind of change, place, value.
fn changed(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut file = good.to_vec();
    for edit in edits.chunks_exact(5).take(8) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let (at, other) = (at % file.len().max(1), at.wrapping_mul(31) % file.len().max(1));
        match edit[0] % 5 {
            0 => file.truncate(at),
            1 => file.resize(file.len() + at % 64, edit[4]),
            _ if file.is_empty() => {}
            2 => file[at] ^= edit[4],
            3 => file[at] = edit[4],
            _ => file.swap(at, other),
        }
    }
    file
}

fuzz_target!(|input: &[u8]| {
    let good = &*GOOD;
    match input.split_first() {
        None => assert_eq!(load(&good.file, &good.key).expect("nothing is wrong with it"), good.contents),
        Some((0, file)) => assert!(load(file, &good.key).is_err(), "nobody knows the key"),
        Some((_, edits)) => {
            let file = changed(&good.file, edits);
            if let Ok(contents) = load(&file, &good.key) {
                assert_eq!(contents, good.contents);
            }
        }
    }
});
