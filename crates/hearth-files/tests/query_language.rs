//! The query language: the cases of its specification, and what holds for every query.

#![allow(missing_docs)]

pub mod literate;
pub mod naive;

use hearth_core::limits::{NAME_BYTES, QUERY_BYTES, QUERY_DEPTH, QUERY_TERMS};
use hearth_files::fold::{fold, has_upper};
use hearth_files::query::{
    Context, Expr, GlobScope, PathPattern, Pattern, Query, QueryError, Test, TimeRange, compile_regex,
    glob_to_regex, parse, parse_sort, quote_term,
};
use jiff::tz::TimeZone;
use literate::{Book, Case, Expect, SPECIFICATION, context, nanos};
use naive::{NaiveEntry, NaiveTree};
use proptest::prelude::*;

fn sample(book: &Book, case: &Case) -> NaiveTree {
    let entries = book.trees[case.tree].iter();
    NaiveTree::new(entries.map(|entry| NaiveEntry { path: entry.path.clone(), meta: entry.meta }).collect())
}

fn found(tree: &NaiveTree, query: &[u8], sort: &str) -> Result<Vec<Vec<u8>>, String> {
    let query = understood(query)?;
    let sort = parse_sort(sort).map_err(|error| error.render(sort.as_bytes()))?;
    let rows = tree.sort(&sort, tree.select(&query));
    Ok(rows.into_iter().map(|row| tree.entries[row].path.clone()).collect())
}

/// A query as faces take it, or how they show why it is none.
fn understood(text: &[u8]) -> Result<Query, String> {
    let query = parse(text, &context()).map_err(|error| error.render(text))?;
    query.asks_for_deleted().map_err(|error| error.render(text))?;
    Ok(query)
}

/// What is wrong with a case, if anything.
fn check(book: &Book, case: &Case) -> Option<String> {
    let tree = sample(book, case);
    let found = found(&tree, &case.query, &case.sort);
    match (&case.expect, &found) {
        (Expect::Paths(expected), Ok(paths)) if paths == expected => None,
        (Expect::Error(expected), Err(shown)) if shown == expected => None,
        (Expect::SameAs(other), Ok(paths))
            if !paths.is_empty() && self::found(&tree, other, "").as_ref() == Ok(paths) =>
        {
            None
        }
        _ => {
            let shown = found.map(|paths| paths.iter().map(|path| shown(path) + "\n").collect::<String>());
            let shown = shown.unwrap_or_else(|error| error);
            Some(format!("line {}: {}\n{shown}", case.line, String::from_utf8_lossy(&case.query)))
        }
    }
}

/// A path as the specification writes it.
fn shown(path: &[u8]) -> String {
    std::str::from_utf8(path).map_or_else(|_| path.escape_ascii().to_string(), str::to_owned)
}

#[test]
fn the_specification_holds() {
    let book = literate::load(SPECIFICATION);
    assert!(book.cases.len() > 100, "the cases were found");
    let wrong: Vec<String> = book.cases.iter().filter_map(|case| check(&book, case)).collect();
    assert!(wrong.is_empty(), "{} cases differ; they give:\n\n{}", wrong.len(), wrong.join("\n"));
}

fn parsed(query: &str) -> Query {
    parse(query.as_bytes(), &context()).unwrap_or_else(|error| panic!("{}", error.render(query.as_bytes())))
}

fn failure(query: &[u8]) -> QueryError {
    parse(query, &context()).err().unwrap_or_else(|| panic!("accepted: {}", query.escape_ascii()))
}

/// The test of a query that is one term.
fn only_test(query: Query) -> Test {
    match query.expr {
        Expr::Term(term) => term.test,
        other => panic!("not one term: {other:?}"),
    }
}

#[test]
fn limits_are_errors() {
    assert_eq!(failure(&vec![b'a'; QUERY_BYTES + 1]).position, QUERY_BYTES);
    parse(&vec![b'a'; QUERY_BYTES], &context()).expect("the longest query");
    let nested = |depth| [vec![b'('; depth], b"a".to_vec(), vec![b')'; depth]].concat();
    parse(&nested(QUERY_DEPTH), &context()).expect("the deepest query");
    assert_eq!(failure(&nested(QUERY_DEPTH + 1)).position, QUERY_DEPTH);
    assert_eq!(failure(&vec![b'('; QUERY_BYTES]).position, QUERY_DEPTH);
    parse(&b"a ".repeat(QUERY_TERMS), &context()).expect("the most terms");
    assert_eq!(failure(&b"a ".repeat(QUERY_TERMS + 1)).position, 2 * QUERY_TERMS);
    parse(&[vec![b'!'; QUERY_BYTES - 1], b"a".to_vec()].concat(), &context())
        .expect("negation does not nest");
    assert_eq!(failure(b"re:(\\w{1000}){1000}").position, 3);
    let braces = [vec![b'{'; 65], vec![b'}'; 65]].concat();
    assert_eq!(failure(&braces).position, 64);
    assert_eq!(failure(b"a\0b").position, 1);
}

