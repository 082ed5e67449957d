//! The thread that saves bodies, one after the other, behind everything else.
//!
//! What waits is bounded by the kernel, which has one save of a source in flight. The body is held until
//! its save has ended, and whoever would load it meanwhile takes it from here.

use super::{NotSaved, Snapshots};
use crate::catalogue::{Catalogue, Published, Source};
use crate::error::ServiceError;
use crate::maker::{Made, Recalled, describe_panic};
use crate::pools;
use crossbeam_channel::{Receiver, Sender, unbounded};
use hearth_core::{CancelToken, UnixNanos};
use hearth_files::digest::Digest;
use hearth_residency::Stored;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;
use tracing::{debug, info, warn};

/// A body to be saved.
#[derive(Clone)]
pub(crate) struct Save {
    pub(crate) source: Arc<Source>,
    pub(crate) published: Arc<Published>,
    pub(crate) digest: Arc<Digest>,
    /// Everything that happened before is in it, by the wall clock.
    pub(crate) complete_until_ns: UnixNanos,
}

impl Save {
    /// What stays of it while it is out of memory.
    pub(crate) fn remembered(self) -> Recalled {
        Recalled { known: self.published.known(), digest: self.digest }
    }

    /// The same body as one that comes back into memory. What happened while it was out of it, nobody took in.
    pub(crate) fn revived(self) -> Made {
        let Save { published, digest, .. } = self;
        Made {
            body: Arc::clone(&published.body),
            digest,
            began: published.began,
            began_ns: published.began_ns,
            made_ns: published.made_ns,
            built_in: published.built_in,
            device: published.device,
            closed: Arc::clone(&published.closed),
            outcome: (*published.outcome).clone(),
            compared: false,
            behind: true,
            folded: false,
            peak_bytes: 0,
        }
    }
}

/// Takes bodies.
pub(crate) struct Saver {
    snapshots: Arc<Snapshots>,
    inbox: Sender<Save>,
    cancel: CancelToken,
    thread: JoinHandle<()>,
}

/// What is told of a save: source, generation, what is stored or why not.
pub(crate) type SaveEnded = (u64, u64, Result<Stored, String>);

impl Saver {
    /// Starts the thread; `ended` is told of each save, once.
    pub(crate) fn start(
        snapshots: Arc<Snapshots>,
        catalogue: Arc<Catalogue>,
        ended: impl Fn(SaveEnded) + Send + 'static,
    ) -> Result<Self, ServiceError> {
        let ((inbox, saves), cancel) = (unbounded(), CancelToken::new());
        let saving = Saving { snapshots: Arc::clone(&snapshots), catalogue, cancel: cancel.clone() };
        let thread = thread::Builder::new().name("hearth-save".to_owned());
        let thread = thread.spawn(move || saving.serve(&saves, &ended));
        let thread = thread.map_err(|error| ServiceError::io("start thread", "hearth-save", error))?;
        Ok(Self { snapshots, inbox, cancel, thread })
    }

    /// Saves a body, soon.
    pub(crate) fn take(&self, save: Save) {
        self.snapshots.saving.lock().insert(save.source.info.id, save.clone());
        // The thread reads until this sender is gone.
        let _ = self.inbox.send(save);
    }

    /// Gives up what is not saved yet.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits for the end of the save that runs.
    pub(crate) fn stop(self) {
        drop(self.inbox);
        // A panic of a save is told as its failure.
        let _ = self.thread.join();
    }
}

struct Saving {
    snapshots: Arc<Snapshots>,
    catalogue: Arc<Catalogue>,
    cancel: CancelToken,
}

impl Saving {
    fn serve(&self, saves: &Receiver<Save>, ended: &dyn Fn(SaveEnded)) {
        pools::yield_to_all();
        for save in saves {
            let (id, generation) = (save.source.info.id, save.published.generation);
            let saved = catch_unwind(AssertUnwindSafe(|| self.save(&save)));
            let result = saved.unwrap_or_else(|panic| Err(describe_panic(&*panic)));
            // Whoever is told may count on the body being let go of.
            self.snapshots.saving.lock().remove(&id);
            drop(save);
            ended((id, generation, result));
        }
    }

    fn save(&self, save: &Save) -> Result<Stored, String> {
        let (source, began) = (&save.source.info.name, Instant::now());
        match self.snapshots.save(save, &self.cancel) {
            Ok((stored, file)) => {
                let generation = stored.generation;
                let took_ms = crate::run::millis(began.elapsed());
                info!(source, generation, bytes = file.bytes, took_ms, "snapshot saved");
                self.catalogue.update(save.source.info.id, |shard| shard.snapshot = Some(file));
                Ok(stored)
            }
            Err(NotSaved::Cancelled(cancelled)) => {
                debug!(source, "the save was stopped");
                Err(cancelled.to_string())
            }
            Err(error) => {
                warn!(source, "the snapshot was not saved: {error}");
                Err(error.to_string())
            }
        }
    }
}
