//! The writer and the page agree: files are taken apart and put together by code written from the page.

use crate::desk::*;
use crate::page::{self, Recipe};
use hearth_snapshot::*;
use std::path::Path;

fn write(contents: &Contents) -> Vec<u8> {
    let disk = LyingDisk::new(3, Manners::default());
    save(&disk, Path::new("/s"), &header(), &key(), contents).expect("it saves");
    disk.get(Path::new("/s")).expect("it is there")
}

fn read(file: &[u8]) -> Result<Contents, LoadError> {
    let disk = LyingDisk::new(3, Manners::default());
    disk.put(Path::new("/s"), file, 0o600);
    load(&disk, Path::new("/s"), &key())
}

fn page_header() -> Vec<u8> {
    page::header(&[3, 1 << 40], IDENTITY, b"clock 42", EPOCH)
}

#[test]
fn what_is_written_is_what_the_page_says() {
    let long = prose(1, CHUNK_BYTES + 10_000);
    let contents = vec![
        (9, Codec::None, b"plain".to_vec()),
        (8, Codec::Zstd, long.clone()),
        (7, Codec::Lz4, Vec::new()),
        (6, Codec::Lz4, noise(1, 50)),
    ];
    let parts = page::take_apart(&write(&contents), &[true, false, true, true]);
    assert_eq!(parts.header, page_header());
    let stored: Vec<u32> = parts.records.iter().map(|record| record.len() as u32 + 16).collect();
    let claims = [(9, 0, 5), (8, 2, long.len() as u64), (7, 1, 0), (6, 1, 50)];
    assert_eq!(parts.table, page::table(&claims, 4, &stored));
    assert_eq!(parts.records[0], b"plain");
    let unzip = |record: &[u8]| zstd::bulk::decompress(&record[4..], CHUNK_BYTES).expect("one frame");
    let unzipped = [unzip(&parts.records[1]), unzip(&parts.records[2])].concat();
    assert!(unzipped == long);
    assert_eq!(parts.records[3], [&[50, 0, 0, 0], &noise(1, 50)[..]].concat(), "stored as it is");
}

#[test]
fn what_the_page_says_is_read() {
    let (zeros, text) = (vec![0; CHUNK_BYTES], prose(5, 5000));
    let frame = zstd::bulk::compress(&zeros, 1).expect("it compresses");
    let mut padded = [&(frame.len() as u32).to_le_bytes()[..], &frame].concat();
    padded.resize(CHUNK_BYTES / 64, 0xee);
    let block = lz4_flex::block::compress(&text);
    let block = [&(block.len() as u32).to_le_bytes()[..], &block].concat();
    let records = vec![(padded.clone(), false), (padded, true), (block, true), (b"abc".to_vec(), true)];
    let claims = [(1, 2, 2 * CHUNK_BYTES as u64), (2, 1, 5000), (3, 0, 3)];
    let found = read(&Recipe::new(page_header(), &claims, records).put_together()).expect("it loads");
    assert!(found[0].2 == [&zeros[..], &zeros].concat());
    assert_eq!(found[1..], [(2, Codec::Lz4, text), (3, Codec::None, b"abc".to_vec())]);
}

#[test]
fn nothing_repeats_between_two_saves_of_the_same() {
    let contents = vec![(1, Codec::None, vec![0; 4096])];
    let disk = LyingDisk::new(3, Manners::default());
    let files = ["/a", "/b"].map(|path| {
        save(&disk, Path::new(path), &header(), &key(), &contents).expect("it saves");
        disk.get(Path::new(path)).expect("it is there")
    });
    let sealed = files.map(|file| file[page::HEADER_AT..file.len() - 24].to_vec());
    let same = sealed[0].windows(8).filter(|window| sealed[1].windows(8).any(|other| other == *window));
    assert_eq!(same.count(), 0);
}
