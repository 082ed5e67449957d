//! Snapshots of sources: where they are, when one may be loaded, how one is made and removed.
//!
//! A snapshot is a cache. Whatever keeps one from being loaded is a [`LoadError`] that is logged, kept for
//! `status` and followed by a scan; whatever keeps one from being saved leaves the one before. What was
//! forgotten does not come back: a save that is under way then ends in nothing.

mod about;
mod content;
mod identity;
mod key;
mod saver;
#[cfg(test)]
mod tests;

pub(crate) use content::{NotLoaded, NotSaved};
pub(crate) use saver::{Save, Saver};

use crate::api::{LoadReason, SnapshotFile, SnapshotMode, SourceInfo};
use crate::catalogue::{Known, Source};
use crate::clock;
use crate::config::Config;
use crate::maker::{Made, Recalled};
use crate::ntfs::{Media, Position};
use crate::run::ScanRun;
use about::About;
use content::Contents;
use hearth_core::{CancelToken, Cancelled, HeapSize, UnixNanos};
use hearth_files::digest::Digest;
use hearth_files::index::Body;
use hearth_residency::Stored;
use hearth_snapshot::{Expected, Header, Level, LoadError, Reader, Storage, Writer, sweep, sweep_of};
use identity::Identity;
use key::Keys;
use parking_lot::{Mutex, RwLock};
use rayon::ThreadPool;
use std::collections::{HashMap, HashSet};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Kind of the snapshots of file indexes.
const KIND: [u8; 4] = *b"file";
/// Ending of their names.
const ENDING: &str = ".hearth";
/// Memory that a thread of a load needs besides the body: a chunk as stored and as expanded, with slack.
const BYTES_PER_THREAD: u64 = 5 << 19;
/// What a load needs besides that.
const LOAD_BYTES: u64 = 1 << 18;

/// The snapshots of one service.
pub(crate) struct Snapshots {
    storage: Box<dyn Storage>,
    folder: PathBuf,
    mode: SnapshotMode,
    keys: Keys,
    epoch: Vec<u8>,
    /// Oldest body that may answer.
    ttl: Option<Duration>,
    load_pool: Arc<ThreadPool>,
    save_pool: ThreadPool,
    media: Arc<Media>,
    /// Sources that were forgotten. Also the lock of whoever puts a snapshot in its place or removes one.
    gone: Mutex<HashSet<u64>>,
    /// Held by whoever seals under the present key, alone by who changes it.
    sealing: RwLock<()>,
    /// What is being saved, or waits to be.
    saving: Mutex<HashMap<u64, Save>>,
}

/// What a service needs to have snapshots.
pub(crate) struct Setup<'a> {
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) config: &'a Config,
    /// Folder of the snapshots, made if it is missing.
    pub(crate) folder: PathBuf,
    /// Folder of the key.
    pub(crate) state: PathBuf,
    pub(crate) mode: SnapshotMode,
    /// What disks and images are opened with.
    pub(crate) media: Arc<Media>,
    /// Snapshots are expanded on it.
    pub(crate) load_pool: Arc<ThreadPool>,
    /// Snapshots are compressed on it.
    pub(crate) save_pool: ThreadPool,
}

/// A snapshot that can be loaded, as far as its header tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) stored: Stored,
    pub(crate) known: Known,
    pub(crate) file: SnapshotFile,
}

/// Numbers of a header.
#[derive(Clone, Copy)]
struct Counts {
    generation: u64,
    rows: u64,
    body_bytes: u64,
    digest_bytes: u64,
    began_ns: UnixNanos,
    made_ns: UnixNanos,
}

impl Counts {
    fn encode(self) -> Vec<u64> {
        let Self { generation, rows, body_bytes, digest_bytes, began_ns, made_ns } = self;
        vec![generation, rows, body_bytes, digest_bytes, began_ns.cast_unsigned(), made_ns.cast_unsigned()]
    }

