//! The samples, unpacked into memory or, where they are large, into a file with holes.

use hearth_ntfs::OpenFile;
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