#[test]
fn spans_are_those_of_the_terms() {
    let Expr::And(parts) = parsed(" ab !(size:>1|2 \"c d\")").expr else { panic!("a conjunction") };
    let mut spans = Vec::new();
    fn collect(expr: &Expr, spans: &mut Vec<std::ops::Range<usize>>) {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| collect(part, spans)),
            Expr::Not(part) => collect(part, spans),
            Expr::Term(term) => spans.push(term.span.clone()),
        }
    }
    parts.iter().for_each(|part| collect(part, &mut spans));
    assert_eq!(spans, [1..3, 6..13, 14..15, 16..21]);
}

#[test]
fn what_the_context_does_not_know_is_an_error() {
    let nobody = |_: &str| None;
    let bare = Context {
        now_ns: 0,
        zone: TimeZone::UTC,
        cwd: None,
        home: None,
        user_id: &nobody,
        group_id: &nobody,
    };
    for (query, position) in
        [("in:src", 3), ("./a", 0), ("a ~/b", 2), ("in:~", 3), ("owner:ann", 6), ("=a/b", 1)]
    {
        let error = parse(query.as_bytes(), &bare).expect_err(query);
        assert_eq!(error.position, position, "{query}");
    }
    for query in ["/a/b", "a/b", "owner:7", "~", "in:/", "src/*.rs"] {
        parse(query.as_bytes(), &bare).expect(query);
    }
}

#[test]
fn folders_at_the_root_resolve() {
    let nobody = |_: &str| None;
    let root = Context {
        now_ns: 0,
        zone: TimeZone::UTC,
        cwd: Some(b"/"),
        home: Some(b"/"),
        user_id: &nobody,
        group_id: &nobody,
    };
    for (query, expected) in [
        ("in:~", &b""[..]),
        ("in:.", b""),
        ("in:..", b""),
        ("in:a", b"/a"),
        ("~/", b""),
        ("./", b""),
        ("/", b""),
        ("in:~/a/", b"/a"),
        ("in:../../a//b/.", b"/a/b"),
        ("//", b""),
    ] {
        let query = parse(query.as_bytes(), &root).expect(query);
        assert_eq!(only_test(query), Test::In(expected.to_vec()));
    }
}

#[test]
fn classes_that_cannot_be_ranges_are_errors() {
    for (query, position) in [
        (&b"*[\xe9-\xff]"[..], 2),
        (b"*[a-\xff]", 2),
        (b"a {b,[c", 5),
        ("[µ-º]*".as_bytes(), 0),
        (b"[]", 0),
        (b"[!]*", 0),
        (b"x/{a", 2),
        (b"~/[b", 2),
        (b"./\"[\"[b", 5),
    ] {
        assert_eq!(failure(query).position, position, "{}", query.escape_ascii());
    }
    parse("case:[µ-º]*".as_bytes(), &context()).expect("in order as it stands");
}

#[test]
fn invalid_utf8_in_a_regular_expression_is_an_error() {
    assert_eq!(failure(b"re:a\xe9").position, 4);
    assert_eq!(failure(b"owner:\xff").position, 6);
}

#[test]
fn what_the_parser_lets_pass_compiles() {
    for (atom, most) in
        [("\\w", 400), ("\\W", 400), ("k", 60_000), ("[а-я]", 4000), ("\\p{L}", 400), (".", 20_000)]
    {
        let mut times = 1;
        while times < most {
            for modifier in ["", "case:"] {
                let text = format!("{modifier}re:{atom}{{{times}}}");
                if let Ok(query) = parse(text.as_bytes(), &context()) {
                    check_expr(&query.expr, text.len());
                }
            }
            times = times * 3 / 2 + 1;
        }
    }
}

#[test]
fn the_size_of_globs_is_limited() {
    assert_eq!(failure(&b"?".repeat(QUERY_BYTES)).message, "the glob is too large");
    parse(&b"?".repeat(NAME_BYTES), &context()).expect("as many as a name has bytes");
}

/// Central European time with its changes of the clock, without asking the system's database.
fn berlin(now: &str) -> Context<'static> {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
    Context { now_ns: nanos(now), zone, ..context() }
}