    fn decode(counts: &[u64]) -> Option<Self> {
        let [generation, rows, body_bytes, digest_bytes, began_ns, made_ns] = *counts.first_chunk()?;
        let (began_ns, made_ns) = (began_ns.cast_signed(), made_ns.cast_signed());
        Some(Self { generation, rows, body_bytes, digest_bytes, began_ns, made_ns })
    }
}

impl Snapshots {
    /// Opens the folder, which is made if it is missing.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn open(setup: Setup<'_>) -> io::Result<Self> {
        let Setup { storage, config, folder, state, mode, media, load_pool, save_pool } = setup;
        if mode == SnapshotMode::ReadWrite {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        }
        let keys = Keys::new(config, state, mode);
        let (epoch, ttl) = (epoch(config), config.stale.max_age);
        let (gone, sealing, saving) = (Mutex::default(), RwLock::default(), Mutex::default());
        Ok(Self {
            storage,
            folder,
            mode,
            keys,
            epoch,
            ttl,
            load_pool,
            save_pool,
            media,
            gone,
            sealing,
            saving,
        })
    }

    /// What is done with snapshots.
    pub(crate) fn mode(&self) -> SnapshotMode {
        self.mode
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at the snapshot of a source without loading it.
    pub(crate) fn look(&self, info: &SourceInfo) -> Result<Found, LoadError> {
        let (reader, _) = self.reader(info)?;
        let (header, counts) = (reader.header(), self.counts(info, &reader)?);
        let file = SnapshotFile { bytes: reader.file_bytes(), saved_ns: header.saved_at_ns };
        Ok(Found { stored: self.stored(&counts, file.bytes), known: known(&counts), file })
    }

    /// What is on its way to disk of a source.
    pub(crate) fn saving(&self, id: u64) -> Option<Save> {
        self.saving.lock().get(&id).cloned()
    }

    /// Loads the snapshot of a source.
    pub(crate) fn load(&self, source: &Source, run: &ScanRun) -> Result<Made, NotLoaded> {
        let (reader, device) = self.reader(&source.info)?;
        let counts = self.counts(&source.info, &reader)?;
        let about = content::read_about(&reader, &self.load_pool)?;
        let contents = Contents { reader: &reader, pool: &self.load_pool };
        let digest = Digest::load(&contents, &run.cancel)?;
        let body = Arc::new(Body::load(&contents, &self.load_pool, &run.cancel)?);
        let position = about.position.as_deref().and_then(Position::decode);
        position.into_iter().for_each(|position| source.disk.put(&body, position));
        Ok(Made {
            body,
            digest: Arc::new(digest),
            began: instant_of(about.began_ns),
            began_ns: about.began_ns,
            made_ns: about.made_ns,
            built_in: Duration::from_nanos(about.built_ns),
            device,
            closed: about.closed.into(),
            outcome: about.outcome,
            compared: false,
            behind: true,
            folded: false,
            peak_bytes: self.stored(&counts, reader.file_bytes()).working_bytes,
        })
    }

    /// Loads the digest of a snapshot and nothing else.
    pub(crate) fn load_digest(&self, info: &SourceInfo, cancel: &CancelToken) -> Result<Recalled, NotLoaded> {
        let (reader, _) = self.reader(info)?;
        let counts = self.counts(info, &reader)?;
        let contents = Contents { reader: &reader, pool: &self.load_pool };
        let digest = Arc::new(Digest::load(&contents, cancel)?);
        Ok(Recalled { digest, known: known(&counts) })
    }

    /// Saves a body. Returns when the snapshot is durable.
    pub(crate) fn save(&self, save: &Save, cancel: &CancelToken) -> Result<(Stored, SnapshotFile), NotSaved> {
        let Save { source, published, digest, .. } = save;
        let path = self.path(source.info.id);
        let _sealing = self.sealing.read();
        let key = self.keys.key(&*self.storage)?;
        let (counts, saved_ns) = (counts(save), clock::now_ns());
        let header = Header {
            kind: KIND,
            identity: self.identity(&source.info).map_err(NotSaved::Source)?.bytes,
            epoch: self.epoch.clone(),
            clock: source.journal.clock(published.generation).into_bytes(),
            saved_at_ns: saved_ns,
            counts: counts.encode(),
        };
        let mut writer = Writer::begin(&*self.storage, &self.save_pool, &path, &header, &key)?;
        content::write(&mut writer, &about(save), &published.body, digest, cancel)?;
        let gone = self.gone.lock();
        if gone.contains(&source.info.id) {
            return Err(Cancelled::Requested.into());
        }
        let saved = writer.commit()?;
        let file = SnapshotFile { bytes: saved.file_bytes, saved_ns };
        Ok((self.stored(&counts, file.bytes), file))
    }

    /// Removes the snapshot of a source that was forgotten, for good. Gives its length, 0 without one.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub(crate) fn forget(&self, id: u64) -> io::Result<u64> {
        if self.mode != SnapshotMode::ReadWrite {
            return Ok(0);
        }
        let mut gone = self.gone.lock();
        gone.insert(id);
        let path = self.path(id);
        let there =
            self.storage.list(&self.folder)?.into_iter().find(|file| self.folder.join(&file.name) == path);
        let Some(file) = there else { return Ok(0) };
        self.storage.remove(&path)?;
        Ok(file.len)
    }

    /// Removes what saves that were cut off left behind, and snapshots of sources that are not among these.
    /// Only at the start: nothing of ours may be writing.
    pub(crate) fn tidy_up(&self, sources: &[SourceInfo]) -> io::Result<()> {
        if self.mode != SnapshotMode::ReadWrite {
            return Ok(());
        }
        let swept = sweep(&*self.storage, &self.folder, clock::now_ns(), Duration::ZERO)?;
        let keys = sweep_of(&*self.storage, &self.keys.file())?;
        let (files, bytes) = (swept.files + keys.files, swept.bytes + keys.bytes);
        if files > 0 {
            tracing::info!(files, bytes, "what was cut off while it was being written is removed");
        }
        let known: HashSet<PathBuf> = sources.iter().map(|source| self.path(source.id)).collect();
        for file in self.storage.list(&self.folder)? {
            let path = self.folder.join(&file.name);
            let ours = file.name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(number);
            if ours.is_some() && !known.contains(&path) {
                tracing::info!(bytes = file.len, "a snapshot of no registered source is removed");
                self.storage.remove(&path)?;
            }
        }
        Ok(())
    }

    /// The snapshot of a source.
    pub(crate) fn path(&self, id: u64) -> PathBuf {
        self.folder.join(format!("{id:016x}{ENDING}"))
    }

    /// True if there is a file that would be the snapshot of a source.
    fn is_there(&self, id: u64) -> bool {
        let files = self.storage.list(&self.folder).unwrap_or_default();
        files.iter().any(|file| self.folder.join(&file.name) == self.path(id))
    }

    /// The snapshot of a source, if it may be loaded, and the device that the source is on.
    fn reader(&self, info: &SourceInfo) -> Result<(Reader, u64), LoadError> {
        let path = self.path(info.id);
        let key = self.keys.key(&*self.storage)?;
        let identity = self.identity(info)?;
        let expected =
            Expected { kind: KIND, identity: &identity.bytes, epoch: &self.epoch, freshness: None };
        Ok((Reader::open(&*self.storage, &path, &expected, &key)?, identity.device))
    }

    fn counts(&self, info: &SourceInfo, reader: &Reader) -> Result<Counts, LoadError> {
        let counts = Counts::decode(&reader.header().counts).ok_or_else(|| LoadError::Parse {
            path: self.path(info.id),
            detail: "the header lacks numbers that every version writes",
        })?;
        let age = age(counts.began_ns);
        match self.ttl {
            Some(ttl) if age > ttl => Err(LoadError::StaleByTtl { age, ttl }),
            _ => Ok(counts),
        }
    }

    fn identity(&self, info: &SourceInfo) -> Result<Identity, LoadError> {
        Identity::of(info, &self.media).map_err(|source| LoadError::Io {
            path: crate::walk::path(&info.root).to_owned(),
            doing: "look at the source of",
            source,
        })
    }

    fn stored(&self, counts: &Counts, file_bytes: u64) -> Stored {
        let threads = self.load_pool.current_num_threads() as u64;
        // The chunks of a small one are small.
        let chunks = (threads * BYTES_PER_THREAD).min(file_bytes.saturating_mul(4));
        let result = counts.body_bytes.saturating_add(counts.digest_bytes);
        Stored {
            generation: counts.generation,
            working_bytes: result.saturating_add(chunks + LOAD_BYTES),
            digest_bytes: counts.digest_bytes,
        }
    }
}

