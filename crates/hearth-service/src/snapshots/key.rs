//! The machine key of a service: found when it is first needed, changed by an operator's word.
//!
//! One that is not found is looked for again at the next need. While it is changed nothing is sealed, so
//! that no snapshot ends up under a key that nobody has any more.

use super::Snapshots;
use crate::api::{KeyRotation, SnapshotMode, SourceInfo};
use crate::config::Config;
use crate::error::ServiceError;
use hearth_snapshot::{
    FoundKey, KEY_FILE_NAME, KeyError, KeyOrigin, KeyPlaces, MachineKey, Storage, find_key, rotate_key_file,
};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// The key, once it is found.
pub(super) struct Keys {
    credentials: Option<PathBuf>,
    configured: Option<PathBuf>,
    state: PathBuf,
    mode: SnapshotMode,
    found: Mutex<Option<Found>>,
}

#[derive(Clone)]
struct Found {
    key: Arc<MachineKey>,
    origin: KeyOrigin,
}

impl Keys {
    pub(super) fn new(config: &Config, state: PathBuf, mode: SnapshotMode) -> Self {
        let (credentials, configured) = (config.credentials.clone(), config.snapshot.key_file.clone());
        Self { credentials, configured, state, mode, found: Mutex::default() }
    }

    /// The file that a new key would go to.
    pub(super) fn file(&self) -> PathBuf {
        self.configured.clone().unwrap_or_else(|| self.state.join(KEY_FILE_NAME))
    }

    /// The key; where none is, one is made.
    pub(super) fn key(&self, storage: &dyn Storage) -> Result<Arc<MachineKey>, KeyError> {
        self.find(storage).map(|found| found.key)
    }

    fn find(&self, storage: &dyn Storage) -> Result<Found, KeyError> {
        let mut found = self.found.lock();
        if let Some(found) = &*found {
            return Ok(found.clone());
        }
        // Whoever only reads makes no key: what is sealed under another one stays closed either way.
        let own = self.state.join(KEY_FILE_NAME);
        if self.mode == SnapshotMode::ReadOnly && self.configured.is_none() && !own.exists() {
            return Err(KeyError::Missing(own));
        }
        let places = KeyPlaces {
            credentials: self.credentials.as_deref(),
            configured: self.configured.as_deref(),
            state: &self.state,
        };
        let FoundKey { key, origin } = find_key(storage, &places)?;
        Ok(found.insert(Found { key: Arc::new(key), origin }).clone())
    }
}

impl Snapshots {
    /// Where the key comes from, in words.
    pub(crate) fn describe_key(&self) -> Result<String, String> {
        let found = self.keys.find(&*self.storage).map_err(|error| error.to_string())?;
        Ok(match found.origin {
            KeyOrigin::Credential(path) => format!("systemd credential {}", path.display()),
            KeyOrigin::Configured(path) => format!("{} (snapshot.key_file)", path.display()),
            KeyOrigin::State(path) | KeyOrigin::Created(path) => path.display().to_string(),
        })
    }

    /// Replaces the key and seals the snapshots of these sources under the new one.
    pub(crate) fn rotate(&self, sources: &[SourceInfo]) -> Result<KeyRotation, ServiceError> {
        let refused = |message: String, hint: &str| ServiceError::BadRequest {
            field: "key",
            message,
            hint: hint.to_owned(),
        };
        if self.mode != SnapshotMode::ReadWrite {
            let hint = "ask the daemon that saves them; `snapshot.enabled = true` lets one do so";
            return Err(refused("this process does not save snapshots".to_owned(), hint));
        }
        let unusable = |error: KeyError| {
            refused(error.to_string(), "mend the key first, or take it away: a new one is made")
        };
        let _alone = self.sealing.write();
        let before = self.keys.find(&*self.storage).map_err(unusable)?;
        let key_file = match &before.origin {
            KeyOrigin::Credential(path) => {
                let hint = "give the service another credential; its snapshots are then made anew";
                return Err(refused(format!("{} is systemd's", path.display()), hint));
            }
            KeyOrigin::Configured(path) | KeyOrigin::State(path) | KeyOrigin::Created(path) => path.clone(),
        };
        let there: Vec<&SourceInfo> = sources.iter().filter(|source| self.is_there(source.id)).collect();
        let paths: Vec<PathBuf> = there.iter().map(|source| self.path(source.id)).collect();
        let rotated = rotate_key_file(&*self.storage, &key_file, &before.key, &paths).map_err(unusable)?;
        let origin = before.origin;
        *self.keys.found.lock() = Some(Found { key: Arc::new(rotated.key), origin });
        let why = |source: &SourceInfo| {
            let path = self.path(source.id);
            rotated.left_out.iter().find(|(left, _)| *left == path).map(|(_, error)| error.to_string())
        };
        let mut rotation = KeyRotation { key_file, resealed: Vec::new(), left_out: Vec::new() };
        for source in there {
            match why(source) {
                None => rotation.resealed.push(source.name.clone()),
                Some(why) => rotation.left_out.push((source.name.clone(), why)),
            }
        }
        Ok(rotation)
    }
}
