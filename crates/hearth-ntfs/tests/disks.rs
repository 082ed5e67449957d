//! Partition tables that `sfdisk` writes, with volumes that `mkntfs` makes in them.

use hearth_disks::ntfs::{Form, NtfsImage};
use hearth_ntfs::partitions::{self, Place, Scheme};
use hearth_ntfs::{OpenFile, Volume, Window};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

const MIB: u64 = 1 << 20;

/// A table on an empty disk of 100 MiB; false, and a word, where it cannot be made.
fn partitioned(disk: &Path, script: &str) -> bool {
    File::create(disk).and_then(|file| file.set_len(100 * MIB)).expect("room");
    let sfdisk = Command::new("sfdisk").arg("--quiet").arg(disk).stdin(Stdio::piped()).spawn();
    let Ok(mut sfdisk) = sfdisk else {
        hearth_disks::left_out("a test of partition tables", "there is no sfdisk");
        return false;
    };
    sfdisk.stdin.take().expect("piped").write_all(script.as_bytes()).expect("taken");
    assert!(sfdisk.wait().expect("it ran").success());
    true
}

fn open(disk: &Path) -> OpenFile {
    OpenFile::new(File::open(disk).expect("there"), 100 * MIB)
}

/// Copies a volume into each place, and finds them again.
fn check(script: &str, scheme: Scheme, expected: &[(u32, u64, u64)]) {
    let Some(image) = NtfsImage::new(8 * MIB, Form::default()) else { return };
    let disk = image.beside().join("disk");
    if !partitioned(&disk, script) {
        return;
    }
    assert_eq!(partitions::volumes(&open(&disk)), [], "nothing is in them yet");
    let volume = std::fs::read(image.path()).expect("read");
    let writing = File::options().write(true).open(&disk).expect("there");
    for (_, start, _) in expected {
        writing.write_all_at(&volume, start * MIB).expect("room");
    }
    let place = |&(number, start, len)| Place { partition: Some(number), start: start * MIB, len: len * MIB };
    let found = partitions::volumes(&open(&disk));
    assert_eq!(found, expected.iter().map(place).collect::<Vec<_>>());
    assert!(partitions::of(&open(&disk)).iter().all(|partition| partition.scheme == scheme));
    for Place { start, len, .. } in found {
        let volume = Volume::open(Window::new(open(&disk), start, len)).expect("a volume");
        assert_eq!(volume.information().expect("readable").label, b"hearth");
    }
}

#[test]
fn volumes_in_a_gpt_are_found() {
    let script =
        "label: gpt\nstart=2MiB, size=10MiB\nstart=20MiB, size=8MiB, type=linux\nstart=40MiB, size=16MiB\n";
    check(script, Scheme::Gpt, &[(1, 2, 10), (2, 20, 8), (3, 40, 16)]);
}

#[test]
fn primary_and_logical_volumes_are_found() {
    let script = "label: dos\nstart=1MiB, size=10MiB, type=7\nstart=20MiB, size=70MiB, type=5\n\
                  start=21MiB, size=9MiB, type=7\nstart=40MiB, size=8MiB, type=83\nstart=60MiB, size=9MiB, type=7\n";
    check(script, Scheme::Mbr, &[(1, 1, 10), (5, 21, 9), (6, 40, 8), (7, 60, 9)]);
}

#[test]
fn a_volume_is_found_by_the_copy_of_its_boot_sector() {
    let Some(image) = NtfsImage::new(8 * MIB, Form::default()) else { return };
    let disk = image.beside().join("disk");
    if !partitioned(&disk, "label: gpt\nstart=2MiB, size=8MiB\n") {
        return;
    }
    let volume = std::fs::read(image.path()).expect("read");
    File::options()
        .write(true)
        .open(&disk)
        .expect("there")
        .write_all_at(&volume[512..], 2 * MIB + 512)
        .expect("room");
    let place = Place { partition: Some(1), start: 2 * MIB, len: 8 * MIB };
    assert_eq!(partitions::volumes(&open(&disk)), [place]);
}
