//! Random volumes are read as what they were built from.

use crate::model::{self, Built, Spec};
use crate::rows::{self, Row};
use hearth_ntfs::{DataSize, Namespace, ReadAt, Volume, Which};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn namespace(number: u8) -> Namespace {
    match number {
        0 => Namespace::Posix,
        1 => Namespace::Win32,
        2 => Namespace::Dos,
        _ => Namespace::Win32AndDos,
    }
}

/// Names as namespace and bytes, sorted.
fn names(row: &Row) -> Vec<(u8, Vec<u8>)> {
    let number = |name: &rows::Name| (0..4).find(|number| namespace(*number) == name.namespace).unwrap();
    let mut names: Vec<_> = row.names.iter().map(|name| (number(name), name.name.clone())).collect();
    names.sort();
    names
}

fn check_row(row: &Row, spec: &Spec, cluster: u64) -> Result<(), TestCaseError> {
    prop_assert!(row.whole && row.in_use);
    prop_assert_eq!((row.reference.sequence(), row.is_dir), (spec.sequence, spec.is_dir));
    prop_assert_eq!(row.attributes, Some(spec.attributes));
    prop_assert_eq!(row.times.unwrap()[0], hearth_ntfs::unix_nanos(spec.filetime));
    let mut wanted: Vec<_> =
        spec.names.iter().map(|(number, text)| (*number, text.clone().into_bytes())).collect();
    wanted.sort();
    prop_assert_eq!(names(row), wanted);
    prop_assert_eq!(row.data, spec.data.as_ref().map(|value| model::size(value, cluster)));
    let sizes =
        spec.streams.iter().map(|(name, value)| (name.clone().into_bytes(), model::size(value, cluster)));
    prop_assert_eq!(sorted(row.streams.clone()), sorted(sizes.collect()));
    Ok(())
}

fn sorted(mut streams: Vec<(Vec<u8>, DataSize)>) -> Vec<(Vec<u8>, DataSize)> {
    streams.sort_by_key(|(name, size)| (name.clone(), size.size, size.allocated));
    streams
}

fn check(built: &Built, which: Which, threads: usize) -> Result<(), TestCaseError> {
    let volume = Volume::open(built.image.bytes.clone()).unwrap();
    prop_assert_eq!(volume.mft_bytes(), built.mft_bytes);
    let (rows, report) = rows::all(&volume, which, threads);
    prop_assert_eq!((report.torn, report.damaged, report.unread, report.not_whole), (0, 0, 0, 0));
    prop_assert_eq!(report.orphan_pieces, built.orphans);
    let files: Vec<_> = rows.iter().filter(|row| row.reference.number() >= 24).collect();
    prop_assert_eq!(files.len(), built.files.len());
    let cluster = built.image.sizes.cluster as u64;
    for (row, (number, spec)) in files.iter().zip(&built.files) {
        prop_assert_eq!(row.reference.number(), *number);
        check_row(row, spec, cluster)?;
    }
    let numbers: Vec<_> = built.files.iter().map(|(number, _)| *number).collect();
    let (some, _) = rows::some(&volume, &numbers);
    prop_assert!(some.iter().eq(files.iter().copied()), "one by one and all at once differ");
    for ((number, _), wanted) in built.files.iter().zip(&built.contents) {
        let content = volume.content(*number, "").unwrap();
        let read = content.map(|content| content.read_up_to(u64::MAX).unwrap());
        prop_assert!(read == *wanted, "content of {number} differs");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_volume_is_read_as_it_was_built(plan in model::plan(), all in any::<bool>(), threads in 1_usize..4) {
        let which = if all { Which::All } else { Which::InUse };
        check(&model::build(&plan), which, threads)?;
    }

    #[test]
    fn any_part_of_a_content_is_read_as_in_the_whole(plan in model::plan(), part in (0_u64..9000, 0_usize..5000)) {
        let built = model::build(&plan);
        let volume = Volume::open(built.image.bytes.clone()).unwrap();
        for ((number, _), wanted) in built.files.iter().zip(&built.contents) {
            let Some(content) = volume.content(*number, "").unwrap() else { continue };
            let wanted = wanted.as_ref().unwrap();
            let mut out = vec![0xee; part.1];
            let read = content.read_exact_at(part.0, &mut out).is_ok();
            let end = part.0 as usize + part.1;
            prop_assert_eq!(read, end <= wanted.len());
            prop_assert!(!read || out == wanted[part.0 as usize..end]);
            let holes = wanted.iter().take_while(|byte| **byte == 0).count() as u64;
            prop_assert!(content.first_stored() <= holes || content.first_stored() >= content.initialised());
        }
    }

    #[test]
    fn each_number_asked_for_is_told_once(plan in model::plan(), numbers in prop::collection::vec(0_u64..300, 0..60)) {
        let built = model::build(&plan);
        let volume = Volume::open(built.image.bytes.clone()).unwrap();
        let (all, _) = rows::all(&volume, Which::InUse, 1);
        let (some, report) = rows::some(&volume, &numbers);
        let asked: BTreeSet<_> = numbers.iter().copied().collect();
        prop_assert!(some.iter().map(|row| row.reference.number()).eq(asked.iter().copied()));
        prop_assert_eq!(report.unreadable.len(), 0);
        for row in some {
            let whole = all.iter().find(|own| own.reference.number() == row.reference.number());
            prop_assert!(whole.map_or(!row.in_use && row.names.is_empty(), |own| *own == row));
        }
    }
}
