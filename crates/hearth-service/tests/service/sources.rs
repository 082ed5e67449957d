//! Registering, forgetting, refreshing; states, failures and restarts.

use crate::fixture::{Fixture, ask, patience};
use hearth_core::CancelToken;
use hearth_service::api::{FindRequest, Health, RowSink, Rows, SinkClosed, Tier};
use hearth_service::{Allocator, Body, Config, Folders, Overlap, Service, ServiceError};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::{Duration, Instant};

fn health(fixture: &Fixture, name: &str) -> Health {
    let status = fixture.service.status();
    status.shards.iter().find(|shard| shard.source.name == name).unwrap().health
}

#[test]
fn adding_twice_is_adding_once() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    let again = fixture.service.add(&fixture.bytes("t/"), None).unwrap();
    assert_eq!((again.name.as_str(), again.id), ("t", 1));
    std::os::unix::fs::symlink("t", fixture.path("link")).unwrap();
    assert_eq!(fixture.service.add(&fixture.bytes("link"), Some("t")).unwrap(), again, "a canonical root");
    let renamed = fixture.service.add(&fixture.bytes("t"), Some("other"));
    assert!(matches!(renamed, Err(ServiceError::BadRequest { field: "name", .. })));
    assert_eq!(fixture.service.list(), [again]);
}

#[test]
fn roots_that_overlap_are_refused_by_name() {
    let fixture = Fixture::with_tree(&[("a/b/c", "")]);
    let overlap = |path: &str| match fixture.service.add(&fixture.bytes(path), None) {
        Err(error @ ServiceError::Overlaps { relation, .. }) => {
            assert!(error.to_string().contains("source t") && error.hint().unwrap().contains('t'));
            relation
        }
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(overlap("t/a"), Overlap::Inside);
    assert_eq!(overlap(""), Overlap::Around);
    fixture.service.forget(b"t", true).unwrap();
    assert!(fixture.service.add(&fixture.bytes("t/a"), None).is_ok());
}

#[test]
fn what_is_no_folder_with_files_is_refused() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    for (root, field) in
        [(fixture.bytes("t/a"), "root"), (b"t".to_vec(), "root"), (b"/proc".to_vec(), "root")]
    {
        let error = fixture.service.add(&root, None).unwrap_err();
        assert!(matches!(error, ServiceError::BadRequest { field: found, .. } if found == field), "{error}");
    }
    assert!(matches!(fixture.service.add(&fixture.bytes("none"), None), Err(ServiceError::Io { .. })));
    assert_eq!(fixture.service.list().len(), 1);
}

#[test]
fn a_forgotten_source_is_gone_at_once() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    let in_memory = fixture.service.forget(b"t", false);
    assert!(matches!(in_memory, Err(ServiceError::InMemory { tier: Tier::Warm, .. })));
    let freed = fixture.service.forget(&fixture.bytes("t"), true).unwrap();
    assert!(freed.source.name == "t" && freed.freed_bytes > 0);
    assert!(fixture.service.list().is_empty());
    assert!(matches!(fixture.service.forget(b"t", true), Err(ServiceError::UnknownSource { .. })));
    let within = vec![fixture.bytes("t")];
    let gone = fixture.run(&FindRequest { within, ..ask("") });
    assert!(matches!(gone, Err(ServiceError::UnknownSource { .. })));
    assert_eq!(fixture.service.status().resident_bytes, 0);
}

#[test]
fn sources_survive_a_restart() {
    let fixture = Fixture::with_tree(&[("a", ""), ("b", "")]);
    let before = fixture.service.list();
    let fixture = fixture.reopen();
    assert_eq!(fixture.service.list(), before);
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(fixture.find("type:file").len(), 2);
}

#[test]
fn a_damaged_list_is_no_reason_not_to_start() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fs::write(fixture.path("state/sources.toml"), "]]").unwrap();
    let fixture = fixture.reopen();
    assert!(fixture.service.list().is_empty());
    assert!(fixture.service.notices()[0].contains("sources.toml.damaged-1"));
    fixture.add("t");
}

#[test]
fn a_refresh_takes_in_what_changed() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fixture.tree("t", &[("b", "")]);
    assert_eq!(fixture.find("type:file"), ["t/a"]);
    fixture.refresh("t");
    assert_eq!(fixture.find("type:file"), ["t/a", "t/b"]);
    let status = fixture.service.status();
    let shard = &status.shards[0];
    assert_eq!((shard.health, shard.generation, shard.rebuilds_total), (Health::Fresh, 2, 1));
    assert_eq!((shard.rows, shard.queries_total), (3, 2));
    assert!(shard.resident_bytes > 0 && shard.last_query_ns.is_some() && shard.last_good_ns.is_some());
    let scan = shard.last_scan.as_ref().unwrap();
    assert_eq!((scan.entries, scan.denied, scan.failed), (2, 0, 0));
    let unknown = fixture.service.refresh(&[b"t".to_vec(), b"x".to_vec()]);
    assert!(matches!(unknown, Err(ServiceError::UnknownSource { .. })));
}

