//! Stored bodies and digests: what is loaded answers as what was stored, and damaged bytes give an error or
//! something that can be asked anything without harm.

mod answers;
mod model;
mod naive;

use answers::{QUERIES, SORTS, check_all, check_entries, parsed};
use hearth_core::{CancelToken, EntryKind, HeapSize};
use hearth_files::digest::Digest;
use hearth_files::engine::{Find, find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{
    Body, Change, Root, Section, SectionId, SectionSource, SourceError, StoredError, Volume,
};
use hearth_files::query::parse_sort;
use model::{Model, ops, pool};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Sections in memory.
#[derive(Clone)]
struct Store(BTreeMap<u16, Vec<u8>>);

impl Store {
    /// Takes sections in pieces that fit no element.
    fn of(sections: &[Section<'_>]) -> Store {
        const PIECE: usize = 4099;
        let mut store = Store(BTreeMap::new());
        for section in sections {
            let mut bytes = Vec::with_capacity(section.len());
            for start in (0..section.len()).step_by(PIECE) {
                bytes.extend_from_slice(&section.bytes(start..section.len().min(start + PIECE)));
            }
            let before = store.0.insert(section.id().number(), bytes);
            assert!(before.is_none(), "two sections with the number of {section:?}");
        }
        store
    }

    fn bytes(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn load(&self) -> Result<Body, StoredError> {
        Body::load(self, pool(), &CancelToken::new())
    }

    fn load_digest(&self) -> Result<Digest, StoredError> {
        Digest::load(self, &CancelToken::new())
    }
}

impl SectionSource for Store {
    fn len_of(&self, section: SectionId) -> Option<usize> {
        self.0.get(&section.number()).map(Vec::len)
    }

    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError> {
        let bytes = self.0.get(&section.number()).ok_or("no such section")?;
        out.copy_from_slice(bytes);
        Ok(())
    }
}

/// A base of a few thousand rows and changes of every kind: all parts have several blocks.
fn large() -> &'static Body {
    static LARGE: OnceLock<Body> = OnceLock::new();
    LARGE.get_or_init(|| {
        let base = generated(6000);
        let mut volume = Volume::new(&base);
        for at in 0..150u64 {
            let (parent, name) = (10 + at % 40, format!("neu {} É.log", at * 77 % 90).into_bytes());
            let kind = if at % 9 == 0 { EntryKind::Dir } else { EntryKind::File };
            let meta = Meta { size: at << 12, ..Meta::unknown(kind, 1_000_000 + at) };
            volume.apply(&[Change::Put { parent, name: name.clone(), meta }]);
            match at % 5 {
                0 => volume.apply(&[Change::Meta { meta: Meta { size: 9, ..base.meta(at as u32 * 31) } }]),
                1 => volume.apply(&[move_to(&base, at as u32 * 37 + 1, 10 + (at * 7) % 40)]),
                2 => volume.apply(&[Change::Remove { parent, name }]),
                _ => continue,
            };
        }
        volume.body()
    })
}

fn move_to(body: &Body, row: u32, to: u64) -> Change {
    let path = body.entry(row).path;
    let slash = path.iter().rposition(|&byte| byte == b'/').unwrap();
    let folder = body.find_path(&path[..slash]).unwrap();
    let (from, from_name) = (body.meta(folder).inode, path[slash + 1..].to_vec());
    Change::Move { from, to_name: [b"moved ", from_name.as_slice()].concat(), from_name, to }
}

/// A tree with names, sizes and times of every kind; inodes of folders begin at 10.
fn generated(rows: u64) -> Body {
    let mut chunk = Chunk::default();
    let dirs = rows / 12 + 1;
    for at in 1..rows {
        let noise = (at ^ 0x9E37).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let parent = if at < dirs { at * 2 / 3 } else { noise % dirs };
        let name = match noise % 7 {
            0 => format!("File {}.Rs", noise % (rows / 3)),
            1 => format!("größe-{}.TXT", noise % 500),
            2 if noise.is_multiple_of(50) => "long ".repeat((noise % 70) as usize) + &at.to_string(),
            2 => format!("mod{}.{}", noise % rows, noise % 400),
            3 => "Makefile".to_owned(),
            4 => format!("İ{}", noise % 50),
            _ => format!("img_{at:05}.jpeg"),
        };
        let kind = if at < dirs { EntryKind::Dir } else { EntryKind::File };
        let name = if at < dirs { format!("{name} {at}") } else { name };
        let linked = at >= dirs && noise.is_multiple_of(11);
        let meta = Meta {
            size: noise % (1 << (noise % 40)),
            allocated: if noise.is_multiple_of(5) { 0 } else { noise % (1 << 20) },
            modified_ns: (noise % 1_000_000_000) as i64 * if at % 2 == 0 { 1_000_000_000 } else { 1 },
            accessed_ns: noise as i64,
            mode: kind.type_bits() | (noise % 512) as u32,
            uid: (noise % 5) as u32,
            attributes: if noise.is_multiple_of(3) { (noise >> 40) as u32 } else { 0 },
            links: if linked { 2 } else { 1 },
            ..Meta::unknown(kind, if linked { 3 + noise % 5 } else { 9 + at })
        };
        let dir = if at < dirs { at as u32 } else { NOT_A_DIR };
        chunk.push(parent as u32, dir, name.as_bytes(), meta);
    }
    let root = Root { path: b"/mnt/Disk".to_vec(), meta: Meta::unknown(EntryKind::Dir, 9) };
    Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new()).expect("nobody cancels")
}

/// Rows of an answer, as far as they come within a tenth of a second; fails only by a panic.
fn ask(body: &Arc<Body>, query: &str, sort: &str, limit: Option<u64>) -> Vec<Vec<u8>> {
    let (query, sort) = (parsed(query.as_bytes()), parse_sort(sort).expect("a good sort"));
    let token = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(100));
    let ask = Find { query: &query, sort: &sort, skip: 0, limit, total: limit.is_some() };
    let mut paths = Vec::new();
    // Whatever is said of a damaged body is as good as anything else.
    let _ = find(body, &ask, pool(), &token, &mut |rows| {
        paths.extend(rows.iter().take(64).map(|&row| body.entry(row).path));
        ControlFlow::Continue(())
    });
    paths
}

