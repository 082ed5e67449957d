//! Interim.
use crate::Service;
use crate::api::{Freed, Kept, SourceInfo, TransitionEvent};
use crate::error::ServiceError;
use hearth_core::CancelToken;
use std::time::Duration;

/// Transitions since the subscription began.
pub struct Subscription(pub(crate) crossbeam_channel::Receiver<TransitionEvent>);

impl Subscription {
    /// The next transition; `None` if there was none in this time, or the service is gone.
    pub fn next(&self, timeout: Duration) -> Option<TransitionEvent> {
        self.0.recv_timeout(timeout).ok()
    }
}

impl Service {
    /// Brings sources (by name or root; all if none is named) into memory and waits until they are there; with a
    /// time, pins them for so long.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::OverBudget`], [`ServiceError::BuildFailed`], cancellation.
    pub fn preload(
        &self,
        _names: &[Vec<u8>],
        _pin: Option<Duration>,
        _cancel: &CancelToken,
    ) -> Result<Vec<Kept>, ServiceError> {
        Err(ServiceError::ShuttingDown)
    }

    /// Brings sources into memory, waits until they are there and keeps them there until they are unpinned.
    ///
    /// # Errors
    /// As [`Service::preload`]; without names [`ServiceError::BadRequest`].
    pub fn pin(&self, _names: &[Vec<u8>], _cancel: &CancelToken) -> Result<Vec<Kept>, ServiceError> {
        Err(ServiceError::ShuttingDown)
    }

    /// Ends pins (all of them if none is named).
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`].
    pub fn unpin(&self, _names: &[Vec<u8>]) -> Result<Vec<SourceInfo>, ServiceError> {
        Err(ServiceError::ShuttingDown)
    }

    /// Takes sources out of memory; all that are not pinned if none is named.
    ///
    /// # Errors
    /// [`ServiceError::UnknownSource`], [`ServiceError::Pinned`] for a named one; then nothing happened.
    pub fn hibernate(&self, _names: &[Vec<u8>]) -> Result<Vec<Freed>, ServiceError> {
        Err(ServiceError::ShuttingDown)
    }

    /// Follows the moves of all shards from now on. A subscriber that falls far behind loses events, which
    /// the gap in their numbers tells.
    pub fn transitions(&self) -> Subscription {
        Subscription(crossbeam_channel::bounded(1).1)
    }
}