#[track_caller]
fn check_time(now: &str, query: &str, from: &str, until: &str) {
    let bound = |text: &str| (!text.is_empty()).then(|| nanos(text));
    let query = parse(query.as_bytes(), &berlin(now)).unwrap_or_else(|error| panic!("{error}"));
    let Test::Time(_, range) = only_test(query) else { panic!("a time") };
    assert_eq!(range, TimeRange { from: bound(from), until: bound(until) });
}

#[test]
fn days_follow_the_clock() {
    // The clock goes forward on 29 March 2026 at 01:00 UTC and back on 25 October 2026 at 01:00 UTC.
    check_time("2026-03-29T10:00:00", "dm:today", "2026-03-28T23:00:00", "2026-03-29T22:00:00");
    check_time("2026-10-25T10:00:00", "dm:today", "2026-10-24T22:00:00", "2026-10-25T23:00:00");
    check_time("2026-03-30T10:00:00", "dm:yesterday", "2026-03-28T23:00:00", "2026-03-29T22:00:00");
    check_time("2026-03-30T10:00:00", "dm:1d", "2026-03-29T10:00:00", "");
    check_time("2026-03-30T10:00:00", "dm:2d", "2026-03-28T11:00:00", "");
    check_time("2026-03-30T10:00:00", "dm:48h", "2026-03-28T10:00:00", "");
    check_time("2026-04-01T10:00:00", "dm:lastweek", "2026-03-22T23:00:00", "2026-03-29T22:00:00");
    check_time("2026-03-29T10:00:00", "dm:thisweek", "2026-03-22T23:00:00", "2026-03-29T22:00:00");
    check_time("2026-03-31T10:00:00", "dm:1mo", "2026-02-28T11:00:00", "");
    check_time("2026-03-29T10:00:00", "dm:2026-03-29T02:30", "2026-03-29T01:30:00", "2026-03-29T01:31:00");
}

#[test]
fn a_day_that_begins_late_begins_with_its_first_instant() {
    // The clock jumps from 00:00 to 01:00 on the day.
    let zone = TimeZone::posix("AAA3BBB,M9.1.0/0,M4.1.0/0").expect("a zone");
    let ctx = Context { now_ns: nanos("2026-09-06T12:00:00"), zone, ..context() };
    let query = parse(b"dm:today", &ctx).expect("a query");
    let expected =
        TimeRange { from: Some(nanos("2026-09-06T03:00:00")), until: Some(nanos("2026-09-07T02:00:00")) };
    assert!(matches!(only_test(query), Test::Time(_, range) if range == expected));
}

