//! Parameters of every method. An unknown field is an error that names it.
//!
//! Paths are absolute. A field that holds bytes has a twin `…_b64`; use the setters, which choose.

use crate::bytes::{B64, from_twins, to_twins};
use crate::columns::{Column, Columns};
use crate::error::RpcError;
use serde::{Deserialize, Serialize};

/// How `find` sends its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// `rows` notifications with entries as JSON objects.
    #[default]
    Json,
    /// Raw frames of entries as JSON Lines.
    Jsonl,
    /// Raw frames of paths, each ended by a newline.
    Lines,
    /// Raw frames of paths, each ended by NUL.
    Nul,
}

impl Encoding {
    /// True if rows come as raw frames.
    pub fn is_raw(self) -> bool {
        self != Encoding::Json
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// No parameters: `list`, `status`, `doctor`, `rotate_key`, `config`, `shutdown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelloParams {
    /// Version the client speaks.
    pub protocol: u32,
    /// Who asks, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// `find`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FindParams {
    /// Query text; absent = everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Query text that is not UTF-8.
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
    /// Sort keys (`size:desc,name`); empty = path.
    #[serde(skip_serializing_if = "is_default")]
    pub sort: String,
    /// Most rows; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Continue after an earlier page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whether the exact total is wanted.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub total: bool,
    /// No rows, only the total.
    #[serde(skip_serializing_if = "is_default")]
    pub count: bool,
    /// Describe how the answer was found.
    #[serde(skip_serializing_if = "is_default")]
    pub explain: bool,
    /// Answer only when the first scan of every source is over.
    #[serde(skip_serializing_if = "is_default")]
    pub wait_complete: bool,
    /// See everything that was written before the question; wait at most this long for that, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_fresh_ms: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Fields of the rows; absent = the standard ones. Only for JSON encodings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    /// How rows are sent.
    #[serde(skip_serializing_if = "is_default")]
    pub encoding: Encoding,
}

impl Default for FindParams {
    fn default() -> Self {
        FindParams {
            query: None,
            query_b64: None,
            cwd: None,
            cwd_b64: None,
            within: Vec::new(),
            within_b64: Vec::new(),
            sort: String::new(),
            limit: None,
            cursor: None,
            total: true,
            count: false,
            explain: false,
            wait_complete: false,
            wait_fresh_ms: None,
            timeout_ms: None,
            columns: None,
            encoding: Encoding::Json,
        }
    }
}

impl FindParams {
    /// The set of fields that rows have.
    pub fn column_set(&self) -> Columns {
        self.columns.as_ref().map_or(Columns::DEFAULT, |columns| columns.iter().copied().collect())
    }
}

/// `du`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DuParams {
    /// Folder; absent = the root of every source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<B64>,
    /// Levels below the folder to list.
    pub depth: u32,
    /// Most rows.
    pub limit: u64,
    /// What "big" means.
    pub by: DuBy,
    /// Answer only when the first scan of every source is over.
    #[serde(skip_serializing_if = "is_default")]
    pub wait_complete: bool,
    /// See everything that was written before the question; wait at most this long for that, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_fresh_ms: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Default for DuParams {
    fn default() -> Self {
        DuParams {
            path: None,
            path_b64: None,
            depth: 1,
            limit: 100,
            by: DuBy::Allocated,
            wait_complete: false,
            wait_fresh_ms: None,
            timeout_ms: None,
        }
    }
}

/// Measure of `du`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuBy {
    /// Sum of logical sizes.
    Size,
    /// Sum of bytes allocated on disk.
    Allocated,
}

/// Grouping of `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatsBy {
    /// Extension.
    #[default]
    Ext,
    /// Kind of entry.
    Type,
    /// Size class.
    Size,
    /// Age class.
    Age,
    /// Owner.
    Owner,
    /// Top folder.
    Folder,
}

/// `stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatsParams {
    /// Grouping.
    pub by: StatsBy,
    /// Only entries that match; absent = all.
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
    /// Most groups.
    pub limit: u64,
    /// Answer only when the first scan of every source is over.
    #[serde(skip_serializing_if = "is_default")]
    pub wait_complete: bool,
    /// See everything that was written before the question; wait at most this long for that, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_fresh_ms: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Default for StatsParams {
    fn default() -> Self {
        StatsParams {
            by: StatsBy::Ext,
            query: None,
            query_b64: None,
            cwd: None,
            cwd_b64: None,
            within: Vec::new(),
            within_b64: Vec::new(),
            limit: 100,
            wait_complete: false,
            wait_fresh_ms: None,
            timeout_ms: None,
        }
    }
}

