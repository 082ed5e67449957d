//! What the kernel shows: the state of one shard, and sums over all.
//!
//! A view is a copy. It is shown with every step that changes something of it, so that whoever reads what was
//! shown last never has to ask the kernel.

use crate::policy::Moment;
use crate::{Failure, Generation, Health, Pressure, Stored, Tier};

/// Whether a shard must stay in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pin {
    /// It need not.
    #[default]
    None,
    /// Until then.
    Until(Moment),
    /// Until it is unpinned.
    Forever,
}

/// What there is to say of a shard. The default is that of one that nothing is known of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// How much of it is in memory.
    pub tier: Tier,
    /// How good its body is.
    pub health: Health,
    /// Its last published body.
    pub generation: Generation,
    /// Whether it must stay.
    pub pin: Pin,
    /// The body's bytes.
    pub body_bytes: u64,
    /// The digest's bytes.
    pub digest_bytes: u64,
    /// Set aside for an attempt in flight.
    pub reserved_bytes: u64,
    /// Its replaced or given-up bodies that queries still hold.
    pub retained_bytes: u64,
    /// Most that it held at one time since it came into memory.
    pub high_water_bytes: u64,
    /// True if a parked shard's source is known to have changed since.
    pub behind: bool,
    /// True if the body is a snapshot's, advanced or not, and was not yet compared with the source.
    pub uncompared: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The last one.
    pub last_failure: Option<Failure>,
    /// When the next attempt is due.
    pub retry_at: Option<Moment>,
    /// When the last body was published, or the one in memory was found to be as its source is.
    pub last_good: Option<Moment>,
    /// Queries a minute, decaying.
    pub rate_per_min: f64,
    /// Times a query or an operator brought it into memory.
    pub promotions_total: u64,
    /// Bodies that were made where none was in memory.
    pub loads_total: u64,
    /// Bodies that replaced one in memory.
    pub rebuilds_total: u64,
    /// Bodies that followed one in memory by taking changes in.
    pub advances_total: u64,
    /// Comparisons of the body in memory with its source, whether something differed or not.
    pub compares_total: u64,
    /// Its snapshot, as far as it is known and was not found unusable.
    pub stored: Option<Stored>,
    /// True if the body in memory is newer than the snapshot.
    pub unsaved: bool,
    /// True if a body of it is being saved.
    pub saving: bool,
    /// True while its digest is to be read, or is being read, from the snapshot.
    pub digesting: bool,
    /// Saves that failed in a row.
    pub save_failures: u32,
    /// What went wrong with the last one, until one succeeds.
    pub last_save_failure: Option<String>,
}

/// Sums over all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The budget.
    pub budget_bytes: u64,
    /// Published bodies.
    pub bodies_bytes: u64,
    /// Digests.
    pub digests_bytes: u64,
    /// Set aside for attempts in flight.
    pub reserved_bytes: u64,
    /// Replaced or given-up bodies that queries still hold.
    pub retained_bytes: u64,
    /// Measured beyond bodies, digests and retained bodies.
    pub unaccounted_bytes: u64,
    /// Everything that counts against the budget.
    pub held_bytes: u64,
    /// The most that ever counted.
    pub high_water_bytes: u64,
    /// Bodies that cannot be given up.
    pub pinned_bytes: u64,
    /// Attempts in flight.
    pub attempts: usize,
    /// Attempts that wait for memory or a lane.
    pub queued: usize,
    /// The last level.
    pub pressure: Pressure,
}
