//! A folder on a real file system, its index, and the operations that change it and say where to look.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use hearth_core::CancelToken;
use hearth_files::entry::{Chunk, Meta};
use hearth_files::follow::{Changed, FollowError, Follower, Look, Reconcile, Seen, What};
use hearth_files::index::{Body, Root, Totals, Volume};
use hearth_files::scan::{ScanCounters, ScanOptions, scan};

pub(crate) fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads"))
}

/// Where trees are made: a file system that never uses an inode number twice, and one that does at once.
pub(crate) const PLACES: [&str; 2] = ["/dev/shm", "/tmp"];

/// A folder that `rm` removes at the end.
pub(crate) struct World {
    pub(crate) root: PathBuf,
    pub(crate) options: ScanOptions,
}

/// Every entry by path, with everything that the index knows of it.
pub(crate) type Rows = BTreeMap<Vec<u8>, (Meta, Option<Totals>)>;

impl World {
    pub(crate) fn in_place(place: &str) -> Self {
        let place = if Path::new(place).is_dir() { PathBuf::from(place) } else { std::env::temp_dir() };
        Self::below(&place)
    }

    pub(crate) fn below(place: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("hearth follow ").tempdir_in(place).expect("a folder");
        let root = folder.keep().canonicalize().expect("it was just made");
        Self { root, options: ScanOptions { threads: Some(3), exclude: Vec::new() } }
    }

    /// A folder with these files and (trailing slash) folders.
    pub(crate) fn with(names: &[&str]) -> Self {
        let world = Self::in_place("/tmp");
        names.iter().for_each(|name| world.make(name));
        world
    }

    pub(crate) fn make(&self, name: &str) {
        let path = self.at(name.trim_end_matches('/'));
        fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
        match name.ends_with('/') {
            true => fs::create_dir_all(path).expect("made"),
            false => fs::write(path, name).expect("written"),
        }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    pub(crate) fn follower(&self) -> Follower {
        Follower::new(self.root.as_os_str().as_bytes(), &self.options)
    }

    /// A body of what is there now.
    pub(crate) fn body(&self) -> Body {
        self.body_of(|chunk| chunk)
    }

    /// A body of edited scan output.
    pub(crate) fn body_of(&self, edit: impl Fn(Chunk) -> Chunk + Sync) -> Body {
        self.scanned(edit).0
    }

    /// A body of edited scan output, and the folders that the scan says were not where it had seen them.
    pub(crate) fn scanned(&self, edit: impl Fn(Chunk) -> Chunk + Sync) -> (Body, Vec<u64>) {
        let chunks = Mutex::new(Vec::new());
        let keep = |chunk| chunks.lock().expect("no panic").push(Arc::new(edit(chunk)));
        let report = scan(&self.root, &self.options, &ScanCounters::default(), &CancelToken::new(), &keep);
        let report = report.expect("the scan ends well");
        let root = Root { path: report.root, meta: report.root_meta };
        let chunks = chunks.into_inner().expect("no panic");
        let body = Body::build(&root, &chunks, pool(), &CancelToken::new()).expect("a body");
        (body, report.astray)
    }

    pub(crate) fn volume(&self) -> Volume {
        Volume::new(&self.body())
    }

    #[track_caller]
    pub(crate) fn look(&self, volume: &mut Volume, looks: &[Look]) -> Seen {
        self.follower().look(volume, looks, &CancelToken::new()).expect("the root is there")
    }

    #[track_caller]
    pub(crate) fn reconcile(&self, volume: &mut Volume, how: &Reconcile) -> Seen {
        self.try_reconcile(volume, how).expect("the root is there")
    }

    pub(crate) fn try_reconcile(&self, volume: &mut Volume, how: &Reconcile) -> Result<Seen, FollowError> {
        self.follower().reconcile(volume, how, &ScanCounters::default(), &CancelToken::new())
    }

    /// The look at an entry by its path.
    pub(crate) fn name(&self, path: &str) -> Look {
        name_look(&self.at(path))
    }

    pub(crate) fn inode(&self, path: &str) -> u64 {
        inode_of(&self.at(path))
    }

    #[track_caller]
    pub(crate) fn assert_fresh(&self, volume: &Volume) {
        let now = volume.body();
        assert_same(&rows(&now), &rows(&self.body()));
        let folded = now.fold(pool(), &CancelToken::new()).expect("nobody cancels");
        assert_same(&rows(&folded), &rows(&now));
    }

    /// As [`World::assert_fresh`], where a scan cannot help leaving traces in the access times of folders.
    #[track_caller]
    pub(crate) fn assert_fresh_but_accesses(&self, volume: &Volume) {
        let without = |body: &Body| {
            let mut rows = rows(body);
            rows.values_mut().for_each(|(meta, _)| meta.accessed_ns = 0);
            rows
        };
        assert_same(&without(&volume.body()), &without(&self.body()));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Command::new("rm").args(["-rf", "--"]).arg(&self.root).status();
    }
}

#[track_caller]
pub(crate) fn assert_same(index: &Rows, fresh: &Rows) {
    for (path, row) in index {
        let shown = String::from_utf8_lossy(path);
        assert_eq!(Some(row), fresh.get(path), "left: the index, right: the disk, at {shown}");
    }
    let missing = fresh.keys().find(|path| !index.contains_key(*path));
    assert_eq!(missing.map(|path| String::from_utf8_lossy(path)), None, "on disk and not in the index");
}

pub(crate) fn rows(body: &Body) -> Rows {
    let (mut rows, mut open) = (Rows::new(), vec![body.root_row()]);
    while let Some(row) = open.pop() {
        let entry = body.entry(row);
        open.extend(body.children(row));
        assert!(rows.insert(entry.path, (entry.meta, entry.totals)).is_none(), "a path twice");
    }
    assert_eq!(rows.len() as u64, body.entries());
    rows
}

pub(crate) fn inode_of(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |meta| meta.ino())
}

