//! Which feed a source gets: the best that this machine, its file system and the configuration allow.
//!
//! What cannot be had is said in words, beside what is used instead.

use super::own::OwnFolders;
use crate::api::{SourceInfo, SourceKind};
use crate::config::{FeedChoice, WatchConfig};
use crate::ntfs::{DiskProbe, Media};
use crate::walk::{self, Walk};
use hearth_watch::{Feed, FeedError, FeedKind, FeedOptions, ReadAhead, fanotify, inotify, polling, probing};
use std::sync::Arc;
use std::time::Duration;

/// Acts that one batch may hold, at most.
pub(super) const ACTS: usize = 4096;

/// A feed, and what there is to say of it.
pub(super) struct Opened {
    pub(super) feed: Box<dyn Feed>,
    /// Why it is not a better one, in words; empty if it is what was wanted.
    pub(super) instead: String,
    /// Device of the watched root.
    pub(super) device: u64,
    /// What is there may change without the feed telling.
    pub(super) shared: bool,
}

/// Opens the feed of the source with this root; `None` if it is to have none.
///
/// # Errors
/// Nothing can be opened, in words: the root is not there, or descriptors have run out.
pub(super) fn open(info: &SourceInfo, means: &Means<'_>) -> Result<Option<Opened>, String> {
    let root = info.root.as_slice();
    if info.kind != SourceKind::Volume && means.config.feed != FeedChoice::Off {
        return disk(root, means).map(Some);
    }
    let place = walk::look(root)?;
    let device = place.device;
    let options = FeedOptions {
        // However few are kept: a batch is about the whole file system, the source may be a folder of it.
        history: if means.acts > 0 { ACTS } else { 0 },
        cookie_folder: means.own.cookies(device),
        watches_percent: means.config.watches_percent,
        ..FeedOptions::default()
    };
    let tried = match means.config.feed {
        FeedChoice::Off => return Ok(None),
        FeedChoice::Poll => Err(String::new()),
        FeedChoice::Fanotify => whole(root, &options).map_err(|error| error.to_string()),
        FeedChoice::Inotify => tree(root, means.walk, &options).map_err(|error| error.to_string()),
        FeedChoice::Auto => whole(root, &options).or_else(|first| {
            let second = tree(root, means.walk, &options);
            second.map(|(feed, _)| (feed, first.to_string())).map_err(|second| format!("{first}; {second}"))
        }),
    };
    let shared = fanotify::changes_elsewhere(walk::path(root)).unwrap_or(true);
    match tried {
        Ok((feed, instead)) => Ok(Some(Opened { feed, instead, device, shared })),
        Err(instead) => {
            let feed = polling::open(means.config.poll).map_err(|error| error.to_string())?;
            Ok(Some(Opened { feed: Box::new(feed), instead, device, shared }))
        }
    }
}

/// What feeds are opened with.
pub(super) struct Means<'a> {
    pub(super) config: &'a WatchConfig,
    pub(super) walk: &'a Walk,
    pub(super) media: &'a Arc<Media>,
    pub(super) own: &'a OwnFolders,
    /// Acts that are kept of a source; 0 = they are not asked for.
    pub(super) acts: usize,
}

/// The feed of a volume that is read raw.
fn disk(root: &[u8], means: &Means<'_>) -> Result<Opened, String> {
    let probe = DiskProbe::new(means.media, root, means.config.poll)?;
    let (pace, file) = (probe.pace(), probe.file());
    let feed = probing::open(pace, file, probe).map_err(|error| error.to_string())?;
    Ok(Opened { feed: Box::new(feed), instead: String::new(), device: 0, shared: false })
}

type Tried = Result<(Box<dyn Feed>, String), FeedError>;

fn whole(root: &[u8], options: &FeedOptions) -> Tried {
    let feed = fanotify::open(walk::path(root), options)?;
    Ok((Box::new(ReadAhead::start(feed, options)?), String::new()))
}

fn tree(root: &[u8], walk: &Walk, options: &FeedOptions) -> Tried {
    let feed = inotify::open(walk::path(root), walk.enters(root), options)?;
    Ok((Box::new(ReadAhead::start(feed, options)?), String::new()))
}

/// The word that stands for a kind of feed.
pub(super) fn word(kind: FeedKind) -> &'static str {
    match kind {
        FeedKind::Fanotify => "fanotify",
        FeedKind::Inotify { .. } => "inotify",
        FeedKind::Probing { .. } => "journal",
        FeedKind::Polling { .. } => "poll",
    }
}

/// True if a feed of this kind tells of changes as they happen.
pub(super) fn is_live(kind: FeedKind) -> bool {
    !matches!(kind, FeedKind::Polling { .. } | FeedKind::Probing { .. })
}

/// How long what was put off because it was in motion is left alone.
pub(super) const REST: Duration = Duration::from_millis(20);
