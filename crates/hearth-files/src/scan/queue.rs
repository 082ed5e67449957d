//! Work of a scan and how the workers share it.
//!
//! Every worker has its own stack behind its own lock, so the lock is free unless somebody steals. The
//! owner works depth first, which keeps the stacks short; a thief takes the oldest batch, the one with
//! the largest subtrees behind it. A single queued directory is left to its owner, who comes to it next
//! with the parent still open.
//!
//! `unfinished` counts the work that is queued or being done. It rises before work is queued and falls
//! when it is done, so at zero nothing can follow and everybody ends.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tree::Dir;
use crate::entry::ScanDir;

/// Something to do; `B` is a part of a large directory.
pub(crate) enum Work<B> {
    /// List a directory.
    List(Queued),
    /// Look at the entries of a part of a large directory.
    Look(B),
}

/// A directory that waits to be listed.
pub(crate) struct Queued {
    pub(crate) parent: Arc<Dir>,
    pub(crate) number: ScanDir,
    pub(crate) name: CString,
    /// What had the name when it was queued; 0 where that makes no difference.
    pub(crate) inode: u64,
}

/// Directories of one parent that wait to be listed: 16 bytes and the name each.
pub(crate) struct Batch {
    parent: Arc<Dir>,
    /// Names, each with its NUL.
    names: Vec<u8>,
    items: Vec<(ScanDir, u32, u64)>,
}

impl Batch {
    pub(crate) fn new(parent: Arc<Dir>) -> Self {
        Self { parent, names: Vec::new(), items: Vec::new() }
    }

    pub(crate) fn push(&mut self, number: ScanDir, name: &CStr, inode: u64) {
        let start =
            u32::try_from(self.names.len()).expect("the names of one batch come from one small buffer");
        self.names.extend_from_slice(name.to_bytes_with_nul());
        self.items.push((number, start, inode));
    }

    fn pop(&mut self) -> Option<Queued> {
        let (number, start, inode) = self.items.pop()?;
        let name = CString::from_vec_with_nul(self.names.split_off(start as usize));
        let name = name.expect("a name is stored with its only NUL");
        Some(Queued { parent: Arc::clone(&self.parent), number, name, inode })
    }

    /// Takes the second half (the larger one) into a batch of its own.
    fn split(&mut self) -> Batch {
        let items = self.items.split_off(self.items.len() / 2);
        let cut = items.first().map_or(self.names.len(), |(_, start, _)| *start as usize);
        let names = self.names.split_off(cut);
        let shift = u32::try_from(cut).expect("an offset of 32 bits");
        let items = items.into_iter().map(|(number, start, inode)| (number, start - shift, inode)).collect();
        Batch { parent: Arc::clone(&self.parent), names, items }
    }
}

/// Work of one worker. No batch is empty. Aligned to keep two workers off one cache line.
#[repr(align(128))]
struct Stack<B> {
    batches: VecDeque<Batch>,
    blocks: Vec<B>,
}

impl<B> Stack<B> {
    fn new() -> Self {
        Self { batches: VecDeque::new(), blocks: Vec::new() }
    }

    fn pop(&mut self) -> Option<Work<B>> {
        if let Some(block) = self.blocks.pop() {
            return Some(Work::Look(block));
        }
        let batch = self.batches.back_mut()?;
        let next = batch.pop().expect("no batch is empty");
        if batch.items.is_empty() {
            self.batches.pop_back();
        }
        Some(Work::List(next))
    }

    fn has_spare(&self) -> bool {
        let batches = &self.batches;
        !self.blocks.is_empty() || batches.len() > 1 || batches.front().is_some_and(|one| one.items.len() > 1)
    }

    fn spare_batch(&mut self) -> Option<Batch> {
        if self.batches.len() > 1 {
            return self.batches.pop_front();
        }
        self.batches.front_mut().filter(|one| one.items.len() > 1).map(Batch::split)
    }
}

/// What a worker gets when it asks for work.
pub(crate) enum Next<B> {
    /// This.
    Work(Work<B>),
    /// Nothing for a while; ask again.
    Idle,
    /// Nothing any more.
    Done,
}

/// The work of all workers.
pub(crate) struct Queue<B> {
    stacks: Vec<Mutex<Stack<B>>>,
    unfinished: AtomicUsize,
    blocks: AtomicUsize,
    sleepers: AtomicUsize,
    stopped: AtomicBool,
    bed: Mutex<()>,
    bell: Condvar,
}

