//! Tiers seen from outside: what leaves memory, what comes back, who waits for it, what is refused.

use crate::fixture::{Fixture, ask, patience};
use hearth_core::CancelToken;
use hearth_service::api::{FindRequest, Health, Reason, ShardStatus, Tier};
use hearth_service::{Config, ServiceError, Waited};
use std::thread;
use std::time::{Duration, Instant};

fn shard(fixture: &Fixture, name: &str) -> ShardStatus {
    let status = fixture.service.status();
    status.shards.into_iter().find(|shard| shard.source.name == name).unwrap()
}

/// Waits until a source is in a tier, with nothing under way.
fn until(fixture: &Fixture, name: &str, tier: Tier) -> ShardStatus {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let shard = shard(fixture, name);
        if shard.tier == tier && !matches!(shard.health, Health::Loading | Health::Rebuilding) {
            return shard;
        }
        assert!(Instant::now() < until, "{name} stays {:?}, {:?}", shard.tier, shard.health);
        thread::sleep(Duration::from_millis(5));
    }
}

/// A service whose shards are parked after a moment.
fn hasty() -> Config {
    let mut config = Config::default();
    config.pressure.poll = Duration::from_millis(100);
    config.idle.hot = Duration::from_millis(150);
    config.idle.warm = Duration::from_millis(300);
    config.idle.parked = Duration::from_secs(3600);
    config.idle.adaptive_cap = 1;
    config
}

fn trees(fixture: &Fixture, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("t{number:02}")).collect();
    for name in &names {
        fixture.tree(name, &[(&format!("{name}-own.txt"), ""), ("shared.txt", "")]);
        fixture.add(name);
    }
    names
}

fn count(fixture: &Fixture, query: &str) -> (u64, Vec<bool>) {
    let request = FindRequest { count_only: true, ..ask(query) };
    let (_, summary) = fixture.run(&request).unwrap();
    (summary.matched.unwrap(), summary.sources.iter().map(|meta| meta.complete).collect())
}

#[test]
fn what_nobody_asks_is_parked_and_comes_back_when_asked() {
    let fixture = Fixture::with(hasty());
    fixture.tree("t", &[("readme.md", "")]);
    fixture.add("t");
    let parked = until(&fixture, "t", Tier::Parked);
    assert_eq!((parked.health, parked.rows, parked.generation), (Health::Empty, 2, 1));
    assert!(parked.digest_bytes > 0 && parked.resident_bytes == parked.digest_bytes);
    assert_eq!(fixture.find("readme"), ["t/readme.md"]);
    let back = shard(&fixture, "t");
    assert_eq!((back.generation, back.loads_total), (2, 2));
}

#[test]
fn what_the_digest_refutes_stays_parked_and_is_complete() {
    let fixture = Fixture::with(hasty());
    fixture.tree("t", &[("readme.md", "")]);
    fixture.add("t");
    until(&fixture, "t", Tier::Parked);
    for query in ["=absent.txt", "ext:parquet", "zyxwvut", "*.qqq", "re:xyzzy[0-9]"] {
        let (rows, summary) = fixture.run(&ask(query)).unwrap();
        assert_eq!((rows.len(), summary.matched), (0, Some(0)), "{query}");
        let meta = &summary.sources[0];
        assert!(meta.complete && !meta.stale && meta.generation == 1, "{query}: {meta:?}");
        assert_eq!(shard(&fixture, "t").tier, Tier::Parked, "{query}");
    }
    assert_eq!(shard(&fixture, "t").loads_total, 1);
}

#[test]
fn a_changed_source_is_seen_when_it_comes_back() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fixture.service.hibernate(&[], &patience()).unwrap();
    fixture.tree("t", &[("b", "")]);
    assert!(fixture.find("type:file").contains(&"t/a".to_owned()));
    fixture.service.wait_complete("t", &patience()).unwrap();
    assert_eq!(fixture.find("type:file"), ["t/a", "t/b"]);
}

