//! The machine key, and where it comes from.
//!
//! The first place that is set decides: a systemd credential, a configured file, a file of our own in
//! the state folder, which is made where there is none. A place that is set and does not work is an
//! error and not a reason to try the next: snapshots sealed under another key would never be read.
//!
//! Key bytes are overwritten when they are dropped, and are never shown.

use crate::error::SaveError;
use crate::seal::{KEY_BYTES, Secret, empty_secret};
use crate::storage::{Onto, Open, Ownership, Storage, StorageFile, read_exact_at};
use crate::temporary::{TemporaryFile, folder_of};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Name of the systemd credential.
pub const CREDENTIAL_NAME: &str = "hearth-snapshot-key";
/// Name of the key file in the state folder.
pub const KEY_FILE_NAME: &str = "snapshot.key";

const ID_CONTEXT: &str = "hearth-snapshot 1 key id";
const WRAPPING_CONTEXT: &str = "hearth-snapshot 1 wrapping key";
/// A key in hexadecimal digits and a line feed.
const LONGEST_FILE: usize = 2 * KEY_BYTES + 1;
const GROUP_MAY_WRITE_OR_RUN_OTHERS_ANYTHING: u32 = 0o037;
const GROUP_AND_OTHERS_ANYTHING: u32 = 0o077;

/// The key that wraps the data keys of snapshots.
pub struct MachineKey(Secret);

impl MachineKey {
    /// A new key.
    pub fn random(storage: &dyn Storage) -> io::Result<Self> {
        let mut secret = empty_secret();
        storage.fill_random(&mut secret[..])?;
        Ok(Self(secret))
    }

    /// Reads a key of 32 bytes, or of 64 hexadecimal digits with or without a line feed.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut secret = empty_secret();
        let digits = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.len() == KEY_BYTES {
            secret.copy_from_slice(bytes);
        } else if digits.len() == 2 * KEY_BYTES {
            for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = digit(pair[0])? << 4 | digit(pair[1])?;
            }
        } else {
            return None;
        }
        Some(Self(secret))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// Tells keys apart, and tells nothing about them.
    pub(crate) fn id(&self) -> [u8; 16] {
        let derived = Zeroizing::new(blake3::derive_key(ID_CONTEXT, self.bytes()));
        *derived.first_chunk().expect("32 bytes hold 16")
    }

    pub(crate) fn wrapping_key(&self) -> Secret {
        let derived = Zeroizing::new(blake3::derive_key(WRAPPING_CONTEXT, self.bytes()));
        let mut secret = empty_secret();
        secret.copy_from_slice(&derived[..]);
        secret
    }
}

impl fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MachineKey(…)")
    }
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// Why there is no machine key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A configured key file is not there.
    #[error("{}: there is no key file; make one of 32 random bytes, or take it out of the configuration", .0.display())]
    Missing(PathBuf),
    /// Somebody else could have read or written it.
    #[error("{}: mode {mode:03o} and owner {owner} let others at the key; wanted: your own, mode 600", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
    },
    /// What is in it is no key.
    #[error("{}: not a key: wanted a regular file of 32 bytes or 64 hexadecimal digits", .0.display())]
    Malformed(PathBuf),
    /// The disk did not give it.
    #[error("{}: cannot {doing} the key file: {source}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A key file could not be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// There is a key, and it is not the one that sealed this snapshot.
    #[error("{}: sealed under another machine key, which was changed or lost", path.display())]
    Other {
        /// The snapshot.
        path: PathBuf,
    },
}

/// Where to look for the machine key.
#[derive(Clone, Copy, Debug)]
pub struct KeyPlaces<'a> {
    /// The folder of systemd credentials, as `$CREDENTIALS_DIRECTORY` names it.
    pub credentials: Option<&'a Path>,
    /// A configured key file.
    pub configured: Option<&'a Path>,
    /// The folder where a key of our own is kept.
    pub state: &'a Path,
}

/// Where a machine key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// A systemd credential.
    Credential(PathBuf),
    /// The configured key file.
    Configured(PathBuf),
    /// Our own key file in the state folder.
    State(PathBuf),
    /// Our own key file, which was not there before: older snapshots cannot be opened.
    Created(PathBuf),
}

/// A machine key and where it came from.
#[derive(Debug)]
pub struct FoundKey {
    /// The key.
    pub key: MachineKey,
    /// Its place.
    pub origin: KeyOrigin,
}

