//! What is asked of the disk: everything once, and no more than the input justifies.
//!
//! Counted where the volume reads, so that neither time nor caches have a say.

use crate::image::{self, External, Image, base};
use crate::rows;
use hearth_ntfs::{ReadAt, Volume, Which};
use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keeps what is asked.
struct Watched {
    bytes: Vec<u8>,
    read: Mutex<Vec<Range<u64>>>,
    read_bytes: AtomicU64,
}

impl Watched {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, read: Mutex::default(), read_bytes: AtomicU64::new(0) }
    }

    /// Forgets what was read so far.
    fn begin(&self) {
        self.read.lock().unwrap().clear();
        self.read_bytes.store(0, Ordering::Relaxed);
    }

    /// What was read, ascending.
    fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges = self.read.lock().unwrap().clone();
        ranges.sort_by_key(|range| range.start);
        ranges
    }
}

impl ReadAt for Watched {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_bytes.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.read.lock().unwrap().push(offset..offset + out.len() as u64);
        self.bytes.read_exact_at(offset, out)
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A volume whose `$MFT` of `count` records lies in two runs.
fn large(count: u64) -> Image {
    let mut image = image::volume(&[]);
    let clusters = count / 4;
    let extents = vec![(Some(8), clusters / 2), (Some(40 + clusters / 2), clusters - clusters / 2)];
    let content = image::external(image::DATA, &[], &External::plain(count << 10, 4096, extents));
    let record = base(1, vec![image::standard(131_000_000_000_000_000, 6), content]);
    image.bytes.resize((clusters as usize + 50) * 4096, 0);
    image.bytes[0x28..0x30].copy_from_slice(&((clusters + 50) * 8).to_le_bytes());
    image.bytes[8 * 4096..8 * 4096 + 1024].copy_from_slice(&record.bytes(1024));
    image
}

#[test]
fn every_part_of_the_table_is_read_once() {
    let volume = Volume::open(Watched::new(large(40_000).bytes)).unwrap();
    volume.reader().begin();
    rows::all(&volume, Which::All, 2);
    let ranges = volume.reader().ranges();
    let (start, half) = (8 * 4096, 5000 * 4096);
    let ends = ranges.windows(2).filter(|pair| pair[0].end != pair[1].start);
    let gaps: Vec<_> = ends.map(|pair| pair[0].end..pair[1].start).collect();
    assert_eq!((gaps.len(), &gaps[0]), (1, &(start + half..40 * 4096 + half)));
    assert_eq!((ranges[0].start, ranges.last().unwrap().end), (start, 40 * 4096 + 2 * half));
}

#[test]
fn files_that_share_a_long_list_are_read_in_time() {
    // All other records name the same list, which is as long as a list can be.
    let list = External { extents: vec![(Some(100), 20); 12], ..External::plain(900_000, 4096, Vec::new()) };
    let list = image::external(image::LIST, &[], &list);
    let record = base(1, vec![image::standard(131_000_000_000_000_000, 6), list]);
    let records: Vec<_> = (16..64).map(|number| (number, record.clone())).collect();
    let mut image = image::volume(&records);
    let name = image::file_name(0, 0, &[65]);
    let entries: Vec<_> = (0..2000).map(|number| (&name, 1 << 48 | (64 + number))).collect();
    image.write(&[(Some(100), 20)], &image::list_value(&entries));
    let volume = Volume::open(Watched::new(image.bytes)).unwrap();
    volume.reader().begin();
    let (_, report) = rows::all(&volume, Which::InUse, 1);
    assert_eq!(report.not_whole, 48);
    let read = volume.reader().read_bytes.load(Ordering::Relaxed);
    assert!(read < 64 * 20_000, "{read} bytes for 64 records");
}
