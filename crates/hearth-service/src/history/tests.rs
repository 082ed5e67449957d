//! From the feed's acts on a real tree to rows of an answer.

use super::*;
use crate::api::{ActKind, HistoryAnswer, HistoryRequest};
use crate::{Config, Folders as Places, Service, ServiceError};
use hearth_core::CancelToken;
use hearth_files::index::{Change, Volume};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A service over a tree with `src/main.rs`.
struct House {
    folder: tempfile::TempDir,
    service: Arc<Service>,
    volume: Volume,
}

fn house(entries: Option<usize>) -> House {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().canonicalize().unwrap().join("tree");
    fs::create_dir_all(tree.join("src")).unwrap();
    fs::write(tree.join("src/main.rs"), "x").unwrap();
    let mut config = Config::default();
    config.history.entries = entries;
    let service = Service::open(config, &Places::under(&folder.path().join("home"))).unwrap();
    service.add(tree.as_os_str().as_bytes(), Some("tree")).unwrap();
    service.wait_complete("tree", &CancelToken::new()).unwrap();
    let body = service.catalogue.load()[0].published.as_ref().map(|published| Arc::clone(&published.body));
    House { folder, service, volume: Volume::new(&body.unwrap()) }
}

impl House {
    fn tree(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("tree")
    }

    fn inode(&self, folder: &str) -> u64 {
        fs::metadata(self.tree().join(folder)).unwrap().ino()
    }

    /// Takes changes into the index and then notes what the feed told beside them.
    fn note(&mut self, changes: &[Change], acts: &[Act]) {
        let before = self.volume.body();
        self.volume.apply(changes);
        let shard = self.service.catalogue.load()[0].clone();
        shard.source.history.note(&[&self.volume.body(), &before], acts, 1);
    }

    fn ask(&self, request: HistoryRequest) -> Result<HistoryAnswer, ServiceError> {
        self.service.history(&HistoryRequest { limit: 100, ..request }, &CancelToken::new())
    }

    /// Paths below the tree, newest first, with what was done.
    fn rows(&self, request: HistoryRequest) -> Vec<(String, ActKind)> {
        let tree = format!("{}/", self.tree().display());
        let answer = self.ask(request).unwrap();
        let text = |path: &[u8]| String::from_utf8_lossy(path).replace(&tree, "");
        answer.rows.iter().map(|row| (text(&row.path), row.kind)).collect()
    }
}

fn act(folder: u64, name: &str, kind: ActKind, at_ns: i64) -> Act {
    Act { folder, name: name.as_bytes().into(), kind, pid: 7, at_ns, command: "rm".into(), uid: Some(0) }
}

fn path(path: &Path) -> HistoryRequest {
    HistoryRequest { path: Some(path.as_os_str().as_bytes().to_vec()), ..HistoryRequest::default() }
}

fn query(text: &str) -> HistoryRequest {
    HistoryRequest { query: text.as_bytes().to_vec(), ..HistoryRequest::default() }
}

#[test]
fn what_went_with_its_folder_keeps_the_path_it_had() {
    use ActKind::{Created, Removed};
    let mut house = house(Some(100));
    let (root, src) = (house.inode(""), house.inode("src"));
    house.note(&[], &[act(src, "new.rs", Created, 1)]);
    let gone = Change::Remove { parent: root, name: b"src".to_vec() };
    house.note(
        &[gone],
        &[act(src, "main.rs", Removed, 2), act(root, "src", Removed, 3), act(9, "x", Created, 4)],
    );
    let all = [("src", Removed), ("src/main.rs", Removed), ("src/new.rs", Created)];
    let all = all.map(|(path, kind)| (path.to_owned(), kind));
    assert_eq!(house.rows(HistoryRequest::default()), all, "what may lie outside of the tree is not told");
    let tree = house.tree();
    assert_eq!(house.rows(path(&tree.join("src"))), all);
    assert_eq!(house.rows(path(&tree.join("src/./main.rs"))), all[1..2]);
    assert_eq!(house.rows(path(&tree.join("sr"))), []);
    assert_eq!(house.rows(query("ext:rs")), all[1..]);
    assert_eq!(house.rows(query("=src")), all[..1]);
    let within =
        HistoryRequest { within: vec![tree.join("src").as_os_str().as_bytes().to_vec()], ..query("") };
    assert_eq!(house.rows(within), all[1..]);
}

#[test]
fn while_the_index_is_out_of_memory_folders_are_known_by_earlier_acts() {
    use ActKind::{Created, Removed};
    let mut house = house(Some(100));
    let src = house.inode("src");
    house.note(&[], &[act(src, "a", Created, 1)]);
    let shard = house.service.catalogue.load()[0].clone();
    shard.source.history.note(&[], &[act(src, "a", Removed, 2), act(house.inode(""), "b", Created, 3)], 0);
    let known = [("src/a", Removed), ("src/a", Created)].map(|(path, kind)| (path.to_owned(), kind));
    assert_eq!(house.rows(HistoryRequest::default()), known);
}

#[test]
fn an_answer_says_who_it_was_and_how_much_there_is() {
    let mut house = house(Some(100));
    let src = house.inode("src");
    let acts = [1, 2, 3].map(|at_ns| act(src, "log", ActKind::Modified, at_ns));
    house.note(&[], &acts);
    house.note(&[], &[act(src, "log", ActKind::Removed, 4)]);
    let answer = house.ask(HistoryRequest { limit: 1, ..HistoryRequest::default() }).unwrap();
    assert_eq!((answer.kept, answer.dropped, answer.matched, answer.on), (2, 2, 2, true));
    let row = &answer.rows[1];
    assert_eq!((row.times, row.first_ns, row.at_ns), (3, 1, 3));
    assert_eq!((row.pid, row.command.as_str(), row.uid, row.source.as_str()), (7, "rm", Some(0), "tree"));
    let few = house.service.history(&HistoryRequest { limit: 1, ..query("") }, &CancelToken::new()).unwrap();
    assert_eq!((few.rows.len(), few.matched), (1, 2));
}

#[test]
fn an_answer_without_history_says_how_to_switch_it_on() {
    let mut house = house(Some(0));
    let src = house.inode("src");
    house.note(&[], &[act(src, "a", ActKind::Created, 1)]);
    let answer = house.ask(HistoryRequest::default()).unwrap();
    assert_eq!((answer.kept, answer.rows.len(), answer.on), (0, 0, false));
    assert!(answer.why.contains("HEARTH_HISTORY_ENTRIES=10000"), "{}", answer.why);
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let house = house(Some(10));
    assert!(matches!(house.ask(query("a size:>1")), Err(ServiceError::BadQuery { position: 2, .. })));
    assert!(matches!(house.ask(path(Path::new("src"))), Err(ServiceError::BadRequest { field: "path", .. })));
    assert!(matches!(house.ask(path(Path::new("/nowhere"))), Err(ServiceError::UnknownSource { .. })));
}
