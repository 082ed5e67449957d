//! Sealing of parts: AES-256-GCM under a data key that lives for one file.
//!
//! A part's place (what it is, its number, whether it ends a section) is in its nonce and its associated
//! data, and so is the hash of everything before it that must not change. Each place is used once per
//! key, which is what keeps the nonces apart.

use crate::layout::TAG_BYTES;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;

/// Key bytes that are overwritten when they are dropped. Boxed, so that moving leaves no copy.
pub(crate) type Secret = Box<Zeroizing<[u8; KEY_BYTES]>>;

pub(crate) fn empty_secret() -> Secret {
    Box::new(Zeroizing::new([0; KEY_BYTES]))
}

/// What a sealed part is and where it stands.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Chunk { number: u64, last_of_section: bool },
    Header,
    Table { at: u64 },
}

impl Part {
    fn kind(self) -> u8 {
        match self {
            Part::Chunk { .. } => 0,
            Part::Header => 1,
            Part::Table { .. } => 2,
        }
    }

    fn nonce(self) -> [u8; NONCE_BYTES] {
        let number = if let Part::Chunk { number, .. } = self { number } else { 0 };
        let mut nonce = [0; NONCE_BYTES];
        nonce[0] = self.kind();
        nonce[4..].copy_from_slice(&number.to_le_bytes());
        nonce
    }

    /// Hash, number, kind, final flag.
    fn associated(self, bound_to: &[u8; 32]) -> [u8; 42] {
        let (number, last) = match self {
            Part::Chunk { number, last_of_section } => (number, last_of_section),
            Part::Header => (0, true),
            Part::Table { at } => (at, true),
        };
        let mut data = [0; 42];
        data[..32].copy_from_slice(bound_to);
        data[32..40].copy_from_slice(&number.to_le_bytes());
        data[40] = self.kind();
        data[41] = u8::from(last);
        data
    }
}

/// A part is not what was sealed.
#[derive(Debug)]
pub(crate) struct NotSealed;

/// Seals and opens the parts of one file.
pub(crate) struct Sealer(Aes256Gcm);

impl Sealer {
    pub(crate) fn new(key: &Secret) -> Self {
        Self(cipher(key))
    }

    /// Turns a plaintext into what is stored.
    pub(crate) fn seal(&self, part: Part, bound_to: &[u8; 32], bytes: &mut Vec<u8>) {
        let (nonce, associated) = (part.nonce(), part.associated(bound_to));
        let tag = seal_in_place(&self.0, nonce, &associated, bytes);
        bytes.extend_from_slice(&tag);
    }

    /// Opens what is stored, in place, and gives the plaintext.
    pub(crate) fn open<'a>(
        &self,
        part: Part,
        bound_to: &[u8; 32],
        stored: &'a mut [u8],
    ) -> Result<&'a [u8], NotSealed> {
        let len = stored.len().checked_sub(TAG_BYTES).ok_or(NotSealed)?;
        let (text, tag) = stored.split_at_mut(len);
        open_in_place(&self.0, part.nonce(), &part.associated(bound_to), text, tag)?;
        Ok(text)
    }
}

pub(crate) fn cipher(key: &Secret) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(&key[..]).expect("a key has the cipher's length")
}

pub(crate) fn seal_in_place(
    cipher: &Aes256Gcm,
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    text: &mut [u8],
) -> [u8; TAG_BYTES] {
    let tag = cipher.encrypt_inout_detached(&nonce.into(), associated, text.into());
    tag.expect("no part is near the cipher's limit of 64 GiB").into()
}

pub(crate) fn open_in_place(
    cipher: &Aes256Gcm,
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    text: &mut [u8],
    tag: &[u8],
) -> Result<(), NotSealed> {
    let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| NotSealed)?;
    cipher.decrypt_inout_detached(&nonce.into(), associated, text.into(), &tag.into()).map_err(|_| NotSealed)
}
