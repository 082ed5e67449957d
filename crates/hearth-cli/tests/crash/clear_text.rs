//! No name of the tree is in clear in anything that the daemon writes: snapshots, key, list of sources, log,
//! temporary files, files without a name; while it runs and saves, after it ended, after it was killed.
//!
//! Each name is looked for in pieces of eight bytes, as it is, in small and capital letters, and in UTF-16.
//! The path of the source's root is in the list of sources, on purpose: an operator reads and mends it.

use crate::house::{House, files_below};
use hearth_client::protocol::method;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::json;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

const PIECE: usize = 8;
const FOLDER: &str = "Quartzite-Marmalade";
const FILE: &str = "zephyr_Wombat_ledger";
const EXTENSION: &str = "Xylophonical";
const NOT_ASCII: &str = "P\u{159}\u{ed}\u{161}ern\u{11b}-\u{17e}lu\u{165}ou\u{10d}k\u{fd}";
const NOT_UTF8: &[u8] = b"marimba-\xff-octopus-\xe9";

/// A name as long as names can be.
fn long() -> String {
    (0..18).map(|number| format!("tangerine{number:02}-")).collect()
}

/// Pieces of names, and which name each is of.
struct Names(HashMap<[u8; PIECE], String>);

impl Names {
    fn new() -> Self {
        let mut names = Self(HashMap::new());
        for name in [FOLDER, FILE, EXTENSION, NOT_ASCII, &long()] {
            for text in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                names.add(name, text.as_bytes());
                let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                names.add(name, &wide);
            }
        }
        names.add("marimba", NOT_UTF8);
        names
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        for piece in bytes.windows(PIECE) {
            self.0.insert(piece.try_into().expect("a piece"), name.to_owned());
        }
    }

    /// The names of which there are pieces.
    fn found(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found: Vec<&str> =
            bytes.windows(PIECE).filter_map(|piece| self.0.get(piece)).map(String::as_str).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[track_caller]
    fn assert_absent(&self, file: &Path) {
        // What vanishes meanwhile was looked at before, or is looked at under its next name.
        let bytes = fs::read(file).unwrap_or_default();
        let found = self.found(&bytes);
        assert!(found.is_empty(), "{} has pieces of {found:?}:\n{}", file.display(), self.lines(&bytes));
    }

    /// The lines of a text that have pieces.
    fn lines(&self, bytes: &[u8]) -> String {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !self.found(line).is_empty());
        lines.take(5).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
    }
}

/// A home with a tree of such names.
fn house() -> House {
    let house = House::new().with("HEARTH_LOG_LEVEL", "trace");
    let folder = house.tree().join(FOLDER);
    for name in [FOLDER, NOT_ASCII, &long()] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
        fs::write(folder.join(name).join(format!("{FILE}.{EXTENSION}")), "same").expect("a file");
        fs::write(folder.join(format!("{name}.{EXTENSION}")), "content").expect("a file");
    }
    fs::write(folder.join(OsStr::from_bytes(NOT_UTF8)), "x").expect("a file");
    house
}

/// Asks for the names in every way there is. Gives everything that was answered.
fn ask_for_names(house: &House) -> String {
    let find = |query: String| house.ask(method::FIND, &json!({"query": query, "explain": true}));
    let (tree, upper) = (house.tree(), NOT_ASCII.to_uppercase());
    let within = json!({"in": [tree.join(FOLDER)], "sort": "size:desc"});
    let answers = [
        find(FILE.to_owned()),
        find(format!("=\"{FILE}.{EXTENSION}\"")),
        find(format!("ext:{EXTENSION} | {upper}")),
        find(format!("re:{FILE}[")),
        find(format!("\"{}\" size:>{FILE}", long())),
        house.ask(method::FIND, &within),
        house.ask(method::DU, &json!({"path": tree.join(FOLDER)})),
        house.ask(method::DUPES, &json!({"query": FILE})),
        house.ask(method::STATS, &json!({"by": "folder"})),
        house.ask(method::FORGET, &json!({"source": FOLDER})),
        house.ask(method::ADD, &json!({"path": tree.join(FOLDER)})),
        house.ask(method::REFRESH, &json!({"sources": [tree.join("absent").join(FILE)]})),
        house.ask(method::FIND, &json!({EXTENSION: FILE})),
    ];
    answers.map(|answer| format!("{answer:?}\n")).concat()
}

/// Renames something and scans, so that there is something to be saved.
fn move_about(house: &House, round: usize) {
    let folder = house.tree().join(FOLDER);
    let name = |round: usize| folder.join(format!("{FILE}-{round}"));
    fs::write(name(round), "x").expect("a file");
    if round > 0 {
        fs::remove_file(name(round - 1)).expect("it is there");
    }
    house.refresh();
}

