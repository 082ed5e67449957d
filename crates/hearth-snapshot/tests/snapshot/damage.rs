//! Whatever a file holds: content that was saved, or a typed reason, and no more memory than the file
//! justifies.

use crate::desk::*;
use crate::page::{self, HEADER_AT, Recipe};
use hearth_snapshot::*;
use proptest::prelude::*;
use std::path::Path;
use tikv_jemalloc_ctl::thread::allocatedp;

const PATH: &str = "/s";
const SLOT_0: std::ops::Range<usize> = 4096..8192;
const SLOT_1: std::ops::Range<usize> = 8192..HEADER_AT;

/// Three chunks of one length without a codec, and two with.
fn contents(seed: u64) -> Contents {
    vec![
        (1, Codec::None, noise(seed, 300)),
        (2, Codec::None, noise(seed + 1, 300)),
        (3, Codec::None, noise(seed + 2, 300)),
        (4, Codec::Lz4, prose(seed, 700)),
        (5, Codec::Zstd, prose(seed, 700)),
    ]
}

fn saved(seed: u64) -> Vec<u8> {
    let disk = LyingDisk::new(seed, Manners::default());
    save(&disk, Path::new(PATH), &header(), &key(), &contents(seed)).expect("it saves");
    disk.get(Path::new(PATH)).expect("it is there")
}

fn loaded(file: &[u8]) -> Result<Contents, LoadError> {
    let disk = LyingDisk::new(0, Manners::default());
    disk.put(Path::new(PATH), file, 0o600);
    load(&disk, Path::new(PATH), &key())
}

fn word(file: &[u8]) -> &'static str {
    loaded(file).map_or_else(|error| error.word(), |_| "loaded")
}

/// Where chunk `index` of the first three is.
fn chunk(file: &[u8], index: usize) -> std::ops::Range<usize> {
    let header_len = u32::from_le_bytes(file[32..36].try_into().expect("four bytes")) as usize;
    let at = HEADER_AT + header_len + index * 316;
    at..at + 316
}

