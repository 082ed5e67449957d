//! Scan progress for subscribers: one notification per running scan and look, and a last one at its end.

use crate::outgoing::Outgoing;
use hearth_protocol::answer::ScanProgress;
use hearth_protocol::envelope::notification_line;
use hearth_protocol::method;
use hearth_service::api::{ShardStatus, Status};
use std::collections::HashSet;

/// Remembers which sources were being scanned at the last look.
#[derive(Debug, Default)]
pub(crate) struct ScanWatch {
    scanning: HashSet<String>,
}

impl ScanWatch {
    /// Sends what has changed since the last look. A client that does not read is not sent more.
    pub(crate) fn report(&mut self, status: &Status, outgoing: &Outgoing) {
        for shard in &status.shards {
            let Some(progress) = self.look_at(shard) else { continue };
            if outgoing.queued() > 0 && !progress.done {
                continue;
            }
            match notification_line(method::PROGRESS, &progress) {
                Ok(line) => outgoing.push(line),
                Err(error) => tracing::error!("progress cannot be rendered: {error}"),
            }
        }
        self.scanning.retain(|name| status.shards.iter().any(|shard| shard.source.name == *name));
    }

    fn look_at(&mut self, shard: &ShardStatus) -> Option<ScanProgress> {
        let source = shard.source.name.clone();
        if let Some(scan) = shard.scanning {
            self.scanning.insert(source.clone());
            return Some(ScanProgress {
                source,
                entries: scan.entries,
                elapsed_ms: scan.elapsed_ms,
                done: false,
            });
        }
        if !self.scanning.remove(&source) {
            return None;
        }
        let last = shard.last_scan.as_ref();
        let entries = last.map_or(shard.rows, |scan| scan.entries);
        let elapsed_ms = last.map_or(0, |scan| scan.scan_ms + scan.build_ms);
        Some(ScanProgress { source, entries, elapsed_ms, done: true })
    }
}
