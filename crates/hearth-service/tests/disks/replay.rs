//! The journal brings an index to where reading everything would, and every reason not to trust it is told.

use crate::world::{World, assert_same};
use hearth_disks::ntfs::acts::{Act, Actor, acts};
use hearth_disks::ntfs::usn::Entry;
use hearth_disks::ntfs::{Form, Journal, NtfsImage};
use hearth_service::api::SourceInfo;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const FORM: Form = Form { sector_bytes: 512, cluster_bytes: 4096 };
const BYTES: u64 = 64 << 20;
/// Where the log file of the driver that journals stands at first.
const LSN: u64 = 0x10_0000;

/// An image with a journal, as Windows would leave it, and a service that has read it.
struct House {
    image: NtfsImage,
    journal: Journal,
    lsn: u64,
    world: World,
    source: SourceInfo,
}

impl House {
    fn new() -> Option<Self> {
        let image = NtfsImage::new(BYTES, FORM)?;
        let journal = Journal::create(&image, 0x1234, 1 << 20);
        image.mount().fill(60, 3).expect("room");
        image.set_log(LSN, true);
        let world = World::new();
        let source = world.add(&image.path()).remove(0);
        Some(Self { image, journal, lsn: LSN, world, source })
    }

    /// Does things while the service looks.
    fn act(&mut self, acts: &[Act]) {
        act(&self.image, &mut self.journal, &mut self.lsn, 2, acts);
    }

    /// The same while no service looks: what it finds when it comes back is all of it.
    fn meanwhile(self, acts: impl FnOnce(&NtfsImage, Journal, &mut u64) -> Journal) -> Self {
        let Self { image, journal, mut lsn, world, source } = self;
        let mut kept = None;
        let world = world.reopen(|| kept = Some(acts(&image, journal, &mut lsn)));
        Self { image, journal: kept.expect("done"), lsn, world, source }
    }

    /// The index is what another service reads from the image now.
    #[track_caller]
    fn check(&self) {
        let answer = self.world.fresh(&self.source);
        let other = World::new();
        let source = other.add(&self.image.path()).remove(0);
        assert_same(&answer, &other.everything(&source));
    }

    #[track_caller]
    fn assert_read_because(&self, word: &str) {
        self.check();
        let disk = self.world.disk(&self.source);
        let reason = disk.reason.as_ref().map(|reason| reason.word);
        assert_eq!((disk.how, reason), ("read", Some(word)), "{disk:?}");
    }
}

/// Does things as Windows would do them: each is in the journal, whose records have this version, and the log goes on.
fn act(image: &NtfsImage, journal: &mut Journal, lsn: &mut u64, version: u16, acts: &[Act]) {
    let mount = image.mount();
    let mut actor = Actor::new(&mount, FORM.record_bytes(), version);
    for act in acts {
        // What cannot be done is not done.
        let _ = actor.run(act);
    }
    journal.append(&mount, &actor.into_journal());
    drop(mount);
    *lsn += 0x1000;
    image.set_log(*lsn, true);
}

fn write(name: &str) -> Act {
    Act::Write(name.into(), 100)
}

#[test]
fn what_the_journal_tells_is_taken_in() {
    let Some(mut house) = House::new() else { return };
    house.act(&[
        write("new"),
        Act::Folder("folder".into()),
        write("folder/inner"),
        Act::Stream("new".into(), 1, 50),
        Act::Link("new".into(), "folder/link".into()),
        Act::Rename("folder".into(), "moved".into()),
    ]);
    house.check();
    let disk = house.world.disk(&house.source);
    assert_eq!(disk.how, "replayed", "{disk:?}");
    assert!(disk.records > 0 && disk.files > 0 && disk.changed > 0, "{disk:?}");
    let found = house.world.find(&house.source, "=link", None).0;
    assert!(found.contains_key(b"/moved/link".as_slice()), "{found:?}");
    house.act(&[Act::RemoveAll("moved".into()), Act::Remove("new".into()), write("again")]);
    house.check();
    assert_eq!(house.world.disk(&house.source).how, "replayed");
}

#[test]
fn any_sequence_of_acts_ends_where_reading_everything_ends() {
    let Some(mut house) = House::new() else { return };
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() });
    let house = std::cell::RefCell::new(&mut house);
    let outcome = runner.run(&acts(25), |acts| {
        let mut house = house.borrow_mut();
        house.act(&acts);
        house.check();
        prop_assert_eq!(house.world.disk(&house.source).how, "replayed");
        Ok(())
    });
    outcome.expect("equal");
}

#[test]
fn a_restart_goes_on_from_the_snapshot() {
    let Some(mut house) = House::new() else { return };
    house.act(&[write("before")]);
    house.check();
    let house = house.meanwhile(|_, journal, _| journal);
    house.check();
    assert_eq!(house.world.disk(&house.source).how, "unchanged");
    let house = house.meanwhile(|image, mut journal, lsn| {
        act(image, &mut journal, lsn, 3, &[write("while it was down")]);
        journal
    });
    house.check();
    let disk = house.world.disk(&house.source);
    assert_eq!(disk.how, "replayed", "{disk:?}");
}

#[test]
fn a_driver_that_keeps_no_journal_is_noticed() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, journal, _| {
        std::fs::write(image.mount().root().join("unseen"), "x").expect("written");
        journal
    });
    house.assert_read_because("unjournaled");
}

#[test]
fn files_that_came_without_a_word_are_noticed_by_the_map_of_records() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, mut journal, lsn| {
        std::fs::write(image.mount().root().join("unseen"), "x").expect("written");
        // The log goes on as if Windows had been there, and the journal names something else.
        act(image, &mut journal, lsn, 2, &[write("seen")]);
        journal
    });
    house.assert_read_because("unjournaled");
}

