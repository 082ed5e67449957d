//! Requests and their answers over one connection, one at a time.
//!
//! Rows are handed on while they arrive; only reports, which are short, are collected. After an answer
//! that makes no sense, or an error of the caller's receiver, the connection is closed, since what
//! follows on it belongs to no request any more.

use crate::error::CallError;
use crate::reader::FrameReader;
use hearth_protocol::answer::{
    Act, Change, Check, Checks, Config, DuRow, DupeGroup, Freed, Hello, Kept, KeyRotation, List, Refreshed,
    RequestProgress, ScanProgress, Source, StatsRow, Status, Stopping, Subscribed, Summary, Transition,
    WatchNote,
};
use hearth_protocol::envelope::{Message, RowsParams, request_line};
use hearth_protocol::limits::RAW_FRAME_MAX_BYTES;
use hearth_protocol::params::{
    AddParams, DuParams, DupesParams, FindParams, ForgetParams, HelloParams, HistoryParams, NoParams,
    PreloadParams, SinceParams, SourcesParams, StatsParams, SubscribeParams, Topic,
};
use hearth_protocol::{Entry, Id, PROTOCOL, method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::{Duration, Instant};

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    reader: FrameReader<UnixStream>,
    next_id: i64,
    child: Option<Child>,
}

/// What comes between a request and its reply.
#[derive(Debug)]
pub enum Event<'a> {
    /// Rows: a JSON array.
    Rows(&'a RawValue),
    /// The next piece of rows in a raw encoding; pieces may end inside a row.
    Raw(&'a [u8]),
    /// A scan goes on (after [`Client::subscribe_progress`]).
    Scan(ScanProgress),
    /// A shard moved (after [`Client::subscribe_transitions`]).
    Transition(Transition),
    /// A standing query tells something (after [`Client::watch`]).
    Watch(WatchNote),
    /// This request goes on.
    Request(RequestProgress),
    /// A notification this client does not know.
    Other {
        /// Its name.
        method: &'a str,
        /// Its parameters.
        params: &'a RawValue,
    },
}

/// Receiver of the rows of a `find`. An error ends the request and closes the connection.
pub trait FindHandler {
    /// Takes the next rows, for [`hearth_protocol::params::Encoding::Json`].
    fn entries(&mut self, entries: Vec<Entry>) -> io::Result<()>;

    /// Takes the next bytes of rows in a raw encoding. A piece may end inside a row.
    fn raw(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// A scan goes on, after [`Client::subscribe_progress`].
    fn scan_progress(&mut self, _progress: &ScanProgress) -> io::Result<()> {
        Ok(())
    }
}

impl Client {
    pub(crate) fn new(stream: UnixStream, child: Option<Child>) -> io::Result<Client> {
        let reader = FrameReader::new(stream.try_clone()?);
        Ok(Client { stream, reader, next_id: 1, child })
    }

    /// Sends a request and returns its result; what comes before goes to `on`.
    pub fn call_with<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<R, CallError> {
        let id = self.send(method, params)?;
        let outcome = self.receive(&id, on);
        if matches!(outcome, Err(CallError::Receiver(_) | CallError::Protocol(_))) {
            self.close();
        }
        outcome
    }

    /// Sends a request and returns its result; notifications are dropped.
    pub fn call<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
    ) -> Result<R, CallError> {
        self.call_with(method, params, &mut |_| Ok(()))
    }

    /// `find`.
    pub fn find(&mut self, params: &FindParams, handler: &mut dyn FindHandler) -> Result<Summary, CallError> {
        self.call_with(method::FIND, params, &mut |event| match event {
            Event::Rows(rows) => handler.entries(read_rows(rows)?),
            Event::Raw(bytes) => handler.raw(bytes),
            Event::Scan(progress) => handler.scan_progress(&progress),
            Event::Transition(_) | Event::Watch(_) | Event::Request(_) | Event::Other { .. } => Ok(()),
        })
    }

    /// `du`: its rows and its summary; what else comes before goes to `on`.
    pub fn du(
        &mut self,
        params: &DuParams,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<(Vec<DuRow>, Summary), CallError> {
        self.report(method::DU, params, on)
    }

    /// `stats`: as [`Client::du`].
    pub fn stats(
        &mut self,
        params: &StatsParams,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<(Vec<StatsRow>, Summary), CallError> {
        self.report(method::STATS, params, on)
    }

    /// `dupes`: as [`Client::du`].
    pub fn dupes(
        &mut self,
        params: &DupesParams,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<(Vec<DupeGroup>, Summary), CallError> {
        self.report(method::DUPES, params, on)
    }

    /// `history`: as [`Client::du`].
    pub fn history(
        &mut self,
        params: &HistoryParams,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<(Vec<Act>, Summary), CallError> {
        self.report(method::HISTORY, params, on)
    }

    /// `since`: as [`Client::du`].
    pub fn since(
        &mut self,
        params: &SinceParams,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<(Vec<Change>, Summary), CallError> {
        self.report(method::SINCE, params, on)
    }

    /// `hello`: what the daemon is and can do. Not needed before other requests.
    pub fn hello(&mut self, client: &str) -> Result<Hello, CallError> {
        self.call(method::HELLO, &HelloParams { protocol: PROTOCOL, client: Some(client.to_owned()) })
    }

    /// `add`; scan progress, if subscribed to, goes to `on`.
    pub fn add(
        &mut self,
        params: &AddParams,
        on: &mut dyn FnMut(&ScanProgress) -> io::Result<()>,
    ) -> Result<Source, CallError> {
        self.call_with(method::ADD, params, &mut |event| match event {
            Event::Scan(progress) => on(&progress),
            _ => Ok(()),
        })
    }

    /// `forget`: the source that was forgotten.
    pub fn forget(&mut self, params: &ForgetParams) -> Result<Freed, CallError> {
        self.call(method::FORGET, params)
    }

    /// `preload`: the sources, once they are in memory; scan progress, if subscribed to, goes to `on`.
    pub fn preload(
        &mut self,
        params: &PreloadParams,
        on: &mut dyn FnMut(&ScanProgress) -> io::Result<()>,
    ) -> Result<Vec<Kept>, CallError> {
        self.keep(method::PRELOAD, params, on)
    }

    /// `pin`: as [`Client::preload`].
    pub fn pin(
        &mut self,
        params: &SourcesParams,
        on: &mut dyn FnMut(&ScanProgress) -> io::Result<()>,
    ) -> Result<Vec<Kept>, CallError> {
        self.keep(method::PIN, params, on)
    }

    /// `unpin`: the sources whose pins ended.
    pub fn unpin(&mut self, params: &SourcesParams) -> Result<Vec<Source>, CallError> {
        self.call::<_, List>(method::UNPIN, params).map(|list| list.sources)
    }

    /// `hibernate`: the sources that went out of memory.
    pub fn hibernate(&mut self, params: &SourcesParams) -> Result<Vec<Freed>, CallError> {
        self.call::<_, List<Freed>>(method::HIBERNATE, params).map(|list| list.sources)
    }

    /// `list`.
    pub fn list(&mut self) -> Result<Vec<Source>, CallError> {
        self.call::<_, List>(method::LIST, &NoParams {}).map(|list| list.sources)
    }

    /// `status`.
    pub fn status(&mut self) -> Result<Status, CallError> {
        self.call(method::STATUS, &NoParams {})
    }

    /// `doctor`: what is in order, and what is not.
    pub fn doctor(&mut self) -> Result<Vec<Check>, CallError> {
        self.call::<_, Checks>(method::DOCTOR, &NoParams {}).map(|answer| answer.checks)
    }

    /// `refresh`: names of the sources that are scanned.
    pub fn refresh(&mut self, params: &SourcesParams) -> Result<Vec<String>, CallError> {
        self.call::<_, Refreshed>(method::REFRESH, params).map(|refreshed| refreshed.sources)
    }

    /// `rotate_key`: the file of the new machine key, and which snapshots open with it.
    pub fn rotate_key(&mut self) -> Result<KeyRotation, CallError> {
        self.call(method::ROTATE_KEY, &NoParams {})
    }

    /// `config`.
    pub fn config(&mut self) -> Result<Config, CallError> {
        self.call(method::CONFIG, &NoParams {})
    }

    /// `subscribe` to scan progress, which then arrives during other requests.
    pub fn subscribe_progress(&mut self) -> Result<(), CallError> {
        self.subscribe(Topic::Progress)
    }

    /// `subscribe` to the moves of shards, which then arrive during other requests and between them.
    pub fn subscribe_transitions(&mut self) -> Result<(), CallError> {
        self.subscribe(Topic::Transitions)
    }

    /// `subscribe` to a standing query: where it begins. What it tells then arrives during other requests and between
    /// them, and may arrive before this returns: that goes to `on`.
    pub fn watch(
        &mut self,
        params: &SubscribeParams,
        on: &mut dyn FnMut(WatchNote) -> io::Result<()>,
    ) -> Result<Subscribed, CallError> {
        self.call_with(method::SUBSCRIBE, params, &mut |event| match event {
            Event::Watch(note) => on(note),
            _ => Ok(()),
        })
    }

    /// Blocks until a standing query tells something.
    pub fn next_watch(&mut self) -> Result<WatchNote, CallError> {
        loop {
            let mut told = None;
            self.step(None, &mut |event| {
                if let Event::Watch(note) = event {
                    told = Some(note);
                }
                Ok(())
            })?;
            if let Some(note) = told {
                return Ok(note);
            }
        }
    }

    /// Blocks until the next `progress` notification of a subscription.
    pub fn next_progress(&mut self) -> Result<ScanProgress, CallError> {
        loop {
            let mut seen = None;
            self.step(None, &mut |event| {
                if let Event::Scan(progress) = event {
                    seen = Some(progress);
                }
                Ok(())
            })?;
            if let Some(progress) = seen {
                return Ok(progress);
            }
        }
    }

    /// The next `transition` notification of a subscription; `None` if there was none in this time.
    pub fn next_transition(&mut self, timeout: Duration) -> Result<Option<Transition>, CallError> {
        let deadline = Instant::now() + timeout;
        let outcome = loop {
            let mut seen = None;
            let left = deadline.saturating_duration_since(Instant::now());
            let step = self.step_within(left, &mut |event| {
                if let Event::Transition(transition) = event {
                    seen = Some(transition);
                }
                Ok(())
            });
            match step {
                Ok(true) if seen.is_none() => {}
                Ok(_) => break Ok(seen),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_read_timeout(None).map_err(CallError::Lost)?;
        outcome
    }

    /// `shutdown`: asks the daemon to end, and returns when it closed the connection.
    pub fn shutdown(&mut self) -> Result<Stopping, CallError> {
        let stopping = self.call(method::SHUTDOWN, &NoParams {})?;
        let mut rest = [0; 4096];
        while matches!(self.stream.read(&mut rest), Ok(count) if count > 0) {}
        Ok(stopping)
    }

    /// Copies bytes both ways: request lines from `input`, everything the daemon says to `output`. After
    /// the end of `input` the daemon still answers what it was asked; returns when it closes.
    pub fn pump(self, mut input: impl Read + Send + 'static, output: &mut dyn Write) -> io::Result<()> {
        output.write_all(self.reader.unread())?;
        let mut to_daemon = self.stream.try_clone()?;
        std::thread::Builder::new().name("rpc-input".to_owned()).spawn(move || {
            // An error here means that the daemon closed, which the reading side sees as well.
            let _ = io::copy(&mut input, &mut to_daemon);
            let _ = to_daemon.shutdown(Shutdown::Write);
        })?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    output.write_all(&buffer[..count])?;
                    output.flush()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn report<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<(Vec<R>, Summary), CallError> {
        let mut all = Vec::new();
        let summary = self.call_with(method, params, &mut |event| match event {
            Event::Rows(rows) => {
                all.extend(read_rows::<R>(rows)?);
                Ok(())
            }
            other => on(other),
        })?;
        Ok((all, summary))
    }

    fn keep<P: Serialize>(
        &mut self,
        method: &str,
        params: &P,
        on: &mut dyn FnMut(&ScanProgress) -> io::Result<()>,
    ) -> Result<Vec<Kept>, CallError> {
        let kept: List<Kept> = self.call_with(method, params, &mut |event| match event {
            Event::Scan(progress) => on(&progress),
            _ => Ok(()),
        })?;
        Ok(kept.sources)
    }

    fn subscribe(&mut self, topic: Topic) -> Result<(), CallError> {
        self.call::<_, Subscribed>(method::SUBSCRIBE, &SubscribeParams::to(topic)).map(|_| ())
    }

    fn send<P: Serialize>(&mut self, method: &str, params: &P) -> Result<Id, CallError> {
        let id = Id::Number(self.next_id);
        self.next_id += 1;
        let line = request_line(Some(&id), method, params).map_err(CallError::nonsense)?;
        self.stream.write_all(&line).or_else(|error| self.explain_refusal(error))?;
        Ok(id)
    }

    /// A daemon that refuses a connection says why and closes; the reason is worth more than `EPIPE`.
    fn explain_refusal(&mut self, error: io::Error) -> Result<(), CallError> {
        let said = self.reader.line().ok().and_then(|line| Message::parse(line).ok());
        match said {
            Some(Message::Reply { id: None, outcome: Err(refusal) }) => Err(CallError::Rpc(refusal)),
            _ => Err(CallError::Lost(error)),
        }
    }

    fn receive<R: DeserializeOwned>(
        &mut self,
        id: &Id,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<R, CallError> {
        loop {
            if let Some(result) = self.step(Some(id), on)? {
                return serde_json::from_str(result.get()).map_err(CallError::nonsense);
            }
        }
    }

    /// Reads one message. A reply to `id` is returned, a notification goes to `on`.
    fn step(
        &mut self,
        id: Option<&Id>,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<Option<Box<RawValue>>, CallError> {
        let raw_bytes = match Message::parse(self.reader.line()?)? {
            Message::Reply { id: Some(other), .. } if id != Some(&other) => None,
            Message::Reply { outcome, .. } => return Ok(Some(outcome?.to_owned())),
            Message::Notification { method, params } => dispatch(&method, params, on)?,
        };
        if let Some(length) = raw_bytes {
            self.reader.raw(length, &mut |bytes| on(Event::Raw(bytes)))?;
        }
        Ok(None)
    }

    /// As [`Client::step`] without a request; false if no message was complete in this time. What has come
    /// of one is kept for the next call.
    fn step_within(
        &mut self,
        timeout: Duration,
        on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> Result<bool, CallError> {
        // The system takes a timeout of zero for none at all.
        let timeout = timeout.max(Duration::from_micros(1));
        self.stream.set_read_timeout(Some(timeout)).map_err(CallError::Lost)?;
        match self.step(None, on) {
            Ok(_) => Ok(true),
            Err(CallError::Lost(error)) if is_timeout(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn close(&mut self) {
        // Nothing more can be done about a connection that is being given up.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Client {
    /// An in-process daemon ends when its connection closes; it is waited for, so that it leaves nothing behind.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = self.stream.shutdown(Shutdown::Both);
            let _ = child.wait();
        }
    }
}

/// Hands a notification on; returns the length of raw bytes that follow it.
fn dispatch(
    method: &str,
    params: &RawValue,
    on: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
) -> Result<Option<u64>, CallError> {
    let event = match method {
        method::ROWS => match read::<RowsParams<'_>>(params)? {
            RowsParams { raw_bytes: Some(length), .. } if length > RAW_FRAME_MAX_BYTES => {
                return Err(CallError::Protocol(format!("the daemon announces a frame of {length} bytes")));
            }
            RowsParams { raw_bytes: Some(length), .. } => return Ok(Some(length)),
            RowsParams { rows: Some(rows), .. } => Event::Rows(rows),
            _ => return Err(CallError::Protocol("the daemon sent rows without rows".to_owned())),
        },
        method::PROGRESS => Event::Scan(read(params)?),
        method::TRANSITION => Event::Transition(read(params)?),
        method::WATCH => Event::Watch(read(params)?),
        method::REQUEST_PROGRESS => Event::Request(read(params)?),
        _ => Event::Other { method, params },
    };
    on(event).map_err(CallError::Receiver)?;
    Ok(None)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn read<'a, T: serde::Deserialize<'a>>(params: &'a RawValue) -> Result<T, CallError> {
    serde_json::from_str(params.get()).map_err(CallError::nonsense)
}

fn read_rows<T: DeserializeOwned>(rows: &RawValue) -> io::Result<Vec<T>> {
    serde_json::from_str(rows.get()).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn connected() -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Client::new(ours, None).unwrap(), theirs)
    }

    fn line(sequence: u64) -> Vec<u8> {
        let params = format!(
            r#"{{"sequence":{sequence},"at_ns":1,"id":1,"source":"a","axis":"tier","from":"warm","to":"parked","reason":"idle","bytes":7,"generation":2}}"#
        );
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"transition\",\"params\":{params}}}\n").into_bytes()
    }

    #[test]
    fn waiting_for_a_transition_ends_in_time_and_loses_nothing() {
        let (mut client, mut daemon) = connected();
        assert!(client.next_transition(SHORT).unwrap().is_none());
        let (first, second) = (line(1), line(2));
        let (head, tail) = first.split_at(30);
        daemon.write_all(head).unwrap();
        assert!(client.next_transition(SHORT).unwrap().is_none(), "half a message is none");
        daemon.write_all(&[tail, &second].concat()).unwrap();
        let mut next = || client.next_transition(SHORT).unwrap().map(|transition| transition.sequence);
        assert_eq!((next(), next(), next()), (Some(1), Some(2), None));
    }

    #[test]
    fn other_notifications_do_not_prolong_the_wait() {
        let (mut client, mut daemon) = connected();
        let other = b"{\"jsonrpc\":\"2.0\",\"method\":\"other\",\"params\":{}}\n";
        daemon.write_all(&other.repeat(50)).unwrap();
        assert!(client.next_transition(SHORT).unwrap().is_none());
        drop(daemon);
        assert!(matches!(client.next_transition(SHORT), Err(CallError::Lost(_))));
    }
}