#[test]
fn an_operator_brings_in_keeps_and_lets_go() {
    let fixture = Fixture::with(hasty());
    fixture.tree("t", &[("a", "")]);
    fixture.add("t");
    let (name, service) = (b"t".to_vec(), &fixture.service);
    let freed = service.hibernate(std::slice::from_ref(&name), &patience()).unwrap();
    assert!(freed[0].freed_bytes > 0);
    assert_eq!(shard(&fixture, "t").tier, Tier::Cold);
    assert_eq!(shard(&fixture, "t").resident_bytes, 0);

    let kept = service.pin(std::slice::from_ref(&name), &patience()).unwrap();
    assert!(kept[0].pinned && kept[0].pin_expires_ns.is_none() && kept[0].resident_bytes > 0);
    let refused = service.hibernate(std::slice::from_ref(&name), &patience());
    assert!(matches!(refused, Err(ServiceError::Pinned { .. })));
    assert!(service.hibernate(&[], &patience()).unwrap().is_empty(), "all means all that are not pinned");
    fixture.refresh("t");
    thread::sleep(Duration::from_millis(700));
    let shard_now = shard(&fixture, "t");
    assert!(shard_now.tier == Tier::Hot && shard_now.pinned, "a pin survives a refresh and idleness");

    assert_eq!(service.unpin(&[]).unwrap().len(), 1);
    assert!(service.unpin(&[]).unwrap().is_empty());
    until(&fixture, "t", Tier::Parked);
    let kept = service.preload(&[], Some(Duration::from_millis(100)), &patience()).unwrap();
    assert!(kept[0].pinned && kept[0].pin_expires_ns.is_some());
    until(&fixture, "t", Tier::Parked);
    assert!(!shard(&fixture, "t").pinned);
    let unknown = service.preload(&[b"t".to_vec(), b"x".to_vec()], None, &patience());
    assert!(matches!(unknown, Err(ServiceError::UnknownSource { .. })));
    assert!(matches!(service.pin(&[], &patience()), Err(ServiceError::BadRequest { .. })));
}

#[test]
fn many_who_ask_a_cold_shard_at_once_load_it_once() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fixture.service.hibernate(&[], &patience()).unwrap();
    let before = shard(&fixture, "t").loads_total;
    thread::scope(|scope| {
        for _ in 0..25 {
            scope.spawn(|| assert_eq!(fixture.find("type:file"), ["t/a"]));
        }
    });
    assert_eq!(shard(&fixture, "t").loads_total, before + 1);
}

#[test]
fn one_question_brings_in_many_cold_shards() {
    let fixture = Fixture::new();
    let names = trees(&fixture, 20);
    fixture.service.hibernate(&[], &patience()).unwrap();
    assert_eq!(count(&fixture, "shared"), (20, vec![true; 20]));
    assert!(names.iter().all(|name| shard(&fixture, name).tier == Tier::Warm));
}

#[test]
fn only_shards_that_are_read_are_touched() {
    let fixture = Fixture::new();
    let names = trees(&fixture, 3);
    let page = FindRequest { limit: Some(1), ..ask("shared") };
    let (rows, summary) = fixture.run(&page).unwrap();
    assert_eq!(rows, ["t00/shared.txt"]);
    assert!(summary.cursor.is_some() && summary.sources.len() == 2, "the second tells that there is more");
    fixture.service.hibernate(&[names[1].as_bytes().to_vec()], &patience()).unwrap();
    let (_, summary) = fixture.run(&page).unwrap();
    assert!(summary.cursor.is_some() && summary.sources.len() == 1, "which is not worth a load");
    let queries: Vec<u64> = names.iter().map(|name| shard(&fixture, name).queries_total).collect();
    assert_eq!(queries, [2, 1, 0]);
    assert_eq!(shard(&fixture, &names[1]).tier, Tier::Cold);
}

#[test]
fn pages_go_on_over_sources_that_come_and_go() {
    let fixture = Fixture::new();
    let names = trees(&fixture, 5);
    let (mut cursor, mut rows) = (None, Vec::new());
    loop {
        let request = FindRequest { limit: Some(2), cursor, ..ask("type:file") };
        let (page, summary) = fixture.run(&request).unwrap();
        rows.extend(page);
        let Some(next) = summary.cursor else { break };
        cursor = Some(next);
        // What a later page needs may be out of memory; what an earlier one gave must not have moved.
        fixture.service.hibernate(&[names.last().unwrap().as_bytes().to_vec()], &patience()).unwrap();
    }
    let all: Vec<String> = names
        .iter()
        .flat_map(|name| [format!("{name}/shared.txt"), format!("{name}/{name}-own.txt")])
        .collect();
    assert_eq!(rows, all);
}

fn narrow(budget_bytes: u64) -> Config {
    let mut config = Config::default();
    config.memory.budget = Some(budget_bytes);
    config.load.admission_wait = Duration::from_secs(5);
    // Scans of small trees are short: what they need is to be seen while they run.
    config.pressure.poll = Duration::from_millis(1);
    config
}

/// Six sources that queries have gone over three times.
fn walked_over(config: Config) -> Fixture {
    let fixture = Fixture::with(config);
    let names: Vec<String> = (0..6).map(|number| format!("t{number}")).collect();
    for name in &names {
        for file in 0..3000 {
            let (folder, name) = (file % 7, format!("{name}-{file:05}-{}", file * 7919));
            let path = fixture.path(&name[..2]).join(format!("d{folder}"));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(name), "").unwrap();
        }
        fixture.add(name);
    }
    for _ in 0..3 {
        let (rows, summary) = fixture.run(&ask("type:file")).unwrap();
        assert_eq!(rows.len(), 18_000, "{:?}", summary.sources);
        let (matched, complete) = count(&fixture, "-0299");
        assert_eq!((matched, complete), (60, vec![true; 6]));
    }
    fixture
}

