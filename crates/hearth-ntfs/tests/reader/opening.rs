//! Volumes are found, whatever their sizes are and whichever copy of their first sectors is left.

use crate::{image, samples};
use hearth_ntfs::{NtfsError, ReadAt, Volume};

#[test]
fn every_sample_opens_and_maps_its_records() {
    let cases = [
        ("vol/testfs1_512dirs.dd", 512, 512, 1024),
        ("vol/empty_cyrillic_label.img", 512, 4096, 1024),
        ("vol/ntfs3_driver.raw", 512, 4096, 1024),
        ("vol/dftt7_undelete.dd", 512, 1024, 1024),
        ("vol/partition_8mib.dd", 512, 4096, 1024),
    ];
    for (name, sector, cluster, record) in cases {
        let volume = Volume::open(samples::bytes(name)).unwrap();
        let geometry = volume.geometry();
        let sizes = (geometry.sector_bytes, geometry.cluster_bytes, geometry.record_bytes);
        assert_eq!(sizes, (sector, cluster, record), "{name}");
        assert!(volume.record_count() > 24, "{name}: {}", volume.record_count());
        let bitmap = volume.bitmap().unwrap().unwrap();
        assert_eq!(bitmap.len() as u64, volume.record_count().div_ceil(8), "{name}");
        assert_eq!(bitmap[0], 0xff, "{name}");
        let upcase = volume.content(10, "").unwrap().unwrap();
        let mut letters = [0; 128];
        upcase.read_exact_at(128, &mut letters).unwrap();
        assert_eq!((upcase.len(), letters[2 * 0x21], letters[2 * 0x3b]), (128 << 10, b'A', 0x7b), "{name}");
    }
}
#[test]
fn the_copy_of_the_boot_sector_serves() {
    let mut image = samples::bytes("vol/partition_8mib.dd");
    let whole = Volume::open(image.clone()).unwrap().geometry().clone();
    image[..512].fill(0);
    assert_eq!(*Volume::open(image.clone()).unwrap().geometry(), whole);
    let last = image.len() - 512;
    image[last..].fill(0);
    let error = Volume::open(image).unwrap_err();
    assert!(matches!(error, NtfsError::NotNtfs(_)), "{error}");
}

/// Sizes that the boot sector of a sample gives: a volume whose first records are where it says.
fn sizes_of(boot: &[u8]) -> (u32, u64, u32) {
    let opened = Volume::open(WithBoot(boot.to_vec()));
    let volume = opened.unwrap();
    let geometry = volume.geometry();
    (geometry.sector_bytes, geometry.cluster_bytes, geometry.record_bytes)
}

/// A boot sector, and at every other place a `$MFT` record that maps itself.
struct WithBoot(Vec<u8>);

impl ReadAt for WithBoot {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        if offset == 0 {
            out.copy_from_slice(&self.0[..out.len()]);
            return Ok(());
        }
        let content = image::External::plain(1 << 20, 256, vec![(Some(1), 1)]);
        let content = image::external(image::DATA, &[], &content);
        out.copy_from_slice(&image::base(1, vec![content]).bytes(out.len()));
        Ok(())
    }

    fn len(&self) -> u64 {
        1 << 40
    }
}

#[test]
fn boot_sectors_of_all_sizes_are_understood() {
    let cases = [
        ("boot_512.bin", (512, 512, 1024)),
        ("boot_4k.bin", (512, 4096, 1024)),
        ("boot_4kn.bin", (4096, 4096, 4096)),
        ("boot_64k.bin", (512, 65_536, 1024)),
        ("boot_128k.bin", (512, 131_072, 1024)),
        ("boot_nobootcode.bin", (512, 4096, 1024)),
    ];
    for (name, sizes) in cases {
        assert_eq!(sizes_of(&samples::bytes(&format!("rec/{name}"))), sizes, "{name}");
    }
    let mut boot = samples::bytes("rec/boot_64k.bin");
    boot[0x0d] = 0xf4;
    assert_eq!(sizes_of(&boot), (512, 2 << 20, 1024));
    for (place, value) in [(0x0d, 0xf3), (0x0d, 0), (0x0d, 3), (0x0b, 1), (0x40, 0), (0x40, 0xe0), (3, b'n')]
    {
        let mut wrong = boot.clone();
        wrong[place] = value;
        assert!(matches!(Volume::open(wrong), Err(NtfsError::NotNtfs(_))), "{value} at {place}");
    }
}

#[test]
fn a_volume_says_what_it_is() {
    let information =
        Volume::open(samples::bytes("vol/empty_cyrillic_label.img")).unwrap().information().unwrap();
    assert_eq!(String::from_utf8(information.label.clone()).unwrap(), "Новый том");
    assert_eq!(information.version, (3, 1));
    assert!(!information.is_dirty());
}

#[test]
fn what_was_never_written_of_a_large_file_reads_as_zeroes() {
    let disk = samples::Sparse::from_archive("sparse/large_file_small_init.tar");
    let stored: Vec<u8> = (0..4)
        .flat_map(|piece| disk.0.iter().find(|(at, _)| *at == 0x1109_b000 + piece * 1024))
        .flat_map(|(_, bytes)| bytes.clone())
        .collect();
    assert_eq!(stored.len(), 4096);
    let volume = Volume::open(disk).unwrap();
    let content = volume.content(46, "").unwrap().unwrap();
    assert_eq!((content.len(), content.initialised(), content.first_stored()), (1 << 20, 4096, 0));
    assert_eq!(content.runs()[0].lcn, Some(69_787));
    let read = content.read_up_to(u64::MAX).unwrap();
    assert!(read[..4096] == stored && read[4096..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_bare_record_file_may_begin_with_damage() {
    let mut bytes = samples::bytes("mft/nist_dfr16.mft");
    let count = Volume::open_mft(bytes.clone()).unwrap().record_count();
    assert_eq!(count, 154);
    bytes[..4096].fill(0xaa);
    let volume = Volume::open_mft(bytes).unwrap();
    assert_eq!((volume.geometry().record_bytes, volume.record_count()), (1024, count));
    assert_eq!(volume.bitmap().unwrap(), None);
    assert!(matches!(Volume::open_mft(vec![1; 5000]), Err(NtfsError::NotNtfs(_))));
    assert!(matches!(Volume::open(Vec::new()), Err(NtfsError::NotNtfs(_))));
}
