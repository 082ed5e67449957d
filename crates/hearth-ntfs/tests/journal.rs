//! Journals on volumes, as `ntfs-3g` keeps them and Windows would have written them.

use hearth_core::CancelToken;
use hearth_disks::ntfs::acts::{Actor, acts};
use hearth_disks::ntfs::usn::{Entry, Stretch};
use hearth_disks::ntfs::{Form, Journal as Written, NtfsImage};
use hearth_ntfs::logfile::{self, LogState};
use hearth_ntfs::partitions;
use hearth_ntfs::upcase::UpCase;
use hearth_ntfs::usn::{Journal, JournalError, JournalRead, Touched};
use hearth_ntfs::{NtfsError, OpenFile, Volume};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::fs::{self, File};

fn small(form: Form) -> Option<NtfsImage> {
    NtfsImage::new(48 << 20, form)
}

fn open(image: &NtfsImage) -> Volume<OpenFile> {
    let file = File::open(image.path()).expect("there");
    let len = file.metadata().expect("shown").len();
    Volume::open(OpenFile::new(file, len)).expect("a volume")
}

fn journal(volume: &Volume<OpenFile>) -> Option<Journal<'_, OpenFile>> {
    Journal::open(volume, &CancelToken::new()).expect("readable")
}

/// All USNs from `from` on.
fn read(journal: &Journal<'_, OpenFile>, from: u64) -> Result<(Vec<u64>, JournalRead), JournalError> {
    let mut usns = Vec::new();
    let read = journal.read(from, &CancelToken::new(), &mut |record| usns.push(record.usn))?;
    Ok((usns, read))
}

fn entries(count: u64) -> Vec<Entry> {
    let name = |file: u64| format!("name {}", "x".repeat(file as usize * 7 % 200)).encode_utf16().collect();
    let entry = |file| Entry {
        version: 2 + file as u16 % 2,
        file,
        parent: 5,
        reasons: 2,
        name: name(file),
        ..Entry::default()
    };
    (0..count).map(entry).collect()
}

fn usns(stretch: &mut Stretch, entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| stretch.push(entry)).collect()
}

#[test]
fn a_journal_tells_what_was_appended_and_what_was_cut_off() {
    for form in [
        Form::default(),
        Form { cluster_bytes: 512, ..Form::default() },
        Form { sector_bytes: 4096, cluster_bytes: 65536 },
    ] {
        let Some(image) = small(form) else { return };
        assert!(journal(&open(&image)).is_none());
        let first = 5 << 20;
        let mut written = Written::create(&image, 99, first);
        let mut expected = Stretch::new(first);
        let volume = open(&image);
        let empty = journal(&volume).expect("made");
        assert_eq!(
            (empty.first_usn(), empty.next_usn(), empty.id(), empty.number()),
            (first, first, 99, written.number())
        );
        assert_eq!(read(&empty, first).expect("readable").0, []);

        let mut all = usns(&mut expected, &entries(3000));
        written.append(&image.mount(), &entries(3000));
        let volume = open(&image);
        let grown = journal(&volume).expect("there");
        assert_eq!((grown.first_usn(), grown.next_usn()), (first, expected.next_usn()));
        assert_eq!(
            (grown.max_bytes(), grown.delta_bytes(), grown.lowest_valid_usn()),
            (32 << 20, 8 << 20, first)
        );
        for from in [0, 1, 1500, 2999] {
            let (told, counts) = read(&grown, all[from]).expect("readable");
            assert!(told == all[from..], "{form:?} from {from}");
            let expected =
                JournalRead { next_usn: expected.next_usn(), records: told.len() as u64, skipped_bytes: 0 };
            assert_eq!(counts, expected);
        }

        let lowest = written.trim(&image.mount(), all[2000]);
        all.extend(usns(&mut expected, &entries(5)));
        written.append(&image.mount(), &entries(5));
        let volume = open(&image);
        let cut = journal(&volume).expect("there");
        assert_eq!((cut.first_usn(), cut.next_usn()), (lowest, expected.next_usn()));
        let left: Vec<u64> = all.iter().copied().filter(|usn| *usn >= lowest).collect();
        assert!(left.len() < 2000 && read(&cut, lowest).expect("readable").0 == left);
        assert_eq!(read(&cut, cut.next_usn()).expect("the end").1.records, 0);
        let (below, beyond) = (lowest - 8, cut.next_usn() + 8);
        assert!(
            matches!(read(&cut, below), Err(JournalError::BelowLowest { from, lowest: at }) if from == below && at == lowest)
        );
        assert!(
            matches!(read(&cut, beyond), Err(JournalError::BeyondEnd { from, next }) if from == beyond && next == cut.next_usn())
        );
    }
}