#[test]
fn dates_beyond_the_clock_are_errors() {
    for query in ["dm:1500", "dm:..9999", "dm:900000y", "dm:99999999999999999999d", "dm:2263"] {
        assert_eq!(failure(query.as_bytes()).message, "the date is out of range", "{query}");
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "(", ")", "|", "!", "\"", "\\", " ", "=", "*", "?", "[", "]", "{", "}", ",", ";", ":", "/", "~", "..", "<", ">",
            "case:", "word:", "fuzzy:", "re:", "repath:", "ext:", "type:", "kind:", "size:", "dm:", "da:", "depth:", "owner:",
            "group:", "perm:", "attr:", "deleted:", "in:", "notin:", "parent:", "children:", "empty:", "dupe:", "invalid:", "foo:",
            "file", "dir", "image", "today", "2026-01", "7d", "10mb", "1.5g", "ann", "u=rw", "644", "yes", "name", "K", "é",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => "[a-zA-Z0-9.]{1,6}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// What must hold for every text; also the body of a fuzz target.
fn check_any_text(text: &[u8]) {
    match parse(text, &context()) {
        Ok(query) => check_expr(&query.expr, text.len()),
        Err(error) => {
            assert!(error.position <= text.len() && !error.expected.is_empty() && !error.message.is_empty());
            assert_eq!(error.render(text).lines().count(), 3, "{error}");
        }
    }
    if let Ok(text) = std::str::from_utf8(text)
        && let Err(error) = parse_sort(text)
    {
        assert!(error.position <= text.len());
    }
    for scope in [GlobScope::Name, GlobScope::Path] {
        match glob_to_regex(text, scope) {
            Ok(regex) => assert!(text.len() > 1000 || compile_regex(&regex, true).is_ok(), "{regex}"),
            Err(error) => assert!(error.position <= text.len()),
        }
    }
}

/// What the syntax tree promises.
fn check_expr(expr: &Expr, length: usize) {
    match expr {
        Expr::Or(parts) => {
            assert!(parts.len() > 1);
            parts.iter().for_each(|part| check_expr(part, length));
        }
        Expr::And(parts) => parts.iter().for_each(|part| check_expr(part, length)),
        Expr::Not(part) => check_expr(part, length),
        Expr::Term(term) => {
            assert!(term.span.start < term.span.end && term.span.end <= length);
            check_test(&term.test);
        }
    }
}

fn check_test(test: &Test) {
    match test {
        Test::Name(text) | Test::Parent(text) => match &text.pattern {
            Pattern::Substring(needle) | Pattern::Exact(needle) | Pattern::Fuzzy(needle) => {
                assert!(text.case_sensitive || fold(needle) == *needle);
            }
            Pattern::Glob(glob) => check_glob(glob, GlobScope::Name, text.case_sensitive),
            Pattern::Regex(source) => {
                compile_regex(source, text.case_sensitive).expect("it was checked");
            }
        },
        Test::Path(text) => match &text.pattern {
            PathPattern::Substring(needle) | PathPattern::Exact(needle) | PathPattern::Prefix(needle) => {
                assert!(text.case_sensitive || fold(needle) == *needle);
            }
            PathPattern::Glob(glob) => check_glob(glob, GlobScope::Path, text.case_sensitive),
            PathPattern::Regex(source) => {
                compile_regex(source, text.case_sensitive).expect("it was checked");
            }
        },
        Test::In(folder) => {
            assert!(folder.is_empty() || folder.starts_with(b"/") && !folder.ends_with(b"/"));
            assert!(!folder.windows(2).any(|pair| pair == b"//"));
        }
        Test::Ext(list) => {
            assert!(list.is_sorted_by(|a, b| a < b) && list.iter().all(|ext| fold(ext) == *ext));
        }
        Test::Number(_, range) => assert!(range.min.unwrap_or(0) <= range.max.unwrap_or(u64::MAX)),
        Test::Time(_, range) => {
            assert!(range.from.unwrap_or(i64::MIN) < range.until.unwrap_or(i64::MAX));
        }
        _ => {}
    }
}

fn check_glob(glob: &[u8], scope: GlobScope, case_sensitive: bool) {
    assert!(case_sensitive || fold(glob) == glob);
    let regex = glob_to_regex(glob, scope).expect("it was checked");
    compile_regex(&regex, true).expect("it was checked");
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![&b"a"[..], b"b", b"-", b".", b"\xc3\xa9", b"\xc3", b"\xe9", b"\xff", b"*", b"\n"])
            .prop_map(<[u8]>::to_vec),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
    ];
    prop::collection::vec(piece, 0..6)
        .prop_map(|pieces| pieces.concat().into_iter().filter(|&b| b != b'/').collect())
}

fn paths() -> impl Strategy<Value = Vec<u8>> {
    let component = names().prop_filter("a component", |name| !name.is_empty());
    prop::collection::vec(component, 0..4).prop_map(|names| {
        if names.is_empty() { b"/".to_vec() } else { [b"/", names.join(&b'/').as_slice()].concat() }
    })
}

fn globs(slash: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            &b"*"[..], b"**", b"?", b"a", b"b", b"-", b".", b"\xc3\xa9", b"\xe9", b"\xff", b"[ab]", b"[!a]", b"[^\xc3\xa9-]",
            b"[\xe9a]", b"[!\xff]", b"[a-c]", b"[]-]", b"[!-0]", b"\\*", b"\\\xc3\xa9", b"{a,b*}", b"{,?}", b"{a,{b,[.-9]}}",
        ]).prop_map(<[u8]>::to_vec),
        2 => Just(slash.as_bytes().to_vec()),
        1 => Just(if slash.is_empty() { b"a".to_vec() } else { b"**/".to_vec() }),
        1 => Just(if slash.is_empty() { b"b".to_vec() } else { b"{a/**/b,**}".to_vec() }),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn compiled(glob: &[u8], scope: GlobScope) -> regex_automata::meta::Regex {
    let regex = glob_to_regex(glob, scope).unwrap_or_else(|error| panic!("{}", error.render(glob)));
    compile_regex(&regex, true).expect("a regular expression")
}

/// Every sequence of up to `most` pieces.
fn sequences(pieces: &[&[u8]], most: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..most {
        last = last.iter().flat_map(|head| pieces.iter().map(move |piece| [head, *piece].concat())).collect();
        all.extend_from_slice(&last);
    }
    all
}

