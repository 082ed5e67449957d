//! Kinds of files that random volumes do not have: deleted ones in parts, reparse points, compressed by WOF.

use crate::image::{self, Attribute, External, Image, Record, base, units};
use crate::rows::{self, Row};
use hearth_ntfs::{File, Target, Visit, Volume, Which};

const NUMBER: u64 = 30;

fn row(image: &Image, which: Which) -> Option<Row> {
    let volume = Volume::open(image.bytes.clone()).unwrap();
    let (rows, _) = rows::all(&volume, which, 1);
    rows.into_iter().find(|row| row.reference.number() == NUMBER)
}

fn named(text: &str) -> Vec<Attribute> {
    vec![image::standard(131_000_000_000_000_000, 0x20), image::file_name(5 << 48 | 5, 3, &units(text))]
}

fn reparse_value(tag: u32, data: &[u8]) -> Vec<u8> {
    let mut value = tag.to_le_bytes().to_vec();
    value.extend((data.len() as u32).to_le_bytes());
    value.extend(data);
    value
}

/// The form of a link: places of two names, flags, names.
fn link_data(substitute: &str, print: &str, flags: Option<u32>) -> Vec<u8> {
    let names: Vec<u8> =
        units(&format!("{substitute}{print}")).iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let middle = 2 * units(substitute).len() as u16;
    let mut data = Vec::new();
    for place in [0, middle, middle, names.len() as u16 - middle] {
        data.extend(place.to_le_bytes());
    }
    data.extend(flags.iter().flat_map(|flags| flags.to_le_bytes()));
    data.extend(names);
    data
}

