//! Reads a feed ahead of its consumer, so that the kernel's queue, which is short, does not fill up while a batch is applied.
//!
//! A thread of its own reads; what it reads is merged and bounded as in any feed, and handed on as soon as it is handed out.
//! The priority of the thread is raised where that is allowed: it does little, and what it does not read in time is lost.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::batch::Batch;
use crate::bell::{deadline_after, is_over};
use crate::error::FeedError;
use crate::feed::{Feed, FeedKind, FeedOptions};
use crate::handle::FeedHandle;
use crate::pending::Pending;

/// Nice value of the reader, if that is allowed.
const NICE: i32 = -10;
/// "Until something happens", for a feed that is woken or stopped by its handle.
const FOREVER: Duration = Duration::MAX;

/// A feed that is read by a thread of its own. The thread ends when this is dropped.
pub struct ReadAhead {
    read: Arc<Read>,
    handle: FeedHandle,
    reader: Option<JoinHandle<()>>,
}

/// What the reader and the consumer share.
struct Read {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    pending: Pending,
    clock: u64,
    woken: bool,
    kind: FeedKind,
    /// Why the reader ended.
    end: Option<FeedError>,
}

impl ReadAhead {
    /// Starts reading. `options`: those that the feed was opened with; the bound on memory holds here once more.
    ///
    /// # Errors
    /// [`FeedError::Io`] if no thread can be made.
    pub fn start(feed: impl Feed + 'static, options: &FeedOptions) -> Result<Self, FeedError> {
        let pending = Pending::new(options.dirty_bytes, options.history);
        let state = State { pending, clock: 0, woken: false, kind: feed.describe(), end: None };
        let read = Arc::new(Read { state: Mutex::new(state), changed: Condvar::new() });
        let (handle, shared) = (feed.handle(), Arc::clone(&read));
        let reader = std::thread::Builder::new()
            .name("hearth-feed".to_owned())
            .spawn(move || read_on(feed, &shared))
            .map_err(|error| FeedError::io("thread of the feed", error))?;
        Ok(Self { read, handle, reader: Some(reader) })
    }
}

fn read_on(mut feed: impl Feed, read: &Read) {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    loop {
        let got = feed.next(FOREVER);
        let mut state = read.state.lock();
        state.kind = feed.describe();
        match got {
            Ok(Some(batch)) => state.pending.absorb(batch),
            Ok(None) => state.woken = true,
            Err(error) => state.end = Some(error),
        }
        read.changed.notify_one();
        if state.end.is_some() {
            return;
        }
    }
}

impl State {
    /// What there is for the consumer. An end is told after all batches, and from then on as a stopped feed.
    fn take(&mut self) -> Option<Result<Option<Batch>, FeedError>> {
        if self.pending.has_something() {
            self.woken = false;
            return Some(Ok(Some(self.pending.take(&mut self.clock))));
        }
        if let Some(end) = self.end.take() {
            self.end = Some(FeedError::Stopped);
            return Some(Err(end));
        }
        std::mem::take(&mut self.woken).then_some(Ok(None))
    }
}

impl Feed for ReadAhead {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, FeedError> {
        let deadline = deadline_after(timeout);
        let mut state = self.read.state.lock();
        loop {
            if let Some(got) = state.take() {
                return got;
            }
            match deadline {
                Some(at) if is_over(Some(at)) => return Ok(None),
                Some(at) => _ = self.read.changed.wait_until(&mut state, at),
                None => self.read.changed.wait(&mut state),
            }
        }
    }

    fn handle(&self) -> FeedHandle {
        self.handle.clone()
    }

    fn describe(&self) -> FeedKind {
        self.read.state.lock().kind
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAhead").field("kind", &self.describe()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_hands_on_batches_wakes_and_the_end() {
        let options = FeedOptions::default();
        let inner = crate::polling::open(LONG).expect("opened");
        let mut feed = ReadAhead::start(inner, &options).expect("started");
        let cookie = feed.drop_cookie().expect("dropped");
        let batch = feed.next(LONG).expect("works").expect("a batch");
        assert_eq!((batch.cookies, batch.overflowed), (vec![cookie], true));
        feed.handle().wake();
        assert!(feed.next(LONG).expect("works").is_none());
        assert!(feed.next(Duration::ZERO).expect("works").is_none());
        assert_eq!(feed.describe(), FeedKind::Polling { every: LONG });
        feed.handle().stop();
        for _ in 0..2 {
            assert!(matches!(feed.next(LONG), Err(FeedError::Stopped)));
        }
    }
}
