//! The log: plain lines, to a file that never grows beyond its limit, or to stderr.
//!
//! The file is renamed to `….1` when it is full, replacing the one before; so two files of at most
//! [`FILE_BYTES`] exist.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Size at which the file is set aside, bytes.
const FILE_BYTES: u64 = 8 * 1024 * 1024;

/// A log file with a limit.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    inner: Arc<Mutex<Rotating>>,
}

impl LogFile {
    /// Opens the file, appending.
    pub(crate) fn open(path: &Path) -> io::Result<LogFile> {
        Self::with_limit(path, FILE_BYTES)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<LogFile> {
        let rotating = Rotating::open(path, limit)?;
        Ok(LogFile { inner: Arc::new(Mutex::new(rotating)) })
    }

    /// Opens the path anew, after somebody else moved the file away.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let mut rotating = self.locked();
        *rotating = Rotating::open(&rotating.path, rotating.limit)?;
        Ok(())
    }

    /// The open file, to receive what others write to stderr.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.locked().file.try_clone()
    }

    fn locked(&self) -> MutexGuard<'_, Rotating> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes whole lines: the subscriber hands over one event per call.
pub(crate) struct LineWriter<'a>(MutexGuard<'a, Rotating>);

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.append(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self.locked())
    }
}

#[derive(Debug)]
pub(crate) struct Rotating {
    path: PathBuf,
    limit: u64,
    file: File,
    size: u64,
}

impl Rotating {
    fn open(path: &Path, limit: u64) -> io::Result<Rotating> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let size = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), limit, file, size })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.limit {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            std::fs::rename(&self.path, aside)?;
            *self = Rotating::open(&self.path, self.limit)?;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }
}

/// Where the log goes.
pub(crate) enum Target {
    /// A file.
    File(LogFile),
    /// Stderr.
    Stderr,
    /// Nowhere: the stderr of a private daemon belongs to its client.
    Nowhere,
}

/// Installs the log for the life of the process. Panics of any thread are logged as errors.
pub(crate) fn install(target: Target, level: LevelFilter) {
    let builder = tracing_subscriber::fmt().with_ansi(false).with_target(false).with_max_level(level);
    // A second installation can only happen in tests, where the first one serves as well.
    let _ = match target {
        Target::File(file) => builder.with_writer(file).try_init(),
        Target::Stderr => builder.with_writer(io::stderr).try_init(),
        Target::Nowhere => return,
    };
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_set_aside_when_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = LogFile::with_limit(&path, 20).unwrap();
        for line in ["first line\n", "second\n", "third line\n", "fourth\n"] {
            log.make_writer().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third line\nfourth\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("log.1")).unwrap(), "first line\nsecond\n");
    }

    #[test]
    fn a_moved_file_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = LogFile::open(&path).unwrap();
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        log.reopen().unwrap();
        log.make_writer().write_all(b"here\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "here\n");
    }
}
