//! What was deleted is found where it was, and nowhere else.

use crate::world::{World, patience};
use hearth_disks::ntfs::{Form, NtfsImage};
use hearth_service::ServiceError;
use hearth_service::api::FindRequest;
use std::fs;

const FORM: Form = Form { sector_bytes: 512, cluster_bytes: 4096 };

#[test]
fn deleted_files_are_found_under_the_names_they_had() {
    let Some(image) = NtfsImage::new(32 << 20, FORM) else { return };
    {
        let mount = image.mount();
        let at = |name: &str| mount.root().join(name);
        fs::create_dir_all(at("kept/gone")).expect("made");
        for name in ["kept/a.txt", "kept/b.txt", "kept/gone/c.txt", "d.txt"] {
            fs::write(at(name), name).expect("written");
        }
        fs::remove_file(at("kept/b.txt")).expect("removed");
        fs::remove_dir_all(at("kept/gone")).expect("removed");
        fs::remove_file(at("d.txt")).expect("removed");
    }
    let world = World::new();
    let source = world.add(&image.path()).remove(0);
    let present: Vec<Vec<u8>> = world.find(&source, "*.txt", None).0.into_keys().collect();
    assert_eq!(present, [b"/kept/a.txt"]);
    let (deleted, meta) = world.find(&source, "deleted: *.txt", None);
    let paths: Vec<String> = deleted.keys().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
    assert_eq!(paths, ["/d.txt", "/kept/b.txt", "/kept/gone/c.txt"], "{meta:?}");
    assert!(deleted.values().flatten().all(|facts| facts.size == 5 || facts.size > 9));
    // Folders that are still there are no answer.
    let folders: Vec<Vec<u8>> = world.find(&source, "deleted: type:dir", None).0.into_keys().collect();
    assert_eq!(folders, [b"/kept/gone"]);
    assert_eq!(world.service.list(), std::slice::from_ref(&source), "it is on no list");
    world.service.forget(source.name.as_bytes(), true).expect("forgotten");
    assert!(world.service.status().shards.is_empty());
}

#[test]
fn every_file_that_had_a_name_is_found() {
    let Some(image) = NtfsImage::new(32 << 20, FORM) else { return };
    {
        let mount = image.mount();
        let keep = |number: u32| mount.root().join(format!("keep {number}"));
        // Each keeps its record while the next one of the same name gets another.
        for number in 0..3 {
            fs::write(mount.root().join("same"), vec![b'x'; number as usize + 1]).expect("written");
            fs::write(keep(number), "x").expect("written");
            let moved = mount.root().join(format!("same {number}"));
            fs::rename(mount.root().join("same"), &moved).expect("renamed");
        }
        for number in 0..3 {
            let moved = mount.root().join(format!("same {number}"));
            fs::rename(&moved, mount.root().join("same")).expect("renamed");
            fs::remove_file(mount.root().join("same")).expect("removed");
        }
    }
    let world = World::new();
    let source = world.add(&image.path()).remove(0);
    let (found, _) = world.find(&source, "deleted: =same", None);
    let mut sizes: Vec<u64> = found.values().flatten().map(|facts| facts.size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2, 3]);
}

#[test]
fn only_disks_tell_what_was_deleted() {
    let world = World::new();
    let request = FindRequest { query: "deleted:".into(), ..FindRequest::default() };
    let error = world.service.find(&request, &patience(), &mut Nobody).unwrap_err();
    assert!(matches!(error, ServiceError::BadRequest { .. }), "{error}");
}

struct Nobody;

impl hearth_service::api::RowSink for Nobody {
    fn rows(&mut self, _: hearth_service::api::Rows<'_>) -> Result<(), hearth_service::api::SinkClosed> {
        unreachable!("nothing is found")
    }
}