/// Files that a daemon holds open, also those that have no name any more, but for those of the tree.
fn open_files(house: &House, pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let elsewhere =
        |path: &PathBuf| fs::read_link(path).is_ok_and(|target| !target.starts_with(house.tree()));
    entries.map(|entry| entry.path()).filter(elsewhere).filter(|path| path.is_file()).collect()
}

/// Files directly in the folders of the system for temporary files.
fn temporary_files() -> Vec<PathBuf> {
    let folders = ["/tmp", "/var/tmp", "/dev/shm"].map(fs::read_dir).into_iter().flatten();
    folders.flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// Searches everything that was or is being written.
#[track_caller]
fn assert_nothing_in_clear(house: &House, names: &Names, pid: Option<u32>) {
    let mut files = files_below(&house.home());
    assert!(!files.is_empty(), "there is something to search");
    files.extend(files_below(&house.temporary()));
    files.push(house.said());
    files.extend(pid.into_iter().flat_map(|pid| open_files(house, pid)));
    files.iter().for_each(|file| names.assert_absent(file));
}

/// Searches while something else goes on.
fn search_during(house: &House, names: &Names, pid: u32, act: impl FnOnce()) {
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let search = scope.spawn(|| {
            let mut searches = 0;
            while !ends.load(Ordering::Relaxed) {
                assert_nothing_in_clear(house, names, Some(pid));
                searches += 1;
            }
            searches
        });
        act();
        ends.store(true, Ordering::Relaxed);
        assert!(search.join().expect("nothing was found") > 0);
    });
}

#[test]
fn no_name_is_in_clear_while_it_runs_and_after_it_was_killed_or_ended() {
    let (mut house, names) = (house(), Names::new());
    let before = temporary_files();
    house.start();
    house.index();
    let told = ask_for_names(&house);
    let all = house.run(&["find"]);
    for (text, count) in [(told.as_bytes(), 3), (&all, 6)] {
        assert!(
            names.found(text).len() >= count,
            "the search finds names where they are: {:?}",
            names.found(text)
        );
    }
    let pid = house.pid();
    search_during(&house, &names, pid, || {
        for round in 0..8 {
            move_about(&house, round);
            ask_for_names(&house);
        }
        house.tell(method::HIBERNATE, &json!({}));
        ask_for_names(&house);
    });
    move_about(&house, 8);
    house.kill();
    assert_nothing_in_clear(&house, &names, None);
    house.start();
    house.wait_complete();
    move_about(&house, 9);
    ask_for_names(&house);
    assert!(house.terminate().success());
    assert_nothing_in_clear(&house, &names, None);
    let new = temporary_files().into_iter().filter(|file| !before.contains(file));
    new.for_each(|file| names.assert_absent(&file));
}

#[test]
fn a_daemon_in_the_background_logs_no_name() {
    let (house, names) = (house(), Names::new());
    house.run(&["daemon", "start"]);
    house.index();
    ask_for_names(&house);
    house.run(&["find", FILE]);
    let log = || String::from_utf8_lossy(&fs::read(house.places().log()).expect("a log")).into_owned();
    assert!(log().contains("snapshot saved") && log().contains("trace"), "{}", log());
    let pid = house.tell(method::STATUS, &json!({}))["daemon"]["pid"].as_u64().expect("a number");
    move_about(&house, 0);
    assert_nothing_in_clear(&house, &names, u32::try_from(pid).ok());
    kill_foreign(pid);
    assert_nothing_in_clear(&house, &names, None);
    house.run(&["daemon", "start"]);
    house.wait_complete();
    house.run(&["daemon", "stop"]);
    assert_nothing_in_clear(&house, &names, None);
}

/// Kills a daemon that is no child of this process, and waits for its end.
fn kill_foreign(pid: u64) {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    let handle = pidfd_open(process, PidfdFlags::empty()).expect("it runs");
    kill_process(process, Signal::KILL).expect("it is ours");
    poll(&mut [PollFd::new(&handle, PollFlags::IN)], None).expect("it ends");
}

/// What a scan could not enter or left out is told to those who ask for it, not to the log.
#[test]
fn what_a_scan_leaves_out_is_not_logged_by_its_name() {
    if !rustix::process::geteuid().is_root() {
        return crate::house::note("skipped: only root can mount");
    }
    let (mut house, names) = (house(), Names::new());
    let mounted = house.tree().join(FOLDER).join(FOLDER);
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=64k hearth \"$0\" && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(&mounted);
    house.spawn_as(command);
    house.index();
    let shard = house.shard();
    assert!(shard["last_scan"]["skipped"].to_string().contains(FOLDER), "{shard}");
    house.refresh();
    house.wait_saved();
    assert_nothing_in_clear(&house, &names, Some(house.pid()));
    assert!(house.terminate().success());
    assert_nothing_in_clear(&house, &names, None);
}
