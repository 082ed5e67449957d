//! One thread of a scan: lists directories, looks at their entries, hands out rows.
//!
//! Workers share the queue, the counters and the findings; everything else is a worker's own. Trouble
//! with one entry or one directory is counted and passed over. Only cancellation and too many
//! entries end the scan, for all workers.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hearth_core::limits::{NAME_BYTES, TREE_DEPTH, VOLUME_ENTRIES};
use hearth_core::{CancelToken, EntryKind};
use rustix::io::Errno;

use super::ScanError;
use super::boundary::Boundary;
use super::dents::{self, Dent};
use super::exclude::Excludes;
use super::findings::{Findings, ScanCounters, SkipReason, Skipped, Tally, is_gone};
use super::opener::Opener;
use super::outbox::{CHUNK_AGE, Outbox};
use super::queue::{Batch, Next, Queue, Queued, Work, lock};
use super::stat::{self, Place};
use super::tree::{Dir, Handle};
use crate::entry::{Chunk, Meta, NOT_A_DIR, ScanDir};

/// Entries looked at between two looks at the cancel token.
const ENTRIES_PER_CHECK: usize = 256;

/// Records of a large directory, as read, for another worker to look at.
pub(super) struct Block {
    dir: Arc<Dir>,
    handle: Arc<Handle>,
    records: Vec<u8>,
}

/// What the workers of one scan share.
pub(super) struct Shared<'a> {
    pub(super) root: &'a [u8],
    pub(super) queue: Queue<Block>,
    pub(super) boundary: Boundary,
    pub(super) excludes: Excludes,
    pub(super) findings: Findings,
    pub(super) counters: &'a ScanCounters,
    pub(super) cancel: &'a CancelToken,
    pub(super) sink: &'a (dyn Fn(Chunk) + Sync),
    /// The next free directory number.
    pub(super) next_dir: AtomicU32,
    pub(super) rows: AtomicU64,
    pub(super) failure: Mutex<Option<ScanError>>,
}

impl Shared<'_> {
    /// Ends the scan for this reason, if none came first.
    pub(super) fn fail(&self, error: ScanError) {
        lock(&self.failure).get_or_insert(error);
        self.queue.stop();
    }

    fn path(&self, dir: &Dir, name: &CStr) -> Vec<u8> {
        let mut path = dir.path(self.root);
        path.push(b'/');
        path.extend_from_slice(name.to_bytes());
        path
    }
}

/// One worker.
pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    me: usize,
    opener: Opener,
    outbox: Outbox<'a>,
    buffer: Vec<u8>,
    /// Counts since they were last added to the shared ones.
    fresh: Tally,
    total: Tally,
}

