//! Journals of real folders that a real follower follows: what is told leads from one listing to the next.

use super::watch::missed_events;
use super::watcher::{MOST_EVENTS, Mailbox};
use super::*;
use crate::api::SourceKind;
use crate::api::{ChangeKind, WatchBatch, WatchEvent};
use hearth_core::{CancelToken, EntryKind};
use hearth_files::engine::{Find, Standing, find};
use hearth_files::follow::{Follower, Look, Reconcile, What};
use hearth_files::index::{Root, Volume};
use hearth_files::query::{Context, Query, parse};
use hearth_files::scan::{ScanCounters, ScanOptions, scan};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads"))
}

/// What is listed: size and modification time of what is no folder, by path.
type Listing = BTreeMap<Vec<u8>, Option<(u64, i64)>>;

fn listed(kind: EntryKind, size: u64, modified_ns: i64) -> Option<(u64, i64)> {
    (kind != EntryKind::Dir).then_some((size, modified_ns))
}

fn query(text: &str) -> Query {
    let context = Context {
        now_ns: clock::now_ns(),
        zone: jiff::tz::TimeZone::UTC,
        cwd: Some(b"/"),
        home: None,
        user_id: &|_| None,
        group_id: &|_| None,
    };
    parse(text.as_bytes(), &context).expect("a good query")
}

fn list(body: &Arc<Body>, query: &Query) -> Listing {
    let mut listing = Listing::new();
    let ask = Find { query, sort: &[], skip: 0, limit: None, total: false };
    find(body, &ask, pool(), &CancelToken::new(), &mut |rows| {
        listing.extend(rows.iter().map(|&row| {
            let entry = body.entry(row);
            (entry.path, listed(entry.meta.kind(), entry.meta.size, entry.meta.modified_ns))
        }));
        ControlFlow::Continue(())
    })
    .expect("the query is supported");
    listing
}

/// A folder, its index, and the journal of what happens to it.
struct World {
    folder: TempDir,
    follower: Follower,
    volume: Volume,
    journal: Journal,
    bodies: Vec<Arc<Body>>,
}