pub(crate) fn name_look(path: &Path) -> Look {
    let folder = inode_of(path.parent().expect("not the root of all"));
    Look::Name { folder, name: path.file_name().expect("a name").as_bytes().into() }
}

/// Names that collide, fold and break.
const NAMES: [&[u8]; 8] = [b"a", b"b", b"c", b"A", b"\xff\n", b"src", b"x.rs", "é".as_bytes()];

/// One operation; numbers choose among what exists.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// (folder, name, bytes)
    Write(usize, usize, usize),
    Mkdir(usize, usize),
    /// A folder with folders and files in it.
    Tree(usize, usize),
    Symlink(usize, usize),
    /// (entry, folder, name)
    Link(usize, usize, usize),
    Rename(usize, usize, usize),
    Exchange(usize, usize),
    Remove(usize),
    Append(usize),
    Chmod(usize, u32),
    /// Sets the modification time back.
    Touch(usize),
    /// A folder becomes a file or the other way round.
    Retype(usize),
    /// A folder is replaced by a new one that takes in the old one.
    Wrap(usize),
}

/// What exists, root first.
fn paths(root: &Path) -> Vec<PathBuf> {
    let (mut all, mut open) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(path) = open.pop() {
        if is_folder(&path) {
            open.extend(entries(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}

/// Lists a folder without leaving a trace in its access time, which no feed would tell of.
fn entries(path: &Path) -> Vec<PathBuf> {
    use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
    let folder = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOATIME, Mode::empty());
    let entries = Dir::new(folder.expect("own folder")).expect("a folder");
    let names = entries.map(|entry| entry.expect("readable").file_name().to_bytes().to_vec());
    let names = names.filter(|name| !matches!(&name[..], b"." | b".."));
    names.map(|name| path.join(OsStr::from_bytes(&name))).collect()
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Runs an operation and says where a feed would tell to look. One that is not possible does nothing.
pub(crate) fn run(root: &Path, op: &Op) -> Vec<Look> {
    Script { root, looks: Vec::new() }.run(op)
}

struct Script<'a> {
    root: &'a Path,
    looks: Vec<Look>,
}

impl Script<'_> {
    fn run(mut self, op: &Op) -> Vec<Look> {
        // What is not possible leaves no trace but looks.
        let _ = match *op {
            Op::Write(folder, name, bytes) => self.write(&self.target(folder, name), bytes),
            Op::Mkdir(folder, name) => self.mkdir(&self.target(folder, name)),
            Op::Tree(folder, name) => self.tree(&self.target(folder, name)),
            Op::Symlink(folder, name) => self.symlink(&self.target(folder, name)),
            Op::Link(entry, folder, name) => self.link(&self.entry(entry), &self.target(folder, name)),
            Op::Rename(entry, folder, name) => self.rename(&self.entry(entry), &self.target(folder, name)),
            Op::Exchange(one, other) => self.exchange(&self.entry(one), &self.entry(other)),
            Op::Remove(entry) => self.remove(&self.entry(entry)),
            Op::Append(entry) => self.append(&self.entry(entry)),
            Op::Chmod(entry, mode) => self.chmod(&self.entry(entry), mode),
            Op::Touch(entry) => self.touch(&self.entry(entry)),
            Op::Retype(entry) => self.retype(&self.entry(entry)),
            Op::Wrap(entry) => self.wrap(&self.entry(entry)),
        };
        self.looks
    }

    fn entry(&self, choice: usize) -> PathBuf {
        let paths = paths(self.root);
        paths[choice % paths.len()].clone()
    }

    fn target(&self, folder: usize, name: usize) -> PathBuf {
        let folders: Vec<PathBuf> = paths(self.root).into_iter().filter(|path| is_folder(path)).collect();
        folders[folder % folders.len()].join(OsStr::from_bytes(NAMES[name % NAMES.len()]))
    }

    fn note(&mut self, path: &Path) {
        if path == self.root {
            self.looks.push(Look::Object { inode: inode_of(path) });
        } else {
            self.looks.push(name_look(path));
        }
    }

    /// Kernels tell of a changed number of links by inode only.
    fn note_links(&mut self, path: &Path) {
        if fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_dir() && meta.nlink() > 1) {
            self.looks.push(Look::Object { inode: inode_of(path) });
        }
    }

    fn write(&mut self, path: &Path, bytes: usize) -> std::io::Result<()> {
        self.note(path);
        if is_file(path) || fs::symlink_metadata(path).is_err() {
            fs::write(path, vec![b'x'; bytes])
        } else {
            Ok(())
        }
    }

    fn mkdir(&mut self, path: &Path) -> std::io::Result<()> {
        self.note(path);
        fs::create_dir(path)
    }

    fn tree(&mut self, path: &Path) -> std::io::Result<()> {
        self.mkdir(path)?;
        for inner in ["one", "two"] {
            let folder = path.join(inner);
            self.mkdir(&folder)?;
            self.mkdir(&folder.join("deep"))?;
            self.write(&folder.join("deep").join("file"), 5000)?;
            self.write(&folder.join("file"), 3)?;
        }
        Ok(())
    }

    fn symlink(&mut self, path: &Path) -> std::io::Result<()> {
        self.note(path);
        symlink("..", path)
    }

    fn link(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        fs::hard_link(from, to)?;
        self.note(to);
        self.note_links(to);
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        if from == self.root {
            return Ok(());
        }
        let before = self.looks.len();
        self.note(from);
        self.note(to);
        self.note_links(to);
        let done = fs::rename(from, to);
        if done.is_err() {
            self.looks.truncate(before);
        }
        done
    }

    fn exchange(&mut self, one: &Path, other: &Path) -> std::io::Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if [one, other].contains(&self.root) {
            return Ok(());
        }
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
        self.note(one);
        self.note(other);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> std::io::Result<()> {
        if path == self.root {
            return Ok(());
        }
        if is_folder(path) {
            for entry in entries(path) {
                self.remove(&entry)?;
            }
            self.note(path);
            fs::remove_dir(path)
        } else {
            self.note(path);
            self.note_links(path);
            fs::remove_file(path)
        }
    }

    fn append(&mut self, path: &Path) -> std::io::Result<()> {
        use std::io::Write;
        if !is_file(path) {
            return Ok(());
        }
        self.note(path);
        fs::OpenOptions::new().append(true).open(path)?.write_all(&[b'y'; 700])
    }

    fn chmod(&mut self, path: &Path, mode: u32) -> std::io::Result<()> {
        self.note(path);
        if path.is_symlink() {
            Ok(())
        } else {
            fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o700))
        }
    }

    fn touch(&mut self, path: &Path) -> std::io::Result<()> {
        self.note(path);
        set_old(path)
    }

    fn retype(&mut self, path: &Path) -> std::io::Result<()> {
        let was_folder = is_folder(path);
        self.remove(path)?;
        if path == self.root {
            Ok(())
        } else if was_folder {
            self.write(path, 10)
        } else {
            self.tree(path)
        }
    }

    fn wrap(&mut self, path: &Path) -> std::io::Result<()> {
        if path == self.root || !is_folder(path) {
            return Ok(());
        }
        let aside = self.root.join("aside");
        self.rename(path, &aside)?;
        self.mkdir(path)?;
        self.rename(&aside, &path.join("inner"))
    }
}

pub(crate) fn set_old(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let old = Timespec { tv_sec: 1_000_000_000, tv_nsec: 77 };
    let times = Timestamps { last_access: old, last_modification: old };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// What a call recorded, in short.
pub(crate) fn told(seen: &Seen) -> Vec<String> {
    let line = |change: &Changed| {
        let what = match change.what {
            What::Created => "created",
            What::Removed => "removed",
            What::Moved { .. } => "moved",
            What::Modified => "modified",
        };
        format!("{what} {} {}", change.kind.as_str(), String::from_utf8_lossy(&change.name))
    };
    seen.changes.iter().map(line).collect()
}
