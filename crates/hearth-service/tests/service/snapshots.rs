//! What a restart finds on disk, what it makes of it, and what keeps it from it.

use crate::fixture::{Fixture, ask, patience};
use hearth_service::api::{Health, ShardStatus, SnapshotMode, Tier};
use hearth_service::{Config, Folders, Service, ServiceError};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FILES: [(&str, &str); 4] =
    [("docs/Invoice.pdf", "1"), ("docs/a/letter.txt", "22"), ("src/main.rs", "333"), ("\u{e9}t\u{e9}", "")];

fn status(service: &Service) -> ShardStatus {
    service.status().shards.remove(0)
}

fn word(service: &Service) -> Option<&'static str> {
    status(service).load_reason.map(|reason| reason.word)
}

/// Waits until something holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A service with one scanned and saved tree, `t`.
fn saved() -> Fixture {
    let fixture = Fixture::with_tree(&FILES);
    until("it is saved", || status(&fixture.service).snapshot.is_some());
    fixture
}

/// Stops the service, lets something happen, and starts it again.
fn restart(fixture: Fixture, config: Config, meanwhile: impl FnOnce(&Fixture)) -> Fixture {
    fixture.service.shutdown();
    meanwhile(&fixture);
    fixture.reopen_with(config)
}

fn snapshots(fixture: &Fixture) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixture.path("cache/snapshots")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_restart_answers_from_disk_and_says_so_until_it_has_compared() {
    let fixture = saved();
    let (before, summary) = fixture.run(&ask("e")).unwrap();
    assert!(!summary.sources[0].stale);
    let generation = status(&fixture.service).generation;
    let fixture = restart(fixture, Config::default(), |fixture| {
        fs::write(fixture.path("t/later"), "new").unwrap();
    });
    let (after, summary) = fixture.run(&ask("e")).unwrap();
    let meta = &summary.sources[0];
    assert!(meta.complete);
    if meta.stale {
        assert_eq!(after, before, "{meta:?}");
        assert!(meta.why.contains("not yet compared"), "{}", meta.why);
    }
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(word(&fixture.service), Some("loaded"));
    let (now, summary) = fixture.run(&ask("later")).unwrap();
    assert_eq!((now.len(), summary.sources[0].stale), (1, false), "{:?}", summary.sources);
    let shard = status(&fixture.service);
    assert!(shard.generation > generation, "a generation never falls");
    assert_eq!((shard.loads_total, shard.rebuilds_total), (1, 0), "it was compared, not scanned");
}

#[test]
fn a_page_goes_on_after_a_restart() {
    let fixture = saved();
    let page = |cursor| hearth_service::api::FindRequest { limit: Some(2), cursor, ..ask("") };
    let (first, summary) = fixture.run(&page(None)).unwrap();
    let whole = fixture.find("");
    // What is in memory stays as it was loaded: the tree is not where it can be compared.
    let fixture = restart(fixture, Config::default(), |_| {});
    match fixture.run(&page(summary.cursor)) {
        Ok((second, _)) => assert_eq!([first, second].concat(), whole[..4]),
        // It was compared meanwhile.
        Err(error) => assert!(matches!(error, ServiceError::GenerationMoved { .. }), "{error}"),
    }
}

#[test]
fn what_is_unsaved_is_saved_when_the_service_stops() {
    let fixture = saved();
    fs::write(fixture.path("t/later"), "new").unwrap();
    fixture.refresh("t");
    assert!(status(&fixture.service).unsaved, "the interval is not over");
    let before = fs::metadata(&snapshots(&fixture)[0]).unwrap().modified().unwrap();
    fixture.service.shutdown();
    let after = fs::metadata(&snapshots(&fixture)[0]).unwrap().modified().unwrap();
    assert!(after > before);
    let fixture = fixture.reopen_with(Config::default());
    assert_eq!(fixture.find("later"), ["t/later"]);
}