impl<'a> Worker<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, me: usize, opener: Opener) -> Self {
        let (fresh, total) = Default::default();
        let buffer = vec![0; dents::BUFFER_BYTES];
        Self { shared, me, opener, outbox: Outbox::new(shared.sink), buffer, fresh, total }
    }

    /// Works until all is done or the scan ends; returns this worker's counts. The worker that is
    /// given the root begins with it.
    pub(super) fn run(mut self, root: Option<Arc<Dir>>) -> Tally {
        if let Err(error) = self.work(root) {
            self.shared.fail(error);
        }
        self.publish();
        self.outbox.flush();
        self.total
    }

    fn work(&mut self, root: Option<Arc<Dir>>) -> Result<(), ScanError> {
        if let Some(root) = root {
            let handle = Arc::clone(root.handle().expect("the root keeps its descriptor"));
            self.read(&root, &handle)?;
            self.done(false)?;
        }
        loop {
            match self.shared.queue.next(self.me, CHUNK_AGE) {
                Next::Done => return Ok(()),
                Next::Idle => self.outbox.flush(),
                Next::Work(Work::List(queued)) => {
                    self.list(queued)?;
                    self.done(false)?;
                }
                Next::Work(Work::Look(block)) => {
                    self.look(&block.dir, &block.handle, &block.records)?;
                    self.done(true)?;
                }
            }
            self.check()?;
        }
    }

    fn check(&self) -> Result<(), ScanError> {
        self.shared.cancel.check().map_err(ScanError::Cancelled)
    }

    /// After a piece of work: counts become visible, an old chunk leaves.
    fn done(&mut self, was_block: bool) -> Result<(), ScanError> {
        let rows = self.shared.rows.fetch_add(self.fresh.entries, Ordering::Relaxed);
        self.publish();
        self.outbox.flush_if_old();
        self.shared.queue.finish(was_block);
        match rows > VOLUME_ENTRIES as u64 {
            true => Err(ScanError::TooManyEntries { path: root_path(self.shared.root) }),
            false => Ok(()),
        }
    }

    fn publish(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        self.shared.counters.add(&fresh);
        self.total.add(&fresh);
    }

    fn list(&mut self, queued: Queued) -> Result<(), ScanError> {
        let Queued { parent, number, name, inode } = queued;
        let handle = match self.open(&parent, &name, inode) {
            Ok(Some(handle)) => handle,
            Ok(None) => return Ok(()),
            Err(error) => {
                if is_gone(error) {
                    self.shared.findings.astray(inode);
                }
                self.problem("open", error, &parent, &name);
                return Ok(());
            }
        };
        let dir = Arc::new(Dir::child(parent, number, name, &handle));
        self.opener.remember(&dir, &handle);
        self.read(&dir, &handle)
    }

    /// Opens a directory; `None` if something was mounted on it since it was queued. Another one that has its name by
    /// now is listed in its stead, and that is noted.
    fn open(&mut self, parent: &Arc<Dir>, name: &CStr, inode: u64) -> Result<Option<Arc<Handle>>, Errno> {
        let handle = self.opener.open(parent, name)?;
        let (place, opened) = stat::place(handle.as_fd())?;
        if opened != inode {
            self.shared.findings.astray(inode);
        }
        if self.shared.boundary.holds(&place) {
            return Ok(Some(handle));
        }
        self.skip_mount(parent, name, &place);
        Ok(None)
    }

    /// Reads the records of an open directory. Parts after the first go to workers without work.
    fn read(&mut self, dir: &Arc<Dir>, handle: &Arc<Handle>) -> Result<(), ScanError> {
        self.fresh.directories += 1;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut first = true;
        loop {
            let filled = match dents::read(handle.as_fd(), &mut buffer) {
                Ok(0) => break,
                Ok(filled) => filled,
                Err(error) => {
                    self.problem_of("list", error, || dir.path(self.shared.root));
                    break;
                }
            };
            if !first && self.shared.queue.wants_blocks() {
                self.hand_over(dir, handle, &buffer[..filled]);
            } else {
                self.look(dir, handle, &buffer[..filled])?;
            }
            first = false;
        }
        self.buffer = buffer;
        Ok(())
    }

    fn hand_over(&self, dir: &Arc<Dir>, handle: &Arc<Handle>, records: &[u8]) {
        let (dir, handle) = (Arc::clone(dir), Arc::clone(handle));
        self.shared.queue.push_block(self.me, Block { dir, handle, records: records.to_vec() });
    }

    /// Makes rows of records, and queues the directories among them.
    fn look(&mut self, dir: &Arc<Dir>, handle: &Handle, records: &[u8]) -> Result<(), ScanError> {
        let mut batch = Batch::new(Arc::clone(dir));
        for (index, dent) in dents::records(records).enumerate() {
            if index % ENTRIES_PER_CHECK == ENTRIES_PER_CHECK - 1 {
                self.pause()?;
            }
            self.entry(dir, handle, &dent, &mut batch);
        }
        self.shared.queue.push(self.me, batch);
        Ok(())
    }

    /// In the middle of a large directory: end with the others, show what there is.
    fn pause(&mut self) -> Result<(), ScanError> {
        self.outbox.flush_if_old();
        self.check()
    }

    fn entry(&mut self, dir: &Arc<Dir>, handle: &Handle, dent: &Dent<'_>, batch: &mut Batch) {
        let found = match dent.name.to_bytes().len() {
            ..=NAME_BYTES => stat::entry_at(handle.as_fd(), dent.name),
            _ => return self.problem("index", Errno::NAMETOOLONG, dir, dent.name),
        };
        match found {
            Ok((meta, place)) if meta.kind() == EntryKind::Dir => {
                let number = self.folder(dir, dent.name, meta.inode, &place, batch);
                self.row(dir, number, dent.name, meta);
            }
            Ok((meta, _)) => self.row(dir, NOT_A_DIR, dent.name, meta),
            Err(error) => self.unreadable(dir, dent, error),
        }
    }

    /// Gives a directory its number, and queues it unless it is not to be entered.
    fn folder(
        &self,
        parent: &Arc<Dir>,
        name: &CStr,
        inode: u64,
        place: &Place,
        batch: &mut Batch,
    ) -> ScanDir {
        let number = self.new_number();
        if !self.shared.boundary.holds(place) {
            self.skip_mount(parent, name, place);
        } else if let Some(rule) = self.shared.excludes.rule_for(parent, name) {
            self.skip(parent, name, || SkipReason::Excluded(rule.clone()));
        } else if parent.depth + 1 >= TREE_DEPTH {
            self.skip(parent, name, || SkipReason::TooDeep);
        } else {
            batch.push(number, name, inode);
        }
        number
    }

    fn new_number(&self) -> ScanDir {
        self.shared.next_dir.fetch_add(1, Ordering::Relaxed)
    }

    /// A row from the name alone, unless the entry is gone.
    fn unreadable(&mut self, dir: &Dir, dent: &Dent<'_>, error: Errno) {
        self.problem("look at", error, dir, dent.name);
        if !is_gone(error) {
            let number = if dent.kind == EntryKind::Dir { self.new_number() } else { NOT_A_DIR };
            self.row(dir, number, dent.name, Meta::unknown(dent.kind, dent.inode));
        }
    }

    fn row(&mut self, parent: &Dir, number: ScanDir, name: &CStr, meta: Meta) {
        self.fresh.entries += 1;
        self.outbox.push(parent.number, number, name, meta);
    }

    fn skip_mount(&self, parent: &Dir, name: &CStr, place: &Place) {
        self.skip(parent, name, || self.shared.boundary.reason(place, &self.shared.path(parent, name)));
    }

    fn skip(&self, parent: &Dir, name: &CStr, why: impl FnOnce() -> SkipReason) {
        self.shared.findings.skip(|| Skipped { path: self.shared.path(parent, name), why: why() });
    }

    fn problem(&mut self, action: &str, error: Errno, dir: &Dir, name: &CStr) {
        self.problem_of(action, error, || self.shared.path(dir, name));
    }

    fn problem_of(&mut self, action: &str, error: Errno, path: impl FnOnce() -> Vec<u8>) {
        if self.fresh.count(error) {
            self.shared.findings.sample(action, error, path);
        }
    }
}

/// The canonical path of a root as reports write it.
pub(super) fn root_path(root: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let root = if root.is_empty() { b"/" } else { root };
    std::ffi::OsString::from_vec(root.to_vec()).into()
}
