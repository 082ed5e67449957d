//! Between the wire and the typed requests and answers of the service.
//!
//! Only the daemon compiles this. Parameters are checked against the limits of the wire; what they
//! mean is the service's business, and its errors become the codes of the contract here.

mod changes;
mod errors;
mod history;
mod ntfs;
mod status;

use crate::answer;
use crate::bytes::{KeyField, PathField, RootField, V1};
use crate::columns::Column;
use crate::error::RpcError;
use crate::limits::{DU_DEPTH, PIN_MINUTES, REPORT_ROWS, SOURCES, WITHIN_PATHS};
use crate::params::{
    DuBy, DuParams, DupesParams, Encoding, FindParams, PreloadParams, SourcesParams, StatsBy, StatsParams,
};
pub use changes::{since_report, watch_events};
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_service::{Explain, ExplainStep, api};
pub use history::history_report;
pub use ntfs::named_disk;
pub use status::pressure;
use std::time::Duration;

impl FindParams {
    /// The typed request.
    pub fn to_request(&self) -> Result<api::FindRequest, RpcError> {
        if self.columns.is_some() && matches!(self.encoding, Encoding::Lines | Encoding::Nul) {
            return Err(RpcError::invalid_params("`columns` are for the encodings `json` and `jsonl`"));
        }
        Ok(api::FindRequest {
            query: self.query_bytes()?.unwrap_or_default(),
            cwd: self.cwd_bytes()?,
            within: within(self.within_bytes())?,
            sort: self.sort.clone(),
            limit: self.limit,
            cursor: self.cursor.clone(),
            total: self.total,
            count_only: self.count,
            explain: self.explain,
            wait_fresh: wait_fresh(self.wait_fresh_ms)?,
        })
    }
}

impl DuParams {
    /// The typed request.
    pub fn to_request(&self) -> Result<api::DuRequest, RpcError> {
        at_most("depth", u64::from(self.depth), u64::from(DU_DEPTH))?;
        Ok(api::DuRequest {
            path: self.path_bytes()?,
            depth: self.depth,
            limit: report_rows(self.limit)?,
            by_allocated: self.by == DuBy::Allocated,
            wait_fresh: wait_fresh(self.wait_fresh_ms)?,
        })
    }
}

impl StatsParams {
    /// The typed request.
    pub fn to_request(&self) -> Result<api::StatsRequest, RpcError> {
        Ok(api::StatsRequest {
            by: self.by.into(),
            query: self.query_bytes()?.unwrap_or_default(),
            cwd: self.cwd_bytes()?,
            within: within(self.within_bytes())?,
            limit: report_rows(self.limit)?,
            wait_fresh: wait_fresh(self.wait_fresh_ms)?,
        })
    }
}

impl DupesParams {
    /// The typed request; `default_budget` is the configured number of bytes to read.
    pub fn to_request(&self, default_budget: u64) -> Result<api::DupesRequest, RpcError> {
        if self.min_size == 0 {
            return Err(RpcError::invalid_params("`min_size` must be at least 1: empty files are all equal"));
        }
        Ok(api::DupesRequest {
            query: self.query_bytes()?.unwrap_or_default(),
            cwd: self.cwd_bytes()?,
            within: within(self.within_bytes())?,
            min_size: self.min_size,
            read_budget: self.read_budget.unwrap_or(default_budget),
            limit: report_rows(self.limit)?,
            wait_fresh: wait_fresh(self.wait_fresh_ms)?,
        })
    }
}

impl PreloadParams {
    /// Names or roots of the sources, and for how long they are pinned.
    pub fn to_request(&self) -> Result<(Vec<Vec<u8>>, Option<Duration>), RpcError> {
        if let Some(asked) = self.pin_minutes.filter(|asked| !(1..=PIN_MINUTES).contains(asked)) {
            let message = format!("`pin_minutes` is {asked}; possible are 1 to {PIN_MINUTES}");
            return Err(RpcError::invalid_params(message).hint("`pin` keeps a source until it is unpinned"));
        }
        let pin = self.pin_minutes.map(|minutes| Duration::from_secs(minutes * 60));
        Ok((sources(self.sources_bytes())?, pin))
    }
}

impl SourcesParams {
    /// Names or roots of the sources.
    pub fn to_request(&self) -> Result<Vec<Vec<u8>>, RpcError> {
        sources(self.sources_bytes())
    }
}