/// What is told of a reparse point: its tag in words, and where it leads.
#[derive(Default)]
struct Points(Vec<(Option<&'static str>, String)>);

impl Visit for Points {
    fn file(&mut self, file: &File<'_>) {
        let Some(reparse) = file.reparse else { return };
        let text = |name: hearth_ntfs::Utf16<'_>| String::from_utf8(name.to_bytes()).unwrap();
        let target = match reparse.target() {
            Some(Target::Symlink { substitute, print, relative }) => {
                format!("{} {} {relative}", text(substitute), text(print))
            }
            Some(Target::MountPoint { substitute, print }) => format!("{} {}", text(substitute), text(print)),
            Some(Target::LxSymlink(path)) => String::from_utf8(path.to_vec()).unwrap(),
            Some(Target::AppExecLink { package, entry, path }) => {
                format!("{} {} {}", text(package), text(entry), text(path))
            }
            None => String::new(),
        };
        self.0.push((reparse.tag_name(), target));
    }
}

fn point(tag: u32, data: &[u8]) -> (Option<&'static str>, String) {
    let mut attributes = named("link");
    attributes.push(image::resident(image::REPARSE, &[], &reparse_value(tag, data)));
    let volume = Volume::open(image::volume(&[(NUMBER, base(1, attributes))]).bytes).unwrap();
    let mut points = Points::default();
    volume.read_some(&[NUMBER], &mut points, &hearth_core::CancelToken::new()).unwrap();
    points.0.remove(0)
}

#[test]
fn reparse_points_tell_where_they_lead() {
    let symlink = point(0xa000_000c, &link_data("..\\a", "a", Some(1)));
    assert_eq!(symlink, (Some("SYMLINK"), "..\\a a true".to_owned()));
    let absolute = point(0xa000_000c, &link_data("\\??\\C:\\a", "C:\\a", Some(0)));
    assert_eq!(absolute, (Some("SYMLINK"), "\\??\\C:\\a C:\\a false".to_owned()));
    let junction = point(0xa000_0003, &link_data("\\??\\C:\\b", "", None));
    assert_eq!(junction, (Some("MOUNT_POINT"), "\\??\\C:\\b ".to_owned()));
    assert_eq!(point(0xa000_001d, b"\x02\0\0\0../x"), (Some("LX_SYMLINK"), "../x".to_owned()));
    let texts: Vec<u8> = units("pkg\0app\0C:\\x.exe\0").iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let app = [3, 0, 0, 0].into_iter().chain(texts).collect::<Vec<_>>();
    assert_eq!(point(0x8000_001b, &app), (Some("APPEXECLINK"), "pkg app C:\\x.exe".to_owned()));
    for (tag, name) in [(0x9000_701a, "CLOUD"), (0x8000_0013, "DEDUP"), (0x8000_0017, "WOF")] {
        assert_eq!(point(tag, &[]), (Some(name), String::new()));
    }
    assert_eq!(point(0x1234, &[]), (None, String::new()));
    assert_eq!(point(0xa000_000c, &link_data("..\\a", "a", Some(1))[..14]).1, "");
}

#[test]
fn a_reparse_point_in_clusters_is_read() {
    let value = reparse_value(0xa000_000c, &link_data(&"long\\".repeat(500), "a", Some(1)));
    let mut attributes = named("link");
    let place = External::plain(value.len() as u64, 4096, vec![(Some(100), 1), (Some(103), 1)]);
    attributes.push(image::external(image::REPARSE, &[], &place));
    let mut image = image::volume(&[(NUMBER, base(1, attributes))]);
    image.write(&place.extents, &value);
    let row = row(&image, Which::InUse).unwrap();
    assert_eq!(row.reparse, Some((0xa000_000c, value[8..].to_vec())));
    assert!(row.whole);
}

#[test]
fn a_file_compressed_by_wof_takes_what_its_hidden_stream_takes() {
    let mut attributes = named("a.dll");
    let holes = External { sparse_bytes: Some(0), ..External::plain(1_000_000, 4096, vec![(None, 245)]) };
    attributes.push(image::external(image::DATA, &[], &holes));
    let packed = External::plain(300_000, 4096, vec![(Some(100), 1)]);
    attributes.push(image::external(image::DATA, &units("WofCompressedData"), &packed));
    let stream_alone = attributes.clone();
    attributes.push(image::resident(image::REPARSE, &[], &reparse_value(0x8000_0017, &[0; 16])));
    let wof = row(&image::volume(&[(NUMBER, base(1, attributes))]), Which::InUse).unwrap();
    assert_eq!(wof.streams, []);
    assert_eq!(wof.data.map(|data| (data.size, data.allocated)), Some((1_000_000, 303_104)));
    let other = row(&image::volume(&[(NUMBER, base(1, stream_alone))]), Which::InUse).unwrap();
    assert_eq!((other.streams.len(), other.data.unwrap().allocated), (1, 0));
}

/// A file in a base and an extension record, as both are left when it is deleted, or with other sequences.
fn deleted_in_parts(base_sequence: u16, piece_sequence: u16, piece_in_use: bool) -> Image {
    let name = image::file_name(5 << 48 | 5, 1, &units("in the extension"));
    let own = image::standard(131_000_000_000_000_000, 0x20);
    let list = image::list_value(&[(&own, 4 << 48 | NUMBER), (&name, 9 << 48 | 40)]);
    let attributes = vec![own, image::resident(image::LIST, &[], &list)];
    let flags = if piece_in_use { image::IN_USE } else { 0 };
    let whole = Record { flags: 0, ..base(base_sequence, attributes) };
    let piece =
        Record { sequence: piece_sequence, flags, links: 0, base: 4 << 48 | NUMBER, attributes: vec![name] };
    image::volume(&[(NUMBER, whole), (40, piece)])
}

#[test]
fn a_deleted_file_keeps_its_parts_until_they_are_used_again() {
    let told = row(&deleted_in_parts(5, 10, false), Which::All).unwrap();
    assert!(!told.in_use && told.whole);
    assert_eq!(told.names[0].name, b"in the extension");
    for other in
        [deleted_in_parts(6, 10, false), deleted_in_parts(5, 11, false), deleted_in_parts(5, 10, true)]
    {
        let told = row(&other, Which::All).unwrap();
        assert_eq!((told.names.len(), told.whole), (0, false));
    }
    assert_eq!(row(&deleted_in_parts(5, 10, false), Which::InUse), None);
}

#[test]
fn a_file_whose_list_cannot_be_read_is_joined_by_what_its_parts_say() {
    let name = image::file_name(5 << 48 | 5, 1, &units("name"));
    let beyond = External::plain(64, 4096, vec![(Some(5000), 1)]);
    let list = image::external(image::LIST, &[], &beyond);
    let own = base(4, vec![image::standard(131_000_000_000_000_000, 0x20), list]);
    let piece = Record { base: 4 << 48 | NUMBER, ..base(1, vec![name]) };
    let told = row(&image::volume(&[(NUMBER, own), (40, piece)]), Which::InUse).unwrap();
    assert_eq!((told.names.len(), told.whole), (1, false));
}

#[test]
fn the_bad_clusters_of_a_volume_take_what_is_bad() {
    let stream = External::plain(500_000, 4096, vec![(None, 60), (Some(99), 2), (None, 61)]);
    let bad = image::external(image::DATA, &units("$Bad"), &stream);
    let record = base(8, [named("$BadClus"), vec![bad]].concat());
    let volume = Volume::open(image::volume(&[(8, record)]).bytes).unwrap();
    let (rows, _) = rows::some(&volume, &[8]);
    assert_eq!(rows[0].streams[0].1.allocated, 2 * 4096);
}

#[test]
fn a_compressed_content_takes_what_its_clusters_take() {
    let value = External {
        sparse_bytes: Some(8192),
        ..External::plain(60_000, 4096, vec![(Some(100), 2), (None, 14)])
    };
    let mut content = image::external(image::DATA, &[], &value);
    content.bytes[12..14].copy_from_slice(&[1, 0]);
    let told =
        row(&image::volume(&[(NUMBER, base(1, [named("a"), vec![content.clone()]].concat()))]), Which::InUse);
    let data = told.unwrap().data.unwrap();
    assert_eq!((data.size, data.allocated), (60_000, 8192));
    assert_eq!((data.compressed, data.sparse, data.encrypted, data.resident), (true, false, false, false));
    content.bytes[12..14].copy_from_slice(&[0, 0x40]);
    let told = row(&image::volume(&[(NUMBER, base(1, [named("a"), vec![content]].concat()))]), Which::InUse);
    let data = told.unwrap().data.unwrap();
    assert_eq!((data.allocated, data.compressed, data.encrypted), (61_440, false, true));
}

#[test]
fn what_is_compressed_or_lies_outside_of_a_bare_record_file_is_refused() {
    use hearth_ntfs::ReadAt;
    let mut compressed =
        image::external(image::DATA, &[], &External::plain(5000, 4096, vec![(Some(100), 2)]));
    compressed.bytes[12] = 1;
    let record = base(1, [named("a"), vec![compressed]].concat());
    let image = image::volume(&[(NUMBER, record)]);
    let volume = Volume::open(image.bytes.clone()).unwrap();
    let content = volume.content(NUMBER, "").unwrap().unwrap();
    assert_eq!(content.len(), 5000);
    let error = content.read_exact_at(0, &mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    let mft = image.bytes[8 * 4096..24 * 4096].to_vec();
    let volume = Volume::open_mft(mft).unwrap();
    let error = volume.content(0, "").unwrap().unwrap().read_exact_at(0, &mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert!(volume.content(NUMBER, "no such stream").unwrap().is_none());
    assert!(volume.content(31, "").unwrap().is_none());
}

#[test]
fn long_unused_stretches_are_not_read() {
    let mut image = image::volume(&[(NUMBER, base(1, named("a")))]);
    let mut record = base(1, named("$MFT"));
    let count = 40_u64 << 10;
    let clusters = count / 4;
    let extents = vec![(Some(8), clusters)];
    record.attributes.push(image::external(image::DATA, &[], &External::plain(count << 10, 4096, extents)));
    let used: Vec<u8> = (0..count / 8).map(|byte| if byte < 4 || byte == 5000 { 0xff } else { 0 }).collect();
    let place = External::plain(used.len() as u64, 4096, vec![(Some(12_000), 2)]);
    record.attributes.push(image::external(image::BITMAP, &[], &place));
    image.bytes.resize(12_010 * 4096, 0);
    image.bytes[0x28..0x30].copy_from_slice(&(12_010_u64 * 8).to_le_bytes());
    image.bytes[8 * 4096..8 * 4096 + 1024].copy_from_slice(&record.bytes(1024));
    image.write(&place.extents, &used);
    let far = base(1, named("far")).bytes(1024);
    let at = 8 * 4096 + 40_003 * 1024;
    image.bytes[at..at + 1024].copy_from_slice(&far);
    let volume = Volume::open(image.bytes).unwrap();
    let (rows, report) = rows::all(&volume, Which::InUse, 2);
    assert_eq!(rows.last().unwrap().reference.number(), 40_003);
    assert_eq!((report.records, report.skipped_bytes), (40, (count - 40) << 10));
    assert_eq!(rows::all(&volume, Which::All, 2).1.records, count);
}