#[test]
fn a_journal_that_was_deleted_is_gone_and_a_new_one_is_another() {
    let Some(image) = small(Form::default()) else { return };
    let mut written = Written::create(&image, 1, 0);
    written.append(&image.mount(), &entries(10));
    let number = written.number();
    let cancel = CancelToken::new();
    let volume = open(&image);
    let at = |number| Journal::at(&volume, number, &cancel).expect("readable");
    assert_eq!((at(number).expect("there").id(), at(5).is_none()), (1, true));
    written.delete(&image);
    let volume = open(&image);
    assert!(journal(&volume).is_none() && Journal::at(&volume, number, &cancel).expect("readable").is_none());
    Written::create(&image, 2, 1 << 16);
    let volume = open(&image);
    let new = journal(&volume).expect("made anew");
    assert_eq!((new.id(), new.first_usn()), (2, 1 << 16));
}

#[test]
fn a_token_stops_the_search_and_the_reading() {
    let Some(image) = small(Form::default()) else { return };
    Written::create(&image, 1, 0).append(&image.mount(), &entries(10));
    let cancelled = CancelToken::new();
    cancelled.cancel();
    let volume = open(&image);
    assert!(matches!(Journal::open(&volume, &cancelled), Err(NtfsError::Cancelled(_))));
    let journal = journal(&volume).expect("there");
    let read = journal.read(0, &cancelled, &mut |_| panic!("not told"));
    assert!(matches!(read, Err(JournalError::Ntfs(NtfsError::Cancelled(_)))));
}

#[test]
fn the_log_tells_how_the_volume_was_left() {
    let Some(image) = small(Form::default()) else { return };
    let state = || logfile::state(&open(&image)).expect("readable");
    assert_eq!(state(), LogState::Empty);
    for clean in [true, false] {
        image.set_log(0x12_3456_789a, clean);
        assert_eq!(state(), LogState::Restart { lsn: 0x12_3456_789a, clean });
    }
    image.empty_log();
    assert_eq!(state(), LogState::Empty);
    assert!(!open(&image).information().expect("readable").is_dirty());
    image.set_dirty(true);
    assert!(open(&image).information().expect("readable").is_dirty());
}

/// What differs between two states of a volume, by record: everything that was, is, or is otherwise.
fn differing(before: &hearth_disks::ntfs::Listing, after: &hearth_disks::ntfs::Listing) -> BTreeSet<u64> {
    let sides = [(before, after), (after, before)];
    let rows = sides
        .into_iter()
        .flat_map(|(one, other)| one.iter().filter(|(path, row)| other.get(*path) != Some(row)));
    rows.map(|(_, row)| row.number).collect()
}

