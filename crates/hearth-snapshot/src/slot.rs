//! Key slots: the data key of a snapshot, wrapped by the machine key.
//!
//! There are two, in blocks of their own, so that the machine key can be changed without a moment in
//! which neither opens: one is written and synced before the other is emptied.

use crate::error::LoadError;
use crate::fields::{Fields, all_zero};
use crate::key::{KeyError, MachineKey};
use crate::layout::{BLOCK_BYTES, SLOTS, TAG_BYTES};
use crate::seal::{KEY_BYTES, NONCE_BYTES, Secret, cipher, empty_secret, open_in_place, seal_in_place};
use std::path::Path;

const KEY_ID_BYTES: usize = 16;

/// A block of the file that holds a wrapped data key.
pub(crate) fn filled(
    machine: &MachineKey,
    data: &Secret,
    nonce: [u8; NONCE_BYTES],
    prefix_hash: &[u8; 32],
) -> Vec<u8> {
    let mut wrapped = data.clone();
    let tag = seal_in_place(&cipher(&machine.wrapping_key()), nonce, prefix_hash, &mut wrapped[..]);
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    block.extend_from_slice(&machine.id());
    block.extend_from_slice(&nonce);
    block.extend_from_slice(&[0; 4]);
    block.extend_from_slice(&wrapped[..]);
    block.extend_from_slice(&tag);
    block.resize(BLOCK_BYTES, 0);
    block
}

/// A block that holds no key.
pub(crate) fn empty() -> Vec<u8> {
    vec![0; BLOCK_BYTES]
}

/// Which of the slots is the machine key's.
pub(crate) fn find(machine: &MachineKey, slots: &[u8]) -> Option<usize> {
    let id = machine.id();
    (0..SLOTS).find(|slot| slots[slot * BLOCK_BYTES..].starts_with(&id))
}

/// The data key, from the slot that is the machine key's.
pub(crate) fn open(
    path: &Path,
    machine: &MachineKey,
    slots: &[u8],
    prefix_hash: &[u8; 32],
) -> Result<Secret, LoadError> {
    let slot = find(machine, slots).ok_or_else(|| KeyError::Other { path: path.to_owned() })?;
    unwrap(machine, &slots[slot * BLOCK_BYTES..][..BLOCK_BYTES], prefix_hash)
        .ok_or_else(|| LoadError::decrypt(path, "the key slot"))
}

fn unwrap(machine: &MachineKey, block: &[u8], prefix_hash: &[u8; 32]) -> Option<Secret> {
    let mut fields = Fields::new(block);
    fields.take(KEY_ID_BYTES)?;
    let (nonce, zero) = (fields.array()?, fields.u32()?);
    let (wrapped, tag) = (fields.array::<KEY_BYTES>()?, fields.take(TAG_BYTES)?);
    let rest_is_zero = zero == 0 && all_zero(fields.take(fields.len())?);
    let mut data = empty_secret();
    data.copy_from_slice(&wrapped);
    open_in_place(&cipher(&machine.wrapping_key()), nonce, prefix_hash, &mut data[..], tag).ok()?;
    rest_is_zero.then_some(data)
}
