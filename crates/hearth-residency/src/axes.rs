//! The two axes of a shard's state, tier and health, and every move that is allowed on them.
//!
//! The tables are the only way in which the kernel changes either: a move that is not a row here
//! cannot happen. A test prints them into the architecture page.

/// How much of a shard is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Nothing.
    #[default]
    Cold,
    /// The digest, which can prove "not here".
    Parked,
    /// Body and digest.
    Warm,
    /// Body and digest, because an operator asked for it.
    Hot,
}

/// How good the body of a shard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// No body: never built, or given up with the memory.
    #[default]
    Empty,
    /// A body is under way and none is there meanwhile.
    Loading,
    /// The body holds everything up to its clock, and nothing newer is known of.
    Fresh,
    /// The body serves while a newer one is made.
    Rebuilding,
    /// The last attempt failed; the last good body, if any, still serves.
    Failed,
}

/// Why a shard moved on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was added, or a failed attempt is repeated.
    Load,
    /// A query needs it.
    Promote,
    /// A body was made.
    Publish,
    /// Its source changed, or may have.
    Refresh,
    /// The digest of its snapshot was read.
    Digest,
    /// Nobody asked for long enough.
    Idle,
    /// Others needed the memory.
    Budget,
    /// The machine needed the memory.
    Pressure,
    /// An operator wants it in memory.
    Preload,
    /// Its pin ended, in time or by an operator.
    PinExpired,
    /// An operator wants it out of memory.
    Hibernate,
    /// An operator wants it gone.
    Forget,
    /// An attempt failed.
    Failed,
    /// A body was made after failures.
    Recovered,
}

impl Tier {
    /// Every tier, coldest first.
    pub const ALL: [Tier; 4] = [Tier::Cold, Tier::Parked, Tier::Warm, Tier::Hot];

    /// The word that faces show.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Cold => "cold",
            Tier::Parked => "parked",
            Tier::Warm => "warm",
            Tier::Hot => "hot",
        }
    }

    /// True if the body is in memory.
    pub fn has_body(self) -> bool {
        self >= Tier::Warm
    }

    /// True if the digest is in memory.
    pub fn has_digest(self) -> bool {
        self >= Tier::Parked
    }

    /// Where a reason leads from here; `None` if it leads nowhere.
    pub fn after(self, reason: Reason) -> Option<Tier> {
        find(TIER_MOVES, self, reason)
    }
}

impl Health {
    /// Every health.
    pub const ALL: [Health; 5] =
        [Health::Empty, Health::Loading, Health::Fresh, Health::Rebuilding, Health::Failed];

    /// The word that faces show.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Empty => "empty",
            Health::Loading => "loading",
            Health::Fresh => "fresh",
            Health::Rebuilding => "rebuilding",
            Health::Failed => "failed",
        }
    }

    /// Where a reason leads from here; `None` if it leads nowhere.
    pub fn after(self, reason: Reason) -> Option<Health> {
        find(HEALTH_MOVES, self, reason)
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 14] = [
        Reason::Load,
        Reason::Promote,
        Reason::Publish,
        Reason::Refresh,
        Reason::Digest,
        Reason::Idle,
        Reason::Budget,
        Reason::Pressure,
        Reason::Preload,
        Reason::PinExpired,
        Reason::Hibernate,
        Reason::Forget,
        Reason::Failed,
        Reason::Recovered,
    ];

    /// The word that events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Load => "load",
            Reason::Promote => "promote",
            Reason::Publish => "publish",
            Reason::Refresh => "refresh",
            Reason::Digest => "digest",
            Reason::Idle => "idle",
            Reason::Budget => "budget",
            Reason::Pressure => "pressure",
            Reason::Preload => "preload",
            Reason::PinExpired => "pin-expired",
            Reason::Hibernate => "hibernate",
            Reason::Forget => "forget",
            Reason::Failed => "failed",
            Reason::Recovered => "recovered",
        }
    }
}

/// One row of a table: from one of these, for one of these reasons, to that.
#[derive(Debug)]
pub struct Moves<S: 'static> {
    /// States it starts from.
    pub from: &'static [S],
    /// Reasons that lead there.
    pub reasons: &'static [Reason],
    /// State it leads to.
    pub to: S,
}

