//! How a query waits until everything that was written before it is in the answer.
//!
//! It drops a cookie into the feed. When that has come through, and what came before it is in the body in memory,
//! the query goes on. A wait that ends in vain says why, and the answer is called stale.

use super::track::{Track, wake};
use crate::api::Proof;
use hearth_core::CancelToken;
use std::time::{Duration, Instant};

/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// What came of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The body in memory, or what is known of one that is not, holds everything.
    Fresh(Proof),
    /// Not in time, and why it takes so long.
    Late(String),
    /// There is no feed to wait for, and why.
    Unwatched(String),
}

impl Track {
    /// Waits until everything that was written before this call is in the body in memory, or nothing is in memory and the
    /// kernel knows that it changed.
    ///
    /// # Errors
    /// Cancellation.
    pub(crate) fn wait_fresh(
        &self,
        until: Instant,
        cancel: &CancelToken,
    ) -> Result<Waited, hearth_core::Cancelled> {
        let handle = {
            let state = self.state.lock();
            match &state.feed {
                Some(feed) => feed.handle.clone(),
                // Nothing was ever read of it: whatever is, is read after this.
                None if state.no_feed.is_empty() => return Ok(Waited::Fresh(Proof::Compared)),
                None => return Ok(Waited::Unwatched(state.no_feed.clone())),
            }
        };
        let cookie = match handle.drop_cookie() {
            Ok(cookie) => cookie,
            Err(error) => return Ok(Waited::Unwatched(error.to_string())),
        };
        let mut state = self.state.lock();
        loop {
            if let Some(proof) = state.take_passed(cookie.number) {
                return Ok(Waited::Fresh(proof));
            }
            cancel.check()?;
            let now = Instant::now();
            if now >= until {
                wake(&state);
                let why = state.outdated.clone().filter(|why| !why.is_empty());
                return Ok(Waited::Late(
                    why.unwrap_or_else(|| "changes are still being taken in".to_owned()),
                ));
            }
            self.changed.wait_until(&mut state, until.min(now + CANCEL_POLL));
        }
    }
}
