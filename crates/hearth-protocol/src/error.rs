//! Error codes, and the one error that travels.
//!
//! A JSON-RPC error object has `code`, `message` and `data`. Ours always has `data.kind`, a word that
//! stands for the code, mostly `data.hint`, what to do about it, and the fields that belong to the kind.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// Every error code, with the word that names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The number on the wire.
            pub fn number(self) -> i32 {
                match self { $(Code::$name => $code,)* }
            }

            /// The word in `data.kind`.
            pub fn kind(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }

            /// Reverse of [`Code::number`].
            pub fn from_number(number: i32) -> Option<Code> {
                match number { $($code => Some(Code::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// The line is not JSON.
    Parse = -32700, "parse_error";
    /// JSON, but not a request.
    InvalidRequest = -32600, "invalid_request";
    /// No such method.
    MethodNotFound = -32601, "method_not_found";
    /// The method does not take these parameters.
    InvalidParams = -32602, "invalid_params";
    /// The daemon failed.
    Internal = -32603, "internal_error";
    /// No such source.
    UnknownSource = -32001, "unknown_source";
    /// The last good body is too old to serve.
    StaleExpired = -32002, "stale_expired";
    /// The index of a source could not be built.
    BuildFailed = -32003, "build_failed";
    /// The memory budget has no room.
    OverBudget = -32004, "over_budget";
    /// There is nothing to answer from yet.
    NotReady = -32005, "not_ready";
    /// A queue or a limit of connections is full.
    Busy = -32006, "busy";
    /// The request was cancelled.
    Cancelled = -32007, "cancelled";
    /// The query text is wrong at a position.
    BadQuery = -32008, "bad_query";
    /// The operating system or the daemon refuses this user.
    PermissionDenied = -32009, "permission_denied";
    /// A message is longer than its limit.
    TooLarge = -32010, "too_large";
    /// The client speaks another version.
    ProtocolMismatch = -32011, "protocol_mismatch";
    /// The source is in memory.
    InMemory = -32012, "in_memory";
    /// The cursor belongs to an older body.
    GenerationMoved = -32013, "generation_moved";
    /// The request took longer than it may.
    TimedOut = -32014, "timed_out";
}

/// An error as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// JSON-RPC code.
    pub code: i32,
    /// Word for the code; `unknown` if it is not one of [`Code`].
    pub kind: String,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Fields that belong to the kind.
    pub data: Map<String, Value>,
}

impl RpcError {
    /// An error without hint and data.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let kind = code.kind().to_owned();
        RpcError { code: code.number(), kind, message: message.into(), hint: None, data: Map::new() }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with one more field of data.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.data.insert(field.to_owned(), value.into());
        self
    }

    /// The code as one of ours.
    pub fn known(&self) -> Option<Code> {
        Code::from_number(self.code)
    }

    /// True if the code is this one.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.number()
    }

    /// −32602 with a message.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParams, message)
    }

    /// −32006: `what` is full at `limit`; worth another try after `retry_after_ms`.
    pub fn busy(what: &str, limit: usize, retry_after_ms: u64) -> Self {
        Self::new(Code::Busy, format!("too many {what} (limit {limit})"))
            .hint(format!("try again in {retry_after_ms} ms"))
            .with("limit", limit)
            .with("retry_after_ms", retry_after_ms)
    }

    /// −32010: a message is longer than `limit_bytes`.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(Code::TooLarge, format!("the message is longer than {limit_bytes} bytes"))
            .with("limit_bytes", limit_bytes)
    }

    /// The error object of the command line's `--json`: `code`, `kind`, `message`, `hint`, `data`.
    pub fn to_json_line(&self) -> Value {
        let mut object = json!({
            "v": 1, "type": "error", "code": self.code, "kind": self.kind, "message": self.message,
        });
        if let Some(hint) = &self.hint {
            object["hint"] = Value::from(hint.as_str());
        }
        if !self.data.is_empty() {
            object["data"] = Value::Object(self.data.clone());
        }
        object
    }
}

/// The `error` member of a reply, as it travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WireError {
    code: i32,
    message: String,
    #[serde(default)]
    data: Value,
}

impl From<WireError> for RpcError {
    fn from(wire: WireError) -> Self {
        let mut data = match wire.data {
            Value::Object(data) => data,
            Value::Null => Map::new(),
            other => Map::from_iter([("data".to_owned(), other)]),
        };
        let kind = match data.remove("kind") {
            Some(Value::String(kind)) => kind,
            _ => Code::from_number(wire.code).map_or("unknown", Code::kind).to_owned(),
        };
        let hint = match data.remove("hint") {
            Some(Value::String(hint)) => Some(hint),
            _ => None,
        };
        RpcError { code: wire.code, kind, message: wire.message, hint, data }
    }
}

impl From<&RpcError> for WireError {
    fn from(error: &RpcError) -> Self {
        let mut data = error.data.clone();
        data.insert("kind".to_owned(), Value::from(error.kind.as_str()));
        if let Some(hint) = &error.hint {
            data.insert("hint".to_owned(), Value::from(hint.as_str()));
        }
        WireError { code: error.code, message: error.message.clone(), data: Value::Object(data) }
    }
}

impl Serialize for RpcError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WireError::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RpcError {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WireError::deserialize(deserializer).map(RpcError::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_unique_and_reversible() {
        for &code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
            assert_eq!(Code::ALL.iter().filter(|other| other.kind() == code.kind()).count(), 1);
        }
        assert_eq!(Code::from_number(-1), None);
    }

    #[test]
    fn an_error_survives_the_wire() {
        let error = RpcError::busy("connections", 256, 100);
        let text = serde_json::to_string(&error).unwrap();
        assert!(text.contains(r#""kind":"busy""#), "{text}");
        assert_eq!(serde_json::from_str::<RpcError>(&text).unwrap(), error);
    }

    #[test]
    fn errors_of_other_servers_are_read() {
        let error: RpcError = serde_json::from_str(r#"{"code":-32601,"message":"no","data":[1]}"#).unwrap();
        assert_eq!(error.kind, "method_not_found");
        assert_eq!(error.data["data"], json!([1]));
    }
}
