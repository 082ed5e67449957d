//! Where the bytes of a source are: a block device, an image, or a compressed capture of either.
//!
//! A root is the path of the file; `#N` behind it names a partition. A capture is expanded once into a file without
//! a name in the cache folder, with holes for zeroes; the system removes it when nobody reads it any more. Everything is
//! opened for reading only.

use crate::walk;
use flate2::read::MultiGzDecoder;
use hearth_core::{CancelToken, Cancelled};
use hearth_ntfs::{OpenFile, ReadAt};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags, fstatvfs};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Anything that can be read at a place.
pub(crate) type Bytes = Arc<dyn ReadAt>;

/// Part of an expanded capture that is looked at for zeroes and written at once.
const PIECE: usize = 1 << 20;
/// Part of which nothing is written if it is all zeroes.
const HOLE: usize = 4096;
/// Space of the file system that expanding leaves alone: so many bytes, on a small one a tenth.
const SPARE: u64 = 1 << 30;
/// A file that was written to a shorter time ago may be written to again without a newer time.
const GRAIN: Duration = Duration::from_secs(2);

/// Why a medium cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediumError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is {what}, and no disk, image or capture of one", path.display())]
    Kind { path: PathBuf, what: &'static str },
    #[error("{} cannot be expanded in {}: {source}", path.display(), folder.display())]
    Scratch { path: PathBuf, folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// A file, and which of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) file: PathBuf,
    pub(crate) partition: Option<u32>,
}

impl Spot {
    /// What a root names. A file of exactly that name goes before a partition.
    pub(crate) fn of(root: &[u8]) -> Self {
        let whole = walk::path(root);
        let partition = || {
            let at = root.iter().rposition(|byte| *byte == b'#')?;
            let number = std::str::from_utf8(&root[at + 1..]).ok()?.parse().ok()?;
            let file = walk::path(&root[..at]);
            (file.file_name().is_some() && !whole.exists())
                .then(|| Self { file: file.to_owned(), partition: Some(number) })
        };
        partition().unwrap_or_else(|| Self { file: whole.to_owned(), partition: None })
    }

    /// The root that names it.
    pub(crate) fn root(&self) -> Vec<u8> {
        let mut root = self.file.as_os_str().as_bytes().to_vec();
        if let Some(partition) = self.partition {
            root.extend_from_slice(format!("#{partition}").as_bytes());
        }
        root
    }
}

/// Tells whether a medium was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Inode of a file; of a device, the run of the system that counted what was written.
    pub(crate) inode: u64,
    /// Length of a file; of a device, writes.
    pub(crate) len: u64,
    /// Time of the last write to a file; of a device, sectors written.
    pub(crate) modified: i64,
    /// Time of the last change of a file's inode; nothing of a device.
    pub(crate) changed: i64,
    /// False for a file that was written to a moment before: it may have been written to again at the same time.
    pub(crate) settled: bool,
}

impl Stamp {
    /// The stamp of a file or device; `None` where the system does not count what is written to a device.
    pub(crate) fn of(meta: &Metadata) -> Option<Self> {
        if !meta.is_file() {
            return Self::of_device(meta.rdev());
        }
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        let age = meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        Some(Self {
            inode: meta.ino(),
            len: meta.len(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
            settled: age.is_some_and(|age| age >= GRAIN),
        })
    }

    /// What the block layer has written; it counts from the start of the system on.
    fn of_device(device: u64) -> Option<Self> {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let counts = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
        let count = |at: usize| counts.split_whitespace().nth(at)?.parse::<u64>().ok();
        let run = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let run = blake3::hash(run.trim().as_bytes());
        let inode = u64::from_le_bytes(*run.as_bytes().first_chunk()?);
        Some(Self { inode, len: count(4)?, modified: count(6)?.cast_signed(), changed: 0, settled: true })
    }

    /// True if nothing was written since the other one was taken, as far as this can tell.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.inode, self.len, self.modified, self.changed)
            == (other.inode, other.len, other.modified, other.changed)
    }
}

/// An open medium.
#[derive(Clone)]
pub(crate) struct Medium {
    pub(crate) bytes: Bytes,
    /// As it was before anything was read.
    pub(crate) stamp: Option<Stamp>,
    /// True if it was expanded.
    pub(crate) capture: bool,
}

/// Opens media. The capture that was expanded last is kept until somebody takes it.
pub(crate) struct Media {
    folder: PathBuf,
    expanded: Mutex<Option<(PathBuf, Stamp, Bytes)>>,
}

