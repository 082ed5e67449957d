//! Opening directories relative to one that is open already.
//!
//! One name is opened at a time, never a path, so no path can be too long and no link on the way is
//! followed. A parent that kept no descriptor is reached from the nearest one above that did; the last
//! few are remembered, because a worker lists siblings one after the other. Access times are left alone
//! where the system permits.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};

use super::tree::{Dir, FDS_PER_WORKER, FdBudget, Handle};

const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// One worker also has the directory that it lists, and two steps of a climb.
const REMEMBERED: usize = FDS_PER_WORKER - 4;
const DESCRIPTOR_WAIT: Duration = Duration::from_millis(10);
const DESCRIPTOR_WAITS: usize = 200;

/// Opens directories for one worker.
pub(crate) struct Opener {
    budget: Arc<FdBudget>,
    recent: VecDeque<(Arc<Dir>, Arc<Handle>)>,
}

impl Opener {
    pub(crate) fn new(budget: Arc<FdBudget>) -> Self {
        Self { budget, recent: VecDeque::with_capacity(REMEMBERED) }
    }

    /// Opens the directory `name` of `parent` for listing.
    pub(crate) fn open(&mut self, parent: &Arc<Dir>, name: &CStr) -> Result<Arc<Handle>, Errno> {
        let above = self.reach(parent)?;
        let fd = self.patiently(|| open_to_list(above.as_fd(), name))?;
        Ok(Handle::new(fd, &self.budget))
    }

    /// Keeps the descriptor of a directory that may not hold it itself for the next few calls.
    pub(crate) fn remember(&mut self, dir: &Arc<Dir>, handle: &Arc<Handle>) {
        if dir.handle().is_some() {
            return;
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((Arc::clone(dir), Arc::clone(handle)));
    }

    fn held(&self, dir: &Arc<Dir>) -> Option<Arc<Handle>> {
        let remembered = || self.recent.iter().rev().find(|(known, _)| Arc::ptr_eq(known, dir));
        dir.handle().or_else(|| remembered().map(|(_, handle)| handle)).cloned()
    }

    /// A descriptor of `dir`, walking down from the nearest directory above that has one.
    fn reach(&mut self, dir: &Arc<Dir>) -> Result<Arc<Handle>, Errno> {
        let mut way = Vec::new();
        let mut at = dir;
        let mut handle = loop {
            if let Some(handle) = self.held(at) {
                break handle;
            }
            way.push(at);
            at = at.parent().expect("the root keeps its descriptor");
        };
        for step in way.iter().rev() {
            handle = Handle::passing(self.patiently(|| open_to_pass(handle.as_fd(), step.name()))?);
        }
        if !way.is_empty() {
            self.remember(dir, &handle);
        }
        Ok(handle)
    }

    /// Tries again for a while when the process or the system is out of descriptors: other parts of
    /// the program give theirs back, and giving up would lose a whole subtree.
    fn patiently(&mut self, open: impl Fn() -> Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno> {
        for _ in 0..DESCRIPTOR_WAITS {
            match retry_on_intr(&open) {
                Err(Errno::MFILE | Errno::NFILE) => {
                    self.recent.clear();
                    std::thread::sleep(DESCRIPTOR_WAIT);
                }
                done => return done,
            }
        }
        retry_on_intr(open)
    }
}

/// Opens `name` for listing without touching its access time, if that is permitted (to its owner and
/// to the superuser), else with.
pub(crate) fn open_to_list(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match openat(above, name, LIST | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(above, name, LIST, Mode::empty()),
        done => done,
    }
}

/// Opens `name` only as a place to go on from; needs no right to read it.
fn open_to_pass(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(above, name, PASS, Mode::empty())
}
