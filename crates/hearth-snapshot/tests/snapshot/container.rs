//! Saving and loading where nothing goes wrong, on both storages.

use crate::desk::*;
use hearth_snapshot::*;
use proptest::prelude::*;
use std::time::Duration;

fn assorted() -> Contents {
    vec![
        (7, Codec::None, noise(1, CHUNK_BYTES + 1)),
        (1, Codec::Lz4, prose(2, 3 * CHUNK_BYTES)),
        (900, Codec::Zstd, prose(3, 2 * CHUNK_BYTES - 1)),
        (2, Codec::Zstd, Vec::new()),
        (3, Codec::Lz4, noise(4, 70_000)),
        (4, Codec::Zstd, vec![0; 5 * CHUNK_BYTES]),
        (5, Codec::None, vec![9]),
    ]
}

#[test]
fn what_was_saved_is_loaded() {
    on_both(|shelf| {
        let saved = save(&*shelf.storage, &shelf.path(), &header(), &key(), &assorted()).expect("it saves");
        let reader = Reader::open(&*shelf.storage, &shelf.path(), &expected(), &key()).expect("it opens");
        assert_eq!(reader.header(), &header());
        assert_eq!(reader.file_bytes(), saved.file_bytes);
        assert!(contents_of(&reader).expect("it reads") == assorted());
        let pool = pool();
        for (id, _, content) in assorted() {
            assert!(reader.read(id, pool).expect("it reads in parallel") == content, "section {id}");
        }
        assert_eq!(shelf.names(), ["volume.snapshot"], "nothing else is left");
    });
}

#[test]
fn a_section_tells_its_lengths() {
    let shelf = Shelf::lying(Manners::default());
    let saved = save(&*shelf.storage, &shelf.path(), &header(), &key(), &assorted()).expect("it saves");
    let reader = Reader::open(&*shelf.storage, &shelf.path(), &expected(), &key()).expect("it opens");
    let sections: Vec<Section> = reader.sections().collect();
    let lens = |of: fn(&Section) -> u64| sections.iter().map(of).sum::<u64>();
    assert_eq!(lens(|section| section.len), saved.content_bytes);
    assert!(lens(|section| section.stored_len) < saved.file_bytes);
    assert_eq!(reader.section(5), Some(Section { id: 5, codec: Codec::None, len: 1, stored_len: 17 }));
    assert_eq!(reader.section(6), None);
}

#[test]
fn slices_written_in_pieces_are_one_section() {
    let shelf = Shelf::lying(Manners::default());
    let (content, pool) = (prose(1, 5 * CHUNK_BYTES + 77), pool());
    for piece in [1 << 10, CHUNK_BYTES, 777_777, 9 * CHUNK_BYTES] {
        let mut writer =
            Writer::begin(&*shelf.storage, pool, &shelf.path(), &header(), &key()).expect("it begins");
        writer.section(1, Codec::Lz4).expect("a first section");
        writer.write_all(content.chunks(piece)).expect("it writes");
        writer.section(2, Codec::None).expect("a second section");
        writer.write(b"end").expect("it writes");
        assert_eq!(writer.commit().expect("it commits").chunks, 7);
        let found = load(&*shelf.storage, &shelf.path(), &key()).expect("it loads");
        assert!(found == [(1, Codec::Lz4, content.clone()), (2, Codec::None, b"end".to_vec())], "{piece}");
    }
}

#[test]
fn a_section_is_read_without_the_others() {
    let disk = LyingDisk::new(1, Manners::default());
    let path = Shelf::lying(Manners::default()).path();
    let contents = vec![(1, Codec::None, noise(1, 9 * CHUNK_BYTES)), (2, Codec::None, noise(2, 1000))];
    save(&disk, &path, &header(), &key(), &contents).expect("it saves");
    let before = disk.operations();
    let reader = Reader::open(&disk, &path, &expected(), &key()).expect("it opens");
    assert!(reader.read(2, pool()).expect("it reads") == contents[1].2);
    // Open, length, prefix, slots, footer, header, table, the one chunk.
    assert_eq!(disk.operations() - before, 8);
}

#[test]
fn a_target_of_another_length_is_refused() {
    let shelf = Shelf::lying(Manners::default());
    save(&*shelf.storage, &shelf.path(), &header(), &key(), &assorted()).expect("it saves");
    let reader = Reader::open(&*shelf.storage, &shelf.path(), &expected(), &key()).expect("it opens");
    for len in [0, 69_999, 70_001] {
        let refused = reader.read_into(3, pool(), &mut vec![0; len]).expect_err("the length is wrong");
        assert_eq!(refused.word(), "deserialize");
    }
}

