//! A disk in memory that keeps its word no further than a real one has to.
//!
//! It holds a live image, what programs see, and a durable one, what a power cut leaves. What was not synced
//! survives a cut or does not, sector by sector and in any order, torn in the middle at times; so do names of a
//! folder that was not synced. Every operation has a number, and a fault can be set on any of them.
//! Everything random follows from the seed, so that a failure can be seen again.
//!
//! This is for tests. Its random numbers are no good for keys.

use super::{Listed, Onto, Open, Ownership, Storage, StorageFile};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Written as a whole or torn, bytes.
const SECTOR_BYTES: usize = 512;
/// Modification time of the first operation; each is a second later than the one before.
const FIRST_NS: i64 = 1_000_000_000_000_000_000;
const USER: u32 = 1000;

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power fails: the operation may or may not happen, and none happens after it.
    PowerCut,
    /// The disk is full, if the operation needs room.
    NoSpace,
    /// The disk fails at this operation, and only at this one.
    BadDisk,
}

/// How the disk behaves all the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Reads and writes move less than they are told to.
    pub short_transfers: bool,
    /// Syncs of files succeed and do nothing.
    pub syncs_lie: bool,
}

/// A disk in memory that lies. Clones are the same disk.
#[derive(Clone)]
pub struct LyingDisk(Arc<Mutex<World>>);

struct World {
    /// Paths that programs see.
    live: BTreeMap<PathBuf, usize>,
    /// Paths that are durable.
    durable: BTreeMap<PathBuf, usize>,
    /// What happened to paths and is not durable.
    unsynced: Vec<Renaming>,
    files: Vec<Content>,
    manners: Manners,
    faults: BTreeMap<u64, Fault>,
    operations: u64,
    down: bool,
    random: Random,
}

/// One change of names: `from` is gone, `to` is file `file`.
struct Renaming {
    from: Option<PathBuf>,
    to: Option<(PathBuf, usize)>,
}

struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    ownership: Ownership,
    modified_ns: i64,
}

impl LyingDisk {
    /// An empty disk.
    pub fn new(seed: u64, manners: Manners) -> Self {
        Self(Arc::new(Mutex::new(World {
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced: Vec::new(),
            files: Vec::new(),
            manners,
            faults: BTreeMap::new(),
            operations: 0,
            down: false,
            random: Random(seed),
        })))
    }

    /// Number of operations so far: the number of the next one.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Sets a fault on an operation to come.
    pub fn set_fault(&self, operation: u64, fault: Fault) {
        self.0.lock().faults.insert(operation, fault);
    }

    /// Takes back all faults that did not happen yet.
    pub fn clear_faults(&self) {
        self.0.lock().faults.clear();
    }

    /// True once the power has failed.
    pub fn is_down(&self) -> bool {
        self.0.lock().down
    }

    /// The disk that is found after the power fails now, with one of the images that are possible.
    #[must_use]
    pub fn after_power_cut(&self, seed: u64) -> Self {
        let world = self.0.lock();
        let mut random = Random(seed);
        let mut paths = world.durable.clone();
        for renaming in world.unsynced.iter().filter(|_| random.below(2) == 0) {
            renaming.apply(&mut paths);
        }
        let disk = Self::new(random.next(), world.manners);
        {
            let mut found = disk.0.lock();
            for (path, file) in paths {
                let content = &world.files[file];
                found.place(&path, content.after_power_cut(&mut random), content.ownership);
            }
        }
        disk
    }

    /// Puts a file on the disk, durably, without an operation. `mode` are its permission bits.
    pub fn put(&self, path: &Path, bytes: &[u8], mode: u32) {
        self.0.lock().place(path, bytes.to_vec(), Ownership { owner: USER, mode, regular: true });
    }

    /// Gives a file to another user.
    pub fn set_owner(&self, path: &Path, owner: u32) {
        let mut world = self.0.lock();
        let file = world.live[path];
        world.files[file].ownership.owner = owner;
    }

    /// What programs see of a file.
    pub fn get(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.0.lock();
        world.live.get(path).map(|&file| world.files[file].live.clone())
    }

