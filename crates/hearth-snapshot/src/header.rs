//! The sealed header: of which source a snapshot is, under which rules it was made, up to when.
//!
//! Identity, epoch and clock are bytes here. The first two are compared with what the caller expects, so that a
//! body of another source or of older rules is never handed out; the clock is handed back for the replay.

use crate::error::{LoadError, SaveError};
use crate::fields::Fields;
use crate::layout::{COUNTS, HEADER_FIELD_BYTES};
use hearth_core::UnixNanos;
use std::path::Path;
use std::time::Duration;

/// What a snapshot says about itself. All of it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Four letters that say which decoder the sections are for.
    pub kind: [u8; 4],
    /// Of which source it is; at most 64 KiB. Compared for equality.
    pub identity: Vec<u8>,
    /// Under which rules it was made: index version, configuration, journal; at most 64 KiB. Compared
    /// for equality.
    pub epoch: Vec<u8>,
    /// Up to where the changes of the source are in it; at most 64 KiB.
    pub clock: Vec<u8>,
    /// When it was saved.
    pub saved_at_ns: UnixNanos,
    /// Numbers of the caller's, at most 64. Nobody vouches that the sections agree with them.
    pub counts: Vec<u64>,
}

/// What a snapshot must be to be loaded.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// See [`Header::kind`].
    pub kind: [u8; 4],
    /// See [`Header::identity`].
    pub identity: &'a [u8],
    /// See [`Header::epoch`].
    pub epoch: &'a [u8],
    /// Refuses old snapshots, where given.
    pub freshness: Option<Freshness>,
}

/// How old a snapshot may be.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// The time of now.
    pub now_ns: UnixNanos,
    /// Oldest that is loaded.
    pub ttl: Duration,
}

impl Header {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, SaveError> {
        limit(self.counts.len(), COUNTS, "counts in its header")?;
        let texts = [&self.identity, &self.clock, &self.epoch];
        for text in texts {
            limit(text.len(), HEADER_FIELD_BYTES, "bytes of identity, of clock and of epoch")?;
        }
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.kind);
        bytes.extend_from_slice(&short(self.counts.len()));
        bytes.extend_from_slice(&self.saved_at_ns.to_le_bytes());
        texts.iter().for_each(|text| bytes.extend_from_slice(&short(text.len())));
        bytes.extend_from_slice(&[0; 4]);
        self.counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
        texts.iter().for_each(|text| bytes.extend_from_slice(text));
        Ok(bytes)
    }

    /// `None` if the bytes are not a header.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let (kind, counts) = (fields.array()?, fields.u32()? as usize);
        let saved_at_ns = fields.array().map(UnixNanos::from_le_bytes)?;
        let lens = [fields.u32()? as usize, fields.u32()? as usize, fields.u32()? as usize];
        if fields.u32()? != 0 || counts > COUNTS || lens.iter().any(|&len| len > HEADER_FIELD_BYTES) {
            return None;
        }
        let counts = (0..counts).map(|_| fields.u64()).collect::<Option<_>>()?;
        let [identity, clock, epoch] = lens.map(|len| fields.take(len).map(<[u8]>::to_vec));
        let header = Self { kind, identity: identity?, clock: clock?, epoch: epoch?, saved_at_ns, counts };
        fields.is_empty().then_some(header)
    }

    /// The first expectation that is not met.
    pub(crate) fn check(&self, path: &Path, expected: &Expected<'_>) -> Result<(), LoadError> {
        if self.kind != expected.kind || self.identity != expected.identity {
            return Err(LoadError::StaleVsSource { path: path.to_owned() });
        }
        if self.epoch != expected.epoch {
            let [cached, current] = [&self.epoch[..], expected.epoch].map(epoch_words);
            return Err(LoadError::StaleByEpoch { cached, current });
        }
        match expected.freshness {
            Some(Freshness { now_ns, ttl }) if self.age(now_ns) > ttl => {
                Err(LoadError::StaleByTtl { age: self.age(now_ns), ttl })
            }
            _ => Ok(()),
        }
    }

    /// Time since it was saved; nothing where the clock of the machine was put back.
    pub fn age(&self, now_ns: UnixNanos) -> Duration {
        Duration::from_nanos(u64::try_from(now_ns.saturating_sub(self.saved_at_ns)).unwrap_or(0))
    }
}

fn limit(len: usize, limit: usize, what: &'static str) -> Result<(), SaveError> {
    if len > limit { Err(SaveError::Limit { what, limit }) } else { Ok(()) }
}

fn short(len: usize) -> [u8; 4] {
    u32::try_from(len).expect("limits are below 4 GiB").to_le_bytes()
}

/// An epoch in a word that two epochs do not share. Epochs may hold paths, the log should not.
fn epoch_words(epoch: &[u8]) -> String {
    format!("epoch {}", &blake3::hash(epoch).to_hex()[..16])
}
