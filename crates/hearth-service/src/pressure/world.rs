//! The files that memory pressure is read from, of this machine or made up.
//!
//! All that is known of the outside comes through one call, so that whoever interprets the files is
//! the same for both. What is handed out is bounded, however long a file is.

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Most bytes taken from one file; the longest, the mount table, is cut there.
const FILE_BYTES: u64 = 1 << 20;
/// What `statfs(2)` says of control groups of version 2.
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// The few files that tell of memory, by their absolute paths.
pub(crate) trait MemoryWorld: Send + Sync {
    /// Content of a file, of bounded length.
    ///
    /// # Errors
    /// Those of opening and reading it.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Opens a file that has priority data for `poll(2)` when something happens; what is not empty of `order` is
    /// written to it at first, and says what.
    ///
    /// # Errors
    /// Those of opening and writing it; nothing ever happens to the file.
    fn wait_for(&self, path: &Path, order: &[u8]) -> io::Result<File> {
        let _ = (path, order);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Files below a folder that stands for `/`.
#[derive(Debug)]
pub(crate) struct RootFolder(PathBuf);

impl RootFolder {
    /// The files below `root`, which is `/` for the machine itself.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }
}

impl MemoryWorld for RootFolder {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let below = path.strip_prefix("/").unwrap_or(path);
        let mut content = Vec::new();
        File::open(self.0.join(below))?.take(FILE_BYTES).read_to_end(&mut content)?;
        Ok(content)
    }

    fn wait_for(&self, path: &Path, order: &[u8]) -> io::Result<File> {
        let below = path.strip_prefix("/").unwrap_or(path);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(!order.is_empty()).open(self.0.join(below))?;
        let system = fstatfs(&file)?.f_type;
        // Any other file can be read and written, and is silent for ever.
        if system != PROC_SUPER_MAGIC && system != CGROUP2_SUPER_MAGIC {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if !order.is_empty() {
            file.write_all(order)?;
        }
        Ok(file)
    }
}

/// Files in memory, which a test may change while they are watched.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct FakeWorld(parking_lot::Mutex<std::collections::BTreeMap<PathBuf, Vec<u8>>>);

#[cfg(test)]
impl FakeWorld {
    /// Files with these paths and contents.
    pub(crate) fn new(files: &[(&str, &str)]) -> std::sync::Arc<Self> {
        let world = std::sync::Arc::new(Self::default());
        files.iter().for_each(|(path, content)| world.write(path, *content));
        world
    }

    /// Makes a file or replaces its content.
    pub(crate) fn write(&self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.0.lock().insert(path.into(), content.into());
    }

    /// Makes a file missing.
    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().remove(Path::new(path));
    }
}

#[cfg(test)]
impl MemoryWorld for FakeWorld {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.lock().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