impl<B> Queue<B> {
    /// A queue for this many workers, with one piece of work already begun: the root.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            stacks: (0..workers).map(|_| Mutex::new(Stack::new())).collect(),
            unfinished: AtomicUsize::new(1),
            blocks: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            bed: Mutex::new(()),
            bell: Condvar::new(),
        }
    }

    /// Queues directories for worker `me`, or whoever has time.
    pub(crate) fn push(&self, me: usize, batch: Batch) {
        if batch.items.is_empty() {
            return;
        }
        self.unfinished.fetch_add(batch.items.len(), Ordering::Relaxed);
        let spare = {
            let mut stack = self.stack(me);
            stack.batches.push_back(batch);
            stack.has_spare()
        };
        if spare {
            self.wake_one();
        }
    }

    /// Queues a part of a large directory for whoever has time.
    pub(crate) fn push_block(&self, me: usize, block: B) {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.stack(me).blocks.push(block);
        self.wake_one();
    }

    /// Whether workers sleep that could look at a block, and not too many blocks are under way.
    pub(crate) fn wants_blocks(&self) -> bool {
        self.sleepers.load(Ordering::Relaxed) > 0
            && self.blocks.load(Ordering::Relaxed) < 2 * self.stacks.len()
    }

    /// Says that a piece of work from [`Queue::next`] is done, after what follows from it was queued.
    pub(crate) fn finish(&self, was_block: bool) {
        if was_block {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
        }
        if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake_all();
        }
    }

    /// Makes every worker end at its next question.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Whether [`Queue::stop`] was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The next work of worker `me`; waits at most `patience` for some.
    pub(crate) fn next(&self, me: usize, patience: Duration) -> Next<B> {
        loop {
            if self.is_over() {
                return Next::Done;
            }
            let own = self.stack(me).pop();
            if let Some(work) = own.or_else(|| self.steal(me)) {
                return Next::Work(work);
            }
            if self.sleep(patience) {
                return Next::Idle;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.is_stopped() || self.unfinished.load(Ordering::Acquire) == 0
    }

    fn steal(&self, me: usize) -> Option<Work<B>> {
        let others = (1..self.stacks.len()).map(|step| (me + step) % self.stacks.len());
        others.into_iter().find_map(|victim| self.steal_from(victim, me))
    }

    fn steal_from(&self, victim: usize, me: usize) -> Option<Work<B>> {
        let batch = {
            let mut stack = self.stack(victim);
            if let Some(block) = stack.blocks.pop() {
                return Some(Work::Look(block));
            }
            stack.spare_batch()?
        };
        let (work, spare) = {
            let mut own = self.stack(me);
            own.batches.push_back(batch);
            (own.pop(), own.has_spare())
        };
        if spare {
            self.wake_one();
        }
        work
    }

    /// Sleeps until there may be work; true if `patience` ran out.
    fn sleep(&self, patience: Duration) -> bool {
        let guard = lock(&self.bed);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let idle = !self.is_over() && !self.any_spare();
        let timed_out = idle && {
            let waited = self.bell.wait_timeout(guard, patience);
            waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        timed_out
    }

    fn any_spare(&self) -> bool {
        self.stacks.iter().any(|stack| lock(stack).has_spare())
    }

    /// Pairs with the fence in `sleep`: either the sleeper sees the work or we see the sleeper.
    fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _bed = lock(&self.bed);
            self.bell.notify_one();
        }
    }

    fn wake_all(&self) {
        let _bed = lock(&self.bed);
        self.bell.notify_all();
    }

    fn stack(&self, worker: usize) -> MutexGuard<'_, Stack<B>> {
        lock(&self.stacks[worker])
    }
}

/// Nothing under these locks can panic half way, so a poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(names: &[&CStr]) -> Batch {
        let root = std::fs::File::open("/").expect("the root opens");
        let mut batch = Batch::new(Arc::new(Dir::root(root.into())));
        for (number, name) in (1..).zip(names) {
            batch.push(number, name, 0);
        }
        batch
    }

    fn drain(queue: &Queue<()>, me: usize) -> Vec<(ScanDir, CString)> {
        let mut out = Vec::new();
        while let Next::Work(Work::List(queued)) = queue.next(me, Duration::ZERO) {
            out.push((queued.number, queued.name));
            queue.finish(false);
        }
        out
    }

    #[test]
    fn a_thief_takes_half_and_nothing_is_lost_or_doubled() {
        let queue = Queue::<()>::new(2);
        queue.push(0, batch(&[c"a", c"bb", c"ccc", c"", c"e"]));
        let Next::Work(Work::List(stolen)) = queue.next(1, Duration::ZERO) else { panic!("there is work") };
        assert_eq!((stolen.number, stolen.name.as_c_str()), (5, c"e"));
        let mut all = drain(&queue, 0);
        all.extend(drain(&queue, 1));
        all.sort();
        let rest = [(1, c"a"), (2, c"bb"), (3, c"ccc"), (4, c"")];
        assert_eq!(all, rest.map(|(number, name)| (number, name.to_owned())));
    }

    #[test]
    fn a_single_directory_is_left_to_its_owner() {
        let queue = Queue::<()>::new(2);
        queue.push(0, batch(&[c"a"]));
        assert!(matches!(queue.next(1, Duration::ZERO), Next::Idle));
        assert!(matches!(queue.next(0, Duration::ZERO), Next::Work(_)));
    }

    #[test]
    fn everybody_ends_when_all_is_finished_or_stopped() {
        let queue = Queue::<()>::new(2);
        assert!(matches!(queue.next(1, Duration::ZERO), Next::Idle), "the root is being listed");
        queue.finish(false);
        assert!(matches!(queue.next(1, Duration::from_secs(60)), Next::Done));
        let queue = Queue::<()>::new(1);
        queue.push(0, batch(&[c"a"]));
        queue.stop();
        assert!(matches!(queue.next(0, Duration::from_secs(60)), Next::Done));
    }
}