/// `dupes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DupesParams {
    /// Only entries that match; absent = all.
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
    /// Smallest size to consider, bytes, at least 1.
    pub min_size: u64,
    /// Most bytes to read from disk; absent = as the daemon is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_budget: Option<u64>,
    /// Most groups.
    pub limit: u64,
    /// Send `request_progress` notifications.
    #[serde(skip_serializing_if = "is_default")]
    pub progress: bool,
    /// Answer only when the first scan of every source is over.
    #[serde(skip_serializing_if = "is_default")]
    pub wait_complete: bool,
    /// See everything that was written before the question; wait at most this long for that, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_fresh_ms: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Default for DupesParams {
    fn default() -> Self {
        DupesParams {
            query: None,
            query_b64: None,
            cwd: None,
            cwd_b64: None,
            within: Vec::new(),
            within_b64: Vec::new(),
            min_size: 1,
            read_budget: None,
            limit: 1000,
            progress: false,
            wait_complete: false,
            wait_fresh_ms: None,
            timeout_ms: None,
        }
    }
}

/// `cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// Id of the running request, of the same connection.
    pub id: crate::Id,
}

/// What one can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Scans under way.
    Progress,
    /// Moves of shards.
    Transitions,
    /// A standing query.
    Watch,
}

macro_rules! twin_access {
    ($owner:ident: $($set:ident, $get:ident, $text:ident, $b64:ident, $name:literal;)*) => {
        impl $owner {$(
            #[doc = concat!("Sets `", $name, "` to any bytes.")]
            pub fn $set(&mut self, bytes: Vec<u8>) {
                (self.$text, self.$b64) = to_twins(bytes);
            }

            #[doc = concat!("`", $name, "` as bytes; an error if both twins are given.")]
            pub fn $get(&self) -> Result<Option<Vec<u8>>, RpcError> {
                from_twins($name, self.$text.as_ref(), self.$b64.as_ref())
            }
        )*}
    };
}

macro_rules! within_access {
    ($($owner:ident)*) => {$(
        impl $owner {
            /// Adds a folder to `in`.
            pub fn add_within(&mut self, folder: Vec<u8>) {
                match to_twins(folder) {
                    (Some(text), _) => self.within.push(text),
                    (None, b64) => self.within_b64.extend(b64),
                }
            }

            /// The folders of `in`, as bytes.
            pub fn within_bytes(&self) -> Vec<Vec<u8>> {
                let text = self.within.iter().map(|folder| folder.clone().into_bytes());
                text.chain(self.within_b64.iter().map(|folder| folder.0.clone())).collect()
            }
        }
    )*};
}

twin_access! { FindParams:
    set_query, query_bytes, query, query_b64, "query";
    set_cwd, cwd_bytes, cwd, cwd_b64, "cwd";
}
twin_access! { StatsParams:
    set_query, query_bytes, query, query_b64, "query";
    set_cwd, cwd_bytes, cwd, cwd_b64, "cwd";
}
twin_access! { DupesParams:
    set_query, query_bytes, query, query_b64, "query";
    set_cwd, cwd_bytes, cwd, cwd_b64, "cwd";
}
twin_access! { SubscribeParams:
    set_query, query_bytes, query, query_b64, "query";
    set_cwd, cwd_bytes, cwd, cwd_b64, "cwd";
}
twin_access! { DuParams: set_path, path_bytes, path, path_b64, "path"; }
within_access! { FindParams StatsParams DupesParams SinceParams SubscribeParams }

mod changes;
mod history;
mod ntfs;
mod sources;

pub use changes::{SinceParams, SubscribeParams, UnsubscribeParams};
pub use history::HistoryParams;
pub use ntfs::{NtfsInfoParams, NtfsJournalParams, NtfsRecordParams};
pub use sources::{AddParams, ForgetParams, PreloadParams, SourceKind, SourcesParams};

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str) -> Result<FindParams, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_option_is_named() {
        assert!(find(r#"{"query":"a","lmit":3}"#).unwrap_err().contains("`lmit`"));
        assert!(find(r#"{"columns":["colour"]}"#).unwrap_err().contains("`colour`"));
        assert!(find(r#"{"encoding":"xml"}"#).unwrap_err().contains("`xml`"));
    }

    #[test]
    fn absent_options_have_the_documented_values() {
        assert_eq!(find("{}").unwrap(), FindParams::default());
        assert!(find("{}").unwrap().total);
        assert_eq!(serde_json::to_string(&FindParams::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<DuParams>("{}").unwrap(), DuParams::default());
    }

    #[test]
    fn bytes_pass_through_the_twins() {
        let mut params = FindParams::default();
        params.set_query(b"caf\xe9".to_vec());
        params.add_within(b"/a".to_vec());
        params.add_within(b"/\xff".to_vec());
        let text = serde_json::to_string(&params).unwrap();
        let back = find(&text).unwrap();
        assert_eq!(back.query_bytes().unwrap().unwrap(), b"caf\xe9");
        assert_eq!(back.within_bytes(), [b"/a".to_vec(), b"/\xff".to_vec()]);
    }
}