#[test]
fn another_journal_is_not_believed() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, journal, lsn| {
        journal.delete(image);
        *lsn += 1;
        let journal = Journal::create(image, 0x9999, 1 << 20);
        image.set_log(*lsn, true);
        journal
    });
    house.assert_read_because("journal_reset");
}

#[test]
fn a_journal_that_is_gone_is_not_missed_in_silence() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, journal, lsn| {
        let kept = journal.clone();
        journal.delete(image);
        *lsn += 1;
        image.set_log(*lsn, true);
        kept
    });
    house.assert_read_because("journal_absent");
}

#[test]
fn a_journal_that_was_cut_past_the_index_is_not_enough() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, mut journal, lsn| {
        let many: Vec<Act> = (0..60).map(|number| write(&format!("file {number}"))).collect();
        act(image, &mut journal, lsn, 2, &many);
        let end = journal.stretch().next_usn();
        let lowest = journal.trim(&image.mount(), end);
        assert!(lowest > 1 << 20, "something was cut off");
        journal
    });
    house.assert_read_because("journal_wrapped");
}

#[test]
fn an_index_behind_the_end_of_the_journal_is_not_brought_up_by_it() {
    let Some(mut house) = House::new() else { return };
    house.act(&[write("x"), write("y")]);
    house.check();
    let house = house.meanwhile(|image, journal, lsn| {
        journal.delete(image);
        let journal = Journal::create(image, 0x1234, 4096);
        *lsn += 1;
        image.set_log(*lsn, true);
        journal
    });
    house.assert_read_because("beyond_end");
}

#[test]
fn so_many_files_are_not_read_one_by_one() {
    let Some(house) = House::new() else { return };
    let entry = |file| Entry { version: 2, file, parent: 5, reasons: 1, name: vec![97], ..Entry::default() };
    let many: Vec<Entry> = (100..6000).map(entry).collect();
    let house = house.meanwhile(|image, mut journal, lsn| {
        journal.append(&image.mount(), &many);
        *lsn += 1;
        image.set_log(*lsn, true);
        journal
    });
    house.assert_read_because("too_much");
}

#[test]
fn a_file_in_a_folder_that_nobody_named_is_inconsistent() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, mut journal, lsn| {
        std::fs::create_dir_all(image.mount().root().join("unseen/folders")).expect("made");
        act(image, &mut journal, lsn, 2, &[write("unseen/folders/file")]);
        journal
    });
    house.assert_read_because("inconsistent");
}

#[test]
fn a_file_table_that_was_written_to_is_read_again() {
    let Some(house) = House::new() else { return };
    let table = house.world.home.path().join("table.mft");
    let copy = || {
        let mount = house.image.mount_to_read();
        std::fs::copy(mount.root().join("$MFT"), &table).expect("shown");
    };
    copy();
    let source = house.world.add(&table).remove(0);
    std::fs::write(house.image.mount().root().join("another"), "x").expect("written");
    copy();
    assert!(house.world.fresh(&source).contains_key(b"/another".as_slice()));
    let disk = house.world.disk(&source);
    assert_eq!(disk.reason.map(|reason| reason.word), Some("no_volume"));
}

#[test]
fn contents_alone_are_no_reason_to_read_while_the_volume_is_in_use() {
    let Some(house) = House::new() else { return };
    house.image.set_log(LSN + 1, false);
    house.check();
    let house = house.meanwhile(|image, journal, _| {
        let file = std::fs::File::options().write(true).open(image.path()).expect("there");
        // In the last cluster, which holds nothing of the system but a copy of the boot sector at its end.
        std::os::unix::fs::FileExt::write_all_at(&file, b"x", BYTES - 4096).expect("written");
        journal
    });
    house.check();
    assert_ne!(house.world.disk(&house.source).how, "read");
}

#[test]
fn a_log_that_was_begun_anew_is_not_believed() {
    let Some(house) = House::new() else { return };
    let house = house.meanwhile(|image, mut journal, lsn| {
        act(image, &mut journal, lsn, 2, &[write("x")]);
        image.set_log(1, true);
        journal
    });
    house.assert_read_because("unjournaled");
}

#[test]
fn a_long_journal_of_few_files_is_replayed_as_a_whole() {
    const RECORDS: usize = 100_000;
    let Some(mut house) = House::new() else { return };
    {
        let mount = house.image.mount();
        let mut actor = Actor::new(&mount, FORM.record_bytes(), 2);
        actor.run(&write("x")).expect("written");
        let entries = actor.into_journal();
        let many: Vec<Entry> = entries.iter().cycle().take(RECORDS).cloned().collect();
        house.journal.append(&mount, &many);
    }
    house.image.set_log(house.lsn + 1, true);
    house.check();
    let disk = house.world.disk(&house.source);
    assert_eq!((disk.how, disk.records), ("replayed", RECORDS as u64), "{disk:?}");
}

#[test]
fn a_volume_that_is_written_to_all_the_time_is_not_read_all_the_time_but_called_stale() {
    let Some(house) = House::new() else { return };
    let begun = std::time::Instant::now();
    let mut stale = false;
    let reads = || house.world.disk(&house.source).at_ns;
    let mut seen = std::collections::BTreeSet::from([reads()]);
    for number in 0.. {
        std::fs::write(house.image.mount().root().join(format!("unseen {number}")), "x").expect("written");
        stale |= house.world.find(&house.source, "=none", None).1.stale;
        seen.insert(reads());
        if begun.elapsed().as_secs() >= 4 {
            break;
        }
    }
    assert!(stale && seen.len() <= 5, "{stale} {seen:?}");
    house.assert_read_because("unjournaled");
}
