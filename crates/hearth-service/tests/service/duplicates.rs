//! `dupes` over files that are equal, nearly equal, linked, unreadable and beyond the budget.

use crate::fixture::{Fixture, patience};
use hearth_core::CancelToken;
use hearth_service::ServiceError;
use hearth_service::api::{DupesAnswer, DupesRequest};
use std::fs;

fn ask(query: &str) -> DupesRequest {
    DupesRequest {
        query: query.into(),
        cwd: None,
        within: Vec::new(),
        min_size: 1,
        read_budget: 0,
        limit: 100,
        wait_fresh: None,
    }
}

impl Fixture {
    fn dupes(&self, request: &DupesRequest) -> DupesAnswer {
        let mut last = 0;
        self.service
            .dupes(request, &patience(), &mut |progress| {
                assert!(progress.done >= last && Some(progress.done) <= progress.total, "{progress:?}");
                last = progress.done;
            })
            .unwrap()
    }

    fn groups(&self, answer: &DupesAnswer) -> Vec<Vec<String>> {
        let top = self.path("").display().to_string();
        let name = |path: &Vec<u8>| String::from_utf8_lossy(path).replace(&top, "");
        answer.groups.iter().map(|group| group.paths.iter().map(name).collect()).collect()
    }
}

/// Content longer than the first look, with one byte that can differ at the end.
fn long(last: char) -> String {
    format!("{}{last}", "x".repeat(100_000))
}

fn fixture() -> Fixture {
    let (same, other) = (long('a'), long('b'));
    let fixture = Fixture::with_tree(&[
        ("big1", &same),
        ("d/big2", &same),
        ("big3", &other),
        ("short1", "12345"),
        ("d/short2", "12345"),
        ("short3", "12346"),
        ("alone", "123456"),
        ("empty1", ""),
        ("empty2", ""),
    ]);
    fs::hard_link(fixture.path("t/big1"), fixture.path("t/a-link")).unwrap();
    fixture.refresh("t");
    fixture
}

#[test]
fn equal_contents_are_found_and_nothing_else() {
    let fixture = fixture();
    let answer = fixture.dupes(&ask(""));
    assert_eq!(fixture.groups(&answer), [vec!["t/a-link", "t/d/big2"], vec!["t/d/short2", "t/short1"]]);
    assert_eq!((answer.groups_total, answer.wasted, answer.unreadable), (2, 100_006, 0));
    assert!(answer.exhaustive);
    assert_eq!(answer.groups[0].hash, blake3::hash(long('a').as_bytes()).to_hex().to_string());
    assert_eq!(answer.groups[1].hash, blake3::hash(b"12345").to_hex().to_string());
    assert_eq!(answer.read, 3 * 4096 + 3 * 100_001 + 3 * 5);
}

#[test]
fn a_hard_link_is_no_duplicate() {
    let fixture = Fixture::with_tree(&[("a", "same")]);
    fs::hard_link(fixture.path("t/a"), fixture.path("t/b")).unwrap();
    fixture.refresh("t");
    let answer = fixture.dupes(&ask(""));
    assert!(answer.groups.is_empty());
    assert_eq!(answer.read, 0);
}

#[test]
fn query_size_and_limit_narrow_the_search() {
    let fixture = fixture();
    let large = fixture.dupes(&DupesRequest { min_size: 6, ..ask("") });
    assert_eq!((large.groups.len(), large.groups_total), (1, 1));
    let named = fixture.dupes(&ask("short*"));
    assert_eq!(fixture.groups(&named), [["t/d/short2", "t/short1"]]);
    let limited = fixture.dupes(&DupesRequest { limit: 1, ..ask("") });
    assert_eq!((limited.groups.len(), limited.groups_total, limited.wasted), (1, 2, 100_006));
}

#[test]
fn duplicates_are_found_across_sources() {
    let fixture = Fixture::with_tree(&[("a", "same content")]);
    fixture.tree("u", &[("b", "same content")]);
    fs::hard_link(fixture.path("t/a"), fixture.path("u/linked")).unwrap();
    fixture.add("u");
    fixture.refresh("t");
    let answer = fixture.dupes(&ask(""));
    assert_eq!(fixture.groups(&answer), [["t/a", "u/b"]]);
    assert_eq!(answer.sources.len(), 2);
}

#[test]
fn the_budget_is_kept_and_its_end_is_told() {
    let fixture = fixture();
    for budget in [1, 14, 15, 4096, 12_500, 200_000, 400_000] {
        let answer = fixture.dupes(&DupesRequest { read_budget: budget, ..ask("") });
        assert!(answer.read <= budget, "{} of {budget}", answer.read);
        assert_eq!(answer.exhaustive, budget == 400_000, "{budget}");
    }
    let small = fixture.dupes(&DupesRequest { read_budget: 20, ..ask("") });
    assert_eq!(fixture.groups(&small), [["t/d/short2", "t/short1"]], "what can be paid for is compared");
}

#[test]
fn files_that_changed_since_the_scan_are_counted() {
    let fixture = fixture();
    fs::write(fixture.path("t/short1"), "longer than before").unwrap();
    fs::remove_file(fixture.path("t/d/short2")).unwrap();
    let answer = fixture.dupes(&ask("short*"));
    assert!(answer.groups.is_empty());
    assert_eq!(answer.unreadable, 2);
}

#[test]
fn a_search_can_be_cancelled() {
    let fixture = fixture();
    let cancel = CancelToken::new();
    cancel.cancel();
    let answer = fixture.service.dupes(&ask(""), &cancel, &mut |_| {});
    assert!(matches!(answer, Err(ServiceError::Cancelled)));
}