impl World {
    fn new(most: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        let options = ScanOptions { threads: Some(2), exclude: Vec::new() };
        let chunks = Mutex::new(Vec::new());
        let keep = |chunk| chunks.lock().push(Arc::new(chunk));
        let report = scan(&root, &options, &ScanCounters::default(), &CancelToken::new(), &keep);
        let report = report.expect("the scan ends well");
        let top = Root { path: report.root, meta: report.root_meta };
        let body = Body::build(&top, &chunks.into_inner(), pool(), &CancelToken::new()).expect("a body");
        let info = SourceInfo { id: 7, name: "s".into(), kind: SourceKind::Volume, root: Vec::new() };
        let journal = Journal::new(&info);
        journal.keep(most);
        journal.restarted(1);
        Self {
            follower: Follower::new(root.as_os_str().as_bytes(), &options),
            volume: Volume::new(&body),
            journal,
            bodies: vec![Arc::new(body)],
            folder,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("it is there")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn generation(&self) -> u64 {
        self.bodies.len() as u64
    }

    fn body(&self) -> &Arc<Body> {
        &self.bodies[self.bodies.len() - 1]
    }

    /// Takes in what happened, in steps as a follower would: by comparing, or by looks at all folders.
    fn follow(&mut self, compares: bool) {
        for _ in 0..5 {
            let seen = self.look(compares);
            let again = !seen.again.is_empty();
            self.advance(&seen);
            if !again {
                return;
            }
        }
    }

    fn look(&mut self, compares: bool) -> Seen {
        let cancel = CancelToken::new();
        if compares {
            let counters = ScanCounters::default();
            let seen = self.follower.reconcile(&mut self.volume, &Reconcile::default(), &counters, &cancel);
            return seen.expect("the root is there");
        }
        let now = paths(&self.root()).into_iter().filter(|path| path.is_dir()).map(|path| inode(&path));
        let before = self.body();
        let rows = before.tree(before.root_row(), usize::MAX).expect("no limit").into_iter();
        let then = rows.filter(|&row| before.kind(row) == EntryKind::Dir).map(|row| before.meta(row).inode);
        let looks: Vec<Look> = now.chain(then).map(|folder| Look::Folder { folder }).collect();
        self.follower.look(&mut self.volume, &looks, &cancel).expect("the root is there")
    }

    fn advance(&mut self, seen: &Seen) {
        let after = Arc::new(self.volume.body());
        let generation = self.generation() + 1;
        let step = Step { before: self.body(), after: &after, generation, at_ns: generation as i64, seen };
        self.journal.advanced(&step);
        self.bodies.push(after);
    }

    fn position(&self, generation: u64) -> Position {
        self.journal.position(generation)
    }

    fn read(&self, after: Position, limit: usize) -> Result<Page, Moved> {
        self.journal.read(after, self.generation(), &[], limit)
    }

    fn watch(&self, text: &str) -> (Arc<Watcher>, Arc<Mailbox>) {
        let mailbox = Arc::new(Mailbox::new(Box::new(|| ())));
        let standing = Arc::new(Standing::new(&query(text)).expect("a query that can be kept"));
        let watcher = Arc::new(Watcher::new("s".into(), standing, Arc::clone(&mailbox)));
        self.journal.begin_to_tell(&watcher, 0);
        (watcher, mailbox)
    }

    fn words(&self, after: u64) -> Vec<String> {
        let root = format!("{}/", self.root().display());
        let path = |path: &[u8]| String::from_utf8_lossy(path).replace(&root, "");
        let page = self.read(self.position(after), usize::MAX).expect("it is known");
        let say = |record: &Record| {
            let change = record.to_change();
            let from = match &change.what {
                ChangeKind::Renamed { from } => format!("{} > ", path(from)),
                _ => String::new(),
            };
            format!("{} {from}{}", change.what.as_str(), path(&change.path))
        };
        page.records.iter().map(say).collect()
    }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |meta| meta.ino())
}

/// What exists, root first.
fn paths(root: &Path) -> Vec<PathBuf> {
    let (mut all, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(path) = open.pop() {
        if path.is_dir() && !path.is_symlink() {
            open.extend(fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
        }
        all.push(path);
    }
    all.sort();
    all
}

const NAMES: [&str; 6] = ["a", "b.rs", "c", "src", "d.rs", "A"];

/// Something that happens; numbers choose among what exists.
#[derive(Clone, Debug)]
enum Op {
    Write(usize, usize, usize),
    Tree(usize, usize),
    Rename(usize, usize, usize),
    Exchange(usize, usize),
    Link(usize, usize, usize),
    Remove(usize),
    Chmod(usize, u32),
}

fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let n = 0usize..1000;
    let op = prop_oneof![
        4 => (n.clone(), n.clone(), 0usize..3000).prop_map(|(a, b, c)| Op::Write(a, b, c)),
        3 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Tree(a, b)),
        5 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Rename(a, b, c)),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Exchange(a, b)),
        2 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Link(a, b, c)),
        2 => n.clone().prop_map(Op::Remove),
        1 => (n, 0u32..0o1000).prop_map(|(a, m)| Op::Chmod(a, m)),
    ];
    prop::collection::vec(op, 1..most)
}

