//! What is known of a source's freshness at this instant.
//!
//! Shared by the thread that follows the feed, by attempts that make bodies, by queries that wait and by those that
//! only ask. It is locked for moments only.

use super::acts::Acts;
use super::backlog::Backlog;
use super::mounts::Standing;
use super::opening::is_live;
use super::remembered::Remembered;
use crate::api::{CompareOutcome, Proof};
use hearth_core::UnixNanos;
use hearth_residency::{AttemptId, Generation};
use hearth_watch::{Cookie, FeedHandle, FeedKind, Proof as Shown};
use std::collections::BTreeMap;
use std::time::Instant;

/// Cookies that came through and that nobody has taken note of; older ones are dropped.
const PASSED: usize = 8192;

/// Why a comparison is needed on btrfs.
pub(super) const BEYOND: &str = "something changed in another subvolume, of which nothing is told";

/// The feed that is read now.
#[derive(Debug)]
pub(super) struct OpenFeed {
    pub(super) handle: FeedHandle,
    pub(super) kind: FeedKind,
    /// What is there may change without the feed telling: it is compared now and then, and when somebody waits.
    pub(super) shared: bool,
    /// Why it is not a better one; empty if it is what was wanted.
    pub(super) instead: String,
}

impl OpenFeed {
    /// True if it tells as it happens what is done here, and nothing of what others do.
    pub(super) fn misses_others(&self) -> bool {
        self.shared && is_live(self.kind)
    }

    /// True if every change is told as it happens.
    pub(super) fn tells_all(&self) -> bool {
        !self.shared && is_live(self.kind)
    }
}

/// Everything that happened before an instant is in the bodies from a generation on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verified {
    pub(super) generation: Generation,
    pub(super) at: Instant,
    pub(super) at_ns: UnixNanos,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) feed: Option<OpenFeed>,
    /// Why there is none.
    pub(super) no_feed: String,
    /// What was mounted when the feed was opened.
    pub(super) standing: Option<Standing>,
    /// Something changed of which the feed tells nothing, perhaps inside the source.
    pub(super) beyond: bool,
    /// When a comparison was last asked for because others may have changed something.
    pub(super) ticked: Option<Instant>,
    /// When a comparison was last asked for because of what is beyond.
    pub(super) compared_beyond: Option<Instant>,
    /// The feed is of a file system that is not, or no longer, the one at the root.
    pub(super) remounted: bool,
    /// What the followed body lacks.
    pub(super) open: Backlog,
    /// Changes of the daemon's own folders, which wait for company.
    pub(super) own: Backlog,
    /// What a body that is being made may lack.
    pub(super) gathered: Option<Backlog>,
    /// The attempt that is in flight, or has made what is not yet in the catalogue.
    pub(super) attempt: Option<AttemptId>,
    /// Why the body in memory may lack more than what is open.
    pub(super) outdated: Option<String>,
    /// Times that there was such a reason.
    pub(super) outdates: u64,
    /// The kernel was told that, or that the source changed while nothing of it is in memory.
    pub(super) asked: bool,
    /// The folders that the source had when it left memory, if it was followed until then.
    pub(super) remembered: Option<Remembered>,
    /// The source changed while nothing of it was in memory.
    pub(super) changed_out: bool,
    /// A fold was asked for.
    pub(super) folding: bool,
    /// When the oldest of what is open was read.
    pub(super) oldest: Option<Instant>,
    pub(super) verified: Option<Verified>,
    /// Cookies that came through the feed before the body had what they stand for.
    pub(super) held: Vec<Cookie>,
    /// Who did what, as far as the feed told and the history does not know.
    pub(super) acts: Acts,
    passed: BTreeMap<u64, Proof>,
    pub(super) overflows: u64,
    pub(super) looks: u64,
    pub(super) last_compare: Option<CompareOutcome>,
    pub(super) stopping: bool,
}

impl State {
    /// The body in memory may lack something. Without words it is only time to compare.
    pub(super) fn outdate(&mut self, why: impl Into<String>) {
        if self.outdated.as_ref().is_none_or(String::is_empty) {
            self.outdated = Some(why.into());
        }
        self.outdates += 1;
        self.asked = false;
    }

    /// A body that holds everything up to its making is the one in memory.
    pub(super) fn caught_up(&mut self, outdates: u64) {
        if self.outdates == outdates {
            self.outdated = None;
            self.asked = false;
        }
    }

    /// Lets those go who wait for what was held.
    pub(super) fn pass(&mut self) {
        let compared = self.feed.as_ref().is_some_and(|feed| !feed.tells_all());
        for cookie in std::mem::take(&mut self.held) {
            let proof = match cookie.proof {
                _ if compared => Proof::Compared,
                Shown::Passed => Proof::Cookie,
                Shown::Quiet => Proof::Queue,
            };
            self.passed.insert(cookie.number, proof);
        }
        while self.passed.len() > PASSED {
            self.passed.pop_first();
        }
    }

    /// Whether a cookie came through, and all that it stands for is in the body.
    pub(super) fn take_passed(&mut self, number: u64) -> Option<Proof> {
        self.passed.remove(&number)
    }
}
