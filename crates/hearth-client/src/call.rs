//! Requests and their answers over one connection, one at a time.
//!
//! Rows are handed on while they arrive; only reports, which are short, are collected. After an answer
//! that makes no sense, or an error of the caller's receiver, the connection is closed, since what
//! follows on it belongs to no request any more.

use crate::error::CallError;
use crate::reader::FrameReader;
use hearth_protocol::answer::{
    Config, DuRow, DupeGroup, Hello, List, Refreshed, RequestProgress, ScanProgress, Source, StatsRow,
    Status, Stopping, Subscribed, Summary,
};
use hearth_protocol::envelope::{Message, RowsParams, request_line};
use hearth_protocol::limits::RAW_FRAME_MAX_BYTES;
use hearth_protocol::params::{
    AddParams, DuParams, DupesParams, FindParams, ForgetParams, HelloParams, NoParams, RefreshParams,
    StatsParams, SubscribeParams, Topic,
};
use hearth_protocol::{Entry, Id, PROTOCOL, method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Child;

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
            Event::Request(_) | Event::Other { .. } => Ok(()),
        })
    }

    /// `du`: its rows and its summary.
    pub fn du(&mut self, params: &DuParams) -> Result<(Vec<DuRow>, Summary), CallError> {
        self.report(method::DU, params, &mut |_| Ok(()))
    }

    /// `stats`: its rows and its summary.
    pub fn stats(&mut self, params: &StatsParams) -> Result<(Vec<StatsRow>, Summary), CallError> {
        self.report(method::STATS, params, &mut |_| Ok(()))
    }

    /// `dupes`: its rows and its summary; progress goes to `on`.
    pub fn dupes(
        &mut self,
        params: &DupesParams,
        on: &mut dyn FnMut(&RequestProgress) -> io::Result<()>,
    ) -> Result<(Vec<DupeGroup>, Summary), CallError> {
        self.report(method::DUPES, params, on)
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
    pub fn forget(&mut self, params: &ForgetParams) -> Result<Source, CallError> {
        self.call(method::FORGET, params)
    }

    /// `list`.
    pub fn list(&mut self) -> Result<Vec<Source>, CallError> {
        self.call::<_, List>(method::LIST, &NoParams {}).map(|list| list.sources)
    }

    /// `status`.
    pub fn status(&mut self) -> Result<Status, CallError> {
        self.call(method::STATUS, &NoParams {})
    }

    /// `refresh`: names of the sources that are scanned.
    pub fn refresh(&mut self, params: &RefreshParams) -> Result<Vec<String>, CallError> {
        self.call::<_, Refreshed>(method::REFRESH, params).map(|refreshed| refreshed.sources)
    }

    /// `config`.
    pub fn config(&mut self) -> Result<Config, CallError> {
        self.call(method::CONFIG, &NoParams {})
    }

    /// `subscribe` to scan progress, which then arrives during other requests.
    pub fn subscribe_progress(&mut self) -> Result<(), CallError> {
        let params = SubscribeParams { topics: vec![Topic::Progress] };
        self.call::<_, Subscribed>(method::SUBSCRIBE, &params).map(|_| ())
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
        on: &mut dyn FnMut(&RequestProgress) -> io::Result<()>,
    ) -> Result<(Vec<R>, Summary), CallError> {
        let mut all = Vec::new();
        let summary = self.call_with(method, params, &mut |event| match event {
            Event::Rows(rows) => {
                all.extend(read_rows::<R>(rows)?);
                Ok(())
            }
            Event::Request(progress) => on(&progress),
            _ => Ok(()),
        })?;
        Ok((all, summary))
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
        method::REQUEST_PROGRESS => Event::Request(read(params)?),
        _ => Event::Other { method, params },
    };
    on(event).map_err(CallError::Receiver)?;
    Ok(None)
}

fn read<'a, T: serde::Deserialize<'a>>(params: &'a RawValue) -> Result<T, CallError> {
    serde_json::from_str(params.get()).map_err(CallError::nonsense)
}

fn read_rows<T: DeserializeOwned>(rows: &RawValue) -> io::Result<Vec<T>> {
    serde_json::from_str(rows.get()).map_err(io::Error::from)
}