#[test]
fn a_walk_over_more_than_fits_is_answered_whole() {
    // Making one of these takes 2.8 MB, each then stays with about 0.1 MB.
    let mut config = narrow(3_100_000);
    config.snapshot.enabled = false;
    let fixture = walked_over(config);
    // An order that mixes sources holds them all: those that do not fit are left out, and that is told.
    let began = Instant::now();
    let mixed = FindRequest { sort: "size".into(), ..ask("type:file") };
    let (rows, summary) = fixture.run(&mixed).unwrap();
    let complete = summary.sources.iter().filter(|meta| meta.complete).count();
    assert!((1..6).contains(&complete) && summary.sources.len() == 6, "{:?}", summary.sources);
    assert_eq!(rows.len(), complete * 3000);
    assert!(began.elapsed() < Duration::from_secs(30), "one wait for room is enough");
    let status = fixture.service.status();
    let in_memory = status.shards.iter().filter(|shard| shard.tier >= Tier::Warm).count();
    assert!((1..6).contains(&in_memory), "{in_memory} in memory: {status:?}");
    assert!(status.held_bytes <= status.budget_bytes, "{} of {}", status.held_bytes, status.budget_bytes);
}

#[test]
fn what_is_on_disk_needs_less_room_than_a_scan() {
    let fixture = walked_over(narrow(3_100_000));
    let mixed = FindRequest { sort: "size".into(), ..ask("type:file") };
    let (rows, summary) = fixture.run(&mixed).unwrap();
    assert!(summary.sources.iter().all(|meta| meta.complete), "{:?}", summary.sources);
    assert_eq!(rows.len(), 18_000);
}

#[test]
fn a_shard_that_does_not_fit_is_refused_and_the_others_answer() {
    let fixture = Fixture::with(narrow(5 << 20));
    fixture.tree("small", &[("a", "")]);
    fixture.add("small");
    for folder in 0..20 {
        let path = fixture.path("large").join(format!("d{folder}"));
        std::fs::create_dir_all(&path).unwrap();
        (0..1000).for_each(|file| std::fs::write(path.join(format!("f{file}")), "").unwrap());
    }
    fixture.service.add(&fixture.bytes("large"), Some("large")).unwrap();
    let refused = fixture.service.wait_complete("large", &patience()).unwrap_err();
    let ServiceError::OverBudget { needed_bytes, budget_bytes, .. } = &refused else { panic!("{refused}") };
    assert!(needed_bytes > budget_bytes && refused.hint().unwrap().contains("memory.budget"));
    let (rows, summary) = fixture.run(&ask("=a")).unwrap();
    assert_eq!(rows, ["small/a"]);
    let meta = summary.sources.iter().find(|meta| meta.source == "large").unwrap();
    assert!(!meta.complete && meta.why.contains("memory budget"), "{meta:?}");
    let within = vec![fixture.bytes("large")];
    let alone = fixture.run(&FindRequest { within, ..ask("") });
    assert!(matches!(alone, Err(ServiceError::OverBudget { .. })));
}

#[test]
fn moves_are_told_to_subscribers_in_order() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    let subscription = fixture.service.transitions();
    fixture.service.hibernate(&[], &patience()).unwrap();
    fixture.find("a");
    let mut moves = Vec::new();
    while !moves.ends_with(&[("rebuilding", "fresh", Reason::Publish)]) {
        let Waited::Event(event) = subscription.wait(Duration::from_secs(60)) else { panic!("{moves:?}") };
        assert_eq!(event.source, "t");
        moves.push((event.from, event.to, event.reason));
    }
    // Whoever waits for a state may see it before its move is told.
    moves.drain(..moves.iter().position(|(.., reason)| *reason == Reason::Hibernate).unwrap());
    let expected = [
        ("warm", "cold", Reason::Hibernate),
        ("fresh", "empty", Reason::Hibernate),
        ("cold", "parked", Reason::Digest),
        ("empty", "loading", Reason::Promote),
        ("parked", "warm", Reason::Promote),
        ("loading", "rebuilding", Reason::Refresh),
        ("rebuilding", "fresh", Reason::Publish),
    ];
    assert_eq!(moves, expected);
    fixture.service.shutdown();
    assert_eq!(subscription.wait(Duration::from_secs(60)), Waited::Ended);
}

#[test]
fn a_wait_for_a_cold_shard_can_be_given_up() {
    let fixture = Fixture::with_tree(&[("a", "")]);
    fixture.service.hibernate(&[], &patience()).unwrap();
    let cancel = CancelToken::new();
    cancel.cancel();
    let mut sink = crate::fixture::Paths::default();
    let given_up = fixture.service.find(&ask("a"), &cancel, &mut sink);
    assert!(matches!(given_up, Err(ServiceError::Cancelled) | Ok(_)));
    assert_eq!(fixture.find("type:file"), ["t/a"], "its load goes on, or begins anew");
}
