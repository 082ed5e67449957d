//! A second opinion: the `mft` crate reads the same records, those of samples and random ones.

use crate::model;
use crate::rows::{self, Row};
use crate::samples;
use hearth_ntfs::{Volume, Which};
use mft::attribute::{MftAttribute, MftAttributeType};
use mft::{MftEntry, MftParser};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What both readers tell of a file, in one form.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    sequence: u16,
    in_use: bool,
    is_dir: bool,
    links: u16,
    /// Parent, its use, name; sorted.
    names: Vec<(u64, u16, String)>,
    size: Option<u64>,
    /// Name and size; sorted.
    streams: Vec<(String, u64)>,
    modified_ns: i128,
    attributes: u32,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn told(row: &Row) -> Told {
    let names = row.names.iter().map(|name| (name.parent.number(), name.parent.sequence(), text(&name.name)));
    let streams = row.streams.iter().map(|(name, data)| (text(name), data.size));
    sorted(Told {
        sequence: row.reference.sequence(),
        in_use: row.in_use,
        is_dir: row.is_dir,
        links: row.link_count,
        names: names.collect(),
        size: row.data.map(|data| data.size),
        streams: streams.collect(),
        modified_ns: row.times.unwrap()[1].into(),
        attributes: row.attributes.unwrap(),
    })
}

fn sorted(mut told: Told) -> Told {
    told.names.sort();
    told.streams.sort();
    told
}

fn add(told: &mut Told, attribute: &MftAttribute<'_>) {
    if let Some(standard) = attribute.data.as_standard_info() {
        told.modified_ns = standard.modified.as_nanosecond();
        told.attributes = standard.file_flags.bits();
    }
    if let Some(name) = attribute.data.as_file_name() {
        let text = name.name.with_utf8(str::to_owned);
        told.names.push((name.parent.entry, name.parent.sequence, text));
    }
    if attribute.header.type_code == MftAttributeType::DATA && !attribute.header.is_continuation() {
        let size = attribute.header.value_size();
        match attribute.header.name.with_utf8(str::to_owned) {
            name if name.is_empty() => told.size = told.size.or(Some(size)),
            name => told.streams.push((name, size)),
        }
    }
}

fn add_all(told: &mut Told, entry: &MftEntry) {
    entry.iter_attributes().flatten().for_each(|attribute| add(told, &attribute));
}

/// What the other reader tells, by record number.
fn theirs(mft: Vec<u8>) -> BTreeMap<u64, Told> {
    let mut parser = MftParser::from_buffer(mft).unwrap();
    let mut all = BTreeMap::new();
    for number in 0..parser.get_entry_count() {
        let Ok(entry) = parser.get_entry(number) else { continue };
        let header = &entry.header;
        if header.signature != *b"FILE" || !header.is_base_record() {
            continue;
        }
        let (sequence, links) = (header.sequence, header.hard_link_count);
        let (in_use, is_dir) = (entry.is_allocated(), entry.is_dir());
        let mut told = Told { sequence, in_use, is_dir, links, ..Told::default() };
        add_all(&mut told, &entry);
        let pieces = parser.get_extension_entries(&entry);
        pieces.iter().filter(|piece| piece.is_allocated()).for_each(|piece| add_all(&mut told, piece));
        if !told.names.is_empty() || told.modified_ns != 0 {
            all.insert(number, sorted(told));
        }
    }
    all
}

fn ours(mft: Vec<u8>) -> BTreeMap<u64, Told> {
    let (rows, _) = rows::all(&Volume::open_mft(mft).unwrap(), Which::All, 1);
    rows.iter().map(|row| (row.reference.number(), told(row))).collect()
}

#[test]
fn samples_are_read_as_another_reader_reads_them() {
    let names =
        ["compressed_sparse", "deleted", "mapping_pairs_1", "mapping_pairs_2", "orphan", "slack", "unicode"];
    for name in names {
        let mft = samples::bytes(&format!("mft/{name}.mft"));
        let ours = ours(mft.clone());
        assert!(ours.len() > 30, "{name}: {}", ours.len());
        assert_eq!(ours, theirs(mft), "{name}");
    }
}

proptest! {
    #[test]
    fn random_records_are_read_as_another_reader_reads_them(plan in model::plan()) {
        let mft = model::build(&plan).mft;
        prop_assert_eq!(ours(mft.clone()), theirs(mft));
    }
}