/// Every move between tiers.
pub const TIER_MOVES: &[Moves<Tier>] = &[
    Moves { from: &[Tier::Cold, Tier::Parked], reasons: &[Reason::Load, Reason::Promote], to: Tier::Warm },
    Moves { from: &[Tier::Cold, Tier::Parked, Tier::Warm], reasons: &[Reason::Preload], to: Tier::Hot },
    Moves { from: &[Tier::Cold], reasons: &[Reason::Digest], to: Tier::Parked },
    Moves { from: &[Tier::Hot], reasons: &[Reason::Idle, Reason::PinExpired], to: Tier::Warm },
    Moves { from: &[Tier::Warm], reasons: &[Reason::Idle], to: Tier::Parked },
    Moves { from: &[Tier::Hot, Tier::Warm], reasons: &[Reason::Budget, Reason::Pressure], to: Tier::Parked },
    Moves { from: &[Tier::Parked], reasons: &[Reason::Idle, Reason::Budget], to: Tier::Cold },
    Moves {
        from: &[Tier::Hot, Tier::Warm, Tier::Parked],
        reasons: &[Reason::Hibernate, Reason::Forget],
        to: Tier::Cold,
    },
];

/// Every move between healths.
pub const HEALTH_MOVES: &[Moves<Health>] = &[
    Moves {
        from: &[Health::Empty, Health::Failed],
        reasons: &[Reason::Load, Reason::Promote, Reason::Preload],
        to: Health::Loading,
    },
    Moves {
        from: &[Health::Loading, Health::Fresh, Health::Failed],
        reasons: &[Reason::Refresh],
        to: Health::Rebuilding,
    },
    Moves {
        from: &[Health::Loading, Health::Rebuilding],
        reasons: &[Reason::Publish, Reason::Recovered],
        to: Health::Fresh,
    },
    Moves { from: &[Health::Loading, Health::Rebuilding], reasons: &[Reason::Failed], to: Health::Failed },
    Moves {
        from: &[Health::Loading, Health::Fresh, Health::Rebuilding, Health::Failed],
        reasons: &[Reason::Idle, Reason::Budget, Reason::Pressure, Reason::Hibernate, Reason::Forget],
        to: Health::Empty,
    },
];

fn find<S: Copy + PartialEq>(table: &[Moves<S>], from: S, reason: Reason) -> Option<S> {
    let row = table.iter().find(|row| row.from.contains(&from) && row.reasons.contains(&reason));
    row.map(|row| row.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads_to_one<S: Copy + PartialEq + std::fmt::Debug>(table: &[Moves<S>], states: &[S]) {
        for (state, reason) in states.iter().flat_map(|state| Reason::ALL.map(|reason| (state, reason))) {
            let rows = table.iter().filter(|row| row.from.contains(state) && row.reasons.contains(&reason));
            assert!(rows.count() <= 1, "{state:?} {reason:?}");
        }
        assert!(table.iter().all(|row| !row.from.contains(&row.to)));
    }

    #[test]
    fn every_state_and_reason_lead_to_one_place_at_most() {
        leads_to_one(TIER_MOVES, &Tier::ALL);
        leads_to_one(HEALTH_MOVES, &Health::ALL);
    }

    #[test]
    fn every_state_can_be_reached_and_left() {
        for tier in Tier::ALL {
            assert!(TIER_MOVES.iter().any(|row| row.to == tier), "{tier:?}");
            assert!(TIER_MOVES.iter().any(|row| row.from.contains(&tier)), "{tier:?}");
        }
        for health in Health::ALL {
            assert!(HEALTH_MOVES.iter().any(|row| row.to == health), "{health:?}");
            assert!(HEALTH_MOVES.iter().any(|row| row.from.contains(&health)), "{health:?}");
        }
    }

    #[test]
    fn words_are_distinct() {
        let mut words: Vec<&str> = Reason::ALL.map(Reason::as_str).to_vec();
        words.extend(Tier::ALL.map(Tier::as_str));
        words.extend(Health::ALL.map(Health::as_str));
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        // `failed` is a reason and a health.
        assert_eq!(words.len(), count - 1);
    }
}