    /// All bytes that are anywhere on the disk: live, durable or on their way, names included.
    pub fn everything(&self) -> Vec<u8> {
        let world = self.0.lock();
        let mut bytes = Vec::new();
        for path in world.live.keys().chain(world.durable.keys()) {
            bytes.extend_from_slice(path.as_os_str().as_encoded_bytes());
        }
        for file in &world.files {
            bytes.extend_from_slice(&file.live);
            bytes.extend_from_slice(&file.durable);
            file.unsynced.iter().for_each(|(_, written)| bytes.extend_from_slice(written));
        }
        bytes
    }
}

impl World {
    /// Counts an operation. `Err` is what it fails with; `Ok(true)` means that it happens, and the power
    /// fails with it.
    fn step(&mut self, needs_room: bool) -> io::Result<bool> {
        if self.down {
            return Err(no_power());
        }
        let fault = self.faults.remove(&self.operations);
        self.operations += 1;
        match fault {
            Some(Fault::PowerCut) => {
                self.down = true;
                if self.random.below(2) == 0 { Ok(true) } else { Err(no_power()) }
            }
            Some(Fault::NoSpace) if needs_room => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::BadDisk) => Err(io::Error::other("the disk fails")),
            _ => Ok(false),
        }
    }

    fn place(&mut self, path: &Path, bytes: Vec<u8>, ownership: Ownership) {
        let file = self.add(bytes, ownership);
        self.live.insert(path.to_owned(), file);
        self.durable.insert(path.to_owned(), file);
    }

    fn add(&mut self, bytes: Vec<u8>, ownership: Ownership) -> usize {
        let modified_ns = self.now_ns();
        let (live, durable) = (bytes.clone(), bytes);
        self.files.push(Content { live, durable, unsynced: Vec::new(), ownership, modified_ns });
        self.files.len() - 1
    }

    fn now_ns(&self) -> i64 {
        FIRST_NS + i64::try_from(self.operations).unwrap_or(0) * 1_000_000_000
    }

    fn change_names(&mut self, renaming: Renaming) {
        renaming.apply(&mut self.live);
        self.unsynced.push(renaming);
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.live.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How much of a transfer happens.
    fn transfer(&mut self, len: usize) -> usize {
        if self.manners.short_transfers && len > 1 { 1 + self.random.below(len) } else { len }
    }
}

impl Renaming {
    fn apply(&self, paths: &mut BTreeMap<PathBuf, usize>) {
        if let Some(from) = &self.from {
            paths.remove(from);
        }
        if let Some((to, file)) = &self.to {
            paths.insert(to.clone(), *file);
        }
    }

    fn concerns(&self, folder: &Path) -> bool {
        let to = self.to.as_ref().map(|(to, _)| to);
        self.from.iter().chain(to).any(|path| path.parent() == Some(folder))
    }
}

impl Content {
    /// One of the contents that a power cut may leave: all of what was not synced, nothing, or pieces.
    fn after_power_cut(&self, random: &mut Random) -> Vec<u8> {
        match random.below(4) {
            0 => self.durable.clone(),
            1 => self.live_of_durable(),
            _ => self.pieces(random),
        }
    }

    fn live_of_durable(&self) -> Vec<u8> {
        let mut found = self.durable.clone();
        self.unsynced.iter().for_each(|(offset, bytes)| overwrite(&mut found, *offset, bytes));
        found
    }