/// What a reason means to an operator; it goes to the log as loud as it is.
pub(crate) fn report(source: &str, error: &LoadError) -> LoadReason {
    let (word, text, level) = (error.word(), error.to_string(), error.level());
    match level {
        Level::Debug => tracing::debug!(source, reason = word, "no snapshot is loaded: {text}"),
        Level::Info => tracing::info!(source, reason = word, "no snapshot is loaded: {text}"),
        Level::Warn => tracing::warn!(source, reason = word, "no snapshot is loaded: {text}"),
        Level::Error => tracing::error!(source, reason = word, "no snapshot is loaded: {text}"),
    }
    LoadReason { word, text, unexpected: matches!(level, Level::Warn | Level::Error) }
}

/// The reason of a load that went well.
pub(crate) fn loaded() -> Arc<LoadReason> {
    Arc::new(LoadReason { word: "loaded", text: String::new(), unexpected: false })
}

/// What shapes an index besides its source.
fn epoch(config: &Config) -> Vec<u8> {
    let mut epoch = Vec::new();
    for rule in &config.files.exclude {
        epoch.extend_from_slice(&(rule.len() as u64).to_le_bytes());
        epoch.extend_from_slice(rule.as_bytes());
    }
    blake3::hash(&epoch).as_bytes().to_vec()
}

