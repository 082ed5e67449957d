//! `find` over one and several sources.

use crate::fixture::{Fixture, Paths, ask, patience};
use hearth_core::CancelToken;
use hearth_service::ServiceError;
use hearth_service::api::FindRequest;
use proptest::prelude::*;

const FILES: &[(&str, &str)] =
    &[("a/one.rs", "1"), ("a/Two.rs", "22"), ("a/b/three.txt", "333"), ("c/four.rs", "4444"), ("empty/", "")];

#[test]
fn one_source_is_searched() {
    let fixture = Fixture::with_tree(FILES);
    assert_eq!(fixture.find("*.rs"), ["t/a/one.rs", "t/a/Two.rs", "t/c/four.rs"]);
    let (_, summary) = fixture.run(&FindRequest { total: true, ..ask("type:file") }).unwrap();
    assert_eq!((summary.matched, summary.shown), (Some(4), 4));
    let meta = &summary.sources[0];
    assert_eq!((meta.source.as_str(), meta.generation, meta.complete, meta.stale), ("t", 1, true, false));
    assert!(meta.clock.starts_with("c1.") && meta.why.is_empty());
    assert!(summary.explain.is_empty() && summary.cursor.is_none());
}

#[test]
fn counting_delivers_nothing_and_explaining_describes() {
    let fixture = Fixture::with_tree(FILES);
    let request = FindRequest { count_only: true, explain: true, limit: Some(1), ..ask("*.rs") };
    let (rows, summary) = fixture.run(&request).unwrap();
    assert!(rows.is_empty());
    assert_eq!((summary.matched, summary.shown, summary.cursor), (Some(3), 0, None));
    assert_eq!(summary.explain[0].0, "t");
    assert!(!summary.explain[0].1.accelerator.is_empty());
}

#[test]
fn a_folder_limits_the_answer() {
    let fixture = Fixture::with_tree(FILES);
    let within = |folders: &[&str]| {
        let within = folders.iter().map(|folder| fixture.bytes(folder)).collect();
        fixture.run(&FindRequest { within, ..ask("type:file") }).unwrap().0
    };
    assert_eq!(within(&["t/a"]), ["t/a/b/three.txt", "t/a/one.rs", "t/a/Two.rs"]);
    assert_eq!(within(&["t/a/b/", "t/c"]), ["t/a/b/three.txt", "t/c/four.rs"]);
    assert_eq!(within(&["t"]).len(), 4);
    assert!(within(&["t/empty"]).is_empty());
}

#[test]
fn a_folder_that_cannot_be_answered_for_is_an_error() {
    let fixture = Fixture::with_tree(FILES);
    std::os::unix::fs::symlink("a", fixture.path("t/link")).unwrap();
    fixture.refresh("t");
    let error = |folder: &str| {
        fixture.run(&FindRequest { within: vec![fixture.bytes(folder)], ..ask("") }).unwrap_err()
    };
    for (folder, problem) in [
        ("t/nowhere", "is not in the index"),
        ("t/a/one.rs", "is not a folder but of type file"),
        ("t/link", "is a symbolic link"),
    ] {
        let ServiceError::NotFound { problem: found, source_name, .. } = error(folder) else {
            panic!("{folder}")
        };
        assert!(found.starts_with(problem) && source_name == "t", "{found}");
    }
    assert!(matches!(error("t2"), ServiceError::UnknownSource { nearest: Some(near), .. } if near == "t"));
    let inside = fixture.run(&ask(&format!("in:\"{}\"", fixture.path("t2").display())));
    assert!(matches!(inside, Err(ServiceError::UnknownSource { .. })));
}

#[test]
fn a_bad_query_or_order_points_at_itself() {
    let fixture = Fixture::with_tree(FILES);
    let Err(ServiceError::BadQuery { position, expected, .. }) = fixture.run(&ask("a size:huge")) else {
        panic!()
    };
    assert!(position >= 2 && !expected.is_empty());
    let sort = fixture.run(&FindRequest { sort: "colour".into(), ..ask("") });
    assert!(matches!(sort, Err(ServiceError::BadRequest { field: "sort", .. })));
    let long = fixture.run(&ask(&"x".repeat(20_000)));
    assert!(matches!(long, Err(ServiceError::BadQuery { .. })));
}

#[test]
fn owners_are_known_by_name_and_number() {
    let fixture = Fixture::with_tree(FILES);
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(fixture.find(&format!("type:file owner:{uid}")).len(), 4);
    if uid == 0 {
        assert_eq!(fixture.find("type:file owner:root").len(), 4);
    }
    assert!(matches!(fixture.run(&ask("owner:no-such-user-here")), Err(ServiceError::BadQuery { .. })));
}

#[test]
fn a_receiver_that_leaves_ends_the_answer() {
    let fixture = Fixture::with_tree(FILES);
    let mut sink = Paths { most: Some(0), ..Paths::default() };
    let summary = fixture.service.find(&ask(""), &patience(), &mut sink).unwrap();
    assert_eq!((summary.shown, summary.cursor), (0, None));
}

#[test]
fn a_cancelled_search_says_so() {
    let fixture = Fixture::with_tree(FILES);
    let cancel = CancelToken::new();
    cancel.cancel();
    let answer = fixture.service.find(&ask("re:.*"), &cancel, &mut Paths::default());
    assert!(matches!(answer, Err(ServiceError::Cancelled)));
}

