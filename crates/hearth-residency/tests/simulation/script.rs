//! What happens to the kernel in a run: a list of operations, made from a seed and a mix alone.
//!
//! An operation names shards by slot and attempts by pick, and means something whatever happened
//! before it (at worst nothing), so that any part of a list can be left out and the rest still runs.

use crate::random::Random;
use hearth_residency::{ChangeClass, Policy, Pressure};
use std::time::Duration;

/// Slots for shards; a slot that was forgotten is filled under a new number.
pub(crate) const SLOTS: u8 = 50;

/// When, relative to the operation before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    None,
    Millis(u64),
    /// Exactly when the kernel wants to be woken, if that is within a day.
    UntilDue,
    /// So much later than that.
    BeyondDue(u64),
    /// A clock that goes back.
    Back(u64),
}

/// A shard: the present one of a slot, or one that is not known (any more).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) slot: u8,
    pub(crate) ghost: bool,
}

/// How an attempt ends; sizes in percent of what the source would take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// `fallen`: without the snapshot, though there is one.
    Built {
        body: u64,
        digest: u64,
        peak: u64,
        fallen: bool,
    },
    /// With what a comparison found; `lost`: though none was asked for.
    Compared {
        found: Found,
        peak: u64,
        lost: bool,
    },
    Failed,
    Stopped,
}

/// How a body differs from the one that it was made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leap {
    /// Thousandths of the source's body.
    pub(crate) growth: i64,
    /// Of the body before, percent.
    pub(crate) shared: u64,
    /// Of the source's body, percent.
    pub(crate) digest: u64,
    /// By how much its clock is behind the last change of any source.
    pub(crate) lag: u64,
    /// It says that it was made from a generation so far from the published one.
    pub(crate) stray: i64,
    /// Queries hold the body before.
    pub(crate) held: bool,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// How the next body differs; `None` if nothing differed.
    pub(crate) leap: Option<Leap>,
    /// It speaks of the body that was published when the attempt began, whatever is published by now.
    pub(crate) early: bool,
}

/// How a save ends; sizes in percent of the source's body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Saved {
    Well { load: u64, digest: u64 },
    Failed,
}

/// What an operator types.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Preload(Who, Option<Duration>),
    Pin(Who),
    Unpin(Who),
    Hibernate(Who),
    HibernateAll,
    Refresh(Who),
    Forget(Who, bool),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Tick,
    Add(u8),
    Touch(Who, u8),
    Hint([Who; 3]),
    Claim(Who),
    Settle(Who),
    Consult(Who),
    EndSave {
        pick: u8,
        how: Saved,
    },
    /// Says of a save that it ended which did or never was.
    EndSaveAgain(Who),
    /// The process is about to end.
    Stop,
    /// It ended, and another begins with what is on disk.
    Restart,
    /// Bits name paths; none = anywhere.
    Change {
        who: Who,
        class: ChangeClass,
        paths: u8,
        flags: u8,
    },
    /// The published body takes changes in, so many times in a row.
    Advance {
        who: Who,
        times: u8,
        leap: Leap,
    },
    Grow {
        pick: u8,
        percent: u64,
    },
    End {
        pick: u8,
        how: How,
    },
    /// Ends one that hangs.
    EndHung {
        pick: u8,
        how: How,
    },
    /// Says again that an attempt ended.
    EndAgain(u8),
    Release(u8),
    ReleaseAll,
    /// Says again that a body was released, or says it of one that is in use.
    ReleaseAgain(Who),
    /// The measured bytes, in percent of the true ones.
    Memory(u64),
    Press(Pressure),
    Command(Order),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) wait: Wait,
    pub(crate) act: Act,
}

/// Makes one kind of operation.
type Make = fn(&Mix, &mut Random) -> Act;

/// How often something happens, out of the sum of all.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    pub(crate) tick: u64,
    pub(crate) add: u64,
    pub(crate) touch: u64,
    pub(crate) hint: u64,
    pub(crate) claim: u64,
    pub(crate) settle: u64,
    pub(crate) consult: u64,
    pub(crate) end_save: u64,
    pub(crate) change: u64,
    pub(crate) advance: u64,
    pub(crate) grow: u64,
    pub(crate) end: u64,
    pub(crate) end_hung: u64,
    pub(crate) release: u64,
    pub(crate) memory: u64,
    pub(crate) press: u64,
    pub(crate) operate: u64,
    pub(crate) stale: u64,
}

