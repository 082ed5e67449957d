//! `du`: the biggest folders below a folder, from the totals that the index keeps.
//!
//! Nothing is summed here and no file is looked at: a walk over folders, biggest first, that leaves
//! out every folder that is smaller than the smallest one that is already shown.

use crate::Service;
use crate::api::{DuAnswer, DuRequest, DuRow, SourceName};
use crate::asking::{Part, refuse_if_all_failed};
use crate::error::ServiceError;
use crate::paths::shown;
use crate::selection::{Scope, choose};
use hearth_core::CancelToken;
use hearth_files::index::{Body, RowId, Totals};
use hearth_files::query::{Expr, Query};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Bytes that decide, then the path, first ones first.
type Rank = (u64, Reverse<Vec<u8>>);

/// The biggest folders so far; the smallest of them is on top.
struct Biggest {
    limit: usize,
    by_allocated: bool,
    heap: BinaryHeap<Reverse<(Rank, Held)>>,
}

/// A folder's totals, kept beside its rank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    source: usize,
    size: u64,
    allocated: u64,
    descendants: u64,
}

impl Biggest {
    fn weight(&self, totals: &Totals) -> u64 {
        if self.by_allocated { totals.allocated } else { totals.size }
    }

    /// Whether a folder of this weight, or one below it, may be among the biggest.
    fn may_hold(&self, weight: u64) -> bool {
        let least = self.heap.peek().map(|Reverse((rank, _))| rank.0);
        self.limit > 0 && (self.heap.len() < self.limit || least.is_some_and(|least| weight >= least))
    }

    fn offer(&mut self, source: usize, path: Vec<u8>, totals: &Totals) {
        let rank = (self.weight(totals), Reverse(path));
        let Totals { size, allocated, descendants, .. } = *totals;
        self.heap.push(Reverse((rank, Held { source, size, allocated, descendants })));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    /// The folders, biggest first.
    fn into_rows(self, name: impl Fn(usize) -> SourceName) -> Vec<DuRow> {
        let row = |Reverse((rank, held)): Reverse<(Rank, Held)>| DuRow {
            path: rank.1.0,
            tree_size: held.size,
            tree_allocated: held.allocated,
            descendants: held.descendants,
            source: name(held.source),
        };
        self.heap.into_sorted_vec().into_iter().map(row).collect()
    }
}

impl Service {
    /// Lists the biggest folders.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::NotFound`], [`ServiceError::NotReady`] while
    /// the first scan has not come to the folder.
    pub fn du(&self, req: &DuRequest, cancel: &CancelToken) -> Result<DuAnswer, ServiceError> {
        let began = Instant::now();
        let shards = self.catalogue.listed();
        let folders: Vec<Vec<u8>> = req.path.iter().cloned().collect();
        let everything = Query { expr: Expr::And(Vec::new()) };
        let mut parts = self.parts(&shards, choose(&shards, &folders)?, &everything, req.wait_fresh);
        self.expect(&parts, cancel)?;
        let mut biggest =
            Biggest { limit: req.limit, by_allocated: req.by_allocated, heap: BinaryHeap::new() };
        let mut rows = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let Some(held) = self.read(part, cancel)? else { continue };
            for (body, row) in asked_folders(part, &held.body) {
                rows.extend(body.totals(row).map(|totals| du_row(part, body, row, &totals)));
                descend(&mut biggest, number, body, row, req.depth, cancel)?;
            }
        }
        refuse_if_all_failed(&mut parts)?;
        if let (true, Some(part)) = (rows.is_empty(), parts.first()) {
            return Err(not_ready(part));
        }
        rows.extend(biggest.into_rows(|number| parts[number].name().clone()));
        let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(DuAnswer { rows, sources: self.describe(&parts), elapsed_us })
    }
}

/// The rows that a part is asked about.
fn asked_folders<'a>(part: &Part, body: &'a Body) -> Vec<(&'a Body, RowId)> {
    match &part.scope {
        Scope::Whole => vec![(body, body.root_row())],
        Scope::Folders(folders) => {
            folders.iter().filter_map(|folder| Some((body, body.find_path(folder)?))).collect()
        }
    }
}

fn du_row(part: &Part, body: &Body, row: RowId, totals: &Totals) -> DuRow {
    DuRow {
        path: path_of(body, row),
        tree_size: totals.size,
        tree_allocated: totals.allocated,
        descendants: totals.descendants,
        source: part.name().clone(),
    }
}

fn path_of(body: &Body, row: RowId) -> Vec<u8> {
    let mut path = Vec::new();
    body.path_into(row, &mut path);
    shown(&path).to_vec()
}

/// Offers the folders below `top`, down to `depth` levels.
fn descend(
    biggest: &mut Biggest,
    source: usize,
    body: &Body,
    top: RowId,
    depth: u32,
    cancel: &CancelToken,
) -> Result<(), ServiceError> {
    let mut open = vec![(top, depth)];
    while let Some((folder, depth)) = open.pop() {
        if depth == 0 {
            continue;
        }
        cancel.check()?;
        let children = body.children(folder);
        let folders = children.into_iter().filter_map(|row| Some((row, body.totals(row)?)));
        let mut folders: Vec<(u64, RowId, Totals)> =
            folders.map(|(row, totals)| (biggest.weight(&totals), row, totals)).collect();
        // The biggest ends on top of the stack, so that small ones are left out early.
        folders.sort_unstable_by_key(|(weight, row, _)| (*weight, Reverse(*row)));
        for (weight, row, totals) in folders.iter().rev() {
            if !biggest.may_hold(*weight) {
                break;
            }
            biggest.offer(source, path_of(body, *row), totals);
        }
        let worth = folders.into_iter().filter(|(weight, ..)| biggest.may_hold(*weight));
        open.extend(worth.map(|(_, row, _)| (row, depth - 1)));
    }
    Ok(())
}

fn not_ready(part: &Part) -> ServiceError {
    let entries = part.shard.source.run.load().as_ref().map_or(0, |run| run.entries());
    let source_name = part.name().clone();
    ServiceError::NotReady { source_name, entries, retry_after_ms: 1000 }
}
