//! What goes into the kernel and what comes out of it.
//!
//! Both enums are closed. A body passes through as a value that the kernel never looks into.

use crate::changes::ChangeSet;
use crate::{Health, Reason, Tier, View};
use hearth_core::human_bytes;
use std::time::Duration;

/// Number of a shard, given by whoever adds it, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u64);

/// Number of an attempt to make a body, given by the kernel, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// Number of a published body of one shard; 0 = none yet. It only grows.
pub type Generation = u64;

/// Number that an operator's command carries and its reply repeats.
pub type Ticket = u64;

/// Bytes that a finished attempt made and took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Heap bytes of the body.
    pub body_bytes: u64,
    /// Heap bytes of the digest.
    pub digest_bytes: u64,
    /// Most bytes held at one time while it was being made, the result included.
    pub peak_bytes: u64,
}

/// What a body that took changes in takes, and how it stands to the one before that it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// Heap bytes of the body.
    pub body_bytes: u64,
    /// Heap bytes of the digest.
    pub digest_bytes: u64,
    /// Of the bytes of the body before, those that the new one holds too.
    pub shared_bytes: u64,
    /// Position in the source's feed up to which the body holds everything.
    pub clock: u64,
}

/// What a snapshot on disk holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Number of the body in it.
    pub generation: Generation,
    /// Most bytes that a load of it holds at one time, the result included.
    pub working_bytes: u64,
    /// Heap bytes of the digest in it.
    pub digest_bytes: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<B> {
    /// With a body.
    Built {
        /// The body.
        body: B,
        /// What it takes.
        measured: Measured,
        /// True if it is a snapshot's and was not yet compared with the source.
        behind: bool,
    },
    /// With what a comparison of the body in memory with its source found; that is an end of [`Job::Refresh`] only,
    /// and of none whose class is [`crate::ChangeClass::Rebuild`].
    ///
    /// It speaks of one body. Where another is in memory by now, nothing is published, and another attempt follows.
    Compared {
        /// Number of the body that was compared.
        from: Generation,
        /// What follows it with what differed taken in; `None` if nothing differed.
        next: Option<(B, Advance)>,
        /// Most bytes held at one time beyond the body, while it was compared.
        peak_bytes: u64,
    },
    /// With the digest that [`Job::Digest`] asked for.
    Digested {
        /// A body that holds the digest only.
        body: B,
        /// Heap bytes of the digest.
        digest_bytes: u64,
    },
    /// With an error, or a panic, in words.
    Failed(String),
    /// As it was told to.
    Cancelled,
}

/// How short of memory the machine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Not.
    #[default]
    None,
    /// Others wait for memory now and then.
    Some,
    /// Everything waits, or a limit is being hit.
    Critical,
}

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Bring a shard into memory and keep it hot; with a time, pin it for that long.
    Preload {
        /// The shard.
        shard: ShardId,
        /// How long it stays whatever happens.
        pin: Option<Duration>,
    },
    /// Bring a shard into memory and keep it there until it is unpinned.
    Pin(ShardId),
    /// End a pin.
    Unpin(ShardId),
    /// Take a shard out of memory. Refused for a pinned one.
    Hibernate(ShardId),
    /// Take every unpinned shard out of memory.
    HibernateAll,
    /// Make a body anew.
    Refresh(ShardId),
    /// Know nothing of a shard any more. Refused while it is in memory, unless forced.
    Forget {
        /// The shard.
        shard: ShardId,
        /// Whatever is in memory.
        force: bool,
    },
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<B> {
    /// Time passed; nothing else.
    Tick,
    /// A shard is known from now on, and to be loaded.
    Add {
        /// The shard.
        shard: ShardId,
        /// Working set of its first scan, bytes, as far as the size of the source tells.
        forecast_bytes: u64,
        /// Its snapshot, if there is one. Generations go on from the one that it holds.
        stored: Option<Stored>,
    },
    /// Queries read the body or the digest of a shard since this was last said.
    Touched {
        /// The shard.
        shard: ShardId,
        /// How many.
        queries: u64,
    },
    /// A query will need these bodies: load what fits without taking memory from what was used since.
    Hinted(Vec<ShardId>),
    /// A query would ask the digest of this shard, which is not in memory but in its snapshot.
    Consulted(ShardId),
    /// A query needs this body now. Until as many [`Event::Settled`] follow, it is kept in memory.
    Claimed(ShardId),
    /// A query that claimed a shard has read it or given up.
    Settled(ShardId),
    /// A source changed.
    Changed {
        /// The shard.
        shard: ShardId,
        /// How.
        changes: ChangeSet,
    },
    /// The body that was published under `from` took changes in; this one follows it. It is published, or nothing is
    /// said of it: the generation that is shown next tells. An attempt in flight goes on, and what it makes is to
    /// hold these changes too.
    Advanced {
        /// The shard.
        shard: ShardId,
        /// Number of the body that it was made from.
        from: Generation,
        /// The body.
        body: B,
        /// What it takes.
        advance: Advance,
    },
    /// An attempt in flight will take this many bytes in all, as far as can be said now.
    Grew {
        /// The shard.
        shard: ShardId,
        /// The attempt.
        attempt: AttemptId,
        /// Bytes.
        needed_bytes: u64,
    },
    /// An attempt ended; said exactly once for each that was started, also if it was cancelled.
    Ended {
        /// The shard.
        shard: ShardId,
        /// The attempt.
        attempt: AttemptId,
        /// How.
        outcome: Outcome<B>,
    },
    /// A save ended; said exactly once for each [`Effect::Save`].
    SaveEnded {
        /// The shard.
        shard: ShardId,
        /// Which of its bodies.
        generation: Generation,
        /// The snapshot that is on disk now, or what went wrong, in words.
        result: Result<Stored, String>,
    },
    /// The last holder of a body that was replaced or given up let go of it.
    Released {
        /// The shard.
        shard: ShardId,
        /// Which of its bodies.
        generation: Generation,
    },
    /// The process holds this many bytes.
    MemoryHeld(u64),
    /// The machine is this short of memory; said at every poll.
    Pressure(Pressure),
    /// An operator wants something.
    Operator {
        /// Comes back with the reply.
        ticket: Ticket,
        /// What.
        command: Command,
    },
    /// The process is about to end: what is unsaved is to be saved, and nothing new begins.
    Stopping,
}

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// A body, where none is in memory.
    Load,
    /// A newer body than the one in memory.
    Refresh(ChangeSet),
    /// The digest of the snapshot, and nothing else.
    Digest,
}