/// What is not possible does nothing.
fn run(root: &Path, op: &Op) {
    let all = paths(root);
    let entry = |at: usize| all[at % all.len()].clone();
    let folders: Vec<&PathBuf> = all.iter().filter(|path| path.is_dir()).collect();
    let target = |folder: usize, name: usize| folders[folder % folders.len()].join(NAMES[name % NAMES.len()]);
    let _ = match *op {
        Op::Write(folder, name, bytes) => fs::write(target(folder, name), vec![b'x'; bytes]),
        Op::Tree(folder, name) => {
            let path = target(folder, name);
            fs::create_dir_all(path.join("src/deep"))
                .and_then(|()| fs::write(path.join("src/deep/b.rs"), "b"))
                .and_then(|()| fs::write(path.join("c"), "c"))
        }
        Op::Rename(from, folder, name) if entry(from) != root => {
            fs::rename(entry(from), target(folder, name))
        }
        Op::Exchange(one, other) => {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            let (one, other) = (entry(one), entry(other));
            renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).map_err(Into::into)
        }
        Op::Link(from, folder, name) => fs::hard_link(entry(from), target(folder, name)),
        Op::Remove(at) if entry(at) != root => {
            let path = entry(at);
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
        }
        Op::Chmod(at, mode) => fs::set_permissions(entry(at), fs::Permissions::from_mode(mode | 0o700)),
        Op::Rename(..) | Op::Remove(_) => Ok(()),
    };
}

/// What happens, and how it is taken in.
fn storms() -> impl Strategy<Value = Vec<(Vec<Op>, bool)>> {
    prop::collection::vec((ops(8), any::<bool>()), 1..6)
}

fn carry_out(listing: &mut Listing, event: WatchEvent) {
    match event {
        WatchEvent::Appeared(entry) | WatchEvent::Changed(entry) => {
            let what = listed(entry.kind, entry.size, entry.modified_ns);
            listing.insert(entry.path, what);
        }
        WatchEvent::Vanished { path, .. } => drop(listing.remove(&path)),
        WatchEvent::Renamed { from, entry } => {
            listing.remove(&from);
            listing.insert(entry.path, listed(entry.kind, entry.size, entry.modified_ns));
        }
        WatchEvent::Resync { why } => panic!("{why}"),
    }
}

fn batches(mailbox: &Mailbox) -> Vec<WatchBatch> {
    let next = || match mailbox.take(Duration::ZERO) {
        Watched::Batch(batch) => Some(batch),
        Watched::Nothing | Watched::Ended => None,
    };
    std::iter::from_fn(next).collect()
}

/// Queries that are kept. Sizes of folders are not told, so none depends on them.
const QUERIES: [&str; 11] = [
    "",
    "*.rs",
    "src/",
    "type:dir",
    "size:>1000",
    "!b",
    "parent:src",
    "perm:/002",
    "children:>2",
    "empty:",
    "treesize:>2000 | nlink:>1 type:file",
];

/// Whether a path is this folder or lies below it.
fn is_in(folder: &[u8], path: &[u8]) -> bool {
    crate::paths::holds(folder, path)
}