#[test]
fn short_name_globs_agree_with_plain_matching() {
    let names = sequences(&[b"a", b"b", b"\xc3\xa9", b"\xc3", b"\xa9", b"\xe9"], 3);
    let pieces: [&[u8]; 8] = [b"*", b"?", b"a", b"\xc3\xa9", b"\xe9", b"[!a]", b"[\xc3\xa9\xe9]", b"{a,?}"];
    for glob in sequences(&pieces, 3) {
        let regex = compiled(&glob, GlobScope::Name);
        for name in &names {
            let expected = naive::glob::name_matches(&glob, name);
            assert_eq!(regex.is_match(name), expected, "{} {}", glob.escape_ascii(), name.escape_ascii());
        }
    }
}

#[test]
fn short_path_globs_agree_with_plain_matching() {
    let mut paths = sequences(&[b"/a", b"/b", b"/ab"], 4);
    paths[0] = b"/".to_vec();
    for glob in sequences(&[b"/", b"**", b"*", b"a", b"?", b"{a,b/**}"], 4) {
        let regex = compiled(&glob, GlobScope::Path);
        for path in &paths {
            let expected = naive::glob::path_matches(&glob, path);
            assert_eq!(regex.is_match(path), expected, "{} {}", glob.escape_ascii(), path.escape_ascii());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_gives_a_query_or_an_error(text in text()) {
        check_any_text(&text);
    }

    #[test]
    fn any_bytes_give_a_query_or_an_error(text in prop::collection::vec(any::<u8>(), 0..60)) {
        check_any_text(&text);
    }

    #[test]
    fn quoted_text_is_found_literally(value in text()) {
        prop_assume!(!value.contains(&0) && !value.contains(&b'/'));
        let case_sensitive = has_upper(&value);
        let needle = if case_sensitive { value.clone() } else { fold(&value) };
        let query = parse(&quote_term(&value), &context()).expect("quotes take everything");
        prop_assert!(matches!(
            only_test(query),
            Test::Name(text) if text.case_sensitive == case_sensitive && text.pattern == Pattern::Substring(needle.clone())
        ));
    }

    #[test]
    fn quoted_values_round_trip(value in text(), path in paths()) {
        prop_assume!(!value.contains(&0) && !path.contains(&0));
        let in_path = [b"in:", quote_term(&path).as_slice()].concat();
        let folder = if path == b"/" { Vec::new() } else { path.clone() };
        if !path.split(|&byte| byte == b'/').any(|name| name == b"." || name == b"..") {
            prop_assert_eq!(only_test(parse(&in_path, &context()).expect("a path")), Test::In(folder));
        }
        if let Ok(source) = std::str::from_utf8(&value) && !source.is_empty() && compile_regex(source, true).is_ok() {
            let query = parse(&[b"case:re:", quote_term(&value).as_slice()].concat(), &context()).expect("a regex");
            prop_assert!(matches!(only_test(query), Test::Name(text) if text.pattern == Pattern::Regex(source.to_owned())));
        }
    }

    #[test]
    fn quoted_terms_keep_apart(values in prop::collection::vec(text(), 1..4)) {
        prop_assume!(values.iter().all(|value| !value.contains(&0) && !value.contains(&b'/')));
        let quoted: Vec<Vec<u8>> = values.iter().map(|value| quote_term(value)).collect();
        let query = parse(&quoted.join(&b' '), &context()).expect("quotes take everything");
        let terms = match query.expr { Expr::And(parts) => parts.len(), _ => 1 };
        prop_assert_eq!(terms, values.len());
    }

    #[test]
    fn name_globs_agree_with_plain_matching(glob in globs(""), name in names()) {
        let regex = compiled(&glob, GlobScope::Name);
        prop_assert_eq!(regex.is_match(&name), naive::glob::name_matches(&glob, &name), "{}", regex_text(&glob));
    }

    #[test]
    fn path_globs_agree_with_plain_matching(glob in globs("/"), path in paths()) {
        let regex = compiled(&glob, GlobScope::Path);
        prop_assert_eq!(regex.is_match(&path), naive::glob::path_matches(&glob, &path), "{}", regex_text(&glob));
    }

    #[test]
    fn a_name_as_glob_and_as_regex_finds_itself(name in names()) {
        prop_assume!(!name.is_empty() && !name.contains(&0));
        let exact = [b"case:=", quote_term(&name).as_slice()].concat();
        let query = parse(&exact, &context()).expect("an exact name");
        prop_assert!(matches!(only_test(query), Test::Name(text) if naive::text_matches(&text, &name)));
        let glob = [b"*", quote_term(&name).as_slice(), b"*"].concat();
        let query = parse(&glob, &context()).expect("a glob");
        prop_assert!(matches!(only_test(query), Test::Name(text) if naive::text_matches(&text, &name)));
    }
}

fn regex_text(glob: &[u8]) -> String {
    format!("{} / {:?}", glob.escape_ascii(), glob_to_regex(glob, GlobScope::Path))
}
