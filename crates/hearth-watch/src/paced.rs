//! The loop that all live feeds share: wait, read, gather a little, hand out.
//!
//! A [`Source`] is a kernel queue that can be polled and read. Everything about time and cookies is here, so that the
//! sources only translate events. A change that comes alone is handed out as it is read; what follows soon after a batch is
//! gathered, so that a storm makes few batches.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::batch::Batch;
use crate::bell::{deadline_after, is_over};
use crate::cookie::{self, Cookie, Proof};
use crate::error::FeedError;
use crate::feed::{Feed, FeedKind, FeedOptions};
use crate::handle::{FeedHandle, Signals};
use crate::pending::Pending;

/// The queue is emptied at least this often while a batch gathers, so that a long `settle` does not fill it up.
const SLICE: Duration = Duration::from_millis(2);
/// Events that never stop coming are handed out after this time, or after `settle` if that is longer.
const GATHER_MOST: Duration = Duration::from_millis(10);

/// A queue of the kernel, and how to read it.
pub(crate) trait Source: Send {
    /// Readable when there is something in the queue.
    fn queue(&self) -> BorrowedFd<'_>;

    /// Reads once, at most a buffer full, and says whether there was anything.
    fn read(&mut self, sink: &mut Sink<'_>) -> Result<bool, FeedError>;

    /// How much was read so far, in the unit of [`Source::queued`].
    fn position(&self) -> u64;

    /// How much is in the queue.
    fn queued(&self) -> Result<u64, FeedError>;

    /// Work that is due at an instant although no event comes.
    fn due(&self) -> Option<Instant>;

    /// Whether everything that was read is told. If not, no cookie is handed out before the source was at rest again, when it is
    /// due.
    fn is_settled(&self) -> bool;

    /// Called when the queue was found empty: does what is due.
    fn at_rest(&mut self, sink: &mut Sink<'_>) -> Result<(), FeedError>;

    fn describe(&self) -> FeedKind;
}

/// Where a source puts what it read.
pub(crate) struct Sink<'a> {
    pub(crate) pending: &'a mut Pending,
    pub(crate) signals: &'a Signals,
}

impl Sink<'_> {
    /// Events were lost, perhaps those of cookies: whoever waits for one is served by comparing everything.
    pub(crate) fn overflow(&mut self) {
        self.pending.overflow();
        for cookie in self.signals.pass_all_files() {
            self.pending.pass(cookie);
        }
    }

    /// Notes a name, and says whether it is one: the names of cookies are not.
    pub(crate) fn name(&mut self, folder: u64, name: &[u8]) -> bool {
        let is_cookie = self.cookie(folder, name);
        if !is_cookie {
            self.pending.add_name(folder, name);
        }
        !is_cookie
    }

    /// Whether this is the name of a cookie file; if it is one of this feed's, it is passed.
    pub(crate) fn cookie(&mut self, folder: u64, name: &[u8]) -> bool {
        let is_cookie = self.signals.cookie_folder().is_some_and(|cookies| cookies.is_cookie(folder, name));
        let number = cookie::number_of(name).filter(|_| is_cookie);
        if let Some(cookie) = number.and_then(|number| self.signals.pass_file(number)) {
            self.pending.pass(cookie);
        }
        is_cookie
    }
}

/// A feed made of a source.
pub(crate) struct Paced<S> {
    source: S,
    signals: Arc<Signals>,
    pending: Pending,
    settle: Duration,
    /// When the last batch was handed out.
    last: Option<Instant>,
    clock: u64,
    /// Cookies that are passed when the source has come to a position, by position.
    noted: Vec<(u64, u64)>,
}

impl<S: Source> Paced<S> {
    pub(crate) fn new(source: S, signals: Arc<Signals>, options: &FeedOptions) -> Result<Self, FeedError> {
        let pending = Pending::new(options.dirty_bytes, options.history);
        let (settle, last, clock, noted) = (options.settle, None, 0, Vec::new());
        let mut feed = Self { source, signals, pending, settle, last, clock, noted };
        feed.try_folder()?;
        Ok(feed)
    }

