//! What a connection still has to send: a queue of bytes with a bound, written by whoever comes first.
//!
//! A worker with something to say writes it to the socket itself while nothing waits, which saves a
//! change of thread per answer. What the socket does not take is queued, and the connection's task
//! sends it when there is room. Nobody writes past a waiting queue, so bytes stay in order.
//! A client that stops reading fills its own queue and then holds up its own requests only.

use hearth_core::{CancelToken, Cancelled};
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Queued bytes above which rows wait.
pub(crate) const HIGH_WATER_BYTES: usize = 1024 * 1024;
/// Queued bytes above which no further request of the connection is begun.
pub(crate) const LOW_WATER_BYTES: usize = 256 * 1024;
/// Queued bytes above which not even a `cancel` is carried out: its replies are queued as well.
pub(crate) const FLOOD_BYTES: usize = 4 * HIGH_WATER_BYTES;
/// How often a waiting worker looks whether it was cancelled.
const CANCEL_LATENCY: Duration = Duration::from_millis(50);

/// Why rows were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The connection is gone.
    Closed,
    /// The request was stopped while it waited.
    Stopped(Cancelled),
    /// The client did not read for as long as this request may wait.
    NotRead,
}

/// Outgoing bytes of one connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    socket: OwnedFd,
    state: Mutex<State>,
    room: Condvar,
    /// Told when the queue begins or the socket fails: the task has something to do.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Vec<u8>>,
    /// Bytes of the first element that are sent.
    sent_of_first: usize,
    /// Unsent bytes of all elements.
    queued: usize,
    closed: bool,
    /// When the socket last took bytes, or the queue began.
    moved_at: Instant,
}

