//! How far an index follows its NTFS volume: what was read, and by what a later look can tell what happened since.
//!
//! It belongs to one body and is saved with it. The journal says what was touched; the rest is there to notice what the
//! journal does not tell: a driver that keeps no journal leaves its traces in the log file, in the map of records in
//! use, or in the size of the table.

use super::medium::Stamp;
use hearth_ntfs::logfile::LogState;

/// Version of the order of the fields.
const LAYOUT: u64 = 1;
/// Most bytes of the map of records in use, 1 bit each.
const BITMAP_BYTES: usize = 1 << 30;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Of the file that it was read from, where that has one to trust.
    pub(crate) stamp: Option<Stamp>,
    /// `None` where nothing but the stamp can tell of changes.
    pub(crate) volume: Option<VolumeState>,
    /// Entries whose folder was not there.
    pub(crate) orphans: u64,
}

/// State of a volume at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeState {
    pub(crate) journal: Option<JournalState>,
    pub(crate) log: LogState,
    pub(crate) dirty: bool,
    pub(crate) mft_bytes: u64,
    /// Records in use, one bit each.
    pub(crate) bitmap: Vec<u8>,
}

/// How far the journal was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalState {
    /// Number of its record.
    pub(crate) number: u64,
    pub(crate) id: u64,
    pub(crate) next_usn: u64,
}

impl Position {
    /// Number of the record of the journal.
    pub(crate) fn journal(&self) -> Option<u64> {
        Some(self.volume.as_ref()?.journal?.number)
    }

    /// For a snapshot.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
        put(LAYOUT);
        put(self.orphans);
        put(u64::from(self.stamp.is_some()));
        if let Some(Stamp { inode, len, modified, changed, settled }) = self.stamp {
            let times = [modified.cast_unsigned(), changed.cast_unsigned(), u64::from(settled)];
            [inode, len].into_iter().chain(times).for_each(&mut put);
        }
        put(u64::from(self.volume.is_some()));
        if let Some(volume) = &self.volume {
            put(u64::from(volume.journal.is_some()));
            if let Some(JournalState { number, id, next_usn }) = volume.journal {
                [number, id, next_usn].into_iter().for_each(&mut put);
            }
            let (log, lsn) = match volume.log {
                LogState::Empty => (0, 0),
                LogState::Restart { lsn, clean } => (1 + u64::from(clean), lsn),
                LogState::Unreadable => (3, 0),
            };
            [log, lsn, u64::from(volume.dirty), volume.mft_bytes].into_iter().for_each(&mut put);
            put(volume.bitmap.len() as u64);
            out.extend_from_slice(&volume.bitmap);
        }
        out
    }

    /// `None` for anything that [`Position::encode`] does not write.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.number()? != LAYOUT {
            return None;
        }
        let orphans = fields.number()?;
        let stamp = if fields.flag()? { Some(fields.stamp()?) } else { None };
        let volume = if fields.flag()? { Some(fields.volume()?) } else { None };
        fields.0.is_empty().then_some(Self { stamp, volume, orphans })
    }
}

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self) -> Option<u64> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*taken))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            inode: self.number()?,
            len: self.number()?,
            modified: self.number()?.cast_signed(),
            changed: self.number()?.cast_signed(),
            settled: self.flag()?,
        })
    }

    fn volume(&mut self) -> Option<VolumeState> {
        let journal = if self.flag()? {
            Some(JournalState { number: self.number()?, id: self.number()?, next_usn: self.number()? })
        } else {
            None
        };
        let log = match (self.number()?, self.number()?) {
            (0, 0) => LogState::Empty,
            (clean @ 1..=2, lsn) => LogState::Restart { lsn, clean: clean == 2 },
            (3, 0) => LogState::Unreadable,
            _ => return None,
        };
        let (dirty, mft_bytes) = (self.flag()?, self.number()?);
        let len = usize::try_from(self.number()?).ok().filter(|len| *len <= BITMAP_BYTES)?;
        let (bitmap, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(VolumeState { journal, log, dirty, mft_bytes, bitmap: bitmap.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        let stamp = any::<(u64, u64, i64, i64, bool)>();
        let stamp = stamp.prop_map(|(inode, len, modified, changed, settled)| Stamp {
            inode,
            len,
            modified,
            changed,
            settled,
        });
        let log = prop_oneof![
            Just(LogState::Empty),
            Just(LogState::Unreadable),
            any::<(u64, bool)>().prop_map(|(lsn, clean)| LogState::Restart { lsn, clean }),
        ];
        let journal = any::<(u64, u64, u64)>();
        let journal = journal.prop_map(|(number, id, next_usn)| JournalState { number, id, next_usn });
        let bitmap = proptest::collection::vec(any::<u8>(), 0..20);
        let volume = (proptest::option::of(journal), log, any::<(bool, u64)>(), bitmap).prop_map(
            |(journal, log, (dirty, mft_bytes), bitmap)| VolumeState {
                journal,
                log,
                dirty,
                mft_bytes,
                bitmap,
            },
        );
        (proptest::option::of(stamp), proptest::option::of(volume), any::<u64>())
            .prop_map(|(stamp, volume, orphans)| Position { stamp, volume, orphans })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_and_nothing_cut_or_added_is(position in position(), cut in 1usize..40) {
            let bytes = position.encode();
            prop_assert_eq!(Position::decode(&bytes), Some(position));
            prop_assert_eq!(Position::decode(&bytes[..bytes.len().saturating_sub(cut)]), None);
            prop_assert_eq!(Position::decode(&[bytes, vec![0; cut]].concat()), None);
        }

        #[test]
        fn any_bytes_end_in_an_answer(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Position::decode(&bytes);
            bytes.splice(0..bytes.len().min(8), LAYOUT.to_le_bytes());
            Position::decode(&bytes);
        }
    }
}