#[test]
fn what_random_acts_changed_is_touched() {
    if small(Form::default()).is_none() {
        return;
    }
    let config = Config { cases: 10, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&acts(60), |acts| {
        let image = small(Form::default()).expect("it could be made before");
        let mut written = Written::create(&image, 7, 4096);
        let (first, second) = acts.split_at(acts.len() / 2);
        run(&image, &mut written, first);
        let before = image.listing();
        let from = written.stretch().next_usn();
        run(&image, &mut written, second);

        let volume = open(&image);
        let journal = journal(&volume).expect("there");
        let mut touched = Touched::new(1000);
        journal.read(from, &CancelToken::new(), &mut |record| touched.take(record)).expect("readable");
        let mut told: BTreeSet<u64> = touched.files().expect("few").iter().copied().collect();
        told.extend(touched.parents().expect("few"));
        let after = image.listing();
        // What moved with a folder did not change itself.
        let moved = |number: &u64| {
            let rows = |listing: &hearth_disks::ntfs::Listing| {
                listing.values().filter(|row| row.number == *number).cloned().collect::<Vec<_>>()
            };
            rows(&before) == rows(&after)
        };
        let untold: Vec<_> = differing(&before, &after)
            .into_iter()
            .filter(|number| !told.contains(number) && !moved(number))
            .collect();
        prop_assert!(untold.is_empty(), "{:?}", untold);
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}

fn run(image: &NtfsImage, written: &mut Written, acts: &[hearth_disks::ntfs::acts::Act]) {
    let mount = image.mount();
    let mut actor = Actor::new(&mount, image.form().record_bytes(), 3);
    for act in acts {
        // What is not possible is not done.
        let _ = actor.run(act);
    }
    let journal = actor.into_journal();
    written.append(&mount, &journal);
}

#[test]
fn garbage_in_the_journal_is_counted() {
    let Some(image) = small(Form::default()) else { return };
    let mut written = Written::create(&image, 1, 0);
    written.append(&image.mount(), &entries(500));
    let bytes = written.stretch().bytes();
    // The journal lies in one piece on a volume with nothing else.
    let disk = fs::read(image.path()).expect("read");
    let at = disk.windows(256).position(|window| window == &bytes[8192..8448]).expect("stored");
    let mut disk = disk;
    disk[at..at + 100].fill(0x5a);
    let volume = Volume::open(disk).expect("a volume");
    let journal = Journal::open(&volume, &CancelToken::new()).expect("readable").expect("there");
    let mut lost: Vec<u64> = usns(&mut Stretch::new(0), &entries(500));
    let read = journal
        .read(0, &CancelToken::new(), &mut |record| lost.retain(|usn| *usn != record.usn))
        .expect("readable");
    assert_eq!(read.skipped_bytes, 4096);
    assert!(!lost.is_empty() && lost.iter().all(|usn| (8192..12288).contains(usn)), "{lost:?}");
}

#[test]
fn what_is_mapped_nowhere_is_counted_as_lost() {
    let Some(image) = small(Form::default()) else { return };
    let mut written = Written::create(&image, 1, 0);
    let mount = image.mount();
    written.append(&mount, &entries(100));
    let stream = hearth_disks::ntfs::Mount::stream(&mount.root().join("$Extend/$UsnJrnl"), "$J");
    let end = written.stretch().next_usn();
    File::options().write(true).open(stream).expect("there").set_len(1 << 20).expect("a hole");
    drop(mount);
    let volume = open(&image);
    let (told, counts) = read(&journal(&volume).expect("there"), 0).expect("readable");
    assert_eq!(told.len(), 100);
    assert_eq!(
        counts,
        JournalRead {
            next_usn: 1 << 20,
            records: 100,
            skipped_bytes: (1 << 20) - end.next_multiple_of(4096)
        }
    );
}

#[test]
fn damage_in_records_and_log_is_survived() {
    let Some(image) = NtfsImage::new(8 << 20, Form::default()) else { return };
    let mut written = Written::create(&image, 1, 1 << 20);
    written.append(&image.mount(), &entries(100));
    image.set_log(77, true);
    let disk = fs::read(image.path()).expect("read");
    let volume = Volume::open(disk.clone()).expect("a volume");
    let mft = volume.geometry().mft_offset;
    let log = volume.content(2, "").expect("readable").expect("there").runs()[0].lcn.expect("stored") * 4096;
    // Records that matter, the first of the journal's included, and both restart pages.
    let places = [0, 2, 3, 10, 11, written.number()].map(|number| (mft + number * 1024, 1024));
    let places =
        places.into_iter().chain([(0, 512), (log, 128), (log + 4096, 128)]).collect::<Vec<(u64, u64)>>();
    let damage =
        proptest::collection::vec((proptest::sample::select(places), any::<u64>(), any::<u8>()), 1..4);
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&damage, |damage| {
        let mut disk = disk.clone();
        for ((start, len), at, byte) in damage {
            disk[(start + at % len) as usize] = byte;
        }
        let len = disk.len() as u64;
        partitions::volumes(&disk);
        let Ok(volume) = Volume::open(disk) else { return Ok(()) };
        let cancel = CancelToken::new();
        // Errors are right; what is told must be possible.
        let _ = (logfile::state(&volume), UpCase::read(&volume));
        if let Ok(Some(journal)) = Journal::open(&volume, &cancel) {
            prop_assert!(journal.first_usn() <= journal.next_usn());
            if let Ok(read) = journal.read(journal.first_usn(), &cancel, &mut |_| ()) {
                prop_assert!(read.records * 60 <= 2 * len && read.next_usn <= journal.next_usn());
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}