/// Carries out changes one after the other, as whoever keeps a list of paths would. What is in a new folder is taken
/// from the listing of the generation that has it.
fn replay(paths: &mut Vec<Vec<u8>>, record: &Record, then: &Listing) {
    let change = record.to_change();
    match &change.what {
        ChangeKind::Removed => paths.retain(|path| !is_in(&change.path, path)),
        ChangeKind::Renamed { from } => {
            let (moved, rest): (Vec<_>, Vec<_>) =
                std::mem::take(paths).into_iter().partition(|path| is_in(from, path));
            *paths = rest;
            paths.extend(moved.iter().map(|path| [&change.path[..], &path[from.len()..]].concat()));
        }
        ChangeKind::Created => {
            paths.extend(then.keys().filter(|path| is_in(&change.path, path)).cloned());
        }
        ChangeKind::Modified => assert!(paths.contains(&change.path), "modified and not there"),
    }
    paths.sort();
    paths.dedup();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn events_lead_from_one_listing_to_the_next(before in ops(16), storms in storms()) {
        let mut world = World::new(100);
        before.iter().for_each(|op| run(&world.root(), op));
        world.follow(true);
        let mut watched: Vec<_> = QUERIES.iter().map(|text| {
            (query(text), list(world.body(), &query(text)), world.watch(text))
        }).collect();
        for (ops, compares) in &storms {
            ops.iter().for_each(|op| run(&world.root(), op));
            world.follow(*compares);
            for (query, listing, (_, mailbox)) in &mut watched {
                for batch in batches(mailbox) {
                    batch.events.into_iter().for_each(|event| carry_out(listing, event));
                }
                prop_assert_eq!(&*listing, &list(world.body(), query), "{:?}", query);
            }
        }
    }

    #[test]
    fn changes_since_any_clock_lead_to_what_there_is(before in ops(16), storms in storms()) {
        let mut world = World::new(100_000);
        before.iter().for_each(|op| run(&world.root(), op));
        for (ops, compares) in &storms {
            world.follow(*compares);
            ops.iter().for_each(|op| run(&world.root(), op));
        }
        world.follow(true);
        let everything = query("");
        let listings: Vec<Listing> = world.bodies.iter().map(|body| list(body, &everything)).collect();
        let now: Vec<Vec<u8>> = listings[listings.len() - 1].keys().cloned().collect();
        for (at, listing) in listings.iter().enumerate() {
            let mut paths: Vec<Vec<u8>> = listing.keys().cloned().collect();
            let page = world.read(world.position(at as u64 + 1), usize::MAX).expect("all is kept");
            prop_assert_eq!((page.next, page.more), (world.position(world.generation()), false));
            for record in &page.records {
                replay(&mut paths, record, &listings[record.generation as usize - 1]);
            }
            prop_assert_eq!(&paths, &now, "{:?}", page.records);
        }
    }

    #[test]
    fn pages_together_are_the_whole(storms in storms(), limit in 1usize..5) {
        let mut world = World::new(100_000);
        for (ops, compares) in &storms {
            ops.iter().for_each(|op| run(&world.root(), op));
            world.follow(*compares);
        }
        let whole = world.read(world.position(1), usize::MAX).expect("all is kept");
        let (mut position, mut gathered) = (world.position(1), Vec::new());
        loop {
            let page = world.read(Position::parse(&position.to_string()).expect("a clock"), limit);
            let page = page.expect("all is kept");
            prop_assert!(page.records.len() <= limit && (!page.more || page.records.len() == limit));
            gathered.extend(page.records);
            position = page.next;
            if !page.more {
                break;
            }
        }
        prop_assert_eq!(gathered, whole.records);
        prop_assert_eq!(position, whole.next);
    }

    #[test]
    fn what_was_missed_leads_to_what_matches_now_or_is_said_to_be_unknown(before in ops(16), storms in storms()) {
        let mut world = World::new(100_000);
        before.iter().for_each(|op| run(&world.root(), op));
        for (ops, compares) in &storms {
            world.follow(*compares);
            ops.iter().for_each(|op| run(&world.root(), op));
        }
        world.follow(true);
        for (text, at) in QUERIES.iter().flat_map(|text| (0..world.bodies.len()).map(move |at| (text, at))) {
            let query = query(text);
            let (watcher, _) = world.watch(text);
            let (_, missed) = world.journal.go_on_telling(&watcher, world.position(at as u64 + 1), 0);
            let events = missed_events(watcher.standing(), world.body(), &missed.expect("all is kept"));
            if matches!(events[..], [WatchEvent::Resync { .. }]) {
                continue;
            }
            let mut listing = list(&world.bodies[at], &query);
            events.into_iter().for_each(|event| carry_out(&mut listing, event));
            prop_assert_eq!(listing, list(world.body(), &query), "{} since {}", text, at + 1);
        }
    }
}

#[test]
fn a_change_is_told_with_its_path() {
    let mut world = World::new(100);
    fs::create_dir(world.at("d")).unwrap();
    fs::write(world.at("d/f"), "f").unwrap();
    world.follow(true);
    assert_eq!(world.words(1), ["created d"]);
    fs::rename(world.at("d"), world.at("e")).unwrap();
    fs::write(world.at("e/g"), "g").unwrap();
    fs::write(world.at("e/f"), "more").unwrap();
    world.follow(true);
    assert_eq!(world.words(2), ["renamed d > e", "created e/g", "modified e/f"]);
    fs::remove_dir_all(world.at("e")).unwrap();
    world.follow(false);
    assert_eq!(world.words(3), ["removed e"]);
    assert_eq!(world.words(1).len(), 5);
    assert_eq!(world.words(4), Vec::<String>::new());
}

