//! What is on a disk, beside its index: facts, records, the journal.

use crate::world::World;
use hearth_core::CancelToken;
use hearth_disks::ntfs::acts::{Act, Actor};
use hearth_disks::ntfs::{Form, Journal, Mount, NtfsImage};
use hearth_service::ServiceError;
use hearth_service::api::disks::{
    DiskKind, JournalEnd, JournalEntry, JournalRequest, RecordWanted, Value, reasons_in_words,
};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const FORM: Form = Form { sector_bytes: 512, cluster_bytes: 4096 };
const FIRST_USN: u64 = 1 << 20;

/// A service that knows no source, and an image with a journal in which some things happened.
struct Scene {
    world: World,
    image: NtfsImage,
}

impl Scene {
    fn new() -> Option<Self> {
        let image = NtfsImage::new(64 << 20, FORM)?;
        let mut journal = Journal::create(&image, 0x1234, FIRST_USN);
        let mount = image.mount();
        let mut actor = Actor::new(&mount, FORM.record_bytes(), 2);
        let acts = [
            Act::Folder("Users".into()),
            Act::Write("Users/a".into(), 100),
            Act::Write("b".into(), 100),
            Act::Folder("gone".into()),
            Act::Write("gone/c".into(), 100),
            Act::Stream("b".into(), 1, 50),
            Act::RemoveAll("gone".into()),
        ];
        acts.iter().for_each(|act| actor.run(act).expect("done"));
        let entries = actor.into_journal();
        journal.append(&mount, &entries);
        drop(mount);
        Some(Self { world: World::new(), image })
    }

    fn disk(&self) -> Vec<u8> {
        self.image.path().as_os_str().as_bytes().to_vec()
    }

    fn ask(&self, request: JournalRequest) -> (Vec<JournalEntry>, Result<JournalEnd, ServiceError>) {
        let mut entries = Vec::new();
        let request = JournalRequest { disk: self.disk(), ..request };
        let end = self.world.service.ntfs_journal(&request, &CancelToken::new(), &mut |entry| {
            entries.push(entry);
            ControlFlow::Continue(())
        });
        (entries, end)
    }

    fn all(&self) -> (Vec<JournalEntry>, JournalEnd) {
        let (entries, end) = self.ask(JournalRequest::default());
        (entries, end.expect("told"))
    }

    fn record(&self, path: &str) -> Result<u64, ServiceError> {
        let wanted = RecordWanted::Path(path.into());
        let answer = self.world.service.ntfs_record(&self.disk(), &wanted, &CancelToken::new())?;
        Ok(answer.details.number)
    }
}

fn inode(mount: &Mount, path: &str) -> u64 {
    mount.root().join(path).symlink_metadata().expect("there").ino()
}

#[test]
fn a_disk_tells_what_is_on_it() {
    let Some(scene) = Scene::new() else { return };
    scene.image.set_log(0x1000, true);
    let info = scene.world.service.ntfs_info(&scene.disk(), &CancelToken::new()).expect("read");
    assert_eq!((info.kind, info.partitions.len(), info.volumes.len()), (DiskKind::Image, 0, 1));
    assert!(info.volumes[0].problems.is_empty(), "{:?}", info.volumes[0].problems);
    let facts = info.volumes[0].facts.as_ref().expect("read");
    assert_eq!((facts.geometry.cluster_bytes, facts.geometry.record_bytes), (4096, 1024));
    let journal = facts.journal.expect("kept");
    assert_eq!((journal.id, journal.first_usn), (0x1234, FIRST_USN));
    assert!(
        journal.next_usn > FIRST_USN
            && facts.records_in_use.is_some_and(|used| used > 16 && used <= facts.records)
    );
    let source = scene.world.add(&scene.image.path()).remove(0);
    let by_name = scene.world.service.ntfs_info(source.name.as_bytes(), &CancelToken::new()).expect("read");
    assert_eq!(by_name.path, info.path);
}

#[test]
fn a_path_leads_to_its_record_with_and_without_an_index() {
    let Some(scene) = Scene::new() else { return };
    let mount = scene.image.mount_to_read();
    let expect = [inode(&mount, "Users/a"), inode(&mount, "b")];
    drop(mount);
    for registered in [false, true] {
        if registered {
            scene.world.add(&scene.image.path());
        }
        let found = |path| scene.record(path).expect(path);
        assert_eq!([found("/Users/a"), found("/b")], expect, "{registered}");
        assert_eq!([found("C:\\users\\A"), found("b:stream 1")], expect, "{registered}");
        assert_eq!((found("/"), found("/$MFT"), found("/$Extend/$UsnJrnl") > 23), (5, 0, true));
        assert!(matches!(scene.record("/Users/none"), Err(ServiceError::BadRequest { field: "file", .. })));
        assert!(matches!(scene.record("/b/a"), Err(ServiceError::BadRequest { field: "file", .. })));
    }
}

