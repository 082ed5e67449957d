//! Why a volume is read as a whole although there is an index of it.
//!
//! The journal is believed only where everything fits: its number, its ends, the log file of the driver, the map of
//! records. What does not fit is named, never passed over.

use super::position::{JournalState, Position, VolumeState};
use hearth_ntfs::logfile::LogState;
use hearth_ntfs::usn::JournalError;
use std::collections::BTreeSet;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reread {
    #[error("it is not known how far the index follows the volume")]
    NoPosition,
    #[error("the file was written to, and a file table or capture has no journal to say what changed")]
    NoVolume,
    #[error("the volume keeps no change journal")]
    JournalAbsent,
    #[error("the change journal is another one (it was {was:x} and is {is:x})")]
    JournalReset { was: u64, is: u64 },
    #[error(
        "the change journal no longer reaches back (the index stands at {saved}, the oldest entry at {lowest})"
    )]
    JournalWrapped { saved: u64, lowest: u64 },
    #[error("the index stands at {saved}, behind the end of the change journal at {end}")]
    BeyondEnd { saved: u64, end: u64 },
    #[error("the volume was written to by a driver that keeps no journal: {0}")]
    Unjournaled(&'static str),
    #[error("{records} records were touched, more than is worth reading one by one")]
    TooMuch { records: u64 },
    #[error("what the journal names does not fit what the index holds ({misplaced} entries)")]
    Inconsistent { misplaced: u64 },
    #[error("the change journal cannot be read: {0}")]
    Unreadable(String),
    #[error("it was not indexed before")]
    First,
    #[error("somebody asked for it")]
    Asked,
}

impl Reread {
    /// The word of status and logs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Reread::NoPosition => "no_position",
            Reread::NoVolume => "no_volume",
            Reread::JournalAbsent => "journal_absent",
            Reread::JournalReset { .. } => "journal_reset",
            Reread::JournalWrapped { .. } => "journal_wrapped",
            Reread::BeyondEnd { .. } => "beyond_end",
            Reread::Unjournaled(_) => "unjournaled",
            Reread::TooMuch { .. } => "too_much",
            Reread::Inconsistent { .. } => "inconsistent",
            Reread::Unreadable(_) => "unreadable",
            Reread::First => "first",
            Reread::Asked => "asked",
        }
    }
}

impl From<JournalError> for Reread {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::BelowLowest { from, lowest } => Reread::JournalWrapped { saved: from, lowest },
            JournalError::BeyondEnd { from, next } => Reread::BeyondEnd { saved: from, end: next },
            error => Reread::Unreadable(error.to_string()),
        }
    }
}

/// What brings an index up to its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing changed.
    Nothing,
    /// The journal from this USN on.
    Replay(u64),
}

/// How to come from a position to the present state of its volume.
///
/// # Errors
/// The volume must be read as a whole.
pub(super) fn way(was: Option<&Position>, now: Option<&VolumeState>) -> Result<Way, Reread> {
    let was = was.ok_or(Reread::NoPosition)?;
    let (Some(was), Some(now)) = (&was.volume, now) else { return Err(Reread::NoVolume) };
    if was == now && matches!(now.log, LogState::Restart { clean: false, .. }) {
        // In use by a driver that logs what it does: contents were written, and nothing else.
        return Ok(Way::Nothing);
    }
    let (Some(before), Some(journal)) = (was.journal, now.journal) else { return Err(Reread::JournalAbsent) };
    if before.id != journal.id {
        return Err(Reread::JournalReset { was: before.id, is: journal.id });
    }
    if before.next_usn > journal.next_usn {
        return Err(Reread::BeyondEnd { saved: before.next_usn, end: journal.next_usn });
    }
    check_log(was.log, now.log)?;
    check_advance(was, now, before, journal)?;
    Ok(Way::Replay(before.next_usn))
}

/// The log file of a driver that journals only goes on.
fn check_log(was: LogState, now: LogState) -> Result<(), Reread> {
    match (was, now) {
        (LogState::Restart { lsn: before, .. }, LogState::Restart { lsn, .. }) if lsn >= before => Ok(()),
        (LogState::Restart { .. }, LogState::Restart { .. }) => {
            Err(Reread::Unjournaled("its log file was begun anew"))
        }
        (_, LogState::Empty) => Err(Reread::Unjournaled("its log file was emptied")),
        (_, LogState::Unreadable) => Err(Reread::Unjournaled("its log file cannot be read")),
        // Nobody can say what was done before the log began.
        (_, LogState::Restart { .. }) => Err(Reread::Unjournaled("its log file was begun since")),
    }
}

/// What changes the table of records is in the journal.
fn check_advance(
    was: &VolumeState,
    now: &VolumeState,
    before: JournalState,
    journal: JournalState,
) -> Result<(), Reread> {
    if before.next_usn != journal.next_usn {
        return Ok(());
    }
    if was == now {
        return Err(Reread::Unjournaled("neither its log nor its journal went on"));
    }
    if was.mft_bytes != now.mft_bytes {
        return Err(Reread::Unjournaled("its file table has another length, and the journal does not go on"));
    }
    if was.bitmap != now.bitmap {
        return Err(Reread::Unjournaled("files came or went that the journal does not name"));
    }
    Ok(())
}

