//! What an operator does about memory: bring in, keep, let go.
//!
//! Names are checked before anything is done, so that a wrong one leaves everything as it was. The
//! kernel decides; what it refuses is told in the words of the source.

use crate::Service;
use crate::api::{Freed, Kept, Pin, SourceInfo};
use crate::error::ServiceError;
use hearth_core::CancelToken;
use hearth_residency::{Command, Refusal, ShardId};
use std::time::Duration;

/// How often a wait for a save looks whether it was cancelled.
const SAVE_POLL: Duration = Duration::from_millis(50);

impl Service {
    /// Brings sources (by name or root; all if none is named) into memory and waits until they are there;
    /// with a time, pins them for so long.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::OverBudget`], [`ServiceError::BuildFailed`],
    /// cancellation.
    pub fn preload(
        &self,
        names: &[Vec<u8>],
        pin: Option<Duration>,
        cancel: &CancelToken,
    ) -> Result<Vec<Kept>, ServiceError> {
        let command = |shard| Command::Preload { shard, pin };
        self.bring_in(self.named(names)?, &command, cancel)
    }

    /// Brings sources into memory, waits until they are there and keeps them there until they are unpinned.
    ///
    /// # Errors
    /// As [`Service::preload`]; without names [`ServiceError::BadRequest`].
    pub fn pin(&self, names: &[Vec<u8>], cancel: &CancelToken) -> Result<Vec<Kept>, ServiceError> {
        if names.is_empty() {
            return Err(ServiceError::BadRequest {
                field: "sources",
                message: "no source is named".to_owned(),
                hint: "name the sources to pin; `hearth list` shows them".to_owned(),
            });
        }
        self.bring_in(self.named(names)?, &Command::Pin, cancel)
    }

    /// Ends pins (all of them if none is named).
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`].
    pub fn unpin(&self, names: &[Vec<u8>]) -> Result<Vec<SourceInfo>, ServiceError> {
        let mut sources = self.named(names)?;
        if names.is_empty() {
            sources.retain(|source| self.pin_of(source.id) != Pin::None);
        }
        for source in &sources {
            self.operate(source, Command::Unpin(ShardId(source.id)))?;
        }
        Ok(sources)
    }

    /// Takes sources out of memory; all that are not pinned if none is named. What was unsaved is on disk when
    /// this returns, or its save has failed.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::Pinned`] for a named one; then nothing happened.
    /// Cancellation, which ends the wait for what is saved.
    pub fn hibernate(&self, names: &[Vec<u8>], cancel: &CancelToken) -> Result<Vec<Freed>, ServiceError> {
        let mut sources = self.named(names)?;
        let pinned = |source: &SourceInfo| self.pin_of(source.id) != Pin::None;
        if names.is_empty() {
            sources.retain(|source| !pinned(source));
        } else if let Some(source) = sources.iter().find(|source| pinned(source)) {
            return Err(ServiceError::Pinned { source_name: source.name.clone() });
        }
        let mut freed = Vec::with_capacity(sources.len());
        for source in sources {
            let freed_bytes = self.resident_bytes(source.id);
            self.operate(&source, Command::Hibernate(ShardId(source.id)))?;
            freed.push(Freed { source, freed_bytes, snapshot_bytes: 0 });
        }
        freed.iter().try_for_each(|freed| self.wait_saved(freed.source.id, cancel))?;
        Ok(freed)
    }

    /// Waits until no save of a source runs.
    fn wait_saved(&self, id: u64, cancel: &CancelToken) -> Result<(), ServiceError> {
        loop {
            let seen = self.catalogue.changes();
            if self.catalogue.get(id).is_none_or(|shard| !shard.view.saving) {
                return Ok(());
            }
            cancel.check()?;
            self.check_running()?;
            self.catalogue.wait_change(seen, SAVE_POLL);
        }
    }

    /// Sources by name or root; all of them if none is named.
    pub(crate) fn named(&self, names: &[Vec<u8>]) -> Result<Vec<SourceInfo>, ServiceError> {
        let shards = self.catalogue.load();
        let all = || shards.iter().map(|shard| &shard.source.info);
        let registry = self.registry.lock();
        let find = |name: &Vec<u8>| {
            // What is on no list has a name as well.
            let unlisted = || all().find(|info| info.name.as_bytes() == name);
            let known = registry.by_name_or_root(name).or_else(unlisted).cloned();
            known.ok_or_else(|| registry.unknown(name))
        };
        match names {
            [] => Ok(all().cloned().collect()),
            names => names.iter().map(find).collect(),
        }
    }

    /// Carries out a command about a source.
    pub(crate) fn operate(&self, source: &SourceInfo, command: Command) -> Result<(), ServiceError> {
        let result = self.driver.operate(command).ok_or(ServiceError::ShuttingDown)?;
        let source_name = source.name.clone();
        result.map_err(|refusal| match refusal {
            Refusal::Unknown => self.unknown(source_name.as_bytes()),
            Refusal::Pinned => ServiceError::Pinned { source_name },
            Refusal::InMemory(tier) => ServiceError::InMemory { source_name, tier },
        })
    }

    /// Bytes of a source's body and digest.
    pub(crate) fn resident_bytes(&self, id: u64) -> u64 {
        self.catalogue.get(id).map_or(0, |shard| shard.view.body_bytes + shard.view.digest_bytes)
    }

    fn pin_of(&self, id: u64) -> Pin {
        self.catalogue.get(id).map_or(Pin::None, |shard| shard.view.pin)
    }

    fn bring_in(
        &self,
        sources: Vec<SourceInfo>,
        command: &dyn Fn(ShardId) -> Command,
        cancel: &CancelToken,
    ) -> Result<Vec<Kept>, ServiceError> {
        self.check_running()?;
        for source in &sources {
            self.operate(source, command(ShardId(source.id)))?;
        }
        sources.into_iter().map(|source| self.kept(source, cancel)).collect()
    }

    /// Waits until a source is in memory.
    fn kept(&self, source: SourceInfo, cancel: &CancelToken) -> Result<Kept, ServiceError> {
        let Some(shard) = self.catalogue.get(source.id) else {
            return Err(self.unknown(source.name.as_bytes()));
        };
        let (shard, _claim) = self.promote(&shard, cancel)?;
        Ok(Kept {
            resident_bytes: shard.view.body_bytes + shard.view.digest_bytes,
            pin_expires_ns: self.pin_expires(shard.view.pin),
            pinned: shard.view.pin != Pin::None,
            source,
        })
    }
}