impl Outgoing {
    /// A queue before a non-blocking socket.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        let state = State {
            queue: VecDeque::new(),
            sent_of_first: 0,
            queued: 0,
            closed: false,
            moved_at: Instant::now(),
        };
        Outgoing { socket, state: Mutex::new(state), room: Condvar::new(), changed: Notify::new() }
    }

    /// Sends or queues without waiting: replies and errors, whose number is bounded by the requests begun.
    pub(crate) fn push(&self, bytes: Vec<u8>) {
        let mut state = self.locked();
        self.push_locked(&mut state, bytes);
    }

    /// Sends or queues rows, having waited until the queue is short; at most `patience`, if there is a limit.
    pub(crate) fn push_rows(
        &self,
        rows: Vec<u8>,
        cancel: &CancelToken,
        patience: Option<Duration>,
    ) -> Result<(), NoRoom> {
        let began = Instant::now();
        let mut state = self.locked();
        loop {
            if state.closed {
                return Err(NoRoom::Closed);
            }
            cancel.check().map_err(NoRoom::Stopped)?;
            if state.queued < HIGH_WATER_BYTES {
                break;
            }
            if patience.is_some_and(|patience| began.elapsed() >= patience) {
                return Err(NoRoom::NotRead);
            }
            state = self.room.wait_timeout(state, CANCEL_LATENCY).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.push_locked(&mut state, rows);
        if state.closed { Err(NoRoom::Closed) } else { Ok(()) }
    }

    /// Sends of the queue what the socket takes now. `WouldBlock` if something is left.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut state = self.locked();
        let outcome = self.flush_locked(&mut state);
        if state.queued < HIGH_WATER_BYTES {
            self.room.notify_all();
        }
        outcome
    }

    /// Unsent bytes.
    pub(crate) fn queued(&self) -> usize {
        self.locked().queued
    }

    /// True once the socket failed or [`Outgoing::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.locked().closed
    }

    /// How long the socket has refused the bytes that wait; zero if none wait.
    pub(crate) fn stalled_for(&self) -> Duration {
        let state = self.locked();
        if state.queued == 0 { Duration::ZERO } else { state.moved_at.elapsed() }
    }

    /// Gives up: the queue is dropped and workers that wait are told.
    pub(crate) fn close(&self) {
        self.close_locked(&mut self.locked());
    }

    /// Returns after [`Outgoing::wake`], or when there is something to flush or to end.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Makes the connection's task look again.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    fn push_locked(&self, state: &mut State, bytes: Vec<u8>) {
        if state.closed || bytes.is_empty() {
            return;
        }
        if state.queued == 0 {
            state.moved_at = Instant::now();
        }
        state.queued += bytes.len();
        state.queue.push_back(bytes);
        if state.queue.len() > 1 || self.flush_locked(state).is_err() {
            self.changed.notify_one();
        }
    }

    fn flush_locked(&self, state: &mut State) -> io::Result<()> {
        while let Some(first) = state.queue.front() {
            match rustix::net::send(
                &self.socket,
                &first[state.sent_of_first..],
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            ) {
                Ok(count) => state.advance(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(errno) => {
                    self.close_locked(state);
                    return Err(errno.into());
                }
            }
        }
        Ok(())
    }

    fn close_locked(&self, state: &mut State) {
        state.closed = true;
        state.queue.clear();
        (state.sent_of_first, state.queued) = (0, 0);
        self.room.notify_all();
        self.changed.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, count: usize) {
        self.moved_at = Instant::now();
        self.queued -= count;
        self.sent_of_first += count;
        if self.queue.front().is_some_and(|first| first.len() == self.sent_of_first) {
            self.queue.pop_front();
            self.sent_of_first = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    fn pair() -> (Arc<Outgoing>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Arc::new(Outgoing::new(ours.into())), theirs)
    }

    #[test]
    fn a_reader_that_waits_gets_the_bytes_at_once() {
        let (outgoing, mut reader) = pair();
        outgoing.push(b"hello\n".to_vec());
        assert_eq!(outgoing.queued(), 0);
        let mut got = [0; 6];
        reader.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello\n");
    }

    #[test]
    fn bytes_stay_in_order_through_the_queue() {
        let (outgoing, mut reader) = pair();
        let wanted: Vec<u8> = (0..4_000_000u32).map(|n| (n % 251) as u8).collect();
        for piece in wanted.chunks(70_001) {
            outgoing.push(piece.to_vec());
        }
        assert!(outgoing.queued() > 0);
        let flusher = Arc::clone(&outgoing);
        let thread = std::thread::spawn(move || {
            while flusher.flush().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                std::thread::yield_now();
            }
        });
        let mut got = vec![0; wanted.len()];
        reader.read_exact(&mut got).unwrap();
        thread.join().unwrap();
        assert!(got == wanted);
        assert_eq!((outgoing.queued(), outgoing.stalled_for()), (0, Duration::ZERO));
    }

    fn fill(outgoing: &Outgoing) {
        while outgoing.queued() < HIGH_WATER_BYTES {
            outgoing.push(vec![b'x'; 100_000]);
        }
    }

    #[test]
    fn rows_for_a_client_that_does_not_read_are_bounded() {
        let (outgoing, _reader) = pair();
        fill(&outgoing);
        let before = outgoing.queued();
        let outcome = outgoing.push_rows(vec![b'y'; 10], &CancelToken::new(), Some(Duration::from_millis(1)));
        assert_eq!(outcome, Err(NoRoom::NotRead));
        assert_eq!(outgoing.queued(), before);
        assert!(outgoing.stalled_for() > Duration::ZERO);
    }

    #[test]
    fn a_waiting_worker_hears_of_cancellation_and_of_the_end() {
        let (outgoing, _reader) = pair();
        fill(&outgoing);
        let cancel = CancelToken::new();
        let wait = |outgoing: &Arc<Outgoing>| {
            let (outgoing, cancel) = (Arc::clone(outgoing), cancel.clone());
            std::thread::spawn(move || outgoing.push_rows(vec![b'y'; 10], &cancel, None))
        };
        let waiting = wait(&outgoing);
        cancel.cancel();
        assert_eq!(waiting.join().unwrap(), Err(NoRoom::Stopped(Cancelled::Requested)));
        let outgoing_gone = {
            let (outgoing, reader) = pair();
            fill(&outgoing);
            drop(reader);
            assert!(outgoing.flush().is_err());
            outgoing
        };
        assert!(outgoing_gone.is_closed());
        assert_eq!(outgoing_gone.push_rows(vec![1], &CancelToken::new(), None), Err(NoRoom::Closed));
    }
}
