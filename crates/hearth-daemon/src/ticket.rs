//! The life of one request: waiting, running, answered, exactly once.
//!
//! Three parties may want to answer: the worker that ran it, the connection that finds it waiting
//! past its time or cancelled, and the lane that has no room. The state decides; the others' answers are
//! dropped. Whatever happens to a worker, dropping the ticket answers.

use crate::connection::Connection;
use crate::lanes::Lane;
use crate::server::Server;
use hearth_core::{CancelToken, Cancelled};
use hearth_protocol::envelope::error_line;
use hearth_protocol::{Code, Id, RpcError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ANSWERED: u8 = 2;

/// Shared part of a request, kept by its connection while it lives.
#[derive(Debug)]
pub(crate) struct Progressing {
    state: AtomicU8,
    /// Fires on `cancel`, at the deadline, and when the connection ends.
    pub(crate) cancel: CancelToken,
}

impl Progressing {
    /// A waiting request that may last until `deadline`.
    pub(crate) fn new(deadline: Instant) -> Self {
        Progressing { state: AtomicU8::new(WAITING), cancel: CancelToken::new().with_deadline(deadline) }
    }

    fn moves(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The error to answer with, if the request still waits and its token has fired. The caller must answer.
    pub(crate) fn give_up_waiting(&self) -> Option<RpcError> {
        let why = self.cancel.check().err()?;
        self.moves(WAITING, ANSWERED).then(|| stopped(why, false))
    }
}

/// What a request's work is given.
pub(crate) struct Call {
    /// The daemon.
    pub(crate) server: Arc<Server>,
    /// Who asks.
    pub(crate) connection: Arc<Connection>,
    /// The request.
    pub(crate) id: Id,
    /// Where it runs.
    pub(crate) lane: Lane,
    /// When to stop.
    pub(crate) cancel: CancelToken,
}

/// The work of a request: the reply line, or an error.
pub(crate) type Work = Box<dyn FnOnce(&Call) -> Result<Vec<u8>, RpcError> + Send>;

/// The right and the duty to answer one request.
#[derive(Clone)]
pub(crate) struct Ticket {
    connection: Arc<Connection>,
    id: Id,
    progressing: Arc<Progressing>,
}

impl Ticket {
    pub(crate) fn new(connection: Arc<Connection>, id: Id, progressing: Arc<Progressing>) -> Self {
        Ticket { connection, id, progressing }
    }

    fn answer(&self, from: u8, line: Vec<u8>) {
        if self.progressing.moves(from, ANSWERED) {
            self.connection.finish(&self.id, line);
        }
    }

    /// Answers a request that was not begun.
    pub(crate) fn refuse(&self, error: &RpcError) {
        self.answer(WAITING, error_line(Some(&self.id), error));
    }
}

/// A request with its work, on its way to a thread.
pub(crate) struct Job {
    ticket: Ticket,
    server: Arc<Server>,
    lane: Lane,
    work: Work,
}

impl Job {
    pub(crate) fn new(ticket: Ticket, server: Arc<Server>, lane: Lane, work: Work) -> Self {
        Job { ticket, server, lane, work }
    }

    /// Answers without running.
    pub(crate) fn refuse(self, error: &RpcError) {
        self.ticket.refuse(error);
    }

    /// The right to refuse the job, for a caller who is about to give it away.
    pub(crate) fn refusal(&self) -> Ticket {
        self.ticket.clone()
    }

    /// Runs and answers. A panic is an internal error of this request only.
    pub(crate) fn run(self) {
        let Job { ticket, server, lane, work } = self;
        if let Err(why) = ticket.progressing.cancel.check() {
            return ticket.refuse(&stopped(why, false));
        }
        if !ticket.progressing.moves(WAITING, RUNNING) {
            return;
        }
        let cancel = ticket.progressing.cancel.clone();
        let call =
            Call { server, connection: Arc::clone(&ticket.connection), id: ticket.id.clone(), lane, cancel };
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&call))).unwrap_or_else(|_| Err(panicked()));
        let line = outcome.unwrap_or_else(|error| error_line(Some(&ticket.id), &error));
        ticket.answer(RUNNING, line);
    }
}

/// The error of a request that was stopped; `partial` if rows were already sent.
pub(crate) fn stopped(why: Cancelled, partial: bool) -> RpcError {
    match why {
        Cancelled::Requested => RpcError::new(Code::Cancelled, "cancelled"),
        Cancelled::DeadlinePassed => {
            RpcError::new(Code::TimedOut, "the request took longer than its time limit")
                .hint("raise `timeout_ms`, or narrow the request")
                .with("partial", partial)
        }
    }
}

fn panicked() -> RpcError {
    RpcError::new(Code::Internal, "the daemon failed on this request").hint("the daemon's log says more")
}
