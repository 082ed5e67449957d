//! Whether an NTFS volume changed, found out without reading it.
//!
//! An image tells by its times. A device has none: its journal, log file and map of records are looked at, and where those
//! cannot tell (no journal, or a driver that keeps none), it counts as changed every so often.

use super::medium::{Media, Spot, Stamp};
use super::position::VolumeState;
use hearth_core::CancelToken;
use hearth_ntfs::LogState;
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
    last: Look,
    at: Instant,
}

/// What was seen.
#[derive(PartialEq)]
enum Look {
    /// Of a file, and whether that can be trusted.
    File(Stamp, bool),
    Device(Option<Box<VolumeState>>),
}

impl DiskProbe {
    /// A probe of what is at a root now.
    ///
    /// # Errors
    /// It cannot be looked at, in words.
    pub(crate) fn new(media: &Arc<Media>, root: &[u8], poll: Duration) -> Result<Self, String> {
        let (media, spot) = (Arc::clone(media), Spot::of(root));
        let last = look(&media, &spot).map_err(|error| format!("{}: {error}", spot.file.display()))?;
        Ok(Self { media, spot, poll, last, at: Instant::now() })
    }

    /// How often to look.
    pub(crate) fn pace(&self) -> Pace {
        let most = match self.last {
            Look::File(..) => self.poll,
            Look::Device(_) => DEVICE_MOST.min(self.poll),
        };
        Pace { least: LEAST.min(most), most }
    }

    /// The file whose writes call for a look; a device tells of none.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        matches!(self.last, Look::File(..)).then(|| self.spot.file.clone())
    }

    fn is_blind(&self) -> bool {
        let Look::Device(state) = &self.last else { return false };
        !state.as_ref().is_some_and(|state| {
            state.journal.is_some() && matches!(state.log, LogState::Restart { .. })
        })
    }
}

impl Probe for DiskProbe {
    fn changed(&mut self) -> io::Result<bool> {
        let now = look(&self.media, &self.spot)?;
        // What was written to a moment before may have been written to again at the same time.
        let doubtful = matches!(self.last, Look::File(_, false));
        let due = self.is_blind() && self.at.elapsed() >= self.poll;
        if now == self.last && !due && !doubtful {
            return Ok(false);
        }
        (self.last, self.at) = (now, Instant::now());
        Ok(true)
    }
}

fn look(media: &Media, spot: &Spot) -> io::Result<Look> {
    let meta = fs::metadata(&spot.file)?;
    if meta.is_file() {
        return Ok(Look::File(Stamp::unsettled(&meta), Stamp::of(&meta).is_some()));
    }
    let opened = media.volume(spot, false, &CancelToken::new()).map_err(io::Error::other)?;
    let state = opened.state().map_err(io::Error::other)?;
    Ok(Look::Device(state.map(Box::new)))
}