#[test]
fn renames_that_have_no_order_are_told_as_removals_and_creations() {
    let mut world = World::new(100);
    for name in ["a", "b"] {
        fs::create_dir(world.at(name)).unwrap();
        fs::write(world.at(name).join(name), name).unwrap();
    }
    world.follow(true);
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, world.at("a"), CWD, world.at("b"), RenameFlags::EXCHANGE).unwrap();
    world.follow(true);
    let mut words = world.words(2);
    words.sort();
    assert_eq!(words, ["created a", "created b", "removed a", "removed b"]);
}

#[test]
fn folders_limit_what_is_told() {
    let mut world = World::new(100);
    for name in ["a/in", "b/in"] {
        fs::create_dir_all(world.at(name)).unwrap();
    }
    world.follow(true);
    fs::write(world.at("a/in/f"), "f").unwrap();
    fs::write(world.at("b/f"), "f").unwrap();
    fs::rename(world.at("a"), world.at("c")).unwrap();
    world.follow(true);
    let told = |folder: &str| {
        let folders = [world.at(folder).as_os_str().as_bytes().to_vec()];
        let page = world.journal.read(world.position(2), world.generation(), &folders, 9).unwrap();
        page.records.len()
    };
    // What happened inside, and to the folders around it.
    assert_eq!((told("b"), told("b/in"), told("c/in"), told("a/in"), told("x")), (1, 0, 2, 1, 0));
}

#[test]
fn oldest_steps_go_first_and_whole() {
    let mut world = World::new(5);
    for round in 0..4 {
        (0..2).for_each(|at| fs::write(world.at(&format!("{round}.{at}")), "").unwrap());
        world.follow(true);
    }
    // Generations 2 to 5 have two changes each; those of 2 and 3 had to go.
    assert!(world.read(world.position(2), 9).is_err());
    assert_eq!(world.words(3).len(), 4);
    (0..6).for_each(|at| fs::write(world.at(&format!("many {at}")), "").unwrap());
    world.follow(true);
    assert!(world.read(world.position(5), 9).is_err(), "a step that is larger than what is kept");
    assert_eq!(world.words(6), Vec::<String>::new());
}

#[test]
fn long_paths_are_bounded_by_bytes() {
    let mut world = World::new(8);
    let deep = (0..12).fold(world.root(), |path, _| path.join("d".repeat(200)));
    fs::create_dir_all(&deep).unwrap();
    world.follow(true);
    for at in 0..8 {
        fs::write(deep.join(at.to_string()), "").unwrap();
        world.follow(true);
    }
    assert!(world.journal.state.lock().bytes <= 8 * BYTES_PER_CHANGE);
    assert!(world.read(world.position(2), 9).is_err());
    assert!(world.read(world.position(world.generation() - 1), 9).is_ok());
}

#[test]
fn what_is_not_known_is_refused() {
    let mut world = World::new(100);
    fs::write(world.at("f"), "").unwrap();
    world.follow(true);
    assert!(world.read(world.position(1), 9).is_ok());
    let of_another_run = Position { epoch: 1, ..world.position(1) };
    assert!(world.read(of_another_run, 9).is_err());
    assert!(world.journal.read(world.position(1), 3, &[], 9).is_err(), "nobody told of generation 3");
    fs::write(world.at("g"), "").unwrap();
    let seen = Seen { unrecorded: 1, ..world.look(true) };
    world.advance(&seen);
    assert!(world.read(world.position(2), 9).is_err());
    assert!(world.read(world.position(3), 9).is_ok());
    world.journal.restarted(4);
    assert!(world.journal.read(world.position(3), 4, &[], 9).is_err());
    assert!(world.journal.read(world.position(4), 4, &[], 9).is_ok());
}

