//! Moves of shards for subscribers.
//!
//! Each subscribed connection has a queue in the service and forwards what is in it whenever its task looks
//! after it. Nothing waits for a client: while it leaves replies unread its queue fills, the service drops what
//! has no room, and the gap in `sequence` tells the client when it reads again.

use crate::outgoing::{LOW_WATER_BYTES, Outgoing};
use hearth_protocol::answer::Transition;
use hearth_protocol::envelope::notification_line;
use hearth_protocol::method;
use hearth_service::{Subscription, Waited, api};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Events forwarded in one look, so that a storm of them does not keep the task from its requests.
const EVENTS_PER_LOOK: usize = 256;

/// The subscription of one connection, if it has one.
#[derive(Default)]
pub(crate) struct Transitions(Mutex<Option<Subscription>>);

impl Transitions {
    /// Begins with a new subscription or ends the present one; one that goes on misses nothing.
    pub(crate) fn set(&self, subscription: Option<Subscription>) {
        let mut present = self.locked();
        if present.is_none() || subscription.is_none() {
            *present = subscription;
        }
    }

    /// True while there is a subscription.
    pub(crate) fn are_wanted(&self) -> bool {
        self.locked().is_some()
    }

    /// Forwards what has happened, as much as the client reads.
    pub(crate) fn report(&self, outgoing: &Outgoing) {
        if let Some(subscription) = &*self.locked() {
            forward(&mut || next(subscription), outgoing);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Subscription>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is there already.
fn next(subscription: &Subscription) -> Option<api::TransitionEvent> {
    match subscription.wait(Duration::ZERO) {
        Waited::Event(event) => Some(event),
        Waited::Nothing | Waited::Ended => None,
    }
}

fn forward(next: &mut dyn FnMut() -> Option<api::TransitionEvent>, outgoing: &Outgoing) {
    for _ in 0..EVENTS_PER_LOOK {
        if outgoing.queued() >= LOW_WATER_BYTES {
            return;
        }
        let Some(event) = next() else { return };
        match notification_line(method::TRANSITION, &Transition::from(event)) {
            Ok(line) => outgoing.push(line),
            Err(error) => tracing::error!("a transition cannot be rendered: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::envelope::Message;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixStream;

    fn event(sequence: u64) -> api::TransitionEvent {
        api::TransitionEvent {
            sequence,
            at_ns: 1,
            id: 1,
            source: "a".into(),
            axis: api::Axis::Tier,
            from: "warm",
            to: "parked",
            reason: api::Reason::Idle,
            bytes: 2,
            generation: 3,
        }
    }

    #[test]
    fn a_reader_gets_the_events_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let outgoing = Outgoing::new(ours.into());
        let mut events = (1..=3).map(event);
        forward(&mut || events.next(), &outgoing);
        let mut lines = BufReader::new(theirs).lines();
        for sequence in 1..=3 {
            let line = lines.next().unwrap().unwrap();
            let Message::Notification { method, params } = Message::parse(line.as_bytes()).unwrap() else {
                panic!("{line}")
            };
            assert_eq!(method, "transition");
            assert_eq!(serde_json::from_str::<Transition>(params.get()).unwrap().sequence, sequence);
        }
    }

    #[test]
    fn for_a_client_that_does_not_read_nothing_is_taken_from_the_queue() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let outgoing = Outgoing::new(ours.into());
        while outgoing.queued() < LOW_WATER_BYTES {
            outgoing.push(vec![b'x'; 100_000]);
        }
        let mut taken = 0;
        forward(
            &mut || {
                taken += 1;
                Some(event(taken))
            },
            &outgoing,
        );
        assert_eq!(taken, 0);
    }

    #[test]
    fn a_storm_is_forwarded_in_pieces() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let outgoing = Outgoing::new(ours.into());
        let mut taken = 0;
        forward(
            &mut || {
                taken += 1;
                Some(event(taken))
            },
            &outgoing,
        );
        assert!((1..=EVENTS_PER_LOOK as u64).contains(&taken), "{taken}");
    }
}
