//! What all tests here need: a storage of either kind, a key, a header, contents, saving and loading.

use hearth_snapshot::*;
use rayon::ThreadPool;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub(crate) const MACHINE_KEY: [u8; 32] = *b"the machine key of all the tests";
pub(crate) const OTHER_KEY: [u8; 32] = *b"another machine key of the tests";
pub(crate) const KIND: [u8; 4] = *b"test";
pub(crate) const IDENTITY: &[u8] = b"file system 7, subvolume 5, inode 256";
pub(crate) const EPOCH: &[u8] = b"index 1, configuration 9";
pub(crate) const SAVED_AT_NS: i64 = 1_700_000_000_000_000_000;

/// Sections: number, codec, content.
pub(crate) type Contents = Vec<(u32, Codec, Vec<u8>)>;

/// A storage and a folder in it.
pub(crate) struct Shelf {
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) folder: PathBuf,
    _kept: Option<tempfile::TempDir>,
}

impl Shelf {
    pub(crate) fn real() -> Self {
        let kept = tempfile::tempdir().expect("a temporary folder can be made");
        Self { storage: Box::new(RealStorage), folder: kept.path().to_owned(), _kept: Some(kept) }
    }

    pub(crate) fn lying(manners: Manners) -> Self {
        let disk = LyingDisk::new(7, manners);
        Self { storage: Box::new(disk), folder: PathBuf::from("/shelf"), _kept: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("volume.snapshot")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let files = self.storage.list(&self.folder).expect("the folder can be listed");
        files.into_iter().map(|file| file.name.to_string_lossy().into_owned()).collect()
    }
}

/// Runs a test on every kind of storage.
pub(crate) fn on_both(test: impl Fn(&Shelf)) {
    test(&Shelf::real());
    test(&Shelf::lying(Manners::default()));
    test(&Shelf::lying(Manners { short_transfers: true, syncs_lie: false }));
}

pub(crate) fn pool() -> &'static ThreadPool {
    static POOL: LazyLock<ThreadPool> = LazyLock::new(|| {
        rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started")
    });
    &POOL
}

pub(crate) fn key_of(bytes: [u8; 32]) -> MachineKey {
    let disk = LyingDisk::new(0, Manners::default());
    let path = Path::new("/key");
    disk.put(path, &bytes, 0o600);
    let places = KeyPlaces { credentials: None, configured: Some(path), state: Path::new("/") };
    find_key(&disk, &places).expect("the key file is fine").key
}

pub(crate) fn key() -> MachineKey {
    key_of(MACHINE_KEY)
}

pub(crate) fn header() -> Header {
    Header {
        kind: KIND,
        identity: IDENTITY.to_vec(),
        epoch: EPOCH.to_vec(),
        clock: b"clock 42".to_vec(),
        saved_at_ns: SAVED_AT_NS,
        counts: vec![3, 1 << 40],
    }
}

pub(crate) fn expected() -> Expected<'static> {
    Expected { kind: KIND, identity: IDENTITY, epoch: EPOCH, freshness: None }
}

/// Bytes that no codec shortens.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Bytes that codecs shorten to a third or so.
pub(crate) fn prose(seed: u64, len: usize) -> Vec<u8> {
    noise(seed, len).iter().map(|byte| b"aaaabbcdefgh    "[usize::from(byte & 15)]).collect()
}

pub(crate) fn save(
    storage: &dyn Storage,
    path: &Path,
    header: &Header,
    key: &MachineKey,
    contents: &Contents,
) -> Result<Saved, SaveError> {
    let mut writer = Writer::begin(storage, pool(), path, header, key)?;
    for (id, codec, content) in contents {
        writer.section(*id, *codec)?;
        writer.write(content)?;
    }
    writer.commit()
}

pub(crate) fn load(storage: &dyn Storage, path: &Path, key: &MachineKey) -> Result<Contents, LoadError> {
    contents_of(&Reader::open(storage, path, &expected(), key)?)
}

pub(crate) fn contents_of(reader: &Reader) -> Result<Contents, LoadError> {
    let read = |section: Section| {
        let mut content = Vec::new();
        reader.read_chunks(section.id, |offset, bytes| {
            assert_eq!(offset, content.len() as u64);
            content.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok((section.id, section.codec, content))
    };
    reader.sections().map(read).collect()
}