impl Media {
    /// Captures are expanded in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), expanded: Mutex::default() }
    }

    /// Opens a file or device.
    pub(crate) fn open(&self, path: &Path, cancel: &CancelToken) -> Result<Medium, MediumError> {
        let failed = |source: io::Error| MediumError::Io { path: path.to_owned(), source };
        // A pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file =
            File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed(e.into()))?);
        let meta = file.metadata().map_err(failed)?;
        if let Some(what) = unfit(&meta) {
            return Err(MediumError::Kind { path: path.to_owned(), what });
        }
        let stamp = Stamp::of(&meta);
        let len = file.seek(SeekFrom::End(0)).map_err(failed)?;
        match Packing::of(&file) {
            None => Ok(Medium { bytes: Arc::new(OpenFile::new(file, len)), stamp, capture: false }),
            Some(packing) => {
                let bytes = self.expanded(path, &meta, file, packing, cancel)?;
                Ok(Medium { bytes, stamp, capture: true })
            }
        }
    }

    /// True if a file is compressed; false also if it cannot be read.
    pub(crate) fn is_capture(&self, path: &Path) -> bool {
        let plain = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
        plain && File::open(path).is_ok_and(|file| Packing::of(&file).is_some())
    }

    /// Opens a capture for good: it is not kept for the next one.
    pub(crate) fn open_last(&self, path: &Path, cancel: &CancelToken) -> Result<Medium, MediumError> {
        let medium = self.open(path, cancel)?;
        *self.expanded.lock() = None;
        Ok(medium)
    }

    fn expanded(
        &self,
        path: &Path,
        meta: &Metadata,
        file: File,
        packing: Packing,
        cancel: &CancelToken,
    ) -> Result<Bytes, MediumError> {
        let Some(stamp) = Stamp::of(meta) else {
            return Err(MediumError::Kind { path: path.to_owned(), what: "no file" });
        };
        let known = self.expanded.lock().clone();
        if let Some((_, _, bytes)) = known.filter(|(known, at, _)| known == path && at.is_same(&stamp)) {
            return Ok(bytes);
        }
        let scratch = self.expand(file, packing, cancel)?;
        let scratch = scratch.map_err(|source| MediumError::Scratch {
            path: path.to_owned(),
            folder: self.folder.clone(),
            source,
        })?;
        let bytes: Bytes = Arc::new(scratch);
        *self.expanded.lock() = Some((path.to_owned(), stamp, Arc::clone(&bytes)));
        Ok(bytes)
    }

    fn expand(
        &self,
        mut file: File,
        packing: Packing,
        cancel: &CancelToken,
    ) -> Result<io::Result<OpenFile>, Cancelled> {
        let begun = std::fs::create_dir_all(&self.folder).and_then(|()| file.seek(SeekFrom::Start(0)));
        let scratch = begun.and_then(|_| tempfile::tempfile_in(&self.folder));
        let (scratch, mut reader) = match scratch.and_then(|scratch| Ok((scratch, packing.reader(&file)?))) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let (mut piece, mut len) = (vec![0; PIECE], 0);
        loop {
            cancel.check()?;
            match copy_piece(&mut *reader, &scratch, &mut piece, len) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(scratch.set_len(len).map(|()| OpenFile::new(scratch, len)))
    }
}

/// Why a file cannot be read at a place; `None` if it can.
fn unfit(meta: &Metadata) -> Option<&'static str> {
    let kind = meta.file_type();
    match kind {
        _ if kind.is_file() || kind.is_block_device() => None,
        _ if kind.is_dir() => Some("a folder"),
        _ if kind.is_char_device() => Some("a character device"),
        _ => Some("a pipe or socket"),
    }
}

/// Copies the next piece to its place, with holes for zeroes; gives its length, 0 at the end.
fn copy_piece(reader: &mut dyn Read, scratch: &File, piece: &mut [u8], at: u64) -> io::Result<u64> {
    let mut filled = 0;
    while filled < piece.len() {
        match reader.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let space = fstatvfs(scratch)?;
    let spare = SPARE.min(space.f_blocks.saturating_mul(space.f_frsize) / 10);
    if space.f_bavail.saturating_mul(space.f_frsize) < spare {
        return Err(io::Error::other("the disk would be full"));
    }
    let mut run: Option<usize> = None;
    for start in (0..filled).step_by(HOLE) {
        let end = filled.min(start + HOLE);
        match (piece[start..end].iter().all(|byte| *byte == 0), run) {
            (true, Some(from)) => {
                scratch.write_all_at(&piece[from..start], at + from as u64)?;
                run = None;
            }
            (false, None) => run = Some(start),
            _ => {}
        }
    }
    if let Some(from) = run {
        scratch.write_all_at(&piece[from..filled], at + from as u64)?;
    }
    Ok(filled as u64)
}

/// How a capture is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Zstd,
    Gzip,
}

