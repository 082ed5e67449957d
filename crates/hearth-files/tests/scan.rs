//! The scanner against real file systems: what it finds equals what `find` finds, whatever the names, the
//! shape and the mounts. Parts that need root (mounts, another user) say so and do nothing without.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsStr};
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use hearth_core::limits::TREE_DEPTH;
use hearth_core::{CancelToken, Cancelled, EntryKind};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR, RawRow};
use hearth_files::scan::{
    ExcludeRule, SAMPLES, SKIPPED_LISTED, ScanCounters, ScanError, ScanOptions, ScanReport, SkipReason,
    Skipped, scan, volume_of,
};
use proptest::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

/// A folder that is removed at the end by `rm`, which copes with any depth.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hearth scan ").tempdir().expect("a temporary folder");
        Self(folder.keep().canonicalize().expect("it was just made"))
    }

    fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// A folder with these files and (trailing slash) folders.
    fn with(names: &[&str]) -> Self {
        let folder = Self::new();
        for name in names {
            let path = folder.join(name.trim_end_matches('/'));
            fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
            match name.ends_with('/') {
                true => fs::create_dir_all(path).expect("made"),
                false => fs::write(path, name).expect("written"),
            }
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = Command::new("rm").args(["-rf", "--"]).arg(&self.0).status();
    }
}

