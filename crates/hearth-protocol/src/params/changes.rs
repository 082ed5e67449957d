//! Parameters of what is about changes: `since`, and the standing queries of `subscribe`.
//!
//! Clocks are opaque text that the daemon gave; each names its source. A standing query is a topic like any other
//! but needs a query, so `subscribe` and `unsubscribe` have parameters of their own.

use super::{Topic, is_default};
use crate::bytes::B64;
use serde::{Deserialize, Serialize};

/// `since`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinceParams {
    /// Clock of an earlier answer from the source.
    pub clock: String,
    /// Only below these folders.
    #[serde(default, rename = "in", skip_serializing_if = "is_default")]
    pub within: Vec<String>,
    /// More of them, not UTF-8.
    #[serde(default, rename = "in_b64", skip_serializing_if = "is_default")]
    pub within_b64: Vec<B64>,
    /// Most changes; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// See everything that was written before the question; wait at most this long for that, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_fresh_ms: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `subscribe`. All but the topics is about the topic `watch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscribeParams {
    /// The topics.
    pub topics: Vec<Topic>,
    /// Query text; absent = everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Query text that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_b64: Option<B64>,
    /// Folder that relative paths in the query start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The same, not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd_b64: Option<B64>,
    /// Only below these folders.
    #[serde(default, rename = "in", skip_serializing_if = "is_default")]
    pub within: Vec<String>,
    /// More of them, not UTF-8.
    #[serde(default, rename = "in_b64", skip_serializing_if = "is_default")]
    pub within_b64: Vec<B64>,
    /// Clocks, at most one per source: what came since is told first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub since: Vec<String>,
}

impl SubscribeParams {
    /// A subscription to one topic.
    pub fn to(topic: Topic) -> Self {
        Self { topics: vec![topic], ..Self::default() }
    }
}

/// `unsubscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeParams {
    /// The topics.
    pub topics: Vec<Topic>,
    /// Number of the standing query that ends, with the topic `watch`; absent = all of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<u64>,
}
