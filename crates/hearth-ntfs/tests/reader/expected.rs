//! Every sample, row for row, against what another reader found in it.

use crate::rows::{self, Row};
use crate::samples;
use hearth_ntfs::{Namespace, ReadAt, Volume, Which, unix_nanos};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

fn expectations(name: &str) -> Vec<Value> {
    let text = String::from_utf8(samples::bytes(&format!("expect/{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(namespace: Namespace) -> u64 {
    match namespace {
        Namespace::Posix => 0,
        Namespace::Win32 => 1,
        Namespace::Dos => 2,
        Namespace::Win32AndDos => 3,
    }
}

/// The names of a row in the form of an expectation.
fn names(row: &Row) -> Value {
    let names = row.names.iter().map(|name| {
        let text = String::from_utf8_lossy(&name.name);
        serde_json::json!([name.parent.number(), name.parent.sequence(), number(name.namespace), text])
    });
    names.collect()
}

fn check_row(row: &Row, wanted: &Value, rows: &HashMap<u64, Row>) {
    assert_eq!(wanted["seq"], row.reference.sequence());
    assert_eq!(wanted["inuse"], row.in_use);
    assert_eq!(wanted["dir"], row.is_dir);
    assert_eq!(wanted["links"], row.link_count);
    assert_eq!(wanted["names"], names(row));
    assert_eq!(wanted["size"].as_u64(), row.data.map(|data| data.size));
    assert_eq!(wanted["reparse"], row.reparse.is_some());
    let streams: BTreeSet<_> = row.streams.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
    let wanted_streams = wanted["streams"].as_object().unwrap();
    assert_eq!(wanted_streams.keys().map(Into::into).collect::<BTreeSet<_>>(), streams);
    let si = &wanted["si"];
    let times = ["c", "m", "e", "a"].map(|time| unix_nanos(si[time].as_u64().unwrap()));
    assert_eq!(row.times, Some(times));
    assert_eq!(si["attr"], row.attributes.unwrap());
    if row.in_use {
        let paths = rows::paths(row, rows);
        let wanted: Vec<_> =
            wanted["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|path| !path.starts_with('<')).collect();
        if row.reference.number() != 5 {
            assert_eq!(paths, wanted);
        }
    }
}

fn check<R: ReadAt>(name: &str, volume: &Volume<R>) {
    let (all, report) = rows::all(volume, Which::All, 2);
    assert_eq!((report.torn, report.damaged, report.unread), (0, 0, 0), "{name}");
    let by_number: HashMap<_, _> = all.iter().map(|row| (row.reference.number(), row.clone())).collect();
    let wanted = expectations(name);
    assert_eq!(all.len(), wanted.len(), "{name}");
    for wanted in &wanted {
        let number = wanted["rec"].as_u64().unwrap();
        let row = by_number.get(&number).unwrap_or_else(|| panic!("{name}: no record {number}"));
        let checked = std::panic::catch_unwind(|| check_row(row, wanted, &by_number));
        assert!(checked.is_ok(), "{name}: {wanted}\n{row:?}");
    }
    let (in_use, _) = rows::all(volume, Which::InUse, 1);
    let all_in_use: Vec<_> = all.iter().filter(|row| row.in_use).cloned().collect();
    assert!(in_use == all_in_use, "{name}: in use alone and in use among all differ");
    let numbers: Vec<_> = (0..volume.record_count()).collect();
    let (each, _) = rows::some(volume, &numbers);
    assert_eq!(each.len(), numbers.len(), "{name}: each slot is told");
    let told: Vec<_> = each.into_iter().filter(|row| row.in_use || row.times.is_some()).collect();
    assert!(told == all, "{name}: one by one and all at once differ");
}

#[test]
fn volumes_tell_what_another_reader_tells() {
    for (name, file) in [
        ("testfs1_512dirs", "testfs1_512dirs.dd"),
        ("empty_cyrillic_label", "empty_cyrillic_label.img"),
        ("ntfs3_driver", "ntfs3_driver.raw"),
        ("dftt7_undelete", "dftt7_undelete.dd"),
        ("partition_8mib", "partition_8mib.dd"),
    ] {
        check(name, &Volume::open(samples::bytes(&format!("vol/{file}"))).unwrap());
    }
}

#[test]
fn a_volume_of_a_gigabyte_tells_what_another_reader_tells() {
    check("vsstest_1gib", &Volume::open(samples::file("vol/vsstest_1gib.raw")).unwrap());
}

#[test]
fn bare_record_files_tell_what_another_reader_tells() {
    let names = [
        "compressed_sparse",
        "deleted",
        "mapping_pairs_1",
        "mapping_pairs_2",
        "nist_dfr16",
        "orphan",
        "slack",
        "unicode",
    ];
    for name in names {
        let name = format!("{name}.mft");
        check(&name, &Volume::open_mft(samples::bytes(&format!("mft/{name}"))).unwrap());
    }
}
