//! Changing the machine key: the data keys of snapshots are wrapped anew, their chunks stay as they are.
//!
//! A snapshot has two key slots. First every snapshot gets the new key beside the old one, then the key
//! file is replaced, then the old key is taken out everywhere. So after a crash at any point the key
//! file holds one of both keys, and every snapshot opens with it.

use crate::error::LoadError;
use crate::key::{KeyError, MachineKey, write_key};
use crate::layout::{BLOCK_BYTES, SLOTS, SLOTS_AT};
use crate::reader::Envelope;
use crate::seal::NONCE_BYTES;
use crate::slot;
use crate::storage::{Onto, Open, Storage, write_all_at};
use std::path::{Path, PathBuf};

/// What a change of the machine key did.
#[derive(Debug)]
pub struct Rotation {
    /// The key that counts from now on.
    pub key: MachineKey,
    /// How many snapshots open with it.
    pub rewrapped: usize,
    /// Snapshots that do not, and why. They will be made anew.
    pub left_out: Vec<(PathBuf, LoadError)>,
}

/// Replaces the key file at `key_file`, which holds `old`, by a new key, and wraps the data keys of
/// `snapshots` under it.
///
/// # Errors
/// The key file could not be replaced, or its folder not synced. Either key opens what the old one opened
/// before; which of them counts, [`crate::find_key`] tells.
pub fn rotate_key_file(
    storage: &dyn Storage,
    key_file: &Path,
    old: &MachineKey,
    snapshots: &[PathBuf],
) -> Result<Rotation, KeyError> {
    let new = MachineKey::random(storage).map_err(|source| KeyError::Io {
        path: key_file.to_owned(),
        doing: "make a key for",
        source,
    })?;
    let added = each(snapshots, |path| add_key(storage, path, old, &new));
    write_key(storage, key_file, &new, Onto::Anything)?;
    let kept = each(&added.done, |path| keep_only_key(storage, path, &new));
    let left_out = added.failed.into_iter().chain(kept.failed).collect();
    Ok(Rotation { key: new, rewrapped: kept.done.len(), left_out })
}

struct Each {
    done: Vec<PathBuf>,
    failed: Vec<(PathBuf, LoadError)>,
}

fn each(paths: &[PathBuf], act: impl Fn(&Path) -> Result<(), LoadError>) -> Each {
    let mut each = Each { done: Vec::new(), failed: Vec::new() };
    for path in paths {
        match act(path) {
            Ok(()) => each.done.push(path.clone()),
            Err(error) => each.failed.push((path.clone(), error)),
        }
    }
    each
}

/// Lets a snapshot that opens with `old` open with `new` too, durably.
pub fn add_key(
    storage: &dyn Storage,
    path: &Path,
    old: &MachineKey,
    new: &MachineKey,
) -> Result<(), LoadError> {
    let envelope = Envelope::open(storage, path, Open::ReadWrite)?;
    let data_key = envelope.data_key(old)?;
    let mut nonce = [0; NONCE_BYTES];
    storage.fill_random(&mut nonce).map_err(|error| envelope.file.io("make a nonce for", error))?;
    let block = slot::filled(new, &data_key, nonce, &envelope.prefix.hash());
    put_beside(&envelope, old, &block)
}

/// Takes every key but `key`, which opens the snapshot, out of it, durably.
pub fn keep_only_key(storage: &dyn Storage, path: &Path, key: &MachineKey) -> Result<(), LoadError> {
    let envelope = Envelope::open(storage, path, Open::ReadWrite)?;
    envelope.data_key(key)?;
    put_beside(&envelope, key, &slot::empty())
}

/// Writes the slot that `key` does not use.
fn put_beside(envelope: &Envelope, key: &MachineKey, block: &[u8]) -> Result<(), LoadError> {
    let used = slot::find(key, &envelope.slots).expect("the key has opened its slot");
    let offset = SLOTS_AT + ((SLOTS - 1 - used) * BLOCK_BYTES) as u64;
    let file = &envelope.file;
    write_all_at(&*file.file, block, offset).map_err(|error| file.io("write a key into", error))?;
    file.file.sync().map_err(|error| file.io("sync", error))
}
