//! What an operator may ask for, and what is refused.
//!
//! An operator may do what no policy may: take a claimed shard out of memory, end a pin, forget. A pin is
//! never ended by the way: what is pinned is refused until it is unpinned, or forgotten by force.

use crate::Pin;
use crate::axes::{Reason, Tier};
use crate::changes::ChangeSet;
use crate::event::{Command, Effect, Refusal, ShardId};
use crate::kernel::Kernel;

impl<B> Kernel<B> {
    pub(crate) fn operate(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Preload { shard, pin } => {
                self.known(shard)?;
                // A pin that is there already is not shortened.
                let until = pin.map(|pin| Pin::Until(self.now.saturating_add(pin)));
                self.heat(shard, until);
            }
            Command::Pin(shard) => {
                self.known(shard)?;
                self.heat(shard, Some(Pin::Forever));
            }
            Command::Unpin(shard) => {
                self.known(shard)?;
                self.unpin(shard);
            }
            Command::Hibernate(shard) => self.hibernate(shard)?,
            Command::HibernateAll => {
                let ids: Vec<ShardId> = self.shards().collect();
                for id in ids {
                    // The refusal of a pinned one is what is wanted.
                    let _ = self.hibernate(id);
                }
            }
            Command::Refresh(shard) => {
                self.known(shard)?;
                self.refresh(shard);
            }
            Command::Forget { shard, force } => self.forget(shard, force)?,
        }
        Ok(())
    }

    fn known(&self, id: ShardId) -> Result<(), Refusal> {
        self.get(id).map(drop).ok_or(Refusal::Unknown)
    }

    /// Makes a shard hot, now or as soon as it has a body.
    fn heat(&mut self, id: ShardId, pin: Option<Pin>) {
        let now = self.now;
        let tier = self.change(id, |shard| {
            shard.pin = later(shard.pin, pin.unwrap_or_default());
            (shard.heat, shard.idle_since) = (true, now);
            shard.tier
        });
        match tier {
            Some(Tier::Hot) => {}
            Some(Tier::Warm) => self.move_tier(id, Reason::Preload),
            _ => self.want(id, Reason::Preload),
        }
    }

    fn hibernate(&mut self, id: ShardId) -> Result<(), Refusal> {
        let shard = self.get(id).ok_or(Refusal::Unknown)?;
        if shard.is_pinned() {
            return Err(Refusal::Pinned);
        }
        self.drop_all(id, Reason::Hibernate);
        Ok(())
    }

    /// Makes a body anew, whatever is known of the source; brings a shard without one into memory.
    fn refresh(&mut self, id: ShardId) {
        let Some(shard) = self.get(id) else { return };
        let running = shard.makes_body();
        if shard.tier.has_body() || running {
            self.source_changed(id, ChangeSet::rebuild(0));
            if !running {
                self.want(id, Reason::Refresh);
            }
        } else {
            self.want(id, Reason::Preload);
        }
    }

    fn forget(&mut self, id: ShardId, force: bool) -> Result<(), Refusal> {
        let shard = self.get(id).ok_or(Refusal::Unknown)?;
        if shard.tier != Tier::Cold && !force {
            return Err(Refusal::InMemory(shard.tier));
        }
        self.change(id, |shard| shard.pin = Pin::None);
        self.drop_all(id, Reason::Forget);
        if let Some(shard) = self.remove(id) {
            self.orphans.extend(shard.attempt.map(|attempt| (attempt.id, attempt)));
            self.orphan_saves.extend(shard.saves.running.map(|running| (id, running.begun)));
        }
        self.ledger.forget(id);
        self.effects.push(Effect::Forget(id));
        Ok(())
    }
}

/// The pin that lasts longer.
fn later(a: Pin, b: Pin) -> Pin {
    match (a, b) {
        (Pin::Forever, _) | (_, Pin::Forever) => Pin::Forever,
        (Pin::Until(a), Pin::Until(b)) => Pin::Until(a.max(b)),
        (Pin::None, other) | (other, Pin::None) => other,
    }
}
