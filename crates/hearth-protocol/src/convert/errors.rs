//! Errors of the service as the codes of the contract.
//!
//! The text and the hint are the service's; the data are what a program can act on.

use crate::bytes::PathField;
use crate::error::{Code, RpcError};
use hearth_service::{ServiceError, api};
use serde_json::{Value, json};

impl From<ServiceError> for RpcError {
    fn from(error: ServiceError) -> Self {
        let code = code_of(&error);
        let mut rpc = RpcError::new(code, error.to_string());
        rpc.hint = error.hint();
        match error {
            ServiceError::BadQuery { position, expected, .. } => {
                rpc.with("position", position).with("expected", expected)
            }
            ServiceError::BadRequest { field, .. } => rpc.with("field", field),
            ServiceError::UnknownSource { wanted, known, nearest } => {
                let known: Vec<Value> = known.iter().map(|root| json_path(root)).collect();
                rpc.with("asked", json_path(&wanted)).with("known", known).with("nearest", nearest)
            }
            ServiceError::NotFound { path, source_name, .. } => {
                rpc.with("path", json_path(&path)).with("source", source_name)
            }
            ServiceError::NotReady { source_name, entries, retry_after_ms } => {
                let rpc = rpc.with("source", source_name).with("entries", entries);
                rpc.with("retry_after_ms", retry_after_ms)
            }
            ServiceError::BuildFailed { source_name, reason, retry_in_ms } => {
                rpc.with("source", source_name).with("reason", reason).with("retry_in_ms", retry_in_ms)
            }
            ServiceError::OverBudget {
                source_name,
                needed_bytes,
                budget_bytes,
                held_bytes,
                pinned_bytes,
                largest,
            } => {
                let rpc = rpc.with("source", source_name).with("needed_bytes", needed_bytes);
                let rpc = rpc.with("budget_bytes", budget_bytes).with("held_bytes", held_bytes);
                let rpc = rpc.with("pinned_bytes", pinned_bytes);
                rpc.with("largest", holders(&largest))
            }
            ServiceError::StaleExpired {
                source_name,
                age_hours,
                max_age_hours,
                last_good_ns,
                last_error,
            } => {
                let rpc = rpc.with("source", source_name).with("age_hours", age_hours);
                let rpc = rpc.with("max_age_hours", max_age_hours).with("last_good_at", last_good_ns);
                rpc.with("last_error", last_error)
            }
            ServiceError::InMemory { source_name, tier } => {
                rpc.with("source", source_name).with("tier", tier.as_str())
            }
            ServiceError::Pinned { source_name } => rpc.with("source", source_name),
            ServiceError::GenerationMoved { source_name, generation }
            | ServiceError::ClockMoved { source_name, generation } => {
                rpc.with("source", source_name).with("generation", generation)
            }
            ServiceError::Overlaps { by, by_root, .. } => {
                rpc.with("source", by).with("root", json_path(&by_root))
            }
            ServiceError::PermissionDenied { path } | ServiceError::Io { path, .. } => {
                use std::os::unix::ffi::OsStrExt;
                rpc.with("path", json_path(path.as_os_str().as_bytes()))
            }
            _ => rpc,
        }
    }
}

fn code_of(error: &ServiceError) -> Code {
    match error {
        ServiceError::BadQuery { .. } => Code::BadQuery,
        ServiceError::BadRequest { .. }
        | ServiceError::Overlaps { .. }
        | ServiceError::NotFound { .. }
        | ServiceError::Pinned { .. } => Code::InvalidParams,
        ServiceError::UnknownSource { .. } => Code::UnknownSource,
        ServiceError::NotReady { .. } => Code::NotReady,
        ServiceError::BuildFailed { .. } => Code::BuildFailed,
        ServiceError::OverBudget { .. } => Code::OverBudget,
        ServiceError::StaleExpired { .. } => Code::StaleExpired,
        ServiceError::InMemory { .. } => Code::InMemory,
        ServiceError::GenerationMoved { .. } | ServiceError::ClockMoved { .. } => Code::GenerationMoved,
        ServiceError::PermissionDenied { .. } => Code::PermissionDenied,
        ServiceError::Cancelled | ServiceError::ShuttingDown => Code::Cancelled,
        ServiceError::TimedOut => Code::TimedOut,
        ServiceError::Config(_) | ServiceError::Io { .. } => Code::Internal,
    }
}

