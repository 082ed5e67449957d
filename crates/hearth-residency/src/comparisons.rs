//! Attempts that end with what they found: the body in memory was compared with its source.
//!
//! One that found nothing makes no body. The one in memory is fresh, and there is nothing to publish or save. One that
//! found something hands over the body that follows, which counts as an advance does: as what it does not share with
//! the one before. A comparison speaks of one body. Where that has been followed by another it proves nothing, and is
//! made again: at once the first time, as a failed one from then on.

use crate::advances::is_held;
use crate::axes::Reason;
use crate::changes::ChangeSet;
use crate::event::{Advance, Failure, Generation, ShardId};
use crate::kernel::Kernel;
use crate::shard::Attempt;

impl<B> Kernel<B> {
    /// True if an attempt that ended may have been a comparison.
    pub(crate) fn compares(&self, id: ShardId, attempt: &Attempt) -> bool {
        self.get(id).is_some_and(|shard| shard.may_be_kept(attempt.covers.as_ref()))
    }

    /// The body of that number was compared with its source.
    pub(crate) fn compared(
        &mut self,
        id: ShardId,
        attempt: Attempt,
        from: Generation,
        next: Option<(B, Advance)>,
        took: u64,
    ) {
        let Attempt { reservation, covers, displace, .. } = attempt;
        drop(reservation);
        self.learn_comparison(id, covers.as_ref(), took);
        if self.get(id).is_none_or(|shard| shard.generation != from) {
            return self.strayed(id, covers);
        }
        let clock = next.as_ref().map(|(_, advance)| advance.clock);
        if let Some((body, advance)) = next
            && let Err(need) = self.follow(id, displace, body, advance)
        {
            self.give_back(id, covers);
            return self.fail(id, self.over_budget(need).into());
        }
        self.proven(id, clock);
    }

    /// The next comparison is expected to take what this one took.
    fn learn_comparison(&mut self, id: ShardId, covers: Option<&ChangeSet>, took: u64) {
        self.change(id, |shard| match shard.is_applied(covers) {
            true => shard.apply_bytes = Some(took),
            false => (shard.compare_bytes, shard.suspected_bytes) = (Some(took), 0),
        });
    }

    /// Another body is in memory than the one that was compared.
    fn strayed(&mut self, id: ShardId, covers: Option<ChangeSet>) {
        self.give_back(id, covers);
        match self.change(id, |shard| std::mem::replace(&mut shard.strayed, true)) {
            Some(true) => {
                self.fail(
                    id,
                    Failure::Build("the body that was compared had been replaced again".to_owned()),
                );
            }
            _ => self.want(id, Reason::Refresh),
        }
    }

    /// The body in memory is as its source is, but for what has changed meanwhile and `clock` does not cover.
    fn proven(&mut self, id: ShardId, clock: Option<u64>) {
        let now = self.now;
        let fresh_by = self.change(id, |shard| {
            (shard.uncompared, shard.last_good) = (false, Some(now));
            shard.compares_total += 1;
            shard.pending.take_if(|open| clock.is_some_and(|clock| is_held(open, clock)));
            shard.forgive()
        });
        let Some(fresh_by) = fresh_by else { return };
        self.move_health(id, fresh_by);
        self.save_if_due(id);
        if self.get(id).is_some_and(|shard| shard.pending.is_some()) {
            self.want(id, Reason::Refresh);
        }
    }
}
