//! Parameters of `history`.
//!
//! A path and a query are told apart by the client: what looks like a path to a person is not for the daemon to
//! decide. Both together narrow each other.

use super::is_default;
use crate::bytes::{B64, from_twins, to_twins};
use crate::error::RpcError;
use serde::{Deserialize, Serialize};

/// `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistoryParams {
    /// Acts on this path and on what is below it; it need not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<B64>,
    /// Only acts on names and paths that match; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_b64: Option<B64>,
    /// Folder that relative paths in the query start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd_b64: Option<B64>,
    /// Only below these folders.
    #[serde(rename = "in", skip_serializing_if = "is_default")]
    pub within: Vec<String>,
    /// More of them, not UTF-8.
    #[serde(rename = "in_b64", skip_serializing_if = "is_default")]
    pub within_b64: Vec<B64>,
    /// Most acts, newest first.
    pub limit: u64,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Default for HistoryParams {
    fn default() -> Self {
        HistoryParams {
            path: None,
            path_b64: None,
            query: None,
            query_b64: None,
            cwd: None,
            cwd_b64: None,
            within: Vec::new(),
            within_b64: Vec::new(),
            limit: 100,
            timeout_ms: None,
        }
    }
}

twin_access! { HistoryParams:
    set_path, path_bytes, path, path_b64, "path";
    set_query, query_bytes, query, query_b64, "query";
    set_cwd, cwd_bytes, cwd, cwd_b64, "cwd";
}
within_access! { HistoryParams }