fn sources(names: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, RpcError> {
    at_most("the number of `sources`", names.len() as u64, SOURCES as u64)?;
    Ok(names)
}

fn within(folders: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, RpcError> {
    at_most("the number of folders in `in`", folders.len() as u64, WITHIN_PATHS as u64)?;
    Ok(folders)
}

fn wait_fresh(ms: Option<u64>) -> Result<Option<Duration>, RpcError> {
    at_most("`wait_fresh_ms`", ms.unwrap_or(0), REQUEST_TIMEOUT_MAX_MS)?;
    Ok(ms.map(Duration::from_millis))
}

fn report_rows(limit: u64) -> Result<usize, RpcError> {
    at_most("`limit`", limit, REPORT_ROWS)?;
    usize::try_from(limit).map_err(|_| RpcError::invalid_params("`limit` is too large"))
}

fn at_most(what: &str, value: u64, limit: u64) -> Result<(), RpcError> {
    if value > limit {
        return Err(RpcError::invalid_params(format!("{what} is {value}; at most {limit} is possible")));
    }
    Ok(())
}

impl From<StatsBy> for api::StatsBy {
    fn from(by: StatsBy) -> Self {
        match by {
            StatsBy::Ext => api::StatsBy::Ext,
            StatsBy::Type => api::StatsBy::Type,
            StatsBy::Size => api::StatsBy::Size,
            StatsBy::Age => api::StatsBy::Age,
            StatsBy::Owner => api::StatsBy::Owner,
            StatsBy::Folder => api::StatsBy::Folder,
        }
    }
}

impl From<api::SourceMeta> for answer::SourceMeta {
    fn from(meta: api::SourceMeta) -> Self {
        answer::SourceMeta {
            source: meta.source,
            generation: meta.generation,
            clock: meta.clock,
            age_ms: meta.age_ms,
            stale: meta.stale,
            complete: meta.complete,
            why: meta.why,
            proof: meta.proof.map(|proof| self::proof(proof).to_owned()),
        }
    }
}

/// The word for how a wait was proven to be over.
fn proof(proof: api::Proof) -> &'static str {
    match proof {
        api::Proof::Cookie => "cookie",
        api::Proof::Queue => "queue",
        api::Proof::Compared => "compared",
    }
}

fn metas(sources: Vec<api::SourceMeta>) -> Vec<answer::SourceMeta> {
    sources.into_iter().map(Into::into).collect()
}

impl From<api::FindSummary> for answer::Summary {
    fn from(summary: api::FindSummary) -> Self {
        let explain = |(source, explain): (String, Explain)| answer::Explain {
            source,
            accelerator: explain.accelerator,
            candidates: explain.candidates,
            steps: explain.steps.into_iter().map(explain_step).collect(),
        };
        answer::Summary {
            matched: summary.matched,
            shown: summary.shown,
            elapsed_us: summary.elapsed_us,
            meta: metas(summary.sources),
            cursor: summary.cursor,
            explain: summary.explain.into_iter().map(explain).collect(),
            ..Default::default()
        }
    }
}

fn explain_step(step: ExplainStep) -> answer::ExplainStep {
    answer::ExplainStep { what: step.what, out: step.out, micros: step.micros }
}

/// Rows of a report and the summary that follows them.
pub type Report<R> = (Vec<R>, answer::Summary);

/// Rows and summary of a `du`.
pub fn du_report(du: api::DuAnswer) -> Report<answer::DuRow> {
    let rows: Vec<_> = du.rows.into_iter().map(Into::into).collect();
    let summary = answer::Summary {
        matched: None,
        shown: rows.len() as u64,
        elapsed_us: du.elapsed_us,
        meta: metas(du.sources),
        ..Default::default()
    };
    (rows, summary)
}

/// Rows and summary of a `stats`.
pub fn stats_report(stats: api::StatsAnswer) -> Report<answer::StatsRow> {
    let rows: Vec<_> = stats.rows.into_iter().map(Into::into).collect();
    let total = &stats.total;
    let total = answer::StatsTotal { entries: total.entries, size: total.size, allocated: total.allocated };
    let summary = answer::Summary {
        matched: Some(stats.groups),
        shown: rows.len() as u64,
        elapsed_us: stats.elapsed_us,
        meta: metas(stats.sources),
        total: Some(total),
        ..Default::default()
    };
    (rows, summary)
}

/// Rows and summary of a `dupes`.
pub fn dupes_report(dupes: api::DupesAnswer) -> Report<answer::DupeGroup> {
    let rows: Vec<_> = dupes.groups.into_iter().map(Into::into).collect();
    let total = answer::DupesTotal {
        wasted: dupes.wasted,
        read: dupes.read,
        exhaustive: dupes.exhaustive,
        unreadable: dupes.unreadable,
    };
    let summary = answer::Summary {
        matched: Some(dupes.groups_total),
        shown: rows.len() as u64,
        elapsed_us: dupes.elapsed_us,
        meta: metas(dupes.sources),
        dupes: Some(total),
        ..Default::default()
    };
    (rows, summary)
}

impl From<api::DuRow> for answer::DuRow {
    fn from(row: api::DuRow) -> Self {
        answer::DuRow {
            v: V1,
            path: PathField(row.path),
            tree_size: row.tree_size,
            tree_allocated: row.tree_allocated,
            descendants: row.descendants,
            source: row.source,
        }
    }
}

impl From<api::StatsRow> for answer::StatsRow {
    fn from(row: api::StatsRow) -> Self {
        let key = KeyField(row.key);
        answer::StatsRow { v: V1, key, entries: row.entries, size: row.size, allocated: row.allocated }
    }
}

impl From<api::DupeGroup> for answer::DupeGroup {
    fn from(group: api::DupeGroup) -> Self {
        let files = group.paths.into_iter().map(PathField).collect();
        answer::DupeGroup { v: V1, size: group.size, hash: group.hash, files }
    }
}

impl From<api::SourceInfo> for answer::Source {
    fn from(source: api::SourceInfo) -> Self {
        let kind = source.kind.as_str().to_owned();
        answer::Source { v: V1, id: source.id, name: source.name, kind, root: RootField(source.root) }
    }
}

/// The shape of an entry's rows depends on folder totals only if one of these is asked for.
pub const TREE_COLUMNS: crate::Columns = crate::Columns::NONE
    .with(Column::Children)
    .with(Column::Descendants)
    .with(Column::TreeSize)
    .with(Column::TreeAllocated);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn limits_of_the_wire_are_enforced_by_name() {
        let du = DuParams { limit: REPORT_ROWS + 1, ..Default::default() };
        assert!(du.to_request().unwrap_err().message.contains("`limit` is 1000001"));
        let mut find = FindParams::default();
        for _ in 0..=WITHIN_PATHS {
            find.add_within(b"/a".to_vec());
        }
        assert!(find.to_request().unwrap_err().is(Code::InvalidParams));
        let wait = StatsParams { wait_fresh_ms: Some(REQUEST_TIMEOUT_MAX_MS + 1), ..Default::default() };
        assert!(wait.to_request().unwrap_err().message.contains("`wait_fresh_ms` is 3600001"));
        let wait = StatsParams { wait_fresh_ms: Some(5), ..Default::default() };
        assert_eq!(wait.to_request().unwrap().wait_fresh, Some(Duration::from_millis(5)));
        let raw =
            FindParams { encoding: Encoding::Nul, columns: Some(vec![Column::Size]), ..Default::default() };
        assert!(raw.to_request().unwrap_err().message.contains("columns"));
    }

    #[test]
    fn operators_requests_have_limits() {
        let preload = |pin_minutes| PreloadParams { pin_minutes, ..Default::default() }.to_request();
        for bad in [0, PIN_MINUTES + 1, u64::MAX] {
            assert!(preload(Some(bad)).unwrap_err().message.contains("`pin_minutes`"), "{bad}");
        }
        let year = Duration::from_secs(PIN_MINUTES * 60);
        assert_eq!(preload(Some(PIN_MINUTES)).unwrap(), (Vec::new(), Some(year)));
        assert_eq!(preload(None).unwrap(), (Vec::new(), None));
        let mut params = SourcesParams::default();
        for _ in 0..SOURCES {
            params.add_source(b"a".to_vec());
        }
        assert_eq!(params.to_request().unwrap().len(), SOURCES);
        params.add_source(b"\xff".to_vec());
        assert!(params.to_request().unwrap_err().is(Code::InvalidParams));
    }
}
