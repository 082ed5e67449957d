//! What the threads of the daemon share about one connection: what it sends and what it runs.
//!
//! A request is registered from its line to its reply, and gets exactly one reply, whoever is first to
//! give it: the thread that ran it, or a cancellation while it waited. Locks are held for moments only.

use crate::outgoing::Outgoing;
use crate::ticket::{Progressing, Ticket};
use crate::transitions::Transitions;
use crate::watches::Watches;
use hearth_core::limits::REQUESTS_PER_CONNECTION;
use hearth_protocol::envelope::error_line;
use hearth_protocol::params::Topic;
use hearth_protocol::{Code, Id, RpcError};
use hearth_service::Service;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One client.
pub(crate) struct Connection {
    /// What it is sent.
    pub(crate) outgoing: Outgoing,
    requests: Mutex<HashMap<Id, Arc<Progressing>>>,
    progress: AtomicBool,
    transitions: Transitions,
    /// Standing queries.
    pub(crate) watches: Watches,
}

impl Connection {
    /// A connection over a non-blocking socket.
    pub(crate) fn new(socket: OwnedFd) -> Arc<Self> {
        let outgoing = Outgoing::new(socket);
        let (requests, progress) = (Mutex::default(), AtomicBool::new(false));
        let (transitions, watches) = (Transitions::default(), Watches::default());
        Arc::new(Connection { outgoing, requests, progress, transitions, watches })
    }

    /// Registers a request; an id that is in use is refused.
    pub(crate) fn begin(self: &Arc<Self>, id: &Id, deadline: Instant) -> Result<Ticket, RpcError> {
        let mut requests = self.locked();
        if requests.contains_key(id) {
            return Err(RpcError::new(
                Code::InvalidRequest,
                format!("a request with the id {id} is still running"),
            ));
        }
        let progressing = Arc::new(Progressing::new(deadline));
        requests.insert(id.clone(), Arc::clone(&progressing));
        Ok(Ticket::new(Arc::clone(self), id.clone(), progressing))
    }

    /// Answers a request and forgets it, in one step for whoever counts the running ones: the client may use
    /// the id again as soon as it has the reply, and the connection may end when nothing runs.
    pub(crate) fn finish(&self, id: &Id, reply: Vec<u8>) {
        let mut requests = self.locked();
        requests.remove(id);
        self.outgoing.push(reply);
        drop(requests);
        self.outgoing.wake();
    }

    /// Cancels a request; false if there is none.
    pub(crate) fn cancel(&self, id: &Id) -> bool {
        let request = self.locked().get(id).cloned();
        let Some(request) = request else { return false };
        request.cancel.cancel();
        self.answer_given_up();
        true
    }

    /// Cancels everything.
    pub(crate) fn cancel_all(&self) {
        for request in self.locked().values() {
            request.cancel.cancel();
        }
        self.answer_given_up();
    }

    /// Answers requests that wait for a thread and were cancelled, or whose time is over.
    pub(crate) fn answer_given_up(&self) {
        let mut given_up = Vec::new();
        self.locked().retain(|id, request| match request.give_up_waiting() {
            Some(error) => {
                given_up.push(error_line(Some(id), &error));
                false
            }
            None => true,
        });
        for line in given_up {
            self.outgoing.push(line);
        }
    }

    /// Requests that wait or run.
    pub(crate) fn running(&self) -> usize {
        self.locked().len()
    }

    /// True if another request may begin.
    pub(crate) fn has_slot(&self) -> bool {
        self.running() < REQUESTS_PER_CONNECTION
    }

    /// Topics that the client hears of, in the order of `hello`'s capabilities.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let progress = self.hears_progress().then_some(Topic::Progress);
        let transitions = self.transitions.are_wanted().then_some(Topic::Transitions);
        let watch = self.watches.are_wanted().then_some(Topic::Watch);
        progress.into_iter().chain(transitions).chain(watch).collect()
    }

    /// Whether scan progress is sent.
    pub(crate) fn hears_progress(&self) -> bool {
        self.progress.load(Ordering::Acquire)
    }

    /// True if anything is sent that was not asked for by a request.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.hears_progress() || self.transitions.are_wanted()
    }

    /// Begins to send what happens from now on, or ends it. Standing queries begin and end by themselves.
    pub(crate) fn subscribe(&self, service: &Service, topic: Topic, wanted: bool) {
        match topic {
            Topic::Progress => self.progress.store(wanted, Ordering::Release),
            Topic::Transitions => self.transitions.set(wanted.then(|| service.transitions())),
            Topic::Watch => {}
        }
        self.outgoing.wake();
    }

    /// Sends the moves of shards since the last look, if the client wants them.
    pub(crate) fn report_transitions(&self) {
        self.transitions.report(&self.outgoing);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Id, Arc<Progressing>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