#[test]
fn after_a_gap_only_what_was_told_is_known() {
    let mut world = World::new(100);
    world.bodies.push(Arc::clone(world.body()));
    fs::write(world.at("f"), "").unwrap();
    world.follow(true);
    assert!(world.read(world.position(1), 9).is_err());
    assert_eq!(world.words(2), ["created f"]);
}

#[test]
fn a_body_that_was_made_out_of_an_earlier_one_is_told_by_all_places_that_changed_meanwhile() {
    let mut world = World::new(100);
    world.journal.gather(Some(1));
    let first = Arc::clone(world.body());
    fs::write(world.at("f"), "").unwrap();
    world.follow(true);
    // Made out of the first body by comparing, while the other took the same changes in.
    let (last, mut volume) = (Arc::clone(world.body()), Volume::new(&first));
    fs::write(world.at("g"), "").unwrap();
    let (how, counters) = (Reconcile::default(), ScanCounters::default());
    let seen = world.follower.reconcile(&mut volume, &how, &counters, &CancelToken::new());
    let mut seen = seen.unwrap();
    add(&mut seen, &world.journal.gathered().expect("it was asked to"));
    assert_eq!(world.journal.gathered(), None);
    let after = Arc::new(volume.body().fold(pool(), &CancelToken::new()).unwrap());
    let step = Step { before: &last, after: &after, generation: 3, at_ns: 3, seen: &seen };
    world.journal.replaced(&step);
    world.bodies.push(Arc::clone(&after));
    assert_eq!(world.words(1), ["created f", "created g"]);
    // One of which it is not known what it follows.
    world.journal.replaced(&Step { generation: 5, ..step });
    assert!(world.journal.read(world.position(3), 5, &[], 9).is_err());
}

#[test]
fn what_was_refused_leaves_nothing_to_build_on() {
    let world = World::new(100);
    world.journal.gather(Some(1));
    world.journal.refused();
    assert_eq!(world.journal.gathered(), None);
    world.journal.gather(Some(1));
    assert_eq!(world.journal.gathered(), None, "the body in memory is another one");
    world.journal.restarted(2);
    world.journal.gather(Some(1));
    assert_eq!(world.journal.gathered(), None);
    world.journal.gather(Some(2));
    assert_eq!(world.journal.gathered(), Some(Seen::default()));
}

#[test]
fn a_journal_that_keeps_nothing_still_tells_who_watches() {
    let mut world = World::new(0);
    let (_watcher, mailbox) = world.watch("f");
    fs::write(world.at("f"), "").unwrap();
    world.follow(true);
    assert_eq!(batches(&mailbox).len(), 1);
    assert!(world.read(world.position(1), 9).is_err());
    assert!(world.read(world.position(2), 9).is_ok(), "nothing came after now");
}

#[test]
fn what_a_feed_says_wrongly_is_not_told() {
    let mut world = World::new(100);
    fs::write(world.at("f"), "").unwrap();
    world.follow(true);
    let mut seen = world.look(true);
    let folder = inode(&world.root());
    for (what, name) in [(What::Removed, "f"), (What::Created, "g"), (What::Modified, "f")] {
        let (kind, name) = (EntryKind::File, name.as_bytes().into());
        seen.changes.push(hearth_files::follow::Changed { what, kind, inode: 1, folder, name });
    }
    world.advance(&seen);
    assert_eq!(world.words(2), Vec::<String>::new());
}

/// What is in the mailbox, in words.
fn mail(mailbox: &Mailbox) -> Vec<String> {
    let name = |path: &[u8]| String::from_utf8_lossy(path).rsplit('/').next().unwrap_or_default().to_owned();
    let say = |event: &WatchEvent| match event {
        WatchEvent::Appeared(entry) => format!("+ {}", name(&entry.path)),
        WatchEvent::Changed(entry) => format!("~ {}", name(&entry.path)),
        WatchEvent::Vanished { path, .. } => format!("- {}", name(path)),
        WatchEvent::Renamed { from, entry } => format!("> {} {}", name(from), name(&entry.path)),
        WatchEvent::Resync { .. } => "resync".to_owned(),
    };
    batches(mailbox).iter().flat_map(|batch| batch.events.iter().map(say)).collect()
}

