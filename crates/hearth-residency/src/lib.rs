//! The kernel of Hearth: which shard is in memory, how fresh it is, what it may cost.
//!
//! [`Kernel::step`] takes an [`Event`] and gives the [`Effect`]s that follow. It is deterministic, reads no
//! clock, does no I/O, and passes bodies through as values. Whoever drives it runs the effects.
//!
//! What always holds after a step:
//! - what is held counts against the budget, and where it is more, something was told to give way;
//! - generations grow, a cancelled attempt never publishes, a forgotten shard has no effects;
//! - a pinned shard leaves memory by an operator's word only;
//! - one attempt and one save are in flight per shard; what is known to have changed is in a published
//!   body, in an attempt, queued, or in a failed health with a time to retry;
//! - a body of a snapshot is not called fresh before it was compared with its source;
//! - a body that took changes in follows the one that it was made from, or is not published at all;
//! - what is unsaved is saved in time, and before it leaves, unless pressure or `forget` takes it or the
//!   last save has just failed.

mod admission;
mod advances;
mod attempts;
mod axes;
mod changes;
mod comparisons;
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
    Advance, AttemptId, Command, Effect, Event, Failure, Generation, Job, Measured, Outcome, OverBudget,
    Pressure, Refusal, ShardId, Step, Stored, Ticket, Transition,
};
pub use kernel::Kernel;
pub use policy::{BACK_OFF, Moment, Policy, RETAINED_LONG, Serving, back_off, serving};
pub use view::{Pin, Totals, View};