fn counts(save: &Save) -> Counts {
    let Save { published, digest, .. } = save;
    Counts {
        generation: published.generation,
        rows: published.body.entries(),
        body_bytes: published.body.heap_bytes() as u64,
        digest_bytes: digest.heap_bytes() as u64,
        began_ns: save.complete_until_ns,
        made_ns: published.made_ns,
    }
}

fn about(save: &Save) -> About {
    let published = &save.published;
    About {
        generation: published.generation,
        began_ns: save.complete_until_ns,
        made_ns: published.made_ns,
        built_ns: u64::try_from(published.built_in.as_nanos()).unwrap_or(u64::MAX),
        closed: published.closed.to_vec(),
        outcome: (*published.outcome).clone(),
        position: save.source.disk.position_of(&published.body).map(|position| position.encode()),
    }
}

fn known(counts: &Counts) -> Known {
    Known {
        generation: counts.generation,
        began: instant_of(counts.began_ns),
        made_ns: counts.made_ns,
        rows: counts.rows,
        compared: false,
    }
}

/// Time since then by the wall clock; nothing where that was put back.
fn age(then_ns: UnixNanos) -> Duration {
    Duration::from_nanos(u64::try_from(clock::now_ns().saturating_sub(then_ns)).unwrap_or(0))
}

/// The monotonic clock as it was then.
fn instant_of(then_ns: UnixNanos) -> Instant {
    let now = Instant::now();
    now.checked_sub(age(then_ns)).unwrap_or(now)
}

fn number(hex: &str) -> Option<u64> {
    (hex.len() == 16).then(|| u64::from_str_radix(hex, 16).ok()).flatten()
}
