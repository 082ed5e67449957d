//! The JSON-RPC 2.0 envelope: requests in, replies and notifications out, and the reverse for clients.
//!
//! Departures from the letter of JSON-RPC, all on the strict side: ids are integers or texts,
//! batches are refused, unknown members of a request are refused. `params` stay unparsed text here
//! ([`RawValue`]), so that each is parsed once, into its own type.

use crate::error::{Code, RpcError};
use crate::limits::ID_BYTES;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Id of a request, chosen by the client, unique among its running requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged, expecting = "an id is an integer or a text")]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text of at most [`ID_BYTES`].
    Text(String),
}

impl From<i64> for Id {
    fn from(number: i64) -> Self {
        Id::Number(number)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Id::Number(number) => number.fmt(f),
            Id::Text(text) => text.fmt(f),
        }
    }
}

/// A request as a daemon reads it.
#[derive(Debug)]
pub struct Request<'a> {
    /// `None` for a notification.
    pub id: Option<Id>,
    /// Method name.
    pub method: Cow<'a, str>,
    /// Unparsed parameters.
    pub params: Option<&'a RawValue>,
}

/// What to reply to a line that is not a request.
#[derive(Debug)]
pub struct BadRequest {
    /// Id, where it could be read.
    pub id: Option<Id>,
    /// What is wrong.
    pub error: RpcError,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRequest<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(default)]
    id: Option<Id>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

impl<'a> Request<'a> {
    /// Reads one line.
    pub fn parse(line: &'a [u8]) -> Result<Self, Box<BadRequest>> {
        if line.trim_ascii_start().first() == Some(&b'[') {
            let error = RpcError::new(Code::InvalidRequest, "batches are not supported")
                .hint("send one request per line");
            return Err(Box::new(BadRequest { id: None, error }));
        }
        let wire: WireRequest<'a> =
            serde_json::from_slice(line).map_err(|error| BadRequest::explain(line, &error))?;
        let id = wire.id;
        if wire.jsonrpc != "2.0" {
            let error = RpcError::new(Code::InvalidRequest, "`jsonrpc` must be \"2.0\"");
            return Err(Box::new(BadRequest { id, error }));
        }
        if matches!(&id, Some(Id::Text(text)) if text.len() > ID_BYTES) {
            let error =
                RpcError::new(Code::InvalidRequest, format!("the id is longer than {ID_BYTES} bytes"));
            return Err(Box::new(BadRequest { id: None, error }));
        }
        Ok(Request { id, method: wire.method, params: wire.params })
    }

    /// The parameters as their type; absent parameters are an empty object.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        let text = self.params.map_or("{}", RawValue::get);
        if !text.starts_with('{') {
            return Err(RpcError::invalid_params("`params` must be an object"));
        }
        serde_json::from_str(text).map_err(|error| RpcError::invalid_params(error.to_string()))
    }
}

impl BadRequest {
    fn explain(line: &[u8], error: &serde_json::Error) -> Box<Self> {
        let code = if error.is_data() { Code::InvalidRequest } else { Code::Parse };
        Box::new(BadRequest { id: id_of(line), error: RpcError::new(code, error.to_string()) })
    }
}

fn id_of(line: &[u8]) -> Option<Id> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Option<Id>,
    }
    let id = serde_json::from_slice::<OnlyId>(line).ok()?.id;
    id.filter(|id| !matches!(id, Id::Text(text) if text.len() > ID_BYTES))
}

/// A line from a daemon as a client reads it.
#[derive(Debug)]
pub enum Message<'a> {
    /// End of a request.
    Reply {
        /// The request; `None` where the daemon could not tell.
        id: Option<Id>,
        /// Its result or error.
        outcome: Result<&'a RawValue, RpcError>,
    },
    /// Something in between.
    Notification {
        /// Its name.
        method: Cow<'a, str>,
        /// Its unparsed parameters.
        params: &'a RawValue,
    },
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(default)]
    id: Option<Id>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<RpcError>,
}

/// The line is not a message of JSON-RPC.
#[derive(Debug, thiserror::Error)]
#[error("the daemon sent something that is not a JSON-RPC message: {0}")]
pub struct NotAMessage(String);

impl<'a> Message<'a> {
    /// Reads one line.
    pub fn parse(line: &'a [u8]) -> Result<Self, NotAMessage> {
        let wire: WireMessage<'a> =
            serde_json::from_slice(line).map_err(|error| NotAMessage(error.to_string()))?;
        match wire {
            WireMessage { method: Some(method), params: Some(params), .. } => {
                Ok(Message::Notification { method, params })
            }
            WireMessage { id, error: Some(error), .. } => Ok(Message::Reply { id, outcome: Err(error) }),
            WireMessage { id, result: Some(result), .. } => Ok(Message::Reply { id, outcome: Ok(result) }),
            _ => Err(NotAMessage("neither result nor error nor method".to_owned())),
        }
    }
}

/// Parameters of the notification `rows`: exactly one of the two fields is there.
#[derive(Debug, Deserialize)]
pub struct RowsParams<'a> {
    /// The request.
    pub id: Id,
    /// Rows as JSON.
    #[serde(borrow, default)]
    pub rows: Option<&'a RawValue>,
    /// Length of the raw bytes that follow the line.
    #[serde(default)]
    pub raw_bytes: Option<u64>,
}

/// Request line, newline included. Without an id it is a notification.
pub fn request_line<P: Serialize>(id: Option<&Id>, method: &str, params: &P) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Out<'a, P> {
        jsonrpc: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Id>,
        method: &'a str,
        params: &'a P,
    }
    line(&Out { jsonrpc: "2.0", id, method, params })
}