/// A kind of workload.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    pub(crate) slots: u8,
    pub(crate) policy: Policy,
    /// How many bodies of middle size fit into the budget.
    pub(crate) fitting: u64,
    pub(crate) weights: Weights,
    /// Of the attempts that end, percent.
    pub(crate) failing: u64,
    /// Of the attempts that begin, percent.
    pub(crate) hanging: u64,
    /// Of the measurements, percent.
    pub(crate) odd: u64,
    /// Of the waits, in thousandths: hours and days.
    pub(crate) jumps: u64,
    /// Of the operations, in ten-thousandths: ends of the process, told and sudden.
    pub(crate) restarts: u64,
}

impl Mix {
    /// The operations of a run.
    pub(crate) fn script(&self, seed: u64, length: usize) -> Vec<Op> {
        let mut random = Random::new(seed);
        let adds = (0..self.slots).map(|slot| Op { wait: Wait::None, act: Act::Add(slot) });
        let mut ops: Vec<Op> = adds.take(length).collect();
        let mut stopping = None;
        while ops.len() < length {
            let act = match stopping {
                Some(0) => Act::Restart,
                Some(_) if random.chance(40) => {
                    Act::EndSave { pick: random.byte(), how: self.saved(&mut random) }
                }
                _ if random.below(10_000) < self.restarts => {
                    random.one_of(&[Act::Stop, Act::Stop, Act::Restart])
                }
                _ => self.act(&mut random),
            };
            stopping = match act {
                Act::Stop => Some(random.below(40)),
                Act::Restart => None,
                _ => stopping.map(|left| left.saturating_sub(1)),
            };
            ops.push(Op { wait: self.wait(&mut random), act });
        }
        ops
    }

    fn wait(&self, random: &mut Random) -> Wait {
        if random.below(1000) < self.jumps {
            return Wait::Millis(random.one_of(&[1, 6, 24, 80]) * 3_600_000 + random.below(1000));
        }
        match random.below(100) {
            0..30 => Wait::None,
            30..80 => Wait::Millis(random.below(200)),
            80..86 => Wait::Millis(random.below(5_000)),
            86..88 => Wait::Millis(random.below(120_000)),
            88..96 => Wait::UntilDue,
            96..99 => Wait::BeyondDue(random.one_of(&[1, 50, 3_000])),
            _ => Wait::Back(random.below(10_000)),
        }
    }

    fn act(&self, random: &mut Random) -> Act {
        let weights = &self.weights;
        let choices: [(u64, Make); 18] = [
            (weights.tick, |_, _| Act::Tick),
            (weights.add, |mix, random| Act::Add(mix.slot(random))),
            (weights.touch, |mix, random| Act::Touch(mix.who(random), random.one_of(&[1, 1, 1, 9, 250]))),
            (weights.hint, |mix, random| Act::Hint([mix.who(random), mix.who(random), mix.who(random)])),
            (weights.claim, |mix, random| Act::Claim(mix.who(random))),
            (weights.settle, |mix, random| Act::Settle(mix.who(random))),
            (weights.consult, |mix, random| Act::Consult(mix.who(random))),
            (weights.end_save, |mix, random| Act::EndSave { pick: random.byte(), how: mix.saved(random) }),
            (weights.change, Mix::change),
            (weights.advance, Mix::advance),
            (weights.grow, |_, random| Act::Grow {
                pick: random.byte(),
                percent: random.one_of(&[50, 110, 130, 200, 400, 1500]),
            }),
            (weights.end, |mix, random| Act::End { pick: random.byte(), how: mix.how(random) }),
            (weights.end_hung, |mix, random| Act::EndHung { pick: random.byte(), how: mix.how(random) }),
            (weights.release, |_, random| match random.chance(5) {
                true => Act::ReleaseAll,
                false => Act::Release(random.byte()),
            }),
            (weights.memory, |mix, random| {
                let odd = random.chance(mix.odd);
                Act::Memory(if odd { random.one_of(&[0, 50, 120, 200, 900]) } else { 100 })
            }),
            (weights.press, |_, random| {
                Act::Press(random.one_of(&[
                    Pressure::None,
                    Pressure::None,
                    Pressure::Some,
                    Pressure::Some,
                    Pressure::Critical,
                ]))
            }),
            (weights.operate, |mix, random| Act::Command(mix.order(random))),
            (weights.stale, |mix, random| match random.below(5) {
                0..2 => Act::EndAgain(random.byte()),
                2..4 => Act::ReleaseAgain(mix.who(random)),
                _ => Act::EndSaveAgain(mix.who(random)),
            }),
        ];
        let sum = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = random.below(sum);
        for (weight, make) in choices {
            if left < weight {
                return make(self, random);
            }
            left -= weight;
        }
        Act::Tick
    }

