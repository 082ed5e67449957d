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
