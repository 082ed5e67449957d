//! Telling subscribers how shards move.
//!
//! A subscriber has a bounded queue. One that does not read loses events, which the gap in their numbers
//! tells it; nobody waits for it.

use crate::Service;
use crate::api::TransitionEvent;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use std::time::Duration;

/// Events that a subscriber may have unread.
const UNREAD: usize = 1024;

/// Transitions since the subscription began.
pub struct Subscription {
    events: Receiver<TransitionEvent>,
}

/// What came of waiting for a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// A transition.
    Event(TransitionEvent),
    /// Nothing in this time.
    Nothing,
    /// The service is gone, nothing will come.
    Ended,
}

impl Subscription {
    /// Waits for the next transition for at most this long.
    pub fn wait(&self, timeout: Duration) -> Waited {
        match self.events.recv_timeout(timeout) {
            Ok(event) => Waited::Event(event),
            Err(RecvTimeoutError::Timeout) => Waited::Nothing,
            Err(RecvTimeoutError::Disconnected) => Waited::Ended,
        }
    }
}

/// The subscribers.
#[derive(Debug, Default)]
pub(crate) struct Transitions {
    subscribers: Mutex<Subscribers>,
}

#[derive(Debug, Default)]
struct Subscribers {
    sent: u64,
    ended: bool,
    queues: Vec<Sender<TransitionEvent>>,
}

impl Transitions {
    /// Numbers an event and sends it to everybody.
    pub(crate) fn send(&self, event: TransitionEvent) {
        let mut subscribers = self.subscribers.lock();
        subscribers.sent += 1;
        let event = TransitionEvent { sequence: subscribers.sent, ..event };
        let gone = |sent| matches!(sent, Err(TrySendError::Disconnected(_)));
        subscribers.queues.retain(|queue| !gone(queue.try_send(event.clone())));
    }

    /// Ends all subscriptions, also those to come.
    pub(crate) fn end(&self) {
        let mut subscribers = self.subscribers.lock();
        subscribers.ended = true;
        subscribers.queues.clear();
    }

    fn subscribe(&self) -> Subscription {
        let (queue, events) = bounded(UNREAD);
        let mut subscribers = self.subscribers.lock();
        if !subscribers.ended {
            subscribers.queues.push(queue);
        }
        Subscription { events }
    }
}

impl Service {
    /// Follows the moves of all shards from now on. A subscriber that falls far behind loses events,
    /// which the gap in their numbers tells.
    pub fn transitions(&self) -> Subscription {
        self.driver.transitions().subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Axis, Reason};

    fn event(sequence: u64) -> TransitionEvent {
        TransitionEvent {
            sequence,
            at_ns: 1,
            id: 1,
            source: "s".into(),
            axis: Axis::Tier,
            from: "warm",
            to: "parked",
            reason: Reason::Idle,
            bytes: 0,
            generation: 1,
        }
    }

    #[test]
    fn who_does_not_read_loses_events_and_can_tell() {
        let transitions = Transitions::default();
        let subscription = transitions.subscribe();
        for _ in 0..UNREAD + 10 {
            transitions.send(event(0));
        }
        let mut numbers = Vec::new();
        while let Waited::Event(event) = subscription.wait(Duration::ZERO) {
            numbers.push(event.sequence);
        }
        assert_eq!(numbers, (1..=UNREAD as u64).collect::<Vec<_>>());
        transitions.send(event(0));
        assert_eq!(subscription.wait(Duration::ZERO), Waited::Event(event(UNREAD as u64 + 11)));
        assert_eq!(subscription.wait(Duration::ZERO), Waited::Nothing);
    }

    #[test]
    fn subscriptions_end_with_the_service_and_with_their_owner() {
        let transitions = Transitions::default();
        let subscription = transitions.subscribe();
        drop(transitions.subscribe());
        transitions.send(event(0));
        assert_eq!(transitions.subscribers.lock().queues.len(), 1);
        transitions.end();
        assert_eq!(subscription.wait(Duration::from_secs(60)), Waited::Event(event(1)));
        assert_eq!(subscription.wait(Duration::from_secs(60)), Waited::Ended);
        assert_eq!(transitions.subscribe().wait(Duration::from_secs(60)), Waited::Ended);
    }
}
