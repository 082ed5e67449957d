//! Whatever is damaged, reading ends, soon, and says what it could not read.

use crate::rows;
use crate::samples;
use hearth_core::CancelToken;
use hearth_ntfs::{NtfsError, ReadAt, Volume, Which, details};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Longest that anything may take with a volume of two megabytes, unoptimised and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Does everything that can be done with a volume that opens.
fn exercise(bytes: &[u8]) {
    let started = Instant::now();
    for volume in [Volume::open(bytes), Volume::open_mft(bytes)].into_iter().flatten() {
        let _ = volume.information();
        let (rows, report) = rows::all(&volume, Which::InUse, 1);
        assert!(report.records <= volume.record_count());
        rows::all(&volume, Which::All, 1);
        let numbers: Vec<_> = (0..volume.record_count().min(64)).chain([1 << 40, u64::MAX]).collect();
        rows::some(&volume, &numbers);
        for row in rows.iter().take(64) {
            exercise_file(&volume, row);
        }
        for number in 0..volume.record_count().min(64) {
            let _ = details::of(&volume, number);
        }
    }
    assert!(started.elapsed() < PATIENCE);
}

fn exercise_file(volume: &Volume<&[u8]>, row: &rows::Row) {
    let names = row.streams.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    for name in names.chain([String::new()]) {
        let Ok(Some(content)) = volume.content(row.reference.number(), &name) else { continue };
        let _ = content.read_up_to(64 << 10);
        let from = content.first_stored();
        assert!(from <= content.len());
        let _ = content.read_exact_at(from, &mut [0; 512]);
        let _ = content.read_exact_at(content.len().wrapping_sub(1), &mut [0]);
    }
}

fn image() -> Vec<u8> {
    samples::bytes("vol/testfs1_512dirs.dd")
}

/// Flips bytes one at a time.
fn flip_each(bytes: &mut [u8], places: impl Iterator<Item = usize>, mask: u8) {
    for place in places {
        bytes[place] ^= mask;
        exercise(bytes);
        bytes[place] ^= mask;
    }
}

#[test]
fn no_flipped_byte_of_what_all_hangs_on_hangs_or_crashes() {
    let mut bytes = image();
    let mft = Volume::open(&bytes).unwrap().geometry().mft_offset as usize;
    flip_each(&mut bytes, 0x0b..0x50, 0xff);
    flip_each(&mut bytes, (mft..mft + 512).step_by(3), 0xff);
    flip_each(&mut bytes, (mft + 1..mft + 512).step_by(3), 0x01);
}

#[test]
fn no_flipped_byte_anywhere_hangs_or_crashes() {
    let mut bytes = image();
    let len = bytes.len();
    flip_each(&mut bytes, (7..len).step_by(2039), 0xff);
}

#[test]
fn a_volume_cut_anywhere_tells_what_is_left() {
    let bytes = image();
    let whole = rows::all(&Volume::open(&bytes).unwrap(), Which::InUse, 1).0.len();
    for len in (0..bytes.len()).step_by(8191) {
        exercise(&bytes[..len]);
        let Ok(volume) = Volume::open(&bytes[..len]) else { continue };
        let (rows, report) = rows::all(&volume, Which::InUse, 2);
        let lost = report.unread + report.skipped_bytes / 1024;
        assert!(rows.len() == whole || lost > 0, "{len}: {} of {whole}, {report:?}", rows.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_hang_or_crash(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200)) {
        let mut bytes = image();
        for (place, byte) in places {
            // Most of what is read lies in records.
            let mft = Volume::open(&bytes).map_or(0, |volume| volume.geometry().mft_offset as usize);
            let place = mft + place.index(64 << 10);
            bytes[place] = byte;
        }
        exercise(&bytes);
    }
}

#[test]
fn a_torn_record_is_counted_and_its_neighbours_are_told() {
    let mut bytes = image();
    let volume = Volume::open(bytes.clone()).unwrap();
    let before = rows::all(&volume, Which::InUse, 1).0;
    let file = before.last().unwrap().reference.number();
    // The end of the first sector of the record, where it must carry the mark of the last write.
    let place = find_record(&bytes, &volume, file) + 510;
    bytes[place] ^= 1;
    let volume = Volume::open(bytes).unwrap();
    let (after, report) = rows::all(&volume, Which::InUse, 1);
    assert_eq!((report.torn, report.unreadable.clone()), (1, vec![file]));
    assert_eq!(after, before[..before.len() - 1]);
    let (some, report) = rows::some(&volume, &[file]);
    assert_eq!((some.len(), report.unreadable), (0, vec![file]));
}

/// Where a record lies in the volume.
fn find_record(bytes: &[u8], volume: &Volume<Vec<u8>>, number: u64) -> usize {
    let map = volume.content(0, "").unwrap().unwrap();
    let at = number * 1024 / 512;
    let run = map.runs().iter().find(|run| (run.vcn..run.vcn + run.clusters).contains(&at)).unwrap();
    let place = (run.lcn.unwrap() + at - run.vcn) as usize * 512;
    assert_eq!(&bytes[place..place + 4], b"FILE");
    place
}

#[test]
fn the_copy_stands_in_for_the_first_records() {
    let mut bytes = image();
    let before = rows::all(&Volume::open(&bytes).unwrap(), Which::InUse, 1).0;
    let mft = Volume::open(&bytes).unwrap().geometry().mft_offset as usize;
    bytes[mft..mft + 4 * 1024].fill(0xee);
    let volume = Volume::open(&bytes).unwrap();
    let (after, report) = rows::all(&volume, Which::InUse, 1);
    assert_eq!(after, before);
    assert_eq!((report.damaged, report.torn), (0, 0));
    assert!(volume.record(3).unwrap().is_from_mirror());
    let mirror = volume.geometry().mirror_offset as usize;
    bytes[mirror..mirror + 1024].fill(0xee);
    assert!(matches!(Volume::open(&bytes), Err(NtfsError::Damaged(_))));
}

#[test]
fn reading_stops_when_asked() {
    let volume = Volume::open(image()).unwrap();
    let cancel = CancelToken::new();
    cancel.cancel();
    let all =
        volume.read_all(vec![rows::Rows::default()], Which::All, &hearth_ntfs::Counters::default(), &cancel);
    assert!(matches!(all, Err(NtfsError::Cancelled(_))));
    let some = volume.read_some(&[5], &mut rows::Rows::default(), &cancel);
    assert!(matches!(some, Err(NtfsError::Cancelled(_))));
}
