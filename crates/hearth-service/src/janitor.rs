//! The thread that lets go of large memory and gives it back to the system.
//!
//! Dropping a body and unmapping its pages takes milliseconds, which neither the thread that owns
//! the kernel nor a query should spend. After each round the janitor measures what is still held.

use crate::error::ServiceError;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::any::Any;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The allocator of the process, as far as the service needs it.
pub trait Allocator: Send + Sync {
    /// Bytes that the process has been handed out and not given back; `None` if that is unknown.
    fn held_bytes(&self) -> Option<u64>;
    /// Gives free pages back to the system now.
    fn give_back(&self);
}

/// Things that wait to be dropped; more than this are dropped by whoever has them.
const WAITING: usize = 256;

/// What is to be dropped.
pub(crate) type Garbage = Box<dyn Any + Send>;

/// Takes garbage.
pub(crate) struct Janitor {
    inbox: Sender<Garbage>,
    thread: JoinHandle<()>,
}

impl Janitor {
    /// Starts the thread; `measured` is told what is held after each round.
    pub(crate) fn start(
        allocator: Option<Arc<dyn Allocator>>,
        measured: impl Fn(u64) + Send + 'static,
    ) -> Result<Self, ServiceError> {
        let (inbox, garbage) = bounded(WAITING);
        let thread = thread::Builder::new().name("hearth-janitor".to_owned());
        let thread = thread.spawn(move || serve(&garbage, allocator.as_deref(), &measured));
        let thread =
            thread.map_err(|error: io::Error| ServiceError::io("start thread", "hearth-janitor", error))?;
        Ok(Self { inbox, thread })
    }

    /// Drops something, soon, and gives its memory back.
    pub(crate) fn take(&self, garbage: impl Any + Send) {
        // A full inbox drops it here and now, which is slower and as good.
        let _ = self.inbox.try_send(Box::new(garbage));
    }

    /// Waits until everything that was taken is gone.
    pub(crate) fn stop(self) {
        drop(self.inbox);
        // It runs no code of others that could panic but destructors, which have been reported.
        let _ = self.thread.join();
    }
}

fn serve(garbage: &Receiver<Garbage>, allocator: Option<&dyn Allocator>, measured: &dyn Fn(u64)) {
    while let Ok(first) = garbage.recv() {
        drop(first);
        garbage.try_iter().for_each(drop);
        let Some(allocator) = allocator else { continue };
        allocator.give_back();
        if let Some(held) = allocator.held_bytes() {
            measured(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Counting(AtomicU64);

    impl Allocator for Counting {
        fn held_bytes(&self) -> Option<u64> {
            Some(self.0.load(Ordering::SeqCst))
        }

        fn give_back(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn garbage_is_dropped_then_memory_given_back_and_measured() {
        let (tell, told) = crossbeam_channel::unbounded();
        let janitor = Janitor::start(Some(Arc::new(Counting::default())), move |held| {
            tell.send(held).unwrap();
        });
        let (janitor, thing) = (janitor.unwrap(), Arc::new(5));
        janitor.take(Arc::clone(&thing));
        janitor.stop();
        assert_eq!((Arc::strong_count(&thing), told.iter().next()), (1, Some(1)));
    }
}
