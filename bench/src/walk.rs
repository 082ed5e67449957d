//! The least a scan can do: `getdents64` and `statx` over a tree, with several threads.
//!
//! It is the floor that the scanner is measured against, and the source of the names that the
//! generated volume is made of. One file system, links not followed, unreadable folders passed over.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, Statx, StatxFlags};
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Condvar, Mutex};

/// What every walk asks of an inode: the columns of the index.
const FIELDS: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);
const BUFFER_BYTES: usize = 64 * 1024;

/// A folder that waits to be read; `T` is what the visitor calls it.
struct Folder<T> {
    path: CString,
    tag: T,
}

struct Waiting<T> {
    folders: Vec<Folder<T>>,
    /// Folders that wait or are being read.
    open: usize,
}

struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

/// Receives the entries that one thread finds.
pub(crate) trait Visitor {
    /// What the visitor calls a folder.
    type Tag: Send + Copy;
    /// Takes one entry of the folder `parent`; for a folder, returns what to call it.
    fn entry(&mut self, parent: Self::Tag, name: &[u8], stat: &Statx) -> Option<Self::Tag>;
}

/// Walks `root` with one thread per visitor and hands the visitors back.
pub(crate) fn walk<V: Visitor + Send>(root: &Path, tag: V::Tag, visitors: Vec<V>) -> std::io::Result<Vec<V>> {
    let stat = rustix::fs::statx(CWD, root, AtFlags::SYMLINK_NOFOLLOW, FIELDS)?;
    let device = (stat.stx_dev_major, stat.stx_dev_minor);
    let path = CString::new(root.as_os_str().as_encoded_bytes()).expect("a path holds no NUL");
    let waiting = Mutex::new(Waiting { folders: vec![Folder { path, tag }], open: 1 });
    let queue = Queue { waiting, changed: Condvar::new() };
    let queue = &queue;
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> =
            visitors.into_iter().map(|visitor| scope.spawn(move || work(queue, device, visitor))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a walker does not panic")).collect()
    }))
}

fn work<V: Visitor>(queue: &Queue<V::Tag>, device: (u32, u32), mut visitor: V) -> V {
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
    let mut found = Vec::new();
    while let Some(folder) = queue.next() {
        read_folder(&folder, device, &mut buffer, &mut visitor, &mut found);
        queue.done(&mut found);
    }
    visitor
}

impl<T> Queue<T> {
    /// The next folder to read; none once every folder was read.
    fn next(&self) -> Option<Folder<T>> {
        let mut waiting = self.waiting.lock().expect("no walker panics");
        loop {
            if let Some(folder) = waiting.folders.pop() {
                return Some(folder);
            }
            if waiting.open == 0 {
                return None;
            }
            waiting = self.changed.wait(waiting).expect("no walker panics");
        }
    }

    /// One folder was read; these were in it.
    fn done(&self, found: &mut Vec<Folder<T>>) {
        let mut waiting = self.waiting.lock().expect("no walker panics");
        waiting.open = waiting.open + found.len() - 1;
        waiting.folders.append(found);
        drop(waiting);
        self.changed.notify_all();
    }
}

fn read_folder<V: Visitor>(
    folder: &Folder<V::Tag>,
    device: (u32, u32),
    buffer: &mut [MaybeUninit<u8>],
    visitor: &mut V,
    found: &mut Vec<Folder<V::Tag>>,
) {
    let Ok(descriptor) = open(&folder.path) else { return };
    let mut entries = RawDir::new(&descriptor, buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let Ok(stat) = rustix::fs::statx(&descriptor, name, flags, FIELDS) else { continue };
        let here = (stat.stx_dev_major, stat.stx_dev_minor) == device;
        if let Some(tag) = visitor.entry(folder.tag, name.to_bytes(), &stat).filter(|_| here) {
            found.push(Folder { path: join(&folder.path, name), tag });
        }
    }
}

fn open(path: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
}

fn join(folder: &CStr, name: &CStr) -> CString {
    let mut path = folder.to_bytes().to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
    CString::new(path).expect("names hold no NUL")
}

/// Counts what it sees and keeps nothing.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) entries: u64,
    bytes: u64,
}

impl Visitor for Counter {
    type Tag = ();

    fn entry(&mut self, (): (), name: &[u8], stat: &Statx) -> Option<()> {
        self.entries += 1;
        self.bytes += name.len() as u64 + stat.stx_size;
        (u32::from(stat.stx_mode) & 0o170_000 == 0o040_000).then_some(())
    }
}