/// Something is to be done.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a view is shown in nearly every step, and effects are few and moved once"
)]
pub enum Effect<B> {
    /// Begin an attempt.
    Start {
        /// The shard.
        shard: ShardId,
        /// The attempt.
        attempt: AttemptId,
        /// What to make.
        job: Job,
        /// Bytes set aside for it.
        reserved_bytes: u64,
    },
    /// Let an attempt stop at its next boundary. Its end is still to be reported.
    Cancel {
        /// The shard.
        shard: ShardId,
        /// The attempt.
        attempt: AttemptId,
    },
    /// Let queries read this body from now on.
    Publish {
        /// The shard.
        shard: ShardId,
        /// The body.
        body: B,
        /// Its number.
        generation: Generation,
    },
    /// Let queries ask this digest from now on; there is no body.
    ShowDigest {
        /// The shard.
        shard: ShardId,
        /// A body that holds the digest only.
        body: B,
    },
    /// Write the published body of a shard to its snapshot. It is in memory when this effect is come to, and is
    /// to be kept alive until the save ends.
    Save {
        /// The shard.
        shard: ShardId,
        /// Its number.
        generation: Generation,
    },
    /// Let go of the body; queries keep the digest.
    Park(ShardId),
    /// Let go of body and digest.
    Drop(ShardId),
    /// Let go of all that is known.
    Forget(ShardId),
    /// Show this state from now on; at most once per shard and step.
    Show {
        /// The shard.
        shard: ShardId,
        /// Its state.
        view: View,
    },
    /// Log a transition.
    Transition(Transition),
    /// Log that a body has been held for long although it was replaced or given up.
    Overdue {
        /// The shard.
        shard: ShardId,
        /// Which body.
        generation: Generation,
        /// Its bytes.
        bytes: u64,
    },
    /// Answer an operator.
    Reply {
        /// Of the command.
        ticket: Ticket,
        /// What came of it.
        result: Result<(), Refusal>,
    },
}

/// One move on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The shard.
    pub shard: ShardId,
    /// The move.
    pub step: Step,
    /// Why.
    pub reason: Reason,
    /// Bytes of body and digest in memory after it.
    pub bytes: u64,
    /// Generation after it.
    pub generation: Generation,
}

/// A move on one of the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another tier.
    Tier {
        /// It was.
        from: Tier,
        /// It is.
        to: Tier,
    },
    /// Another health.
    Health {
        /// It was.
        from: Health,
        /// It is.
        to: Health,
    },
}

/// Why there is no memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs {} more; {} of the budget of {} are held, {} of them pinned", human_bytes(*.needed_bytes), human_bytes(*.held_bytes), human_bytes(*.budget_bytes), human_bytes(*.pinned_bytes))]
pub struct OverBudget {
    /// Bytes it would take.
    pub needed_bytes: u64,
    /// The budget.
    pub budget_bytes: u64,
    /// Held by all shards, attempts in flight and the process itself.
    pub held_bytes: u64,
    /// Held by pinned shards.
    pub pinned_bytes: u64,
    /// The largest bodies in memory, largest first.
    pub largest: Vec<(ShardId, u64)>,
}

/// Why an attempt came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no memory for it.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// It took too long.
    #[error("not done after {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It did not work, in words.
    #[error("{0}")]
    Build(String),
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such shard.
    #[error("no such shard")]
    Unknown,
    /// It is pinned.
    #[error("pinned")]
    Pinned,
    /// It is in memory.
    #[error("in memory ({})", .0.as_str())]
    InMemory(Tier),
}