/// A path inside error data: text, or an object with its base64.
fn json_path(path: &[u8]) -> Value {
    match std::str::from_utf8(path) {
        Ok(text) => Value::from(text),
        Err(_) => json!(PathField(path.to_vec())),
    }
}

/// Sources and the bytes they hold.
fn holders(largest: &[(api::SourceName, u64)]) -> Value {
    largest.iter().map(|(source, bytes)| json!({ "source": source, "bytes": bytes })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_what_a_caller_can_act_on() {
        let error =
            ServiceError::BadQuery { position: 4, expected: "a size".into(), message: "no size".into() };
        let rpc = RpcError::from(error);
        assert!(rpc.is(Code::BadQuery));
        assert_eq!((&rpc.data["position"], &rpc.data["expected"]), (&json!(4), &json!("a size")));
        let error = ServiceError::UnknownSource {
            wanted: b"/\xff".to_vec(),
            known: vec![b"/a".to_vec()],
            nearest: None,
        };
        let rpc = RpcError::from(error);
        assert_eq!((&rpc.data["asked"], &rpc.data["known"]), (&json!({"path_b64": "L/8="}), &json!(["/a"])));
    }

    #[test]
    fn what_holds_the_memory_is_named() {
        let rpc = RpcError::from(ServiceError::OverBudget {
            source_name: "big".into(),
            needed_bytes: 900,
            budget_bytes: 500,
            held_bytes: 400,
            pinned_bytes: 300,
            largest: vec![("a".into(), 200), ("b".into(), 100)],
        });
        assert!(rpc.is(Code::OverBudget) && rpc.hint.is_some(), "{rpc:?}");
        let expect = json!({
            "source": "big", "needed_bytes": 900, "budget_bytes": 500, "held_bytes": 400, "pinned_bytes": 300,
            "largest": [{ "source": "a", "bytes": 200 }, { "source": "b", "bytes": 100 }],
        });
        assert_eq!(Value::Object(rpc.data), expect);
    }

    #[test]
    fn an_index_that_is_too_old_says_how_old_and_why() {
        let stale = |last_good_ns, last_error: Option<&str>| {
            RpcError::from(ServiceError::StaleExpired {
                source_name: "a".into(),
                age_hours: 30,
                max_age_hours: 24,
                last_good_ns,
                last_error: last_error.map(str::to_owned),
            })
        };
        let rpc = stale(Some(5), Some("disk"));
        assert!(rpc.is(Code::StaleExpired) && rpc.hint.is_some(), "{rpc:?}");
        let expect = json!({
            "source": "a", "age_hours": 30, "max_age_hours": 24, "last_good_at": 5, "last_error": "disk",
        });
        assert_eq!(Value::Object(rpc.data), expect);
        assert_eq!(stale(None, None).data["last_good_at"], Value::Null);
    }

    #[test]
    fn sources_that_stay_in_memory_say_how_to_let_go() {
        let rpc = RpcError::from(ServiceError::InMemory { source_name: "a".into(), tier: api::Tier::Parked });
        assert!(rpc.is(Code::InMemory) && rpc.hint.is_some_and(|hint| hint.contains("--force")));
        assert_eq!(Value::Object(rpc.data), json!({ "source": "a", "tier": "parked" }));
        let rpc = RpcError::from(ServiceError::Pinned { source_name: "a".into() });
        assert!(rpc.is(Code::InvalidParams) && rpc.hint.is_some_and(|hint| hint.contains("unpin")));
        assert_eq!(rpc.data["source"], "a");
    }
}