    fn slot(&self, random: &mut Random) -> u8 {
        // A few are asked much more often than the others.
        let few = u64::from(self.slots.div_ceil(5));
        let slots = if random.chance(40) { few } else { u64::from(self.slots) };
        u8::try_from(random.below(slots)).expect("a slot")
    }

    fn who(&self, random: &mut Random) -> Who {
        Who { slot: self.slot(random), ghost: random.below(200) == 0 }
    }

    fn change(&self, random: &mut Random) -> Act {
        let class = random.one_of(&[
            ChangeClass::Apply,
            ChangeClass::Apply,
            ChangeClass::Apply,
            ChangeClass::Reconcile,
            ChangeClass::Rebuild,
        ]);
        let paths = if random.chance(80) { 1 << random.below(8) } else { 0 };
        Act::Change { who: self.who(random), class, paths, flags: random.byte() & random.byte() }
    }

    fn advance(&self, random: &mut Random) -> Act {
        Act::Advance { who: self.who(random), times: random.one_of(&[1, 1, 1, 1, 2, 8]), leap: leap(random) }
    }

    fn compared(random: &mut Random) -> How {
        let found = Found { leap: random.chance(60).then(|| leap(random)), early: random.chance(60) };
        How::Compared { found, peak: random.one_of(&[0, 1, 5, 30, 150]), lost: random.chance(4) }
    }

    fn how(&self, random: &mut Random) -> How {
        if random.chance(self.failing) {
            return if random.chance(90) { How::Failed } else { How::Stopped };
        }
        if random.chance(50) {
            return Self::compared(random);
        }
        let body = random.one_of(&[0, 20, 70, 90, 100, 100, 100, 110, 130, 300, 2000]);
        How::Built {
            body,
            digest: random.one_of(&[0, 2, 2, 5]),
            peak: random.one_of(&[0, 100, 120, 150, 400]),
            fallen: random.chance(15),
        }
    }

    fn saved(&self, random: &mut Random) -> Saved {
        if random.chance(self.failing.max(5)) {
            return Saved::Failed;
        }
        Saved::Well { load: random.one_of(&[20, 100, 110, 150]), digest: random.one_of(&[0, 2, 5, 30]) }
    }

    fn order(&self, random: &mut Random) -> Order {
        let who = self.who(random);
        match random.below(100) {
            0..15 => Order::Preload(who, None),
            15..30 => {
                let millis = random.one_of(&[0, 1, 700, 60_000, 900_000, 7_200_000]);
                Order::Preload(who, Some(Duration::from_millis(millis)))
            }
            30..36 => Order::Pin(who),
            36..56 => Order::Unpin(who),
            56..68 => Order::Hibernate(who),
            68..69 => Order::HibernateAll,
            69..84 => Order::Refresh(who),
            84..92 => Order::Forget(who, false),
            _ => Order::Forget(who, true),
        }
    }
}

fn leap(random: &mut Random) -> Leap {
    Leap {
        growth: random.one_of(&[-1000, -50, -3, 0, 0, 1, 2, 5, 5, 30, 150, 400]),
        shared: random.one_of(&[0, 60, 95, 99, 100, 100, 100, 130]),
        digest: random.one_of(&[0, 2, 2, 5]),
        lag: random.one_of(&[0, 0, 0, 0, 1, 4, 30]),
        stray: random.one_of(&[0, 0, 0, 0, 0, 0, 0, -1, 1]),
        held: random.chance(20),
    }
}