    fn pieces(&self, random: &mut Random) -> Vec<u8> {
        let mut found = self.durable.clone();
        let mut sectors = Vec::new();
        for (offset, bytes) in &self.unsynced {
            let sector = |index| (offset + index * SECTOR_BYTES, index * SECTOR_BYTES);
            let all = (0..bytes.len().div_ceil(SECTOR_BYTES)).map(sector);
            sectors.extend(all.map(|(at, from)| (at, &bytes[from..bytes.len().min(from + SECTOR_BYTES)])));
        }
        let lost = random.below(100);
        for _ in 0..sectors.len() {
            let (at, bytes) = sectors.swap_remove(random.below(sectors.len()));
            match random.below(100) {
                kept if kept >= lost => overwrite(&mut found, at, bytes),
                0..5 => overwrite(&mut found, at, &bytes[..random.below(bytes.len() + 1)]),
                _ => {}
            }
        }
        found
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    content.resize(content.len().max(end), 0);
    content[offset..end].copy_from_slice(bytes);
}

fn no_power() -> io::Error {
    io::Error::other("the power has failed")
}

/// What an operation gives, unless the power failed with it.
fn unless_cut<T>(cut: bool, done: T) -> io::Result<T> {
    if cut { Err(no_power()) } else { Ok(done) }
}

struct LyingFile {
    world: Arc<Mutex<World>>,
    file: usize,
}

impl LyingDisk {
    fn handle(&self, file: usize) -> Box<dyn StorageFile> {
        Box::new(LyingFile { world: Arc::clone(&self.0), file })
    }
}

impl Storage for LyingDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let mut world = self.0.lock();
        let cut = world.step(true)?;
        if world.live.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = world.add(Vec::new(), Ownership { owner: USER, mode: 0o600, regular: true });
        world.change_names(Renaming { from: None, to: Some((path.to_owned(), file)) });
        unless_cut(cut, self.handle(file))
    }

    fn open(&self, path: &Path, _how: Open) -> io::Result<Box<dyn StorageFile>> {
        let mut world = self.0.lock();
        let cut = world.step(false)?;
        let file = world.find(path)?;
        unless_cut(cut, self.handle(file))
    }

    fn rename(&self, from: &Path, to: &Path, onto: Onto) -> io::Result<()> {
        let mut world = self.0.lock();
        let cut = world.step(true)?;
        let file = world.find(from)?;
        if onto == Onto::Nothing && world.live.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.change_names(Renaming { from: Some(from.to_owned()), to: Some((to.to_owned(), file)) });
        unless_cut(cut, ())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        let cut = world.step(false)?;
        world.find(path)?;
        world.change_names(Renaming { from: Some(path.to_owned()), to: None });
        unless_cut(cut, ())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        let cut = world.step(false)?;
        let world = &mut *world;
        for renaming in world.unsynced.extract_if(.., |renaming| renaming.concerns(folder)) {
            renaming.apply(&mut world.durable);
        }
        unless_cut(cut, ())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut world = self.0.lock();
        let cut = world.step(false)?;
        let inside = world.live.iter().filter(|(path, _)| path.parent() == Some(folder));
        let listed = inside.map(|(path, &file)| Listed {
            name: path.file_name().unwrap_or_default().to_owned(),
            len: world.files[file].live.len() as u64,
            modified_ns: world.files[file].modified_ns,
        });
        let listed = listed.collect();
        unless_cut(cut, listed)
    }

    fn user(&self) -> u32 {
        USER
    }

    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()> {
        let mut world = self.0.lock();
        bytes.iter_mut().for_each(|byte| *byte = world.random.next().to_le_bytes()[7]);
        Ok(())
    }
}

impl StorageFile for LyingFile {
    fn len(&self) -> io::Result<u64> {
        let mut world = self.world.lock();
        let cut = world.step(false)?;
        unless_cut(cut, world.files[self.file].live.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world.lock();
        let cut = world.step(false)?;
        let len = world.transfer(bytes.len());
        let live = &world.files[self.file].live;
        let from = live.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let len = len.min(from.len());
        bytes[..len].copy_from_slice(&from[..len]);
        unless_cut(cut, len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world.lock();
        let cut = world.step(true)?;
        let len = world.transfer(bytes.len());
        let modified_ns = world.now_ns();
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let file = &mut world.files[self.file];
        overwrite(&mut file.live, offset, &bytes[..len]);
        file.unsynced.push((offset, bytes[..len].to_vec()));
        file.modified_ns = modified_ns;
        unless_cut(cut, len)
    }

    /// A sync that fails loses what it could not write, and the next one knows nothing of it; so do real ones.
    fn sync(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        let world = &mut *world;
        let step = world.step(false);
        let file = &mut world.files[self.file];
        let after = match &step {
            Ok(_) => file.live_of_durable(),
            Err(_) if world.down => return Err(no_power()),
            Err(_) => file.pieces(&mut world.random),
        };
        if !world.manners.syncs_lie {
            file.durable = after;
            file.unsynced.clear();
        }
        step.and_then(|cut| unless_cut(cut, ()))
    }

    fn ownership(&self) -> io::Result<Ownership> {
        Ok(self.world.lock().files[self.file].ownership)
    }
}

/// Numbers that follow from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }
}