#[test]
fn hibernating_saves_first_and_what_a_digest_on_disk_refutes_is_not_loaded() {
    let fixture = saved();
    fs::write(fixture.path("t/later"), "new").unwrap();
    fixture.refresh("t");
    fixture.service.hibernate(&[], &patience()).unwrap();
    until("it is saved", || !status(&fixture.service).unsaved);
    assert_eq!(status(&fixture.service).tier, Tier::Cold);
    assert!(fixture.find("=no-such-name.txt").is_empty());
    let shard = status(&fixture.service);
    assert_eq!((shard.tier, shard.resident_bytes), (Tier::Parked, shard.digest_bytes));
    assert!(shard.digest_bytes > 0);
    assert_eq!(fixture.find("later"), ["t/later"]);
    assert_eq!(status(&fixture.service).tier, Tier::Warm);
    assert_eq!(word(&fixture.service), Some("loaded"));
}

#[test]
fn forgetting_removes_the_file_and_says_how_large_it_was() {
    let fixture = saved();
    let bytes = status(&fixture.service).snapshot.unwrap().bytes;
    assert_eq!(fs::metadata(&snapshots(&fixture)[0]).unwrap().len(), bytes);
    let freed = fixture.service.forget(b"t", true).unwrap();
    assert_eq!(freed.snapshot_bytes, bytes);
    assert!(snapshots(&fixture).is_empty());
    fixture.service.shutdown();
    assert!(snapshots(&fixture).is_empty(), "and it does not come back");
}

#[test]
fn a_snapshot_of_no_source_and_what_a_crash_left_are_removed_at_the_start() {
    let fixture = saved();
    let fixture = restart(fixture, Config::default(), |fixture| {
        let [own] = &snapshots(fixture)[..] else { panic!() };
        let folder = own.parent().unwrap();
        let name = own.file_name().unwrap().to_str().unwrap();
        fs::copy(own, folder.join("00000000000000ff.hearth")).unwrap();
        fs::write(folder.join(format!(".{name}.0123456789abcdef.tmp")), "half").unwrap();
        fs::write(folder.join("note.txt"), "not ours").unwrap();
    });
    let names: Vec<String> =
        snapshots(&fixture).iter().map(|path| path.file_name().unwrap().to_string_lossy().into()).collect();
    assert_eq!(names, ["0000000000000001.hearth", "note.txt"]);
    assert_eq!(fixture.find("main"), ["t/src/main.rs"]);
}

/// Restarts after something was done to a saved source, and gives the reason that was found not to load it.
#[track_caller]
fn reason_after(config: Config, meanwhile: impl FnOnce(&Fixture)) -> &'static str {
    let fixture = restart(saved(), config, meanwhile);
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(fixture.find("main"), ["t/src/main.rs"], "it was scanned");
    let shard = status(&fixture.service);
    let reason = shard.load_reason.unwrap();
    assert_eq!((shard.health, reason.text.is_empty()), (Health::Fresh, reason.word == "loaded"));
    let loud = ["key-unavailable", "decrypt-failed", "parse", "io", "deserialize", "decompress-failed"];
    assert_eq!(reason.unexpected, loud.contains(&reason.word), "{reason:?}");
    reason.word
}

