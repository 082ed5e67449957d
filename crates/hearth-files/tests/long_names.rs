//! Names as long as a file system can make them: a file of 255 characters and a stream of 255, three bytes each.

mod answers;
mod model;
mod naive;

use answers::{check, check_entries, check_standing};
use hearth_core::limits::NAME_BYTES;
use hearth_core::{CancelToken, EntryKind};
use hearth_files::digest::Digest;
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::follow::{RecordEntry, RecordNow, take_records};
use hearth_files::index::{Body, Change, Root, SectionId, SectionSource, SourceError, Volume};
use hearth_files::query::quote_term;
use model::pool;
use naive::{NaiveEntry, NaiveTree};
use std::collections::BTreeMap;
use std::sync::Arc;

const ROOT: u64 = 5;

/// A name of `NAME_BYTES` bytes that begins like all others and ends in its own way.
fn long(end: &str) -> Vec<u8> {
    let mut name = format!("{}:{}", "é日".repeat(127) + "日Q", "Ｓ".repeat(254)).into_bytes();
    name.resize(NAME_BYTES - end.len(), b'x');
    name.extend_from_slice(end.as_bytes());
    name
}

/// One that is no Unicode anywhere.
fn dirty() -> Vec<u8> {
    [&b"\xed\xa0\x80"[..]; 510].concat().into_iter().chain(*b"\xFF").collect()
}

fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = ["a", "b", "A", "ab", "c.txt", "C.TXT", "日", "ｚ"].map(long).to_vec();
    names.extend([dirty(), "É".repeat(765).into_bytes(), vec![b'K'; NAME_BYTES - 1], b"short".to_vec()]);
    names.extend((0..40).map(|at| long(&format!("-{at:03}.log"))));
    names
}

fn meta(at: usize) -> Meta {
    let kind = if at.is_multiple_of(3) { EntryKind::Stream } else { EntryKind::File };
    Meta { size: at as u64, ..Meta::unknown(kind, 100 + at as u64) }
}

fn naive() -> NaiveTree {
    let mut entries = vec![NaiveEntry { path: b"/".to_vec(), meta: Meta::unknown(EntryKind::Dir, ROOT) }];
    let entry = |(at, name): (usize, Vec<u8>)| NaiveEntry { path: [b"/", &*name].concat(), meta: meta(at) };
    entries.extend(names().into_iter().enumerate().map(entry));
    NaiveTree::new(entries)
}

fn built(names: &[Vec<u8>]) -> Body {
    let mut chunk = Chunk::default();
    names.iter().enumerate().for_each(|(at, name)| chunk.push(0, NOT_A_DIR, name, meta(at)));
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, ROOT) };
    Body::build(&root, &[Arc::new(chunk)], pool(), &CancelToken::new()).expect("the names fit")
}

fn check_all(body: Body, what: &str) {
    let (body, naive) = (Arc::new(body), naive());
    check_entries(&body, &naive, what);
    check_standing(&body, &naive, what);
    let whole = |name: &[u8]| [b"=", &*quote_term(name)].concat();
    let piece = |name: &[u8]| quote_term(&name[NAME_BYTES / 2..]);
    let mut queries =
        vec![whole(&long("c.txt")), whole(&long("ab")), whole(&dirty()), piece(&long("b")), piece(&dirty())];
    for text in [
        "日é日",
        "ｓｓ",
        "Ｓx",
        "xxb",
        "*.log",
        "é*-03?.log",
        "re:x-0[12][0-9]\\.log$",
        "ext:txt",
        "len:>700",
        "invalid:",
    ] {
        queries.push(text.into());
    }
    for query in
        ["fuzzy:éq7", "dupe:name", "type:stream log", "kkkk", "case:ÉÉ", "pathlen:1532", "type:stream"]
    {
        queries.push(query.into());
    }
    for (at, query) in queries.iter().enumerate() {
        check(&body, &naive, query, ["", "name:desc", "size:desc", "ext"][at % 4], what);
    }
}

#[test]
fn the_longest_name_is_that_of_a_stream() {
    assert_eq!((NAME_BYTES, long("").len(), dirty().len()), (255 * 3 + 1 + 255 * 3, NAME_BYTES, NAME_BYTES));
}

#[test]
fn long_names_are_built_and_folded() {
    let body = built(&names());
    check_all(body.clone(), "built");
    check_all(body.fold(pool(), &CancelToken::new()).expect("nobody cancels"), "folded");
}

#[test]
fn long_names_are_added() {
    let mut volume = Volume::new(&built(&[]));
    for (at, name) in names().into_iter().enumerate() {
        volume.apply(&[Change::Put { parent: ROOT, name, meta: meta(at) }]);
    }
    check_all(volume.body(), "added");
    check_all(volume.body().fold(pool(), &CancelToken::new()).expect("nobody cancels"), "added and folded");
}

#[test]
fn long_names_are_taken_from_records() {
    let mut volume = Volume::new(&built(&[]));
    let record = |(at, name): (usize, Vec<u8>)| {
        let inode = 100 + at as u64;
        RecordNow { inodes: inode..=inode, entries: vec![RecordEntry { parent: ROOT, name, meta: meta(at) }] }
    };
    let records: Vec<RecordNow> = names().into_iter().enumerate().map(record).collect();
    let taken = take_records(&mut volume, &records, &CancelToken::new()).expect("nobody cancels");
    assert_eq!(taken.misplaced, 0);
    check_all(volume.body(), "told");
}

/// Sections in memory.
struct Store(BTreeMap<u16, Vec<u8>>);

impl SectionSource for Store {
    fn len_of(&self, section: SectionId) -> Option<usize> {
        self.0.get(&section.number()).map(Vec::len)
    }

    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError> {
        out.copy_from_slice(self.0.get(&section.number()).ok_or("no such section")?);
        Ok(())
    }
}

#[test]
fn long_names_are_stored() {
    let whole = built(&names());
    let mut volume = Volume::new(&built(&names()[..20]));
    for (at, name) in names().into_iter().enumerate().skip(20) {
        volume.apply(&[Change::Put { parent: ROOT, name, meta: meta(at) }]);
    }
    for body in [whole, volume.body()] {
        let sections = body.sections();
        let stored = sections
            .iter()
            .map(|section| (section.id().number(), section.bytes(0..section.len()).into_owned()));
        let loaded =
            Body::load(&Store(stored.collect()), pool(), &CancelToken::new()).expect("what was stored");
        check_all(loaded, "loaded");
    }
}

#[test]
fn a_digest_knows_long_names() {
    let digest = Digest::of(&built(&names()));
    let refutes = |text: &[u8]| digest.refutes(&answers::parsed(text));
    for name in names() {
        assert!(!refutes(&[b"=", &*quote_term(&name)].concat()), "{}", name.escape_ascii());
        assert!(!refutes(&quote_term(&name[name.len() / 2..])), "{}", name.escape_ascii());
    }
    assert!(refutes(&[b"=", &*quote_term(&long("zzz"))].concat()));
}