/// Finds the machine key, or makes one in the state folder where no place has one.
pub fn find_key(storage: &dyn Storage, places: &KeyPlaces<'_>) -> Result<FoundKey, KeyError> {
    if let Some(path) = places.credentials.map(|folder| folder.join(CREDENTIAL_NAME))
        && let Some(key) = read_key(storage, &path, Trust::Credential)?
    {
        return Ok(FoundKey { key, origin: KeyOrigin::Credential(path) });
    }
    if let Some(path) = places.configured {
        let key = read_key(storage, path, Trust::Own)?.ok_or_else(|| KeyError::Missing(path.to_owned()))?;
        return Ok(FoundKey { key, origin: KeyOrigin::Configured(path.to_owned()) });
    }
    let path = places.state.join(KEY_FILE_NAME);
    match read_key(storage, &path, Trust::Own) {
        Ok(Some(key)) => adopt(storage, key, path),
        Ok(None) => create_key(storage, path, Onto::Nothing),
        // Our own file, and nothing that could be a key: there is nothing to lose.
        Err(KeyError::Malformed(_)) => create_key(storage, path, Onto::Anything),
        Err(error) => Err(error),
    }
}

/// Makes a key file that appears whole or not at all, and adopts one that somebody else made meanwhile.
fn create_key(storage: &dyn Storage, path: PathBuf, onto: Onto) -> Result<FoundKey, KeyError> {
    let key = MachineKey::random(storage).map_err(|source| KeyError::io(&path, "make", source))?;
    match write_key(storage, &path, &key, onto) {
        Ok(()) => Ok(FoundKey { key, origin: KeyOrigin::Created(path) }),
        Err(SaveError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            let key = read_key(storage, &path, Trust::Own)?.ok_or_else(|| KeyError::Missing(path.clone()))?;
            adopt(storage, key, path)
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes a key that is in the state folder. Whoever put it there may have failed to make its name
/// durable, and what is sealed under it must not outlive it.
fn adopt(storage: &dyn Storage, key: MachineKey, path: PathBuf) -> Result<FoundKey, KeyError> {
    let folder = folder_of(&path);
    storage.sync_folder(folder).map_err(|source| KeyError::io(folder, "sync the folder of", source))?;
    Ok(FoundKey { key, origin: KeyOrigin::State(path) })
}

/// Puts a key file in place, durably.
pub(crate) fn write_key(
    storage: &dyn Storage,
    path: &Path,
    key: &MachineKey,
    onto: Onto,
) -> Result<(), SaveError> {
    let mut file = TemporaryFile::create(storage, path)?;
    file.append(key.bytes())?;
    file.commit(onto)
}

/// Who may stand behind a key file.
#[derive(Clone, Copy)]
enum Trust {
    /// systemd: it keeps credentials as root's and lets the service's user in by an ACL, whose mask
    /// shows as read permission of the group.
    Credential,
    /// Our user or root, nobody else.
    Own,
}

fn read_key(storage: &dyn Storage, path: &Path, trust: Trust) -> Result<Option<MachineKey>, KeyError> {
    let file = match storage.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeyError::io(path, "open", source)),
    };
    let ownership = file.ownership().map_err(|source| KeyError::io(path, "look at", source))?;
    check_ownership(path, &ownership, storage.user(), trust)?;
    let bytes = read_short(&*file).map_err(|source| KeyError::io(path, "read", source))?;
    match bytes.and_then(|bytes| MachineKey::parse(&bytes)) {
        Some(key) if ownership.regular => Ok(Some(key)),
        _ => Err(KeyError::Malformed(path.to_owned())),
    }
}

fn check_ownership(path: &Path, file: &Ownership, user: u32, trust: Trust) -> Result<(), KeyError> {
    let forbidden = match trust {
        Trust::Credential => GROUP_MAY_WRITE_OR_RUN_OTHERS_ANYTHING,
        Trust::Own => GROUP_AND_OTHERS_ANYTHING,
    };
    if file.mode & forbidden == 0 && (file.owner == user || file.owner == 0) {
        return Ok(());
    }
    Err(KeyError::Exposed { path: path.to_owned(), mode: file.mode, owner: file.owner })
}

/// The whole content, or `None` if it is longer than a key file may be.
fn read_short(file: &dyn StorageFile) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > LONGEST_FILE {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(vec![0; len]);
    read_exact_at(file, &mut bytes, 0)?;
    Ok(Some(bytes))
}

impl KeyError {
    fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, source }
    }
}
