//! A tree that changes at random, and what it is at an instant: the oracle.
//!
//! The walk knows nothing of the product. Names are never used twice, so that a wrong state is seen as one.

use hearth_client::Entry;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, Metadata};
use std::hash::{Hash, Hasher};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// What is compared of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    kind: String,
    size: u64,
    modified_ns: i64,
    file_id: u64,
    mode: u32,
    links: u32,
}

impl Facts {
    /// As the daemon tells them.
    pub(crate) fn told(entry: &Entry) -> Self {
        let told = || {
            Some(Self {
                kind: entry.kind.clone()?,
                size: entry.size?,
                modified_ns: entry.modified_ns?,
                file_id: entry.file_id?,
                mode: entry.mode?,
                links: entry.links?,
            })
        };
        told().unwrap_or_else(|| panic!("a column is missing: {entry:?}"))
    }

    fn seen(meta: &Metadata) -> Self {
        let kind = meta.file_type();
        let kind = if kind.is_dir() {
            "dir"
        } else if kind.is_symlink() {
            "link"
        } else {
            "file"
        };
        Self {
            kind: kind.to_owned(),
            size: meta.len(),
            modified_ns: meta.mtime() * 1_000_000_000 + meta.mtime_nsec(),
            file_id: meta.ino(),
            mode: meta.mode(),
            links: u32::try_from(meta.nlink()).expect("few links"),
        }
    }
}

/// Everything in a tree, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State(BTreeMap<Vec<u8>, Facts>);

impl State {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A walk.
    pub(crate) fn of(root: &Path) -> Self {
        let mut state = Self::new();
        let mut paths = vec![root.to_owned()];
        while let Some(path) = paths.pop() {
            let meta = fs::symlink_metadata(&path).expect("it is there");
            if meta.is_dir() {
                let entries = fs::read_dir(&path).expect("a folder");
                paths.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
            state.0.insert(path.as_os_str().as_bytes().to_vec(), Facts::seen(&meta));
        }
        state
    }

    pub(crate) fn extend(&mut self, rows: impl Iterator<Item = (Vec<u8>, Facts)>) {
        for (path, facts) in rows {
            let shown = String::from_utf8_lossy(&path).into_owned();
            assert!(self.0.insert(path, facts).is_none(), "{shown} came twice");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes in another tree.
    pub(crate) fn merge(&mut self, other: State) {
        self.0.extend(other.0);
    }

    /// A number that other states do not have.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// The first few entries that are not the same: path, here, there.
    pub(crate) fn differences<'a>(
        &'a self,
        other: &'a State,
    ) -> Vec<(String, Option<&'a Facts>, Option<&'a Facts>)> {
        let paths = self.0.keys().chain(other.0.keys().filter(|path| !self.0.contains_key(*path)));
        let both = paths.map(|path| (path, self.0.get(path), other.0.get(path)));
        let differ = both.filter(|(_, here, there)| here != there).take(10);
        differ.map(|(path, here, there)| (String::from_utf8_lossy(path).into_owned(), here, there)).collect()
    }
}

/// Numbers that a seed gives (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// An index into something that is not empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("an index")
    }
}

/// A tree that is changed at random.
pub(crate) struct Grove {
    root: PathBuf,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    made: u64,
    dice: Dice,
}

impl Grove {
    /// Plants so many folders and files under a root that is empty.
    pub(crate) fn plant(root: &Path, folders: usize, files: usize, seed: u64) -> Self {
        let (files_there, dice) = (Vec::new(), Dice::new(seed));
        let mut grove =
            Self { root: root.to_owned(), folders: vec![root.to_owned()], files: files_there, made: 0, dice };
        (1..folders).for_each(|_| grove.add_folder());
        (0..files).for_each(|_| grove.add_file());
        grove
    }

    /// Changes so many things.
    pub(crate) fn change(&mut self, changes: u64) {
        for _ in 0..changes {
            match self.dice.below(16) {
                0..4 => self.add_file(),
                4..7 => self.remove_file(),
                7..10 => self.rename_file(),
                10..12 => self.resize_file(),
                12 => self.add_folder(),
                13 => self.move_folder(),
                14 => self.link(),
                _ => self.change_mode(),
            }
        }
    }

    fn fresh_name(&mut self, stem: &str, ending: &str) -> PathBuf {
        self.made += 1;
        let at = self.dice.index(self.folders.len());
        self.folders[at].join(format!("{stem}-{:05}{ending}", self.made))
    }

    fn pick_file(&mut self) -> Option<usize> {
        (!self.files.is_empty()).then(|| self.dice.index(self.files.len()))
    }

    fn add_file(&mut self) {
        let ending = [".txt", ".rs", ".jpg", ""][self.dice.index(4)];
        let path = self.fresh_name("file", ending);
        let len = self.dice.index(300);
        fs::write(&path, vec![b'x'; len]).expect("a file");
        self.files.push(path);
    }

    fn remove_file(&mut self) {
        let Some(at) = self.pick_file() else { return };
        fs::remove_file(self.files.swap_remove(at)).expect("it is there");
    }

    fn rename_file(&mut self) {
        let Some(at) = self.pick_file() else { return };
        let to = self.fresh_name("moved", ".txt");
        fs::rename(&self.files[at], &to).expect("it is there");
        self.files[at] = to;
    }

    fn resize_file(&mut self) {
        let Some(at) = self.pick_file() else { return };
        let len = self.dice.index(9000);
        // Through a symbolic link it would make a file where the link points.
        if !self.files[at].is_symlink() {
            fs::write(&self.files[at], vec![b'y'; len]).expect("a file");
        }
    }

    fn add_folder(&mut self) {
        let path = self.fresh_name("folder", "");
        fs::create_dir(&path).expect("a folder");
        self.folders.push(path);
    }

    /// Renames a folder with all that is in it.
    fn move_folder(&mut self) {
        let at = self.dice.index(self.folders.len());
        let (from, to) = (self.folders[at].clone(), self.fresh_name("carried", ""));
        if from == self.root || to.starts_with(&from) {
            return;
        }
        fs::rename(&from, &to).expect("it is there");
        for path in self.folders.iter_mut().chain(&mut self.files) {
            if let Ok(rest) = path.strip_prefix(&from) {
                *path = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            }
        }
    }

    fn link(&mut self) {
        let Some(at) = self.pick_file() else { return };
        let to = self.fresh_name("link", "");
        if self.dice.below(2) == 0 {
            fs::hard_link(&self.files[at], &to).expect("a link");
        } else {
            symlink("nowhere", &to).expect("a link");
        }
        self.files.push(to);
    }

    fn change_mode(&mut self) {
        let Some(at) = self.pick_file() else { return };
        let mode = [0o600, 0o644, 0o755][self.dice.index(3)];
        if !self.files[at].is_symlink() {
            fs::set_permissions(&self.files[at], fs::Permissions::from_mode(mode)).expect("it is ours");
        }
    }
}
