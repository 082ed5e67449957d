//! Cooperative cancellation with an optional deadline.
//!
//! Long work polls [`CancelToken::check`] at pass boundaries (every few thousand rows). A token is
//! cheap to clone and cancelling any clone cancels all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Shared flag that asks running work to stop, with an optional deadline after which it counts as set.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

/// Why work stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Somebody called [`CancelToken::cancel`].
    Requested,
    /// The token's deadline passed.
    DeadlinePassed,
}

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Cancelled::Requested => "cancelled",
            Cancelled::DeadlinePassed => "timed out",
        })
    }
}

impl std::error::Error for Cancelled {}

impl CancelToken {
    /// A token that never fires by itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clone of this token that also fires at `deadline`.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        let deadline = self.deadline.map_or(deadline, |own| own.min(deadline));
        Self { flag: Arc::clone(&self.flag), deadline: Some(deadline) }
    }

    /// Asks all holders of this token and its clones to stop.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Release);
    }

    /// `Err` once the token was cancelled or its deadline passed.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.flag.load(Ordering::Acquire) {
            return Err(Cancelled::Requested);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Cancelled::DeadlinePassed),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn cancelling_a_clone_cancels_all() {
        let token = CancelToken::new();
        let clone = token.with_deadline(Instant::now() + Duration::from_secs(3600));
        assert_eq!(token.check(), Ok(()));
        clone.cancel();
        assert_eq!(token.check(), Err(Cancelled::Requested));
    }

    #[test]
    fn a_deadline_only_ever_moves_closer() {
        let past = Instant::now();
        let token = CancelToken::new().with_deadline(past).with_deadline(past + Duration::from_secs(60));
        assert_eq!(token.check(), Err(Cancelled::DeadlinePassed));
    }
}