fn damage(fixture: &Fixture, how: impl FnOnce(&mut Vec<u8>)) {
    let path = &snapshots(fixture)[0];
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_reason_not_to_load_leads_to_a_scan_and_is_told() {
    let same = Config::default;
    assert_eq!(reason_after(same(), |_| {}), "loaded");
    assert_eq!(reason_after(same(), |fixture| fs::remove_file(&snapshots(fixture)[0]).unwrap()), "missing");
    let cut_off = |fixture: &Fixture| {
        let own = snapshots(fixture).remove(0);
        let name = own.file_name().unwrap().to_str().unwrap();
        fs::rename(&own, own.with_file_name(format!(".{name}.0123456789abcdef.tmp"))).unwrap();
    };
    assert_eq!(reason_after(same(), cut_off), "scratch");
    assert_eq!(reason_after(same(), |fixture| damage(fixture, |bytes| bytes.truncate(100))), "parse");
    let flip = |fixture: &Fixture| damage(fixture, |bytes| bytes[12_300] ^= 1);
    assert_eq!(reason_after(same(), flip), "decrypt-failed");
    let lose_key = |fixture: &Fixture| fs::remove_file(fixture.path("state/snapshot.key")).unwrap();
    assert_eq!(reason_after(same(), lose_key), "key-unavailable");
    let other_folder = |fixture: &Fixture| {
        fs::rename(fixture.path("t"), fixture.path("moved")).unwrap();
        fixture.tree("t", &FILES);
    };
    assert_eq!(reason_after(same(), other_folder), "stale-vs-source");
    let mut rules = Config::default();
    rules.files.exclude.push("node_modules".to_owned());
    assert_eq!(reason_after(rules, |_| {}), "stale-by-epoch");
    let mut young = Config::default();
    young.stale.max_age = Some(Duration::from_millis(1));
    assert_eq!(reason_after(young, |_| {}), "stale-by-ttl");
    let folder = |fixture: &Fixture| {
        let own = snapshots(fixture).remove(0);
        fs::remove_file(&own).unwrap();
        fs::create_dir(&own).unwrap();
        fs::write(own.join("x"), "").unwrap();
    };
    assert_eq!(reason_after(same(), folder), "io");
}

#[test]
fn an_unusable_key_is_a_warning_and_nothing_is_saved_under_it() {
    let fixture = restart(saved(), Config::default(), |fixture| {
        let key = fixture.path("state/snapshot.key");
        fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    });
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(word(&fixture.service), Some("key-unavailable"));
    until("the save failed", || status(&fixture.service).last_save_error.is_some());
    let doctor = fixture.service.doctor();
    assert!(doctor.snapshots.key.unwrap_err().contains("644"));
    assert!(matches!(fixture.service.rotate_key(), Err(ServiceError::BadRequest { field: "key", .. })));
}

#[test]
fn a_new_key_opens_what_the_old_one_sealed() {
    let fixture = saved();
    let key = || fs::read(fixture.path("state/snapshot.key")).unwrap();
    let before = key();
    let rotation = fixture.service.rotate_key().unwrap();
    assert_eq!((rotation.resealed, rotation.left_out), (vec!["t".to_owned()], vec![]));
    assert_ne!(key(), before);
    let fixture = restart(fixture, Config::default(), |_| {});
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(word(&fixture.service), Some("loaded"));
}

#[test]
fn switched_off_nothing_is_written_or_read() {
    let mut off = Config::default();
    off.snapshot.enabled = false;
    let fixture = Fixture::with(off.clone());
    fixture.tree("t", &FILES);
    fixture.add("t");
    fixture.service.shutdown();
    assert!(!fixture.path("cache").exists() && !fixture.path("state/snapshot.key").exists());
    assert_eq!(fixture.service.doctor().snapshots.mode, SnapshotMode::Off);
    let fixture = restart(saved(), off, |_| {});
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(word(&fixture.service), None);
}

#[test]
fn beside_another_service_snapshots_are_only_read() {
    let fixture = saved();
    let before = snapshots(&fixture);
    let folders = Folders { shared: true, ..Folders::under(&fixture.path("")) };
    let beside: Arc<Service> = Service::open(Config::default(), &folders).unwrap();
    beside.wait_complete("t", &patience()).unwrap();
    assert_eq!(word(&beside), Some("loaded"));
    assert!(matches!(beside.rotate_key(), Err(ServiceError::BadRequest { .. })));
    beside.shutdown();
    assert_eq!(snapshots(&fixture), before);
}

#[test]
fn a_source_that_is_gone_keeps_its_snapshot() {
    let fixture = restart(saved(), Config::default(), |fixture| {
        fs::rename(fixture.path("t"), fixture.path("away")).unwrap();
    });
    until("it failed", || status(&fixture.service).health == Health::Failed);
    assert_eq!(word(&fixture.service), Some("io"));
    assert_eq!(snapshots(&fixture).len(), 1);
    let fixture = restart(fixture, Config::default(), |fixture| {
        fs::rename(fixture.path("away"), fixture.path("t")).unwrap();
    });
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(word(&fixture.service), Some("loaded"));
}
