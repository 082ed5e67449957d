//! Standing queries of one connection.
//!
//! What one tells waits in the service, which rings; the connection's task then forwards as much as the client reads.
//! Nothing waits for a client: what it leaves unread fills the mailbox in the service, which then says `resync`.

use crate::outgoing::{LOW_WATER_BYTES, Outgoing};
use hearth_protocol::RpcError;
use hearth_protocol::answer::{WatchEvent, WatchNote};
use hearth_protocol::convert::watch_events;
use hearth_protocol::envelope::notification_line;
use hearth_protocol::limits::WATCHES;
use hearth_protocol::method;
use hearth_service::{Watched, Watching};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Events in one notification.
const EVENTS_PER_NOTE: usize = 256;
/// Batches forwarded in one look, so that a storm of them does not keep the task from its requests.
const BATCHES_PER_LOOK: usize = 64;

/// See the module.
#[derive(Default)]
pub(crate) struct Watches(Mutex<State>);

#[derive(Default)]
struct State {
    begun: u64,
    /// Those that are about to begin.
    reserved: usize,
    running: Vec<(u64, Watching)>,
}

/// The right to begin a standing query; to be given back by [`Watches::begin`] or by dropping it.
pub(crate) struct Place<'a>(&'a Watches);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.locked().reserved -= 1;
    }
}

impl Watches {
    /// A place for one more, unless there are too many.
    pub(crate) fn reserve(&self) -> Result<Place<'_>, RpcError> {
        let mut state = self.locked();
        if state.running.len() + state.reserved >= WATCHES {
            return Err(RpcError::busy("standing queries of one connection", WATCHES, 1000));
        }
        state.reserved += 1;
        Ok(Place(self))
    }

    /// Begins to forward what a standing query tells, and gives its number.
    pub(crate) fn begin(&self, place: Place<'_>, watching: Watching) -> u64 {
        drop(place);
        let mut state = self.locked();
        state.begun += 1;
        let number = state.begun;
        state.running.push((number, watching));
        number
    }

    /// Ends one, or all.
    pub(crate) fn end(&self, number: Option<u64>) {
        let mut state = self.locked();
        let (ended, running) = std::mem::take(&mut state.running)
            .into_iter()
            .partition(|(at, _)| number.is_none_or(|it| it == *at));
        state.running = running;
        drop(state);
        // Ending one tells the kernel, which is not waited for under the lock.
        let ended: Vec<(u64, Watching)> = ended;
        drop(ended);
    }

    /// True while there is any.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.locked().running.is_empty()
    }

    /// Forwards what there is to tell, as much as the client reads.
    pub(crate) fn report(&self, outgoing: &Outgoing) {
        for (number, watching) in &mut self.locked().running {
            forward(*number, &mut || next(watching), outgoing);
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events that are there already.
fn next(watching: &mut Watching) -> Option<Vec<WatchEvent>> {
    match watching.next(Duration::ZERO) {
        Watched::Batch(batch) => Some(watch_events(batch)),
        Watched::Nothing | Watched::Ended => None,
    }
}

fn forward(watch: u64, next: &mut dyn FnMut() -> Option<Vec<WatchEvent>>, outgoing: &Outgoing) {
    for _ in 0..BATCHES_PER_LOOK {
        // The task looks again when the client has read.
        if outgoing.queued() >= LOW_WATER_BYTES {
            return;
        }
        let Some(events) = next() else { return };
        for events in events.chunks(EVENTS_PER_NOTE) {
            match notification_line(method::WATCH, &WatchNote { watch, events: events.to_vec() }) {
                Ok(line) => outgoing.push(line),
                Err(error) => tracing::error!("an event cannot be rendered: {error}"),
            }
        }
    }
    outgoing.wake();
}