#[test]
fn many_refreshes_end_in_one_fresh_body() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    for number in 0..20 {
        fixture.tree("t", &[(&format!("n{number}"), "")]);
        fixture.service.refresh(&[]).unwrap();
    }
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(fixture.find("type:file").len(), 21, "the last refresh began after the last file was made");
}

#[test]
fn every_refresh_ends() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    for generation in 2..40 {
        fixture.refresh("t");
        assert!(fixture.service.status().shards[0].generation >= generation);
    }
}

#[test]
fn a_failure_keeps_the_last_body_and_says_so() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fs::rename(fixture.path("t"), fixture.path("away")).unwrap();
    fixture.service.refresh(&[]).unwrap();
    let error = fixture.service.wait_complete("t", &patience()).unwrap_err();
    assert!(
        matches!(&error, ServiceError::BuildFailed { retry_in_ms: Some(wait), .. } if *wait <= 30_000),
        "{error}"
    );
    assert_eq!(health(&fixture, "t"), Health::Failed);
    let (rows, summary) = fixture.run(&ask("type:file")).unwrap();
    assert_eq!(rows, ["t/a"]);
    assert!(summary.sources[0].stale && summary.sources[0].why.contains("the last scan failed"));
    fs::rename(fixture.path("away"), fixture.path("t")).unwrap();
    fixture.refresh("t");
    let (_, summary) = fixture.run(&ask("")).unwrap();
    assert!(!summary.sources[0].stale);
    assert_eq!(health(&fixture, "t"), Health::Fresh);
}

#[test]
fn a_first_scan_that_fails_is_an_error_of_every_question() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fs::rename(fixture.path("t"), fixture.path("away")).unwrap();
    let fixture = fixture.reopen();
    assert!(fixture.service.wait_complete("t", &patience()).is_err());
    assert!(
        matches!(fixture.run(&ask("")), Err(ServiceError::BuildFailed { source_name, .. }) if source_name == "t")
    );
    fixture.tree("u", &[("b", "")]);
    fixture.add("u");
    let (rows, summary) = fixture.run(&ask("type:file")).unwrap();
    assert_eq!(rows, ["u/b"], "the others still answer");
    let meta = summary.sources.iter().find(|meta| meta.source == "t").unwrap();
    assert!(meta.stale && !meta.complete);
}

#[test]
fn a_root_that_leads_elsewhere_is_not_indexed_in_its_place() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fixture.tree("u", &[("b", "")]);
    fs::remove_dir_all(fixture.path("t")).unwrap();
    std::os::unix::fs::symlink("u", fixture.path("t")).unwrap();
    fixture.service.refresh(&[]).unwrap();
    assert!(fixture.service.wait_complete("t", &patience()).is_err());
    assert_eq!(fixture.find("type:file"), ["t/a"]);
}

#[test]
fn age_makes_stale() {
    let mut config = Config::default();
    config.files.stale_after_s = 0;
    let fixture = Fixture::with(config);
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let (_, summary) = fixture.run(&ask("")).unwrap();
    assert!(summary.sources[0].stale && summary.sources[0].why.contains("no live change feed"));
}

#[test]
fn excluded_folders_are_rows_without_contents() {
    let mut config = Config::default();
    config.files.exclude = vec!["node_modules".into()];
    let fixture = Fixture::with(config);
    fixture.tree("t", &[("node_modules/x", ""), ("src/y", "")]);
    fixture.add("t");
    assert_eq!(fixture.find("type:file"), ["t/src/y"]);
    let within = vec![fixture.bytes("t/node_modules")];
    let error = fixture.run(&FindRequest { within, ..ask("") }).unwrap_err();
    assert!(
        matches!(&error, ServiceError::NotFound { problem, .. } if problem.contains("excluded")),
        "{error}"
    );
}

#[test]
fn waiting_can_be_cancelled_and_timed_out() {
    let fixture = Fixture::new();
    assert!(matches!(
        fixture.service.wait_complete("t", &patience()),
        Err(ServiceError::UnknownSource { .. })
    ));
    fixture.tree("t", &[("a", "")]);
    fixture.service.add(&fixture.bytes("t"), Some("t")).unwrap();
    let cancel = CancelToken::new();
    cancel.cancel();
    let waited = fixture.service.wait_complete("t", &cancel);
    assert!(matches!(waited, Ok(()) | Err(ServiceError::Cancelled)));
}