fn ask_everything(body: Body, seed: usize) {
    let folded = body.fold(pool(), &CancelToken::new());
    for body in [Some(body), folded.ok()].into_iter().flatten().map(Arc::new) {
        for (at, query) in QUERIES.iter().enumerate() {
            let limit = [None, Some(0), Some(3), Some(1000)][(at + seed) % 4];
            for path in ask(&body, query, SORTS[(at + seed) % SORTS.len()], limit) {
                body.find_path(&path);
            }
        }
        body.children(body.root_row());
        Digest::of(&body);
        change(&body, seed as u64);
    }
}

/// Changes of every kind, where there is anything to change.
fn change(body: &Body, seed: u64) {
    let mut volume = Volume::new(body);
    for at in 0..24 {
        let row = ((seed * 31 + at * 97) % body.entries()) as u32;
        let path = body.entry(row).path;
        if body.find_path(&path) != Some(row) || path.len() < 12 {
            continue;
        }
        let meta = Meta { links: 1, size: 5, ..body.meta(row) };
        volume.apply(&[Change::Meta { meta }, move_to(body, row, 10 + at)]);
        volume.apply(&names_added(3));
    }
    volume.apply(&[Change::Remove { parent: 9, name: b"Added 1.new".to_vec() }]);
    ask(&Arc::new(volume.body()), "a", "size,path", Some(20));
}

/// What can happen to bytes.
#[derive(Clone, Debug)]
enum Harm {
    Flip(usize, u8),
    Byte(usize, u8),
    Word(usize, u32),
    Cut(usize),
    Grow(usize, u8),
    Swap(usize),
    Noise(u64),
    Drop,
}

