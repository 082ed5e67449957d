//! The kernel of Hearth: which shard is in memory, how fresh it is, what it may cost.
//!
//! [`Kernel::step`] takes an [`Event`] and gives the [`Effect`]s that follow. It is deterministic:
//! nothing in it reads a clock, sleeps, locks or does I/O, and it is generic over the index, whose
//! bodies pass through as values. Whoever drives it owns it on one thread, runs the effects and
//! reports how they ended.
//!
//! What always holds after a step:
//! - what is held counts against the budget, and where it is more, something was told to give way;
//! - a generation never falls, and a body of a cancelled attempt is never published;
//! - a pinned shard leaves memory by an operator's word only;
//! - one attempt is in flight per shard, and what is known to have changed is in a published body,
//!   in an attempt, queued, or in a failed health with a time to retry;
//! - a body of a snapshot is not called fresh before it was compared with its source;
//! - one save is in flight per shard; a body that is newer than the snapshot is saved in time while it
//!   is in memory, and before it leaves, unless pressure or an operator's `forget` takes it or the last
//!   save has just failed;
//! - a forgotten shard has no effects.

mod admission;
mod attempts;
mod axes;
mod changes;
mod digests;
mod event;
mod kernel;
mod ladder;
mod ledger;
mod operator;
mod policy;
mod saves;
mod shard;
mod view;

pub use axes::{HEALTH_MOVES, Health, Moves, Reason, TIER_MOVES, Tier};
pub use changes::{ChangeClass, ChangeSet, PATHS, Places};
pub use event::{
    AttemptId, Command, Effect, Event, Failure, Generation, Job, Measured, Outcome, OverBudget, Pressure,
    Refusal, ShardId, Step, Stored, Ticket, Transition,
};
pub use kernel::Kernel;
pub use policy::{BACK_OFF, Moment, Policy, RETAINED_LONG, Serving, back_off, serving};
pub use view::{Pin, Totals, View};