#[test]
fn after_the_shutdown_answers_remain_and_nothing_begins() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fixture.service.shutdown();
    fixture.service.shutdown();
    assert_eq!(fixture.find("type:file"), ["t/a"]);
    assert!(matches!(fixture.service.refresh(&[]), Err(ServiceError::ShuttingDown)));
    assert!(matches!(fixture.service.add(b"/", None), Err(ServiceError::ShuttingDown)));
}

/// An allocator that only says when memory is offered back.
struct OnRelease<F>(F);

impl<F: Fn() + Send + Sync + 'static> OnRelease<F> {
    fn shared(self) -> Arc<dyn Allocator> {
        Arc::new(self)
    }
}

impl<F: Fn() + Send + Sync> Allocator for OnRelease<F> {
    fn held_bytes(&self) -> Option<u64> {
        None
    }

    fn give_back(&self) {
        (self.0)();
    }
}

#[test]
fn memory_is_offered_back_after_builds_and_forgetting() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let allocator = OnRelease(move || _ = counted.fetch_add(1, Ordering::Relaxed)).shared();
    let service =
        Service::open_with(Config::default(), &Folders::under(folder.path()), Some(allocator)).unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let info = service.add(tree.as_os_str().as_bytes(), None).unwrap();
    service.wait_complete(&info.name, &patience()).unwrap();
    service.forget(info.name.as_bytes(), true).unwrap();
    service.shutdown();
    assert!(calls.load(Ordering::Relaxed) >= 2);
}

/// Keeps a look at the body that answers, without keeping it alive.
struct Glance(Weak<Body>);

impl RowSink for Glance {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed> {
        self.0 = Arc::downgrade(rows.body);
        Ok(())
    }
}

/// Regression: the attempt itself still held the replaced body when it offered memory back.
#[test]
fn a_replaced_body_is_gone_when_memory_is_offered_back() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().canonicalize().unwrap().join("tree");
    fs::create_dir(&tree).unwrap();
    let glance = Arc::new(Mutex::new(Glance(Weak::new())));
    let (tell, told) = mpsc::channel();
    let looked = Arc::clone(&glance);
    let release = move || _ = tell.send(looked.lock().unwrap().0.upgrade().is_some());
    let allocator = OnRelease(release).shared();
    let mut config = Config::default();
    // Whoever saves a body holds it.
    config.snapshot.enabled = false;
    let service = Service::open_with(config, &Folders::under(folder.path()), Some(allocator)).unwrap();
    service.add(tree.as_os_str().as_bytes(), None).unwrap();
    let next = || told.recv_timeout(Duration::from_secs(120)).unwrap();
    assert!(!next());
    service.find(&ask("type:dir"), &patience(), &mut *glance.lock().unwrap()).unwrap();
    assert!(glance.lock().unwrap().0.upgrade().is_some());
    service.refresh(&[]).unwrap();
    assert!(!next(), "the first body is still held");
}

#[test]
fn the_default_source_is_home_or_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.home = Some(folder.path().canonicalize().unwrap());
    let fixture = Fixture::with(config);
    let added = fixture.service.ensure_default_source().unwrap().unwrap();
    if rustix::process::geteuid().is_root() {
        assert_eq!((added.root.as_slice(), added.name.as_str()), (&b"/"[..], "root"));
    } else {
        assert_eq!(added.root, folder.path().canonicalize().unwrap().as_os_str().as_bytes());
    }
    assert_eq!(fixture.service.ensure_default_source().unwrap(), None);
    fixture.service.shutdown();
}

/// A tree that takes long enough to scan that questions come in between.
fn large_tree(fixture: &Fixture) {
    for folder in 0..200 {
        let path = fixture.path("t").join(format!("d{folder:03}"));
        fs::create_dir_all(&path).unwrap();
        (0..100).for_each(|file| fs::write(path.join(format!("f{file:02}")), "").unwrap());
    }
}

#[test]
fn questions_during_the_first_scan_are_answered_with_what_is_there() {
    let fixture = Fixture::new();
    large_tree(&fixture);
    fixture.service.add(&fixture.bytes("t"), Some("t")).unwrap();
    let (mut last, mut generation) = (0, 0);
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let (rows, summary) = fixture.run(&ask("type:file")).unwrap();
        let meta = &summary.sources[0];
        assert!(rows.len() >= last && meta.generation >= generation, "answers only grow");
        (last, generation) = (rows.len(), meta.generation);
        if meta.complete {
            break;
        }
        assert!(!meta.why.is_empty());
        assert!(Instant::now() < until, "the scan ends");
    }
    assert_eq!(last, 20_000);
}

#[test]
fn forgetting_stops_a_running_scan() {
    let fixture = Fixture::new();
    large_tree(&fixture);
    fixture.service.add(&fixture.bytes("t"), Some("t")).unwrap();
    fixture.service.forget(b"t", false).unwrap();
    fixture.tree("u", &[("a", "")]);
    fixture.add("u");
    assert_eq!(fixture.find("type:file"), ["u/a"]);
}
