//! Volumes are found, whatever their sizes are and whichever copy of their first sectors is left.

use crate::samples;
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
