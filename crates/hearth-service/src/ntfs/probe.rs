//! Whether an NTFS volume changed, found out without reading it.
//!
//! A file tells by its times, a device by what the system has written to it; beside that, log file, length of the table and
//! map of records in use are looked at. Where nothing tells, it counts as changed every so often.

use super::medium::{Media, Spot, Stamp};
use super::position::VolumeState;
use hearth_core::CancelToken;
use hearth_ntfs::logfile::LogState;
use hearth_watch::probing::{Pace, Probe};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two looks while something changes.
const LEAST: Duration = Duration::from_millis(500);
/// The same for a device after a long time without a change.
const DEVICE_MOST: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct DiskProbe {
    media: Arc<Media>,
    spot: Spot,
    /// Where nothing tells: time after which it counts as changed.
    poll: Duration,
    is_file: bool,
    last: Look,
    /// When a change was told last, or the probe was made.
    told: Instant,
}

/// What was seen.
struct Look {
    stamp: Option<Stamp>,
    /// Of a device; its pages may be changed long before they are written.
    state: Option<Box<VolumeState>>,
}

impl Look {
    fn at(media: &Media, spot: &Spot) -> io::Result<Self> {
        let meta = fs::metadata(&spot.file)?;
        let stamp = Stamp::of(&meta);
        if meta.is_file() {
            return Ok(Self { stamp, state: None });
        }
        let never = CancelToken::new();
        let opened = media.volume(spot, false, &never).map_err(io::Error::other)?;
        let state = opened.state(None, &never).map_err(io::Error::other)?;
        Ok(Self { stamp, state: state.map(Box::new) })
    }

    fn is_same(&self, before: &Self) -> bool {
        let same = match (&self.stamp, &before.stamp) {
            // What was written to a moment before may have been written to again at the same time.
            (Some(now), Some(before)) => now.is_same(before) && before.settled,
            (None, None) => true,
            _ => false,
        };
        same && self.state == before.state
    }

    /// True if its driver logs what it does.
    fn is_logged(&self) -> bool {
        self.state.as_ref().is_some_and(|state| matches!(state.log, LogState::Restart { clean: false, .. }))
    }
}

impl DiskProbe {
    /// A probe of what is at a root now.
    ///
    /// # Errors
    /// It cannot be looked at, in words.
    pub(crate) fn new(media: &Arc<Media>, root: &[u8], poll: Duration) -> Result<Self, String> {
        let (media, spot) = (Arc::clone(media), Spot::of(root));
        let failed = |error: io::Error| format!("{}: {error}", spot.file.display());
        let last = Look::at(&media, &spot).map_err(failed)?;
        let is_file = fs::metadata(&spot.file).map_err(failed)?.is_file();
        Ok(Self { media, spot, poll, is_file, last, told: Instant::now() })
    }

    /// How often to look.
    pub(crate) fn pace(&self) -> Pace {
        let most = if self.is_file { self.poll } else { DEVICE_MOST.min(self.poll) };
        Pace { least: LEAST.min(most), most }
    }

    /// The file whose writes call for a look; a device tells of none.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.is_file.then(|| self.spot.file.clone())
    }
}

impl Probe for DiskProbe {
    fn changed(&mut self) -> io::Result<bool> {
        let now = Look::at(&self.media, &self.spot)?;
        let blind = now.stamp.is_none() && !now.is_logged();
        let due = blind && self.told.elapsed() >= self.poll;
        if now.is_same(&self.last) && !due {
            return Ok(false);
        }
        (self.last, self.told) = (now, Instant::now());
        Ok(true)
    }
}
