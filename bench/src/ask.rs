//! Asking the engine in-process, as the service does, without a daemon around it.
//!
//! A question is parsed once, outside the measured time; what is timed is the engine alone, or the
//! engine and the making of paths.

use crate::samples::Samples;
use hearth_core::CancelToken;
use hearth_files::engine::{Find, find};
use hearth_files::index::{Body, RowId};
use hearth_files::query::{Context, Query, SortField, SortKey};
use rayon::ThreadPool;
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A body and what is needed to ask it.
pub(crate) struct Engine {
    pub(crate) body: Arc<Body>,
    pub(crate) pool: ThreadPool,
}

/// What is asked.
pub(crate) struct Question {
    query: Query,
    sort: Vec<SortKey>,
    limit: Option<u64>,
    total: bool,
}

impl Question {
    /// The first `limit` matches in path order.
    pub(crate) fn first(text: &str, limit: u64) -> Result<Self, Box<dyn Error>> {
        Ok(Question { query: parse(text)?, sort: Vec::new(), limit: Some(limit), total: false })
    }

    /// The number of matches.
    pub(crate) fn count(text: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Question { total: true, ..Self::first(text, 0)? })
    }

    /// The first `limit` matches by one sort key.
    pub(crate) fn top(
        text: &str,
        limit: u64,
        field: SortField,
        descending: bool,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Question { sort: vec![SortKey { field, descending }], ..Self::first(text, limit)? })
    }

    /// Every match in path order.
    pub(crate) fn all(text: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Question { limit: None, ..Self::first(text, 0)? })
    }
}

impl Engine {
    /// The rows of the answer; the time of the engine goes to `samples`.
    pub(crate) fn rows(
        &self,
        question: &Question,
        samples: &mut Samples,
    ) -> Result<Vec<RowId>, Box<dyn Error>> {
        let mut rows = Vec::new();
        samples.time(|| {
            self.each(question, |batch| {
                rows.extend_from_slice(batch);
                ControlFlow::Continue(())
            })
        })?;
        Ok(rows)
    }

    /// The paths of the answer, each with a newline, into `out`; their making counts as well.
    pub(crate) fn paths(
        &self,
        question: &Question,
        out: &mut Vec<u8>,
        samples: &mut Samples,
    ) -> Result<(), Box<dyn Error>> {
        out.clear();
        let body = &self.body;
        samples.time(|| {
            self.each(question, |batch| {
                body.paths_into(batch, b'\n', out);
                ControlFlow::Continue(())
            })
        })?;
        Ok(())
    }

    /// The number of matches.
    pub(crate) fn matched(&self, question: &Question, samples: &mut Samples) -> Result<u64, Box<dyn Error>> {
        let matched = samples.time(|| self.each(question, |_| ControlFlow::Continue(())))?;
        Ok(matched.ok_or("no total though one was asked for")?)
    }

    /// Hands the rows of the answer on, batch by batch; returns the total if it is known.
    pub(crate) fn each(
        &self,
        question: &Question,
        mut sink: impl FnMut(&[RowId]) -> ControlFlow<()>,
    ) -> Result<Option<u64>, Box<dyn Error>> {
        let Question { query, sort, limit, total } = question;
        let asked = Find { query, sort, skip: 0, limit: *limit, total: *total };
        let found = find(&self.body, &asked, &self.pool, &CancelToken::new(), &mut sink);
        Ok(found.map_err(|error| format!("{error:?}"))?.matched)
    }
}

/// The queries of the benchmarks name no dates, users or relative folders.
fn parse(text: &str) -> Result<Query, Box<dyn Error>> {
    let nobody = |_: &str| None;
    let zone = jiff::tz::TimeZone::UTC;
    let context = Context { now_ns: 0, zone, cwd: None, home: None, user_id: &nobody, group_id: &nobody };
    hearth_files::query::parse(text.as_bytes(), &context).map_err(|error| format!("{text}: {error}").into())
}
