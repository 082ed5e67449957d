//! The directories of a scan that still matter: those with children to list.
//!
//! A [`Dir`] points to its parent, so a path exists only when somebody asks for it. It keeps its open
//! descriptor while the [`FdBudget`] lasts, so that children are opened by one name relative to it.
//! Beyond the budget it keeps none and is reached again step by step (see `opener`), which bounds
//! the descriptors whatever the shape of the tree, and works below any path length.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

use crate::entry::ScanDir;

/// Descriptors that one worker may have open apart from those held by directories.
pub(crate) const FDS_PER_WORKER: usize = 8;
/// Most descriptors held by directories.
const FDS_HELD: usize = 1024;

/// One directory with its way up to the root.
pub(crate) struct Dir {
    /// Number within the scan.
    pub(crate) number: ScanDir,
    /// Steps below the root.
    pub(crate) depth: usize,
    name: CString,
    parent: Option<Arc<Dir>>,
    handle: Option<Arc<Handle>>,
}

impl Dir {
    /// The root of the scan; its descriptor stays open whatever the budget.
    pub(crate) fn root(fd: OwnedFd) -> Self {
        let handle = Some(Arc::new(Handle { fd, permit: None }));
        Self { number: 0, depth: 0, name: CString::default(), parent: None, handle }
    }

    /// A directory below `parent`, which keeps `handle` if that one came with a permit.
    pub(crate) fn child(parent: Arc<Dir>, number: ScanDir, name: CString, handle: &Arc<Handle>) -> Self {
        let depth = parent.depth + 1;
        let handle = handle.permit.is_some().then(|| Arc::clone(handle));
        Self { number, depth, name, parent: Some(parent), handle }
    }

    /// A directory below `parent` that is known by name only and keeps no descriptor.
    pub(crate) fn step(parent: Arc<Dir>, number: ScanDir, name: CString) -> Self {
        let depth = parent.depth + 1;
        Self { number, depth, name, parent: Some(parent), handle: None }
    }

    /// The name in its parent; empty for the root.
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// Names from this directory up to the one below the root.
    pub(crate) fn names(&self) -> impl Iterator<Item = &CStr> {
        let dirs = std::iter::successors(Some(self), |dir| dir.parent.as_deref());
        dirs.take_while(|dir| dir.parent.is_some()).map(|dir| dir.name.as_c_str())
    }

    /// The directory above, `None` for the root.
    pub(crate) fn parent(&self) -> Option<&Arc<Dir>> {
        self.parent.as_ref()
    }

    /// The descriptor that this directory keeps.
    pub(crate) fn handle(&self) -> Option<&Arc<Handle>> {
        self.handle.as_ref()
    }

    /// Absolute path, given that of the root (empty for `/`).
    pub(crate) fn path(&self, root: &[u8]) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = self;
        while let Some(parent) = &at.parent {
            names.push(at.name.to_bytes());
            at = parent;
        }
        let mut out = root.to_vec();
        for name in names.into_iter().rev() {
            out.push(b'/');
            out.extend_from_slice(name);
        }
        out
    }

    /// Whether the entry `name` of this directory is the one at `parts` below the root.
    pub(crate) fn child_is(&self, name: &[u8], parts: &[Vec<u8>]) -> bool {
        let Some((last, above)) = parts.split_last() else { return false };
        if self.depth != above.len() || name != last {
            return false;
        }
        let mut at = self;
        above.iter().rev().all(|part| {
            let same = at.name.to_bytes() == part;
            at = at.parent.as_deref().unwrap_or(at);
            same
        })
    }
}

impl Drop for Dir {
    /// Frees a chain of parents in a loop: recursion over thousands of levels would end the stack.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut dir) = next.and_then(Arc::into_inner) {
            next = dir.parent.take();
        }
    }
}

/// An open directory.
pub(crate) struct Handle {
    fd: OwnedFd,
    permit: Option<Permit>,
}

impl Handle {
    /// Wraps a descriptor, with a permit to keep it for long if the budget has one left.
    pub(crate) fn new(fd: OwnedFd, budget: &Arc<FdBudget>) -> Arc<Self> {
        Arc::new(Self { fd, permit: budget.take() })
    }

    /// Wraps a descriptor that is only held for short.
    pub(crate) fn passing(fd: OwnedFd) -> Arc<Self> {
        Arc::new(Self { fd, permit: None })
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// How many descriptors directories may hold.
pub(crate) struct FdBudget {
    left: AtomicUsize,
}

impl FdBudget {
    /// A budget of `permits`.
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(permits) })
    }

    fn take(self: &Arc<Self>) -> Option<Permit> {
        let less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Permit(Arc::clone(self)))
    }
}

struct Permit(Arc<FdBudget>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::Relaxed);
    }
}

/// Cuts a number of workers to what half of the process's descriptors allow, and gives the permits
/// that this half leaves to directories.
pub(crate) fn share_descriptors(workers: usize) -> (usize, usize) {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let half = usize::try_from(limit / 2).unwrap_or(usize::MAX);
    let workers = workers.min(half / FDS_PER_WORKER).max(1);
    (workers, half.saturating_sub(workers * FDS_PER_WORKER).min(FDS_HELD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_root() -> OwnedFd {
        std::fs::File::open("/").expect("the root opens").into()
    }

    fn below(parent: &Arc<Dir>, name: &CStr, budget: &Arc<FdBudget>) -> Arc<Dir> {
        let handle = Handle::new(open_root(), budget);
        Arc::new(Dir::child(Arc::clone(parent), 1, name.to_owned(), &handle))
    }

    #[test]
    fn directories_hold_no_more_descriptors_than_the_budget() {
        let budget = FdBudget::new(1);
        let root = Arc::new(Dir::root(open_root()));
        let first = below(&root, c"a", &budget);
        let second = below(&first, c"b", &budget);
        assert!(first.handle().is_some() && second.handle().is_none());
        drop((first, second));
        assert!(below(&root, c"c", &budget).handle().is_some(), "the permit came back");
    }

    #[test]
    fn a_very_long_chain_is_freed_without_recursion() {
        let budget = FdBudget::new(0);
        let mut dir = Arc::new(Dir::root(open_root()));
        for _ in 0..200_000 {
            let handle = Arc::clone(dir.handle().unwrap_or(&Handle::passing(open_root())));
            dir = Arc::new(Dir::child(dir, 1, CString::default(), &handle));
        }
        drop((dir, budget));
    }

    #[test]
    fn paths_and_places_below_the_root() {
        let budget = FdBudget::new(9);
        let root = Arc::new(Dir::root(open_root()));
        let b = below(&below(&root, c"a", &budget), c"b", &budget);
        assert_eq!(b.path(b"/srv"), b"/srv/a/b");
        let parts = |text: &str| text.split('/').map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>();
        assert!(b.child_is(b"c", &parts("a/b/c")));
        assert!(!b.child_is(b"c", &parts("x/b/c")));
        assert!(!b.child_is(b"c", &parts("b/c")));
        assert!(root.child_is(b"c", &parts("c")));
    }
}
