//! Journals: real ones record for record, written ones back as they were, anything else without harm.

use hearth_disks::ntfs::usn::{Entry, PAGE_BYTES, Stretch};
use hearth_ntfs::usn::{Records, UsnRecord, first_usn, parse};
use hearth_ntfs::{FileReference, Utf16, unix_nanos};
use proptest::prelude::*;

const SMALL: &[u8] = include_bytes!("data/usn/v2_19records.J");
const ONE: &[u8] = include_bytes!("data/usn/one_v2_record.bin");
const CUT: &[u8] = include_bytes!("data/usn/v2_with_garbage_page.J.zst");

fn unpacked(packed: &[u8]) -> Vec<u8> {
    zstd::decode_all(packed).expect("a sample")
}

/// A record as a line of the lists that another reader made of the samples.
fn line(record: &UsnRecord<'_>) -> String {
    let name = String::from_utf8(record.name.to_bytes()).expect("plain");
    let (file, parent) = (record.reference, record.parent);
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{:#x}\t{:#x}\t{:#x}\t\"{name}\"",
        record.usn,
        file.number(),
        file.sequence(),
        parent.number(),
        parent.sequence(),
        record.time_ns / 100 + 116_444_736_000_000_000,
        record.reasons,
        record.source,
        record.attributes,
    )
}

fn check_sample(bytes: &[u8], first: u64, expected: &str) {
    assert_eq!(first_usn(bytes), Some(first));
    let mut records = parse(bytes, first);
    let lines: Vec<_> = records.by_ref().map(|record| line(&record)).collect();
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
    assert_eq!(records.skipped_bytes(), 0);
}

#[test]
fn real_journals_give_the_records_that_another_reader_finds() {
    check_sample(SMALL, 0, include_str!("data/usn/v2_19records.usn.tsv"));
    let expected = include_str!("data/usn/v2_with_garbage_page.usn.tsv");
    let expected: String =
        expected.lines().map(|line| line.strip_prefix("2\t").expect("V2").to_owned() + "\n").collect();
    check_sample(&unpacked(CUT), 312_568_880, &expected);
}

#[test]
fn a_lone_record_says_where_it_lay() {
    assert_eq!(first_usn(ONE), Some(0x150));
    let record = parse(ONE, 0x150).next().expect("one");
    assert!(record.name.is_ascii_text("first.txt"));
    assert_eq!(parse(ONE, 0x158).count(), 0, "it lies elsewhere");
}

fn entry() -> impl Strategy<Value = Entry> {
    let name = proptest::collection::vec(any::<u16>(), 0..=255);
    let extents = proptest::collection::vec(any::<(u64, u64)>(), 0..6);
    let numbers = (2_u16..=4, any::<[u64; 2]>(), any::<[u32; 3]>(), 1_u64..1 << 57);
    (numbers, name, extents).prop_map(
        |((version, [file, parent], [reasons, source, attributes], filetime), name, extents)| Entry {
            version,
            file,
            parent,
            filetime,
            reasons,
            source,
            attributes,
            name,
            extents,
        },
    )
}

fn stretch(first: u64, entries: &[Entry]) -> (Stretch, Vec<u64>) {
    let mut stretch = Stretch::new(first);
    let usns = entries.iter().map(|entry| stretch.push(entry)).collect();
    (stretch, usns)
}

fn is(record: &UsnRecord<'_>, usn: u64, entry: &Entry) -> bool {
    let same = record.usn == usn
        && record.version == (entry.version, 0)
        && record.reference == FileReference::from_disk(entry.file)
        && record.parent == FileReference::from_disk(entry.parent)
        && (record.reasons, record.source) == (entry.reasons, entry.source);
    let name: Vec<u8> = entry.name.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    same && match entry.version {
        4 => record.extents.iter().eq(entry.extents.iter().copied()) && record.name.is_empty(),
        _ => {
            record.name == Utf16::new(&name)
                && record.attributes == entry.attributes
                && record.time_ns == unix_nanos(entry.filetime)
                && record.extents.iter().len() == 0
        }
    }
}

/// Records must be these entries, in this order.
fn assert_are(records: Records<'_>, usns: &[u64], entries: &[Entry]) -> Result<(), TestCaseError> {
    let found: Vec<_> = records.collect();
    prop_assert_eq!(found.iter().map(|record| record.usn).collect::<Vec<_>>(), usns);
    for ((record, usn), entry) in found.iter().zip(usns).zip(entries) {
        prop_assert!(is(record, *usn, entry), "{:?} {:?}", record, entry);
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        entries in proptest::collection::vec(entry(), 1..60),
        first in (0_u64..1 << 40).prop_map(|at| at * 8),
        zeroes in 0_usize..9000,
    ) {
        let (stretch, usns) = stretch(first, &entries);
        let bytes = [stretch.bytes(), &vec![0; zeroes]].concat();
        let mut records = parse(&bytes, first);
        assert_are(records.clone(), &usns, &entries)?;
        prop_assert_eq!(records.by_ref().count(), entries.len());
        prop_assert_eq!((records.skipped_bytes(), records.settled_usn()), (0, stretch.next_usn()));
    }

    #[test]
    fn a_piece_tells_where_it_comes_from(
        entries in proptest::collection::vec(entry(), 1..60),
        first in (0_u64..1 << 40).prop_map(|at| at * 8),
    ) {
        // Zeroes before the first record are a part of the piece.
        prop_assert_eq!(first_usn(stretch(first, &entries).0.bytes()), Some(first));
    }

    #[test]
    fn garbage_costs_the_rest_of_its_page_and_nothing_else(
        entries in proptest::collection::vec(entry(), 1..100),
        at in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 1..6000),
    ) {
        let (stretch, usns) = stretch(0, &entries);
        let mut bytes = stretch.bytes().to_vec();
        let from = at.index(bytes.len());
        let end = bytes.len().min(from + garbage.len());
        bytes[from..end].copy_from_slice(&garbage[..end - from]);
        let spoiled = from as u64..(end as u64).next_multiple_of(PAGE_BYTES);
        let mut records = parse(&bytes, 0);
        let found: Vec<_> = records.by_ref().collect();
        for (usn, entry) in usns.iter().zip(&entries) {
            let whole = usn + entry.encode(0).len() as u64 <= spoiled.start || *usn >= spoiled.end;
            prop_assert!(!whole || found.iter().any(|record| is(record, *usn, entry)), "{} {:?}", usn, spoiled);
        }
        prop_assert!(records.skipped_bytes() <= spoiled.end - spoiled.start / PAGE_BYTES * PAGE_BYTES);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(
        bytes in proptest::collection::vec(any::<u8>(), 0..9000), first in any::<u64>(), lengths in any::<[u8; 8]>(),
    ) {
        let mut bytes = bytes;
        // Lengths and versions that are likely to be believed.
        for (page, len) in bytes.chunks_mut(700).zip(lengths) {
            if let Some(head) = page.first_chunk_mut::<8>() {
                *head = [len & !7, 0, 0, 0, 2 + len % 3, 0, 0, 0];
            }
        }
        let mut records = parse(&bytes, first);
        let count = records.by_ref().count();
        prop_assert!(count * 60 <= bytes.len());
        prop_assert!(records.skipped_bytes() <= bytes.len() as u64);
        first_usn(&bytes);
    }
}