#[test]
fn a_record_is_decoded_and_knows_its_path() {
    let Some(scene) = Scene::new() else { return };
    let number = scene.record("/Users/a").expect("there");
    let ask =
        |wanted: &RecordWanted| scene.world.service.ntfs_record(&scene.disk(), wanted, &CancelToken::new());
    let answer = ask(&RecordWanted::Number(number)).expect("read");
    assert_eq!((answer.paths, answer.asked_sequence), (vec![b"/Users/a".to_vec()], None));
    let names = answer.details.attributes.iter().filter_map(|attribute| match &attribute.value {
        Some(Value::Name(name)) => Some(name.name.clone()),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), [b"a"]);
    let sequence = answer.details.header.expect("a record").sequence;
    let use_of =
        |sequence| RecordWanted::Reference(hearth_service::api::disks::FileReference::new(number, sequence));
    assert_eq!(ask(&use_of(sequence)).expect("read").asked_sequence, None);
    assert_eq!(ask(&use_of(sequence + 1)).expect("read").asked_sequence, Some(sequence + 1));
    assert!(matches!(
        ask(&RecordWanted::Number(1 << 40)),
        Err(ServiceError::BadRequest { field: "record", .. })
    ));
}

#[test]
fn a_journal_tells_what_happened_with_paths_of_now() {
    let Some(scene) = Scene::new() else { return };
    let (entries, end) = scene.all();
    assert_eq!((end.shown, end.records, end.more), (entries.len() as u64, entries.len() as u64, false));
    assert!(entries.is_sorted_by_key(|entry| entry.usn) && entries[0].usn == FIRST_USN, "{:?}", entries[0]);
    let of =
        |name: &str| entries.iter().filter(move |entry| entry.name == name.as_bytes()).collect::<Vec<_>>();
    assert!(of("a").iter().all(|entry| entry.path.as_deref() == Some(b"/Users/a")), "{:?}", of("a"));
    assert!(!of("c").is_empty() && of("c").iter().all(|entry| entry.path.is_none()), "{:?}", of("c"));
    let words = |entry: &&JournalEntry| reasons_in_words(entry.reasons).any(|word| word == "file-delete");
    assert!(of("gone").iter().any(words), "{:?}", of("gone"));
}

#[test]
fn a_journal_is_told_in_parts_that_join() {
    let Some(scene) = Scene::new() else { return };
    let (all, whole) = scene.all();
    let (mut joined, mut since) = (Vec::new(), None);
    loop {
        let (entries, end) = scene.ask(JournalRequest { since, limit: Some(2), ..JournalRequest::default() });
        let end = end.expect("told");
        joined.extend(entries);
        since = Some(end.next_usn);
        if !end.more {
            break;
        }
    }
    assert_eq!((joined, since), (all, Some(whole.next_usn)));
    let (nothing, end) = scene.ask(JournalRequest { since, ..JournalRequest::default() });
    assert!(nothing.is_empty() && !end.expect("told").more);
}

#[test]
fn a_journal_is_told_of_a_folder_alone() {
    let Some(scene) = Scene::new() else { return };
    let (all, _) = scene.all();
    for below in ["/Users", "users/", "C:\\USERS"] {
        let (entries, _) =
            scene.ask(JournalRequest { below: Some(below.into()), ..JournalRequest::default() });
        let expect =
            all.iter().filter(|entry| entry.path.as_ref().is_some_and(|path| path.starts_with(b"/Users")));
        assert_eq!(entries, expect.cloned().collect::<Vec<_>>(), "{below}");
        assert!(entries.iter().any(|entry| entry.name == b"a"));
    }
}

#[test]
fn what_a_journal_does_not_hold_is_an_error() {
    let Some(scene) = Scene::new() else { return };
    let (_, end) = scene.all();
    for since in [0, FIRST_USN - 8, end.next_usn + 8] {
        let (entries, end) = scene.ask(JournalRequest { since: Some(since), ..JournalRequest::default() });
        assert!(
            entries.is_empty() && matches!(end, Err(ServiceError::BadRequest { field: "since", .. })),
            "{since}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_or_cancels_ends_the_reading() {
    let Some(scene) = Scene::new() else { return };
    let request = JournalRequest { disk: scene.disk(), ..JournalRequest::default() };
    let mut seen = 0;
    let end = scene.world.service.ntfs_journal(&request, &CancelToken::new(), &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!((seen, end.expect("no error").more), (1, true));
    let cancel = CancelToken::new();
    let cancelled = scene.world.service.ntfs_journal(&request, &cancel, &mut |_| {
        cancel.cancel();
        ControlFlow::Continue(())
    });
    assert!(matches!(cancelled, Err(ServiceError::Cancelled)));
}

#[test]
fn what_is_no_disk_is_refused() {
    let world = World::new();
    let text = world.home.path().join("text");
    std::fs::write(&text, "no disk at all, only a few words".repeat(500)).expect("written");
    let refused = |disk: &Path| {
        let disk = disk.as_os_str().as_bytes();
        let request = JournalRequest { disk: disk.to_vec(), ..JournalRequest::default() };
        let journal =
            world.service.ntfs_journal(&request, &CancelToken::new(), &mut |_| ControlFlow::Continue(()));
        let record = world.service.ntfs_record(disk, &RecordWanted::Number(0), &CancelToken::new());
        [journal.expect_err("refused").to_string(), record.expect_err("refused").to_string()]
    };
    assert!(
        refused(&text).iter().all(|error| error.contains("holds no NTFS volume")),
        "{:?}",
        refused(&text)
    );
    assert!(refused(world.home.path()).iter().all(|error| error.contains("a folder")));
    let info = world.service.ntfs_info(text.as_os_str().as_bytes(), &CancelToken::new()).expect("looked at");
    assert!(info.volumes.is_empty() && info.partitions.is_empty());
    assert!(matches!(
        world.service.ntfs_info(b"nobody", &CancelToken::new()),
        Err(ServiceError::UnknownSource { .. })
    ));
}