    /// Drops a cookie file: as events are queued at once, it must be among those that are there now.
    fn try_folder(&mut self) -> Result<(), FeedError> {
        let Some(cookie) = self.signals.drop_first_file() else { return Ok(()) };
        let end = self.source.position() + self.source.queued()?;
        while self.source.position() < end && self.read()? {}
        if !self.pending.take_cookie(cookie) {
            self.signals.pass_file(cookie.number);
            self.signals.give_up_folder();
        }
        Ok(())
    }

    fn read(&mut self) -> Result<bool, FeedError> {
        let mut sink = Sink { pending: &mut self.pending, signals: &self.signals };
        let more = self.source.read(&mut sink)?;
        let position = if more { self.source.position() } else { u64::MAX };
        self.pass_noted(position);
        Ok(more)
    }

    fn pass_noted(&mut self, position: u64) {
        let passed = self.noted.partition_point(|(end, _)| *end <= position);
        for (_, number) in self.noted.drain(..passed) {
            self.pending.pass(Cookie { number, proof: Proof::Quiet });
        }
        if passed > 0 {
            self.signals.pass_noted(passed);
        }
    }

    /// Notes how much must be read for the cookies that were dropped without a file.
    fn note_quiet(&mut self) -> Result<(), FeedError> {
        let numbers = self.signals.take_quiet();
        if numbers.is_empty() {
            return Ok(());
        }
        let end = self.source.position() + self.source.queued()?;
        self.noted.extend(numbers.into_iter().map(|number| (end, number)));
        Ok(())
    }

    /// Reads until the queue is empty or the batch is due.
    fn drain(&mut self) -> Result<(), FeedError> {
        self.note_quiet()?;
        while self.read()? {
            if self.age() >= self.settle.max(GATHER_MOST) {
                return Ok(());
            }
        }
        self.source.at_rest(&mut Sink { pending: &mut self.pending, signals: &self.signals })
    }

    /// How long the batch has been gathering.
    fn age(&self) -> Duration {
        self.pending.since().map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn is_ripe(&self) -> bool {
        let is_held = self.pending.has_cookies() && !self.source.is_settled();
        !is_held && (self.pending.is_urgent() || (!self.pending.is_empty() && self.rest().is_zero()))
    }

    /// How long it is too soon after the last batch for another one.
    fn rest(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| self.settle.saturating_sub(last.elapsed()))
    }

    /// Waits until there is something to do; while a batch gathers, for time to pass only.
    fn wait(&self, deadline: Option<Instant>) -> Result<bool, FeedError> {
        let bell = self.signals.bell();
        if self.pending.is_empty() {
            let until = deadline.into_iter().chain(self.source.due()).min();
            return bell.wait(Some((self.source.queue(), PollFlags::IN)), until);
        }
        if self.pending.is_urgent() {
            return bell.wait(Some((self.source.queue(), PollFlags::IN)), self.source.due());
        }
        bell.wait(None, Some(Instant::now() + self.rest().min(SLICE)))
    }

    fn hand_out(&mut self) -> Batch {
        self.last = Some(Instant::now());
        self.pending.take(&mut self.clock)
    }
}

impl<S: Source> Feed for Paced<S> {
    fn next(&mut self, timeout: Duration) -> Result<Option<Batch>, FeedError> {
        let deadline = deadline_after(timeout);
        loop {
            let bell = self.signals.bell();
            bell.silence();
            bell.check_stopped()?;
            let woken = bell.take_woken();
            self.drain()?;
            let ends = !self.pending.is_urgent() && (woken || (is_over(deadline) && self.pending.is_empty()));
            if self.is_ripe() || (ends && self.pending.has_something()) {
                return Ok(Some(self.hand_out()));
            }
            if ends {
                return Ok(None);
            }
            self.wait(deadline)?;
        }
    }

    fn handle(&self) -> FeedHandle {
        FeedHandle::new(Arc::clone(&self.signals))
    }

    fn describe(&self) -> FeedKind {
        self.source.describe()
    }
}