fn harm() -> impl Strategy<Value = (usize, Harm)> {
    let place = any::<usize>();
    let word = prop_oneof![Just(0), Just(u32::MAX), Just(1 << 31), 0u32..10_000, any::<u32>()];
    let harm = prop_oneof![
        8 => (place, any::<u8>()).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        3 => (place, any::<u8>()).prop_map(|(at, byte)| Harm::Byte(at, byte)),
        4 => (place, word).prop_map(|(at, word)| Harm::Word(at, word)),
        1 => place.prop_map(Harm::Cut),
        1 => (1usize..40, any::<u8>()).prop_map(|(len, byte)| Harm::Grow(len, byte)),
        1 => place.prop_map(Harm::Swap),
        1 => any::<u64>().prop_map(Harm::Noise),
        1 => Just(Harm::Drop),
    ];
    (any::<usize>(), harm)
}

impl Harm {
    fn befall(&self, store: &mut Store, section: usize) {
        let numbers: Vec<u16> = store.0.keys().copied().collect();
        let number = numbers[section % numbers.len()];
        if let Harm::Swap(other) = self {
            let other = numbers[other % numbers.len()];
            let (one, two) = (store.0[&number].clone(), store.0[&other].clone());
            store.0.extend([(number, two), (other, one)]);
            return;
        }
        if let Harm::Drop = self {
            store.0.remove(&number);
            return;
        }
        let bytes = store.0.get_mut(&number).unwrap();
        let len = bytes.len();
        match *self {
            Harm::Grow(more, byte) => bytes.resize(len + more, byte),
            _ if len == 0 => {}
            Harm::Flip(at, bit) => bytes[at % len] ^= 1 << (bit % 8),
            Harm::Byte(at, byte) => bytes[at % len] = byte,
            Harm::Word(at, word) => {
                let at = at % len.div_ceil(4) * 4;
                let end = len.min(at + 4);
                bytes[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
            }
            Harm::Cut(at) => bytes.truncate(at % len),
            Harm::Noise(seed) => (0u64..).zip(bytes).for_each(|(at, byte)| {
                *byte = ((at ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as u8;
            }),
            Harm::Swap(_) | Harm::Drop => unreachable!("done above"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_loaded_body_answers_as_the_stored_one(
        before in ops(40),
        after in ops(40),
        later in ops(20),
        root in prop_oneof![Just(""), Just("/mnt/Disk é")],
        seed in 0usize..1000,
    ) {
        let mut model = Model::new(root);
        before.iter().for_each(|op| { model.run(op); });
        let mut volume = Volume::new(&model.build());
        after.iter().for_each(|op| { volume.apply(&model.run(op)); });
        let stored = volume.body();
        let loaded = Store::of(&stored.sections()).load().expect("nothing is wrong with it");
        prop_assert_eq!(loaded.root(), stored.root());
        if root.is_empty() {
            check_all(&Arc::new(loaded.clone()), &model.naive(), seed, "loaded");
        } else {
            check_entries(&Arc::new(loaded.clone()), &model.naive(), "loaded elsewhere");
        }
        let mut volume = Volume::new(&loaded);
        later.iter().for_each(|op| { volume.apply(&model.run(op)); });
        check_entries(&Arc::new(volume.body()), &model.naive(), "loaded and changed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_found_or_does_no_harm(harms in prop::collection::vec(harm(), 1..3), seed in 0usize..1000) {
        static STORE: OnceLock<Store> = OnceLock::new();
        let mut store = STORE.get_or_init(|| Store::of(&large().sections())).clone();
        harms.iter().for_each(|(section, harm)| harm.befall(&mut store, *section));
        if let Ok(body) = store.load() {
            ask_everything(body, seed);
        }
    }

    #[test]
    fn damage_of_small_bodies_is_found_or_does_no_harm(
        before in ops(30),
        after in ops(30),
        harms in prop::collection::vec(harm(), 1..3),
        seed in 0usize..1000,
    ) {
        let mut model = Model::new("");
        before.iter().for_each(|op| { model.run(op); });
        let mut volume = Volume::new(&model.build());
        after.iter().for_each(|op| { volume.apply(&model.run(op)); });
        let mut store = Store::of(&volume.body().sections());
        harms.iter().for_each(|(section, harm)| harm.befall(&mut store, *section));
        if let Ok(body) = store.load() {
            ask_everything(body, seed);
        }
    }

    #[test]
    fn a_damaged_digest_is_refused_or_does_no_harm(harms in prop::collection::vec(harm(), 1..3), dense: bool) {
        static STORES: OnceLock<[Store; 2]> = OnceLock::new();
        let stores = STORES.get_or_init(|| [false, true].map(|dense| Store::of(&digest(dense).sections())));
        let mut store = stores[usize::from(dense)].clone();
        harms.iter().for_each(|(section, harm)| harm.befall(&mut store, *section));
        if let Ok(mut digest) = store.load_digest() {
            QUERIES.iter().for_each(|query| { digest.refutes(&parsed(query.as_bytes())); });
            digest.absorb(&names_added(100));
            digest.summary().files();
        }
    }
}

/// A digest with absorbed changes; its grams a bitmap if they are to be dense.
fn digest(dense: bool) -> Digest {
    let names: Vec<Vec<u8>> = (0..if dense { 1 << 18 } else { 0 })
        .map(|at: u32| {
            let noise = at.wrapping_mul(2_654_435_761).to_le_bytes();
            let text = [noise, (at ^ 0x5555).wrapping_mul(0x85EB_CA6B).to_le_bytes(), noise].concat();
            text.into_iter().map(|byte| if byte == 0 || byte == b'/' { b'+' } else { byte }).collect()
        })
        .collect();
    let mut digest = Digest::of(large());
    if dense {
        let mut chunk = Chunk::default();
        let row = |(at, name): (u64, &Vec<u8>)| {
            chunk.push(0, NOT_A_DIR, name, Meta::unknown(EntryKind::File, at));
        };
        (10..).zip(&names).for_each(row);
        let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, 2) };
        let body = Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new());
        digest = Digest::of(&body.expect("nobody cancels"));
    }
    digest.absorb(&names_added(3000));
    digest
}

fn names_added(count: u64) -> Vec<Change> {
    let meta = |at| Meta::unknown(EntryKind::File, 5_000_000 + at);
    let put = |at| Change::Put { parent: 9, name: format!("Added {at}.new").into_bytes(), meta: meta(at) };
    (0..count).map(put).collect()
}

#[test]
fn a_large_body_is_the_same_after_a_load() {
    let stored = Arc::new(large().clone());
    let loaded = Arc::new(Store::of(&stored.sections()).load().expect("nothing is wrong with it"));
    assert_eq!(loaded.entries(), stored.entries());
    for parts in ["text of names", "names of other rows", "order of names"] {
        let sections = stored.sections();
        assert!(sections.iter().filter(|section| section.id().name() == parts).count() > 1, "{parts}");
    }
    for (at, query) in QUERIES.iter().enumerate() {
        let sort = SORTS[at % SORTS.len()];
        assert_eq!(ask(&loaded, query, sort, None), ask(&stored, query, sort, None), "{query} {sort}");
    }
    let again = Store::of(&loaded.sections());
    assert!(again.0 == Store::of(&again.load().unwrap().sections()).0, "a second load changes nothing");
    for ((part, loaded), (_, stored)) in loaded.heap_parts().into_iter().zip(stored.heap_parts()) {
        assert!(loaded <= stored && loaded * 10 + 512 >= stored * 9, "{part}: {loaded} instead of {stored}");
    }
}

#[test]
fn a_digest_is_the_same_after_a_load() {
    for dense in [false, true] {
        let stored = digest(dense);
        let store = Store::of(&stored.sections());
        let loaded = store.load_digest().expect("nothing is wrong with it");
        assert_eq!(loaded.summary(), stored.summary());
        assert!(store.0 == Store::of(&loaded.sections()).0, "dense: {dense}");
        assert!(loaded.heap_bytes().abs_diff(stored.heap_bytes()) < 256, "dense: {dense}");
        for query in QUERIES.iter().chain(&["Added 17", "=\"added 29.new\"", "ext:new", "ext:old", "zzzyx"]) {
            let query = parsed(query.as_bytes());
            assert_eq!(loaded.refutes(&query), stored.refutes(&query), "{query:?}");
        }
    }
}

#[test]
fn a_body_and_its_digest_fit_one_file() {
    let (body, digest) = (large(), digest(false));
    let mut sections = body.sections();
    sections.extend(digest.sections());
    let store = Store::of(&sections);
    assert!(store.load().is_ok() && store.load_digest().is_ok());
}

#[test]
fn every_section_that_is_cut_or_missing_is_missed() {
    let store = Store::of(&large().sections());
    // Without them there are no grams to go by, or no changes.
    let optional = ["bytes of grams", "changes"];
    for section in large().sections() {
        let mut cut = store.clone();
        let bytes = cut.0.get_mut(&section.id().number()).unwrap();
        if bytes.pop().is_some() {
            assert!(cut.load().is_err(), "{section:?} less one byte");
        }
        cut.0.remove(&section.id().number());
        assert!(cut.load().is_err() != optional.contains(&section.id().name()), "no {section:?}");
    }
}

#[test]
fn another_layout_is_told_from_damage() {
    let mut store = Store::of(&large().sections());
    store.0.get_mut(&1).unwrap()[0] = 77;
    assert!(matches!(store.load(), Err(StoredError::Version { found: 77, .. })));
    let mut store = Store::of(&digest(false).sections());
    store.0.get_mut(&128).unwrap()[0] = 77;
    assert!(matches!(store.load_digest(), Err(StoredError::Version { found: 77, .. })));
}

#[test]
fn a_claim_of_many_rows_costs_nothing() {
    let mut store = Store::of(&large().sections());
    store.0.get_mut(&1).unwrap()[4..8].copy_from_slice(&(1u32 << 31).to_le_bytes());
    assert!(matches!(store.load(), Err(StoredError::Truncated { .. })), "no allocation of 2^31 rows");
}

#[test]
fn a_cancelled_load_ends() {
    let token = CancelToken::new();
    token.cancel();
    let store = Store::of(&large().sections());
    assert!(matches!(Body::load(&store, pool(), &token), Err(StoredError::Cancelled(_))));
}

/// Prints bytes and time per row; run with `--ignored --nocapture` on an optimised build.
#[test]
#[ignore = "measures, and tells nothing about right or wrong"]
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
fn bytes_and_time_per_row() {
    let body = generated(1_000_000);
    let rows = body.entries() as f64;
    let nanos = |since: Instant| since.elapsed().as_nanos() as f64 / rows;
    let started = Instant::now();
    let sections = body.sections();
    let mut bytes = 0;
    for section in &sections {
        for start in (0..section.len()).step_by(1 << 20) {
            bytes += section.bytes(start..section.len().min(start + (1 << 20))).len();
        }
    }
    println!("store: {:.2} ns/row, {:.2} bytes/row", nanos(started), bytes as f64 / rows);
    for section in &sections {
        println!("{:7.3} bytes/row  {}", section.len() as f64 / rows, section.id());
    }
    let store = Store::of(&sections);
    assert_eq!(store.bytes(), bytes);
    let copied = Instant::now();
    let copy: Vec<Vec<u8>> = store.0.values().cloned().collect();
    println!("copy alone, on one thread: {:.2} ns/row", nanos(copied));
    drop(copy);
    for _ in 0..5 {
        let started = Instant::now();
        let loaded = store.load().expect("nothing is wrong with it");
        println!(
            "load: {:.2} ns/row, {:.2} heap bytes/row",
            nanos(started),
            loaded.heap_bytes() as f64 / rows
        );
    }
}
