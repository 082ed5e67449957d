//! What was deleted from NTFS volumes, as sources of their own beside the volumes.
//!
//! Records of deleted files keep their names until they are used again. An index of them is made when it is first asked for,
//! from the whole file table, and is a shard like any other: it counts against the budget, leaves memory when nobody
//! asks, and is read anew when the volume changes. It is on no list and is forgotten with its volume.

use crate::Service;
use crate::api::{SourceInfo, SourceKind};
use crate::catalogue::{Catalogue, Shards};
use crate::error::ServiceError;
use crate::selection::{choose, prune};
use hearth_files::query::Query;
use std::sync::Arc;

/// In the number of such a source, beside that of the volume.
const DELETED: u64 = 1 << 52;

impl Catalogue {
    /// The sources that are on the list.
    pub(crate) fn listed(&self) -> Arc<Shards> {
        let shards = self.load();
        let is_listed = |kind: SourceKind| kind != SourceKind::NtfsDeleted;
        if shards.iter().all(|shard| is_listed(shard.source.info.kind)) {
            return shards;
        }
        Arc::new(shards.iter().filter(|shard| is_listed(shard.source.info.kind)).cloned().collect())
    }
}

impl Service {
    /// The sources of what was deleted from the volumes that a query is about.
    ///
    /// # Errors
    /// There is none, or none that can hold a match.
    pub(crate) fn deleted_from(
        &self,
        within: &[Vec<u8>],
        query: &Query,
    ) -> Result<Arc<Shards>, ServiceError> {
        let all = self.catalogue.load();
        let volumes: Shards =
            all.iter().filter(|shard| shard.source.info.kind == SourceKind::Ntfs).cloned().collect();
        if volumes.is_empty() {
            return Err(ServiceError::BadRequest {
                field: "query",
                message: "only NTFS volumes tell what was deleted, and none is registered".to_owned(),
                hint: "`hearth add IMAGE` indexes a disk or an image of one".to_owned(),
            });
        }
        let chosen = prune(&volumes, choose(&volumes, within)?, query)?;
        let ids: Vec<u64> = chosen.iter().map(|volume| volume.shard.id() | DELETED).collect();
        chosen.iter().for_each(|volume| self.follow_deleted(&volume.shard.source.info));
        let shards = self.catalogue.load();
        Ok(Arc::new(shards.iter().filter(|shard| ids.contains(&shard.id())).cloned().collect()))
    }

    /// Makes sure that what was deleted from a volume is a source.
    fn follow_deleted(&self, volume: &SourceInfo) {
        // Whoever adds and forgets sources holds this.
        let registry = self.registry.lock();
        let id = volume.id | DELETED;
        let stands = registry.sources().iter().any(|source| source.id == volume.id);
        if !stands || self.catalogue.get(id).is_some() {
            return;
        }
        let name = format!("{}:deleted", volume.name);
        let info = SourceInfo { id, name, kind: SourceKind::NtfsDeleted, root: volume.root.clone() };
        self.catalogue.insert(self.new_shard(&info));
        self.load(&info, None);
    }

    /// The source of what was deleted from a volume, if there is one.
    pub(crate) fn companion(&self, volume: &SourceInfo) -> Option<SourceInfo> {
        let shard = self.catalogue.get(volume.id | DELETED)?;
        Some(shard.source.info.clone())
    }
}
