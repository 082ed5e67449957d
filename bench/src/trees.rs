//! Trees of real files to index, in a folder that is removed again.
//!
//! They lie in shared memory where there is room to write, so that a benchmark measures the index and
//! not the disk. Names are made of words and numbers; every tree has names of its own.

use crate::Outcome;
use crate::options::Options;
use crate::random::Random;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Files in one folder.
const FOLDER_FILES: usize = 200;
const WORDS: [&str; 16] = [
    "report", "index", "photo", "draft", "module", "test", "config", "archive", "invoice", "readme", "cache",
    "backup", "notes", "video", "schema", "log",
];
const EXTENSIONS: [&str; 8] = ["txt", "rs", "jpg", "json", "md", "log", "so", "html"];

/// Generated trees; dropping this removes them.
pub(crate) struct Trees {
    root: PathBuf,
    /// Roots of the trees.
    pub(crate) tops: Vec<PathBuf>,
}

impl Trees {
    /// Makes `count` trees of about `entries` entries each.
    pub(crate) fn make(count: usize, entries: usize, seed: u64) -> io::Result<Self> {
        let base = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
        let name = format!("hearth-bench-{}", std::process::id());
        let root = base.iter().map(|base| base.join(&name)).find(|root| fs::create_dir(root).is_ok());
        let root = root.ok_or_else(|| io::Error::other("no folder for temporary files"))?;
        // From here on the folder is removed whatever happens.
        let mut trees = Trees { root, tops: Vec::new() };
        trees.tops = grow(&trees.root, count, entries, seed)?;
        Ok(trees)
    }

    /// A folder beside the trees.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            eprintln!("hearth-bench: {} stays behind: {error}", self.root.display());
        }
    }
}

/// Makes ten trees, for whoever wants to index them.
pub(crate) fn run(options: &Options) -> Outcome {
    grow(&options.path, 10, options.entries, options.seed)?;
    Ok(())
}

/// Makes trees in a folder, where they stay; gives their roots.
pub(crate) fn grow(folder: &Path, count: usize, entries: usize, seed: u64) -> io::Result<Vec<PathBuf>> {
    let tree = |number: usize| {
        let top = folder.join(format!("volume{number:02}"));
        fill(&top, entries, &mut Random::new(seed, number as u64))?;
        Ok(top)
    };
    (0..count).map(tree).collect()
}

fn fill(top: &Path, entries: usize, random: &mut Random) -> io::Result<()> {
    for folder in 0..entries.div_ceil(FOLDER_FILES + 1) {
        let path = top.join(format!("d{:02}/{}-{folder:04}", folder % 64, WORDS[random.below(WORDS.len())]));
        fs::create_dir_all(&path)?;
        for file in 0..FOLDER_FILES {
            let (word, ext) = (WORDS[random.below(WORDS.len())], EXTENSIONS[random.below(EXTENSIONS.len())]);
            File::create(path.join(format!("{word}_{:06x}{file:03}.{ext}", random.below(1 << 24))))?;
        }
    }
    Ok(())
}