/// Where the table is, and what follows it.
fn tail(file: &[u8]) -> std::ops::Range<usize> {
    let at = file.len() - 24;
    let table_at = u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes")) as usize;
    table_at..file.len()
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (mut file, good) = (saved(1), contents(1));
    let disk = LyingDisk::new(0, Manners::default());
    let key = key();
    for at in 0..file.len() {
        let bit = 1 << (at % 8);
        file[at] ^= bit;
        disk.put(Path::new(PATH), &file, 0o600);
        let found = load(&disk, Path::new(PATH), &key);
        file[at] ^= bit;
        match found {
            Err(error) => assert!(!SLOT_1.contains(&at), "{at}: {error}"),
            // Nobody looks at the slot of another key: it may be torn while the key is changed.
            Ok(found) => assert!(SLOT_1.contains(&at) && found == good, "{at}"),
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    let file = saved(1);
    for len in 0..file.len() {
        assert_eq!(word(&file[..len]), "parse", "cut at {len}");
    }
    assert_eq!(word(&[&file[..], &[0]].concat()), "parse", "one byte more");
    assert_eq!(word(&file), "loaded");
}

#[test]
fn chunks_stay_in_their_places() {
    let file = saved(1);
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        let mut swapped = file.clone();
        let first = file[chunk(&file, a)].to_vec();
        swapped.copy_within(chunk(&file, b), chunk(&file, a).start);
        assert_eq!(word(&swapped), "decrypt-failed", "chunk {b} twice");
        swapped[chunk(&file, b)].copy_from_slice(&first);
        assert_eq!(word(&swapped), "decrypt-failed", "chunks {a} and {b} exchanged");
    }
    let without = [&file[..chunk(&file, 1).start], &file[chunk(&file, 1).end..]].concat();
    assert_eq!(word(&without), "parse", "the table is not where the footer says");
}

#[test]
fn parts_of_another_snapshot_do_not_fit() {
    let (ours, theirs) = (saved(1), saved(9));
    assert_eq!(chunk(&ours, 0), chunk(&theirs, 0));
    let header = HEADER_AT..chunk(&ours, 0).start;
    for part in [0..4096, SLOT_0, header, chunk(&ours, 0), chunk(&ours, 2)] {
        let mut mixed = ours.clone();
        mixed[part.clone()].copy_from_slice(&theirs[part.clone()]);
        assert_eq!(word(&mixed), "decrypt-failed", "{part:?}");
    }
    let mixed = [&ours[..tail(&ours).start], &theirs[tail(&theirs)]].concat();
    assert!(["decrypt-failed", "parse"].contains(&word(&mixed)), "their table");
    let whole_front = [&theirs[..HEADER_AT], &ours[HEADER_AT..]].concat();
    assert_eq!(word(&whole_front), "decrypt-failed", "their prefix and key");
}

#[test]
fn a_file_of_nothing_is_not_a_snapshot() {
    for file in [vec![], vec![0; 100], vec![0; 100_000], b"HEARTHSN".to_vec(), noise(1, 50_000)] {
        assert_eq!(word(&file), "parse", "{} bytes", file.len());
    }
}

fn page_header() -> Vec<u8> {
    page::header(&[1 << 40], IDENTITY, b"clock", EPOCH)
}

#[test]
fn versions_say_whether_they_can_be_read() {
    let read = |version, write_min| {
        let recipe = Recipe { version, write_min, ..Recipe::new(page_header(), &[], vec![]) };
        word(&recipe.put_together())
    };
    assert_eq!(read(1, 1), "loaded");
    assert_eq!(read(9, 1), "loaded", "newer, and says that we understand it");
    assert_eq!(read(2, 2), "stale-by-epoch", "newer");
    assert_eq!(read(0, 0), "stale-by-epoch", "older than what is read");
    let mut newer =
        Recipe { version: 2, write_min: 2, ..Recipe::new(page_header(), &[], vec![]) }.put_together();
    newer.truncate(16);
    newer[12..].fill(0xff);
    assert_eq!(word(&newer), "stale-by-epoch", "whatever a newer one looks like");
}

/// Bytes that opening a file takes, and how it ends.
fn cost_of_opening(file: &[u8]) -> (u64, &'static str) {
    let disk = LyingDisk::new(0, Manners::default());
    disk.put(Path::new(PATH), file, 0o600);
    let key = key();
    let allocated = allocatedp::read().expect("the allocator counts");
    let before = allocated.get();
    let opened = Reader::open(&disk, Path::new(PATH), &expected(), &key);
    let cost = allocated.get() - before;
    (cost, opened.map_or_else(|error| error.word(), |_| "loaded"))
}

fn justified(file: &[u8]) -> u64 {
    4 * file.len() as u64
}

#[test]
fn a_sealed_lie_about_lengths_costs_nothing() {
    const HUGE: u64 = 1 << 40;
    let record = || vec![(vec![0; 4], true)];
    let lies = [
        Recipe::new(page_header(), &[(1, 0, HUGE)], vec![]),
        Recipe::new(page_header(), &[(1, 0, HUGE)], record()),
        Recipe::new(page_header(), &[(1, 2, u64::MAX)], record()),
        Recipe::new(page_header(), &[(1, 1, CHUNK_BYTES as u64)], vec![(vec![0; 16_383], true)]),
        Recipe::new(page_header(), &[(1, 0, 4), (2, 0, u64::MAX), (3, 0, u64::MAX)], record()),
        Recipe::new(page_header(), &[(1, 0, 4), (1, 0, 0)], record()),
        Recipe::new(page_header(), &[(1, 3, 4)], record()),
        Recipe { table: page::table(&[], HUGE, &[]), ..Recipe::new(page_header(), &[], vec![]) },
        Recipe {
            table: page::table(&[(1, 0, HUGE)], HUGE >> 20, &[20]),
            ..Recipe::new(page_header(), &[], vec![])
        },
        Recipe { table: vec![0xff; 64], ..Recipe::new(page_header(), &[], vec![]) },
        Recipe { table: vec![], ..Recipe::new(page_header(), &[], vec![]) },
        Recipe::new(vec![0xff; 64], &[], vec![]),
        Recipe::new(page_header()[..40].to_vec(), &[], vec![]),
    ];
    for (index, lie) in lies.iter().enumerate() {
        let file = lie.put_together();
        let (cost, word) = cost_of_opening(&file);
        assert_eq!(word, "parse", "lie {index}");
        assert!(cost < justified(&file), "lie {index} costs {cost}");
    }
    // Counts are the caller's to judge: the container neither believes nor needs them.
    let counts = Recipe::new(page_header(), &[], vec![]).put_together();
    let (cost, word) = cost_of_opening(&counts);
    assert!(word == "loaded" && cost < justified(&counts), "{word} costs {cost}");
}

#[test]
fn a_record_that_does_not_expand_is_told_from_a_damaged_one() {
    let bomb = zstd::bulk::compress(&vec![0; 100_000], 1).expect("it compresses");
    let frame = |body: &[u8]| [&(body.len() as u32).to_le_bytes()[..], body].concat();
    for (codec, record) in [
        (2, frame(&bomb)),
        (2, frame(&[7; 90])),
        (1, frame(&[0xff; 90])),
        (1, vec![0xff; 94]),
        (2, frame(&[])),
    ] {
        let mut record = record;
        record.resize(record.len().max(10), 0);
        let file = Recipe::new(page_header(), &[(1, codec, 600)], vec![(record, true)]).put_together();
        assert_eq!(word(&file), "decompress-failed", "codec {codec}");
    }
}

#[test]
fn a_section_ends_with_its_final_chunk() {
    for last in [[true, true], [false, false], [true, false]] {
        let records = vec![(vec![1; CHUNK_BYTES], last[0]), (vec![2; 5], last[1])];
        let file = Recipe::new(page_header(), &[(1, 0, CHUNK_BYTES as u64 + 5)], records).put_together();
        assert_eq!(word(&file), "decrypt-failed", "{last:?}");
    }
}

/// Something done to a file: what, where, and with how many bytes of what else.
#[derive(Clone, Debug)]
enum Harm {
    Overwrite(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

impl Harm {
    fn apply(&self, file: &mut Vec<u8>) {
        if file.is_empty() {
            return;
        }
        let len = file.len();
        let span = |at: &prop::sample::Index, count: usize| at.index(len)..(at.index(len) + count).min(len);
        match self {
            Harm::Overwrite(at, with) => {
                file[span(at, with.len())].copy_from_slice(&with[..span(at, with.len()).len()]);
            }
            Harm::Remove(at, count) => drop(file.drain(span(at, *count))),
            Harm::Insert(at, what) => drop(file.splice(at.index(len)..at.index(len), what.iter().copied())),
            Harm::Copy(from, to, count) => {
                let what = file[span(from, *count)].to_vec();
                let target = span(to, what.len());
                file[target.clone()].copy_from_slice(&what[..target.len()]);
            }
        }
    }
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    let bytes = || prop::collection::vec(any::<u8>(), 1..600);
    prop_oneof![
        (at(), bytes()).prop_map(|(at, with)| Harm::Overwrite(at, with)),
        (at(), 1..6000usize).prop_map(|(at, count)| Harm::Remove(at, count)),
        (at(), bytes()).prop_map(|(at, what)| Harm::Insert(at, what)),
        (at(), at(), 1..6000usize).prop_map(|(from, to, count)| Harm::Copy(from, to, count)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn harm_ends_in_a_reason_or_in_what_was_saved(harms in prop::collection::vec(harm(), 1..4)) {
        let mut file = saved(1);
        harms.iter().for_each(|harm| harm.apply(&mut file));
        if let Ok(found) = loaded(&file) {
            prop_assert!(found == contents(1));
        }
        prop_assert!(cost_of_opening(&file).0 < 4 * 4096 + justified(&file));
    }

    #[test]
    fn any_sealed_table_ends_in_a_reason_or_in_as_much_as_it_justifies(
        claims in prop::collection::vec((0..4u32, 0..4u8, prop_oneof![0..3000u64, any::<u64>()]), 0..6),
        records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3000), any::<bool>()), 0..6),
        chunks in prop::option::of(prop_oneof![0..9u64, any::<u64>()]),
        honest: bool,
    ) {
        let mut recipe = Recipe::new(page_header(), &claims, records);
        if honest {
            let claims: Vec<_> = (0..).zip(&recipe.records).map(|(id, (record, _))| (id, 0, record.len() as u64)).collect();
            recipe = Recipe::new(page_header(), &claims, recipe.records);
        } else if let Some(chunks) = chunks {
            recipe.table = page::table(&claims, chunks, &[17, 17, 17]);
        }
        let file = recipe.put_together();
        prop_assert!(cost_of_opening(&file).0 < justified(&file));
        if let Ok(found) = loaded(&file) {
            let total: usize = found.iter().map(|(_, _, content)| content.len()).sum();
            prop_assert!(total <= 64 * file.len());
        }
    }
}
