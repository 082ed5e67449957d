//! The task of one connection: reads requests, begins them, sends what is queued, notices the end.
//!
//! While the connection has all the requests it may have, or its client leaves replies unread, the next
//! request waits here and nothing behind it is read: the client feels that as back-pressure, and the daemon
//! holds at most one read of undecided lines. A `cancel` at the head of them is carried out all the same.
//! A client that shuts down its sending side still gets its replies; one that closed is cancelled.

use crate::connection::Connection;
use crate::dispatch;
use crate::outgoing::{FLOOD_BYTES, LOW_WATER_BYTES};
use crate::progress::ScanWatch;
use crate::server::Server;
use hearth_protocol::envelope::error_line;
use hearth_protocol::framing::{Event, LineDecoder};
use hearth_protocol::limits::MESSAGE_BYTES;
use hearth_protocol::{Code, RpcError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// How often a busy connection is looked after.
const TICK: Duration = Duration::from_millis(100);
/// How long a client may leave queued bytes unread before its connection is dropped, while other requests
/// wait for the thread that it holds.
const STALL_WHEN_WANTED: Duration = Duration::from_secs(30);
/// The same while nobody waits.
const STALL: Duration = Duration::from_secs(600);
/// How long a stopping daemon waits for a client to take its last replies.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves a connection until it ends.
pub(crate) async fn serve(server: Arc<Server>, stream: UnixStream) {
    match Session::new(server, stream) {
        Ok(mut session) => {
            session.run().await;
            session.connection.outgoing.close();
            session.connection.cancel_all();
        }
        Err(error) => tracing::warn!("a connection was lost at once: {error}"),
    }
}

/// A line that waits for its turn.
enum Line {
    Text(Vec<u8>),
    TooLong,
}

struct Session {
    server: Arc<Server>,
    connection: Arc<Connection>,
    stream: UnixStream,
    decoder: LineDecoder,
    lines: VecDeque<Line>,
    buffer: Box<[u8]>,
    scans: ScanWatch,
    /// The client sends nothing more.
    ended: bool,
    /// The daemon stops, since then.
    stopping: Option<Instant>,
}

impl Session {
    fn new(server: Arc<Server>, stream: UnixStream) -> io::Result<Self> {
        let socket = rustix::io::fcntl_dupfd_cloexec(&stream, 3)?;
        Ok(Session {
            server,
            connection: Connection::new(socket),
            stream,
            decoder: LineDecoder::new(MESSAGE_BYTES),
            lines: VecDeque::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            scans: ScanWatch::default(),
            ended: false,
            stopping: None,
        })
    }

    async fn run(&mut self) {
        let mut stop = self.server.stop.listen();
        let mut tick = ticker();
        loop {
            self.begin_requests();
            self.connection.watches.report(&self.connection.outgoing);
            if self.is_over() {
                return;
            }
            let reading = self.may_read();
            let writing = self.connection.outgoing.queued() > 0;
            let looking =
                writing || !reading || self.connection.running() > 0 || self.connection.is_subscribed();
            let alive = tokio::select! {
                ready = self.stream.readable(), if reading => ready.and_then(|()| self.read()),
                ready = self.stream.writable(), if writing => ready.and_then(|()| self.write()),
                () = self.connection.outgoing.changed() => Ok(()),
                _ = tick.tick(), if looking => self.look_after(),
                () = stop.requested(), if self.stopping.is_none() => self.stop(),
            };
            if alive.is_err() {
                return;
            }
        }
    }

    fn may_read(&self) -> bool {
        !self.ended && self.stopping.is_none() && self.lines.is_empty()
    }

    fn is_over(&self) -> bool {
        let outgoing = &self.connection.outgoing;
        let last = self.ended || self.stopping.is_some();
        let idle = || self.lines.is_empty() && self.connection.running() == 0 && outgoing.queued() == 0;
        let late = || self.stopping.is_some_and(|since| since.elapsed() > FAREWELL);
        outgoing.is_closed() || (last && (idle() || late()))
    }

    fn begin_requests(&mut self) {
        while let Some(line) = self.lines.pop_front() {
            match &line {
                Line::Text(line) if self.has_room() => dispatch::begin(&self.server, &self.connection, line),
                Line::TooLong if self.has_room() => self.refuse(&RpcError::too_large(MESSAGE_BYTES)),
                Line::Text(line) if self.may_cancel(line) => {
                    dispatch::begin(&self.server, &self.connection, line);
                }
                _ => return self.lines.push_front(line),
            }
        }
    }

    fn has_room(&self) -> bool {
        self.connection.has_slot() && self.connection.outgoing.queued() < LOW_WATER_BYTES
    }

    fn may_cancel(&self, line: &[u8]) -> bool {
        self.connection.outgoing.queued() < FLOOD_BYTES && dispatch::is_cancel(line)
    }

    fn refuse(&self, error: &RpcError) {
        self.connection.outgoing.push(error_line(None, error));
    }

    fn read(&mut self) -> io::Result<()> {
        match self.stream.try_read(&mut self.buffer) {
            Ok(0) => self.end(),
            Ok(count) => {
                self.decode(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes the lines out of the first bytes of the buffer.
    fn decode(&mut self, count: usize) {
        let lines = &mut self.lines;
        self.decoder.push(&self.buffer[..count], |event| {
            lines.push_back(match event {
                Event::Line(line) => Line::Text(line.to_vec()),
                Event::TooLong => Line::TooLong,
            });
        });
    }

    /// Reads what the client had sent already, whether or not the runtime has noticed it yet.
    fn read_what_is_there(&mut self) {
        const READS: usize = 16;
        for _ in 0..READS {
            match recv(&self.stream, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((count, _)) if count > 0 => self.decode(count),
                _ => return,
            }
        }
    }

    /// The client sends nothing more: it closed, or it waits for its last replies.
    fn end(&mut self) -> io::Result<()> {
        self.ended = true;
        if self.decoder.is_mid_line() {
            self.refuse(&RpcError::new(Code::Parse, "the connection ended in the middle of a message"));
        }
        self.check_hung_up()
    }

    fn write(&self) -> io::Result<()> {
        match self.stream.try_io(Interest::WRITABLE, || self.connection.outgoing.flush()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn look_after(&mut self) -> io::Result<()> {
        self.check_hung_up()?;
        self.check_stall()?;
        self.connection.answer_given_up();
        self.connection.report_transitions();
        if self.connection.hears_progress() {
            self.scans.report(&self.server.service.status(), &self.connection.outgoing);
        }
        Ok(())
    }

    /// While nothing is read, only the poll flags tell that the client went away.
    fn check_hung_up(&self) -> io::Result<()> {
        let mut watched = [PollFd::new(&self.stream, PollFlags::empty())];
        poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    fn check_stall(&self) -> io::Result<()> {
        let (fast, bulk) = self.server.lanes.waiting();
        let limit = if fast + bulk > 0 { STALL_WHEN_WANTED } else { STALL };
        let stalled = self.connection.outgoing.stalled_for();
        if stalled > limit {
            tracing::warn!("dropping a client that has not read for {} s", stalled.as_secs());
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn stop(&mut self) -> io::Result<()> {
        self.stopping = Some(Instant::now());
        self.connection.cancel_all();
        self.read_what_is_there();
        for line in self.lines.drain(..) {
            if let Line::Text(line) = line {
                dispatch::turn_down(
                    &self.connection,
                    &line,
                    &RpcError::new(Code::Cancelled, "the daemon stops"),
                );
            }
        }
        Ok(())
    }
}

fn ticker() -> Interval {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}