/// Something mounted, until the end of the test.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: &Path, arguments: &[&str]) -> Self {
        let status = Command::new("mount").args(arguments).arg(path).status().expect("mount runs");
        assert!(status.success(), "mount {arguments:?} {}", path.display());
        Self(path.to_path_buf())
    }

    fn tmpfs(path: &Path) -> Self {
        Self::at(path, &["-t", "tmpfs", "hearth-test"])
    }

    fn bind(from: &Path, to: &Path) -> Self {
        Self::at(to, &["--bind", from.to_str().expect("plain")])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Whether this process may mount; if not, says which part of which test is left out.
fn may_mount(part: &str) -> bool {
    let folder = Folder::new();
    let mut mount = Command::new("mount");
    let status = mount.args(["-t", "tmpfs", "hearth-test"]).arg(&folder.0).stderr(Stdio::null()).status();
    let may = status.is_ok_and(|status| status.success());
    match may {
        true => drop(Mounted(folder.0.clone())),
        false => drop(writeln!(std::io::stderr(), "{part}: left out, this user may not mount")),
    }
    may
}

/// A finished scan with its rows by path relative to the root.
struct Found {
    report: ScanReport,
    rows: BTreeMap<Vec<u8>, Meta>,
}

impl Found {
    fn names(&self) -> Vec<String> {
        self.rows.keys().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    fn skipped(&self) -> Vec<(String, SkipReason)> {
        let below = |skipped: &Skipped| {
            let path = skipped.path.strip_prefix(self.report.root.as_slice()).expect("below the root");
            String::from_utf8_lossy(&path[1..]).into_owned()
        };
        self.report.skipped.iter().map(|skipped| (below(skipped), skipped.why.clone())).collect()
    }
}

fn options() -> ScanOptions {
    ScanOptions { threads: Some(4), exclude: Vec::new() }
}

fn scan_all(root: &Path) -> Found {
    scan_with(root, &options())
}

fn scan_with(root: &Path, options: &ScanOptions) -> Found {
    let (report, chunks) = scan_chunks(root, options);
    let rows = unique(paths_of(&chunks));
    Found { report, rows }
}

/// Scans, and checks what holds for every scan.
fn scan_chunks(root: &Path, options: &ScanOptions) -> (ScanReport, Vec<Chunk>) {
    let chunks = Mutex::new(Vec::new());
    let counters = ScanCounters::default();
    let keep = |chunk| chunks.lock().expect("no panic").push(chunk);
    let report = scan(root, options, &counters, &CancelToken::new(), &keep).expect("the scan ends well");
    let chunks = chunks.into_inner().expect("no panic");
    assert_eq!(report.entries, chunks.iter().map(|chunk| chunk.rows.len() as u64).sum::<u64>());
    assert_eq!(report.entries, counters.entries.into_inner());
    assert_eq!(report.directories, counters.directories.into_inner());
    assert!(report.skipped_total >= report.skipped.len() as u64 && report.samples.len() <= SAMPLES);
    (report, chunks)
}

/// Rows with their paths, resolved through the directory numbers.
fn paths_of(chunks: &[Chunk]) -> Vec<(Vec<u8>, Meta)> {
    let mut dirs: HashMap<u32, (u32, &[u8])> = HashMap::new();
    for chunk in chunks {
        for row in &chunk.rows {
            assert_eq!(row.dir != NOT_A_DIR, row.meta.kind() == EntryKind::Dir);
            if row.dir != NOT_A_DIR {
                assert!(row.dir != 0 && dirs.insert(row.dir, (row.parent, chunk.name(&row))).is_none());
            }
        }
    }
    let path = |mut parent: u32, name: &[u8]| {
        let mut parts = vec![name];
        while parent != 0 {
            let (above, name) = dirs[&parent];
            parts.push(name);
            parent = above;
        }
        parts.reverse();
        parts.join(&b'/')
    };
    let rows = |chunk: &Chunk| {
        let resolve = |row: RawRow| (path(row.parent, chunk.name(&row)), row.meta);
        chunk.rows.iter().map(resolve).collect::<Vec<_>>()
    };
    chunks.iter().flat_map(rows).collect()
}

fn unique(rows: Vec<(Vec<u8>, Meta)>) -> BTreeMap<Vec<u8>, Meta> {
    let count = rows.len();
    let map: BTreeMap<_, _> = rows.into_iter().collect();
    assert_eq!(map.len(), count, "a path twice");
    map
}

/// What `find` says about every entry, as text in the form of [`described`].
fn by_find(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let format = "%P\\0%y %s %b %i %m %U %G %n %T@\\0";
    let mut find = Command::new("find");
    let out =
        find.arg(root).args(["-xdev", "-mindepth", "1", "-printf", format]).output().expect("find runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut fields = out.stdout.split(|byte| *byte == 0);
    let mut rows = BTreeMap::new();
    while let (Some(path), Some(rest)) = (fields.next(), fields.next()) {
        rows.insert(path.to_vec(), String::from_utf8_lossy(rest).into_owned());
    }
    rows
}

fn described(meta: &Meta) -> String {
    let kind = match meta.kind() {
        EntryKind::Dir => 'd',
        EntryKind::Link => 'l',
        EntryKind::Fifo => 'p',
        EntryKind::Socket => 's',
        EntryKind::Block => 'b',
        EntryKind::Char => 'c',
        EntryKind::File | EntryKind::Stream => 'f',
    };
    let Meta { size, allocated, inode, mode, uid, gid, links, modified_ns, .. } = meta;
    let (seconds, nanos) = (modified_ns.div_euclid(1_000_000_000), modified_ns.rem_euclid(1_000_000_000));
    let (blocks, mode) = (allocated / 512, mode & 0o7777);
    format!("{kind} {size} {blocks} {inode} {mode:o} {uid} {gid} {links} {seconds}.{nanos:09}0")
}

#[track_caller]
fn assert_as_find(root: &Path) {
    let found = scan_all(root);
    let ours: BTreeMap<_, _> =
        found.rows.iter().map(|(path, meta)| (path.clone(), described(meta))).collect();
    assert_eq!(ours, by_find(root));
    let Found { report, .. } = found;
    assert_eq!((report.denied, report.vanished, report.failed, report.skipped_total), (0, 0, 0, 0));
    assert_eq!(report.root, fs::canonicalize(root).expect("there").as_os_str().as_bytes());
    assert_eq!(report.root_meta.inode, fs::metadata(root).expect("there").ino());
}

/// A random tree: every step makes an entry in one of the folders made before.
#[derive(Clone, Debug)]
struct Step {
    parent: prop::sample::Index,
    name: Vec<u8>,
    kind: u8,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = (1_u8..=255).prop_filter("no slash", |byte| *byte != b'/');
    let any = prop::collection::vec(byte.clone(), 1..12);
    let long = prop::collection::vec(byte, 255);
    let odd = prop::sample::select(vec![
        &b"a\nb"[..],
        b"\t",
        b"\x1b[31m",
        b"\xff\xfe",
        b"...",
        b" ",
        b"-rf",
        b"\\040",
    ]);
    let name = prop_oneof![4 => any, 1 => long, 2 => odd.prop_map(<[u8]>::to_vec)];
    name.prop_filter("no dots", |name| name != b"." && name != b"..")
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<prop::sample::Index>(), name(), 0_u8..8);
    prop::collection::vec(step.prop_map(|(parent, name, kind)| Step { parent, name, kind }), 0..60)
}

fn build(root: &Path, steps: &[Step]) {
    let mut folders = vec![root.to_path_buf()];
    for step in steps {
        let path = step.parent.get(&folders).join(OsStr::from_bytes(&step.name));
        let made = match step.kind {
            0..=2 => fs::create_dir(&path).map(|()| folders.push(path)),
            3 => symlink("..", &path),
            4 => rustix::fs::mkfifoat(CWD, &path, Mode::RUSR).map_err(Into::into),
            5 => std::os::unix::net::UnixListener::bind(&path).map(drop),
            _ => fs::File::create_new(&path).and_then(|mut file| file.write_all(&[b'x'; 5000])),
        };
        // Names may collide, and a socket's path may be too long: such a step makes nothing.
        drop(made);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn random_trees_scan_as_find_lists_them(steps in steps()) {
        let folder = Folder::new();
        build(&folder.0, &steps);
        assert_as_find(&folder.0);
    }
}

#[test]
fn a_real_tree_scans_the_same_with_any_number_of_threads() {
    let real = Path::new("/usr/share");
    let one = scan_with(real, &ScanOptions { threads: Some(1), ..options() });
    for threads in [2, 16, 10_000] {
        let many = scan_with(real, &ScanOptions { threads: Some(threads), ..options() });
        assert_eq!(one.rows.len(), many.rows.len(), "{threads} threads");
        assert!(one.rows.keys().eq(many.rows.keys()), "{threads} threads");
    }
    assert_as_find(real);
}

#[test]
fn an_empty_folder_has_no_rows() {
    let folder = Folder::new();
    let found = scan_all(&folder.0);
    assert!(found.rows.is_empty());
    assert_eq!(found.report.directories, 1);
}

#[test]
fn links_are_rows_and_never_followed() {
    let folder = Folder::with(&["a/file"]);
    for (target, at) in
        [(".", "self"), ("..", "a/up"), ("../a", "a/a"), ("nowhere", "dangling"), ("loop", "loop")]
    {
        symlink(target, folder.join(at)).expect("linked");
    }
    let found = scan_all(&folder.0);
    assert_eq!(found.names(), ["a", "a/a", "a/file", "a/up", "dangling", "loop", "self"]);
    assert_eq!(found.rows[&b"self"[..]].kind(), EntryKind::Link);
    assert_as_find(&folder.0);
}

#[test]
fn hard_links_are_rows_of_one_inode() {
    let folder = Folder::with(&["a/one", "b/"]);
    fs::hard_link(folder.join("a/one"), folder.join("b/two")).expect("linked");
    let found = scan_all(&folder.0);
    let (one, two) = (found.rows[&b"a/one"[..]], found.rows[&b"b/two"[..]]);
    assert_eq!(one, two);
    assert_eq!(one.links, 2);
}

#[test]
fn the_root_may_be_reached_through_a_link() {
    let folder = Folder::with(&["real/file"]);
    symlink("real", folder.join("link")).expect("linked");
    let found = scan_all(&folder.join("link/.././link/"));
    assert_eq!(found.names(), ["file"]);
    assert_eq!(found.report.root, folder.join("real").into_os_string().into_vec());
}

#[test]
fn what_is_no_root_is_an_error_that_says_so() {
    let folder = Folder::with(&["file"]);
    let failed = |path: &Path| {
        let result = scan(path, &options(), &ScanCounters::default(), &CancelToken::new(), &|_| {});
        result.expect_err("not a root")
    };
    let path = folder.join("none");
    assert_eq!(failed(&path), ScanError::NotFound { path });
    let path = folder.join("file");
    assert_eq!(failed(&path), ScanError::NotADirectory { path });
    let path = folder.join("file/below");
    assert_eq!(failed(&path), ScanError::NotADirectory { path });
    for (path, fs_type) in [("/proc", "proc"), ("/proc/self/fd", "proc"), ("/sys", "sysfs")] {
        let expected = ScanError::VirtualFileSystem { path: path.into(), fs_type: fs_type.into() };
        assert_eq!(failed(Path::new(path)), expected);
    }
}

/// Makes a chain of `levels` folders named `name`, each with a file `f` and a folder `s/t`, without ever
/// naming a path.
fn make_chain(root: &Path, name: &str, levels: usize, siblings: bool) {
    let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at: OwnedFd = openat(CWD, root, open, Mode::empty()).expect("opened");
    for _ in 0..levels {
        mkdirat(&at, name, Mode::RWXU).expect("made");
        at = openat(&at, name, open, Mode::empty()).expect("opened");
        if siblings {
            openat(at.as_fd(), "f", OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR)
                .expect("made");
            mkdirat(&at, "s", Mode::RWXU).expect("made");
            mkdirat(&at, "s/t", Mode::RWXU).expect("made");
        }
    }
}

fn deepest(found: &Found) -> usize {
    found.rows.keys().map(|path| path.split(|byte| *byte == b'/').count()).max().unwrap_or(0)
}

#[test]
fn paths_longer_than_the_system_allows_are_found() {
    let folder = Folder::new();
    make_chain(&folder.0, &"x".repeat(200), 300, true);
    let found = scan_all(&folder.0);
    assert_eq!(found.rows.len(), 4 * 300);
    assert_eq!(deepest(&found), 302);
    assert_eq!(found.report.failed + found.report.vanished + found.report.denied, 0);
}

#[test]
fn the_tree_ends_at_the_depth_limit_and_the_report_says_so() {
    let folder = Folder::new();
    make_chain(&folder.0, "d", TREE_DEPTH + 5, false);
    let (report, chunks) = scan_chunks(&folder.0, &options());
    assert_eq!(chunks.iter().map(|chunk| chunk.rows.len()).sum::<usize>(), TREE_DEPTH);
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].why, SkipReason::TooDeep);
    assert_eq!(report.skipped[0].path.len(), folder.0.as_os_str().len() + 2 * TREE_DEPTH);
    assert_eq!(report.directories, TREE_DEPTH as u64);
}

/// Set, to the folder to scan, in the process that may open few descriptors.
const LIMITED: &str = "HEARTH_TEST_SCAN_WITH_FEW_DESCRIPTORS";

/// Runs itself again in a process that may open few descriptors, so that no directory keeps one.
#[test]
fn few_descriptors_are_enough_for_any_tree() {
    if let Some(root) = std::env::var_os(LIMITED) {
        let found = scan_with(Path::new(&root), &ScanOptions { threads: Some(32), ..options() });
        assert_eq!(found.rows.len(), 4 * 120 + 40 * 41);
        assert_eq!(
            found.report.failed + found.report.vanished + found.report.denied,
            0,
            "{:?}",
            found.report.samples
        );
        return;
    }
    let folder = Folder::new();
    make_chain(&folder.0, &"y".repeat(100), 120, true);
    for wide in 0..40 {
        for below in 0..40 {
            fs::create_dir_all(folder.join(format!("w{wide}/b{below}"))).expect("made");
        }
    }
    let own = std::env::current_exe().expect("known");
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=40:40").arg(own).args(["--exact", "few_descriptors_are_enough_for_any_tree"]);
    let out = limited.env(LIMITED, &folder.0).output().expect("prlimit runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

fn fill(folder: &Path, count: usize) {
    fs::create_dir_all(folder).expect("made");
    for number in 0..count {
        fs::write(folder.join(format!("entry {number:07}")), b"").expect("written");
    }
}

fn check_large(count: usize) {
    let folder = Folder::new();
    let _memory = may_mount("the large directory is on disk; in memory").then(|| Mounted::tmpfs(&folder.0));
    fill(&folder.join("large"), count);
    fill(&folder.join("small"), 10);
    let (report, chunks) = scan_chunks(&folder.0, &options());
    assert_eq!(report.directories, 3);
    assert!(chunks.iter().all(|chunk| chunk.rows.len() <= 16_384));
    let rows = unique(paths_of(&chunks));
    assert_eq!(rows.len(), count + 10 + 2);
    assert!((0..count).all(|number| rows.contains_key(format!("large/entry {number:07}").as_bytes())));
}

#[test]
fn a_directory_of_200_000_entries() {
    check_large(200_000);
}

#[test]
#[ignore = "a million files take a while: cargo test --release -- --ignored"]
fn a_directory_of_a_million_entries() {
    check_large(1_000_000);
}

#[test]
fn a_wide_tree_of_folders_is_found_whole() {
    let folder = Folder::new();
    let _memory = may_mount("the wide tree is on disk; in memory").then(|| Mounted::tmpfs(&folder.0));
    for number in 0..20_000 {
        fs::create_dir(folder.join(format!("{number}"))).expect("made");
    }
    let (report, chunks) = scan_chunks(&folder.0, &ScanOptions { threads: Some(16), ..options() });
    assert_eq!((report.entries, report.directories), (20_000, 20_001));
    assert_eq!(unique(paths_of(&chunks)).len(), 20_000);
}

/// Runs `work` on a thread that has the rights of nobody, which threads started from it inherit.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let drop_rights = || {
        use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
        if rustix::process::geteuid().is_root() {
            set_thread_groups(&[]).expect("root may");
            set_thread_gid(rustix::process::Gid::from_raw(65_534)).expect("root may");
            set_thread_uid(rustix::process::Uid::from_raw(65_534)).expect("root may");
        }
    };
    let run = || {
        drop_rights();
        work()
    };
    std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

#[test]
fn what_may_not_be_read_is_counted_named_and_still_a_row() {
    let folder = Folder::with(&["closed/secret", "listed/file", "listed/dir/", "passed/file", "open/file"]);
    symlink("x", folder.join("listed/link")).expect("linked");
    set_mode(&folder.0, 0o755);
    let modes = [("closed", 0o700), ("listed", 0o744), ("passed", 0o711), ("open", 0o755)];
    let owner = if rustix::process::geteuid().is_root() { 0 } else { 6 };
    // Without root the owner is the one who is kept out.
    modes.iter().for_each(|(name, mode)| set_mode(&folder.join(name), (mode << owner) & 0o777));
    let found = as_nobody(|| scan_all(&folder.0));
    modes.iter().for_each(|(name, _)| set_mode(&folder.join(name), 0o755));

    let names =
        ["closed", "listed", "listed/dir", "listed/file", "listed/link", "open", "open/file", "passed"];
    assert_eq!(found.names(), names);
    assert_eq!(found.report.denied, 2 + 3, "two folders do not open, three entries show only their name");
    assert_eq!(found.report.samples.len(), 5);
    assert!(
        found.report.samples.iter().all(|text| text.contains("Permission denied")),
        "{:?}",
        found.report.samples
    );
    for (name, kind) in [("dir", EntryKind::Dir), ("file", EntryKind::File), ("link", EntryKind::Link)] {
        let meta = found.rows[format!("listed/{name}").as_bytes()];
        let inode = fs::symlink_metadata(folder.join("listed").join(name)).expect("there").ino();
        assert_eq!(meta, Meta::unknown(kind, inode), "{name}");
    }
}

#[test]
fn a_root_that_may_not_be_read_is_an_error() {
    let folder = Folder::with(&["closed/file"]);
    set_mode(&folder.0, 0o755);
    let path = folder.join("closed");
    set_mode(&path, 0);
    let result =
        as_nobody(|| scan(&path, &options(), &ScanCounters::default(), &CancelToken::new(), &|_| {}));
    set_mode(&path, 0o755);
    assert_eq!(result.err(), Some(ScanError::Denied { path }));
}

/// Makes, renames and removes entries until told to stop.
fn churn(root: &Path, thread: usize, stop: &AtomicBool) {
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let at = root.join(format!("d{}", round % 10));
        let (one, two) = (at.join(format!("tmp {thread} {round}")), at.join(format!("was {thread} {round}")));
        // Others may have taken the folder away: then there is nothing to undo.
        let _ =
            fs::write(&one, b"x").and_then(|()| fs::rename(&one, &two)).and_then(|()| fs::remove_file(&two));
        let _ = fs::create_dir(&one).and_then(|()| fs::write(one.join("inner"), b""));
        let _ = fs::rename(&one, root.join(format!("moved {thread}")));
        let _ = fs::remove_dir_all(root.join(format!("moved {thread}")));
    }
}

fn check_changing(root: &Path) {
    let mut stable = Vec::new();
    for dir in 0..10 {
        fill(&root.join(format!("d{dir}/stay")), 30);
        for number in 0..400 {
            let path = format!("d{dir}/stable {number}");
            fs::write(root.join(&path), b"").expect("written");
            stable.push(path);
        }
        stable.extend((0..30).map(|number| format!("d{dir}/stay/entry {number:07}")));
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let stop = &stop;
            scope.spawn(move || churn(root, thread, stop));
        }
        for _ in 0..25 {
            let (report, chunks) = scan_chunks(root, &options());
            let rows = paths_of(&chunks);
            let mut seen: HashMap<&[u8], usize> = HashMap::new();
            rows.iter().for_each(|(path, _)| *seen.entry(path).or_default() += 1);
            let wrong = stable.iter().find(|path| seen.get(path.as_bytes()) != Some(&1));
            stop.store(wrong.is_some(), Ordering::Relaxed);
            assert_eq!(wrong, None, "not exactly once");
            assert_eq!(report.failed, 0, "{:?}", report.samples);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn all_that_stays_is_found_once_while_the_rest_changes() {
    let folder = Folder::new();
    check_changing(&folder.0);
}

#[test]
fn all_that_stays_is_found_once_while_a_tmpfs_changes() {
    if may_mount("a changing tmpfs") {
        let folder = Folder::new();
        let _memory = Mounted::tmpfs(&folder.0);
        check_changing(&folder.0);
    }
}

#[test]
fn a_loop_of_bind_mounts_ends_and_shows_nothing_twice() {
    if !may_mount("bind mounts") {
        return;
    }
    let folder = Folder::new();
    let _memory = Mounted::tmpfs(&folder.0);
    fs::create_dir_all(folder.join("a/loop")).expect("made");
    fs::create_dir_all(folder.join("again")).expect("made");
    fs::write(folder.join("a/file"), b"1").expect("written");
    fs::write(folder.join("again/covered"), b"1").expect("written");
    let _loop = Mounted::bind(&folder.0, &folder.join("a/loop"));
    let _again = Mounted::bind(&folder.join("a"), &folder.join("again"));
    let _file = Mounted::bind(&folder.join("a/file"), &folder.join("a/file"));
    let found = scan_all(&folder.0);
    assert_eq!(found.names(), ["a", "a/file", "a/loop", "again"]);
    let twice = |path: &str| (path.to_owned(), SkipReason::SecondView);
    assert_eq!(found.skipped(), [twice("a/loop"), twice("again")]);
    assert_eq!(found.report.directories, 2);

    let inside = scan_all(&folder.join("a/loop"));
    assert_eq!(
        inside.names(),
        ["a", "a/file", "a/loop", "again", "again/covered"],
        "that mount has none on it"
    );
    let volume = volume_of(&folder.join("again/file")).expect("a mount");
    let shown = (volume.root.as_slice(), Path::new(OsStr::from_bytes(&volume.path)), volume.fs_type.as_str());
    assert_eq!(shown, (&b"/a"[..], folder.join("again").as_path(), "tmpfs"));
    let below = scan_all(&folder.join("a"));
    let outside = SkipReason::OtherPart { folder: b"/".to_vec() };
    assert_eq!(below.skipped(), [("loop".to_owned(), outside)], "more than this scan reaches");
}

#[test]
fn other_file_systems_are_named_and_not_entered() {
    if !may_mount("mounts") {
        return;
    }
    let folder = Folder::with(&["tmp/covered", "proc/", "own/file"]);
    let _tmp = Mounted::tmpfs(&folder.join("tmp"));
    fs::write(folder.join("tmp/other"), b"").expect("written");
    let _proc = Mounted::at(&folder.join("proc"), &["-t", "proc", "proc"]);
    let found = scan_all(&folder.0);
    assert_eq!(found.names(), ["own", "own/file", "proc", "tmp"]);
    let tmpfs = SkipReason::OtherFileSystem { fs_type: "tmpfs".into() };
    let proc = SkipReason::VirtualFileSystem { fs_type: "proc".into() };
    assert_eq!(found.skipped(), [("proc".to_owned(), proc), ("tmp".to_owned(), tmpfs)]);
    assert_eq!(found.rows[&b"tmp"[..]].inode, fs::metadata(folder.join("tmp")).expect("there").ino());
    assert_eq!(scan_all(&folder.join("tmp")).names(), ["other"], "a tmpfs may be a root");
}

#[test]
fn an_overlay_is_one_volume_whatever_layer_a_file_is_on() {
    if !may_mount("an overlay of two file systems") {
        return;
    }
    let folder = Folder::with(&["lower/a/one", "upper/", "merged/"]);
    let _upper = Mounted::tmpfs(&folder.join("upper"));
    fs::create_dir_all(folder.join("upper/files/a/sub")).expect("made");
    fs::write(folder.join("upper/files/a/two"), b"2").expect("written");
    fs::create_dir(folder.join("upper/work")).expect("made");
    let at = |name: &str| folder.join(name).display().to_string().replace(' ', "\\ ");
    let (lower, upper, work) = (at("lower"), at("upper/files"), at("upper/work"));
    let layers = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let merged = folder.join("merged");
    let _merged = Mounted::at(&merged, &["-t", "overlay", "overlay", "-o", &layers]);
    let found = scan_all(&merged);
    assert_eq!(found.names(), ["a", "a/one", "a/sub", "a/two"]);
    assert_eq!(found.report.skipped_total, 0);
}

fn rules(texts: &[&str]) -> ScanOptions {
    let parse = |text: &&str| ExcludeRule::parse(text.as_bytes()).expect("a rule");
    ScanOptions { exclude: texts.iter().map(parse).collect(), ..options() }
}

#[test]
fn excluded_folders_are_rows_without_contents() {
    let folder = Folder::with(&["a/skip/x", "b/skip", "c/keep/x", "c/d/keep/x", "cc/keep/x"]);
    symlink("c", folder.join("link")).expect("linked");
    let texts = ["**/skip".to_owned(), folder.join("c/keep").display().to_string(), "/elsewhere".to_owned()];
    let options = rules(&texts.each_ref().map(String::as_str));
    let found = scan_with(&folder.0, &options);
    let rest =
        ["b", "b/skip", "c", "c/d", "c/d/keep", "c/d/keep/x", "c/keep", "cc", "cc/keep", "cc/keep/x", "link"];
    assert_eq!(found.names(), ["a", "a/skip"].into_iter().chain(rest).collect::<Vec<_>>());
    let by = |path: &str, rule: usize| (path.to_owned(), SkipReason::Excluded(options.exclude[rule].clone()));
    assert_eq!(found.skipped(), [by("a/skip", 0), by("c/keep", 1)]);

    let through_link = folder.join("link/d").display().to_string();
    let found = scan_with(&folder.0, &rules(&[&through_link]));
    assert!(found.rows.contains_key(&b"c/d"[..]) && !found.rows.contains_key(&b"c/d/keep"[..]));
    let itself = folder.0.display().to_string();
    assert_eq!(scan_with(&folder.0, &rules(&[&itself])).report.skipped_total, 0, "who names a root wants it");
}

#[test]
fn lists_in_the_report_end_and_counts_do_not() {
    let folder = Folder::new();
    for number in 0..SKIPPED_LISTED + 50 {
        fs::create_dir_all(folder.join(format!("{number}/skip"))).expect("made");
    }
    let closed = SAMPLES + 5;
    (0..closed).for_each(|number| fs::create_dir(folder.join(format!("closed {number}"))).expect("made"));
    set_mode(&folder.0, 0o755);
    (0..closed).for_each(|number| set_mode(&folder.join(format!("closed {number}")), 0));
    let report = as_nobody(|| scan_with(&folder.0, &rules(&["skip"]))).report;
    (0..closed).for_each(|number| set_mode(&folder.join(format!("closed {number}")), 0o755));
    assert_eq!((report.skipped.len(), report.skipped_total), (SKIPPED_LISTED, SKIPPED_LISTED as u64 + 50));
    assert_eq!((report.samples.len(), report.denied), (SAMPLES, closed as u64));
}

#[test]
fn the_default_rules_leave_snapshots_out() {
    let folder = Folder::with(&[".snapshots/1/file", "kept/file"]);
    let found = scan_with(&folder.0, &ScanOptions::default());
    assert_eq!(found.names(), [".snapshots", "kept", "kept/file"]);
}

#[test]
fn a_cancelled_scan_ends_early_and_says_so() {
    let folder = Folder::new();
    fill(&folder.join("many"), 30_000);
    let cancel = CancelToken::new();
    let chunks = AtomicUsize::new(0);
    let sink = |_| {
        chunks.fetch_add(1, Ordering::Relaxed);
        cancel.cancel();
    };
    let one = ScanOptions { threads: Some(1), ..options() };
    let result = scan(&folder.0, &one, &ScanCounters::default(), &cancel, &sink);
    assert_eq!(result.err(), Some(ScanError::Cancelled(Cancelled::Requested)));
    assert!(chunks.into_inner() <= 2, "the first chunk and what was under way");

    let late = CancelToken::new().with_deadline(Instant::now());
    let never = |_| unreachable!("cancelled before the start");
    let result = scan(&folder.0, &one, &ScanCounters::default(), &late, &never);
    assert_eq!(result.err(), Some(ScanError::Cancelled(Cancelled::DeadlinePassed)));
}

#[test]
fn a_panic_of_the_receiver_is_an_error_and_no_hang() {
    let folder = Folder::with(&["a/b/c/file", "d/file"]);
    let sink = |_| panic!("receiver broke");
    for threads in [1, 8] {
        let options = ScanOptions { threads: Some(threads), ..options() };
        let result = scan(&folder.0, &options, &ScanCounters::default(), &CancelToken::new(), &sink);
        let Err(ScanError::Panicked { message, .. }) = result else { panic!("not noticed") };
        assert_eq!(message, "receiver broke");
    }
}

#[test]
fn access_times_of_folders_are_left_alone() {
    let folder = Folder::with(&["a/file"]);
    let old = rustix::fs::Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: old, last_modification: old };
    let path = CString::new(folder.join("a").into_os_string().into_vec()).expect("no NUL");
    rustix::fs::utimensat(CWD, &path, &times, rustix::fs::AtFlags::empty()).expect("own folder");
    scan_all(&folder.0);
    assert_eq!(fs::metadata(folder.join("a")).expect("there").atime(), 1_000_000_000);
}
