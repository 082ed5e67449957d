//! Volumes of the test kit: what is read from their records is what `ntfs-3g` shows.

use hearth_core::CancelToken;
use hearth_disks::ntfs::acts::{Actor, acts};
use hearth_disks::ntfs::{Form, Kind, Listing, NtfsImage, Row};
use hearth_ntfs::{Counters, FileReference, OpenFile, Visit, Volume, Which};
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashMap;
use std::fs::File;

/// The directory that holds all others.
const ROOT: u64 = 5;
/// Records below are those of the system.
const FIRST_USER: u64 = 24;

/// A name of a file, and what is known of the file.
struct Name {
    parent: FileReference,
    name: Vec<u8>,
    row: Row,
}

#[derive(Default)]
struct Names(HashMap<FileReference, Vec<Name>>);

impl Visit for Names {
    fn file(&mut self, file: &hearth_ntfs::File<'_>) {
        let sizes = |stream: &hearth_ntfs::Stream<'_>| (stream.name.to_bytes(), stream.data.size);
        let row = Row {
            kind: if file.is_dir { Kind::Folder } else { Kind::File },
            size: file.data.map_or(0, |data| data.size),
            modified_ns: file.standard.map_or(0, |standard| standard.modified_ns),
            number: file.reference.number(),
            sequence: file.reference.sequence(),
            links: u64::from(file.link_count),
            streams: file.streams.iter().map(sizes).collect(),
        };
        assert!(file.whole && file.in_use, "{row:?}");
        let name = |name: &hearth_ntfs::FileName<'_>| Name {
            parent: name.parent,
            name: name.name.to_bytes(),
            row: row.clone(),
        };
        self.0.insert(file.reference, file.links().map(name).collect());
    }
}

impl Names {
    /// The path of a directory, with a slash at its end; `None` for those of the system.
    fn folder(&self, reference: FileReference) -> Option<Vec<u8>> {
        if reference.number() == ROOT {
            return Some(Vec::new());
        }
        let name = self.0[&reference].first().filter(|_| reference.number() >= FIRST_USER)?;
        let mut path = self.folder(name.parent)?;
        path.extend_from_slice(&name.name);
        path.push(b'/');
        Some(path)
    }

    fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        for name in self.0.values().flatten().filter(|name| name.row.number >= FIRST_USER) {
            if let Some(mut path) = self.folder(name.parent) {
                path.extend_from_slice(&name.name);
                listing.insert(path, name.row.clone());
            }
        }
        listing
    }
}

fn read(image: &NtfsImage) -> Listing {
    let file = File::open(image.path()).expect("there");
    let len = file.metadata().expect("shown").len();
    let volume = Volume::open(OpenFile::new(file, len)).expect("a volume");
    let visitors = vec![Names::default(), Names::default()];
    let read = volume.read_all(visitors, Which::InUse, &Counters::default(), &CancelToken::new());
    let (visitors, report) = read.expect("readable");
    assert_eq!((report.torn, report.damaged, report.unreadable.len()), (0, 0, 0));
    Names(visitors.into_iter().flat_map(|names| names.0).collect()).listing()
}

/// The first difference is enough.
fn assert_same(found: &Listing, shown: &Listing) {
    let differing = found.iter().zip(shown).find(|(found, shown)| found != shown);
    assert!(differing.is_none(), "{differing:?}");
    assert_eq!(found.len(), shown.len());
}

fn check_filled(form: Form, bytes: u64, count: u64) {
    let Some(image) = NtfsImage::new(bytes, form) else { return };
    image.mount().fill(count, 3).expect("room");
    assert_same(&read(&image), &image.listing());
}

#[test]
fn a_filled_volume_is_read_as_ntfs_3g_shows_it() {
    for (sector_bytes, cluster_bytes) in [(512, 4096), (512, 512), (1024, 2048), (4096, 4096), (512, 65536)] {
        check_filled(Form { sector_bytes, cluster_bytes }, 160 << 20, 1200);
    }
}

#[test]
fn a_volume_of_200_000_files_is_read_as_ntfs_3g_shows_it() {
    check_filled(Form::default(), 4 << 30, 200_000);
}

#[test]
fn after_random_acts_a_volume_is_read_as_ntfs_3g_shows_it() {
    let Some(image) = NtfsImage::new(32 << 20, Form::default()) else { return };
    let config = Config { cases: 15, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&acts(50), |acts| {
        // What was done before stays: what is read must hold for any state.
        let mount = image.mount();
        let mut actor = Actor::new(&mount, image.form().record_bytes(), 2);
        for act in &acts {
            // What is not possible is not done.
            let _ = actor.run(act);
        }
        drop(mount);
        assert_same(&read(&image), &image.listing());
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}