/// Reply line of success, newline included.
pub fn result_line<R: Serialize>(id: &Id, result: &R) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Out<'a, R> {
        jsonrpc: &'static str,
        id: &'a Id,
        result: &'a R,
    }
    line(&Out { jsonrpc: "2.0", id, result })
}

/// Reply line of failure, newline included; `id` is `None` where the request's could not be read.
pub fn error_line(id: Option<&Id>, error: &RpcError) -> Vec<u8> {
    #[derive(Serialize)]
    struct Out<'a> {
        jsonrpc: &'static str,
        id: Option<&'a Id>,
        error: &'a RpcError,
    }
    line(&Out { jsonrpc: "2.0", id, error }).expect("an error holds nothing that JSON cannot")
}

/// Notification line, newline included.
pub fn notification_line<P: Serialize>(method: &str, params: &P) -> serde_json::Result<Vec<u8>> {
    request_line(None, method, params)
}

fn line<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{FindParams, NoParams};
    use proptest::prelude::*;

    fn refused(line: &str) -> (Option<Id>, Option<Code>) {
        let bad = Request::parse(line.as_bytes()).unwrap_err();
        (bad.id, bad.error.known())
    }

    #[test]
    fn a_request_reads_back() {
        let line =
            request_line(Some(&Id::from(7)), "find", &FindParams { limit: Some(3), ..Default::default() })
                .unwrap();
        let request = Request::parse(&line).unwrap();
        assert_eq!((request.id, &*request.method), (Some(Id::from(7)), "find"));
        let request = Request::parse(&line).unwrap();
        assert_eq!(request.params::<FindParams>().unwrap().limit, Some(3));
    }

    #[test]
    fn what_is_not_a_request_is_refused_by_its_code() {
        assert_eq!(refused("{"), (None, Some(Code::Parse)));
        assert_eq!(refused("nonsense"), (None, Some(Code::Parse)));
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":3}"#), (Some(Id::from(3)), Some(Code::InvalidRequest)));
        assert_eq!(
            refused(r#"{"jsonrpc":"1.0","id":3,"method":"find"}"#),
            (Some(Id::from(3)), Some(Code::InvalidRequest))
        );
        assert_eq!(
            refused(r#"[{"jsonrpc":"2.0","id":3,"method":"find"}]"#),
            (None, Some(Code::InvalidRequest))
        );
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#), (None, Some(Code::InvalidRequest)));
        assert_eq!(
            refused(r#"{"jsonrpc":"2.0","id":1,"method":"x","extra":1}"#),
            (Some(Id::from(1)), Some(Code::InvalidRequest))
        );
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"x"}}"#, "i".repeat(ID_BYTES + 1));
        assert_eq!(refused(&long), (None, Some(Code::InvalidRequest)));
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_stack_overflow() {
        let deep =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"find","params":{}"#, r#"{"a":"#.repeat(200_000));
        assert_eq!(refused(&deep).1, Some(Code::Parse));
        let closed = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"find","params":{}1{}}}"#,
            r#"{"a":"#.repeat(100_000),
            "}".repeat(100_000)
        );
        match Request::parse(closed.as_bytes()) {
            Ok(request) => assert!(request.params::<FindParams>().is_err()),
            Err(bad) => assert_eq!(bad.error.known(), Some(Code::Parse)),
        }
    }

    #[test]
    fn invalid_utf8_is_a_parse_error() {
        let bad = Request::parse(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}").unwrap_err();
        assert!(bad.error.is(Code::Parse), "{}", bad.error.message);
    }

    #[test]
    fn parameters_must_be_an_object() {
        let line = br#"{"jsonrpc":"2.0","id":1,"method":"list","params":[1]}"#;
        let error = Request::parse(line).unwrap().params::<NoParams>().unwrap_err();
        assert!(error.is(Code::InvalidParams));
    }

    #[test]
    fn replies_and_notifications_are_told_apart() {
        let ok = result_line(&Id::from(1), &serde_json::json!({"a": 1})).unwrap();
        let Message::Reply { id, outcome } = Message::parse(&ok).unwrap() else { panic!("not a reply") };
        assert_eq!((id, outcome.unwrap().get()), (Some(Id::from(1)), r#"{"a":1}"#));
        let failed = error_line(None, &RpcError::too_large(9));
        let Message::Reply { id: None, outcome: Err(error) } = Message::parse(&failed).unwrap() else {
            panic!()
        };
        assert!(error.is(Code::TooLarge));
        let note = notification_line("progress", &serde_json::json!({})).unwrap();
        assert!(matches!(Message::parse(&note).unwrap(), Message::Notification { .. }));
        assert!(Message::parse(b"{}").is_err());
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Request::parse(&line);
            let _ = Message::parse(&line);
        }

        #[test]
        fn no_nearly_right_line_panics(line in r#"\{("jsonrpc":"2.0",|"id":[0-9"a-z.-]{0,4},|"method":"[a-z\\u0-9]{0,5}",|"params":[\[{}\]"]{0,4},){0,5}\}?"#) {
            let _ = Request::parse(line.as_bytes());
            let _ = Message::parse(line.as_bytes());
        }

        #[test]
        fn ids_are_echoed(number in any::<i64>(), text in ".{0,20}") {
            for id in [Id::Number(number), Id::Text(text.clone())] {
                let line = request_line(Some(&id), "list", &NoParams {}).unwrap();
                prop_assert_eq!(Request::parse(&line).unwrap().id, Some(id));
            }
        }
    }
}