#[test]
fn a_dropped_writer_leaves_what_was_there() {
    on_both(|shelf| {
        let old = vec![(1, Codec::None, b"old".to_vec())];
        save(&*shelf.storage, &shelf.path(), &header(), &key(), &old).expect("it saves");
        let pool = pool();
        let mut writer =
            Writer::begin(&*shelf.storage, pool, &shelf.path(), &header(), &key()).expect("it begins");
        writer.section(1, Codec::None).expect("a section");
        writer.write(b"new").expect("it writes");
        assert_eq!(shelf.names().len(), 2, "the new one is written beside the old one");
        drop(writer);
        assert_eq!(shelf.names(), ["volume.snapshot"]);
        assert_eq!(load(&*shelf.storage, &shelf.path(), &key()).expect("it loads"), old);
    });
}

#[test]
fn an_open_snapshot_outlives_its_replacement() {
    on_both(|shelf| {
        let contents = |text: &[u8]| vec![(1, Codec::None, text.to_vec())];
        save(&*shelf.storage, &shelf.path(), &header(), &key(), &contents(b"old")).expect("it saves");
        let reader = Reader::open(&*shelf.storage, &shelf.path(), &expected(), &key()).expect("it opens");
        save(&*shelf.storage, &shelf.path(), &header(), &key(), &contents(b"new")).expect("it saves");
        assert_eq!(contents_of(&reader).expect("it reads"), contents(b"old"));
        assert_eq!(load(&*shelf.storage, &shelf.path(), &key()).expect("it loads"), contents(b"new"));
    });
}

#[test]
fn a_snapshot_belongs_to_its_user_alone() {
    let shelf = Shelf::real();
    save(&*shelf.storage, &shelf.path(), &header(), &key(), &assorted()).expect("it saves");
    let file = shelf.storage.open(&shelf.path(), Open::Read).expect("it is there");
    assert_eq!(file.ownership().expect("it has an owner").mode, 0o600);
}

#[test]
fn what_the_format_does_not_hold_is_refused() {
    let (shelf, pool) = (Shelf::lying(Manners::default()), pool());
    let begin = |header: &Header| Writer::begin(&*shelf.storage, pool, &shelf.path(), header, &key());
    let many = Header { counts: vec![0; 65], ..header() };
    assert!(matches!(begin(&many), Err(SaveError::Limit { limit: 64, .. })));
    let long = Header { clock: vec![0; 65_537], ..header() };
    assert!(matches!(begin(&long), Err(SaveError::Limit { limit: 65_536, .. })));
    let mut writer = begin(&header()).expect("it begins");
    assert!(matches!(writer.write(b"x"), Err(SaveError::NoSection)));
    writer.section(1, Codec::None).expect("a section");
    assert!(matches!(writer.section(1, Codec::None), Err(SaveError::SectionTwice { section: 1 })));
    (2..4097).for_each(|id| writer.section(id, Codec::None).expect("there is room"));
    assert!(matches!(writer.section(5000, Codec::None), Err(SaveError::Limit { limit: 4096, .. })));
    writer.commit().expect("what there is can be saved");
    assert_eq!(load(&*shelf.storage, &shelf.path(), &key()).expect("it loads").len(), 4096);
}

#[test]
fn a_sweep_removes_temporary_files_and_nothing_else() {
    on_both(|shelf| {
        save(&*shelf.storage, &shelf.path(), &header(), &key(), &assorted()).expect("it saves");
        for name in [".volume.snapshot.0123456789abcdef.tmp", ".other.0123456789abcdef.tmp", ".mine.tmp"] {
            let file = shelf.storage.create_new(&shelf.folder.join(name)).expect("it can be made");
            file.write_at(b"left", 0).expect("it can be written");
        }
        let now_ns = i64::MAX / 2;
        let young = sweep(&*shelf.storage, &shelf.folder, 0, Duration::from_secs(1)).expect("it sweeps");
        assert_eq!(young, Swept::default());
        let swept = sweep(&*shelf.storage, &shelf.folder, now_ns, Duration::from_secs(1)).expect("it sweeps");
        assert_eq!(swept.files, 2);
        assert_eq!(shelf.names(), [".mine.tmp", "volume.snapshot"]);
        assert_eq!(sweep(&*shelf.storage, &shelf.folder, 0, Duration::ZERO).expect("it sweeps").files, 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_sections_come_back(
        lens in prop::collection::vec((0..3usize, 0..3usize, 0..2 * CHUNK_BYTES, 0..4usize), 0..5),
        short_transfers: bool,
    ) {
        let contents: Contents = (0..).zip(&lens).map(|(id, &(codec, like, len, near))| {
            // Near multiples of a chunk more often than chance would have it.
            let len = if near == 0 { len / CHUNK_BYTES * CHUNK_BYTES + len % 3 } else { len / (near * near * 9) };
            let codec = [Codec::None, Codec::Lz4, Codec::Zstd][codec];
            let content = match like { 0 => noise(len as u64, len), 1 => prose(len as u64, len), _ => vec![5; len] };
            (id * 7, codec, content)
        }).collect();
        let shelf = Shelf::lying(Manners { short_transfers, syncs_lie: false });
        save(&*shelf.storage, &shelf.path(), &header(), &key(), &contents).expect("it saves");
        let found = load(&*shelf.storage, &shelf.path(), &key()).expect("it loads");
        prop_assert!(found == contents);
    }
}