/// Whether records came into use, or out of it, that nobody named. `belongs` says whether one is, or was, a piece of a
/// file that was named.
pub(super) fn check_bitmap(
    was: &[u8],
    now: &[u8],
    touched: &BTreeSet<u64>,
    belongs: impl Fn(u64) -> bool,
) -> Result<(), Reread> {
    let byte = |map: &[u8], at: usize| map.get(at).copied().unwrap_or(0);
    for at in 0..was.len().max(now.len()) {
        let mut differs = byte(was, at) ^ byte(now, at);
        while differs != 0 {
            let number = at as u64 * 8 + u64::from(differs.trailing_zeros());
            if !touched.contains(&number) && !belongs(number) {
                return Err(Reread::Unjournaled("files came or went that the journal does not name"));
            }
            differs &= differs - 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> VolumeState {
        VolumeState {
            journal: Some(JournalState { number: 40, id: 7, next_usn: 1000 }),
            log: LogState::Restart { lsn: 50, clean: false },
            dirty: false,
            mft_bytes: 1 << 20,
            bitmap: vec![0xff, 1],
        }
    }

    fn word(change: impl FnOnce(&mut VolumeState)) -> Result<Way, &'static str> {
        let was = Position { stamp: None, volume: Some(state()), orphans: 0 };
        let mut now = state();
        change(&mut now);
        way(Some(&was), Some(&now)).map_err(|why| why.word())
    }

    fn on(state: &mut VolumeState) {
        state.log = LogState::Restart { lsn: 60, clean: false };
        state.journal = Some(JournalState { number: 40, id: 7, next_usn: 2000 });
    }

    #[test]
    fn a_volume_that_went_on_is_replayed() {
        assert_eq!(word(|_| ()), Ok(Way::Nothing));
        assert_eq!(word(on), Ok(Way::Replay(1000)));
        // What came and went is in the journal then.
        assert_eq!(
            word(|now| {
                on(now);
                now.mft_bytes *= 2;
                now.bitmap.push(1)
            }),
            Ok(Way::Replay(1000))
        );
        assert_eq!(word(|now| now.log = LogState::Restart { lsn: 60, clean: true }), Ok(Way::Replay(1000)));
    }

    #[test]
    fn every_doubt_has_its_word() {
        assert_eq!(way(None, Some(&state())), Err(Reread::NoPosition));
        let table = Position { stamp: None, volume: None, orphans: 0 };
        assert_eq!(way(Some(&table), None), Err(Reread::NoVolume));
        let journal = |id, next_usn| Some(JournalState { number: 40, id, next_usn });
        assert_eq!(word(|now| now.journal = None), Err("journal_absent"));
        assert_eq!(word(|now| now.journal = journal(8, 1000)), Err("journal_reset"));
        assert_eq!(word(|now| now.journal = journal(7, 999)), Err("beyond_end"));
        for log in [LogState::Empty, LogState::Unreadable, LogState::Restart { lsn: 49, clean: false }] {
            assert_eq!(
                word(|now| {
                    on(now);
                    now.log = log
                }),
                Err("unjournaled"),
                "{log:?}"
            );
        }
        assert_eq!(word(|now| now.mft_bytes *= 2), Err("unjournaled"));
        assert_eq!(word(|now| now.bitmap[1] = 3), Err("unjournaled"));
    }

    #[test]
    fn a_clean_volume_that_was_written_to_is_not_believed() {
        let mut state = state();
        state.log = LogState::Restart { lsn: 50, clean: true };
        let was = Position { stamp: None, volume: Some(state.clone()), orphans: 0 };
        assert_eq!(way(Some(&was), Some(&state)).map_err(|why| why.word()), Err("unjournaled"));
    }

    proptest! {
        #[test]
        fn the_map_of_records_differs_only_where_files_were_named(
            was in proptest::collection::vec(any::<u8>(), 0..8),
            now in proptest::collection::vec(any::<u8>(), 0..8),
            touched in proptest::collection::btree_set(0u64..64, 0..64),
            pieces in proptest::collection::btree_set(0u64..64, 0..8),
        ) {
            let bit = |map: &[u8], at: u64| map.get(at as usize / 8).is_some_and(|byte| byte >> (at % 8) & 1 != 0);
            let differs = |at: &u64| bit(&was, *at) != bit(&now, *at);
            let named = |at: &u64| touched.contains(at) || pieces.contains(at);
            let fits = (0..64).filter(differs).all(|at| named(&at));
            let checked = check_bitmap(&was, &now, &touched, |at| pieces.contains(&at));
            prop_assert_eq!(checked.is_ok(), fits);
        }
    }
}
