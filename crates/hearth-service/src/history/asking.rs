//! `history`: which program made, changed or removed something.
//!
//! Answered from what is kept, whether the index is in memory or not. What is asked about a path is answered by
//! comparing paths, what is asked by a query through an index of the paths that are kept.

use super::{Noted, names};
use crate::Service;
use crate::api::{HistoryAnswer, HistoryRequest, HistoryRow};
use crate::asking::Question;
use crate::error::{ServiceError, lossy};
use crate::paths::{holds, normalise, shown};
use crate::people::Names;
use crate::selection::{Chosen, Scope, choose, prune};
use hearth_core::CancelToken;
use hearth_files::query::{Expr, Query};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// Acts that are kept of a source where nothing is configured and nobody else is served.
const USUAL_ENTRIES: usize = 10_000;

/// What is asked.
struct Wanted {
    path: Option<Vec<u8>>,
    query: Query,
    /// Whether only what lies below the folders of the scope is asked for.
    scoped: bool,
}

impl Wanted {
    fn asks_for(&self, scope: &Scope, path: &[u8]) -> bool {
        let in_scope = match scope {
            Scope::Folders(folders) if self.scoped => {
                folders.iter().any(|folder| holds(folder, path) && folder != path)
            }
            Scope::Folders(_) | Scope::Whole => true,
        };
        in_scope && self.path.as_ref().is_none_or(|wanted| holds(wanted, path))
    }
}

impl Service {
    /// Lists acts, newest first.
    ///
    /// # Errors
    /// [`ServiceError::BadQuery`], also for a query that looks at metadata; [`ServiceError::BadRequest`] for a path
    /// that is not absolute; [`ServiceError::UnknownSource`]; [`ServiceError::Cancelled`].
    pub fn history(&self, req: &HistoryRequest, cancel: &CancelToken) -> Result<HistoryAnswer, ServiceError> {
        let began = Instant::now();
        let (cwd, within) = (req.cwd.as_deref(), req.within.as_slice());
        let question = Question { query: &req.query, cwd, within, wait_fresh: None };
        let wanted = Wanted {
            path: req.path.as_deref().map(absolute).transpose()?,
            query: self.parse(question)?,
            scoped: !req.within.is_empty(),
        };
        names::check(&wanted.query)?;
        let sources = self.concerned(&wanted, &req.within)?;
        let (mut acts, mut kept, mut dropped) = (Vec::new(), 0, 0);
        for source in &sources {
            let recent = source.shard.source.history.recent();
            kept += recent.acts.len() as u64;
            dropped += recent.dropped;
            let selected = self.selected(source, recent.acts, &wanted, cancel)?;
            acts.extend(selected.into_iter().map(|act| (source, act)));
        }
        acts.sort_by_key(|(_, act)| Reverse(act.at_ns));
        let matched = acts.len() as u64;
        let users = self.people.users();
        let rows = acts.iter().take(req.limit).map(|(source, act)| row(source, act, &users)).collect();
        let (on, why) = (self.acts_kept() > 0, self.why_not_all(&sources));
        let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(HistoryAnswer { rows, matched, kept, dropped, on, why, elapsed_us })
    }

    /// Most acts that are kept of a source; 0 = none.
    pub(crate) fn acts_kept(&self) -> usize {
        let usual = if rustix::process::geteuid().is_root() { 0 } else { USUAL_ENTRIES };
        self.config.history.entries.unwrap_or(usual)
    }

    fn concerned(&self, wanted: &Wanted, within: &[Vec<u8>]) -> Result<Vec<Chosen>, ServiceError> {
        let shards = self.catalogue.listed();
        let folders = match &wanted.path {
            Some(path) if within.is_empty() => vec![shown(path).to_vec()],
            _ => within.to_vec(),
        };
        prune(&shards, choose(&shards, &folders)?, &wanted.query)
    }

    /// Those of the acts that are asked for, in their order.
    fn selected(
        &self,
        source: &Chosen,
        mut acts: Vec<Arc<Noted>>,
        wanted: &Wanted,
        cancel: &CancelToken,
    ) -> Result<Vec<Arc<Noted>>, ServiceError> {
        let root = source.shard.source.root.as_slice();
        let below = [root, b"/"].concat();
        acts.retain(|act| wanted.asks_for(&source.scope, &act.path(&below)));
        cancel.check()?;
        if wanted.query.expr != Expr::And(Vec::new()) {
            let paths: BTreeSet<Vec<u8>> = acts.iter().map(|act| act.path(&below)).collect();
            let found = names::matching(root, &paths, &wanted.query, &self.pools.query, cancel)?;
            acts.retain(|act| found.contains(&act.path(&below)));
        }
        Ok(acts)
    }

    /// Why acts are not kept, or not those of all these sources, and what to do about it.
    fn why_not_all(&self, sources: &[Chosen]) -> String {
        let off = match self.config.history.entries {
            Some(0) => "the history is switched off by `history.entries`",
            None if self.acts_kept() == 0 => "a daemon of root keeps no history unless it is told to",
            _ => return self.why_blind(sources),
        };
        format!(
            "{off}; `history.entries = {USUAL_ENTRIES}` in the configuration file or \
             HEARTH_HISTORY_ENTRIES={USUAL_ENTRIES} switches it on from the next start of the daemon"
        )
    }

    /// The sources whose feed does not tell who makes changes.
    fn why_blind(&self, sources: &[Chosen]) -> String {
        let feed = |source: &Chosen| self.shard_status(&source.shard).feed;
        let blind = |source: &&Chosen| feed(source).kind != "fanotify";
        let name = |source: &Chosen| format!("{} ({})", source.shard.source.info.name, feed(source).text);
        let blind: Vec<String> = sources.iter().filter(blind).map(name).collect();
        if blind.is_empty() {
            return String::new();
        }
        format!(
            "nothing is told of who changes {}; only fanotify tells, in a daemon of root",
            blind.join(", ")
        )
    }
}

fn absolute(path: &[u8]) -> Result<Vec<u8>, ServiceError> {
    normalise(path).ok_or_else(|| ServiceError::BadRequest {
        field: "path",
        message: format!("{} is not an absolute path", lossy(path)),
        hint: "give the whole path, beginning with /".to_owned(),
    })
}

fn row(source: &Chosen, act: &Noted, users: &Names) -> HistoryRow {
    let name = act.uid.and_then(|uid| users.name(uid));
    HistoryRow {
        path: act.path(b""),
        unseen_folder: act.folder.path.is_none().then_some(act.folder.inode),
        kind: act.kind,
        first_ns: act.first_ns,
        at_ns: act.at_ns,
        times: act.times,
        pid: act.pid,
        command: act.command.to_string(),
        uid: act.uid,
        user: name.map(|name| String::from_utf8_lossy(name).into_owned()),
        source: source.shard.source.info.name.clone(),
    }
}
