//! What the service does about snapshots: looks for them at the start, removes them, changes their key.
//!
//! When one is loaded or saved the kernel decides; see [`crate::snapshots`]. Without a folder for them
//! everything works, only slower.

use crate::Service;
use crate::api::{KeyRotation, SnapshotMode, SnapshotPlace, SourceInfo};
use crate::catalogue::Shard;
use crate::error::ServiceError;
use crate::snapshots;
use hearth_residency::Stored;
use std::sync::Arc;

impl Service {
    /// Replaces the machine key and seals every snapshot under the new one.
    ///
    /// # Errors
    /// [`ServiceError::BadRequest`] where this service saves no snapshots, or the key is not its to change, or
    /// cannot be replaced.
    pub fn rotate_key(&self) -> Result<KeyRotation, ServiceError> {
        let Some(snapshots) = &self.snapshots else {
            return Err(ServiceError::BadRequest {
                field: "key",
                message: self.snapshot_place().key.err().unwrap_or_default(),
                hint: "set `snapshot.enabled = true`, or see `hearth doctor`, and restart the daemon"
                    .to_owned(),
            });
        };
        snapshots.rotate(&self.list())
    }

    /// Looks for the snapshot of a source and keeps what came of that.
    pub(crate) fn look_for_snapshot(&self, shard: &mut Shard) -> Option<Stored> {
        let snapshots = self.snapshots.as_ref()?;
        match snapshots.look(&shard.source.info) {
            Ok(found) => {
                (shard.snapshot, shard.known) = (Some(found.file), Some(found.known));
                Some(found.stored)
            }
            Err(error) => {
                shard.load_reason = Some(Arc::new(snapshots::report(&shard.source.info.name, &error)));
                None
            }
        }
    }

    /// Removes what no source needs any more.
    pub(crate) fn tidy_up_snapshots(&self, sources: &[SourceInfo]) {
        let Some(snapshots) = &self.snapshots else { return };
        if let Err(error) = snapshots.tidy_up(sources) {
            tracing::warn!("{}: {error}", snapshots.folder().display());
        }
    }

    /// Removes the snapshot of a source that was forgotten; gives its length.
    pub(crate) fn remove_snapshot(&self, source: &SourceInfo) -> Result<u64, ServiceError> {
        let Some(snapshots) = &self.snapshots else { return Ok(0) };
        let removed = snapshots.forget(source.id);
        removed.map_err(|error| ServiceError::io("remove", snapshots.path(source.id), error))
    }

    /// Where snapshots are kept and under which key.
    pub(crate) fn snapshot_place(&self) -> SnapshotPlace {
        let shards = self.catalogue.load();
        let bytes = shards.iter().filter_map(|shard| shard.snapshot).map(|file| file.bytes).sum();
        let (mode, key) = match &self.snapshots {
            Some(snapshots) => (snapshots.mode(), snapshots.describe_key()),
            None if self.config.snapshot.enabled => {
                (SnapshotMode::Off, Err("their folder cannot be used".to_owned()))
            }
            None => (SnapshotMode::Off, Err("snapshots are switched off".to_owned())),
        };
        SnapshotPlace { folder: self.snapshot_folder.clone(), mode, key, bytes }
    }
}
