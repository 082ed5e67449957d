//! Between the wire and the typed requests and answers of the service.
//!
//! Only the daemon compiles this. Parameters are checked against the limits of the wire; what they
//! mean is the service's business, and its errors become the codes of the contract here.

use crate::answer;
use crate::bytes::{KeyField, PathField, RootField, V1};
use crate::columns::Column;
use crate::error::{Code, RpcError};
use crate::limits::{DU_DEPTH, REPORT_ROWS, WITHIN_PATHS};
use crate::params::{DuBy, DuParams, DupesParams, Encoding, FindParams, StatsBy, StatsParams};
use hearth_service::{Explain, ExplainStep, ServiceError, api};
use serde_json::{Value, json};

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
        })
    }
}

fn within(folders: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, RpcError> {
    at_most("the number of folders in `in`", folders.len() as u64, WITHIN_PATHS as u64)?;
    Ok(folders)
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
        }
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
        let kind = source.kind.to_owned();
        answer::Source { v: V1, id: source.id, name: source.name, kind, root: RootField(source.root) }
    }
}

impl From<api::ShardStatus> for answer::Shard {
    fn from(shard: api::ShardStatus) -> Self {
        answer::Shard {
            v: V1,
            id: shard.source.id,
            kind: shard.source.kind.to_owned(),
            root: RootField(shard.source.root),
            name: shard.source.name,
            health: shard.health.as_str().to_owned(),
            generation: shard.generation,
            clock: shard.clock,
            age_ms: shard.age_ms,
            rows: shard.rows,
            resident_bytes: shard.resident_bytes,
            scanning: shard.scanning.map(scanning),
            last_scan: shard.last_scan.map(last_scan),
            last_query_ns: shard.last_query_ns,
            queries_total: shard.queries_total,
            rebuilds_total: shard.rebuilds_total,
            last_good_ns: shard.last_good_ns,
            last_error: shard.last_error,
        }
    }
}

fn scanning(scan: api::ScanProgress) -> answer::Scanning {
    answer::Scanning { entries: scan.entries, elapsed_ms: scan.elapsed_ms }
}

fn last_scan(scan: api::ScanOutcome) -> answer::LastScan {
    answer::LastScan {
        entries: scan.entries,
        scan_ms: scan.scan_ms,
        build_ms: scan.build_ms,
        denied: scan.denied,
        vanished: scan.vanished,
        failed: scan.failed,
        samples: scan.samples,
        skipped: scan.skipped,
    }
}

/// The shape of an entry's rows depends on folder totals only if one of these is asked for.
pub const TREE_COLUMNS: crate::Columns = crate::Columns::NONE
    .with(Column::Children)
    .with(Column::Descendants)
    .with(Column::TreeSize)
    .with(Column::TreeAllocated);

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
            ServiceError::GenerationMoved { source_name, generation } => {
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
        ServiceError::BadRequest { .. } | ServiceError::Overlaps { .. } | ServiceError::NotFound { .. } => {
            Code::InvalidParams
        }
        ServiceError::UnknownSource { .. } => Code::UnknownSource,
        ServiceError::NotReady { .. } => Code::NotReady,
        ServiceError::BuildFailed { .. } => Code::BuildFailed,
        ServiceError::GenerationMoved { .. } => Code::GenerationMoved,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_wire_are_enforced_by_name() {
        let du = DuParams { limit: REPORT_ROWS + 1, ..Default::default() };
        assert!(du.to_request().unwrap_err().message.contains("`limit` is 1000001"));
        let mut find = FindParams::default();
        for _ in 0..=WITHIN_PATHS {
            find.add_within(b"/a".to_vec());
        }
        assert!(find.to_request().unwrap_err().is(Code::InvalidParams));
        let raw =
            FindParams { encoding: Encoding::Nul, columns: Some(vec![Column::Size]), ..Default::default() };
        assert!(raw.to_request().unwrap_err().message.contains("columns"));
    }

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
}
