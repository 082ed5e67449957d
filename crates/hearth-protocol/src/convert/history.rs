//! `history`, from the wire and to it.
//!
//! Kinds of acts become the words that the contract fixes for them. There is no `meta` in the summary: the answer
//! does not come from an index.

use super::{Report, report_rows, within};
use crate::answer;
use crate::bytes::{PathField, V1};
use crate::error::RpcError;
use crate::params::HistoryParams;
use hearth_service::api;

impl HistoryParams {
    /// The typed request.
    pub fn to_request(&self) -> Result<api::HistoryRequest, RpcError> {
        Ok(api::HistoryRequest {
            path: self.path_bytes()?,
            query: self.query_bytes()?.unwrap_or_default(),
            cwd: self.cwd_bytes()?,
            within: within(self.within_bytes())?,
            limit: report_rows(self.limit)?,
        })
    }
}

/// Rows and summary of a `history`.
pub fn history_report(history: api::HistoryAnswer) -> Report<answer::Act> {
    let rows: Vec<_> = history.rows.into_iter().map(Into::into).collect();
    let total = answer::HistoryTotal {
        on: history.on,
        why: history.why,
        kept: history.kept,
        dropped: history.dropped,
    };
    let summary = answer::Summary {
        matched: Some(history.matched),
        shown: rows.len() as u64,
        elapsed_us: history.elapsed_us,
        history: Some(total),
        ..Default::default()
    };
    (rows, summary)
}

impl From<api::HistoryRow> for answer::Act {
    fn from(row: api::HistoryRow) -> Self {
        answer::Act {
            v: V1,
            path: PathField(row.path),
            unseen_folder: row.unseen_folder,
            what: word(row.kind).to_owned(),
            at_ns: row.at_ns,
            first_ns: row.first_ns,
            times: row.times,
            pid: row.pid,
            command: row.command,
            uid: row.uid,
            user: row.user,
            source: row.source,
        }
    }
}

/// The word for what was done.
fn word(kind: api::ActKind) -> &'static str {
    match kind {
        api::ActKind::Created => "created",
        api::ActKind::RenamedTo => "renamed-to",
        api::ActKind::Modified => "modified",
        api::ActKind::Attributes => "attributes",
        api::ActKind::RenamedFrom => "renamed-from",
        api::ActKind::Removed => "removed",
    }
}
