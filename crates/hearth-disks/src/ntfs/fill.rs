//! Files of every sort that readers of NTFS stumble over.
//!
//! Many plain ones, a few of each rare sort, and gaps in the table of records where files were deleted. The same
//! seed makes the same volume.

use super::image::Mount;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Names of one file that no record has room for.
const MANY_LINKS: usize = 150;
/// Depth of the deepest folder.
const DEPTH: usize = 120;
/// Files in a folder.
const FOLDER_FILES: u64 = 500;

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

impl Mount {
    /// Makes `count` files with a few folders, then what is rare: a file of many names, streams, holes, names as
    /// long as they may be, names beyond 16 bits, a deep tree. A tenth of the files is deleted again.
    ///
    /// # Errors
    /// As writing; the volume is too small.
    pub fn fill(&self, count: u64, seed: u64) -> io::Result<()> {
        let mut dice = Dice::new(seed);
        let top = self.root().join("many");
        plain_files(&top, count, &mut dice)?;
        rare_files(&self.root().join("rare"))?;
        for file in (0..count).filter(|_| dice.below(10) == 0) {
            fs::remove_file(plain_path(&top, file))?;
        }
        Ok(())
    }
}

fn plain_path(top: &Path, file: u64) -> PathBuf {
    top.join(format!("folder {}", file / FOLDER_FILES)).join(format!("file {file}.{}", file % 7))
}

fn plain_files(top: &Path, count: u64, dice: &mut Dice) -> io::Result<()> {
    for file in 0..count {
        let path = plain_path(top, file);
        if file.is_multiple_of(FOLDER_FILES) {
            fs::create_dir_all(path.parent().expect("below the top"))?;
        }
        // Small ones lie in the record, larger ones do not.
        let size = if dice.below(20) == 0 { dice.below(20_000) } else { dice.below(300) };
        fs::write(&path, vec![b'x'; size as usize])?;
        match dice.below(100) {
            0 => fs::hard_link(&path, top.join(format!("link {file}")))?,
            1 | 2 => fs::write(Mount::stream(&path, "side"), "a stream")?,
            _ => {}
        }
    }
    Ok(())
}

fn rare_files(top: &Path) -> io::Result<()> {
    fs::create_dir(top)?;
    let linked = top.join("linked");
    fs::write(&linked, "many names")?;
    for link in 0..MANY_LINKS {
        fs::hard_link(&linked, top.join(format!("one of the many names of a file, number {link}")))?;
    }
    let streamed = top.join("streamed");
    fs::write(&streamed, "")?;
    for stream in 0..40_usize {
        File::create(Mount::stream(&streamed, &format!("stream {stream}")))?
            .write_all(&vec![b's'; stream * 97])?;
    }
    sparse(&top.join("sparse"))?;
    for name in [
        "n".repeat(255),
        "\u{e4}".repeat(255),
        "\u{1f600}".repeat(120),
        "\u{4e2d}\u{6587} \u{10348}".to_owned(),
    ] {
        fs::write(top.join(&name), name.as_bytes())?;
    }
    let deep: PathBuf = (0..DEPTH).map(|level| format!("level {level}")).collect();
    fs::create_dir_all(top.join(&deep))?;
    fs::write(top.join(deep).join("bottom"), "deep")
}

/// Starts and ends with bytes, a hole between.
fn sparse(path: &Path) -> io::Result<()> {
    let file = File::create(path)?;
    file.write_all_at(&[1; 5000], 0)?;
    file.set_len(40 << 20)?;
    file.write_all_at(b"end", (40 << 20) + 100)
}
