//! The samples, unpacked into memory or, where they are large, into a file with holes.

use hearth_ntfs::{OpenFile, ReadAt};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The bytes of a sample; `name` without `.zst` is unpacked.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let packed = path(&format!("{name}.zst"));
    if packed.exists() {
        zstd::decode_all(File::open(packed).unwrap()).unwrap()
    } else {
        std::fs::read(path(name)).unwrap()
    }
}

/// A large sample as an open file. What is zero in it is a hole.
pub(crate) fn file(name: &str) -> OpenFile {
    let mut packed = zstd::Decoder::new(File::open(path(&format!("{name}.zst"))).unwrap()).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let mut piece = vec![0; 1 << 20];
    let mut len = 0;
    loop {
        let count = fill(&mut packed, &mut piece).unwrap();
        if count == 0 {
            break;
        }
        if piece[..count].iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(len)).unwrap();
            file.write_all(&piece[..count]).unwrap();
        }
        len += count as u64;
    }
    file.set_len(len).unwrap();
    OpenFile::new(file, len)
}

fn fill(from: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match from.read(&mut out[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Pieces of a disk at their offsets, zeroes between them.
pub(crate) struct Sparse(pub(crate) Vec<(u64, Vec<u8>)>);

impl Sparse {
    /// From an archive whose members are named by their offsets.
    pub(crate) fn from_archive(name: &str) -> Self {
        let archive = bytes(name);
        let (mut pieces, mut at) = (Vec::new(), 0);
        while let Some(header) = archive.get(at..at + 512).filter(|header| header[0] != 0) {
            let text = |range: std::ops::Range<usize>| {
                String::from_utf8_lossy(&header[range]).trim_end_matches('\0').trim().to_owned()
            };
            let len = usize::from_str_radix(&text(124..135), 8).unwrap();
            let name = text(0..100);
            let offset = name.split('/').next_back().and_then(|name| name.strip_suffix(".bin"));
            if let Some(offset) = offset.and_then(|offset| offset.strip_prefix("0x")) {
                let offset = u64::from_str_radix(offset, 16).unwrap();
                pieces.push((offset, archive[at + 512..at + 512 + len].to_vec()));
            }
            at += 512 + len.next_multiple_of(512);
        }
        Self(pieces)
    }
}

impl ReadAt for Sparse {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.fill(0);
        for (at, byte) in (offset..).zip(out) {
            let holds = |(start, bytes): &&(u64, Vec<u8>)| (*start..start + bytes.len() as u64).contains(&at);
            if let Some((start, bytes)) = self.0.iter().find(holds) {
                *byte = bytes[(at - start) as usize];
            }
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        1 << 36
    }
}