#[test]
fn a_standing_query_tells_what_appears_changes_moves_and_vanishes() {
    let mut world = World::new(100);
    let (_watcher, mailbox) = world.watch("*.rs");
    fs::create_dir(world.at("d")).unwrap();
    fs::write(world.at("d/a.rs"), "a").unwrap();
    fs::write(world.at("d/b.c"), "b").unwrap();
    world.follow(false);
    assert_eq!(mail(&mailbox), ["+ a.rs"]);
    fs::write(world.at("d/a.rs"), "more").unwrap();
    world.follow(false);
    assert_eq!(mail(&mailbox), ["~ a.rs"]);
    fs::rename(world.at("d"), world.at("e")).unwrap();
    world.follow(false);
    assert_eq!(mail(&mailbox), ["> a.rs a.rs"]);
    fs::rename(world.at("e/a.rs"), world.at("e/a.c")).unwrap();
    fs::rename(world.at("e/b.c"), world.at("e/b.rs")).unwrap();
    world.follow(false);
    assert_eq!(mail(&mailbox), ["- a.rs", "+ b.rs"]);
    fs::remove_dir_all(world.at("e")).unwrap();
    world.follow(false);
    assert_eq!(mail(&mailbox), ["- b.rs"]);
}

#[test]
fn a_file_that_another_takes_the_place_of_vanishes_if_the_other_does_not_match() {
    let mut world = World::new(100);
    fs::write(world.at("a"), "long").unwrap();
    fs::write(world.at("b"), "").unwrap();
    world.follow(true);
    let (_watcher, mailbox) = world.watch("size:>2");
    fs::rename(world.at("b"), world.at("a")).unwrap();
    world.follow(true);
    assert_eq!(mail(&mailbox), ["- a"]);
}

#[test]
fn who_watches_is_told_to_list_anew_when_nobody_knows() {
    let mut world = World::new(100);
    let (_watcher, mailbox) = world.watch("x");
    world.journal.restarted(2);
    assert_eq!(mail(&mailbox), ["resync"]);
    fs::write(world.at("f"), "").unwrap();
    let seen = Seen { unrecorded: 1, ..world.look(true) };
    world.advance(&seen);
    assert_eq!(mail(&mailbox), ["resync"]);
    drop(world);
    assert_eq!(mail(&mailbox), ["resync"], "the source was forgotten");
}

#[test]
fn who_does_not_read_loses_events_and_is_told() {
    let world = World::new(100);
    let (watcher, mailbox) = world.watch("");
    let event = || WatchEvent::Vanished { path: b"/a".to_vec(), kind: EntryKind::File };
    let half = || std::iter::repeat_with(event).take(MOST_EVENTS / 2).collect::<Vec<_>>();
    (1..=2).for_each(|at| mailbox.put(watcher.batch(&at.to_string(), half())));
    mailbox.put(watcher.batch("3", vec![event()]));
    let left = batches(&mailbox);
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].clock.as_str(), left[0].events.len()), ("3", 1));
    assert!(matches!(left[0].events[0], WatchEvent::Resync { .. }));
    mailbox.put(watcher.batch("4", half()));
    assert_eq!(batches(&mailbox)[0].events.len(), MOST_EVENTS / 2, "there is room again");
}

#[test]
fn a_watch_ends_with_the_service_and_with_its_owner() {
    let world = World::new(100);
    let (watcher, mailbox) = world.watch("");
    let (gone, _) = world.watch("");
    drop(gone);
    world.journal.end();
    assert_eq!(world.journal.state.lock().watchers().len(), 1);
    assert_eq!(mailbox.take(Duration::from_secs(60)), Watched::Ended);
    drop(watcher);
    assert!(world.journal.state.lock().watchers().is_empty());
}