impl Packing {
    /// Told by the first bytes; `None` for what is not compressed.
    fn of(file: &File) -> Option<Self> {
        let mut magic = [0; 4];
        file.read_exact_at(&mut magic, 0).ok()?;
        match magic {
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Self::Zstd),
            [0x1f, 0x8b, 8, _] => Some(Self::Gzip),
            _ => None,
        }
    }

    fn reader<'a>(self, file: &'a File) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
            Self::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(PIECE, file))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    fn content(medium: &Medium) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(medium.bytes.len()).unwrap()];
        medium.bytes.read_exact_at(0, &mut out).unwrap();
        out
    }

    fn sample() -> Vec<u8> {
        let mut bytes = vec![0; 3 * PIECE + 5000];
        bytes[10] = 1;
        bytes[PIECE - 1] = 2;
        bytes[2 * PIECE + 4096] = 3;
        *bytes.last_mut().unwrap() = 4;
        bytes
    }

    #[test]
    fn captures_are_expanded_with_holes_and_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("scratch");
        let (media, bytes) = (Media::new(&scratch), sample());
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        let plain = write("plain", &bytes);
        let packed = [
            write("packed.zst", &zstd::encode_all(&*bytes, 1).unwrap()),
            write("packed.gz", &gzip.finish().unwrap()),
        ];
        let never = CancelToken::new();
        assert_eq!(content(&media.open(&plain, &never).unwrap()), bytes);
        for path in &packed {
            let medium = media.open(path, &never).unwrap();
            assert!(medium.capture && content(&medium) == bytes, "{path:?}");
            let again = media.open_last(path, &never).unwrap();
            assert!(Arc::ptr_eq(&medium.bytes, &again.bytes), "it is expanded once");
            assert!(media.expanded.lock().is_none());
            assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        }
        let cut = write("cut.zst", &zstd::encode_all(&*bytes, 1).unwrap()[..30]);
        assert!(matches!(media.open(&cut, &never), Err(MediumError::Scratch { .. })));
        let stopped = CancelToken::new();
        stopped.cancel();
        assert!(matches!(media.open(&packed[0], &stopped), Err(MediumError::Cancelled(_))));
    }

    #[test]
    fn what_cannot_be_read_at_a_place_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let media = Media::new(folder.path());
        let refusal = |path: &Path| media.open(path, &CancelToken::new()).err().unwrap().to_string();
        assert!(refusal(folder.path()).contains("is a folder"));
        assert!(refusal(Path::new("/dev/null")).contains("a character device"));
        assert!(refusal(&folder.path().join("none")).contains("No such file"));
    }

    #[test]
    fn a_root_names_a_file_or_a_partition_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).into_os_string().into_encoded_bytes();
        let spot = |file: &str, partition| Spot { file: folder.path().join(file), partition };
        assert_eq!(Spot::of(&at("disk.img")), spot("disk.img", None));
        assert_eq!(Spot::of(&at("disk.img#3")), spot("disk.img", Some(3)));
        assert_eq!(Spot::of(&at("disk#x")), spot("disk#x", None));
        fs::write(folder.path().join("disk#4"), "").unwrap();
        assert_eq!(Spot::of(&at("disk#4")), spot("disk#4", None));
        assert_eq!(spot("disk.img", Some(3)).root(), at("disk.img#3"));
    }

    #[test]
    fn a_file_that_was_just_written_has_no_stamp_to_trust() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "x").unwrap();
        let fresh = Stamp::of(&path.metadata().unwrap()).unwrap();
        assert!(!fresh.settled);
        let old = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let stamp = Stamp::of(&path.metadata().unwrap()).unwrap();
        assert!(stamp.settled && !stamp.is_same(&fresh) && stamp.is_same(&stamp));
        fs::write(&path, "y").unwrap();
        assert!(!Stamp::of(&path.metadata().unwrap()).unwrap().is_same(&stamp));
    }
}