#[test]
fn pages_join_to_the_whole_and_end() {
    let fixture = Fixture::with_tree(FILES);
    let whole = fixture.find("");
    for size in 1..=whole.len() as u64 + 1 {
        let mut joined = Vec::new();
        let mut cursor = None;
        loop {
            let (rows, summary) = fixture.run(&FindRequest { limit: Some(size), cursor, ..ask("") }).unwrap();
            assert!(rows.len() as u64 <= size);
            joined.extend(rows);
            cursor = summary.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(joined, whole, "pages of {size}");
    }
}

#[test]
fn a_cursor_is_bound_to_its_request_and_instant() {
    let fixture = Fixture::with_tree(FILES);
    let page = FindRequest { limit: Some(1), ..ask("") };
    let cursor = fixture.run(&page).unwrap().1.cursor;
    let other = FindRequest { cursor: cursor.clone(), ..ask("type:file") };
    assert!(matches!(fixture.run(&other), Err(ServiceError::BadRequest { field: "cursor", .. })));
    fixture.refresh("t");
    let again = || fixture.run(&FindRequest { cursor: cursor.clone(), ..page.clone() });
    assert_eq!(again().unwrap().1.sources[0].generation, 1, "it goes on where it began");
    fixture.service.hibernate(&[], &patience()).unwrap();
    fixture.refresh("t");
    let error = again().unwrap_err();
    assert!(
        matches!(&error, ServiceError::GenerationMoved { source_name, .. } if source_name == "t"),
        "{error}"
    );
}

/// Two trees whose rows mix in every order but the one by path.
fn two_trees() -> Fixture {
    let fixture = Fixture::new();
    fixture.tree("t", &[("a", "1"), ("m/c", "333"), ("m/e", "55555")]);
    fixture.tree("u", &[("b", "22"), ("m/d", "4444"), ("m/f", "666666")]);
    fixture.add("u");
    fixture.add("t");
    fixture
}

#[test]
fn several_sources_answer_in_one_order() {
    let fixture = two_trees();
    assert_eq!(fixture.find("type:file"), ["t/a", "t/m/c", "t/m/e", "u/b", "u/m/d", "u/m/f"]);
    let sorted = |sort: &str, limit| {
        fixture.run(&FindRequest { sort: sort.into(), limit, total: true, ..ask("type:file") }).unwrap()
    };
    let by_name = ["t/a", "u/b", "t/m/c", "u/m/d", "t/m/e", "u/m/f"];
    assert_eq!(sorted("name", None).0, by_name);
    assert_eq!(sorted("name", Some(3)).0, by_name[..3]);
    assert_eq!(sorted("size:desc", Some(2)).0, ["u/m/f", "t/m/e"]);
    let (_, summary) = sorted("size:desc", Some(2));
    assert_eq!((summary.matched, summary.shown, summary.sources.len()), (Some(6), 2, 2));
    let (_, counted) = fixture.run(&FindRequest { count_only: true, ..ask("type:file") }).unwrap();
    assert_eq!(counted.matched, Some(6));
}

#[test]
fn only_sources_that_can_match_are_touched() {
    let fixture = two_trees();
    let below = fixture.path("u/m");
    let (rows, summary) = fixture.run(&ask(&format!("in:\"{}\" type:file", below.display()))).unwrap();
    assert_eq!(rows, ["u/m/d", "u/m/f"]);
    assert_eq!(summary.sources.iter().map(|meta| meta.source.as_str()).collect::<Vec<_>>(), ["u"]);
    let status = fixture.service.status();
    let queries = |name: &str| {
        status.shards.iter().find(|shard| shard.source.name == name).map(|shard| shard.queries_total)
    };
    assert_eq!((queries("t"), queries("u")), (Some(0), Some(1)));
}

#[test]
fn the_folder_around_several_sources_holds_them_all() {
    let fixture = two_trees();
    let within = vec![fixture.bytes("")];
    assert_eq!(fixture.run(&FindRequest { within, ..ask("type:file") }).unwrap().0.len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn pages_of_several_sources_equal_the_whole(
        names in proptest::collection::btree_set("[a-c]{1,3}", 1..12),
        size in 1_u64..6,
        sort in proptest::sample::select(vec!["", "name", "size:desc,name", "path:desc"]),
    ) {
        let fixture = Fixture::new();
        for (at, name) in names.iter().enumerate() {
            let top = ["t", "u", "v"][at % 3];
            fixture.tree(top, &[(&format!("x{}/{name}", at % 2), name)]);
        }
        for top in ["t", "u", "v"].iter().take(names.len()) {
            fixture.add(top);
        }
        let whole = FindRequest { sort: sort.into(), ..ask("type:file") };
        let (all, _) = fixture.run(&whole).unwrap();
        prop_assert_eq!(all.len(), names.len());
        let (mut joined, mut cursor) = (Vec::new(), None);
        loop {
            let page = FindRequest { limit: Some(size), cursor, ..whole.clone() };
            let (rows, summary) = fixture.run(&page).unwrap();
            joined.extend(rows);
            cursor = summary.cursor;
            if cursor.is_none() {
                break;
            }
        }
        prop_assert_eq!(joined, all);
    }
}
