//! The budget of who names none.

use super::MemoryWorld;
use super::cgroup::tightest;
use super::counters::Machine;

/// Part of the machine's memory that the indexes may take: one in so many.
const SHARE: u64 = 4;
/// What a limit leaves to the rest of the process, at least, bytes.
const LEAST_SLACK: u64 = 64 << 20;
/// The same as a part of the limit: one in so many.
const SLACK_SHARE: u64 = 10;
/// A budget is never smaller, even where limits would have it, bytes.
const FLOOR: u64 = 64 << 20;
/// Memory of a machine that does not tell, bytes.
const ASSUMED_MACHINE: u64 = 1 << 30;

/// Bytes that suit the machine: a quarter of its memory, at most what the tightest limit of the
/// process's control groups leaves beside a slack, at least 64 MiB.
pub(crate) fn default_budget(world: &dyn MemoryWorld) -> u64 {
    let machine = Machine::read(world).map_or(ASSUMED_MACHINE, |machine| machine.total);
    let room = tightest(world).map_or(u64::MAX, |limit| less_slack(limit.bytes));
    (machine / SHARE).min(room).max(FLOOR)
}

fn less_slack(limit: u64) -> u64 {
    limit.saturating_sub(LEAST_SLACK.max(limit / SLACK_SHARE))
}
